"""A simulated run of the source text's race against the same program in real time."""

import concurrent.futures
import logging
import time
from collections.abc import Callable
from statistics import median

import threadviz as tv


class FakeDatabase:
    def __init__(self) -> None:
        self.value = 0

    def update(self, name: int) -> None:
        logging.info("Thread %s: starting update", name)
        local_copy = self.value
        local_copy += 1
        time.sleep(0.1)
        self.value = local_copy
        logging.info("Thread %s: finishing update", name)


def race(workers: int = 8) -> int:
    database = FakeDatabase()
    with concurrent.futures.ThreadPoolExecutor(max_workers=workers) as executor:
        for index in range(workers):
            executor.submit(database.update, index)
    return database.value


def seconds(call: Callable[[], object], times: int) -> float:
    """Median seconds, real, of `times` calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)


def main() -> None:
    assert tv.simulate(race).result() == race() == 1
    simulated, real = seconds(lambda: tv.simulate(race), 200), seconds(race, 10)
    empty = seconds(lambda: tv.simulate(lambda: None), 200)
    print("the race with 8 workers and sleeps of 0.1 s, medians")
    print(f"  {'in real time':<40} {real * 1e3:8.1f} ms")
    print(f"  {'simulated':<40} {simulated * 1e3:8.1f} ms   {real / simulated:6.1f} x faster")
    print(f"  {'of which an empty run':<40} {empty * 1e3:8.1f} ms   {empty / simulated:6.2f} of it")


if __name__ == "__main__":
    main()
