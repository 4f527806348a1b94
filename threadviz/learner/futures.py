"""Finds the exceptions of futures that nobody asked for: a pool keeps them silent for ever."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

from ..errors import StopRun
from ..patches import Patches

_ASKED = "_threadviz_asked"


class SilentFutures:
    """Notes which futures failed and which were asked for their result or exception."""

    def __init__(self) -> None:
        self._failed: dict[int, tuple[Any, str, BaseException]] = {}

    def install(self, patches: Patches, is_ours: Callable[[], bool], note: Callable[[BaseException], str]) -> None:
        """`note` hears of each exception that a future gets, and says in which thread that is."""
        future = concurrent.futures.Future
        real_set, real_result, real_exception = future.set_exception, future.result, future.exception
        failed = self._failed

        def set_exception(self: Any, exception: BaseException | None) -> None:
            if is_ours() and isinstance(exception, BaseException) and not isinstance(exception, StopRun):
                failed[id(self)] = (self, note(exception), exception)
            real_set(self, exception)

        def result(self: Any, timeout: float | None = None) -> Any:
            vars(self)[_ASKED] = True
            return real_result(self, timeout)

        def exception(self: Any, timeout: float | None = None) -> BaseException | None:
            vars(self)[_ASKED] = True
            return real_exception(self, timeout)

        patches.attribute(future, "set_exception", set_exception)
        patches.attribute(future, "result", result)
        patches.attribute(future, "exception", exception)

    def errors(self) -> list[tuple[str, BaseException]]:
        """Thread name and exception of each future that failed and was never asked."""
        return [(name, error) for future, name, error in self._failed.values() if _ASKED not in vars(future)]
