"""
What a forked process has to change in the standard library's state, which was the zygote's.

Not here, since Python does it itself (os.register_at_fork): random.seed(), the locks of threading and logging, the
threads of concurrent.futures, multiprocessing's finalizers. os.urandom(), and with it secrets and uuid4(), is the
kernel's, and OpenSSL knows of forks.
"""

from __future__ import annotations

import atexit
import sys
import weakref


def prepare() -> None:
    """In the zygote, before its first fork."""
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        uuid.getnode()  # libuuid knows it; a child would have to ask a program (see _leave_libuuid)


def disown() -> None:
    """In each child, once. The modules that come into question are those that the bootstrap has loaded."""
    _disown_exit_handlers()
    _disown_finalizers()
    _disown_helpers()
    _reseed_numpy()
    _leave_libuuid()


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


def _leave_libuuid() -> None:
    """
    uuid1() has its clock sequence of libuuid, which keeps one for a process and its children: two of them in the same
    microsecond get the same UUID. Python's own way draws one each time.
    """
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        uuid._generate_time_safe = None
