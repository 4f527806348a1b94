"""Whose code is running: the learner's or the library's; which operation it is in."""

import concurrent.futures
import contextlib
import linecache
import os
import queue
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures.thread import _WorkItem
from functools import lru_cache
from types import CodeType, FrameType, ModuleType

_STACKS = os.path.abspath(contextlib.__file__)
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # of the whole package
_LIBRARY = tuple(
    {os.path.dirname(os.path.abspath(os.__file__)) + os.sep}
    | {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))  # the user's own, too
_OPERATIONS = (  # the modules whose functions are operations; calls into others are noise
    os.path.abspath(threading.__file__),
    os.path.abspath(queue.__file__),
    os.path.dirname(os.path.abspath(concurrent.futures.__file__)) + os.sep,
)


OWN, LEARNERS, OPERATIONS, OTHER, SEEN_THROUGH = range(5)  # the last only enters and leaves what the learner gave it


class _Kinds(dict[str, int]):
    """Whose a file is, looked up once."""

    def __missing__(self, filename: str) -> int:
        if filename.startswith(_HERE):
            kind = OWN
        elif filename == _STACKS:
            kind = SEEN_THROUGH
        elif filename.startswith(_OPERATIONS):
            kind = OPERATIONS
        elif filename.startswith((*_LIBRARY, "<frozen")) or any(folder in filename for folder in _INSTALLED):
            kind = OTHER
        else:
            kind = LEARNERS
        self[filename] = kind
        return kind


KIND = _Kinds()
_PASSED_BY = (OWN, SEEN_THROUGH)


def is_learners(filename: str) -> bool:
    """Whether a file is the learner's: not ours, not the standard library's, not an installed package's."""
    return KIND[filename] == LEARNERS


_QUEUES = queue.Queue.get.__code__.co_filename
TIMER = "Timer"  # what it is called that a threading.Timer waits
_EVENT_WAIT, _TIMER_RUN = threading.Event.wait.__code__, threading.Timer.run.__code__
_CONDITION = threading.Condition.__init__.__code__
_BEGINS = {id(run.__code__) for run in (threading.Thread.run, threading.Timer.run, _WorkItem.run)}  # a learner's call


def call_site(
    frame: FrameType | None, known: FrameType | None = None
) -> tuple[FrameType | None, FrameType | None, int]:
    """The learner's frame nearest to `frame`, the outermost library frame that it called, and whose the call is.

    The second is None where the learner calls a patched primitive directly.  One user-level call is one
    operation: this frame names it, however many locks it takes inside.  A frame that is `known` to be the outermost
    one ends the search, without the first.  The third is whose code called into this package, as in `KIND`.
    """
    whose = OWN
    while frame is not None and (whose := KIND[frame.f_code.co_filename]) in _PASSED_BY:
        frame = frame.f_back
    if frame is None:  # it called itself, as at a run's end
        return None, None, OTHER
    if whose == LEARNERS:
        return frame, None, whose
    outermost: FrameType | None = None
    entered = False
    while frame is not None:
        if frame is known and not entered:
            return None, frame, whose
        code = frame.f_code
        kind = KIND[code.co_filename]
        if kind == LEARNERS:
            return frame, outermost, whose
        if not entered:
            entered = id(code) in _BEGINS
            if kind not in _PASSED_BY and not entered:
                outermost = frame
        frame = frame.f_back
    return None, outermost, whose


def operation_name(frame: FrameType) -> str:
    """What a library function is called by those who call it: 'Queue.get', 'ThreadPoolExecutor.__exit__'."""
    code = frame.f_code
    if code is _EVENT_WAIT and frame.f_back is not None and frame.f_back.f_code is _TIMER_RUN:
        return TIMER  # an event of the library's own
    name = code.co_qualname.split(".<locals>")[0]
    if "." in name and code.co_argcount:
        owner = type(frame.f_locals.get(code.co_varnames[0]))
        if hasattr(owner, code.co_name):
            public = next(c for c in owner.__mro__ if not is_learners_class(c))
            return f"{public.__name__.lstrip('_').removeprefix('Py')}.{code.co_name}"
    return name


def queue_of(frame: FrameType | None) -> object | None:
    """The queue whose method a library frame is in, if it is one."""
    if frame is not None and frame.f_code.co_filename == _QUEUES and frame.f_code.co_argcount:
        return frame.f_locals.get("self")
    return None


def ends_a_call(operation: str) -> bool:
    """Whether this lets go on who waits where no line calls it: a pool's worker at a call's end, a timer's own call."""
    return operation in ("Future.set_result", "Future.set_exception", "Event.set")


def made_by_condition(maker: FrameType) -> bool:
    """Whether it is a Condition that makes its own lock: what the learner then takes is the Condition."""
    return maker.f_code is _CONDITION


def is_learners_class(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    if module is None:
        return True
    filename = getattr(module, "__file__", None)
    if filename is None:
        return cls.__module__ == "__main__"
    return is_learners(filename)


class Line(int):
    """The number of a line in another file, or cell, than that of the scenario: it says in which file.

    The cells of a notebook have no names to tell, but line 3 of one is not line 3 of another.
    """

    file: str

    def __new__(cls, number: int, file: str) -> "Line":
        line = super().__new__(cls, number)
        line.file = file
        return line

    def __str__(self) -> str:
        number = int.__repr__(self)
        return f"{number} of {os.path.basename(self.file)}" if _is_file(self.file) else number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and (int(self), self.file) == (int(other), other.file)

    def __hash__(self) -> int:
        return hash((int(self), self.file))

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return Line, (int(self), self.file)


_home = [""]  # the file of the scenario that is run


def home() -> str:
    """The file of the scenario that was run last."""
    return _home[0]


def set_home(filename: str) -> None:
    """Lines of this file are told by their number alone from now on."""
    _home[0] = filename


@lru_cache(maxsize=1000)
def _is_file(filename: str) -> bool:
    """Whether it can be opened by its name; a notebook's cell cannot, and its lines are told by their number alone."""
    return os.path.isfile(filename)


def line_in(filename: str, number: int, home: str | None = None) -> int:
    """The line of a file, as it is told: of another file than the scenario's, which is `home`, with its name."""
    return number if filename == (_home[0] if home is None else home) else Line(number, filename)


def learners_frame(frame: FrameType | None) -> FrameType | None:
    """The learner's frame nearest to `frame`."""
    while frame is not None and KIND[frame.f_code.co_filename] != LEARNERS:
        frame = frame.f_back
    return frame


def line_at(frame: FrameType) -> int:
    """The line that a frame is at, as it is told."""
    return line_in(frame.f_code.co_filename, frame.f_lineno)


def caller() -> FrameType:
    """The frame of whoever called the function that calls this one."""
    return sys._getframe(2)


def outside() -> FrameType | None:
    """The frame that called into this package; None where it called itself, as at a run's end."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and KIND[frame.f_code.co_filename] == OWN:
        frame = frame.f_back
    return frame


def visible(frame: FrameType | None) -> FrameType | None:
    """`frame`, or the one that called into this package if it is in there, or in what this package has called."""
    first = seen = None
    while frame is not None:
        kind = KIND[frame.f_code.co_filename]
        seen = None if kind == OWN else seen or frame
        first = first or seen
        if kind == LEARNERS:
            return seen
        frame = frame.f_back
    return first  # a library's, in a thread that it has made


def user_call(name: str) -> tuple[str, int | None, FrameType | None]:
    """The user-level operation that called into this package: its name, the learner's line, its outermost frame.

    `name` is that of a primitive that the learner calls directly; there is no frame then.  There is no line where
    the library itself makes the call, as a pool's idle worker does.
    """
    learners, outermost, whose = call_site(caller())
    if whose == OTHER:
        return "library", None, outermost
    line = line_at(learners) if learners is not None else None
    if outermost is None:
        return name, line, None
    known = KIND[outermost.f_code.co_filename] == OPERATIONS
    return operation_name(outermost), line if known else None, outermost


def raised_at(error: BaseException) -> int | None:
    """The line of the learner's code, innermost, that `error` came through."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if is_learners(traceback.tb_frame.f_code.co_filename):
            line = line_in(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return line


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of all functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def texts_of_lines(codes: Iterable[CodeType], home: str) -> dict[int, str]:
    """What is written in each line of some functions, where the scenario's file is `home`."""
    texts: dict[int, str] = {}
    for code in (each for outer in codes for each in codes_in(outer)):
        for line in {line for _, _, line in code.co_lines() if line}:
            text = linecache.getline(code.co_filename, line).strip()
            texts[line_in(code.co_filename, line, home)] = text
    return texts


_looked_at: list[int] = [0]  # how many modules there were when they were last looked at; there are many
_ours: list[str] = []


def learners_modules() -> list[ModuleType]:
    """The imported modules that are the learner's own, `__main__` included where it is a script or a notebook."""
    if _looked_at[0] != len(sys.modules):
        _ours.clear()
        for name, module in list(sys.modules.items()):
            filename = vars(module).get("__file__") if isinstance(module, ModuleType) else ""
            if is_learners(filename) if filename else name == "__main__":
                _ours.append(name)
        _looked_at[0] = len(sys.modules)
    return [sys.modules[name] for name in _ours if name in sys.modules]
