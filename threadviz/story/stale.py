"""What was read and acted on when it no longer held: lost updates, and check-then-act on data that threads share."""

from collections.abc import Iterator

from ..texts import clean
from ..trace import NOTHING, Trace
from .causality import lost_updates
from .fault import Fault, Kind, where, who, with_value
from .sections import although, in_two_sections

_ANSWERS = frozenset(["None", "True", "False", NOTHING])  # nothing is computed from these: what is read so is a check
_EMPTY = (  # what containers say that have no such item
    *("pop from empty list", "pop from an empty deque", "pop from an empty set", "popitem(): dictionary is empty"),
    *("list index out of range", "deque index out of range"),
)


def stale_writes(trace: Trace) -> Iterator[Fault]:
    """A write over what another thread wrote in the meantime."""
    for lost in lost_updates(trace):
        lock = in_two_sections(trace, lost.read, lost.overwritten, lost.write)
        if trace.events[lost.read].value in _ANSWERS:
            yield _check(trace, lost.read, lost.overwritten, lost.write, lock)
        else:
            story = _story(trace, lost.read, lost.overwritten, lost.write, lock)
            end = f"an update is lost, that of {who(trace, lost.overwritten)}{although(lock)}"
            kind: Kind = "broken atomicity" if lock else "lost update"
            yield Fault(kind, f"{story}: {end}", (lost.read, lost.overwritten, lost.write))


def stale_checks(trace: Trace) -> Iterator[Fault]:
    """A value was looked at, another thread wrote, and only then came what the first one did about it."""
    since: dict[tuple[int, str], list[int]] = {}  # lane, place -> reads of it since the lane's own last write
    written: dict[str, int] = {}
    for index, event in enumerate(trace.events):
        reads = since.setdefault((event.lane, event.what), [])
        if event.kind == "read":
            reads.append(index)
        elif event.kind == "write":
            # What an update reads itself is no check: that was before.
            if len(reads) > 1 and trace.events[reads[-1]].line == event.line:
                other = written.get(event.what, -1)
                if reads[-2] < other < reads[-1] and _changed(trace, reads[-2], other):
                    lock = in_two_sections(trace, reads[-2], other, index)
                    yield _check(trace, reads[-2], other, index, lock)._replace(sure=False)
            since[event.lane, event.what] = []
            written[event.what] = index
        elif event.kind == "error":
            yield from _stale_before_an_error(trace, index, since, written)


def _stale_before_an_error(
    trace: Trace, error: int, since: dict[tuple[int, str], list[int]], written: dict[str, int]
) -> Iterator[Fault]:
    """A thread read a value twice, it had changed in between, and the second reading ended in an exception."""
    me = trace.events[error].lane
    mine = [i for i in range(error) if trace.events[i].lane == me and trace.events[i].kind in ("read", "write")]
    if not mine or trace.events[mine[-1]].kind != "read" or trace.events[mine[-1]].line != trace.events[error].line:
        return
    place = trace.events[mine[-1]].what
    reads, other = since.get((me, place), []), written.get(place, -1)
    if len(reads) > 1 and reads[-2] < other < reads[-1] and _changed(trace, reads[-2], other):
        lock = in_two_sections(trace, reads[-2], other, reads[-1])
        story = _story(trace, reads[-2], other, reads[-1], lock)
        end = f"check-then-act, and {who(trace, error)} ends with {clean(trace.events[error].what)}"
        yield Fault("check-then-act", f"{story}: {end}", (reads[-2], other, error))


def stale_contents(trace: Trace) -> Iterator[Fault]:
    """A container was looked at as a whole, another thread changed it, and only then the first one did."""
    looked: dict[tuple[int, str], int] = {}  # lane, container -> its newest look at it
    changed: dict[tuple[str, str], list[int]] = {}  # container, item or nothing -> who changed it
    fresh: dict[tuple[int, str], int] = {}  # lane, item -> its newest read
    for index, event in enumerate(trace.events):
        whole, _, item = event.what.partition("[")
        if event.kind == "read":
            (fresh if item else looked)[event.lane, event.what] = index
        elif event.kind == "write" and (item or event.value.endswith("()")):
            check = looked.pop((event.lane, whole), None)
            others = changed.setdefault((whole, item), [])
            other = others[-1] if others else -1
            seen = max(check if check is not None else index, fresh.get((event.lane, event.what), -1))
            if check is not None and other > seen and trace.events[other].lane != event.lane:
                lock = in_two_sections(trace, check, other, index)
                yield _check(trace, check, other, index, lock)._replace(sure=False)
            others.append(index)
        elif event.kind == "error":
            for (lane, container), check in looked.items():
                changes = [each for (what, _), found in changed.items() if what == container for each in found]
                theirs = [each for each in changes if each > check and trace.events[each].lane != event.lane]
                if lane == event.lane and theirs and _is_missing(trace, index, container):
                    story = _story(trace, check, max(theirs), index, "")
                    yield Fault(
                        "check-then-act",
                        f"{story}: check-then-act, and {who(trace, index)} ends with {clean(event.what)}",
                        (check, max(theirs), index),
                    )


def _is_missing(trace: Trace, error: int, container: str) -> bool:
    """Whether an exception says that there is no such item, in the words of the container itself."""
    what, text = trace.events[error].what, trace.events[error].value
    if what == "KeyError" and any(each.what == f"{container}[{text}]" for each in trace.events):
        return True
    return what in ("IndexError", "KeyError") and text.strip("'\"") in _EMPTY


def _changed(trace: Trace, read: int, write: int) -> bool:
    """Whether another thread wrote something else than was read; a value that is not told may be any."""
    one, other = trace.events[read], trace.events[write]
    return one.lane != other.lane and (not one.value or one.value != other.value)


def _check(trace: Trace, check: int, other: int, act: int, lock: str) -> Fault:
    story, actor = _story(trace, check, other, act, lock), who(trace, act)
    if lock:
        end = f"atomicity is broken, what {actor} had seen no longer held{although(lock)}"
        return Fault("broken atomicity", f"{story}: {end}", (check, other, act))
    return Fault(
        "check-then-act", f"{story}: check-then-act, what {actor} had seen no longer held", (check, other, act)
    )


def _story(trace: Trace, check: int, other: int, act: int, lock: str) -> str:
    place = trace.events[check].what
    under = f" under {clean(lock)}" if lock else ""
    return (
        f"{who(trace, check)} read {clean(place)}{with_value(trace, check)}{under}, {who(trace, other)} "
        f"{_did(trace, other, place)} before {who(trace, act)} {_did(trace, act, place)}"
    )


def _did(trace: Trace, index: int, place: str) -> str:
    event = trace.events[index]
    what, value = clean(event.what), clean(event.value)
    if event.kind == "read":
        return f"read it again{with_value(trace, index)}"
    if event.kind == "error":
        return f"went on{where(trace, index)}"
    if value.endswith("()"):
        done = f"deleted an item of {what}" if value == "del()" else f"called {what}.{value}"
    elif event.what == place:
        done = f"wrote {value or 'it'}"
    else:
        done = f"wrote {what}" + (f" = {value}" if value else "")
    return done + where(trace, index)
