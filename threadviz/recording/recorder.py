"""Notes what real OS threads do on the real clock: an engine over the real primitives.

Every thread appends its notes to one list, which costs a fraction of a microsecond; lanes and spans are made of
them afterwards, in `assembly.py`.
"""

import threading
from collections.abc import Callable
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any, ClassVar

from .. import real
from ..learner.code import caller, ends_a_call, raised_at, user_call, visible
from ..learner.naming import Names
from ..learner.places import Place
from ..stage import cpu
from ..stage.engine import Engine
from ..texts import Namesakes, error_parts, printable
from ..trace import Call, Kind, On, State
from .lives import Lives
from .sampling import own_clock
from .tracks import GAP, SLICE, AnyNote, Described, Note, SpanNote, TouchNote, Track

MAX_NOTES = 200_000  # of a run; what comes later is not kept
MAX_ACCESSES = 1_000_000  # that are looked at to see whether threads share what they touch


class Recorder(Engine):
    """The engine of one recorded run: its threads, from their start to their end, and what they note."""

    newest: ClassVar["Recorder"]  # that of the run that goes on; locks made in it keep a reference
    virtual = False

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[AnyNote] = []
        self.touches: list[TouchNote] = []
        self.forgotten = 0  # touches, of what one thread alone had touched
        self.hears_all = True
        self.stop_hearing: Callable[[], object] = int  # of accesses; nothing, until it is known how
        self._tidying = real.allocate_lock()
        self.given_away: dict[int, str] = {}  # what is told of it, by the line
        self.room = MAX_NOTES
        self.all: list[Track] = []
        self.tracks: dict[int, Track] = {}  # OS thread's identity -> the thread that it is now
        self.learners: dict[int, CodeType] = {}  # code known to be the learner's, by its id, as its hash is slow
        self.errors: list[tuple[str, BaseException]] = []
        self.names, self.namesakes = Names(), Namesakes()
        self.stopping = False
        self.deadlocked = False
        self.lives = Lives(self)
        self._suspicion: tuple[int, object] = (0, None)
        self.began = perf_counter_ns()
        Recorder.newest = self
        main = Track(self, threading.current_thread())
        self.all.append(main)
        main.clock = own_clock()
        self.tracks[real.get_ident()] = main

    def is_ours(self) -> bool:
        return real.get_ident() in self.tracks

    def library_lock(self) -> Any:
        lock = self.Lock()
        lock.made_by_learner = False
        return lock

    @property
    def is_over(self) -> bool:
        return self.stopping

    @property
    def rows(self) -> list[Track]:
        return self.all

    def track(self) -> Track | None:
        """The thread that asks; None for one that is not of this run, or that the run has left behind."""
        return self.tracks.get(real.get_ident())

    def note(
        self, kind: Kind, what: Any = "", value: Any = "", line: int | None = None, cause: Note | None = None
    ) -> Note | None:
        track = self.tracks.get(real.get_ident())
        if track is None:
            return None
        if len(self.notes) >= self.room:
            self.fill()
            return None
        note = Note(perf_counter_ns(), track, kind, what, value, line, cause)
        self.notes.append(note)
        return note

    def fill(self) -> None:
        """No more notes are kept: from now on the program is to cost little more than it does plainly."""
        if self.keeps_notes:
            self.keeps_notes = False
            self.stop_hearing()

    def note_submitted(self, call: str) -> None:
        track = self.tracks.get(real.get_ident())
        if track is not None and len(self.notes) < self.room:
            track.calls.append(Call((perf_counter_ns() - self.began) / 1e9, call))

    def note_access(self, kind: Kind, what: str, value: str, line: int) -> None:
        self.note(kind, what, value, line)

    def lane(self) -> int | None:
        track = self.tracks.get(real.get_ident())
        return None if track is None else track.number

    def before_access(self) -> None:
        """Nothing: real threads are switched by the operating system."""

    def note_given_away(self, method: str, kind: str, line: int) -> None:
        self.given_away.setdefault(
            line, f"the method {method} of a {kind} is given away in line {line}: what its calls touch is not shown"
        )

    def note_order(self, line: int) -> None:
        """Nothing: a recorded run is another one each time."""

    def note_for_now(self, kind: Kind, place: Place, value: str, line: int) -> None:
        """Note an access that is left out at the end if threads turn out not to share the place."""
        track = self.tracks.get(real.get_ident())
        if track is None:
            return
        self.touches.append(TouchNote(perf_counter_ns(), track, kind, place, value, line))
        if len(self.touches) >= MAX_NOTES and self._tidying.acquire(False):
            try:
                self._tidy()
            finally:
                self._tidying.release()

    def _tidy(self) -> None:
        """Forget the touches of what one thread alone has touched so far; where they are too many, hear no more."""
        many = len(self.touches)
        kept = []
        for touch in self.touches[:many]:
            place = touch.place.known_as
            if place.own or place.several:
                kept.append(touch)
            else:
                place.cut = touch.place.cut = True
        self.touches[:many] = kept  # at once, as others go on appending
        self.forgotten += many - len(kept)
        if len(kept) > MAX_NOTES // 2 or self.forgotten >= MAX_ACCESSES:
            self.hears_all = False
            self.stop_hearing()

    def moment(self) -> tuple[float, str]:
        track = self.track()
        name = track.name if track is not None else threading.current_thread().name
        return (perf_counter_ns() - self.began) / 1e9, name

    def begin_item(self) -> int | None:
        return user_call("queue")[1] if self.keeps_notes else None

    def note_call(self) -> Note | None:
        """Note the operation that is about to let another thread go on."""
        if not self.keeps_notes:
            return None
        name, line, _ = user_call("")
        return self.note("call", name, line=line) if line is not None or ends_a_call(name) else None

    def note_error(self, error: BaseException) -> None:
        self.note("error", *error_parts(error), line=raised_at(error))

    def object_name(self, wanted: object, otherwise: str) -> str:
        """What the learner calls `wanted`: in the main thread's frames first, then in the current thread's."""
        main = real.current_frames().get(self.all[0].thread.ident or 0)
        return self.names.name(wanted, main, caller(), otherwise)

    def note_span(self, track: Track, state: State, label: str, start: int, end: int, line: Any, on: On = "") -> None:
        if len(self.notes) < self.room:
            self.notes.append(SpanNote(end, track, state, label, start, line, on))

    def current_frames(self) -> dict[int, FrameType]:
        frames = {ident: visible(frame) for ident, frame in real.current_frames().items()}
        return {ident: frame for ident, frame in frames.items() if frame is not None}

    def signalled(self, number: int, handle: Callable[[], object], frame: FrameType | None) -> None:
        handle()

    def stop(self) -> None:
        """Let every wait raise StopRun, and keep nothing that comes later."""
        self.room = 0
        self.stopping = True

    def start(self, thread: threading.Thread) -> None:
        self.lives.start(thread)

    def look_for_deadlock(self) -> None:
        """End the run when every thread has waited without a time-out, twice in a row, for what nobody can do."""
        tracks = list(self.tracks.values())
        for track in tracks:
            still = track.hopeless
            if still is None or not still():
                self._suspicion = (0, None)
                return
        if any(not track.begun for track in self.all[1:]):
            self._suspicion = (0, None)
            return
        state = [(track.number, track.turns) for track in tracks]
        since, suspected = self._suspicion
        if suspected != state:
            self._suspicion = (perf_counter_ns(), state)
        elif perf_counter_ns() - since > 2e9 * SLICE:
            self.deadlocked = True
            self.stop()

    def sleep_for(self, seconds: float) -> None:
        track = self.track()
        if track is None:
            real.sleep(seconds)
            return
        _, line, _ = user_call("sleep")
        if line is not None:
            self.note("sleep", f"{seconds:g}", line=line)
        if not seconds:
            if self.stopping:
                track.request_end()
            real.sleep(0)
            return
        track.wait(Described("sleeping", f"sleep {seconds:g}", line, None, "sleep"), _slept, seconds, lambda: False)

    def work(self, seconds: float) -> None:
        track = self.track()
        if track is None:
            cpu.busy(seconds)
            return
        _, line, _ = user_call("work")
        label = f"work {seconds:g}"
        if line is not None:
            self.note("work", f"{seconds:g}", line=line)
        since = last = perf_counter_ns()
        track.working = since, last, label, line

        def tick(now: int) -> None:
            nonlocal since, last
            if self.stopping:
                track.request_end()
            if now - last > GAP:
                self.note_span(track, "running", label, since, last, line)
                self.note_span(track, "ready", "off the CPU", last, now, line)
                since = now
            last = now
            track.working = since, last, label, line

        cpu.busy(seconds, tick)
        tick(perf_counter_ns())
        self.note_span(track, "running", label, since, last, line)
        track.working = None

    def join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        track = self.track()
        alive = getattr(thread, "_initialized", False) and real.is_alive(thread)
        if track is None or not alive or thread is threading.current_thread() or not can_last(timeout):
            real.join(thread, timeout)
            return
        main = self.all[0]
        other = main if thread is main.thread else getattr(thread, "_threadviz", None)
        other = other if isinstance(other, Track) else None
        name, line, outermost = user_call("Thread.join")
        awaited = other.name if other is not None else printable(thread.name)
        if line is not None:
            self.note("call", name, awaited if outermost is None else "", line=line)

        def attempt(seconds: float) -> bool:
            real.join(thread, seconds)
            return not real.is_alive(thread)

        label = f"{'Thread.join' if line is None else name}: waits for {awaited}"
        described = Described("blocked", label, line, other, f"the end of {awaited}", "thread")
        ended = track.wait(described, attempt, timeout, lambda: real.is_alive(thread))
        if line is not None:
            cause = other.end if ended and other is not None else None
            self.note("wake", name, "" if ended else "time-out", line, cause)


def can_last(timeout: Any) -> bool:
    """Whether a wait with this time-out waits at all; if not, CPython's own function gives the answer or the error."""
    return timeout is None or (isinstance(timeout, int | float) and 0 < timeout <= threading.TIMEOUT_MAX)


def _slept(seconds: float) -> bool:
    real.sleep(seconds)
    return False
