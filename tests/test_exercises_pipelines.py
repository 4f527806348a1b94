"""Chapters 10 and 11: the solutions of their exercises pass; wrong, lazy and cheating answers do not."""

import collections
import itertools
import queue
import threading
import time

import pytest

import threadviz as tv

from .test_exercises_explored import names_of, prediction


@pytest.fixture(scope="module")
def locks():
    return names_of("10")


# 10: a wider slot


def wide_pipelines(Pipeline):
    """Answers to the exercise, right and wrong."""

    class Semaphores:
        def __init__(self, slots):
            self.lying = collections.deque()
            self.room = threading.Semaphore(slots)
            self.there = threading.Semaphore(0)

        def set_message(self, message):
            self.room.acquire()
            self.lying.append(message)
            self.there.release()

        def get_message(self):
            self.there.acquire()
            message = self.lying.popleft()
            self.room.release()
            return message

    class OneSlotTooMany(Semaphores):
        def __init__(self, slots):
            super().__init__(slots + 1)

    class LastComesFirst(Semaphores):
        def get_message(self):
            self.there.acquire()
            message = self.lying.pop()
            self.room.release()
            return message

    class NeverWaitsForRoom(Semaphores):
        def set_message(self, message):
            self.lying.append(message)
            self.there.release()

    class WaitsForRoomOnce(Semaphores):
        def __init__(self, slots):
            super().__init__(slots)
            self.waits = itertools.chain([True] * (slots + 1), itertools.repeat(False))

        def set_message(self, message):
            if next(self.waits):
                self.room.acquire()
            self.lying.append(message)
            self.there.release()

    class KnownSizes(Semaphores):
        def __init__(self, slots):
            super().__init__({1: 1, 2: 2, 3: 3, 5: 5}.get(slots, 1))

    class LetsGoBeforeItLooks(Semaphores):
        def __init__(self, slots):
            super().__init__(slots)
            self.ring, self.put, self.got = [None] * slots, 0, 0

        def set_message(self, message):
            self.room.acquire()
            self.ring[self.put % len(self.ring)] = message
            self.put += 1
            self.there.release()

        def get_message(self):
            self.there.acquire()
            self.room.release()
            message = self.ring[self.got % len(self.ring)]
            self.got += 1
            return message

    class CountsWithoutALock(Semaphores):
        def __init__(self, slots):
            self.slots, self.lying, self.number = slots, collections.deque(), 0
            self.changed = threading.Condition()

        def set_message(self, message):
            with self.changed:
                while self.number >= self.slots:
                    self.changed.wait()
            self.lying.append(message)
            self.number += 1
            with self.changed:
                self.changed.notify()

        def get_message(self):
            with self.changed:
                while not self.lying:
                    self.changed.wait()
            self.number -= 1
            with self.changed:
                self.changed.notify()
            return self.lying.popleft()

    class Sleeps:
        def __init__(self, slots):
            self.slots, self.lying = slots, collections.deque()

        def set_message(self, message):
            while len(self.lying) >= self.slots:
                time.sleep(0.1)
            self.lying.append(message)

        def get_message(self):
            while not self.lying:
                time.sleep(0.1)
            return self.lying.popleft()

    class TimesOut(Semaphores):
        def set_message(self, message):
            while not self.room.acquire(timeout=0.1):
                pass
            self.lying.append(message)
            self.there.release()

        def get_message(self):
            while not self.there.acquire(timeout=0.1):
                pass
            message = self.lying.popleft()
            self.room.release()
            return message

    class QueueOfTheLibrary:
        def __init__(self, slots):
            self.queue = queue.Queue(slots)
            self.set_message, self.get_message = self.queue.put, self.queue.get

    class SimpleQueueOfTheLibrary:
        def __init__(self, slots):
            self.queue, self.room = queue.SimpleQueue(), threading.Semaphore(slots)

        def set_message(self, message):
            self.room.acquire()
            self.queue.put(message)

        def get_message(self):
            message = self.queue.get()
            self.room.release()
            return message

    pipeline_of_the_house = Pipeline()

    class MadeOutside:
        def __init__(self, slots):
            self.set_message = pipeline_of_the_house.set_message
            self.get_message = pipeline_of_the_house.get_message

    class RoundTheWrongWay:
        def __init__(self, slots):
            self.pipelines = [Pipeline() for _ in range(slots)]
            self.next_one = 0

        def set_message(self, message):
            self.pipelines[self.next_one % len(self.pipelines)].set_message(message)
            self.next_one += 1

        def get_message(self):
            message = self.pipelines[self.next_one % len(self.pipelines)].get_message()
            self.next_one += 1
            return message

    class TakesNoSlots:
        def __init__(self):
            self.pipeline = Pipeline()

    return {name: each for name, each in locals().items() if isinstance(each, type)}


@pytest.mark.parametrize("answer", ["SolutionWidePipeline", "Semaphores"])
def test_right_pipelines_pass(locks, capsys, answer):
    assert locks["check_wide"]({**wide_pipelines(locks["Pipeline"]), **locks}[answer]).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("WidePipeline", "set_message returns at 0, 1, 2, 3, 4 s; right would be 0, 0, 1, 2, 3 s"),
        ("Sleeps", "sleeps, and comes back to look"),
        ("QueueOfTheLibrary", "a queue of the library"),
        ("KnownSizes", "With 7 slots"),
        ("WaitsForRoomOnce", "set_message returns at 0, 1, 1 s"),
        ("OneSlotTooMany", "set_message returns at 0, 0, 1 s"),
        ("NeverWaitsForRoom", "set_message returns at 0, 0, 0 s"),
        ("LastComesFirst", "came out"),
        ("LetsGoBeforeItLooks", "came out"),
        ("CountsWithoutALock", "an update is lost"),
        ("TimesOut", "a time-out, and comes back to look"),
        ("SimpleQueueOfTheLibrary", "a queue of the library"),
        ("MadeOutside", "made outside"),
        ("RoundTheWrongWay", "came out"),
        ("TakesNoSlots", "TypeError"),
    ],
)
def test_wrong_pipelines_are_refused(locks, capsys, answer, why):
    verdict = locks["check_wide"]({**wide_pipelines(locks["Pipeline"]), **locks}[answer])
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


# What the chapters ask to predict, and set as a goal


@pytest.mark.parametrize(
    ("chapter", "cell", "answer"),
    [
        ("10", "bare-prediction", [0, 2, 2]),
        ("10", "station-prediction", 0.9),
        ("10", "owner-prediction", "never ends"),
        ("10", "hasty-prediction", [(0, 1), (1, 1)]),
        ("10", "bursts-prediction", 4),
        ("10", "quick-1", "the disk fails"),
        ("10", "quick-2", 3.1),
        ("10", "quick-3", [1, 2]),
    ],
)
def test_prediction_that_the_chapter_speaks_of_is_right(chapter, cell, answer):
    asked = prediction(chapter, cell)
    assert asked.run is None  # nothing has been run that could be looked at
    asked.answer(answer)
    assert asked.right, asked.said


def test_fewest_slots_that_take_no_time_are_as_many_as_the_chapter_says(locks):
    station = locks["burst_station"]
    took = {
        slots: tv.simulate(station, lambda slots=slots: locks["SolutionWidePipeline"](slots), 3, 4, 0.8, 0.2).duration
        for slots in (1, 2, 3, 4)
    }
    assert took == pytest.approx({1: 4.0, 2: 3.6, 3: 3.2, 4: 3.2})
