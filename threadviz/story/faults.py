"""What went wrong in one run, named by what its trace alone shows, in a sentence that says what happened to whom.

A name is given only where the pattern is there, event by event; what a thread had in mind is in no trace.  So a check
that somebody may only have printed counts where the run has gone wrong, and not where it has not.
"""

from collections.abc import Iterator

from ..texts import clean
from ..trace import Trace
from .asked import stale_answers, stale_queues
from .causality import deadlock_cycle, once
from .fault import Fault, at_line, where
from .lost_wake_ups import lost_wake_ups
from .misuse import misuse
from .sections import torn
from .stale import stale_checks, stale_contents, stale_writes

LONG = 2_000  # trace events, beyond which only what is surest is looked for


def faults(trace: Trace, failed: bool) -> list[Fault]:
    """Return what went wrong in a run, the surest first; `failed` says that the run is not as it should be."""
    found = _found(trace)
    sure = [fault for fault in found if fault.sure]
    return sure or [fault for fault in found if failed][:1]


@once
def _found(trace: Trace) -> tuple[Fault, ...]:
    found = [*_deadlock(trace), *lost_wake_ups(trace)]
    if len(trace.events) > LONG:
        return (*found, *stale_writes(trace))
    found += [*misuse(trace), *stale_writes(trace)]
    found += [*stale_queues(trace), *stale_checks(trace), *stale_contents(trace), *stale_answers(trace)]
    return (*found, *torn(trace))


def _deadlock(trace: Trace) -> Iterator[Fault]:
    """Threads that wait for one another in a circle."""
    if cycle := deadlock_cycle(trace):
        waits, taken = [], []
        for wait in cycle:
            holder = f", held by {clean(wait.holder)}" if wait.on == "lock" and wait.holder is not None else ""
            took = _taken(trace, wait.thread, cycle)
            first = ""
            if took is not None:
                taken.append(took)
                first = f"took {clean(trace.events[took].what)}{where(trace, took)} and "
            waits.append(f"{clean(wait.thread)} {first}waits for {clean(wait.what)}{holder}{at_line(wait.line)}")
        yield Fault("deadlock", f"deadlock, nobody can go on: {'; '.join(waits)}", tuple(taken))


def _taken(trace: Trace, thread: str, cycle: tuple[object, ...]) -> int | None:
    """When a thread took the lock that another one in the circle waits for."""
    wanted = {wait.what for wait in trace.waits if wait in cycle and wait.on == "lock" and wait.holder == thread}
    for index in range(len(trace.events) - 1, -1, -1):
        event = trace.events[index]
        if event.kind == "acquire" and event.what in wanted and trace.lanes[event.lane].name == thread:
            return index
    return None
