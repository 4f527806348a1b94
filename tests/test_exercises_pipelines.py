"""Chapters 10 and 11: the solutions of their exercises pass; wrong, lazy and cheating answers do not."""

import ast
import collections
import itertools
import json
import queue
import threading
import time

import pytest

import threadviz as tv

from .test_exercises_explored import NOTEBOOKS, names_of, prediction


@pytest.fixture(scope="module")
def locks():
    return names_of("10")


@pytest.fixture(scope="module")
def queues():
    return names_of("11")


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
        ("QueueOfTheLibrary", "a queue from the standard library"),
        ("KnownSizes", "With 7 slots"),
        ("WaitsForRoomOnce", "set_message returns at 0, 1, 1 s"),
        ("OneSlotTooMany", "set_message returns at 0, 0, 1 s"),
        ("NeverWaitsForRoom", "set_message returns at 0, 0, 0 s"),
        ("LastComesFirst", "came out"),
        ("LetsGoBeforeItLooks", "came out"),
        ("CountsWithoutALock", "an update is lost"),
        ("TimesOut", "a time-out, and comes back to look"),
        ("SimpleQueueOfTheLibrary", "a queue from the standard library"),
        ("MadeOutside", "made outside"),
        ("RoundTheWrongWay", "came out"),
        ("TakesNoSlots", "TypeError"),
    ],
)
def test_wrong_pipelines_are_refused(locks, capsys, answer, why):
    verdict = locks["check_wide"]({**wide_pipelines(locks["Pipeline"]), **locks}[answer])
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


# 11: a shop that closes


def shops(CLOSED):
    """Answers to the exercise, right and wrong."""

    def answer(packer, close, clerk=None, daemon=False):
        """A shop with this packer, which ends as `close` says."""

        def shop(customers, packers, maxsize, choosing=0.3):
            orders, closing, done = queue.Queue(maxsize), threading.Event(), threading.Event()
            taken, packed = [], []

            def serve(line):
                for order in line:
                    if closing.is_set():
                        break
                    time.sleep(choosing)
                    taken.append(order)
                    orders.put(order)

            def take(line):
                (clerk or serve)(*(() if clerk is None else (orders, closing, taken, choosing)), line)

            at_the_door = [threading.Thread(target=take, args=(line,)) for line in customers]
            at_the_table = [
                threading.Thread(target=packer, args=(orders, packed, closing, done), daemon=daemon)
                for _ in range(packers)
            ]
            for thread in at_the_door + at_the_table:
                thread.start()
            time.sleep(0.7)
            close(orders, closing, done, at_the_door, at_the_table)
            return taken, packed

        return shop

    def until_closed(orders, packed, closing, done):
        while (order := orders.get()) is not CLOSED:
            time.sleep(0.15)
            packed.append(order)

    def passes_it_on(orders, packed, closing, done):
        until_closed(orders, packed, closing, done)
        orders.put(CLOSED)

    def comes_back_to_look(orders, packed, closing, done):
        while not (done.is_set() and orders.empty()):
            try:
                order = orders.get(timeout=0.1)
            except queue.Empty:
                continue
            time.sleep(0.15)
            packed.append(order)

    def looks_at_the_event_only(orders, packed, closing, done):
        while not closing.is_set():
            try:
                order = orders.get(timeout=0.1)
            except queue.Empty:
                continue
            time.sleep(0.15)
            packed.append(order)

    def gives_up_when_it_is_empty(orders, packed, closing, done):
        while not closing.is_set() or not orders.empty():
            try:
                order = orders.get(timeout=0.1)
            except queue.Empty:
                continue
            time.sleep(0.15)
            packed.append(order)

    def packs_twice(orders, packed, closing, done):
        while (order := orders.get()) is not CLOSED:
            time.sleep(0.15)
            packed.extend([order, order])

    def says_when_done(orders, packed, closing, done):
        while True:
            packed.append(orders.get())
            time.sleep(0.15)
            orders.task_done()

    def in_turn(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        done.set()
        for _ in packers:
            orders.put(CLOSED)
        for thread in packers:
            thread.join()

    def without_sentinels(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        done.set()
        for thread in packers:
            thread.join()

    def one_sentinel(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        orders.put(CLOSED)
        for thread in packers:
            thread.join()

    def sentinels_first(orders, closing, done, clerks, packers):
        closing.set()
        for _ in packers:
            orders.put(CLOSED)
        for thread in clerks + packers:
            thread.join()

    def waits_for_no_packer(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        for _ in packers:
            orders.put(CLOSED)

    def waits_for_the_work(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        orders.join()

    def never_closes(orders, closing, done, clerks, packers):
        for thread in clerks:
            thread.join()
        for _ in packers:
            orders.put(CLOSED)
        for thread in packers:
            thread.join()

    def shuts_down(orders, closing, done, clerks, packers):
        closing.set()
        for thread in clerks:
            thread.join()
        orders.shutdown()
        for thread in packers:
            thread.join()

    def until_shut_down(orders, packed, closing, done):
        try:
            while True:
                order = orders.get()
                time.sleep(0.15)
                packed.append(order)
        except queue.ShutDown:
            pass

    def one_customer_each(orders, closing, taken, choosing, line):
        time.sleep(choosing)
        taken.append(line[0])
        orders.put(line[0])

    def sends_away(orders, closing, taken, choosing, line):
        for order in line:
            if closing.wait(choosing):
                break
            taken.append(order)
            orders.put(order)

    def no_threads_and_no_queue(customers, packers, maxsize, choosing=0.3):
        taken = [line[number] for line in customers for number in range(min(len(line), 3 if choosing < 1 else 1))]
        return taken, list(taken)

    def main_packs(customers, packers, maxsize, choosing=0.3):
        return answer(until_closed, in_turn)(customers, 1, maxsize, choosing)

    def without_a_bound(customers, packers, maxsize, choosing=0.3):
        return answer(until_closed, in_turn)(customers, packers, 0, choosing)

    return {
        "passed on": answer(passes_it_on, one_sentinel),
        "shut down": answer(until_shut_down, shuts_down),
        "comes back to look": answer(comes_back_to_look, without_sentinels),
        "no threads and no queue": no_threads_and_no_queue,
        "one customer each, no event": answer(until_closed, never_closes, one_customer_each),
        "sends customers away": answer(until_closed, in_turn, sends_away),
        "never closes": answer(until_closed, never_closes),
        "event only": answer(looks_at_the_event_only, without_sentinels),
        "empty": answer(gives_up_when_it_is_empty, without_sentinels),
        "one sentinel": answer(until_closed, one_sentinel),
        "sentinels first": answer(until_closed, sentinels_first),
        "packs twice": answer(packs_twice, in_turn),
        "does not wait": answer(until_closed, waits_for_no_packer),
        "waits for the work": answer(says_when_done, waits_for_the_work, daemon=True),
        "one packer": main_packs,
        "no bound": without_a_bound,
        "nothing": lambda *_: None,
    }


@pytest.mark.parametrize("name", ["solution_shop", "passed on", "shut down"])
def test_right_shops_pass(queues, capsys, name):
    if name == "shut down" and not hasattr(queue.Queue, "shutdown"):
        pytest.skip("Queue.shutdown came with Python 3.13")
    assert queues["check_shop"]({**shops(queues["CLOSED"]), **queues}[name]).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("shop", "3 taken, and 2 packed when the shop returns"),
        ("no threads and no queue", "The event is gone"),
        ("one customer each, no event", "serve 3 customers; here it is 1"),
        ("sends customers away", "serve 3 customers; here it is 2"),
        ("never closes", "serve 3 customers; here it is 9"),
        ("event only", "packed when the shop returns"),
        ("empty", "packed when the shop returns"),
        ("one sentinel", "Not everyone goes home"),
        ("sentinels first", "packed when the shop returns"),
        ("packs twice", "3 taken, and 6 packed"),
        ("does not wait", "3 taken, and 2 packed"),
        ("waits for the work", "somebody has not gone home"),
        ("comes back to look", "comes back to look again and again"),
        ("one packer", "3 packers who work side by side are done after 1.2 s"),
        ("no bound", "The bound is not kept"),
        ("nothing", "TypeError"),
    ],
)
def test_wrong_shops_are_refused(queues, capsys, name, why):
    verdict = queues["check_shop"]({**shops(queues["CLOSED"]), **queues}[name])
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


@pytest.mark.skipif(not hasattr(queue.Queue, "shutdown"), reason="Queue.shutdown came with Python 3.13")
def test_queue_that_is_shut_down_ends_its_cooks_and_loses_nothing(queues):
    assert tv.check(queues["shutdown_time"], 1, expect=["fish", "rice", "soup"]).passed
    for cooks, seed in itertools.product((2, 3), range(1, 20)):
        run = tv.simulate(queues["shutdown_time"], cooks, seed=seed)
        assert run.result() == ["fish", "rice", "soup"] and not run.errors


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
        ("11", "queue-prediction", 1.6),
        ("11", "bound-prediction", 1.6),
        ("11", "sentinel-prediction", "never ends"),
        ("11", "event-prediction", ["all is cooked", "an order is left", "never ends"]),
        ("11", "join-prediction", 0.4),
        ("11", "quick-1", "never ends"),
        ("11", "quick-2", 0.1),
        ("11", "quick-3", 4),
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


def goal_of(chapter, cell, names):
    """Whether a run reaches the goal of this panel."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (source,) = ("".join(each["source"]) for each in cells if each["id"] == cell)
    panel = ast.parse(source).body[-1].value
    (goal,) = (each.value for each in panel.keywords if each.arg == "goal")
    return eval(compile(ast.Expression(goal), f"<{chapter}/{cell}>", "eval"), names)[1]


@pytest.mark.parametrize(
    ("chapter", "cell", "scenario", "settings"),
    [
        ("10", "panel", "station", {"readings": 10, "measuring": 0.2}),
        ("10", "hasty-panel", "hasty_station", {}),
        ("10", "use-panel", "wide_bursts", {"slots": 3}),
        ("11", "panel", "kitchen", {"cooks": 2, "taking": 0.1}),
        ("11", "sentinel-panel", "closing_time", {"cooks": 3, "sentinels": 3}),
        ("11", "event-panel", "tutorial", {"pause": 0.05}),
    ],
)
def test_goal_is_not_reached_by_itself_and_can_be_reached(chapter, cell, scenario, settings):
    names = names_of(chapter)
    if chapter == "10":
        names["WidePipeline"] = names["SolutionWidePipeline"]
    reached = goal_of(chapter, cell, names)
    assert not reached(tv.simulate(names[scenario]))
    seeds = [None] if settings else range(1, 21)
    assert any(reached(tv.simulate(names[scenario], seed=seed, **settings)) for seed in seeds)
