"""What tells the time in a simulated run: functions of `time`, and the dates that are made of now."""

import time
from collections.abc import Callable
from typing import Any

from .. import real
from .engine import Engine, Virtual

_WALL_CLOCKS = (time.CLOCK_REALTIME,) if hasattr(time, "CLOCK_REALTIME") else ()
_CLOCKS = tuple(
    getattr(time, name) for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME") if hasattr(time, name)
)
NOON = int(time.mktime((2024, 1, 1, 12, 0, 0, 0, 1, -1))) * 1_000_000_000  # local time, when simulated runs begin


def dates_of_a_run(real_class: Any, running: Callable[[], Any]) -> type:
    """A class whose `now` and `today` go by the run's clock; all that it makes is of the real class.

    `running` gives the engine of the run that the caller is of, if it is of one.
    """

    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return real_class(*args, **kwargs) if cls is dates else real_class.__new__(cls, *args, **kwargs)

    def at_the_runs_time(name: str, then: str) -> Any:
        def method(cls: Any, *args: Any, **kwargs: Any) -> Any:
            made = real_class if cls is dates else cls
            engine = running()
            if engine is None:
                return vars(real_class)[name].__get__(None, made)(*args, **kwargs)
            return vars(real_class)[then].__get__(None, made)(engine.wall_ns() / 1e9, *args, **kwargs)

        return classmethod(method)

    about = {"__new__": make, "__module__": "datetime", "__qualname__": real_class.__name__, "__slots__": ()}
    for name, then in (("today", "fromtimestamp"), ("now", "fromtimestamp"), ("utcnow", "utcfromtimestamp")):
        if name in vars(real_class):
            about[name] = at_the_runs_time(name, then)
    checks = {
        "__instancecheck__": lambda cls, value: type.__instancecheck__(real_class if cls is dates else cls, value),
        "__subclasscheck__": lambda cls, other: type.__subclasscheck__(real_class if cls is dates else cls, other),
    }
    dates: type = type("type", (type,), checks)(real_class.__name__, (real_class,), about)
    return dates


def clock_gettime(real_clock: Callable[[int], Any]) -> Virtual:
    def clock_gettime(engine: Any, clock: int) -> Any:
        if clock not in _WALL_CLOCKS + _CLOCKS:
            return real_clock(clock)  # CPU time, or an error of CPython's own
        now: int = engine.wall_ns() if clock in _WALL_CLOCKS else engine.clock_ns()
        return now if real_clock is real.clock_gettime_ns else now / 1e9

    return clock_gettime


def with_default(real_function: Callable[..., Any], default: Callable[[Any], Any], position: int) -> Virtual:
    def with_default(engine: Engine, *args: Any) -> Any:
        if len(args) == position or (len(args) == position + 1 and args[position] is None):
            args = (*args[:position], default(engine))
        return real_function(*args)

    return with_default
