"""What a run prints and logs, a line each, with time and thread; nothing of it reaches a cell or a terminal."""

import builtins
import logging
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import BuiltinFunctionType
from typing import Any

from ..patches import Patches
from .engine import Engine


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a thread printed or logged; `time` in seconds since the start of the run, on the run's clock."""

    time: float
    thread: str
    text: str
    to_stderr: bool = False
    seen: bool = False  # on the screen already, as the prompt of an `input` has to be

    def __str__(self) -> str:
        return f"{self.time:8.3f}  {self.thread}  {self.text}"


class Stream:
    """A text stream that keeps what the run's own OS thread writes and passes on what others write."""

    def __init__(self, real: Any, output: "Output") -> None:
        self._real = real
        self._output = output
        self._is_stderr = real in (sys.stderr, sys.__stderr__) and real not in (sys.stdout, sys.__stdout__)

    def write(self, text: str) -> int:
        if not self._output.is_ours():
            return int(self._real.write(text))
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._output.write(text, self._is_stderr)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not self._output.is_ours():
            self._real.flush()

    def close(self) -> None:
        """Nothing: the real stream belongs to the cells and must outlive the run."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Output:
    """Collects the lines of the run that goes on, and has it note every whole one."""

    def __init__(self, most: float = math.inf) -> None:
        self.lines: list[LogLine] = []
        self._most = most  # lines that are kept
        self._engine: Engine | None = None
        self._partial: dict[tuple[str, bool], str] = {}
        self._handlers_before: list[logging.Handler] = []

    def begin(self, engine: Engine) -> None:
        """A run begins, with nothing printed yet."""
        self._engine = engine
        self.lines = []
        self._partial = {}
        self._handlers_before = list(logging.root.handlers)

    def is_ours(self) -> bool:
        return self._engine is not None and self._engine.is_ours()

    def write(self, text: str, to_stderr: bool = False) -> None:
        if self._engine is None or self._is_muted(self._engine):
            return
        _, thread = self._engine.moment()
        *lines, rest = (self._partial.get((thread, to_stderr), "") + text).split("\n")
        self._partial[thread, to_stderr] = rest
        for line in lines:
            self.line(line, to_stderr)

    def line(self, text: str, to_stderr: bool = False) -> None:
        if self._engine is not None and not self._is_muted(self._engine):
            self.lines.append(LogLine(*self._engine.moment(), text, to_stderr))
            self._engine.note("output", text)

    def _is_muted(self, engine: Engine) -> bool:
        return engine.is_over or len(self.lines) >= self._most

    def end(self) -> None:
        """Keep the unfinished lines, too; later writes go where they would have gone without a run."""
        for (thread, to_stderr), text in self._partial.items():
            if text and self._engine is not None:
                self.lines.append(LogLine(self._engine.moment()[0], thread, text, to_stderr))
        self._engine = None

    def install(self, patches: Patches) -> None:
        """Take over the standard streams and logging until `patches` are undone."""
        streams = {
            id(stream): Stream(stream, self) for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        }
        screen = sys.stdout
        for owner, name in ((sys, "stdout"), (sys, "stderr")):
            patches.attribute(owner, name, streams[id(getattr(owner, name))])
        for logger in _loggers():
            for handler in logger.handlers:
                stream = getattr(handler, "stream", None)
                if id(stream) in streams:
                    patches.attribute(handler, "stream", streams[id(stream)])
        patches.attribute(logging, "basicConfig", self._basic_config())
        if isinstance(input, BuiltinFunctionType):  # not a notebook's own, which asks in its own way
            patches.attribute(builtins, "input", self._input(screen))

    def _input(self, screen: Any) -> Callable[..., str]:
        """`input`, whose prompt has to be seen before the answer, and not when the run is over."""
        real_input = builtins.input

        def ask(prompt: object = "", /) -> str:
            if self.is_ours():
                screen.write(str(prompt))
                screen.flush()
                if str(prompt) and self._engine is not None and not self._is_muted(self._engine):
                    self.lines.append(LogLine(*self._engine.moment(), str(prompt), seen=True))
                    self._engine.note("output", str(prompt))
                return real_input()
            return real_input(prompt)

        return ask

    def _basic_config(self) -> Callable[..., None]:
        """`logging.basicConfig` as in a program of its own: handlers from earlier cells do not make it a no-op."""
        real_config = logging.basicConfig

        def basic_config(**kwargs: Any) -> None:
            if self.is_ours():
                for handler in self._handlers_before:
                    logging.root.removeHandler(handler)
                self._handlers_before = []
            real_config(**kwargs)

        return basic_config


def _loggers() -> list[logging.Logger]:
    named = logging.Logger.manager.loggerDict.values()
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


def keep_logging(patches: Patches) -> Callable[[], None]:
    """Give every logger back its level, handlers and switches; one that a run made is emptied.

    Returns what does so at once, for between two runs.
    """
    before = {
        logger: (logger.level, list(logger.handlers), logger.propagate, logger.disabled, list(logger.filters))
        for logger in _loggers()
    }
    disabled = logging.root.manager.disable
    known_handlers = list(logging._handlerList)  # type: ignore[attr-defined]

    def restore() -> None:
        logging.root.manager.disable = disabled
        for logger in _loggers():
            level, handlers, propagate, off, filters = before.get(logger, (logging.NOTSET, [], True, False, []))
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, off
            logger.filters[:] = filters
            if logger.level != level:
                logger.setLevel(level)
            logger._cache.clear()  # type: ignore[attr-defined]
        logging._handlerList[:] = known_handlers  # type: ignore[attr-defined]

    patches.callback(restore)
    return restore
