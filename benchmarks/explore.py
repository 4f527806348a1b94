"""What exploring costs: runs a second, and the time to the whole, for programs of tests/explored.py; and of what."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

import threadviz as tv
from tests import explored
from threadviz.exploration.search import Search
from threadviz.schedule import InOrder
from threadviz.simulation.one_run import Simulation
from threadviz.stage.stage import exclusively

PROGRAMS: list[tuple[Callable[..., Any], tuple[int, ...]]] = [
    (explored.race, (2,)),
    (explored.race, (3,)),
    (explored.race, (4,)),
    (explored.pool, ()),
    (explored.philosophers, (3,)),
    (explored.philosophers, (5,)),
    (explored.philosophers, (7,)),
]
BATCHES, RUNS = 100, 16  # the quickest batch of so many runs counts


def nothing() -> None:
    pass


def three_made() -> list[threading.Thread]:
    return [threading.Thread(target=nothing) for _ in range(3)]


def three_run() -> None:
    explored.together(*[nothing] * 3)


def bare() -> int:
    """The race of three, as greenlets that stop before each access: no run can take less."""
    box, hub = explored.Box(), getcurrent()

    def add() -> None:
        hub.switch()
        value = box.value
        hub.switch()
        box.value = value + 1

    stacks = [greenlet(thread.run) for thread in [threading.Thread(target=add) for _ in range(3)]]
    for _ in range(3):
        for stack in stacks:
            stack.switch()
    return box.value


def microseconds(run: Callable[[], Any]) -> float:
    """Of CPU time, as other programs may run at the same time."""
    quickest = float("inf")
    for _ in range(BATCHES):
        began = time.process_time()
        for _ in range(RUNS):
            run()
        quickest = min(quickest, (time.process_time() - began) / RUNS)
    return quickest * 1e6


def on_a_stage(program: Callable[[], Any], searched: bool = False) -> float:
    with exclusively(), Simulation(partial(program), steps=True, noted=False) as simulation:
        search = Search()

        def run_and_analyse() -> None:
            nonlocal search
            simulation.run(search)
            found: Any = simulation.newest
            search.analyse(found)
            search.interleavings()
            if not search.advance():
                search = Search()

        for _ in range(2 * RUNS):  # which finds out what is shared, and begins anew when that has grown
            search = Search()
            simulation.run(search)
        search = Search()
        return microseconds(run_and_analyse if searched else partial(simulation.run, InOrder()))


def main() -> None:
    tv.explore(explored.race, 2)  # what is imported and rewritten once
    print(f"{'program':18} {'runs':>6} {'complete':>9} {'runs a second':>14} {'ms to the whole':>16}")
    for program, arguments in PROGRAMS:
        tv.explore(program, *arguments, max_runs=1)
        began = time.perf_counter()
        found = tv.explore(program, *arguments)
        took = time.perf_counter() - began
        name = f"{program.__name__}({', '.join(map(str, arguments))})"
        print(f"{name:18} {found.runs:6} {found.complete!s:>9} {found.runs / took:14.0f} {took * 1e3:16.0f}")
    race = partial(explored.race, 3)
    print(f"\n{'one run':44} {'µs':>6}")
    for text, took in (
        ("race(3) as bare greenlets and Thread objects", microseconds(bare)),
        ("nothing, on a stage", on_a_stage(nothing)),
        ("three threads made", on_a_stage(three_made)),
        ("three threads made, started and joined", on_a_stage(three_run)),
        ("race(3), one thread after the other", on_a_stage(race)),
        ("race(3), searched and counted", on_a_stage(race, searched=True)),
    ):
        print(f"{text:44} {took:6.0f}")


if __name__ == "__main__":
    main()
