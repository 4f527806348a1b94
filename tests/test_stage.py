"""One stage for many runs: each begins as fresh as if it were alone, and afterwards everything is as it was."""

import contextvars
import gc
import logging
import queue
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import threadviz as tv
from threadviz.schedule import InOrder, Shuffle
from threadviz.simulation.one_run import Simulation
from threadviz.simulation.tasks import Task
from threadviz.stage.stage import exclusively

from . import programs


def on_stage(scenario, *args):
    return Simulation(partial(scenario, *args))


def everything(times=2):
    """Uses what the library counts, seeds, names and keeps for the next run."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    logging.info("thread %s", threading.current_thread().name)
    orders = queue.Queue()
    lock, condition, local = threading.Lock(), threading.Condition(), threading.local()
    numbers = []

    def work(number):
        local.number = number
        with lock:
            numbers.append(random.random())
        with condition:
            condition.notify_all()
        orders.put(local.number)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(times)))
    helper = threading.Thread(target=work, args=(7,))
    helper.start()
    helper.join()
    print(helper.name, time.monotonic(), threading.active_count())
    return [orders.get() for _ in range(times + 1)], numbers


def test_each_run_on_one_stage_is_the_run_alone():
    alone = tv.simulate(everything)
    with exclusively(), on_stage(everything) as simulation:
        done = [simulation.run(InOrder()) for _ in range(5)]
    assert {str(each.trace) for each in done} == {str(alone.trace)}
    assert [list(map(str, each.log)) for each in done] == [list(map(str, alone.log))] * 5
    assert [each.value for each in done] == [alone.result()] * 5


def test_run_without_notes_has_the_same_choices_and_outcome_and_an_empty_trace():
    for seed in range(10):
        with exclusively(), on_stage(programs.race, 3) as simulation:
            noted, blind = (simulation.run(Shuffle(seed), seed, noted=noted) for noted in (True, False))
        assert (noted.schedule, noted.value, noted.trace.duration) == (
            blind.schedule,
            blind.value,
            blind.trace.duration,
        )
        assert noted.trace.events and not blind.trace.events
        assert not any(lane.spans or lane.held for lane in blind.trace.lanes)


def test_policy_that_lives_across_runs_sees_who_can_go_on():
    class Fewest:
        """The thread that has gone on least often so far, over all runs."""

        def __init__(self):
            self.gone, self.begun, self.ended, self.seen = Counter(), 0, 0, set()

        def begin(self):
            self.begun += 1

        def choose(self, threads):
            self.seen |= {thread.name for thread in threads}
            index = min(range(len(threads)), key=lambda i: (self.gone[threads[i].number], i))
            self.gone[threads[index].number] += 1
            return index

        def finish(self):
            self.ended += 1

    policy = Fewest()
    with exclusively(), on_stage(everything) as simulation:
        values = [simulation.run(policy).value for _ in range(20)]
    assert policy.begun == policy.ended == 20
    assert {"MainThread", "ThreadPoolExecutor-0_0", "Thread-1 (work)"} <= policy.seen
    assert max(policy.gone.values()) - min(policy.gone.values()) < policy.gone.total()
    assert all(sorted(order) == [0, 1, 7] for order, _ in values)


def test_what_a_run_leaves_in_the_library_is_not_there_in_the_next_one():
    def untidy():
        before = len(logging.root.handlers), logging.root.level, threading.excepthook, hasattr(time, "mine")
        logging.root.addHandler(logging.NullHandler())
        logging.root.setLevel(logging.DEBUG)
        threading.excepthook = print
        return before

    with exclusively(), on_stage(untidy) as simulation:
        first, second = (simulation.run(InOrder()).value for _ in range(2))
    assert first == second


def test_run_that_never_ends_or_deadlocks_does_not_spoil_the_next_one(monkeypatch):
    monkeypatch.setattr("threadviz.simulation.simulator.MAX_SWITCHES", 1000)
    turns = iter(["endless", "deadlock", "raises", "fine"] * 3)

    def moody():
        lock = threading.Lock()
        match next(turns):
            case "endless":
                while True:
                    time.sleep(0.1)
            case "deadlock":
                lock.acquire()
                lock.acquire()
            case "raises":
                raise ValueError("no")
        return "fine"

    with exclusively(), on_stage(moody) as simulation:
        done = [simulation.run(InOrder()) for _ in range(12)]
    assert [type(each.error).__name__ for each in done] == ["Stuck", "NoneType", "ValueError", "NoneType"] * 3
    assert [each.deadlocked for each in done] == [False, True, False, False] * 3
    assert [each.value for each in done] == [None, None, None, "fine"] * 3


def test_stop_button_between_two_runs_ends_the_stage():
    with pytest.raises(KeyboardInterrupt), exclusively(), on_stage(everything) as simulation:
        simulation.run(InOrder())
        signal.raise_signal(signal.SIGINT)
        simulation.run(InOrder())
    assert tv.simulate(everything).result()


def test_thousand_runs_leave_no_thread_behind_and_keep_no_run_but_the_last():
    gc.collect()
    before = {id(each) for each in gc.get_objects() if type(each) is Task}  # of other tests
    with exclusively(), on_stage(programs.race, 2) as simulation:
        assert {simulation.run(Shuffle(seed), seed, noted=False).value for seed in range(1000)} == {1}
    gc.collect()
    left = [each for each in gc.get_objects() if type(each) is Task and id(each) not in before]
    assert len(left) <= 3 and not any(task.is_under_way for task in left)


def test_each_thread_has_a_context_of_its_own_in_each_run():
    asked = contextvars.ContextVar("asked", default=0)

    def ask(found):
        found.append(asked.get())
        asked.set(asked.get() + 1)

    def scenario():
        found = []
        for _ in range(3):
            thread = threading.Thread(target=ask, args=(found,))
            thread.start()
            thread.join()
        ask(found)
        return found

    with exclusively(), on_stage(scenario) as simulation:
        assert [simulation.run(InOrder()).value for _ in range(3)] == [[0, 0, 0, 0]] * 3


def test_main_thread_has_its_own_name_again_after_a_run_and_in_the_next_one():
    def renamed():
        main = threading.current_thread()
        before, main.name = main.name, "news"
        return before, hasattr(main, "extra") or setattr(main, "extra", 1)

    before = dict(vars(threading.main_thread()))
    run = tv.simulate(renamed)
    assert (run.result(), run.trace.lanes[0].name) == (("MainThread", None), "news")
    assert tv.record(renamed).result() == ("MainThread", None)
    assert tv.explore(renamed).outcomes == {("MainThread", None): 1}
    assert vars(threading.main_thread()) == before
