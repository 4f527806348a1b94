"""Measure again what the chapters say of real threads, so that a new Python is checked in minutes.

Each fact is a function that measures, and prints a line for each figure.  What comes out differs from machine to
machine and from run to run: a chapter quotes ranges.  Only the last fact needs threadviz; the others are plain Python,
and run under any build of it.

    python tools/measure_facts.py              # all of them, about a minute
    python tools/measure_facts.py --list
    python tools/measure_facts.py counters freezes
"""

import argparse
import functools
import hashlib
import importlib.util
import io
import json
import os
import queue
import random
import re
import statistics
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

FACTS: dict[str, Callable[[], None]] = {}
PATIENCE = 0.2  # seconds after which two threads that wait for each other are taken for standing still


def fact(function: Callable[[], None]) -> Callable[[], None]:
    FACTS[function.__name__] = function
    return function


def together(functions: Iterable[Callable[[], Any]]) -> None:
    """Run each function in a thread of its own, and wait for all of them."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Counter:
    def __init__(self) -> None:
        self.value = 0
        self.by_name = {"value": 0}
        self.by_number = [0]

    @property
    def score(self) -> int:
        return self.value

    @score.setter
    def score(self, value: int) -> None:
        self.value = value


def plus_one(number: int) -> int:
    return number + 1


total = 0
FORMS = {
    "a global": "total += 1",
    "an attribute": "counter.value += 1",
    "an item of a dict": "counter.by_name['value'] += 1",
    "an item of a list": "counter.by_number[0] += 1",
    "a call in the line": "counter.value = plus_one(counter.value)",
    "int() in the line": "counter.value += int(1)",
    "a property": "counter.score += 1",
}


@fact
def counters() -> None:
    """Lost updates of `counter += 1` in its forms, four threads, three runs, at switch intervals of 5 ms and 1 µs."""
    global total
    times, usual = 200_000, sys.getswitchinterval()
    for name, line in FORMS.items():
        made: dict[str, Any] = {}
        exec(f"def count(counter):\n    global total\n    for _ in range({times}):\n        {line}\n", globals(), made)
        count = made["count"]
        lost: dict[float, list[float]] = {}
        try:
            for interval in (usual, 1e-6):
                sys.setswitchinterval(interval)
                for _ in range(3):
                    total, counter = 0, Counter()
                    together([functools.partial(count, counter)] * 4)
                    counted = total + counter.value + counter.by_name["value"] + counter.by_number[0]
                    lost.setdefault(interval, []).append(1 - counted / (4 * times))
        finally:
            sys.setswitchinterval(usual)
        shares = "; ".join(", ".join(f"{share:.1%}" for share in each) for each in lost.values())
        print(f"lost with {name}, {line!r}: {shares}")


class Late:
    """Compares itself in Python code."""

    def __init__(self) -> None:
        self.minutes = random.random()

    def __lt__(self, other: "Late") -> bool:
        return self.minutes < other.minutes


def beside(job: Callable[[], Any]) -> tuple[float, float, float]:
    """Do a job beside a thread that looks at the clock every millisecond; its time, the longest and the median gap."""
    looks, done = [], threading.Event()

    def clerk() -> None:
        while not done.is_set():
            looks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=clerk)
    thread.start()
    time.sleep(0.01)
    began = time.perf_counter()
    job()
    ended = time.perf_counter()
    time.sleep(0.01)
    done.set()
    thread.join()
    gaps = [b - a for a, b in zip(looks, looks[1:], strict=False) if b > began and a < ended]
    return ended - began, max(gaps), statistics.median(gaps)


@fact
def freezes() -> None:
    """The longest time in which another thread stands still, as a share of a call; three runs each."""
    prices, photo = [random.random() for _ in range(500_000)], random.randbytes(40_000_000)
    late, text = [Late() for _ in range(60_000)], json.dumps(list(range(1_000_000)))
    jobs: dict[str, Callable[[], Any]] = {
        "time.sleep(0.2)": lambda: time.sleep(0.2),
        "sha256": lambda: hashlib.sha256(photo).digest(),
        "zlib.compress": lambda: zlib.compress(photo[:8_000_000], 1),
        "sorted(floats)": lambda: sorted(prices),
        "re.match": lambda: re.match("(a*)*b", "a" * 21),
        "json.loads": lambda: json.loads(text),
        "sum(range)": lambda: sum(range(10_000_000)),
        "sorted(objects with __lt__)": lambda: sorted(late),
        "sum(generator)": lambda: sum(n for n in range(3_000_000)),
    }
    if importlib.util.find_spec("numpy") is not None:  # which a build of one's own may not have
        import numpy

        numbers = numpy.random.random(30_000_000)
        jobs["numpy.sin"] = lambda: numpy.sin(numbers)
    for name, job in jobs.items():
        runs = [beside(job) for _ in range(3)]
        shares = ", ".join(f"{longest / lasts:.1%}" for lasts, longest, _ in runs)
        typical = 1000 * statistics.median(median for *_, median in runs)
        print(f"{name}: longest standstill {shares} of it; the other thread looks every {typical:.1f} ms")


@fact
def turns() -> None:
    """How long two threads that compute have the GIL in turn; 5 ms is the switch interval."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        print("turns of two threads that compute: there is no GIL to take turns with")
        return
    lengths: list[float] = []
    holder, since = 0, 0.0  # the thread that found itself running last, and from when on

    def compute(number: int) -> None:
        nonlocal holder, since
        end = time.perf_counter() + 1
        while (now := time.perf_counter()) < end:
            if holder != number:  # a gap alone may be the operating system's
                if holder:
                    lengths.append(now - since)
                holder, since = number, now

    together([functools.partial(compute, number) for number in (1, 2)])
    middle = f"{1000 * statistics.median(lengths):.1f} ms in the median" if lengths else "they never took turns"
    print(f"turns of two threads that compute: {len(lengths)}, {middle}")


@fact
def wake_ups() -> None:
    """How late a sleep of 20 ms ends beside threads that compute, more than alone; 40 sleeps each."""
    alone = 0.0
    for spinners in (0, 1, 2, 4):
        done = threading.Event()

        def spin(done: threading.Event = done) -> None:
            while not done.is_set():
                sum(n for n in range(100))

        threads = [threading.Thread(target=spin) for _ in range(spinners)]
        for thread in threads:
            thread.start()
        late = []
        for _ in range(40):
            began = time.perf_counter()
            time.sleep(0.02)
            late.append(1000 * (time.perf_counter() - began - 0.02))
        done.set()
        for thread in threads:
            thread.join()
        mean = statistics.mean(late)
        alone = mean if spinners == 0 else alone
        print(f"late beside {spinners}: {mean - alone:.1f} ms more in the mean, {min(late):.1f} to {max(late):.1f} ms")


def busy(seconds: float) -> None:
    """Compute for so much CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@fact
def tickets() -> None:
    """How often two tills sell the last ticket twice, who look, compute, and count it off; 40 runs each."""
    for work in (0.0025, 0.005, 0.0075, 0.01):
        twice = 0
        for _ in range(40):
            left = [1]

            def sell(left: list[int] = left, work: float = work) -> None:
                if left[0] > 0:
                    busy(work)
                    left[0] -= 1

            together([sell, sell])
            twice += left[0] == -1
        print(f"sold twice with {work} s of work: {twice} of 40")


class FakeDatabase:
    def __init__(self, sleep: float) -> None:
        self.value, self.sleep, self.lock = 0, sleep, threading.Lock()

    def update(self) -> None:
        copy = self.value + 1
        if self.sleep:
            time.sleep(self.sleep)
        self.value = copy

    def locked_update(self) -> None:
        with self.lock:
            self.update()


@fact
def database() -> None:
    """Forty updates of the FakeDatabase in a pool: what is left, and how long it takes; five runs each."""
    for sleep, workers, method in (
        (0, 8, "update"),
        (0.001, 2, "update"),
        (0.01, 8, "update"),
        (0.01, 8, "locked_update"),
    ):
        values, seconds = [], []
        for _ in range(5):
            fake, began = FakeDatabase(sleep), time.perf_counter()
            with ThreadPoolExecutor(max_workers=workers) as pool:
                for _ in range(40):
                    pool.submit(getattr(fake, method))
            seconds.append(time.perf_counter() - began)
            values.append(fake.value)
        print(f"{method}, sleep {sleep} s, {workers} workers: {values}, {statistics.median(seconds):.3f} s")


@fact
def deadlocks() -> None:
    """How often two threads that take two locks in two orders stand still; 40 runs each."""
    for gap in (0, 0.0001, 0.001):
        stood_still = 0
        for _ in range(40):
            locks, failed = (threading.Lock(), threading.Lock()), []

            def take(first: int, locks: Any = locks, failed: list[int] = failed, gap: float = gap) -> None:
                with locks[first]:
                    if gap:
                        time.sleep(gap)
                    if locks[1 - first].acquire(timeout=PATIENCE):
                        locks[1 - first].release()
                    else:
                        failed.append(first)

            together([lambda take=take: take(0), lambda take=take: take(1)])
            stood_still += bool(failed)
        print(f"two locks in two orders, {1000 * gap:g} ms between them: {stood_still} of 40 stand still")


@fact
def prints() -> None:
    """Lines that come out mangled when four threads print to a terminal; POSIX only."""
    try:
        import pty
    except ImportError:
        print("mangled lines: not measured, there is no pty here")
        return
    ways = ("print(a, b, c)", "print(one string)", "write(one string)")
    for name, is_buffered in [(name, is_buffered) for is_buffered in (True, False) for name in ways]:
        above, below = pty.openpty()
        got = bytearray()

        def read(above: int = above, got: bytearray = got) -> None:
            while not got.endswith(b"the end\r\n"):
                got.extend(os.read(above, 65536))

        reader = threading.Thread(target=read)
        reader.start()
        # the second is as with python -u
        raw: Any = os.fdopen(below, "wb", buffering=-1 if is_buffered else 0)
        with io.TextIOWrapper(raw, line_buffering=is_buffered, write_through=not is_buffered) as terminal:

            def tell(number: str, name: str = name, terminal: Any = terminal) -> None:
                for _ in range(500):
                    if name == "print(a, b, c)":
                        print("thread", number, "speaking", file=terminal)
                    elif name == "print(one string)":
                        print(f"thread {number} speaking", file=terminal)
                    else:
                        terminal.write(f"thread {number} speaking\n")

            together([lambda n=n, tell=tell: tell(str(n)) for n in range(4)])
            terminal.write("the end\n")
            terminal.flush()
            reader.join()
        os.close(above)
        lines = got.decode().split("\r\n")[:-2]
        mangled = sum(re.fullmatch(r"thread \d speaking", line) is None for line in lines)
        kept = "line by line" if is_buffered else "unbuffered"
        print(f"{name}, {kept}: {mangled / len(lines):.1%} of {len(lines)} lines mangled")


@fact
def queues() -> None:
    """How often the consumer of most tutorials, an event and `empty()`, hangs when the producer sleeps after `put`."""
    hung = 0
    for _ in range(30):
        pipeline: queue.Queue[int] = queue.Queue()
        ended = threading.Event()

        def consume(pipeline: "queue.Queue[int]" = pipeline, ended: threading.Event = ended) -> None:
            while not ended.is_set() or not pipeline.empty():
                pipeline.get()

        consumer = threading.Thread(target=consume)
        consumer.start()
        for number in range(10):
            pipeline.put(number)
            time.sleep(0.001)
        ended.set()
        consumer.join(timeout=PATIENCE)
        hung += consumer.is_alive() and pipeline.empty()
        pipeline.put(0)  # which lets a consumer that hangs end
        consumer.join()
    print(f"event and empty(), the producer sleeps after put: {hung} of 30 hang")


@fact
def interleavings() -> None:
    """The counts of orders that chapters 07 and 09 quote; needs threadviz."""
    import threadviz as tv

    def count(threads: int, times: int) -> int:
        counter = Counter()

        def add() -> None:
            for _ in range(times):
                counter.value += 1

        together([add] * threads)
        return counter.value

    def dinner() -> str:
        forks = [threading.Lock() for _ in range(5)]

        def eat(seat: int) -> None:
            with forks[seat], forks[(seat + 1) % 5]:
                pass

        together([lambda n=n: eat(n) for n in range(5)])
        return "all have eaten"

    for threads, times in ((2, 1), (3, 1), (2, 3)):
        found = tv.explore(count, threads, times)
        orders = sum(found.outcomes.values())
        print(f"{threads} threads count to {times}: {orders} orders, {orders - found.outcomes[threads * times]} lose")
    found = tv.explore(dinner)
    print(f"five philosophers: {found.runs} runs, {dict(found.outcomes)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="name the facts, and measure none")
    parser.add_argument("facts", nargs="*", metavar="fact", help="which to measure; all of them without any")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.facts if name not in FACTS]
    if unknown:
        parser.error(f"there is no fact {unknown[0]!r}; there are {', '.join(FACTS)}")
    if options.list:
        for name, measure in FACTS.items():
            print(f"{name:14} {measure.__doc__}")
        return 0
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    gil = "with a GIL" if has_gil else "without a GIL"
    print(f"Python {sys.version.split()[0]} {gil}, {os.cpu_count()} cores, {sys.platform}")
    for name in options.facts or FACTS:
        print(f"\n{name}: {FACTS[name].__doc__}")
        began = time.perf_counter()
        FACTS[name]()
        print(f"({time.perf_counter() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
