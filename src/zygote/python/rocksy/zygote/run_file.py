"""
The file that makes this process the one and only execution of its key, and what the run says in it.

It is the module's: it is the one run of this process.
"""

from __future__ import annotations

import os
import time

MOST_ERROR_BYTES = 8_000
MOST_PROGRESS_BYTES = 1_000
MOST_RESULT_BYTES = 65_536

_descriptor = -1


class Unclaimed(Exception):
    """Why this process must not run."""


def claim(path: str, identity: str) -> None:
    """Throws Unclaimed unless the key is its own from now on."""
    global _descriptor
    try:
        # O_APPEND: a job's own `echo … >> file` and these lines must not write over one another.
        _descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except FileExistsError:
        raise Unclaimed("the key is claimed already") from None
    except OSError as error:
        raise Unclaimed(f"cannot create {path}: {error.strerror}") from None
    if not append(f"claim 1 {identity} {time.time_ns() // 1_000_000}"):
        raise Unclaimed(f"cannot write to {path}")


def append(line: str) -> bool:
    """One line, one write: lines of several writers don't mix."""
    data = (line + "\n").encode("utf-8", "replace")
    try:
        return _descriptor >= 0 and os.write(_descriptor, data) == len(data)
    except OSError:
        return False


def one_line(text: str, most_bytes: int) -> str:
    r"""Line breaks as \n (backslash, n); cut where a character ends."""
    text = text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")
