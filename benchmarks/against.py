"""Exploring against frontrun and interleave-test: runs a second, to the first counterexample, and to the whole.

    pip install frontrun==0.7.0 interleave-test==0.1.0      # the latter wants Python 3.12
    python -m benchmarks.against [seconds that one measurement may take [programs]]

Each measurement is made in a process of its own.  frontrun is told of each thread; the other two start them as the
program does.  A cell holds runs, milliseconds, and what was found; `rate` is that of the search for the whole.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

LIMIT = 30.0  # seconds, real
AGAIN = 1.0  # seconds, real: a search for the whole that takes less is made again, for its rate
MOST = 100_000  # runs


class Program(NamedTuple):
    """`setup` makes the state, each of `workers` is a thread that is given it, `holds` says whether all is well."""

    setup: Callable[[], Any]
    workers: list[Callable[[Any], None]]
    holds: Callable[[Any], bool]
    goes_wrong: bool


def add(state: Any) -> None:
    value = state.value
    state.value = value + 1


def add_locked(state: Any) -> None:
    with state.lock:
        state.value += 1


def sell(state: Any) -> None:
    with state.lock:
        left = state.value
    if left > 0:
        with state.lock:
            state.value -= 1


def both(first: str, second: str, state: Any) -> None:
    with getattr(state, first), getattr(state, second):
        pass


def eat(seat: int, state: Any) -> None:
    with state.forks[seat], state.forks[(seat + 1) % len(state.forks)]:
        pass


def wait(state: Any) -> None:
    if not state.value:
        with state.bell:
            state.bell.wait()


def notify(state: Any) -> None:
    state.value = 1
    with state.bell:
        state.bell.notify()


def in_a_pool(state: Any) -> None:
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(add, state) for _ in range(2)]:
            future.result()


def in_threads_of_a_thread(state: Any) -> None:
    threads = [threading.Thread(target=add, args=(state,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def number(value: int) -> Callable[[], Any]:
    return lambda: SimpleNamespace(
        value=value, lock=threading.Lock(), a=threading.Lock(), b=threading.Lock(), bell=threading.Condition()
    )


def table(seats: int) -> Callable[[], Any]:
    return lambda: SimpleNamespace(forks=[threading.Lock() for _ in range(seats)])


def always(_: Any) -> bool:
    return True


PROGRAMS = {
    "two add": Program(number(0), [add] * 2, lambda state: state.value == 2, True),
    "three add": Program(number(0), [add] * 3, lambda state: state.value == 3, True),
    "two add, locked": Program(number(0), [add_locked] * 2, lambda state: state.value == 2, False),
    "four add": Program(number(0), [add] * 4, lambda state: state.value == 4, True),
    "one ticket, two buyers": Program(number(1), [sell] * 2, lambda state: state.value == 0, True),
    "two locks, two orders": Program(number(0), [partial(both, "a", "b"), partial(both, "b", "a")], always, True),
    "notify before wait": Program(number(0), [wait, notify], always, True),
    "pool of two": Program(number(0), [in_a_pool], lambda state: state.value == 2, True),
    "threads of a thread": Program(number(0), [in_threads_of_a_thread], lambda state: state.value == 2, True),
    **{
        f"{seats} philosophers": Program(table(seats), [partial(eat, seat) for seat in range(seats)], always, True)
        for seats in (3, 5, 7)
    },
}


def scenario(program: Program) -> bool:
    state = program.setup()
    threads = [threading.Thread(target=worker, args=(state,)) for worker in program.workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return program.holds(state)


class Measured(NamedTuple):
    runs: int
    found: str


def threadviz(program: Program, whole: bool) -> Measured:
    import threadviz as tv
    from threadviz.exploration import explorer

    if whole:
        found = tv.explore(scenario, program, expect=True, max_runs=MOST)
        wrong = found._found.simplest is not None  # without looking for a simpler one
        return Measured(found.runs, ("wrong" if wrong else "holds") + (", whole" if found.complete else ""))
    fails = explorer.Found.fails

    def stop_at_the_first(found: explorer.Found, example: explorer.Example) -> bool:
        if fails(found, example):
            found.simplest = example
            raise KeyboardInterrupt  # the stop button, which keeps what was found
        return False

    explorer.Found.fails = stop_at_the_first  # type: ignore[method-assign]
    try:
        found = tv.explore(scenario, program, expect=True, max_runs=MOST)
    finally:
        explorer.Found.fails = fails  # type: ignore[method-assign]
    return Measured(found.runs, "wrong" if found._found.simplest is not None else "nothing")


def frontrun(strategy: str, program: Program, whole: bool) -> Measured:
    from frontrun import explore

    options: dict[str, Any] = {"strategy": strategy, "reproduce_on_failure": 0, "total_timeout": LIMIT * 0.8}
    if strategy == "dpor":
        options |= {"preemption_bound": None, "stop_on_first": not whole, "max_executions": MOST}
    else:
        options |= {"max_attempts": MOST if not whole else 200, "seed": 1}
    holds = always if whole and strategy == "random" else program.holds  # else it stops at the first
    result = explore(program.setup, list(program.workers), holds, **options)
    found = {True: "holds", False: "wrong", None: "inconclusive"}[result.property_holds]
    return Measured(result.num_explored, found)


def interleave(strategy: str, program: Program, whole: bool) -> Measured:
    import interleave_test

    def model() -> None:
        assert scenario(program) or whole  # it stops at the first

    result = interleave_test.explore(
        model, iterations=MOST, strategy=strategy, seed=1, max_preemptions=99, raise_on_failure=False
    )
    exhausted = ", whole" if result.exhausted else ""
    return Measured(result.schedules_run, ("holds" if result.ok else "wrong") + exhausted)


TOOLS: dict[str, Callable[[Program, bool], Measured]] = {
    "threadviz": threadviz,
    "frontrun, dpor": partial(frontrun, "dpor"),
    "frontrun, random": partial(frontrun, "random"),
    "interleave-test, dfs": partial(interleave, "dfs"),
    "interleave-test, random": partial(interleave, "random"),
}


def one(tool: str, name: str, whole: bool) -> None:
    """Measure once, in this process; what is imported and prepared once is not counted."""
    if tool != "interleave-test, dfs" and "random" not in tool:  # these would not come back soon
        TOOLS[tool](PROGRAMS["two add, locked"], False)
    began = time.perf_counter()
    measured = TOOLS[tool](PROGRAMS[name], whole)
    seconds = so_far = time.perf_counter() - began
    runs = measured.runs
    while whole and so_far < AGAIN:
        runs += TOOLS[tool](PROGRAMS[name], whole).runs
        so_far = time.perf_counter() - began
    print(json.dumps([measured.runs, seconds, measured.found, runs / so_far]))


def cell(tool: str, name: str, whole: bool, limit: float) -> str:
    command = [sys.executable, "-m", "benchmarks.against", tool, name, str(int(whole))]
    if tool.startswith("frontrun"):  # which wants to be there before everything else
        command.insert(0, str(Path(sys.executable).with_name("frontrun")))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        runs, seconds, found, rate = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"not in {limit:g} s"
    except (IndexError, ValueError):
        return (done.stderr.strip().splitlines() or ["ended without a word"])[-1][:60]
    a_second = f", {rate:.0f}/s" if whole and runs > 1 else ""
    return f"{runs} runs, {seconds * 1e3:.0f} ms: {found}{a_second}"


def main(limit: float, names: list[str]) -> None:
    for name in names:
        print(f"\n{name}")
        for whole in (False, True):
            if PROGRAMS[name].goes_wrong or whole:
                print(f"  {'to the whole' if whole else 'to the first counterexample'}")
                for tool in TOOLS:
                    print(f"    {tool:24} {cell(tool, name, whole, limit)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in TOOLS:
        one(sys.argv[1], sys.argv[2], sys.argv[3] == "1")
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else LIMIT, sys.argv[2:] or list(PROGRAMS))
