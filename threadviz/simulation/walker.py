"""A simulated thread that goes step by step: what it stands before, and what it has looked at."""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from ..learner.places import Site
from .operations import Operation
from .steps import Before, PlaceKey, Use
from .tasks import Task


class Lockable(Protocol):
    """A lock, as seen from here."""

    taken: bool

    @property
    def holder(self) -> Task | None: ...

    @property
    def called(self) -> str:
        """What the learner calls it."""


class Walker(Task):
    """A simulated thread that goes step by step."""

    stood_before: Operation | None = None  # the newest operation whose first primitive it came to
    resumed = False  # within an operation: it has waited, and was woken
    stands = Before("call", "begin", None)
    stands_at: tuple[Site, Any, Any] | None = None  # the access that it stands before
    takes: PlaceKey | None = None
    primitive: Any = None  # that it stands before
    called = ""  # what the learner calls that, or what it is part of; of runs that are noted
    lock: Lockable | None = None  # that must be free before it can go on
    until = 0
    steps = 0
    only_looks = False  # it has changed nothing since it last looked anew, not even what is its own
    spins = False  # it would only look again at what is as it was
    # Where it began the wait that timed out last, how its frames were, and how many steps others had made.
    waited: tuple[Any, ...] | None = None
    waited_in: Operation | None = None
    known = 0  # objects that had a number then

    def __init__(self, simulator: Any, thread: threading.Thread, body: Callable[[], None]) -> None:
        super().__init__(simulator, thread, body)
        self.uses: dict[PlaceKey, Use] = {}
        self.family: PlaceKey = ("thread", self.number)  # of the operation that it is in
        self.after: list[tuple[int, int]] = []
        self.clock = {self.number: 1}  # of starts and joins alone: what may run at the same time
        # Where it has stood since somebody last changed anything that it looked at, and how its frames were then.
        self.visits: dict[Any, Any] = {}
        self.looked_at: set[PlaceKey] = set()

    def looks_anew(self) -> None:
        """Something has changed, of its own or of what it has looked at."""
        self.spins = False
        if self.only_looks:  # only then is there anything to forget
            self.only_looks = False
            self.visits.clear()
            self.looked_at.clear()
