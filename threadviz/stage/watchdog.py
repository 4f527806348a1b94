"""Ends a run that makes no progress, and lets the stop button end any run."""

import _thread
import ctypes
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from .. import real
from ..errors import StopRun
from ..learner.code import KIND, OWN, is_learners

_setitimer = getattr(signal, "setitimer", None)  # kept, as a run refuses the learner's own use; Windows has none

PATIENCE = 5.0  # seconds, real
LOOKS = 5  # at the progress in that time: so a run is ended after six seconds at the most
PERSIST = 0.2  # seconds, real: how soon to ask again when the learner's code swallowed the first request


class Watchdog:
    """Looks at `progress` every second and calls `stop(why, frame)` when it has given the same number for five.

    Where it cannot call `stop` in the watched OS thread it calls `mark` in its own, and has StopRun raised there.

    In the main thread it stands on the interval timer and on SIGINT, which reach code that is blocked in C, too.
    Elsewhere (and where there is no interval timer) it is an OS thread of its own, which ends with the run.
    """

    def __init__(
        self,
        progress: Callable[[], int],
        stop: Callable[[str, FrameType | None], None],
        mark: Callable[[str, FrameType | None], None],
    ) -> None:
        self._mark = mark
        self._progress = progress
        self._stop = stop
        self._last = -1
        self._looks = 0  # that gave the same number
        self._handlers: dict[int, Any] = {}
        self._end = real.allocate_lock()
        self._ended = real.allocate_lock()
        self._timer = False
        self._before = (0.0, 0.0)  # seconds: the interval timer as it was
        self._why = "interrupted"

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
        else:
            self._start_thread()
        return self

    def __exit__(self, *_: object) -> None:
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
        self._stop(why, frame)

    def _alarm(self, _number: int, frame: FrameType | None) -> None:
        if self._is_stuck() and _setitimer is not None:
            _setitimer(signal.ITIMER_REAL, PERSIST, PERSIST)
            self._stop("stuck", frame)

    def _is_stuck(self) -> bool:
        progress = self._progress()
        self._looks = self._looks + 1 if progress == self._last else 0
        self._last = progress
        return self._looks >= LOOKS

    def _start_thread(self) -> None:
        self._end.acquire()
        self._ended.acquire()
        _thread.start_new_thread(self._watch, (real.get_ident(),))

    def _watch(self, watched: int) -> None:
        patience = PATIENCE / LOOKS
        while not self._end.acquire(timeout=patience):
            if self._is_stuck():
                patience = PERSIST
                self._raise_in(watched)
        self._ended.release()

    def _raise_in(self, watched: int) -> None:
        if watched == real.main_thread().ident:
            self._why = "stuck"
            _thread.interrupt_main()
        else:
            self._mark("stuck", sys._current_frames().get(watched))
            raise_in(watched)


def raise_in(watched: int) -> None:
    """Have StopRun raised in an OS thread, between two instructions of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watched), ctypes.py_object(StopRun))


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
