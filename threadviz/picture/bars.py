"""What a lane shows of itself: its states, and how it ended."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from math import inf

from ..story.causality import endless_wait
from ..trace import Lane, Span, Trace, TraceEvent, Wait
from .lettering import fit, printable, width
from .ruler import Moment, Ruler
from .shapes import FILL_NAMES, INK, LETTERS, SMALL, About, Fill, Label, Picture, Row, fill

TICK, THIN = 3.0, 1.5
STEP_BOX = 18.0  # width of a step where nothing takes time, at most
HAIR = 1.5  # height of the line that waits for the end of a thread are
LEAST_ALONE = 3.0  # of a span that has a box of its own beside another one of its kind
OUTLINE = 0.9  # width of a box's outline, half of which stands outside
APART, FEW = 20.0, 4  # of what is shown wider than it is, so many may begin closer to one another than this
SOME = 24  # so many thin ticks may, if there is room between them; of more none is shown, as all must look alike
LEAST_CUT = 14  # letters that a label keeps which is cut
LEAST_WORD = 4  # letters of a word that stands for its label: "waits" and "work" do, "off" of "off the CPU" does not


WAITS = ("blocked", "ready")


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
    widths = _tick_widths([picture.x(time) for time in _moments_of_running(lane, ruler, row.lane)])
    for span in lane.spans:
        for_ever = span is endless
        if not (ruler.timed or for_ever):
            continue
        left = ruler.x(_begins(trace, ruler, row.lane, span, for_ever))
        right = stop if for_ever else ruler.x(ruler.first(row.lane, span.end))
        if span.start == span.end and not for_ever:
            if span.state == "running":
                for index in ruler.steps(row.lane, span.start):
                    bar.tick(span, picture.at(index), TICK)
                if not ruler.steps(row.lane, span.start):
                    bar.tick(span, right, widths.get(picture.x(span.start), 0.0))
        elif right - left < 1:
            bar.narrow(span, left, right)
        else:
            because = let_go.get(span.end, "") if span.state in WAITS else ""
            task = _task(lane, span)
            thread = f"{lane.name}, in {task}" if task else lane.name
            about = About(thread, _doing(span), span.start, inf if for_ever else span.end, span.line, because)
            bar.just(fill(span), bar.merge(left), right, about)
            _label(picture, row, span, task, left, right if not for_ever else stop - _circle_room(picture))
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


def _moments_of_running(lane: Lane, ruler: Ruler, index: int) -> list[float]:
    """Return when a lane runs for no time in instants that are not stretched for it; seconds."""
    times = [span.start for span in lane.spans if span.state == "running" and span.start == span.end]
    return [time for time in times if not ruler.steps(index, time)]


def _tick_widths(xs: list[float]) -> dict[float, float]:
    """Return how wide the ticks at these places may be (pixels): those close to one another all alike, or none."""
    xs = sorted(set(xs))
    widths: dict[float, float] = {}
    crowd: list[float] = []
    for x in [*xs, inf]:
        if crowd and x - crowd[-1] >= APART:
            room = min((b - a for a, b in pairwise(crowd)), default=APART)
            few, some = len(crowd) <= FEW and room >= 2 * TICK, len(crowd) <= SOME and room >= 4 * THIN
            widths |= dict.fromkeys(crowd, TICK if few else THIN if some else 0.0)
            crowd = []
        crowd.append(x)
    return widths


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
        self._tick = -APART
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
        boxes = self._boxes[state]
        if boxes and right - left < LEAST_ALONE and boxes[-1][1:3] == (self._row.top, left):
            # outlines side by side would be a darker fill
            before = self._about[boxes[-1]]
            if before.what == about.what:
                del self._about[boxes[-1]]
                left, about = boxes.pop()[0], before._replace(end=about.end)
        self.box(state, left + inside, right - inside, about)

    def tick(self, span: Span, x: float, wide: float) -> None:
        """Show where the thread runs for no time, if that may be seen at all."""
        if wide == 0:
            self.merged += 1
        elif x - self._tick >= 1:  # else it is under the tick before
            about = About(self._name, _doing(span), span.start, span.end, span.line)
            self.box("running", x - wide / 2, x + wide / 2, about)
            self._tick = x

    def step(self, event: TraceEvent, x: float) -> None:
        """Show a step of a run in which nothing takes time."""
        if x - self._tick < 1:
            self.merged += 1
            return
        self._tick = x
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
    return f"{span.state}: {_told(span)}" if span.label else span.state


def _told(span: Span) -> str:
    """Return a span's label; of work that is done in several pieces, how much of it this piece is."""
    if span.state == "running" and span.label.startswith("work "):
        total = span.label.removeprefix("work ")
        part = f"{span.end - span.start:.3g}"
        if float(part) < 0.95 * float(total):
            return f"work {part} of {total}"
    return span.label


def _task(lane: Lane, span: Span) -> str:
    """Return the call of a pool that a worker is in during a span, but not while it waits for the next one."""
    # Where the looks at a CPU clock found the span, it may begin a little before the call that it belongs to.
    at = bisect_right(lane.calls, (span.start + span.end) / 2, key=lambda call: call.start)
    return lane.calls[at - 1].what if at and not span.label.startswith("waits for work") else ""


def _circle_room(picture: Picture) -> float:
    return 18.0 * len(picture.circle) + 12 if picture.circle else 0.0


def _label(picture: Picture, row: Row, span: Span, task: str, left: float, right: float) -> None:
    if right - left < 24 or not (span.label or task):
        return
    size, room = LETTERS if picture.roomy else SMALL, right - left - 10
    label, call = printable(_told(span)), printable(task)
    both = f"{call}: {label}" if call and label else call
    if both and width(both, size) <= room:
        text = both
    elif call and width(call, size) <= room and (span.state not in WAITS or width(label, size) > room):
        # which call it is says more than that it sleeps; not more than what it waits for
        text = call
    else:
        text = _label_that_fits(label or call, room, size)
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
