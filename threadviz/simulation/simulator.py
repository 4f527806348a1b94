"""One simulated run: which operation each thread is in, and what is noted of it.

The standard library's own Condition, Event, Queue and pool run unchanged on the primitives of `locks.py` and
`runtime.py`.
"""

from sys import _getframe
from typing import ClassVar

from ..learner.code import KIND, OPERATIONS, OTHER, call_site, caller, operation_name
from ..trace import Trace
from .scheduler import Scheduler
from .tasks import Operation

_NOISE = Operation("library", None, None, None)


class Simulator(Scheduler):
    """One run, and the trace that comes of it."""

    newest: ClassVar["Simulator"]  # that of the run that is going on; locks made in it keep a reference

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
            task.operation = Operation(name, None, learners.f_lineno, None)
            return task.operation
        if begun is not None and begun.frame is outermost:
            return begun
        name = operation_name(outermost)
        if learners is None or KIND[outermost.f_code.co_filename] != OPERATIONS:
            task.operation = Operation(name, outermost, None, None)
        else:
            self.point()
            line = learners.f_lineno
            task.operation = Operation(name, outermost, line, self.record("call", name, line=line))
        return task.operation

    def begin_call(self, name: str) -> Operation:
        """As `begin_operation`, for a primitive that is noted as soon as it is called."""
        operation = self.begin_operation(name)
        if operation.event is None and operation.line is not None:
            operation.event = self.record("call", name, line=operation.line)
        return operation

    def end_wait(self, operation: Operation) -> None:
        """Note that a wait inside `operation` ended, and what ended it."""
        cause, self.current.woken_by = self.current.woken_by, None
        if operation.line is not None:
            self.record("wake", operation.name, line=operation.line, cause=cause)

    def object_name(self, wanted: object, otherwise: str) -> str:
        """What the learner calls `wanted`: in the main thread's frames first, then in the current thread's."""
        main, here = self.tasks[0], caller()
        return self.names.name(wanted, main.gr_frame if main is not self.current else here, here, otherwise)

    def trace(self) -> Trace:
        waits = tuple(task.waits for task in self.tasks if self.deadlocked and not task.finished and task.waits)
        return self.events.trace(self.tasks, self.now, waits)
