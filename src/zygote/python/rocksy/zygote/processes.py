"""The processes that the zygote has forked and not reaped: what they report, when they die, when something is due."""

from __future__ import annotations

import os
from collections.abc import Callable
from os import fork  # now, before the bootstrap may put another function in its place
from resource import struct_rusage
from typing import NoReturn, Protocol

from . import signals
from .failure import trace
from .system import write_all


#: Later than anything.
NEVER = 1 << 62
#: Exit code of a child that ran nothing of the user's.
NOTHING_RUN = 125
_READ_BYTES = 1 << 16


class Process(Protocol):
    """What one of them is for."""

    def claimed(self) -> None: ...

    def gave_up(self, why: str) -> None: ...

    def expired(self, now: int) -> None:
        """Its deadline has come; it sets another one, or none."""

    def reaped(self, status: int, usage: struct_rusage) -> None: ...


class Processes:
    def __init__(self) -> None:
        # One pipe for the reports of all children; they close their end before user code.
        self.reports, self.reporting = os.pipe()
        os.set_blocking(self.reports, False)
        self._rest = b""
        self._by_pid: dict[int, Process] = {}
        self._deadlines: dict[int, int] = {}
        self.forks = 0

    def __contains__(self, pid: int) -> bool:
        return pid in self._by_pid

    def __len__(self) -> int:
        return len(self._by_pid)

    def fork(self, purpose: Process, main: Callable[[], NoReturn]) -> int:
        """The pid. Throws OSError when there is no child."""
        with signals.held_back():
            pid = fork()
            if pid == 0:
                _be(main)
        self.forks += 1
        self._by_pid[pid] = purpose
        return pid

    def give(self, pid: int, purpose: Process) -> None:
        """A parked child is a run from now on."""
        self._by_pid[pid] = purpose

    def set_deadline(self, pid: int, at: int) -> None:
        if at == NEVER:
            self._deadlines.pop(pid, None)
        else:
            self._deadlines[pid] = at

    def next_deadline(self) -> int:
        return min(self._deadlines.values(), default=NEVER)

    def expire(self, now: int) -> None:
        due = [pid for pid, at in self._deadlines.items() if at <= now]
        if due:
            self.read_reports()  # a claim may have come this moment
        for pid in due:
            if self._deadlines.get(pid, NEVER) <= now:
                self._by_pid[pid].expired(now)

    def read_reports(self) -> None:
        while True:
            try:
                data = os.read(self.reports, _READ_BYTES)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                kind, pid, message = line.decode("utf-8", "replace").split(" ", 2)
                purpose = self._by_pid.get(int(pid))
                if purpose is None:
                    continue
                if kind == "claimed":
                    purpose.claimed()
                else:
                    purpose.gave_up(message)

    def reap(self, stranger: Callable[[int], None]) -> None:
        """`stranger` is told of those that were forked by somebody else."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.read_reports()  # a child's report is always there before its death can be seen
            self._deadlines.pop(pid, None)
            purpose = self._by_pid.pop(pid, None)
            if purpose is None:
                stranger(pid)
            else:
                purpose.reaped(status, usage)


def _be(main: Callable[[], NoReturn]) -> NoReturn:
    """The child. Whatever happens, it does not come back into the zygote's loop."""
    try:
        main()
    except BaseException as error:
        write_all(2, trace(error))
    finally:
        os._exit(NOTHING_RUN)


def how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"exited with code {os.WEXITSTATUS(status)}"
