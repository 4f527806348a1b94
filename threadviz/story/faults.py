"""What went wrong in one run, named by what its trace alone shows, in a sentence that says what happened to whom.

A name is given only where the pattern is there, event by event; what a thread had in mind is in no trace.  So a check
that somebody may only have printed counts where the run has gone wrong, and not where it has not.
"""

from collections.abc import Iterator

from ..texts import clean
from ..trace import NOBODY, NOTHING, Trace
from .causality import LostUpdate, called_on, deadlock_cycle, in_vain, lost_updates, once, shared_attributes
from .fault import Fault, Kind, at_line, who
from .misuse import misuse

_ANSWERS = frozenset(["None", "True", "False", NOTHING])  # nothing is computed from these: what is read so is a check
_EMPTY = (  # what containers say that have no such item
    *("pop from empty list", "pop from an empty deque", "pop from an empty set", "popitem(): dictionary is empty"),
    *("list index out of range", "deque index out of range"),
)
_QUEUE_ACTS = {"empty": "get", "full": "put", "qsize": "get"}  # what one asks before one does it
LONG = 2_000  # trace events, beyond which only what is surest is looked for
_Section = dict[tuple[str, str], int]  # what is done to which place while a lock is held -> its first trace event
_NOTIFIES = ("Condition.notify", "Condition.notify_all")


def faults(trace: Trace, failed: bool) -> list[Fault]:
    """Return what went wrong in a run, the surest first; `failed` says that the run is not as it should be."""
    found = _found(trace)
    sure = [fault for fault in found if fault.sure]
    return sure or [fault for fault in found if failed][:1]


@once
def _found(trace: Trace) -> tuple[Fault, ...]:
    story = _Story(trace)
    found = [*story.deadlock(), *story.lost_wake_ups()]
    if len(trace.events) > LONG:
        return (*found, *story.stale_writes())
    found += [*misuse(trace), *story.stale_writes()]
    found += [*story.stale_queues(), *story.stale_checks(), *story.stale_contents(), *story.stale_answers()]
    return (*found, *story.torn())


def lost_wake_ups(trace: Trace) -> list[Fault]:
    """Return the waits of a deadlock that somebody would have ended, had he not come too early."""
    return list(_Story(trace).lost_wake_ups()) if trace.waits else []


class _Story:
    """One trace, looked through for each pattern."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._events = trace.events
        self._held = _held_at(trace)

    # ---- patterns ----

    def deadlock(self) -> Iterator[Fault]:
        """Threads that wait for one another in a circle."""
        if cycle := deadlock_cycle(self._trace):
            told, taken = [], []
            for wait in cycle:
                where = f" (line {wait.line})" if wait.line is not None else ""
                holder = f", held by {clean(wait.holder)}" if wait.on == "lock" and wait.holder is not None else ""
                took = self._taken(wait.thread, cycle)
                first = ""
                if took is not None:
                    taken.append(took)
                    first = f"took {clean(self._events[took].what)}{self._line(took)} and "
                told.append(f"{clean(wait.thread)} {first}waits for {clean(wait.what)}{holder}{where}")
            yield Fault("deadlock", f"deadlock, nobody can go on: {'; '.join(told)}", tuple(taken))

    def _taken(self, thread: str, cycle: tuple[object, ...]) -> int | None:
        """When a thread took the lock that another one in the circle waits for."""
        wanted = {
            wait.what for wait in self._trace.waits if wait in cycle and wait.on == "lock" and wait.holder == thread
        }
        for index in range(len(self._events) - 1, -1, -1):
            event = self._events[index]
            if event.kind == "acquire" and event.what in wanted and self._trace.lanes[event.lane].name == thread:
                return index
        return None

    def lost_wake_ups(self) -> Iterator[Fault]:
        """A `notify` that came when nobody was waiting, or a `set` that was cleared, and then a wait without an end."""
        for wait in self._trace.waits:
            for index, name in self._last_call(wait.thread):
                before = self._calls_before(index, name)
                if self._events[index].what == "Condition.wait":
                    yield from self._notified_too_early(index, name, before)
                elif self._events[index].what == "Event.wait":
                    yield from self._cleared_too_early(index, name, before)

    def _notified_too_early(self, wait: int, name: str, before: list[int]) -> Iterator[Fault]:
        notified = [i for i in before if self._events[i].what in _NOTIFIES]
        is_last = notified and not self._is_called_later(wait, name, _NOTIFIES)
        if is_last and in_vain(self._events[notified[-1]]) and not self._has_looked(notified[-1], wait):
            early = notified[-1]
            what, waiter = self._events[early].what.partition(".")[2], self._who(wait)
            yield Fault(
                "lost wake-up",
                f"{self._who(early)} called {what} on {clean(name)}{self._line(early)} when {NOBODY}, before "
                f"{waiter} waited{self._line(wait)}: the wake-up is lost, and {waiter} waits for ever",
                (early, wait),
            )

    def _has_looked(self, notified: int, wait: int) -> bool:
        """Whether who waits has read, after the `notify`, what was written before it: it waits for something else."""
        lane, shared = self._events[notified].lane, shared_attributes(self._trace)
        before = (each for each in self._events[:notified] if each.lane == lane and each.kind == "write")
        written = {_container(each.what) for each in before if each.what in shared}
        between = self._events[notified:wait]
        mine = (each for each in between if each.lane == self._events[wait].lane and each.kind == "read")
        return any(_container(each.what) in written for each in mine)

    def _cleared_too_early(self, wait: int, name: str, before: list[int]) -> Iterator[Fault]:
        if self._is_called_later(wait, name, ("Event.set",)):
            return
        waiter = self._who(wait)
        for clear in (i for i in reversed(before) if self._events[i].what == "Event.clear"):
            sets = [i for i in before if i < clear and self._events[i].what == "Event.set"]
            if sets and self._events[sets[-1]].lane != self._events[wait].lane:
                again = "" if self._events[clear].lane == self._events[sets[-1]].lane else f"{self._who(clear)} "
                yield Fault(
                    "lost wake-up",
                    f"{self._who(sets[-1])} set {clean(name)}{self._line(sets[-1])}, and {again}cleared it"
                    f"{self._line(clear)} before {waiter} waited for it{self._line(wait)}: the wake-up is lost, and "
                    f"{waiter} waits for ever",
                    (sets[-1], clear, wait),
                )
                return

    def _last_call(self, thread: str) -> Iterator[tuple[int, str]]:
        """The call that a thread is in, and on what: for a Condition, the lock that it lets go of tells as well."""
        for index in range(len(self._events) - 1, -1, -1):
            event = self._events[index]
            if event.kind != "call" or self._trace.lanes[event.lane].name != thread:
                continue
            name = called_on(event)
            if not name and event.what == "Condition.wait":
                later = (each for each in self._events[index + 1 :] if each.lane == event.lane)
                name = next((each.what for each in later if each.kind == "release"), "")
            if name:
                yield index, name
            return

    def _calls_before(self, index: int, name: str) -> list[int]:
        """The calls on something since the thread that waits for it now has last been in there, as indices."""
        me, what = self._events[index].lane, self._events[index].what
        since = [
            i
            for i, event in enumerate(self._events[:index])
            if event.lane == me and event.kind in ("wake", "call") and event.what == what
        ]
        first = since[-1] if since else -1
        return [
            i
            for i in range(first + 1, index)
            if self._events[i].kind == "call"
            and called_on(self._events[i]) == name
            and (self._events[i].lane != me or self._events[i].what == "Event.clear")
        ]

    def _is_called_later(self, index: int, name: str, what: tuple[str, ...]) -> bool:
        later = self._events[index + 1 :]
        return any(event.kind == "call" and event.what in what and called_on(event) in (name, "") for event in later)

    def stale_writes(self) -> Iterator[Fault]:
        """A write over what another thread wrote in the meantime."""
        for lost in lost_updates(self._trace):
            lock = self._in_two_sections(lost.read, lost.overwritten, lost.write)
            if self._events[lost.read].value in _ANSWERS:
                yield self._check(lost.read, lost.overwritten, lost.write, lock)
            else:
                end = f"an update is lost, that of {self._who(lost.overwritten)}"
                yield self._broken(lost, end, lock)

    def _broken(self, lost: LostUpdate, end: str, lock: str) -> Fault:
        story = self._story(lost.read, lost.overwritten, lost.write, lock)
        kind: Kind = "broken atomicity" if lock else "lost update"
        return Fault(kind, f"{story}: {end}{_although(lock)}", (lost.read, lost.overwritten, lost.write))

    def stale_checks(self) -> Iterator[Fault]:
        """A value was looked at, another thread wrote, and only then came what the first one did about it."""
        since: dict[tuple[int, str], list[int]] = {}  # lane, place -> reads of it since the lane's own last write
        written: dict[str, int] = {}
        for index, event in enumerate(self._events):
            reads = since.setdefault((event.lane, event.what), [])
            if event.kind == "read":
                reads.append(index)
            elif event.kind == "write":
                # What an update reads itself is no check: that was before.
                if len(reads) > 1 and self._events[reads[-1]].line == event.line:
                    other = written.get(event.what, -1)
                    if reads[-2] < other < reads[-1] and self._changed(reads[-2], other):
                        lock = self._in_two_sections(reads[-2], other, index)
                        yield self._check(reads[-2], other, index, lock)._replace(sure=False)
                since[event.lane, event.what] = []
                written[event.what] = index
            elif event.kind == "error":
                yield from self._stale_before_an_error(index, since, written)

    def _stale_before_an_error(
        self, error: int, since: dict[tuple[int, str], list[int]], written: dict[str, int]
    ) -> Iterator[Fault]:
        """A thread read a value twice, it had changed in between, and the second reading ended in an exception."""
        me = self._events[error].lane
        mine = [i for i in range(error) if self._events[i].lane == me and self._events[i].kind in ("read", "write")]
        if not mine or self._events[mine[-1]].kind != "read" or self._events[mine[-1]].line != self._events[error].line:
            return
        place = self._events[mine[-1]].what
        reads, other = since.get((me, place), []), written.get(place, -1)
        if len(reads) > 1 and reads[-2] < other < reads[-1] and self._changed(reads[-2], other):
            lock = self._in_two_sections(reads[-2], other, reads[-1])
            story = self._story(reads[-2], other, reads[-1], lock)
            end = f"check-then-act, and {self._who(error)} ends with {clean(self._events[error].what)}"
            yield Fault("check-then-act", f"{story}: {end}", (reads[-2], other, error))

    def stale_contents(self) -> Iterator[Fault]:
        """A container was looked at as a whole, another thread changed it, and only then the first one did."""
        looked: dict[tuple[int, str], int] = {}  # lane, container -> its newest look at it
        changed: dict[tuple[str, str], list[int]] = {}  # container, item or nothing -> who changed it
        fresh: dict[tuple[int, str], int] = {}  # lane, item -> its newest read
        for index, event in enumerate(self._events):
            whole, _, item = event.what.partition("[")
            if event.kind == "read":
                (fresh if item else looked)[event.lane, event.what] = index
            elif event.kind == "write" and (item or event.value.endswith("()")):
                check = looked.pop((event.lane, whole), None)
                others = changed.setdefault((whole, item), [])
                other = others[-1] if others else -1
                seen = max(check if check is not None else index, fresh.get((event.lane, event.what), -1))
                if check is not None and other > seen and self._events[other].lane != event.lane:
                    lock = self._in_two_sections(check, other, index)
                    yield self._check(check, other, index, lock)._replace(sure=False)
                others.append(index)
            elif event.kind == "error":
                for (lane, container), check in looked.items():
                    changes = [each for (what, _), found in changed.items() if what == container for each in found]
                    theirs = [each for each in changes if each > check and self._events[each].lane != event.lane]
                    if lane == event.lane and theirs and self._is_missing(index, container):
                        story = self._story(check, max(theirs), index, "")
                        yield Fault(
                            "check-then-act",
                            f"{story}: check-then-act, and {self._who(index)} ends with {clean(event.what)}",
                            (check, max(theirs), index),
                        )

    def _is_missing(self, error: int, container: str) -> bool:
        """Whether an exception says that there is no such item, in the words of the container itself."""
        what, text = self._events[error].what, self._events[error].value
        if what == "KeyError" and any(each.what == f"{container}[{text}]" for each in self._events):
            return True
        return what in ("IndexError", "KeyError") and text.strip("'\"") in _EMPTY

    def stale_queues(self) -> Iterator[Fault]:
        """A queue was asked, another thread was faster, and what the first one did then has no end, or raised."""
        for asked, what, name in self._looks("Queue"):
            act = _QUEUE_ACTS.get(what)
            if act is None:
                continue
            lane = self._events[asked].lane
            own = [i for i in range(asked + 1, len(self._events)) if self._events[i].lane == lane]
            call = next((i for i in own if self._events[i].kind in ("call", "error", "get", "put")), None)
            if call is None:
                continue
            thread = self._trace.lanes[lane].name
            hangs = any(wait.thread == thread and wait.what == f"Queue.{act} of {name}" for wait in self._trace.waits)
            raised = any(self._events[i].kind == "error" and self._events[i].what in ("Empty", "Full") for i in own)
            done = any(self._events[i].kind == act and self._events[i].what == name for i in own)
            again = any(self._events[i].what == self._events[asked].what for i in own)
            faster = [
                i
                for i in range(asked + 1, len(self._events))
                if self._events[i].kind == act and self._events[i].what == name and self._events[i].lane != lane
            ]
            if faster and (hangs or raised) and not done and not again:
                verb = "got an item" if act == "get" else "put an item"
                who, other = self._who(asked), self._who(faster[-1])
                yield Fault(
                    "check-then-act",
                    f"{who} asked {clean(name)}.{what}(){self._line(asked)}, {other} {verb}{self._line(faster[-1])} "
                    f"before {who}'s own {act}{self._line(call)}: check-then-act, and {who} "
                    f"{'waits for ever' if hangs else 'ends with an exception'}",
                    (asked, faster[-1], call),
                )

    def stale_answers(self) -> Iterator[Fault]:
        """A lock or an event was asked how it is, another thread changed that, and only then the first one acted."""
        looks = list(self._looks("Lock", "Event"))
        for asked, what, name in looks:
            me = self._events[asked].lane
            if what == "locked" and self._is_held(name, asked):
                continue
            for act in ("acquire",) if what == "locked" else ("Event.set", "Event.clear"):
                done = [i for i in range(asked + 1, len(self._events)) if self._is_act(i, act, name)]
                own = next((i for i in done if self._events[i].lane == me), len(self._events))
                again = any(asked < i < own and self._events[i].lane == me for i, *_ in looks)
                if not done or done[0] == own or again:
                    continue
                who, other, verb = self._who(asked), done[0], f"{act.partition('.')[2]} it" if "." in act else "took it"
                question = f"{who} asked {clean(name)}.{what}(){self._line(asked)}"
                seen = f"{question}, {self._who(other)} {verb}{self._line(other)}"
                if own < len(self._events):
                    end = f"before {who} {verb}{self._line(own)}: check-then-act, what {who} had seen no longer held"
                    yield Fault("check-then-act", f"{seen} {end}", (asked, other, own), sure=False)
                elif any(wait.thread == self._trace.lanes[me].name and wait.what == name for wait in self._trace.waits):
                    end = f"before {who} could: check-then-act, and {who} waits for ever"
                    yield Fault("check-then-act", f"{seen} {end}", (asked, other))

    def torn(self) -> Iterator[Fault]:
        """One thread touches two places in two sections of a lock, another one both in one section in between."""
        sections: dict[tuple[str, int, int], _Section] = {}  # lock, when it was taken, lane -> accesses
        for index, held in self._held.items():
            event = self._events[index]
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
                            yield from self._torn_between("read", "write", one, whole, section, lock)
                            yield from self._torn_between("write", "read", one, whole, section, lock)
                before[lane] = at, section

    def _torn_between(
        self,
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
                f"{self._who(i)} {did} {clean(a)}{self._value(i)} and then {clean(b)}{self._value(j)} in two separate "
                f"sections under {clean(lock)}, and in between {self._who(k)} {others} both in one"
                f"{self._line(k)}: atomicity is broken{_although(lock)}",
                (i, k, whole[both, b], j),
                sure=False,
            )

    # ---- what they ask ----

    def _looks(self, *kinds: str) -> Iterator[tuple[int, str, str]]:
        """Each question that was asked of a primitive with a name: which trace event it is, the question, the name."""
        for index, event in enumerate(self._events):
            kind, _, what = event.what.partition(".")
            asks = what in ("empty", "full", "qsize", "locked", "is_set")
            if event.kind == "call" and asks and kind.endswith(kinds) and called_on(event):
                yield index, what, called_on(event)

    def _is_act(self, index: int, act: str, name: str) -> bool:
        event = self._events[index]
        if act == "acquire":
            return event.kind == "acquire" and event.what == name
        return event.kind == "call" and event.what == act and called_on(event) == name

    def _is_held(self, lock: str, at: int) -> bool:
        last = [
            event.kind for event in self._events[:at] if event.what == lock and event.kind in ("acquire", "release")
        ]
        return bool(last) and last[-1] == "acquire"

    def _changed(self, read: int, write: int) -> bool:
        """Whether another thread wrote something else than was read; a value that is not told may be any."""
        one, other = self._events[read], self._events[write]
        return one.lane != other.lane and (not one.value or one.value != other.value)

    def _in_two_sections(self, check: int, other: int, act: int) -> str:
        """The lock under which all three were made, the first and the last in two sections; else empty."""
        first, between, last = (self._held.get(i, {}) for i in (check, other, act))
        return next((lock for lock in first if lock in between and last.get(lock, first[lock]) != first[lock]), "")

    # ---- words ----

    def _check(self, check: int, other: int, act: int, lock: str) -> Fault:
        story, who = self._story(check, other, act, lock), self._who(act)
        if lock:
            end = f"atomicity is broken, what {who} had seen no longer held{_although(lock)}"
            return Fault("broken atomicity", f"{story}: {end}", (check, other, act))
        return Fault(
            "check-then-act", f"{story}: check-then-act, what {who} had seen no longer held", (check, other, act)
        )

    def _story(self, check: int, other: int, act: int, lock: str) -> str:
        place = self._events[check].what
        under = f" under {clean(lock)}" if lock else ""
        return (
            f"{self._who(check)} read {clean(place)}{self._value(check)}{under}, {self._who(other)} "
            f"{self._did(other, place)} before {self._who(act)} {self._did(act, place)}"
        )

    def _did(self, index: int, place: str) -> str:
        event = self._events[index]
        what, value = clean(event.what), clean(event.value)
        if event.kind == "read":
            return f"read it again{self._value(index)}"
        if event.kind == "error":
            return f"went on{self._line(index)}"
        if value.endswith("()"):
            done = f"deleted an item of {what}" if value == "del()" else f"called {what}.{value}"
        elif event.what == place:
            done = f"wrote {value or 'it'}"
        else:
            done = f"wrote {what}" + (f" = {value}" if value else "")
        return done + self._line(index)

    def _who(self, index: int) -> str:
        return who(self._trace, index)

    def _line(self, index: int) -> str:
        return at_line(self._events[index].line)

    def _value(self, index: int) -> str:
        event = self._events[index]
        told = ", ".join(filter(None, (clean(event.value), f"line {event.line}" if event.line is not None else "")))
        return f" ({told})" if told else ""


def _container(place: str) -> str:
    return place.partition("[")[0]


def _although(lock: str) -> str:
    return f", although each access was made under {clean(lock)}" if lock else ""


def _held_at(trace: Trace) -> dict[int, dict[str, int]]:
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
