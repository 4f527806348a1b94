"""A simulated thread: a greenlet in the OS thread that called the simulator, and a lane in the making."""

import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import greenlet

from .tracing import Row
from .watchdog import StopRun


class Operation:
    """One user-level call of a primitive, and the trace event that stands for it."""

    __slots__ = ("event", "frame", "line", "name")

    def __init__(self, name: str, frame: FrameType | None, line: int | None, event: int | None) -> None:
        self.name = name
        self.frame = frame  # the outermost library frame; None where the learner called the primitive directly
        self.line = line  # None where no learner's code made the call
        self.event = event

    @property
    def told(self) -> str:
        """What a wait inside it is called in the picture."""
        return "waits for work" if self.name == "_worker" else self.name


class Task(greenlet, Row):
    """A simulated thread."""

    def __init__(self, simulator: Any, thread: threading.Thread, body: Callable[[], None]) -> None:
        greenlet.__init__(self, parent=simulator.hub)
        Row.__init__(self, thread, len(simulator.tasks), simulator.now)
        self.simulator = simulator
        self.body = body
        self.finished = False
        self.joiners: list[Task] = []
        self.operation: Operation | None = None
        self.wanted: Any = None  # the lock it would take up when it goes on
        self.woken_by: int | None = None  # the trace event that ended its wait
        self.timer = 0  # number of the timer that may end its wait; 0 for none
        self.timed_out = False
        self.requests = 0  # to end, swallowed so far

    def run(self, *_: object) -> None:  # a greenlet that ends hands its parent a value
        simulator = self.simulator
        try:
            if not simulator.ending:
                self.enter(simulator.now, "running")
                self.body()
        except StopRun:
            pass  # Scheduler.close() says how this lane ends
        except BaseException as error:  # an interrupt, or the policy's own
            simulator.failure = simulator.failure or error
            simulator.stop_now = simulator.stop_now or "failed"
        if not simulator.ending:
            self.parent = simulator.finish(self)
