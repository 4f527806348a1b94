"""Looks at a run from the loops of the learner's own code, where no other thread and no timer could."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from .. import real
from ..learner.code import is_learners

_watching: Any = vars(sys).get("monitoring")  # from Python 3.12 on, as WebAssembly has it
MANY = 1000  # jumps back between two looks at the clock
_FREE = (3, 4)  # ids of sys.monitoring that CPython's documentation gives to nobody


class Jumps:
    """Calls `look` about every `patience` seconds, from inside a loop of the learner's that goes on so long.

    A loop in a library's own code, or in C, is not seen.
    """

    def __init__(self, patience: float, look: Callable[[FrameType | None], None]) -> None:
        self._patience = patience
        self._look = look
        self._left = MANY
        self._due = 0.0
        self._tool: int | None = None

    def begin(self) -> None:
        if _watching is not None:
            self._tool = next((each for each in _FREE if _watching.get_tool(each) is None), None)
        if self._tool is None:  # a debugger and a profiler are at work: whoever runs them can stop a run by hand
            return
        self._due = real.perf_counter() + self._patience
        _watching.use_tool_id(self._tool, "threadviz")
        _watching.register_callback(self._tool, _watching.events.JUMP, self._jumped)
        _watching.set_events(self._tool, _watching.events.JUMP)

    def end(self) -> None:
        """Hear of no more jumps; nothing where it has not begun."""
        if self._tool is not None:
            _watching.set_events(self._tool, _watching.events.NO_EVENTS)
            _watching.register_callback(self._tool, _watching.events.JUMP, None)
            _watching.free_tool_id(self._tool)
            self._tool = None
            _watching.restart_events()  # what this run has no more wanted to hear of, the next one may

    def _jumped(self, code: CodeType, offset: int, to: int) -> Any:
        if to > offset or not is_learners(code.co_filename):
            return _watching.DISABLE
        self._left -= 1
        if self._left <= 0:
            self._left = MANY
            now = real.perf_counter()
            if now >= self._due:
                self._due = now + self._patience
                self._look(sys._getframe(1))
        return None
