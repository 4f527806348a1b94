"""Wake-ups that came too early: a `notify` when nobody was waiting, an event that was cleared before anybody saw it."""

from collections.abc import Iterator

from ..texts import clean
from ..trace import NOBODY, Trace
from .causality import called_on, in_vain, shared_attributes
from .fault import Fault, container, where, who

_NOTIFIES = ("Condition.notify", "Condition.notify_all")


def lost_wake_ups(trace: Trace) -> Iterator[Fault]:
    """The waits of a deadlock that somebody would have ended, had he not come too early."""
    for wait in trace.waits:
        for index, name in _last_call(trace, wait.thread):
            before = _calls_before(trace, index, name)
            if trace.events[index].what == "Condition.wait":
                yield from _notified_too_early(trace, index, name, before)
            elif trace.events[index].what == "Event.wait":
                yield from _cleared_too_early(trace, index, name, before)


def _notified_too_early(trace: Trace, wait: int, name: str, before: list[int]) -> Iterator[Fault]:
    notified = [i for i in before if trace.events[i].what in _NOTIFIES]
    is_last = notified and not _is_called_later(trace, wait, name, _NOTIFIES)
    if is_last and in_vain(trace.events[notified[-1]]) and not _has_looked(trace, notified[-1], wait):
        early = notified[-1]
        what, waiter = trace.events[early].what.partition(".")[2], who(trace, wait)
        yield Fault(
            "lost wake-up",
            f"{who(trace, early)} called {what} on {clean(name)}{where(trace, early)} when {NOBODY}, before "
            f"{waiter} waited{where(trace, wait)}: the wake-up is lost, and {waiter} waits for ever",
            (early, wait),
        )


def _has_looked(trace: Trace, notified: int, wait: int) -> bool:
    """Whether who waits has read, after the `notify`, what was written before it: it waits for something else."""
    lane, shared = trace.events[notified].lane, shared_attributes(trace)
    before = (each for each in trace.events[:notified] if each.lane == lane and each.kind == "write")
    written = {container(each.what) for each in before if each.what in shared}
    between = trace.events[notified:wait]
    mine = (each for each in between if each.lane == trace.events[wait].lane and each.kind == "read")
    return any(container(each.what) in written for each in mine)


def _cleared_too_early(trace: Trace, wait: int, name: str, before: list[int]) -> Iterator[Fault]:
    if _is_called_later(trace, wait, name, ("Event.set",)):
        return
    waiter = who(trace, wait)
    for clear in (i for i in reversed(before) if trace.events[i].what == "Event.clear"):
        sets = [i for i in before if i < clear and trace.events[i].what == "Event.set"]
        if sets and trace.events[sets[-1]].lane != trace.events[wait].lane:
            again = "" if trace.events[clear].lane == trace.events[sets[-1]].lane else f"{who(trace, clear)} "
            yield Fault(
                "lost wake-up",
                f"{who(trace, sets[-1])} set {clean(name)}{where(trace, sets[-1])}, and {again}cleared it"
                f"{where(trace, clear)} before {waiter} waited for it{where(trace, wait)}: the wake-up is lost, and "
                f"{waiter} waits for ever",
                (sets[-1], clear, wait),
            )
            return


def _last_call(trace: Trace, thread: str) -> Iterator[tuple[int, str]]:
    """The call that a thread is in, and on what: for a Condition, the lock that it lets go of tells as well."""
    for index in range(len(trace.events) - 1, -1, -1):
        event = trace.events[index]
        if event.kind != "call" or trace.lanes[event.lane].name != thread:
            continue
        name = called_on(event)
        if not name and event.what == "Condition.wait":
            later = (each for each in trace.events[index + 1 :] if each.lane == event.lane)
            name = next((each.what for each in later if each.kind == "release"), "")
        if name:
            yield index, name
        return


def _calls_before(trace: Trace, index: int, name: str) -> list[int]:
    """The calls on something since the thread that waits for it now has last been in there, as indices."""
    me, what = trace.events[index].lane, trace.events[index].what
    since = [
        i
        for i, event in enumerate(trace.events[:index])
        if event.lane == me and event.kind in ("wake", "call") and event.what == what
    ]
    first = since[-1] if since else -1
    return [
        i
        for i in range(first + 1, index)
        if trace.events[i].kind == "call"
        and called_on(trace.events[i]) == name
        and (trace.events[i].lane != me or trace.events[i].what == "Event.clear")
    ]


def _is_called_later(trace: Trace, index: int, name: str, what: tuple[str, ...]) -> bool:
    later = trace.events[index + 1 :]
    return any(event.kind == "call" and event.what in what and called_on(event) in (name, "") for event in later)
