"""
The signals that the zygote waits for: SIGCHLD and SIGTERM, as bytes in a pipe.

Handlers and not a mask with signalfd(2): a thread of the bootstrap, where the pool allows it, has a mask of its own and
would take the signal away.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_AWAITED = (signal.SIGCHLD, signal.SIGTERM)
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)
#: Python ignores it (pylifecycle.c), so that a broken connection is an error and not the end of the run.
_STAYS_IGNORED = signal.SIGPIPE
_READ_BYTES = 4_096


def ignore() -> None:
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


def receive() -> tuple[int, int]:
    """Both ends of the pipe; the first can be polled."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _AWAITED:
        signal.signal(number, lambda *_: None)
    return reader, writer


def received(reader: int) -> bytes:
    """The numbers of the signals that have come."""
    try:
        return os.read(reader, _READ_BYTES)
    except BlockingIOError:
        return b""


@contextmanager
def held_back() -> Iterator[None]:
    """Around a fork: a signal to the child must not be written into the zygote's pipe."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)


def set_default() -> None:
    """In a child: nothing is handled or blocked any more. What has come meanwhile takes effect here."""
    for number in {*_AWAITED, *_IGNORED} - {_STAYS_IGNORED}:
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # fork and exec keep a mask: empty it before anybody's code
