"""See what every thread did: plain threading code as a timeline, on a virtual clock, the same every time."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AlreadyRunning,
    Deadlock,
    MadeOutside,
    NoRealThreads,
    NotInThisTab,
    NotRepeatable,
    ScheduleMismatch,
    Stuck,
    ThreadvizError,
    Unseen,
)
from .run import Run
from .schedule import Schedule
from .stage.cpu import work
from .trace import Trace
from .verbs import record, simulate

if TYPE_CHECKING:
    from .exploration.exploration import Exploration, explore
    from .notebook.check import Verdict, check
    from .notebook.interact import interact
    from .notebook.learner_progress import progress, verdict
    from .notebook.magics import load_ipython_extension
    from .notebook.predict import predict
    from .notebook.step import step

__version__ = "0.1.0"

__all__ = [
    "AlreadyRunning",
    "Deadlock",
    "Exploration",
    "MadeOutside",
    "NoRealThreads",
    "NotInThisTab",
    "NotRepeatable",
    "Run",
    "Schedule",
    "ScheduleMismatch",
    "Stuck",
    "ThreadvizError",
    "Trace",
    "Unseen",
    "Verdict",
    "check",
    "explore",
    "interact",
    "load_ipython_extension",
    "predict",
    "progress",
    "record",
    "simulate",
    "step",
    "verdict",
    "work",
]


# What takes long to import, or is not to be had everywhere, is imported when it is asked for.
_LATER = {
    "Exploration": ".exploration.exploration",
    "explore": ".exploration.exploration",
    "Verdict": ".notebook.check",
    "check": ".notebook.check",
    "step": ".notebook.step",
    "predict": ".notebook.predict",
    "progress": ".notebook.learner_progress",
    "verdict": ".notebook.learner_progress",
    "interact": ".notebook.interact",
    "load_ipython_extension": ".notebook.magics",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
