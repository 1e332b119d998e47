"""The daemons' connections: lines in and out, hello, and which of them is the session that is told of events."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol

from .connection import Connection
from .messages import answer, request_of


class Served(Protocol):
    """Who carries the requests out."""

    def takes_more(self) -> bool:
        """Whether another request is to be handled in this turn."""

    def introduce(self, request_id: Any, session: int) -> None:
        """To a new session: every run that is known, then who we are."""

    def request(self, request: dict[str, Any], line: bytes) -> None: ...


class Sessions:
    def __init__(self, listener: int, watch: Callable[[int], None], forget: Callable[[int], None]) -> None:
        self._listener = socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self._watch = watch
        self._forget = forget
        self._connections: dict[int, Connection] = {}
        self._current: Connection | None = None
        self._number = 0

    def descriptors(self) -> list[int]:
        return [self._listener.fileno(), *self._connections]

    def accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return  # BlockingIOError: that was all; EMFILE: they wait in the backlog
            connection = Connection(accepted)
            self._connections[connection.descriptor] = connection
            self._watch(connection.descriptor)

    def receive(self, ready: dict[int, int], served: Served) -> None:
        for descriptor, connection in list(self._connections.items()):
            if self._connections.get(descriptor) is not connection:
                continue  # dropped by another one's hello
            if descriptor in ready:
                connection.receive()
            while self._connections.get(descriptor) is connection and served.takes_more():
                line = connection.next_line()
                if line is None:
                    break
                self._handle(connection, line, served)

    def have_lines(self) -> bool:
        """Lines that were received and had to wait for the next turn."""
        return any(connection.has_line() for connection in self._connections.values())

    def flush(self) -> None:
        for connection in list(self._connections.values()):
            connection.flush()
            if connection.closed and not connection.has_line():
                self._drop(connection)

    def tell(self, event: str) -> None:
        """To the current session. What a zygote without one would have said is told at the next hello."""
        if self._current is not None:
            self._current.say(event)

    def _drop(self, connection: Connection) -> None:
        descriptor = connection.descriptor
        if self._connections.pop(descriptor, None) is None:
            return
        self._forget(descriptor)
        connection.close()
        if self._current is connection:
            self._current = None

    def _handle(self, connection: Connection, line: bytes, served: Served) -> None:
        request = request_of(line)
        if request is None:
            connection.say(answer("error", None, message='a request is one JSON object a line, with "op"'))
        elif request["op"] == "hello":
            self._hello(connection, request, served)
        elif connection is not self._current:
            self._refuse(connection, request, "the first request of a connection is hello")
        else:
            served.request(request, line)

    def _hello(self, connection: Connection, request: dict[str, Any], served: Served) -> None:
        session = request.get("session")
        if request.get("version", 1) != 1:
            return self._refuse(connection, request, "this zygote speaks version 1 of the contract")
        if type(session) is not int:
            return self._refuse(connection, request, '"session" must be an integer')
        if session <= self._number:
            problem = f"session {session} is not higher than the current one, {self._number}"
            return self._refuse(connection, request, problem)
        if self._current is not None and self._current is not connection:
            self._finish(self._current, served)
        self._number = session
        self._current = connection
        served.introduce(request.get("id"), session)

    def _finish(self, older: Connection, served: Served) -> None:
        """
        Whatever the older session has sent is carried out before the new one is told what there is: a run that it is
        not told of was never started, and never will be.
        """
        more = True
        while more:
            more = older.receive()
            while (line := older.next_line()) is not None:
                self._handle(older, line, served)
        self._drop(older)

    def _refuse(self, connection: Connection, request: dict[str, Any], message: str) -> None:
        connection.say(answer("error", request.get("id"), message=message))
        self._drop(connection)
