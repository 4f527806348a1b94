"""The real `queue.SimpleQueue` that notes who waited for an item: one that is made inside a recorded run."""

import queue
from types import GenericAlias
from typing import Any

from .. import real
from ..learner.code import user_call
from ..learner.notes import blocked_in
from ..learner.queues import Traffic
from .recorder import Recorder, can_last
from .tracks import Described, Note, Track


class SimpleQueue:
    """A real `queue.SimpleQueue` that notes who waited for an item."""

    def __init__(self) -> None:
        self._recorder = Recorder.newest
        self._real: Any = real.SimpleQueue()
        self._waiters: list[Track] = []
        self._put: Note | None = None
        self._depth = 0
        self._guard = real.RLockType()  # a finalizer may put, too, at any point of a put
        self.traffic: Traffic | None = None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self._waiters:
            self._put = self._recorder.note_call()
        if self.traffic is not None and self._recorder.keeps_notes:
            with self._guard:  # so that the depths come in the order of the notes
                self._depth += 1
                self.traffic.went_in(item, self._depth, self.traffic.begin())
        self._real.put(item)

    def put_nowait(self, item: Any) -> None:
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        item = self._get(block, timeout)
        if self.traffic is not None and self._recorder.keeps_notes:
            with self._guard:
                self._depth -= 1
                self.traffic.came_out(item, self._depth, self.traffic.begin())
        return item

    def _get(self, block: bool, timeout: float | None) -> Any:
        recorder = self._recorder
        track = recorder.track()
        try:
            return self._real.get(False)
        except queue.Empty:
            if not block or track is None or not can_last(timeout):
                return self._real.get(block, timeout)
        name, line, _ = user_call("SimpleQueue.get")
        label = blocked_in(name, self, recorder)
        got: list[Any] = []

        def attempt(seconds: float) -> bool:
            try:
                got.append(self._real.get(True, seconds))
            except queue.Empty:
                return False
            return True

        if line is not None:
            recorder.note("call", name, line=line)
        self._waiters.append(track)
        try:
            described = Described("blocked", label, line, None, label.removeprefix("waits for "))
            arrived = track.wait(described, attempt, timeout, self._real.empty)
        finally:
            self._waiters.remove(track)
        if line is not None:
            value = "" if arrived else "time-out"
            recorder.note("wake", name, value, line, self._put if arrived else None)
        if not arrived:
            raise queue.Empty
        return got[0]

    def get_nowait(self) -> Any:
        return self.get(False)

    def empty(self) -> bool:
        return bool(self._real.empty())

    def qsize(self) -> int:
        return int(self._real.qsize())

    __class_getitem__: Any = classmethod(GenericAlias)


Recorder.SimpleQueue = SimpleQueue
