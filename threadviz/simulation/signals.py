"""Signals, and exceptions that another thread has raised in one: what comes from outside, in the middle of a run."""

from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent

from ..learner.code import KIND, OWN
from .tasks import Task


def interrupt(simulator: Any, task: Task) -> None:
    """Let the current thread, which may be in the middle of a wait, do what has come from outside."""
    if task.exception is not None:
        exception, task.exception = task.exception, None
        task.waits, task.timer = None, 0
        raise exception
    if task is simulator.tasks[0]:
        simulator.served += 1
        task.waits, task.timer = None, 0
        simulator.signals.popleft()()


def can_be_interrupted(simulator: Any) -> bool:
    """Whether its main thread is still there to be."""
    return (
        bool(simulator.tasks)
        and not simulator.is_over
        and not simulator.tasks[0].finished
        and simulator.tasks[0].is_under_way
    )


def signalled(simulator: Any, handle: Callable[[], object], frame: FrameType | None, at_once: bool) -> None:
    """A signal has come: the main thread calls its handler, as soon as it goes on, in the middle of a wait, too.

    This is called between two instructions of whoever is running; with `at_once` the main thread goes on now.
    """
    main, here = simulator.tasks[0], getcurrent()
    ours = frame is None or KIND[frame.f_code.co_filename] == OWN  # in the middle of a switch
    if main.finished or (here is main.carrier and simulator.current is main and not ours):
        handle()
        return
    simulator.signals.append(handle)
    if main is not simulator.current and main not in simulator.ready and not simulator.cores.waits(main):
        main.wanted = None
        simulator.make_ready(main)
    if at_once:
        let_main_handle(simulator, frame)


def let_main_handle(simulator: Any, frame: FrameType | None) -> None:
    """Have the main thread call the handlers that wait for it, now; between two of the current one's steps."""
    if not simulator.signals or frame is None or KIND[frame.f_code.co_filename] == OWN:
        return
    main, here = simulator.tasks[0], simulator.current
    if getcurrent() is not here.carrier:
        return
    if here is main:
        interrupt(simulator, main)
    elif main in simulator.ready:
        simulator.ready.remove(main)
        simulator.ready.insert(0, here)
        here.enter(simulator.now, "ready")
        simulator.switch(main)
