"""What a pool is asked to do: which call each worker begins, and the exceptions that nobody asked for.

A pool keeps these silent for ever.
"""

import concurrent.futures
import concurrent.futures.thread
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from ..errors import StopRun
from ..patches import Patches
from ..texts import error_parts
from .code import raised_at
from .notes import Noting
from .places import short

_ASKED = "_threadviz_asked"


class SilentFutures:
    """Notes which futures failed and which were asked for their result or exception."""

    def __init__(self) -> None:
        self._failed: dict[int, tuple[Any, str, BaseException]] = {}

    def begin(self) -> None:
        """A run begins: nothing has failed yet."""
        self._failed = {}

    def install(self, patches: Patches, noting: Noting) -> None:
        """Look at futures until `patches` are undone."""
        future = concurrent.futures.Future
        real_set, real_result, real_exception = future.set_exception, future.result, future.exception

        def set_exception(made: Any, exception: BaseException | None) -> None:
            notes = noting()
            if notes is None or notes.is_over or not isinstance(exception, BaseException):
                real_set(made, exception)
                return
            if not isinstance(exception, StopRun):
                notes.note("failed", *error_parts(exception), line=raised_at(exception))
                self._failed[id(made)] = (made, notes.moment()[1], exception)
            real_set(made, exception)

        def result(made: Any, timeout: float | None = None) -> Any:
            vars(made)[_ASKED] = True
            return real_result(made, timeout)

        def exception(made: Any, timeout: float | None = None) -> BaseException | None:
            vars(made)[_ASKED] = True
            return real_exception(made, timeout)

        item: Any = concurrent.futures.thread._WorkItem
        real_run = item.run

        def run(task: Any, *context: Any) -> None:
            notes = noting()
            # a call that was cancelled comes to a worker, too, which leaves it out; the future's own lock is not taken
            if notes is not None and not notes.is_over and not task.future._state.startswith("CANCELLED"):
                # from CPython 3.14 on they are one tuple
                given = task.task if hasattr(task, "task") else (task.fn, task.args, task.kwargs)
                notes.note_submitted(_call(*given))
            real_run(task, *context)

        patches.attribute(item, "run", run)
        patches.attribute(future, "set_exception", set_exception)
        patches.attribute(future, "result", result)
        patches.attribute(future, "exception", exception)

    def errors(self) -> list[tuple[str, BaseException]]:
        """Thread name and exception of each future that failed and was never asked."""
        return [(name, error) for future, name, error in self._failed.values() if _ASKED not in vars(future)]


def _call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The call as it would be written, without calling any method of the learner's: 'fetch('a', …)'."""
    named = isinstance(function, FunctionType | MethodType | BuiltinFunctionType | type)
    shown = [short(value) or "…" for value in args] + [f"{key}={short(value) or '…'}" for key, value in kwargs.items()]
    name = function.__name__ if named else short(function) or type(function).__name__
    return f"{name}({', '.join(shown)})"
