"""Finds what a scenario would share with other runs: locks, queues, threads made outside it, and global variables."""

import _thread
import concurrent.futures
import dis
import queue
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from . import _real
from .errors import MadeOutside
from .frames import attributes, is_learners, is_learners_class

_MADE_OUTSIDE = (
    _real.LockType,
    _real.RLockType,
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.Barrier,
    queue.Queue,
    queue.SimpleQueue,
    concurrent.futures.Executor,
    _thread._local,
)


def survey(
    scenario: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], virtual: tuple[type, ...] = ()
) -> tuple[list[type], list[str]]:
    """The learner's classes that `scenario` can reach, and a sentence on each variable whose changes are not seen.

    MadeOutside, by name, for a primitive it has not made itself.  `virtual` are the classes of primitives that
    earlier runs made.
    """
    classes, shared, unseen = look_outside(scenario, args, kwargs, virtual)
    for path, kind, advice in shared:
        raise MadeOutside(f"{path} {kind}, {advice}")
    return classes, unseen


def look_outside(
    scenario: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], virtual: tuple[type, ...] = ()
) -> tuple[list[type], list[tuple[str, str, str]], list[str]]:
    """The learner's classes, each primitive made outside, and a sentence on each variable whose changes are not seen.

    A primitive is told as what it is called, that it is one, and why that is bad.
    """
    classes = []
    shared = []
    unseen: set[str] = set()
    name = getattr(scenario, "__name__", type(scenario).__name__)
    for path, value in _reachable(scenario, args, kwargs):
        kind = type(value)  # not isinstance, which may run the learner's own __getattribute__
        if issubclass(kind, FunctionType | CodeType):
            unseen |= _unseen(value if issubclass(kind, CodeType) else value.__code__)
        if not path:
            continue
        if issubclass(kind, type):
            if is_learners_class(value):
                classes.append(value)
            if issubclass(value, _thread._local) and value is not _thread._local:
                shared.append(
                    (
                        f"class {path}",
                        f"is made from threading.local outside {name}()",
                        f"so its threads would share one copy; "
                        f"define it inside {name}(), so that every run starts fresh",
                    )
                )
        elif issubclass(kind, (*_MADE_OUTSIDE, *virtual)) or (issubclass(kind, threading.Thread) and not value.ident):
            called = {"lock": "Lock", "_local": "local"}.get(kind.__name__, kind.__name__)
            article = "an" if called[0] in "AEIOUR" else "a"
            shared.append(
                (
                    path,
                    f"is {article} {called} made outside {name}()",
                    f"where it would outlive the run; create it inside {name}(), so that every run starts fresh",
                )
            )
    return classes, shared, sorted(unseen)


def _reachable(
    scenario: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The values that the scenario's code names, and what the functions, classes and objects among them name.

    The scenario itself has no path.
    """
    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("", scenario)]
    todo += [(f"argument {i + 1}", value) for i, value in enumerate(args)]
    todo += [(f"argument {key}", value) for key, value in kwargs.items()]
    while todo:
        path, value = todo.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield path, value
        kind = type(value)
        if issubclass(kind, MethodType):
            todo += [(f"{path or type(value.__self__).__name__}.__self__", value.__self__), (path, value.__func__)]
        elif issubclass(kind, FunctionType):
            if is_learners(value.__code__.co_filename):
                todo += _of_function(value)
            elif value is scenario:  # a script, in a function of ours
                todo += [("", cell.cell_contents) for cell in value.__closure__ or ()]
        elif issubclass(kind, type):
            if is_learners_class(value):
                todo += [(f"{path}.{key}", item) for key, item in vars(value).items() if _may_hold(item)]
        elif issubclass(kind, list | tuple) and len(value) <= 1000:
            todo += [(f"{path}[{i}]", item) for i, item in enumerate(value) if _may_hold(item)]
        elif issubclass(kind, dict) and len(value) <= 1000:
            todo += [(f"{path}[{key!r}]", item) for key, item in value.items() if _may_hold(item)]
        elif is_learners_class(kind):
            todo += [(f"{path}.{key}", item) for key, item in attributes(value).items() if _may_hold(item)]
            todo.append((kind.__name__, kind))


def _may_hold(value: Any) -> bool:
    return not issubclass(type(value), str | bytes | int | float | complex | None.__class__)


def _of_function(function: FunctionType) -> list[tuple[str, Any]]:
    found = []
    names = sorted(_names(function.__code__))
    for name in sorted(_globals(function.__code__)):
        value = function.__globals__.get(name)
        if issubclass(type(value), ModuleType) and is_learners(getattr(value, "__file__", None) or "<frozen"):
            found += [(f"{name}.{each}", vars(value)[each]) for each in names if each in vars(value)]
        elif value is not None and _may_hold(value):
            found.append((name, value))
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # a cell that is still empty
            continue
    found += [(f"a default of {function.__name__}()", value) for value in function.__defaults__ or ()]
    return found


@lru_cache(maxsize=1000)
def _globals(code: CodeType) -> frozenset[str]:
    """The global names that a function looks up; an attribute `x.lock` is no use of a global `lock`."""
    loads = (each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return frozenset(loads).union(*(_globals(each) for each in code.co_consts if isinstance(each, CodeType)))


@lru_cache(maxsize=1000)
def _unseen(code: CodeType) -> frozenset[str]:
    """A sentence on each variable that a function of the learner's changes and that is not its own."""
    if not is_learners(code.co_filename):
        return frozenset()
    told = {
        f"{each.argval} is a global variable: its reads and writes are not shown, and all runs share its value"
        for each in dis.get_instructions(code)
        if each.opname == "STORE_GLOBAL"
    } | {
        f"{each.argval} is a variable of an outer function: its reads and writes are not shown"
        for each in dis.get_instructions(code)
        if each.opname == "STORE_DEREF" and each.argval in code.co_freevars and not code.co_name.startswith("<")
    }
    return frozenset(told).union(*(_unseen(each) for each in code.co_consts if isinstance(each, CodeType)))


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
