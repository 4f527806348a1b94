"""What the learner's code can reach under names of its own: the early-bound primitives among it are replaced."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FunctionType
from typing import Any

from ..patches import Patches
from .code import is_learners, learners_modules
from .inside import ATTRIBUTE, ELEMENT, HIDDEN_ITEM, ITEM, NAME, inside, own_dict


def replace_early_names(
    patches: Patches, early: dict[int, Any], program: partial[Any], holders: list[Any]
) -> list[dict[str, Any]]:
    """Let the run's own primitives be found under names that were bound before it: `from time import sleep`.

    They are looked for in the scenario's and the learner's modules, and in `holders`.  `early` has what stands for a
    real object, by the object's id; what holds one and cannot be changed itself is added to it.  Returns the
    namespaces that were looked at.
    """
    namespaces = [vars(module) for module in learners_modules()] + _namespaces(program.func)
    namespaces += [holder.__globals__ for holder in holders if issubclass(type(holder), FunctionType)]
    # First what becomes one of the early ones itself, inner ones before those around them.
    for holder in reversed(holders):
        if issubclass(type(holder), (tuple, staticmethod)):
            _replace(patches, early, holder)
    for names in {id(each): each for each in namespaces}.values():
        for name, value in [each for each in dict.items(names) if id(each[1]) in early]:
            patches.item(names, name, early[id(value)])
    for holder in reversed(holders):
        _replace(patches, early, holder)
    return namespaces


def _replace(patches: Patches, early: dict[int, Any], holder: Any) -> None:
    """Replace what `holder` keeps of the early ones; what cannot be changed itself becomes one of them."""
    kind = type(holder)
    found = [each for each in inside(holder) if id(each[2]) in early]
    if not found or id(holder) in early:
        return
    if issubclass(kind, tuple):
        early[id(holder)] = tuple.__new__(kind, [early.get(id(value), value) for value in tuple.__iter__(holder)])
        return
    if issubclass(kind, staticmethod):
        early[id(holder)] = staticmethod(early[id(holder.__func__)])
        return
    if issubclass(kind, partial):
        state: Any = partial.__reduce__(holder)[2]
        patches.callback(holder.__setstate__, state)
        holder.__setstate__((*(early.get(id(value), value) for value in state[:2]), *state[2:]))
        return
    own = own_dict(holder)
    for way, key, part in found:
        virtual = early[id(part)]
        if way == ELEMENT:
            patches.element(holder, key, virtual)
        elif way in (ITEM, HIDDEN_ITEM):
            patches.item(holder, key, virtual)
        elif way == ATTRIBUTE and issubclass(kind, type):
            binds = hasattr(type(virtual), "__get__") and not hasattr(type(part), "__get__")
            patches.attribute(holder, key, staticmethod(virtual) if binds else virtual)
        elif way == ATTRIBUTE and key in own:
            patches.item(own, key, virtual)
        elif way != NAME:  # what has one is kept by a namespace, or by a variable's cell
            with suppress(AttributeError):  # read-only: a property's
                patches.slot(holder, key, virtual)


def _namespaces(scenario: Callable[..., Any]) -> list[dict[str, Any]]:
    """The globals of the scenario's own module, which may be no imported one."""
    function: Any = scenario
    if isinstance(function, type):
        function = function.__dict__.get("__init__", function)
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__globals__"):
        function = getattr(type(function).__call__, "__func__", type(function).__call__)
    names = getattr(function, "__globals__", None)
    return [names] if names is not None and is_learners(function.__code__.co_filename) else []
