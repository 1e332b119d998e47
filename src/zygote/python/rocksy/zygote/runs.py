"""All runs of the zygote: given to children, claimed, timed out, ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from resource import struct_rusage
from typing import Any

from . import test_kill
from .config import Config
from .processes import NEVER, Processes, how_it_ended
from .run import KILL_AFTER_MS, Run, State
from .strays import PATIENCE_MS, Strays
from .system import now_ms, send_signal

_MOST_REPLACEMENTS = 3


class MainProcess:
    """The process of a run, as the reaper knows it."""

    def __init__(self, run: Run, runs: Runs) -> None:
        self.run = run
        self._runs = runs

    def claimed(self) -> None:
        self._runs.claimed(self.run)

    def gave_up(self, why: str) -> None:
        self.run.message = why

    def expired(self, now: int) -> None:
        self._runs.expired(self.run, now)

    def reaped(self, status: int, usage: struct_rusage) -> None:
        self._runs.main_process_ended(self, status, usage)


class Runs:
    def __init__(
        self,
        config: Config,
        processes: Processes,
        give: Callable[[MainProcess], int],
        tell: Callable[[str], None],
    ) -> None:
        """`give` finds a child for a run, or throws OSError; `tell` is for events."""
        self._config = config
        self._processes = processes
        self._give_to_child = give
        self._tell = tell
        self._strays = Strays()
        self._by_key: dict[str, Run] = {}
        #: Whose main process is reaped.
        self._ending: list[Run] = []
        self.running = 0

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self._by_key)

    def known(self) -> Iterable[Run]:
        return self._by_key.values()

    def start(self, request: dict[str, Any], line: bytes) -> None:
        """Throws OSError when no child can be had for it."""
        run = Run(request, line)
        self._by_key[run.key] = run
        try:
            self._give(MainProcess(run, self))
        except OSError:
            del self._by_key[run.key]
            raise
        self.running += 1

    def acknowledge(self, key: Any) -> None:
        run = self._find(key)
        if run is not None and run.state is State.ENDED:
            del self._by_key[run.key]

    def signal(self, key: Any, number: Any) -> bool:
        """Only while the process is not reaped: afterwards its pid may be somebody else's."""
        run = self._find(key)
        return run is not None and run.is_alive() and isinstance(number, int) and send_signal(run.pid, number)

    def cancel(self, key: Any, kill_after_ms: Any, reason: Any) -> bool:
        run = self._find(key)
        if run is None or not self.signal(key, signal.SIGTERM):
            return False
        run.reason = run.reason or str(reason)
        patience_ms = kill_after_ms if type(kill_after_ms) in (int, float) else KILL_AFTER_MS
        run.kill_at = min(run.kill_at, now_ms() + int(patience_ms))
        self._processes.set_deadline(run.pid, run.deadline())
        return True

    def _find(self, key: Any) -> Run | None:
        return self._by_key.get(key) if isinstance(key, str) else None

    def _give(self, process: MainProcess) -> None:
        run = process.run
        pid = self._give_to_child(process)
        test_kill.at("zygote:forked")
        run.state = State.GIVEN
        run.replace = False
        run.claim_by = now_ms() + self._config.claim_timeout_ms
        run.forked(pid)
        self._processes.set_deadline(pid, run.deadline())
        self._tell(run.event)

    def claimed(self, run: Run) -> None:
        run.claimed(now_ms())
        self._processes.set_deadline(run.pid, run.deadline())
        self._tell(run.event)

    def expired(self, run: Run, now: int) -> None:
        if run.claim_by <= now:
            run.claim_by = NEVER
            run.replace = True
            send_signal(run.pid, signal.SIGKILL)
        if run.timeout_at <= now:
            run.timeout_at = NEVER
            run.reason = run.reason or "timeout"
            run.kill_at = min(run.kill_at, now + run.kill_after_ms)
            send_signal(run.pid, signal.SIGTERM)
        if run.kill_at <= now:
            run.kill_at = NEVER
            send_signal(run.pid, signal.SIGKILL)
        self._processes.set_deadline(run.pid, run.deadline())

    def main_process_ended(self, process: MainProcess, status: int, usage: struct_rusage) -> None:
        run = process.run
        if self._is_replaced(process):
            return
        run.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        run.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        run.usage = usage
        if run.replace and run.was_claimed:
            run.message = "killed at the end of the claim timeout, at the moment of its claim"
        elif run.replace:
            within = f"within {self._config.claim_timeout_ms} ms"
            run.message = f"none of {run.replacements + 1} children has claimed the key {within}"
        elif not run.was_claimed:
            run.message = run.message or f"the child {how_it_ended(status)} before it claimed the key"
        run.state = State.ENDING
        run.ended_at = now_ms()
        self._ending.append(run)

    def _is_replaced(self, process: MainProcess) -> bool:
        run = process.run
        if not run.replace or run.was_claimed or run.reason is not None or run.replacements >= _MOST_REPLACEMENTS:
            return False
        run.replacements += 1
        try:
            self._give(process)
        except OSError:
            return False
        return True

    def stray_reaped(self, pid: int) -> None:
        self._strays.reaped(pid)

    def next_deadline(self) -> int:
        return min((run.ended_at + PATIENCE_MS for run in self._ending), default=NEVER)

    def end(self) -> None:
        """What ended runs left behind is killed; those of which nothing is left are told."""
        if not self._ending and not self._strays.any():
            return
        now = now_ms()
        waiting = not self._config.leave_children and self._strays.kill(self._processes, now)
        still = [run for run in self._ending if waiting and now - run.ended_at < PATIENCE_MS]
        for run in self._ending:
            if run in still:
                continue
            run.ended()
            self.running -= 1
            test_kill.at("zygote:ended-before-tell")
            self._tell(run.event)
        self._ending = still
