"""See what every thread did: plain threading code as a timeline, on a virtual clock, the same every time."""

from .cpu import work
from .errors import AlreadyRunning, Deadlock, MadeOutside, ScheduleMismatch, Stuck, ThreadvizError
from .magics import load_ipython_extension
from .run import Run
from .schedule import Schedule
from .trace import Trace
from .verbs import record, simulate
from .widgets import interact

__version__ = "0.1.0"

__all__ = [
    "AlreadyRunning",
    "Deadlock",
    "MadeOutside",
    "Run",
    "Schedule",
    "ScheduleMismatch",
    "Stuck",
    "ThreadvizError",
    "Trace",
    "interact",
    "load_ipython_extension",
    "record",
    "simulate",
    "work",
]
