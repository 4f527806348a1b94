"""Where everything in a timeline goes: from a trace and a width to a picture, without drawing anything."""

from math import floor, inf, log10

from ..story.causality import deadlock_cycle, endless_wait, gil_turns, shared_attributes, with_endless_waits
from ..story.words import deadlock_sentence
from ..trace import Held, Lane, Span, Trace
from .bars import STRIPE, STRIPES, Holding, add_bar, add_ending, add_failures, add_held, ending, holdings
from .crossings import add_arrows, add_deadlock, add_marks, let_go_by
from .lettering import fit_middle, printable, width, wrap
from .shapes import FILL_NAMES, LETTERS, PAD, SMALL, Label, Picture, Row, counted
from .strips import GIL_NAME, add_strips, name_labels, strip_names, strips_height

MOST_LANES, ROOMY_LANES, NAME_ROOM = 40, 14, 240.0
MARK_NAMES = {
    "read": "read",
    "write": "write",
    "stale read": "stale read",
    "lost write": "update that gets lost",
    "stale write": "write that loses an update",
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
    without_time = end == 0 and bool(trace.events)
    if without_time:
        trace = _one_after_the_other(trace)
        end = _end(trace)
    dies = bool(trace.waits) or any(lane.ending == "deadlocked" for lane in trace.lanes)
    held = [holdings(lane) for lane in trace.lanes[:MOST_LANES]]
    picture = _rows(trace, wide, high, dies, held)
    endings = [ending(trace, row.lane) for row in picture.rows]
    stop = wide - 6
    picture.end, picture.timed = end, not without_time
    until = max(end, until)
    _set_scale(picture, trace, until, endings, _circle_size(picture, trace) if dies else None)
    picture.scale = min(picture.scale, scale)
    if without_time:
        picture.axis = "one step after the other: it all takes no time on the virtual clock"
    else:
        picture.axis, picture.ticks = f"{trace.clock} seconds", _ticks(until, picture.scale)

    picture.outputs = [picture.x(event.time) for event in trace.events if event.kind == "output"]

    if dies:
        times = [event.time for event in trace.events if event.kind == "deadlock"]
        picture.dead = picture.x(times[0] if times else end)
        add_deadlock(picture, trace, stop)
        picture.notes.append(deadlock_sentence(trace))
    if left_out := len(trace.lanes) - len(picture.rows):
        picture.notes.append(counted(left_out, f"of {len(trace.lanes)} threads {{are}} not shown"))
    let_go = let_go_by(trace)
    merged = sum(add_bar(picture, row, trace.lanes[row.lane], stop, let_go[row.lane]) for row in picture.rows)
    if merged:
        picture.notes.append(counted(merged, "interval{s} narrower than a pixel {are} merged"))
    if without := add_arrows(picture, trace):
        picture.notes.append(counted(without, "more arrow{s} {are} not drawn"))
    hidden = sum(add_held(picture, row, held[i], i, stop) for i, row in enumerate(picture.rows))
    if hidden:
        picture.notes.append(counted(hidden, "gap{s} between two holds of a lock too narrow to be seen"))
    picture.notes += add_marks(picture, trace)
    for row, told in zip(picture.rows, endings, strict=True):
        add_failures(picture, row, trace)
        add_ending(picture, row, trace, told)
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


def _rows(trace: Trace, wide: float, high: float | None, dies: bool, held: list[list[Holding]]) -> Picture:
    lanes = trace.lanes[:MOST_LANES]
    shared = shared_attributes(trace)
    marked = any(e.kind in ("read", "write") and e.what in shared and e.lane < len(lanes) for e in trace.events)
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
    return Picture(wide, lanes_end + queues, rows, roomy, locks, names, lanes_end)


def _circle_size(picture: Picture, trace: Trace) -> float:
    """Return how much room waits without an end get, so that they are seen even if they began at the end."""
    return min(max(0.3 * picture.width, 150 + 18.0 * len(deadlock_cycle(trace))), 0.5 * picture.width)


def _set_scale(picture: Picture, trace: Trace, end: float, endings: list[str], endless: float | None) -> None:
    room = picture.width - PAD
    scale = (room - (16.0 if endless is None else endless)) / (end or 1.0)
    for row, told in zip(picture.rows, endings, strict=True):
        if told and (lane_end := trace.lanes[row.lane].end) > 0:
            scale = min(scale, (room - 16 - width(told, SMALL, True)) / lane_end)
    picture.scale = max(scale, 1e-9)


def _ticks(end: float, scale: float) -> tuple[float, ...]:
    """Return round times from 0 to the end, at least 80 pixels apart where that leaves two of them."""
    if end == 0:
        return (0.0,)
    least = end / max(2, int(end * scale / 80))
    power = 10.0 ** floor(log10(least))
    step = next(step for step in (power * k for k in (1, 2, 2.5, 5, 10)) if step >= least * (1 - 1e-9))
    return tuple(float(f"{k * step:.12g}") for k in range(floor(end / step * (1 + 1e-9)) + 1))


def _one_after_the_other(trace: Trace) -> Trace:
    """Return a run that took no time as if every trace event took a second: what is left is the order."""
    last = len(trace.events)
    got_at = {(trace.lanes[e.lane].name, e.what): k for k, e in enumerate(trace.events) if e.kind == "acquire"}
    locked = {wait.thread: got_at.get((wait.holder or "", wait.what), -1) for wait in trace.waits}
    lanes = []
    for index, lane in enumerate(trace.lanes):
        own = [k for k, e in enumerate(trace.events) if e.lane == index and e.kind not in ("deadlock", "abandon")]
        spans = [Span("running", k, k + 1) for k in own]
        if wait := endless_wait(lane):
            begun = max(own[-1] if own else -1, locked.get(lane.name, -1)) + 1
            spans.append(wait._replace(start=begun, end=last))
        held: list[Held] = []
        until: dict[str, int] = {}
        for k in reversed(own):
            event = trace.events[k]
            if event.kind == "release":
                until[event.what] = k
            elif event.kind == "acquire":
                held.append(Held(event.what, k, until.get(event.what, last)))
        held.reverse()
        lanes.append(Lane(lane.name, tuple(_joined(spans)), tuple(held), lane.daemon, lane.ending))
    events = tuple(event._replace(time=float(k)) for k, event in enumerate(trace.events))
    return Trace(tuple(lanes), events, float(last), trace.clock, trace.waits, trace.notes)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].state == span.state and joined[-1].end == span.start:
            joined[-1] = joined[-1]._replace(end=span.end)
        else:
            joined.append(span)
    return joined


def _legend_and_notes(picture: Picture) -> None:
    """Put under the axes what the colours, marks and arrows stand for, and what has to be said in words."""
    entries: list[tuple[str, str]] = [(s, name) for s, name in FILL_NAMES.items() if picture.boxes[s]]
    entries += [("held", "holds a lock")] if picture.held else []
    entries += [("depth", "items in a queue")] if picture.depth else []
    passes = ", or hands over an item" if picture.depth else ""
    entries += [("arrow", f"starts a thread, or lets it go on{passes}")] if picture.arrows else []
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
