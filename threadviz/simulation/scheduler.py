"""The scheduler and its virtual clock, which moves only when no thread can run.

A thread runs until it must wait, or until the policy prefers another one at a scheduling point.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Any, NoReturn

from greenlet import getcurrent, greenlet

from .. import real
from ..errors import ScheduleMismatch, StopRun
from ..schedule import Policy, Preemption
from ..trace import On, State, Wait
from .simulator import Simulator
from .tasks import Task

GLANCE = 0.02  # seconds, real: between two looks at what several threads wait for
MAX_TURNS = 10_000  # operations of one thread at one instant after which the others get their turn


class Scheduler(Simulator):
    """One simulated run on the virtual clock."""

    def __init__(self, policy: Policy, cores: int | None = None, noted: bool = True) -> None:
        super().__init__(policy, cores, noted)
        self._accesses = 0  # since the last choice, at which another thread could have gone on
        self._timers: list[tuple[int, int, Task]] = []
        self._timer_numbers = itertools.count(1)
        self._looking: dict[Task, Callable[[float], bool]] = {}  # those who wait for something real, and how
        self._turns = 0

    def switch(self, target: Task | greenlet) -> None:
        if target is not self.current:
            self._turns = 0
        super().switch(target)

    def take_apart(self) -> None:
        super().take_apart()
        self._timers, self._looking = [], {}

    def point(self) -> None:
        task = self.current
        self.check()
        self.let_go()
        self.progress += 1
        self._turns += 1
        if not self.ready:
            return
        if self._turns > MAX_TURNS:
            self.give_way()
            return
        chosen = self._choose([task, *self._candidates()])
        if chosen is not task:
            self.ready.remove(chosen)
            self.ready.insert(0, task)
            task.enter(self.now, "ready")
            self.switch(chosen)

    def before_access(self) -> None:
        task = self.current
        if self.ending or not self.ready or getcurrent() is not task.carrier:
            return
        others = self._candidates()
        if not others:
            return
        self._accesses += 1
        try:
            chosen = self.policy.preempt(self._accesses, others)
        except ScheduleMismatch as error:
            self._fail(error)
        if chosen is not None:
            self.check()
            other = others[chosen]
            self.choices.append(Preemption(self._accesses, other.number))
            self._accesses = 0
            self.ready.remove(other)
            self.ready.insert(0, task)
            task.enter(self.now, "ready")
            self.switch(other)

    def give_way(self) -> None:
        if self.cores.crowded:
            self.cores.wait(self.now, self.current)
            self.switch(self._next())
        elif self.ready:
            self.ready.append(self.current)
            self.current.enter(self.now, "ready")
            self.switch(self._next())

    def block(
        self,
        state: State,
        label: str,
        until: int | None = None,
        on: On = "",
        holder: Task | None = None,
        what: str = "",
    ) -> bool:
        self.check()
        task = self.current
        task.timed_out = task.woken = False
        line = task.operation.line if task.operation else None
        wait = Wait(
            task.name, (what or label).removeprefix("waits for "), holder.name if holder is not None else None, line, on
        )
        wanted = task.wanted
        while True:
            if until is not None:
                task.timer = next(self._timer_numbers)
                heapq.heappush(self._timers, (until, task.timer, task))
            task.waits, task.wanted = wait, wanted
            task.enter(self.now, state, label, line, on)
            served = self.served
            self.switch(self._next())
            task.timer = 0  # woken by somebody else, it no longer waits for the clock
            task.waits = None
            if served == self.served or task.woken or task.timed_out:
                return not task.timed_out
            if until is not None and until <= self.now:  # while it was in a handler
                return False

    def block_on_real(self, has_come: Callable[[float], bool], until: int | None) -> None:
        task = self.current
        self._looking[task] = has_come
        try:
            self.block("blocked", "something real", until)
        finally:
            self._looking.pop(task, None)

    def work(self, seconds: float) -> None:
        """The current thread computes; the others that can run wait for the GIL meanwhile."""
        self.check()
        task = self.current
        line = task.operation.line if task.operation else None
        self.cores.compute(self.now, task, max(1, round(seconds * 1e9)), f"work {seconds:g}", line)
        if self.cores.crowded:
            for other in self._candidates():
                self.cores.wait(self.now, other)
            self.ready.clear()
        self.switch(self._next())

    def wake(self, tasks: list[Task], cause: int | None) -> None:
        ready = set(self.ready) if tasks else ()
        for task in tasks:
            if task in ready and not task.woken:  # only for a signal's handler, so far
                task.woken_by, task.woken = cause, True
            elif task not in ready and not self.cores.waits(task):
                self._let_go_on(task, cause)

    def _let_go_on(self, task: Task, cause: int | None) -> None:
        task.woken_by = cause
        task.woken = True
        if task is not self.current or task.waits is not None:  # else it is in a handler, in the middle of its wait
            self.make_ready(task)

    def make_ready(self, task: Task) -> None:
        if self.cores.crowded:
            self.cores.wait(self.now, task)
        else:
            self.ready.append(task)

    def start_first(self, child: Task) -> None:
        """A started thread runs at once, as `Thread.start` waits for its first step."""
        parent = self.current
        if self.cores.crowded:
            child.state = "ready"  # it has not run yet, not even for an instant
            self.cores.wait(self.now, child)
            self.give_way()
            return
        candidates = [child, *self._candidates(), parent]
        chosen = self._choose(candidates)
        if chosen is parent:
            self.ready.insert(0, child)
        else:
            candidates.remove(chosen)
            self.ready = candidates
            parent.enter(self.now, "ready")
            self.switch(chosen)

    def _next(self) -> Task | greenlet:
        while True:
            if candidates := self._candidates():
                chosen = self._choose(candidates)
                candidates.remove(chosen)
                return chosen
            if not (self._look_outside() or self._advance() or self._wait_for_real()):
                self.deadlocked = True
                return self.hub

    def _candidates(self) -> list[Task]:
        """Those that are ready, less those whose lock somebody else took in the meantime: these wait on."""
        if self.wanting:
            self.ready = [task for task in self.ready if task.wanted is None or not task.wanted.taken]
        return self.ready

    def _choose(self, candidates: list[Task]) -> Task:
        if len(candidates) == 1:
            return candidates[0]
        try:
            chosen = candidates[self.policy.choose(candidates)]
        except ScheduleMismatch as error:
            self._fail(error)
        self.choices.append(chosen.number)
        self._accesses = 0
        return chosen

    def _fail(self, error: ScheduleMismatch) -> NoReturn:
        """End the run with an error that no code of the learner's may catch."""
        self.failure, self.stop_now = error, "failed"
        raise StopRun from None

    def _advance(self) -> bool:
        """Move the clock to the next change on the CPU or the next timers; False when there is nothing to come."""
        while self._timers and self._timers[0][2].timer != self._timers[0][1]:
            heapq.heappop(self._timers)
        change = self.cores.next_change(self.now)
        if change is not None and (not self._timers or change <= self._timers[0][0]):
            self._compute_until(change)
            return True
        due: list[Task] = []
        while self._timers and (not due or self._timers[0][0] <= self.now):
            when, number, task = heapq.heappop(self._timers)
            if task.timer == number:
                self.now = max(self.now, when)
                due.append(task)
        for task in due:
            task.timed_out = True
            if not self.cores.waits(task):
                task.wanted = None  # it goes on without the lock
                self._let_go_on(task, None)  # nobody was ready, so neither was it: no search among thousands
        return bool(due)

    def _look_outside(self, seconds: float = 0) -> bool:
        """Let those go on for whom something real has come; wait at most so many seconds, real, for the first."""
        came = [task for task, has_come in self._looking.items() if has_come(seconds if len(self._looking) == 1 else 0)]
        for task in came:
            del self._looking[task]
        self.wake(came, None)
        return bool(came)

    def _wait_for_real(self) -> bool:
        """Nothing is left to come but something real: wait for it; False where nobody waits for any."""
        if self._looking:
            self.note_once("real", "the run waited for something real, which takes no time on the virtual clock")
        while self._looking:
            self.check()
            if self._look_outside(GLANCE) or self.ready:  # for a signal's handler
                return True
            if len(self._looking) > 1:
                real.sleep(GLANCE)
        return False

    def _compute_until(self, now: int) -> None:
        self.now = now
        self.progress += 1
        self.check()
        for claim in self.cores.advance(now):
            task: Any = claim.row
            if task.wanted is not None:  # it was woken in time, but its time-out may have passed meanwhile
                if not task.wanted.taken:
                    task.timed_out = False
                elif task.timed_out:
                    task.wanted = None
                else:  # somebody else took the lock: it waits on
                    task.enter(now, claim.state, claim.label, claim.line, claim.on)
                    task.wanted.tell_holder(task)
                    continue
            self.ready.append(task)

    @property
    def holds_up(self) -> bool:
        return bool(self.ready or self._timers or self.cores.crowded)

    def after(self, seconds: float) -> int:
        return self.now + max(1, round(seconds * 1e9))
