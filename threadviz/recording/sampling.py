"""Where real threads really computed: their CPU clocks are looked at many times a second.

A thread that is neither in a wait that was noted nor done may compute, wait for the GIL, or wait in C for a socket, a
pipe or a process.  Only its own CPU clock tells, which runs while it computes.  Between two looks it is known how much
a thread has computed, and not when: that much is drawn as running, the rest as off the CPU.  Who has not computed for
longer than anybody waits for the GIL, while the looks came in time, waits for something real.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import real
from ..learner.code import learners_frame, line_at
from ..trace import Span

PERIOD = 0.01  # seconds, real: between two looks
LATE = 3  # times as long: the looks were held up themselves, by whoever held the GIL, or by another program
TURN = 0.02  # seconds, real: that a thread may be without the GIL for each other thread of the run
MOST_LOOKS = 100_000
MOST_PIECES = 40  # into which one span is split
BUSY, IDLE = 0.8, 0.05  # shares of the time between two looks: more is running throughout, less not at all

_clock_of: Any = getattr(time, "pthread_getcpuclockid", None)  # not on macOS and Windows


class Look(NamedTuple):
    """What one look found of one thread; nanoseconds."""

    now: int
    computed: int  # by it, so far
    line: int | None  # of the learner's code, where it is


def own_clock() -> int | None:
    """The CPU clock of the OS thread that asks."""
    return _clock_of(real.get_ident()) if _clock_of is not None else None


def own_look() -> Look:
    """What the thread that asks finds of itself."""
    # Not by the class's own `__new__`, which is in no file, and so taken for a line of the learner's to be ended at.
    return tuple.__new__(Look, (real.perf_counter_ns(), real.thread_time_ns(), None))


class Sampler:
    """Looks at the threads of a recorder from an OS thread of its own, which ends with the run."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder
        self._end, self._ended = real.allocate_lock(), real.allocate_lock()

    def __enter__(self) -> None:
        if _clock_of is not None:
            self._end.acquire()
            self._ended.acquire()
            real.start_new_thread(self._watch, ())

    def __exit__(self, *_: object) -> None:
        if self._end.locked():
            self._end.release()
            self._ended.acquire()

    def _watch(self) -> None:
        looks = 0
        while not self._end.acquire(timeout=PERIOD) and looks < MOST_LOOKS:
            tracks = [each for each in list(self._recorder.tracks.items()) if each[1].waiting is None]
            frames = real.current_frames() if tracks else {}
            for ident, track in tracks:
                try:
                    computed = time.clock_gettime_ns(track.clock)
                except OSError:  # it has just ended
                    continue
                frame = learners_frame(frames.get(ident))
                track.looks.append(Look(real.perf_counter_ns(), computed, line_at(frame) if frame else None))
                looks += 1
            del frames
        real.forget_own_thread()
        self._ended.release()


def split(spans: Sequence[Span], looks: Sequence[Look], began: int, threads: int) -> list[Span]:
    """The spans of a thread, its running ones in pieces by what the looks found; `began` in nanoseconds."""
    times = [(look.now - began) / 1e9 for look in looks]
    found: list[Span] = []
    for span in spans:
        if span.state == "running" and not span.label and span.end - span.start > 2 * PERIOD:
            first, last = bisect_left(times, span.start), bisect_right(times, span.end)
            if last - first >= 2:
                found += _pieces(span, times[first:last], looks[first:last], threads)
                continue
        found.append(span)
    return found


def cut(spans: Sequence[Span], times: Sequence[float]) -> list[Span]:
    """The spans, cut at those of the `times` well within one: looks do not see where a worker's calls begin."""
    pieces: list[Span] = []
    for span in spans:
        for at in times[bisect_right(times, span.start) : bisect_left(times, span.end)]:
            # What is nearer to an end is no more than what the looks are wrong by.
            if at - span.start > PERIOD and span.end - at > PERIOD:
                pieces.append(span._replace(end=at))
                span = span._replace(start=at)
        pieces.append(span)
    return pieces


def _pieces(span: Span, times: Sequence[float], looks: Sequence[Look], threads: int) -> list[Span]:
    pieces: list[Span] = []
    at = 0
    while at < len(looks) - 1:
        until = _idle_until(times, looks, at)
        if until > at and (times[until] - times[at]) > TURN * max(threads - 1, 1):
            pieces.append(Span("blocked", times[at], times[until], "something real", _line(looks[at : until + 1])))
        else:
            until = at + 1
            while until < len(looks) - 1 and times[until] - times[at] < (span.end - span.start) / MOST_PIECES:
                until += 1
            share = (looks[until].computed - looks[at].computed) / (looks[until].now - looks[at].now)
            middle = times[until] if share > BUSY else times[at] + (times[until] - times[at]) * share
            line = _line(looks[at : until + 1])
            pieces += [Span("running", times[at], middle), Span("ready", middle, times[until], "off the CPU", line)]
        at = until
    ends = [Span(first.state, span.start, first.start, first.label, first.line) for first in pieces[:1]]
    return _merged([*ends, *pieces, Span("running", times[-1], span.end)])


def _line(looks: Sequence[Look]) -> int | None:
    return next((look.line for look in reversed(looks) if look.line is not None), None)


def _idle_until(times: Sequence[float], looks: Sequence[Look], at: int) -> int:
    """The last of the looks from `at` on until which the thread has not computed, while they came in time."""
    until = at
    while until < len(looks) - 1:
        passed, computed = times[until + 1] - times[until], looks[until + 1].computed - looks[until].computed
        if computed > IDLE * passed * 1e9 or passed > LATE * PERIOD:
            break
        until += 1
    return until


def _merged(pieces: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for piece in pieces:
        if piece.end <= piece.start:
            continue
        if merged and (merged[-1].state, merged[-1].label) == (piece.state, piece.label):
            merged[-1] = merged[-1]._replace(end=piece.end)
        else:
            merged.append(piece)
    return merged
