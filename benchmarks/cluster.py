"""What exploring gains from other processes: a process pool, and workers of Dask on this machine.

    python -m benchmarks.cluster

For small programs it gains nothing: sending parts of the search about costs more than making the runs.
"""

import time
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import threadviz as tv
from tests import explored

WORKERS = 2
PROGRAMS: list[tuple[Any, tuple[int, ...]]] = [
    (explored.race, (3,)),
    (explored.race, (4,)),
    (explored.race, (5,)),
    (explored.philosophers, (7,)),
]
MOST = 3000  # runs


def taken(program: Any, values: tuple[int, ...], executor: Executor | None) -> tuple[float, Any]:
    """Seconds, real, and what came of it."""
    began = time.perf_counter()
    found = tv.explore(program, *values, max_runs=MOST, executor=executor)
    return time.perf_counter() - began, found


def main() -> None:
    from distributed import Client, LocalCluster

    with (
        ProcessPoolExecutor(WORKERS) as pool,
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        there = client.get_executor()
        for executor in (None, pool, there):  # what is imported and rewritten once in each process
            taken(explored.race, (4,), executor)
        print(f"with {WORKERS} worker processes, times as fast as in one process")
        print(f"{'program':18} {'runs':>6} {'process pool':>13} {'Dask':>6}")
        for program, values in PROGRAMS:
            alone, found = taken(program, values, None)
            pooled, _ = taken(program, values, pool)
            dask, _ = taken(program, values, there)
            name = f"{program.__name__}({', '.join(map(str, values))})"
            print(f"{name:18} {found.runs:6} {alone / pooled:11.2f} x {alone / dask:4.2f} x")


if __name__ == "__main__":
    main()
