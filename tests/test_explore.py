"""Exploring: no outcome missed, none invented, counts that are proved, and nothing that passes unseen."""

import gc
import importlib
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections import Counter
from functools import partial
from itertools import combinations

import pytest

import threadviz as tv
from threadviz.exploration.search import count_orders

from . import explored

MOST = 1_000  # runs, when every interleaving is made
PATIENCE = 0.3  # seconds, for real runs of one program


def interleavings(*lengths):
    """The orders in which threads of so many steps can take turns, as tuples of thread numbers."""
    if not any(lengths):
        return [()]
    found = []
    for i, length in enumerate(lengths):
        if length:
            rest = [*lengths[:i], length - 1, *lengths[i + 1 :]]
            found += [(i, *each) for each in interleavings(*rest)]
    return found


def race_by_hand(order):
    """What threads that read and then write value + 1 end with, when they take turns in this order."""
    value, read = 0, {}
    for thread in order:
        if thread in read:
            value = read[thread] + 1
        else:
            read[thread] = value
    return value


@pytest.mark.parametrize(("threads", "all_of_them", "lose"), [(2, 6, 4), (3, 90, 84)])
def test_counts_of_the_race_are_those_enumerated_by_hand(threads, all_of_them, lose):
    by_hand = Counter(map(race_by_hand, interleavings(*[2] * threads)))
    assert by_hand.total() == all_of_them and by_hand.total() - by_hand[threads] == lose
    found = tv.explore(explored.race, threads)
    assert found.outcomes == by_hand and found.counts == "interleavings" and found.complete


def test_four_threads_have_2520_interleavings():
    assert tv.explore(explored.race, 4).outcomes.total() == 2520


def test_one_run_is_made_of_each_class():
    assert [tv.explore(explored.race, threads).runs for threads in (2, 3)] == [4, 36]
    assert [tv.explore(explored.philosophers, seats).runs for seats in (3, 5, 7)] == [7, 31, 127]


def test_five_philosophers_stand_still_in_one_class_of_all():
    found = tv.explore(explored.philosophers, 5)
    assert found.complete and found.outcomes["deadlock"] == 120  # the orders of five first steps
    three = tv.explore(explored.philosophers, 3).counterexample
    assert len(three.deadlock) == 3 and len(three.trace.waits) == 4


@pytest.mark.many
@pytest.mark.parametrize("program", explored.ALL, ids=lambda each: each.__name__)
def test_outcomes_are_those_of_every_single_interleaving(program):
    found = tv.explore(program)
    every = tv.explore(program, preemptions=99, max_runs=MOST)
    assert found.complete
    if every.complete:
        assert set(found.outcomes) == set(every.outcomes)
        if found.counts == every.counts:
            assert found.outcomes == every.outcomes
    else:
        assert set(every.outcomes) <= set(found.outcomes)


@pytest.mark.many
@pytest.mark.parametrize(
    "program",
    [each for each in explored.ALL if "deadlock" not in each.__name__],
    ids=lambda each: each.__name__,
)
def test_no_outcome_of_a_real_run_is_missed(program):
    found = tv.explore(program)
    if {"deadlock", "never ends"} & set(found.outcomes):
        pytest.skip("a real run might never end")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        deadline = time.monotonic() + PATIENCE
        for _ in range(200):
            if time.monotonic() > deadline:
                break
            try:
                value = program()
            except ZeroDivisionError as error:
                value = f"raises ZeroDivisionError: {error}"
            try:
                seen = value in found.outcomes
            except TypeError:
                seen = repr(value) in found.outcomes
            assert seen, value
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.many
@pytest.mark.parametrize("program", explored.ALL, ids=lambda each: each.__name__)
def test_every_outcome_replays_to_the_very_same_trace(program):
    found = tv.explore(program)
    for outcome in found.outcomes:
        run = found.example(outcome)
        again = tv.simulate(program, schedule=str(run.schedule))
        assert str(again.trace) == str(run.trace) and again.clock == "steps"
        assert again.outcome == run.outcome and str(again.schedule) == str(run.schedule)


def random_walk(seed):
    """A policy that chooses at random."""

    class Walk:
        preempts = False

        def begin(self):
            self._random = random.Random(seed)

        def choose(self, threads):
            return self._random.randrange(len(threads))

        def preempt(self, access, threads):
            return None

        def finish(self):
            pass

    return Walk()


@pytest.mark.many
@pytest.mark.parametrize("seed", range(17))
@pytest.mark.parametrize("program", explored.ALL[::3], ids=lambda each: each.__name__)
def test_random_schedules_replay(program, seed):
    from threadviz.simulation.one_run import Simulation
    from threadviz.stage.stage import exclusively

    with exclusively(), Simulation(partial(program), steps=True) as simulation:
        for number in range(3):  # it may take some runs until all that is shared is known
            done = simulation.run(random_walk(seed + number))
    run = tv.simulate(program, schedule=done.schedule)
    assert str(run.schedule) == str(done.schedule) and run.trace.waits == done.trace.waits
    assert done.error is not None or run.exception() is not None or run.result() == done.value


def test_counterexample_has_the_fewest_preemptions():
    def five_switches():
        """Goes wrong only where the threads take turns at every step."""
        box, seen = explored.Box(), []

        def up():
            for wanted in (0, 2):
                if box.value == wanted:
                    box.value = wanted + 1

        def follow():
            for wanted in (1, 3):
                if box.value == wanted:
                    box.value = wanted + 1

        explored.together(up, follow)
        seen.append(box.value)
        return seen[0]

    found = tv.explore(five_switches, expect=lambda value: value < 4)
    assert found.counterexample.result() == 4
    for fewer in range(2):
        assert tv.explore(five_switches, expect=lambda value: value < 4, preemptions=fewer).counterexample is None
    assert tv.explore(five_switches, expect=lambda value: value < 4, preemptions=2).counterexample.result() == 4


def test_a_bound_on_preemptions_is_no_proof():
    found = tv.explore(explored.race, 2, preemptions=0)
    assert found.outcomes == {2: 2} and not found.complete
    assert found.notes == ("only interleavings with at most 0 preemptions were tried",)


def test_a_search_that_was_given_up_says_so_and_never_that_all_is_well():
    found = tv.explore(explored.lock, expect=2, max_runs=1)
    assert not found.complete and found.counterexample is None
    assert "given up after 1 runs" in found.notes[0] and "there may be more" in found.verdict
    with pytest.raises(AssertionError, match="there may be more"):
        found.assert_holds()


def test_verdict_counts_runs_and_interleavings_apart():
    found = tv.explore(explored.race, 3, expect=3)
    assert found.verdict == "it can go wrong (90 interleavings, 36 runs, and these are all)"


def test_what_takes_long_shows_how_many_runs_were_made_and_nothing_is_left_of_it(monkeypatch, capsys):
    from threadviz.exploration import progress_bar

    tv.explore(explored.race)
    assert capsys.readouterr().err == ""  # done before the bar would come
    monkeypatch.setattr(progress_bar, "PATIENCE", 0)
    tv.explore(explored.race)
    shown = capsys.readouterr().err
    assert "exploring race(threads=2)" in shown and " runs" in shown
    assert shown.endswith("\r") and not shown.rpartition("\r")[0].rpartition("\r")[2].strip()


def test_long_run_that_was_cut_off_is_no_proof_that_it_never_ends(monkeypatch):
    from threadviz.exploration import explorer
    from threadviz.simulation import stepping

    for module in (stepping, explorer):
        monkeypatch.setattr(module, "MAX_STEPS", 5)
    found = tv.explore(explored.race, 3)
    assert not found.complete and found.notes == ("a run was still going after 5 steps, and may have an end after all",)
    assert found.outcomes.keys() == {"cut off after 5 steps"}
    assert found.verdict.startswith("a run was cut off after 5 steps, and may have no end (")


def test_run_that_fails_counts_before_one_that_was_cut_off(monkeypatch):
    from threadviz.exploration import explorer
    from threadviz.simulation import stepping

    for module in (stepping, explorer):
        monkeypatch.setattr(module, "MAX_STEPS", 400)

    def scenario():
        seen = {"count": 0, "done": False}

        def count_up():
            for _ in range(2):
                seen["count"] += 1
            seen["done"] = True

        def look():
            while not seen["done"]:
                if seen["count"] == 1:
                    raise ValueError("in the middle")
                seen["looked"] = seen.get("looked", 0) + 1

        explored.together(look, count_up)

    found = tv.explore(scenario, max_runs=200)
    assert "cut off after 400 steps" in found.outcomes and not found.complete
    assert found.verdict.startswith("it can go wrong") and found.counterexample.errors


def test_verdict_of_an_exercise_does_not_say_of_a_run_that_was_cut_off_that_it_goes_wrong(monkeypatch):
    from threadviz.exploration import explorer
    from threadviz.simulation import stepping

    for module in (stepping, explorer):
        monkeypatch.setattr(module, "MAX_STEPS", 5)
    verdict = tv.check(explored.race, 3, expect=3)
    assert verdict.reason.startswith("race(threads=3) may have no end: still going after 5 steps in ")


def test_wait_that_nobody_can_end_is_not_begun_again_and_again():
    def scenario():
        event = threading.Event()

        def wait():
            while not event.wait(0.1):
                pass

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        thread.join(5)
        return thread.is_alive()

    found = tv.explore(scenario)
    assert found.outcomes.keys() == {True} and found.complete


def test_wait_with_a_time_out_is_over_when_its_time_is_however_that_is_rounded():
    """`Queue.get` computes when its time is over, in seconds: of 1.9 less 1.8 there may be something left."""

    def scenario():
        orders, closing, done = queue.Queue(1), threading.Event(), threading.Event()
        taken, packed = [], []

        def clerk():
            for order in ["tea", "milk"]:
                if closing.is_set():
                    break
                time.sleep(0.3)
                taken.append(order)
                orders.put(order)

        def pack():
            while not (done.is_set() and orders.empty()):
                try:
                    order = orders.get(timeout=0.1)
                except queue.Empty:
                    continue
                time.sleep(0.15)
                packed.append(order)

        clerks, packers = threading.Thread(target=clerk), threading.Thread(target=pack)
        clerks.start()
        packers.start()
        time.sleep(0.7)
        closing.set()
        clerks.join()
        done.set()
        packers.join()
        return taken == packed

    found = tv.explore(scenario, expect=True)
    assert found.complete and found.counterexample is None


def test_loop_that_tries_again_without_end_is_given_up_soon_and_said():
    def take_both(one, other):
        while True:
            with one:
                if other.acquire(blocking=False):
                    other.release()
                    return

    def scenario():
        a, b = threading.Lock(), threading.Lock()
        explored.together(lambda: take_both(a, b), lambda: take_both(b, a))

    found = tv.explore(scenario)
    assert not found.complete and found.runs < 100
    assert "cut off after 5,000 steps" in found.outcomes and "never ends" not in found.outcomes
    assert found.notes[-1] == "a run was still going after 5,000 steps, and may have an end after all"


def test_search_is_given_up_where_run_after_run_goes_on(monkeypatch):
    from threadviz.exploration import explorer
    from threadviz.simulation import stepping

    for module in (stepping, explorer):
        monkeypatch.setattr(module, "MAX_STEPS", 5)
    monkeypatch.setattr(explorer, "MOST_GOING_ON", 2)
    found = tv.explore(explored.race, 3)
    assert found.runs < 4 and not found.complete
    assert found.notes[0] == "given up: run after run goes on and on, as where a loop tries again without end"


def test_assert_holds_tells_the_story_and_how_to_run_it_again():
    tv.explore(explored.lock, expect=2).assert_holds()
    with pytest.raises(AssertionError) as caught:
        tv.explore(explored.attribute, expect=2).assert_holds()
    assert "an update is lost" in str(caught.value) and "tv.simulate(attribute, schedule='steps " in str(caught.value)


def test_expect_may_be_a_predicate():
    assert tv.explore(explored.race, 2, expect=lambda value: value > 0).counterexample is None
    assert tv.explore(explored.race, 2, expect=lambda value: value > 1).counterexample.result() == 1


def test_without_expect_what_raises_or_stands_still_is_wrong():
    assert tv.explore(explored.race, 2).counterexample is None
    assert tv.explore(explored.crossed_locks).counterexample.outcome == "deadlock"
    assert tv.explore(explored.raises).counterexample.outcome.startswith("raises ZeroDivisionError")


def test_exception_of_a_thread_is_wrong_where_nothing_is_expected():
    found = tv.explore(explored.append_and_pop)
    assert list(found.outcomes) == ["[1]"]
    (error,) = found.counterexample.errors.values()
    assert isinstance(error, IndexError)


def test_example_of_an_outcome_that_was_not_seen_is_a_clear_error():
    with pytest.raises(KeyError, match="no run ended with 7; the outcomes are 2, 1|no run ended with 7"):
        tv.explore(explored.race, 2).example(7)


runs_so_far = []


def grows():
    runs_so_far.append(1)
    box = explored.Box(len(runs_so_far))
    explored.together(box.add, box.add)
    return box.value


def test_scenario_that_changes_what_outlives_it_is_refused():
    with pytest.raises(tv.NotRepeatable, match=r"the first one ends with \d+ and the second one with \d+"):
        tv.explore(grows)


def test_scenario_that_takes_another_way_each_time_is_refused():
    def sometimes():
        runs_so_far.append(1)
        box = explored.Box()
        explored.together(*[box.add] * (1 + len(runs_so_far) % 2))

    with pytest.raises(tv.NotRepeatable, match="two runs with the same choices differ"):
        tv.explore(sometimes)


def test_scenario_that_waits_for_something_real_is_refused():
    def listens():
        one, other = socket.socketpair()
        with one, other:
            explored.together(lambda: one.recv(1), lambda: other.send(b"!"))

    with pytest.raises(tv.NotRepeatable, match=r"Thread-1 .* waits for something real in line \d+, such as a socket"):
        tv.explore(listens)


def test_what_the_clock_says_is_not_explored_and_that_is_said():
    def patient():
        start = time.monotonic()
        explored.together(explored.Box().add)
        return time.monotonic() - start >= 0

    found = tv.explore(patient)
    assert not found.complete and "looks at the clock" in found.notes[0]


def test_function_that_is_not_the_learners_is_refused():
    with pytest.raises(tv.Unseen, match="no access in .* can be seen"):
        tv.explore(threading.Event().is_set if False else random.Random(1).random)


def test_lock_made_outside_is_refused_in_one_sentence():
    guard = threading.Lock()

    def scenario():
        with guard:
            pass

    with pytest.raises(tv.MadeOutside, match="guard is a Lock made outside scenario"):
        tv.explore(scenario)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_runs": 0}, "max_runs must be 1 or more, not 0"),
        ({"max_runs": "many"}, "max_runs must be a whole number, not 'many'"),
        ({"preemptions": -1}, "preemptions must be 0 or more, not -1"),
        ({"preemptions": True}, "preemptions must be a whole number, not True"),
    ],
)
def test_bad_options_get_one_sentence(options, text):
    with pytest.raises((TypeError, ValueError)) as caught:
        tv.explore(explored.race, **options)
    assert str(caught.value) == text


def test_schedule_of_steps_takes_no_seed():
    with pytest.raises(ValueError, match="leave out seed and cores"):
        tv.simulate(explored.race, schedule="steps 1", seed=3)


def test_schedule_of_other_code_does_not_fit():
    schedule = tv.explore(explored.race, 2).example(1).schedule
    with pytest.raises(tv.ScheduleMismatch):
        tv.simulate(explored.philosophers, schedule=schedule)


def test_module_of_the_learners_own_is_seen(tmp_path, monkeypatch):
    (tmp_path / "their_module.py").write_text(
        "class Account:\n    def __init__(self):\n        self.balance = 0\n"
        "    def pay(self):\n        self.balance += 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    their_module = importlib.import_module("their_module")

    def pays_twice():
        account = their_module.Account()
        explored.together(account.pay, account.pay)
        return account.balance

    assert tv.explore(pays_twice).outcomes == {1: 4, 2: 2}


def test_code_that_is_compiled_during_the_run_is_explored():
    def compiles():
        names = {"box": explored.Box()}
        exec("def add():\n    box.value += 1", names)
        explored.together(names["add"], names["add"])
        return names["box"].value

    def evaluates():
        box = explored.Box()
        add = eval("lambda box: setattr(box, 'value', box.value + 1)")
        explored.together(partial(add, box), partial(add, box))
        return box.value

    assert tv.explore(compiles).outcomes == {1: 4, 2: 2}
    assert tv.explore(evaluates).outcomes == {1: 4, 2: 2}


def test_method_of_a_list_that_is_given_away_is_told():
    def gives_away():
        items = []
        explored.together(partial(items.append, 1), partial(items.append, 2))
        return items

    def gives_setattr_away():
        box = explored.Box()
        explored.together(partial(setattr, box, "value", 1), lambda: box.value)

    told = tv.explore(gives_setattr_away)
    assert not told.complete and "the function setattr is given away in line" in told.notes[0]
    found = tv.explore(gives_away)
    assert not found.complete and "the method append of a list is given away in line" in found.notes[0]


def test_functions_are_found_wherever_they_are_kept():
    def hidden():
        box = explored.Box()
        adders = {"add": [types.MethodType(lambda box: explored.Box.add(box), box)]}
        explored.together(adders["add"][0], adders["add"][0])
        return box.value

    assert tv.explore(hidden).outcomes == {1: 4, 2: 2}


def functions():
    return {id(each): (each, each.__code__) for each in gc.get_objects() if type(each) is types.FunctionType}


@pytest.mark.many
@pytest.mark.parametrize("moment", range(100))
def test_interrupt_at_any_moment_keeps_what_was_found_and_puts_everything_back(moment):
    before = functions()
    chance = random.Random(moment)
    timer = threading.Timer(chance.uniform(0, 0.4), signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        found = tv.explore(explored.race, 4)
        assert found.complete or "it was stopped" in found.notes[-1]
    except KeyboardInterrupt:  # before the first run, or after the last one
        pass
    finally:
        timer.cancel()
        timer.join()
    assert all(function.__code__ is code for function, code in before.values())
    assert tv.explore(explored.race, 2).outcomes == {1: 4, 2: 2}


def test_orders_are_counted_as_they_would_be_listed():
    free = [(0, {0: 1}), (0, {0: 2}), (1, {1: 1}), (1, {1: 2})]
    assert count_orders(free) == 6 == len(list(combinations(range(4), 2)))
    after = [(0, {0: 1}), (0, {0: 2}), (1, {0: 1, 1: 1}), (1, {0: 2, 1: 2})]
    assert count_orders(after) == 2
    assert count_orders([(thread, {thread: n + 1}) for thread in range(12) for n in range(4)]) is None


def test_same_counts_in_another_process_with_another_hash_seed():
    code = (
        "import threadviz as tv; from tests import explored;"
        "print([(p.__name__, sorted(tv.explore(p).outcomes.items(), key=repr), tv.explore(p).runs)"
        " for p in [*explored.ALL[::8], explored.philosophers]])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1 and "philosophers" in told.pop()


def test_function_that_could_not_be_looked_into_is_told_and_leaves_the_search_incomplete(monkeypatch):
    from threadviz.learner import rewriting

    real = rewriting.rewritten

    def rewritten(code, *more):
        if code.co_name == "not_looked_into":
            raise ValueError
        return real(code, *more)

    monkeypatch.setattr(rewriting, "rewritten", rewritten)

    def not_looked_into(box):
        box.value += 1

    def with_it():
        box = explored.Box()
        explored.together(box.add, lambda: not_looked_into(box))
        return box.value

    found = tv.explore(with_it)
    assert not found.complete and "not_looked_into() could not be looked into: ValueError" in found.notes
