"""Finds the exceptions of futures that nobody asked for: a pool keeps them silent for ever."""

import concurrent.futures
from typing import Any

from ..errors import StopRun
from ..patches import Patches
from ..texts import error_parts
from .code import raised_at
from .notes import Noting

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

        patches.attribute(future, "set_exception", set_exception)
        patches.attribute(future, "result", result)
        patches.attribute(future, "exception", exception)

    def errors(self) -> list[tuple[str, BaseException]]:
        """Thread name and exception of each future that failed and was never asked."""
        return [(name, error) for future, name, error in self._failed.values() if _ASKED not in vars(future)]
