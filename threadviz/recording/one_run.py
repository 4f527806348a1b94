"""One recorded run, whole: real threads, noted from the first to the last, and everything put back."""

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter_ns
from types import FrameType
from typing import Any

from .. import real
from ..errors import StopRun
from ..learner.code import raised_at, user_call
from ..learner.futures import SilentFutures
from ..learner.outside import look_outside
from ..learner.queues import watch_queues
from ..learner.watching import watch
from ..schedule import Schedule
from ..stage.output import Output
from ..stage.patching import patched
from ..stage.stage import Finished, exclusively, keep_interpreter_settings, one_each, replace_early_names
from ..stage.watchdog import raise_on_next_line
from ..texts import error_parts, error_text, printable
from .assembly import assemble
from .locks import Lock
from .recorder import Recorder
from .simplequeue import SimpleQueue

MAX_LINES = 100_000  # printed and logged in a run


def record_once(scenario: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Finished:
    """Run `scenario` on real threads.  KeyboardInterrupt comes through, when everything is put back."""
    program = partial(scenario, *args, **kwargs)
    classes, shared, unseen, holders = look_outside(program, (Lock, SimpleQueue))
    told = [f"{path} {kind}: who waited for it, and who held it, is not shown" for path, kind, _ in shared] + unseen
    with exclusively(), _Interrupts() as interrupts:
        return _record(program, holders, classes, told, interrupts)


class _Interrupts:
    """Lets the stop button interrupt the scenario, and nothing that puts things in place or back."""

    def __enter__(self) -> "_Interrupts":
        self.pending = False
        self.pressed = False  # inside; without it a KeyboardInterrupt is the learner's own
        self._inside = False
        self._ours = real.get_ident() == real.main_thread().ident
        self._before = signal.signal(signal.SIGINT, self._interrupt) if self._ours else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before if self._before is not None else signal.SIG_DFL)
        if self.pending:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        if self._inside:
            if self.pressed:  # and caught
                raise_on_next_line(frame)
            self.pressed = True
            raise KeyboardInterrupt
        self.pending = True

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Raise interrupts in here; one that comes out of it is kept for the end."""
        self._inside = True
        try:
            if self.pending:
                raise KeyboardInterrupt
            yield
        except KeyboardInterrupt:
            self.pending = True
        finally:
            self._inside = False


def _record(
    program: partial[Any],
    holders: list[Any],
    classes: list[type],
    told: list[str],
    interrupts: _Interrupts,
) -> Finished:
    recorder = Recorder()
    output = Output(recorder.is_ours)
    silent = SilentFutures()

    def thread_name() -> str:
        track = recorder.track()
        return track.name if track is not None else threading.current_thread().name

    def note_failed(error: BaseException) -> str:
        recorder.note("failed", *error_parts(error), line=raised_at(error))
        return thread_name()

    def begin_item() -> int | None:
        return user_call("queue")[1]

    output.now = lambda: ((perf_counter_ns() - recorder.began) / 1e9, thread_name())
    output.is_muted = lambda: recorder.stopping or len(output.lines) >= MAX_LINES
    output.noted = lambda text: recorder.note("output", text)
    kept: dict[str, Any] = {}

    with patched(recorder, 0) as patches:
        replace_early_names(patches, program, holders)
        keep_interpreter_settings(patches)
        if not gc.get_freeze_count():  # so that collections, which many notes bring on, look at the run alone
            patches.call_later(gc.unfreeze)
            gc.freeze()
        output.install(patches)
        patches.call_later(output.close)
        patches.attribute(threading, "excepthook", _hook(output))
        silent.install(patches, output.is_ours, note_failed)
        recorder.install(patches)
        watch(patches, classes, recorder.note)
        watch_queues(patches, SimpleQueue, output.is_ours, begin_item, recorder.note, recorder.object_name)
        recorder.began = perf_counter_ns()
        with interrupts.allowed(), suppress(StopRun):
            try:
                kept["value"] = program()
            except BaseException as error:
                if interrupts.pressed:  # also where a `finally` after it has made it another exception, or a deadlock
                    raise KeyboardInterrupt from error
                if isinstance(error, StopRun):
                    raise
                kept["error"] = error
                recorder.all[0].ending = "raised"
                recorder.note_error(error)
            recorder.finish_main()
        ended = perf_counter_ns()
        told += [
            f"{name} was still running when the run had ended: what it did later is not shown"
            for name in recorder.end_all()
        ]
        notes = list(recorder.notes)
    if len(output.lines) >= MAX_LINES:
        told.append(f"only the first {MAX_LINES:,} lines of what was printed and logged were kept")
    told.append(_overhead(len(notes)))
    trace = assemble(recorder, notes, ended, told)
    errors = one_each([*recorder.errors, *silent.errors()])
    return Finished(
        trace,
        Schedule([]),
        sorted(output.lines, key=lambda line: line.time),
        kept.get("value"),
        kept.get("error"),
        errors,
        recorder.deadlocked,
    )


def _overhead(notes: int) -> str:
    """What the notes themselves took, from the cost of as many as a free lock makes, measured now; waits cost more."""
    recorder = Recorder()
    recorder.room = 2000
    lock = Lock()
    lock._told, lock._name = True, "lock"
    lock._code = _overhead.__code__  # taken for the learner's, which is what costs the least
    began = perf_counter_ns()
    for _ in range(500):
        lock.acquire()
        lock.release()
    each = (perf_counter_ns() - began) / 1000
    return f"recording itself took at least {float(f'{notes * each / 1e6:.2g}'):g} ms"


def _hook(output: Output) -> Callable[[Any], None]:
    """`threading.excepthook` for the length of a run: a line in the log."""

    def hook(args: Any) -> None:
        if args.exc_type is not SystemExit and args.thread is not None:
            name = vars(args.thread).get("_threadviz", args.thread).name
            output.line(f"exception in {printable(name)}: {error_text(args.exc_value)}")

    return hook
