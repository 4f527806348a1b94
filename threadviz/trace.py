"""The waist: a run's trace as frozen, plain data.

Simulating and recording make traces; drawing, describing and explaining use them; neither side knows the other.
All times are seconds since the start of the run, on the clock named by ``Trace.clock``; for "steps", steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

State = Literal["running", "ready", "sleeping", "blocked"]
STATES: tuple[State, ...] = ("running", "ready", "sleeping", "blocked")

# What a thread is blocked on: a lock that its code takes, the end of another thread, or anything else.
On = Literal["", "lock", "thread"]

Kind = Literal[
    "start",  # a thread started another one; `what` is the child's name
    "begin",  # a thread's first step; `cause` is the start
    "end",  # a thread's last step
    "sleep",
    "work",  # CPU work began; `what` is how many seconds of it
    "acquire",  # a lock was got; `cause` is the release that made it possible, when there was a wait
    "release",
    "call",  # any other operation of the standard library, such as Queue.put; `what` names it, `value` may say of what
    "wake",  # a wait inside such an operation ended; `cause` is what ended it; `value` is "time-out" for one of those
    "queue",  # a queue was used for the first time; `what` is its name, `value` its bound, empty without one
    "put",  # an item went into a queue; `what` is the queue's name, `value` how many items are in it now
    "get",  # an item came out of a queue, likewise; `cause` is the put of that very item
    "permits",  # a semaphore has more free than at first; `what` is its name, `value` how many: "2 of 1"
    "read",  # of a place; `what` is what the learner calls it, `value` the repr of what was there, or `append()`
    "write",
    "output",  # a line was printed or logged
    "error",  # a thread ended with an exception
    "failed",  # a future got an exception: the call that a pool made raised it, and its worker goes on
    "abandon",  # the program ended and left a daemon thread where it stood
    "deadlock",  # nobody can go on
]


class Span(NamedTuple):  # as TraceEvent, by the thousand: a tuple is made in a third of a dataclass's time
    """An interval of one thread in one state; `start == end` for what takes no time on this clock."""

    state: State
    start: float
    end: float
    label: str = ""  # what is being waited for, in words: "sleep(2)", "Queue.get", "waits for lock, held by A"
    line: int | None = None  # of the learner's code
    on: On = ""  # of `blocked` alone


class Held(NamedTuple):
    """An interval in which one thread held one lock."""

    lock: str
    start: float
    end: float


class Call(NamedTuple):
    """A call that was submitted to a pool, and when the lane's thread began it."""

    start: float
    what: str  # as it would be written: "fetch('a')"


class TraceEvent(NamedTuple):
    """An instant in one thread."""

    time: float
    lane: int  # index into Trace.lanes
    kind: Kind
    what: str = ""
    value: str = ""
    line: int | None = None  # of the learner's code
    cause: int | None = None  # index into Trace.events of what made this one possible, in another thread


NOBODY = "nobody was waiting"  # the value of a `notify` that nothing came of ends with this

NOTHING = "nothing"  # the value of an item that was asked for with `get` and is not there

Clock = Literal["virtual", "real", "steps"]  # of steps, each is as wide as a second: they have no duration
Ending = Literal["returned", "raised", "abandoned", "deadlocked", "stopped", "goes on"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread's row: what it was doing (`spans`, without gaps), which locks it held and which `calls` it made."""

    name: str
    spans: tuple[Span, ...]
    held: tuple[Held, ...] = ()
    daemon: bool = False
    ending: Ending = "returned"
    calls: tuple[Call, ...] = ()

    @property
    def start(self) -> float:
        return self.spans[0].start if self.spans else 0.0

    @property
    def end(self) -> float:
        return self.spans[-1].end if self.spans else 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that nothing could end: `thread` waits in `what`; `holder` is the thread that would have to act."""

    thread: str
    what: str
    holder: str | None = None
    line: int | None = None
    on: On = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of a run.  `str(trace)` has a line per trace event and is the same wherever the run is the same."""

    lanes: tuple[Lane, ...]
    events: tuple[TraceEvent, ...] = ()
    duration: float = 0.0
    clock: Clock = "virtual"
    waits: tuple[Wait, ...] = ()  # those of a deadlock, else empty
    notes: tuple[str, ...] = ()  # what was left out, said in one sentence each
    seconds_in: Mapping[State, float] = field(init=False, compare=False, repr=False)
    facts: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)  # once found, kept here

    def __post_init__(self) -> None:
        total: dict[State, float] = dict.fromkeys(STATES, 0.0)
        for lane in self.lanes:
            for span in lane.spans:
                total[span.state] += span.end - span.start
        object.__setattr__(self, "seconds_in", total)

    def __str__(self) -> str:
        width = max((len(lane.name) for lane in self.lanes), default=0)
        lines = []
        for event in self.events:
            text = f"{event.time:10.6f}  {self.lanes[event.lane].name:<{width}}  {event.kind:<8} {event.what}"
            text += f" = {event.value}" if event.value else ""
            text += f"  line {event.line}" if event.line is not None else ""
            text += f"  because of {self._cause(event.cause)}" if event.cause is not None else ""
            lines.append(text.rstrip())
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _cause(self, index: int) -> str:
        event = self.events[index]
        return f"{self.lanes[event.lane].name}: {event.kind} {event.what}".rstrip()
