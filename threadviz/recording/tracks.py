"""The threads of a recorded run, what each notes, and its waits.

A wait lasts at most a slice before it looks whether the run is being ended, so that no thread is left.
"""

import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from .. import real
from ..errors import StopRun
from ..learner.places import Place
from ..stage.notes import Row
from ..stage.watchdog import raise_on_next_line
from ..trace import Kind, On, State
from .sampling import Look

if TYPE_CHECKING:
    from .recorder import Recorder

SLICE = 0.1  # seconds, real: how long a wait lasts before it looks about
GAP = 1_000_000  # nanoseconds: between two looks at the clock, so long that the thread was off the CPU

Spot = tuple[CodeType, int]  # code and the offset of an instruction in it: a line that nobody has looked up yet
# A lock was got or let go, as a plain tuple, which costs the least: nanoseconds, OS thread's identity, kind, lock,
# code, offset, cause.
LockNote = tuple[int, int, str, Any, CodeType | None, int | None, Any]


class Note(NamedTuple):
    """Something happened in a thread."""

    when: int  # nanoseconds
    track: "Track"
    kind: Kind
    what: str
    value: str
    place: int | Spot | None
    cause: Any  # the note of what let it happen, or the lock whose last release did


class SpanNote(NamedTuple):
    """A thread was in one state until now."""

    when: int  # nanoseconds: its end
    track: "Track"
    state: State
    label: str
    since: int
    place: int | Spot | None
    on: On = ""
    lock: Any = None  # that it waited for
    got: bool = False  # the lock


class TouchNote(NamedTuple):
    """An access that counts if threads share the place."""

    when: int  # nanoseconds
    track: "Track"
    kind: Kind
    place: Place
    value: str
    line: int


AnyNote = Note | SpanNote | LockNote


class Described(NamedTuple):
    """A wait, before anybody knows how long it lasts."""

    state: State
    label: str
    place: int | Spot | None  # in the learner's code
    holder: Any  # the thread that would end it, or the lock that it is for
    what: str  # it is for, as a deadlock tells
    on: On = ""


class Track(Row):
    """A recorded thread; its lane is keyed by our own number, as an OS thread's identity is used again."""

    def __init__(self, recorder: "Recorder", thread: threading.Thread) -> None:
        super().__init__(thread, len(recorder.all), 0, recorder.namesakes)
        self.recorder = recorder
        self.started_by: Note | None = None
        self.begun = False
        self.end: Note | None = None
        self.quiet = False  # inside `Thread.start`, whose own waits are nobody's business
        self.turns = 0  # waits so far
        self.waiting: tuple[int, Described] | None = None  # since when, and for what
        self.cut_wait: tuple[int, Described] | None = None  # the first one that ended when no more notes were kept
        self.working: tuple[int, int, str, int | None] | None = None  # since when, and until when it was seen to
        self.hopeless: Callable[[], bool] | None = None  # whether a wait without a time-out still waits for something
        self.requests = 0  # to end, raised in its waits so far
        self.gone = False
        self.clock: int | None = None  # that of the CPU time of its OS thread
        self.looks: list[Look] = []  # at that clock

    def is_alive(self) -> bool:
        try:
            alive = real.is_alive(self.thread)
        except Exception:  # a subclass with a `_stop` of its own breaks CPython 3.11's `is_alive`
            alive = False
        # and a time-out of `join` that is too long makes CPython 3.11 take a thread for stopped
        return alive or (not self.gone and self.thread.ident in real.current_frames())

    def request_end(self) -> NoReturn:
        self.requests += 1
        if self.requests > 1:  # it caught the last one
            raise_on_next_line(sys._getframe(1))
        raise StopRun

    def wait(
        self,
        described: Described,
        attempt: Callable[[float], bool],
        seconds: float | None,
        hopeless: Callable[[], bool],
    ) -> bool:
        """Call `attempt` with at most a slice of seconds until it succeeds; False for a time-out, in `seconds`."""
        recorder = self.recorder
        if recorder.stopping:  # in the learner's `finally`, whose waits were none of the run's
            self.request_end()
        if not self.quiet:
            recorder.let_go()
        began = perf_counter_ns()
        deadline = None if seconds is None else began + round(seconds * 1e9)
        if not self.quiet:
            self.waiting = (began, described)
            self.hopeless = hopeless if deadline is None else None
        self.turns += 1
        done = False
        try:
            while True:
                left = SLICE
                if deadline is not None:
                    left = max(min(SLICE, (deadline - perf_counter_ns()) / 1e9), 0)
                done = attempt(left)
                # Also where the wait has just ended: what others let go on their way out counts not.
                if recorder.stopping:
                    self.request_end()
                if done or left < SLICE:
                    return done
                if deadline is None:
                    recorder.look_for_deadlock()
        finally:
            self.hopeless = None
            if len(recorder.notes) >= recorder.room:
                self.cut_wait = self.cut_wait or self.waiting
            elif self.waiting is not None and not recorder.stopping:
                now = perf_counter_ns()
                state, label, line, holder, what, on = described
                if state == "sleeping" and deadline is not None and now - deadline > GAP:
                    recorder.note_span(self, state, label, began, deadline, line)
                    state, label, began = "ready", "off the CPU", deadline  # awake, and not yet on its way
                if on != "lock":
                    recorder.note_span(self, state, label, began, now, line, on)
                else:
                    recorder.notes.append(SpanNote(now, self, state, what, began, line, on, holder, done))
            if not recorder.stopping:
                self.waiting = None
