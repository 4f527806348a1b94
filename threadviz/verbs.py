"""`simulate` and `record`: the verbs that make a `Run` of a scenario."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from . import real
from .calls import call_text, check_scenario
from .errors import NoRealThreads
from .recording.one_run import record_once
from .run import Run
from .schedule import InOrder, Policy, Replay, Schedule, Shuffle

RESERVED = ("seed", "schedule", "cores")  # simulate's own options


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
        Choices to replay, from `Run.schedule`; ScheduleMismatch when the code has changed.  That of a run that was
        explored is replayed step by step, without durations.
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
    ScheduleMismatch
        The schedule was made for other code.
    AlreadyRunning
        Another run is going on.
    KeyboardInterrupt
        The stop button: afterwards nothing is patched.
    TypeError, ValueError
        In one sentence, for what is no scenario, no call of it, or no seed, schedule or number of cores.

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
    call = call_text(scenario, args, kwargs)
    _check_cores(cores)
    if isinstance(schedule, str):
        schedule = Schedule.parse(schedule)
    program = partial(scenario, *args, **kwargs)
    if schedule is not None and schedule.steps:
        if seed is not None or cores is not None:
            raise ValueError("a schedule of steps says all that there is to say: leave out seed and cores")
        from .simulation.one_run import replay_steps

        return Run(call, replay_steps(program, schedule))
    policy = _policy(seed, schedule)
    from .simulation.one_run import (
        simulate_once,  # greenlet only where something is simulated: its import turns the GIL on
    )

    with _run_kept(call, seed, cores):
        return Run(call, simulate_once(program, policy, 0 if seed is None else seed, cores), seed, cores)


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
        second, also one that a thread from outside the run would have ended later.

    Raises
    ------
    NoRealThreads
        This Python cannot start any, as in a browser tab.
    AlreadyRunning
        Another run is going on.
    KeyboardInterrupt
        The stop button: afterwards nothing is patched, and threads that can be ended are.
    TypeError
        In one sentence, for what is no scenario or no call of it.

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
    call = call_text(scenario, args, kwargs)
    if not real.HAS_THREADS:
        raise NoRealThreads(
            "record needs real threads, and this Python has none, as in every browser tab: "
            "simulate the program here, or record it in Python on a computer"
        )
    with _run_kept(call):
        return Run(call, record_once(partial(scenario, *args, **kwargs)))


@contextmanager
def _run_kept(call: str, *options: Any) -> Iterator[None]:
    """Let a KeyboardInterrupt carry the run that it has ended, for those who want to show it."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        if "threadviz" in vars(stopped):
            vars(stopped)["threadviz"] = Run(call, vars(stopped)["threadviz"], *options)
        raise


def _policy(seed: int | None, schedule: Schedule | None) -> Policy:
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise TypeError(f"seed must be a whole number or None, not {seed!r}")
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
