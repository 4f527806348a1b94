"""Traces in the making: what a runtime notes of its threads while they run."""

import threading
from itertools import accumulate
from typing import Any

from ..learner.places import Place, shared
from ..texts import Namesakes, printable
from ..trace import Call, Clock, Ending, Held, Kind, Lane, On, Span, State, Trace, TraceEvent, Wait

MAX_ACCESSES = 20_000  # reads and writes that are noted in a run
MAX_FOR_NOW = 5 * MAX_ACCESSES  # that are kept until it is known whether threads share what they touch


class Row:
    """One thread's lane in the making; times in nanoseconds.

    Where nothing is noted it knows the thread's state and keeps none of those before.
    """

    # As they are at first.
    state: State = "running"
    label = ""
    line: int | None = None
    on: On = ""
    ending: Ending = "returned"
    waits: Wait | None = None

    def __init__(
        self, thread: threading.Thread, number: int, since: int, namesakes: Namesakes, noted: bool = True
    ) -> None:
        self.thread = thread
        self.number = number
        self._namesakes = namesakes
        namesakes.tell_apart(printable(thread.name), number)  # in the order of their starts
        self.since = since
        self.noted = noted
        self.spans: list[Span] = []
        self.holding: dict[Any, tuple[str, int]] = {}
        self.held: list[Held] = []
        self.calls: list[Call] = []

    @property
    def name(self) -> str:
        return self._namesakes.tell_apart(printable(self.thread.name), self.number)

    @property
    def daemon(self) -> bool:
        return self.number > 0 and self.thread.daemon

    def enter(self, now: int, state: State, label: str = "", line: int | None = None, on: On = "") -> None:
        """The thread's state from now on."""
        if not self.noted:
            self.state = state
            return
        self.close(now)
        self.state, self.label, self.line, self.on, self.since = state, label, line, on, now

    def close(self, now: int) -> None:
        """End the span that goes on; one that took no time is kept only to show where the thread ran."""
        if not self.noted:
            return
        start, self.since = self.since, now
        if start == now:
            ran_before = self.spans and self.spans[-1].state == "running" and self.spans[-1].end == now / 1e9
            if self.state != "running" or ran_before:
                return
        self.spans.append(Span(self.state, start / 1e9, now / 1e9, self.label, self.line, self.on))

    def hold(self, lock: Any, name: str, now: int) -> None:
        self.holding[lock] = name, now

    def let_go(self, lock: Any, now: int) -> None:
        name, start = self.holding.pop(lock)
        self.held.append(Held(name, start / 1e9, now / 1e9))

    def let_go_of_all(self, now: int) -> None:
        for lock in list(self.holding):
            self.let_go(lock, now)

    def lane(self) -> Lane:
        return Lane(self.name, tuple(self.spans), tuple(self.held), self.daemon, self.ending, tuple(self.calls))


class Events:
    """The trace events of a run, and what was left out of them."""

    def __init__(self) -> None:
        self.all: list[TraceEvent] = []
        self.notes: list[str] = []
        self._accesses = 0
        # How many trace events came before it, the access, and what it touched.
        self._for_now: list[tuple[int, TraceEvent, Place]] = []

    def __len__(self) -> int:
        return len(self.all)

    def add(
        self,
        now: int,
        row: Row,
        kind: Kind,
        what: str = "",
        value: str = "",
        line: int | None = None,
        cause: int | None = None,
    ) -> int:
        """Note a trace event, `now` in nanoseconds; returns its index."""
        self.all.append(TraceEvent(now / 1e9, row.number, kind, printable(what), printable(value), line, cause))
        return len(self.all) - 1

    def add_access(self, now: int, row: Row, kind: Kind, what: str, value: str, line: int) -> None:
        """Note a read or write of an attribute, up to a limit that the trace tells."""
        self._accesses += 1
        if self._accesses <= MAX_ACCESSES:
            self.add(now, row, kind, what, value, line)

    def add_for_now(self, now: int, row: Row, kind: Kind, place: Place, value: str, line: int) -> None:
        """Note a read or write that is left out at the end if threads turn out not to share the place."""
        if len(self._for_now) >= MAX_FOR_NOW:
            self._make_room()
        event = TraceEvent(now / 1e9, row.number, kind, "", printable(value), line)
        self._for_now.append((len(self.all), event, place))

    def _make_room(self) -> None:
        """Forget accesses to what one thread alone has touched so far; then the older half of all."""
        for only_shared in (True, False):
            if len(self._for_now) > MAX_FOR_NOW // 2:
                kept = []
                for index, note in enumerate(self._for_now):
                    place = note[2].known_as
                    if place.own or place.several if only_shared else index >= MAX_FOR_NOW // 2:
                        kept.append(note)
                    else:
                        place.cut = note[2].cut = True
                self._for_now = kept

    def _with_shared_places(self) -> list[TraceEvent]:
        """All trace events, and among them the accesses to what threads share."""
        begun = {event.lane: index for index, event in reversed([*enumerate(self.all)]) if event.kind == "begin"}
        notes = [(before, event, place.known_as) for before, event, place in self._for_now]
        places = shared(((before, event.lane, event.kind, place) for before, event, place in notes), begun)
        kept = [note for note in notes if id(note[2]) in places]
        self._accesses += len(kept)
        if any(place.cut for _, _, place in kept):
            self._accesses = max(self._accesses, MAX_ACCESSES + 1)
        kept = kept[:MAX_ACCESSES]
        if self._accesses > MAX_ACCESSES:
            self.notes.append(f"only the first {MAX_ACCESSES:,} reads and writes were noted")
        if not kept:
            return self.all
        moved = [0] * (len(self.all) + 1)
        for before, _, _ in kept:
            moved[before] += 1
        moved = list(accumulate(moved))
        merged: list[TraceEvent] = []
        waiting = iter([*kept, (len(self.all) + 1, None, None)])
        before, access, place = next(waiting)
        for index, event in enumerate([*self.all, None]):
            while before == index and access is not None and place is not None:
                merged.append(access._replace(what=place.name))
                before, access, place = next(waiting)
            if event is not None:
                merged.append(event if event.cause is None else event._replace(cause=event.cause + moved[event.cause]))
        return merged

    def trace(self, rows: list[Any], now: int, waits: tuple[Wait, ...], clock: Clock = "virtual") -> Trace:
        lanes = tuple(row.lane() for row in rows)
        events = tuple(self._with_shared_places())
        return Trace(lanes, events, now / 1e9, clock, waits, tuple(self.notes))
