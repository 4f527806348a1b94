"""What stands for the primitives while runs go on: functions, and classes under CPython's own names.

They are made once for each kind of engine and put up for as many runs as there are.  Each asks whether its caller's OS
thread is of the run that goes on; every other one, such as the notebook kernel's own, gets the real thing through the
same names, and so does everybody once the run is over.
"""

import _thread
import _threading_local
import concurrent.futures.thread
import datetime
import functools
import itertools
import logging
import queue
import threading
import timeit
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from .. import real
from ..patches import Patches, Replacement
from .clocks import NOON, dates_of_a_run
from .engine import Engine, Virtual, pool_module
from .surface import surface


class _Place(NamedTuple):
    """An attribute that is replaced, and what it is replaced with."""

    owner: Any
    name: str
    real: Any
    stand_in: Any
    virtual: Virtual | None = None  # of a function


class StandIns:
    """All that stands for the primitives with one kind of engine."""

    def __init__(self, kind: type[Engine]) -> None:
        self.engine: Engine | None = None  # of the run that goes on
        self.early: dict[int, Any] = {}  # id of a real object -> what stands for it, for names that were bound early
        self.late: dict[int, tuple[Any, Any]] = {}  # id of what stands for it -> that and the real object
        self._places: list[_Place] = []
        for owner, name, virtual in surface(kind):
            if hasattr(owner, name):
                self._replace(owner, name, self._function(getattr(owner, name), virtual), virtual)
        lock = self._class(real.allocate_lock, kind.Lock, real.LockType)
        rlock = self._class(threading.RLock, kind.RLock, real.RLockType)
        for owner, name in ((threading, "Lock"), (threading, "_allocate_lock"), (_thread, "allocate_lock")):
            self._replace(owner, name, lock)
        self._replace(_thread, "allocate", lock)
        self._replace(_thread, "RLock", rlock)
        self._replace(threading, "RLock", rlock)
        self.early[id(real.RLockType)] = rlock
        if kind.virtual:
            self._replace(threading, "local", Local)
            self._replace(datetime, "datetime", dates_of_a_run(datetime.datetime, self.noting))
            self._replace(datetime, "date", dates_of_a_run(datetime.date, self.noting))
        self._replace(queue, "SimpleQueue", self._class(queue.SimpleQueue, kind.SimpleQueue, real.SimpleQueue))
        for module, name in (  # copies that the standard library's modules took
            (threading, "_time"),
            (queue, "time"),
            (_threading_local, "current_thread"),
            (_threading_local, "RLock"),
            (functools, "RLock"),
            (timeit, "default_timer"),
        ):
            found = vars(module)[name]
            if id(found) in self.early:
                self._places.append(_Place(module, name, found, self.early[id(found)]))
        if kind.virtual:
            for cls in (threading.Thread, concurrent.futures.Future):
                self._number(cls)
            started: Any = logging._startTime  # type: ignore[attr-defined]
            noon = NOON if isinstance(started, int) else NOON / 1e9
            self._places.append(_Place(logging, "_startTime", started, noon))

    def is_ours(self) -> bool:
        """Whether the caller is of the run that goes on."""
        engine = self.engine
        return engine is not None and engine.is_ours()

    def noting(self) -> Engine | None:
        """The engine that notes what the caller does; None for one that is not of the run."""
        engine = self.engine
        return engine if engine is not None and engine.is_ours() else None

    def put_up(self, patches: Patches) -> None:
        """Put everything in place of the real objects until `patches` are undone."""
        replacements: list[Replacement] = []
        for owner, name, real_object, stand_in, virtual in self._places:
            now = vars(owner).get(name)
            if now is not real_object and virtual is not None and callable(now):
                stand_in = self._function(now, virtual)  # somebody else's, put there after ours was made
            replacements.append((owner, name, stand_in))
        patches.attributes([*replacements, *self._fresh(real.allocate_lock())])

    def begin(self, engine: Engine) -> None:
        """Let `engine` have the stage: what outlives a run in the library's modules begins anew."""
        self.engine = engine
        for owner, name, value in self._fresh(engine.library_lock()):
            setattr(owner, name, value)

    def give_back(self, names: dict[str, Any]) -> None:
        """The real objects under names that were bound to what stood for them: by an import in the run."""
        for name, value in list(dict.items(names)):
            if id(value) in self.late:
                dict.__setitem__(names, name, self.late[id(value)][1])

    def _fresh(self, pool_lock: Any) -> list[Replacement]:
        return [
            (pool_module, "_global_shutdown_lock", pool_lock),
            (pool_module, "_shutdown", False),
            (pool_module.ThreadPoolExecutor, "_counter", itertools.count().__next__),
            (threading, "_counter", itertools.count(1).__next__),
        ]

    def _replace(self, owner: Any, name: str, stand_in: Any, virtual: Virtual | None = None) -> None:
        if hasattr(owner, name):
            real_object = vars(owner).get(name)  # None for what a class inherits
            self._places.append(_Place(owner, name, real_object, stand_in, virtual))
            if real_object is not None:
                self.early[id(real_object)] = stand_in
                self.late.setdefault(id(stand_in), (stand_in, real_object))

    def _function(self, real_function: Callable[..., Any], virtual: Virtual) -> Callable[..., Any]:
        def stand_in(*args: Any, **kwargs: Any) -> Any:
            engine = self.engine
            if engine is not None and engine.is_ours():
                try:
                    return virtual(engine, *args, **kwargs)
                except TypeError as error:
                    if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                        raise
            return real_function(*args, **kwargs)  # also for a call that does not fit: the error is CPython's own

        stand_in.__name__ = stand_in.__qualname__ = real_function.__name__
        stand_in.__module__ = getattr(real_function, "__module__", None) or "builtins"  # CPython's own errors name it
        return stand_in

    def _class(self, real_class: Callable[..., Any], virtual: type, named: type) -> type:
        """A class, as some code subclasses or asks isinstance; making one gives the real thing to other OS threads.

        It goes by the name of the class `named`, in full, as CPython's errors do.
        """

        def make(cls: type, *args: Any, **kwargs: Any) -> Any:
            if not self.is_ours():
                return real_class(*args, **kwargs)
            return object.__new__(cls)

        about = {"__slots__": (), "__new__": make, "__reduce_ex__": _not_copied}
        about |= {"__module__": named.__module__, "__qualname__": named.__qualname__}
        return _Named(f"{named.__module__}.{named.__qualname__}", (virtual,), about)

    def _number(self, cls: Any) -> None:
        """Hash by order of making, not by address: the library keeps threads and futures in sets and walks them."""
        real_init = cls.__init__

        @functools.wraps(real_init)
        def init(made: Any, *args: Any, **kwargs: Any) -> None:
            engine = self.engine
            if engine is not None and engine.is_ours():
                made.__dict__["_threadviz_number"] = next(engine.numbers)
            real_init(made, *args, **kwargs)

        def hashed(made: Any) -> int:
            return made.__dict__.get("_threadviz_number") or object.__hash__(made)

        self._places.append(_Place(cls, "__init__", real_init, init))
        self._places.append(_Place(cls, "__hash__", vars(cls).get("__hash__"), hashed))


@lru_cache(maxsize=3)
def stand_ins(kind: type[Engine]) -> StandIns:
    """Those for one kind of engine, made when it is first used."""
    return StandIns(kind)


def _full_name(cls: type) -> str:
    return type.__dict__["__name__"].__get__(cls)  # type: ignore[no-any-return]


# Its classes have a name with a dot, as CPython's errors call those that are written in C, and do not tell it.
_Named: type[type] = type("type", (type,), {"__name__": property(lambda cls: _full_name(cls).rpartition(".")[2])})


def _not_copied(self: object, _: object) -> Any:
    raise TypeError(f"cannot pickle {_full_name(type(self))!r} object")  # CPython's own words, also for a copy


# The library's local in Python, under the name that CPython's errors give to the one in C.
Local = _Named(
    "_thread._local",
    (_threading_local.local,),
    {"__slots__": (), "__module__": "_thread", "__qualname__": "_local", "__reduce_ex__": _not_copied},
)
