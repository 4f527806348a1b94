"""What the learner calls a lock or a queue, as nobody is asked to name one."""

import dis
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from threading import Condition
from types import FrameType
from typing import Any

from ..texts import Namesakes, printable
from .code import is_learners, is_learners_class
from .inside import parts
from .places import Serials
from .points import original

DEEPEST = 2  # 'accounts[0].lock'


class Names:
    """The names of one run's locks and queues, each its own: the second 'lock' is 'lock (2)'."""

    def __init__(self) -> None:
        self._namesakes = Namesakes()
        self._conditions = Namesakes()  # which have the names of locks that have none of their own
        self._serials = Serials()

    def name(self, wanted: object, main: FrameType | None, here: FrameType, otherwise: str) -> str:
        """What `wanted` is called in the main thread's frames, or else from `here` outwards.

        A lock without a name of its own goes by that of a Condition around it.
        """
        inwards = list(_outwards(main))[::-1]

        def is_its_condition(part: Any) -> bool:
            return type(part) is Condition and vars(part).get("_lock") is wanted

        for is_wanted in (lambda part: part is wanted, is_its_condition):
            found = _called(is_wanted, inwards) or _called(is_wanted, _outwards(here))
            if found is not None:
                break
        namesakes = self._conditions if type(wanted) is Condition else self._namesakes
        return namesakes.tell_apart(printable(found or otherwise), self._serials.of(wanted))


def name_of(used: Any, object_name: Callable[[object, str], str]) -> str:
    """What the learner calls what a method is called on; empty where it has no name.

    A Condition that made its own lock is called as that lock is.
    """
    lock = getattr(used, "_lock", None) if isinstance(used, Condition) else None
    called = object_name(lock if getattr(lock, "class_name", "") == "Condition" else used, "")
    return called if called[:1].strip() else ""


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


_Test = Callable[[object], bool]  # whether this is what is looked for


def _called(is_wanted: _Test, frames: Iterable[FrameType]) -> str | None:
    """What something is called in the learner's frames, nearest first: 'lock', 'database._lock', 'forks[2]'."""
    seen_globals: dict[str, object] = {}
    for frame in frames:
        if is_learners(frame.f_code.co_filename):
            found = _find(is_wanted, frame.f_locals)
            if found is not None:
                return _as_assigned(found, frame)
            seen_globals = frame.f_globals
    return _find(is_wanted, seen_globals)


def _as_assigned(name: str, frame: FrameType) -> str:
    """'account.lock' instead of 'Account.lock', in a constructor that is called as `account = Account()`."""
    if frame.f_code.co_name not in ("__init__", "__post_init__") or not frame.f_code.co_argcount:
        return name
    first = frame.f_code.co_varnames[0]
    made = frame.f_locals.get(first)
    owner = type(made).__name__ if first == "self" else first
    caller = frame.f_back
    while caller is not None and made is not None and caller.f_locals.get(first) is made:  # a subclass's constructor
        caller = caller.f_back
    if caller is None or not name.startswith(f"{owner}."):
        return name
    following = _after_call(caller)
    step, then = next(following, None), next(following, None)
    if step is not None and step.opname.startswith(("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")):
        target = step.argval[0] if isinstance(step.argval, tuple) else step.argval
        return f"{target}{name.removeprefix(owner)}"
    if step is not None and then is not None and step.opname.startswith("LOAD_") and then.opname == "STORE_ATTR":
        whose = type(caller.f_locals.get("self")).__name__ if step.argval == "self" else step.argval
        return _as_assigned(f"{whose}.{then.argval}{name.removeprefix(owner)}", caller)
    return name


def _after_call(frame: FrameType) -> Iterator[dis.Instruction]:
    """The instructions that follow the call that `frame` is in, as they were before they were rewritten."""
    code = original(frame.f_code)
    where = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    places, steps = list(code.co_positions()), list(dis.get_instructions(code))
    calls = [step.offset for step in steps if places[step.offset // 2] == where and step.opname.startswith("CALL")]
    return (each for each in steps if calls and each.offset > calls[-1])


def _find(is_wanted: _Test, names: Mapping[str, object]) -> str | None:
    """The shortest way to what is wanted from one of the names."""
    names = dict(names)
    direct = next((name for name, value in names.items() if is_wanted(value)), None)
    if direct is not None:
        return direct
    roots = [(name, value) for name, value in names.items() if not name.startswith("__")]
    classes = {cls.__name__: cls for _, value in roots for cls in _classes(value)}
    roots = [*classes.items(), *((name, value) for name, value in roots if not issubclass(type(value), type))]
    for depth in range(DEEPEST):
        for name, value in roots:
            found = _inside(is_wanted, value, depth)
            if found is not None:
                owner = type(value).__name__ if name == "self" and is_learners_class(type(value)) else name
                return owner + found
    return None


def _classes(value: object) -> Iterator[type]:
    """The learner's classes that `value` is one of, or is made of."""
    cls: Any = value if issubclass(type(value), type) else type(value)
    return filter(is_learners_class, cls.__mro__)


def _inside(is_wanted: _Test, value: object, deeper: int) -> str | None:
    """The way from `value` to what is wanted, through exactly so many other objects."""
    for way, key, part in parts(value):
        if not deeper:
            if is_wanted(part):
                return way.format("", key)
        elif (found := _inside(is_wanted, part, deeper - 1)) is not None:
            return way.format("", key) + found
    return None
