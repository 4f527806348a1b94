"""The scheduler and its virtual clock: every simulated thread is a greenlet in the OS thread that called it.

Time moves only when no thread can run.  A thread runs until it must wait, or until the policy prefers another one
at a scheduling point.  The standard library's own Condition, Event, Queue and pool run unchanged on the primitives
of `primitives.py`.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet

from . import _real, frames
from .errors import Stuck
from .patching import pool_module
from .schedule import Policy, Schedule
from .trace import Held, Kind, Lane, Span, State, Trace, TraceEvent, Wait
from .watchdog import StopRun

MAX_EVENTS = 200_000  # trace events of a run; what goes on longer is taken to be endless
MAX_SWITCHES = 1_000_000  # and operations, likewise
MAX_ACCESSES = 20_000  # reads and writes of attributes that are noted in a run
MAX_TURNS = 10_000  # operations of one thread at one instant after which the others get their turn
_NOON = int(time.mktime((2024, 1, 1, 12, 0, 0, 0, 1, -1))) * 1_000_000_000
_UNKILLABLE: list[greenlet] = []  # threads whose code swallows every request to end; never resumed, kept from the collector


class Killed(StopRun):
    """Thrown into threads that the end of the program left behind."""


class Operation:
    """One user-level call: which frames it is made in, and the trace event that stands for it."""

    __slots__ = ("event", "frame", "line", "name")

    def __init__(self, name: str, frame: FrameType | None, line: int | None, event: int | None) -> None:
        self.name = name
        self.frame = frame  # the outermost library frame; None where the learner called the primitive directly
        self.line = line
        self.event = event


_NOISE = Operation("library", None, None, None)


class Task(greenlet):
    """A simulated thread, and what its lane will show."""

    def __init__(self, simulator: "Simulator", number: int, thread: threading.Thread, body: Callable[[], None]) -> None:
        super().__init__(parent=simulator.hub)
        self.simulator = simulator
        self.number = number
        self.thread = thread
        self.body = body
        self.finished = False
        self.ending: Any = "returned"
        self.joiners: list[Task] = []
        self.operation: Operation | None = None
        self.wanted: Any = None  # the lock it would take up when it goes on
        self.woken_by: int | None = None  # the trace event that ended its wait
        self.timer = 0  # number of the timer that may end its wait; 0 for none
        self.timed_out = False
        self.waits: Wait | None = None
        self.killings = 0
        self.state: State = "running"
        self.since = simulator.now
        self.label = ""
        self.line: int | None = None
        self.spans: list[Span] = []
        self.holding: dict[Any, tuple[str, int]] = {}
        self.held: list[Held] = []

    def run(self) -> None:
        simulator = self.simulator
        try:
            if not simulator.ending:
                simulator.enter("running")
                self.body()
        except StopRun:
            pass  # close() says how this lane ends
        except BaseException as error:
            simulator.failure = simulator.failure or error
            simulator.stop_now = simulator.stop_now or "interrupted"
        if not simulator.ending:
            self.parent = simulator.finish(self)

    def is_main(self) -> bool:
        return self.number == 0


class Simulator:
    """One run: its clock, its threads, its scheduling points, and the trace that comes of it."""

    def __init__(self, policy: Policy) -> None:
        self.os_thread = _real.get_ident()
        self.policy = policy
        self.hub = getcurrent()
        self.now = 0  # nanoseconds, virtual
        self.tasks: list[Task] = []
        self.ready: list[Task] = []
        self.timers: list[tuple[int, int, Task]] = []
        self.timer_numbers = itertools.count(1)
        self.current: Task = None  # type: ignore[assignment]
        self.alive = 0  # threads that the program waits for
        self.choices: list[int] = []
        self.events: list[TraceEvent] = []
        self.progress = 0
        self.turns = 0
        self.ending = False
        self.stop_now = ""  # why the run is being ended from outside: "interrupted" or "stuck"
        self.stopped_at = ""
        self.failure: BaseException | None = None
        self.deadlocked = False
        self.asked_to_stop = 0
        self.notes: list[str] = []
        self.accesses = 0

    # ---- running ------------------------------------------------------------------------------------------------

    def run(self, body: Callable[[], None]) -> None:
        """Run `body` as the main thread and all that it starts, to the end; raises what ended it from outside."""
        main = self.spawn(threading.main_thread(), body, daemon=False)
        self.current = main
        try:
            main.switch()
        finally:
            self.close()
        if self.stop_now == "interrupted":
            raise self.failure or KeyboardInterrupt
        if self.failure is not None:
            raise self.failure
        if not self.stop_now:
            self.policy.finish()

    def spawn(self, thread: threading.Thread, body: Callable[[], None], daemon: bool) -> Task:
        task = Task(self, len(self.tasks), thread, body)
        self.tasks.append(task)
        self.alive += not daemon
        return task

    def finish(self, task: Task) -> greenlet:
        """Book a thread's end and say who goes on."""
        self.enter("running")
        if self.stop_now:
            return self.hub
        task.finished = True
        self.alive -= not (task.number and task.thread.daemon)
        for joiner in task.joiners:
            self.wake(joiner, self.record("end") if joiner is task.joiners[0] else len(self.events) - 1)
        if not task.joiners:
            self.record("end")
        for lock in list(task.holding):
            self.let_go(lock, task)
        self._close_span(task)
        if not self.alive:
            return self.hub
        try:
            chosen = self._next()
        except BaseException as error:
            self.failure, chosen = error, self.hub
        if isinstance(chosen, Task):
            self.current = chosen
        return chosen

    def close(self) -> None:
        """End every thread that is left, unseen: nothing that its `finally` blocks do is shown."""
        for task in self.tasks:
            if not task.finished:
                self._close_ending(task)
        if self.deadlocked:
            self.events.append(TraceEvent(self.now / 1e9, 0, "deadlock"))
        self.ending = True
        for task in self.tasks:
            task.parent = self.hub
            if task and not task.dead:
                self.current = task
                task.throw(Killed)
                if not task.dead:
                    _UNKILLABLE.append(task)
        self.ready.clear()
        self.timers.clear()

    def _close_ending(self, task: Task) -> None:
        if self.deadlocked:
            task.ending = "deadlocked"
        elif self.stop_now or self.failure:
            task.ending = "stopped"
        else:
            task.ending = "abandoned"
            self.events.append(TraceEvent(self.now / 1e9, task.number, "abandon", self.name(task)))
        self._close_span(task)
        for lock in list(task.holding):
            self.let_go(lock, task)

    # ---- switching ----------------------------------------------------------------------------------------------

    def point(self) -> None:
        """A scheduling point: the policy may let another thread go first."""
        task = self.current
        self.check()
        self.progress += 1
        self.turns += 1
        if self.ready:
            if self.turns > MAX_TURNS:
                self.turns = 0
                self.give_way()
                return
            candidates = [task, *self._candidates()]
            if len(candidates) > 1:
                chosen = self._choose(candidates)
                if chosen is not task:
                    self.ready.remove(chosen)
                    self.ready.insert(0, task)
                    self.enter("ready")
                    self._switch(chosen)

    def after(self, seconds: float) -> int:
        """The time in nanoseconds, `seconds` from now; never now itself, as a wait with a time-out takes time."""
        return self.now + max(1, round(seconds * 1e9))

    def give_way(self) -> None:
        """Let the others that can run go first, as `sleep(0)` does."""
        if self.ready:
            self.ready.append(self.current)
            self.enter("ready")
            self._switch(self._next())

    def block(
        self, state: State, label: str, until: int | None = None, holder: Task | None = None, what: str = ""
    ) -> bool:
        """The current thread cannot go on until it is woken, or the clock says `until`; False for a time-out.

        `what` it waits for and the thread, `holder`, that would have to act are told when nobody can go on.
        """
        task = self.current
        task.timed_out = False
        task.timer = 0
        if until is not None:
            task.timer = next(self.timer_numbers)
            heapq.heappush(self.timers, (until, task.timer, task))
        line = task.operation.line if task.operation else None
        holder_name = self.name(holder) if holder is not None else None
        task.waits = Wait(self.name(task), what or label, holder_name, line)
        self.enter(state, label, line)
        self._switch(self._next())
        task.timer = 0  # woken by somebody else, it no longer waits for the clock
        task.waits = None
        return not task.timed_out

    def wake(self, task: Task, cause: int | None, timed_out: bool = False, keep_timer: bool = False) -> None:
        task.timed_out = timed_out
        if timed_out:
            task.wanted = None  # it goes on without the lock
        if not keep_timer:
            task.timer = 0
        task.woken_by = cause
        self.ready.append(task)

    def start_first(self, child: Task) -> None:
        """A started thread runs at once, as `Thread.start` waits for its first step."""
        parent = self.current
        candidates = [child, *self._candidates(), parent]
        chosen = self._choose(candidates)
        if chosen is not parent:
            candidates.remove(chosen)
            self.ready = candidates
            self.enter("ready")
            self._switch(chosen)
        else:
            self.ready.insert(0, child)

    def check(self) -> None:
        """Raise in a thread that is being ended from outside, however often it swallows the request."""
        if self.ending or self.stop_now:
            task = self.current
            task.killings += 1
            if task.killings > 20:
                self.hub.switch()
            raise Killed
        if len(self.events) >= MAX_EVENTS or self.progress >= MAX_SWITCHES:
            self._stop("endless", None)

    def _switch(self, target: greenlet) -> None:
        task = self.current
        if target is not task:
            self.turns = 0
            self.progress += 1
            if isinstance(target, Task):
                self.current = target
            target.switch()
            self.current = task
        self.enter("running")
        self.check()

    def _next(self) -> greenlet:
        while True:
            candidates = self._candidates()
            if candidates:
                chosen = candidates[0] if len(candidates) == 1 else self._choose(candidates)
                candidates.remove(chosen)
                return chosen
            if not self._advance():
                self.deadlocked = True
                return self.hub

    def _candidates(self) -> list[Task]:
        """Those that are ready, less those whose lock somebody else took in the meantime: these wait on."""
        for task in self.ready:
            if task.wanted is not None and task.wanted.locked():
                self.ready = [t for t in self.ready if t.wanted is None or not t.wanted.locked()]
                break
        return self.ready

    def _choose(self, candidates: list[Task]) -> Task:
        if len(candidates) == 1:
            return candidates[0]
        chosen = candidates[self.policy.choose([task.number for task in candidates])]
        self.choices.append(chosen.number)
        return chosen

    def _advance(self) -> bool:
        """Move the clock to the next timer that somebody still waits for; False when there is none."""
        while self.timers:
            when, number, task = heapq.heappop(self.timers)
            if task.timer != number:
                continue
            self.now = max(self.now, when)
            self.wake(task, None, timed_out=True)
            while self.timers and self.timers[0][0] <= self.now:
                _, number, task = heapq.heappop(self.timers)
                if task.timer == number:
                    self.wake(task, None, timed_out=True)
            return True
        return False

    # ---- being stopped ------------------------------------------------------------------------------------------

    def stop(self, why: str, frame: FrameType | None) -> None:
        """Called between two instructions of the learner's code by the watchdog; raises there."""
        if self.ending or self.current is None:
            self.stop_now = self.stop_now or why
            return
        self.asked_to_stop += 1
        if self.asked_to_stop > 3:
            self.hub.switch()
        self._stop(why, frame)

    def _stop(self, why: str, frame: FrameType | None) -> None:
        if not self.stop_now:
            self.stop_now = why
            learners, _ = frames.call_site(frame if frame is not None else frames.caller())
            where = f", line {learners.f_lineno}" if learners is not None else ""
            self.stopped_at = f"{self.name(self.current)}{where}"
        raise Killed

    def stuck(self) -> Stuck | None:
        """The error of a run that had to be ended, or None."""
        if self.stop_now == "stuck":
            return Stuck(
                f"no progress for 5 s of real time in {self.stopped_at}: code that runs without ever waiting, or that "
                "waits for something real, keeps the virtual clock still; let it sleep or wait on a primitive"
            )
        if self.stop_now == "endless":
            return Stuck(
                f"still going after {len(self.events):,} trace events in {self.stopped_at}, at {self.now / 1e9:g} virtual "
                "seconds: a loop in it seems to have no end"
            )
        return None

    # ---- the trace ----------------------------------------------------------------------------------------------

    def name(self, task: Task) -> str:
        return printable(task.thread.name)

    def enter(self, state: State, label: str = "", line: int | None = None) -> None:
        """The current thread's state from now on."""
        self._close_span(self.current)
        task = self.current
        task.state, task.label, task.line, task.since = state, label, line, self.now

    def _close_span(self, task: Task) -> None:
        if self.ending:
            return
        start, end = task.since, self.now
        if start == end and (
            task.state != "running" or (task.spans and task.spans[-1].state == "running" and task.spans[-1].end * 1e9 == end)
        ):
            return
        task.spans.append(Span(task.state, start / 1e9, end / 1e9, task.label, task.line))
        task.since = self.now

    def record(self, kind: Kind, what: str = "", value: str = "", line: int | None = None, cause: int | None = None) -> int:
        """Note a trace event of the current thread; returns its index."""
        if not self.ending:
            self.events.append(
                TraceEvent(self.now / 1e9, self.current.number, kind, printable(what), printable(value), line, cause)
            )
        return len(self.events) - 1

    def access(self, kind: Kind, what: str, value: str, line: int) -> None:
        """Note a read or write of an attribute."""
        self.accesses += 1
        self.progress += 1
        if self.accesses <= MAX_ACCESSES:
            self.record(kind, what, value, line)
        elif self.accesses == MAX_ACCESSES + 1:
            self.notes.append(f"only the first {MAX_ACCESSES:,} reads and writes of attributes were noted")

    def hold(self, lock: Any, name: str) -> None:
        self.current.holding[lock] = (name, self.now)

    def let_go(self, lock: Any, task: Task) -> None:
        name, start = task.holding.pop(lock, ("", -1))
        if start >= 0 and not self.ending:
            task.held.append(Held(name, start / 1e9, self.now / 1e9))

    def begin_operation(self, name: str) -> Operation:
        """The user-level operation that the current thread is in; a new one passes a scheduling point first."""
        task = self.current
        caller = frames.outside()
        if frames.KIND[caller.f_code.co_filename] == frames.OTHER:  # logging and such take locks of their own
            return _NOISE
        learners, outermost = frames.call_site(caller)
        old = task.operation
        if outermost is not None and old is not None and old.frame is outermost:
            return old
        if learners is None or (outermost is not None and frames.KIND[outermost.f_code.co_filename] != frames.OPERATIONS):
            task.operation = Operation(frames.operation_name(outermost) if outermost else name, outermost, None, None)
            return task.operation
        self.point()
        line = learners.f_lineno
        if outermost is not None:
            name = frames.operation_name(outermost)
        # a primitive that the learner calls directly is noted by the primitive itself, when it has happened
        event = self.record("call", name, line=line) if outermost is not None else None
        task.operation = Operation(name, outermost, line, event)
        return task.operation

    def end_wait(self, operation: Operation) -> None:
        """Note that a wait inside `operation` ended, and what ended it."""
        cause = self.current.woken_by
        self.current.woken_by = None
        if operation.line is not None:
            self.record("wake", operation.name, line=operation.line, cause=cause)

    def trace(self, notes: tuple[str, ...] = ()) -> Trace:
        lanes = tuple(
            Lane(self.name(task), tuple(task.spans), tuple(task.held), bool(task.number and task.thread.daemon), task.ending)
            for task in self.tasks
        )
        waits = tuple(task.waits for task in self.tasks if self.deadlocked and not task.finished and task.waits)
        return Trace(lanes, tuple(self.events), self.now / 1e9, "virtual", waits, notes)

    def schedule(self) -> Schedule:
        return Schedule(self.choices)

    def object_name(self, wanted: object) -> str | None:
        """What the learner calls `wanted`: in the main thread's frames first, then in the current thread's."""
        main = self.tasks[0]
        chain = main.gr_frame if main is not self.current else frames.caller()
        found = frames.object_name(wanted, frames.outermost_first(chain))
        return found or frames.object_name(wanted, frames.innermost_first(frames.caller()))

    # ---- the program's end --------------------------------------------------------------------------------------

    def drain_pools(self) -> None:
        """What the interpreter does at exit: pools that nobody shut down let their idle workers go."""
        pool_module._shutdown = True
        ours = [(t, q) for t, q in list(pool_module._threads_queues.items()) if getattr(t, "_threadviz", None)]
        for _, work in ours:
            work.put(None)

    def forget_pools(self) -> None:
        for task in self.tasks:
            pool_module._threads_queues.pop(task.thread, None)


def printable(text: str) -> str:
    """`text` on one line: control characters as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


