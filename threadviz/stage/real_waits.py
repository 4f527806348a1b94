"""Waits for what is real in a simulated run: files, sockets and processes, while the other threads go on."""

import functools
import selectors
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .. import real
from .engine import Virtual

SELECTORS: list[Any] = [  # whichever of them this platform has
    cls
    for cls in vars(selectors).values()
    if isinstance(cls, type) and "select" in vars(cls) and cls is not selectors.BaseSelector
]


def selecting(real_select: Callable[..., Any]) -> Virtual:
    """A thread that waits for files, sockets or processes lets the others go on meanwhile."""

    def select(engine: Any, selector: Any, timeout: float | None = None) -> Any:
        look = functools.partial(real_select, selector)
        caller = sys._getframe(2).f_globals.get("__name__")
        if caller == "subprocess":  # which goes by the real clock
            return engine.wait_for_real(look, seconds=timeout)
        found = engine.wait_for_real(look, until=timeout)
        if not found and caller == "multiprocessing.connection":  # which looks again until its time is over
            engine.let_an_instant_pass()
        return found

    return select


def receiving(real_receive: Callable[..., Any]) -> Virtual:
    """A thread that waits for a socket lets the others go on meanwhile: one of them may be who writes to it."""

    def receive(engine: Any, receiver: Any, *args: Any, **kwargs: Any) -> Any:
        def look(seconds: float | None) -> bool:
            return bool(real.wait_for_files([receiver], [], [], seconds)[0])

        timeout = receiver.gettimeout()
        if timeout != 0 and receiver.fileno() >= 0:
            engine.wait_for_real(look, seconds=timeout)
        return real_receive(receiver, *args, **kwargs)

    return receive


def wait_for_process(engine: Any, process: Any, timeout: float | None = None) -> Any:
    """A child process takes real time, so a time-out of waiting for it does, too."""

    def look(seconds: float | None) -> bool:
        if process.poll() is None and seconds:
            real.sleep(seconds)
        return process.poll() is not None

    if not engine.wait_for_real(look, seconds=timeout):
        raise subprocess.TimeoutExpired(process.args, timeout or 0)
    return process.returncode
