"""The progress graph of two threads, computed from one run of each class of equivalent interleavings.

Each class is an order in which some steps must come before others; a cell, so many steps of the one thread and so many
of the other, can be reached where these are a beginning of that order.  A cell is doomed if every class that reaches it
goes wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..interrupts import held_back
from ..picture import svg
from ..picture.progress_graph import progress_timeline
from ..schedule import Replay, Schedule
from ..simulation.one_run import Simulation
from ..simulation.stepping import Stepping
from ..simulation.steps import Before
from ..stage.stage import Finished, exclusively
from ..story.progress_graph import Area, Axis, Cell, Move, ProgressGraph
from ..story.words import is_step, step_words
from ..tab import fetch
from ..trace import Trace
from .search import Search

MOST_RUNS = 3_000  # that are made for it
FEW_STEPS, FEW_RUNS = 14, 300  # of each thread, and of them all: beyond these a graph is not shown unasked


class _Class(NamedTuple):
    """One run of a class of interleavings: of each thread what its steps stood before, and what must come first."""

    threads: tuple[int, ...]  # of each step
    befores: dict[int, list[Before]]
    clocks: dict[int, list[dict[int, int]]]  # how many steps of each thread come before or with it, by whatever way
    schedule: Schedule
    fails: bool = False
    stands_still: bool = False  # in a deadlock, or in a loop without an end: its threads have not made all their steps


_Fails = Callable[[Finished, list[int]], bool]


def computed(program: partial[Any], simplest: Schedule | None, ends: str, fails: _Fails) -> ProgressGraph:
    """Compute the graph of a scenario's call, with the way of the run that `simplest` replays, which `ends` in a word.

    ValueError where there are not two threads besides the main one, or too many interleavings.
    """
    with exclusively(), Simulation(program, steps=True) as simulation:
        classes = _all_classes(simulation, fails)
        numbers = sorted({thread for each in classes for thread in each.threads if thread})
        if len(numbers) != 2:
            raise ValueError(
                f"a progress graph is of two threads besides the main one: {len(numbers) or 'none'} of them "
                f"{'make' if len(numbers) > 1 else 'makes'} a step that matters to others"
            )
        led = _replayed(simulation, simplest)[1] if simplest is not None else classes[0]
        along = [_longest([led, *classes], number, led.befores[number]) for number in numbers]
        x, y = (_axis(*_replayed(simulation, of.schedule), number) for of, number in zip(along, numbers, strict=True))
    (one, other), (across, upwards) = numbers, along
    common = [
        (_common(across.befores[one], each.befores[one]), _common(upwards.befores[other], each.befores[other]))
        for each in classes
    ]
    areas: dict[Cell, Area] = {}
    for i in range(len(x.moves) + 1):
        for j in range(len(y.moves) + 1):
            reaching = [
                each.fails
                for each, (alike, also) in zip(classes, common, strict=True)
                if i <= alike and j <= also and _reaches(each, one, i, other, j)
            ]
            areas[i, j] = _area(reaching, bool(x.holds(i) & y.holds(j)))
    path: list[Cell] = [(0, 0)] if simplest is not None else []
    for thread in led.threads if simplest is not None else ():
        if thread in numbers:
            i, j = path[-1]
            path.append((i + 1, j) if thread == one else (i, j + 1))
    notes: tuple[str, ...] = ()
    whole = len(x.moves), len(y.moves)
    if any(
        (len(each.befores[one]), len(each.befores[other])) != alike or (alike != whole and not each.stands_still)
        for each, alike in zip(classes, common, strict=True)
    ):
        notes = (
            "in another order the threads make other steps: the graph is along those of "
            f"{'the run' if simplest is not None else 'one run'}, and what it says holds for these",
        )
    return ProgressGraph(x, y, areas, tuple(path), ends, simplest is not None, notes)


def _all_classes(simulation: Simulation, fails: _Fails) -> list[_Class]:
    shared = simulation.shared
    assert shared is not None
    found: list[_Class] = []
    search = Search()
    for _ in range(MOST_RUNS):
        done = simulation.run(search, noted=False)
        stepping = simulation.newest
        assert isinstance(stepping, Stepping)
        if shared.take_growth():  # something turned out to be shared only now
            search, found = Search(), []
            continue
        search.analyse(stepping)
        if stepping.stop_now != "cut":
            made = _made(stepping, done.schedule, [dict(node.clock) for node in search.stack])
            stands_still = stepping.deadlocked or stepping.endless
            found.append(made._replace(fails=fails(done, list(made.threads)), stands_still=stands_still))
        if not search.advance():
            return found
    raise ValueError(f"more than {MOST_RUNS:,} runs would be needed for the progress graph")


def _made(stepping: Stepping, schedule: Schedule, clocks: Sequence[dict[int, int]]) -> _Class:
    befores: dict[int, list[Before]] = defaultdict(list)
    of: dict[int, list[dict[int, int]]] = defaultdict(list)
    for step in stepping.steps:
        befores[step.thread].append(step.before)
    for step, clock in zip(stepping.steps, clocks, strict=False):
        of[step.thread].append(clock)
    return _Class(tuple(step.thread for step in stepping.steps), befores, of, schedule)


def _replayed(simulation: Simulation, schedule: Schedule) -> tuple[Trace, _Class]:
    done = simulation.run(Replay(schedule))
    assert isinstance(simulation.newest, Stepping)
    return done.trace, _made(simulation.newest, schedule, ())


def _longest(classes: list[_Class], number: int, begun: list[Before]) -> _Class:
    """The first one with the most steps of a thread that begin with those: who stands still has made fewer."""
    going_on = [each for each in classes if _common(begun, each.befores[number]) == len(begun)]
    return max(going_on, key=lambda each: len(each.befores[number]))


def _common(one: list[Before], other: list[Before]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _axis(trace: Trace, made: _Class, number: int) -> Axis:
    moves = []
    held: set[str] = set()
    before = iter(made.befores[number])
    for index, thread in enumerate(made.threads):
        if thread != number:
            continue
        done = [event for event in trace.events if event.lane == number and index < event.time < index + 1]
        for event in done:
            if event.kind == "acquire":
                held.add(event.what)
            elif event.kind == "release":
                held.discard(event.what)
        told = next((event for event in done if is_step(event)), None)
        stood = next(before)
        what, line = (step_words(told), told.line) if told is not None else (_told(stood), stood.line)
        moves.append(Move(what, line, frozenset(held)))
    return Axis(trace.lanes[number].name, tuple(moves))


def _told(stood: Before) -> str:
    if stood.what == "[]":
        return f"{stood.kind}s an item"
    return f"{stood.kind}s {stood.what}" if stood.kind in ("read", "write", "call") else f"gives up {stood.what}"


def _area(reaching: list[bool], both_hold: bool) -> Area:
    """What is known of a cell, of which each class that reaches it says whether it goes wrong."""
    if not reaching:
        return "forbidden" if both_hold else "unreached"
    return "doomed" if all(reaching) else "open" if any(reaching) else "safe"


def _reaches(made: _Class, one: int, i: int, other: int, j: int) -> bool:
    """Whether so many steps of two threads are a beginning of a class's order."""
    first, second = made.clocks[one][:i], made.clocks[other][:j]
    return (not first or first[-1].get(other, 0) <= j) and (not second or second[-1].get(one, 0) <= i)


class ShownGraph:
    """A progress graph that shows itself in a notebook.

    Attributes
    ----------
    graph : ProgressGraph
        The two threads with their steps, what is known of each cell, and the way of the run.
    """

    def __init__(self, graph: ProgressGraph, title: str) -> None:
        self.graph, self.title = graph, title

    def svg(self) -> str:
        """The graph as an SVG document, with its words as description."""
        return svg.paint(progress_timeline(self.graph, self.title), self.describe())

    def png(self) -> bytes:
        """The graph as a PNG file's bytes."""
        with held_back():  # matplotlib takes longer to import than all the rest
            fetch("matplotlib")
            from ..picture import figure

        return figure.saved(progress_timeline(self.graph, self.title))

    def under(self, png: bytes) -> bytes:
        """Another picture with the graph under it, as a PNG file's bytes."""
        with held_back():
            fetch("matplotlib")
            from ..picture import figure

        return figure.stacked([png, self.png()])

    def describe(self) -> str:
        """The graph in words."""
        return self.graph.describe()

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        from ..picture.live import LiveTimeline  # ipywidgets

        live = LiveTimeline()
        live.show({"svg": self.svg(), "words": self.describe(), "summary": "The picture in words"})
        return live.bundle(self.png() if find_spec("matplotlib") is not None else None, self.describe())
