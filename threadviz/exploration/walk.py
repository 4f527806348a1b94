"""A walk: a run that somebody else leads, step by step, who may go back to any step.

Nothing stays in place between two steps: each one runs the scenario again from its start to there.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType
from typing import Any

from ..errors import NotRepeatable
from ..learner.code import is_learners
from ..learner.places import short, value_now
from ..run import Run
from ..schedule import InOrder
from ..simulation.one_run import Simulation
from ..simulation.shared import Shared
from ..simulation.stepping import Cut, Stepping
from ..simulation.walker import Walker
from ..stage.stage import Finished, exclusively
from .search import Search

FEW_RUNS = 60  # at most, to find out what threads share before the first step


@dataclass(frozen=True)
class Stand:
    """Where one thread stands."""

    number: int
    name: str
    can_go: bool
    tells: str  # what its next step will do, or why it cannot go
    line: int | None  # of the code that it is in
    code: CodeType | None
    variables: tuple[tuple[str, str], ...]  # of that code, and what they are


@dataclass(frozen=True)
class State:
    """Where a walk has come to."""

    run: Run  # up to here
    stands: tuple[Stand, ...]  # of every thread that has not ended
    places: tuple[tuple[str, str], ...]  # what threads share, and what it is now
    is_over: bool


class Walk:
    """The choices made so far, and where they lead."""

    def __init__(self, call: str, program: partial[Any]) -> None:
        self._call, self._program = call, program
        self._shared = Shared()
        self.choices: list[int] = []
        self._first: list[int] = []  # choices that nobody made: the main thread was alone
        self._get_to_know()
        self.go_to([])
        self._first = self._alone()

    def choose(self, number: int) -> None:
        """Let a thread make its next step; ValueError for one that cannot go on, or that there is not."""
        for stand in self.state.stands:
            if stand.number == number and stand.can_go:
                self._go([*self.choices, number], self._known())
                return
        self._refuse(number)

    def undo(self) -> None:
        """Go back by a step; nothing where none was made."""
        if self.can_undo:
            self._go(self.choices[:-1], self._known())

    @property
    def steps(self) -> int:
        """How many steps somebody has chosen."""
        return len(self.choices) - len(self._first)

    @property
    def can_undo(self) -> bool:
        return self.steps > 0

    def reset(self) -> None:
        """Go back to where there is the first choice."""
        self.go_to(self._first)

    def go_to(self, choices: Sequence[int]) -> None:
        """Make the steps of a run that was explored, from the start."""
        self._go(choices, None)

    def _go(self, choices: Sequence[int], known: Shared | None) -> None:
        """Make steps from the start that were chosen when only this was known to be shared.

        Where one of them shows that threads share more, there are more points from now on, and a step is shorter.
        The steps then are as many short ones as it takes to come to the same place.
        """
        led = _Led(choices)
        done = self._lead(led)
        while self._shared.take_growth():
            self._get_to_know()
            led = _Led(choices, known)
            done = self._lead(led)
            self._first = led.made[: led.alone]
        self.state = State(Run(self._call, done), tuple(led.stands or ()), led.places, led.stands is None)
        self.choices = led.made

    def _known(self) -> Shared:
        known = Shared()
        known.update(self._shared)
        return known

    def _lead(self, led: "_Led") -> Finished:
        with exclusively(), Simulation(self._program, steps=True, shared=self._shared) as simulation:
            return simulation.run(led)

    def _alone(self) -> list[int]:
        """Let the main thread go on as long as it is the only one: nobody has a choice there."""
        while len(self.state.stands) == 1 and self.state.stands[0].can_go and not self.state.is_over:
            self._go([*self.choices, self.state.stands[0].number], self._known())
        return self.choices

    def _refuse(self, number: int) -> None:
        for stand in self.state.stands:
            if stand.number == number:
                raise ValueError(f"{stand.name} cannot go on: {stand.tells}")
        raise ValueError(
            "the run is over: undo a step, or begin anew" if self.state.is_over else f"there is no thread {number} now"
        )

    def _get_to_know(self) -> None:
        """Find out what threads share."""
        with exclusively(), Simulation(self._program, steps=True, noted=False, shared=self._shared) as simulation:
            grew = True
            while grew:
                grew = False
                search = Search(1)
                for _ in range(FEW_RUNS):
                    simulation.run(search)
                    stepping = simulation.newest
                    assert isinstance(stepping, Stepping)
                    grew |= self._shared.take_growth()
                    search.analyse(stepping)
                    if grew or not search.advance():
                        break
            simulation.run(InOrder())


class _Led:
    """A policy that makes the choices it was given, looks where every thread stands then, and wants no more.

    Choices that were made when less was known to be shared are made as if it still were: before each of them a thread
    goes on until it stands where it stood then.  After the last one it stands before the first point that is new.
    """

    preempts = False

    def __init__(self, choices: Sequence[int], known: Shared | None = None) -> None:
        self._choices, self._known = choices, known
        self.made: list[int] = []
        self.alone = 0  # of these the first ones that nobody chose: there was only one thread
        self.stands: list[Stand] | None = None
        self.places: tuple[tuple[str, str], ...] = ()
        self._simulator: Stepping | None = None

    def begin(self) -> None:
        self._used = 0
        self.made = []
        self.alone = 0

    def choose(self, threads: Sequence[Any]) -> int:
        self._simulator = simulator = threads[0].simulator
        self.places = simulator.places_now()
        index = self._index(threads)
        if index is None:
            self.stands = _stands(simulator, [each.number for each in threads])
            raise Cut
        if self.alone == len(self.made) and sum(not task.finished for task in simulator.tasks) == 1:
            self.alone += 1
        self.made.append(threads[index].number)
        return index

    def _index(self, threads: Sequence[Any]) -> int | None:
        """Whose step is next, or None after the last one."""
        if self._used == len(self._choices):
            return None
        if self._known is not None:
            for index, each in enumerate(threads):
                if _is_new(each, self._known):
                    return index
        wanted, self._used = self._choices[self._used], self._used + 1
        for index, each in enumerate(threads):
            if each.number == wanted:
                return index
        if self._known is not None:
            return None  # what was found out makes it another run: it is led as far as it is the same
        raise NotRepeatable(
            f"thread {wanted} cannot go on at step {self._used}, where it could before: the scenario does not do the "
            "same when it is run in the same way"
        )

    def preempt(self, access: int, threads: Sequence[Any]) -> int | None:
        return None

    def finish(self) -> None:
        if self._simulator is None:
            return
        now = self._simulator.places_now()  # after the last step; the names were in frames that are gone
        names = [name for name, _ in self.places]
        self.places = tuple((named, value) for named, (_, value) in zip(names, now, strict=False)) + now[len(names) :]


def _is_new(task: Walker, known: Shared) -> bool:
    """Whether a thread stands before a point that was none as long as only this was known."""
    if task.stands_at is not None:
        return task.stands_at[0] not in known
    return task.stands.what == "its end" and task.number != 0 and not known.ends


def _stands(simulator: Stepping, can_go: list[int]) -> list[Stand]:
    found = []
    for task in simulator.tasks:
        if task.finished:
            continue
        assert isinstance(task, Walker)
        frame: FrameType | None = task.frame or sys._getframe()  # of the one that has just come to its point
        while frame is not None and not is_learners(frame.f_code.co_filename):
            frame = frame.f_back
        variables: list[tuple[str, str]] = []
        if frame is not None:
            variables = [(name, short(value)) for name, value in frame.f_locals.items() if short(value)]
        found.append(
            Stand(
                task.number,
                task.name,
                task.number in can_go,
                _next_step(simulator, task) if task.number in can_go else _why_not(task),
                frame.f_lineno if frame is not None else None,
                frame.f_code if frame is not None else None,
                tuple(variables),
            )
        )
    return found


def _next_step(simulator: Stepping, task: Walker) -> str:
    before = task.stands
    if task.stands_at is not None:
        site, name = task.stands_at[0], simulator.place_name(*task.stands_at)
        now = value_now(*task.stands_at)
        if site.what == "contents":
            return f"{'changes' if site.kind == 'write' else 'looks at'} {name} ({site.name})"
        return f"{site.kind}s {name}" + (f", which is {now}" if now else "")
    if before.kind == "time-out":
        return f"gives up {before.what}: its time is over"
    if before.what == "its end":
        return "ends"
    lock = getattr(task.primitive, "called", "") if before.what.startswith(("Lock.", "RLock.", "Condition.")) else ""
    if lock and before.what.endswith((".acquire", ".__enter__")):
        return f"takes {lock}"
    if lock and before.what.endswith((".release", ".__exit__")):
        return f"lets go of {lock}"
    of = f" of {task.called}" if task.called and before.kind == "call" else ""
    return _OF_A_POOL.get(before.what) or f"calls {before.what}{of}"


_OF_A_POOL = {  # what the library calls, on a worker, around a call that was submitted
    "Future.set_running_or_notify_cancel": "begins the next call of the pool",
    "Future.set_result": "hands in what its call returned",
    "Future.set_exception": "hands in what its call raised",
}


def _why_not(task: Walker) -> str:
    if task.waits is None:
        return "would only look again at what is as it was" if task.spins else "waits"
    holder = f", held by {task.waits.holder}" if task.waits.holder and task.waits.on == "lock" else ""
    return f"waits for {task.waits.what}{holder}"
