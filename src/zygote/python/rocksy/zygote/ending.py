"""The ends of processes that do not go through Python's own exit, whose destructors belong to the zygote."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import sys
import threading
from typing import NoReturn


def leave_zygote(code: int) -> NoReturn:
    """Exit handlers of the bootstrap have their one turn. Threads of it, if any were allowed, are not waited for."""
    atexit._run_exitfuncs()
    flush_streams()
    os._exit(code)


def end_python() -> None:
    """
    All that Python's own exit would do of which a run may expect something (Py_FinalizeEx in pylifecycle.c): waits for
    threads, calls exit handlers, writes what is left in files. multiprocessing ends its forked processes so too.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    flush_streams()
    close_files()


def flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()


def close_files() -> None:
    """
    Those that the run has opened and not closed, in cycles that nobody reaches too: the collector would close the
    buffer of a text file before the text is in it. Objects of the bootstrap are frozen, which leaves them out.
    """
    failure: Exception | None = None
    # type(): an isinstance() would wake lazy objects, which pretend to be of another class.
    opened = [each for each in gc.get_objects() if issubclass(type(each), io.IOBase)]
    for file in sorted(opened, key=_depth):
        try:
            file.close()
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _depth(file: io.IOBase) -> int:
    """What writes into another file when it is closed comes before that one."""
    if isinstance(file, io.TextIOBase):
        return 0
    if type(file).__module__ != "_io":
        return 1  # a GzipFile, for example
    return 2 if isinstance(file, io.BufferedIOBase) else 3


def flush_logging() -> None:
    for reference in logging._handlerList[:]:
        handler = reference()
        if handler is not None:
            handler.flush()
