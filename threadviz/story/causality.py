"""Why a run went as it did: lost updates, the cycle of a deadlock, who made whom go on.

Pure functions of a trace; nothing here draws or words anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeVar

from ..trace import NOBODY, Lane, Span, Trace, TraceEvent, Wait

Fact = TypeVar("Fact")


def once(find: Callable[[Trace], Fact]) -> Callable[[Trace], Fact]:
    """Find a fact of a trace once: pictures, words and explanations ask for it again and again."""

    @wraps(find)
    def found(trace: Trace) -> Fact:
        if find.__name__ not in trace.facts:
            trace.facts[find.__name__] = find(trace)
        fact: Fact = trace.facts[find.__name__]
        return fact

    return found


@dataclass(frozen=True, slots=True)
class LostUpdate:
    """A thread read, another one wrote, and the first wrote over that without having seen it.

    All three are indices into ``Trace.events``.
    """

    read: int  # the thread's own last read, by now stale
    overwritten: int  # the other thread's write that gets lost
    write: int  # the write that loses it


@dataclass(frozen=True, slots=True)
class HandOver:
    """One thread made another one go on; both are indices into ``Trace.events``."""

    cause: int
    effect: int


@dataclass(frozen=True, slots=True)
class QueueLife:
    """How full one queue was: `steps` are a time and the number of items from then on, the first one of zero items."""

    name: str
    maxsize: int | None  # None without a bound
    steps: tuple[tuple[float, int], ...]
    events: tuple[int, ...]  # the index of what made each step; -1 for the first one
    hand_overs: int  # items that one thread put and another one got

    @property
    def most(self) -> tuple[float, int]:
        """When there were most items in it for the first time, and how many."""
        return max(self.steps, key=lambda step: step[1])


@once
def deadlock_cycle(trace: Trace) -> tuple[Wait, ...]:
    """Return the waits of a deadlock that wait for one another in a circle.

    The circle starts with the wait that comes first in ``trace.waits``, and each wait is followed by that of
    its holder.  It is empty when there is no circle, as when everyone waits for an event that nobody sets.
    """
    of_thread: dict[str, Wait] = {}
    for wait in trace.waits:
        of_thread.setdefault(wait.thread, wait)
    followed: set[str] = set()
    for first in trace.waits:
        path: list[Wait] = []
        step: Wait | None = of_thread[first.thread]
        while step is not None and step.thread not in followed:
            followed.add(step.thread)
            path.append(step)
            step = of_thread.get(step.holder or "")
        if step is not None and step in path:
            circle = path[path.index(step) :]
            start = circle.index(min(circle, key=trace.waits.index))
            return tuple(circle[start:] + circle[:start])
    return ()


@once
def lost_updates(trace: Trace) -> tuple[LostUpdate, ...]:
    """Return every write over another thread's update that the writing thread had not seen.

    Each write gives its place a new version.  A thread has seen the version that its last read found.  A
    write without any read before it is no lost update: nothing was computed from a stale value.  Nor is one over
    the very value that was read, whoever wrote it again in the meantime.
    """
    newest: dict[str, tuple[int, int]] = {}  # place -> (version, the write that made it)
    seen: dict[tuple[int, str], tuple[int, int]] = {}  # lane, place -> (version, the read that saw it)
    lost = []
    for index, event in enumerate(trace.events):
        version, last_write = newest.get(event.what, (0, -1))
        if event.kind == "read":
            seen[event.lane, event.what] = version, index
        elif event.kind == "write":
            seen_version, read = seen.get((event.lane, event.what), (version, -1))
            stale = seen_version < version and trace.events[last_write].lane != event.lane and not _adds(event.value)
            if stale and _differ(trace.events[read].value, trace.events[last_write].value):
                lost.append(LostUpdate(read, last_write, index))
            newest[event.what] = version + 1, index
    return tuple(lost)


def _adds(written: str) -> bool:
    """Whether it was a container's own method, as `append()`: such a write overwrites nothing that was read before."""
    return written.endswith("()")


def _differ(read: str, overwritten: str) -> bool:
    return not read or read != overwritten  # a value that is not told may be any


@once
def hand_overs(trace: Trace) -> tuple[HandOver, ...]:
    """Return what made what possible in another thread, in the order of the effects.

    Start and first step, release and acquire, put and get of the same item, set and the end of a wait for it.  A
    wait that ends with a get is told by the get alone.
    """
    found: list[HandOver] = []
    ended_wait: dict[int, int] = {}  # lane -> place in `found` of a wait that ended in the lane's newest trace event
    for index, event in enumerate(trace.events):
        before = ended_wait.pop(event.lane, None)
        if event.cause is None or trace.events[event.cause].lane == event.lane:
            continue
        if event.kind == "get" and before is not None:
            found[before] = HandOver(-1, -1)
        elif event.kind == "wake":
            ended_wait[event.lane] = len(found)
        found.append(HandOver(event.cause, index))
    return tuple(over for over in found if over.cause >= 0)


@once
def queue_lives(trace: Trace) -> tuple[QueueLife, ...]:
    """Return how full each queue was, in the order of their first use."""
    bounds: dict[str, int | None] = {}
    steps: dict[str, list[tuple[float, int, int]]] = {}
    handed: dict[str, int] = {}
    for index, event in enumerate(trace.events):
        if event.kind == "queue":
            bounds[event.what] = int(event.value) if event.value else None
            steps[event.what], handed[event.what] = [(0.0, 0, -1)], 0
        elif event.kind in ("put", "get"):
            steps[event.what].append((event.time, int(event.value), index))
            other = event.cause is not None and trace.events[event.cause].lane != event.lane
            handed[event.what] += event.kind == "get" and other
    return tuple(
        QueueLife(
            name,
            bounds[name],
            tuple((time, items) for time, items, _ in steps[name]),
            tuple(index for _, _, index in steps[name]),
            handed[name],
        )
        for name in bounds
    )


ACTS = frozenset(
    {"Event.set", "Event.clear", "Condition.notify", "Condition.notify_all", "Future.cancel", "Timer.cancel"}
    | {"Barrier.abort", "Barrier.reset"}
)


def is_act(event: TraceEvent) -> bool:
    """Whether it is a call that is there to change what others wait for."""
    return event.kind == "call" and event.what in ACTS and event.line is not None


def in_vain(event: TraceEvent) -> bool:
    """Whether it is a `notify` when nobody was waiting."""
    return event.kind == "call" and event.value.endswith(NOBODY)


def called_on(event: TraceEvent) -> str:
    """What a call is one of, as far as that was noted: 'q' for a `Queue.get` of q."""
    return event.value.removesuffix(NOBODY).removesuffix(": ") if event.kind == "call" else ""


def is_time_out(event: TraceEvent) -> bool:
    return event.kind == "wake" and event.value == "time-out"


def is_marked(event: TraceEvent, shared: frozenset[str]) -> bool:
    """Whether it has a mark of its own, where these attributes are shared."""
    return (event.kind in ("read", "write") and event.what in shared) or is_act(event) or is_time_out(event)


@once
def shared_attributes(trace: Trace) -> frozenset[str]:
    """Return the attributes that threads can disturb one another with.

    Two threads at least read or write it, and one of them writes when another one has begun: what was set up
    before the others began, such as a lock, is a constant for them.
    """
    begun: dict[int, int] = {}
    touched_by: dict[str, set[int]] = {}
    writes: dict[str, list[tuple[int, int]]] = {}
    for index, event in enumerate(trace.events):
        if event.kind == "begin":
            begun.setdefault(event.lane, index)
        elif event.kind in ("read", "write"):
            touched_by.setdefault(event.what, set()).add(event.lane)
            if event.kind == "write":
                writes.setdefault(event.what, []).append((index, event.lane))
    return frozenset(
        what
        for what, lanes in touched_by.items()
        if any(
            lane != writer and begun.get(lane, -1) < index for index, writer in writes.get(what, []) for lane in lanes
        )
    )


def with_endless_waits(trace: Trace) -> Trace:
    """Return the trace with a wait at the end of every deadlocked lane, even one that began in the last instant."""
    if not trace.waits:
        return trace
    waits = {wait.thread: wait for wait in reversed(trace.waits)}
    lanes = []
    for lane in trace.lanes:
        wait = waits.get(lane.name)
        if lane.ending == "deadlocked" and wait and not endless_wait(lane):
            held_by = f", held by {wait.holder}" if wait.on == "lock" and wait.holder is not None else ""
            span = Span("blocked", lane.end, lane.end, f"waits for {wait.what}{held_by}", wait.line, wait.on)
            lane = replace(lane, spans=(*lane.spans, span))
        lanes.append(lane)
    return replace(trace, lanes=tuple(lanes))


def endless_wait(lane: Lane) -> Span | None:
    """Return the wait that a deadlocked lane ends with."""
    last = lane.spans[-1] if lane.spans else None
    return last if lane.ending == "deadlocked" and last and last.state == "blocked" else None


@dataclass(frozen=True, slots=True)
class Turn:
    """An interval in which one thread computed, and so held the GIL; in seconds."""

    lane: int  # index into ``Trace.lanes``
    start: float
    end: float


@once
def gil_turns(trace: Trace) -> tuple[Turn, ...]:
    """Return who held the GIL when, as far as CPU work (`tv.work`) shows it.

    Empty where fewer than two threads compute, where none waits, and where they compute side by side, as without one.
    """
    turns = sorted(
        (
            Turn(lane, span.start, span.end)
            for lane, of in enumerate(trace.lanes)
            for span in of.spans
            if span.state == "running" and span.label.startswith("work ")
        ),
        key=lambda turn: (turn.start, turn.end),
    )
    waits = [span.label for lane in trace.lanes for span in lane.spans if span.state == "ready"]
    if len({turn.lane for turn in turns}) < 2 or not any("GIL" in wait or wait == "off the CPU" for wait in waits):
        return ()
    near = 0.0 if trace.clock == "virtual" else 0.001  # a recorded thread looks at the clock only now and then
    joined: list[Turn] = []
    for turn in turns:
        last = joined.pop() if joined else turn
        if last.lane == turn.lane and turn.start - last.end <= near:
            joined.append(replace(last, end=max(last.end, turn.end)))
        elif last.end <= turn.start:
            joined += [last, turn]
        elif min(last.end, turn.end) - turn.start <= near + 1e-9:  # in a pause that was too short to be noted
            joined += [replace(last, end=turn.start), turn]
            joined += [replace(last, start=turn.end)] if last.end > turn.end else []
        else:
            return ()
    return tuple(joined)
