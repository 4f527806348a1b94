"""Sees items go into and out of the queues that the learner's code makes, and which put each item came from.

The library's own queues, such as that of a pool, are not looked at.
"""

import queue
import sys
from typing import Any

from ..patches import Patches
from .code import is_learners
from .notes import Notes, Noting


class Traffic:
    """One queue's items: what is in it, and the trace event of the put that each came from."""

    def __init__(self, watched: Any, notes: Notes) -> None:
        self.watched = watched
        self._notes = notes
        self._name = ""
        self._newest_first = isinstance(watched, queue.LifoQueue)
        self._puts: dict[int, list[tuple[object, Any]]] = {}  # keeps the items, as an id may be used again

    def begin(self) -> int | None:
        """An item is about to go in or out; returns the line of the operation that is going on."""
        return self._notes.begin_item()

    def went_in(self, item: object, depth: int, line: int | None) -> None:
        name = self._known_as(line)
        self._puts.setdefault(id(item), []).append((item, self._notes.note("put", name, str(depth), line)))

    def came_out(self, item: object, depth: int, line: int | None, thrown_away: bool = False) -> None:
        name = self._known_as(line)
        puts = self._puts.get(id(item))
        cause = puts.pop(-1 if self._newest_first else 0)[1] if puts else None
        if puts == []:
            del self._puts[id(item)]
        self._notes.note("get", name, str(depth), line, None if thrown_away else cause)

    def _known_as(self, line: int | None) -> str:
        if not self._name:
            self._name = self._notes.object_name(self.watched, "queue")
            maxsize = getattr(self.watched, "maxsize", 0)
            self._notes.note("queue", self._name, str(maxsize) if maxsize > 0 else "", line)
        return self._name


def watch_queues(patches: Patches, simple: Any, noting: Noting) -> None:
    """Note each item that goes into or out of a queue that the learner's code makes.

    `simple` is the run's SimpleQueue, which tells its own `traffic`.  Notes are made where the queue is locked against
    other threads.
    """
    for cls, look_at in ((queue.Queue, _look_at_queue), (simple, _look_at_simple)):
        patches.attribute(cls, "__init__", _made(cls, look_at, noting))


def _made(cls: Any, look_at: Any, noting: Noting) -> Any:
    real = cls.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        notes = noting()
        if notes is not None and is_learners(sys._getframe(1).f_code.co_filename):
            look_at(notes.patches, self, Traffic(self, notes))

    return __init__


def _look_at_queue(patches: Patches, watched: Any, traffic: Traffic) -> None:
    real_put, real_get = watched._put, watched._get

    def put(item: Any) -> None:
        line = traffic.begin()
        real_put(item)
        traffic.went_in(item, watched._qsize(), line)

    def get() -> Any:
        line = traffic.begin()
        item = real_get()
        # from CPython 3.13 on, shutting down at once takes the items out and drops them
        traffic.came_out(item, watched._qsize(), line, sys._getframe(1).f_code.co_name == "shutdown")
        return item

    patches.attribute(watched, "_put", put)
    patches.attribute(watched, "_get", get)


def _look_at_simple(patches: Patches, watched: Any, traffic: Traffic) -> None:
    watched.traffic = traffic
    patches.callback(lambda: setattr(watched, "traffic", None))
