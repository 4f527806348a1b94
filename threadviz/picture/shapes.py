"""What a timeline is made of: boxes, marks, labels and arrows, as plain data in CSS pixels (1/96 inch).

All lengths count from the top left corner of the axes, downwards.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..trace import Span
from .lettering import width as text_width
from .ruler import FIRST, Moment, Ruler

LETTERS, SMALL, TITLE = 12.0, 12.0, 13.0
BASELINE = 0.36  # of a letter's size: from the middle of a label down to the line it stands on
ORANGE, GREY, INK = "#B04A00", "#444444", "#222222"

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Arrow = tuple[Point, Point]  # tail, head
# what a bar is filled with: a state, where `blocked` has a fill of its own on a lock
# and waiting for the end of another thread, the quietest thing that a thread can do, is a hairline.
# `instant` is the ground under what happens in one instant, which is stretched to show its order.
# `safe` and those after it are the cells of a progress graph.
Fill = Literal[
    "instant", "running", "ready", "sleeping", "blocked", "lock", "thread",
    "safe", "open", "doomed", "forbidden", "unreached",
]  # fmt: skip
FILL_NAMES: dict[Fill, str] = {
    "running": "running",
    "ready": "ready",
    "sleeping": "sleeping",
    "lock": "blocked on a lock",
    "blocked": "blocked",
    "thread": "waits for the end of a thread",
}
MarkKind = Literal[
    "read", "write", "stale read", "lost write", "stale write", "act", "in vain", "time-out", "error", "step"
]
# A thread starts another one, lets it go on, or hands it an item of a queue.
ArrowKind = Literal["start", "wake", "item"]
ARROW_NAMES: dict[ArrowKind, str] = {"start": "starts a thread", "wake": "lets it go on", "item": "hands over an item"}


class About(NamedTuple):
    """What is told of a bar, a mark or an arrow under the pointer; times in seconds, on the trace's clock."""

    thread: str
    what: str  # "sleeping: sleep 0.1", "reads stock = 5", "lets clerk go on"
    start: float
    end: float
    line: int | None = None  # of the learner's code
    because: str = ""  # who let the thread go on


class Label(NamedTuple):
    """A text and the middle of its left edge, its centre, or the middle of its right edge."""

    x: float
    y: float
    text: str
    size: float = LETTERS
    align: Literal["left", "center", "right"] = "left"
    colour: str = INK
    bold: bool = False
    backed: bool = False  # on white: hatching must not strike through it
    turned: bool = False  # rising to the right, at its end

    @property
    def box(self) -> Box:
        wide = text_width(self.text, self.size, self.bold)
        left = self.x - {"left": 0.0, "center": wide / 2, "right": wide}[self.align]
        return left - 2, self.y - self.size * 0.65, left + wide + 2, self.y + self.size * 0.65


class Tick(NamedTuple):
    """A place on the time axis and what it is called."""

    x: float
    text: str


class Row(NamedTuple):
    """A lane's bar; above it is a strip for marks, below it one for the locks held."""

    lane: int  # index into Trace.lanes
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def fill(span: Span) -> Fill:
    """Return what a span's bar is filled with."""
    if span.state == "blocked" and span.on:
        return span.on
    return span.state


def counted(number: int, what: str) -> str:
    """Return how many of something, with "{s}" and "{are}" in it in the singular or the plural."""
    return f"{number} " + (what.format(s="", are="is") if number == 1 else what.format(s="s", are="are"))


@dataclass(slots=True)
class Picture:
    """All that is to be drawn.  Of it, ``frame`` may stay the same from one run to the next."""

    width: float  # of the axes
    height: float
    ruler: Ruler
    rows: tuple[Row, ...]
    roomy: bool  # there is room for labels beside the bars
    stripes: int = 0  # that the strip for locks has room for
    names: tuple[Label, ...] = ()
    lanes_end: float = 0.0  # below this come the queues
    end: float = 0.0  # seconds
    ticks: tuple[Tick, ...] = ()
    axis: str = ""
    below: float = 0.0  # room under the axes for the axis, the legend and the notes
    boxes: dict[Fill, list[Box]] = field(default_factory=lambda: defaultdict(list))
    held: list[Box] = field(default_factory=list)
    depth: list[Box] = field(default_factory=list)  # of queues
    arrows: dict[ArrowKind, list[Arrow]] = field(default_factory=lambda: defaultdict(list))
    stems: list[list[Point]] = field(default_factory=list)  # from a parent to where its child's arrow starts
    circle: list[Arrow] = field(default_factory=list)  # who waits for whom in a deadlock
    torn: list[list[Point]] = field(default_factory=list)
    marks: dict[MarkKind, list[Point]] = field(default_factory=lambda: defaultdict(list))
    labels: list[Label] = field(default_factory=list)
    legend: list[tuple[str, Point]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    about: dict[Box | Point | Arrow, About] = field(default_factory=dict)  # what is told of a box, a mark, an arrow
    outputs: list[float] = field(default_factory=list)  # where each line of the log was printed
    path: list[Point] = field(default_factory=list)  # of a run through a progress graph
    path_fails: bool = False
    dead: float | None = None  # where nobody could go on any more
    taken: dict[tuple[str, int], list[Point]] = field(default_factory=lambda: defaultdict(list))

    @property
    def frame(self) -> tuple[object, ...]:
        """What the background shows: while it is equal, the background can be kept."""
        return self.width, self.height, self.below, self.ticks, self.axis, self.names

    @property
    def timed(self) -> bool:
        """False where nothing takes time, and the steps are numbered."""
        return self.ruler.timed

    @property
    def scale(self) -> float:
        """Pixels a second, except in stretched instants."""
        return self.ruler.scale or 1.0

    def x(self, time: float, index: float = FIRST) -> float:
        """Where an instant begins, or where a trace event of it is."""
        return self.ruler.x(Moment(time, index))

    def at(self, index: int) -> float:
        """Where a trace event is."""
        return self.ruler.x(self.ruler.event(index))

    def place(self, strip: tuple[str, int], wide: float, left: float, right: float) -> float | None:
        """Take the first free piece of so many pixels between left and right; return where it begins."""
        for start in sorted({left, *(b for _, b in self.taken[strip] if left < b < right)}):
            if start + wide <= right and self.claim(strip, start, start + wide):
                return start
        return None

    def claim(self, strip: tuple[str, int], left: float, right: float) -> bool:
        """Take a piece of the strip "above" or "below" a row, if it is free and inside the axes."""
        if left < 0 or right > self.width or any(left < b and a < right for a, b in self.taken[strip]):
            return False
        self.taken[strip].append((left, right))
        return True
