"""A progress bar, in a notebook and in a terminal, for an exploration that takes long."""

import math
import threading
from types import TracebackType
from typing import Any

from .. import kernel, real

PATIENCE = 1.0  # seconds, real, before the bar comes


class ProgressBar:
    """Counts runs; how many there will be is not known before the last one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._runs = 0
        self._due = real.perf_counter() + PATIENCE
        self._bar: Any = None

    def __enter__(self) -> "ProgressBar":
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
            self._due = math.inf
            self._bar = _bar(self._what, self._runs)


def _bar(what: str, runs: int) -> Any:
    """The bar; none where a program runs a notebook, whose output must not differ from run to run."""
    in_notebook = kernel.shell() is not None
    if in_notebook and not kernel.notebook():
        return None
    if in_notebook:
        from tqdm.notebook import tqdm  # type: ignore[import-untyped]
    else:
        from tqdm.std import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # a thread of its own would be one that the learner has not started
        _lock = threading.RLock()  # tqdm's own is for several processes as well

    options: dict[str, Any] = {"desc": f"exploring {what}", "unit": " runs", "initial": runs, "leave": False}
    return _InNotebook(Bar(**options, display=False)) if in_notebook else Bar(**options)


class _InNotebook:
    """A bar whose output is empty in the end, so that the notebook is saved without it."""

    def __init__(self, bar: Any) -> None:
        from IPython.display import DisplayHandle

        self._bar, self._shown = bar, DisplayHandle()  # type: ignore[no-untyped-call]
        self._shown.display(bar.container)  # type: ignore[no-untyped-call]

    def update(self, runs: int) -> None:
        self._bar.update(runs)

    def close(self) -> None:
        self._bar.close()
        self._shown.update({"text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]
