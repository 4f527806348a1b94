"""The pile of what a run replaces: it always comes off again, last one first."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

_MISSING = object()


class Patches:
    """A pile of replacements that `undo` takes off again, last one first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self.over = False
        self.early: dict[int, Any] = {}  # id of a real object -> what stands for it, for names that were bound early
        self.late: dict[int, tuple[Any, Any]] = {}  # id of what stands for it -> that and the real object
        self.namespaces: list[dict[str, Any]] = []  # of the learner's: names that the run binds are given back, too

    def attribute(self, owner: object, name: str, value: object) -> None:
        old = vars(owner).get(name, _MISSING)
        put, drop = (type.__setattr__, type.__delattr__) if isinstance(owner, type) else (setattr, delattr)

        def undo() -> None:
            if old is not _MISSING:
                put(owner, name, old)
            elif name in vars(owner):
                drop(owner, name)

        self._undo.append(undo)
        put(owner, name, value)

    def item(self, names: dict[Any, Any], name: object, value: object) -> None:
        """Replace `names[name]`; undone only where the run has not given the name another meaning."""
        old = dict.__getitem__(names, name)

        def undo() -> None:
            if dict.get(names, name) is value:
                dict.__setitem__(names, name, old)

        self._undo.append(undo)
        dict.__setitem__(names, name, value)

    def element(self, values: list[Any], index: int, value: object) -> None:
        """Replace `values[index]`; undone wherever in the list the run has moved it."""
        old = list.__getitem__(values, index)

        def undo() -> None:
            for now, each in enumerate(list.__iter__(values)):
                if each is value:
                    list.__setitem__(values, now, old)

        self._undo.append(undo)
        list.__setitem__(values, index, value)

    def slot(self, owner: object, name: str, value: object) -> None:
        """Replace an attribute that is in no dict; undone only where the run has not given it another value."""
        old = object.__getattribute__(owner, name)

        def undo() -> None:
            with suppress(AttributeError, ValueError):  # the run has emptied it
                if object.__getattribute__(owner, name) is value:
                    object.__setattr__(owner, name, old)

        self._undo.append(undo)
        object.__setattr__(owner, name, value)

    def call_later(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back; what cannot be does not keep the rest from it, and is raised at the end."""
        failures = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                failures.append(error)
        self.over = True
        if failures:
            raise failures[0]

    def give_back(self, names: dict[str, Any]) -> None:
        """The real objects under names that were bound to what stood for them: by an import in the run."""
        for name, value in list(dict.items(names)):
            if id(value) in self.late:
                dict.__setitem__(names, name, self.late[id(value)][1])
