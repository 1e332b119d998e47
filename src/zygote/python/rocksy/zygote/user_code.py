"""The user's code in a forked process, and every way out of it, up to _exit()."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from . import run_file
from .classes import Classes
from .ending import end_python
from .failure import line, trace
from .system import write_all

FAILED = 255


class UserCode:
    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        #: Lines about the run come from its main process only, not from what it forked.
        self._pid = os.getpid()
        self._has_failed = False

    def run(self, name: str, params: Any) -> NoReturn:
        code = self._outcome(lambda: self._code_of(self._result_of(name, params)))
        self.leave(self._outcome(lambda: self._end(code)))

    def leave(self, code: int) -> NoReturn:
        if self._has_failed:
            code = FAILED
        self._write(f"exit {code}")
        os._exit(code)

    def fail(self, error: str, log: str) -> int:
        """The run has failed: a line for whoever asks, the whole story for the log."""
        write_all(2, log)
        if not self._has_failed:
            self._has_failed = True
            self._write(f"error {run_file.one_line(error, run_file.MOST_ERROR_BYTES)}")
        return FAILED

    def _end(self, code: int) -> int:
        end_python()
        return code

    def _outcome(self, action: Callable[[], int]) -> int:
        try:
            return action()
        except SystemExit as error:
            return self._code_of_exit(error.code)
        except BaseException as error:
            return self._uncaught(error)

    def _result_of(self, name: str, params: Any) -> Any:
        after_fork = getattr(self._classes.bootstrap, "after_fork", None)
        if after_fork is not None:
            after_fork()
        return self._classes.find(name)().run(params)

    def _code_of(self, result: Any) -> int:
        """The exit code; a value that is none becomes the run's result."""
        if result is None:
            return 0
        if isinstance(result, int) and not isinstance(result, bool):
            return int(result) if 0 <= result <= 255 else 255
        try:
            text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            return self._no_result(f"the result can't be written as JSON: {error}")
        if size > run_file.MOST_RESULT_BYTES:
            return self._no_result(
                f"the result is {size} bytes of JSON, of which {run_file.MOST_RESULT_BYTES} are allowed"
            )
        self._write(f"result {text}")
        return 0

    def _no_result(self, error: str) -> int:
        return self.fail(error, f"{error}\n")

    def _code_of_exit(self, code: Any) -> int:
        """As sys.exit() has it: a number, nothing, or what is to be printed."""
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        write_all(2, f"{code}\n")
        self._write(f"error {run_file.one_line(str(code), run_file.MOST_ERROR_BYTES)}")
        return 1

    def _uncaught(self, error: BaseException) -> int:
        self.fail(line(error), trace(error))
        if sys.excepthook is not sys.__excepthook__:
            try:
                sys.excepthook(type(error), error, error.__traceback__)  # it may report somewhere
            except BaseException as another:
                write_all(2, trace(another))
        return FAILED

    def _write(self, text: str) -> None:
        if os.getpid() == self._pid:
            run_file.append(text)
