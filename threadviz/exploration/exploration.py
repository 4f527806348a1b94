"""`explore`: run a scenario once for each interleaving that can make a difference, and what came of all of them."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..calls import call_text, check_scenario
from ..errors import ThreadvizError
from ..run import Run
from ..simulation.one_run import replay_steps
from ..texts import counted
from .explorer import Example, Found, Limits, cut_off, explore_all, look_for_a_simpler_one, shown
from .parts import check_executor
from .progress_graph import FEW_RUNS, FEW_STEPS, ShownGraph, computed

if TYPE_CHECKING:
    from ..picture.live import LiveTimeline

RESERVED = ("expect", "max_runs", "preemptions", "executor")  # explore's own options
_SHOWN = 12  # outcomes in words


class Exploration:
    """What came of all interleavings of a scenario.

    Attributes
    ----------
    outcomes : Counter
        Outcome to number of interleavings, or of inequivalent ones: `counts` says which.  An outcome is the value that
        the scenario returned, its `repr` if it cannot be hashed, `"raises ValueError: text"`, `"deadlock"`,
        `"never ends"` where nobody is left to change what threads look at again and again, or
        `"cut off after 5,000 steps"` where that is not known.
    counts : str
        `"interleavings"` or `"inequivalent interleavings"`, which differ in more than the order of steps that do not
        disturb one another.
    runs : int
        Runs that were made for them.
    complete : bool
        Whether every outcome that is possible has been seen.
    notes : tuple of str
        What was left out, in a sentence each.
    replay : str
        What replays a run of it, where that is no call of the scenario; `{schedule}` stands for the run's schedule.
    """

    def __init__(self, call: str, program: partial[Any], found: "Found") -> None:
        self._call, self._program, self._found = call, program, found
        self._examples = found.examples
        self.outcomes = found.outcomes()
        self.counts = found.counts
        self.runs = found.runs
        self.complete = found.complete
        self.notes = tuple(found.notes)
        self.replay = ""
        self._counterexample: Run | None = None
        self._graph: ShownGraph | None = None

    @property
    def counterexample(self) -> Run | None:
        """The run with the fewest preemptions that does not meet what was expected; None where none was found."""
        if self._counterexample is None and self._found.simplest is not None:
            look_for_a_simpler_one(self._call, self._program, self._found)
            self._counterexample = self._replayed(self._found.simplest)
        return self._counterexample

    def example(self, outcome: Any) -> Run:
        """A run with this outcome, with few preemptions; KeyError for one that was not seen."""
        if outcome not in self._examples:
            raise KeyError(f"no run ended with {outcome!r}; the outcomes are {', '.join(map(repr, self.outcomes))}")
        return self._replayed(self._examples[outcome])

    def progress_graph(self) -> ShownGraph:
        """The progress graph of two threads: what each order leads to, and the way of the counterexample, if any.

        The steps of the one thread go to the right, those of the other upwards.  Cells are forbidden that no order
        leads to, as both threads would hold a lock; doomed, where every order from there on goes wrong.  It makes one
        run of each class of interleavings again.

        Raises
        ------
        ValueError
            There are not two threads besides the main one, or more than 3,000 runs would be needed.
        """
        if self._graph is None:
            simplest, run = self._found.simplest, self.counterexample
            schedule = simplest.schedule if simplest is not None else None
            ends = "" if run is None else "ends in deadlock" if run.deadlock else run.outcome
            if run is not None and run.exception() is None:
                ends = f"returns {ends}"
            graph = computed(
                self._program, schedule, ends, lambda done, choices: self._found.fails(Example(done, 0, choices))
            )
            self._graph = ShownGraph(graph, f"{self._call}: progress graph")
        return self._graph

    def step_examples(self) -> list[list[int]]:
        """The thread of each step, for a run with each outcome; the simplest one that goes wrong comes first."""
        examples = sorted(self._found.examples.values(), key=lambda each: each.cost)
        if self.counterexample is not None and self._found.simplest is not None:
            examples.insert(0, self._found.simplest)
        return [each.choices for each in examples]

    def assert_holds(self) -> None:
        """AssertionError with the story where an interleaving does not meet what was expected.

        Also where the exploration is not complete, as then nobody knows.
        """
        if self._found.simplest is not None or not self.complete:
            raise AssertionError(self.describe())

    def describe(self) -> str:
        """The verdict, the outcomes, and the simplest counterexample step by step, with the line that replays it."""
        lines = [f"{self._call}: {self.verdict}"]
        for outcome, count in self.outcomes.most_common(_SHOWN):
            lines.append(f"  {shown(outcome)}: {counted(count, self.counts.removesuffix('s'))}")
        if len(self.outcomes) > _SHOWN:
            lines.append(f"  and {len(self.outcomes) - _SHOWN} more outcomes")
        lines += [f"note: {note}" for note in self.notes]
        if self.counterexample is not None:
            lines += ["", "the simplest run that shows it:", self.counterexample.describe()]
            if self.counterexample.replay not in lines[-1]:
                lines.append(f"to run this again: {self.counterexample.replay}")
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """In one sentence."""
        # Not "tried": one run stands for a whole class of interleavings, which are counted without being run.
        tried = f"{counted(self.outcomes.total(), self.counts.removesuffix('s'))}, {counted(self.runs, 'run')}"
        whole = "and these are all" if self.complete else "and there may be more"
        if self._found.simplest is not None and self._found.simplest.cut_off:
            return f"a run was {cut_off()}, and may have no end ({tried}, {whole})"
        if self._found.simplest is not None:
            return f"it can go wrong ({tried}, {whole})"
        if not self.complete:
            return f"nothing went wrong so far ({tried}, {whole})"
        if self._found.expect is None:
            return f"no interleaving raises or stands still ({tried}, {whole})"
        return f"every interleaving is as expected ({tried}, {whole})"

    def _replayed(self, example: Example) -> Run:
        done = replay_steps(self._program, example.schedule)
        run = Run(self._call, done, unexpected=self._found.fails(example))
        if self.replay:
            run.replay = self.replay.format(schedule=run.schedule)
        return run

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        from ..picture.live import LiveTimeline  # ipywidgets

        live = LiveTimeline()
        self.show_on(live)
        return live.bundle(*self.on_paper())

    def show_on(self, live: "LiveTimeline") -> None:
        """Show the verdict, the outcomes, the counterexample and a small progress graph in a notebook."""
        from ..picture.live import outcomes_html

        run, graph = self.counterexample, self._small_graph
        counts = [(shown(outcome), count) for outcome, count in self.outcomes.most_common()]
        face = run.face() | {"log": ""} if run is not None else {}
        if graph is not None:
            face["svg"] += graph.svg()
        face |= {"words": self._words(), "summary": "All this in words"}
        live.show(face, f"{self._call}: {self.verdict}", outcomes_html(counts, self.counts))

    def on_paper(self) -> tuple[bytes | None, str]:
        """The same as a PNG, if there is a run to show, and in words."""
        run, graph = self.counterexample, self._small_graph
        png = run.on_paper() if run is not None else None
        return (graph.under(png) if png is not None and graph is not None else png), self._words()

    def _words(self) -> str:
        graph = self._small_graph
        return self.describe() if graph is None else f"{self.describe()}\n\n{graph.describe()}"

    @cached_property
    def _small_graph(self) -> ShownGraph | None:
        """The progress graph under a counterexample, where there is one that is quickly made and read."""
        if self.counterexample is None or self.runs > FEW_RUNS:
            return None
        try:
            shown_graph = self.progress_graph()
        except (ValueError, ThreadvizError):
            return None
        axes = shown_graph.graph.x, shown_graph.graph.y
        return shown_graph if all(len(axis.moves) <= FEW_STEPS for axis in axes) else None


def explore(
    scenario: Callable[..., Any],
    /,
    *args: Any,
    expect: Any = None,
    max_runs: int = 10_000,
    preemptions: int | None = None,
    executor: Executor | None = None,
    **kwargs: Any,
) -> Exploration:
    """Run a scenario once for each interleaving that can make a difference, down to single reads and writes.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.  Called with the other arguments, again and again.
    expect : object or callable, optional
        The right value, or a predicate of the value that the scenario returns.  Whatever it is, a scenario that raises
        or deadlocks, or in which a thread ends with an exception, has not met it.  Without one, only these are wrong.
    max_runs : int
        After so many runs the search is given up, and not `complete`.
    preemptions : int, optional
        Look only at interleavings with at most so many switches away from a thread that could have gone on.
    executor : concurrent.futures.Executor, optional
        Other processes that share the runs, such as a `ProcessPoolExecutor`, or on several machines what
        `Client.get_executor()` of Dask returns.  Outcomes and counts are the same; it pays for searches of many
        seconds.  The scenario, its arguments and outcomes are pickled, by cloudpickle.

    Returns
    -------
    Exploration
        Outcomes, how many of each, and the simplest counterexample.  Ctrl-C and the stop button keep what was found.

    Raises
    ------
    NotRepeatable
        Two runs with the same choices differ: the scenario changes what outlives it, or uses chance or the clock.
    Unseen
        No access in the scenario's code can be seen, so that nothing would be explored.
    ModuleNotFoundError
        An `executor` without cloudpickle.
    MadeOutside, AlreadyRunning, TypeError, ValueError
        As for `simulate`.

    Notes
    -----
    One run is made of each class of interleavings that differ only in the order of steps that do not disturb one
    another: source sets with sleep sets (Abdulla and others, Optimal dynamic partial order reduction, POPL 2014).  The
    interleavings of each class are then counted, as orders of its steps.  A sleep, and a wait for a time-out, may last
    as long as the others take.

    Examples
    --------
    >>> import threading
    >>> def count():
    ...     numbers = {"count": 0}
    ...     def increment():
    ...         numbers["count"] += 1
    ...     threads = [threading.Thread(target=increment) for _ in range(2)]
    ...     for thread in threads:
    ...         thread.start()
    ...     for thread in threads:
    ...         thread.join()
    ...     return numbers["count"]
    >>> found = explore(count, expect=2)
    >>> found.outcomes, found.complete
    (Counter({1: 4, 2: 2}), True)
    >>> found.counterexample.result()
    1
    """
    check_scenario(scenario, "explore", RESERVED)
    call = call_text(scenario, args, kwargs)
    for name, number, least in (("max_runs", max_runs, 1), ("preemptions", preemptions, 0)):
        if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise TypeError(f"{name} must be a whole number, not {number!r}")
        if number is not None and number < least:
            raise ValueError(f"{name} must be {least} or more, not {number!r}")
    if executor is not None:
        check_executor(executor)
    program = partial(scenario, *args, **kwargs)
    found = Found(expect)
    try:
        explore_all(call, program, found, Limits(max_runs, preemptions), executor)
    except KeyboardInterrupt:
        found.complete = False
        found.notes.append("it was stopped: what was found until then is kept")
    return Exploration(call, program, found)
