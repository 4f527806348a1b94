"""`work`: CPU work, as plain as `time.sleep`: virtual in a simulated run, a busy loop everywhere else."""

import math
from collections.abc import Callable

from .. import real

CHUNK = 1000  # turns of an empty loop between two looks at the clocks: 10 to 50 microseconds


def work(seconds: float) -> None:
    """Compute for so many seconds of the calling thread's CPU time.

    In a simulated run it takes virtual CPU time: the thread holds the GIL, or a core, while it computes, and waits
    for it when others compute.  Everywhere else it is a busy loop of plain Python, which really computes so long.

    Parameters
    ----------
    seconds : float
        CPU time of this thread; 0 or more.  While it waits for the GIL or for a core, nothing of it is used up.

    Raises
    ------
    TypeError, ValueError
        In one sentence, for what is no time.

    Examples
    --------
    >>> import threadviz as tv
    >>> tv.simulate(lambda: tv.work(0.25)).duration
    0.25
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"work needs a number of seconds, not {type(seconds).__name__}")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"work needs a number of seconds, 0 or more, not {seconds!r}")
    spend(seconds)


def busy(seconds: float, tick: Callable[[int], object] = lambda now_ns: None) -> None:
    """Compute in plain Python for so many seconds of this OS thread's CPU time.

    `tick` is called at every look at the clocks, with the nanoseconds of `time.perf_counter_ns`: where two calls lie
    far apart, the thread was off the CPU, or waited for the GIL.
    """
    end = real.thread_time_ns() + round(seconds * 1e9)
    while real.thread_time_ns() < end:
        tick(real.perf_counter_ns())
        for _ in range(CHUNK):
            pass


spend: Callable[[float], None] = busy  # a run puts its own in place
