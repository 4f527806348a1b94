"""A trace in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

The format is Google's "Trace Event Format": `X` is an interval on one row, `i` an instant, `s` and `f` the two ends
of an arrow, `C` a value that changes, `M` names a row.  Times are microseconds.  A row's intervals must not overlap,
so the locks that a thread holds are on rows of their own, below the thread's.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..texts import clean, cut
from ..trace import Held, Lane, Span, Trace, TraceEvent
from .causality import endless_wait, hand_overs, lost_updates, queue_lives, with_endless_waits
from .words import deadlock_sentence, lost_sentence, lost_sentences

LONG = 40  # characters of a name
FOR_EVER = 0.1  # of the run, that a wait without an end goes on after it
_PROCESS = 1

Entry = dict[str, Any]


def trace_events(trace: Trace, title: str = "") -> dict[str, Any]:
    """Return the trace as an object to write as JSON; the same trace gives the same object.

    Each lane is a row with its states, named by what the thread does, and a mark for each of its trace events; each
    queue is a curve.  What takes no time has no interval, as nobody could see it.
    """
    trace = with_endless_waits(trace)
    rows = _Rows()
    lanes: list[int] = []
    intervals: list[Entry] = []
    for lane in trace.lanes:
        lanes.append(rows.add(clean(lane.name), daemon=lane.daemon, ending=lane.ending))
        for span in lane.spans:
            endless = span is endless_wait(lane)
            until = span.end + max(FOR_EVER * trace.duration, 0.001) if endless else span.end
            if until > span.start:
                intervals.append(_state(lanes[-1], span, until, endless))
        for row, held in _without_overlap(rows, lane):
            intervals.append(_interval(row, clean(held.lock), "held", held.start, held.end))
    times = _times(trace)
    entries = [*intervals, *_marks(trace, lanes, times), *_arrows(trace, lanes, times), *_depths(trace)]
    entries.sort(key=lambda entry: (entry["ts"], _rank(entry)))
    about = {"title": clean(title), "clock": trace.clock, "seconds": trace.duration}
    return {
        "traceEvents": [_metadata("process_name", 0, {"name": clean(title) or "threads"}), *rows.names, *entries],
        "displayTimeUnit": "ms",
        "otherData": about | _findings(trace),
    }


class _Rows:
    """The rows in the order in which they are to be shown; numbered from 1, as 0 is the idle thread in Perfetto."""

    def __init__(self) -> None:
        self.names: list[Entry] = []
        self._count = 0

    def add(self, name: str, **about: Any) -> int:
        self._count += 1
        self.names.append(_metadata("thread_name", self._count, {"name": name, **about}))
        self.names.append(_metadata("thread_sort_index", self._count, {"sort_index": self._count}))
        return self._count


def _without_overlap(rows: _Rows, lane: Lane) -> Iterator[tuple[int, Held]]:
    """Give each lock that the lane held a row where nothing else is held at that time."""
    ends: list[tuple[float, int]] = []  # of each row: when its last lock was let go, the row's number
    for held in sorted((held for held in lane.held if held.end > held.start), key=lambda held: held[1:]):
        free = next((i for i, (end, _) in enumerate(ends) if end <= held.start), len(ends))
        if free == len(ends):
            number = f" ({free + 1})" if free else ""
            ends.append((0.0, rows.add(f"{clean(lane.name)}: locks held{number}")))
        ends[free] = held.end, ends[free][1]
        yield ends[free][1], held


def _state(row: int, span: Span, until: float, endless: bool) -> Entry:
    about: dict[str, Any] = {"label": clean(span.label)} if span.label else {}
    if span.line is not None:
        about["line"] = span.line
    if span.on == "lock" and span.label.startswith("waits for "):
        lock, held_by, owner = clean(span.label).removeprefix("waits for ").partition(", held by ")
        about |= {"lock": lock, "owner": owner} if held_by else {"lock": lock}
    if endless:
        about["lasts"] = "for ever"
    name = cut(clean(span.label).split(": ")[0].split(", ")[0], LONG) or span.state
    return _interval(row, name, span.state, span.start, until, **about)


def _times(trace: Trace) -> list[int]:
    """Return when each trace event is shown, in nanoseconds: those of one instant are one apart.

    Viewers stack marks of the same time on top of each other, and take no arrow that goes back.
    """
    times: list[int] = []
    newest = -1
    for event in trace.events:
        newest = max(_nanoseconds(event.time), newest + 1)
        times.append(newest)
    return times


def _marks(trace: Trace, lanes: list[int], times: list[int]) -> Iterator[Entry]:
    lost = {each.write: lost_sentence(trace, each) for each in lost_updates(trace)}
    for index, (event, time) in enumerate(zip(trace.events, times, strict=True)):
        text = _text(event)
        about: dict[str, Any] = {"what": f"{text}: {lost[index]}" if index in lost else text}
        if event.line is not None:
            about["line"] = event.line
        yield {
            "ph": "i",
            "name": cut(text, LONG),
            "cat": f"{event.kind},lost update" if index in lost else event.kind,
            "s": "g" if event.kind == "deadlock" else "t",
            "pid": _PROCESS,
            "tid": lanes[event.lane],
            "ts": _exact(time),
            "args": about,
        }


def _arrows(trace: Trace, lanes: list[int], times: list[int]) -> Iterator[Entry]:
    ends = [[_nanoseconds(span.end) for span in lane.spans if span.end > span.start] for lane in trace.lanes]

    def on_an_interval(index: int) -> int:
        """When an arrow begins or ends: where no interval begins or goes on, at the end of the last one."""
        of_lane = ends[trace.events[index].lane]
        return min(times[index], of_lane[-1] - 1) if of_lane else times[index]

    for number, hand_over in enumerate(hand_overs(trace), 1):
        cause = trace.events[hand_over.cause]
        name = f"{cause.kind} {clean(cause.what)}".rstrip()
        both = {"name": name, "cat": "hand-over", "id": number, "pid": _PROCESS}
        until = on_an_interval(hand_over.effect)
        since = min(on_an_interval(hand_over.cause), until)
        yield {"ph": "s", **both, "tid": lanes[cause.lane], "ts": _exact(since)}
        yield {"ph": "f", "bp": "e", **both, "tid": lanes[trace.events[hand_over.effect].lane], "ts": _exact(until)}


def _depths(trace: Trace) -> Iterator[Entry]:
    """How many items each queue holds: of one instant the last number."""
    for life in queue_lives(trace):
        name = clean(life.name)
        for time, items in dict(life.steps).items():
            yield {
                "ph": "C",
                "name": name if name.startswith("queue") else f"queue {name}",
                "pid": _PROCESS,
                "tid": 0,
                "ts": _exact(_nanoseconds(time)),
                "args": {"items": items},
            }


def _findings(trace: Trace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if trace.waits:
        found["deadlock"] = deadlock_sentence(trace)
    if lost := lost_sentences(trace):
        found["lost updates"] = lost
    if trace.notes:
        found["notes"] = [clean(note) for note in trace.notes]
    return found


def _text(event: TraceEvent) -> str:
    between = ": " if event.kind in ("error", "failed") else " = "
    text = f"{event.kind} {clean(event.what)}".rstrip()
    return f"{text}{between}{clean(event.value)}" if event.value else text


def _metadata(name: str, row: int, about: dict[str, Any]) -> Entry:
    return {"ph": "M", "name": name, "pid": _PROCESS, "tid": row, "ts": 0, "args": about}


def _interval(row: int, name: str, category: str, start: float, end: float, **about: Any) -> Entry:
    begin = _nanoseconds(start)
    times = {"ts": _exact(begin), "dur": _exact(_nanoseconds(end) - begin)}
    return {"ph": "X", "name": name, "cat": category, "pid": _PROCESS, "tid": row, **times, "args": about}


def _rank(entry: Entry) -> int:
    """The order of what has the same time: what begins then comes before what lies on it."""
    return {"X": 0, "C": 1, "i": 2, "s": 3, "f": 4}[entry["ph"]]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _exact(nanoseconds: int) -> float:
    """Microseconds that are still the same nanoseconds when a viewer multiplies by 1,000 and cuts off the rest.

    One nanosecond less would make an interval overlap the one before it, and Perfetto leaves such an interval out.
    """
    value = nanoseconds / 1000
    return value if int(value * 1000) == nanoseconds else math.nextafter(value, math.inf)
