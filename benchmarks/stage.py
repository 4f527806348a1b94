"""What a simulated run costs on a stage that is put up once for all of them, and alone."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import threadviz as tv
from benchmarks.simulate import race
from threadviz.schedule import InOrder
from threadviz.simulation.one_run import Simulation
from threadviz.stage.stage import exclusively


def empty() -> None:
    pass


def milliseconds(calls: dict[str, Callable[[], Any]], times: int) -> dict[str, float]:
    """Median milliseconds, real, of each call; the calls take turns, so that a busy moment meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - began) * 1e3)
    return {name: median(each) for name, each in taken.items()}


def main() -> None:
    print("a simulated run, milliseconds, medians of 300; the race has 8 workers")
    for name, scenario in (("empty", empty), ("race", race)):
        alone = milliseconds({"alone": partial(tv.simulate, scenario)}, 300)
        with exclusively(), Simulation(partial(scenario)) as simulation:
            staged = milliseconds(
                {
                    "on a stage": partial(simulation.run, InOrder()),
                    "on a stage, without notes": partial(simulation.run, InOrder(), noted=False),
                },
                300,
            )
        for what, each in (alone | staged).items():
            print(f"  {name:<6} {what:<28} {each:8.3f}   {alone['alone'] / each:6.1f} x faster than alone")


if __name__ == "__main__":
    main()
