"""How the threads of a recorded run begin, fail and end."""

import sys
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from .. import real
from ..errors import StopRun
from ..learner.code import call_site, caller, is_learners, line_at
from ..patches import Patches
from ..stage.watchdog import raise_in
from .sampling import own_clock, own_look
from .tracks import GAP, SLICE, Track

if TYPE_CHECKING:
    from .recorder import Recorder

MAX_THREADS = 10_000  # of a run
GRACE = 1.0  # seconds, real: for the threads that are left at the end, to follow the request to end


class Lives:
    """The lives of one run's threads, in their own OS threads; the main one's ends with the scenario."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder

    def start(self, thread: threading.Thread) -> None:
        recorder = self._recorder
        track = recorder.track()
        if track is None or not getattr(thread, "_initialized", False) or thread._started.is_set():  # type: ignore[attr-defined]
            real.start(thread)  # CPython's own error
            return
        if recorder.stopping:
            track.request_end()
        if len(recorder.all) > MAX_THREADS:
            raise RuntimeError("can't start new thread")  # as CPython does; threads that start threads have no end
        learners, _, _ = call_site(caller())
        line = line_at(learners) if learners is not None else None
        child = Track(recorder, thread)
        child.started_by = recorder.note("start", child.name, line=line)
        thread._threadviz = child  # type: ignore[attr-defined]
        hook = thread._invoke_excepthook  # type: ignore[attr-defined]
        thread._invoke_excepthook = partial(self._failed, child, hook)  # type: ignore[attr-defined]
        recorder.all.append(child)
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
                recorder.note_span(track, "ready", "off the CPU", since, perf_counter_ns(), line)

    def install(self, patches: Patches) -> None:
        """See threads begin and end, in their own OS threads."""
        recorder = self._recorder
        bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

        def bootstrap_inner(thread: threading.Thread) -> None:
            track = vars(thread).get("_threadviz")
            if not isinstance(track, Track) or track.recorder is not recorder:
                bootstrap(thread)
                return
            ident = real.get_ident()
            track.clock = own_clock()
            track.looks.append(own_look())
            recorder.tracks[ident] = track
            if recorder.stopping:
                thread.run = lambda: None  # type: ignore[method-assign]
            recorder.note("begin", cause=track.started_by)
            track.begun = True
            try:
                bootstrap(thread)
            finally:
                track.looks.append(own_look())
                track.end = recorder.note("end")
                recorder.tracks.pop(ident, None)
                track.gone = True
                real.forget_own_thread()  # which `bootstrap` has done, but the notes since may have run a finalizer

        patches.attribute(threading.Thread, "_bootstrap_inner", bootstrap_inner)

    def _failed(self, track: Track, hook: Callable[..., None], *args: Any) -> None:
        recorder = self._recorder
        error = sys.exc_info()[1]
        if isinstance(error, StopRun) or error is None:
            return
        if not isinstance(error, SystemExit) and not recorder.stopping:
            track.ending = "raised"
            recorder.errors.append((track.name, error))
            recorder.note_error(error)
        hook(*args)

    def finish_main(self) -> None:
        """The scenario has returned: its main thread is done, and the program waits for those that are no daemons."""
        recorder = self._recorder
        recorder.drain_pools()
        main = recorder.all[0]
        main.end = recorder.note("end")
        recorder.tracks.pop(real.get_ident(), None)
        at = 1
        while at < len(recorder.all):  # more may be started meanwhile
            track = recorder.all[at]
            if track.daemon or not track.is_alive():
                at += 1
            elif recorder.stopping:
                return
            else:
                real.join(track.thread, SLICE)

    def _left(self) -> list[Track]:
        recorder = self._recorder
        return [track for track in recorder.all[1:] if not track.begun or track.is_alive()]

    def end_all(self) -> list[str]:
        """End the threads that are left; the names of those that do not follow."""
        recorder = self._recorder
        recorder.stop()
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
        recorder.tracks = {}
        for track in recorder.all[1:]:  # where the request to end came into `threading`'s own last steps
            ident = track.thread.ident or 0
            threading._limbo.pop(track.thread, None)  # type: ignore[attr-defined]
            if track.gone and threading._active.get(ident) is track.thread:  # type: ignore[attr-defined]
                del threading._active[ident]  # type: ignore[attr-defined]
        recorder.forget_pools()
        return [track.name for track in left]
