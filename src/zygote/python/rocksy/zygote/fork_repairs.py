"""
What a forked process has to change in the standard library's state, which was the zygote's.

Not here, since Python does it itself (os.register_at_fork): random.seed(), the locks of threading and logging, the
threads of concurrent.futures. os.urandom(), and with it secrets, uuid4() and ssl, is the kernel's or knows of forks.
"""

from __future__ import annotations

import atexit
import sys
import weakref


def disown() -> None:
    """In each child, once. The modules that come into question are those that the bootstrap has loaded."""
    _disown_exit_handlers()
    _disown_finalizers()
    _disown_helpers()
    _reseed_numpy()


def _disown_exit_handlers() -> None:
    """Those of the bootstrap are the zygote's; those that modules have for whoever uses them stay."""
    atexit._clear()
    logging = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    multiprocessing_util = sys.modules.get("multiprocessing.util")
    if multiprocessing_util is not None:
        atexit.register(multiprocessing_util._exit_function)


def _disown_finalizers() -> None:
    """Temporary folders of the bootstrap, for example. The first one of the run registers an exit handler anew."""
    for info in weakref.finalize._registry.values():
        info.atexit = False
    weakref.finalize._registered_with_atexit = False


def _disown_helpers() -> None:
    """As multiprocessing does in its own children (BaseProcess._bootstrap): it would end the zygote's processes."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process._children = set()


def _reseed_numpy() -> None:
    """Its global generator; a Generator object of the bootstrap repeats in every child."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
