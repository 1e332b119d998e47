"""From a fresh interpreter to a serving zygote."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from . import bootstrap, signals, system, test_kill
from .config import StartError, take_config
from .failure import trace
from .server import LISTENER, Zygote


def start() -> NoReturn:
    try:
        config = take_config()
        test_kill.take()
        try:
            os.set_inheritable(LISTENER, False)
        except OSError:
            raise StartError(f"descriptor {LISTENER}, the listening socket, is not open") from None
        # Daemons that the bootstrap starts by a double fork stay below us as well.
        system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)
    except (StartError, OSError) as error:
        sys.exit(str(error))
    signals.ignore()
    inherited = system.open_descriptors()
    classes = bootstrap.load(config)
    signals.ignore()
    try:
        Zygote(config, classes, inherited).serve()
    except BaseException as error:
        system.write_all(2, trace(error))
        os._exit(70)
