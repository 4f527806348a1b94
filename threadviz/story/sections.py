"""Sections under a lock, and atomicity that is broken although each access was made in one."""

from collections.abc import Iterator

from ..texts import clean
from ..trace import Trace
from .causality import once
from .fault import Fault, where, who, with_value

_Section = dict[tuple[str, str], int]  # what is done to which place while a lock is held -> its first trace event


def torn(trace: Trace) -> Iterator[Fault]:
    """One thread touches two places in two sections of a lock, another one both in one section in between."""
    sections: dict[tuple[str, int, int], _Section] = {}  # lock, when it was taken, lane -> accesses
    for index, held in locks_held(trace).items():
        event = trace.events[index]
        for lock, since in held.items():
            sections.setdefault((lock, since, event.lane), {}).setdefault((event.kind, event.what), index)
    by_lock: dict[str, list[tuple[int, _Section]]] = {}
    for (lock, _, lane), section in sorted(sections.items(), key=lambda item: item[0][:2]):
        by_lock.setdefault(lock, []).append((lane, section))
    for lock, row in by_lock.items():
        before: dict[int, tuple[int, _Section]] = {}  # lane -> its newest section, and where in the row it is
        for at, (lane, section) in enumerate(row):
            if lane in before:
                since, one = before[lane]
                for other, whole in row[since + 1 : at]:
                    if other != lane:
                        yield from _torn_between(trace, "read", "write", one, whole, section, lock)
                        yield from _torn_between(trace, "write", "read", one, whole, section, lock)
            before[lane] = at, section


def _torn_between(
    trace: Trace,
    split: str,
    both: str,
    one: _Section,
    whole: _Section,
    two: _Section,
    lock: str,
) -> Iterator[Fault]:
    first = [(what, i) for (kind, what), i in one.items() if kind == split and (both, what) in whole]
    then = [
        (what, i)
        for (kind, what), i in two.items()
        if kind == split and (both, what) in whole and (split, what) not in one
    ]
    first = [(what, i) for what, i in first if (split, what) not in two]
    if first and then:
        (a, i), (b, j) = first[0], then[0]
        did, others = ("read", "wrote") if split == "read" else ("wrote", "read")
        k = whole[both, a]
        yield Fault(
            "broken atomicity",
            f"{who(trace, i)} {did} {clean(a)}{with_value(trace, i)} and then {clean(b)}{with_value(trace, j)} in two "
            f"separate sections under {clean(lock)}, and in between {who(trace, k)} {others} both in one"
            f"{where(trace, k)}: atomicity is broken{although(lock)}",
            (i, k, whole[both, b], j),
            sure=False,
        )


def in_two_sections(trace: Trace, check: int, other: int, act: int) -> str:
    """The lock under which all three were made, the first and the last in two sections; else empty."""
    first, between, last = (locks_held(trace).get(i, {}) for i in (check, other, act))
    return next((lock for lock in first if lock in between and last.get(lock, first[lock]) != first[lock]), "")


def although(lock: str) -> str:
    return f", although each access was made under {clean(lock)}" if lock else ""


@once
def locks_held(trace: Trace) -> dict[int, dict[str, int]]:
    """For each access, the locks that its thread holds then, and the trace event that took each."""
    holds: dict[int, dict[str, int]] = {}
    found = {}
    for index, event in enumerate(trace.events):
        held = holds.setdefault(event.lane, {})
        if event.kind == "acquire":
            held[event.what] = index
        elif event.kind == "release":  # also by another thread, which a plain lock allows
            for each in (held, *holds.values()):
                if event.what in each:
                    del each[event.what]
                    break
        elif event.kind in ("read", "write") and held:
            found[index] = dict(held)
    return found
