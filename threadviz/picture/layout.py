"""Where everything in a timeline goes: from a trace and a width to a picture, without drawing anything."""

from itertools import pairwise
from math import floor, inf, log10

from ..story.causality import deadlock_cycle, gil_turns, is_marked, shared_attributes, with_endless_waits
from ..story.words import deadlock_sentence
from ..trace import Lane, Trace
from .bars import add_bar, add_ending, add_failures, ending
from .crossings import add_arrows, add_deadlock, add_marks, let_go_by
from .holds import STRIPE, STRIPES, Holding, add_held, holdings
from .lettering import fit_middle, printable, width, wrap
from .ruler import LAST, PAD, Moment, Ruler
from .shapes import ARROW_NAMES, FILL_NAMES, LETTERS, SMALL, About, Label, Picture, Row, Tick, counted
from .strips import GIL_NAME, add_strips, name_labels, strip_names, strips_height

MOST_LANES, ROOMY_LANES, NAME_ROOM = 40, 14, 240.0
MARK_NAMES = {
    "read": "read",
    "write": "write",
    "stale read": "stale read",
    "lost write": "update that gets lost",
    "stale write": "write that loses an update",
    "act": "call that changes what others wait for",
    "in vain": "notify when nobody was waiting",
    "time-out": "time-out",
    "error": "exception",
}


def left_margin(trace: Trace) -> float:
    """Return the room that the names of the lanes need, in CSS pixels."""
    shown = trace.lanes[:MOST_LANES]
    names = [fit_middle(_name(lane), NAME_ROOM, LETTERS + 1) for lane in shown]
    names += [text for both in strip_names(trace, NAME_ROOM) for text in both]
    names += [GIL_NAME] if gil_turns(trace) else []
    return max((width(name, LETTERS + 1) for name in names), default=0.0) + 16


def _name(lane: Lane) -> str:
    return printable(lane.name) + (" (daemon)" if lane.daemon else "")


def lay_out(trace: Trace, wide: float, high: float | None = None, until: float = 0.0, scale: float = inf) -> Picture:
    """Lay out a trace on axes so wide, and so high or as high as it needs (CSS pixels).

    The time axis reaches to `until` seconds at least, with at most `scale` pixels a second.
    """
    trace = with_endless_waits(trace)
    end = _end(trace)
    timed = end > 0 or not trace.events
    dies = bool(trace.waits) or any(lane.ending == "deadlocked" for lane in trace.lanes)
    endings = [ending(trace, index) for index in range(min(len(trace.lanes), MOST_LANES))]
    after = _circle_size(wide, trace) if dies else 16.0
    if not timed:
        after = max(after, 16 + max((width(told, SMALL, True) for told in endings if told), default=0.0))
    ruler = Ruler(trace, timed, wide - PAD - after)
    held = holdings(trace, ruler, len(endings))
    picture = _rows(trace, wide, high, ruler, dies, held)
    stop = wide - 6
    picture.end = end
    if timed:
        ruler.scale = min(_scale(picture, trace, max(end, until), endings, after), scale)
        picture.ticks = _ticks(max(end, until), ruler)
        picture.axis = "steps" if trace.clock == "steps" else f"{trace.clock} seconds"
        if ruler.instants:
            picture.axis += "; shaded: one instant, stretched to show the order of what happens in it"
    else:
        picture.ticks = _numbers(ruler)
        picture.axis = "steps, one after the other: all of it takes no time on the virtual clock"
    for time in ruler.instants:
        box = picture.x(time), 0.0, picture.x(time, LAST), picture.height
        picture.boxes["instant"].append(box)
        picture.about[box] = About("one instant", "stretched to show the order of what happens in it", time, time)

    picture.outputs = [picture.at(index) for index, event in enumerate(trace.events) if event.kind == "output"]

    if dies:
        times = [event.time for event in trace.events if event.kind == "deadlock"]
        picture.dead = picture.x(times[0] if times else end, LAST)
        add_deadlock(picture, trace, stop)
        picture.notes.append(deadlock_sentence(trace))
    if left_out := len(trace.lanes) - len(picture.rows):
        picture.notes.append(counted(left_out, f"of {len(trace.lanes)} threads {{are}} not shown"))
    let_go = let_go_by(trace)
    merged = sum(add_bar(picture, row, trace, stop, let_go[row.lane]) for row in picture.rows)
    if merged:
        picture.notes.append(counted(merged, "interval{s} narrower than a pixel {are} merged"))
    if without := add_arrows(picture, trace):
        picture.notes.append(counted(without, "more arrow{s} {are} not drawn"))
    hidden = sum(add_held(picture, row, held[i], i, stop) for i, row in enumerate(picture.rows))
    if hidden:
        picture.notes.append(counted(hidden, "gap{s} between two holds of a lock too narrow to be seen"))
    picture.notes += add_marks(picture, trace)
    for row in picture.rows:
        add_failures(picture, row, trace)
        add_ending(picture, row, trace, endings[row.lane])
    if picture.height > picture.lanes_end:
        picture.notes += add_strips(picture, trace, picture.lanes_end, end, stop if dies else None)
    elif strips_height(trace):
        picture.notes.append("there is no room for the queues")
    if not trace.lanes:
        picture.labels.append(Label(wide / 2, picture.height / 2, "no thread did anything", align="center"))
    picture.notes += [printable(note) for note in trace.notes[:3]]
    _legend_and_notes(picture)
    return picture


def _end(trace: Trace) -> float:
    times = (lane.end for lane in trace.lanes)
    return max(trace.duration, max(times, default=0.0), max((e.time for e in trace.events), default=0.0))


def _rows(
    trace: Trace, wide: float, high: float | None, ruler: Ruler, dies: bool, held: list[list[Holding]]
) -> Picture:
    lanes = trace.lanes[:MOST_LANES]
    shared = shared_attributes(trace)
    marked = any(is_marked(event, shared) and event.lane < len(lanes) for event in trace.events)
    locks = min(max((len(piece.locks) for pieces in held for piece in pieces), default=0), STRIPES)
    top = 20.0 if dies else 4.0

    def strips(roomy: bool) -> tuple[float, float, float]:
        above = (19.0 if marked else 8.0) if roomy else (14.0 if marked else 6.0)
        below = (STRIPE + 1) * locks + (16.0 if roomy else 3.0) if locks else 2.0
        return above, 22.0 if roomy else 14.0, below

    roomy = len(lanes) <= ROOMY_LANES
    queues = strips_height(trace)
    if high is not None and top + len(lanes) * sum(strips(roomy)) + queues > high:
        roomy = False
        if top + sum(strips(False)) + queues > high:
            queues = 0.0
        lanes = lanes[: max(1, floor((high - top - queues) / sum(strips(False))))]
    above, bar, below = strips(roomy)
    pitch = above + bar + below
    rows = tuple(Row(i, top + i * pitch + above, top + i * pitch + above + bar) for i in range(len(lanes)))
    needed = top + max(len(lanes), 1) * pitch + 6
    size = LETTERS + 1 if roomy else LETTERS
    names = tuple(
        Label(-8, row.middle, fit_middle(_name(lane), NAME_ROOM, size), size, "right")
        for row, lane in zip(rows, lanes, strict=True)
    )
    if queues:
        names += tuple(name_labels(trace, needed, NAME_ROOM))
    lanes_end = max(needed, (high or 0.0) - queues)
    return Picture(wide, lanes_end + queues, ruler, rows, roomy, locks, names, lanes_end)


def _circle_size(wide: float, trace: Trace) -> float:
    """Return how much room waits without an end get, so that they are seen even if they began at the end."""
    return min(max(0.3 * wide, 150 + 18.0 * len(deadlock_cycle(trace))), 0.5 * wide)


def _scale(picture: Picture, trace: Trace, end: float, endings: list[str], after: float) -> float:
    """Return the pixels a second at which all fits, and beside each lane how it ended."""
    room = picture.width - PAD
    scale = (room - after - picture.ruler.stretched()) / (end or 1.0)
    for row in picture.rows:
        if (told := endings[row.lane]) and (lane_end := trace.lanes[row.lane].end) > 0:
            before = 16 + width(told, SMALL, True) + picture.ruler.stretched(lane_end)
            scale = min(scale, (room - before) / lane_end)
    return max(scale, 1e-9)


def _times(end: float, scale: float) -> list[float]:
    """Return round times from 0 to the end, at least 80 pixels apart where that leaves two of them."""
    least = end / max(2, int(end * scale / 80))
    power = 10.0 ** floor(log10(least))
    step = next(step for step in (power * k for k in (1, 2, 2.5, 5, 10)) if step >= least * (1 - 1e-9))
    return [float(f"{k * step:.12g}") for k in range(floor(end / step * (1 + 1e-9)) + 1)]


def _ticks(end: float, ruler: Ruler) -> tuple[Tick, ...]:
    """Return the round times, and those of stretched instants where there is room."""
    if end == 0:
        return (Tick(PAD, "0.0"),)
    times = _times(end, ruler.scale)
    step = min((b - a for a, b in pairwise(times)), default=1.0)
    digits = next((d for d in range(12) if all(abs(round(t, d) - t) < step / 1000 for t in times)), 12)
    # The round time that is meant is the instant's own, however the two are computed.
    instants = {f"{time:.9f}": time for time in ruler.instants}
    ticks = [Tick(ruler.x(Moment(instants.pop(f"{time:.9f}", time))), f"{time:.{digits}f}") for time in times]
    for time in instants.values():
        tick = Tick(ruler.x(Moment(time)), f"{time:.6g}")
        if all(abs(tick.x - other.x) > 8 + (width(tick.text + other.text, LETTERS)) / 2 for other in ticks):
            ticks.append(tick)
    return tuple(sorted(ticks))


def _numbers(ruler: Ruler) -> tuple[Tick, ...]:
    """Return the numbers of the steps, as many as there is room for."""
    places = ruler.numbered
    room = width(str(len(places)), LETTERS) + 8
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 1000, 10_000, 100_000, 1 << 60) if n * ruler.step >= room)
    return tuple(Tick(x, str(number)) for number, x in enumerate(places, 1) if number % every == 0)


def _legend_and_notes(picture: Picture) -> None:
    """Put under the axes what the colours, marks and arrows stand for, and what has to be said in words."""
    names = FILL_NAMES if picture.ruler.timed else FILL_NAMES | {"running": "a step of the thread"}
    entries: list[tuple[str, str]] = [(fill, name) for fill, name in names.items() if picture.boxes[fill]]
    entries += [("held", "holds a lock")] if picture.held else []
    entries += [("depth", "items in a queue")] if picture.depth else []
    entries += [(kind, name) for kind, name in ARROW_NAMES.items() if picture.arrows[kind]]
    entries += [(kind, name) for kind, name in MARK_NAMES.items() if picture.marks[kind]]  # type: ignore[index]
    x, y = PAD, picture.height + 52
    for what, text in entries:
        wide = 30 + width(text, SMALL + 0.5)
        if x + wide > picture.width and x > PAD:
            x, y = PAD, y + 18
        picture.legend.append((what, (x, y)))
        picture.labels.append(Label(x + 28, y, text, SMALL + 0.5))
        x += wide + 18
    y += 20 if entries else 0
    for note in picture.notes:
        for line in wrap(note, picture.width - PAD, SMALL + 0.5):
            picture.labels.append(Label(PAD, y, line, SMALL + 0.5))
            y += 15
    picture.below = y - picture.height - 4
