"""The simulator as an engine: virtual threads and clocks behind the names of `threading` and `time`."""

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .. import real
from ..errors import StopRun
from ..learner.code import call_site, caller, line_at, outside, raised_at, visible
from ..learner.places import Place
from ..learner.points import Listener
from ..stage.clocks import NOON
from ..stage.engine import Engine
from ..stage.output import Output
from ..texts import error_parts, error_text
from ..trace import Call, Kind
from .locks import Lock, RLock
from .signals import signalled
from .simplequeue import SimpleQueue
from .simulator import Simulator
from .tasks import Task

MOST_INTERRUPTS = 10  # that a handler of the learner's may swallow: the stop button ends any run


class _Handle:
    """Stands for the OS thread's handle that CPython 3.13 asks whether a thread is done."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.ident = task.ident

    def is_done(self) -> bool:
        return self._task.finished or self._task.simulator.ending

    def join(self, timeout: float | None = None) -> None:
        pass


def _forget_locals(thread: threading.Thread) -> None:
    """What it kept in a threading.local ends with it; the library's local in Python waits for the thread's object."""
    for name in [name for name in vars(thread) if name.startswith("_threading_local.")]:
        if (kept := vars(thread)[name]()) is not None:
            of_it, _ = kept.dicts[id(thread)]
            kept.dicts[id(thread)] = of_it, {}  # the entry itself is taken out when the thread's object goes


def _unhandled(args: Any) -> None:
    """`threading.excepthook` where the learner sets none: a thread's exception is a line of the log."""
    threading.__excepthook__(args)


class SimulatedThreads(Engine):
    """The engine of one simulated run."""

    Lock = Lock
    RLock = RLock
    SimpleQueue = SimpleQueue
    virtual = True

    def __init__(self, simulator: Simulator, output: Output) -> None:
        super().__init__()
        self._simulator = simulator
        self.keeps_notes = simulator.noted
        self._output = output
        self.excepthook = _unhandled
        self.errors: list[tuple[str, BaseException]] = []
        self._interrupts = 0

    @property
    def is_over(self) -> bool:
        return self._simulator.is_over

    def is_ours(self) -> bool:
        return real.get_ident() == self._simulator.os_thread

    def clock_ns(self) -> int:
        return self._simulator.now

    def wall_ns(self) -> int:
        return NOON + self._simulator.now

    @property
    def rows(self) -> list[Task]:
        return self._simulator.tasks

    def sleep_for(self, seconds: float) -> None:
        simulator = self._simulator
        operation = simulator.begin_operation("sleep")
        if operation.line is not None:
            simulator.record("sleep", f"{seconds:g}", line=operation.line)
        if seconds:
            label = f"sleep {seconds:g}"
            simulator.block("sleeping", label, until=simulator.after(seconds))
        else:
            simulator.give_way()

    def let_an_instant_pass(self) -> None:
        """The clock moves by a nanosecond, so that a loop that only looks whether its time is over has an end."""
        self._simulator.now += 1

    def wait_for_real(
        self, look: Callable[[float | None], Any], until: float | None = None, seconds: float | None = None
    ) -> Any:
        """What `look(seconds)` finds of something real: at once, or when it comes while the others go on.

        It gives up after `until` seconds, virtual, or after `seconds`, real.
        """
        found = look(0)
        simulator = self._simulator
        if found or (until is not None and until <= 0) or (seconds is not None and seconds <= 0):
            return found
        operation = simulator.begin_operation("something real")
        give_up = real.perf_counter() + seconds if seconds is not None else math.inf

        def has_come(glance: float) -> bool:
            return bool(look(min(glance, max(give_up - real.perf_counter(), 0)))) or real.perf_counter() >= give_up

        simulator.block_on_real(has_come, None if until is None else simulator.after(until))
        simulator.end_wait(operation)
        return look(0)

    def work(self, seconds: float) -> None:
        simulator = self._simulator
        operation = simulator.begin_operation("work")
        if operation.line is not None:
            simulator.record("work", f"{seconds:g}", line=operation.line)
        if seconds:
            simulator.work(seconds)

    def get_ident(self) -> int:
        return self._simulator.current.ident

    def current_thread(self) -> threading.Thread:
        return self._simulator.current.thread

    def enumerate(self) -> list[threading.Thread]:
        return [task.thread for task in self._simulator.tasks if not task.finished]

    def listener(self) -> Listener:
        listener = super().listener()
        self._simulator.let_go = self.let_go
        return listener

    def current_frames(self) -> dict[int, FrameType]:
        here = self._simulator.current
        frames = {task.ident: visible(task.frame) for task in self._simulator.tasks if task.is_under_way} | {
            here.ident: outside()
        }
        return {**real.current_frames(), **{ident: frame for ident, frame in frames.items() if frame is not None}}

    def raise_in(self, ident: Any, exception: Any) -> int:
        """What `PyThreadState_SetAsyncExc` does: the thread raises `exception` as soon as it goes on."""
        wanted, raised = getattr(ident, "value", ident), getattr(exception, "value", exception)
        tasks = [task for task in self._simulator.tasks if not task.finished and task.ident == wanted]
        for task in tasks:
            task.exception = raised
        self._simulator.check()
        return len(tasks)

    def signalled(self, number: int, handle: Callable[[], object], frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > MOST_INTERRUPTS:
            self._simulator.stop("interrupted", frame)
        signalled(self._simulator, handle, frame, at_once=False)

    def start(self, thread: threading.Thread) -> None:
        if not getattr(thread, "_initialized", False):
            raise RuntimeError("thread.__init__() not called")
        if thread._started.is_set():  # type: ignore[attr-defined]
            raise RuntimeError("threads can only be started once")
        simulator = self._simulator
        simulator.check()
        task = simulator.spawn(thread, lambda: self._boot(task))
        if simulator.noted:
            learners, _, _ = call_site(caller())
            line = line_at(learners) if learners is not None else None
            task.woken_by = simulator.record("start", task.name, line=line)
        thread._threadviz = task  # type: ignore[attr-defined]
        thread._ident = task.ident  # type: ignore[attr-defined]
        thread._native_id = task.number  # type: ignore[attr-defined]
        if hasattr(thread, "_handle"):
            thread._handle = _Handle(task)
        thread._started._flag = True  # type: ignore[attr-defined]
        simulator.start_first(task)

    def _boot(self, task: Task) -> None:
        simulator = self._simulator
        if simulator.noted:
            simulator.record("begin", cause=task.woken_by)
            task.woken_by = None
        try:
            task.thread.run()
        except BaseException as error:
            self._end_with(task, error)
        finally:
            task.thread._is_stopped = True  # type: ignore[attr-defined]
        if not simulator.is_over:
            _forget_locals(task.thread)

    def _end_with(self, task: Task, error: BaseException) -> None:
        if self._simulator.is_over or isinstance(error, StopRun):
            return
        if not isinstance(error, SystemExit):
            self.note_error(task, error)
        elif threading.excepthook is _unhandled:  # CPython's own is silent about it
            return
        self._call_hook(task, error)

    def _call_hook(self, task: Task, error: BaseException) -> None:
        if threading.excepthook is _unhandled:
            self._output.line(f"exception in {task.name}: {error_text(error)}")
            return
        try:
            threading.excepthook(threading.ExceptHookArgs([type(error), error, error.__traceback__, task.thread]))
        except StopRun:
            raise
        except BaseException as another:
            self._output.line(f"exception in threading.excepthook: {error_text(another)}")

    def note_error(self, task: Task, error: BaseException) -> None:
        task.ending = "raised"
        self.errors.append((task.name, error))
        self._simulator.record("error", *error_parts(error), line=raised_at(error))

    def join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        if not getattr(thread, "_initialized", False):
            raise RuntimeError("Thread.__init__() not called")
        if not thread._started.is_set():  # type: ignore[attr-defined]
            raise RuntimeError("cannot join thread before it is started")
        simulator = self._simulator
        if thread is simulator.current.thread:
            raise RuntimeError("cannot join current thread")
        task = self._task(thread)
        if task is None or task.simulator is not simulator:
            real.join(thread, timeout)
            return
        if timeout is not None:
            real.check_timeout(True, max(timeout, 0))
        operation = simulator.begin_operation("Thread.join")
        if task.finished:
            return
        if operation.event is None and operation.line is not None:
            operation.event = simulator.record("call", "Thread.join", task.name, line=operation.line)
        if timeout is not None and timeout <= 0:
            return
        until = None if timeout is None else simulator.after(timeout)
        task.joiners.append(simulator.current)
        label = what = operation.name
        if simulator.noted:
            label = f"{'Thread.join' if operation.line is None else operation.name}: waits for {task.name}"
            what = f"the end of {task.name}"
        if not simulator.block("blocked", label, until, "thread", task, what):
            task.joiners.remove(simulator.current)
        simulator.end_wait(operation)

    def is_alive(self, thread: threading.Thread) -> bool:
        task = self._task(thread)
        if task is None:
            return real.is_alive(thread)
        return not task.finished and not task.simulator.ending

    def _task(self, thread: threading.Thread) -> Task | None:
        if thread is real.main_thread():
            return self._simulator.tasks[0]
        task: Task | None = getattr(thread, "_threadviz", None)
        return task

    # ---- what notes what happens ----

    def moment(self) -> tuple[float, str]:
        return self._simulator.now / 1e9, self._simulator.current.name

    def note(
        self, kind: Kind, what: str = "", value: str = "", line: int | None = None, cause: int | None = None
    ) -> int:
        return self._simulator.record(kind, what, value, line, cause)

    def note_submitted(self, call: str) -> None:
        if self._simulator.noted:
            self._simulator.current.calls.append(Call(self._simulator.now / 1e9, call))

    def lane(self) -> int | None:
        return self._simulator.lane()

    def before_access(self) -> None:
        self._simulator.before_access()

    def note_for_now(self, kind: Kind, place: Place, value: str, line: int) -> None:
        self._simulator.record_for_now(kind, place, value, line)

    def note_access(self, kind: Kind, what: str, value: str, line: int) -> None:
        self._simulator.record_access(kind, what, value, line)

    def note_given_away(self, method: str, kind: str, line: int) -> None:
        self._simulator.note_given_away(method, kind, line)

    def note_order(self, line: int) -> None:
        self._simulator.note_once(
            "order",
            f"the set that is gone through in line {line} has another order in every process, and so may this run: "
            "sorted() gives it one",
        )

    def begin_item(self) -> int | None:
        return None if self._simulator.ending else self._simulator.begin_operation("queue").line

    def object_name(self, wanted: object, otherwise: str) -> str:
        return self._simulator.object_name(wanted, otherwise)
