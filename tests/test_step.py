"""The learner is the scheduler: steps, undo, whole lines, goals; and nothing stays in place between two steps."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import threadviz as tv

from . import explored


def tells(stepper):
    return {stand.name: stand.tells for stand in stepper._walk.state.stands}


def test_buttons_say_what_the_next_step_does_or_why_there_is_none():
    stepper = tv.step(explored.race)
    add = "Thread-1 (add)"
    assert tells(stepper) == {
        "MainThread": f"waits for the end of {add}",
        add: "reads Box.value, which is 0",
        "Thread-2 (add)": "reads Box.value, which is 0",
    }
    stepper.choose(add)
    assert tells(stepper)[add] == "writes Box.value, which is 0"
    with pytest.raises(ValueError, match=r"MainThread cannot go on: waits for the end of Thread-1 \(add\)"):
        stepper.choose("MainThread")
    with pytest.raises(ValueError, match="there is no thread 'nobody' now"):
        stepper.choose("nobody")


def test_lock_that_is_held_is_why_a_thread_cannot_go():
    stepper = tv.step(explored.lock)
    assert tells(stepper)["Thread-1 (add)"] == "takes guard"
    stepper.choose("Thread-1 (add)")
    assert tells(stepper)["Thread-2 (add)"] == "waits for guard, held by Thread-1 (add)"
    for _ in range(2):
        stepper.choose("Thread-1 (add)")
    assert tells(stepper)["Thread-1 (add)"] == "lets go of guard"


def played(stepper, *numbers):
    names = {1: "Thread-1 (add)", 2: "Thread-2 (add)", 0: "MainThread"}
    for number in numbers:
        stepper.choose(names[number])
    return stepper


def test_goal_is_reached_by_the_steps_that_reach_it_and_by_no_others():
    goal = ("lose an update", lambda run: run.result() == 1)
    good = played(tv.step(explored.race, goal=goal), 1, 1, 2, 2, 0)
    assert good.finished and not good.reached and good.run.result() == 2
    bad = played(tv.step(explored.race, goal=goal), 1, 2, 1)
    assert not bad.finished and not bad.reached and bad.run.trace.lanes[2].ending == "goes on"
    played(bad, 2, 0)
    assert bad.finished and bad.reached and "an update is lost" in bad.run.describe()
    assert bad._panel.state["said"] == "the end: 1 – reached!"


def test_undo_goes_to_any_earlier_step_and_reset_to_the_first():
    stepper = tv.step(explored.race)
    first = tells(stepper)
    played(stepper, 1, 2)
    after_two = str(stepper.run.trace)
    played(stepper, 1)
    stepper.undo()
    assert str(stepper.run.trace) == after_two
    stepper.reset()
    stepper.undo()  # there is nothing to take back
    assert tells(stepper) == first


def test_whole_line_is_one_press():
    stepper = tv.step(explored.attribute)  # reads and writes in one line
    stepper.choose_line("Thread-1 (add)")
    assert "Thread-1 (add)" not in tells(stepper)
    assert tells(stepper)["Thread-2 (add)"] == "reads Box.value, which is 1"


def test_show_me_leads_to_the_goal_or_says_that_there_is_no_such_run():
    stepper = tv.step(explored.race, 3, goal=("two updates lost", lambda run: run.result() == 1))
    stepper.show_me()
    assert stepper.reached and stepper.run.result() == 1
    proved = tv.step(explored.lock, goal=("lose an update", lambda run: run.result() < 2))
    proved.show_me()
    assert not proved.finished and proved._panel.state["said"] == "no run of this program reaches that"
    dead = tv.step(explored.crossed_locks)
    dead.show_me()
    assert dead.finished and dead.run.outcome == "deadlock"


def test_values_of_what_is_shared_and_of_a_threads_own_are_shown():
    stepper = played(tv.step(explored.race), 1, 2)
    assert stepper._walk.state.places == (("Box.value", "0"),)
    assert [stand.variables for stand in stepper._walk.state.stands[1:]] == [(("value", "0"),)] * 2
    (name, rows) = next((each["name"], each["lines"]) for each in stepper._panel.state["code"] if each["name"] == "add")
    assert name == "add" and [names for _, _, names in rows if names] == [["Thread-1 (add)", "Thread-2 (add)"]]


def test_messages_of_the_page_are_taken_and_nonsense_is_not():
    stepper = tv.step(explored.race)
    for message in ({"choose": 1, "line": False}, {"press": "undo"}, {"press": "reset"}, {"choose": 9, "line": True}):
        stepper._pressed(None, message, [])
    assert stepper._walk.choices == stepper._walk._first
    stepper._pressed(None, {"choose": 0, "line": False}, [])
    assert stepper._panel.state["said"].startswith("MainThread cannot go on")
    stepper._pressed(None, {"anything": "else"}, [])


def test_nothing_is_in_place_between_two_steps():
    before = explored.Box.add.__code__, threading.Lock
    stepper = tv.step(explored.attribute)
    stepper.choose("Thread-1 (add)")
    assert (explored.Box.add.__code__, threading.Lock) == before
    assert tv.simulate(explored.lock).result() == 2


def test_goal_that_is_none_gets_one_sentence():
    with pytest.raises(TypeError, match="goal must be a sentence and a function of a run"):
        tv.step(explored.race, goal="lose an update")


def test_every_program_can_be_walked_to_an_end():
    for program in explored.ALL[::4]:
        stepper = tv.step(program)
        for _ in range(200):
            going = [stand.name for stand in stepper._walk.state.stands if stand.can_go]
            if not going:
                break
            stepper.choose(going[-1])
        assert stepper.finished, program.__name__


def nested_calls():
    def sauce(dish):
        return f"sauce for {dish}"

    def cook(pool, dish):
        return pool.submit(sauce, dish).result()

    with ThreadPoolExecutor(2, thread_name_prefix="cook") as pool:
        return [order.result() for order in [pool.submit(cook, pool, dish) for dish in ("soup", "fish")]]


def test_workers_whose_calls_swallow_every_error_say_what_they_do_next():
    ui = tv.step(nested_calls)
    said = []
    while not ui.finished:
        stand = next(each for each in ui._walk.state.stands if each.can_go)
        said.append((stand.name, stand.tells))
        ui.choose(stand.name)
    assert said[0] == ("MainThread", "calls ThreadPoolExecutor.submit")
    assert ("cook_0", "begins the next call of the pool") in said
    assert "calls Future.set_exception" not in dict(said).values()
    assert ui.run.exception() is not None and ui.run.deadlock


def test_calls_are_told_with_what_they_are_made_on():
    def scenario():
        permits, pages, done = threading.Semaphore(), queue.Queue(), threading.Event()

        def work():
            with permits:
                pages.put(1)
            done.is_set()

        explored.together(work)

    ui = tv.step(scenario)
    said = []
    while not ui.finished:
        stand = next(each for each in ui._walk.state.stands if each.can_go)
        said.append(stand.tells)
        ui.choose(stand.name)
    assert said == [
        "calls Semaphore.acquire of permits",
        "calls Queue.put of pages",
        "calls Semaphore.__exit__ of permits",
        "calls Event.is_set of done",
    ]


def test_things_of_one_class_have_the_names_that_they_have_in_the_picture_and_lists_show_what_is_in_them():
    def scenario():
        mine, yours, log = explored.Box(1), explored.Box(2), []

        def work():
            mine.value -= 1
            yours.value += 1
            log.append("moved")

        explored.together(work, work)
        return log

    ui = tv.step(scenario)
    while not ui.finished:
        ui.choose(next(each.name for each in ui._walk.state.stands if each.can_go))
    assert dict(ui._walk.state.places) == {"Box.value": "-1", "Box#2.value": "4", "log": "['moved', 'moved']"}
    assert "Box#2.value = 4" in ui.run.describe()


def test_keys_mean_what_they_meant_once_more_turns_out_to_be_shared():
    stepper = tv.step(explored.rarely_shared)
    walk = stepper._walk
    keys = ["Bob", "Ann", "Ann", "Bob", "Bob", "Ann"]
    for key in keys:
        stepper.choose(key)
    known, before = len(walk._shared), tells(stepper)
    assert len(walk.choices) == len(keys) and not any("orders" in name for name, _ in walk.state.places)
    stepper.choose("Ann")  # changes what Bob changed in his first step, which nobody knew to be shared
    assert len(walk._shared) > known and len(walk.choices) > len(keys) + 1
    # the steps before it are led to where they came then; this one stops before what is a step of its own from now on
    assert dict(walk.state.places) == {"seen['bob']": "2", "seen['ann']": "2", "orders[0]": "1"}
    assert tells(stepper)["Bob"] == before["Bob"].replace("1", "2")
    assert tells(stepper)["Ann"].startswith("reads orders[0]")
    while tells(stepper)["Ann"].partition(" ")[0] != "writes":
        stepper.choose("Ann")
    assert tells(stepper)["Ann"] == "writes orders[0], which is 1"
    stepper.reset()  # to the first choice there is, which now comes earlier
    assert walk.choices == [] and tells(stepper)["Bob"] == "reads orders[0], which is 0"
    while not stepper.finished:
        stepper.choose(next(stand.name for stand in walk.state.stands if stand.can_go))
    assert stepper.run.result() == 1
