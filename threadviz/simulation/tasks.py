"""The threads of a simulated run, what is noted of them, and how they are ended before their time.

A thread is a greenlet in the OS thread that called the simulator, and a lane in the making.  It is ended by StopRun,
raised where it stands.
"""

import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet

from .. import real
from ..errors import StopRun, Stuck
from ..learner.code import call_site, caller
from ..learner.naming import Names
from ..stage.notes import Events, Row
from ..stage.watchdog import PATIENCE
from ..texts import Namesakes
from ..trace import Kind
from .cores import MAX_CPU_TURNS, Cores

MAX_EVENTS = 200_000  # trace events of a run; what goes on longer is taken to be endless
MAX_SWITCHES = 1_000_000  # and switches and operations, likewise
MAX_REQUESTS = 10  # to end, that a thread may swallow before it is left where it stands
_UNKILLABLE: list[greenlet] = []  # threads that swallowed them all: kept from the collector, which would ask once more
MAX_THREADS = 10_000  # of a run; an operating system has a limit, too


class Operation:
    """One user-level call of a primitive, and the trace event that stands for it."""

    __slots__ = ("event", "frame", "line", "name")

    def __init__(self, name: str, frame: FrameType | None, line: int | None, event: int | None) -> None:
        self.name = name
        self.frame = frame  # the outermost library frame; None where the learner called the primitive directly
        self.line = line  # None where no learner's code made the call
        self.event = event

    @property
    def told(self) -> str:
        """What a wait inside it is called in the picture."""
        return "waits for work" if self.name == "_worker" else self.name


class Task(greenlet, Row):
    """A simulated thread."""

    def __init__(self, simulator: Any, thread: threading.Thread, body: Callable[[], None]) -> None:
        greenlet.__init__(self, parent=simulator.hub)
        Row.__init__(self, thread, len(simulator.tasks), simulator.now, simulator.namesakes)
        self.simulator = simulator
        self.body = body
        self.finished = False
        self.joiners: list[Task] = []
        self.operation: Operation | None = None
        self.wanted: Any = None  # the lock it would take up when it goes on
        self.woken_by: int | None = None  # the trace event that ended its wait
        self.timer = 0  # number of the timer that may end its wait; 0 for none
        self.timed_out = False
        self.requests = 0  # to end, swallowed so far

    def run(self, *_: object) -> None:  # a greenlet that ends hands its parent a value
        simulator = self.simulator
        try:
            if not simulator.ending:
                self.enter(simulator.now, "running")
                self.body()
        except StopRun:
            pass  # Scheduler.close() says how this lane ends
        except BaseException as error:  # an interrupt, or the policy's own
            simulator.failure = simulator.failure or error
            simulator.stop_now = simulator.stop_now or "failed"
        if not simulator.ending:
            self.parent = simulator.finish(self)


class Tasks:
    """The threads of one run, what is noted of them, and why they were ended."""

    def __init__(self, cores: int | None) -> None:
        self.os_thread = real.get_ident()
        self.hub = getcurrent()
        self.now = 0  # nanoseconds, virtual
        self.tasks: list[Task] = []
        self.cores = Cores(cores)
        self.alive = 0  # threads that the program waits for
        self.current: Task = None  # type: ignore[assignment]
        self.events = Events()
        self.names, self.namesakes = Names(), Namesakes()
        self.progress = 0
        self.ending = False
        self.deadlocked = False
        self.stop_now = ""  # why the run is being ended from outside: "interrupted", "stuck", "endless" or "failed"
        self.failure: BaseException | None = None
        self._stopped_at = ""

    @property
    def is_over(self) -> bool:
        """Whether threads are being ended: what their code raises on its way out is none of the program's doing."""
        return self.ending or bool(self.stop_now)

    def spawn(self, thread: threading.Thread, body: Callable[[], None]) -> Task:
        if len(self.tasks) > MAX_THREADS:
            raise RuntimeError("can't start new thread")  # CPython's own words
        task = Task(self, thread, body)
        self.tasks.append(task)
        self.alive += not task.daemon
        return task

    def after(self, seconds: float) -> int:
        """The time in nanoseconds, `seconds` from now; never now itself, as a wait with a time-out takes time."""
        return self.now + max(1, round(seconds * 1e9))

    def record(
        self, kind: Kind, what: str = "", value: str = "", line: int | None = None, cause: int | None = None
    ) -> int:
        """Note a trace event of the current thread; returns its index."""
        if self.ending:
            return 0
        return self.events.add(self.now, self.current, kind, what, value, line, cause)

    def record_access(self, kind: Kind, what: str, value: str, line: int) -> None:
        """Note that the current thread reads or writes an attribute."""
        self.progress += 1
        self.events.add_access(self.now, self.current, kind, what, value, line)
        if self.progress >= MAX_SWITCHES:  # a loop that only looks at attributes comes to no other check
            self.check()

    def check(self) -> None:
        """Raise in a thread that is being ended from outside, however often it swallows the request."""
        if self.ending or self.stop_now:
            self._request_end()
        too_many = self.progress >= MAX_SWITCHES or self.cores.turns >= MAX_CPU_TURNS
        if too_many or len(self.events) >= MAX_EVENTS:
            self.stop("endless", caller())

    def check_abandoned(self) -> None:
        """As `check`, once the run is over: in a thread that is being ended, and not in the cell that follows."""
        if isinstance(getcurrent(), Task):
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
            where = f", line {learners.f_lineno}" if learners is not None else ""
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
                if task.ending == "abandoned":
                    self.events.add(self.now, task, "abandon")
                task.close(self.now)
            task.let_go_of_all(self.now)  # a lock stays locked when its holder ends
        if self.deadlocked:
            self.events.add(self.now, self.tasks[0], "deadlock")
        self.ending = True
        for task in self.tasks:
            if task and not task.dead:
                self.current = task
                task.parent = self.hub
                if task.requests <= MAX_REQUESTS:
                    task.throw(StopRun)
                if not task.dead:
                    _UNKILLABLE.append(task)

    def stuck(self) -> Stuck | None:
        """The error of a run that had to be ended, or None."""
        if self.stop_now == "stuck":
            return Stuck(
                f"no progress for {PATIENCE:g} s of real time in {self._stopped_at}: code that runs without ever "
                "waiting, or that waits for something real, keeps the virtual clock still; let it sleep or wait"
            )
        if self.stop_now == "endless":
            done = f"{len(self.events):,} trace events"
            if self.progress >= MAX_SWITCHES:
                done = f"{MAX_SWITCHES:,} operations and switches"
            if self.cores.turns >= MAX_CPU_TURNS:
                done = f"{MAX_CPU_TURNS:,} turns on the CPU"
            return Stuck(
                f"still going after {done} in {self._stopped_at}, at {self.now / 1e9:g} "
                "virtual seconds: a loop in it seems to have no end"
            )
        return None
