"""Virtual locks, threads and clocks: what the standard library's own primitives stand on in a simulated run."""

import threading
import time
from typing import Any

from . import _real, frames
from .output import Output
from .patching import pool_module
from .simulator import Operation, Simulator, Task
from .tracing import printable

_checker = _real.allocate_lock()  # always free: lets CPython itself check an acquire's arguments
_NOON = int(time.mktime((2024, 1, 1, 12, 0, 0, 0, 1, -1))) * 1_000_000_000  # local time
_FOREVER = "a lock of a finished run is still held, and the run that would release it is over; make a new one"


class Lock:
    """CPython's lock on the virtual clock: not fair, no owner, anybody may release it."""

    __slots__ = ("__weakref__", "_called", "_holder", "_locked", "_release", "_simulator", "_waiters")
    _kind = "_thread.lock"

    def __init__(self) -> None:
        self._simulator: Simulator = Runtime.simulator
        self._locked = False
        self._holder: Task | None = None
        self._waiters: list[Task] = []
        self._release: int | None = None  # the trace event of the newest release
        self._called = ""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking is not True or timeout != -1:
            _checker.acquire(blocking, timeout)
            _checker.release()
        if self._simulator.ending:
            return self._after_the_run(blocking)
        operation = self._simulator.begin_operation(f"{type(self).__name__}.acquire")
        if not self._take(blocking, timeout, operation):
            return False
        self._note_acquired(operation)
        return True

    def _take(self, blocking: bool, timeout: float, operation: Operation) -> bool:
        simulator = self._simulator
        if self._locked:
            if not blocking or timeout == 0:
                return False
            until = None if timeout < 0 else simulator.after(timeout)
            task = simulator.current
            self._waiters.append(task)
            task.wanted = self
            try:
                while self._locked:
                    state, label = self._wait_label(operation)
                    waits_for = (self._holder, self._called) if state == "waiting" else (None, "")
                    if not simulator.block(state, label, until, *waits_for):
                        return False
            finally:
                task.wanted = None
                if task in self._waiters:
                    self._waiters.remove(task)
            if state == "blocked":
                simulator.end_wait(operation)
        self._locked = True
        self._holder = simulator.current
        for waiter in self._waiters:  # these wait on, for somebody else
            if waiter.state == "waiting" and waiter.label.count(", then ") < 3:
                waiter.label += f", then {self._holder.name}"
        return True

    def _wait_label(self, operation: Operation) -> tuple[Any, str]:
        if operation.name.endswith((".acquire", ".__enter__")) and (
            operation.frame is None or "Condition" in operation.name
        ):
            holder = f", held by {self._holder.name}" if self._holder is not None else ""
            return "waiting", f"waits for {self._name(operation)}{holder}"
        return "blocked", operation.name if operation.line is not None else _idle(operation)

    def _name(self, operation: Operation) -> str:
        if not self._called:
            called = operation.frame.f_locals.get("self") if operation.frame is not None else self
            self._called = printable(self._simulator.object_name(called) or type(called).__name__)
        return self._called

    def _note_acquired(self, operation: Operation) -> None:
        if operation.line is None or (operation.frame is not None and "Condition.__enter__" not in operation.name):
            return
        simulator = self._simulator
        cause, simulator.current.woken_by = simulator.current.woken_by, None
        name = self._name(operation)
        simulator.record("acquire", name, line=operation.line, cause=cause)
        simulator.current.hold(self, name, simulator.now)

    def release(self) -> None:
        simulator = self._simulator
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if not simulator.ending:
            if frames.is_learners(frames.outside().f_code.co_filename) or self in simulator.current.holding:
                operation = simulator.begin_operation(f"{type(self).__name__}.release")
                if not self._locked:  # somebody else released it while this thread stood before the call
                    raise RuntimeError("release unlocked lock")
                self._note_release(operation)
            else:  # inside a library's operation, which has begun with an acquire
                self._release = simulator.current.operation.event if simulator.current.operation else None
        self._free()

    def _note_release(self, operation: Operation) -> None:
        simulator = self._simulator
        holder = self._holder
        self._release = operation.event
        if holder is not None and self in holder.holding:
            holder.let_go(self, simulator.now)
            if operation.line is not None:
                self._release = simulator.record("release", self._name(operation), line=operation.line)

    def _free(self) -> None:
        self._locked = False
        self._holder = None
        if not self._simulator.ending:
            for task in self._waiters:
                self._simulator.wake(task, self._release)

    def locked(self) -> bool:
        return self._locked

    def _after_the_run(self, blocking: bool) -> bool:
        if not self._locked:
            self._locked = True
            return True
        if not blocking:
            return False
        raise RuntimeError(_FOREVER)

    def _at_fork_reinit(self) -> None:
        self._locked = False
        self._holder = None
        self._waiters = []

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'locked' if self._locked else 'unlocked'} {self._kind} object at {id(self):#x}>"

    acquire_lock, release_lock, locked_lock = acquire, release, locked


class RLock(Lock):
    """CPython's re-entrant lock: owned by a thread, which may take it again and alone may release it."""

    __slots__ = ("_count", "_owner")
    _kind = "_thread.RLock"

    def __init__(self) -> None:
        super().__init__()
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
        owner = self._owner.thread.ident if self._owner is not None else 0
        state = "locked" if self._count else "unlocked"
        return f"<{state} {self._kind} object owner={owner} count={self._count} at {id(self):#x}>"


def _idle(operation: Operation) -> str:
    return "waits for work" if operation.name == "_worker" else operation.name


class _Handle:
    """Stands for the OS thread's handle that CPython 3.13 asks whether a thread is done."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.ident = _ident(task)

    def is_done(self) -> bool:
        return self._task.finished or self._task.simulator.ending

    def join(self, timeout: float | None = None) -> None:
        pass


def _ident(task: Task) -> int:
    return task.number if task.number else _real.main_thread().ident or 0


class Runtime:
    """The simulator behind the surface that `patching` puts in place."""

    simulator: Simulator  # of the run that is going on; locks made in it keep a reference
    Lock = Lock
    RLock = RLock

    def __init__(self, simulator: Simulator, output: Output) -> None:
        Runtime.simulator = self._simulator = simulator
        self._output = output
        self.os_thread = simulator.os_thread
        self.errors: list[tuple[str, BaseException]] = []

    def clock_ns(self) -> int:
        return self._simulator.now

    def wall_ns(self) -> int:
        return _NOON + self._simulator.now

    def sleep(self, seconds: float) -> None:
        if not isinstance(seconds, int | float) or not 0 <= seconds < 9e9:
            _real.sleep(seconds)  # CPython's own error
            return
        simulator = self._simulator
        operation = simulator.begin_operation("sleep")
        if operation.line is not None:
            simulator.record("sleep", f"{seconds:g}", line=operation.line)
        if seconds:
            label = f"sleep {seconds:g}" if operation.frame is None else operation.name
            simulator.block("sleeping", label, until=simulator.after(seconds))
        else:
            simulator.give_way()

    def get_ident(self) -> int:
        return _ident(self._simulator.current)

    def current_thread(self) -> threading.Thread:
        return self._simulator.current.thread

    def enumerate(self) -> list[threading.Thread]:
        return [task.thread for task in self._simulator.tasks if not task.finished]

    def start(self, thread: threading.Thread) -> None:
        if not getattr(thread, "_initialized", False):
            raise RuntimeError("thread.__init__() not called")
        if thread._started.is_set():  # type: ignore[attr-defined]
            raise RuntimeError("threads can only be started once")
        simulator = self._simulator
        simulator.check()
        task = simulator.spawn(thread, lambda: self._boot(task))
        learners, _ = frames.call_site(frames.caller())
        line = learners.f_lineno if learners is not None else None
        event = simulator.record("start", task.name, line=line)
        task.woken_by = event
        thread._threadviz = task  # type: ignore[attr-defined]
        thread._ident = _ident(task)  # type: ignore[attr-defined]
        thread._native_id = task.number  # type: ignore[attr-defined]
        if hasattr(thread, "_handle"):
            thread._handle = _Handle(task)
        thread._started._flag = True  # type: ignore[attr-defined]
        simulator.start_first(task)

    def start_new_thread(self, function: Any, args: Any, kwargs: Any = None) -> int:
        """What `_thread` offers below `threading`: such a thread is never waited for."""
        if not callable(function):
            raise TypeError("first arg must be callable")
        if not isinstance(args, tuple):
            raise TypeError("2nd arg must be a tuple")
        if kwargs is not None and not isinstance(kwargs, dict):
            raise TypeError("optional 3rd arg must be a dictionary")
        number = len(self._simulator.tasks)
        thread = threading.Thread(target=function, name=f"Dummy-{number}", args=args, kwargs=kwargs, daemon=True)
        self.start(thread)
        return thread.ident or 0

    def _boot(self, task: Task) -> None:
        simulator = self._simulator
        simulator.record("begin", cause=task.woken_by)
        task.woken_by = None
        try:
            task.thread.run()
        except SystemExit:
            pass
        except (Exception, KeyboardInterrupt) as error:
            if simulator.stop_now:
                raise
            self.note_error(task, error)
            if threading.excepthook is self._output.thread_hook:
                self._output.line(f"exception in {task.name}: {type(error).__name__}: {error}")
            else:
                threading.excepthook(threading.ExceptHookArgs([type(error), error, error.__traceback__, task.thread]))
        finally:
            task.thread._is_stopped = True  # type: ignore[attr-defined]

    def note_error(self, task: Task, error: BaseException) -> None:
        task.ending = "raised"
        self.errors.append((task.name, error))
        self._simulator.record("error", type(error).__name__, str(error), line=frames.raised_at(error))

    def join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        if not getattr(thread, "_initialized", False):
            raise RuntimeError("Thread.__init__() not called")
        if not thread._started.is_set():  # type: ignore[attr-defined]
            raise RuntimeError("cannot join thread before it is started")
        simulator = self._simulator
        if thread is simulator.current.thread:
            raise RuntimeError("cannot join current thread")
        task = getattr(thread, "_threadviz", None)
        if task is None or task.simulator is not simulator:
            _real.join(thread, timeout)
            return
        operation = simulator.begin_operation("Thread.join")
        if task.finished:
            return
        if operation.event is None and operation.line is not None:
            operation.event = simulator.record("call", "Thread.join", task.name, line=operation.line)
        until = None if timeout is None else simulator.after(timeout)
        task.joiners.append(simulator.current)
        label = f"{'Thread.join' if operation.line is None else operation.name}: waits for {task.name}"
        if simulator.block("blocked", label, until, task, f"the end of {task.name}"):
            simulator.end_wait(operation)
        else:
            task.joiners.remove(simulator.current)

    def is_alive(self, thread: threading.Thread) -> bool:
        task: Task | None = getattr(thread, "_threadviz", None)
        if task is None:
            return thread is _real.main_thread() or _real.is_alive(thread)
        return not task.finished and not task.simulator.ending

    # ---- the program's end --------------------------------------------------------------------------------------

    def drain_pools(self) -> None:
        """What the interpreter does at exit: pools that nobody shut down let their idle workers go."""
        pool_module._shutdown = True
        for thread, work in list(pool_module._threads_queues.items()):
            if getattr(thread, "_threadviz", None) is not None:
                work.put(None)

    def forget_pools(self) -> None:
        """The interpreter's own exit must not wait for simulated workers."""
        for task in self._simulator.tasks:
            pool_module._threads_queues.pop(task.thread, None)
