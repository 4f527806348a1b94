"""A simulated thread, the stack that carries it, and what CPython ties to the OS thread under it."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet

from .. import real
from ..errors import StopRun
from ..stage.notes import Row
from .operations import Operation

MAX_REQUESTS = 10  # to end, that a thread may swallow before it is left where it stands
UNKILLABLE: list[Any] = []  # threads that swallowed them all: kept from the collector, which would ask once more
_HAS_CONTEXTS = hasattr(greenlet, "gr_context")  # not so in a browser tab


class Carrier(greenlet):
    """A stack that carries one simulated thread after the other: a new one costs as much as twenty switches."""

    _gr_frame: FrameType | None  # what `gr_frame` gives in a browser tab, where greenlet itself does not look for it

    def __init__(self, task: "Task", idle: list["Carrier"]) -> None:
        super().__init__(parent=getcurrent())
        self.idle = idle  # where those are that carry nobody
        self.take(task)

    def take(self, task: "Task") -> None:
        self.carried = task
        task.carrier = self

    def run(self, *_: object) -> None:
        while True:
            task = self.carried
            following = task.carry()
            if not real.HAS_THREADS:  # in a browser tab a stack is a task of the tab's own, and ends with its thread
                self.parent = following
                return
            task.carrier = None
            del task, self.carried
            if _HAS_CONTEXTS:
                self.gr_context = None  # that of `contextvars`, which is a thread's own
            self.idle.append(self)
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
                tie((tracer, profiler, loop))
                self.enter(simulator.now, "running")
                self.body()
        except StopRun:
            pass  # Simulator.close() says how this lane ends
        except BaseException as error:  # an interrupt, or the policy's own
            simulator.failure = simulator.failure or error
            simulator.stop_now = simulator.stop_now or "failed"
        following: greenlet = simulator.hub if simulator.ending else simulator.finish(self)
        return following

    def end(self) -> None:
        """Raise StopRun where it stands; what it does on its way out may have to be ended, too."""
        carrier, target = self.carrier, self.simulator.target
        assert carrier is not None
        try:
            target.expose()
            carrier.throw(StopRun)
        except StopRun:  # the watchdog's, before or after it
            pass
        finally:
            try:
                target.shield()
            except StopRun:  # it came on the way in
                target.shield()
        if self.is_under_way and not self.requests:
            carrier.throw(StopRun)


Tied = tuple[Any, Any, Any]  # a trace function, a profile function, and a running event loop


def tied() -> Tied:
    """What CPython ties to the OS thread, and each simulated thread has for itself."""
    # In a browser tab greenlets themselves are tasks of the tab's own loop, which must stay the running one.
    loops: Any = sys.modules.get("asyncio.events") if real.HAS_THREADS else None
    return sys.gettrace(), sys.getprofile(), loops and loops._get_running_loop()


def tie(wanted: Tied) -> None:
    now = tied()
    if now != wanted:
        tracer, profiler, loop = now
        if wanted[2] is not loop:
            sys.modules["asyncio.events"]._set_running_loop(wanted[2])
        if wanted[1] is not profiler and all(each is None or callable(each) for each in (wanted[1], profiler)):
            sys.setprofile(wanted[1])  # not a profiler written in C, which only it can put in place again
        if wanted[0] is not tracer:
            sys.settrace(wanted[0])
