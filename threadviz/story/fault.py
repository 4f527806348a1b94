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
