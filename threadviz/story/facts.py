"""Facts of a run that an exercise may ask for: who slept, what was written without a lock, how long who waited."""

from collections import Counter
from functools import cached_property

from ..trace import Trace
from .causality import shared_attributes


class Facts:
    """What can be asked of a trace; names are those of threads, locks, queues and places as the picture has them.

    Examples
    --------
    >>> import threading, time, threadviz as tv
    >>> def nap():
    ...     sleeper = threading.Thread(target=time.sleep, args=(2,), name="sleeper")
    ...     sleeper.start()
    ...     sleeper.join()
    >>> facts = tv.simulate(nap).facts
    >>> facts.slept, facts.computed, facts.waited["MainThread"], facts.at_once
    ({'sleeper': 2.0}, {}, 2.0, 1)
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def slept(self) -> dict[str, float]:
        """Thread to seconds that it slept, for those that did: `"MainThread" not in run.facts.slept`."""
        return self._seconds("sleeping")

    @cached_property
    def computed(self) -> dict[str, float]:
        """Thread to seconds of `tv.work`, for those that did: `len(run.facts.computed) == 4`."""
        return self._seconds("running")

    @cached_property
    def waited(self) -> Counter[str]:
        """Thread to seconds that it was blocked, on a lock or anything else: `run.facts.waited["worker"] < 1`."""
        return Counter(self._seconds("blocked"))

    @cached_property
    def puts(self) -> Counter[str]:
        """Queue to items that went into it: `run.facts.puts["orders"] == 10`."""
        return Counter(event.what for event in self._trace.events if event.kind == "put")

    @cached_property
    def gets(self) -> Counter[str]:
        """Queue to items that came out of it: `run.facts.gets == run.facts.puts`."""
        return Counter(event.what for event in self._trace.events if event.kind == "get")

    @cached_property
    def unguarded(self) -> frozenset[str]:
        """Places that threads share and that some thread wrote while it held no lock: `not run.facts.unguarded`."""
        shared = shared_attributes(self._trace)
        held: Counter[int] = Counter()
        begun: set[int] = set()
        found = set()
        for event in self._trace.events:
            if event.kind == "begin":
                begun.add(event.lane)
            elif event.kind == "acquire":
                held[event.lane] += 1
            elif event.kind == "release":
                held[event.lane] -= 1
            elif event.kind == "write" and event.what in shared and begun and held[event.lane] <= 0:
                found.add(event.what)  # not what the main thread sets up before the others begin
        return frozenset(found)

    @cached_property
    def at_once(self) -> int:
        """How many threads slept or computed at one time, at most: `run.facts.at_once == 3`."""
        changes: list[tuple[float, int]] = []
        for lane in self._trace.lanes:
            for span in lane.spans:
                if span.end > span.start and (span.state == "sleeping" or (span.state == "running" and span.label)):
                    changes += [(span.start, 1), (span.end, -1)]
        busy = most = 0
        for _, change in sorted(changes):  # at one time, an end comes before a start
            busy += change
            most = max(most, busy)
        return most

    def _seconds(self, state: str) -> dict[str, float]:
        found = {
            lane.name: round(sum(span.end - span.start for span in lane.spans if span.state == state), 9)
            for lane in self._trace.lanes
        }
        return {name: seconds for name, seconds in found.items() if seconds}
