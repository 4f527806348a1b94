"""Check-then-act on a primitive: a queue, lock or event was asked how it is, and that no longer held."""

from collections.abc import Iterator

from ..texts import clean
from ..trace import Trace
from .causality import called_on
from .fault import Fault, where, who

_QUEUE_ACTS = {"empty": "get", "full": "put", "qsize": "get"}  # what one asks before one does it


def stale_queues(trace: Trace) -> Iterator[Fault]:
    """A queue was asked, another thread was faster, and what the first one did then has no end, or raised."""
    for asked, what, name in _looks(trace, "Queue"):
        act = _QUEUE_ACTS.get(what)
        if act is None:
            continue
        lane = trace.events[asked].lane
        own = [i for i in range(asked + 1, len(trace.events)) if trace.events[i].lane == lane]
        call = next((i for i in own if trace.events[i].kind in ("call", "error", "get", "put")), None)
        if call is None:
            continue
        thread = trace.lanes[lane].name
        hangs = any(wait.thread == thread and wait.what == f"Queue.{act} of {name}" for wait in trace.waits)
        raised = any(trace.events[i].kind == "error" and trace.events[i].what in ("Empty", "Full") for i in own)
        done = any(trace.events[i].kind == act and trace.events[i].what == name for i in own)
        again = any(trace.events[i].what == trace.events[asked].what for i in own)
        faster = [
            i
            for i in range(asked + 1, len(trace.events))
            if trace.events[i].kind == act and trace.events[i].what == name and trace.events[i].lane != lane
        ]
        if faster and (hangs or raised) and not done and not again:
            verb = "got an item" if act == "get" else "put an item"
            asker, other = who(trace, asked), who(trace, faster[-1])
            yield Fault(
                "check-then-act",
                f"{asker} asked {clean(name)}.{what}(){where(trace, asked)}, {other} {verb}{where(trace, faster[-1])} "
                f"before {asker}'s own {act}{where(trace, call)}: check-then-act, and {asker} "
                f"{'waits for ever' if hangs else 'ends with an exception'}",
                (asked, faster[-1], call),
            )


def stale_answers(trace: Trace) -> Iterator[Fault]:
    """A lock or an event was asked how it is, another thread changed that, and only then the first one acted."""
    looks = list(_looks(trace, "Lock", "Event"))
    for asked, what, name in looks:
        me = trace.events[asked].lane
        if what == "locked" and _is_held(trace, name, asked):
            continue
        for act in ("acquire",) if what == "locked" else ("Event.set", "Event.clear"):
            done = [i for i in range(asked + 1, len(trace.events)) if _is_act(trace, i, act, name)]
            own = next((i for i in done if trace.events[i].lane == me), len(trace.events))
            again = any(asked < i < own and trace.events[i].lane == me for i, *_ in looks)
            if not done or done[0] == own or again:
                continue
            asker, other, verb = who(trace, asked), done[0], f"{act.partition('.')[2]} it" if "." in act else "took it"
            question = f"{asker} asked {clean(name)}.{what}(){where(trace, asked)}"
            seen = f"{question}, {who(trace, other)} {verb}{where(trace, other)}"
            if own < len(trace.events):
                end = f"before {asker} {verb}{where(trace, own)}: check-then-act, what {asker} had seen no longer held"
                yield Fault("check-then-act", f"{seen} {end}", (asked, other, own), sure=False)
            elif any(wait.thread == trace.lanes[me].name and wait.what == name for wait in trace.waits):
                end = f"before {asker} could: check-then-act, and {asker} waits for ever"
                yield Fault("check-then-act", f"{seen} {end}", (asked, other))


def _looks(trace: Trace, *kinds: str) -> Iterator[tuple[int, str, str]]:
    """Each question that was asked of a primitive with a name: which trace event it is, the question, the name."""
    for index, event in enumerate(trace.events):
        kind, _, what = event.what.partition(".")
        asks = what in ("empty", "full", "qsize", "locked", "is_set")
        if event.kind == "call" and asks and kind.endswith(kinds) and called_on(event):
            yield index, what, called_on(event)


def _is_act(trace: Trace, index: int, act: str, name: str) -> bool:
    event = trace.events[index]
    if act == "acquire":
        return event.kind == "acquire" and event.what == name
    return event.kind == "call" and event.what == act and called_on(event) == name


def _is_held(trace: Trace, lock: str, at: int) -> bool:
    last = [event.kind for event in trace.events[:at] if event.what == lock and event.kind in ("acquire", "release")]
    return bool(last) and last[-1] == "acquire"
