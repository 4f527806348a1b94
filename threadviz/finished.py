"""What simulated and recorded runs have in common, before and after."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from . import frames
from .errors import AlreadyRunning
from .output import LogLine
from .patching import Patches
from .schedule import Schedule
from .trace import Trace

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


class exclusively:  # noqa: N801 - used as a function is
    """One run at a time: they patch the same names."""

    def __enter__(self) -> None:
        self._frame = sys._getframe(1)
        _running[:] = [frame for frame in _running if _is_going_on(frame)]
        _running.append(self._frame)
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
    for name, error in failed:
        key, number = name, 2
        while key in errors:
            key, number = f"{name}, error {number}", number + 1
        errors[key] = error
    return errors


def namespaces(scenario: Callable[..., Any]) -> list[dict[str, Any]]:
    """The globals of the scenario's own module, which may be no imported one."""
    function = getattr(scenario, "func", scenario)
    if isinstance(function, type):
        function = function.__dict__.get("__init__", function)
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__globals__"):
        function = getattr(type(function).__call__, "__func__", type(function).__call__)
    names = getattr(function, "__globals__", None)
    return [names] if names is not None and frames.is_learners(function.__code__.co_filename) else []


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
