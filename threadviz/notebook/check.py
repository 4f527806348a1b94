"""`check`: the verdict of an exercise, which is a proof or a counterexample."""

from collections.abc import Callable, Sequence
from typing import Any

from ..calls import asked, call_text, check_scenario
from ..errors import CutOff, Deadlock, ThreadvizError
from ..exploration.exploration import explore
from ..picture.live import LiveTimeline
from ..run import Run
from ..texts import counted
from ..verbs import simulate
from .learner_progress import tried

RESERVED = ("expect", "where")
SEEDS = 20  # orders in which `where` is asked, besides the plain one
# What is wrong mostly shows in a few runs.  Whoever is wrong then hears it at once, and not after all the others.
FIRST_RUNS = 300

Where = tuple[str, Callable[[Run], object]]


class Verdict:
    """What came of a check.

    Attributes
    ----------
    passed : bool
        Every interleaving is as expected, and every run meets what was asked of it.
    reason : str
        Why, or why not, in a sentence.
    counterexample : Run or None
        A run that is not as it should be.
    """

    def __init__(self, passed: bool, reason: str, counterexample: Run | None = None) -> None:
        self.passed = passed
        self.reason = reason
        self.counterexample = counterexample

    @property
    def _said(self) -> str:
        return f"{'passed' if self.passed else 'not yet'}: {self.reason}"

    def __repr__(self) -> str:
        return "\n".join([self._said, *([self.counterexample.describe()] if self.counterexample is not None else [])])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        run = self.counterexample
        if run is None:
            return {"text/plain": repr(self)}, {}
        live = LiveTimeline()
        live.show(run.face() | {"log": ""}, self._said)
        return live.bundle(run.on_paper(), repr(self))


def check(
    scenario: Callable[..., Any],
    /,
    *args: Any,
    expect: Any,
    where: Where | Sequence[Where] | None = None,
    **kwargs: Any,
) -> Verdict:
    """Check an exercise: it passes where every interleaving meets what is expected.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.  Called with the other arguments.
    expect : object or callable
        The right value, or a predicate of the value that the scenario returns.  A scenario that raises or deadlocks,
        or in which a thread ends with an exception, has not met it.
    where : pair or sequence of pairs, optional
        A sentence on what is to hold, and a predicate of a Run that says whether it does; `Run.facts` has what may be
        asked.  It is asked of runs on the virtual clock: the plain one, and 20 that are shuffled.

    Returns
    -------
    Verdict
        It never raises for what is wrong with the scenario: `reason` says that.

    Raises
    ------
    TypeError, ValueError
        In one sentence, for a `where` that is none, or what is no scenario.

    Examples
    --------
    >>> import threading
    >>> def both():
    ...     found, guard = [], threading.Lock()
    ...     def add():
    ...         with guard:
    ...             found.append(len(found))
    ...     threads = [threading.Thread(target=add) for _ in range(2)]
    ...     for thread in threads:
    ...         thread.start()
    ...     for thread in threads:
    ...         thread.join()
    ...     return found
    >>> check(both, expect=[0, 1], where=("every write is made under the lock", lambda run: not run.facts.unguarded))
    passed: all 2 interleavings are as expected
    """
    check_scenario(scenario, "check", RESERVED)
    conditions = _conditions(where)
    verdict = _verdict(scenario, args, kwargs, expect, conditions)
    tried(call_text(scenario, args, kwargs).partition("(")[0], verdict.passed)
    return verdict


def _verdict(
    scenario: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    expect: Any,
    conditions: list[Where],
) -> Verdict:
    call = call_text(scenario, args, kwargs)
    try:
        runs = [simulate(scenario, *args, seed=seed, **kwargs) for seed in (None, *range(SEEDS))] if conditions else []
        for text, holds in conditions:
            for run in runs:
                met, why_not = asked(holds, run, "where")
                if not met:
                    said = f"{text} ({why_not})" if why_not else text
                    return Verdict(False, f"{call} is not as it should be: {said}", run)
        found = explore(scenario, *args, expect=expect, max_runs=FIRST_RUNS, **kwargs)
        if found.counterexample is None and not found.complete:
            found = explore(scenario, *args, expect=expect, **kwargs)
        if found.counterexample is not None:
            how = "may have no end" if isinstance(found.counterexample.exception(), CutOff) else "can go wrong"
            return Verdict(False, f"{call} {how}: {_why(found.counterexample, expect)}", found.counterexample)
    except ThreadvizError as error:
        return Verdict(False, str(error))
    number = found.outcomes.total()
    if not found.complete:
        return Verdict(False, f"{found.verdict}; {'; '.join(found.notes)}")
    every = f"all {counted(number, found.counts.removesuffix('s'))} are" if number > 1 else "its one interleaving is"
    return Verdict(True, f"{every} as expected")


def _conditions(where: Where | Sequence[Where] | None) -> list[Where]:
    if where is None:
        return []
    pairs: list[Any] = [where] if isinstance(where, tuple) and where and isinstance(where[0], str) else list(where)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and callable(pair[1])):
            raise TypeError(
                "where must be a sentence and a function of a run, such as "
                f"('nobody sleeps', lambda run: not run.facts.slept), not {pair!r}"
            )
    return pairs


def _why(run: Run, expect: Any) -> str:
    """What is wrong with a counterexample, in a sentence."""
    error = run.exception()
    if isinstance(error, Deadlock):
        return run.why or str(error)
    if error is not None:
        said = str(error) if isinstance(error, ThreadvizError) else run.outcome
    elif run.errors:
        name, failed = next(iter(run.errors.items()))
        said = f"{name} ends with {type(failed).__name__}: {failed}"
    else:
        said = f"it returns {run.outcome}" + ("" if callable(expect) else f" where {expect!r} is expected")
        if callable(expect) and (why_not := asked(expect, run.result(), "expect")[1]):
            said = f"{said}, and {why_not}"
    return "; ".join(filter(None, (said, run.why)))
