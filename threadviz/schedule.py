"""Schedules (the choices that are put in) and the policies that make them, one small class each."""

import random
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from .errors import ScheduleMismatch


class Preemption(NamedTuple):
    """A switch away from a thread that stands just before an access, to one that could go on."""

    access: int  # the how-many-th since the choice before it, of those at which another thread could go on; from 1 on
    thread: int  # that goes on instead


Choice = int | Preemption


class Schedule:
    """The thread chosen at each scheduling point at which more than one thread could go on, and the preemptions.

    Threads are numbered in order of start; the main thread is 0.  `2@5` is a preemption: just before the fifth
    access since the choice before it, thread 2 goes on instead.  A schedule that begins with `steps` is that of a run
    which was explored, where durations do not count; accesses and calls are counted since another thread went on.
    Immutable; `str(schedule)` and `Schedule.parse` round-trip.

    Examples
    --------
    >>> str(Schedule([0, 0, 0, 2, 1]))
    '0*3 2 1'
    >>> Schedule.parse("0*3 2 1") == Schedule([0, 0, 0, 2, 1])
    True
    >>> Schedule.parse("1 0@2").choices
    (1, Preemption(access=2, thread=0))
    >>> Schedule.parse("steps 1 0@2").steps
    True
    """

    __slots__ = ("_choices", "_steps")
    _choices: tuple[Choice, ...]
    _steps: bool

    def __init__(self, choices: Iterable[Choice] = (), steps: bool = False) -> None:
        object.__setattr__(self, "_choices", tuple(choices))
        object.__setattr__(self, "_steps", steps)

    def __reduce__(self) -> tuple[type, tuple[tuple[Choice, ...], bool]]:
        return Schedule, (self._choices, self._steps)  # for copies and other processes

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Schedule cannot be changed; make a new one instead of setting {name!r}")

    @property
    def choices(self) -> tuple[Choice, ...]:
        return self._choices

    @property
    def steps(self) -> bool:
        """Whether it is that of a run which was explored."""
        return self._steps

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """The schedule that `text` stands for; ValueError names the first word that is no choice."""
        choices: list[Choice] = []
        words = text.split()
        steps = words[:1] == ["steps"]
        for word in words[steps:]:
            match = re.fullmatch(r"(\d+)(?:([*@])([1-9]\d*))?", word, re.ASCII)
            if match is None:
                raise ValueError(f"{word!r} is no choice of a schedule; write thread numbers such as '0*3 2 1'")
            thread, number = int(match[1]), int(match[3] or 1)
            choices += [Preemption(number, thread)] if match[2] == "@" else [thread] * number
        return cls(choices, steps)

    def __str__(self) -> str:
        words = ["steps"] if self._steps else []
        for choice, group in groupby(self._choices):
            if isinstance(choice, Preemption):
                words += [f"{each.thread}@{each.access}" for each in group if isinstance(each, Preemption)]
            else:
                count = len(list(group))
                words.append(f"{choice}*{count}" if count > 1 else str(choice))
        return " ".join(words)

    def __repr__(self) -> str:
        return f"Schedule.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._choices == other._choices and self._steps == other._steps

    def __hash__(self) -> int:
        return hash((self._choices, self._steps))

    def __len__(self) -> int:
        return len(self._choices)


class Candidate(Protocol):
    """A thread that can go on."""

    @property
    def number(self) -> int:
        """Of threads in order of start; the main thread is 0."""

    @property
    def name(self) -> str: ...


class Policy(Protocol):
    """Chooses at a scheduling point, and may preempt the running thread just before an access; may live across runs."""

    preempts: bool  # whether it ever does; if not, it is not asked

    def begin(self) -> None:
        """A run begins."""

    def choose(self, threads: Sequence[Candidate]) -> int:
        """The index into `threads`, which can all go on, of the one that does; the running one, if it can, is first."""

    def preempt(self, access: int, threads: Sequence[Candidate]) -> int | None:
        """The index into `threads` of the one that goes on instead of the running one; None where that goes on.

        `access` says how many there were since the last choice or preemption, this one included.
        """

    def finish(self) -> None:
        """The run has come to its own end."""


class InOrder:
    """The running thread goes on until it must wait; then the one that has been ready longest."""

    preempts = False

    def begin(self) -> None:
        pass

    def choose(self, threads: Sequence[Candidate]) -> int:
        return 0

    def preempt(self, access: int, threads: Sequence[Candidate]) -> int | None:
        return None

    def finish(self) -> None:
        pass


class Shuffle:
    """Any thread that can go on is as likely as any other; the same seed gives the same choices.

    Every second access on average is preempted at first, so that a race of two steps is found soon; each preemption
    makes the next one rarer, so that a long run is not spent on them.
    """

    preempts = True

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def begin(self) -> None:
        self._random = random.Random(self._seed)
        # Their own chance, so that a run without preemptions is the same as if there could be none.
        self._preempting = random.Random(self._seed + 2**32)
        self._preemptions = 0

    def choose(self, threads: Sequence[Candidate]) -> int:
        return self._random.randrange(len(threads))

    def preempt(self, access: int, threads: Sequence[Candidate]) -> int | None:
        if self._preempting.random() * (2 + self._preemptions) >= 1:
            return None
        self._preemptions += 1
        return self._preempting.randrange(len(threads))

    def finish(self) -> None:
        pass


class Replay:
    """The choices of a schedule, exactly; ScheduleMismatch where the run does not have them."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.preempts = any(isinstance(choice, Preemption) for choice in schedule.choices)

    @property
    def is_used_up(self) -> bool:
        return self._used >= len(self._schedule)

    def begin(self) -> None:
        self._used = 0

    def preempt(self, access: int, threads: Sequence[Candidate]) -> int | None:
        choices = self._schedule.choices
        following = choices[self._used] if self._used < len(choices) else None
        if not isinstance(following, Preemption) or following.access != access:
            return None
        self._used += 1
        return self._index(following.thread, threads)

    def choose(self, threads: Sequence[Candidate]) -> int:
        choices = self._schedule.choices
        self._used += 1
        if self._used > len(choices):
            raise ScheduleMismatch(
                f"the schedule ends after {len(choices)} choices, but this run has more: "
                "the code is not the code it was made for"
            )
        choice = choices[self._used - 1]
        if isinstance(choice, Preemption):
            raise ScheduleMismatch(
                f"choice {self._used} of the schedule is a preemption before access {choice.access}, which does not "
                "come: the code is not the code it was made for"
            )
        return self._index(choice, threads)

    def _index(self, wanted: int, threads: Sequence[Candidate]) -> int:
        for index, thread in enumerate(threads):
            if thread.number == wanted:
                return index
        raise ScheduleMismatch(
            f"choice {self._used} of the schedule is thread {wanted}, which cannot go on there: "
            "the code is not the code it was made for"
        )

    def finish(self) -> None:
        if self._used < len(self._schedule):
            raise ScheduleMismatch(
                f"the schedule has {len(self._schedule)} choices, but this run had only {self._used}: "
                "the code is not the code it was made for"
            )
