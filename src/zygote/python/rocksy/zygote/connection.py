"""One accepted connection: lines in, lines out."""

from __future__ import annotations

import socket

_READ_BYTES = 1 << 16
_MOST_WAITING_BYTES = 64 << 20


class Connection:
    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self._socket = accepted
        #: The other side has gone, or keeps to no limit.
        self.closed = False
        self._in = bytearray()
        self._out = bytearray()

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bool:
        """Reads once. False when there was nothing more for now."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        self._in += data
        if len(self._in) > _MOST_WAITING_BYTES:
            self.closed = True
        return True

    def next_line(self) -> bytes | None:
        end = self._in.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._in[:end])
        del self._in[: end + 1]
        return line

    def has_line(self) -> bool:
        return b"\n" in self._in

    def say(self, line: str) -> None:
        self._out += line.encode() + b"\n"

    def flush(self) -> None:
        while self._out:
            try:
                sent = self._socket.send(self._out, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                # Whoever reads nothing for so long is cut off, and told everything when it is back.
                self.closed = self.closed or len(self._out) > _MOST_WAITING_BYTES
                return
            except OSError:
                self.closed = True
                return
            del self._out[:sent]

    def close(self) -> None:
        self.flush()
        self._socket.close()
