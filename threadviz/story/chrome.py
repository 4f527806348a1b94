"""A trace in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

The format is Google's "Trace Event Format": `X` is an interval on one row, `i` an instant, `s` and `f` the two ends
of an arrow, `M` names a row.  Times are microseconds.  A row's intervals must not overlap, so the locks that a thread
holds are on rows of their own, below the thread's.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..texts import clean, cut
from ..trace import Held, Lane, Span, Trace, TraceEvent
from .causality import endless_wait, hand_overs, lost_updates, with_endless_waits
from .words import deadlock_sentence, lost_sentence, lost_sentences

TOLD = 3  # trace events of one thread at one instant that its mark names; the rest is counted there, told in `args`
LONG = 80  # characters of a mark's name
_PROCESS = 1

Entry = dict[str, Any]


def trace_events(trace: Trace, title: str = "") -> dict[str, Any]:
    """Return the trace as an object to write as JSON; the same trace gives the same object.

    Each lane is a row with its states, and marks for its trace events: one for each instant, as these viewers stack
    the marks of an instant on top of each other.  Nothing is left out.
    """
    trace = with_endless_waits(trace)
    rows = _Rows()
    lanes: list[int] = []
    intervals: list[Entry] = []
    for lane in trace.lanes:
        lanes.append(rows.add(clean(lane.name), daemon=lane.daemon, ending=lane.ending))
        for span in lane.spans:
            intervals.append(_state(lanes[-1], span, span is endless_wait(lane)))
        for row, held in _without_overlap(rows, lane):
            intervals.append(_interval(row, clean(held.lock), "held", held.start, held.end))
    entries = [*intervals, *_marks(trace, lanes), *_arrows(trace, lanes)]
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
    for held in sorted(lane.held, key=lambda held: (held.start, held.end)):
        free = next((i for i, (end, _) in enumerate(ends) if end <= held.start), len(ends))
        if free == len(ends):
            number = f" ({free + 1})" if free else ""
            ends.append((0.0, rows.add(f"{clean(lane.name)}: locks held{number}")))
        ends[free] = held.end, ends[free][1]
        yield ends[free][1], held


def _state(row: int, span: Span, endless: bool) -> Entry:
    about: dict[str, Any] = {"label": clean(span.label)} if span.label else {}
    if span.line is not None:
        about["line"] = span.line
    if span.on == "lock" and span.label.startswith("waits for "):
        lock, held_by, owner = clean(span.label).removeprefix("waits for ").partition(", held by ")
        about |= {"lock": lock, "owner": owner} if held_by else {"lock": lock}
    if endless:
        about["lasts"] = "for ever"
    return _interval(row, span.state, "state", span.start, span.end, **about)


def _marks(trace: Trace, lanes: list[int]) -> Iterator[Entry]:
    """One instant for all trace events of a thread at the same time."""
    lost = {each.write: lost_sentence(trace, each) for each in lost_updates(trace)}
    together: dict[tuple[int, float, bool], list[int]] = {}
    for index, event in enumerate(trace.events):
        together.setdefault((event.lane, _microseconds(event.time), event.kind == "deadlock"), []).append(index)
    for (lane, time, is_deadlock), indices in together.items():
        texts = [_text(trace.events[index]) + (f": {lost[index]}" if index in lost else "") for index in indices]
        name = "; ".join(texts[:TOLD])
        name += f"; and {len(texts) - TOLD} more" if len(texts) > TOLD else ""
        kinds = {trace.events[index].kind for index in indices} | {"lost update" for index in indices if index in lost}
        yield {
            "ph": "i",
            "name": cut(name, LONG),
            "cat": ",".join(sorted(kinds)),
            "s": "g" if is_deadlock else "t",
            "pid": _PROCESS,
            "tid": lanes[lane],
            "ts": time,
            "args": {"what": texts},
        }


def _arrows(trace: Trace, lanes: list[int]) -> Iterator[Entry]:
    for number, hand_over in enumerate(hand_overs(trace), 1):
        cause, effect = trace.events[hand_over.cause], trace.events[hand_over.effect]
        both = {"name": f"{cause.kind} {clean(cause.what)}".rstrip(), "cat": "hand-over", "id": number, "pid": _PROCESS}
        yield {"ph": "s", **both, "tid": lanes[cause.lane], "ts": _microseconds(cause.time)}
        yield {"ph": "f", "bp": "e", **both, "tid": lanes[effect.lane], "ts": _microseconds(effect.time)}


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
    text += f"{between}{clean(event.value)}" if event.value else ""
    return f"{text} (line {event.line})" if event.line is not None else text


def _metadata(name: str, row: int, about: dict[str, Any]) -> Entry:
    return {"ph": "M", "name": name, "pid": _PROCESS, "tid": row, "ts": 0, "args": about}


def _interval(row: int, name: str, category: str, start: float, end: float, **about: Any) -> Entry:
    begin = _nanoseconds(start)
    times = {"ts": _exact(begin), "dur": _exact(_nanoseconds(end) - begin)}
    return {"ph": "X", "name": name, "cat": category, "pid": _PROCESS, "tid": row, **times, "args": about}


def _rank(entry: Entry) -> int:
    """The order of what has the same time: what takes none, marks, arrows, and what goes on from then."""
    return {"i": 1, "s": 2, "f": 3}.get(entry["ph"], 4 if entry.get("dur") else 0)


def _microseconds(seconds: float) -> float:
    return _exact(_nanoseconds(seconds))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _exact(nanoseconds: int) -> float:
    """Microseconds that are still the same nanoseconds when a viewer multiplies by 1,000 and cuts off the rest.

    One nanosecond less would make an interval overlap the one before it, and Perfetto leaves such an interval out.
    """
    value = nanoseconds / 1000
    return value if int(value * 1000) == nanoseconds else math.nextafter(value, math.inf)
