"""What stands in for Python's threading while runs go on: put up once, for one run or thousands."""

import gc
import math
import random
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from ..errors import AlreadyRunning
from ..learner.futures import SilentFutures
from ..learner.points import Points
from ..learner.queues import watch_queues
from ..learner.reach import replace_early_names
from ..patches import Patches
from ..schedule import Schedule
from ..trace import Trace
from .engine import Engine
from .output import LogLine, Output, keep_logging
from .stand_ins import stand_ins

FEW_FROZEN = 2000  # objects that CPython 3.12 has frozen from its start, when nobody else has
RUNS_A_COLLECTION = 256  # a virtual stage collects garbage only between runs, so that no finalizer comes into one
_running: list[FrameType] = []  # of whoever makes a run; no lock, as an interrupt may leave one locked for ever


@dataclass
class Finished:
    """What came of a run; `error` is what ended it, if anything did."""

    trace: Trace
    schedule: Schedule
    log: list[LogLine]
    value: Any = None
    error: BaseException | None = None
    errors: dict[str, BaseException] = field(default_factory=dict)
    deadlocked: bool = False  # nobody could go on; `trace.waits` says why
    codes: Sequence[CodeType] = ()  # the learner's functions, as they were written


def interrupted_with(finished: Finished, error: BaseException | None = None) -> KeyboardInterrupt:
    """What is raised where the stop button ended a run: with all that had come of it, for those who want to show it."""
    stopped = error if isinstance(error, KeyboardInterrupt) else KeyboardInterrupt()
    finished.error = stopped
    vars(stopped)["threadviz"] = finished
    return stopped


class exclusively:  # noqa: N801 - used as a function is
    """One run at a time: they patch the same names."""

    def __enter__(self) -> None:
        self._frame = sys._getframe(1)
        _running.append(self._frame)  # each step is one of the interpreter's, as another thread may come at any time
        for frame in _running[:]:
            if frame is not self._frame and not _is_going_on(frame):
                with suppress(ValueError):
                    _running.remove(frame)
        if _running[0] is not self._frame:
            _running.remove(self._frame)
            raise AlreadyRunning(
                "a run is going on already: a scenario cannot start another run, nor can another thread"
            )

    def __exit__(self, *_: object) -> None:
        _running.remove(self._frame)


def _is_going_on(frame: FrameType) -> bool:
    """Whether a function has not ended yet: an interrupt may come into `__exit__` itself, which then does nothing."""
    try:
        frame.clear()
    except RuntimeError:  # it is still executing
        return True
    return False


def one_each(failed: list[tuple[str, BaseException]]) -> dict[str, BaseException]:
    """Thread names and exceptions as a dict; further ones of one name are numbered."""
    errors: dict[str, BaseException] = {}
    so_far: Counter[str] = Counter()
    for name, error in failed:
        key = name
        while key in errors:
            so_far[name] += 1
            key = f"{name}, error {so_far[name] + 1}"
        errors[key] = error
    return errors


class Stage:
    """Everything that runs of one scenario need around them.

    What a run could leave behind for the next one begins anew in `begin`; what it could leave behind for the cells
    that follow is put back in `__exit__`, whatever happened.
    """

    def __init__(
        self,
        kind: type[Engine],
        program: partial[Any],
        holders: list[Any],
        points: Points,
        most_lines: float = math.inf,
    ) -> None:
        self._kind = kind
        self._program = program
        self._holders = holders
        self._points = points
        self._stand_ins = stand_ins(kind)
        self._namespaces: list[dict[str, Any]] = []
        self._runs = 0
        self.patches = Patches()
        self.output = Output(most_lines)
        self.silent = SilentFutures()

    def __enter__(self) -> "Stage":
        self._known = set(sys.modules)
        try:
            self._put_up()
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._take_down()

    def begin(self, engine: Engine, seed: int) -> None:
        """A run begins: let `engine` have the stage."""
        self._runs += 1
        if self._runs > 1:
            self._begin_anew()
        self._stand_ins.begin(engine)
        threading.excepthook = engine.excepthook
        if engine.virtual:
            random.seed(seed)
        self.silent.begin()
        self.output.begin(engine)
        self._points.heard_by(engine.listener())

    def end(self, engine: Engine) -> None:
        """The run is over: nothing is noted any more, and whoever asks gets the real things."""
        try:
            self._points.heard_by(None)
            engine.patches.close()
        finally:
            self.output.end()
            self._stand_ins.engine = None

    def _put_up(self) -> None:
        patches = self.patches
        if self._kind.virtual:
            patches.callback(random.setstate, random.getstate())
            patches.attribute(threading, "_dangling", _Nobody())
            if gc.isenabled():  # a finalizer must not run at another point in another run
                patches.callback(gc.enable)
                gc.disable()
        for name in ("threading", "time", "queue"):  # the learner's code may delete or replace any name in them
            module = sys.modules[name]
            patches.callback(vars(module).update, dict(vars(module)))
            patches.callback(sys.modules.__setitem__, name, module)
        patches.callback(setattr, threading, "excepthook", threading.excepthook)
        self._main = _about_main()
        patches.callback(self._reset_main)
        self._stand_ins.put_up(patches)
        early = dict(self._stand_ins.early)
        self._namespaces = replace_early_names(patches, early, self._program, self._holders)
        keep_interpreter_settings(patches)
        self._reset_logging = keep_logging(patches)
        self.output.install(patches)
        self.silent.install(patches, self._stand_ins.noting)
        self._points.install(patches)
        watch_queues(patches, self._kind.SimpleQueue, self._stand_ins.noting)

    def _begin_anew(self) -> None:
        """Undo what the run before may have changed of the library's state."""
        self._reset_main()
        self._reset_logging()
        if self._kind.virtual and self._runs % RUNS_A_COLLECTION == 0:
            # Once, as counting what is frozen takes long; collections then look at what the runs have left alone.
            if self._runs == RUNS_A_COLLECTION and gc.get_freeze_count() < FEW_FROZEN:
                self.patches.callback(gc.unfreeze)
                gc.freeze()
            gc.collect()

    def _reset_main(self) -> None:
        """Give the main thread the name that it had: it is the one thread that outlives a run."""
        about = vars(threading.main_thread())
        for name in _about_main().keys() - self._main.keys():
            del about[name]
        about.update(self._main)

    def _take_down(self) -> None:
        try:
            if self._stand_ins.engine is not None:  # an interrupt came before the run's end
                self.end(self._stand_ins.engine)
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self.patches.close()
        finally:
            imported: list[Any] = []
            if len(sys.modules) != len(self._known):
                imported = [module for name, module in list(sys.modules.items()) if name not in self._known]
            for names in (*self._namespaces, *(vars(each) for each in imported if type(each) is ModuleType)):
                self._stand_ins.give_back(names)


def _about_main() -> dict[str, Any]:
    """The main thread's attributes, less what `threading.local` keeps there for itself."""
    about = vars(threading.main_thread())
    return {name: value for name, value in about.items() if not name.startswith("_threading_local.")}


class _Nobody(frozenset[Any]):
    """Where `threading` keeps weak references to threads, for CPython's own tests.

    Those of a run are garbage that is collected only after hundreds of runs, and so many take a tenth of each run.
    """

    def add(self, thread: object) -> None:
        hash(thread)  # which may raise, and then a thread cannot be made

    discard = add


def keep_interpreter_settings(patches: Patches) -> None:
    """Put back what code may set for the whole interpreter, when `patches` are undone."""
    interval, limit = sys.getswitchinterval(), sys.getrecursionlimit()
    tracer, profiler = threading.gettrace(), threading.getprofile()
    own_tracer, own_profiler = sys.gettrace(), sys.getprofile()

    def restore() -> None:
        sys.setswitchinterval(interval)
        sys.setrecursionlimit(limit)
        threading.settrace(tracer)
        threading.setprofile(profiler)
        if sys.gettrace() is not own_tracer:
            sys.settrace(own_tracer)
        if sys.getprofile() is not own_profiler:
            sys.setprofile(own_profiler)

    patches.callback(restore)
