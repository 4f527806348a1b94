"""Schedules as text and as choices."""

import copy
import pickle
import random
from typing import NamedTuple

import pytest

from threadviz import Schedule, ScheduleMismatch
from threadviz.schedule import InOrder, Replay, Shuffle

from .refused import refused


def test_every_schedule_round_trips():
    generator = random.Random(1)
    for length in range(60):
        schedule = Schedule(generator.choices(range(3), k=length))
        assert Schedule.parse(str(schedule)) == schedule
        assert eval(repr(schedule), {"Schedule": Schedule}) == schedule
        assert len(schedule) == length


def test_runs_of_one_choice_are_counted():
    assert str(Schedule([0, 0, 0, 2, 1])) == "0*3 2 1"
    assert Schedule.parse("0*3 2 1").choices == (0, 0, 0, 2, 1)


@pytest.mark.parametrize("text", ["x", "1*0", "-1", "1**2", "1*", "٣"])
def test_text_that_is_no_schedule_is_refused_by_its_first_wrong_word(text):
    with refused(ValueError, f"{text!r} is no choice of a schedule; write thread numbers such as '0*3 2 1'"):
        Schedule.parse(f"0 {text}")


def test_schedule_cannot_be_changed():
    with pytest.raises(AttributeError, match="a Schedule cannot be changed"):
        Schedule([1]).choices = (2,)


def test_schedules_with_the_same_choices_are_equal():
    assert len({Schedule([1, 2]), Schedule.parse("1 2"), Schedule([2, 1])}) == 2


class Thread(NamedTuple):
    number: int
    name: str = ""


def chosen(policy, *numbers):
    policy.begin()
    return policy.choose([Thread(number) for number in numbers])


def test_in_order_takes_the_first_and_shuffle_takes_them_all():
    assert chosen(InOrder(), 3, 1, 2) == 0
    assert {chosen(Shuffle(seed), 3, 1, 2) for seed in range(30)} == {0, 1, 2}


def test_shuffle_chooses_the_same_in_each_run():
    shuffle = Shuffle(7)
    assert len({chosen(shuffle, *range(1000)) for _ in range(10)}) == 1


def test_replay_names_the_choice_that_does_not_exist():
    replay = Replay(Schedule([1, 4]))
    assert chosen(replay, 0, 1) == 1
    with refused(
        ScheduleMismatch,
        "choice 2 of the schedule is thread 4, which cannot go on there: the code is not the code it was made for",
    ):
        replay.choose([Thread(0), Thread(1)])


def test_schedule_can_be_copied_and_sent_to_another_process():
    schedule = Schedule([0, 0, 2, 1])
    assert copy.deepcopy(schedule) == copy.copy(schedule) == pickle.loads(pickle.dumps(schedule)) == schedule
