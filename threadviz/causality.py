"""Why a run went as it did: lost updates, the cycle of a deadlock, who made whom go on.

Pure functions of a trace; nothing here draws or words anything.
"""

from dataclasses import dataclass

from threadviz.trace import Trace, Wait


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


def deadlock_cycle(trace: Trace) -> tuple[Wait, ...]:
    """Return the waits of a deadlock that wait for one another in a circle.

    The circle starts with the wait that comes first in ``trace.waits``, and each wait is followed by that of
    its holder.  It is empty when there is no circle, as when everyone waits for an event that nobody sets.
    """
    of_thread: dict[str, Wait] = {}
    for wait in trace.waits:
        of_thread.setdefault(wait.thread, wait)
    for first in trace.waits:
        path = [first]
        while (following := of_thread.get(path[-1].holder or "")) is not None and following not in path:
            path.append(following)
        if following is first:
            return tuple(path)
    return ()


def lost_updates(trace: Trace) -> tuple[LostUpdate, ...]:
    """Return every write over another thread's update that the writing thread had not seen.

    Each write gives its attribute a new version.  A thread has seen the version that its last read found.  A
    write without any read before it is no lost update: nothing was computed from a stale value.
    """
    newest: dict[str, tuple[int, int]] = {}  # attribute -> (version, the write that made it)
    seen: dict[tuple[int, str], tuple[int, int]] = {}  # lane, attribute -> (version, the read that saw it)
    lost = []
    for index, event in enumerate(trace.events):
        version, last_write = newest.get(event.what, (0, -1))
        if event.kind == "read":
            seen[event.lane, event.what] = version, index
        elif event.kind == "write":
            seen_version, read = seen.get((event.lane, event.what), (version, -1))
            if seen_version < version and trace.events[last_write].lane != event.lane:
                lost.append(LostUpdate(read, last_write, index))
            newest[event.what] = version + 1, index
    return tuple(lost)


def hand_overs(trace: Trace) -> tuple[HandOver, ...]:
    """Return what made what possible in another thread, in the order of the effects.

    Start and first step, release and acquire, put or set and the end of a wait for it.
    """
    return tuple(
        HandOver(event.cause, index)
        for index, event in enumerate(trace.events)
        if event.cause is not None and trace.events[event.cause].lane != event.lane
    )


def shared_attributes(trace: Trace) -> frozenset[str]:
    """Return the attributes that two or more threads read or wrote."""
    lanes: dict[str, set[int]] = {}
    for event in trace.events:
        if event.kind in ("read", "write"):
            lanes.setdefault(event.what, set()).add(event.lane)
    return frozenset(what for what, touched_by in lanes.items() if len(touched_by) > 1)
