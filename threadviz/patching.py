"""Puts a runtime in place of the real primitives for the length of a run, and always puts them back.

Only the OS threads of the run see the runtime; every other one, such as the notebook kernel's own, goes on using the
real primitives through the same names.
"""

import _thread
import _threading_local
import concurrent.futures.thread
import functools
import gc
import itertools
import logging
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from . import _real
from .surface import Runtime, surface

pool_module: Any = concurrent.futures.thread

_MISSING = object()


class Patches:
    """A pile of replacements that `undo` takes off again, last one first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self.early: dict[int, Any] = {}  # id of a real object -> what stands for it, for names that were bound early

    def attribute(self, owner: object, name: str, value: object) -> None:
        old = vars(owner).get(name, _MISSING)
        self._undo.append(partial(delattr, owner, name) if old is _MISSING else partial(setattr, owner, name, old))
        setattr(owner, name, value)

    def item(self, names: dict[Any, Any], name: object, value: object) -> None:
        """Replace `names[name]`; undone only where the run has not given the name another meaning."""
        old = dict.__getitem__(names, name)

        def undo() -> None:
            if dict.get(names, name) is value:
                dict.__setitem__(names, name, old)

        self._undo.append(undo)
        dict.__setitem__(names, name, value)

    def element(self, values: list[Any], index: int, value: object) -> None:
        """Replace `values[index]`; undone wherever in the list the run has moved it."""
        old = list.__getitem__(values, index)

        def undo() -> None:
            for now, each in enumerate(list.__iter__(values)):
                if each is value:
                    list.__setitem__(values, now, old)

        self._undo.append(undo)
        list.__setitem__(values, index, value)

    def slot(self, owner: object, name: str, value: object) -> None:
        """Replace an attribute that is in no dict; undone only where the run has not given it another value."""
        old = object.__getattribute__(owner, name)

        def undo() -> None:
            with suppress(AttributeError, ValueError):  # the run has emptied it
                if object.__getattribute__(owner, name) is value:
                    object.__setattr__(owner, name, old)

        self._undo.append(undo)
        object.__setattr__(owner, name, value)

    def call_later(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


def _dispatcher(runtime: Runtime, real: Callable[..., Any], virtual: Callable[..., Any]) -> Callable[..., Any]:
    is_ours = runtime.is_ours

    def dispatch(*args: Any, **kwargs: Any) -> Any:
        return (virtual if is_ours() else real)(*args, **kwargs)

    dispatch.__name__ = dispatch.__qualname__ = real.__name__
    dispatch.__module__ = real.__module__  # CPython's own errors name it
    return dispatch


def _full_name(cls: type) -> str:
    return type.__dict__["__name__"].__get__(cls)  # type: ignore[no-any-return]


# Its classes have a name with a dot, as CPython's errors call those that are written in C, and do not tell it.
_Named: type[type] = type("type", (type,), {"__name__": property(lambda cls: _full_name(cls).rpartition(".")[2])})


def _not_copied(self: object, _: object) -> Any:
    raise TypeError(f"cannot pickle {_full_name(type(self))!r} object")  # CPython's own words, also for a copy


# The library's local in Python, under the name that CPython's errors give to the one in C.
_Local = _Named(
    "_thread._local",
    (_threading_local.local,),
    {"__slots__": (), "__module__": "_thread", "__qualname__": "_local", "__reduce_ex__": _not_copied},
)


def _factory(runtime: Runtime, real: Callable[..., Any], virtual: type, named: type) -> type:
    """A class, as some code subclasses or asks isinstance; making one gives the real thing to other OS threads.

    It goes by the name of the class `named`, in full, as CPython's errors do.
    """
    is_ours = runtime.is_ours

    def make(cls: type, *args: Any, **kwargs: Any) -> Any:
        if not is_ours():
            return real(*args, **kwargs)
        return object.__new__(cls)

    about = {"__slots__": (), "__new__": make, "__reduce_ex__": _not_copied}
    about |= {"__module__": named.__module__, "__qualname__": named.__qualname__}
    return _Named(f"{named.__module__}.{named.__qualname__}", (virtual,), about)


@contextmanager
def patched(runtime: Runtime, seed: int) -> Iterator[Patches]:
    """Let `runtime` stand for the real primitives in its OS thread."""
    patches = Patches()
    try:
        _apply(patches, runtime, seed)
        yield patches
    finally:
        patches.undo()


def _apply(patches: Patches, runtime: Runtime, seed: int) -> None:
    if runtime.virtual:
        _leave_nothing_to_chance(patches, runtime, seed)
    for module in (threading, time, queue):  # the learner's code may delete or replace any name in them
        patches.call_later(partial(vars(module).update, dict(vars(module))))
        patches.call_later(partial(sys.modules.__setitem__, module.__name__, module))

    early = patches.early

    def replace(owner: Any, name: str, value: Any) -> None:
        if hasattr(owner, name):
            early[id(vars(owner)[name])] = value
            patches.attribute(owner, name, value)

    for owner, name, virtual in surface(runtime):
        if hasattr(owner, name):
            replace(owner, name, _dispatcher(runtime, getattr(owner, name), virtual))
    lock = _factory(runtime, _real.allocate_lock, runtime.Lock, _real.LockType)
    rlock = _factory(runtime, threading.RLock, runtime.RLock, _real.RLockType)
    replace(threading, "Lock", lock)
    replace(threading, "_allocate_lock", lock)
    replace(_thread, "allocate_lock", lock)
    replace(_thread, "allocate", lock)
    replace(_thread, "RLock", rlock)
    replace(threading, "RLock", rlock)
    early[id(_real.RLockType)] = rlock
    if runtime.virtual:
        replace(threading, "local", _Local)
    replace(queue, "SimpleQueue", _factory(runtime, queue.SimpleQueue, runtime.SimpleQueue, _real.SimpleQueue))
    for module, name in (  # copies that the standard library's modules took
        (threading, "_time"),
        (queue, "time"),
        (_threading_local, "current_thread"),
        (_threading_local, "RLock"),
        (functools, "RLock"),
    ):
        if id(vars(module)[name]) in early:
            patches.attribute(module, name, early[id(vars(module)[name])])
    patches.attribute(pool_module, "_global_shutdown_lock", lock())
    patches.attribute(pool_module, "_shutdown", False)
    patches.attribute(pool_module.ThreadPoolExecutor, "_counter", itertools.count().__next__)
    patches.attribute(threading, "_counter", itertools.count(1).__next__)


def _leave_nothing_to_chance(patches: Patches, runtime: Any, seed: int) -> None:
    random_state = random.getstate()
    patches.call_later(lambda: random.setstate(random_state))
    random.seed(seed)
    if gc.isenabled():  # a finalizer must not run at another point in another run
        patches.call_later(gc.enable)
        gc.disable()
    for cls in (threading.Thread, concurrent.futures.Future):
        _number(patches, cls, runtime)
    patches.attribute(logging, "_startTime", _log_start(runtime))


def _number(patches: Patches, cls: Any, runtime: Runtime) -> None:
    """Hash by order of making, not by address: the library keeps threads and futures in sets and walks them."""
    numbers = itertools.count(1)
    real = cls.__init__
    is_ours = runtime.is_ours

    @functools.wraps(real)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if is_ours():
            self.__dict__["_threadviz_number"] = next(numbers)
        real(self, *args, **kwargs)

    def hashed(self: Any) -> int:
        return self.__dict__.get("_threadviz_number") or object.__hash__(self)

    patches.attribute(cls, "__init__", init)
    patches.attribute(cls, "__hash__", hashed)


def _log_start(runtime: Any) -> float | int:
    nanoseconds = runtime.wall_ns()
    return nanoseconds if isinstance(logging._startTime, int) else nanoseconds / 1e9  # type: ignore[attr-defined,no-any-return]
