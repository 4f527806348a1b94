"""What simulated and recorded runs have in common, before and after."""

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, dataclass, field
from functools import partial
from types import FrameType, FunctionType
from typing import Any

from ..errors import AlreadyRunning
from ..learner.code import is_learners, learners_modules, slots
from ..patches import Patches
from ..schedule import Schedule
from ..trace import Trace
from .output import LogLine

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


def replace_early_names(patches: Patches, program: partial[Any], holders: list[Any]) -> None:
    """Let the run's own primitives be found under names that were bound before it: `from time import sleep`.

    They are looked for in the scenario's and the learner's modules, and in `holders`.
    """
    namespaces = [vars(module) for module in learners_modules()] + _namespaces(program.func)
    namespaces += [holder.__globals__ for holder in holders if issubclass(type(holder), FunctionType)]
    patches.namespaces += namespaces
    once = {id(holder): holder for holder in (*namespaces, *holders)}
    # first what becomes one of the early ones itself, inner ones before those around them
    for holder in sorted(reversed(once.values()), key=lambda each: not issubclass(type(each), (tuple, staticmethod))):
        _rebind(patches, holder)


def _rebind(patches: Patches, holder: Any) -> None:
    """Replace what `holder` keeps of the real objects; what cannot be changed itself becomes one of them."""
    early = patches.early
    kind = type(holder)
    if issubclass(kind, dict):
        for name, value in [each for each in dict.items(holder) if id(each[1]) in early]:
            patches.item(holder, name, early[id(value)])
        if issubclass(kind, defaultdict):
            _rebind_slot(patches, holder, "default_factory")
    elif issubclass(kind, FunctionType):
        for cell in holder.__closure__ or ():
            _rebind_slot(patches, cell, "cell_contents")
        _rebind(patches, holder.__defaults__ or ())
        _rebind_slot(patches, holder, "__defaults__")
        _rebind(patches, holder.__kwdefaults__ or {})
    elif issubclass(kind, type):
        for name, value in [each for each in vars(holder).items() if id(each[1]) in early]:
            virtual = early[id(value)]
            binds = hasattr(type(virtual), "__get__") and not hasattr(type(value), "__get__")
            patches.attribute(holder, name, staticmethod(virtual) if binds else virtual)
    elif issubclass(kind, list):
        for index, value in [each for each in enumerate(list.__iter__(holder)) if id(each[1]) in early]:
            patches.element(holder, index, early[id(value)])
    elif issubclass(kind, tuple):
        if not early.keys().isdisjoint(map(id, tuple.__iter__(holder))):
            early[id(holder)] = tuple.__new__(kind, [early.get(id(value), value) for value in tuple.__iter__(holder)])
    elif issubclass(kind, staticmethod):
        if id(holder.__func__) in early:
            early[id(holder)] = staticmethod(early[id(holder.__func__)])
    elif issubclass(kind, partial):
        state: Any = partial.__reduce__(holder)[2]
        if not early.keys().isdisjoint(map(id, state[:2])):
            patches.call_later(lambda: holder.__setstate__(state))
            holder.__setstate__((*(early.get(id(value), value) for value in state[:2]), *state[2:]))
    elif issubclass(kind, Field):
        _rebind_slot(patches, holder, "default_factory")
    else:
        for name in slots(kind):
            _rebind_slot(patches, holder, name)
        with suppress(AttributeError):  # a class with __slots__ alone
            _rebind(patches, object.__getattribute__(holder, "__dict__"))


def _rebind_slot(patches: Patches, owner: object, name: str) -> None:
    with suppress(AttributeError, ValueError):  # one that is still empty
        virtual = patches.early.get(id(object.__getattribute__(owner, name)))
        if virtual is not None:
            patches.slot(owner, name, virtual)


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

    patches.call_later(restore)


def _namespaces(scenario: Callable[..., Any]) -> list[dict[str, Any]]:
    """The globals of the scenario's own module, which may be no imported one."""
    function: Any = scenario
    if isinstance(function, type):
        function = function.__dict__.get("__init__", function)
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__globals__"):
        function = getattr(type(function).__call__, "__func__", type(function).__call__)
    names = getattr(function, "__globals__", None)
    return [names] if names is not None and is_learners(function.__code__.co_filename) else []
