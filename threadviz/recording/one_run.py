"""One recorded run, whole: real threads, noted from the first to the last, and everything put back."""

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import inf
from time import perf_counter_ns
from types import FrameType
from typing import Any

from .. import real
from ..errors import StopRun
from ..learner.code import set_home
from ..learner.outside import Surroundings, look_outside
from ..learner.points import Points
from ..schedule import Schedule
from ..stage.output import Output
from ..stage.stage import FEW_FROZEN, Finished, Stage, exclusively, interrupted_with, one_each
from ..stage.watchdog import raise_on_next_line
from ..texts import error_text, printable
from .assembly import assemble
from .locks import Lock
from .recorder import Recorder
from .sampling import Sampler
from .simplequeue import SimpleQueue

MAX_LINES = 100_000  # printed and logged in a run


def record_once(program: partial[Any]) -> Finished:
    """Run a scenario's call on real threads.  KeyboardInterrupt comes through, when everything is put back."""
    around = look_outside(program, (Lock, SimpleQueue))
    left_out = [f"{path} {kind}: who waited for it, and who held it, is not shown" for path, kind, _ in around.shared]
    with exclusively(), _Interrupts() as interrupts:
        interrupts.finished = _record(program, around, left_out, interrupts)
        return interrupts.finished


class _Interrupts:
    """Lets the stop button interrupt the scenario, and nothing that puts things in place or back."""

    def __enter__(self) -> "_Interrupts":
        self.pending = False
        self.finished: Finished | None = None  # what had come of the run
        self._error: BaseException | None = None
        self.pressed = False  # inside; without it a KeyboardInterrupt is the learner's own
        self._inside = False
        self._ours = real.get_ident() == real.main_thread().ident
        self._before = signal.signal(signal.SIGINT, self._interrupt) if self._ours else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before if self._before is not None else signal.SIG_DFL)
        if self.pending:
            raise KeyboardInterrupt if self.finished is None else interrupted_with(self.finished, self._error)

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
        except KeyboardInterrupt as error:
            self.pending, self._error = True, error
        finally:
            self._inside = False


def _record(program: partial[Any], around: Surroundings, left_out: list[str], interrupts: _Interrupts) -> Finished:
    set_home(around.home)
    recorder = Recorder()
    kept: dict[str, Any] = {}
    points = Points(around.functions, around.scripts, wants_before=False)
    stage = Stage(Recorder, program, around.holders, points, MAX_LINES)
    with stage:
        patches, output = stage.patches, stage.output
        if gc.get_freeze_count() < FEW_FROZEN:  # so that collections, which many notes bring on, look at the run alone
            patches.callback(gc.unfreeze)
            gc.freeze()
        recorder.excepthook = _hook(output)
        recorder.stop_hearing = partial(points.heard_by, None)
        recorder.lives.install(patches)
        stage.begin(recorder, seed=0)
        recorder.began = perf_counter_ns()
        with interrupts.allowed(), suppress(StopRun), Sampler(recorder):
            try:
                kept["value"] = program()
            except BaseException as error:
                if interrupts.pressed:  # also where a `finally` after it has made it another exception, or a deadlock
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    raise KeyboardInterrupt from error
                if isinstance(error, StopRun):
                    raise
                kept["error"] = error
                recorder.all[0].ending = "raised"
                recorder.note_error(error)
            recorder.lives.finish_main()
        ended = perf_counter_ns()
        left_out += [
            f"{name} was still running when the run had ended: what it did later is not shown"
            for name in recorder.lives.end_all()
        ]
        notes = list(recorder.notes)
        touches = list(recorder.touches)
        stage.end(recorder)
    if len(output.lines) >= MAX_LINES:
        left_out.append(f"only the first {MAX_LINES:,} lines of what was printed and logged were kept")
    left_out += [*points.unseen, *recorder.given_away.values()]
    left_out.append(_overhead(len(notes)))
    trace = assemble(recorder, notes, touches, ended, left_out)
    errors = one_each([*recorder.errors, *stage.silent.errors()])
    return Finished(
        trace,
        Schedule([]),
        sorted(output.lines, key=lambda line: line.time),
        kept.get("value"),
        kept.get("error"),
        errors,
        recorder.deadlocked,
        points.codes,
    )


def _overhead(notes: int) -> str:
    """What the notes themselves took, from the cost of as many as a free lock makes, measured now; waits cost more."""
    recorder = Recorder()
    recorder.room = 2001  # one more than are made here: a lock is another one when notes are full
    lock = Lock()
    lock.made_by_learner, lock._name = True, "lock"
    lock._code = _overhead.__code__  # taken for the learner's, which is what costs the least
    each = inf
    for _ in range(20):  # of which the quickest was held up the least
        began = perf_counter_ns()
        for _ in range(50):
            lock.acquire()
            lock.release()
        each = min(each, (perf_counter_ns() - began) / 100)
    return f"recording itself took at least {float(f'{notes * each / 1e6:.2g}'):g} ms"


def _hook(output: Output) -> Callable[[Any], None]:
    """`threading.excepthook` for the length of a run: a line in the log."""

    def hook(args: Any) -> None:
        if args.exc_type is not SystemExit and args.thread is not None:
            name = vars(args.thread).get("_threadviz", args.thread).name
            output.line(f"exception in {printable(name)}: {error_text(args.exc_value)}")

    return hook
