"""Calls, outcomes and errors in words, and what is no scenario."""

import inspect
import re
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from .errors import Deadlock, ThreadvizError
from .learner.code import raised_at
from .texts import cut, error_parts

_SHOWN = 60  # characters of a value in titles
_TOLD = 1000  # characters of an exception's text


def check_scenario(scenario: object, verb: str, reserved: tuple[str, ...]) -> None:
    """One clear sentence for what is not a scenario: TypeError, or ValueError for a name that clashes."""
    if not callable(scenario):
        raise TypeError(
            f"{verb} needs a function to call, not {type(scenario).__name__}: "
            f"write tv.{verb}(race), without calling race yourself"
        )
    name = getattr(scenario, "__name__", type(scenario).__name__)
    if inspect.iscoroutinefunction(scenario) or inspect.isgeneratorfunction(scenario):
        raise TypeError(
            f"{verb} needs a plain function: {name}() is a generator or a coroutine, which nobody would run"
        )
    try:
        parameters = inspect.signature(scenario).parameters
    except ValueError as error:
        raise TypeError(f"{verb} needs a function written in Python: {name} does not tell its parameters") from error
    for reserved_name in reserved:
        if reserved_name in parameters:
            raise ValueError(
                f"{name}() has a parameter {reserved_name!r}, which is an option of tv.{verb}; give it another name"
            )


def call_text(scenario: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The call as it would be written: 'race(workers=2, sleep=0.1)', defaults included."""
    name = getattr(scenario, "__name__", type(scenario).__name__)
    bound = inspect.signature(scenario).bind(*args, **kwargs)
    bound.apply_defaults()
    shown = []
    kinds = {key: parameter.kind for key, parameter in bound.signature.parameters.items()}
    more = any(kinds[key] is inspect.Parameter.VAR_POSITIONAL and value for key, value in bound.arguments.items())
    for key, value in bound.arguments.items():
        kind = kinds[key]
        if kind is inspect.Parameter.VAR_POSITIONAL:
            shown += [_argument(item) for item in value]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            shown += [f"{each}={_argument(item)}" for each, item in value.items()]
        else:
            # no name may come before a value without one
            unnamed = kind is inspect.Parameter.POSITIONAL_ONLY or (
                more and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            )
            shown.append(_argument(value) if unnamed else f"{key}={_argument(value)}")
    return f"{name}({', '.join(shown)})"


def _argument(value: Any) -> str:
    """A value as it is written in a call: functions and classes by their names."""
    return value.__name__ if isinstance(value, FunctionType | type) else short(value)


def outcome_text(value: Any, error: BaseException | None) -> str:
    """What a run ended with: the value's repr, 'raises ValueError: text', 'deadlock', or 'stopped'."""
    if isinstance(error, Deadlock):
        return "deadlock"
    if isinstance(error, ThreadvizError):
        return "stopped"
    if error is not None:
        name, text = error_parts(error)
        return f"raises {name}: {cut(text, _SHOWN)}" if text else f"raises {name}"
    return short(value)


def sentence(what: str, error: BaseException) -> str:
    """`what` happened, with the error's text and the learner's line that it came through."""
    text = cut(error_parts(error)[1], _TOLD)
    line = raised_at(error)
    where = f" (line {line})" if line is not None else ""
    return f"{what}: {text}{where}" if text else f"{what}{where}"


def asked(predicate: Callable[[Any], object], value: Any, what: str) -> tuple[bool, str]:
    """Whether a predicate holds; where it raises it does not, and the second item says so of `what` it is."""
    try:
        return bool(predicate(value)), ""
    except Exception as error:
        name, text = error_parts(error)
        return False, f"{what} could not be asked of {short(value)}: {name}: {cut(text, _SHOWN)}"


def short(value: Any) -> str:
    """The value's repr on one line, cut; whatever the learner's own `__repr__` does."""
    try:
        return cut(re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(value).split())), _SHOWN)  # addresses differ
    except (Exception, SystemExit) as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
