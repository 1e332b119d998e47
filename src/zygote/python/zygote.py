"""
The warm process of a Python pool, and the parent of its runs: docs/zygote.md, version 1.

Started by the daemon, as the pool's user, with a listening Unix socket as descriptor 3 and the configuration in
ROCKSY_ZYGOTE. Needs CPython >= 3.9 with ctypes, and a kernel with CONFIG_PROC_CHILDREN. The standard library only.
"""

import os
import sys

if sys.version_info < (3, 9):
    sys.exit("Rocksy's zygote needs Python 3.9 or newer; this is " + sys.version)


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    # Our own folder need not be writable, and is nobody's cache; it goes again before the bootstrap is loaded.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path[:] = [here] + [path for path in sys.path if path != here]
    from rocksy.zygote.starting import start

    sys.path.remove(here)
    sys.dont_write_bytecode = written
    start()


# Not so in a process that multiprocessing spawns: it loads the main module once more, by another name.
if __name__ == "__main__":
    main()
