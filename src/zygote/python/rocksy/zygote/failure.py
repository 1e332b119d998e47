"""How failures of user code read."""

from __future__ import annotations

import os
import traceback
from types import TracebackType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def trace(error: BaseException) -> str:
    """As Python prints an uncaught exception, without our frames above the user's first one."""
    frames = _users(error.__traceback__)
    return "".join(traceback.TracebackException(type(error), error, frames).format())


def line(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # a class may have a __str__ of its own
        message = ""
    return f"{name}: {message}" if message else name


def _users(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def _is_ours(file: str) -> bool:
    return file.startswith((_OURS, "<frozen importlib"))
