"""What is asked of a run by those who watch the learner's code for it."""

from collections.abc import Callable
from typing import Any, Protocol

from ..patches import Patches
from ..trace import Kind
from .code import TIMER


class Naming(Protocol):
    """Knows what the learner calls things."""

    def object_name(self, wanted: object, otherwise: str) -> str:
        """What the learner calls a lock or a queue."""


class Notes(Naming, Protocol):
    """Keeps what happens in one run."""

    patches: Patches  # what is replaced for this run alone, such as what puts into one of its queues

    @property
    def is_over(self) -> bool:
        """Whether threads are being ended: what their code does on its way out is none of the program's doing."""

    def moment(self) -> tuple[float, str]:
        """Seconds since the start of the run, and the name of the current thread."""

    def note(self, kind: Kind, what: str = "", value: str = "", line: int | None = None, cause: Any = None) -> Any:
        """Note a trace event of the current thread; returns what a later one gives as its `cause`."""

    def note_submitted(self, call: str) -> None:
        """Note that the current thread, a pool's, begins a call that was submitted."""

    def begin_item(self) -> int | None:
        """An item is about to go into or out of a queue of the learner's; returns the line."""


def blocked_in(operation: str, used: object | None, names: Naming) -> str:
    """What a wait inside an operation is called in the picture: 'Queue.get of jobs', where it is one of a queue."""
    if operation == "_worker":
        return "waits for work"
    if operation == TIMER:
        return "waits as a Timer"
    if used is None or "Queue." not in operation:  # as in a library's own use of one
        return operation
    called = names.object_name(used, "")
    return f"{operation} of {called}" if called[:1].strip() else operation  # without a name, at most numbered


Noting = Callable[[], Notes | None]  # those of the run that goes on; None where the caller is not of it
