"""Puts calls around each access in a function's bytecode; what the code does, and its lines and columns, stay.

Around an access come at most two calls: `before` it, where threads may be switched, and `after` it, where its value is
known.  What they are given is copied from the stack.  Every inserted instruction has the position of the one that it
belongs to, so tracebacks, carets and debuggers find what the learner wrote.
"""

import dis
import sys
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Literal, NamedTuple

from bytecode import Bytecode, Instr, Label

from .code import codes_in
from .places import NAMED, NO_VALUE, Site, What


class Hooks(NamedTuple):
    """The functions that rewritten code calls; either is None where it is not wanted.

    `before(site, thing, key)`, `after(site, thing, value, key)`: `thing` is the very object, the closure's cell, or
    None for a global of the calling frame; `key` is there for items.
    """

    before: Callable[..., None] | None
    after: Callable[..., None] | None


_CHANGES = frozenset(
    [
        "append",
        "appendleft",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "add",
        "update",
        "setdefault",
        "sort",
        "reverse",
        "rotate",
        "difference_update",
        "intersection_update",
        "symmetric_difference_update",
        "move_to_end",
        "subtract",
        "__setitem__",
        "__delitem__",
    ]
)
_LOOKS = frozenset(
    [
        "get",
        "keys",
        "values",
        "items",
        "copy",
        "count",
        "index",
        "most_common",
        "__getitem__",
        "__contains__",
        "__len__",
    ]
)
# Built-in functions that read all of what their first argument holds.
_READERS = frozenset(
    [
        "len",
        "sum",
        "min",
        "max",
        "any",
        "all",
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "iter",
        "enumerate",
        "reversed",
    ]
)
_TOP_IS_READ = frozenset(
    ["GET_ITER", "CONTAINS_OP", "UNPACK_SEQUENCE", "UNPACK_EX", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE"]
)
# What asks whether something is true, and so whether a container is empty; what says yes or no is none.
_TRUTH_TESTS = ("POP_JUMP_IF_", "POP_JUMP_FORWARD_IF_", "POP_JUMP_BACKWARD_IF_", "JUMP_IF_", "UNARY_NOT", "TO_BOOL")
_YES_OR_NO = ("COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_NOT", "TO_BOOL", "LOAD_CONST", "CHECK_EXC_MATCH", "COPY")
_LOAD_CELL = "LOAD_FAST" if sys.version_info >= (3, 13) else "LOAD_CLOSURE"
_FAR = 1000  # the stack's depth where nobody knows it, as in a handler: only differences matter


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


def rewritten(
    code: CodeType,
    changed: Changed,
    hooks: Hooks,
    made: list[tuple[CodeType, CodeType]],
    is_module: bool = False,
) -> CodeType:
    """`code` with calls of `hooks` around its accesses, and so the code of all functions in it.

    `is_module` says that its own names are globals, as those of a script are.  What is new is told in `made`, with
    the code that it stands for.
    """
    bytecode = Bytecode.from_code(code)
    old = list(bytecode)
    depths = _depths(old)
    calls = _contents_calls(old, depths, code.co_filename)
    new: list[Any] = []
    for index, item in enumerate(old):
        if not isinstance(item, Instr):
            new.append(item)
            continue
        if isinstance(item.arg, CodeType):
            item.arg = rewritten(item.arg, changed, hooks, made)
        around = _Around(item, hooks, code.co_filename)
        if index in calls.starts:
            new += [around.make("COPY", 1), item]
        elif index in calls.named:
            around.named(*calls.named[index])
            new += [*around.first, item]
        elif index in calls.reads:
            for site, depth in calls.reads[index]:
                around.look(site, depth)
            new += [*around.first, item]
        elif index in calls.before:
            # Only the innermost call is about to be made here: those around it still gather their arguments.
            site, depth, key = calls.before[index]
            around.before(site, depth, key)
            if key is not None:
                around.look_up(site, depth, key)
            new += [*around.first, item]
        elif _asks_whether_true(item, old[index - 1] if index else None):
            around.before(around.site("read", "contents", "bool"), 1)
            new += [*around.first, item]
        else:
            _access(around, changed, is_module)
            new += [*around.first, item, *around.last]
        if index in calls.after:
            done = _Around(item, hooks, code.co_filename)
            if (called := calls.after[index]) is not None:
                done.after(called, ["thing", "result"], ["thing"])
            new += [*done.last, done.make("SWAP", 2), done.make("POP_TOP")]
    bytecode[:] = new
    made.append((bytecode.to_code(), code))
    return made[-1][0]


def _asks_whether_true(item: Instr, previous: Any) -> bool:
    if not item.name.startswith(_TRUTH_TESTS) or item.name.endswith("_NONE"):
        return False
    return not isinstance(previous, Instr) or not previous.name.startswith(_YES_OR_NO)


class _Around:
    """What comes before and after one instruction."""

    def __init__(self, item: Instr, hooks: Hooks, file: str) -> None:
        self.item = item
        self.hooks = hooks
        self._file = file
        self.first: list[Instr] = []
        self.last: list[Instr] = []
        self.line = (item.location.lineno if item.location is not None else None) or 0

    def make(self, name: str, *arg: Any) -> Instr:
        return Instr(name, *arg, location=self.item.location)

    def site(self, kind: Literal["read", "write"], what: What, name: str) -> Site:
        return Site(kind, what, name, self.line, self._file)

    def copy(self, depth: int, times: int = 1) -> None:
        """Keep what the instruction takes from the stack for the call after it."""
        if self.hooks.after is not None:
            self.first += [self.make("COPY", depth) for _ in range(times)]

    def before(self, site: Site, depth: int | None, key: int | None = None) -> None:
        """Call `before` with the stack's items at `depth` and, for an item, at `key`.

        There is no depth for a global, or a variable's own cell.
        """
        if self.hooks.before is not None:
            load = self.cell() if depth is None else [self.make("COPY", depth + 3)]
            if key is not None:
                load.append(self.make("COPY", key + 3 + len(load)))
            self.first += self.call(self.hooks.before, site, load)

    def after(self, site: Site, stack: Sequence[str], wanted: Sequence[str]) -> None:
        """Call `after` with the `wanted` ones of what is on the `stack`, whose top comes last."""
        if self.hooks.after is not None:
            load: list[Instr] = []
            for name in wanted:
                if name == "cell":
                    load += self.cell()
                else:
                    load.append(self.make("COPY", len(stack) - stack.index(name) + 3 + len(load)))
            self.last += self.call(self.hooks.after, site, load)

    def look(self, site: Site, depth: int) -> None:
        """Both calls before the instruction, for contents that C code reads in one go."""
        self.before(site, depth)
        if self.hooks.after is not None:
            self.first += self.call(self.hooks.after, site, [self.make("COPY", depth + 3)])

    def named(self, site: Site, arguments: int) -> None:
        """The calls for an attribute that the second of so many arguments names, and the third, if any, sets."""
        self.before(site, arguments, arguments - 1)
        if self.hooks.after is not None and site.kind == "write" and arguments == 3:
            load = [self.make("COPY", depth + 3 + i) for i, depth in enumerate((arguments, 1, arguments - 1))]
            self.first += self.call(self.hooks.after, site, load)

    def look_up(self, site: Site, depth: int, key: int) -> None:
        """Call `after` before the instruction, for an item that C code looks up by its key."""
        if self.hooks.after is not None:
            load = [self.make("COPY", depth + 3), self.make("LOAD_CONST", NO_VALUE), self.make("COPY", key + 5)]
            self.first += self.call(self.hooks.after, site, load)

    def drop(self, count: int) -> None:
        """Let go of what was kept."""
        if self.hooks.after is not None:
            self.last += [self.make("POP_TOP") for _ in range(count)]

    def drop_under(self, count: int) -> None:
        """As `drop`, of what lies under the top of the stack."""
        if self.hooks.after is not None:
            self.last.append(self.make("SWAP", count + 1))
        self.drop(count)

    def cell(self) -> list[Instr]:
        if self.item.name.endswith("_DEREF"):
            return [self.make(_LOAD_CELL, self.item.arg)]
        return [self.make("LOAD_CONST", None)]

    def call(self, hook: Callable[..., None], site: Site, load: list[Instr]) -> list[Instr]:
        function = [self.make("PUSH_NULL"), self.make("LOAD_CONST", hook)]
        if sys.version_info >= (3, 13):
            function.reverse()
        count = 1 + len(load)
        call = [self.make("CALL", count)]
        if sys.version_info < (3, 12):
            call.insert(0, self.make("PRECALL", count))
        return [*function, self.make("LOAD_CONST", site), *load, *call, self.make("POP_TOP")]


def _access(around: _Around, changed: Changed, is_module: bool) -> None:
    """The calls around one access of an attribute, item, global or closure's variable; none around anything else."""
    item = around.item
    name, arg = item.name, item.arg
    variable: Any = getattr(arg, "name", None)
    if name == "LOAD_ATTR":
        is_call, attribute = arg if isinstance(arg, tuple) else (False, arg)
        if not is_call and not attribute.startswith("__"):
            site = around.site("read", "attribute", attribute)
            around.copy(1)
            around.before(site, 1)
            around.after(site, ["thing", "value"], ["thing", "value"])
            around.drop_under(1)
    elif name in ("STORE_ATTR", "DELETE_ATTR"):
        site = around.site("write", "attribute", arg)  # type: ignore[arg-type]
        kept = ["value", "thing"] if name == "STORE_ATTR" else ["thing"]
        _consumed(around, site, kept, kept[::-1])
    elif name == "BINARY_SUBSCR" or (name == "BINARY_OP" and arg.name == "SUBSCR"):  # type: ignore[union-attr]
        site = around.site("read", "item", "")
        around.copy(2, 2)
        around.before(site, 2, 1)
        around.after(site, ["thing", "key", "value"], ["thing", "value", "key"])
        around.drop_under(2)
    elif name == "STORE_SUBSCR":
        _consumed(around, around.site("write", "item", ""), ["value", "thing", "key"], ["thing", "value", "key"])
    elif name == "DELETE_SUBSCR":
        site = around.site("write", "item", "del")
        around.copy(2, 2)
        around.before(site, 2)
        # The item itself is gone: its container, as a whole, is another one than before.
        around.after(site._replace(what="contents"), ["thing", "key"], ["thing"])
        around.drop(2)
    elif name in ("BINARY_SLICE", "STORE_SLICE"):
        around.look(around.site("read" if name[0] == "B" else "write", "contents", "[:]"), 3)
    elif name in _TOP_IS_READ:
        around.look(around.site("read", "contents", name.lower()), 1)
    elif name == "LOAD_GLOBAL" or (name == "LOAD_NAME" and is_module):
        is_call, variable = arg if isinstance(arg, tuple) else (False, arg)
        if variable in NAMED and not is_call:  # it is given away
            around.before(around.site("read", "global", str(variable)), None)
        if variable in changed.globals:
            site = around.site("read", "global", variable)
            around.before(site, None)
            if not is_call:
                around.after(site, ["value"], ["cell", "value"])
    elif name in ("STORE_GLOBAL", "DELETE_GLOBAL") or (name in ("STORE_NAME", "DELETE_NAME") and is_module):
        if arg in changed.globals:
            site = around.site("write", "global", arg)  # type: ignore[arg-type]
            _stored(around, site)
    elif name == "LOAD_DEREF" and variable in changed.cells:
        site = around.site("read", "variable", variable)
        around.before(site, None)
        around.after(site, ["value"], ["cell", "value"])
    elif name in ("STORE_DEREF", "DELETE_DEREF") and variable in changed.cells:
        _stored(around, around.site("write", "variable", variable))


def _consumed(around: _Around, site: Site, kept: list[str], wanted: list[str]) -> None:
    """An instruction that takes all of `kept` from the stack."""
    around.copy(len(kept), len(kept))
    around.before(site, len(kept) - kept.index("thing"), 1 if kept[-1] == "key" else None)
    around.after(site, kept, wanted)
    around.drop(len(kept))


def _stored(around: _Around, site: Site) -> None:
    """A variable that gets the top of the stack, or is deleted."""
    if around.item.name.startswith("STORE"):
        around.before(site, None)
        around.copy(1)
        around.after(site, ["value"], ["cell", "value"])
        around.drop(1)
    else:
        around.before(site, None)
        around.after(site, [], ["cell"])


class _Calls(NamedTuple):
    """Where containers' methods and readers of contents are called, by index of the instruction."""

    starts: set[int]  # the method is looked up: the container is kept under it
    # The call is about to be made, with the container at that depth, and the key, if it looks one item up.
    before: dict[int, tuple[Site, int, int | None]]
    after: dict[int, Site | None]  # it has been made; None where that was noted before
    reads: dict[int, list[tuple[Site, int]]]  # a built-in function is about to read its argument
    named: dict[int, tuple[Site, int]]  # one is about to touch an attribute that its second argument names


def _contents_calls(items: list[Any], depths: list[int], file: str) -> _Calls:
    calls = _Calls(set(), {}, {}, {}, {})
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
