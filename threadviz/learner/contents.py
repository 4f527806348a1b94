"""Where code calls a container's method, or a built-in function that looks into its argument."""

from typing import Any, NamedTuple

from bytecode import Instr, Label

from .places import NAMED, Site

_CHANGES = frozenset([
    "append", "appendleft", "extend", "extendleft", "insert", "pop", "popleft", "popitem", "remove", "discard",
    "clear", "add", "update", "setdefault", "sort", "reverse", "rotate", "difference_update",
    "intersection_update", "symmetric_difference_update", "move_to_end", "subtract", "__setitem__", "__delitem__"
])  # fmt: skip
_LOOKS = frozenset([
    "get", "keys", "values", "items", "copy", "count", "index", "most_common", "__getitem__", "__contains__",
    "__len__"
])  # fmt: skip
# Built-in functions that read all of what their first argument holds.
_READERS = frozenset([
    "len", "sum", "min", "max", "any", "all", "sorted", "list", "tuple", "set", "frozenset", "dict", "iter",
    "enumerate", "reversed"
])  # fmt: skip
_FAR = 1000  # the stack's depth where nobody knows it, as in a handler: only differences matter


class Calls(NamedTuple):
    """Where containers' methods and readers of contents are called, by index of the instruction."""

    starts: set[int]  # the method is looked up: the container is kept under it
    # The call is about to be made, with the container at that depth, and the key, if it looks one item up.
    before: dict[int, tuple[Site, int, int | None]]
    after: dict[int, Site | None]  # it has been made; None where that was noted before
    reads: dict[int, list[tuple[Site, int]]]  # a built-in function is about to read its argument
    named: dict[int, tuple[Site, int]]  # one is about to touch an attribute that its second argument names


def contents_calls(items: list[Any], file: str) -> Calls:
    """All of them, in a function's instructions and labels."""
    depths = _depths(items)
    calls = Calls(set(), {}, {}, {}, {})
    # Of each call that is still gathering its arguments: depth after it, where it began, its site, and its kind.
    waiting: list[tuple[int, int, Site, bool]] = []
    for index, item in enumerate(items):
        if not isinstance(item, Instr):
            continue
        while waiting and depths[index + 1] <= waiting[-1][0]:
            depth, start, site, is_method = waiting.pop()
            if not item.name.startswith("CALL"):
                continue
            first = index
            while getattr(items[first - 1], "name", "") in ("PRECALL", "KW_NAMES"):
                first -= 1
            if is_method:
                plainly = item.name == "CALL" and getattr(items[first], "name", "") != "KW_NAMES"
                key: Any = item.arg if site.name == "get" and plainly and item.arg in (1, 2) else None
                if key is not None:
                    site = site._replace(what="item")
                calls.starts.add(start)
                calls.before[first] = site, depths[first] - depth + 2, key
                calls.after[index] = site if key is None else None
            elif site.what == "attribute":
                if item.name == "CALL" and item.arg in (2, 3) and getattr(items[first], "name", "") != "KW_NAMES":
                    calls.named[first] = site, item.arg  # type: ignore[assignment]
            elif item.name == "CALL" and item.arg and getattr(items[first], "name", "") != "KW_NAMES":
                calls.reads.setdefault(first, []).append((site, item.arg))  # type: ignore[arg-type]
        name, arg = item.name, item.arg
        is_call, called = arg if isinstance(arg, tuple) and len(arg) == 2 else (name == "LOAD_METHOD", arg)
        line = (item.location.lineno if item.location is not None else None) or 0
        if name in ("LOAD_METHOD", "LOAD_ATTR") and is_call and called in _CHANGES | _LOOKS:
            site = Site("write" if called in _CHANGES else "read", "contents", str(called), line, file)
            waiting.append((depths[index], index, site, True))
        elif name == "LOAD_GLOBAL" and is_call and called in NAMED:
            waiting.append((depths[index] + 1, index, Site(NAMED[str(called)], "attribute", "", line, file), False))
        elif name == "LOAD_GLOBAL" and is_call and called in _READERS:
            waiting.append((depths[index] + 1, index, Site("read", "contents", str(called), line, file), False))
    return calls


def _depths(items: list[Any]) -> list[int]:
    """How deep the stack is before each instruction, and after the last one."""
    at: dict[Label, int] = {}
    depth: int | None = 0
    found = []
    for item in items:
        if isinstance(item, Label):
            depth = at.get(item, depth)
        depth = _FAR if depth is None else depth
        found.append(depth)
        if isinstance(item, Instr):
            if isinstance(item.arg, Label):
                at.setdefault(item.arg, depth + item.stack_effect(jump=True))
            depth = None if item.is_final() else depth + item.stack_effect(jump=False)
    return [*found, depth or 0]
