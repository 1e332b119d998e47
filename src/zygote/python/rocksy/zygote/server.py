"""The serving zygote: one loop over its sessions, its children's reports and their deaths."""

from __future__ import annotations

import gc
import os
import signal
import sys
from select import POLLIN, poll  # now: the bootstrap may take it away (gevent does)
from typing import Any, NoReturn

from . import signals
from .child import Child
from .classes import Classes
from .config import Config
from .ending import leave_zygote
from .messages import answer, event
from .parking import Parked, Parking
from .probe import Probe
from .processes import NEVER, Processes
from .runs import MainProcess, Runs
from .sessions import Sessions
from .start_request import problem_of
from .system import now_ms, use_huge_pages

LISTENER = 3
#: So many starts in a turn, then claims, deaths and deadlines have their turn.
_STARTS_PER_TURN = 8
_LONGEST_WAIT_MS = 86_400_000


class Zygote:
    def __init__(self, config: Config, classes: Classes, inherited: list[int]) -> None:
        """`inherited`: descriptors that were open before anything of the user's was loaded."""
        self._config = config
        self._inherited = inherited
        self._signals, self._signalling = signals.receive()
        self._processes = Processes()
        self._parking = Parking(config.prefork)
        self._poll = poll()
        self._sessions = Sessions(LISTENER, lambda fd: self._poll.register(fd, POLLIN), self._poll.unregister)
        for descriptor in (self._signals, self._processes.reports, LISTENER):
            self._poll.register(descriptor, POLLIN)
        self._runs = Runs(config, self._processes, self._give, self._sessions.tell)
        self._child = Child(config, classes, self._processes.reporting)
        self._is_draining = False
        self._starts_this_turn = 0

    def serve(self) -> NoReturn:
        self._child.title("zygote")
        # The collector writes into what it looks at, and each page that is written to after a fork is copied. What has
        # been loaded until now it will never look at again, here and in the children.
        gc.collect()
        gc.freeze()
        use_huge_pages()
        while not self._is_draining or len(self._runs) > 0 or len(self._processes) > 0:
            self._turn()
        self._sessions.flush()
        leave_zygote(0)

    def _turn(self) -> None:
        self._starts_this_turn = 0
        ready = dict(self._poll.poll(self._patience()))
        if self._processes.reports in ready:
            self._processes.read_reports()
        if self._signals in ready:
            self._read_signals()
        if LISTENER in ready:
            self._sessions.accept()
        self._sessions.receive(ready, self)
        self._processes.expire(now_ms())
        self._runs.end()
        self._refill()
        self._sessions.flush()

    def _patience(self) -> int | None:
        """How long poll(2) may sleep, in ms; None is for ever."""
        if self._sessions.have_lines():
            return 0
        next_at = min(self._processes.next_deadline(), self._runs.next_deadline(), self._parking.refill_at())
        return None if next_at == NEVER else max(0, min(next_at - now_ms(), _LONGEST_WAIT_MS))

    def _read_signals(self) -> None:
        if signal.SIGTERM in signals.received(self._signals):
            self._drain()
        self._processes.reap(self._runs.stray_reaped)

    # What sessions ask.

    def takes_more(self) -> bool:
        return self._starts_this_turn < _STARTS_PER_TURN

    def introduce(self, request_id: Any, session: int) -> None:
        for run in self._runs.known():
            self._sessions.tell(run.event)
        self._sessions.tell(
            answer(
                "hello",
                request_id,
                version=1,
                session=session,
                pid=os.getpid(),
                generation=self._config.generation,
                descriptors=sorted({*self._inherited, *self._own_descriptors(), self._processes.reporting}),
                parked=len(self._parking),
                draining=self._is_draining,
            )
        )

    def request(self, request: dict[str, Any], line: bytes) -> None:
        op, request_id, key = request["op"], request.get("id"), request.get("key")
        if op == "start":
            self._start(request, line)
        elif op == "ack":
            self._runs.acknowledge(key)
        elif op == "signal":
            ok = self._runs.signal(key, request.get("signal"))
            self._sessions.tell(answer("signalled", request_id, key=key, ok=ok))
        elif op == "cancel":
            ok = self._runs.cancel(key, request.get("kill_after_ms"), request.get("reason", "cancel"))
            self._sessions.tell(answer("signalled", request_id, key=key, ok=ok))
        elif op == "probe":
            self._probe(request_id)
        elif op == "stats":
            self._sessions.tell(self._stats(request_id))
        elif op == "drain":
            self._drain()
        else:
            self._sessions.tell(answer("error", request_id, message=f'unknown op "{op}"'))

    def _start(self, request: dict[str, Any], line: bytes) -> None:
        problem = problem_of(request)
        if problem is not None:
            return self._refuse(request, "invalid", problem)
        if self._is_draining:
            return self._refuse(request, "draining", "this generation takes no more runs")
        if request["key"] in self._runs:
            return self._refuse(request, "known", "this zygote has the key already")
        self._starts_this_turn += 1
        try:
            self._runs.start(request, line)
        except OSError as error:
            self._refuse(request, "fork_failed", f"fork: {error.strerror}")

    def _refuse(self, request: dict[str, Any], code: str, message: str) -> None:
        self._sessions.tell(event("refused", key=request.get("key"), code=code, message=message))

    def _probe(self, request_id: Any) -> None:
        def told(why_not: str | None) -> None:
            if why_not is None and not self._is_draining:
                self._parking.open()
            failure = {} if why_not is None else {"message": why_not}
            self._sessions.tell(answer("probed", request_id, ok=why_not is None, **failure))

        probe = Probe(self._processes, self._config.claim_timeout_ms, told)
        try:
            probe.began(self._processes.fork(probe, self._probing))
        except OSError as error:
            told(f"fork: {error.strerror}")

    def _stats(self, request_id: Any) -> str:
        return answer(
            "stats",
            request_id,
            running=self._runs.running,
            parked=len(self._parking),
            forks=self._processes.forks,
            extra={"python": sys.version.split()[0], "frozen_objects": gc.get_freeze_count()},
        )

    def _drain(self) -> None:
        self._is_draining = True
        self._parking.close()

    # Children.

    def _own_descriptors(self) -> list[int]:
        """What no child may keep."""
        ours = [self._signals, self._signalling, self._processes.reports]
        return [*ours, *self._sessions.descriptors(), *self._parking.descriptors()]

    def _give(self, process: MainProcess) -> int:
        """To the oldest parked child, else to a new one."""
        run = process.run
        assert run.request is not None and run.line is not None
        request = run.request
        pid = self._parking.give(run.line)
        if pid is not None:
            self._processes.give(pid, process)
            return pid

        def main() -> NoReturn:
            self._child.prepare(self._own_descriptors())
            self._child.run(request)

        return self._processes.fork(process, main)

    def _probing(self) -> NoReturn:
        self._child.prepare(self._own_descriptors())
        self._child.probe()

    def _refill(self) -> None:
        """One child a turn: requests that have come in the meantime go first."""
        if self._parking.refill_at() > now_ms():
            return

        def main() -> NoReturn:
            child.ours.close()
            self._child.prepare(self._own_descriptors())
            self._child.park(child.theirs)

        try:
            child = Parked(self._parking)
        except OSError:
            self._parking.pause()
            return
        try:
            self._parking.add(child, self._processes.fork(child, main))
        except OSError:
            child.ours.close()
            self._parking.pause()
        finally:
            child.theirs.close()
