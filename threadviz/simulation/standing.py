"""What a thread stands before that has come to a call of a primitive."""

from typing import Any

from greenlet import getcurrent

from ..learner.naming import name_of
from .accesses import underlying
from .operations import Operation
from .steps import LOOKING, Before, PlaceKey, Use
from .tasks import Task
from .walker import Lockable

# What nobody calls: logging, a pool's worker between two calls, and what happens when a pool is thrown away.
_INNER = frozenset(["library", "_worker", "ThreadPoolExecutor._adjust_thread_count"])
_NAMED = (
    "Condition.",
    "Event.",
    "Queue.",
    "LifoQueue.",
    "PriorityQueue.",
    "Semaphore.",
    "BoundedSemaphore.",
    "Barrier.",
)


def stand_before(simulator: Any, primitive: Any, operation: Operation, how: Use, lock: Lockable | None = None) -> None:
    """The current thread has come to a primitive in `operation`; it can go on when `lock`, if any, is free."""
    task: Any = simulator.current
    if simulator.ending or operation.name in _INNER or getcurrent() is not task.carrier:
        return
    own = simulator.place(primitive)
    task.primitive = primitive
    if task.stood_before is not operation:
        task.stood_before = operation
        task.resumed = False
        found = operation.frame.f_locals.get("self") if operation.frame is not None else None
        family = underlying(found) or primitive
        task.family = simulator.place(family)
        if family is not primitive:
            how = Use.WRITE
        if getattr(family, "taken", False) and family.holder is task:
            how = Use.HOLD
        if operation.name in LOOKING:
            how = Use.READ
        takes = own if lock is not None and how is not Use.READ else None
        simulator.passed += 1
        if simulator.noted:
            task.called = name_of(found, simulator.object_name) if operation.name.startswith(_NAMED) else ""
        simulator.stand(Before("call", operation.name, operation.line), {task.family: how}, lock, takes)
        _note_made(simulator, operation, task.called)
    elif lock is not None and own == task.family and (task.resumed or lock.taken):
        task.resumed = False
        simulator.passed += 1
        simulator.stand(Before("call", operation.name, operation.line), {own: Use.TAKE}, lock, own)


def _note_made(simulator: Any, operation: Operation, called: str) -> None:
    """Note the call that the thread stood before, now that it is made, and what it is a method of."""
    if simulator.noted and operation.frame is not None and operation.line is not None and operation.event is None:
        operation.event = simulator.record("call", operation.name, called, operation.line)


def stand_before_looking(simulator: Any, name: str, line: int | None, place: PlaceKey, at: str) -> None:
    """The current thread is about to look at what is none of the learner's data: a flag, a thread's life.

    `at` is what the learner calls it; nothing where whoever looks notes that, too.
    """
    task: Any = simulator.current
    if simulator.ending or getcurrent() is not task.carrier:
        return
    simulator.check()
    simulator.progress += 1
    simulator.passed += 1
    task.called = at
    simulator.stand(Before("call", name, line), {place: Use.READ})
    if at:
        simulator.record("call", name, at, line)


def look_at_thread(simulator: Any, name: str, line: int | None, task: Task) -> None:
    """The current thread is about to look whether another one has ended."""
    simulator.shared.see_ends()
    at = task.name if name == "Thread.is_alive" else ""
    stand_before_looking(simulator, name, line, ("thread", task.number), at)
