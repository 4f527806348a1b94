"""Sees the learner's code read and write attributes of the learner's own objects, with their values.

For the length of a run the classes that the scenario's code can reach, and those that a class statement makes during
the run, note each access to an instance's attribute.  Globals and items of lists and dicts are not seen.
"""

import builtins
import sys
from collections.abc import Iterable
from enum import Enum
from typing import Any

from ..patches import Patches
from ..texts import cut
from .code import is_learners, slots
from .notes import Notes, Noting

_PLAIN = (bool, int, float, str, bytes, None.__class__)


def watch(patches: Patches, classes: Iterable[type], noting: Noting) -> None:
    """Note each read and write of an attribute in the learner's code: which, the repr of its value, and the line."""

    def watch_one(cls: type) -> None:
        if not issubclass(cls, BaseException | type | Enum) and cls.__getattribute__ is object.__getattribute__:
            patches.attribute(cls, "__getattribute__", _reading(cls.__getattribute__, noting))
            patches.attribute(cls, "__setattr__", _writing(cls.__setattr__, noting))

    for cls in classes:
        watch_one(cls)
    build = builtins.__build_class__

    def build_class(body: Any, *args: Any, **kwargs: Any) -> Any:
        cls = build(body, *args, **kwargs)
        if is_learners(body.__code__.co_filename) and isinstance(cls, type):
            watch_one(cls)
        return cls

    patches.attribute(builtins, "__build_class__", build_class)


def _name_of(owner: object, notes: Notes) -> str:
    known = notes.objects.setdefault(type(owner), {})
    number, _ = known.setdefault(id(owner), (len(known) + 1, owner))
    return type(owner).__name__ if number == 1 else f"{type(owner).__name__}#{number}"


def _reading(real: Any, noting: Noting) -> Any:
    def __getattribute__(self: object, name: str) -> Any:
        value = real(self, name)
        frame = sys._getframe(1)
        if name[:2] != "__" and not callable(value) and is_learners(frame.f_code.co_filename) and _is_data(self, name):
            notes = noting()
            if notes is not None:
                notes.note_access("read", f"{_name_of(self, notes)}.{name}", short(value), frame.f_lineno)
        return value

    return __getattribute__


def _writing(real: Any, noting: Noting) -> Any:
    def __setattr__(self: object, name: str, value: object) -> None:
        real(self, name, value)
        frame = sys._getframe(1)
        if is_learners(frame.f_code.co_filename) and not callable(value):
            notes = noting()
            if notes is not None:
                notes.note_access("write", f"{_name_of(self, notes)}.{name}", short(value), frame.f_lineno)

    return __setattr__


def _is_data(owner: object, name: str) -> bool:
    try:
        return name in object.__getattribute__(owner, "__dict__") or name in slots(type(owner))
    except AttributeError:  # a class with __slots__ alone
        return name in slots(type(owner))


def short(value: Any) -> str:
    """A plain value in at most 20 characters; "" for others, and for numbers too long to be written at every access.

    No method of the learner's is called, which may do anything.
    """
    kind: Any = next((each for each in _PLAIN if issubclass(type(value), each)), None)
    if kind is None or (kind is int and int.bit_length(value) > 256):
        return ""
    if kind in (str, bytes):
        value = kind.__getitem__(value, slice(20))
    return cut(kind.__repr__(value), 20)
