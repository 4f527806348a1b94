"""The whole picture in words: for readers who do not see it, and for tools that compare only words."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import floor, inf, log10
from statistics import median
from typing import TypeVar

from ..texts import clean
from ..trace import NOBODY, Held, Lane, Span, Trace, TraceEvent, Wait
from .causality import (
    LostUpdate,
    QueueLife,
    called_on,
    deadlock_cycle,
    endless_wait,
    gil_turns,
    in_vain,
    is_act,
    is_time_out,
    lost_updates,
    queue_lives,
    with_endless_waits,
)
from .faults import faults
from .lost_wake_ups import lost_wake_ups

_Item = TypeVar("_Item")
MOMENT = 0.001  # seconds, on the real clock: what is shorter is no news, where it is short beside the whole run
_STEPS = {  # what is a step, or comes of one, and how it is told
    "start": "starts",
    "acquire": "takes",
    "release": "lets go of",
    "call": "calls",
    "wake": "goes on in",
    "put": "puts an item into",
    "get": "gets an item from",
    "read": "reads",
    "write": "writes",
    "error": "ends with",
    "abandon": "is left where it stands",
}
STEPS = 60  # that are told one by one
TURNS = 4  # on the CPU and off it, from so many on, are told in one
THREADS, ITEMS, LOST, NOTES, QUEUES, CALLS = 10, 8, 6, 3, 4, 4  # as many are told one by one; the rest is counted


def describe(trace: Trace, title: str = "", failed: bool = False) -> str:
    """Say in about 25 lines, and 5 more on queues, what each thread did, in order, and what went wrong.

    All times are seconds on the trace's clock, which the last lines name.  The same trace gives the same text.
    `failed` says that the run is not as it should be.
    """
    if trace.clock == "steps":
        return _describe_steps(trace, title, failed)
    trace = with_endless_waits(trace)
    of_lane: dict[int, list[TraceEvent]] = defaultdict(list)
    for event in trace.events:
        kind = event.kind
        if kind == "failed" or kind == "error" or (kind == "call" and is_act(event)) or is_time_out(event):
            of_lane[event.lane].append(event)
    told = [(clean(lane.name), _life(trace, index, lane, of_lane[index])) for index, lane in enumerate(trace.lanes)]
    groups = [([name for name, _ in same], life) for life, same in groupby(told, key=lambda name_life: name_life[1])]
    lines = [clean(title)] if title else []
    lines += [f"{_names(names)}: {life}" for names, life in groups[:THREADS]]
    if left_out := sum(len(names) for names, _ in groups[THREADS:]):
        lines.append(f"and {_count(left_out, 'more thread')}, left out here")
    if not trace.lanes:
        lines.append("no thread did anything")
    lines += _calls(trace)
    lines += _gil(trace)
    lines += _first(queue_lives(trace), lambda life: _fullness(trace, life), QUEUES, "and {} more queue{s}")
    lines += lost_sentences(trace)
    if trace.waits:
        lines.append(deadlock_sentence(trace))
        lines += [fault.sentence for fault in lost_wake_ups(trace)]
    lines.append(f"in all: {_totals(trace)} ({trace.clock} seconds)")
    lines += _first(trace.notes, lambda note: f"note: {clean(note)}", NOTES, "and {} more note{s}")
    return "\n".join(lines)


def _calm(lane: Lane, duration: float) -> list[Span]:
    """The spans of a recorded lane, without moments of running between two waits, or of waiting for the CPU.

    What is interrupted for such a moment alone goes on.
    """
    moment = min(MOMENT, duration / 100)
    kept: list[Span] = []
    for span in lane.spans:
        idle = span.state in ("running", "ready") or span.label.startswith("waits for work")
        if idle and span.end - span.start < moment:
            continue
        last = kept[-1] if kept else span
        if idle and kept and (last.state, *last[3:]) == (span.state, *span[3:]) and span.start - last.end < moment:
            kept[-1] = last._replace(end=span.end)
        else:
            kept.append(span)
    return kept


def _lasted(trace: Trace, duration: float) -> str:
    """Return how long something took; two digits of the real clock, as more would never be the same twice."""
    return seconds(duration if trace.clock == "virtual" else float(f"{duration:.2g}"))


def _when(trace: Trace, time: float) -> str:
    """Return a moment; on the real clock in thousandths to hundredths of the run."""
    if trace.clock == "virtual" or trace.duration <= 0:
        return seconds(time)
    return seconds(round(time, min(5, 2 - floor(log10(trace.duration)))))


def _exactly(trace: Trace, value: float) -> str:
    """Return a time in seconds; on the real clock in hundredths of a millisecond."""
    return seconds(value if trace.clock == "virtual" else round(value, 5))


def _describe_steps(trace: Trace, title: str, failed: bool) -> str:
    """As `describe`, a line for each step."""
    steps = [each for each in trace.events if is_step(each)]
    lines = [clean(title)] if title else []
    lines += _first([*enumerate(steps, 1)], lambda step: _step(trace, *step), STEPS, "and {} more step{s}")
    if not steps:
        lines.append("no thread did anything that others could notice")
    lines += why(trace, failed)
    lines += _first(trace.notes, lambda note: f"note: {clean(note)}", NOTES, "and {} more note{s}")
    return "\n".join(lines)


def why(trace: Trace, failed: bool) -> list[str]:
    """Say what went wrong, a sentence each: what happened to whom, in which lines; nothing where the trace has none.

    `failed` says that the run is not as it should be.
    """
    told = [fault.sentence for fault in faults(trace, failed)]
    if trace.waits and not deadlock_cycle(trace):
        told.insert(0, deadlock_sentence(trace))
    return _first(told, str, LOST, "and {} more thing{s} of this kind went wrong")


def _step(trace: Trace, number: int, event: TraceEvent) -> str:
    name = clean(trace.lanes[event.lane].name)
    where = f" (line {event.line})" if event.line is not None else ""
    return f"{number:3}. {name} {step_words(event)}{_value(event)}{where}{_in_vain(event)}"


def is_step(event: TraceEvent) -> bool:
    """Whether it is told as a step.  What a `with` statement enters and leaves is told by what it takes and lets go."""
    return event.kind in _STEPS and not event.what.endswith(("__enter__", "__exit__"))


def step_words(event: TraceEvent) -> str:
    """What a thread does there, without the value that was read or written: the same whatever the order of steps."""
    what = clean(event.what)
    if event.kind == "write" and event.value.endswith("()"):
        return f"calls {what}.{event.value}"
    of = f" of {clean(called_on(event))}" if called_on(event) else ""
    return f"{_STEPS[event.kind]} {what}{of}"


def _value(event: TraceEvent) -> str:
    if not event.value or event.value.endswith("()"):
        return ""
    return {"read": f", which is {event.value}", "write": f" = {event.value}"}.get(event.kind, "")


def _in_vain(event: TraceEvent) -> str:
    return f": {NOBODY}" if in_vain(event) else ""


def _first(items: Sequence[_Item], tell: Callable[[_Item], str], most: int, rest: str) -> list[str]:
    """Tell so many items at most, and how many more there are."""
    more = len(items) - most
    return [tell(item) for item in items[:most]] + [rest.format(more, s="s" if more > 1 else "")] * (more > 0)


def _calls(trace: Trace) -> list[str]:
    """Return a sentence on which calls the workers of pools make, unless each makes one and of the same function."""
    calls = [(call.start, lane.name, call.what) for lane in trace.lanes for call in lane.calls]
    functions = {what.partition("(")[0] for _, _, what in calls}
    if len(functions) <= 1 and all(len(lane.calls) <= 1 for lane in trace.lanes):
        return []
    calls.sort(key=lambda call: call[0])  # at one instant in the order of the lanes
    told = [f"{clean(name)} runs {clean(what)}" for _, name, what in calls[:CALLS]]
    told += [f"and {_count(len(calls) - CALLS, 'more call')}"] if len(calls) > CALLS else []
    return ["; ".join(told)]


def _gil(trace: Trace) -> list[str]:
    """Return a sentence on who held the GIL, where threads took turns."""
    if not (turns := gil_turns(trace)):
        return []
    names = _names(list(dict.fromkeys(clean(trace.lanes[turn.lane].name) for turn in turns)))
    usual = median(turn.end - turn.start for turn in turns)
    return [f"the GIL: {len(turns)} turns, of {names}, {seconds(round(usual, 5))} in the median"]


def _fullness(trace: Trace, life: QueueLife) -> str:
    bound = f", at most {life.maxsize}" if life.maxsize is not None else ""
    (at, most), (_, end), name = life.most, life.steps[-1], clean(life.name)
    return (
        f"{name if name.startswith('queue') else f'queue {name}'}{bound}: 0 items at the start, {most} at most "
        f"(first at {_exactly(trace, at)}), {end} at the end; {_count(life.hand_overs, 'hand-over')}"
    )


def lost_sentence(trace: Trace, lost: LostUpdate) -> str:
    """Say who wrote what over whose update."""
    write, overwritten = trace.events[lost.write], trace.events[lost.overwritten]
    writer, other = (clean(trace.lanes[event.lane].name) for event in (write, overwritten))
    return (
        f"{writer} writes {clean(write.value)} over {other}'s {clean(overwritten.value)}, "
        "which it had not seen: an update is lost"
    )


def lost_sentences(trace: Trace) -> list[str]:
    """Return a sentence for each lost update, the later ones counted in one."""
    rest = "and {} more update{s} lost in the same way"
    return _first(lost_updates(trace), lambda lost: lost_sentence(trace, lost), LOST, rest)


def lost_summary(trace: Trace) -> str:
    """Say in one sentence how many updates were lost; empty when none was."""
    if not (lost := lost_updates(trace)):
        return ""
    attributes = {trace.events[each.write].what for each in lost}
    have_read: set[tuple[int, str]] = set()
    writes = 0  # those of a thread that read before: what sets up an attribute is no update of it
    for event in trace.events:
        if event.kind == "read":
            have_read.add((event.lane, event.what))
        elif event.kind == "write" and event.what in attributes:
            writes += (event.lane, event.what) in have_read
    what, verb = "updates" if writes > 1 else "update", "is" if len(lost) == 1 else "are"
    return f"{len(lost)} of {writes} {what} of {clean(', '.join(sorted(attributes)))} {verb} lost"


def deadlock_sentence(trace: Trace) -> str:
    """Say who waits for whom for ever."""
    cycle = deadlock_cycle(trace)
    waits = _first(cycle or trace.waits, _waits_for, LOST, "and {} more")
    start = "deadlock, nobody can go on: " if cycle else "deadlock, nobody is left to end these waits: "
    return start + "; ".join(waits)


def seconds(value: float) -> str:
    """Return a time in seconds with at most six digits."""
    return f"{round(value, 9):.6g} s"


def _waits_for(wait: Wait) -> str:
    where = f" (line {wait.line})" if wait.line is not None else ""
    holder = f", held by {clean(wait.holder)}" if wait.on == "lock" and wait.holder is not None else ""
    return f"{clean(wait.thread)} waits for {clean(wait.what)}{holder}{where}"


def _life(trace: Trace, index: int, lane: Lane, events: list[TraceEvent]) -> str:
    endless = endless_wait(lane)
    real = trace.clock == "real"
    over = [event.time for event in events if event.kind == "wake"]
    done = []
    spans = _calm(lane, trace.duration) if real else lane.spans
    told_until = 0
    for number, span in enumerate(spans):
        if number < told_until:
            continue
        turns = _turns(spans, number) if real else []
        if len(turns) >= TURNS:
            told_until = number + len(turns)
            done.append(_in_turns(trace, turns))
        elif span.end > span.start or span.state == "blocked":
            lasted = "for ever" if span is endless else _lasted(trace, span.end - span.start)
            timed_out = span.state == "blocked" and _any_between(over, span.end, _noted_by(spans, number, real))
            done.append(_doing(span, lasted, timed_out))
    items = _first(_summed(done), str, ITEMS, "and {} more")
    items = items or ["runs without waiting" if lane.spans else "does nothing"]
    items += _holding(trace, index, lane)
    acts = [event for event in events if is_act(event)]
    items += _first(
        acts,
        lambda act: f"calls {act.what} at {_when(trace, act.time)} (line {act.line}){_in_vain(act)}",
        NOTES,
        "and {} more such call{s}",
    )
    failed = [event for event in events if event.kind == "failed"]
    items += _first(
        failed, lambda event: f"a call in it raises {_error(event)}", NOTES, "and {} more call{s} in it raised"
    )
    match lane.ending:
        case "raised":
            error = next((event for event in events if event.kind == "error"), None)
            items.append(f"ends with {_error(error) if error else 'an exception'}")
        case "abandoned":
            items.append(f"abandoned at {_when(trace, lane.end)}, as the program ends and it is a daemon")
        case "stopped":
            items.append(f"stopped at {_when(trace, lane.end)}")
        case "goes on":
            items.append(f"goes on after {_when(trace, lane.end)}, which is not shown")
    return "; ".join(items)


def _turns(spans: Sequence[Span], at: int) -> list[Span]:
    """Return the spans from there on in which a thread does one thing, on the CPU and off it."""
    of = {span.label for span in spans[at : at + 2] if span.state == "running"}
    turns = []
    for span in spans[at:]:
        if not (span.label in of if span.state == "running" else span.state == "ready"):
            break
        turns.append(span)
    return turns


def _in_turns(trace: Trace, turns: Sequence[Span]) -> str:
    on, off = (
        _lasted(trace, sum(span.end - span.start for span in turns if span.state == state))
        for state in ("running", "ready")
    )
    lines = {span.line for span in turns if span.line is not None}
    where = f" (line {min(lines)})" if len(lines) == 1 else ""
    verb = "computes" if any(span.state == "running" and span.label for span in turns) else "runs"
    return f"{verb} {on} in all, off the CPU for {off} in between{where}"


def _error(event: TraceEvent) -> str:
    return ": ".join(clean(part) for part in (event.what, event.value) if part) or "an exception"


def _noted_by(spans: Sequence[Span], number: int, real: bool) -> float:
    """Return until when the end of a wait is noted: on the real clock a moment later, before the lane waits again."""
    later = (spans[at] for at in range(number + 1, len(spans)))
    waits = (span.start for span in later if span.state in ("blocked", "sleeping"))
    return next(waits, inf) if real else spans[number].end


def _any_between(times: list[float], start: float, end: float) -> bool:
    at = bisect_left(times, start)
    return at < len(times) and times[at] <= end


def _doing(span: Span, lasted: str, timed_out: bool) -> str:
    lasted += ", until its time-out" if timed_out else ""
    label = clean(span.label)
    where = f" (line {span.line})" if span.line is not None else ""
    match span.state:
        case "running" if label:
            return f"computes {lasted}{where}"
        case "running":
            return f"runs {lasted}{where}"
        case "ready" if label:
            return f"{label}, {lasted}{where}"
        case "ready":
            return f"ready to run {lasted}"
        case "sleeping":
            return f"sleeps {lasted}{where}"
        case "blocked" if span.on == "lock" and not label:
            return f"waits for a lock, {lasted}{where}"
        case "blocked" if label.startswith("waits "):
            return f"{label}, {lasted}{where}"
        case "blocked":
            return f"blocked in {label} {lasted}{where}" if label else f"blocked {lasted}{where}"


def _holding(trace: Trace, index: int, lane: Lane) -> Iterable[str]:
    for lock in dict.fromkeys(held.lock for held in lane.held):
        held = [each for each in lane.held if each.lock == lock]
        total = sum(each.end - each.start for each in held)
        if len(held) == 1:
            yield f"holds {clean(lock)} {_from_to(held[0], trace, index)}"
        else:
            yield f"holds {clean(lock)} {len(held)} times, {_lasted(trace, total)} in all"


def _from_to(held: Held, trace: Trace, index: int) -> str:
    for_ever = trace.lanes[index].ending == "deadlocked" and held.end >= trace.lanes[index].end
    if for_ever or trace.waits and held.end >= trace.duration:  # until the deadlock, or let go in that very instant
        for last in [e for e in trace.events if e.kind in ("acquire", "release") and e.what == held.lock][-1:]:
            for_ever = (last.kind, last.lane) == ("acquire", index)
    if for_ever:
        return f"from {_when(trace, held.start)} for ever"
    start, end = _when(trace, held.start), _when(trace, held.end)
    return f"from {start} to {end}" if start != end else "for an instant"


def _summed(items: Sequence[str]) -> list[str]:
    """Tell a repeated run of up to four items once, and how often."""
    told: list[str] = []
    at = 0
    while at < len(items):
        best, period = 1, 1
        for length in range(1, 5):
            times, block = 1, items[at : at + length]
            while items[at + times * length : at + (times + 1) * length] == block:
                times += 1
            if times > 1 and times * length > best * period:
                best, period = times, length
        block = items[at : at + period]
        told += [f"{best} times ({'; '.join(block)})"] if best > 1 else block
        at += best * period
    return told


def _names(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} threads, all the same)"


def _totals(trace: Trace) -> str:
    states = {span.state for lane in trace.lanes for span in lane.spans}
    totals = [f"{state} {_exactly(trace, total)}" for state, total in trace.seconds_in.items() if state in states]
    return ", ".join([*totals, f"duration {_exactly(trace, trace.duration)}"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
