"""`Run`, what came of one execution of a scenario, and `simulate` and `record`, which make one."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes

from . import timeline, words
from .calls import call_text, check_scenario, outcome_text, sentence
from .causality import deadlock_cycle
from .chrome import trace_events
from .errors import Deadlock
from .output import LogLine
from .recording import record_once
from .schedule import InOrder, Policy, Replay, Schedule, Shuffle
from .trace import Trace, Wait

RESERVED = ("seed", "schedule", "cores")  # simulate's own options
_LONG = 400  # characters of a schedule that is no longer written out


class Log(list[LogLine]):
    """What a run printed and logged, in order; shows itself as a line each: seconds, thread, text."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    __str__ = __repr__


class Run:
    """One execution of a scenario: its outcome, its trace, and what it printed and logged.

    Attributes
    ----------
    trace : Trace
        What every thread did.
    log : list of LogLine
        What was printed and logged, a line each, with time (seconds since the start) and thread.
    errors : dict of str to BaseException
        Thread name to exception, for threads that ended with one and for futures whose exception nobody asked for.
    schedule : Schedule
        The choices made; replays this run.
    replay : str
        The one line that runs this again: exactly, where it was simulated.
    """

    def __init__(
        self,
        call: str,
        trace: Trace,
        schedule: Schedule,
        log: Iterable[LogLine] = (),
        value: Any = None,
        error: BaseException | None = None,
        errors: Mapping[str, BaseException] | None = None,
        seed: int | None = None,
        cores: int | None = None,
    ) -> None:
        self.trace = trace
        self.schedule = schedule
        self.log = Log(log)
        self.errors = dict(errors or {})
        self._call = call
        self._value = value
        self._error = error
        self._seed = seed
        self._cores = cores
        self._outcome = outcome_text(value, error)
        self.replay = self._replay()

    def result(self) -> Any:
        """What the scenario returned; raises what it raised, `Deadlock` or `Stuck`."""
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> BaseException | None:
        """What ended the scenario's main thread, or None."""
        return self._error

    @property
    def outcome(self) -> str:
        """The outcome in words: the value's repr, `raises ValueError: text`, or `deadlock`."""
        return self._outcome

    @property
    def deadlock(self) -> tuple[Wait, ...] | None:
        """None, or the cycle: thread, what it waits for, who holds it; all that wait where there is no cycle."""
        return (deadlock_cycle(self.trace) or self.trace.waits) if self.trace.waits else None

    @property
    def duration(self) -> float:
        """Seconds from start to end, on `clock`."""
        return self.trace.duration

    @property
    def clock(self) -> Literal["virtual", "real"]:
        return self.trace.clock

    @property
    def title(self) -> str:
        """The call, its outcome, and how the run was made, in one line."""
        made = "simulated" if self.clock == "virtual" else "recorded"
        if self._cores is not None:
            made += f", no GIL, {self._cores} core{'' if self._cores == 1 else 's'}"
        duration = f"{self.duration:g}" if self.clock == "virtual" else f"{self.duration:.3g}"
        return f"{self._call} → {self._outcome}   {made}, {duration} s"

    def _replay(self) -> str:
        if self.clock == "real":
            return f"tv.record({self._arguments})"
        given = [self._arguments]
        if self._seed is not None:
            given.append(f"seed={self._seed}")
        if self._cores is not None:
            given.append(f"cores={self._cores}")
        if len(str(self.schedule)) > _LONG:
            given.append("schedule=run.schedule")
        elif len(self.schedule):
            given.append(f"schedule={str(self.schedule)!r}")
        return f"tv.simulate({', '.join(given)})"

    @property
    def _arguments(self) -> str:
        name, _, arguments = self._call.partition("(")
        return f"{name}, {arguments.removesuffix(')')}" if arguments != ")" else name

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the timeline, into `ax` where one is given."""
        return timeline.plot(self.trace, self.title, ax=ax)

    def png(self) -> bytes:
        """The timeline as a PNG file's bytes."""
        return timeline.Timeline().png(self.trace, self.title)

    def describe(self) -> str:
        """The picture in words, with what ended the run and how to run it again where something went wrong."""
        lines = [words.describe(self.trace, self.title)]
        if self._error is not None and not isinstance(self._error, Deadlock):
            lines.append(sentence(type(self._error).__name__, self._error))
        ended = sum(lane.ending == "raised" for lane in self.trace.lanes[1:])  # the rest of the errors are futures'
        for number, (name, error) in enumerate(list(self.errors.items())[:6]):
            kind = type(error).__name__
            what = f"{name} ended with {kind}" if number < ended else f"nobody asked for the {kind} of a call in {name}"
            lines.append(sentence(what, error))
        if len(self.errors) > 6:
            lines.append(f"and {len(self.errors) - 6} more such exceptions")
        if self.clock == "virtual" and (self._error is not None or self.errors):
            lines.append(f"to run this again: {self.replay}")
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write the timeline to a `.png`, `.svg` or `.json` file; ValueError for another ending.

        A `.json` file is a Chrome trace, which ui.perfetto.dev and chrome://tracing open.
        """
        path = Path(path)
        check_ending(path)
        if path.suffix == ".png":
            path.write_bytes(self.png())
        elif path.suffix == ".svg":
            figure = self.plot().get_figure(root=True)
            assert figure is not None
            figure.savefig(path, format="svg", metadata={"Date": None})
        else:
            path.write_text(json.dumps(trace_events(self.trace, self.title)) + "\n", encoding="ascii")

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        text = self.describe()
        return {"image/png": self.png(), "text/plain": text}, {"image/png": {"alt": text, "width": timeline.WIDTH}}


def simulate(
    scenario: Callable[..., Any],
    /,
    *args: Any,
    seed: int | None = None,
    schedule: Schedule | str | None = None,
    cores: int | None = None,
    **kwargs: Any,
) -> Run:
    """Run a scenario on the virtual clock: `time.sleep(2)` moves the clock by two seconds and costs no time.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.  Called with the other arguments.
    seed : int, optional
        Shuffles the order in which threads that can go on do so; the same seed gives the same run.  It also seeds
        `random`.  Without one each thread goes on until it must wait.
    schedule : Schedule or str, optional
        Choices to replay, from `Run.schedule`; ScheduleMismatch when the code has changed.
    cores : int, optional
        For `tv.work`: a Python without the GIL, on so many cores.  Without a number there is the GIL, one thread
        computes at a time, and a turn takes what `sys.getswitchinterval()` says.

    Returns
    -------
    Run
        Also for a scenario that raises, deadlocks or never ends: `Run.result()` raises what went wrong.

    Raises
    ------
    MadeOutside
        The scenario can reach a lock, queue, event, thread-local or pool that it has not made itself.

    Examples
    --------
    >>> import threading, time
    >>> def nap():
    ...     sleeper = threading.Thread(target=time.sleep, args=(2,))
    ...     sleeper.start()
    ...     sleeper.join()
    ...     return "rested"
    >>> run = simulate(nap)
    >>> run.result(), run.duration
    ('rested', 2.0)
    """
    check_scenario(scenario, "simulate", RESERVED)
    inspect.signature(scenario).bind(*args, **kwargs)
    policy = _policy(seed, schedule)
    _check_cores(cores)
    from .simulation import simulate_once  # greenlet only where something is simulated: its import turns the GIL on

    done = simulate_once(scenario, args, kwargs, policy, 0 if seed is None else seed, cores)
    call = call_text(scenario, args, kwargs)
    return Run(call, done.trace, done.schedule, done.log, done.value, done.error, done.errors, seed, cores)


def record(scenario: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Run:
    """Run a scenario on real OS threads, in real time, and write down what they do.

    Parameters
    ----------
    scenario : callable
        Uses threads; plain Python.  Called with the other arguments.

    Returns
    -------
    Run
        Its clock is real: times are seconds since the start.  The trace notes say what recording took and what it did
        not see, such as waits for locks that were made outside the scenario.  A deadlock ends after some tenths of a
        second.

    Raises
    ------
    KeyboardInterrupt
        The stop button: afterwards nothing is patched, and threads that can be ended are.

    Examples
    --------
    >>> import threading, time
    >>> def nap():
    ...     sleeper = threading.Thread(target=time.sleep, args=(0.01,))
    ...     sleeper.start()
    ...     sleeper.join()
    ...     return "rested"
    >>> run = record(nap)
    >>> run.result(), run.clock, run.duration >= 0.01
    ('rested', 'real', True)
    """
    check_scenario(scenario, "record", ())
    inspect.signature(scenario).bind(*args, **kwargs)
    done = record_once(scenario, args, kwargs)
    call = call_text(scenario, args, kwargs)
    return Run(call, done.trace, done.schedule, done.log, done.value, done.error, done.errors)


def check_ending(path: Path) -> None:
    """ValueError for a name that `Run.save` does not take."""
    if path.suffix not in (".png", ".svg", ".json"):
        raise ValueError(f"cannot save {path.name!r}: the name must end in .png, .svg or .json")


def _policy(seed: int | None, schedule: Schedule | str | None) -> Policy:
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise TypeError(f"seed must be a whole number or None, not {seed!r}")
    if isinstance(schedule, str):
        schedule = Schedule.parse(schedule)
    if schedule is not None:
        return Replay(schedule)
    return InOrder() if seed is None else Shuffle(seed)


def _check_cores(cores: int | None) -> None:
    if cores is None:
        return
    if not isinstance(cores, int) or isinstance(cores, bool):
        raise TypeError(f"cores must be a whole number, or None for one GIL, not {cores!r}")
    if cores < 1:
        raise ValueError(f"cores must be 1 or more, or None for one GIL, not {cores!r}")
