"""From the notes of a recorded run to its trace."""

from functools import lru_cache
from types import CodeType
from typing import Any

from .recorder import GAP, MAX_NOTES, Note, Recorder, Track
from .trace import Trace, TraceEvent
from .tracing import printable


def assemble(recorder: Recorder, notes: list[Note], ended: int, told: list[str]) -> Trace:
    """The trace of what was noted until `ended` (nanoseconds on the recorder's clock); `told` is what was left out."""
    began = recorder.began
    events: list[TraceEvent] = []
    index: dict[int, int] = {}  # id of a note -> its place among the trace events
    holders: dict[Any, Track] = {}
    notes = sorted(notes, key=lambda note: note[0])
    if len(notes) >= MAX_NOTES:
        ended = notes[-1][0]
        told = [f"only the first {MAX_NOTES:,} notes were kept: what came later than the end is not shown", *told]
    for note in notes:
        time, track, kind, what, value, place, cause = note
        line = line_of(*place) if isinstance(place, tuple) else place
        now = time - began
        if kind == "span":
            state, since = value
            track.enter(since - began, state, what, line)
            track.enter(now, "running")
            continue
        if kind == "begin":
            track.since = now
        elif kind == "acquire":
            track.hold(what, value, now)
            holders[what] = track
        elif kind == "release":
            holder = holders.pop(what, None)
            if holder is not None and what in holder.holding:
                holder.let_go(what, now)
        elif kind == "end":
            track.let_go_of_all(now)
            track.close(now)
        if kind in ("acquire", "release"):
            what, value = value, ""
        index[id(note)] = len(events)
        reason = index.get(id(cause)) if cause is not None else None
        events.append(
            TraceEvent(now / 1e9, track.number, kind, printable(what), printable(value), line, reason)  # type: ignore[arg-type]
        )
    duration = ended - began
    lanes = [track for track in recorder.all if track.begun or track.number == 0]
    for track in lanes:
        if track.end is None or id(track.end) not in index:
            _leave(recorder, track, duration, events)
    if recorder.deadlocked:
        events.append(TraceEvent(duration / 1e9, 0, "deadlock"))
    waits = tuple(track.waits for track in lanes if recorder.deadlocked and track.waits is not None)
    return Trace(tuple(t.lane() for t in lanes), tuple(events), duration / 1e9, "real", waits, tuple(told))


@lru_cache(maxsize=10_000)
def line_of(code: CodeType, offset: int) -> int | None:
    """The line of the instruction at `offset`."""
    return next((line for start, end, line in code.co_lines() if start <= offset < end), None)


def _leave(recorder: Recorder, track: Track, duration: int, events: list[TraceEvent]) -> None:
    """A thread that had not ended when the run did."""
    if track.waiting is not None:
        since, state, label, line = track.waiting
        if since - recorder.began < duration:
            track.enter(max(since - recorder.began, track.since), state, label, line)
    if track.working is not None:
        start, last, label, line = track.working
        last = min(last - recorder.began, duration)
        track.enter(max(min(start - recorder.began, last), track.since), "running", label, line)
        if duration - last > GAP:
            track.enter(last, "ready", "off the CPU", line)
    track.ending = "deadlocked" if recorder.deadlocked else "abandoned" if track.daemon else "stopped"
    if track.ending == "abandoned":
        events.append(TraceEvent(duration / 1e9, track.number, "abandon"))
    track.let_go_of_all(duration)
    track.close(max(duration, track.since))
