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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from .. import real
from ..patches import Patches
from .stand_ins import Local, dispatcher, factory
from .surface import Runtime, surface

pool_module: Any = concurrent.futures.thread


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
    lock = factory(is_ours, real.allocate_lock, runtime.Lock, real.LockType)
    rlock = factory(is_ours, threading.RLock, runtime.RLock, real.RLockType)
    replace(threading, "Lock", lock)
    replace(threading, "_allocate_lock", lock)
    replace(_thread, "allocate_lock", lock)
    replace(_thread, "allocate", lock)
    replace(_thread, "RLock", rlock)
    replace(threading, "RLock", rlock)
    early[id(real.RLockType)] = rlock
    if runtime.virtual:
        replace(threading, "local", Local)
    replace(queue, "SimpleQueue", factory(is_ours, queue.SimpleQueue, runtime.SimpleQueue, real.SimpleQueue))
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
