"""
What runs leave behind: every child of the zygote that it did not fork.

A run is the subreaper of what it starts. When it dies, its descendants are given to the next subreaper above, the
zygote (prctl(2), PR_SET_CHILD_SUBREAPER): before its death can be waited for, because the kernel does both under one
lock (exit_notify in kernel/exit.c). No setsid and no double fork leads out of this.
"""

from __future__ import annotations

import os
import signal

from .processes import Processes
from .system import send_signal

#: A process that SIGKILL does not end (uninterruptible sleep) is waited for so long.
PATIENCE_MS = 2_000


class Strays:
    def __init__(self) -> None:
        self._path = f"/proc/self/task/{os.getpid()}/children"
        #: pid → when it was first seen
        self._seen: dict[int, int] = {}
        #: Children of the bootstrap: helpers that it wants.
        self._kept = set(self._children())

    def kill(self, own: Processes, now: int) -> bool:
        """Kills them all. Whether somebody is left who is worth waiting for."""
        seen = {pid: self._seen.get(pid, now) for pid in self._children() if pid not in own and pid not in self._kept}
        for pid in seen:
            send_signal(pid, signal.SIGKILL)  # our child and not reaped: the pid is its own
        self._seen = seen
        return any(now - since < PATIENCE_MS for since in seen.values())

    def any(self) -> bool:
        return bool(self._seen)

    def reaped(self, pid: int) -> None:
        self._seen.pop(pid, None)
        self._kept.discard(pid)

    def _children(self) -> list[int]:
        """Complete, since nobody but this thread removes one from the list (proc_pid_children(5))."""
        with open(self._path, "rb", buffering=0) as file:
            text = file.read()
        return [int(pid) for pid in text.split()]
