"""The pile of what a run replaces: it always comes off again, last one first."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

_MISSING = object()
Replacement = tuple[Any, str, Any]  # owner, name of its attribute, new value


class Patches(ExitStack):
    """Replacements that `close` takes off again.

    What cannot be put back does not keep the rest from it, and is raised at the end: so an ExitStack goes about it.
    """

    def attribute(self, owner: object, name: str, value: object) -> None:
        self.attributes([(owner, name, value)])

    def attributes(self, replacements: Sequence[Replacement]) -> None:
        """Replace many attributes at once: one entry of the pile for all, as a run replaces some seventy."""
        before = iter([(owner, name, vars(owner).get(name, _MISSING)) for owner, name, _ in replacements])

        def put_back() -> None:
            try:
                for owner, name, old in before:
                    _set(owner, name, old)
            except BaseException:
                put_back()  # the iterator goes on behind the one that could not be put back
                raise

        self.callback(put_back)
        for owner, name, value in replacements:
            _set(owner, name, value)

    def item(self, names: dict[Any, Any], name: object, value: object) -> None:
        """Replace `names[name]`; undone only where the run has not given the name another meaning."""
        old = dict.__getitem__(names, name)

        def undo() -> None:
            if dict.get(names, name) is value:
                dict.__setitem__(names, name, old)

        self.callback(undo)
        dict.__setitem__(names, name, value)

    def element(self, values: list[Any] | deque[Any], index: int, value: object) -> None:
        """Replace `values[index]`; undone wherever in the list the run has moved it."""
        row: Any = list if isinstance(values, list) else deque  # whose methods are not the learner's
        old = row.__getitem__(values, index)

        def undo() -> None:
            for now, each in enumerate(row.__iter__(values)):
                if each is value:
                    row.__setitem__(values, now, old)

        self.callback(undo)
        row.__setitem__(values, index, value)

    def slot(self, owner: object, name: str, value: object) -> None:
        """Replace an attribute that is in no dict; undone only where the run has not given it another value."""
        old = object.__getattribute__(owner, name)

        def undo() -> None:
            with suppress(AttributeError, ValueError):  # the run has emptied it
                if object.__getattribute__(owner, name) is value:
                    object.__setattr__(owner, name, old)

        self.callback(undo)
        object.__setattr__(owner, name, value)


def _set(owner: Any, name: str, value: object) -> None:
    """Without the learner's own `__setattr__`, which a metaclass may have, too."""
    put: Callable[..., None] = type.__setattr__ if isinstance(owner, type) else setattr
    if value is not _MISSING:
        put(owner, name, value)
    elif name in vars(owner):
        (type.__delattr__ if isinstance(owner, type) else delattr)(owner, name)
