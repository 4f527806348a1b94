"""Notes what real OS threads do on the real clock: the simulator's surface, over the real primitives.

A wait lasts at most a slice before it looks whether the run is being ended, so that a deadlock ends by itself and no
thread is left.
"""

import operator
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, ClassVar

from .. import real
from ..learner.code import user_call
from ..stage import cpu
from ..texts import printable
from .tracks import GAP, SLICE, Described, Track, Tracks


class Recorder(Tracks):
    """One recorded run, behind the surface that `patching` puts in place."""

    newest: ClassVar["Recorder"]  # that of the run that is going on; locks made in it keep a reference
    virtual = False
    Lock: type[Any]
    RLock: type[Any]
    SimpleQueue: type[Any]

    def __init__(self) -> None:
        super().__init__()
        Recorder.newest = self
        self._suspicion: tuple[int, object] = (0, None)

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

    # ---- the surface that `patching` puts in place ----------------------------------------------------------------

    def sleep(self, *args: Any, **kwargs: Any) -> None:
        track = self.track()
        try:
            (seconds,) = args
            seconds = seconds if isinstance(seconds, float) else operator.index(seconds)
        except (TypeError, ValueError):
            seconds = -1
        if kwargs or not 0 <= seconds < 9e9 or track is None:
            real.sleep(*args, **kwargs)  # CPython's own error
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
        if self.wait(track, described, attempt, timeout, lambda: real.is_alive(thread)) and line is not None:
            self.note("wake", name, line=line, cause=other.end if other is not None else None)


def can_last(timeout: Any) -> bool:
    """Whether a wait with this time-out waits at all; if not, CPython's own function gives the answer or the error."""
    return timeout is None or (isinstance(timeout, int | float) and 0 < timeout <= threading.TIMEOUT_MAX)


def _slept(seconds: float) -> bool:
    real.sleep(seconds)
    return False
