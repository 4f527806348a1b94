"""A run in which steps count: they go downwards, a row each, and each has its source line beside its mark.

A thread is a column.  Where columns are wide enough, what a thread does stands in its own; where there are more
threads, it stands right of them all.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby

from ..story.causality import in_vain, is_act, is_time_out
from ..story.faults import faults
from ..story.words import is_step, step_words, why
from ..trace import NOBODY, Lane, Trace, TraceEvent, Wait
from .crossings import mark_kinds
from .layout import MARK_NAMES
from .lettering import fit, fit_middle, fit_start, printable, width, wrap
from .ruler import PAD, Ruler
from .shapes import (
    FILL_NAMES,
    GREY,
    INK,
    LETTERS,
    ORANGE,
    SMALL,
    About,
    Box,
    Fill,
    Label,
    MarkKind,
    Picture,
    counted,
    fill,
)
from .styles import boxes
from .timeline import RIGHT, WIDTH, Timeline, title_label

ROW, HEAD = 20.0, 24.0  # pixels of a step, and of the threads' names
NUMBERS = 34.0  # pixels left of the columns
OWN = 240.0  # pixels that a column needs for what its thread does to stand in it
SHARED = 400.0  # pixels of all columns together, at most, where it does not
BAR, STRIPE = 9.0, 4.0  # pixels of a thread's bar, and of a lock beside it
STUB = 10  # letters of a source line that says nothing any more
LEAST = 60.0  # pixels of a column that shows what its thread is called
MOST_ROWS, MOST_STRIPES = 60, 3
NAMES: dict[str, str] = dict(FILL_NAMES.items())
NAMES |= {"running": "makes a step", "ready": "could go on", "held": "holds a lock"}


def steps_timeline(trace: Trace, title: str, source: Mapping[int, str], failed: bool = False) -> Timeline:
    """Lay out a run that goes step by step; `source` has the text of each line, `failed` says that the run is wrong."""
    return _Table(trace, source, failed).timeline(title)


class _Table:
    def __init__(self, trace: Trace, source: Mapping[int, str], failed: bool) -> None:
        self._trace, self._source, self._failed = trace, source, failed
        steps = [(index, event) for index, event in enumerate(trace.events) if is_step(event)]
        self._steps, self._left_out = steps[:MOST_ROWS], len(steps[MOST_ROWS:])
        self._waits = [(self._lane(wait), wait) for wait in trace.waits] if not self._left_out else []
        self._wide = WIDTH - NUMBERS - RIGHT
        self._own = self._wide / max(len(trace.lanes), 1) >= OWN
        names = [width(printable(lane.name), LETTERS, True) + 12 for lane in trace.lanes]
        equal = (self._wide if self._own else SHARED) / max(len(names), 1)
        columns = names if not self._own and sum(names) <= SHARED else [equal] * len(names)
        self._named = not self._own and equal < LEAST  # a name has no room above its column: each row has it
        self._at = [0.0, *accumulate(columns)]
        high = HEAD + ROW * (len(self._steps) + len(self._waits))
        self._picture = Picture(self._wide, high, Ruler(Trace(()), False, 1.0), (), True, lanes_end=high)
        self._kinds = mark_kinds(trace)
        self._faulty = {index for fault in faults(trace, failed) for index in fault.events}

    def timeline(self, title: str) -> Timeline:
        picture = self._picture
        for index, lane in enumerate(self._trace.lanes):
            name = fit_middle(printable(lane.name), self._at[index + 1] - self._at[index] - 4, LETTERS + 1)
            picture.labels.append(Label(self._at[index], HEAD / 2, name, LETTERS, bold=True))
            self._bar(index, lane)
            self._locks(index)
        for row, (index, event) in enumerate(self._steps):
            self._step(row, index, event)
        for row, (index, wait) in enumerate(self._waits, len(self._steps)):
            on = f", held by {wait.holder}" if wait.on == "lock" and wait.holder else ""
            self._words(row, index, wait.line, printable(f"waits for {wait.what}{on}"), ORANGE)
        if self._left_out:
            picture.notes.append(counted(self._left_out, "more step{s} {are} not shown"))
        picture.notes += [printable(note) for note in self._trace.notes[:3]]
        _legend_and_notes(picture, why(self._trace, self._failed))
        return Timeline(picture, NUMBERS, WIDTH, (title_label(picture, title)._replace(x=10 - NUMBERS),))

    def _lane(self, wait: Wait) -> int:
        return next(index for index, lane in enumerate(self._trace.lanes) if lane.name == wait.thread)

    def _step(self, row: int, index: int, event: TraceEvent) -> None:
        y = HEAD + ROW * (row + 0.5)
        kind = self._kinds.get(index) or _kind(event)
        mark = self._at[event.lane] + BAR + MOST_STRIPES * STRIPE + 6, y
        colour = ORANGE if index in self._faulty else GREY
        self._picture.labels.append(Label(-8, y, str(row + 1), SMALL, "right", GREY))
        self._picture.marks[kind].append(mark)
        more = f": {NOBODY}" if in_vain(event) else f": {kind}" if index in self._kinds else ""
        told = f"{step_words(event)}{_value(event)}{more}"
        self._picture.about[mark] = About(
            self._trace.lanes[event.lane].name, f"{row + 1}. {told}", event.time, event.time, event.line
        )
        self._words(row, event.lane, event.line, printable(self._told(event, told)), colour)

    def _told(self, event: TraceEvent, told: str) -> str:
        """What a step does; in a column of its own without what the source line beside it says already."""
        if not self._own:
            return told
        if event.kind in ("read", "write") and event.value and not event.value.endswith("()"):
            return f"{event.kind}s {event.value}"
        if in_vain(event):
            return NOBODY
        if event.kind == "wake":
            return f"{event.what.rpartition('.')[2]}: {'time-out' if is_time_out(event) else 'goes on'}"
        if event.kind == "call" and event.what == "Thread.join":
            return f"waits for {event.value}" if event.value else told
        return f"calls {event.what.rpartition('.')[2]}" if event.kind == "call" else told

    def _words(self, row: int, lane: int, line: int | None, what: str, colour: str) -> None:
        """Put a source line, and what is done there, beside a mark or right of all columns."""
        y = HEAD + ROW * (row + 0.5)
        text = printable(self._source.get(line, "").strip()) if line is not None else ""
        if self._own:
            begin, end = self._at[lane] + BAR + MOST_STRIPES * STRIPE + 14, self._at[lane + 1] - 12
            shown, align, at = fit(what, end - begin, SMALL), "right", end
            room = end - begin - width(shown, SMALL) - 8
        else:
            begin = self._at[-1] + 10
            room = (self._wide - begin) * 0.48
            at = begin + room + 10
            shown, align = fit(what, self._wide - at, SMALL), "left"
        name = ""
        if self._named:
            name = fit_middle(printable(self._trace.lanes[lane].name), room * 0.4, SMALL) + (": " if text else "")
        text = fit_start(text, room - width(name, SMALL), SMALL)
        text = "" if len(text) < STUB and text.endswith("…") else text
        self._picture.labels.append(Label(begin, y, name + text, SMALL, colour=INK))
        self._picture.labels.append(Label(at, y, shown, SMALL, align, colour))  # type: ignore[arg-type]

    def _bar(self, index: int, lane: Lane) -> None:
        """The states of a thread: of all that could go on, one makes each step."""
        x = self._at[index]
        for state, rows in groupby(
            range(len(self._steps) + len(self._waits)), lambda row: self._state(index, lane, row)
        ):
            first, *others = rows
            if state is not None:
                last = others[-1] if others else first
                thin = (BAR - 1.5) / 2 if state == "thread" else 0.0
                box: Box = (x + thin, HEAD + ROW * first, x + BAR - thin, HEAD + ROW * (last + 1))
                self._picture.boxes[state].append(box)
                self._picture.about[box] = About(lane.name, NAMES[state], 0.0, 0.0)

    def _state(self, index: int, lane: Lane, row: int) -> Fill | None:
        if row >= len(self._steps):
            waits = [wait for at, wait in self._waits if at == index]
            return (waits[0].on or "blocked") if waits else None
        at, event = self._steps[row]
        if event.lane == index:
            return "running"
        begun = next(
            (i for i, each in enumerate(self._trace.events) if each.lane == index and each.kind == "begin"), -1
        )
        cause = self._trace.events[begun].cause if begun >= 0 else None
        ended = [i for i, each in enumerate(self._trace.events) if each.lane == index and each.kind == "end"]
        if at < (cause if cause is not None else -1) or (ended and at > ended[-1]):
            return None
        span = next((span for span in lane.spans if span.start <= event.time < span.end), None)
        if span is None:
            return None
        return "ready" if span.state == "running" else fill(span)

    def _locks(self, index: int) -> None:
        """The locks that a thread holds, a stripe each beside its bar, from the step that takes one."""
        end = HEAD + ROW * (len(self._steps) + len(self._waits))
        held: dict[str, tuple[int, float]] = {}
        for row, (_, event) in enumerate(self._steps):
            if event.lane != index:
                continue
            if event.kind == "acquire":
                free = [k for k in range(MOST_STRIPES) if k not in [stripe for stripe, _ in held.values()]]
                if free:
                    held[event.what] = free[0], HEAD + ROW * (row + 0.5)
            elif event.kind == "release" and event.what in held:
                self._stripe(index, event.what, *held.pop(event.what), HEAD + ROW * (row + 0.5))
        for lock, (stripe, top) in held.items():
            self._stripe(index, lock, stripe, top, end)

    def _stripe(self, index: int, lock: str, stripe: int, top: float, bottom: float) -> None:
        x = self._at[index] + BAR + 2 + stripe * STRIPE
        box = x, top, x + STRIPE - 1.5, bottom
        self._picture.held.append(box)
        self._picture.about[box] = About(self._trace.lanes[index].name, f"holds {lock}", 0.0, 0.0)


def _kind(event: TraceEvent) -> MarkKind:
    if event.kind in ("read", "write", "error"):
        return event.kind
    if in_vain(event):
        return "in vain"
    return "act" if is_act(event) else "time-out" if is_time_out(event) else "step"


def _value(event: TraceEvent) -> str:
    if event.kind not in ("read", "write") or not event.value or event.value.endswith("()"):
        return ""
    return f" = {event.value}"


def _legend_and_notes(picture: Picture, reasons: list[str]) -> None:
    """Put under the rows what went wrong, then what the fills and marks stand for, then what has to be said besides."""
    entries = [(kind, name) for kind, name in NAMES.items() if boxes(picture, kind)]
    entries += [(kind, name) for kind, name in MARK_NAMES.items() if picture.marks.get(kind)]  # type: ignore[call-overload]
    y = _sentences(picture, reasons, picture.height + 18, ORANGE)
    x, y = 0.0, y + (8 if reasons else 0)
    for what, text in entries:
        wide = 30 + width(text, SMALL + 0.5)
        if x + wide > picture.width and x > 0:
            x, y = 0.0, y + 18
        picture.legend.append((what, (x, y)))
        picture.labels.append(Label(x + 28, y, text, SMALL + 0.5))
        x += wide + 18
    picture.below = _sentences(picture, picture.notes, y + 20, INK) - picture.height - 4


def _sentences(picture: Picture, sentences: Sequence[str], y: float, colour: str) -> float:
    """Put sentences under one another, from `y` on; return where the next one would come."""
    for sentence in sentences:
        for line in wrap(printable(sentence), picture.width - PAD, SMALL + 0.5):
            picture.labels.append(Label(0, y, line, SMALL + 0.5, colour=colour))
            y += 16
    return y
