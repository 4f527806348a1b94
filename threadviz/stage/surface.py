"""The surface between the learner's code and a run: what is replaced, written once, and by what."""

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from . import cpu


class Runtime(Protocol):
    """What a run puts in place of the primitives; simulated and recorded runs stand behind this one interface."""

    # a virtual one also has `clock_ns`, `wall_ns`, `get_ident`, `current_thread`, `enumerate` and `is_alive`

    virtual: bool  # whether clocks, thread identities and chance are the run's own, too
    Lock: type[Any]
    RLock: type[Any]
    SimpleQueue: type[Any]

    def is_ours(self) -> bool:
        """Whether the OS thread that asks belongs to the run."""

    def sleep(self, *args: Any, **kwargs: Any) -> None: ...
    def work(self, seconds: float) -> None: ...
    def start(self, thread: threading.Thread) -> None: ...
    def join(self, thread: threading.Thread, timeout: float | None = None) -> None: ...
    def start_new_thread(self, function: Any, args: Any, kwargs: Any = None) -> int: ...


def surface(runtime: Runtime) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """What is patched, written once: (owner, name, the runtime's version)."""
    yield time, "sleep", runtime.sleep
    yield cpu, "spend", runtime.work
    for name in ("_exit", "abort", "execv", "execve"):
        yield os, name, _refused(f"os.{name}() would end the whole process; to end a thread, let it return")
    for name in ("fork", "forkpty"):
        yield os, name, _refused(f"os.{name}() would copy the process without its threads; do it outside the scenario")
    for name in ("alarm", "setitimer"):
        yield signal, name, _refused(f"signal.{name}() would stop the clock that ends a stuck run; use threading.Timer")
    yield signal, "signal", _signal(signal.signal, runtime.virtual)
    yield _thread, "start_new_thread", runtime.start_new_thread
    yield _thread, "start_new", runtime.start_new_thread
    yield threading.Thread, "start", runtime.start
    yield threading.Thread, "join", runtime.join
    if runtime.virtual:
        yield from _virtual_table(runtime)


def _virtual_table(runtime: Any) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    def seconds(clock: Callable[[], int]) -> Callable[[], float]:
        return lambda: clock() / 1e9

    clock, wall = runtime.clock_ns, runtime.wall_ns
    yield time, "monotonic_ns", clock
    yield time, "perf_counter_ns", clock
    yield time, "time_ns", wall
    yield time, "monotonic", seconds(clock)
    yield time, "perf_counter", seconds(clock)
    yield time, "time", seconds(wall)
    for name in ("localtime", "gmtime", "ctime"):
        yield time, name, _with_default(getattr(time, name), lambda: wall() / 1e9, 0)
    for name in ("strftime", "asctime"):
        yield time, name, _with_default(getattr(time, name), lambda: time.localtime(), int(name == "strftime"))
    yield threading, "get_ident", runtime.get_ident
    yield _thread, "get_ident", runtime.get_ident
    yield threading, "get_native_id", lambda: runtime.current_thread().native_id
    yield _thread, "_count", lambda: len(runtime.enumerate()) - 1
    yield threading, "current_thread", runtime.current_thread
    yield threading, "enumerate", runtime.enumerate
    yield threading, "active_count", lambda: len(runtime.enumerate())
    yield threading.Thread, "is_alive", runtime.is_alive


def _refused(why: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(why)

    return refuse


def _signal(real: Callable[..., Any], has_a_clock: bool) -> Callable[..., Any]:
    def set_handler(signalnum: int, handler: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("signal only works in main thread of the main interpreter")
        if signalnum == getattr(signal, "SIGALRM", None):
            raise RuntimeError("SIGALRM is the clock that ends a stuck run; use threading.Timer")
        if signalnum == signal.SIGINT and not has_a_clock:
            raise RuntimeError("SIGINT is the stop button, and nothing else ends a recorded run")
        return real(signalnum, handler)

    return set_handler


def _with_default(real: Callable[..., Any], default: Callable[[], Any], position: int) -> Callable[..., Any]:
    def with_default(*args: Any) -> Any:
        if len(args) == position or (len(args) == position + 1 and args[position] is None):
            args = (*args[:position], default())
        return real(*args)

    return with_default
