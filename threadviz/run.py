"""`Run`: what came of one execution of a scenario."""

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .calls import outcome_text, sentence
from .errors import Deadlock
from .interrupts import held_back
from .learner.code import home, texts_of_lines
from .picture import svg
from .picture.steps import steps_timeline
from .picture.timeline import Timeline, timeline
from .stage.output import LogLine
from .stage.stage import Finished
from .story import words
from .story.causality import deadlock_cycle
from .story.chrome import trace_events
from .story.facts import Facts
from .tab import fetch
from .trace import Clock, Wait

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONG = 400  # characters of a schedule that is no longer written out


class Log(list[LogLine]):
    """What a run printed and logged, in order; shows itself as a line each: seconds, thread, text."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    __str__ = __repr__


class Run:
    """One execution of a scenario: its outcome, its trace, and what it printed and logged.

    Attributes
    ----------
    trace : Trace
        What every thread did.
    log : list of LogLine
        What was printed and logged, a line each, with time (seconds since the start) and thread.
    errors : dict of str to BaseException
        Thread name to exception, for threads that ended with one and for futures whose exception nobody asked for.
    schedule : Schedule
        The choices made; replays this run.
    outcome : str
        In words: the value's repr, `raises ValueError: text`, `deadlock`, or `stopped` for an error of threadviz's.
    replay : str
        The one line that runs this again: exactly, where it was simulated.
    """

    def __init__(
        self, call: str, done: Finished, seed: int | None = None, cores: int | None = None, unexpected: bool = False
    ) -> None:
        """`unexpected` says that the run is not as it should be, although it neither raised nor stood still."""
        self.trace = done.trace
        self.schedule = done.schedule
        self.log = Log(done.log)
        self.errors = done.errors
        self._call = call
        self._codes, self._home = done.codes, home()
        self._value = done.value
        self._error = Deadlock(words.deadlock_sentence(done.trace)) if done.deadlocked else done.error
        self._seed = seed
        self._cores = cores
        self._failed = unexpected or self._error is not None or bool(self.errors)
        self.outcome = outcome_text(done.value, self._error)
        self.replay = self._replay()

    def result(self) -> Any:
        """What the scenario returned; raises what it raised, `Deadlock` or `Stuck`."""
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> BaseException | None:
        """What ended the scenario's main thread, or None."""
        return self._error

    @property
    def deadlock(self) -> tuple[Wait, ...] | None:
        """None, or the cycle: thread, what it waits for, who holds it; all that wait where there is no cycle."""
        return (deadlock_cycle(self.trace) or self.trace.waits) if self.trace.waits else None

    @property
    def why(self) -> str:
        """What went wrong: what happened to whom, in which lines; empty where the trace does not show it.

        A lost update, check-then-act, a deadlock, a lost wake-up, or atomicity that is broken in spite of locks; a
        semaphore released too often, a barrier that waits for who does not come again, a pool that waits for itself,
        and a wait that was given up.
        """
        return "; ".join(words.why(self.trace, self._failed))

    @property
    def facts(self) -> Facts:
        """What can be asked of it: who slept, what was written without a lock, how long who waited."""
        return Facts(self.trace)

    @property
    def duration(self) -> float:
        """Seconds from start to end, on `clock`."""
        return self.trace.duration

    @property
    def clock(self) -> Clock:
        return self.trace.clock

    @property
    def title(self) -> str:
        """The call, its outcome, and how the run was made, in one line."""
        made = {"virtual": "simulated", "real": "recorded", "steps": "step by step"}[self.clock]
        if self._cores is not None:
            made += f", no GIL, {self._cores} core{'' if self._cores == 1 else 's'}"
        duration = f"{self.duration:.3g}" if self.clock == "real" else f"{self.duration:g}"
        # a scenario that returns nothing has nothing to say here
        came_out = "" if self.outcome == "None" else f" → {self.outcome}"
        unit = "steps" if self.clock == "steps" else "s"
        return f"{self._call}{came_out}   {made}, {duration} {unit}"

    def _replay(self) -> str:
        if self.clock == "real":
            return f"tv.record({self._arguments})"
        given = [self._arguments]
        if self._seed is not None:
            given.append(f"seed={self._seed}")
        if self._cores is not None:
            given.append(f"cores={self._cores}")
        if len(str(self.schedule)) > _LONG:
            given.append("schedule=run.schedule")
        elif len(self.schedule):
            given.append(f"schedule={str(self.schedule)!r}")
        return f"tv.simulate({', '.join(given)})"

    @property
    def _arguments(self) -> str:
        name, _, arguments = self._call.partition("(")
        if "…" in arguments:  # cut, so that it would be no Python
            return f"{name}, <the same arguments>"
        return f"{name}, {arguments.removesuffix(')')}" if arguments != ")" else name

    @cached_property
    def source(self) -> Mapping[int, str]:
        """What is written in the lines of the learner's code that the trace names."""
        return texts_of_lines(self._codes, self._home)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the timeline with matplotlib, into `ax` where one is given."""
        with held_back():  # here and below: matplotlib takes longer to import than all the rest
            fetch("matplotlib")
            from .picture import figure

        return figure.drawn(self._timeline()) if ax is None else figure.plot(self.trace, self.title, ax)

    def png(self) -> bytes:
        """The timeline as a PNG file's bytes."""
        with held_back():
            fetch("matplotlib")
            from .picture import figure

        return figure.saved(self._timeline())

    def on_paper(self) -> bytes | None:
        """What a stored notebook shows of the run: its PNG, or None without matplotlib, as in a browser tab."""
        return self.png() if find_spec("matplotlib") is not None else None

    def svg(self) -> str:
        """The timeline as an SVG document, with the picture in words as its description."""
        return svg.paint(self._timeline(), self.describe(), self.source)

    def _timeline(self, beside: "Run | None" = None) -> Timeline:
        if self.clock == "steps":
            title = self.title.rpartition(", ")[0]  # without how many there are: its rows are numbered
            return steps_timeline(self.trace, title, self.source, self._failed)
        return timeline(self.trace, self.title, beside.trace if beside is not None else None)

    def face(self, beside: "Run | None" = None) -> dict[str, str]:
        """What a live timeline shows of the run: its picture, its log and its words.

        The time axis is that of `beside`, too, where one is given: the two can stand one under the other.
        """
        from .picture.live import log_html  # here and below: ipywidgets

        laid_out = self._timeline(beside)
        places = [laid_out.left + x for x in laid_out.picture.outputs]
        return {
            "svg": svg.paint(laid_out, source=self.source),
            "log": log_html([str(line) for line in self.log], places),
            "words": self.describe(),
            "summary": "The picture in words",
        }

    def describe(self) -> str:
        """The picture in words, with what ended the run and how to run it again where something went wrong."""
        lines = [words.describe(self.trace, self.title, self._failed)]
        if self._error is not None and not isinstance(self._error, Deadlock):
            lines.append(sentence(type(self._error).__name__, self._error))
        ended = sum(lane.ending == "raised" for lane in self.trace.lanes[1:])  # the rest of the errors are futures'
        for number, (name, error) in enumerate(list(self.errors.items())[:6]):
            kind = type(error).__name__
            what = f"{name} ended with {kind}" if number < ended else f"nobody asked for the {kind} of a call in {name}"
            lines.append(sentence(what, error))
        if len(self.errors) > 6:
            lines.append(f"and {len(self.errors) - 6} more such exceptions")
        if self.clock != "real" and (self._error is not None or self.errors):
            lines.append(f"to run this again: {self.replay}")
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write the timeline to a `.png`, `.svg`, `.pdf` or `.json` file; ValueError for another ending.

        A `.json` file is a Chrome trace, which ui.perfetto.dev and chrome://tracing open.
        """
        path = Path(path)
        check_ending(path)
        if path.suffix == ".svg":
            path.write_text(self.svg() + "\n", encoding="utf-8")
        elif path.suffix == ".json":
            # Perfetto shows escapes as such
            text = json.dumps(trace_events(self.trace, self.title), ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
        else:
            with held_back():
                fetch("matplotlib")
                from .picture import figure

            path.write_bytes(figure.saved(self._timeline(), path.suffix[1:]))

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        from .picture.live import LiveTimeline

        live = LiveTimeline()
        live.show(self.face() | {"log": ""})  # which whoever made the run shows, if anybody does
        return live.bundle(self.on_paper(), self.describe())


def check_ending(path: Path) -> None:
    """ValueError for a name that `Run.save` does not take."""
    if path.suffix not in (".png", ".svg", ".pdf", ".json"):
        raise ValueError(f"cannot save {path.name!r}: the name must end in .png, .svg, .pdf or .json")
