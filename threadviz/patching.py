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
from types import ModuleType
from typing import Any

from . import _real
from .stand_ins import Local, dispatcher, factory
from .surface import Runtime, surface

pool_module: Any = concurrent.futures.thread

_MISSING = object()


class Patches:
    """A pile of replacements that `undo` takes off again, last one first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self.over = False
        self.early: dict[int, Any] = {}  # id of a real object -> what stands for it, for names that were bound early
        self.late: dict[int, tuple[Any, Any]] = {}  # id of what stands for it -> that and the real object
        self.namespaces: list[dict[str, Any]] = []  # of the learner's: names that the run binds are given back, too

    def attribute(self, owner: object, name: str, value: object) -> None:
        old = vars(owner).get(name, _MISSING)
        put, drop = (type.__setattr__, type.__delattr__) if isinstance(owner, type) else (setattr, delattr)

        def undo() -> None:
            if old is not _MISSING:
                put(owner, name, old)
            elif name in vars(owner):
                drop(owner, name)

        self._undo.append(undo)
        put(owner, name, value)

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
        """Put everything back; what cannot be does not keep the rest from it, and is raised at the end."""
        failures = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                failures.append(error)
        self.over = True
        if failures:
            raise failures[0]

    def give_back(self, names: dict[str, Any]) -> None:
        """The real objects under names that were bound to what stood for them: by an import in the run."""
        for name, value in list(dict.items(names)):
            if id(value) in self.late:
                dict.__setitem__(names, name, self.late[id(value)][1])


@contextmanager
def patched(runtime: Runtime, seed: int) -> Iterator[Patches]:
    """Let `runtime` stand for the real primitives in its OS thread."""
    patches = Patches()
    known = set(sys.modules)
    try:
        _apply(patches, runtime, seed)
        yield patches
    finally:
        try:
            patches.undo()
        finally:
            imported = [module for name, module in list(sys.modules.items()) if name not in known]
            for names in (*patches.namespaces, *(vars(each) for each in imported if type(each) is ModuleType)):
                patches.give_back(names)


def _apply(patches: Patches, runtime: Runtime, seed: int) -> None:
    if runtime.virtual:
        _leave_nothing_to_chance(patches, runtime, seed)
    for module in (threading, time, queue):  # the learner's code may delete or replace any name in them
        patches.call_later(partial(vars(module).update, dict(vars(module))))
        patches.call_later(partial(sys.modules.__setitem__, module.__name__, module))

    early = patches.early

    def is_ours() -> bool:
        return not patches.over and runtime.is_ours()

    def replace(owner: Any, name: str, value: Any) -> None:
        if hasattr(owner, name):
            early[id(vars(owner)[name])] = value
            patches.late.setdefault(id(value), (value, vars(owner)[name]))
            patches.attribute(owner, name, value)

    for owner, name, virtual in surface(runtime):
        if hasattr(owner, name):
            replace(owner, name, dispatcher(is_ours, getattr(owner, name), virtual))
    lock = factory(is_ours, _real.allocate_lock, runtime.Lock, _real.LockType)
    rlock = factory(is_ours, threading.RLock, runtime.RLock, _real.RLockType)
    replace(threading, "Lock", lock)
    replace(threading, "_allocate_lock", lock)
    replace(_thread, "allocate_lock", lock)
    replace(_thread, "allocate", lock)
    replace(_thread, "RLock", rlock)
    replace(threading, "RLock", rlock)
    early[id(_real.RLockType)] = rlock
    if runtime.virtual:
        replace(threading, "local", Local)
    replace(queue, "SimpleQueue", factory(is_ours, queue.SimpleQueue, runtime.SimpleQueue, _real.SimpleQueue))
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
