"""Which runs are worth making.

Two interleavings are equivalent when they differ only in the order of steps that do not disturb one another.  Source
sets with sleep sets make one run of each class: Abdulla, Aronsson, Jonsson and Sagonas, Optimal dynamic partial order
reduction, POPL 2014.  A search with a bound on preemptions makes every run that has no more of them: Musuvathi and
Qadeer, Iterative context bounding for systematic testing of multithreaded programs, PLDI 2007.
"""

from collections.abc import Sequence
from typing import Any

from ..errors import NotRepeatable
from ..simulation.stepping import Cut, Stepping
from ..simulation.steps import Before, PlaceKey, Step, Use, disturb

BEGINNING = 50  # steps of a run that was cut off
MAX_ORDERS = 50_000  # states that are gone through to count the interleavings of one class


class Node:
    """A choice in the run that is made now: who could go on, who did, and who is still to be tried."""

    __slots__ = ("chosen", "clock", "count", "cut_off", "known", "last", "ready", "spent", "step", "todo", "tried")

    def __init__(self, ready: dict[int, Before], known: int) -> None:
        self.ready = ready
        self.known = known  # how many objects had a number: only these have the same one in each run from here on
        self.chosen = -1
        self.todo: set[int] = set()
        # Asleep: to let them go on here, or after steps that do not disturb theirs, would only repeat a run.  None for
        # those after which a run was cut off: what comes after that is not known.
        self.tried: dict[int, Step | None] = {}
        self.cut_off = False  # so was a run in which the one that is chosen now goes on
        self.step: Step | None = None  # that was made from here
        self.clock: dict[int, int] = {}  # how many steps of each thread come before or with it
        self.count = 0  # of the steps of its thread, with it
        self.last = -1  # the thread that went on before
        self.spent = 0  # preemptions up to here

    def leading_to(self, chosen: int) -> "Node":
        """A copy for a search that only passes here; what was tried matters to whoever tries something else."""
        node = Node(self.ready, self.known)
        node.chosen, node.todo, node.last, node.spent = chosen, set(self.todo), self.last, self.spent
        return node


class Search:
    """A policy that makes one run after the other until there is none left that is worth it."""

    preempts = False
    is_used_up = False

    def __init__(self, preemptions: int | None = None) -> None:
        """With a number of `preemptions`: every interleaving with at most so many, instead of one of each class."""
        self.preemptions = preemptions
        self.bound_cut = False  # a bound kept runs from being made
        self.stack: list[Node] = []
        self._known = 0  # choices of the run before that are made again, whose steps were looked at then
        self.floor = 0  # what was chosen before this number of choices is none of this search's business

    # ---- as a policy ----

    def begin(self) -> None:
        self._depth = 0

    def choose(self, threads: Sequence[Any]) -> int:
        depth, self._depth = self._depth, self._depth + 1
        ready = {each.number: each.stands for each in threads}
        if depth < len(self.stack):
            node = self.stack[depth]
            if node.ready != ready:
                raise _differs(node.ready, ready)
        else:
            node = self._new(ready, threads[0].simulator)
        return list(ready).index(node.chosen)

    def preempt(self, access: int, threads: Sequence[Any]) -> int | None:
        return None

    def finish(self) -> None:
        pass

    def _new(self, ready: dict[int, Before], run: Stepping) -> Node:
        node = Node(ready, run.known)
        above = self.stack[-1] if self.stack else None
        if above is not None:
            node.last = above.chosen
            node.spent = above.spent + _is_preemption(above, above.chosen)
        if self.preemptions is not None:
            node.todo = self._within_bound(node)
            node.chosen = node.last if node.last in node.todo else min(node.todo)
        else:
            if above is not None:
                step = run.steps[-1]
                node.tried = {
                    number: each
                    for number, each in above.tried.items()
                    if each is not None and number != above.chosen and not _may_disturb(each, step, above.known)
                }
            awake = [number for number in ready if number not in node.tried]
            if not awake:
                raise Cut
            node.chosen = node.last if node.last in awake else awake[0]
            node.todo = {node.chosen}
        self.stack.append(node)
        return node

    def _within_bound(self, node: Node) -> set[int]:
        assert self.preemptions is not None
        within = {each for each in node.ready if node.spent + _is_preemption(node, each) <= self.preemptions}
        self.bound_cut |= len(within) < len(node.ready)
        return within

    # ---- from run to run ----

    def analyse(self, run: Stepping, goes_on: bool = False) -> None:
        """A run is over: find out which others it makes worth making; of one that goes on and on, by its beginning."""
        steps, pending = run.steps, run.pending()
        if goes_on:
            following = {step.thread: step for step in (*reversed(pending), *reversed(steps[BEGINNING:]))}
            steps, pending = steps[:BEGINNING], list(following.values())
            self._let_others_go_on(steps, pending)
            for node in self.stack:
                node.cut_off = True
        del self.stack[len(steps) :]  # a run that was ended may have chosen a step that was not made
        if self.preemptions is None:
            self._find_races(steps, pending)
        else:
            for node, step in zip(self.stack, steps, strict=True):
                node.step = step

    def _let_others_go_on(self, steps: list[Step], following: list[Step]) -> None:
        """Let who stood aside while others went on and on go on first, once: nobody knows what they would have done."""
        newest = {step.thread: index for index, step in enumerate(steps)}
        for step in following:
            since = newest.get(step.thread, -1) + 1
            node = next((each for each in self.stack[since : len(steps)] if step.thread in each.ready), None)
            if node is not None:
                node.todo.add(step.thread)

    def advance(self) -> bool:
        """Choose the next run; False when nothing is left."""
        while len(self.stack) > self.floor:
            node = self.stack[-1]
            if node.step is not None:
                node.tried[node.chosen] = None if node.cut_off else node.step
            left = node.todo - node.tried.keys()
            if left:
                node.cut_off = False
                node.chosen = min(left, key=lambda number: (_is_preemption(node, number), number))
                node.step = None
                self._known = len(self.stack) - 1
                return True
            self.stack.pop()
        return False

    def preemptions_made(self) -> int:
        """How often in this run another thread went on although the one before could have."""
        return sum(_is_preemption(node, node.chosen) for node in self.stack)

    def interleavings(self) -> int | None:
        """How many interleavings are equivalent to the run that was just made; None for too many to count."""
        return count_orders([(node.step.thread, node.clock) for node in self.stack if node.step is not None])

    def _find_races(self, steps: list[Step], pending: list[Step]) -> None:
        """For each two steps that could have come in the other order, let somebody begin with the later one."""
        nodes = self.stack
        newest: dict[int, Node] = {}  # of each thread
        where: dict[tuple[int, int], Node] = {}
        known = 0
        for node in nodes[: min(self._known, len(steps))]:
            if node.step is None:  # another process has looked at it
                break
            newest[node.chosen] = where[node.chosen, node.count] = node
            known += 1
        for index in range(known, len(steps)):
            step, node = steps[index], nodes[index]
            thread = step.thread
            clock = self._clock(step, newest, where)
            self._race(index, step, clock)
            count = newest[thread].count + 1 if thread in newest else 1
            clock[thread] = count
            newest[thread] = where[thread, count] = node
            node.step, node.clock, node.count = step, clock, count
            node.todo.update(other for other in step.overtakes if other in node.ready)
        for step in pending:
            self._race(len(steps), step, self._clock(step, newest, where))

    def _clock(self, step: Step, newest: dict[int, Node], where: dict[tuple[int, int], Node]) -> dict[int, int]:
        """What comes before a step whatever it does: its own thread's steps, and those that it had to wait for."""
        clock = dict(newest[step.thread].clock) if step.thread in newest else {}
        for before in step.after:
            if before in where:
                _merge(clock, where[before].clock)
        return clock

    def _race(self, index: int, step: Step, clock: dict[int, int]) -> None:
        """Find the earlier steps that race with `step`; `clock` becomes that of all that come before it."""
        direct = dict(clock)  # without what came before only because a lock had to be free
        nodes = self.stack
        uses, thread = step.uses.keys(), step.thread
        for i in range(index - 1, -1, -1):
            node = nodes[i]
            earlier = node.step
            assert earlier is not None
            if earlier.thread == thread or uses.isdisjoint(earlier.uses):
                continue
            disturbed = _disturbed(earlier, step)
            if not disturbed:
                continue
            if disturbed == [step.takes] and earlier.uses[disturbed[0]] is Use.HOLD:
                _merge(clock, node.clock)
                continue
            if direct.get(earlier.thread, 0) < node.count:
                self._reverse(i, index, step, direct)
            _merge(direct, node.clock)
            _merge(clock, node.clock)

    def _reverse(self, i: int, index: int, step: Step, clock: dict[int, int]) -> None:
        """Make sure that a run is made in which `step` comes before the one made from node `i`."""
        node = self.stack[i]
        first = node.step
        assert first is not None
        initials: set[int] = set()
        before: list[Node] = []  # of the steps between that do not come after the first one, in order
        for between in self.stack[i + 1 : index]:
            assert between.step is not None
            if between.clock.get(first.thread, 0) >= node.count:
                continue
            if not any(between.clock.get(each.step.thread, 0) >= each.count for each in before if each.step):
                initials.add(between.step.thread)
            before.append(between)
        if not any(clock.get(each.step.thread, 0) >= each.count for each in before if each.step):
            initials.add(step.thread)
        possible = initials & node.ready.keys()
        if not possible:
            node.todo |= node.ready.keys()
        elif not possible & node.todo:
            node.todo.add(step.thread if step.thread in possible else min(possible))


def _is_preemption(node: Node, number: int) -> bool:
    return node.last != number and node.last in node.ready


def _merge(clock: dict[int, int], other: dict[int, int]) -> None:
    for thread, count in other.items():
        if clock.get(thread, 0) < count:
            clock[thread] = count


def _disturbed(one: Step, other: Step) -> list[PlaceKey]:
    uses = other.uses
    return [place for place, how in one.uses.items() if place in uses and disturb(how, uses[place])]


def _may_disturb(one: Step, other: Step, known: int) -> bool:
    """As `_disturbed`, for steps of two runs: what was met after they parted may be the same thing in both."""
    if not one.uses.keys().isdisjoint(other.uses) and _disturbed(one, other):
        return True
    return _meets_new(one, known) and _meets_new(other, known)


def _meets_new(step: Step, known: int) -> bool:
    return any(place[0] == "thread" or place[0] > known for place in step.uses)


def _differs(expected: dict[int, Before], found: dict[int, Before]) -> NotRepeatable:
    for number in sorted(expected.keys() | found.keys()):
        one, other = expected.get(number), found.get(number)
        if one != other:
            told = [f"stands before {_told(each)}" if each else "cannot go on" for each in (one, other)]
            return NotRepeatable(
                f"two runs with the same choices differ: thread {number} {told[0]} in the one and {told[1]} in the "
                "other; a scenario that is explored must build all that it changes itself, and use neither chance "
                "nor the clock nor the outside world"
            )
    raise AssertionError("they are equal")


def _told(before: Before) -> str:
    where = f" in line {before.line}" if before.line is not None else ""
    return f"{before.what if before.kind == 'call' else f'the {before.kind} of {before.what}'}{where}"


def count_orders(steps: list[tuple[int, dict[int, int]]]) -> int | None:
    """How many orders of steps keep what must come first; None where it would take too long to say.

    Each step is its thread and how many steps of each thread come before or with it, itself included.
    """
    first_of: dict[int, list[int]] = {}  # thread -> its first 0, 1, 2 … steps, a bit for each
    before: dict[int, int] = {}  # step -> what must come first
    states = 1
    for index, (thread, _) in enumerate(steps):
        own = first_of.setdefault(thread, [0])
        own.append(own[-1] | 1 << index)
    for own in first_of.values():
        states *= len(own)
        if states > MAX_ORDERS:
            return None
    for index, (thread, clock) in enumerate(steps):
        first = 0
        for other, count in clock.items():
            first |= first_of[other][count - (other == thread)]
        before[1 << index] = first
    counts = {0: 1}
    for _ in steps:
        following: dict[int, int] = {}
        for done, ways in counts.items():
            for each, first in before.items():
                if not done & each and done & first == first:
                    after = done | each
                    following[after] = following.get(after, 0) + ways
        counts = following
    return sum(counts.values())
