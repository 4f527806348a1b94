"""What goes on between lanes: who started or woke whom, what was read and written, who waits in a circle."""

from bisect import bisect_left
from collections import defaultdict
from typing import Literal

from ..story.causality import (
    HandOver,
    called_on,
    deadlock_cycle,
    hand_overs,
    in_vain,
    is_marked,
    lost_updates,
    shared_attributes,
)
from ..story.words import lost_summary
from ..trace import NOBODY, Span, Trace, TraceEvent
from .bars import half_a_tick
from .lettering import fit, printable, width
from .ruler import MARK
from .shapes import GREY, LETTERS, ORANGE, SMALL, About, ArrowKind, Label, MarkKind, Picture, Point

MOST_ARROWS, SHORTEST_WAIT = 30, 3.0
MOST_LABELLED = 120
HEAD = 7.0  # of the arrow to where a thread begins
BESIDE, FAR = 2.0, 3 * MARK  # pixels that a mark stands right of the one before, and that it may be moved


def add_arrows(picture: Picture, trace: Trace) -> int:
    """Add arrows: to ended waits, long ones first, to started threads, to gets; return how many were left out."""
    at = {row.lane: i for i, row in enumerate(picture.rows)}
    waits = _waits(trace)
    starts: list[HandOver] = []
    wakes: list[tuple[float, HandOver]] = []
    items: list[HandOver] = []
    for over in hand_overs(trace):
        cause, effect = trace.events[over.cause], trace.events[over.effect]
        if cause.lane in at and effect.lane in at:
            if effect.kind == "begin":
                starts.append(over)
            elif (waited := _waited(picture, over, waits[effect.lane], effect)) >= SHORTEST_WAIT:
                wakes.append((waited, over))
            elif effect.kind == "get":
                items.append(over)
    wakes.sort(key=lambda wake: -wake[0])
    for _, over in wakes[:MOST_ARROWS]:
        _hand_over(picture, trace, over, at)
    room = max(0, MOST_ARROWS - len(wakes))
    for over in starts[:room]:
        _start(picture, trace, over, at)
    room = max(0, room - len(starts))
    for over in items[:room]:
        _hand_over(picture, trace, over, at)
    return max(0, len(wakes) + len(starts) + len(items) - MOST_ARROWS)


def _waits(trace: Trace) -> dict[int, list[Span]]:
    """Return the waits of each lane; one goes on while its thread, let go on, waits for the GIL."""
    waits: dict[int, list[Span]] = defaultdict(list)
    for i, lane in enumerate(trace.lanes):
        for span in lane.spans:
            if span.state == "blocked":
                waits[i].append(span)
            elif span.state == "ready" and waits[i] and waits[i][-1].end == span.start:
                waits[i][-1] = waits[i][-1]._replace(end=span.end)
    return waits


def _waited(picture: Picture, over: HandOver, waits: list[Span], effect: TraceEvent) -> float:
    """Return how many pixels long the wait is that this ends; 0 when it ends none.

    Where nothing takes time, it is as long as it takes from the cause to the effect.
    """
    scale, until = picture.ruler.scale, effect.time
    if not picture.ruler.timed:
        return picture.at(over.effect) - picture.at(over.cause) if effect.kind != "get" else 0.0
    at = bisect_left(waits, until, key=lambda span: span.start)
    if not at or (until - waits[at - 1].end) * scale >= 1:
        return 0.0
    return (min(waits[at - 1].end, until) - waits[at - 1].start) * scale


def let_go_by(trace: Trace) -> dict[int, dict[float, str]]:
    """Return who let a thread go on, by the thread's lane and the time (seconds)."""
    told: dict[int, dict[float, str]] = defaultdict(dict)
    for over in hand_overs(trace):
        cause, effect = trace.events[over.cause], trace.events[over.effect]
        how = ": ".join(filter(None, (cause.kind, cause.what)))
        line = f", line {cause.line}" if cause.line is not None else ""
        told[effect.lane][effect.time] = f"{trace.lanes[cause.lane].name} ({how}{line})"
    return told


def _arrow_about(trace: Trace, cause: TraceEvent, lane: int, end: float, what: str) -> About:
    return About(trace.lanes[cause.lane].name, what.format(trace.lanes[lane].name), cause.time, end, cause.line)


def _hand_over(picture: Picture, trace: Trace, over: HandOver, at: dict[int, int]) -> None:
    cause, effect = trace.events[over.cause], trace.events[over.effect]
    i, j = at[cause.lane], at[effect.lane]
    down = i < j
    tail = picture.at(over.cause), picture.rows[i].bottom if down else picture.rows[i].top
    head = picture.at(over.effect), picture.rows[j].top - 1 if down else picture.rows[j].bottom + 1
    kind: ArrowKind = "item" if effect.kind == "get" else "wake"
    picture.arrows[kind].append((tail, head))
    what = f"hands an item of {effect.what} to {{}}" if kind == "item" else "lets {} go on"
    picture.about[tail, head] = _arrow_about(trace, cause, effect.lane, effect.time, what)
    _keep_clear(picture, i, j, tail, head)


def _start(picture: Picture, trace: Trace, over: HandOver, at: dict[int, int]) -> None:
    """Lead from where the thread is started to where its lane begins: it may have to wait before its first step."""
    cause, child = trace.events[over.cause], trace.events[over.effect].lane
    parent, row = picture.rows[at[cause.lane]], picture.rows[at[child]]
    since = trace.lanes[child].start
    begin = picture.ruler.x(picture.ruler.begin(child, since)) - half_a_tick(picture.ruler)
    x, down = picture.at(over.cause), parent.top < row.top
    tail = x, parent.bottom if down else parent.top
    if begin - x >= HEAD:
        arrow = (begin - HEAD, row.middle), (begin, row.middle)
        picture.stems.append([tail, (x, row.middle), arrow[0]])
    else:  # from above or below, as there is no room to turn
        arrow = (x, row.top - 1 - HEAD if down else row.bottom + 1 + HEAD), (x, row.top - 1 if down else row.bottom + 1)
        picture.stems.append([tail, arrow[0]])
    picture.arrows["start"].append(arrow)
    picture.about[arrow] = _arrow_about(trace, cause, child, since, "starts {}")


def _keep_clear(picture: Picture, i: int, j: int, tail: Point, head: Point) -> None:
    """Keep marks and labels off an arrow that goes from row to row, where it passes their height."""

    def take(side: Literal["above", "below"], k: int, top: float, bottom: float) -> None:
        (x0, y0), (x1, y1) = tail, head
        xs = [x0 + (x1 - x0) * min(max((y - y0) / (y1 - y0), 0), 1) for y in (top, bottom)]
        picture.taken[side, k].append((min(xs) - 4, max(xs) + 4))

    low, high = min(i, j), max(i, j)
    for k in range(low, high + 1):
        if k > low:
            take("above", k, picture.rows[k].top - 14, picture.rows[k].top - 2)
        if k < high:
            take("below", k, picture.rows[k].bottom, picture.rows[k + 1].top - 15)


def add_marks(picture: Picture, trace: Trace) -> list[str]:
    """Add what was read and written by more than one thread; return sentences on what the marks cannot say."""
    at = {row.lane: i for i, row in enumerate(picture.rows)}
    shared = shared_attributes(trace)
    lost = lost_updates(trace)
    kinds = mark_kinds(trace)
    overwritten = {each.write: trace.events[each.overwritten] for each in lost}
    placed: list[tuple[int, int, float]] = []
    without = 0
    newest, newest_of = -BESIDE, [-MARK] * len(picture.rows)
    for index, event in enumerate(trace.events):
        if event.lane not in at or not is_marked(event, shared):
            continue
        i, wanted = at[event.lane], picture.at(index)
        # what happened later stands further to the right, whichever the lane
        x = max(wanted, newest + BESIDE, newest_of[i] + MARK)
        if x - wanted > FAR or x > picture.width - 8:
            without += 1
            continue
        newest, newest_of[i] = x, x
        kind = kinds.get(index) or _kind(event)
        mark = x, picture.rows[i].top - 8
        picture.marks[kind].append(mark)
        picture.about[mark] = _mark_about(trace, event, kind)
        placed.append((i, index, x))
    for i, _, x in placed:
        picture.taken["above", i].append((x - 5, x + 5))

    short = {what: what.rpartition(".")[2] for what in shared}
    names = short if len(set(short.values())) == len(short) else {what: what for what in shared}
    unsaid, values = len(overwritten) > 1, False
    if len(placed) <= MOST_LABELLED:
        placed.sort(
            key=lambda mark: (
                mark[1] not in overwritten,
                mark[1] not in kinds,
                trace.events[mark[1]].kind == "wake",
                mark[1],
            )
        )
        texts = {
            index: _texts(trace, trace.events[index], overwritten.get(index), names, picture.roomy)
            for _, index, _ in placed
        }
        # each value first, which takes the least room, and then as much more about it as there is still room for
        beside = {index: _beside(picture, i, x, texts[index][-1:], index in overwritten) for i, index, x in placed}
        for i, index, x in placed:
            label = beside[index]
            if label is not None:
                picture.taken["above", i].remove(_claimed(label))
                label = _beside(picture, i, x, texts[index], index in overwritten)
            if label is None:
                unsaid |= index in overwritten
                continue
            unsaid |= index in overwritten and "lost" not in label.text
            values |= label.text == texts[index][-1] and trace.events[index].kind != "call" and len(texts[index]) > 1
            crossed = any(_crosses(stem, label) for stem in picture.stems)
            picture.labels.append(label._replace(colour=ORANGE if index in kinds else GREY, backed=crossed))
    elif overwritten:
        unsaid = True
    notes = [lost_summary(trace)] if unsaid else []
    notes += ["what stands alone beside a mark is the value that is read or written"] if values else []
    what = "more read or write is not marked" if without == 1 else "more reads and writes are not marked"
    return [*notes, f"{without} {what}"] if without else notes


def mark_kinds(trace: Trace) -> dict[int, MarkKind]:
    """Return which trace events belong to a lost update, and how."""
    kinds: dict[int, MarkKind] = {}
    lost = lost_updates(trace)
    for each in lost:
        kinds.setdefault(each.read, "stale read")
        kinds.setdefault(each.overwritten, "lost write")
    return kinds | {each.write: "stale write" for each in lost}


def _kind(event: TraceEvent) -> MarkKind:
    if event.kind == "read" or event.kind == "write":
        return event.kind
    if in_vain(event):
        return "in vain"
    return "act" if event.kind == "call" else "time-out"


def _mark_about(trace: Trace, event: TraceEvent, kind: MarkKind) -> About:
    if kind in ("act", "in vain", "time-out"):
        of = f" of {called_on(event)}" if called_on(event) else ""
        what = f"{event.what}: time-out" if kind == "time-out" else f"calls {event.what}{of}"
        what += f": {NOBODY}" if kind == "in vain" else ""
        return About(trace.lanes[event.lane].name, what, event.time, event.time, event.line)
    value = f" = {event.value}" if event.value else ""
    more = f": {kind}" if kind not in ("read", "write") else ""
    return About(
        trace.lanes[event.lane].name, f"{event.kind}s {event.what}{value}{more}", event.time, event.time, event.line
    )


def _texts(trace: Trace, event: TraceEvent, over: TraceEvent | None, names: dict[str, str], roomy: bool) -> list[str]:
    """Return what may stand beside a mark, the longest first."""
    if event.kind == "call":
        what, short = printable(event.what), printable(event.what.rpartition(".")[2])
        return [f"{short}: {NOBODY}", f"{short}: nobody"] if in_vain(event) else [what, short]
    if event.kind == "wake":
        return ["time-out"]
    what, value = printable(names[event.what]), fit(printable(event.value), 90, SMALL) or "…"
    if value == "…" and over is None:
        return [f"{event.kind}s {what}"]
    if event.kind == "read":
        return [f"reads {what} = {value}", f"reads {value}", value]
    if over is None and value.endswith("()"):
        return [f"calls {what}.{value}", f"{what}.{value}", value]
    name = f"{what} = {value}" if len(names) > 1 else value
    if over is None or not roomy:
        return [f"writes {name}", value]
    other = f"{printable(trace.lanes[over.lane].name)}'s {fit(printable(over.value), 90, SMALL) or '…'}"
    lost = "an update is lost"
    return [f"writes {name} over {other}: {lost}", f"writes {name}: {lost}", f"{value}: {lost}", value]


def _beside(picture: Picture, i: int, x: float, texts: list[str], bold: bool) -> Label | None:
    """Take room for the longest of some texts that fits, beside the mark, or on the other side of an arrow there."""
    for text in texts:
        wide = width(text, SMALL, bold)
        arrow = min((a for a, b in picture.taken["above", i] if a < x - 5 <= b + 6), default=x)
        for left in (x + 8, x - 8 - wide, arrow - 2 - wide):
            label = Label(left, picture.rows[i].top - 8, text, SMALL, "left", GREY, bold)
            if picture.claim(("above", i), *_claimed(label)):
                return label
    return None


def _claimed(label: Label) -> Point:
    return label.x - 1, label.x + width(label.text, label.size, label.bold) + 1


def _crosses(stem: list[Point], label: Label) -> bool:
    """Whether the first piece of a line, which is upright, strikes through a label."""
    (x, one), (_, other), *_ = stem
    left, top, right, bottom = label.box
    return left < x < right and min(one, other) < bottom and top < max(one, other)


def add_deadlock(picture: Picture, trace: Trace, stop: float) -> None:
    """Say where nobody could go on, and draw the circle of those who wait for one another."""
    assert picture.dead is not None
    label = Label(picture.dead + 5, 9, "deadlock: nobody can go on", LETTERS, "left", ORANGE, True)
    if label.box[2] > picture.width:
        label = label._replace(x=picture.dead - 5, align="right")
    picture.labels.append(label)
    row_of = {trace.lanes[row.lane].name: row for row in reversed(picture.rows)}
    cycle = [wait for wait in deadlock_cycle(trace) if wait.thread in row_of and wait.holder in row_of]
    for k, wait in enumerate(cycle):
        here, there = row_of[wait.thread], row_of[wait.holder or ""]
        x = stop - 14 - 18 * (len(cycle) - 1 - k)
        if here != there:
            picture.circle.append(((x, here.middle), (x, there.middle)))
