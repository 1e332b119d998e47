"""Loads the bootstrap and the jobs, and makes the process fit for forking afterwards."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import signal
import sys
import threading
import time
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import NoReturn

from . import fork_repairs, system
from .classes import Classes
from .config import Config
from .ending import flush_logging, flush_streams, leave_zygote
from .failure import trace

#: A thread that was joined may need a moment to be gone.
_THREAD_PATIENCE_MS = 100
#: Python ignores these two (pylifecycle.c), so that a broken connection is an error and not the end of the run.
_KEPT_SIGNALS = {signal.SIGPIPE, signal.SIGXFSZ}


def load(config: Config) -> Classes:
    try:
        classes = Classes(_load_bootstrap(config.bootstrap), _load_jobs(config.jobs))
        before_fork = getattr(classes.bootstrap, "before_fork", None)
        if before_fork is not None:
            before_fork()
    except SystemExit as leaving:
        _fail("the bootstrap called exit" + ("" if leaving.code is None else f": {leaving.code}") + "\n")
    except BaseException as error:
        _fail(trace(error))
    _settle()
    return classes


def _load_bootstrap(path: str | None) -> ModuleType | None:
    """A module of its own name, so that jobs can import it, its classes be pickled."""
    if path is None:
        return None
    sys.path.insert(0, os.path.dirname(path))
    sys.argv[:] = [path]
    stem = os.path.splitext(os.path.basename(path))[0]
    name = "bootstrap" if stem in sys.modules else stem
    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load_jobs(folder: str | None) -> dict[str, ModuleType]:
    """All of them now: a run finds them loaded, and a broken one is no surprise at night."""
    if folder is None:
        return {}
    parent, package = os.path.split(folder.rstrip("/"))
    if parent not in sys.path:
        sys.path.insert(0, parent)
    stems = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_"))
    return {stem: importlib.import_module(f"{package}.{stem}") for stem in stems}


def _fail(message: str) -> NoReturn:
    flush_streams()
    system.write_all(2, message)
    leave_zygote(1)


def _settle() -> None:
    """What the bootstrap may have left that must not act in the zygote, or again in each child."""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    for number in signal.valid_signals() - _KEPT_SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    flush_logging()
    flush_streams()
    # What a run has printed is in its log, also when the next thing is SIGKILL.
    for stream in (sys.stdout, sys.__stdout__):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    _name_threads()
    fork_repairs.prepare()


def _name_threads() -> None:
    """The daemon looks for threads in /proc, where those of Python are all called as the process is."""
    deadline = system.now_ms() + _THREAD_PATIENCE_MS
    while len(os.listdir("/proc/self/task")) > threading.active_count() and system.now_ms() < deadline:
        time.sleep(0.001)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            try:
                with open(f"/proc/self/task/{thread.native_id}/comm", "wb") as file:
                    file.write(thread.name.encode("utf-8", "replace")[:15])
            except OSError:
                pass  # it has just ended
