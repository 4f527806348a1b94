"""Which variables code changes while others may look at them."""

import dis
from types import CodeType
from typing import NamedTuple

from .code import codes_in


class Changed(NamedTuple):
    """The names of variables that code changes while others may look at them."""

    globals: frozenset[str]
    cells: frozenset[str]


def changed_by(code: CodeType, is_module: bool) -> Changed:
    """The globals that `code` or a function in it changes, and the closure variables.

    What a function, or a script itself, gives to its own variable once and for all is no change.
    """
    stored: set[str] = set()
    cells: set[str] = set()
    for each in codes_in(code):
        loops = [
            (item.argval, item.offset)
            for item in dis.get_instructions(each)
            if "BACKWARD" in item.opname and isinstance(item.argval, int)
        ]
        once: set[str] = set(each.co_varnames[: each.co_argcount + each.co_kwonlyargcount])
        for item in dis.get_instructions(each):
            name = item.argval
            again = name in once or any(start <= item.offset <= end for start, end in loops)
            if item.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                stored.add(name)
            elif item.opname in ("STORE_DEREF", "DELETE_DEREF"):
                if name in each.co_freevars or again:
                    cells.add(name)
                once.add(name)
            elif item.opname in ("STORE_NAME", "DELETE_NAME") and is_module and each is code:
                if again:
                    stored.add(name)
                once.add(name)
    return Changed(frozenset(stored), frozenset(cells))


def names_set(code: CodeType) -> frozenset[str]:
    """The names that a script itself gives values to."""
    return frozenset(item.argval for item in dis.get_instructions(code) if item.opname in ("STORE_NAME", "DELETE_NAME"))


def names_in(code: CodeType) -> frozenset[str]:
    """Every name of a global or of a closure's variable that `code` and the functions in it may use."""
    return frozenset(name for each in codes_in(code) for name in (*each.co_names, *each.co_freevars, *each.co_cellvars))
