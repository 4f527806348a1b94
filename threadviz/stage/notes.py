"""Traces in the making: what a runtime notes of its threads while they run."""

import threading
from typing import Any

from ..texts import Namesakes, printable
from ..trace import Ending, Held, Kind, Lane, On, Span, State, Trace, TraceEvent, Wait

MAX_ACCESSES = 20_000  # reads and writes of attributes that are noted in a run


class Row:
    """One thread's lane in the making; times in nanoseconds.

    Where nothing is noted it knows the thread's state and keeps none of those before.
    """

    def __init__(
        self, thread: threading.Thread, number: int, since: int, namesakes: Namesakes, noted: bool = True
    ) -> None:
        self.thread = thread
        self.number = number
        self._namesakes = namesakes
        namesakes.tell_apart(printable(thread.name), number)  # in the order of their starts
        self.since = since
        self.noted = noted
        self.state: State = "running"
        self.label = ""
        self.line: int | None = None
        self.on: On = ""
        self.spans: list[Span] = []
        self.holding: dict[Any, tuple[str, int]] = {}
        self.held: list[Held] = []
        self.ending: Ending = "returned"
        self.waits: Wait | None = None

    @property
    def name(self) -> str:
        return self._namesakes.tell_apart(printable(self.thread.name), self.number)

    @property
    def daemon(self) -> bool:
        return self.number > 0 and self.thread.daemon

    def enter(self, now: int, state: State, label: str = "", line: int | None = None, on: On = "") -> None:
        """The thread's state from now on."""
        if self.noted:
            self.close(now)
        self.state, self.label, self.line, self.on, self.since = state, label, line, on, now

    def close(self, now: int) -> None:
        """End the span that goes on; one that took no time is kept only to show where the thread ran."""
        start, self.since = self.since, now
        if not self.noted:
            return
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
        return Lane(self.name, tuple(self.spans), tuple(self.held), self.daemon, self.ending)


class Events:
    """The trace events of a run, and what was left out of them."""

    def __init__(self) -> None:
        self.all: list[TraceEvent] = []
        self.notes: list[str] = []
        self._accesses = 0

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
        elif self._accesses == MAX_ACCESSES + 1:
            self.notes.append(f"only the first {MAX_ACCESSES:,} reads and writes of attributes were noted")

    def trace(self, rows: list[Any], now: int, waits: tuple[Wait, ...]) -> Trace:
        lanes = tuple(row.lane() for row in rows)
        return Trace(lanes, tuple(self.all), now / 1e9, "virtual", waits, tuple(self.notes))
