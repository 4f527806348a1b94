"""See what every thread did: plain threading code as a timeline, on a virtual clock, the same every time."""

from .errors import AlreadyRunning, Deadlock, MadeOutside, ScheduleMismatch, Stuck, ThreadvizError
from .notebook.interact import interact
from .notebook.magics import load_ipython_extension
from .run import Run
from .schedule import Schedule
from .stage.cpu import work
from .trace import Trace
from .verbs import record, simulate

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
