"""One thing that went wrong in a run, and how the threads and lines of its trace events are told."""

from typing import Literal, NamedTuple

from ..texts import clean
from ..trace import Trace

Kind = Literal[
    "lost update",
    "check-then-act",
    "broken atomicity",
    "deadlock",
    "lost wake-up",
    "too many permits",  # a semaphore was released more often than acquired
    "missing party",  # of a barrier that let more threads go on together before
    "thread starvation",  # each worker of a pool waits for what only a worker can do
    "time-out",
]


class Fault(NamedTuple):
    """One thing that went wrong, and the trace events that show it, as indices."""

    kind: Kind
    sentence: str
    events: tuple[int, ...]
    sure: bool = True  # else only where the run has gone wrong


def who(trace: Trace, index: int) -> str:
    """The thread of a trace event."""
    return clean(trace.lanes[trace.events[index].lane].name)


def at_line(line: int | None) -> str:
    return f" (line {line})" if line is not None else ""


def where(trace: Trace, index: int) -> str:
    """The line of a trace event."""
    return at_line(trace.events[index].line)


def with_value(trace: Trace, index: int) -> str:
    """The value of a trace event, and its line."""
    event = trace.events[index]
    about = ", ".join(filter(None, (clean(event.value), f"line {event.line}" if event.line is not None else "")))
    return f" ({about})" if about else ""


def container(place: str) -> str:
    """What an item is in; anything else is that itself."""
    return place.partition("[")[0]
