"""Schedules (the choices that are put in) and the policies that make them, one small class each."""

import random
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Protocol

from .errors import ScheduleMismatch


class Schedule:
    """The thread chosen at each scheduling point at which more than one thread could go on.

    Threads are numbered in order of start; the main thread is 0.  Immutable; `str(schedule)` and
    `Schedule.parse` round-trip.

    Examples
    --------
    >>> str(Schedule([0, 0, 0, 2, 1]))
    '0*3 2 1'
    >>> Schedule.parse("0*3 2 1") == Schedule([0, 0, 0, 2, 1])
    True
    """

    __slots__ = ("_choices",)
    _choices: tuple[int, ...]

    def __init__(self, choices: Iterable[int] = ()) -> None:
        object.__setattr__(self, "_choices", tuple(choices))

    def __reduce__(self) -> tuple[type, tuple[tuple[int, ...]]]:
        return Schedule, (self._choices,)  # for copies and other processes

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Schedule cannot be changed; make a new one instead of setting {name!r}")

    @property
    def choices(self) -> tuple[int, ...]:
        return self._choices

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """The schedule that `text` stands for; ValueError names the first word that is no choice."""
        choices: list[int] = []
        for word in text.split():
            match = re.fullmatch(r"(\d+)(?:\*([1-9]\d*))?", word, re.ASCII)
            if match is None:
                raise ValueError(f"{word!r} is no choice of a schedule; write thread numbers such as '0*3 2 1'")
            choices += [int(match[1])] * int(match[2] or 1)
        return cls(choices)

    def __str__(self) -> str:
        runs = ((choice, len(list(group))) for choice, group in groupby(self._choices))
        return " ".join(f"{choice}*{count}" if count > 1 else str(choice) for choice, count in runs)

    def __repr__(self) -> str:
        return f"Schedule.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._choices == other._choices

    def __hash__(self) -> int:
        return hash(self._choices)

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
    """Chooses at a scheduling point; may live across runs."""

    def begin(self) -> None:
        """A run begins."""

    def choose(self, threads: Sequence[Candidate]) -> int:
        """The index into `threads`, which can all go on, of the one that does; the running one, if it can, is first."""

    def finish(self) -> None:
        """The run has come to its own end."""


class InOrder:
    """The running thread goes on until it must wait; then the one that has been ready longest."""

    def begin(self) -> None:
        pass

    def choose(self, threads: Sequence[Candidate]) -> int:
        return 0

    def finish(self) -> None:
        pass


class Shuffle:
    """Any thread that can go on is as likely as any other; the same seed gives the same choices."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def begin(self) -> None:
        self._random = random.Random(self._seed)

    def choose(self, threads: Sequence[Candidate]) -> int:
        return self._random.randrange(len(threads))

    def finish(self) -> None:
        pass


class Replay:
    """The choices of a schedule, exactly; ScheduleMismatch where the run does not have them."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def begin(self) -> None:
        self._used = 0

    def choose(self, threads: Sequence[Candidate]) -> int:
        choices = self._schedule.choices
        self._used += 1
        if self._used > len(choices):
            raise ScheduleMismatch(
                f"the schedule ends after {len(choices)} choices, but this run has more: "
                "the code is not the code it was made for"
            )
        choice = choices[self._used - 1]
        for index, thread in enumerate(threads):
            if thread.number == choice:
                return index
        raise ScheduleMismatch(
            f"choice {self._used} of the schedule is thread {choice}, which cannot go on there: "
            "the code is not the code it was made for"
        )

    def finish(self) -> None:
        if self._used < len(self._schedule):
            raise ScheduleMismatch(
                f"the schedule has {len(self._schedule)} choices, but this run had only {self._used}: "
                "the code is not the code it was made for"
            )
