"""Operations: the user-level calls of primitives, each one thing however many locks it takes inside."""

from sys import _getframe
from types import FrameType
from typing import Any

from ..learner.code import KIND, OPERATIONS, OTHER, call_site, line_at, operation_name


class Operation:
    """One user-level call of a primitive, and the trace event that stands for it."""

    __slots__ = ("event", "frame", "line", "name")

    def __init__(self, name: str, frame: FrameType | None, line: int | None, event: int | None) -> None:
        self.name = name
        self.frame = frame  # the outermost library frame; None where the learner called the primitive directly
        self.line = line  # None where no learner's code made the call
        self.event = event


_NOISE = Operation("library", None, None, None)


def begin(simulator: Any, name: str) -> Operation:
    """The user-level operation that the current thread is in; a new one passes a scheduling point first."""
    task: Any = simulator.current
    begun: Operation | None = task.operation
    learners, outermost, whose = call_site(_getframe(1), begun.frame if begun is not None else None)
    if whose == OTHER:  # logging and such take locks of their own
        return _NOISE
    if outermost is None:
        if learners is None:  # a thread whose target is the primitive itself
            return Operation(name, None, None, None)
        simulator.point()
        # a primitive that the learner calls directly is noted by the primitive itself, when it has happened
        operation = task.operation = Operation(name, None, line_at(learners), None)
        return operation
    if begun is not None and begun.frame is outermost:
        return begun
    name = operation_name(outermost)
    if learners is None or KIND[outermost.f_code.co_filename] != OPERATIONS:
        operation = Operation(name, outermost, None, None)
    else:
        simulator.point()
        line = line_at(learners)
        operation = Operation(name, outermost, line, simulator.note_begun(name, line))
    task.operation = operation
    return operation
