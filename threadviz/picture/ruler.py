"""Where the instants of a run are on the axis.

The axis is true to the clock, except that an instant in which several things happen is stretched: each of them gets a
step of its own, in the order in which they happened.  So what stands further to the right never happened earlier.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from ..story.causality import hand_overs, is_marked, shared_attributes
from ..trace import Kind, Trace

PAD = 18.0  # pixels from the axes' left edge to time 0
STEP, LEAST_STEP = 11.0, 3.0  # pixels: of what happens in a stretched instant, at most and at least
NUMBERED = 44.0  # pixels of a step, at most, where nothing takes time
MARK = 11.0  # pixels from one mark to the next in a lane
STRETCHED = 0.35  # of the axis, at most, that stretched instants take
FIRST, LAST = -1.0, inf  # stand before and after all trace events of their instant

# What goes without a step, even where nothing takes time and every other trace event gets one.
_NO_STEP: frozenset[Kind] = frozenset({"end", "queue", "permits", "abandon", "deadlock", "sleep", "work"})
_STEPS: frozenset[Kind] = frozenset({"acquire", "release", "put", "get", "error", "failed"})


class Moment(NamedTuple):
    """A place on the axis: a time in seconds and, within that instant, the index of a trace event.

    An index between two whole numbers stands between two trace events.
    """

    time: float
    event: float = FIRST


class Ruler:
    """Tells moments' places on the axis, in pixels, once it knows its `scale` (pixels a second).

    Parameters
    ----------
    trace
        Its trace events are in the order in which they happened.
    timed
        False where nothing takes time: then all steps are of one width.
    room
        Pixels from time 0 to the right edge of the axes, less what else has to stand there.
    """

    def __init__(self, trace: Trace, timed: bool, room: float) -> None:
        self.scale = 0.0
        self.timed = timed
        self._events = trace.events
        self._offsets: dict[int, float] = {}  # of the trace events that have a step: from where their instant begins
        self._stretched: dict[float, tuple[list[int], float]] = {}  # the steps of an instant, and how wide it is
        for steps in _choices(trace, timed):
            if self._stretch(steps, room):
                break
        self._begun: dict[int, int] = {}
        self._own: dict[tuple[int, float], tuple[int, int]] = {}
        self._steps: dict[tuple[int, float], list[int]] = defaultdict(list)
        for index, event in enumerate(trace.events):
            if event.kind not in ("deadlock", "abandon"):  # these happen to a lane, which does nothing
                first, _ = self._own.get((event.lane, event.time), (index, index))
                self._own[event.lane, event.time] = first, index
            if event.kind == "begin" and event.cause is not None:
                self._begun[event.lane] = index
            if index in self._offsets:
                self._steps[event.lane, event.time].append(index)
        self._times = sorted(self._stretched)
        self._before = [0.0]  # pixels that the first n stretched instants take
        for time in self._times:
            self._before.append(self._before[-1] + self._stretched[time][1])

    def _stretch(self, steps: Iterable[int], room: float) -> bool:
        """Give each step a place in its instant; False, and nothing is stretched, if they would be too narrow."""
        together: dict[float, list[int]] = defaultdict(list)
        for index in steps:
            together[self._events[index].time].append(index)
        # alone in its instant a trace event needs no step
        together = {time: indices for time, indices in together.items() if len(indices) > 1 or not self.timed}
        count = sum(map(len, together.values()))
        if not count:
            return False
        most = max(room * STRETCHED if self.timed else room, 1.0)
        wide = min(STEP if self.timed else NUMBERED, most / count)
        widths = {time: self._place(indices, wide, MARK if self.timed else 0.0) for time, indices in together.items()}
        squeeze = min(1.0, most / sum(widths.values()))
        if self.timed and squeeze * wide < LEAST_STEP:
            self._offsets.clear()
            return False
        self._offsets = {index: offset * squeeze for index, offset in self._offsets.items()}
        self._stretched = {time: (indices, widths[time] * squeeze) for time, indices in together.items()}
        return True

    def _place(self, indices: list[int], wide: float, apart: float) -> float:
        """Put a step beside the other, two marks of one lane `apart`; return the width of them all."""
        at = -wide / 2
        marks: dict[int, float] = {}
        for index in indices:
            event = self._events[index]
            at += wide
            if event.kind in ("read", "write", "call", "wake"):  # those that may be marks
                at = max(at, marks.get(event.lane, -apart) + apart)
                marks[event.lane] = at
            self._offsets[index] = at
        return at + wide / 2

    def x(self, moment: Moment) -> float:
        """Return where a moment is."""
        time, index = moment
        at = bisect_left(self._times, time)
        start = PAD + time * self.scale + self._before[at]
        if index == FIRST or time not in self._stretched:
            return start
        if index in self._offsets:
            return start + self._offsets[int(index)]
        indices, wide = self._stretched[time]
        following = bisect_left(indices, index)
        if following == len(indices):
            return start + wide
        before = self._offsets[indices[following - 1]] if following else 0.0
        return start + (before + self._offsets[indices[following]]) / 2 if following else start

    def event(self, index: int) -> Moment:
        """Return the moment of a trace event."""
        return Moment(self._events[index].time, index)

    def first(self, lane: int, time: float) -> Moment:
        """Return when a lane does its first thing in an instant, or its beginning if it does nothing."""
        return Moment(time, self._own.get((lane, time), (FIRST, FIRST))[0])

    def last(self, lane: int, time: float) -> Moment:
        """Return when a lane does its last thing in an instant, or its beginning if it does nothing."""
        return Moment(time, self._own.get((lane, time), (FIRST, FIRST))[1])

    def begin(self, lane: int, time: float) -> Moment:
        """Return when a lane begins that is there from an instant on: it may have been started, and have to wait."""
        begins = self.first(lane, time)
        begun = self._events[self._begun[lane]] if lane in self._begun else None
        if begins.event == FIRST and begun is not None and begun.cause is not None:
            started = self.event(begun.cause)
            if started.time == time:
                return started._replace(event=started.event + 0.5)
        return begins

    def steps(self, lane: int, time: float) -> list[int]:
        """Return the trace events of a lane that have a step in an instant, as indices."""
        return self._steps.get((lane, time), [])

    def stretched(self, until: float = inf) -> float:
        """Return how many pixels all stretched instants take, or those up to a time (seconds)."""
        return self._before[bisect_left(self._times, until) + (until in self._stretched)]

    @property
    def instants(self) -> list[float]:
        """The times of the stretched instants."""
        return self._times if self.timed else []

    @property
    def numbered(self) -> list[float]:
        """Where the steps are, where nothing takes time; pixels."""
        return [] if self.timed else [PAD + offset for offset in self._offsets.values()]

    @property
    def step(self) -> float:
        """How wide a step is where nothing takes time; pixels."""
        return self.stretched() / max(len(self._offsets), 1)


def _choices(trace: Trace, timed: bool) -> Iterable[Sequence[int]]:
    """Tell which trace events get a step, with fewer and fewer of them."""
    events, overs = trace.events, hand_overs(trace)
    linked = {over.cause for over in overs} | {over.effect for over in overs}
    if not timed:
        seen = [i for i, event in enumerate(events) if i in linked or event.kind not in _NO_STEP]
        yield seen or range(len(events))
        return
    shared = shared_attributes(trace)

    yield [i for i, event in enumerate(events) if i in linked or event.kind in _STEPS or is_marked(event, shared)]
    yield [i for i, event in enumerate(events) if is_marked(event, shared) or event.kind in ("start", "begin")]
    yield [i for i, event in enumerate(events) if is_marked(event, shared)]
