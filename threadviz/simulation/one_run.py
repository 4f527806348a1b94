"""One simulated run, whole: what it may share is looked at, the runtime put in place, run, and taken away again."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from .. import real
from ..errors import StopRun
from ..learner.code import raised_at
from ..learner.futures import SilentFutures
from ..learner.outside import survey
from ..learner.queues import watch_queues
from ..learner.watching import watch
from ..schedule import Policy, Schedule
from ..stage.output import Output
from ..stage.patching import patched
from ..stage.stage import Finished, exclusively, keep_interpreter_settings, one_each, replace_early_names
from ..stage.watchdog import Watchdog
from ..texts import error_parts
from ..trace import Kind
from .locks import Lock
from .simplequeue import SimpleQueue
from .simulator import Simulator
from .threads import Runtime


def simulate_once(
    scenario: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    policy: Policy,
    seed: int,
    cores: int | None,
) -> Finished:
    """Run `scenario` on the virtual clock.  KeyboardInterrupt and ScheduleMismatch come through; all else is kept."""
    program = partial(scenario, *args, **kwargs)
    classes, unseen, holders = survey(program, (Lock, SimpleQueue))
    with exclusively():
        simulator = Simulator(policy, cores)
        simulator.events.notes += unseen
        return _simulate(program, holders, classes, simulator, seed)


def _simulate(
    program: partial[Any], holders: list[Any], classes: list[type], simulator: Simulator, seed: int
) -> Finished:
    output = Output(lambda: real.get_ident() == simulator.os_thread)
    runtime = Runtime(simulator, output)
    silent = SilentFutures()
    output.now = lambda: (simulator.now / 1e9, simulator.current.name)
    output.is_muted = lambda: simulator.is_over
    output.noted = lambda text: simulator.record("output", text)
    kept: dict[str, Any] = {}

    def note_access(kind: Kind, what: str, value: str, line: int) -> None:
        if not simulator.ending and real.get_ident() == simulator.os_thread:
            simulator.record_access(kind, what, value, line)

    def note_failed(error: BaseException) -> str:
        simulator.record("failed", *error_parts(error), line=raised_at(error))
        return simulator.current.name

    def begin_item() -> int | None:
        return None if simulator.ending else simulator.begin_operation("queue").line

    def main() -> None:
        try:
            kept["value"] = program()
        except BaseException as error:
            if simulator.is_over or isinstance(error, StopRun):
                return
            kept["error"] = error
            simulator.tasks[0].ending = "raised"
            simulator.record("error", *error_parts(error), line=raised_at(error))
        runtime.drain_pools()

    watchdog = Watchdog(lambda: simulator.progress, simulator.stop, simulator.mark)
    with watchdog, patched(runtime, seed) as patches:
        replace_early_names(patches, program, holders)
        for holder in holders:
            if issubclass(type(holder), cached_property) and hasattr(holder, "lock"):  # up to CPython 3.11
                patches.slot(holder, "lock", runtime.RLock())
        keep_interpreter_settings(patches)
        output.install(patches)
        patches.call_later(output.close)
        silent.install(patches, lambda: output.is_ours() and not simulator.is_over, note_failed)
        watch(patches, classes, note_access)
        watch_queues(patches, SimpleQueue, output.is_ours, begin_item, simulator.record, simulator.object_name)
        try:
            simulator.run(main)
        finally:
            runtime.forget_pools()
    if simulator.stop_now == "interrupted":
        raise KeyboardInterrupt
    errors = one_each([*runtime.errors, *silent.errors()])
    trace = simulator.trace()
    stuck = simulator.stuck()
    deadlocked = simulator.deadlocked and stuck is None
    return Finished(
        trace,
        Schedule(simulator.choices),
        output.lines,
        kept.get("value"),
        stuck or kept.get("error"),
        errors,
        deadlocked,
    )
