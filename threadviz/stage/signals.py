"""The handlers of signals, as a run's code sets and sees them."""

import signal
import threading
from types import FrameType
from typing import Any

from .. import real
from ..learner.code import visible
from .engine import Engine, Virtual


def handler_of(engine: Engine, number: int) -> Any:
    """The handler of a signal, as the run's code knows it."""
    if number in engine.handlers:
        return engine.handlers[number]
    return signal.default_int_handler if number == signal.SIGINT and engine.virtual else real.signal_handler_of(number)


def set_handler(has_a_clock: bool) -> Virtual:
    def set_handler_of_run(engine: Engine, signalnum: int, handler: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("signal only works in main thread of the main interpreter")
        if signalnum == getattr(signal, "SIGALRM", None):
            raise RuntimeError("SIGALRM is the clock that ends a stuck run; use threading.Timer")
        if signalnum == signal.SIGINT and not has_a_clock:
            raise RuntimeError("SIGINT is the stop button, and nothing else ends a recorded run")

        def handle(number: int, frame: FrameType | None) -> None:
            engine.signalled(number, lambda: handler(number, visible(frame)), frame)

        known = handler_of(engine, signalnum)
        before = real.set_signal_handler(signalnum, handle if callable(handler) else handler)
        if signalnum not in engine.handlers_before:
            engine.handlers_before[signalnum] = before
            if before is not None:
                engine.patches.callback(real.set_signal_handler, signalnum, before)
        if signalnum == signal.SIGINT and handler is signal.default_int_handler:
            real.set_signal_handler(signalnum, engine.handlers_before[signalnum])
        engine.handlers[signalnum] = handler
        return known

    return set_handler_of_run
