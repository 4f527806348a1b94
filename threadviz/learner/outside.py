"""Finds what a scenario would share with other runs: locks, queues, threads made outside it, and global variables."""

import _thread
import concurrent.futures
import gc
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from .. import real
from ..errors import MadeOutside
from .code import KIND, LEARNERS, is_learners
from .inside import inside, names_in

_MADE_OUTSIDE = (
    real.LockType,
    real.RLockType,
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.Barrier,
    queue.Queue,
    queue.SimpleQueue,
    concurrent.futures.Executor,
    _thread._local,
)


class Surroundings(NamedTuple):
    """What a scenario's call can reach."""

    shared: list[
        tuple[str, str, str]
    ]  # primitives made outside: what each is called, that it is one, and why that is bad
    functions: list[FunctionType]  # the learner's
    scripts: list[CellType]  # those that hold the code of a script
    holders: list[Any]  # what keeps things under names of its own, outer ones first

    @property
    def home(self) -> str:
        """The file of the scenario, or of the script."""
        codes = [cell.cell_contents for cell in self.scripts] + [each.__code__ for each in self.functions]
        return codes[0].co_filename if codes else ""


def survey(program: partial[Any], virtual: tuple[type, ...]) -> Surroundings:
    """What a scenario's call can reach; MadeOutside, by name, for a primitive that it has not made itself.

    `virtual` are the classes of primitives that earlier runs made.
    """
    found = look_outside(program, virtual)
    if found.shared:
        path, kind, advice = found.shared[0]
        raise MadeOutside(f"{path} {kind}, {advice}")
    return found


def look_outside(program: partial[Any], virtual: tuple[type, ...]) -> Surroundings:
    """As `survey`, where primitives made outside are no reason to stop."""
    shared = []
    functions = []
    scripts = [cell for cell in getattr(program.func, "__closure__", None) or () if _holds_script(cell)]
    scenario = program.func
    holders = [program, *filter(None, (program.args, program.keywords))]
    name = getattr(scenario, "__name__", type(scenario).__name__)
    for path, value in _reachable(program, holders):
        kind = type(value)  # not isinstance, which may run the learner's own __getattribute__
        if issubclass(kind, FunctionType) and is_learners(value.__code__.co_filename):
            functions.append(value)
        if not path:
            continue
        if issubclass(kind, type):
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
            called = {"lock": "Lock", "_local": "local"}.get(kind.__qualname__, kind.__qualname__)
            article = "an" if called[0] in "AEIOUR" else "a"
            shared.append(
                (
                    path,
                    f"is {article} {called} made outside {name}()",
                    f"where it would outlive the run; create it inside {name}(), so that every run starts fresh",
                )
            )
    return Surroundings(shared, functions, scripts, holders)


def alike(functions: list[FunctionType]) -> list[FunctionType]:
    """`functions`, and all others of the learner's in the same modules and those that these use, wherever kept."""
    all_of_them: dict[int, list[FunctionType]] = {}  # by the namespace that they are in
    for each in [each for each in gc.get_objects() if type(each) is FunctionType]:
        if KIND[each.__code__.co_filename] == LEARNERS:
            all_of_them.setdefault(id(each.__globals__), []).append(each)
    found = {id(each): each for each in functions}
    todo = list(functions)
    while todo:
        function = todo.pop()
        namespaces = [function.__globals__, *(vars(module) for module in _modules(function))]
        for same in [each for names in namespaces for each in all_of_them.pop(id(names), ())]:
            if id(same) not in found:
                found[id(same)] = same
                todo.append(same)
    return list(found.values())


def _modules(function: FunctionType) -> Iterator[ModuleType]:
    """The learner's modules that a function names, or imports."""
    names = names_in(function.__code__)
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]
    for value in (*cells, *(function.__globals__.get(name) for name in names), *map(sys.modules.get, names)):
        if type(value) is ModuleType and is_learners(getattr(value, "__file__", None) or "<frozen"):
            yield value


def _holds_script(cell: CellType) -> bool:
    try:
        return type(cell.cell_contents) is CodeType
    except ValueError:  # one that is still empty
        return False


def _reachable(program: partial[Any], holders: list[Any]) -> Iterator[tuple[str, Any]]:
    """The values that the scenario's code names, and what the functions, classes and objects among them name.

    A scenario that is a function has no path.  Whatever holds others is added to `holders`.
    """
    seen: set[int] = set()
    scenario = program.func
    name = "" if type(scenario) is FunctionType else getattr(scenario, "__name__", type(scenario).__name__)
    todo: deque[tuple[str, Any]] = deque([(name, scenario)])
    todo += [(f"argument {i + 1}", value) for i, value in enumerate(program.args)]
    todo += [(f"argument {key}", value) for key, value in program.keywords.items()]
    while todo:
        path, value = todo.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield path, value
        found = [(way.format(path, key), part) for way, key, part in inside(value)]
        if value is scenario and not found:  # a script, in a function of ours
            found = [("", cell.cell_contents) for cell in getattr(value, "__closure__", None) or ()]
        if found:
            holders.append(value)
            todo += found
