"""What was predicted against what came: how an answer is read, and when it is right.

Comparing is tolerant of how an answer is written and of nothing else: 2 is 2.0, `[1, 2]` is `1, 2`, and a duration may
be off by a twentieth.
"""

import ast
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..calls import short
from ..errors import Deadlock, Stuck
from ..exploration.exploration import Exploration
from ..exploration.explorer import NEVER_ENDS, is_no_value, shown
from ..run import Run
from ..story.words import seconds
from ..texts import error_parts

NEVER = NEVER_ENDS
TOLERANCE = 0.05  # of a duration
_NEVERS = {NEVER, "never", "deadlock", "deadlocks", "hangs", "does not end", "doesn't end", "for ever", "forever"}
_YES = {"yes": True, "no": False, "true": True, "false": False}
_SEPARATORS = re.compile(r"[,;]|\band\b|\bor\b")
_FAILS = {"error", "an error", "exception", "an exception", "raises", "fails"}
_SECONDS = re.compile(r"([\d.,]+)\s*(?:(ms|millisecond)s?|(min|minute)s?|(?:s|sec|second)s?|)", re.ASCII)

Asker = Callable[[Any], object]
# A kind of question; a function of the Run; or "outcomes" and a function of all of them with their numbers.
Ask = str | Asker | tuple[str, Asker]


@dataclass(frozen=True)
class Truth:
    """What came of a run, where a question asks for it: the value, an exception or `NEVER`; and in words."""

    value: Any
    words: str

    def matches(self, said: object) -> bool:
        """Whether somebody who said this was right."""
        if self.value is NEVER or isinstance(self.value, BaseException):
            return isinstance(said, str) and _spoken(said) in _names_of(self.value)
        if not isinstance(said, str):
            return _is_same(said, self.value)
        shown = {_spoken(str(self.value)), _spoken(short(self.value))}
        return _spoken(said) in shown or any(_is_same(each, self.value) for each in _readings(said))


@dataclass(frozen=True)
class Duration(Truth):
    """How long a run took: seconds, virtual."""

    def matches(self, said: object) -> bool:
        if self.value is NEVER or is_never(said):
            return self.value is NEVER and is_never(said)
        return math.isclose(read_seconds(said), self.value, rel_tol=TOLERANCE, abs_tol=1e-9)


@dataclass(frozen=True)
class Outcomes(Truth):
    """All outcomes that a scenario has, whoever goes first, as an Exploration names them."""

    def matches(self, said: object) -> bool:
        """Whether somebody who said these named all of them and no other."""
        is_possible = (any(_means(one, outcome) for outcome in self.value) for one in _each(said))
        return all(is_possible) and all(self.has_named(said, outcome) for outcome in self.value)

    def has_named(self, said: object, outcome: object) -> bool:
        """Whether this outcome is among what somebody said."""
        return any(_means(one, outcome) for one in _each(said))


def truth_of_all(found: Exploration, ask: Ask) -> Truth:
    """Return what the question asks for, from all outcomes; ValueError, in one sentence, where some are not known."""
    if not found.complete:
        raise ValueError(f"what is possible is not known: {found.verdict}")
    if isinstance(ask, tuple):
        return told(ask[1](found.outcomes))
    names = sorted(shown(each) for each in found.outcomes)
    many = f"the possible outcomes are {', '.join(names)}"
    return Outcomes(
        tuple(outcome for outcome, _ in found.outcomes.most_common()),
        many if len(names) > 1 else f"the only possible outcome is {names[0]}",
    )


def truth_of(run: Run, ask: Ask, options: Sequence[object]) -> Truth:
    """Return what the question asks for, from the run."""
    error = run.exception()
    ended = not isinstance(error, Deadlock | Stuck)
    if callable(ask):
        return told(ask(run))
    if ask == "order":
        order = _order(run, options)
        missing = [f"“{each}” never comes" for each in options if each not in order]
        return Truth(order, "; ".join([f"the order is {arrows(order)}" if order else "nothing of it comes", *missing]))
    if not ended:
        return (Duration if ask == "duration" else Truth)(NEVER, f"it never ends ({error})")
    if ask == "duration":
        return Duration(run.duration, f"it takes {seconds(run.duration)}")
    if error is not None:
        return Truth(error, f"it {run.outcome}")
    return Truth(run.result(), f"it returns {_shown(run.result())}")


def told(value: object) -> Truth:
    """Return what a question that is a function comes to."""
    return Truth(value, f"the answer is {value if isinstance(value, str) else _shown(value)}")


def read_seconds(said: object) -> float:
    """Return a duration as it was said, in seconds: 2, '0.5 s', '20 ms'; ValueError for what is none."""
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    found = _SECONDS.fullmatch(_spoken(str(said)))
    try:
        if found is None:
            raise ValueError
        number, milliseconds, minutes = found.groups()
        return float(number.replace(",", ".")) * (0.001 if milliseconds else 60 if minutes else 1)
    except ValueError:
        raise ValueError(f"{said!r} is no duration: write seconds, such as 2 or 0.5, or {NEVER!r}") from None


def is_never(said: object) -> bool:
    return isinstance(said, str) and _spoken(said) in _NEVERS


def arrows(items: Iterable[object]) -> str:
    """Return things in their order, on one line."""
    return " → ".join(map(str, items))


def _order(run: Run, options: Sequence[object]) -> list[object]:
    """Those options that are lines of the log, or parts of some, in the order in which they first come."""
    lines = [line.text for line in run.log]
    places = {}
    for option in options:
        text = str(option)
        found = [i for i, line in enumerate(lines) if line == text] or [
            i for i, line in enumerate(lines) if text in line
        ]
        if found:
            places[option] = found[0]
    return sorted(places, key=lambda option: places[option])


def _spoken(text: str) -> str:
    """`text` without what makes no difference: case, spaces, a full stop, 'it' before a verb."""
    return " ".join(text.casefold().split()).removesuffix(".").removeprefix("it ")


def _names_of(ending: object) -> set[str]:
    if not isinstance(ending, BaseException):
        return _NEVERS
    name, text = error_parts(ending)
    return {_spoken(each) for each in (name, f"raises {name}", f"{name}: {text}", f"raises {name}: {text}")} | _FAILS


def _each(said: object) -> Iterable[object]:
    return said if isinstance(said, list | tuple) else _SEPARATORS.split(str(said))


def _means(said: object, outcome: object) -> bool:
    """Whether an outcome of an exploration is what somebody said."""
    if is_no_value(outcome):
        return is_never(said)
    if isinstance(outcome, str) and outcome.startswith("raises ") and isinstance(said, str):
        whole = _spoken(outcome)
        name = whole.partition(":")[0]
        return _spoken(said) in {whole, name, name.removeprefix("raises "), *_FAILS}
    return Truth(outcome, "").matches(said)


def _readings(said: str) -> Iterable[object]:
    """What somebody may have meant by it."""
    said = said.strip()
    if _spoken(said) in _YES:
        yield _YES[_spoken(said)]
    for text in (said, said.replace(",", ".")):
        try:
            yield ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    yield [each.strip().strip("'\"") for each in said.strip("[]()").split(",")]


def _is_same(said: object, truth: object) -> bool:
    if isinstance(said, bool) or isinstance(truth, bool):
        return said is truth
    if isinstance(said, int | float) and isinstance(truth, int | float):
        return math.isclose(said, truth, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(said, list | tuple) and isinstance(truth, list | tuple):
        return len(said) == len(truth) and all(map(_is_same, said, truth))
    try:
        return bool(said == truth)
    except Exception:  # a learner's own __eq__ may do anything
        return False


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else short(value)
