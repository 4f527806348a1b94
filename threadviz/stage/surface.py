"""The functions that are replaced while runs go on, written once, and what stands for each."""

import _thread
import concurrent.futures.thread
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import real
from ..learner.code import user_call
from ..learner.naming import name_of
from ..trace import NOBODY
from . import cpu
from .clocks import clock_gettime, with_default
from .databases import connecting
from .engine import Engine, Virtual, pool_module
from .real_waits import SELECTORS, receiving, selecting, wait_for_process
from .signals import handler_of, set_handler

_AcquireFutures: Any = concurrent.futures._base._AcquireFutures


def surface(kind: Any) -> Iterator[tuple[Any, str, Virtual]]:
    """The functions that are replaced, written once: owner, name, and what stands for it."""
    yield time, "sleep", kind.sleep
    yield cpu, "spend", kind.work
    for name in ("_exit", "abort", "execv", "execve"):
        yield os, name, _refused(f"os.{name}() would end the whole process; to end a thread, let it return")
    for name in ("fork", "forkpty"):
        yield os, name, _refused(f"os.{name}() would copy the process without its threads; do it outside the scenario")
    for name in ("alarm", "setitimer"):
        yield signal, name, _refused(f"signal.{name}() would stop the clock that ends a stuck run; use threading.Timer")
    yield signal, "signal", set_handler(kind.virtual)
    yield signal, "getsignal", handler_of
    yield sys, "_current_frames", kind.current_frames
    yield _thread, "start_new_thread", kind.start_new_thread
    yield _thread, "start_new", kind.start_new_thread
    yield threading.Thread, "start", kind.start
    yield threading.Thread, "join", kind.join
    yield threading.Condition, "notify", _notifying(threading.Condition.notify)
    yield threading.Semaphore, "__init__", _counting(threading.Semaphore.__init__)
    yield threading.Semaphore, "release", _releasing(threading.Semaphore.release)
    if kind.virtual:
        yield from _virtual_surface(kind)


def _virtual_surface(kind: Any) -> Iterator[tuple[Any, str, Virtual]]:
    def seconds(clock: Virtual) -> Virtual:
        return lambda engine: clock(engine) / 1e9

    for cls in SELECTORS:
        yield cls, "select", selecting(cls.select)
    for name in ("accept", "recv", "recv_into", "recvfrom", "recvfrom_into"):
        yield socket.socket, name, receiving(getattr(socket.socket, name))
    yield subprocess.Popen, "wait", wait_for_process
    yield time, "monotonic_ns", kind.clock_ns
    yield time, "perf_counter_ns", kind.clock_ns
    yield time, "time_ns", kind.wall_ns
    yield time, "monotonic", seconds(kind.clock_ns)
    yield time, "perf_counter", seconds(kind.clock_ns)
    yield time, "time", seconds(kind.wall_ns)
    for name in ("clock_gettime", "clock_gettime_ns"):  # Windows has none
        if hasattr(time, name):
            yield time, name, clock_gettime(getattr(time, name))
    yield os, "times", lambda engine: os.times_result((*real.times()[:4], engine.clock_ns() / 1e9))
    for name in ("localtime", "gmtime", "ctime"):
        yield time, name, with_default(getattr(time, name), lambda engine: engine.wall_ns() / 1e9, 0)
    for name in ("strftime", "asctime"):
        yield time, name, with_default(getattr(time, name), lambda _: time.localtime(), int(name == "strftime"))
    yield threading, "get_ident", kind.get_ident
    yield _thread, "get_ident", kind.get_ident
    yield threading, "get_native_id", lambda engine: engine.current_thread().native_id
    yield _thread, "_count", lambda engine: len(engine.enumerate()) - 1
    yield threading, "current_thread", kind.current_thread
    yield threading, "enumerate", kind.enumerate
    yield threading, "active_count", lambda engine: len(engine.enumerate())
    yield threading.Thread, "is_alive", kind.is_alive
    yield ctypes.pythonapi, "PyThreadState_SetAsyncExc", kind.raise_in
    if "sqlite3" in sys.modules:  # not in a Python that was built without it
        yield sys.modules["sqlite3"], "connect", connecting(sys.modules["sqlite3"].connect)
    if kind.stepwise:
        yield threading.Event, "is_set", kind.is_set
        yield threading.Event, "isSet", kind.is_set
        yield pool_module.ThreadPoolExecutor, "_adjust_thread_count", kind.add_worker
        yield _AcquireFutures, "__init__", kind.put_in_order


def _notifying(real_notify: Callable[..., None]) -> Virtual:
    """Note where nobody was waiting: nothing else comes of it."""

    def notify(engine: Any, condition: Any, n: int = 1) -> None:
        nobody = not condition._waiters
        real_notify(condition, n)
        if nobody and engine.keeps_notes:
            name, line, _ = user_call("Condition.notify")
            if line is not None and name in ("Condition.notify", "Condition.notify_all"):
                called = name_of(condition, engine.object_name)
                engine.note("call", name, f"{called}: {NOBODY}" if called else NOBODY, line)

    return notify


def _counting(real_init: Callable[..., None]) -> Virtual:
    """Keep how many permits a semaphore has at first, which it does not keep itself."""

    def init(engine: Any, semaphore: Any, value: int = 1) -> None:
        real_init(semaphore, value)
        if engine.keeps_notes:
            semaphore._threadviz_permits = value

    return init


def _releasing(real_release: Callable[..., None]) -> Virtual:
    """Note where more permits are free than there were at first.  Of none at first, each is there to tell something."""

    def release(engine: Any, semaphore: Any, n: int = 1) -> None:
        real_release(semaphore, n)
        first = vars(semaphore).get("_threadviz_permits", 0)
        free = semaphore._value
        if engine.keeps_notes and 0 < first < free:
            name, line, _ = user_call("Semaphore.release")
            called = name_of(semaphore, engine.object_name) if line is not None else ""
            if called and name in ("Semaphore.release", "Semaphore.__exit__"):
                engine.note("permits", called, f"{free} of {first}", line)

    return release


def _refused(why: str) -> Virtual:
    def refuse(_engine: Engine, *_: Any, **__: Any) -> Any:
        raise RuntimeError(why)

    return refuse
