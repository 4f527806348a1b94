"""Which locks a lane holds: stripes under its bar, with their names."""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..trace import Held, Trace
from .lettering import fit, printable, width
from .ruler import LAST, Moment, Ruler
from .shapes import SMALL, Label, Picture, Row

STRIPE, STRIPES = 4.0, 3
LEAST = 3.0  # pixels of a stripe
ASIDE = 12.0  # from the end of a stripe to its name, at most
DOT, APART = 2.0, 7.0  # what is held again and again for moments, and seldom all in all, is a row of dots
SELDOM, OFTEN = 0.35, 8
SHORT = 90.0  # pixels of a lock's name where there is little room


class Holding(NamedTuple):
    """An interval in which one thread held the same locks all the time."""

    start: Moment
    end: Moment
    locks: tuple[str, ...]


class Stripe(NamedTuple):
    """One holding or several that touch, in pixels."""

    left: float
    right: float
    locks: tuple[str, ...]
    wide: float  # what the holdings take in truth, without the gaps between them
    times: int = 1

    @property
    def seldom(self) -> bool:
        """Whether nothing was held most of the time."""
        return self.times >= OFTEN and self.wide < SELDOM * (self.right - self.left)


def holdings(trace: Trace, ruler: Ruler, lanes: int) -> list[list[Holding]]:
    """Cut the time, for each of the first lanes, into pieces in which it holds the same locks."""
    locks = _Locks(trace, ruler)
    return [
        _pieces([locks.hold(lane, held) for held in sorted(trace.lanes[lane].held, key=lambda held: held[1:])])
        for lane in range(lanes)
    ]


class _Locks:
    """Finds the acquire and the release that a hold begins and ends with."""

    def __init__(self, trace: Trace, ruler: Ruler) -> None:
        self._lanes, self._ruler = trace.lanes, ruler
        self._acquires: dict[tuple[int, str, float], deque[int]] = defaultdict(deque)
        self._all_acquires: dict[str, list[int]] = defaultdict(list)
        self._releases: dict[tuple[int | None, str, float], list[int]] = defaultdict(list)
        self._matched: set[int] = set()
        for index, event in enumerate(trace.events):
            if event.kind == "acquire":
                self._acquires[event.lane, event.what, event.time].append(index)
                self._all_acquires[event.what].append(index)
            elif event.kind == "release":
                for lane in (event.lane, None):
                    self._releases[lane, event.what, event.time].append(index)

    def hold(self, lane: int, held: Held) -> tuple[Moment, Moment, str]:
        since = self._acquires[lane, held.lock, held.start]
        start = self._ruler.event(since.popleft()) if since else self._ruler.first(lane, held.start)
        after = start.event if start.time == held.end else -1
        release = self._release(None, held, after)
        acquires = self._all_acquires[held.lock]
        again = bisect_right(acquires, start.event)
        if release is not None and again < len(acquires) and acquires[again] < release:
            # taken twice before it is let go: there are two locks of this name, and a thread lets its own go
            release = self._release(lane, held, after) or release
        if release is not None:
            self._matched.add(release)
            end = self._ruler.event(release)
        else:
            never = held.end >= self._lanes[lane].end
            end = Moment(held.end, LAST) if never else self._ruler.last(lane, held.end)
        return start, max(start, end), held.lock

    def _release(self, lane: int | None, held: Held, after: float) -> int | None:
        """Return the first release after a trace event that belongs to no other hold, by one thread or by any."""
        releases = self._releases[lane, held.lock, held.end]
        at = bisect_right(releases, after)
        while at < len(releases) and releases[at] in self._matched:
            at += 1
        return releases[at] if at < len(releases) else None


def _pieces(holds: list[tuple[Moment, Moment, str]]) -> list[Holding]:
    pieces = [Holding(start, end, (lock,)) for start, end, lock in holds if start == end]
    holds = sorted(hold for hold in holds if hold[0] < hold[1])
    now: list[tuple[Moment, Moment, str]] = []
    at = 0
    for start, end in pairwise(sorted({moment for hold in holds for moment in hold[:2]})):
        now = [hold for hold in now if hold[1] > start]
        while at < len(holds) and holds[at][0] <= start:
            now.append(holds[at])
            at += 1
        if now:
            pieces.append(Holding(start, end, tuple(lock for _, _, lock in now)))
    return sorted(pieces)


def add_held(picture: Picture, row: Row, pieces: list[Holding], at: int, stop: float) -> int:
    """Add the locks a lane holds: a stripe each, and their names where there is room.

    Return how many times the lane holds nothing for so short a time that no gap shows it.
    """
    shown, named, hidden = _in_pixels(picture, pieces, stop)
    for piece in shown:
        for stripe in range(min(len(piece.locks), STRIPES)):
            top = row.bottom + 2 + stripe * (STRIPE + 1)
            for left, right in _dots(piece) if piece.seldom else [piece[:2]]:
                picture.held.append((left, top, right, top + STRIPE))
    told: tuple[str, ...] = ()
    for i, piece in enumerate(named):
        limit = named[i + 1].left if i + 1 < len(named) else picture.width
        if picture.roomy and piece.locks != told and limit - piece.left > ASIDE:
            y = row.bottom + 2 + picture.stripes * (STRIPE + 1) + 6
            for text in _told_as(piece, told):
                wide = width(text, SMALL) + 6
                # a name that begins far from its stripe would seem to belong to another
                x = picture.place(("below", at), wide, piece.left, min(limit, piece.right + ASIDE + wide))
                if x is not None:
                    picture.labels.append(Label(x + 4, y, text, SMALL))
                    told = piece.locks
                    break
    return hidden


def _dots(piece: Stripe) -> Iterator[tuple[float, float]]:
    for k in range(int((piece.right - piece.left - DOT) / APART) + 1):
        yield piece.left + k * APART, piece.left + k * APART + DOT


def _in_pixels(picture: Picture, pieces: list[Holding], stop: float) -> tuple[list[Stripe], list[Stripe], int]:
    """Return the stripes to draw, those to name, and how many gaps between them are too narrow to be seen.

    Where a piece that is too narrow to be seen goes over into another one, only the other one is named.
    """
    shown: list[Stripe] = []
    named: list[Stripe] = []
    hidden, before = 0, Moment(0.0)
    for start, end, locks in pieces:
        left, right = picture.ruler.x(start), picture.ruler.x(end)
        if picture.dead is not None and end.event == LAST and right >= picture.dead:
            right = stop
        stripe = Stripe(left, max(right, left + LEAST), locks, right - left)
        touches = bool(shown) and left <= shown[-1].right
        hidden += touches and start > before
        before = end
        if touches and shown[-1].locks == locks:
            shown[-1] = _joined(shown[-1], stripe, locks)
        else:
            shown.append(stripe)
        same = touches and not set(named[-1].locks).isdisjoint(locks)
        if same and (named[-1].locks == locks or min(stripe.wide, named[-1].wide) < 1):
            better = (stripe.wide >= 1, len(locks)) > (named[-1].wide >= 1, len(named[-1].locks))
            named[-1] = _joined(named[-1], stripe, locks if better else named[-1].locks)
        else:
            named.append(stripe)
    return shown, named, hidden


def _joined(one: Stripe, other: Stripe, locks: tuple[str, ...]) -> Stripe:
    return Stripe(one.left, max(one.right, other.right), locks, one.wide + other.wide, one.times + 1)


def _told_as(piece: Stripe, before: tuple[str, ...]) -> Iterator[str]:
    locks, times = piece.locks, f" {piece.times} times" if piece.seldom else ""
    yield printable(f"holds {', '.join(locks)}{times}")
    new = [lock for lock in locks if lock not in before]
    if before and len(new) + len(before) == len(locks):
        yield printable(f"and {', '.join(new)}")
    if len(locks) == 1:
        name = printable(locks[0])
        while width(name, SMALL) > SHORT and "." in name:  # of `pipeline.may_get` the end tells most
            name = name.partition(".")[2]
        yield f"holds {fit(name, SHORT, SMALL) or '…'}"
