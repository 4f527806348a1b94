"""One simulated run, whole: what it may share is looked at, the runtime put in place, run, and taken away again."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import frames
from .errors import AlreadyRunning, Deadlock
from .futures import SilentFutures
from .locks import Lock
from .output import LogLine, Output
from .outside import survey
from .patching import Patches, patched
from .queues import SimpleQueue
from .runtime import Runtime
from .schedule import Policy, Schedule
from .simulator import Simulator
from .trace import Kind, Trace
from .tracing import error_text
from .watchdog import StopRun, Watchdog
from .watching import watch
from .words import deadlock_sentence

_running: list[object] = []  # a list, as an interrupt may come right after a lock is acquired and leave it so for ever


@dataclass
class Finished:
    """What came of a run; `error` is what ended it, if anything did."""

    trace: Trace
    schedule: Schedule
    log: list[LogLine]
    value: Any = None
    error: BaseException | None = None
    errors: dict[str, BaseException] = field(default_factory=dict)


def simulate_once(
    scenario: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    policy: Policy,
    seed: int,
    cores: int | None = None,
) -> Finished:
    """Run `scenario` on the virtual clock.  KeyboardInterrupt and ScheduleMismatch come through; all else is kept."""
    classes = survey(scenario, args, kwargs, (Lock, SimpleQueue))
    mine = object()
    try:
        _running.append(mine)
        if _running[0] is not mine:
            raise AlreadyRunning(
                "a run is going on already: a scenario cannot start another run, nor can another thread"
            )
        return _simulate(scenario, args, kwargs, policy, seed, classes, cores)
    finally:
        if mine in _running:
            _running.remove(mine)


def _simulate(
    scenario: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    policy: Policy,
    seed: int,
    classes: list[type],
    cores: int | None,
) -> Finished:
    simulator = Simulator(policy, cores)
    output = Output(simulator.os_thread)
    runtime = Runtime(simulator, output)
    silent = SilentFutures()
    output.now = lambda: (simulator.now / 1e9, simulator.current.name)
    output.is_muted = lambda: simulator.ending or bool(simulator.stop_now)
    output.noted = lambda text: simulator.record("output", text)
    kept: dict[str, Any] = {}

    def note_access(kind: Kind, what: str, value: str, line: int) -> None:
        simulator.progress += 1
        if not simulator.ending:
            simulator.events.add_access(simulator.now, simulator.current, kind, what, value, line)

    def note_failed(error: BaseException) -> str:
        simulator.record("failed", type(error).__name__, str(error), line=frames.raised_at(error))
        return simulator.current.name

    def main() -> None:
        try:
            kept["value"] = scenario(*args, **kwargs)
        except StopRun:
            raise
        except BaseException as error:
            kept["error"] = error
            simulator.tasks[0].ending = "raised"
            text = error_text(error).partition(": ")[2]
            simulator.record("error", type(error).__name__, text, line=frames.raised_at(error))
        runtime.drain_pools()

    watchdog = Watchdog(lambda: simulator.progress, simulator.stop, simulator.mark)
    with watchdog, patched(runtime, _namespaces(scenario), seed) as patches:
        _keep_interpreter_settings(patches)
        output.install(patches)
        patches.call_later(output.close)
        silent.install(patches, output.is_ours, note_failed)
        watch(patches, classes, note_access)
        try:
            simulator.run(main)
        finally:
            runtime.forget_pools()
    if simulator.stop_now == "interrupted":
        raise KeyboardInterrupt
    errors: dict[str, BaseException] = {}
    for name, failed in (*runtime.errors, *silent.errors()):
        errors[_free(name, errors)] = failed
    trace = simulator.trace()
    error = simulator.stuck() or (Deadlock(deadlock_sentence(trace)) if simulator.deadlocked else kept.get("error"))
    return Finished(trace, Schedule(simulator.choices), output.lines, kept.get("value"), error, errors)


def _free(name: str, taken: dict[str, BaseException]) -> str:
    number = 2
    key = name
    while key in taken:
        key, number = f"{name} ({number})", number + 1
    return key


def _namespaces(scenario: Callable[..., Any]) -> list[dict[str, Any]]:
    """The globals of the scenario's own module, which may be no imported one."""
    function = getattr(scenario, "func", scenario)
    if isinstance(function, type):
        function = function.__dict__.get("__init__", function)
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__globals__"):
        function = getattr(type(function).__call__, "__func__", type(function).__call__)
    names = getattr(function, "__globals__", None)
    return [names] if names is not None and frames.is_learners(function.__code__.co_filename) else []


def _keep_interpreter_settings(patches: Patches) -> None:
    interval, limit = sys.getswitchinterval(), sys.getrecursionlimit()
    tracer, profiler = threading.gettrace(), threading.getprofile()
    own_tracer, own_profiler = sys.gettrace(), sys.getprofile()

    def restore() -> None:
        sys.setswitchinterval(interval)
        sys.setrecursionlimit(limit)
        threading.settrace(tracer)
        threading.setprofile(profiler)
        if sys.gettrace() is not own_tracer:
            sys.settrace(own_tracer)
        if sys.getprofile() is not own_profiler:
            sys.setprofile(own_profiler)

    patches.call_later(restore)
