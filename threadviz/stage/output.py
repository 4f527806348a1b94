"""What a run prints and logs, a line each, with time and thread; nothing of it reaches a cell or a terminal."""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..patches import Patches


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a thread printed or logged; `time` in seconds since the start of the run, on the run's clock."""

    time: float
    thread: str
    text: str

    def __str__(self) -> str:
        return f"{self.time:8.3f}  {self.thread}  {self.text}"


class Stream:
    """A text stream that keeps what the run's own OS thread writes and passes on what others write."""

    def __init__(self, real: Any, output: "Output") -> None:
        self._real = real
        self._output = output

    def write(self, text: str) -> int:
        if not self._output.is_ours():
            return int(self._real.write(text))
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._output.write(text)
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
    """Collects the lines of one run.

    `now` gives seconds and the thread's name; `noted` hears of every whole line; nothing is kept while muted.
    """

    def __init__(self, is_ours: Callable[[], bool]) -> None:
        self.lines: list[LogLine] = []
        self.now: Callable[[], tuple[float, str]] = lambda: (0.0, "")
        self.noted: Callable[[str], object] = lambda text: None
        self.is_muted: Callable[[], bool] = lambda: False
        self.open = False
        self._is_ours = is_ours
        self._partial: dict[str, str] = {}

    def is_ours(self) -> bool:
        return self.open and self._is_ours()

    def write(self, text: str) -> None:
        if self.is_muted():
            return
        _, thread = self.now()
        *lines, rest = (self._partial.get(thread, "") + text).split("\n")
        self._partial[thread] = rest
        for line in lines:
            self.line(line)

    def line(self, text: str) -> None:
        if self.is_muted():
            return
        self.lines.append(LogLine(*self.now(), text))
        self.noted(text)

    def close(self) -> None:
        """Keep the unfinished lines, too; later writes go where they would have gone without a run."""
        for thread, text in self._partial.items():
            if text:
                self.lines.append(LogLine(self.now()[0], thread, text))
        self._partial.clear()
        self.open = False

    def install(self, patches: Patches) -> None:
        """Take over the standard streams, logging and `threading.excepthook` until `patches` are undone."""
        streams = {
            id(stream): Stream(stream, self) for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        }
        for owner, name in ((sys, "stdout"), (sys, "stderr")):
            patches.attribute(owner, name, streams[id(getattr(owner, name))])
        _keep_logging(patches)
        for logger in _loggers():
            for handler in logger.handlers:
                stream = getattr(handler, "stream", None)
                if id(stream) in streams:
                    patches.attribute(handler, "stream", streams[id(stream)])
        patches.attribute(logging, "basicConfig", self._basic_config())
        patches.attribute(threading, "excepthook", self.thread_hook)
        self.open = True

    def _basic_config(self) -> Callable[..., None]:
        """`logging.basicConfig` as in a program of its own: handlers from earlier cells do not make it a no-op."""
        real, before = logging.basicConfig, list(logging.root.handlers)

        def basic_config(**kwargs: Any) -> None:
            if self.is_ours():
                for handler in before:
                    logging.root.removeHandler(handler)
                before.clear()
            real(**kwargs)

        return basic_config

    @staticmethod
    def thread_hook(args: Any) -> None:
        threading.__excepthook__(args)


def _loggers() -> list[logging.Logger]:
    named = logging.Logger.manager.loggerDict.values()
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


def _keep_logging(patches: Patches) -> None:
    """Give every logger back its level, handlers and switches; one that the run made is emptied."""
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

    patches.call_later(restore)
