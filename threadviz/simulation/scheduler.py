"""The scheduler and its virtual clock: every simulated thread is a greenlet in the OS thread that called it.

Time moves only when no thread can run.  A thread runs until it must wait, or until the policy prefers another one
at a scheduling point.  It is ended before its time by StopRun, raised where it stands.
"""

import heapq
import itertools
import sys
import threading
from collections import deque
from collections.abc import Callable
from sys import _getframe
from types import FrameType
from typing import Any, ClassVar, NoReturn

from greenlet import getcurrent, greenlet

from .. import real
from ..errors import ScheduleMismatch, StopRun, Stuck
from ..learner.code import KIND, OPERATIONS, OTHER, OWN, call_site, caller, line_at, operation_name
from ..learner.naming import Names
from ..learner.notes import blocked_in
from ..learner.places import Place
from ..schedule import Policy, Preemption
from ..stage.notes import Events, Row
from ..stage.watchdog import PATIENCE, Target
from ..tab import still
from ..texts import Namesakes
from ..trace import Clock, Kind, On, State, Trace, Wait
from .cores import MAX_CPU_TURNS, Cores

MAX_EVENTS = 500_000  # trace events of a run; what goes on longer is taken to be endless
MAX_SWITCHES = 1_000_000  # and switches and operations, likewise
MAX_REQUESTS = 10  # to end, that a thread may swallow before it is left where it stands
_UNKILLABLE: list[Any] = []  # threads that swallowed them all: kept from the collector, which would ask once more
MAX_THREADS = 10_000  # of a run; an operating system has a limit, too
GLANCE = 0.02  # seconds, real: between two looks at what several threads wait for
MAX_TURNS = 10_000  # operations of one thread at one instant after which the others get their turn


class Operation:
    """One user-level call of a primitive, and the trace event that stands for it."""

    __slots__ = ("event", "frame", "line", "name")

    def __init__(self, name: str, frame: FrameType | None, line: int | None, event: int | None) -> None:
        self.name = name
        self.frame = frame  # the outermost library frame; None where the learner called the primitive directly
        self.line = line  # None where no learner's code made the call
        self.event = event


_HAS_CONTEXTS = hasattr(greenlet, "gr_context")  # not so in a browser tab


class Carrier(greenlet):
    """A stack that carries one simulated thread after the other: a new one costs as much as twenty switches."""

    def __init__(self, task: "Task", idle: list["Carrier"]) -> None:
        super().__init__()
        self._idle = idle  # where those are that carry nobody
        self.take(task)

    def take(self, task: "Task") -> None:
        self._task = task
        task.carrier = self

    def run(self, *_: object) -> None:
        while True:
            task = self._task
            following = task.carry()
            task.carrier = None
            del task, self._task
            if _HAS_CONTEXTS:
                self.gr_context = None  # that of `contextvars`, which is a thread's own
            self._idle.append(self)
            following.switch()


def end_carriers(idle: list[Carrier]) -> None:
    """Free the stacks that carry nobody, in the OS thread that they are of."""
    while idle:
        carrier = idle.pop()
        carrier.parent = getcurrent()
        carrier.throw()


class Task(Row):
    """A simulated thread."""

    # As they are at first: exploring makes thousands of threads a second.
    carrier: Carrier | None = None  # from its first step until its end
    finished = False
    operation: Operation | None = None
    wanted: Any = None  # the lock it would take up when it goes on
    woken_by: int | None = None  # the trace event that ended its wait
    timer = 0  # number of the timer that may end its wait; 0 for none
    timed_out = False
    requests = 0  # to end, swallowed so far
    woken = False  # its wait is over; a handler of a signal may let it go on for a moment before
    exception: Any = None  # that another thread has had raised in it, from its next step on

    def __init__(self, simulator: Any, thread: threading.Thread, body: Callable[[], None]) -> None:
        super().__init__(thread, len(simulator.tasks), simulator.now, simulator.namesakes, simulator.noted)
        self.simulator = simulator
        self.body = body
        self.joiners: list[Task] = []

    @property
    def ident(self) -> int:
        """What `threading` calls it."""
        return self.number if self.number else real.main_thread().ident or 0

    @property
    def is_under_way(self) -> bool:
        """Whether it has begun, and its code has not come to its end."""
        return self.carrier is not None and not self.carrier.dead

    @property
    def frame(self) -> FrameType | None:
        """Where it stands; None while it runs."""
        return self.carrier.gr_frame if self.carrier is not None else None

    def take_apart(self) -> None:
        """Keep only what a thread's object, or a lock, may ask that has outlived the run."""
        number, simulator, finished = self.number, self.simulator, self.finished
        vars(self).clear()
        self.number, self.simulator, self.finished = number, simulator, finished

    def carry(self) -> greenlet:
        """Run its code to the end, and say who goes on."""
        simulator = self.simulator
        try:
            if not simulator.ending:
                tracer, profiler, loop = simulator.tied
                if self.number:
                    tracer, profiler, loop = threading.gettrace() or tracer, threading.getprofile() or profiler, None
                _tie((tracer, profiler, loop))
                self.enter(simulator.now, "running")
                self.body()
        except StopRun:
            pass  # Simulator.close() says how this lane ends
        except BaseException as error:  # an interrupt, or the policy's own
            simulator.failure = simulator.failure or error
            simulator.stop_now = simulator.stop_now or "failed"
        following: greenlet = simulator.hub if simulator.ending else simulator.finish(self)
        return following


Tied = tuple[Any, Any, Any]  # a trace function, a profile function, and a running event loop


def _tied() -> Tied:
    """What CPython ties to the OS thread, and each simulated thread has for itself."""
    # In a browser tab greenlets themselves are tasks of the tab's own loop, which must stay the running one.
    loops: Any = sys.modules.get("asyncio.events") if real.HAS_THREADS else None
    return sys.gettrace(), sys.getprofile(), loops and loops._get_running_loop()


def _tie(wanted: Tied) -> None:
    now = _tied()
    if now != wanted:
        tracer, profiler, loop = now
        if wanted[2] is not loop:
            sys.modules["asyncio.events"]._set_running_loop(wanted[2])
        if wanted[1] is not profiler and all(each is None or callable(each) for each in (wanted[1], profiler)):
            sys.setprofile(wanted[1])  # not a profiler written in C, which only it can put in place again
        if wanted[0] is not tracer:
            sys.settrace(wanted[0])


_NOISE = Operation("library", None, None, None)


class Simulator:
    """One simulated run: its threads, its clock, who goes on, and what is noted.

    Every change from one thread to another goes through `_switch` or, at a thread's end, `finish`; both ask `_next`.
    """

    newest: ClassVar["Simulator"]  # that of the run that goes on; locks made in it keep a reference
    task_class: ClassVar[type[Task]] = Task
    clock_name: ClassVar[Clock] = "virtual"

    def __init__(self, policy: Policy, cores: int | None = None, noted: bool = True) -> None:
        Simulator.newest = self
        self.policy = policy
        self.noted = noted  # without notes a run costs half as much, and has the same choices and the same outcome
        self.os_thread = real.get_ident()
        self.target = Target(self.os_thread)
        self.hub = getcurrent()
        self.now = 0  # nanoseconds, virtual
        self.tasks: list[Task] = []
        self.ready: list[Task] = []
        self.wanting = 0  # threads that would take up a lock when they go on
        self.choices: list[int | Preemption] = []
        self._accesses = 0  # since the last choice, at which another thread could have gone on
        self.cores = Cores(cores)
        self.alive = 0  # threads that the program waits for
        self.current: Task = None  # type: ignore[assignment]
        self.events = Events()
        self.names, self.namesakes = Names(), Namesakes()
        self.progress = 0
        self.ending = False
        self.deadlocked = False
        self.stop_now = ""  # why the run is being ended: "interrupted", "computing", "waiting", "endless" or "failed"
        self.failure: BaseException | None = None
        self._stopped_at = ""
        self._timers: list[tuple[int, int, Task]] = []
        self._looking: dict[Task, Callable[[float], bool]] = {}  # those who wait for something real, and how
        self._noted_once: set[str] = set()
        self._timer_numbers = itertools.count(1)
        self._unstarted: Task | None = None  # the thread whose first step is next
        self.idle: list[Carrier] = []
        self._turns = 0
        self._signals: deque[Callable[[], object]] = deque()  # whose handlers the main thread is to call
        self._served = 0  # of them so far
        self.tied = _tied()
        self.let_go: Callable[[], object] = int  # frees what is kept of the learner's objects; nothing, so far

    # ---- who goes on ----

    def run(self, body: Callable[[], None]) -> None:
        """Run `body` as the main thread, and all that it starts, to the end; raises what ended it from outside."""
        self._unstarted = self.current = self.spawn(threading.main_thread(), body)
        try:
            self.target.expose()
            while (task := self._unstarted) is not None:
                self._unstarted = None
                self.current = task
                Carrier(task, self.idle).switch()
        except StopRun:  # it came between the end of a thread's code and that of its greenlet
            pass
        finally:
            try:
                self.target.shield()
            except StopRun:  # it came on the way in
                self.target.shield()
            self.close()
            _tie(self.tied)
            self.ready, self._timers = [], []
        if self.failure is not None and self.stop_now != "interrupted":
            raise self.failure
        if not self.stop_now:
            self.policy.finish()

    def finish(self, task: Task) -> greenlet:
        """Book a thread's end and say who goes on."""
        if self.stop_now:
            return self.hub
        self.let_go()
        self.progress += 1
        task.finished = True
        self.alive -= not task.daemon
        ended = self.record("end")
        if task.joiners:
            self.wake(task.joiners, ended)
        task.close(self.now)
        try:
            return self._stack_of(self._next()) if self.alive else self.hub
        except StopRun:
            return self.hub

    def point(self) -> None:
        """A scheduling point: the policy may let another thread go first."""
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
            self._switch(chosen)

    def before_access(self) -> None:
        """The current thread is about to touch what others may touch: the policy may let one of them go first."""
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
            self._switch(other)

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
            served = self._served
            self._switch(self._next())
            task.timer = 0  # woken by somebody else, it no longer waits for the clock
            task.waits = None
            if served == self._served or task.woken or task.timed_out:
                return not task.timed_out
            if until is not None and until <= self.now:  # while it was in a handler
                return False

    def block_on_real(self, has_come: Callable[[float], bool], until: int | None) -> None:
        """The current thread waits for something real, such as a socket, or until the clock says `until`."""
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
        self._switch(self._next())

    def wake(self, tasks: list[Task], cause: int | None) -> None:
        """Let threads go on (where they want a lock: try to) because of a trace event."""
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
            self._make_ready(task)

    def _make_ready(self, task: Task) -> None:
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

    def _switch(self, target: Task | greenlet) -> None:
        task = self.current
        if target is not task:
            self._turns = 0
            self.progress += 1
            tied = _tied()
            self._stack_of(target).switch()
            self.current = task
            _tie(tied)
        if task.state != "running":
            task.enter(self.now, "running")
        self.check()

    def _stack_of(self, target: Task | greenlet) -> greenlet:
        """What is to be switched to: a new stack is the hub's to make, or it would begin as deep as who starts it."""
        if not isinstance(target, Task):
            return target
        if target.carrier is None:
            while self.idle and target.carrier is None:
                carrier = self.idle.pop()
                if not carrier.dead:
                    carrier.take(target)
            if target.carrier is None:
                self._unstarted = target
                return self.hub
        self.current = target
        return target.carrier

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

    # ---- a thread's life, and its end before its time ----

    @property
    def is_over(self) -> bool:
        """Whether threads are being ended: what their code raises on its way out is none of the program's doing."""
        return self.ending or bool(self.stop_now)

    def spawn(self, thread: threading.Thread, body: Callable[[], None]) -> Task:
        if len(self.tasks) > MAX_THREADS:
            raise RuntimeError("can't start new thread")  # CPython's own words
        task = self.task_class(self, thread, body)
        self.tasks.append(task)
        self.alive += not task.daemon
        return task

    @property
    def holds_up(self) -> bool:
        """Whether somebody could go on if the current thread let the others."""
        return bool(self.ready or self._timers or self.cores.crowded)

    def note_computing(self, frame: FrameType | None) -> None:
        """The current thread really computes, which takes no virtual time; called between two of its instructions."""
        learners, _, _ = call_site(frame)
        if learners is not None and self.current:
            where = f"{self.current.name}, line {line_at(learners)}"
            self.note_once("computing", f"computing as in {where} takes no virtual time: tv.work(seconds) does")

    def note_once(self, what: str, sentence: str) -> None:
        if what not in self._noted_once:
            self._noted_once.add(what)
            self.events.notes.append(sentence)

    def note_given_away(self, method: str, kind: str, line: int) -> None:
        self.note_once(
            f"given away {line}",
            f"the method {method} of a {kind} is given away in line {line}: what its calls touch is not seen",
        )

    def after(self, seconds: float) -> int:
        """The time in nanoseconds, `seconds` from now; never now itself, as a wait with a time-out takes time."""
        return self.now + max(1, round(seconds * 1e9))

    def record(
        self, kind: Kind, what: str = "", value: str = "", line: int | None = None, cause: int | None = None
    ) -> int:
        """Note a trace event of the current thread; returns its index."""
        if self.ending or not self.noted:
            return 0
        return self.events.add(self.now, self.current, kind, what, value, line, cause)

    def lane(self) -> int | None:
        """The number of the thread that runs; None for what is none of the run's doing."""
        return None if self.ending or real.get_ident() != self.os_thread else self.current.number

    def record_for_now(self, kind: Kind, place: Place, value: str, line: int) -> None:
        """Note that the current thread reads or writes what others may share; these are no steps of a loop's own."""
        if self.noted:
            self.events.add_for_now(self.now, self.current, kind, place, value, line)

    def record_access(self, kind: Kind, what: str, value: str, line: int) -> None:
        """Note that the current thread reads or writes an attribute."""
        if self.ending:
            return
        self.progress += 1
        if self.noted and not self.stop_now:
            self.events.add_access(self.now, self.current, kind, what, value, line)
        if (
            self.progress >= MAX_SWITCHES or self._signals
        ):  # a loop that only looks at attributes comes to no other check
            self.check()

    def check(self) -> None:
        """Raise in a thread that is being ended from outside, however often it swallows the request."""
        if self.ending or self.stop_now:
            self._request_end()
        task = self.current
        if (self._signals or task.exception is not None) and getcurrent() is task.carrier:
            self._interrupt(task)
        too_many = self.progress >= MAX_SWITCHES or self.cores.turns >= MAX_CPU_TURNS
        if too_many or len(self.events.all) >= MAX_EVENTS:
            self.stop("endless", caller())

    def _interrupt(self, task: Task) -> None:
        """Let the current thread, which may be in the middle of a wait, do what has come from outside."""
        if task.exception is not None:
            exception, task.exception = task.exception, None
            task.waits, task.timer = None, 0
            raise exception
        if task is self.tasks[0]:
            self._served += 1
            task.waits, task.timer = None, 0
            self._signals.popleft()()

    @property
    def can_be_interrupted(self) -> bool:
        """Whether its main thread is still there to be."""
        return bool(self.tasks) and not self.is_over and not self.tasks[0].finished and self.tasks[0].is_under_way

    def signalled(self, handle: Callable[[], object], frame: FrameType | None, at_once: bool) -> None:
        """A signal has come: the main thread calls its handler, as soon as it goes on, in the middle of a wait, too.

        This is called between two instructions of whoever is running; with `at_once` the main thread goes on now.
        """
        main, here = self.tasks[0], getcurrent()
        ours = frame is None or KIND[frame.f_code.co_filename] == OWN  # in the middle of a switch
        if main.finished or (here is main.carrier and self.current is main and not ours):
            handle()
            return
        self._signals.append(handle)
        if main is not self.current and main not in self.ready and not self.cores.waits(main):
            main.wanted = None
            self._make_ready(main)
        if at_once:
            self.let_main_handle(frame)

    def let_main_handle(self, frame: FrameType | None) -> None:
        """Have the main thread call the handlers that wait for it, now; between two of the current one's steps."""
        if not self._signals or frame is None or KIND[frame.f_code.co_filename] == OWN:
            return
        main, here = self.tasks[0], self.current
        if getcurrent() is not here.carrier:
            return
        if here is main:
            self._interrupt(main)
        elif main in self.ready:
            self.ready.remove(main)
            self.ready.insert(0, here)
            here.enter(self.now, "ready")
            self._switch(main)

    def check_abandoned(self) -> None:
        """As `check`, once the run is over: in a thread that is being ended, and not in what follows the run."""
        here = getcurrent()
        if any(task.carrier is here for task in self.tasks):
            self.check()

    def stop(self, why: str, frame: FrameType | None) -> None:
        """End the run from outside; called between two instructions of the learner's code, and raises there."""
        self.mark(why, frame)
        if getcurrent() is not self.hub:
            self._request_end()

    def mark(self, why: str, frame: FrameType | None) -> None:
        """Note why the run is being ended and where its current thread is; from any OS thread."""
        if self.ending:
            if why == "interrupted":  # the run is over, but not the loop of runs that it may be part of
                self.stop_now = why
        elif not self.stop_now:
            self.stop_now = why
            learners, _, _ = call_site(frame)
            where = f", line {line_at(learners)}" if learners is not None else ""
            self._stopped_at = f"{self.current.name}{where}" if self.current else ""

    def _request_end(self) -> None:
        self.current.requests += 1
        if self.current.requests > MAX_REQUESTS:
            self.hub.switch()
        raise StopRun

    def close(self) -> None:
        """End every thread that is left, unseen: nothing that its `finally` blocks do is shown."""
        for task in self.tasks:
            if not task.finished:
                task.ending = "deadlocked" if self.deadlocked else "stopped" if self.stop_now else "abandoned"
                if self.stop_now == "cut":
                    task.ending = "goes on"
                if task.ending == "abandoned" and self.noted:
                    self.events.add(self.now, task, "abandon")
                task.close(self.now)
            task.let_go_of_all(self.now)  # a lock stays locked when its holder ends
        if self.deadlocked:
            self.events.add(self.now, self.tasks[0], "deadlock")
        self.ending = True
        for task in self.tasks:
            if task.carrier is not None and not task.carrier.dead:
                self.current = task
                if task.requests <= MAX_REQUESTS:
                    self._end(task, task.carrier)
                if task.is_under_way:
                    _UNKILLABLE.append(task)

    def _end(self, task: Task, carrier: Carrier) -> None:
        """Raise StopRun in a thread where it stands; what it does on its way out may have to be ended, too."""
        try:
            self.target.expose()
            carrier.throw(StopRun)
        except StopRun:  # the watchdog's, before or after it
            pass
        finally:
            try:
                self.target.shield()
            except StopRun:  # it came on the way in
                self.target.shield()
        if task.is_under_way and not task.requests:
            carrier.throw(StopRun)

    def take_apart(self) -> None:
        """Let go of what the run was made of, once nobody asks for it any more.

        Its parts refer to one another: thousands of runs would leave more to the collector than they take themselves.
        Threads and locks that outlive the run still find out that it is over.
        """
        for task in self.tasks:
            if not task.is_under_way:
                task.take_apart()
        self.tasks, self.ready = [], []
        self.current = None  # type: ignore[assignment]
        self._looking = {}
        self.let_go = int

    def stuck(self) -> Stuck | None:
        """The error of a run that had to be ended, or None."""
        if self.stop_now == "computing":
            return Stuck(
                f"no progress for {PATIENCE:g} s of real time in {self._stopped_at}: it computes without a pause, "
                "which nobody can tell from a loop without an end; let it sleep or wait, let tv.work(seconds) stand "
                "for what it computes, or record the program"
            )
        if self.stop_now == "waiting":
            return Stuck(
                f"no progress for {PATIENCE:g} s of real time or more in {self._stopped_at}: it waits for something "
                "real, which keeps the virtual clock still; record the program"
            )
        if self.stop_now == "endless":
            done = f"{len(self.events):,} trace events"
            if self.progress >= MAX_SWITCHES:
                done = f"{MAX_SWITCHES:,} operations and switches"
            if self.cores.turns >= MAX_CPU_TURNS:
                done = f"{MAX_CPU_TURNS:,} turns on the CPU"
            return Stuck(
                f"still going after {done} in {self._stopped_at}, at {self.now / 1e9:g} "
                "virtual seconds: a loop in it seems to have no end; one that has is too long for a simulated run, and "
                "can be recorded"
            )
        return None

    # ---- which operation a thread is in ----

    def begin_operation(self, name: str) -> Operation:
        """The user-level operation that the current thread is in; a new one passes a scheduling point first."""
        task = self.current
        begun = task.operation
        learners, outermost, whose = call_site(_getframe(1), begun.frame if begun is not None else None)
        if whose == OTHER:  # logging and such take locks of their own
            return _NOISE
        if outermost is None:
            if learners is None:  # a thread whose target is the primitive itself
                return Operation(name, None, None, None)
            self.point()
            # a primitive that the learner calls directly is noted by the primitive itself, when it has happened
            task.operation = Operation(name, None, line_at(learners), None)
            return task.operation
        if begun is not None and begun.frame is outermost:
            return begun
        name = operation_name(outermost)
        if learners is None or KIND[outermost.f_code.co_filename] != OPERATIONS:
            task.operation = Operation(name, outermost, None, None)
        else:
            self.point()
            line = line_at(learners)
            task.operation = Operation(name, outermost, line, self.note_begun(name, line))
        return task.operation

    def note_begun(self, name: str, line: int | None) -> int | None:
        """Note that the learner's code calls an operation of the library's, which does its first thing now."""
        return self.record("call", name, line=line)

    def begin_call(self, name: str) -> Operation:
        """As `begin_operation`, for a primitive that is noted as soon as it is called."""
        operation = self.begin_operation(name)
        if operation.event is None and operation.line is not None:
            operation.event = self.record("call", name, line=operation.line)
        return operation

    def end_wait(self, operation: Operation) -> None:
        """Note that a wait inside `operation` ended, and what ended it."""
        cause, self.current.woken_by = self.current.woken_by, None
        value = "time-out" if self.current.timed_out else ""
        if operation.line is not None:
            self.record("wake", operation.name, value, operation.line, None if value else cause)

    def blocked_in(self, operation: Operation, used: object | None) -> str:
        """What a wait inside an operation on `used` is called in the picture."""
        return blocked_in(operation.name, used, self) if self.noted else operation.name

    def object_name(self, wanted: object, otherwise: str) -> str:
        """What the learner calls `wanted`: in the main thread's frames first, then in the current thread's."""
        main, here = self.tasks[0], caller()
        return self.names.name(wanted, main.frame if main is not self.current else here, here, otherwise)

    def trace(self) -> Trace:
        if not self.noted:
            return Trace((), (), self.now / 1e9, self.clock_name)
        waits = tuple(task.waits for task in self.tasks if self.deadlocked and not task.finished and task.waits)
        return self.events.trace(self.tasks, self.now, waits, self.clock_name)
