"""The engine of a run: what stands for the primitives, and what notes what happens; simulated and recorded alike."""

import concurrent.futures.thread
import itertools
import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, ClassVar

from .. import real
from ..learner.notes import Notes
from ..learner.places import Notebook, Places
from ..learner.points import Listener
from ..patches import Patches
from .notes import Row

pool_module: Any = concurrent.futures.thread

Virtual = Callable[..., Any]  # what stands for a primitive; it gets the engine before the primitive's own arguments


class Engine(Notes, Notebook, ABC):
    """One run, seen from the stage: each engine stands behind this one interface.

    One that has its own clock (`virtual`) also has `clock_ns`, `wall_ns`, `get_ident`, `current_thread`, `enumerate`
    and `is_alive`.
    """

    keeps_notes = True
    stepwise: ClassVar[bool] = False  # whether threads go step by step, where `is_set` and `add_worker` matter, too
    virtual: ClassVar[bool]  # whether clocks, thread identities and chance are the run's own, too
    Lock: ClassVar[type[Any]]
    RLock: ClassVar[type[Any]]
    SimpleQueue: ClassVar[type[Any]]

    def __init__(self) -> None:
        self.patches = Patches()
        self.numbers = itertools.count(1)  # of its threads and futures, in order of making
        self.handlers: dict[int, Any] = {}  # of signals, as the run's code has set them
        self.handlers_before: dict[int, Any] = {}
        self.let_go: Callable[[], object] = int  # frees what is kept of the learner's objects; nothing, so far
        self.excepthook: Callable[[Any], object] = threading.excepthook  # when the run begins

    @abstractmethod
    def is_ours(self) -> bool:
        """Whether the OS thread that asks belongs to the run."""

    def library_lock(self) -> Any:
        """A lock of the standard library's own, which is not the learner's whoever makes it."""
        return self.Lock()

    def listener(self) -> Listener:
        """Who hears of each access in the learner's code."""
        places = Places(self)
        self.let_go = places.let_go
        return places

    @abstractmethod
    def signalled(self, number: int, handle: Callable[[], object], frame: FrameType | None) -> None:
        """A signal has come, for which the run's code has set a handler; `frame` is that of whoever is running."""

    @abstractmethod
    def current_frames(self) -> dict[int, FrameType]:
        """What `sys._current_frames` gives: where each thread is, without this package."""

    @property
    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """The threads so far, in the order of their starts."""

    def sleep(self, *args: Any, **kwargs: Any) -> None:
        try:
            (seconds,) = args
            seconds = seconds if isinstance(seconds, float) else operator.index(seconds)
        except (TypeError, ValueError):
            seconds = -1
        if kwargs or not 0 <= seconds < 9e9:
            real.sleep(*args, **kwargs)  # CPython's own error
        else:
            self.sleep_for(seconds)

    @abstractmethod
    def sleep_for(self, seconds: float) -> None: ...

    @abstractmethod
    def work(self, seconds: float) -> None: ...

    @abstractmethod
    def start(self, thread: threading.Thread) -> None: ...

    @abstractmethod
    def join(self, thread: threading.Thread, timeout: float | None = None) -> None: ...

    def start_new_thread(self, function: Any, args: Any, kwargs: Any = None) -> int:
        """What `_thread` offers below `threading`: such a thread is never waited for."""
        if not callable(function) or not isinstance(args, tuple) or not isinstance(kwargs, dict | None.__class__):
            return real.start_new_thread(function, args, kwargs)  # CPython's own error
        name = f"Dummy-{len(self.rows)}"
        thread = threading.Thread(target=function, name=name, args=args, kwargs=kwargs, daemon=True)
        self.start(thread)
        return thread.ident or 0

    def drain_pools(self) -> None:
        """What the interpreter does at exit: pools that nobody shut down let their idle workers go."""
        pool_module._shutdown = True
        for thread, work in list(pool_module._threads_queues.items()):
            if getattr(thread, "_threadviz", None) in self.rows:
                work.put(None)

    def forget_pools(self) -> None:
        """The interpreter's own exit must not wait for workers of the run."""
        for row in self.rows:
            pool_module._threads_queues.pop(row.thread, None)
