"""Puts calls around each access in a function's bytecode; what the code does, and its lines and columns, stay.

Around an access come at most two calls: `before` it, where threads may be switched, and `after` it, where its value is
known.  What they are given is copied from the stack.  Every inserted instruction has the position of the one that it
belongs to, so tracebacks, carets and debuggers find what the learner wrote.
"""

from types import CodeType
from typing import Any

from bytecode import Bytecode, Instr

from .around import Around, Hooks
from .changed import Changed
from .contents import contents_calls
from .places import NAMED, Site

_TOP_IS_READ = frozenset(
    ["GET_ITER", "CONTAINS_OP", "UNPACK_SEQUENCE", "UNPACK_EX", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE"]
)
# What asks whether something is true, and so whether a container is empty; what says yes or no is none.
_TRUTH_TESTS = ("POP_JUMP_IF_", "POP_JUMP_FORWARD_IF_", "POP_JUMP_BACKWARD_IF_", "JUMP_IF_", "UNARY_NOT", "TO_BOOL")
_YES_OR_NO = ("COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_NOT", "TO_BOOL", "LOAD_CONST", "CHECK_EXC_MATCH", "COPY")


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
    calls = contents_calls(old, code.co_filename)
    new: list[Any] = []
    for index, item in enumerate(old):
        if not isinstance(item, Instr):
            new.append(item)
            continue
        if isinstance(item.arg, CodeType):
            item.arg = rewritten(item.arg, changed, hooks, made)
        around = Around(item, hooks, code.co_filename)
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
            done = Around(item, hooks, code.co_filename)
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


def _access(around: Around, changed: Changed, is_module: bool) -> None:
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


def _consumed(around: Around, site: Site, kept: list[str], wanted: list[str]) -> None:
    """An instruction that takes all of `kept` from the stack."""
    around.copy(len(kept), len(kept))
    around.before(site, len(kept) - kept.index("thing"), 1 if kept[-1] == "key" else None)
    around.after(site, kept, wanted)
    around.drop(len(kept))


def _stored(around: Around, site: Site) -> None:
    """A variable that gets the top of the stack, or is deleted."""
    if around.item.name.startswith("STORE"):
        around.before(site, None)
        around.copy(1)
        around.after(site, ["value"], ["cell", "value"])
        around.drop(1)
    else:
        around.before(site, None)
        around.after(site, [], ["cell"])
