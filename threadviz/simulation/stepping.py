"""A simulated run that goes step by step: a policy says, at each point, which thread makes the next step.

A thread runs on until it stands before a point: an access of what threads share, or a call of a primitive.  Only when
every thread that can go on stands before one is there a choice; what the chosen thread then does until its next point
is one step.  Starting and joining threads, making a lock and the library's own inner steps are no points.  Durations do
not count: a sleep, and the wait for a time-out, may last as long as the others take.
"""

import threading
from _threading_local import local as thread_local
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from sys import _getframe
from types import FrameType
from typing import Any, ClassVar, Protocol

from greenlet import getcurrent, greenlet

from ..errors import CutOff, NotRepeatable, StopRun, Stuck
from ..learner.code import KIND, LEARNERS, OWN
from ..learner.naming import name_of
from ..learner.places import NAMED, PLAIN, Serials, Site, is_container, is_plain, may_hold_items, value_now, with_name
from ..schedule import Policy, Preemption, Replay
from ..trace import Clock, On, State, Wait
from .operations import Operation
from .shared import Shared, Touches
from .simulator import Simulator
from .steps import LOOKING, LOOKS, Before, PlaceKey, Step, Use
from .tasks import Task

STEP = 1_000_000_000  # of the trace's scale: a step is as wide as a second
LONG = 1_000  # accesses of what is not shared, after which the others get their turn
MAX_STEPS = 5_000  # of a run; what goes on longer is cut off


# What nobody calls: logging, a pool's worker between two calls, and what happens when a pool is thrown away.
_INNER = frozenset(["library", "_worker", "ThreadPoolExecutor._adjust_thread_count"])
_NAMED = (
    "Condition.",
    "Event.",
    "Queue.",
    "LifoQueue.",
    "PriorityQueue.",
    "Semaphore.",
    "BoundedSemaphore.",
    "Barrier.",
)

_END: PlaceKey = ("thread", 0)  # of the program


class Lockable(Protocol):
    """A lock, as seen from here."""

    taken: bool

    @property
    def holder(self) -> Task | None: ...

    @property
    def called(self) -> str:
        """What the learner calls it."""


class HasPlace:
    """A primitive, which is a place: asked for at each call, so it keeps its own."""

    place: PlaceKey | None = None


class Walker(Task):
    """A simulated thread that goes step by step."""

    stood_before: Operation | None = None  # the newest operation whose first primitive it came to
    resumed = False  # within an operation: it has waited, and was woken
    stands = Before("call", "begin", None)
    stands_at: tuple[Site, Any, Any] | None = None  # the access that it stands before
    takes: PlaceKey | None = None
    primitive: Any = None  # that it stands before
    called = ""  # what the learner calls that, or what it is part of; of runs that are noted
    lock: Lockable | None = None  # that must be free before it can go on
    until = 0
    steps = 0
    only_looks = False  # it has changed nothing since it last looked anew, not even what is its own
    spins = False  # it would only look again at what is as it was
    # Where it began the wait that timed out last, how its frames were, and how many steps others had made.
    waited: tuple[Any, ...] | None = None
    waited_in: Operation | None = None
    known = 0  # objects that had a number then

    def __init__(self, simulator: Any, thread: threading.Thread, body: Callable[[], None]) -> None:
        super().__init__(simulator, thread, body)
        self.uses: dict[PlaceKey, Use] = {}
        self.family: PlaceKey = ("thread", self.number)  # of the operation that it is in
        self.after: list[tuple[int, int]] = []
        self.clock = {self.number: 1}  # of starts and joins alone: what may run at the same time
        # Where it has stood since somebody last changed anything that it looked at, and how its frames were then.
        self.visits: dict[Any, Any] = {}
        self.looked_at: set[PlaceKey] = set()

    def looks_anew(self) -> None:
        """Something has changed, of its own or of what it has looked at."""
        self.spins = False
        if self.only_looks:  # only then is there anything to forget
            self.only_looks = False
            self.visits.clear()
            self.looked_at.clear()


class Cut(Exception):  # noqa: N818 - nothing went wrong
    """A policy wants no more of the run, which would be one that was made before."""


class Stepping(Simulator):
    """One run, step by step.

    A policy that replays is asked at each access and call, points or not: a schedule needs no knowledge of what turned
    out to be shared.
    """

    task_class: ClassVar[type[Task]] = Walker
    clock_name: ClassVar[Clock] = "steps"

    def __init__(self, policy: Policy, shared: Shared, noted: bool = True) -> None:
        super().__init__(policy, None, noted)
        self._replay = policy if isinstance(policy, Replay) else None
        self.clock = 0  # nanoseconds, as the program sees them
        self.steps: list[Step] = []
        self.owner_called: Callable[[Any], str] = _type_name  # as in the trace, if there is one
        self.looked_at_the_clock = False
        self.waited_in_vain = False  # again and again, for what nobody had changed: the more turns, the more orders
        self.endless = False  # nobody who could change anything can go on, and somebody looks again and again
        self._shared = shared
        self._fresh: deque[Walker] = deque()  # they go on without a choice
        self._standing: list[Walker] = []
        self._passed = 0  # accesses and calls since another thread went on, points or not
        self._open = False  # a step is going on
        self._serials = Serials()
        self._touches: dict[PlaceKey, Touches] = {}
        self._places: dict[PlaceKey, tuple[Site, Any, Any]] = {}  # of runs that are noted: how each is reached

    def take_apart(self) -> None:
        super().take_apart()
        self._fresh, self._standing = deque(), []
        self._serials.forget_all()
        self._touches, self._places = {}, {}
        self.owner_called = _type_name

    def pending(self) -> list[Step]:
        """The steps that threads still stand before."""
        found = []
        over = not self.stop_now and not self.deadlocked
        for task in self._standing:
            uses = {**task.uses, _END: Use.READ} if over else task.uses  # the program's end came before it
            step = Step(task.number, task.stands, uses, task.takes)
            step.after = task.after
            found.append(step)
        return found

    @property
    def known(self) -> int:
        """How many objects have a number."""
        return self._serials.count

    def places_now(self) -> tuple[tuple[str, str], ...]:
        """What threads share and have touched so far, and what it is now."""
        return tuple((self.place_name(*access), value_now(*access)) for access in self._places.values())

    def place_name(self, site: Site, thing: Any, key: Any) -> str:
        """What the learner calls what an access touches."""
        if site.what == "attribute":
            return f"{self.owner_called(thing)}.{site.name}"
        if site.what in ("global", "variable"):
            return site.name
        name = self.object_name(thing, type(thing).__name__)
        return f"{name}[{key!r}]" if site.what == "item" else name

    # ---- points ----

    def access(self, site: Site, thing: Any, key: Any) -> None:
        """The current thread is about to touch data."""
        task: Any = self.current
        if self.ending or getcurrent() is not task.carrier:
            return
        kind: Any = type(thing)
        what = site.what
        if what == "attribute":
            site = with_name(site, key)
            if site.name.startswith("__") or issubclass(kind, thread_local):  # the interpreter's, or one thread's alone
                return
        self._passed += 1
        self.progress += 1
        if site.kind == "write":
            task.looks_anew()
            task.waited = None
        if what == "global" and site.name in NAMED:
            where = f"in line {site.line}"
            given = f"the function {site.name} is given away {where}"
            self.note_once(f"given away {where}", f"{given}: what its calls touch is not seen")
            return
        if what == "attribute" and is_container(kind) and callable(getattr(thing, site.name, None)):
            self.note_given_away(site.name, kind.__name__, site.line)
            return
        if what in ("item", "contents") and not may_hold_items(kind):
            return
        uses = self._uses(site, thing, key)
        for place, how in uses.items():
            touches = self._touches.get(place)
            if touches is None:
                touches = self._touches[place] = Touches()
            if touches.note(task.number, task.clock, site, how):
                for each in touches.sites:
                    self._shared.add(each)
        if site in self._shared:
            task.stands_at = site, thing, key
            if self.noted:
                self._places.setdefault(next(reversed(uses)), (site, thing, key))
            self._stand(_before_access(site), uses)
            task.stands_at = None
        elif self._passed % LONG == 0:  # it may wait by looking for what nobody else could do meanwhile
            self._stand(Before("call", "more of a long loop", site.line), {})
        elif self._replay is not None:
            self._preempted(task)

    def _uses(self, site: Site, thing: Any, key: Any) -> dict[PlaceKey, Use]:
        serial = self._serials.of(thing)
        writes = site.kind == "write"
        if site.what in ("attribute", "global"):
            place: PlaceKey = (serial, site.name)
            if site.what == "attribute":
                if writes and issubclass(type(thing), type):
                    self._shared.see_class_written(site.name)
                elif not writes and site.name in self._shared.of_classes:
                    looked_in = [(self._serials.of(cls), site.name) for cls in _looked_in(thing, site.name)]
                    return {**dict.fromkeys(looked_in, Use.READ), place: Use.READ}
        elif site.what == "item" and is_plain(key):
            if type(key) is int and key < 0 and isinstance(thing, list | deque | bytearray):
                key += len(thing)
            return {
                (serial,): Use.WRITE_ITEM if writes else Use.READ_ITEM,
                (serial, "", key): Use.WRITE if writes else Use.READ,
            }
        else:
            place = (serial,)
        return {place: Use.WRITE if writes else Use.READ}

    def point(self) -> None:
        """A call of a primitive begins; the thread stands before it where the primitive says what it is."""
        self.check()
        self.progress += 1

    def stand_before(self, primitive: Any, operation: Operation, how: Use, lock: Lockable | None = None) -> None:
        """The current thread has come to a primitive in `operation`; it can go on when `lock`, if any, is free."""
        task: Any = self.current
        if self.ending or operation.name in _INNER or getcurrent() is not task.carrier:
            return
        own = self.place(primitive)
        task.primitive = primitive
        if task.stood_before is not operation:
            task.stood_before = operation
            task.resumed = False
            found = operation.frame.f_locals.get("self") if operation.frame is not None else None
            family = underlying(found) or primitive
            task.family = self.place(family)
            if family is not primitive:
                how = Use.WRITE
            if getattr(family, "taken", False) and family.holder is task:
                how = Use.HOLD
            if operation.name in LOOKING:
                how = Use.READ
            takes = own if lock is not None and how is not Use.READ else None
            self._passed += 1
            if self.noted:
                task.called = name_of(found, self.object_name) if operation.name.startswith(_NAMED) else ""
            self._stand(Before("call", operation.name, operation.line), {task.family: how}, lock, takes)
            self._note_made(operation, task.called)
        elif lock is not None and own == task.family and (task.resumed or lock.taken):
            task.resumed = False
            self._passed += 1
            self._stand(Before("call", operation.name, operation.line), {own: Use.TAKE}, lock, own)

    def note_begun(self, name: str, line: int | None) -> int | None:
        """Nothing yet: the call is made when the thread, which comes to its point now, goes on."""
        return None

    def _note_made(self, operation: Operation, called: str) -> None:
        """Note the call that the thread stood before, now that it is made, and what it is a method of."""
        if self.noted and operation.frame is not None and operation.line is not None and operation.event is None:
            operation.event = self.record("call", operation.name, called, operation.line)

    def stand_before_looking(self, name: str, line: int | None, place: PlaceKey, at: str) -> None:
        """The current thread is about to look at what is none of the learner's data: a flag, a thread's life.

        `at` is what the learner calls it; nothing where whoever looks notes that, too.
        """
        if self.ending or not _is_current(self.current):
            return
        self.check()
        self.progress += 1
        self._passed += 1
        task: Any = self.current
        task.called = at
        self._stand(Before("call", name, line), {place: Use.READ})
        if at:
            self.record("call", name, at, line)

    def place(self, primitive: Any) -> PlaceKey:
        if isinstance(primitive, HasPlace):
            if primitive.place is None:
                primitive.place = (self._serials.of(primitive),)
            return primitive.place
        return (self._serials.of(primitive),)

    def use(self, primitive: "HasPlace", how: Use) -> None:
        """Note that the step that goes on uses a primitive."""
        if self.steps and not self.ending:
            self.steps[-1].use(primitive.place or self.place(primitive), how)

    def _stand(
        self, before: Before, uses: dict[PlaceKey, Use], lock: Lockable | None = None, takes: PlaceKey | None = None
    ) -> None:
        task: Any = self.current
        self._end_step()
        task.stands, task.uses, task.lock, task.takes = before, uses, lock, takes
        task.spins = task.only_looks and self._stands_as_before(task)
        if self._replay is None:
            self._leave(task)
        elif not self._preempted(task):
            if (lock is not None and lock.taken) or (task.spins and self._replay.is_used_up):
                self._leave(task)
            else:
                self._begin_step(task)

    def _step_aside(self, task: Walker) -> None:
        self._standing.append(task)
        task.enter(self.now, "ready")
        if self.noted and task.lock is not None and task.lock.taken:
            self._waits_for_lock(task, task.lock)

    def _leave(self, task: Walker) -> None:
        self._step_aside(task)
        self.switch(self._next(at_a_point=True))

    def _waits_for_lock(self, task: Walker, lock: Lockable) -> None:
        name, holder = lock.called, lock.holder
        task.waits = Wait(task.name, name, holder.name if holder is not None else None, task.stands.line, "lock")
        held = f", held by {holder.name}" if holder is not None else ""
        task.enter(self.now, "blocked", f"waits for {name}{held}", task.stands.line, "lock")

    def lock_changed(self, lock: Lockable) -> None:
        """A lock was taken or released: who stands before it waits from now on, or no longer."""
        if not self.noted or self.ending:
            return
        for task in self._standing:
            if task.lock is lock:
                if lock.taken:
                    self._waits_for_lock(task, lock)
                else:
                    task.waits = None
                    task.enter(self.now, "ready")

    def _preempted(self, task: Walker) -> bool:
        """Whether the schedule lets another thread go on instead of the current one, which has then come back."""
        others = [*self._fresh, *self._can_go_on()]
        try:
            chosen = self.policy.preempt(self._passed, others)
        except Exception as error:
            self.fail(error)
        if chosen is None:
            return False
        self._end_step()
        self._step_aside(task)
        self._go_on(others[chosen], at_a_point=True)
        self.switch(others[chosen])
        return True

    # ---- who goes on ----

    def start_first(self, child: Task) -> None:
        parent: Any = self.current
        walker: Any = child
        walker.after.append((parent.number, parent.steps))
        walker.clock = {**parent.clock, child.number: 1}
        parent.clock[parent.number] += 1
        self._fresh.append(walker)

    def joined(self, task: Task) -> None:
        """The current thread knows that `task` has ended."""
        me: Any = self.current
        walker: Any = task
        for number, when in walker.clock.items():
            me.clock[number] = max(me.clock.get(number, 0), when)
        me.after.append((task.number, walker.steps))

    def give_way(self) -> None:
        pass

    def work(self, seconds: float) -> None:
        self.check()
        self.clock = self.after(seconds)

    def after(self, seconds: float) -> int:
        return self.clock + max(1, round(seconds * 1e9))

    def wake(self, tasks: list[Task], cause: int | None) -> None:
        me: Any = self.current
        for task in list(tasks):
            walker: Any = task
            task.woken_by = cause
            if walker in self._standing:  # it may as well have given up before: neither has to come first
                self.steps[-1].overtakes.append(walker.number)
                self._standing.remove(walker)
                self._fresh.append(walker)
            elif walker not in self._fresh:
                walker.after.append((me.number, me.steps))
                self._fresh.append(walker)

    def block(
        self,
        state: State,
        label: str,
        until: int | None = None,
        on: On = "",
        holder: Task | None = None,
        what: str = "",
    ) -> bool:
        self.check()
        task: Any = self.current
        task.timed_out = False
        if state == "sleeping" and until is not None:
            self.clock = max(self.clock, until)
            return False
        line = task.operation.line if task.operation else None
        if self.noted:
            waits_for = (what or label).removeprefix("waits for ")
            task.waits = Wait(task.name, waits_for, holder.name if holder is not None else None, line, on)
        self._end_step()
        task.enter(self.now, state, label, line, on)
        if until is not None:
            task.until = until
            task.stands = Before("time-out", task.operation.name if task.operation else label, line)
            task.uses = {task.family: Use.WRITE}
            if on == "thread" and holder is not None:
                task.uses = {("thread", holder.number): Use.READ}
            task.lock = task.takes = None
            task.spins = self._waits_as_before(task)
            self._standing.append(task)
        self.switch(self._next())
        task.waits = None
        task.until = 0
        task.resumed = not task.timed_out
        return not task.timed_out

    def block_on_real(self, has_come: Callable[[float], bool], until: int | None) -> None:
        operation = self.current.operation
        where = f" in line {operation.line}" if operation and operation.line else ""
        self.fail(
            NotRepeatable(
                f"{self.current.name} waits for something real{where}, such as a socket or a process, which comes when "
                "it comes: explore a scenario that does without"
            )
        )

    def fail(self, error: Exception) -> None:
        """End the run with an error that no code of the learner's may catch."""
        self.failure, self.stop_now = error, "failed"
        raise StopRun from None

    @property
    def holds_up(self) -> bool:
        return bool(self._fresh or self._standing)

    def stand_before_the_end(self) -> None:
        """The current thread has done all that it does; its end matters where somebody may look at it."""
        task: Any = self.current
        if self.is_over or not _is_current(task):
            return
        self._passed += 1
        if self._shared.ends if task.number else any(not other.finished and other.daemon for other in self.tasks):
            ends = _END if task.number == 0 else ("thread", task.number)
            self._stand(Before("call", "its end", None), {ends: Use.WRITE})
        elif self._replay is not None:
            self._preempted(task)

    def look_at_thread(self, name: str, line: int | None, task: Task) -> None:
        """The current thread is about to look whether another one has ended."""
        self._shared.see_ends()
        at = task.name if name == "Thread.is_alive" else ""
        self.stand_before_looking(name, line, ("thread", task.number), at)

    def finish(self, task: Task) -> greenlet:
        self._end_step()
        return super().finish(task)

    def _can_go_on(self) -> list[Walker]:
        return [task for task in self._standing if task.lock is None or not task.lock.taken]

    def _next(self, at_a_point: bool = False) -> Task | greenlet:
        if self.stop_now:  # whoever swallowed the request to end makes no choices
            self._request_end()
        if self._fresh and self._replay is None:
            fresh = self._fresh[0]
            self._go_on(fresh, at_a_point)
            return fresh
        can = self._can_go_on()
        if self._replay is not None:
            can = [] if at_a_point else [*self._fresh, *can]
        else:
            standing, can = can, [task for task in can if not task.spins]
            can.sort(key=_number)
            self.endless = bool(standing and not can)
        if not can:
            self.endless |= at_a_point and self.current.spins  # type: ignore[attr-defined]
            self.deadlocked = not self.endless
            if self.endless:
                self.stop_now = "endless"
            return self.hub
        try:
            chosen = can[self.policy.choose(can)]
        except Cut:
            self.stop_now = "cut"
            raise StopRun from None
        except Exception as error:
            self.fail(error)
        self._go_on(chosen, at_a_point)
        return chosen

    def _go_on(self, task: Walker, at_a_point: bool) -> None:
        if task is not self.current or not at_a_point:
            self.choices.append(Preemption(self._passed, task.number) if at_a_point else task.number)
            self._passed = 0
        if self._fresh and task in self._fresh:
            self._fresh.remove(task)
            return
        self._standing.remove(task)
        task.waits = None
        if task.until:
            task.timed_out = True
            # A nanosecond more, as the library goes by seconds: rounded, there may be something left of its time.
            self.clock = max(self.clock, task.until + 1)
        self._begin_step(task)

    def _begin_step(self, task: Walker) -> None:
        if len(self.steps) >= MAX_STEPS:
            self.stop_now = "endless"
            raise StopRun
        # What it waits for is compared with what it waited for before, and must not grow with the step.
        uses = dict(task.uses) if task.until else task.uses
        step = Step(task.number, task.stands, uses, task.takes)
        step.after, task.after = task.after, []
        task.lock = task.takes = None
        self.steps.append(step)
        self._open = True
        task.steps += 1
        if task.state != "running":
            task.enter(self.now, "running")
        self.now += STEP // 2

    def _end_step(self) -> None:
        """The step that goes on is over, if one does; who looked at what it changed may look again."""
        if not self._open:
            return
        self._open = False
        self.now = len(self.steps) * STEP
        step = self.steps[-1]
        changed = [place for place, how in step.uses.items() if how not in LOOKS]
        mine: Any = self.tasks[step.thread]
        if mine.waited is not None and not self._changed_only_what_it_waits_for(mine, changed):
            mine.waited = None
        if changed:
            mine.looks_anew()
        walker: Any
        for walker in self.tasks:
            if walker.spins and walker.until and walker is not mine:
                walker.spins = False
                walker.after.append((step.thread, mine.steps))
            if changed and walker.looked_at and not walker.looked_at.isdisjoint(changed):
                if walker.spins:
                    walker.after.append((step.thread, mine.steps))
                walker.looks_anew()
        if not changed:
            mine.only_looks = True
            mine.looked_at.update(step.uses)

    def _stands_as_before(self, task: Walker) -> bool:
        """Whether it stands where it stood, with nothing changed since of what it has looked at or keeps itself."""
        if not task.looked_at.issuperset(task.uses):
            return False
        where = (task.stands, *task.uses)
        state = _state_of(_getframe(2))
        before, task.visits[where] = task.visits.get(where), state
        return before == state

    def _waits_as_before(self, task: Walker) -> bool:
        """Whether it gave up this very wait and has come back to it, with nothing done since by anybody."""
        now = task.stands, task.uses, _state_of(_getframe(2)), len(self.steps) - task.steps
        before, task.waited, task.known = task.waited, now, self.known
        again, task.waited_in = task.waited_in is task.operation, task.operation
        if again:  # the library waits once more in one and the same call, for what is left of its time
            return False
        self.waited_in_vain |= before == now
        return before == now

    def _changed_only_what_it_waits_for(self, task: Walker, changed: list[PlaceKey]) -> bool:
        """Or what it has made itself since it began to wait: a condition has a new lock for each wait."""
        assert task.waited is not None
        return all(place in task.waited[1] or (place[0] != "thread" and place[0] > task.known) for place in changed)

    def stuck(self) -> Stuck | None:
        if self.endless:
            return Stuck(
                f"never ends: after {len(self.steps)} steps only threads that look again and again can go on, and "
                "nobody is left to change what they look at"
            )
        if self.stop_now == "endless" and len(self.steps) >= MAX_STEPS:
            return CutOff(f"still going after {MAX_STEPS:,} steps in {self.current.name}: a loop seems to have no end")
        return super().stuck()

    def looks_at_the_clock(self, frame: FrameType | None) -> None:
        """Note that the learner's code asks what time it is, which a step does not say."""
        while frame is not None and KIND[frame.f_code.co_filename] == OWN:
            frame = frame.f_back
        if frame is not None and KIND[frame.f_code.co_filename] == LEARNERS:
            self.looked_at_the_clock = True


@lru_cache(maxsize=1000)
def _before_access(site: Site) -> Before:
    return Before(site.kind, site.name or "[]", site.line)


def _looked_in(thing: Any, attribute: str) -> list[type]:
    """The classes in which an attribute of an object, or of a class, is looked for: up to that which has it."""
    is_class = issubclass(type(thing), type)
    if not is_class:
        try:
            if attribute in object.__getattribute__(thing, "__dict__"):
                return []  # a property of that name would come first, but is not written
        except AttributeError:  # it has slots alone
            pass
    classes: list[type] = []
    for cls in thing.__mro__ if is_class else type(thing).__mro__:
        classes.append(cls)
        if attribute in vars(cls):
            break
    return [cls for cls in classes if cls is not thing]


_number = attrgetter("number")


def _type_name(thing: Any) -> str:
    return type(thing).__name__


def _is_current(task: Any) -> bool:
    return getcurrent() is task.carrier


_UNDER = ("mutex", "_cond", "_condition", "_lock", "_block")  # where the library's primitives keep what they stand on


def underlying(called: Any) -> Any:
    """The lock under a primitive of the library's: calls of those that share one may disturb one another."""
    for _ in range(len(_UNDER)):
        inner = next((vars(called)[name] for name in _UNDER if name in getattr(called, "__dict__", ())), None)
        if inner is None:
            return called if hasattr(called, "taken") else None
        called = inner
    return None


def _state_of(frame: FrameType | None) -> list[Any]:
    """What the current thread's own frames hold: plain values as they are, others by who they are."""
    state: list[Any] = []
    while frame is not None:
        if KIND[frame.f_code.co_filename] == LEARNERS:
            kept = [(name, each if type(each) in PLAIN else id(each)) for name, each in frame.f_locals.items()]
            state.append((id(frame.f_code), frame.f_lasti, kept))
        frame = frame.f_back
    return state
