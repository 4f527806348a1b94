"""What every test checks afterwards: nothing is left patched, and no thread is left."""

import _thread
import concurrent.futures.thread
import gc
import logging
import queue
import random
import sys
import threading
import time

import pytest


def surface():
    """Every object that a run replaces, as it is now."""
    owners = {
        time: "sleep time time_ns monotonic monotonic_ns perf_counter perf_counter_ns localtime gmtime ctime strftime",
        threading: "Lock RLock local get_ident current_thread enumerate active_count excepthook _time _counter",
        threading.Thread: "start join is_alive __init__ __hash__ run",
        _thread: "allocate_lock start_new_thread get_ident RLock",
        queue: "SimpleQueue time Queue",
        logging: "basicConfig _startTime lastResort",
        concurrent.futures.Future: "result exception set_exception __init__ __hash__",
        concurrent.futures.thread: "_global_shutdown_lock _shutdown",
        sys: "stdout stderr",
    }
    found = {(owner, name): getattr(owner, name) for owner, names in owners.items() for name in names.split()}
    found["settrace"] = sys.gettrace() if "coverage" not in sys.modules else None
    found["random"] = random.getstate()
    found["switch interval"] = sys.getswitchinterval()
    found["recursion limit"] = sys.getrecursionlimit()
    found["gc"] = gc.isenabled()
    found["root logger"] = (logging.root.level, tuple(logging.root.handlers), logging.root.disabled)
    return found


@pytest.fixture(autouse=True)
def everything_is_put_back():
    before, threads = surface(), threading.active_count()
    yield
    after = surface()
    assert [key for key in before if before[key] != after[key]] == []
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)  # a real thread of the test's own may still be on its way out
    assert threading.active_count() <= threads
