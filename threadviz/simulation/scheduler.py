"""The scheduler and its virtual clock: every simulated thread is a greenlet in the OS thread that called it.

Time moves only when no thread can run.  A thread runs until it must wait, or until the policy prefers another one
at a scheduling point.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any

from greenlet import greenlet

from ..errors import ScheduleMismatch, StopRun
from ..schedule import Numbers, Policy
from ..trace import On, State, Wait
from .tasks import Task, Tasks

MAX_TURNS = 10_000  # operations of one thread at one instant after which the others get their turn


class Scheduler(Tasks):
    """Who goes on, and when the clock moves."""

    def __init__(self, policy: Policy, cores: int | None = None) -> None:
        super().__init__(cores)
        self.policy = policy
        self.ready: list[Task] = []
        self.wanting = 0  # threads that would take up a lock when they go on
        self.choices: list[int] = []
        self._timers: list[tuple[int, int, Task]] = []
        self._timer_numbers = itertools.count(1)
        self._unstarted: Task | None = None  # the thread whose first step is next
        self._turns = 0

    def run(self, body: Callable[[], None]) -> None:
        """Run `body` as the main thread, and all that it starts, to the end; raises what ended it from outside."""
        self._unstarted = self.current = self.spawn(threading.main_thread(), body)
        try:
            while (task := self._unstarted) is not None:
                self._unstarted = None
                self._hand_to(task).switch()
        except StopRun:  # it came between the end of a thread's code and that of its greenlet
            pass
        finally:
            self.close()
            self.ready, self._timers = [], []
        if self.failure is not None and self.stop_now != "interrupted":
            raise self.failure
        if not self.stop_now:
            self.policy.finish()

    def finish(self, task: Task) -> greenlet:
        """Book a thread's end and say who goes on."""
        if self.stop_now:
            return self.hub
        self.progress += 1
        task.finished = True
        self.alive -= not task.daemon
        ended = self.record("end")
        self.wake(task.joiners, ended)
        task.close(self.now)
        try:
            return self._from_hub(self._next()) if self.alive else self.hub
        except StopRun:
            return self.hub

    def point(self) -> None:
        """A scheduling point: the policy may let another thread go first."""
        task = self.current
        self.check()
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
            self._switch(chosen)

    def give_way(self) -> None:
        """Let the others that can run go first, as `sleep(0)` does."""
        if self.cores.crowded:
            self.cores.wait(self.now, self.current)
            self._switch(self._next())
        elif self.ready:
            self.ready.append(self.current)
            self.current.enter(self.now, "ready")
            self._switch(self._next())

    def block(
        self,
        state: State,
        label: str,
        until: int | None = None,
        on: On = "",
        holder: Task | None = None,
        what: str = "",
    ) -> bool:
        """The current thread cannot go on until it is woken, or the clock says `until`; False for a time-out.

        `what` it waits for and the thread, `holder`, that would have to act are told when nobody can go on.
        """
        self.check()
        task = self.current
        task.timed_out = False
        if until is not None:
            task.timer = next(self._timer_numbers)
            heapq.heappush(self._timers, (until, task.timer, task))
        line = task.operation.line if task.operation else None
        task.waits = Wait(
            task.name, (what or label).removeprefix("waits for "), holder.name if holder is not None else None, line, on
        )
        task.enter(self.now, state, label, line, on)
        self._switch(self._next())
        task.timer = 0  # woken by somebody else, it no longer waits for the clock
        task.waits = None
        return not task.timed_out

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
        self._switch(self._next())

    def wake(self, tasks: list[Task], cause: int | None) -> None:
        """Let threads go on (where they want a lock: try to) because of a trace event."""
        ready = set(self.ready) if tasks else ()
        for task in tasks:
            if task not in ready and not self.cores.waits(task):
                self._let_go_on(task, cause)

    def _let_go_on(self, task: Task, cause: int | None) -> None:
        task.woken_by = cause
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
            self._switch(chosen)

    def _switch(self, target: greenlet) -> None:
        task = self.current
        if target is not task:
            self._turns = 0
            self.progress += 1
            self._from_hub(target).switch()
            self.current = task
        task.enter(self.now, "running")
        self.check()

    def _hand_to(self, target: greenlet) -> greenlet:
        if isinstance(target, Task):
            self.current = target
        return target

    def _from_hub(self, target: greenlet) -> greenlet:
        """Who is to be switched to: a thread's first step is the hub's, or each would begin as deep as its starter."""
        if isinstance(target, Task) and not target and not target.dead:
            self._unstarted = target
            return self.hub
        return self._hand_to(target)

    def _next(self) -> greenlet:
        while True:
            if candidates := self._candidates():
                chosen = self._choose(candidates)
                candidates.remove(chosen)
                return chosen
            if not self._advance():
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
            chosen = candidates[self.policy.choose(Numbers(candidates))]
        except ScheduleMismatch as error:  # no code of the learner's may catch it
            self.failure, self.stop_now = error, "failed"
            raise StopRun from None
        self.choices.append(chosen.number)
        return chosen

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
