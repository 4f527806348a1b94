"""A progress bar, in a notebook and in a terminal, for an exploration that takes long."""

import threading
from types import TracebackType
from typing import Any

from .. import real

PATIENCE = 1.0  # seconds, real, before the bar comes


class Progress:
    """Counts runs; how many there will be is not known before the last one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._runs = 0
        self._due = real.perf_counter() + PATIENCE
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, runs: int = 1) -> None:
        """So many more runs have been made; to be called between two of them."""
        self._runs += runs
        if self._bar is not None:
            self._bar.update(runs)
        elif real.perf_counter() >= self._due:
            self._bar = _bar(self._what, self._runs)


def _bar(what: str, runs: int) -> Any:
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # it looks for ipywidgets, and takes a while

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # a thread of its own would be one that the learner has not started
        _lock = threading.RLock()  # tqdm's own is for several processes as well

    return Bar(desc=f"exploring {what}", unit=" runs", initial=runs, leave=False)
