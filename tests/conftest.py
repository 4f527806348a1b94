"""What every test checks afterwards: nothing is left patched, and no thread is left."""

import _thread
import builtins
import concurrent.futures.thread
import gc
import logging
import os
import queue
import random
import signal
import sys
import threading
import time

import pytest

from threadviz.stage import cpu
from threadviz.stage.stage import FEW_FROZEN

OWNERS = (
    *(os, signal, time, threading, _thread, queue, logging, random, cpu),
    *(threading.Thread, queue.Queue, queue.SimpleQueue, logging.Logger, logging.Handler),
    *(concurrent.futures.Future, concurrent.futures.ThreadPoolExecutor, concurrent.futures.thread),
)


SAMPLE = 5  # of the tests marked `many`, every fifth is run, unless --whole is given


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="run every one of the tests marked `many`, not a sample")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--whole"):
        return
    many = [item for item in items if item.get_closest_marker("many")]
    left_out = set(many) - set(many[::SAMPLE])
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def surface():
    """Every object that a run may replace, as it is now."""
    found = {(owner, name): Same(value) for owner in OWNERS for name, value in vars(owner).items()}
    for owner, name in ((sys, "stdout"), (sys, "stderr"), (builtins, "__build_class__")):
        found[owner, name] = Same(getattr(owner, name))  # the rest of these a kernel sets anew for each cell
    for number in (signal.SIGINT, signal.SIGALRM):
        found[number.name] = signal.getsignal(number)
    found["interval timer"] = signal.getitimer(signal.ITIMER_REAL)
    found["frozen"] = gc.get_freeze_count() >= FEW_FROZEN
    found["settrace"] = sys.gettrace() if "coverage" not in sys.modules else None
    found["random"] = random.getstate()
    found["switch interval"] = sys.getswitchinterval()
    found["recursion limit"] = sys.getrecursionlimit()
    found["gc"] = gc.isenabled()
    found["root logger"] = (logging.root.level, tuple(logging.root.handlers), logging.root.disabled)
    return found


class Same:
    """Equal only to the very same object."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Same) and self.value is other.value


@pytest.fixture(autouse=True)
def everything_is_put_back():
    before, threads = surface(), threading.active_count()
    yield
    after = surface()
    assert [key for key in before if before[key] != after.get(key)] == []
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)  # a real thread of the test's own may still be on its way out
    assert threading.active_count() <= threads
