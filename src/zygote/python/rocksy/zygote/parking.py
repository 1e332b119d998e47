"""Children that wait for a run, the oldest first."""

from __future__ import annotations

import socket
from resource import struct_rusage

from .processes import NEVER
from .system import now_ms

#: After one died unasked or fork failed, the next one is tried so much later.
_PAUSE_MS = 1_000
#: More than the child reads at once is for a forked one, which has it in memory.
MOST_BYTES = 1 << 16


class Parked:
    """One of them, on its end of a socket pair. A message on it is whole."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(self, line: bytes) -> bool:
        try:
            return self.ours.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(line)
        except OSError:
            return False
        finally:
            self.ours.close()

    def claimed(self) -> None:
        """It cannot, before it has been given a run."""

    def gave_up(self, why: str) -> None:
        """The same."""

    def expired(self, now: int) -> None:
        """It has no deadline."""

    def reaped(self, status: int, usage: struct_rusage) -> None:
        self._parking.lost(self)


class Parking:
    def __init__(self, places: int) -> None:
        self._places = places
        self._parked: dict[Parked, int] = {}
        #: Not before the probe: the daemon looks at our descriptors first, and refuses what it does not know.
        self._is_open = False
        self._refill_at = 0

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        """A child ends when its socket does."""
        self._is_open = False
        for child in self._parked:
            child.ours.close()
        self._parked.clear()

    def __len__(self) -> int:
        return len(self._parked)

    def descriptors(self) -> list[int]:
        return [child.ours.fileno() for child in self._parked]

    def refill_at(self) -> int:
        """When the next one is to be forked."""
        return self._refill_at if self._is_open and len(self._parked) < self._places else NEVER

    def add(self, child: Parked, pid: int) -> None:
        self._parked[child] = pid

    def pause(self) -> None:
        self._refill_at = now_ms() + _PAUSE_MS

    def lost(self, child: Parked) -> None:
        if self._parked.pop(child, None) is not None:
            child.ours.close()
            self.pause()

    def give(self, line: bytes) -> int | None:
        """Gives the request to the oldest; None when nobody can take it."""
        if len(line) > MOST_BYTES:
            return None
        while self._parked:
            child = next(iter(self._parked))
            pid = self._parked.pop(child)
            if child.send(line):
                return pid
        return None
