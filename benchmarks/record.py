"""What recording costs, against the plain program and against other tools, and what each shows of lock waits.

viztracer and threadle are measured where they are installed: `pip install viztracer threadle`.
"""

import importlib.util
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import threadviz as tv
from threadviz.recording import recorder

Program = Callable[[Callable[[], Any]], None]
PAIRS = 20_000  # acquire and release, uncontended


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def uncontended(make_lock: Callable[[], Any]) -> None:
    lock = make_lock()
    for _ in range(PAIRS):
        lock.acquire()
        lock.release()


def contended(threads: int, turns: int, inside: float, outside: float, wait: Callable[[float], object]) -> Program:
    """`threads` take one lock `turns` times, for `inside` seconds, and are elsewhere for `outside` seconds."""

    def program(make_lock: Callable[[], Any]) -> None:
        lock = make_lock()

        def work() -> None:
            for _ in range(turns):
                lock.acquire()  # not `with`, which threadle's lock lacks
                wait(inside)
                lock.release()
                wait(outside)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return program


PROGRAMS: dict[str, Program] = {
    f"one thread, {PAIRS:,} pairs of acquire and release": uncontended,
    "4 threads, 1 us inside, 6 us outside the lock": contended(4, 3_000, 1e-6, 6e-6, spin),
    "8 threads, 1 ms inside, 2 ms outside the lock": contended(8, 25, 1e-3, 2e-3, time.sleep),
}
Measured = tuple[float, str]  # seconds, real; what the tool shows of lock waits


def plain(program: Program) -> Measured:
    began = time.perf_counter()
    program(threading.Lock)
    return time.perf_counter() - began, ""


def recorded(program: Program) -> Measured:
    taken = []

    def scenario() -> None:
        began = time.perf_counter()
        program(threading.Lock)
        taken.append(time.perf_counter() - began)

    run = tv.record(scenario)
    waits = [span for lane in run.trace.lanes for span in lane.spans if span.on == "lock"]
    return taken[0], f"{len(waits)} waits, {sum('held by' in span.label for span in waits)} with an owner"


def viztraced(program: Program) -> Measured:
    from viztracer import VizTracer

    tracer = VizTracer(tracer_entries=3_000_000, verbose=0)
    tracer.start()
    began = time.perf_counter()
    program(threading.Lock)
    taken = time.perf_counter() - began
    tracer.stop()
    tracer.parse()
    calls = [
        event for event in tracer.data["traceEvents"] if "acquire" in event["name"] or "__enter__" in event["name"]
    ]
    tracer.clear()
    tracer.terminate()
    return taken, f"{len(calls)} calls that may have waited, 0 with an owner"


def threadled(program: Program) -> Measured:
    import threadle

    threadle.clear_events()
    threadle.start_tracing()
    began = time.perf_counter()
    program(lambda: threadle.TrackedLock("lock"))
    taken = time.perf_counter() - began
    threadle.stop_tracing()
    waits = sum(event["event"] == "blocked" for event in threadle.get_events())
    threadle.clear_events()
    return taken, f"{waits} waits, 0 with an owner; needs its own lock class"


TOOLS = {"plain": plain, "tv.record": recorded, "viztracer": viztraced, "threadle": threadled}


def notes(number: int) -> None:
    """A run with more notes than are kept: memory and picture must stay bounded."""

    def scenario() -> None:
        lock = threading.Lock()
        for _ in range(number // 2):
            with lock:
                pass

    began = time.perf_counter()
    run = tv.record(scenario)
    taken = time.perf_counter() - began
    began = time.perf_counter()
    run.png()
    print(f"  {number:,} notes, of which {recorder.MAX_NOTES:,} are kept: recorded in {taken:.2f} s, "
          f"drawn in {time.perf_counter() - began:.2f} s")  # fmt: skip
    for note in run.trace.notes:
        print(f"    {note}")


def main(times: int = 7) -> None:
    tools = {"plain": plain, "tv.record": recorded}
    for name in ("viztracer", "threadle"):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed and is left out; to compare with it: pip install {name}")
        else:
            tools[name] = TOOLS[name]
    print("cost of recording, medians of runs in turn")
    for name, program in PROGRAMS.items():
        measured: dict[str, list[Measured]] = {tool: [] for tool in tools}
        for _ in range(times):
            for tool, measure in tools.items():
                measured[tool].append(measure(program))
        print(f"  {name}")
        usual = median(seconds for seconds, _ in measured["plain"])
        for tool, results in measured.items():
            taken = median(seconds for seconds, _ in results)
            shown = f"   {results[-1][1]}" if results[-1][1] else ""
            print(f"    {tool:<10} {taken * 1e3:8.1f} ms   {taken / usual:6.2f} x plain{shown}")
    notes(1_000_000)


if __name__ == "__main__":
    main()
