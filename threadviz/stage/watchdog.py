"""Ends a run that makes no progress, and lets the stop button end any run."""

import _thread
import ctypes
import signal
import sys
from types import FrameType
from typing import Any, Protocol

from .. import real
from ..errors import StopRun
from ..learner.code import KIND, OWN, is_learners
from .jumps import Jumps

_setitimer = getattr(signal, "setitimer", None)  # kept, as a run refuses the learner's own use; Windows has none

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc  # kept, as a run has its own

PATIENCE = 5.0  # seconds, real
LOOKS = 50  # at the progress in that time
REAL_PATIENCE = 12  # times as much for whoever waits for something real, such as a file lock, and holds up nobody
BUSY = 0.5  # of the time between two looks spent computing: this one does not wait
COMPUTED = 0.1  # of the time without progress, on a machine that may serve others, too: the run computed in it
CHECKS = 1000  # turns of a loop, at each of which the interpreter looks whether there is anything to raise
PERSIST = 0.2  # seconds, real: how soon to ask again when the learner's code swallowed the first request


class Watched(Protocol):
    """The runs that go on one after the other."""

    @property
    def progress(self) -> int:
        """Another number whenever something has happened."""

    @property
    def holds_up(self) -> bool:
        """Whether somebody could go on if the current thread let the others."""

    def computing(self, frame: FrameType | None) -> None:
        """The current thread really computes, and has done so for some time."""

    def stop(self, why: str, frame: FrameType | None) -> None:
        """End the run, in its own OS thread."""

    def strike(self, why: str, frame: FrameType | None) -> None:
        """End the run, from another OS thread."""


class Watchdog:
    """Looks several times a second whether a run makes progress, and ends one that has made none for five.

    In the main thread it stands on the interval timer and on SIGINT, which reach code that is blocked in C, too.
    Elsewhere (and where there is no interval timer) it is an OS thread of its own, which ends with the run; where
    no thread can be started either, as in WebAssembly, it looks from within the learner's loops.
    """

    def __init__(self, watched: Watched) -> None:
        self._runs = watched
        self._last = -1
        self._last_cpu = 0  # nanoseconds that this process has computed
        self._moved = (0, 0)  # when there was progress last: the same, and real nanoseconds
        self._looks = 0.0  # that gave the same number
        self._handlers: dict[int, Any] = {}
        self._end = real.allocate_lock()
        self._ended = real.allocate_lock()
        self._timer = False
        self._before = (0.0, 0.0)  # seconds: the interval timer as it was
        self._why = "interrupted"
        self._jumps = Jumps(PATIENCE / LOOKS, self._look_from_inside)

    def __enter__(self) -> "Watchdog":
        if real.get_ident() != real.main_thread().ident:
            self._start_thread()
            return self
        self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
        if _setitimer is not None:
            self._timer = True
            self._handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._alarm)
            self._began = real.perf_counter()
            self._before = _setitimer(signal.ITIMER_REAL, PATIENCE / LOOKS, PATIENCE / LOOKS)
        elif real.HAS_THREADS:
            self._start_thread()
        else:
            self._jumps.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._jumps.end()
        if self._timer and _setitimer is not None:
            _setitimer(signal.ITIMER_REAL, 0)
        for number, handler in reversed(self._handlers.items()):  # SIGINT last: from then on it may raise in here
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        delay, interval = self._before
        if delay and _setitimer is not None:  # somebody else's timer, such as a time limit for the whole process
            _setitimer(signal.ITIMER_REAL, max(delay + self._began - real.perf_counter(), 0.001), interval)
        if self._end.locked():
            self._end.release()
            self._ended.acquire()

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        why, self._why = self._why, "interrupted"
        self._runs.stop(why, frame)

    def _alarm(self, _number: int, frame: FrameType | None) -> None:
        if self._is_stuck(frame) and _setitimer is not None:
            _setitimer(signal.ITIMER_REAL, PERSIST, PERSIST)
            self._runs.stop(self._stuck_in(), frame)

    def _look_from_inside(self, frame: FrameType | None) -> None:
        if self._is_stuck(frame):
            self._runs.stop(self._stuck_in(), frame)

    def _stuck_in(self) -> str:
        cpu, began = self._moved
        computed, passed = self._last_cpu - cpu, real.perf_counter_ns() - began
        return "computing" if computed > COMPUTED * passed else "waiting"

    def _is_stuck(self, frame: FrameType | None) -> bool:
        progress, cpu = self._runs.progress, real.process_time_ns()
        if progress != self._last:
            self._looks = 0
            self._moved = cpu, real.perf_counter_ns()
        elif cpu - self._last_cpu >= BUSY * PATIENCE / LOOKS * 1e9:
            self._looks += 1
            self._runs.computing(frame)
        else:
            self._looks += 1 if self._runs.holds_up else 1 / REAL_PATIENCE
        self._last, self._last_cpu = progress, cpu
        return self._looks >= LOOKS

    def _start_thread(self) -> None:
        self._end.acquire()
        self._ended.acquire()
        _thread.start_new_thread(self._watch, (real.get_ident(),))

    def _watch(self, watched: int) -> None:
        patience = PATIENCE / LOOKS
        while not self._end.acquire(timeout=patience):
            if self._is_stuck(real.current_frames().get(watched)):
                patience = PERSIST
                self._raise_in(watched)
        real.forget_own_thread()
        self._ended.release()

    def _raise_in(self, watched: int) -> None:
        if watched == real.main_thread().ident:
            self._why = self._stuck_in()
            _thread.interrupt_main()
        else:
            self._runs.strike(self._stuck_in(), real.current_frames().get(watched))


def raise_in(watched: int) -> None:
    """Have StopRun raised in an OS thread, between two instructions of Python."""
    _set_async_exc(ctypes.c_ulong(watched), ctypes.py_object(StopRun))


class Target:
    """What StopRun may be raised in from another OS thread, and only while it is `exposed`.

    Each side writes its own flag before it reads the other's, so none can overlook the other.
    """

    def __init__(self, os_thread: int) -> None:
        self._os_thread = os_thread
        self._exposed = False
        self._striking = False
        self._struck = False

    def strike(self) -> None:
        self._striking = True
        if self._exposed:
            self._struck = True
            raise_in(self._os_thread)
        self._striking = False

    def expose(self) -> None:
        self._exposed = True

    def shield(self) -> None:
        """From now on none comes, nor one that is still on its way; in the target's own OS thread."""
        while self._exposed:
            try:
                self._shield()
            except StopRun:
                continue

    def _shield(self) -> None:
        self._exposed = False
        try:
            while self._striking:
                real.sleep(0)
            if self._struck:
                self._struck = False
                # Let it come now.  Taking it back, which the C API offers, leaves CPython looking for it for ever.
                for _ in range(CHECKS):
                    pass
        except StopRun:  # that very one
            pass


def raise_on_next_line(frame: FrameType | None) -> None:
    """Have StopRun raised in this OS thread on the next line of the learner's code, from `frame` outwards.

    An `except` that catches whatever is raised inside its `try` is itself such a line.
    """

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and is_learners(frame.f_code.co_filename):
            raise StopRun  # which takes the trace function off again
        return trace

    while frame is not None and KIND[frame.f_code.co_filename] == OWN:
        frame = frame.f_back
    while frame is not None and KIND[frame.f_code.co_filename] != OWN:  # no further than the run itself
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)
