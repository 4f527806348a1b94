"""The panel of `interact` that runs the scenario on real threads: once beside the simulated run, then many times."""

import asyncio
import html
from collections import Counter
from collections.abc import Callable
from typing import Any

import ipywidgets

from . import timeline
from .run import Run
from .trace import Trace

TIMES = 20
_BAR = 240  # CSS pixels of the longest bar


class ForReal(ipywidgets.VBox):  # type: ignore[misc]
    """A button, and what came of pressing it.  Nothing runs before.

    `settle` draws a movement of the controls that still waits for it.  `record` runs the scenario on real threads with
    the values that the controls have; `beside` gives the trace of the simulated run, and is told the recorded one, so
    that both stand on the same time axis.
    """

    def __init__(
        self, settle: Callable[[], object], record: Callable[[], Run], beside: Callable[[Trace], Trace]
    ) -> None:
        self._settle = settle
        self._record = record
        self._beside = beside
        self._timeline = timeline.Timeline()
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self.run: Run | None = None
        self.outcomes: Counter[str] = Counter()
        self.start = ipywidgets.Button(description="run for real", tooltip="on real threads, in real time", icon="play")
        self.times = ipywidgets.BoundedIntText(TIMES, 1, 1000, description="times", layout={"width": "150px"})
        self.cancel = ipywidgets.Button(description="cancel", disabled=True)
        self._progress = ipywidgets.IntProgress(0, 0, TIMES, layout={"width": "200px", "visibility": "hidden"})
        self._picture = ipywidgets.Image(format="png", layout={"width": f"{timeline.WIDTH:g}px", "max_width": "100%"})
        self._told = ipywidgets.HTML()
        self.start.on_click(lambda _: self._press())
        self.cancel.on_click(lambda _: self._cancel())
        self._row = ipywidgets.HBox([self.start, self.times, self.cancel, self._progress])
        super().__init__([self._row])

    def clear(self) -> None:
        """Forget what was run: it no longer belongs to where the controls stand."""
        self._cancel()
        self.run = None
        self.outcomes.clear()
        self._progress.layout.visibility = "hidden"
        self.children = (self._row,)

    def _cancel(self) -> None:
        self._cancelled = True

    def _press(self) -> None:
        if self._task is not None and not self._task.done():
            return
        try:
            self._task = asyncio.get_running_loop().create_task(self._repeat())
        except RuntimeError:  # no event loop: there is nobody who could move or cancel anything meanwhile
            asyncio.run(self._repeat())

    async def _repeat(self) -> None:
        self._settle()
        self.clear()
        self._cancelled = False
        times = self.times.value
        self._progress.value, self._progress.max = 0, times
        self._progress.layout.visibility = "visible"
        self.start.disabled, self.cancel.disabled = True, False
        try:
            while sum(self.outcomes.values()) < times and not self._cancelled:
                self._once()
                await asyncio.sleep(0.01)  # the controls are heard between two runs
                self._settle()  # a movement ends the repetition, before a run with the new values is counted
        except KeyboardInterrupt:
            self._tell("stopped")
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}")
        finally:
            self.start.disabled, self.cancel.disabled = False, True

    def _once(self) -> None:
        run = self._record()
        self.outcomes[run.outcome] += 1
        if self.run is None:
            self.run = run
            self._picture.value = self._timeline.png(run.trace, run.title, self._beside(run.trace))
        self._progress.value = sum(self.outcomes.values())
        self._tell("")

    def _tell(self, problem: str) -> None:
        """The outcomes so far, a bar each, the most frequent first."""
        runs = sum(self.outcomes.values())
        most = max(self.outcomes.values(), default=1)
        rows = "".join(
            f"<tr><td>{html.escape(outcome)}</td><td><div style='background: #0072B2; height: 1em; "
            f"width: {_BAR * count // most}px'></div></td><td>{count} of {runs}</td></tr>"
            for outcome, count in self.outcomes.most_common(12)
        )
        if len(self.outcomes) > 12:
            rows += f"<tr><td>and {len(self.outcomes) - 12} more outcomes</td></tr>"
        said = f"<p><b>{html.escape(problem)}</b></p>" if problem else ""
        words = html.escape(self.run.describe()) if self.run is not None else ""
        self._told.value = (
            f"{said}<table role='status'><caption>outcomes of {runs} runs on real threads</caption>{rows}</table>"
            f"<details><summary>The recorded picture in words</summary><pre>{words}</pre></details>"
        )
        shown: tuple[Any, ...] = (self._row, self._told)
        self.children = shown if self.run is None else (self._row, self._picture, self._told)
