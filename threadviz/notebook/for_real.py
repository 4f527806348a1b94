"""The panel of `interact` that runs the scenario on real threads: once beside the simulated run, then many times."""

import asyncio
import html
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets

from ..run import Run

TIMES = 20
_BAR = 240  # CSS pixels of the longest bar


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def handed_over(home: asyncio.AbstractEventLoop | None, call: Callable[[], object]) -> bool:
    """Whether `call` is left to `home`, the event loop of the cell that made the widget.

    JupyterLab may tell a widget what the learner does in a thread of its own (a subshell), while a cell runs, and
    there no stop button ends a run.
    """
    if home is None or home.is_closed() or home is running_loop():
        return False
    home.call_soon_threadsafe(call)
    return True


class _StopButton:
    """Tells panels of an interrupt that comes between two runs, where a kernel ignores it."""

    def __init__(self) -> None:
        self._panels: list[ForReal] = []
        self._before: Any = None

    @contextmanager
    def heard_by(self, panel: "ForReal") -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if not self._panels:
            self._before = signal.signal(signal.SIGINT, self._press)
        self._panels.append(panel)
        try:
            yield
        finally:
            self._panels.remove(panel)
            # a cell that awaits has a handler of its own, and puts this one back, which then ignores it, too
            if not self._panels and signal.getsignal(signal.SIGINT) == self._press:
                signal.signal(signal.SIGINT, self._before if self._before is not None else signal.SIG_DFL)

    def _press(self, *_: object) -> None:
        for panel in self._panels:
            panel.stop()


_stop_button = _StopButton()


class ForReal(ipywidgets.VBox):  # type: ignore[misc]
    """A button, and what came of pressing it.  Nothing runs before.

    `settle` draws a movement of the controls that still waits for it.  `record` runs the scenario on real threads with
    the values that the controls have; `beside` gives the simulated run, and is told the recorded one, so that both
    stand on the same time axis.
    """

    def __init__(self, settle: Callable[[], object], record: Callable[[], Run], beside: Callable[[Run], Run]) -> None:
        self._settle = settle
        self._record = record
        self._beside = beside
        self._task: asyncio.Task[None] | None = None
        self._cancelled = self._stopped = False
        self._home = running_loop()
        self.run: Run | None = None
        self.outcomes: Counter[str] = Counter()
        self.start = ipywidgets.Button(description="run for real", tooltip="on real threads, in real time", icon="play")
        self.times = ipywidgets.BoundedIntText(TIMES, 1, 1000, description="times", layout={"width": "150px"})
        self.cancel = ipywidgets.Button(description="cancel", disabled=True)
        self._progress = ipywidgets.IntProgress(0, 0, TIMES, layout={"width": "200px", "visibility": "hidden"})
        self._picture = ipywidgets.HTML()
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

    def stop(self) -> None:
        """End the repetition after the run that goes on, and say that it was stopped."""
        self._cancelled = self._stopped = True

    def _cancel(self) -> None:
        self._cancelled = True

    def _press(self) -> None:
        if handed_over(self._home, self._press) or (self._task is not None and not self._task.done()):
            return
        loop = running_loop()
        if loop is not None:
            self._task = loop.create_task(self._repeat())
        else:  # there is nobody who could move or cancel anything meanwhile
            asyncio.run(self._repeat())

    async def _repeat(self) -> None:
        self._settle()
        self.clear()
        self._cancelled = self._stopped = False
        times = self.times.value
        self._progress.value, self._progress.max = 0, times
        self._progress.layout.visibility = "visible"
        self.start.disabled, self.cancel.disabled = True, False
        try:
            with _stop_button.heard_by(self):
                while sum(self.outcomes.values()) < times and not self._cancelled:
                    self._once()
                    await asyncio.sleep(0.01)  # the controls are heard between two runs
                    self._settle()  # a movement ends the repetition, before a run with the new values is counted
            if self._stopped:
                self._tell("stopped")
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
            self._picture.value = run.svg(self._beside(run))
        self._progress.value = sum(self.outcomes.values())
        self._tell("")

    def _tell(self, problem: str) -> None:
        said = f"<p><b>{html.escape(problem)}</b></p>" if problem else ""
        shown: tuple[Any, ...] = (self._row, self._told)
        if self.run is not None:
            said += self._outcomes() + (
                "<details><summary>The recorded picture in words</summary>"
                f"<pre>{html.escape(self.run.describe())}</pre></details>"
            )
            shown = (self._row, self._picture, self._told)
        self._told.value = said
        self.children = shown

    def _outcomes(self) -> str:
        """A bar each, the most frequent first."""
        runs = sum(self.outcomes.values())
        most = max(self.outcomes.values())
        rows = "".join(
            f"<tr><td>{html.escape(outcome)}</td><td><div style='background: #0072B2; height: 1em; "
            f"width: {_BAR * count // most}px'></div></td><td>{count} of {runs}</td></tr>"
            for outcome, count in self.outcomes.most_common(12)
        )
        if len(self.outcomes) > 12:
            rows += f"<tr><td>and {len(self.outcomes) - 12} more outcomes</td></tr>"
        return f"<table role='status'><caption>outcomes of {runs} runs on real threads</caption>{rows}</table>"
