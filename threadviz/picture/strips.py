"""The strips under the lanes: who held the GIL, and how many items each queue held, as a step curve."""

from ..story.causality import QueueLife, gil_turns, queue_lives
from ..trace import Trace
from .lettering import fit_middle, printable, width
from .ruler import LAST
from .shapes import LETTERS, SMALL, Label, Picture, counted

GIL_NAME = "holds the GIL"
GIL = 30.0  # height of the strip for the GIL, which is the first
STRIP, CURVE = 48.0, 24.0  # a queue's strip, and the part of it that the fullest moment takes
MOST_QUEUES, MOST_NUMBERS = 4, 120
FLAT, SPIKE = 1.5, 2.0  # height of no items, width of an instant


def strips_height(trace: Trace) -> float:
    """Return the room that the GIL and the queues of a trace need under the lanes."""
    room = STRIP * len(queue_lives(trace)[:MOST_QUEUES]) + _gil_height(trace)
    return room + 8 if room else 0.0


def _gil_height(trace: Trace) -> float:
    return GIL if gil_turns(trace) else 0.0


def strip_names(trace: Trace, room: float) -> list[tuple[str, str]]:
    """Return each strip's name, shortened to so much room, and what bounds the queue."""
    return [
        (fit_middle(_name(life), room, LETTERS), "no bound" if life.maxsize is None else f"at most {life.maxsize}")
        for life in queue_lives(trace)[:MOST_QUEUES]
    ]


def _name(life: QueueLife) -> str:
    name = printable(life.name)
    return name if name.startswith("queue") else f"queue {name}"


def name_labels(trace: Trace, top: float, room: float) -> list[Label]:
    """Return the labels left of the strips, which begin at `top`."""
    labels = []
    if gil := _gil_height(trace):
        labels.append(Label(-8, top + GIL - 10, GIL_NAME, LETTERS, "right"))
        top += gil
    for i, (name, bound) in enumerate(strip_names(trace, room)):
        floor = top + (i + 1) * STRIP
        labels += [Label(-8, floor - 18, name, LETTERS, "right"), Label(-8, floor - 4, bound, SMALL, "right")]
    return labels


def add_strips(picture: Picture, trace: Trace, top: float, end: float, stop: float | None) -> list[str]:
    """Add a strip for each queue, from `top` on (pixels) and until `end` (seconds) or `stop` (pixels).

    Returns sentences on what is left out.
    """
    for turn in gil_turns(trace):
        left, until = picture.x(turn.start, LAST), picture.x(turn.end)
        picture.boxes["running"].append((left, top + 10, max(until - 2, left + 1), top + GIL - 4))
        name = printable(trace.lanes[turn.lane].name)
        if width(name, SMALL) <= until - left - 4:
            middle = Label((left + until) / 2, top + GIL / 2 + 3, name, SMALL, "center", "#FFFFFF")
            picture.labels.append(middle)
    top += _gil_height(trace)
    lives = queue_lives(trace)
    right = picture.x(end, LAST) if stop is None else stop
    for i, life in enumerate(lives[:MOST_QUEUES]):
        _add_strip(picture, life, top + (i + 1) * STRIP, right)
    left_out = len(lives) - MOST_QUEUES
    return [counted(left_out, "more queue{s} not shown")] if left_out > 0 else []


def _add_strip(picture: Picture, life: QueueLife, floor: float, right: float) -> None:
    most = max(life.most[1], 1)
    # a bound far above the fullest moment would press the curve flat
    bounded = life.maxsize is not None and life.maxsize <= 4 * most
    unit = CURVE / max(most, life.maxsize or 0 if bounded else 0)
    if bounded:
        y = floor - unit * (life.maxsize or 0)
        picture.stems.append([(picture.x(0), y), (right, y)])
    numbers, before = 0, 0
    for left, until, low, high, last in _columns(picture, life, right):
        if high > max(before, last) or low < min(before, last):  # for an instant
            picture.depth.append((left - SPIKE / 2, floor - unit * high, left + SPIKE / 2, floor))
        picture.depth.append((left, floor - max(unit * last, FLAT), max(until, left + FLAT), floor))
        before, text = last, str(last)
        if until - left > width(text, SMALL) + 6 and numbers < MOST_NUMBERS:
            numbers += 1
            y = floor - max(unit * last, FLAT) - 7
            picture.labels.append(Label((left + until) / 2, y, text, SMALL, "center", backed=True))


def _columns(picture: Picture, life: QueueLife, right: float) -> list[tuple[float, float, int, int, int]]:
    """Return from where to where (pixels) nothing changes; the least, the most and the last number at its left edge."""
    columns: list[list[float]] = []
    values: list[list[int]] = []
    for (time, depth), index in zip(life.steps, life.events, strict=True):
        x = picture.x(time, index)
        if values == [[0]] and x == columns[0][0]:
            values = [[depth]]
        elif columns and x - columns[-1][0] < 1:
            values[-1].append(depth)
        elif columns and values[-1][-1] == depth:
            continue
        else:
            columns.append([x])
            values.append([depth])
    edges = [*(column[0] for column in columns[1:]), right]
    return [
        (column[0], max(edge, column[0]), min(seen), max(seen), seen[-1])
        for column, edge, seen in zip(columns, edges, values, strict=True)
    ]
