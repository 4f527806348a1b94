"""What is directly inside a value: the one place that knows where Python keeps things.

No code of the learner's runs here: classes are asked, not objects, and containers are read as the built-in classes do.
"""

import dis
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import Field
from functools import cached_property, lru_cache, partial
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from .code import codes_in, is_learners, is_learners_class

MOST = 1000  # that one container holds; what holds more is data
# How the way to a part is written, of the way to what it is in and of its key there.
ELEMENT, ITEM, HIDDEN_ITEM, ATTRIBUTE = "{}[{}]", "{}[{!r}]", "{}[…]", "{}.{}"
NAME, SAME = "{1}", "{0}"  # by a name of its own; or none, as with a method's function

_ROWS = (list, tuple, deque)
_HOLD_NOTHING = (str, bytes, int, float, complex, None.__class__)
_PLAIN = (int, float, str, bytes, bool, None.__class__)  # keys whose `repr` runs no code of the learner's
_KEEP: dict[type, tuple[str, ...]] = {  # where these keep what they stand for
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
    type(lru_cache(str)): ("__wrapped__",),
    partial: ("func", "args", "keywords"),
    Field: ("default_factory",),
    defaultdict: ("default_factory",),
    CellType: ("cell_contents",),
}
Parts = Iterator[tuple[str, Any, Any]]  # the way, as above; the key; the part itself


def parts(value: Any) -> Parts:
    """What a container, a class of the learner's or an object of one holds, where that is not too much."""
    kind = type(value)
    if issubclass(kind, _ROWS):
        row = next(each for each in _ROWS if issubclass(kind, each))
        if row.__len__(value) <= MOST:
            for i, part in enumerate(list(row.__iter__(value))):  # a copy, as other threads may change it
                yield ELEMENT, i, part
    elif issubclass(kind, dict) and dict.__len__(value) <= MOST:
        for key, part in list(dict.items(value)):
            yield ITEM if type(key) in _PLAIN else HIDDEN_ITEM, key, part
    if is_learners_class(value if issubclass(kind, type) else kind):
        for key, part in dict(vars(value) if issubclass(kind, type) else attributes(value)).items():
            yield ATTRIBUTE, key, part


def inside(value: Any) -> Parts:
    """All that code which has `value` may come to: its parts, and what functions, methods, classes and such keep."""
    kind = type(value)
    yield from (each for each in parts(value) if _may_hold(each[2]))
    for each, keys in _KEEP.items():
        if issubclass(kind, each):
            with suppress(ValueError):  # a cell that is still empty
                yield from ((ATTRIBUTE, key, object.__getattribute__(value, key)) for key in keys)
    if issubclass(kind, MethodType):
        yield ATTRIBUTE, "__self__", value.__self__
        yield SAME, "__func__", value.__func__
    elif issubclass(kind, FunctionType):
        if is_learners(value.__code__.co_filename):
            yield from _in_function(value)
        elif "__wrapped__" in vars(value):
            yield SAME, "__wrapped__", value.__wrapped__
    else:
        classes = value.__mro__[1:] if issubclass(kind, type) else (kind,)
        yield from ((NAME, each.__name__, each) for each in classes if is_learners_class(each))


def _in_function(function: FunctionType) -> Parts:
    """The globals that a function of the learner's names, its outer variables and defaults, and what keeps them."""
    code = function.__code__
    names = names_in(code)
    variables = [(name, function.__globals__.get(name)) for name in _globals_in(code)]
    cells = list(zip(code.co_freevars, function.__closure__ or (), strict=False))
    variables += [(name, cell.cell_contents) for name, cell in cells if cell != CellType()]
    for name, value in variables:
        if not issubclass(type(value), ModuleType):  # not isinstance, which may run the learner's own code
            if _may_hold(value):
                yield NAME, name, value
        elif is_learners(vars(value).get("__file__") or "<frozen"):  # without the `__getattr__` that it may have
            yield from ((NAME, f"{name}.{each}", vars(value)[each]) for each in names if each in vars(value))
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    yield from ((NAME, f"a default of {function.__name__}()", value) for value in defaults if _may_hold(value))
    yield from ((NAME, name, cell) for name, cell in cells)
    yield from ((SAME, key, getattr(function, key)) for key in ("__defaults__", "__kwdefaults__") if defaults)


def _may_hold(value: Any) -> bool:
    return not issubclass(type(value), _HOLD_NOTHING)


@lru_cache(maxsize=1000)
def names_in(code: CodeType) -> list[str]:
    """The names of globals and attributes that a function uses, in order."""
    return sorted({name for each in codes_in(code) for name in each.co_names})


@lru_cache(maxsize=1000)
def _globals_in(code: CodeType) -> list[str]:
    """The global names that a function looks up; an attribute `x.lock` is no use of a global `lock`."""
    steps = (step for each in codes_in(code) for step in dis.get_instructions(each))
    return sorted({step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")})


def attributes(value: object) -> dict[str, object]:
    """An object's own attributes, slots too, without its class's `__getattribute__`, which may raise or wait."""
    found: dict[str, object] = {}
    for name, slot in slots(type(value)).items():
        with suppress(AttributeError):  # one that is still empty
            found[name] = slot.__get__(value)
    return found | own_dict(value)


def own_dict(value: object) -> dict[str, object]:
    """The `__dict__` of an object; an empty one where its class has `__slots__` alone."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if type(own) is dict else {}


def slots(cls: type) -> dict[str, MemberDescriptorType]:
    """The `__slots__` of the learner's classes among `cls` and its bases."""
    own = [vars(base) for base in cls.__mro__ if "__slots__" in vars(base) and is_learners_class(base)]
    return {name: slot for names in own for name, slot in names.items() if isinstance(slot, MemberDescriptorType)}
