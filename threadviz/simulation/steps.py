"""Steps: what a thread does between two points, and when the order of two of them may matter."""

from enum import IntEnum
from typing import Any, NamedTuple

PlaceKey = tuple[Any, ...]  # the number of an object, and what is used of it


class Use(IntEnum):
    """How a step uses a place."""

    __hash__ = int.__hash__  # that of an Enum is written in Python, and asked for at each access

    READ = 0
    WRITE = 1
    TAKE = 2  # a lock that is released in a later step
    HOLD = 3  # what only the thread that holds the lock can do: wait, notify, and release it
    READ_ITEM = 4  # a container of which one item is read or written
    WRITE_ITEM = 5


LOOKS = frozenset([Use.READ, Use.READ_ITEM])  # uses that change nothing
LOOKING = frozenset(  # operations that take a lock of their own only to look
    ["Queue.qsize", "Queue.empty", "Queue.full", "Future.done", "Future.running", "Future.cancelled"]
)


def disturb(one: Use, other: Use) -> bool:
    """Whether two uses of one place may come out otherwise when their order is another one."""
    return _DISTURB[one][other]


def _may_disturb(one: Use, other: Use) -> bool:
    only_items = one >= Use.READ_ITEM and other >= Use.READ_ITEM  # the items themselves are places of their own
    return not (only_items or (one in LOOKS and other in LOOKS))


_DISTURB = tuple(tuple(_may_disturb(one, other) for other in Use) for one in Use)  # it is asked most of all


class Before(NamedTuple):
    """What a thread stands before."""

    kind: str  # "read", "write", "call" or "time-out"
    what: str  # the attribute, variable or operation
    line: int | None


class Step:
    """What a thread did between two points."""

    __slots__ = ("after", "before", "looks", "overtakes", "takes", "thread", "uses")

    def __init__(self, thread: int, before: Before, uses: dict[PlaceKey, Use], takes: PlaceKey | None) -> None:
        self.thread = thread
        self.before = before
        self.uses = uses
        self.takes = takes  # the lock that had to be free
        self.looks = before.kind == "call" and before.what in LOOKING
        self.after: list[tuple[int, int]] = []  # threads, and how many of their steps had to come first
        self.overtakes: list[int] = []  # threads whose time-out it came before

    def use(self, place: PlaceKey, how: Use) -> None:
        """Note one more use."""
        had = self.uses.get(place)
        if self.looks:
            how = Use.READ
        if had is None or had in LOOKS:
            self.uses[place] = how
        elif how is not had and how not in LOOKS:
            self.uses[place] = Use.WRITE
