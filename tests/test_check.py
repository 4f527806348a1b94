"""The verdict of an exercise: a proof or a counterexample, and no wrong answer that passes."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from ipywidgets.widgets import widget

import threadviz as tv
from threadviz.notebook import check

from . import explored


def test_repair_passes_and_says_how_many_interleavings_that_is():
    verdict = tv.check(explored.lock, expect=2)
    assert verdict.passed and verdict.reason == "all 2 interleavings are as expected"
    assert verdict.counterexample is None


def test_race_does_not_pass_and_shows_the_run_that_loses_an_update():
    verdict = tv.check(explored.race, 2, expect=2)
    assert not verdict.passed and verdict.counterexample.result() == 1
    assert "it returns 1 where 2 is expected" in verdict.reason and "an update is lost" in verdict.reason


@pytest.mark.parametrize(
    ("program", "expect", "why"),
    [
        (explored.two_locks, 2, "an update is lost"),  # each thread has a lock of its own
        (explored.sleeps, 2, "an update is lost"),  # it works where they do not overlap
        (explored.roomy_semaphore, 2, "an update is lost"),
        (explored.crossed_locks, "fine", "deadlock"),
        (explored.lost_notify, "fine", "deadlock"),
        (explored.append_and_pop, [1], "ends with IndexError"),
        (explored.raises, 1, "raises ZeroDivisionError"),
        (explored.spins_for_ever, None, "never ends: after "),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_answers_are_refused_with_the_reason(program, expect, why):
    verdict = tv.check(program, expect=expect)
    assert not verdict.passed and why in verdict.reason


def test_search_that_was_cut_short_is_no_proof(monkeypatch):
    monkeypatch.setattr(check, "FIRST_RUNS", 2)
    monkeypatch.setattr(check, "explore", partial(check.explore, max_runs=3))
    verdict = tv.check(explored.semaphore, expect=2)
    assert not verdict.passed and "there may be more" in verdict.reason


def test_wrong_answer_is_not_explored_to_its_end(monkeypatch):
    made = []
    monkeypatch.setattr(check, "FIRST_RUNS", 5)
    monkeypatch.setattr(check, "explore", lambda *args, **kwargs: made.append(tv.explore(*args, **kwargs)) or made[-1])
    assert not tv.check(explored.race, 3, expect=3).passed
    assert [(found.runs, found.complete) for found in made] == [(5, False)]
    assert tv.check(explored.lock, expect=2).passed and len(made) == 2
    assert tv.check(explored.roomy_semaphore, expect=lambda value: value in (1, 2)).passed and len(made) == 4


def test_lock_made_outside_is_one_sentence():
    guard = threading.Lock()

    def scenario():
        with guard:
            return 1

    verdict = tv.check(scenario, expect=1)
    assert not verdict.passed and verdict.reason.startswith("guard is a Lock made outside scenario()")


def kitchen(cooks=2):
    orders, done, guard = queue.Queue(2), [], threading.Lock()

    def cook():
        while (order := orders.get()) is not None:
            time.sleep(1)
            with guard:
                done.append(order)

    threads = [threading.Thread(target=cook, name=f"cook-{i}") for i in range(cooks)]
    for thread in threads:
        thread.start()
    for order in range(4):
        orders.put(order)
    for _ in threads:
        orders.put(None)
    for thread in threads:
        thread.join()
    return sorted(done)


def test_facts_are_those_of_the_run():
    facts = tv.simulate(kitchen).facts
    assert facts.slept == {"cook-0": 2.0, "cook-1": 2.0} and facts.at_once == 2
    assert facts.puts == {"orders": 6} == facts.gets
    assert facts.waited["MainThread"] == 2.0 and facts.waited["nobody"] == 0
    assert facts.computed == {} and facts.unguarded == frozenset()
    assert tv.simulate(explored.attribute, seed=1).facts.unguarded == {"Box.value"}


def test_computing_is_a_fact_of_those_who_do():
    def crowd():
        with ThreadPoolExecutor(2, thread_name_prefix="w") as pool:
            pool.submit(tv.work, 0.5)
            pool.submit(tv.work, 0.25)

    facts = tv.simulate(crowd, cores=2).facts
    assert sorted(facts.computed.values()) == [0.25, 0.5] and facts.at_once == 2


def test_where_is_asked_of_many_runs():
    asked = []

    def at_most_two_seconds(run):
        asked.append(run)
        return run.duration <= 2

    assert not tv.check(
        explored.lock, expect=2, where=("nobody waits", lambda run: not asked.append(run))
    ).counterexample
    assert len(asked) == 21
    verdict = tv.check(kitchen, 1, expect=[0, 1, 2, 3], where=[("it takes two seconds", at_most_two_seconds)])
    assert not verdict.passed and verdict.reason.endswith("is not as it should be: it takes two seconds")
    assert verdict.counterexample.duration == 4


@pytest.mark.parametrize("where", [("only a sentence",), [lambda run: True], ("text", 3)])
def test_where_that_is_none_gets_one_sentence(where):
    with pytest.raises(TypeError, match="where must be a sentence and a function of a run"):
        tv.check(explored.lock, expect=2, where=where)


def test_verdict_shows_itself_with_the_counterexample():
    verdict = tv.check(explored.race, 2, expect=2)
    data, _ = verdict._repr_mimebundle_()
    assert data["text/plain"].startswith("not yet: ") and "image/png" in data
    live = widget._instances[data["application/vnd.jupyter.widget-view+json"]["model_id"]]
    assert live.said == f"not yet: {verdict.reason}" and live.face["svg"]
    data, _ = tv.check(explored.lock, expect=2)._repr_mimebundle_()
    assert data == {"text/plain": "passed: all 2 interleavings are as expected"}


def test_expectation_and_condition_that_raise_are_not_met_and_said():
    def scenario():
        return []

    wrong = tv.check(scenario, expect=lambda log: log[0] == "Ann")
    assert not wrong.passed
    assert wrong.reason == (
        "scenario() can go wrong: it returns [], and expect could not be asked of []: "
        "IndexError: list index out of range"
    )
    assert (
        "expect could not be asked of []: IndexError: list index out of range"
        in tv.explore(scenario, expect=lambda log: log[0] == "Ann").notes
    )
    unmet = tv.check(scenario, expect=[], where=("it has a first", lambda run: run.result()[0]))
    assert not unmet.passed and unmet.reason.startswith(
        "scenario() is not as it should be: it has a first (where could not be asked of "
    )
    assert unmet.reason.endswith("IndexError: list index out of range)")
