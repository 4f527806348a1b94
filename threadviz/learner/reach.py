"""What the learner's code can reach under names of its own: the early-bound primitives among it are replaced."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field
from functools import partial
from types import FunctionType
from typing import Any

from ..patches import Patches
from .code import is_learners, learners_modules, slots


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
    once = {id(holder): holder for holder in (*namespaces, *holders)}
    # first what becomes one of the early ones itself, inner ones before those around them
    for holder in sorted(reversed(once.values()), key=lambda each: not issubclass(type(each), (tuple, staticmethod))):
        _rebind(patches, early, holder)
    return namespaces


def _rebind(patches: Patches, early: dict[int, Any], holder: Any) -> None:
    """Replace what `holder` keeps of the real objects; what cannot be changed itself becomes one of them."""
    kind = type(holder)
    if issubclass(kind, dict):
        for name, value in [each for each in dict.items(holder) if id(each[1]) in early]:
            patches.item(holder, name, early[id(value)])
        if issubclass(kind, defaultdict):
            _rebind_slot(patches, early, holder, "default_factory")
    elif issubclass(kind, FunctionType):
        for cell in holder.__closure__ or ():
            _rebind_slot(patches, early, cell, "cell_contents")
        _rebind(patches, early, holder.__defaults__ or ())
        _rebind_slot(patches, early, holder, "__defaults__")
        _rebind(patches, early, holder.__kwdefaults__ or {})
    elif issubclass(kind, type):
        for name, value in [each for each in vars(holder).items() if id(each[1]) in early]:
            virtual = early[id(value)]
            binds = hasattr(type(virtual), "__get__") and not hasattr(type(value), "__get__")
            patches.attribute(holder, name, staticmethod(virtual) if binds else virtual)
    elif issubclass(kind, list):
        for index, value in [each for each in enumerate(list.__iter__(holder)) if id(each[1]) in early]:
            patches.element(holder, index, early[id(value)])
    elif issubclass(kind, tuple):
        if not early.keys().isdisjoint(map(id, tuple.__iter__(holder))):
            early[id(holder)] = tuple.__new__(kind, [early.get(id(value), value) for value in tuple.__iter__(holder)])
    elif issubclass(kind, staticmethod):
        if id(holder.__func__) in early:
            early[id(holder)] = staticmethod(early[id(holder.__func__)])
    elif issubclass(kind, partial):
        state: Any = partial.__reduce__(holder)[2]
        if not early.keys().isdisjoint(map(id, state[:2])):
            patches.callback(holder.__setstate__, state)
            holder.__setstate__((*(early.get(id(value), value) for value in state[:2]), *state[2:]))
    elif issubclass(kind, Field):
        _rebind_slot(patches, early, holder, "default_factory")
    else:
        for name in slots(kind):
            _rebind_slot(patches, early, holder, name)
        with suppress(AttributeError):  # a class with __slots__ alone
            _rebind(patches, early, object.__getattribute__(holder, "__dict__"))


def _rebind_slot(patches: Patches, early: dict[int, Any], owner: object, name: str) -> None:
    with suppress(AttributeError, ValueError):  # one that is still empty
        virtual = early.get(id(object.__getattribute__(owner, name)))
        if virtual is not None:
            patches.slot(owner, name, virtual)


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
