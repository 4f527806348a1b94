"""From the notes of a recorded run to its trace."""

import gc
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from types import CodeType
from typing import Any

from ..learner.code import line_in
from ..learner.places import shared
from ..texts import printable
from ..trace import Trace, TraceEvent, Wait
from .recorder import MAX_NOTES, Recorder
from .sampling import cut, split
from .tracks import GAP, AnyNote, Described, Note, SpanNote, Spot, TouchNote, Track

MOST_HOLDERS = 4  # that a wait names


def assemble(
    recorder: Recorder, notes: list[AnyNote], touches: list[TouchNote], ended: int, left_out: list[str]
) -> Trace:
    """The trace of what was noted until `ended` (nanoseconds on the recorder's clock), and what `left_out` says of it.

    Of the `touches` only those of places that threads share come into it.
    """
    # The collector would look at everything again and again while the trace grows, which takes as long as all the rest.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _assemble(recorder, notes, touches, ended, left_out)
    finally:
        if collecting:
            gc.enable()


def _assemble(
    recorder: Recorder, notes: list[AnyNote], touches: list[TouchNote], ended: int, left_out: list[str]
) -> Trace:
    began = recorder.began
    events: list[TraceEvent] = []
    index: dict[int, int] = {}  # id of a note -> its place among the trace events
    holds = _Locks()
    accesses, all_there = _of_shared_places(notes, touches)
    if not (all_there and recorder.hears_all):
        left_out = ["there were too many reads and writes to keep them all: some are not shown", *left_out]
    full = len(notes) >= MAX_NOTES
    notes = sorted([*notes, *accesses], key=lambda note: note[0])
    if full:
        ended = notes[-1][0]
        left_out = [f"only the first {MAX_NOTES:,} notes were kept: what came after them is not shown", *left_out]
    main = recorder.all[0]
    current = {main.thread.ident: main}  # OS thread's identity -> the thread of the run that it is now
    note: Any
    for note in notes:
        now = note[0] - began
        if isinstance(note, SpanNote):
            label = note.label
            if note.lock is not None:
                label = _waits_for(label, holds[note.lock].during(note.since - began, note.got))
            note.track.enter(note.since - began, note.state, label, _line(note.place), note.on)
            note.track.enter(now, "running")
            continue
        track: Track | None
        if isinstance(note, Note):
            _, track, kind, what, value, place, cause = note
        else:
            _, ident, kind, lock, code, offset, cause = note
            track = current.get(ident)
            if kind == "acquire":
                holds[lock].acquire(track, now)
            else:
                holds[lock].release(now, len(events) if track is not None else None)
            if track is None:
                continue
            what, value, place = lock._name, "", None if code is None else (code, offset)
        line = _line(place)
        if kind == "begin":
            track.since = now
            current[track.thread.ident] = track
        elif kind == "end":
            track.close(now)
            current.pop(track.thread.ident, None)
        reason = index.get(id(cause)) if isinstance(cause, tuple | None) else holds[cause].released
        index[id(note)] = len(events)
        events.append(TraceEvent(now / 1e9, track.number, kind, printable(what), printable(value), line, reason))
    duration = ended - began
    lanes = [track for track in recorder.all if track.begun or track.number == 0]
    for track in lanes:
        if track.end is None or id(track.end) not in index:
            _leave(recorder, track, duration, events, holds, full)
        track.let_go_of_all(duration)  # a lock stays locked when its holder ends
    before = [track.spans for track in lanes]
    for track in lanes:
        track.spans = split(track.spans, track.looks, began, len(lanes))
    if before != [track.spans for track in lanes]:
        left_out = [*left_out, "when a thread computed is known only roughly: its CPU clock was looked at every 10 ms"]
    for track in lanes:
        track.spans = cut(track.spans, [call.start for call in track.calls])
    if recorder.deadlocked:
        events.append(TraceEvent(duration / 1e9, 0, "deadlock"))
    waits = tuple(
        _endless(track, track.waiting[1], holds) for track in lanes if recorder.deadlocked and track.waiting is not None
    )
    return Trace(tuple(t.lane() for t in lanes), tuple(events), duration / 1e9, "real", waits, tuple(left_out))


def _of_shared_places(notes: list[Any], touches: list[TouchNote]) -> tuple[list[Note], bool]:
    """The touches of what threads share, as notes, and whether these are all there were."""
    begun = {note.track.number: note.when for note in notes if isinstance(note, Note) and note.kind == "begin"}
    known = [touch._replace(place=touch.place.known_as) for touch in touches]
    places = shared(((touch.when, touch.track.number, touch.kind, touch.place) for touch in known), begun)
    kept = [touch for touch in known if id(touch.place) in places]
    found = [Note(when, track, kind, place.name, value, line, None) for when, track, kind, place, value, line in kept]
    return found, not any(touch.place.cut for touch in kept)


class _Holds:
    """Who held a lock, one thread after another; None is one that is not of the run.

    A lock's notes have the time when it was got, or when it was about to be let go: it was really held at both.  So
    the holds are in their true order and do not overlap; each was really a little longer than the notes tell.
    """

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.threads: list[Track | None] = []
        self.ends: list[int] = []  # of all holds but one that goes on
        self.released: int | None = None  # index of the trace event of the last release, if that was of the run

    def acquire(self, track: Track | None, now: int) -> None:
        self._end(now)  # where its release was not noted
        self.threads.append(track)
        if track is not None:
            track.hold(self, self.lock._name, now)

    def release(self, now: int, event: int | None) -> None:
        """Whoever lets it go; `event` is the index of the trace event."""
        self._end(now)
        self.released = event

    def _end(self, now: int) -> None:
        if len(self.threads) > len(self.ends):
            self.ends.append(now)
            holder = self.threads[-1]
            if holder is not None:
                holder.let_go(self, now)

    def last(self) -> Track | None:
        """Who holds it now."""
        return self.threads[-1] if len(self.threads) > len(self.ends) else None

    def during(self, since: int, got: bool) -> list[Track]:
        """Who held it, one after the other, during a wait that ends now; the first few.

        Where nobody did, going by the notes, the wait was for the last one before, who was about to let it go.  That
        is certain only for a wait that got the lock: else somebody may have got it before, and not noted it yet.
        """
        at = bisect_left(self.ends, since)
        if at == len(self.threads) and got:
            at = max(at - 1, 0)
        holders: list[Track] = []
        for holder in islice(self.threads, at, None):
            if holder is not None and holder not in holders[-1:]:
                holders.append(holder)
                if len(holders) == MOST_HOLDERS:
                    break
        return holders


class _Locks(dict[Any, _Holds]):
    """Every lock of a run that has a name."""

    def __missing__(self, lock: Any) -> _Holds:
        self[lock] = _Holds(lock)
        return self[lock]


def _waits_for(lock: str, holders: Sequence[Track | None]) -> str:
    names = ", then ".join(holder.name for holder in holders if holder is not None)
    return f"waits for {lock}" + (f", held by {names}" if names else "")


def _endless(track: Track, described: Described, holds: _Locks) -> Wait:
    holder = holds[described.holder].last() if described.on == "lock" else described.holder
    name = holder.name if holder is not None else None
    return Wait(track.name, described.what, name, _line(described.place), described.on)


def _line(place: int | Spot | None) -> int | None:
    return line_of(*place) if isinstance(place, tuple) else place


def line_of(code: CodeType, offset: int) -> int | None:
    """The line of the instruction at `offset`."""
    line = _number(code, offset)
    return None if line is None else line_in(code.co_filename, line)


@lru_cache(maxsize=10_000)
def _number(code: CodeType, offset: int) -> int | None:
    return next((line for start, end, line in code.co_lines() if start <= offset < end), None)


def _leave(
    recorder: Recorder, track: Track, duration: int, events: list[TraceEvent], holds: _Locks, full: bool
) -> None:
    """A thread that had not ended when the run did, or when no more notes were kept."""
    if waiting := track.cut_wait or track.waiting:
        since, (state, label, place, holder, what, on) = waiting
        line = _line(place)
        if on == "lock":
            since_began = since - recorder.began
            of = holds[holder]
            label = _waits_for(what, [of.last()] if recorder.deadlocked else of.during(since_began, False))
        if since - recorder.began < duration:
            track.enter(max(since - recorder.began, track.since), state, label, line, on)
    if track.working is not None:
        start, last, label, line = track.working
        last = min(last - recorder.began, duration)
        track.enter(max(min(start - recorder.began, last), track.since), "running", label, line)
        if duration - last > GAP:
            track.enter(last, "ready", "off the CPU", line)
    if recorder.deadlocked:
        track.ending = "deadlocked"
    else:
        track.ending = "goes on" if full else "abandoned" if track.daemon else "stopped"
    if track.ending == "abandoned":
        events.append(TraceEvent(duration / 1e9, track.number, "abandon"))
    track.close(max(duration, track.since))
