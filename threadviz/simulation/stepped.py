"""What stands for the primitives in a run that goes step by step: each says what the thread stands before."""

import threading
from sys import _getframe
from typing import Any

from ..learner.code import is_learners, outside
from ..learner.naming import name_of
from ..learner.places import NO_VALUE, Places, Site
from ..learner.points import Listener
from ..stage.engine import pool_module
from .accesses import HasPlace
from .locks import Lock, RLock
from .operations import Operation
from .simplequeue import SimpleQueue
from .standing import look_at_thread, stand_before, stand_before_looking
from .stepping import Stepping
from .steps import Use
from .tasks import Task
from .threads import SimulatedThreads

_add_worker = pool_module.ThreadPoolExecutor._adjust_thread_count
_is_set = threading.Event.is_set


class _Stepped(HasPlace):
    """A lock that says who stands before it, and how the step that goes on uses it."""

    _simulator: Any
    class_name: str
    taken: bool

    @property
    def holder(self) -> Task | None:
        return self._holder  # type: ignore[attr-defined,no-any-return]

    @property
    def called(self) -> str:
        """What the learner calls it."""
        return self._name()  # type: ignore[attr-defined,no-any-return]

    def _begin(self, name: str, must_be_free: bool = False) -> Operation:
        operation: Operation = self._simulator.begin_operation(f"{self.class_name}.{name}")
        how = Use.HOLD if name == "release" else Use.TAKE if must_be_free else Use.READ
        stand_before(self._simulator, self, operation, how, self if must_be_free else None)
        return operation

    def _take(self, blocking: bool, timeout: float, operation: Operation) -> bool:
        taken: bool = super()._take(blocking, timeout, operation)  # type: ignore[misc]
        self._simulator.use(self, Use.TAKE if taken else Use.READ)
        if taken:
            self._simulator.lock_changed(self)
        return taken

    def _free(self) -> None:
        self._simulator.use(self, Use.HOLD)
        super()._free()  # type: ignore[misc]
        self._simulator.lock_changed(self)

    def locked(self) -> bool:
        simulator = self._simulator
        line, place = _line_of_learner(0), simulator.place(self)
        stand_before_looking(simulator, f"{self.class_name}.locked", line, place, self.called)
        return super().locked()  # type: ignore[misc,no-any-return]


class SteppedLock(_Stepped, Lock):
    __slots__ = ()


class SteppedRLock(_Stepped, RLock):
    __slots__ = ()
    locked = RLock.locked


class SteppedSimpleQueue(SimpleQueue, HasPlace):
    def _begin(self, name: str) -> Operation:
        simulator: Any = self._simulator
        operation: Operation = simulator.begin_operation(name)
        stand_before(simulator, self, operation, Use.WRITE)
        simulator.use(self, Use.WRITE)
        if operation.event is None and operation.line is not None:
            operation.event = simulator.record("call", name, line=operation.line)
        return operation


def _line_of_learner(calls_between: int) -> int | None:
    """The line of the learner's code that made a call of a primitive; None where other code did, ours included."""
    frame = _getframe(2 + calls_between)
    return frame.f_lineno if is_learners(frame.f_code.co_filename) else None


class _Accesses(Listener):
    """Hears of each access in the learner's code: a point, perhaps, and a note in the trace."""

    def __init__(self, simulator: Stepping, places: Places | None) -> None:
        self._simulator = simulator
        self._places = places

    def before(self, site: Site, thing: Any, key: Any) -> None:
        self._simulator.access(site, thing, key)
        if site.name == "bool" and self._places is not None:  # of which no `after` tells
            self._places.after(site, thing, NO_VALUE, None)

    def after(self, site: Site, thing: Any, value: Any, key: Any) -> None:
        if self._places is not None:
            self._places.after(site, thing, value, key)


class _OnlyPoints:
    """The same where nothing is noted: each access is a point, perhaps, and no more."""

    def __init__(self, simulator: Stepping) -> None:
        self.before = simulator.access

    def after(self, site: Site, thing: Any, value: Any, key: Any) -> None:
        pass


class SteppedThreads(SimulatedThreads):
    """The engine of one run that goes step by step."""

    Lock = SteppedLock
    RLock = SteppedRLock
    SimpleQueue = SteppedSimpleQueue
    stepwise = True
    _simulator: Stepping

    def listener(self) -> Listener:
        if not self._simulator.noted:
            return _OnlyPoints(self._simulator)
        places = Places(self)
        self._simulator.owner_called = places.called
        return _Accesses(self._simulator, places)

    def clock_ns(self) -> int:
        self._simulator.looks_at_the_clock(outside())
        return self._simulator.clock

    def join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        task = self._task(thread)
        if timeout is not None and task is not None:
            self._look_at(task, "Thread.join")
        super().join(thread, timeout)
        if task is not None and task.finished and task.simulator is self._simulator:
            self._simulator.joined(task)

    def is_alive(self, thread: threading.Thread) -> bool:
        task = self._task(thread)
        if task is not None:
            self._look_at(task, "Thread.is_alive")
        return super().is_alive(thread)

    def _look_at(self, task: Task, name: str) -> None:
        line = _line_of_learner(2)
        if line is not None:
            look_at_thread(self._simulator, name, line, task)

    def is_set(self, event: threading.Event) -> bool:
        """An event's flag is read without its lock."""
        line = _line_of_learner(1)
        inner = event._cond._lock  # type: ignore[attr-defined]
        if line is not None and isinstance(inner, Lock):
            name = name_of(event, self._simulator.object_name)
            stand_before_looking(self._simulator, "Event.is_set", line, self._simulator.place(inner), name)
        return _is_set(event)

    def _boot(self, task: Task) -> None:
        super()._boot(task)
        self._simulator.stand_before_the_end()

    def drain_pools(self) -> None:
        super().drain_pools()
        self._simulator.stand_before_the_end()

    def put_in_order(self, acquired: Any, futures: Any) -> None:
        """The library takes the locks of several futures by address, which differs from run to run."""
        acquired.futures = sorted(futures, key=hash)

    def add_worker(self, pool: Any) -> None:
        """A pool starts one more worker for each call, up to its limit, whether or not an idle one would have come."""
        pool._idle_semaphore = threading.Semaphore(0)
        _add_worker(pool)
