"""What a lane shows of itself: its states, the locks it holds, how it ended."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .causality import endless_wait
from .lettering import fit, printable, width
from .picture import INK, LETTERS, SMALL, Label, Picture, Row
from .trace import Held, Lane, Span, Trace

TICK, STRIPE, STRIPES = 3.0, 4.0, 3
ASIDE = 12.0  # from the end of a stripe to its name, at most
LEAST_CUT = 14  # letters that a label keeps which is cut
LEAST_WORD = 4  # letters of a word that stands for its label: "waits" and "work" do, "off" of "off the CPU" does not


class Holding(NamedTuple):
    """An interval in which one thread held the same locks all the time; in seconds, or as a stripe in pixels."""

    start: float
    end: float
    locks: tuple[str, ...]


def add_bar(picture: Picture, row: Row, lane: Lane, stop: float) -> int:
    """Add a lane's states; return how many spans narrower than a pixel were merged.

    Waits without an end reach to `stop` (pixels).  Running for no time at all is shown as a tick.
    """
    narrow: list[Span] = []
    merged, last_tick = 0, -TICK

    def merge() -> int:
        if not narrow:
            return 0
        lasted: dict[str, float] = {}
        for span in narrow:
            lasted[span.state] = lasted.get(span.state, 0.0) + span.end - span.start
        longest = max(narrow, key=lambda span: lasted[span.state])
        left = picture.x(narrow[0].start)
        right = max(picture.x(narrow[-1].end), left + 1)
        picture.boxes[longest.state].append((left, row.top, right, row.bottom))
        count = len(narrow) if len(narrow) > 1 else 0
        narrow.clear()
        return count

    endless = endless_wait(lane)
    for span in lane.spans:
        for_ever = span is endless
        left, right = picture.x(span.start), stop if for_ever else picture.x(span.end)
        if span.start == span.end and not for_ever:
            if span.state == "running" and left - last_tick >= 1:
                picture.boxes["running"].append((left - TICK / 2, row.top, left + TICK / 2, row.bottom))
                last_tick = left
        elif right - left < 1:
            if narrow and span.start > narrow[-1].end:
                merged += merge()
            narrow.append(span)
            if right - picture.x(narrow[0].start) >= 1:
                merged += merge()
        else:
            merged += merge()
            picture.boxes[span.state].append((left, row.top, right, row.bottom))
            _label(picture, row, span, left, right if not for_ever else stop - _circle_room(picture))
    return merged + merge()


def _circle_room(picture: Picture) -> float:
    return 18.0 * len(picture.circle) + 12 if picture.circle else 0.0


def _label(picture: Picture, row: Row, span: Span, left: float, right: float) -> None:
    if right - left < 24 or not span.label:
        return
    size = LETTERS if picture.roomy else SMALL
    text = _label_that_fits(printable(span.label), right - left - 10, size)
    solid = span.state == "running"
    if text:
        colour = "#FFFFFF" if solid else INK
        picture.labels.append(Label((left + right) / 2, row.middle, text, size, "center", colour, False, not solid))


def _label_that_fits(label: str, room: float, size: float) -> str:
    """Return the label, or as much of it as says what goes on: a stub such as "waits f…" does not."""
    text = fit(label, room, size)
    if not text or text[-1] != "…" or len(text) > LEAST_CUT:
        return text
    word = label.split(" ")[0]
    return word if len(word) >= LEAST_WORD and width(word, size) <= room else ""


def holdings(lane: Lane) -> list[Holding]:
    """Cut the time into pieces in which the same locks are held."""
    pieces = [Holding(held.start, held.end, (held.lock,)) for held in lane.held if held.start == held.end]
    opened = sorted((held for held in lane.held if held.end > held.start), key=lambda held: held.start)
    times = sorted({time for held in opened for time in (held.start, held.end)})
    now: list[Held] = []
    at = 0
    for start, end in pairwise(times):
        now = [held for held in now if held.end > start]
        while at < len(opened) and opened[at].start <= start:
            now.append(opened[at])
            at += 1
        if now:
            pieces.append(Holding(start, end, tuple(held.lock for held in now)))
    return sorted(pieces)


def add_held(picture: Picture, row: Row, pieces: list[Holding], at: int, stop: float) -> int:
    """Add the locks a lane holds: a stripe each, and their names where there is room.

    Return how many times the lane holds nothing for so short a time that no gap shows it.
    """
    shown, hidden = _in_pixels(picture, pieces, stop)
    told: tuple[str, ...] = ()
    for i, (left, right, locks) in enumerate(shown):
        for stripe in range(min(len(locks), STRIPES)):
            top = row.bottom + 2 + stripe * (STRIPE + 1)
            picture.held.append((left, top, right, top + STRIPE))
        limit = shown[i + 1].start if i + 1 < len(shown) else picture.width
        if picture.roomy and locks != told and limit - left > ASIDE:
            y = row.bottom + 2 + picture.stripes * (STRIPE + 1) + 6
            for text in _told_as(locks, told):
                wide = width(text, SMALL) + 6
                # a name that begins far from its stripe would seem to belong to another
                x = picture.place(("below", at), wide, left, min(limit, right + ASIDE + wide))
                if x is not None:
                    picture.labels.append(Label(x + 4, y, text, SMALL))
                    told = locks
                    break
    return hidden


def _in_pixels(picture: Picture, pieces: list[Holding], stop: float) -> tuple[list[Holding], int]:
    """Return the stripes to draw, in pixels, and how many gaps between them are too narrow to be seen."""
    shown: list[Holding] = []
    hidden, before = 0, 0.0
    for start, end, locks in pieces:
        left, right = picture.x(start), picture.x(end)
        if picture.dead is not None and right >= picture.dead:
            right = stop
        right = max(right, left + TICK)
        touches = bool(shown) and left <= shown[-1].end
        hidden += touches and start > before
        if touches and shown[-1].locks == locks:
            shown[-1] = Holding(shown[-1].start, max(shown[-1].end, right), locks)
        else:
            shown.append(Holding(left, right, locks))
        before = end
    return shown, hidden


def _told_as(locks: tuple[str, ...], before: tuple[str, ...]) -> Iterator[str]:
    yield printable(f"holds {', '.join(locks)}")
    new = [lock for lock in locks if lock not in before]
    if before and len(new) + len(before) == len(locks):
        yield printable(f"and {', '.join(new)}")
    if len(locks) == 1:
        yield f"holds {fit(printable(locks[0]), 90, SMALL) or '…'}"


def ending(trace: Trace, index: int) -> str:
    """Return how a lane ended, in a word, if not by returning."""
    lane = trace.lanes[index]
    if lane.ending == "raised":
        errors = [e.what or e.value for e in trace.events if e.kind == "error" and e.lane == index]
        return fit(printable(errors[-1].split(":")[0]), 160, SMALL, True) if errors else "exception"
    return lane.ending if lane.ending in ("abandoned", "stopped", "goes on") else ""


def add_failures(picture: Picture, row: Row, trace: Trace) -> None:
    """Mark where a call that a pool made raised: its worker goes on, and nothing else would show it."""
    for event in trace.events:
        if event.kind == "failed" and event.lane == row.lane:
            picture.marks["error"].append((picture.x(event.time), row.middle))


def add_ending(picture: Picture, row: Row, lane: Lane, told: str) -> None:
    """Tear off a lane that did not end by itself, cross out one that raised, and say so."""
    if not told:
        return
    x = picture.x(lane.end)
    if lane.ending == "raised":
        picture.marks["error"].append((x, row.middle))
    else:
        teeth = 6
        step = (row.bottom - row.top) / teeth
        picture.torn.append([(x + (-5 if i % 2 else 2), row.top + i * step) for i in range(teeth + 1)])
    picture.labels.append(Label(x + 11, row.middle, told, SMALL, bold=lane.ending == "raised", backed=True))
