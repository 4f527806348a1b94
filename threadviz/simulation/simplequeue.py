"""The virtual twin of the one queue that CPython writes in C; the others run unchanged on virtual locks."""

import queue
from collections import deque
from types import GenericAlias
from typing import Any

from .. import real
from ..learner.queues import Traffic
from .operations import Operation
from .simulator import Simulator
from .tasks import Task

_FOREVER = "a queue of a finished run is empty, and the run that would fill it is over; make a new one"


class SimpleQueue:
    """CPython's `queue.SimpleQueue` on the virtual clock: unbounded, first in first out, as are those who wait."""

    def __init__(self) -> None:
        self._simulator: Simulator = Simulator.newest
        self._items: deque[Any] = deque()
        self._waiters: list[Task] = []
        self.traffic: Traffic | None = None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self._put(item, "SimpleQueue.put")

    def put_nowait(self, item: Any) -> None:
        self._put(item, "SimpleQueue.put_nowait")

    def _put(self, item: Any, name: str) -> None:
        simulator = self._simulator
        if simulator.ending:
            self._items.append(item)
            return
        operation = self._begin(name)
        self._items.append(item)
        if self.traffic is not None:
            self.traffic.went_in(item, len(self._items), operation.line)
        if self._waiters:
            simulator.wake([self._waiters.pop(0)], operation.event)

    def _begin(self, name: str) -> Operation:
        return self._simulator.begin_call(name)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if timeout is not None:
            real.check_get(block, timeout)
        return self._get("SimpleQueue.get", timeout if block else 0)

    def get_nowait(self) -> Any:
        return self._get("SimpleQueue.get_nowait", 0)

    def _get(self, name: str, timeout: float | None) -> Any:
        simulator = self._simulator
        line = None
        if not simulator.ending:
            operation = self._begin(name)
            line = operation.line
            until = None if timeout is None else simulator.after(timeout)
            task = simulator.current
            while not self._items and timeout != 0:
                self._waiters.append(task)
                try:
                    arrived = simulator.block("blocked", simulator.blocked_in(operation, self), until)
                    simulator.end_wait(operation)
                    if not arrived:
                        break
                finally:
                    if task in self._waiters:
                        self._waiters.remove(task)
        elif not self._items and timeout is None:
            raise RuntimeError(_FOREVER)
        if not self._items:
            raise queue.Empty
        item = self._items.popleft()
        if self.traffic is not None and not simulator.ending:
            self.traffic.came_out(item, len(self._items), line)
        return item

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)

    __class_getitem__: Any = classmethod(GenericAlias)
