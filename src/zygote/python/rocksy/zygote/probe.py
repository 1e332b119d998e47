"""A child that goes through all preparation and exits: whether it can be done here."""

from __future__ import annotations

import signal
from collections.abc import Callable
from resource import struct_rusage

from .processes import NEVER, Processes, how_it_ended
from .system import now_ms, send_signal


class Probe:
    def __init__(self, processes: Processes, patience_ms: int, told: Callable[[str | None], None]) -> None:
        """`told` hears why not, or None."""
        self._processes = processes
        self._patience_ms = patience_ms
        self._told = told
        self._pid = 0
        self._message: str | None = None

    def began(self, pid: int) -> None:
        self._pid = pid
        self._processes.set_deadline(pid, now_ms() + self._patience_ms)

    def claimed(self) -> None:
        """It does not say so."""

    def gave_up(self, why: str) -> None:
        self._message = why

    def expired(self, now: int) -> None:
        self._message = f"the probe took longer than {self._patience_ms} ms"
        send_signal(self._pid, signal.SIGKILL)
        self._processes.set_deadline(self._pid, NEVER)

    def reaped(self, status: int, usage: struct_rusage) -> None:
        self._told(None if status == 0 else self._message or f"the probe {how_it_ended(status)}")
