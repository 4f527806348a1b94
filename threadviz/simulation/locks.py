"""Virtual locks: what the standard library's own primitives stand on in a simulated run."""

from dataclasses import replace
from sys import _getframe
from typing import Any

from .. import real
from ..learner.code import ends_a_call, made_by_condition, queue_of
from ..trace import On
from .operations import Operation
from .simulator import Simulator
from .tasks import Task

_FOREVER = "a lock of a finished run is still held, and the run that would release it is over; make a new one"


class Lock:
    """CPython's lock on the virtual clock: not fair, no owner, anybody may release it."""

    __slots__ = ("__weakref__", "_called", "_holder", "_release", "_simulator", "_waiters", "taken")
    _kind = "_thread.lock"
    class_name = "Lock"  # to those who call it

    def __init__(self) -> None:
        self._simulator: Simulator = Simulator.newest
        self.taken = False
        self._holder: Task | None = None
        self._waiters: list[Task] = []
        self._release: int | None = None  # the trace event of the newest release
        self._called = ""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking is not True or timeout != -1:
            real.check_timeout(blocking, timeout)
        if self._simulator.ending:
            return self._after_the_run(blocking)
        operation = self._begin("acquire", blocking and timeout < 0)
        if not self._take(blocking, timeout, operation):
            return False
        self._note_acquired(operation)
        return True

    def _begin(self, name: str, must_be_free: bool = False) -> Operation:
        """A call of the lock's begins; with `must_be_free` it cannot end before the lock is free."""
        return self._simulator.begin_operation(f"{self.class_name}.{name}")

    def _take(self, blocking: bool, timeout: float, operation: Operation) -> bool:
        simulator = self._simulator
        if self.taken:
            if not blocking or timeout == 0:
                if operation.name == "as_completed":  # which gives up after its deadline, and not at it
                    simulator.now += 1
                return False
            until = None if timeout < 0 else simulator.after(timeout)
            task = simulator.current
            self._waiters.append(task)
            task.wanted = self
            simulator.wanting += 1
            try:
                while self.taken:
                    on, label = self._wait_label(operation)
                    waits_for = (self._holder, self._called) if on == "lock" else (None, "")
                    if not simulator.block("blocked", label, until, on, *waits_for):
                        simulator.end_wait(operation)
                        return False
            finally:
                simulator.wanting -= 1
                task.wanted = None
                if task in self._waiters:
                    self._waiters.remove(task)
            if on != "lock":
                simulator.end_wait(operation)
        self.taken = True
        self._holder = simulator.current
        for waiter in self._waiters:
            self.tell_holder(waiter)
        return True

    def tell_holder(self, waiter: Task) -> None:
        """A thread waits on, for somebody else."""
        if waiter.on == "lock" and self._holder is not None:
            if waiter.waits is not None:
                waiter.waits = replace(waiter.waits, holder=self._holder.name)
            if waiter.label.count(", then ") < 3:
                waiter.label += f", then {self._holder.name}"

    def _wait_label(self, operation: Operation) -> tuple[On, str]:
        if self._is_wanted_by(operation):
            holder = f", held by {self._holder.name}" if self._holder is not None else ""
            return "lock", f"waits for {self._name()}{holder}"
        return "", self._simulator.blocked_in(operation, queue_of(operation.frame))

    def _is_wanted_by(self, operation: Operation) -> bool:
        """Whether the learner takes this very lock, or the condition that it belongs to."""
        if operation.frame is None:
            return operation.name.endswith(".acquire")
        return (
            operation.name in ("Condition.__enter__", "Condition.wait", "Condition.wait_for")
            and getattr(operation.frame.f_locals["self"], "_lock", None) is self
        )

    def _name(self) -> str:
        if not self._simulator.noted:
            return self.class_name
        if not self._called:
            self._called = self._simulator.object_name(self, self.class_name)
        return self._called

    def _note_acquired(self, operation: Operation) -> None:
        simulator = self._simulator
        if not simulator.noted or operation.line is None or not self._is_wanted_by(operation):
            return
        cause, simulator.current.woken_by = simulator.current.woken_by, None
        name = self._name()
        simulator.record("acquire", name, line=operation.line, cause=cause)
        simulator.current.hold(self, name, simulator.now)

    def release(self) -> None:
        simulator = self._simulator
        if not self.taken:
            raise RuntimeError("release unlocked lock")
        if not simulator.ending:
            operation = self._begin("release")
            if not self.taken:  # somebody else released it while this thread stood before the call
                raise RuntimeError("release unlocked lock")
            self._note_release(operation)
        self._free()

    def _note_release(self, operation: Operation) -> None:
        simulator = self._simulator
        if not simulator.noted:
            return
        holder = self._holder
        if self._waiters and operation.event is None and ends_a_call(operation.name):
            operation.event = simulator.record("call", operation.name)
        self._release = operation.event
        if holder is not None and (self in holder.holding or operation.frame is None):
            if self in holder.holding:
                holder.let_go(self, simulator.now)
            if operation.line is not None:
                self._release = simulator.record("release", self._name(), line=operation.line)

    def _free(self) -> None:
        self.taken = False
        self._holder = None
        if not self._simulator.ending:
            self._simulator.wake(self._waiters, self._release)

    def locked(self) -> bool:
        return self.taken

    _is_owned = locked  # by whom, a Condition does not ask

    def _after_the_run(self, blocking: bool) -> bool:
        if not self.taken:
            self.taken = True
            return True
        if not blocking:
            return False
        self._simulator.check_abandoned()
        raise RuntimeError(_FOREVER)

    def _at_fork_reinit(self) -> None:
        self.taken = False
        self._holder = None
        self._waiters = []

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'locked' if self.taken else 'unlocked'} {self._kind} object at {id(self):#x}>"

    acquire_lock, release_lock, locked_lock = acquire, release, locked


class RLock(Lock):
    """CPython's re-entrant lock: owned by a thread, which may take it again and alone may release it."""

    __slots__ = ("_count", "_owner", "class_name")
    _kind = "_thread.RLock"

    def __init__(self) -> None:
        super().__init__()
        self.class_name = "Condition" if made_by_condition(_getframe(1)) else "RLock"
        self._count = 0
        self._owner: Task | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._count and self._owner is self._simulator.current:
            self._count += 1
            return True
        if super().acquire(blocking, timeout):
            self._owner = self._simulator.current
            self._count = 1
            return True
        return False

    __enter__ = acquire

    if not hasattr(real.RLockType, "locked"):  # it came with CPython 3.14

        @property
        def locked(self) -> Any:
            raise AttributeError(f"{self._kind!r} object has no attribute 'locked'")

    def release(self) -> None:
        if not self._count or (self._owner is not self._simulator.current and not self._simulator.ending):
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            super().release()

    def _is_owned(self) -> bool:
        return bool(self._count) and self._owner is self._simulator.current

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, Task | None]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = self._count, self._owner
        self._count, self._owner = 0, None
        super().release()
        return state

    def _acquire_restore(self, state: tuple[int, Task | None]) -> None:
        super().acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self._count, self._owner = 0, None

    def __repr__(self) -> str:
        owner = self._owner.ident if self._owner is not None else 0
        state = "locked" if self._count else "unlocked"
        return f"<{state} {self._kind} object owner={owner} count={self._count} at {id(self):#x}>"
