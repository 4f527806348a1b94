"""explore(executor=...): a search in parts comes to the same as one in a piece."""

import multiprocessing
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import threadviz as tv
from threadviz.exploration import explorer, parts

from . import explored
from .refused import refused


class Here(Executor):
    """Makes each call at once, in this process, from what would have been sent to another."""

    calls = 0

    def submit(self, function, /, *args, **kwargs):
        self.calls += 1
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(explorer, "ALONE", 2)
    monkeypatch.setattr(parts, "RUNS_A_PART", 3)


@pytest.mark.many
@pytest.mark.parametrize("program", explored.ALL, ids=lambda each: each.__name__)
def test_search_in_parts_finds_the_same_in_as_many_runs(program, small_parts):
    whole = tv.explore(program, max_runs=300)
    in_parts = tv.explore(program, max_runs=300, executor=Here())
    if whole.complete or not whole.notes:
        assert in_parts.outcomes == whole.outcomes
    assert (in_parts.runs, in_parts.complete, in_parts.counts) == (whole.runs, whole.complete, whole.counts)
    assert in_parts.notes == whole.notes
    assert (in_parts.counterexample is None) == (whole.counterexample is None)


def test_parts_are_handed_out_and_their_counts_added(small_parts):
    executor = Here()
    found = tv.explore(explored.race, 3, expect=lambda value: value != 1, executor=executor)
    assert executor.calls > 5
    assert found.outcomes.total() == 90 and found.runs == 36 and found.complete
    assert found.counterexample.result() == 1


def test_run_of_an_outcome_that_is_as_expected_is_known_to_be_wherever_it_was_made(small_parts):
    found = tv.explore(explored.race, 3, expect=1, executor=Here())._found
    assert found.examples[1].value is None  # it was made elsewhere
    assert {outcome: found.fails(example) for outcome, example in found.examples.items()} == {
        1: False,
        2: True,
        3: True,
    }


def test_bound_and_limit_hold_for_all_parts_together(small_parts):
    alone = tv.explore(explored.race, 3, preemptions=1)
    bounded = tv.explore(explored.race, 3, preemptions=1, executor=Here())
    assert (bounded.outcomes, bounded.runs, bounded.notes) == (alone.outcomes, alone.runs, alone.notes)
    limited = tv.explore(explored.race, 3, max_runs=10, executor=Here())
    assert limited.runs == 10 and not limited.complete
    assert limited.notes == ("given up after 10 runs: max_runs= says how many there may be",)


def test_what_is_found_to_be_shared_only_elsewhere_is_explored_by_all(small_parts):
    def scenario():
        numbers = {"first": 0, "late": 0}

        def work():
            if numbers["first"]:
                numbers["late"] += 1
            numbers["first"] += 1
            if numbers["first"] > 1:
                numbers["late"] += 10

        explored.together(work, work)
        return tuple(numbers.values())

    whole = tv.explore(scenario)
    found = tv.explore(scenario, executor=Here())
    assert found.outcomes == whole.outcomes and found.complete


def test_other_processes_take_functions_and_classes_that_only_this_one_has():
    class Account:
        def __init__(self):
            self.balance = 0

    def scenario(threads):
        account = Account()

        def pay():
            account.balance += 1

        explored.together(*[pay] * threads)
        return account.balance

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = tv.explore(scenario, 4, executor=pool)
    assert found.outcomes.total() == 2520 and found.complete and found.runs == 576


def test_process_in_which_the_scenario_does_something_else_is_told(small_parts, monkeypatch):
    monkeypatch.setattr(explored, "elsewhere", False, raising=False)

    class Elsewhere(Here):
        def submit(self, function, /, *args, **kwargs):
            with monkeypatch.context() as there:
                there.setattr(explored, "elsewhere", True)
                return super().submit(function, *args, **kwargs)

    with pytest.raises(tv.NotRepeatable, match="^two runs with the same choices differ: "):
        tv.explore(lambda: explored.race(3 if explored.elsewhere else 2), executor=Elsewhere())


def test_stop_button_keeps_what_the_parts_have_found(small_parts):
    class Pressed(Here):
        def submit(self, function, /, *args, **kwargs):
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().submit(function, *args, **kwargs)

    found = tv.explore(explored.race, 3, executor=Pressed())
    assert 2 <= found.runs < 36 and not found.complete
    assert found.notes == ("it was stopped: what was found until then is kept",)


def test_what_is_no_executor_of_processes_gets_one_sentence():
    with refused(TypeError, "executor must be a concurrent.futures.Executor, not int"):
        tv.explore(explored.race, executor=2)
    with (
        refused(
            TypeError, "executor must make its calls in other processes: in one process, one run goes on at a time"
        ),
        ThreadPoolExecutor(1) as pool,
    ):
        tv.explore(explored.race, executor=pool)
