"""Semaphores, barriers, pools and time-outs that went wrong: what their trace events alone show."""

from collections import defaultdict
from collections.abc import Iterator

from ..texts import clean, counted
from ..trace import Trace, Wait
from .causality import called_on, is_time_out
from .fault import Fault, at_line, who

_ACQUIRES = ("Semaphore.acquire", "Semaphore.__enter__", "BoundedSemaphore.acquire", "BoundedSemaphore.__enter__")
_RELEASES = ("Semaphore.release", "Semaphore.__exit__", "BoundedSemaphore.release", "BoundedSemaphore.__exit__")
_TOO_OFTEN = "Semaphore released too many times"  # what a BoundedSemaphore says
_FOR_RESULTS = ("Future.result", "Future.exception", "wait", "as_completed", "Executor.map")
_SUBMIT, _MAP = "ThreadPoolExecutor.submit", "ThreadPoolExecutor.map"
_TAKES_BACK = ("Future.cancel", "ThreadPoolExecutor.shutdown")  # after which a call may never begin, and rightly
_ENDS_WITH = {  # the exception that says that a wait has timed out, and the waits
    "Empty": ("Queue.get", "LifoQueue.get", "PriorityQueue.get", "SimpleQueue.get"),
    "Full": ("Queue.put", "LifoQueue.put", "PriorityQueue.put"),
    "TimeoutError": ("Future.result", "Future.exception", "as_completed", "Executor.map"),
    "BrokenBarrierError": ("Barrier.wait",),
}
_OVERTAKEN = 2  # times that others took a lock while one waited in vain, from which on that is worth a sentence


def misuse(trace: Trace) -> Iterator[Fault]:
    """Whatever of this kind went wrong."""
    yield from _released_too_often(trace)
    yield from _too_many_permits(trace)
    if trace.waits:
        yield from _missing_parties(trace)
        yield from _starved_pool(trace)
    yield from _timed_out(trace)
    yield from _overtaken(trace)


# ---- semaphores ----


def _released_too_often(trace: Trace) -> Iterator[Fault]:
    """A BoundedSemaphore said so."""
    for index, event in enumerate(trace.events):
        if event.kind == "error" and (event.what, event.value) == ("ValueError", _TOO_OFTEN):
            before = (i for i in range(index - 1, -1, -1) if trace.events[i].lane == event.lane)
            call = next((i for i in before if trace.events[i].kind == "call"), None)
            if call is not None and trace.events[call].what in _RELEASES and trace.events[call].line == event.line:
                name, thread = clean(called_on(trace.events[call])) or "a semaphore", who(trace, index)
                yield Fault(
                    "too many permits",
                    f"{thread} released {name}{at_line(event.line)} more often than it was acquired, and ends with "
                    "ValueError",
                    (call, index),
                )


def _too_many_permits(trace: Trace) -> Iterator[Fault]:
    """A thread that acquires a semaphore releases it more often, and then it has more permits than at first.

    Who never acquires it does nothing but tell something by it, and one of no permits at first is there for that.
    """
    first_seen: dict[str, int] = {}
    for index, event in enumerate(trace.events):
        if event.kind == "permits":
            first_seen.setdefault(event.what, index)
    for name, seen in first_seen.items():
        acquires: dict[int, list[int]] = defaultdict(list)  # lane -> its calls
        releases: dict[int, list[int]] = defaultdict(list)
        for index, event in enumerate(trace.events[: seen + 1]):
            if called_on(event) == name:
                calls = acquires if event.what in _ACQUIRES else releases if event.what in _RELEASES else None
                if calls is not None:
                    calls[event.lane].append(index)
        for lane, taken in acquires.items():
            released = releases.get(lane, [])
            if len(released) <= len(taken):
                continue
            free, _, first = trace.events[seen].value.partition(" of ")
            together = _inside_together(trace, name, int(first))
            threads = " and ".join(f"{who(trace, i)}{at_line(trace.events[i].line)}" for i in together)
            end = f", and {threads} were inside together" if together else ""
            lines = " and ".join(str(trace.events[i].line) for i in released)
            yield Fault(
                "too many permits",
                f"{who(trace, released[-1])} acquired {clean(name)} {_times(len(taken))} and released it "
                f"{_times(len(released))} (line{'s' if len(released) > 1 else ''} {lines}): it had "
                f"{counted(int(first), 'permit')} at first and {free} after that{end}",
                (*released, *together),
                sure=bool(together),
            )
            return


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _inside_together(trace: Trace, name: str, permits: int) -> list[int]:
    """The acquires of more threads than there were permits, none of which had released by the time of the last one.

    Only those count that release what they acquired later on: who never does takes something rather than enters.
    """
    inside: dict[int, int] = {}  # lane -> its acquire
    for index, event in enumerate(trace.events):
        if called_on(event) == name and event.what in _RELEASES:
            inside.pop(event.lane, None)
        acquired = _acquired(trace, index, name)
        if acquired is not None and _releases_later(trace, index, name):
            inside[event.lane] = acquired
            if len(inside) > permits:
                return sorted(inside.values())
    return []


def _acquired(trace: Trace, index: int, name: str) -> int | None:
    """The acquire that succeeds with a trace event: at once, or when a wait in it ends before its time-out."""
    event = trace.events[index]
    own = [i for i, each in enumerate(trace.events) if each.lane == event.lane]
    if event.kind == "call" and called_on(event) == name and event.what in _ACQUIRES:
        following = next((trace.events[i] for i in own if i > index), None)
        waits = following is not None and following.kind == "wake" and following.what == event.what
        return None if waits else index
    if event.kind == "wake" and event.what in _ACQUIRES and not is_time_out(event):
        call = next((i for i in reversed(own) if i < index and trace.events[i].kind == "call"), None)
        return call if call is not None and called_on(trace.events[call]) == name else None
    return None


def _releases_later(trace: Trace, index: int, name: str) -> bool:
    own = (each for each in trace.events[index + 1 :] if each.lane == trace.events[index].lane)
    calls = (each.what for each in own if called_on(each) == name)
    return next(calls, "") in _RELEASES


# ---- barriers ----


def _missing_parties(trace: Trace) -> Iterator[Fault]:
    """A barrier let threads go on together, fewer of them came again, and the others have ended."""
    here: dict[str, list[int]] = defaultdict(list)  # barrier -> the calls of those that wait for it
    for wait in trace.waits:
        if wait.what == "Barrier.wait":
            call = _last_call(trace, wait)
            name = called_on(trace.events[call]) if call is not None else ""
            if call is None or not name:
                return
            here[name].append(call)
        elif wait.on != "thread":
            return  # somebody may not come because of what he waits for
    for name, calls in here.items():
        party = _last_party(trace, name)
        stays_away = [lane for lane in party if lane not in {trace.events[call].lane for call in calls}]
        if len(party) > len(calls) and all(trace.lanes[lane].ending == "returned" for lane in stays_away):
            come = " and ".join(f"{who(trace, call)}{at_line(trace.events[call].line)}" for call in calls)
            away = " and ".join(clean(trace.lanes[lane].name) for lane in stays_away)
            yield Fault(
                "missing party",
                f"{clean(name)} lets {len(party)} threads go on together, as it has done before, and only {come} came "
                f"again: {away} {'have' if len(stays_away) > 1 else 'has'} ended, and nobody else comes",
                tuple(calls),
            )


def _last_call(trace: Trace, wait: Wait) -> int | None:
    calls = [i for i, each in enumerate(trace.events) if each.kind == "call"]
    return next((i for i in reversed(calls) if trace.lanes[trace.events[i].lane].name == wait.thread), None)


def _last_party(trace: Trace, name: str) -> list[int]:
    """The lanes that a barrier let go on together, the last time it did: who came last woke the others."""
    woken: dict[int, set[int]] = defaultdict(set)  # the call of who came last -> the lanes that it let go on
    called: dict[int, int] = {}  # lane -> its newest call of it
    waited: set[int] = set()  # calls in which their own thread has waited
    for index, event in enumerate(trace.events):
        if event.kind == "call" and event.what == "Barrier.wait" and called_on(event) == name:
            called[event.lane] = index
        elif event.kind == "wake" and event.what == "Barrier.wait" and event.lane in called:
            waited.add(called[event.lane])
            if event.cause is not None:
                woken[event.cause].add(event.lane)
    # Who has waited himself only leaves the barrier: that lets those go on who came early for the next time.
    rounds = [cause for cause in woken if cause in called.values() or trace.events[cause].what == "Barrier.wait"]
    rounds = [cause for cause in rounds if cause not in waited and called_on(trace.events[cause]) == name]
    if not rounds:
        return []
    return sorted(woken[max(rounds)] | {trace.events[max(rounds)].lane})


# ---- pools ----


def _starved_pool(trace: Trace) -> Iterator[Fault]:
    """All workers wait for results, and a call that was submitted has nobody left to begin it."""
    workers = [lane for lane in trace.lanes if lane.calls]
    pools = {lane.name.rpartition("_")[0] for lane in workers}
    waits = {wait.thread: wait for wait in trace.waits}
    stuck = [waits[lane.name] for lane in workers if lane.name in waits and waits[lane.name].what in _FOR_RESULTS]
    if len(pools) != 1 or len(stuck) < len(workers) or any(each.what in _TAKES_BACK for each in trace.events):
        return
    submits = [i for i, each in enumerate(trace.events) if each.kind == "call" and each.what == _SUBMIT]
    maps = [i for i in map(lambda each: _map_before(trace, each), stuck) if i is not None]
    waiting = len(submits) + len(maps) - sum(len(lane.calls) for lane in workers)
    if waiting > 0:
        told = [
            f"{clean(lane.name)} in {clean(lane.calls[-1].what)}{at_line(wait.line)}"
            for lane, wait in zip(workers, stuck, strict=True)
        ]
        all_of_them = "both" if len(told) == 2 else f"all {len(told)}"
        each = "the only worker of the pool waits" if len(told) == 1 else f"{all_of_them} workers of the pool wait"
        yield Fault(
            "thread starvation",
            f"{each} for a result: {', '.join(told)}; so nobody is left to begin a call that was submitted: thread "
            "starvation, the pool waits for itself",
            tuple(sorted({*submits[-waiting:], *maps})),
        )


def _map_before(trace: Trace, wait: Wait) -> int | None:
    """The `map` whose results a worker waits for: at least one of its calls is not done."""
    if wait.what != "Executor.map":
        return None
    own = (i for i, each in enumerate(trace.events) if trace.lanes[each.lane].name == wait.thread)
    return max((i for i in own if trace.events[i].what == _MAP), default=None)


# ---- time-outs ----


def _timed_out(trace: Trace) -> Iterator[Fault]:
    """A wait ended with its time-out, and the thread with the exception that says so."""
    newest: dict[int, int] = {}  # lane -> its newest time-out
    for index, event in enumerate(trace.events):
        if is_time_out(event):
            newest[event.lane] = index
        elif event.kind == "error" and event.lane in newest:
            wait = newest[event.lane]
            what = trace.events[wait].what
            if what in _ENDS_WITH.get(event.what, ()) and trace.events[wait].line == event.line:
                yield Fault(
                    "time-out",
                    f"{who(trace, index)} waited in {what}{at_line(event.line)} until its time-out, and ends with "
                    f"{clean(event.what)}",
                    (wait, index),
                )


def _overtaken(trace: Trace) -> Iterator[Fault]:
    """A thread gave up waiting for a lock that others took again and again meanwhile."""
    for index, event in enumerate(trace.events):
        if not is_time_out(event):
            continue
        spans = trace.lanes[event.lane].spans
        span = next((each for each in reversed(spans) if each.on == "lock" and each.end <= event.time), None)
        if span is None or span.line != event.line:
            continue
        lock = span.label.removeprefix("waits for ").partition(", held by ")[0]
        taken = [
            i
            for i, each in enumerate(trace.events[:index])
            if each.kind == "acquire" and each.what == lock and each.time > span.start and each.lane != event.lane
        ]
        if len(taken) >= _OVERTAKEN:
            others = list(dict.fromkeys(who(trace, i) for i in taken))
            yield Fault(
                "time-out",
                f"{who(trace, index)} gave up waiting for {clean(lock)}{at_line(event.line)} after its time-out; "
                f"{' and '.join(others)} took it {_times(len(taken))} meanwhile",
                (*taken, index),
                sure=False,
            )
