"""A run as its zygote knows it, until it is acknowledged."""

from __future__ import annotations

from enum import Enum, auto
from resource import struct_rusage
from typing import Any

from .messages import event
from .processes import NEVER

KILL_AFTER_MS = 5_000


class State(Enum):
    #: A child has been given the run and has not claimed it.
    GIVEN = auto()
    RUNNING = auto()
    #: The main process is gone; what it left behind is being killed.
    ENDING = auto()
    ENDED = auto()


class Run:
    def __init__(self, request: dict[str, Any], line: bytes) -> None:
        self.key: str = request["key"]
        #: Both are forgotten once the run has claimed.
        self.request: dict[str, Any] | None = request
        self.line: bytes | None = line
        self.state = State.GIVEN
        #: The latest of forked, claimed, ended: what a new session is told.
        self.event = ""
        self.pid = 0
        self.was_claimed = False
        self.reason: str | None = None
        #: Why nothing of the user's has run.
        self.message: str | None = None
        self.replacements = 0
        #: Killed because it has not claimed in time.
        self.replace = False
        self.timeout_ms = int(request.get("timeout_ms", 0)) or None
        self.kill_after_ms = int(request.get("kill_after_ms", KILL_AFTER_MS))
        self.claim_by = self.timeout_at = self.kill_at = NEVER
        self.code: int | None = None
        self.signal: int | None = None
        self.usage: struct_rusage | None = None
        self.ended_at = 0

    def is_alive(self) -> bool:
        """Its main process is there and not reaped."""
        return self.state in (State.GIVEN, State.RUNNING)

    def deadline(self) -> int:
        return min(self.claim_by, self.timeout_at, self.kill_at)

    def forked(self, pid: int) -> None:
        self.pid = pid
        self.event = event("forked", key=self.key, pid=pid)

    def claimed(self, now: int) -> None:
        self.was_claimed = True
        self.state = State.RUNNING
        self.request = self.line = None
        self.claim_by = NEVER
        self.timeout_at = NEVER if self.timeout_ms is None else now + self.timeout_ms
        self.event = event("claimed", key=self.key, pid=self.pid)

    def ended(self) -> None:
        self.state = State.ENDED
        self.request = self.line = None
        assert self.usage is not None
        self.event = event(
            "ended",
            key=self.key,
            pid=self.pid,
            code=self.code,
            signal=self.signal,
            reason=self.reason,
            claimed=self.was_claimed,
            cpu_user_ms=round(self.usage.ru_utime * 1e3, 3),
            cpu_system_ms=round(self.usage.ru_stime * 1e3, 3),
            max_rss_bytes=self.usage.ru_maxrss * 1_024,
            **({} if self.message is None else {"message": self.message}),
        )
