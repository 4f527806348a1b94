"""What exploring costs: runs a second, and the time to the whole, for programs of tests/explored.py."""

import time
from collections.abc import Callable
from typing import Any

import threadviz as tv
from tests import explored

PROGRAMS: list[tuple[Callable[..., Any], tuple[int, ...]]] = [
    (explored.race, (2,)),
    (explored.race, (3,)),
    (explored.race, (4,)),
    (explored.pool, ()),
    (explored.philosophers, (3,)),
    (explored.philosophers, (5,)),
    (explored.philosophers, (7,)),
]


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


if __name__ == "__main__":
    main()
