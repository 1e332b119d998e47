"""
For tests of crashes: the process kills itself at one named step, once.

ROCKSY_TEST_KILL names the step, ROCKSY_TEST_KILL_ONCE the file whose creation says that it has happened.
"""

from __future__ import annotations

import os
import signal

_step: str | None = None
_once: str | None = None


def take() -> None:
    global _step, _once
    _step = os.environ.pop("ROCKSY_TEST_KILL", None)
    _once = os.environ.pop("ROCKSY_TEST_KILL_ONCE", None)


def at(step: str) -> None:
    if step != _step:
        return
    try:
        if _once is not None:
            os.close(os.open(_once, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
