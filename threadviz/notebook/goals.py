"""Goals: what a learner is to reach, in words, and a predicate of a Run that says whether a run does."""

from collections.abc import Callable

from ..run import Run
from ..texts import error_text

Goal = tuple[str, Callable[[Run], object]]


def check_goal(goal: object) -> None:
    """TypeError, in one sentence, for what is no goal."""
    if not (isinstance(goal, tuple) and len(goal) == 2 and isinstance(goal[0], str) and callable(goal[1])):
        raise TypeError(f"goal must be a sentence and a function of a run, not {goal!r}")


def reaches(run: Run, goal: Goal) -> bool:
    """Whether the run reaches the goal; ValueError, in one sentence, where that cannot be asked of it."""
    try:
        return bool(goal[1](run))
    except Exception as error:
        if error is run.exception():  # it asks for the result of a run that has none
            return False
        raise ValueError(f"the goal cannot be asked of this run: {error_text(error)}") from error
