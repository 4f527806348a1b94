"""Makes the runs of an exploration, on one stage, and keeps what came of them."""

from collections import Counter
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

from ..calls import asked, outcome_text
from ..errors import CutOff, NotRepeatable, Stuck, Unseen
from ..schedule import InOrder
from ..simulation.one_run import Simulation
from ..simulation.shared import Shared
from ..simulation.stepping import MAX_STEPS, Stepping
from ..simulation.steps import Step
from ..stage.stage import Finished, exclusively
from ..texts import counted
from .parts import ALONE, Done, Part, as_sent, spread
from .progress_bar import ProgressBar
from .search import Search

FEW_PREEMPTIONS = (0, 1)  # that are tried before anything else, as most races need no more
FIRST_RUNS = 30  # at most, for each of these
MOST_GOING_ON = 10  # runs that are cut off because they go on and on, until the search is given up
NEVER_ENDS = "never ends"  # the outcome of a run in which nobody can change what the others wait for
CUT_OFF = "cut off after "  # so begins the outcome of one that was ended at the limit of steps
SIMPLER_RUNS = 1_000  # at most, to find a counterexample with fewer preemptions


class Example:
    """The simplest run so far with one outcome."""

    def __init__(self, done: Finished, preemptions: int, choices: list[int]) -> None:
        self.schedule = done.schedule
        self.cost = preemptions, len(choices)
        self.choices = choices  # the thread of each step
        self.cut_off = isinstance(done.error, CutOff)  # which is no proof that it goes wrong
        self.failed = done.error is not None or done.deadlocked or bool(done.errors)
        self.value = done.value
        self.unexpected: bool | None = None  # whether another process, which keeps the value, found that it fails

    @property
    def rank(self) -> tuple[bool, tuple[int, int], list[int]]:
        """Smaller for what is simpler, and a run that came to its end; never the same for two runs."""
        return self.cut_off, self.cost, self.choices

    def is_simpler_than(self, other: "Example | None") -> bool:
        return other is None or (self.cut_off, self.cost) < (other.cut_off, other.cost)


class Limits(NamedTuple):
    """How far a search goes."""

    max_runs: int
    preemptions: int | None


class Found:
    """What is known so far."""

    def __init__(self, expect: Any) -> None:
        self.expect = expect
        self.complete = False
        self.notes: list[str] = []
        self.begin_anew()

    def begin_anew(self) -> None:
        self.runs = 0
        self.classes: Counter[Any] = Counter()
        self.orders: Counter[Any] | None = Counter()  # None where they are too many to count
        self.examples: dict[Any, Example] = {}
        self.simplest: Example | None = None  # of the runs that do not meet what was expected
        self.unasked = ""  # why what was expected could not be asked of a value
        self.going_on = 0  # runs that were cut off
        self.doubts: set[str] = set()  # sentences that say why this may not be the whole

    @property
    def counts(self) -> str:
        return "interleavings" if self.orders is not None and self.complete else "inequivalent interleavings"

    @property
    def goes_on_and_on(self) -> bool:
        """Whether so many runs had to be cut off that more of them would only take time."""
        return self.going_on >= MOST_GOING_ON

    def outcomes(self) -> Counter[Any]:
        return self.orders if self.orders is not None and self.complete else self.classes

    def fails(self, example: Example) -> bool:
        """Whether a run does not meet what was expected."""
        if example.unexpected is not None:
            return example.unexpected
        if example.failed or self.expect is None:
            return example.failed
        if callable(self.expect):
            holds, why_not = asked(self.expect, example.value, "expect")
            self.unasked = self.unasked or why_not
            return not holds
        return bool(example.value != self.expect)

    def keep(self, done: Finished, preemptions: int, choices: list[int]) -> Any:
        """Keep a run if it is the simplest with its outcome, or that fails; returns its outcome."""
        outcome = outcome_of(done)
        example = Example(done, preemptions, choices)
        if example.is_simpler_than(self.simplest) and self.fails(example):
            self.simplest = example
        if example.is_simpler_than(self.examples.get(outcome)):
            self.examples[outcome] = example
        return outcome

    def add(self, other: "Found") -> None:
        """What another process has found besides."""
        self.runs += other.runs
        self.classes.update(other.classes)
        if self.orders is None or other.orders is None:
            self.orders = None
        else:
            self.orders.update(other.orders)
        for outcome, example in other.examples.items():
            if outcome not in self.examples or example.rank < self.examples[outcome].rank:
                self.examples[outcome] = example
        if other.simplest is not None and (self.simplest is None or other.simplest.rank < self.simplest.rank):
            self.simplest = other.simplest
        self.unasked = self.unasked or other.unasked
        self.going_on += other.going_on
        self.doubts |= other.doubts

    def end(self, ended: bool, limits: Limits, bound_cut: bool) -> None:
        """The search is over, because it has `ended` or because a limit cut it short."""
        self.complete = ended and not bound_cut
        if limits.preemptions is not None:
            self.orders = self.classes if self.complete else None
        if self.goes_on_and_on:
            self.notes.append("given up: run after run goes on and on, as where a loop tries again without end")
        elif not ended:
            self.notes.append(f"given up after {limits.max_runs:,} runs: max_runs= says how many there may be")
        elif bound_cut and limits.preemptions is not None:
            bound = counted(limits.preemptions, "preemption")
            self.notes.append(f"only interleavings with at most {bound} were tried")
        if self.unasked:
            self.notes.append(self.unasked)
        if self.doubts:
            self.complete = False
            self.notes += sorted(self.doubts)


class Explorer:
    """Makes the runs, on one stage."""

    def __init__(self, simulation: Simulation, found: Found, limits: Limits, progress: ProgressBar | None) -> None:
        self._simulation = simulation
        self._progress = progress
        self._found = found
        self._limits = limits

    def explore(self, alone: int) -> Search | None:
        """Make all runs, or `alone` of the last search; returns that search where something is left of it."""
        self._check_repeatable()
        while True:
            search = Search(self._limits.preemptions)
            ended = self._all(search, min(alone, self._limits.max_runs))
            if ended is not None:
                break
            self._found.begin_anew()  # something turned out to be shared only now
        if not ended and self._found.runs < self._limits.max_runs and not self._found.goes_on_and_on:
            return search
        self._found.doubts.update(self._simulation.unseen)
        self._found.end(ended, self._limits, search.bound_cut)
        return None

    def make(self, part: Part) -> Done:
        """Make a part of a search."""
        search = part.begin(self._limits.preemptions)
        ended = self._search(search, part.most, self._found.classes)
        if ended is None:
            return Done(self._found, shared=self._simulation.shared)
        above, nodes = part.left(search)
        return Done(self._found, above, nodes, search.bound_cut)

    def _all(self, search: Search, most: int) -> bool | None:
        """Make all runs, or so many of the last search; whether they were all, None when they are to be made again."""
        found = self._found
        if search.preemptions is None:
            for bound in FEW_PREEMPTIONS:
                if self._search(Search(bound), min(FIRST_RUNS, self._limits.max_runs)) is None:
                    return None
                if found.simplest is not None:
                    break
            found.runs = 0
        return self._search(search, most, found.classes)

    def look_for_a_simpler_one(self) -> None:
        """Find a run that fails with fewer preemptions than the simplest so far, if it takes not too long."""
        left = SIMPLER_RUNS
        for bound in range(self._found.simplest.cost[0] if self._found.simplest is not None else 0):
            before = self._found.runs
            ended = self._search(Search(bound), left)
            left -= self._found.runs - before
            if ended is None or left <= 0 or (self._found.simplest and self._found.simplest.cost[0] == bound):
                break

    def _search(self, search: Search, most: int, counted_in: Counter[Any] | None = None) -> bool | None:
        """Make the runs of one search; whether they were all, None when something turned out to be shared only now.

        A search without `counted_in` ends with the first run that fails.
        """
        found, shared = self._found, self._simulation.shared
        assert shared is not None
        for _ in range(most):
            done, stepping = self._run(search)
            found.runs += 1
            if self._progress is not None:
                self._progress.step()
            if shared.grew:
                shared.grew = False
                return None
            goes_on = isinstance(done.error, CutOff)
            search.analyse(stepping, goes_on)
            if stepping.stop_now != "cut":
                outcome = found.keep(done, search.preemptions_made(), [step.thread for step in stepping.steps])
                if counted_in is not None:
                    counted_in[outcome] += 1
                    self._count_orders(search, stepping, outcome)
                elif found.simplest is not None and found.simplest.cost[0] <= (search.preemptions or 0):
                    return True
            if not search.advance():
                return True
            if found.goes_on_and_on:
                return False
        return False

    def _count_orders(self, search: Search, stepping: Stepping, outcome: Any) -> None:
        orders = self._found.orders
        if orders is None or search.preemptions is not None:
            return
        cut_short = not stepping.deadlocked and stepping.pending()  # by the program's end, with daemon threads left
        number = None if cut_short or stepping.waited_in_vain else search.interleavings()
        if number is None:
            self._found.orders = None
        else:
            orders[outcome] += number

    def _run(self, policy: Any) -> tuple[Finished, Stepping]:
        done = self._simulation.run(policy)
        stepping = self._simulation.newest
        assert isinstance(stepping, Stepping)
        if isinstance(done.error, Stuck) and not isinstance(done.error, CutOff) and not stepping.endless:
            raise done.error
        doubts = self._found.doubts
        if stepping.looked_at_the_clock:
            doubts.add("the scenario looks at the clock, and what it says is not explored")
        if isinstance(done.error, CutOff):
            self._found.going_on += 1
            doubts.add(f"a run was still going after {MAX_STEPS:,} steps, and may have an end after all")
        doubts.update(note for note in stepping.events.notes if "given away" in note)
        return done, stepping

    def get_to_know(self) -> None:
        """Find out what is shared, as far as one run of each thread at a time says it."""
        shared = self._simulation.shared
        assert shared is not None
        shared.grew = True
        while shared.grew:
            shared.grew = False
            self._run(InOrder())

    def _check_repeatable(self) -> None:
        """NotRepeatable where a second run with the same choices differs from the first one."""
        shared = self._simulation.shared
        assert shared is not None
        made: list[tuple[Any, list[Step]]] = []
        while len(made) < 2:
            done, stepping = self._run(InOrder())
            if shared.grew:
                shared.grew = False
                made.clear()
                continue
            made.append((outcome_of(done), stepping.steps))
        (one, steps), (other, again) = made
        where = next((i for i, (a, b) in enumerate(zip(steps, again, strict=False)) if a.before != b.before), None)
        if one == other and where is None and len(steps) == len(again):
            return
        differ = f"the first one ends with {shown(one)} and the second one with {shown(other)}"
        if one == other:
            differ = f"they part at step {(where if where is not None else min(len(steps), len(again))) + 1}"
        raise NotRepeatable(
            f"two runs with the same choices differ: {differ}; a scenario that is explored must build all that it "
            "changes itself, and use neither chance nor the clock nor the outside world"
        )


def outcome_of(done: Finished) -> Any:
    """What a run ended with, as something that can be counted."""
    if done.deadlocked:
        return "deadlock"
    if isinstance(done.error, CutOff):
        return cut_off()
    if isinstance(done.error, Stuck):
        return NEVER_ENDS
    if done.error is not None:
        return outcome_text(None, done.error)
    try:
        hash(done.value)
    except TypeError:
        return outcome_text(done.value, None)
    # Two objects that are equal only when they are the same one are told by what they show of themselves.
    by_identity = "__eq__" not in {name for cls in type(done.value).__mro__[:-1] for name in vars(cls)}
    return outcome_text(done.value, None) if by_identity and done.value is not None else done.value


def look_for_a_simpler_one(call: str, program: partial[Any], found: Found) -> None:
    """Find a run that fails with fewer preemptions than the simplest so far, if it takes not too long."""
    with exclusively(), ProgressBar(call) as progress, Simulation(program, steps=True, noted=False) as simulation:
        explorer = Explorer(simulation, found, Limits(SIMPLER_RUNS, None), progress)
        explorer.get_to_know()
        explorer.look_for_a_simpler_one()


def explore_all(call: str, program: partial[Any], found: Found, limits: Limits, executor: Executor | None) -> None:
    """Make all runs, from the first hundred on in other processes where there is an `executor`."""
    shared = Shared()
    if executor is not None:
        program = as_sent(program)
    with ProgressBar(call) as progress:
        while True:
            with exclusively(), Simulation(program, steps=True, noted=False, shared=shared) as simulation:
                if not simulation.seen:
                    raise Unseen(
                        f"no access in {call.partition('(')[0]}() can be seen, so nothing would be explored: explore a "
                        "function that is written in Python, in a file or cell of your own"
                    )
                explorer = Explorer(simulation, found, limits, progress)
                search = explorer.explore(limits.max_runs if executor is None else ALONE)
                found.doubts.update(simulation.unseen)
            if search is None or executor is None:
                break
            if _have_made_elsewhere(program, executor, search, found, shared, limits, progress):
                break
            found.begin_anew()


def _have_made_elsewhere(
    program: partial[Any],
    executor: Executor,
    search: Search,
    found: Found,
    shared: Shared,
    limits: Limits,
    progress: ProgressBar,
) -> bool:
    """Have other processes make what is left of a search; False when it is to be made anew, as more is `shared`."""
    known = len(shared)

    def keep(done: Done) -> bool:
        if done.shared is not None:
            shared.update(done.shared)
            return False
        found.add(done.found)
        progress.step(done.found.runs)
        search.bound_cut |= done.bound_cut
        return not found.goes_on_and_on

    make = partial(_elsewhere, program, found.expect, shared, limits)
    ended = spread(executor, make, search, limits.max_runs - found.runs, keep)
    if len(shared) > known:
        return False
    found.end(ended, limits, search.bound_cut)
    return True


def _elsewhere(program: partial[Any], expect: Any, shared: Shared, limits: Limits, part: Part) -> Done:
    """Make a part of a search, in another process."""
    found = Found(expect)
    with exclusively(), Simulation(program, steps=True, noted=False, shared=shared) as simulation:
        done = Explorer(simulation, found, limits, None).make(part)
        found.doubts.update(simulation.unseen)
    for example in (found.simplest, *found.examples.values()):
        if example is not None:
            example.unexpected = found.fails(example)
            example.value = None  # it may be large, or nothing that can be sent
    found.expect = None
    return done


def shown(outcome: Any) -> str:
    return outcome if is_no_value(outcome) else outcome_text(outcome, None)


def cut_off() -> str:
    """The outcome of a run that was ended at the limit of steps."""
    return f"{CUT_OFF}{MAX_STEPS:,} steps"


def is_no_value(outcome: Any) -> bool:
    """Whether an outcome says that a run came to no end, or was not seen to."""
    return isinstance(outcome, str) and (outcome in ("deadlock", NEVER_ENDS) or outcome.startswith(CUT_OFF))
