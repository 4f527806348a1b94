"""Exercises on races and locks: the chapter's solution passes; wrong, lazy and cheating answers do not."""

import threading

import pytest

import threadviz as tv

from .test_exercises_explored import names_of, prediction


@pytest.fixture(scope="module")
def races():
    return names_of("06")


@pytest.fixture(scope="module")
def locks():
    return names_of("08")


# 06, exercise 1: the rule


def test_rule_of_the_solution_is_right(races, capsys):
    assert races["check_ending_value"](races["solution_ending_value"]) is None
    assert capsys.readouterr().out.startswith("Solved.")


def test_rule_to_begin_with_is_not_the_answer(races, capsys):
    races["check_ending_value"](races["ending_value"])
    assert capsys.readouterr().out.startswith("Not yet. ending_value(1, 0) gives None, which is not a number.")


def rules(names):
    """Rules that are wrong, lazy or no rules."""

    def whole_rounds(workers, updates):
        return updates // workers

    def a_fraction(workers, updates):
        return updates / workers

    def no_race(workers, updates):
        return updates

    def always_one(workers, updates):
        return min(updates, 1)

    def in_words(workers, updates):
        return str(-(-updates // workers))

    def as_a_bool(workers, updates):
        return bool(updates)

    def knows_some_by_heart(workers, updates):
        return {(1, 12): 12, (4, 12): 3, (8, 40): 5}[workers, updates]

    def lets_it_run_elsewhere(workers, updates, race=names["race"]):
        return race(workers, updates)

    not_a_function = 3
    there = {**names}
    exec("def lets_it_run(workers, updates): return race(workers, updates)", there)
    exec("def lets_it_be_simulated(workers, updates): return tv.simulate(race, workers, updates).result()", there)

    def rounds_by_sleeping(workers, updates):
        if updates:
            names["time"].sleep(1)
        return -(-updates // workers)

    def of_one(workers):
        return workers

    return {**there, **locals()}


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("whole_rounds", "ending_value(2, 1) gives 0, and the run ends with 1"),
        ("a_fraction", "ending_value(2, 1) gives 0.5, and the run ends with 1"),
        ("no_race", "ending_value(2, 2) gives 2, and the run ends with 1"),
        ("always_one", "ending_value(1, 2) gives 1, and the run ends with 2"),
        ("in_words", "gives '0', which is not a number"),
        ("as_a_bool", "gives False, which is not a number"),
        ("knows_some_by_heart", "ends like this: raises KeyError"),
        ("lets_it_run", "It uses race."),
        ("lets_it_be_simulated", "Work it out instead"),
        ("lets_it_run_elsewhere", "starts threads or sleeps"),
        ("not_a_function", "should be a function, and it is 3"),
        ("rounds_by_sleeping", "starts threads or sleeps"),
        ("of_one", "ends like this: raises TypeError"),
    ],
)
def test_wrong_rules_are_refused(races, capsys, answer, said):
    races["check_ending_value"](rules(races)[answer])
    out = capsys.readouterr().out
    assert out.startswith("Not yet.") and said in out and "Solved" not in out


# 06, exercise 2: race or no race


VALUES = {
    "two_readers": [160],
    "two_changes": [15, 18, 23],
    "two_guarded_changes": [50, 60],
    "handed_over": [90],
    "early_look": [60, 90],
}
DATA_RACES = ["two_changes", "early_look"]


def test_races_of_the_solution_are_right(races, capsys):
    assert races["check_races"](VALUES, DATA_RACES) is None
    assert capsys.readouterr().out.startswith("Solved.")


def test_answers_may_be_tuples_single_values_and_functions(races, capsys):
    values = {name: tuple(each) if len(each) > 1 else each[0] for name, each in VALUES.items()}
    races["check_races"](values, {races[name] for name in DATA_RACES})
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("values", "data_races", "said"),
    [
        ({}, [], "Still to answer: two_readers"),
        (None, None, "Still to answer: two_readers"),
        (VALUES | {"early_look": []}, DATA_RACES, "Still to answer: early_look"),
        (VALUES | {"two_changes": [18]}, DATA_RACES, "two_changes can also return something else"),
        (VALUES | {"two_guarded_changes": [60]}, DATA_RACES, "two_guarded_changes can also return something else"),
        (VALUES | {"early_look": [90]}, DATA_RACES, "early_look can also return something else"),
        (VALUES | {"handed_over": [60, 90]}, DATA_RACES, "no order in which handed_over returns 60"),
        (VALUES | {"two_readers": ["160"]}, DATA_RACES, "no order in which two_readers returns '160'"),
        ({name: list(range(200)) for name in VALUES}, DATA_RACES, "no order in which two_readers returns 0"),
        ({name: [[160]] for name in VALUES}, DATA_RACES, "no order in which two_readers returns [160]"),
        (VALUES, [], "two_changes has a data race"),
        (VALUES, None, "two_changes has a data race"),
        (VALUES, list(VALUES), "two_readers has no data race"),
        (VALUES, [*DATA_RACES, "two_guarded_changes"], "two_guarded_changes has no data race"),
        (VALUES, ["two_changes"], "early_look has a data race"),
        (VALUES, ["two_change"], "'two_change' is not one of the programs"),
        (VALUES, "two_changes", "early_look has a data race"),
    ],
)
def test_wrong_answers_on_races_are_refused(races, capsys, values, data_races, said):
    run = races["check_races"](values, data_races)
    out = capsys.readouterr().out
    assert said in out and "Solved" not in out
    assert (run is not None) == ("This is such a run" in out)


def test_answers_on_data_races_are_what_the_runs_say(races):
    assert [name for name in VALUES if tv.simulate(races[name]).facts.unguarded] == DATA_RACES


# 08: the theatre


def takes_with_acquire(theatre):
    theatre.lock.acquire()
    try:
        is_free = theatre.tickets > 0
        theatre.tickets -= is_free
    finally:
        theatre.lock.release()
    if is_free:
        theatre.pay()
    return is_free


def looks_twice(theatre):
    if theatre.tickets > 0:
        with theatre.lock:
            if theatre.tickets == 0:
                return False
            theatre.tickets -= 1
        theatre.pay()
        return True
    return False


def without_a_lock(theatre):
    if theatre.tickets > 0:
        theatre.tickets -= 1
        theatre.pay()
        return True
    return False


def takes_looks_and_puts_back(theatre):
    theatre.tickets -= 1
    if theatre.tickets < 0:
        theatre.tickets += 1
        return False
    theatre.pay()
    return True


def puts_back_under_the_lock(theatre):
    with theatre.lock:
        theatre.tickets -= 1
    with theatre.lock:
        if theatre.tickets < 0:
            theatre.tickets += 1
            return False
    theatre.pay()
    return True


def all_in_one_section(theatre):
    with theatre.lock:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
        theatre.pay()
    return True


def pays_first(theatre):
    theatre.pay()
    with theatre.lock:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    return True


def with_a_new_lock(theatre):
    with threading.Lock():
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    theatre.pay()
    return True


def with_two_locks(theatre):
    guard = threading.Lock()
    with guard, theatre.lock:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    theatre.pay()
    return True


lock_of_the_house = threading.Lock()


def with_a_lock_made_outside(theatre):
    with lock_of_the_house:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    theatre.pay()
    return True


def keeps_the_lock(theatre):
    theatre.lock.acquire()
    if theatre.tickets == 0:
        return False
    theatre.tickets -= 1
    theatre.lock.release()
    theatre.pay()
    return True


def locks_twice(theatre):
    with theatre.lock:
        if theatre.tickets > 0:
            with theatre.lock:
                theatre.tickets -= 1
            theatre.pay()
            return True
    return False


def never_pays(theatre):
    with theatre.lock:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    return True


def pays_twice(theatre):
    with theatre.lock:
        if theatre.tickets == 0:
            return False
        theatre.tickets -= 1
    theatre.pay()
    theatre.pay()
    return True


def tells_nobody(theatre):
    with theatre.lock:
        if theatre.tickets == 0:
            return
        theatre.tickets -= 1
    theatre.pay()


def sells_to_nobody(theatre):
    return False


def sells_to_everybody(theatre):
    theatre.pay()
    return True


def takes_the_last_one_only(theatre):
    with theatre.lock:
        if theatre.tickets != 1:
            return False
        theatre.tickets = 0
    theatre.pay()
    return True


def raises_when_sold_out(theatre):
    with theatre.lock:
        if theatre.tickets == 0:
            raise ValueError("sold out")
        theatre.tickets -= 1
    theatre.pay()
    return True


def of_no_theatre():
    return True


@pytest.mark.parametrize("answer", ["solution_sell", takes_with_acquire, looks_twice, puts_back_under_the_lock])
def test_right_ways_to_sell_pass(locks, capsys, answer):
    assert locks["check_sell"](locks[answer] if isinstance(answer, str) else answer).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("my_sell", "atomicity"),
        (without_a_lock, "tickets are changed only under theatre.lock"),
        (takes_looks_and_puts_back, "tickets are changed only under theatre.lock"),
        (all_in_one_section, "all tills are done within a second"),
        (pays_first, "whoever gets a ticket pays once, and nobody else pays"),
        (with_a_new_lock, "there is no other lock"),
        (with_two_locks, "there is no other lock"),
        (with_a_lock_made_outside, "made outside"),
        (keeps_the_lock, "deadlock"),
        (locks_twice, "deadlock"),
        (never_pays, "whoever gets a ticket pays once"),
        (pays_twice, "whoever gets a ticket pays once"),
        (tells_nobody, "whoever gets a ticket pays once"),
        (sells_to_nobody, "it returns ([False, False], 1)"),
        (sells_to_everybody, "it returns ([True, True], 1)"),
        (takes_the_last_one_only, "it returns ([False, False, False], 2)"),
        (raises_when_sold_out, "ValueError: sold out"),
        (of_no_theatre, "TypeError"),
        (None, "TypeError"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_ways_to_sell_are_refused(locks, capsys, answer, why):
    verdict = locks["check_sell"](locks[answer] if isinstance(answer, str) else answer)
    assert not verdict.passed and why in verdict.reason
    assert "Solved" not in capsys.readouterr().out


# What the chapters set as goals can be reached, and what they ask to predict is what comes


@pytest.mark.parametrize(
    ("chapter", "scenario", "arguments", "reached"),
    [
        ("06", "race", {"workers": 3, "updates": 8}, lambda run: run.result() == 3),
        ("06", "two_payments", {}, lambda run: run.result() == 100),
        ("06", "hasty", {}, lambda run: run.result() == 9),
        ("08", "make_index", {"workers": 8, "outside": 0.9, "section": 0.1}, names_of("08")["is_done_in_time"]),
        ("08", "two_tills", {}, lambda run: run.result() == -1),
    ],
)
def test_some_setting_of_the_panel_reaches_its_goal(chapter, scenario, arguments, reached):
    runs = [tv.simulate(names_of(chapter)[scenario], seed=seed, **arguments) for seed in range(1, 21)]
    assert any(reached(run) for run in runs)


@pytest.mark.parametrize(
    ("chapter", "cell", "answer"),
    [
        ("06", "program-prediction", 1),
        ("06", "busy-prediction", 5),
        ("06", "rare-prediction", 20),
        ("06", "kinds-prediction", ["paid", "sent"]),
        ("06", "quick-1", 3),
        ("06", "quick-2", 3),
        ("06", "quick-3", "is still alive"),
        ("08", "program-prediction", 0.2),
        ("08", "with-prediction", "never ends"),
        ("08", "useless-prediction", 1),
        ("08", "theatre-prediction", 4),
        ("08", "quick-1", 2.5),
        ("08", "quick-2", [1, 2, 3]),
        ("08", "quick-3", "all is well"),
    ],
)
def test_prediction_that_the_chapter_speaks_of_is_right(chapter, cell, answer):
    asked = prediction(chapter, cell)
    assert asked.run is None  # nothing has been run that could be looked at
    asked.answer(answer)
    assert asked.right, asked.said
