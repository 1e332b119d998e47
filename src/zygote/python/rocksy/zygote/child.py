"""
The forked process, from fork() to the user's code: "What a child does before any user code" of docs/zygote.md, in its
order. From there on see UserCode.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterable
from typing import Any, NoReturn

from . import fork_repairs, run_file, signals, system, test_kill
from .classes import Classes
from .config import Config
from .messages import request_of
from .parking import MOST_BYTES
from .processes import NOTHING_RUN
from .user_code import UserCode

_START_TIME = 22


class Child:
    def __init__(self, config: Config, classes: Classes, reporting: int) -> None:
        """In the zygote: what all children have in common."""
        self._config = config
        self._classes = classes
        #: The zygote reads the other end; closed before user code.
        self._reporting = reporting
        self._title = system.Title()
        self._zygote = os.getpid()
        with open("/proc/sys/kernel/random/boot_id") as file:
            self._boot_id = file.read().strip()

    def title(self, what: str) -> None:
        self._title.set(f"rocksy {self._config.pool}/{self._config.generation} {what}")

    def prepare(self, descriptors: Iterable[int]) -> None:
        """All that needs no run; a parked child has it behind itself."""
        for descriptor in descriptors:
            os.close(descriptor)
        os.setsid()
        if not self._config.leave_children:
            system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)
        fork_repairs.disown()
        self._identity = f"{os.getpid()} {system.stat_field(_START_TIME)} {self._boot_id}"
        signals.set_default()

    def park(self, ours: socket.socket) -> NoReturn:
        """Waits for a run; ends with the zygote."""
        system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._zygote:
            os._exit(0)  # it died before prctl(2) could tell
        self.title("parked")
        line = ours.recv(MOST_BYTES)
        request = request_of(line)
        if request is None:
            os._exit(0)  # the end of the socket
        # From here on the run is under way and outlives its zygote.
        system.prctl(system.PR_SET_PDEATHSIG, 0)
        ours.close()
        self.run(request)

    def run(self, request: dict[str, Any]) -> NoReturn:
        path = f"{self._config.runs}/{request['file']}.run"
        try:
            _set_standard_input(request.get("stdin"))
            test_kill.at("child:before-claim")
            run_file.claim(path, self._identity)
        except (run_file.Unclaimed, OSError, ValueError) as error:
            self._give_up(str(error))
        test_kill.at("child:claimed-before-report")
        self._report("claimed")
        os.close(self._reporting)

        user_code = UserCode(self._classes)
        try:
            self._open_log(f"{self._config.runs}/{request.get('log', request['file'] + '.log')}")
            _change_folder(request.get("cwd"))
            _set_environment(request.get("env", {}))
            _set_environment(
                {"ROCKSY_KEY": request["key"], "ROCKSY_POOL": self._config.pool, "ROCKSY_RUN_FILE": path}
            )
        except (OSError, ValueError) as error:  # UnicodeEncodeError among them
            user_code.leave(user_code.fail(str(error), f"{error}\n"))
        self.title(request["class"])
        params = request.get("params")
        user_code.run(request["class"], [] if params is None else params)

    def probe(self) -> NoReturn:
        """Goes all the way, with files of its own, and leaves nothing."""
        file = f"{self._config.runs}/.probe-{os.getpid()}"
        problem = None
        try:
            run_file.claim(f"{file}.run", self._identity)
            self._open_log(f"{file}.log")
        except (run_file.Unclaimed, OSError) as error:
            problem = str(error)
        for path in (f"{file}.run", f"{file}.log"):
            if os.path.exists(path):
                os.unlink(path)
        if problem is not None:
            self._give_up(problem)
        self.title("probe")
        os._exit(0)

    def _give_up(self, why: str) -> NoReturn:
        """Before the claim: nothing of the user's has run, and nothing will."""
        self._report("unclaimed", why)
        os._exit(NOTHING_RUN)

    def _report(self, kind: str, text: str = "") -> None:
        """Far below PIPE_BUF, so reports of several children don't mix (pipe(7))."""
        system.write_all(self._reporting, f"{kind} {os.getpid()} {run_file.one_line(text, 1_000)}\n")

    def _open_log(self, path: str) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise OSError(f"cannot open the log {path}: {error.strerror}") from None
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)


def _set_standard_input(text: str | None) -> None:
    if text is None:
        return
    descriptor = os.memfd_create("stdin")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.encode("utf-8"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)
    os.close(descriptor)


def _set_environment(variables: dict[str, str]) -> None:
    """Not by update(), which first asks whether it is given a Mapping: as slow as a fifth of a fork."""
    for name, value in variables.items():
        os.environ[name] = value


def _change_folder(folder: str | None) -> None:
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        raise OSError(f"cannot change to {folder}: {error.strerror}") from None
