"""A simulated run that goes step by step: a policy says, at each point, which thread makes the next step.

A thread runs on until it stands before a point: an access of what threads share, or a call of a primitive.  Only when
every thread that can go on stands before one is there a choice; what the chosen thread then does until its next point
is one step.  Starting and joining threads, making a lock and the library's own inner steps are no points.  Durations do
not count: a sleep, and the wait for a time-out, may last as long as the others take.
"""

from _threading_local import local as thread_local
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from types import FrameType
from typing import Any, ClassVar

from greenlet import getcurrent, greenlet

from ..errors import CutOff, NotRepeatable, StopRun, Stuck
from ..learner.code import KIND, LEARNERS, OWN
from ..learner.places import NAMED, Site, is_container, may_hold_items, value_now, with_name
from ..schedule import Policy, Preemption, Replay
from ..trace import Clock, On, State, Wait
from .accesses import Accesses, HasPlace, before_access
from .fairness import end_of_step, stands_as_before, waits_as_before
from .shared import Shared
from .simulator import Simulator
from .steps import Before, PlaceKey, Step, Use
from .tasks import Task
from .walker import Lockable, Walker

STEP = 1_000_000_000  # of the trace's scale: a step is as wide as a second
LONG = 1_000  # accesses of what is not shared, after which the others get their turn
MAX_STEPS = 5_000  # of a run; what goes on longer is cut off


_END: PlaceKey = ("thread", 0)  # of the program


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
        self.shared = shared
        self._fresh: deque[Walker] = deque()  # they go on without a choice
        self._standing: list[Walker] = []
        self.passed = 0  # accesses and calls since another thread went on, points or not
        self._open = False  # a step is going on
        self._accesses = Accesses(shared)
        self._places: dict[PlaceKey, tuple[Site, Any, Any]] = {}  # of runs that are noted: how each is reached

    def take_apart(self) -> None:
        super().take_apart()
        self._fresh, self._standing = deque(), []
        self._accesses.forget_all()
        self._places = {}
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
        return self._accesses.known

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
        self.passed += 1
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
        uses = self._accesses.uses(site, thing, key)
        self._accesses.note(task, site, uses)
        if site in self.shared:
            task.stands_at = site, thing, key
            if self.noted:
                self._places.setdefault(next(reversed(uses)), (site, thing, key))
            self.stand(before_access(site), uses)
            task.stands_at = None
        elif self.passed % LONG == 0:  # it may wait by looking for what nobody else could do meanwhile
            self.stand(Before("call", "more of a long loop", site.line), {})
        elif self._replay is not None:
            self._preempted(task)

    def point(self) -> None:
        """A call of a primitive begins; the thread stands before it where the primitive says what it is."""
        self.check()
        self.progress += 1

    def note_begun(self, name: str, line: int | None) -> int | None:
        """Nothing yet: the call is made when the thread, which comes to its point now, goes on."""
        return None

    def place(self, primitive: Any) -> PlaceKey:
        return self._accesses.place(primitive)

    def use(self, primitive: "HasPlace", how: Use) -> None:
        """Note that the step that goes on uses a primitive."""
        if self.steps and not self.ending:
            self.steps[-1].use(primitive.place or self._accesses.place(primitive), how)

    def stand(
        self, before: Before, uses: dict[PlaceKey, Use], lock: Lockable | None = None, takes: PlaceKey | None = None
    ) -> None:
        task: Any = self.current
        self._end_step()
        task.stands, task.uses, task.lock, task.takes = before, uses, lock, takes
        task.spins = task.only_looks and stands_as_before(task)
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
            chosen = self.policy.preempt(self.passed, others)
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
            task.spins = waits_as_before(task, len(self.steps), self.known)
            self.waited_in_vain |= task.spins
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
        self.passed += 1
        if self.shared.ends if task.number else any(not other.finished and other.daemon for other in self.tasks):
            ends = _END if task.number == 0 else ("thread", task.number)
            self.stand(Before("call", "its end", None), {ends: Use.WRITE})
        elif self._replay is not None:
            self._preempted(task)

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
            self.choices.append(Preemption(self.passed, task.number) if at_a_point else task.number)
            self.passed = 0
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
        end_of_step(step, self.tasks)

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


_number = attrgetter("number")


def _type_name(thing: Any) -> str:
    return type(thing).__name__


def _is_current(task: Any) -> bool:
    return getcurrent() is task.carrier
