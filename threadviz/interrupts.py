"""Interrupts that wait until something is whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from . import real


@contextmanager
def held_back() -> Iterator[None]:
    """Let an interrupt come at the end of the block only.

    For imports of numpy and what stands on it: an import of numpy that was interrupted can never be made good in
    the same process, so that every later picture would fail.
    """
    before = real.signal_handler_of(signal.SIGINT)
    if real.get_ident() != real.main_thread().ident or not callable(before):  # none comes here, or none is raised
        yield
        return
    pressed: list[FrameType | None] = []
    real.set_signal_handler(signal.SIGINT, lambda _, frame: pressed.append(frame))
    try:
        yield
    finally:
        real.set_signal_handler(signal.SIGINT, before)
        if pressed:
            before(signal.SIGINT, pressed[0])
