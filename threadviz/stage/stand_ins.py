"""What stands for the primitives while runs go on: functions, and classes under CPython's own names.

They are made once for each kind of engine and put up for as many runs as there are.  Each asks whether its caller's OS
thread is of the run that goes on; every other one, such as the notebook kernel's own, gets the real thing through the
same names, and so does everybody once the run is over.
"""

import _thread
import _threading_local
import concurrent.futures.thread
import ctypes
import datetime
import functools
import itertools
import logging
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import FrameType
from typing import Any, NamedTuple

from .. import real
from ..learner.code import user_call, visible
from ..learner.naming import name_of
from ..patches import Patches, Replacement
from ..trace import NOBODY
from . import cpu
from .databases import connecting
from .engine import Engine

pool_module: Any = concurrent.futures.thread
_AcquireFutures: Any = concurrent.futures._base._AcquireFutures
Virtual = Callable[..., Any]  # what stands for a primitive; it gets the engine before the primitive's own arguments


_SELECTORS: list[Any] = [  # whichever of them this platform has
    cls
    for cls in vars(selectors).values()
    if isinstance(cls, type) and "select" in vars(cls) and cls is not selectors.BaseSelector
]
_WALL_CLOCKS = (time.CLOCK_REALTIME,) if hasattr(time, "CLOCK_REALTIME") else ()
_CLOCKS = tuple(
    getattr(time, name) for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME") if hasattr(time, name)
)
NOON = int(time.mktime((2024, 1, 1, 12, 0, 0, 0, 1, -1))) * 1_000_000_000  # local time, when simulated runs begin


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
        for owner, name, virtual in _surface(kind):
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
            self._replace(datetime, "datetime", self._dates(datetime.datetime))
            self._replace(datetime, "date", self._dates(datetime.date))
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

    def _dates(self, real_class: Any) -> type:
        """A class whose `now` and `today` go by the run's clock; all that it makes is of the real class."""

        def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
            return real_class(*args, **kwargs) if cls is dates else real_class.__new__(cls, *args, **kwargs)

        def at_the_runs_time(name: str, then: str) -> Any:
            def method(cls: Any, *args: Any, **kwargs: Any) -> Any:
                made = real_class if cls is dates else cls
                engine: Any = self.engine
                if engine is None or not engine.is_ours():
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


def _surface(kind: Any) -> Iterator[tuple[Any, str, Virtual]]:
    """The functions that are replaced, written once: owner, name, and what stands for it."""
    yield time, "sleep", kind.sleep
    yield cpu, "spend", kind.work
    for name in ("_exit", "abort", "execv", "execve"):
        yield os, name, _refused(f"os.{name}() would end the whole process; to end a thread, let it return")
    for name in ("fork", "forkpty"):
        yield os, name, _refused(f"os.{name}() would copy the process without its threads; do it outside the scenario")
    for name in ("alarm", "setitimer"):
        yield signal, name, _refused(f"signal.{name}() would stop the clock that ends a stuck run; use threading.Timer")
    yield signal, "signal", _set_handler(kind.virtual)
    yield signal, "getsignal", _handler
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

    for cls in _SELECTORS:
        yield cls, "select", _selecting(cls.select)
    for name in ("accept", "recv", "recv_into", "recvfrom", "recvfrom_into"):
        yield socket.socket, name, _receiving(getattr(socket.socket, name))
    yield subprocess.Popen, "wait", _wait_for_process
    yield time, "monotonic_ns", kind.clock_ns
    yield time, "perf_counter_ns", kind.clock_ns
    yield time, "time_ns", kind.wall_ns
    yield time, "monotonic", seconds(kind.clock_ns)
    yield time, "perf_counter", seconds(kind.clock_ns)
    yield time, "time", seconds(kind.wall_ns)
    for name in ("clock_gettime", "clock_gettime_ns"):  # Windows has none
        if hasattr(time, name):
            yield time, name, _clock_gettime(getattr(time, name))
    yield os, "times", lambda engine: os.times_result((*real.times()[:4], engine.clock_ns() / 1e9))
    for name in ("localtime", "gmtime", "ctime"):
        yield time, name, _with_default(getattr(time, name), lambda engine: engine.wall_ns() / 1e9, 0)
    for name in ("strftime", "asctime"):
        yield time, name, _with_default(getattr(time, name), lambda _: time.localtime(), int(name == "strftime"))
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


def _selecting(real_select: Callable[..., Any]) -> Virtual:
    """A thread that waits for files, sockets or processes lets the others go on meanwhile."""

    def select(engine: Any, selector: Any, timeout: float | None = None) -> Any:
        look = functools.partial(real_select, selector)
        caller = sys._getframe(2).f_globals.get("__name__")
        if caller == "subprocess":  # which goes by the real clock
            return engine.wait_for_real(look, seconds=timeout)
        found = engine.wait_for_real(look, until=timeout)
        if not found and caller == "multiprocessing.connection":  # which looks again until its time is over
            engine.let_an_instant_pass()
        return found

    return select


def _receiving(real_receive: Callable[..., Any]) -> Virtual:
    """A thread that waits for a socket lets the others go on meanwhile: one of them may be who writes to it."""

    def receive(engine: Any, receiver: Any, *args: Any, **kwargs: Any) -> Any:
        def look(seconds: float | None) -> bool:
            return bool(real.wait_for_files([receiver], [], [], seconds)[0])

        timeout = receiver.gettimeout()
        if timeout != 0 and receiver.fileno() >= 0:
            engine.wait_for_real(look, seconds=timeout)
        return real_receive(receiver, *args, **kwargs)

    return receive


def _wait_for_process(engine: Any, process: Any, timeout: float | None = None) -> Any:
    """A child process takes real time, so a time-out of waiting for it does, too."""

    def look(seconds: float | None) -> bool:
        if process.poll() is None and seconds:
            real.sleep(seconds)
        return process.poll() is not None

    if not engine.wait_for_real(look, seconds=timeout):
        raise subprocess.TimeoutExpired(process.args, timeout or 0)
    return process.returncode


def _clock_gettime(real_clock: Callable[[int], Any]) -> Virtual:
    def clock_gettime(engine: Any, clock: int) -> Any:
        if clock not in _WALL_CLOCKS + _CLOCKS:
            return real_clock(clock)  # CPU time, or an error of CPython's own
        now: int = engine.wall_ns() if clock in _WALL_CLOCKS else engine.clock_ns()
        return now if real_clock is real.clock_gettime_ns else now / 1e9

    return clock_gettime


def _refused(why: str) -> Virtual:
    def refuse(_engine: Engine, *_: Any, **__: Any) -> Any:
        raise RuntimeError(why)

    return refuse


def _handler(engine: Engine, number: int) -> Any:
    """The handler of a signal, as the run's code knows it."""
    if number in engine.handlers:
        return engine.handlers[number]
    return signal.default_int_handler if number == signal.SIGINT and engine.virtual else real.signal_handler_of(number)


def _set_handler(has_a_clock: bool) -> Virtual:
    def set_handler(engine: Engine, signalnum: int, handler: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("signal only works in main thread of the main interpreter")
        if signalnum == getattr(signal, "SIGALRM", None):
            raise RuntimeError("SIGALRM is the clock that ends a stuck run; use threading.Timer")
        if signalnum == signal.SIGINT and not has_a_clock:
            raise RuntimeError("SIGINT is the stop button, and nothing else ends a recorded run")

        def handle(number: int, frame: FrameType | None) -> None:
            engine.signalled(number, lambda: handler(number, visible(frame)), frame)

        known = _handler(engine, signalnum)
        before = real.set_signal_handler(signalnum, handle if callable(handler) else handler)
        if signalnum not in engine.handlers_before:
            engine.handlers_before[signalnum] = before
            if before is not None:
                engine.patches.callback(real.set_signal_handler, signalnum, before)
        if signalnum == signal.SIGINT and handler is signal.default_int_handler:
            real.set_signal_handler(signalnum, engine.handlers_before[signalnum])
        engine.handlers[signalnum] = handler
        return known

    return set_handler


def _with_default(real_function: Callable[..., Any], default: Callable[[Any], Any], position: int) -> Virtual:
    def with_default(engine: Engine, *args: Any) -> Any:
        if len(args) == position or (len(args) == position + 1 and args[position] is None):
            args = (*args[:position], default(engine))
        return real_function(*args)

    return with_default


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
