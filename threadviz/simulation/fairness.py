"""Fairness: a thread that would only look again at what nobody has changed since is not chosen again."""

from collections.abc import Sequence
from sys import _getframe
from types import FrameType
from typing import Any

from ..learner.code import KIND, LEARNERS
from ..learner.places import PLAIN
from .steps import LOOKS, PlaceKey, Step
from .walker import Walker


def stands_as_before(task: Walker) -> bool:
    """Whether it stands where it stood, with nothing changed since of what it has looked at or keeps itself."""
    if not task.looked_at.issuperset(task.uses):
        return False
    where = (task.stands, *task.uses)
    state = _state_of(_getframe(1))
    before, task.visits[where] = task.visits.get(where), state
    return before == state


def waits_as_before(task: Walker, steps: int, known: int) -> bool:
    """Whether it gave up this very wait and has come back to it, with nothing done since by anybody."""
    now = task.stands, task.uses, _state_of(_getframe(1)), steps - task.steps
    before, task.waited, task.known = task.waited, now, known
    again, task.waited_in = task.waited_in is task.operation, task.operation
    if again:  # the library waits once more in one and the same call, for what is left of its time
        return False
    return before == now


def _changed_only_what_it_waits_for(task: Walker, changed: list[PlaceKey]) -> bool:
    """Or what it has made itself since it began to wait: a condition has a new lock for each wait."""
    assert task.waited is not None
    return all(place in task.waited[1] or (place[0] != "thread" and place[0] > task.known) for place in changed)


def end_of_step(step: Step, tasks: Sequence[Any]) -> None:
    """A step is over: who looked at what it changed may look again."""
    changed = [place for place, how in step.uses.items() if how not in LOOKS]
    mine: Any = tasks[step.thread]
    if mine.waited is not None and not _changed_only_what_it_waits_for(mine, changed):
        mine.waited = None
    if changed:
        mine.looks_anew()
    walker: Any
    for walker in tasks:
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


def _state_of(frame: FrameType | None) -> list[Any]:
    """What the current thread's own frames hold: plain values as they are, others by who they are."""
    state: list[Any] = []
    while frame is not None:
        if KIND[frame.f_code.co_filename] == LEARNERS:
            kept = [(name, each if type(each) in PLAIN else id(each)) for name, each in frame.f_locals.items()]
            state.append((id(frame.f_code), frame.f_lasti, kept))
        frame = frame.f_back
    return state
