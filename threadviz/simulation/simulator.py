"""One simulated run: its threads, each a greenlet in the OS thread that called it, and what is noted of them.

Who goes on is for `Scheduler` to say, or for `Stepping`.  A run is ended before its time by StopRun, raised where each
thread stands.
"""

import threading
from collections import deque
from collections.abc import Callable
from sys import _getframe
from types import FrameType
from typing import ClassVar

from greenlet import getcurrent, greenlet

from .. import real
from ..errors import StopRun, Stuck
from ..learner.code import call_site, caller, line_at
from ..learner.naming import Names
from ..learner.notes import blocked_in
from ..learner.places import Place
from ..schedule import Policy, Preemption
from ..stage.notes import Events
from ..stage.watchdog import PATIENCE, Target
from ..tab import still
from ..texts import Namesakes
from ..trace import Clock, Kind, On, State, Trace
from .cores import MAX_CPU_TURNS, Cores
from .operations import Operation, begin
from .signals import interrupt
from .tasks import MAX_REQUESTS, UNKILLABLE, Carrier, Task, tie, tied

MAX_EVENTS = 500_000  # trace events of a run; what goes on longer is taken to be endless
MAX_SWITCHES = 1_000_000  # and switches and operations, likewise
MAX_THREADS = 10_000  # of a run; an operating system has a limit, too


class Simulator:
    """One simulated run.

    Every change from one thread to another goes through `switch` or, at a thread's end, `finish`; both ask `_next`.
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
        self._noted_once: set[str] = set()
        self._unstarted: Task | None = None  # the thread whose first step is next
        self.idle: list[Carrier] = []
        self.signals: deque[Callable[[], object]] = deque()  # whose handlers the main thread is to call
        self.served = 0  # of them so far
        self.tied = tied()
        self.let_go: Callable[[], object] = int  # frees what is kept of the learner's objects; nothing, so far

    # ---- who goes on ----

    def _next(self) -> Task | greenlet:
        """The thread that goes on, or the hub where none can."""
        raise NotImplementedError

    @property
    def holds_up(self) -> bool:
        """Whether somebody could go on if the current thread let the others."""
        raise NotImplementedError

    def point(self) -> None:
        """A scheduling point: the policy may let another thread go first."""
        raise NotImplementedError

    def before_access(self) -> None:
        """The current thread is about to touch what others may touch: the policy may let one of them go first."""

    def start_first(self, child: Task) -> None:
        """A thread has been started; its first step is still to come."""
        raise NotImplementedError

    def give_way(self) -> None:
        """Let the others that can run go first, as `sleep(0)` does."""
        raise NotImplementedError

    def work(self, seconds: float) -> None:
        """The current thread computes."""
        raise NotImplementedError

    def after(self, seconds: float) -> int:
        """The time in nanoseconds, `seconds` from now; never now itself, as a wait with a time-out takes time."""
        raise NotImplementedError

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
        raise NotImplementedError

    def block_on_real(self, has_come: Callable[[float], bool], until: int | None) -> None:
        """The current thread waits for something real, such as a socket, or until the clock says `until`."""
        raise NotImplementedError

    def wake(self, tasks: list[Task], cause: int | None) -> None:
        """Let threads go on (where they want a lock: try to) because of a trace event."""
        raise NotImplementedError

    def make_ready(self, task: Task) -> None:
        """Let a thread go on that could not."""
        self.ready.append(task)

    # ---- from one thread to another ----

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
            tie(self.tied)
            self.ready = []
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

    def switch(self, target: Task | greenlet) -> None:
        task = self.current
        if target is not task:
            self.progress += 1
            mine = tied()
            if real.HAS_THREADS:
                self._stack_of(target).switch()
            else:
                self._switch_in_a_tab(target)
            self.current = task
            tie(mine)
        if task.state != "running":
            task.enter(self.now, "running")
        self.check()

    def _switch_in_a_tab(self, target: Task | greenlet) -> None:
        mine = self.current.carrier
        assert mine is not None
        try:
            mine._gr_frame = still(_getframe(1), Task.carry.__code__)
            self._stack_of(target).switch()
        finally:
            mine._gr_frame = None

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
            self.progress >= MAX_SWITCHES or self.signals
        ):  # a loop that only looks at attributes comes to no other check
            self.check()

    def check(self) -> None:
        """Raise in a thread that is being ended from outside, however often it swallows the request."""
        if self.ending or self.stop_now:
            self._request_end()
        task = self.current
        if (self.signals or task.exception is not None) and getcurrent() is task.carrier:
            interrupt(self, task)
        too_many = self.progress >= MAX_SWITCHES or self.cores.turns >= MAX_CPU_TURNS
        if too_many or len(self.events.all) >= MAX_EVENTS:
            self.stop("endless", caller())

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
            if task.is_under_way:
                self.current = task
                if task.requests <= MAX_REQUESTS:
                    task.end()
                if task.is_under_way:
                    UNKILLABLE.append(task)

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

    def begin_operation(self, name: str) -> Operation:
        """The user-level operation that the current thread is in; a new one passes a scheduling point first."""
        return begin(self, name)

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
