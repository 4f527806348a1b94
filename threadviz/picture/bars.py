"""What a lane shows of itself: its states, the locks it holds, how it ended."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import inf
from typing import NamedTuple

from ..story.causality import endless_wait
from ..trace import Held, Span, Trace, TraceEvent, Wait
from .lettering import fit, printable, width
from .ruler import LAST, Moment, Ruler
from .shapes import FILL_NAMES, INK, LETTERS, SMALL, About, Fill, Label, Picture, Row, fill

TICK, STRIPE, STRIPES = 3.0, 4.0, 3
STEP_BOX = 18.0  # width of a step where nothing takes time, at most
HAIR = 1.5  # height of the line that waits for the end of a thread are
OUTLINE = 0.9  # width of a box's outline, half of which stands outside
APART, FEW = 20.0, 4  # of what is shown wider than it is, so many may begin closer to one another than this
ASIDE = 12.0  # from the end of a stripe to its name, at most
LEAST_CUT = 14  # letters that a label keeps which is cut
LEAST_WORD = 4  # letters of a word that stands for its label: "waits" and "work" do, "off" of "off the CPU" does not


WAITS = ("blocked", "ready")


class Holding(NamedTuple):
    """An interval in which one thread held the same locks all the time."""

    start: Moment
    end: Moment
    locks: tuple[str, ...]


class Stripe(NamedTuple):
    """As a holding, in pixels."""

    start: float
    end: float
    locks: tuple[str, ...]


def add_bar(picture: Picture, row: Row, trace: Trace, stop: float, let_go: Mapping[float, str]) -> int:
    """Add a lane's states; return how many spans are too narrow to be shown one by one.

    Waits without an end reach to `stop` (pixels).  Running for no time at all is shown as a tick.  `let_go` says who
    let the thread go on, by when (seconds).
    """
    lane, ruler = trace.lanes[row.lane], picture.ruler
    bar = _Bar(picture, row, lane.name)
    endless = endless_wait(lane)
    if not ruler.timed:
        for index in ruler.steps(row.lane, 0.0):
            bar.step(trace.events[index], picture.at(index))
    for span in lane.spans:
        for_ever = span is endless
        if not (ruler.timed or for_ever):
            continue
        left = ruler.x(_begins(trace, ruler, row.lane, span, for_ever))
        right = stop if for_ever else ruler.x(ruler.first(row.lane, span.end))
        if span.start == span.end and not for_ever:
            if span.state == "running":
                steps = ruler.steps(row.lane, span.start)
                for index in steps:
                    bar.tick(span, picture.at(index), picture.at(steps[0]))
                if not steps:
                    bar.tick(span, right, right)
        elif right - left < 1:
            bar.narrow(span, left, right)
        else:
            because = let_go.get(span.end, "") if span.state in WAITS else ""
            about = About(lane.name, _doing(span), span.start, inf if for_ever else span.end, span.line, because)
            bar.just(fill(span), bar.merge(left), right, about)
            _label(picture, row, span, left, right if not for_ever else stop - _circle_room(picture))
    bar.merge()
    return bar.merged


def _begins(trace: Trace, ruler: Ruler, index: int, span: Span, for_ever: bool) -> Moment:
    """Return when a span begins: after all that its lane does in that instant, and that makes it wait for ever."""
    lane = trace.lanes[index]
    begins = ruler.last(index, span.start)
    if span is lane.spans[0]:
        begins = max(begins, ruler.begin(index, span.start))
    if for_ever:
        for wait in trace.waits:
            if wait.thread == lane.name:
                begins = max(begins, _taken(trace, ruler, wait, span.start))
        if not ruler.timed:
            begins = begins._replace(event=begins.event + 0.5)  # beside the last step
    return begins


def _taken(trace: Trace, ruler: Ruler, wait: Wait, time: float) -> Moment:
    """Return when, in an instant, somebody took what a thread waits for; else when the instant begins."""
    taken = Moment(time)
    for index, event in enumerate(trace.events):
        if (event.kind, event.what, event.time) == ("acquire", wait.what, time):
            taken = ruler.event(index) if trace.lanes[event.lane].name == wait.holder else taken
    return taken


def half_a_tick(ruler: Ruler) -> float:
    """Return half the width of what takes no time; where nothing does, it is as wide as a step allows."""
    return TICK / 2 if ruler.timed else min(max(ruler.step - 4, 1.0), STEP_BOX) / 2


class _Bar:
    """A lane's boxes.  Nothing in it may seem to take much more of the time than it does."""

    def __init__(self, picture: Picture, row: Row, name: str) -> None:
        self._boxes, self._about, self._row, self._name = picture.boxes, picture.about, row, name
        self._ruler = picture.ruler
        self._narrow: list[tuple[Span, float, float]] = []
        self._owed: dict[Fill, float] = defaultdict(float)  # pixels of narrow spans that are not shown yet
        self._last, self._crowd = -APART, 0  # of what is shown wider than it is, or would be, close to one another
        self.merged = 0

    def box(self, state: Fill, left: float, right: float, about: About) -> None:
        top, bottom = self._row.top, self._row.bottom
        if state == "thread":
            top, bottom = self._row.middle - HAIR / 2, self._row.middle + HAIR / 2
        box = left, top, right, bottom
        self._boxes[state].append(box)
        self._about[box] = about

    def just(self, state: Fill, left: float, right: float, about: About) -> None:
        """Add a box that looks no wider than it is: the outline of running has the colour of what is in it."""
        inside = OUTLINE / 2 if state == "running" and right - left < APART / 2 else 0.0
        self.box(state, left + inside, right - inside, about)

    def tick(self, span: Span, x: float, first: float) -> None:
        """Show where the thread runs for no time; `first` is where it begins to, in a stretched instant."""
        if x - self._last < 1:
            return  # under the tick before
        if x > first and x - self._last >= TICK or self._may_widen(x):
            about = About(self._name, _doing(span), span.start, span.end, span.line)
            self.box("running", x - TICK / 2, x + TICK / 2, about)
            self._last = x
        else:
            self.merged += 1

    def step(self, event: TraceEvent, x: float) -> None:
        """Show a step of a run in which nothing takes time."""
        if x - self._last < 1:
            self.merged += 1
            return
        self._last = x
        half = half_a_tick(self._ruler)
        about = About(self._name, f"running: {event.kind} {event.what}".rstrip(), event.time, event.time, event.line)
        self.box("running", x - half, x + half, about)

    def _may_widen(self, x: float) -> bool:
        """Return whether what begins here may be shown wider than it is: a few close to one another, not a crowd."""
        apart, self._last = x - self._last, x
        self._crowd = self._crowd + 1 if apart < APART else 1
        return self._crowd <= FEW and apart >= 2 * TICK

    def narrow(self, span: Span, left: float, right: float) -> None:
        if self._narrow and left > self._narrow[-1][2]:
            self.merge()
        self._narrow.append((span, left, right))
        if right - self._narrow[0][1] >= 1:
            self.merge()

    def merge(self, following: float = inf) -> float:
        """Show the narrow spans so far as one; return where what follows them begins, as it may have to cover them."""
        if not self._narrow:
            return following
        for span, left, right in self._narrow:
            self._owed[fill(span)] += right - left
        most = max((fill(span) for span, _, _ in self._narrow), key=self._owed.__getitem__)
        count, (first, left, _), (last, _, right) = len(self._narrow), self._narrow[0], self._narrow[-1]
        self._narrow.clear()
        widened = right - left < 1 and self._may_widen(left)
        if right - left < 1 and not widened and self._owed[most] < 1:
            self.merged += count
            return left if right == following else following
        self.merged += count if count > 1 else 0
        right = max(right, left + 1)
        self._owed[most] = max(self._owed[most] - (right - left), 0.0)
        boxes, since = self._boxes[most], first.start
        if boxes and boxes[-1][1:3] == (self._row.top, left):
            before = boxes.pop()
            left, since = before[0], self._about.pop(before).start
        what = (
            _doing(first) if count == 1 and since == first.start else f"mostly {FILL_NAMES[most]}, in short intervals"
        )
        about = About(self._name, what, since, last.end, first.line)
        (self.box if widened else self.just)(most, left, right, about)
        return following


def _doing(span: Span) -> str:
    return f"{span.state}: {span.label}" if span.label else span.state


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
    word = label.split(" ")[0]
    if not text or text[-1] != "…" or (len(text) > LEAST_CUT and word == label):
        return text
    return word if len(word) >= LEAST_WORD and width(word, size) <= room else ""


def holdings(trace: Trace, ruler: Ruler, lanes: int) -> list[list[Holding]]:
    """Cut the time, for each of the first lanes, into pieces in which it holds the same locks."""
    got: dict[tuple[int, str, float], list[int]] = defaultdict(list)
    got_by_any: dict[str, list[int]] = defaultdict(list)
    freed: dict[tuple[str, float], list[int]] = defaultdict(list)
    for index, event in enumerate(trace.events):
        if event.kind == "acquire":
            got[event.lane, event.what, event.time].append(index)
            got_by_any[event.what].append(index)
        elif event.kind == "release":
            freed[event.what, event.time].append(index)

    def hold(lane: int, held: Held) -> tuple[Moment, Moment, str]:
        since, until = got[lane, held.lock, held.start], freed[held.lock, held.end]
        start = ruler.event(since.pop(0)) if since else ruler.first(lane, held.start)
        after = [k for k in until if (held.end, k) > start]
        acquires = got_by_any[held.lock]
        again = bisect_right(acquires, start.event)
        if after and again < len(acquires) and acquires[again] < after[0]:
            # taken twice before it is let go: there are two locks of this name, and a thread lets its own go
            after = [k for k in after if trace.events[k].lane == lane] or after
        if after:
            end = ruler.event(after[0])
            until.remove(after[0])
        else:
            never = held.end >= trace.lanes[lane].end
            end = Moment(held.end, LAST) if never else ruler.last(lane, held.end)
        return start, max(start, end), held.lock

    return [
        _pieces([hold(lane, held) for held in sorted(trace.lanes[lane].held, key=lambda held: (held.start, held.end))])
        for lane in range(lanes)
    ]


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
    for left, right, locks in shown:
        for stripe in range(min(len(locks), STRIPES)):
            top = row.bottom + 2 + stripe * (STRIPE + 1)
            picture.held.append((left, top, right, top + STRIPE))
    told: tuple[str, ...] = ()
    for i, (left, right, locks) in enumerate(named):
        limit = named[i + 1].start if i + 1 < len(named) else picture.width
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


def _in_pixels(picture: Picture, pieces: list[Holding], stop: float) -> tuple[list[Stripe], list[Stripe], int]:
    """Return the stripes to draw, those to name, and how many gaps between them are too narrow to be seen.

    Where a piece that is too narrow to be seen goes over into another one, only the other one is named.
    """
    shown: list[Stripe] = []
    named: list[Stripe] = []
    hidden, before, named_wide = 0, Moment(0.0), 0.0
    for start, end, locks in pieces:
        left, right = picture.ruler.x(start), picture.ruler.x(end)
        if picture.dead is not None and end.event == LAST and right >= picture.dead:
            right = stop
        wide, right = right - left, max(right, left + TICK)
        touches = bool(shown) and left <= shown[-1].end
        hidden += touches and start > before
        before = end
        if touches and shown[-1].locks == locks:
            shown[-1] = Stripe(shown[-1].start, max(shown[-1].end, right), locks)
        else:
            shown.append(Stripe(left, right, locks))
        same = touches and not set(named[-1].locks).isdisjoint(locks)
        if same and (named[-1].locks == locks or min(wide, named_wide) < 1):
            better = (wide >= 1, len(locks)) > (named_wide >= 1, len(named[-1].locks))
            told = locks if better else named[-1].locks
            named[-1] = Stripe(named[-1].start, max(named[-1].end, right), told)
            named_wide += wide
        else:
            named.append(Stripe(left, right, locks))
            named_wide = wide
    return shown, named, hidden


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
    for index, event in enumerate(trace.events):
        if event.kind == "failed" and event.lane == row.lane:
            mark = picture.at(index), row.middle
            picture.marks["error"].append(mark)
            picture.about[mark] = _raised(trace, event)


def _raised(trace: Trace, event: TraceEvent) -> About:
    error = ": ".join(filter(None, (event.what, event.value)))
    return About(trace.lanes[event.lane].name, f"raises {error}", event.time, event.time, event.line)


def add_ending(picture: Picture, row: Row, trace: Trace, told: str) -> None:
    """Tear off a lane that did not end by itself, cross out one that raised, and say so."""
    if not told:
        return
    lane = trace.lanes[row.lane]
    x = picture.ruler.x(picture.ruler.last(row.lane, lane.end))
    if lane.ending == "raised":
        errors = [i for i, event in enumerate(trace.events) if event.kind == "error" and event.lane == row.lane]
        x = picture.at(errors[-1]) if errors else x
        picture.marks["error"].append((x, row.middle))
        if errors:
            picture.about[x, row.middle] = _raised(trace, trace.events[errors[-1]])
    else:
        teeth = 6
        step = (row.bottom - row.top) / teeth
        picture.torn.append([(x + (-5 if i % 2 else 2), row.top + i * step) for i in range(teeth + 1)])
    picture.labels.append(Label(x + 11, row.middle, told, SMALL, bold=lane.ending == "raised", backed=True))
