"""The real primitives, kept before anything is patched: what the engine itself must use."""

import _thread
import os
import queue
import select
import signal
import sys
import threading
import time

HAS_THREADS = sys.platform not in ("emscripten", "wasi")

allocate_lock = _thread.allocate_lock
get_ident = _thread.get_ident
perf_counter = time.perf_counter
perf_counter_ns = time.perf_counter_ns
process_time_ns = time.process_time_ns
thread_time_ns = getattr(time, "thread_time_ns", time.process_time_ns)  # WebAssembly has one thread alone
clock_gettime_ns = getattr(time, "clock_gettime_ns", None)
wait_for_files = select.select
sleep = time.sleep
set_signal_handler = signal.signal
signal_handler_of = signal.getsignal
current_frames = sys._current_frames
times = os.times
main_thread = threading.main_thread
start = threading.Thread.start
start_new_thread = _thread.start_new_thread
SimpleQueue = queue.SimpleQueue
join = threading.Thread.join
is_alive = threading.Thread.is_alive


def forget_own_thread() -> None:
    """To be called at the end of an OS thread that `threading` has not started.

    The garbage collector may have run a finalizer in it that asked for `threading.current_thread()`: then `threading`
    keeps a dummy for it, and counts it as alive for ever.
    """
    threading._active.pop(get_ident(), None)  # type: ignore[attr-defined]


def check_timeout(blocking: bool, timeout: float) -> None:
    """CPython's own errors for the arguments of an `acquire`."""
    allocate_lock().acquire(blocking, timeout)  # a lock of its own, as many threads may ask at once


def check_get(block: bool, timeout: float) -> None:
    """CPython's own errors for the arguments of a `SimpleQueue.get`."""
    filled: SimpleQueue[None] = SimpleQueue()
    filled.put(None)
    filled.get(block, timeout)


LockType = type(_thread.allocate_lock())
RLockType = type(threading.RLock())
