"""Notes what real OS threads do on the real clock: an engine over the real primitives.

Every thread appends plain tuples to one list, which costs a fraction of a microsecond; lanes and spans are made of
them afterwards, in `assembly.py`.  A wait lasts at most a slice before it looks whether the run is being ended, so that
a deadlock ends by itself and no thread is left.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any, ClassVar, NamedTuple, NoReturn

from .. import real
from ..errors import StopRun
from ..learner.code import call_site, caller, ends_a_call, is_learners, line_at, raised_at, user_call, visible
from ..learner.naming import Names
from ..learner.places import Place
from ..patches import Patches
from ..stage import cpu
from ..stage.engine import Engine
from ..stage.notes import Row
from ..stage.watchdog import raise_in, raise_on_next_line
from ..texts import Namesakes, error_parts, printable
from ..trace import Call, Kind, On, State
from .sampling import Look, own_clock, own_look

MAX_NOTES = 200_000  # of a run; what comes later is not kept
MAX_ACCESSES = 1_000_000  # that are looked at to see whether threads share what they touch
MAX_THREADS = 10_000  # of a run
SLICE = 0.1  # seconds, real: how long a wait lasts before it looks about
GAP = 1_000_000  # nanoseconds: between two looks at the clock, so long that the thread was off the CPU
GRACE = 1.0  # seconds, real: for the threads that are left at the end, to follow the request to end

Spot = tuple[CodeType, int]  # code and the offset of an instruction in it: a line that nobody has looked up yet
# nanoseconds, thread, kind, what, value, line, cause
Note = tuple[int, "Track", str, Any, Any, int | Spot | None, Any]
# the same of a lock that was got or let go: nanoseconds, OS thread's identity, kind, lock, code, offset, cause
LockNote = tuple[int, int, str, Any, CodeType | None, int | None, Any]
# nanoseconds, thread, kind, place, value, line, of an access that counts if threads share the place
TouchNote = tuple[int, "Track", Kind, Place, str, int]


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


class Recorder(Engine):
    """The engine of one recorded run: its threads, from their start to their end, and what they note."""

    newest: ClassVar["Recorder"]  # that of the run that goes on; locks made in it keep a reference
    virtual = False

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note | LockNote] = []
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
        self._suspicion: tuple[int, object] = (0, None)
        self.began = perf_counter_ns()
        Recorder.newest = self
        main = Track(self, threading.current_thread())
        self.all.append(main)
        main.clock = own_clock()
        self.tracks[real.get_ident()] = main

    # ---- notes --------------------------------------------------------------------------------------------------

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
        note: Note = (perf_counter_ns(), track, kind, what, value, line, cause)
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
        self.touches.append((perf_counter_ns(), track, kind, place, value, line))
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
            place = touch[3].known_as
            if place.own or place.several:
                kept.append(touch)
            else:
                place.cut = touch[3].cut = True
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
            self.notes.append((end, track, "span", label, (state, start, on), line, None))

    def current_frames(self) -> dict[int, FrameType]:
        frames = {ident: visible(frame) for ident, frame in real.current_frames().items()}
        return {ident: frame for ident, frame in frames.items() if frame is not None}

    def signalled(self, number: int, handle: Callable[[], object], frame: FrameType | None) -> None:
        handle()

    # ---- a thread's life ------------------------------------------------------------------------------------------

    def start(self, thread: threading.Thread) -> None:
        track = self.track()
        if track is None or not getattr(thread, "_initialized", False) or thread._started.is_set():  # type: ignore[attr-defined]
            real.start(thread)  # CPython's own error
            return
        if self.stopping:
            self.request_end(track)
        if len(self.all) > MAX_THREADS:
            raise RuntimeError("can't start new thread")  # as CPython does; threads that start threads have no end
        learners, _, _ = call_site(caller())
        line = line_at(learners) if learners is not None else None
        child = Track(self, thread)
        child.started_by = self.note("start", child.name, line=line)
        thread._threadviz = child  # type: ignore[attr-defined]
        hook = thread._invoke_excepthook  # type: ignore[attr-defined]
        thread._invoke_excepthook = partial(self._failed, child, hook)  # type: ignore[attr-defined]
        self.all.append(child)
        track.quiet = True
        since = perf_counter_ns()
        try:
            real.start(thread)
        except Exception:  # not where it was interrupted: the thread may be about to begin
            child.begun = True
            raise
        finally:
            track.quiet = False
            if perf_counter_ns() - since > GAP:
                self.note_span(track, "ready", "off the CPU", since, perf_counter_ns(), line)

    def install(self, patches: Patches) -> None:
        """See threads begin and end, in their own OS threads."""
        bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

        def bootstrap_inner(thread: threading.Thread) -> None:
            track = vars(thread).get("_threadviz")
            if not isinstance(track, Track) or track.recorder is not self:
                bootstrap(thread)
                return
            ident = real.get_ident()
            track.clock = own_clock()
            track.looks.append(own_look())
            self.tracks[ident] = track
            if self.stopping:
                thread.run = lambda: None  # type: ignore[method-assign]
            self.note("begin", cause=track.started_by)
            track.begun = True
            try:
                bootstrap(thread)
            finally:
                track.looks.append(own_look())
                track.end = self.note("end")
                self.tracks.pop(ident, None)
                track.gone = True
                real.forget_own_thread()  # which `bootstrap` has done, but the notes since may have run a finalizer

        patches.attribute(threading.Thread, "_bootstrap_inner", bootstrap_inner)

    def _failed(self, track: Track, hook: Callable[..., None], *args: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, StopRun) or error is None:
            return
        if not isinstance(error, SystemExit) and not self.stopping:
            track.ending = "raised"
            self.errors.append((track.name, error))
            self.note_error(error)
        hook(*args)

    def stop(self) -> None:
        """Let every wait raise StopRun, and keep nothing that comes later."""
        self.room = 0
        self.stopping = True

    def request_end(self, track: Track) -> NoReturn:
        track.requests += 1
        if track.requests > 1:  # it caught the last one
            raise_on_next_line(sys._getframe(1))
        raise StopRun

    def finish_main(self) -> None:
        """The scenario has returned: its main thread is done, and the program waits for those that are no daemons."""
        self.drain_pools()
        main = self.all[0]
        main.end = self.note("end")
        self.tracks.pop(real.get_ident(), None)
        at = 1
        while at < len(self.all):  # more may be started meanwhile
            track = self.all[at]
            if track.daemon or not track.is_alive():
                at += 1
            elif self.stopping:
                return
            else:
                real.join(track.thread, SLICE)

    def _left(self) -> list[Track]:
        return [track for track in self.all[1:] if not track.begun or track.is_alive()]

    def end_all(self) -> list[str]:
        """End the threads that are left; the names of those that do not follow."""
        self.stop()
        left = self._left()
        deadline = perf_counter_ns() + GRACE * 1e9
        while left and perf_counter_ns() < deadline:
            where = real.current_frames()
            for track in left:
                frame = where.get(track.thread.ident or 0)
                # at first not in the library's code, which might leave a lock locked; a wait raises it itself
                late = perf_counter_ns() > deadline - GRACE * 5e8
                if late or (frame is not None and is_learners(frame.f_code.co_filename)):
                    raise_in(track.thread.ident or 0)
            del where
            real.sleep(SLICE / 40)
            left = self._left()
        self.tracks = {}
        for track in self.all[1:]:  # where the request to end came into `threading`'s own last steps
            ident = track.thread.ident or 0
            threading._limbo.pop(track.thread, None)  # type: ignore[attr-defined]
            if track.gone and threading._active.get(ident) is track.thread:  # type: ignore[attr-defined]
                del threading._active[ident]  # type: ignore[attr-defined]
        self.forget_pools()
        return [track.name for track in left]

    # ---- waiting ------------------------------------------------------------------------------------------------

    def wait(
        self,
        track: Track,
        described: Described,
        attempt: Callable[[float], bool],
        seconds: float | None,
        hopeless: Callable[[], bool],
    ) -> bool:
        """Call `attempt` with at most a slice of seconds until it succeeds; False for a time-out, in `seconds`."""
        if self.stopping:  # in the learner's `finally`, whose waits were none of the run's
            self.request_end(track)
        if not track.quiet:
            self.let_go()
        began = perf_counter_ns()
        deadline = None if seconds is None else began + round(seconds * 1e9)
        if not track.quiet:
            track.waiting = (began, described)
            track.hopeless = hopeless if deadline is None else None
        track.turns += 1
        done = False
        try:
            while True:
                left = SLICE
                if deadline is not None:
                    left = max(min(SLICE, (deadline - perf_counter_ns()) / 1e9), 0)
                done = attempt(left)
                if self.stopping:  # also where the wait has just ended: what others let go on their way out counts not
                    self.request_end(track)
                if done or left < SLICE:
                    return done
                if deadline is None:
                    self._look_for_deadlock()
        finally:
            track.hopeless = None
            if len(self.notes) >= self.room:
                track.cut_wait = track.cut_wait or track.waiting
            elif track.waiting is not None and not self.stopping:
                now = perf_counter_ns()
                state, label, line, holder, what, on = described
                if state == "sleeping" and deadline is not None and now - deadline > GAP:
                    self.note_span(track, state, label, began, deadline, line)
                    state, label, began = "ready", "off the CPU", deadline  # awake, and not yet on its way
                if on != "lock":
                    self.note_span(track, state, label, began, now, line, on)
                else:
                    self.notes.append((now, track, "span", what, (state, began, on), line, (holder, done)))
            if not self.stopping:
                track.waiting = None

    def _look_for_deadlock(self) -> None:
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

    # ---- what stands for the primitives ----------------------------------------------------------------

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
                self.request_end(track)
            real.sleep(0)
            return
        self.wait(
            track, Described("sleeping", f"sleep {seconds:g}", line, None, "sleep"), _slept, seconds, lambda: False
        )

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
                self.request_end(track)
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
        told = other.name if other is not None else printable(thread.name)
        if line is not None:
            self.note("call", name, told if outermost is None else "", line=line)

        def attempt(seconds: float) -> bool:
            real.join(thread, seconds)
            return not real.is_alive(thread)

        label = f"{'Thread.join' if line is None else name}: waits for {told}"
        described = Described("blocked", label, line, other, f"the end of {told}", "thread")
        ended = self.wait(track, described, attempt, timeout, lambda: real.is_alive(thread))
        if line is not None:
            cause = other.end if ended and other is not None else None
            self.note("wake", name, "" if ended else "time-out", line, cause)


def can_last(timeout: Any) -> bool:
    """Whether a wait with this time-out waits at all; if not, CPython's own function gives the answer or the error."""
    return timeout is None or (isinstance(timeout, int | float) and 0 < timeout <= threading.TIMEOUT_MAX)


def _slept(seconds: float) -> bool:
    real.sleep(seconds)
    return False
