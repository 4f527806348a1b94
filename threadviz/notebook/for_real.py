"""The panel of `interact` that runs the scenario on real threads: once beside the simulated run, then many times."""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets

from .. import tab
from ..picture.live import LiveTimeline, outcomes_html
from ..run import Run

TIMES = 20
_KEPT = 99  # runs of a repetition among which the typical one is looked for


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def handed_over(home: asyncio.AbstractEventLoop | None, call: Callable[[], object]) -> bool:
    """Whether `call` is left to `home`, the event loop of the cell that made the widget.

    JupyterLab may tell a widget what the learner does in a thread of its own (a subshell), while a cell runs, and
    there no stop button ends a run.  In a browser tab what the page tells comes where no run can be simulated.
    """
    if home is None or home.is_closed() or (home is running_loop() and tab.can_switch()) or not tab.can_ever_switch():
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
        self._ended = ""  # how the repetition was ended before its time
        self._home = running_loop()
        self._at: dict[str, Any] = {}
        self._face: dict[str, str] = {}  # of the first run
        self.run: Run | None = None  # that is shown: the first, and at the end the one of median length
        self._runs: list[Run] = []
        self.outcomes: Counter[str] = Counter()
        # Neither button is ever disabled: the one that was pressed would lose the focus.
        self.start = ipywidgets.Button(description="run for real", tooltip="on real threads, in real time", icon="play")
        self.times = ipywidgets.BoundedIntText(TIMES, 1, 1000, description="times", layout={"width": "130px"})
        self.times.style.description_width = "initial"
        self.cancel = ipywidgets.Button(description="cancel", tooltip="end the runs on real threads")
        self._live = LiveTimeline()
        self.start.on_click(lambda _: self._press())
        self.cancel.on_click(lambda _: self._cancel())
        super().__init__([ipywidgets.HBox([self.start, self.times, self.cancel]), self._live])

    def clear(self, at: dict[str, Any]) -> None:
        """Forget what was run: it no longer belongs to where the controls stand, which is `at`."""
        self._end("moved")
        self._at = at
        self.run = None
        self._runs.clear()
        self.outcomes.clear()
        self._live.show({})

    @property
    def is_repeating(self) -> bool:
        return self._task is not None and not self._task.done()

    def stop(self) -> None:
        """End the repetition after the run that goes on, and say that it was stopped."""
        self._end("stopped")

    def _cancel(self) -> None:
        self._end("cancelled")

    def _end(self, why: str) -> None:
        self._ended = self._ended or why

    def _press(self) -> None:
        if handed_over(self._home, self._press) or self.is_repeating:
            return
        loop = running_loop()
        if loop is not None:
            self._task = loop.create_task(self._repeat())
        else:  # there is nobody who could move or cancel anything meanwhile
            asyncio.run(self._repeat())

    async def _repeat(self) -> None:
        self._settle()
        self.clear(self._at)
        self._ended = ""
        times = self.times.value
        try:
            self._live.at = self._at
            with _stop_button.heard_by(self):
                while sum(self.outcomes.values()) < times and not self._ended:
                    self._tell("running…")
                    self._once()
                    await asyncio.sleep(0.01)  # the controls are heard between two runs
                    self._settle()  # a movement ends the repetition, before a run with the new values is counted
            if self._ended != "moved":
                # the first one is often the slowest, and would squeeze the simulated run beside it
                self._choose(sorted(self._runs, key=lambda run: run.duration)[len(self._runs) // 2])
                self._tell(self._ended)
        except KeyboardInterrupt:
            self._tell("stopped")
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}")

    def _once(self) -> None:
        run = self._record()
        self.outcomes[run.outcome] += 1
        if len(self._runs) < _KEPT:
            self._runs.append(run)
        if self.run is None:
            self._choose(run)

    def _choose(self, run: Run) -> None:
        if run is not self.run:
            self.run = run
            which = f", of {len(self._runs)} runs the one of median length" if len(self._runs) > 1 else ""
            summary = f"The recorded picture in words{which}"
            self._face = run.face(self._beside(run)) | {"log": "", "summary": summary}

    def _tell(self, said: str) -> None:
        """Say how it goes on, and show what there is: the outcomes first, as the picture may fill the screen."""
        counted = outcomes_html(self.outcomes.most_common(), "runs on real threads")
        self._live.show(self._face if self.run is not None else {}, said, counted)
