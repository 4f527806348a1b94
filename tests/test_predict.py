"""tv.predict: nothing of the run before the answer, tolerant comparing, and one sentence on what came."""

import asyncio
import base64
import json
import threading
import time
from pathlib import Path

import pytest
from ipywidgets.widgets import widget

import threadviz as tv
from threadviz.notebook import predict as module

from . import explored, programs
from .refused import refused


def race(workers=2):
    return programs.race(workers, None, 0.1)


def shops():
    """Three threads that end in another order than they began, and a line that never comes."""

    def fetch(name, seconds):
        time.sleep(seconds)
        print(f"{name}: here")

    threads = [threading.Thread(target=fetch, args=each) for each in (("film", 3), ("song", 1), ("book", 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fails():
    raise ValueError("no such shop")


def everything_known(ui):
    """All that the page and a stored notebook have of a widget."""
    models = [each.get_state() for each in (ui, *ui.children)]
    return repr(models) + repr(ui._repr_mimebundle_())


def test_nothing_of_the_run_is_there_before_the_answer(monkeypatch):
    runs = []
    monkeypatch.setattr(module, "simulate", lambda *args, **kwargs: runs.append(1) or tv.simulate(*args, **kwargs))
    ui = tv.predict("Eight workers. What is the value at the end?", race, 8)
    bundle, _ = ui._repr_mimebundle_()
    assert runs == [] and ui.run is None and ui.right is None
    assert "<svg" not in everything_known(ui) and "image/png" not in bundle
    assert bundle["text/plain"] == (
        "Predict: Eight workers. What is the value at the end?\nRun this cell to answer; then the program runs."
    )
    ui.answer(8)
    assert runs == [1] and ui.run.result() == 1 and ui.right is False
    assert ui.said == "Not so: you said 8, and it returns 1."
    bundle, _ = ui._repr_mimebundle_()
    assert ui.said in bundle["text/plain"] and base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "<svg" in ui._live.face["svg"] and ui._panel.state["right"] is False


@pytest.mark.parametrize("said", [1, 1.0, "1", " 1 ", "1.0", "1,0", "+1"])
def test_number_is_right_however_it_is_written(said):
    ui = tv.predict("What is it?", race, 8)
    ui.answer(said)
    assert ui.right and ui.said == "Right: it returns 1."


@pytest.mark.parametrize(
    ("value", "right", "wrong"),
    [
        ("paid", ["paid", "'paid'", " Paid. "], ["sent", "", "1"]),
        ([1, 2], ["[1, 2]", "1, 2", (1, 2), [1.0, 2]], ["2, 1", "1", "[1]", 1]),
        (["film", "book"], ["film, book", "['film', 'book']"], ["book, film"]),
        (0.5, ["0.5", "0,5", ".5", 0.5, "5e-1"], ["0.6", "05"]),
        (True, ["yes", "True", True], ["no", "1", 1]),
        (1, ["1"], ["True", True, "yes"]),
        (None, ["None", None], ["0", "", "never ends"]),
        ({"a": 1}, ["{'a': 1}"], ["a", "1"]),
        (0.1 + 0.2, ["0.3"], ["0.31"]),
    ],
)
def test_values_are_compared_and_not_their_spelling(value, right, wrong):
    for said, is_right in [*((each, True) for each in right), *((each, False) for each in wrong if each != "")]:
        ui = tv.predict("What is it?", lambda: value)
        ui.answer(said)
        assert ui.right is is_right, said


@pytest.mark.parametrize("said", ["2", 2, "2 s", "2s", "2.05", "2 seconds", "2000 ms", "2,0 sec"])
def test_duration_is_right_within_its_tolerance(said):
    ui = tv.predict("How long?", sleeper, ask="duration")
    ui.answer(said)
    assert ui.right and ui.said == "Right: it takes 2 s."


def sleeper():
    time.sleep(2)


@pytest.mark.parametrize("said", ["3", "1.8", "2 ms", "2 minutes", "never ends"])
def test_other_duration_is_wrong(said):
    ui = tv.predict("How long?", sleeper, ask="duration")
    ui.answer(said)
    assert ui.right is False and ui.said == f"Not so: you said {said}, and it takes 2 s."


def test_what_is_no_duration_does_not_count():
    ui = tv.predict("How long?", sleeper, ask="duration")
    for said in ("long", "", "1.2.3", "-1"):
        with pytest.raises(ValueError):
            ui.answer(said)
    assert ui.run is None
    ui._pressed(None, {"answer": "long"}, [])
    assert ui._panel.state["said"] == "'long' is no duration: write seconds, such as 2 or 0.5, or 'never ends'"


@pytest.mark.parametrize("said", ["never ends", "It never ends.", "deadlock", "hangs", "never"])
@pytest.mark.parametrize("ask", ["result", "duration"])
def test_deadlock_is_that_it_never_ends(said, ask):
    ui = tv.predict("And now?", programs.two_locks, ask=ask)
    ui.answer(said)
    assert ui.right and ui.said.startswith("Right: it never ends (deadlock, nobody can go on: ")


def test_run_that_makes_no_progress_never_ends(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
    ui = tv.predict("And now?", programs.endless)
    ui.answer("never ends")
    assert ui.right and ui.said.startswith("Right: it never ends (")


def test_whoever_awaits_an_end_of_what_has_none_is_wrong():
    for ask in ("result", "duration"):
        ui = tv.predict("And now?", programs.two_locks, ask=ask)
        ui.answer("2")
        assert ui.right is False and ui.said.startswith("Not so: you said 2, and it never ends")
    ui = tv.predict("And now?", lambda: "never ends, says nobody")
    ui.answer("never ends")
    assert ui.right is False


@pytest.mark.parametrize("said", ["ValueError", "raises ValueError", "it raises ValueError", "an error"])
def test_exception_is_predicted_by_its_name(said):
    ui = tv.predict("And now?", fails)
    ui.answer(said)
    assert ui.right and ui.said == "Right: it raises ValueError: no such shop."


def test_order_is_that_of_what_is_printed_and_leaves_out_what_never_comes():
    ui = tv.predict("In which order?", shops, ask="order", options=["song", "book", "film", "ship"])
    assert ui._panel.asked["options"] == ["book", "film", "ship", "song"]  # which gives nothing away
    ui.answer(["song", "book", "film"])
    assert ui.right and ui.said == "Right: the order is song → book → film; “ship” never comes."
    ui.answer(["film", "song", "book"])
    assert ui.right is False and ui.said.startswith("Not so: you said film → song → book, and the order is")
    with pytest.raises(ValueError, match="put these in order: book, film, ship, song"):
        ui.answer(["train"])


def test_whole_line_goes_before_a_part_of_one():
    def lines():
        print("done with that")
        print("all")
        print("done")

    ui = tv.predict("In which order?", lines, ask="order", options=["done", "all"])
    ui.answer(["all", "done"])
    assert ui.right


def test_question_may_ask_the_run_whatever_it_likes():
    ui = tv.predict("How many lanes?", race, 3, ask=lambda run: len(run.trace.lanes))
    ui.answer("4")
    assert ui.right and ui.said == "Right: the answer is 4."
    ui = tv.predict("Does anybody sleep?", race, ask=lambda run: bool(run.facts.slept), options=["no", "yes"])
    ui.answer("yes")
    assert ui.right and ui.said == "Right: the answer is yes."


def test_question_that_raises_costs_one_sentence():
    ui = tv.predict("How many?", race, ask=lambda run: run.nothing)
    ui._pressed(None, {"answer": "4"}, [])
    said = ui._panel.state["said"]
    assert said.startswith("the run does not answer this question: AttributeError: ") and "\n" not in said


def test_options_are_choices_and_nothing_else_is_an_answer():
    ui = tv.predict("What is it?", race, 8, options=[1, 4, 8, "never ends"])
    assert ui._panel.asked == {
        "question": "What is it?",
        "kind": "choice",
        "options": ["1", "4", "8", "never ends"],
        "hint": "",
    }
    with pytest.raises(ValueError, match="2 is none of the options: 1, 4, 8, never ends"):
        ui.answer(2)
    ui._pressed(None, {"chosen": []}, [])
    assert ui._panel.state["said"] == "choose your prediction first" and ui.run is None
    ui._pressed(None, {"chosen": [0]}, [])
    assert ui.right
    dead = tv.predict("What is it?", programs.two_locks, options=[1, "deadlock"])
    dead.answer("deadlock")
    assert dead.right


def test_durations_to_choose_from_have_their_unit():
    ui = tv.predict("How long?", sleeper, ask="duration", options=[1, 2.0, "never ends"])
    assert ui._panel.asked["options"] == ["1 s", "2 s", "never ends"]
    ui.answer(2)
    assert ui.right


@pytest.mark.parametrize(
    ("program", "right", "wrong"),
    [
        (explored.race, ["1, 2", "2 and 1", [1, 2], (2.0, 1)], ["2", "1", "1, 2, 3", "0, 1, 2", "never ends"]),
        (explored.lock, ["2", 2, [2]], ["1, 2", "1"]),
        (explored.crossed_locks, ["fine or deadlock", ["never ends", "fine"]], ["fine", "deadlock", "1"]),
        (fails, ["ValueError", "raises ValueError", "an error"], ["KeyError", "1", "never ends"]),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_outcomes_are_all_that_are_possible_and_no_other(program, right, wrong):
    for said, is_right in [*((each, True) for each in right), *((each, False) for each in wrong)]:
        ui = tv.predict("What can come out?", program, ask="outcomes")
        ui.answer(said)
        assert ui.right is is_right, said


def test_outcomes_are_ticked_and_counted():
    ui = tv.predict("What can come out?", explored.race, 3, ask="outcomes", options=[0, 1, 2, 3, "never ends"])
    assert ui._panel.asked["kind"] == "outcomes"
    ui._pressed(None, {"chosen": []}, [])
    assert ui.run is None and ui._panel.state["said"] == "choose your prediction first"
    ui._pressed(None, {"chosen": [2, 3]}, [])
    assert ui.said == "Not so: you said 2, 3, and the possible outcomes are 1, 2, 3."
    assert "outcomes of 90 interleavings" in ui._live.bars and "<svg" in ui._live.face["svg"]
    assert ui.run.result() == 1  # the outcome that was not foreseen
    ui.answer([3, 2, 1])
    assert ui.right and ui.said.startswith("Right: the possible outcomes are 1, 2, 3.")
    with pytest.raises(ValueError, match="choose from these: 0, 1, 2, 3, never ends"):
        ui.answer([4])


def test_question_may_ask_all_outcomes_and_shows_a_run_with_the_one_asked_for():
    ui = tv.predict("What is the lowest value?", explored.race, 3, ask=("outcomes", min), options=[0, 1, 2, 3])
    assert ui._panel.asked["kind"] == "choice"
    ui.answer(2)
    assert ui.said == "Not so: you said 2, and the answer is 1." and ui.run.result() == 1
    assert "outcomes of 90 interleavings" in ui._live.bars
    ui = tv.predict("In how many orders is one lost?", explored.race, ask=("outcomes", lambda outcomes: outcomes[1]))
    ui.answer("4")
    assert ui.right and ui.run.result() == 2  # the rare one: that it returns 4 is not possible
    ui = tv.predict("In how many?", explored.race, ask=("outcomes", lambda outcomes: outcomes.nothing))
    ui._pressed(None, {"answer": "4"}, [])
    assert ui._panel.state["said"].startswith("the run does not answer this question: AttributeError: ")


def test_all_that_explore_shows_is_shown_where_something_is_expected():
    ui = tv.predict("In how many orders is one lost?", explored.race, ask=("outcomes", lambda all: all[1]), expect=2)
    assert ui._found is None and "<svg" not in everything_known(ui)
    ui.answer(4)
    found = tv.explore(explored.race, expect=2)
    assert ui.right and ui.run.result() == 1 and str(ui.run.schedule) == str(found.counterexample.schedule)
    assert ui._live.said == f"race(threads=2): {found.verdict}" and "4 of 6" in ui._live.bars
    assert found.progress_graph().svg() in ui._live.face["svg"]
    bundle, _ = ui._repr_mimebundle_()
    assert bundle["text/plain"].endswith(f"{ui.said}\n{found._repr_mimebundle_()[0]['text/plain']}")
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")


def test_run_is_shown_as_ever_where_nothing_is_unexpected():
    ui = tv.predict("Which?", explored.lock, ask="outcomes", expect=2)
    ui.answer(2)
    assert ui.right and ui.run.result() == 2 and ui._live.said == "" and "<svg" in ui._live.face["svg"]


def test_what_is_measured_is_called_as_it_stands_and_no_simulated_run_stands_beside_it(monkeypatch):
    monkeypatch.setattr(module, "simulate", lambda *_, **__: pytest.fail("nothing is to be simulated"))
    calls = []

    def measure(times, *, named):
        calls.append((times, named, threading.get_native_id()))
        return "never"

    ui = tv.predict("How often?", measure, 3, named="Ann", ask="measured", options=["never", "often"])
    ui.answer("often")
    assert calls == [(3, "Ann", threading.get_native_id())] and ui.run is None
    assert ui.right is False and ui.said == "Not so: you said often, and the answer is never."
    ui.answer("never")
    assert len(calls) == 1 and ui.right and ui._live.face == {}
    bundle, _ = ui._repr_mimebundle_()
    assert "image/png" not in bundle and bundle["text/plain"].endswith(ui.said)


def test_run_that_comes_with_what_was_measured_is_the_one_that_is_shown():
    def measure():
        return 3, tv.record(programs.race, 2, None, 0.001)

    ui = tv.predict("How many lanes?", measure, ask="measured")
    ui.answer("3")
    assert ui.right and ui.run.clock == "real" and "recorded" in ui._live.face["svg"]


def test_only_outcome_is_told_as_such():
    ui = tv.predict("What can come out?", explored.lock, ask="outcomes")
    ui.answer(2)
    assert ui.said == "Right: the only possible outcome is 2."


def test_what_could_not_be_explored_to_its_end_is_no_answer(monkeypatch):
    monkeypatch.setattr(module, "explore", lambda *args, expect: tv.explore(*args, max_runs=3))
    ui = tv.predict("What can come out?", explored.race, 3, ask="outcomes")
    ui._pressed(None, {"answer": "1, 2, 3"}, [])
    assert ui.run is None and ui._panel.state["said"].startswith("what is possible is not known: ")


def test_mind_may_be_changed_and_the_first_prediction_counts():
    ui = tv.predict("What is it?", race, 8)
    ui.answer(8)
    run = ui.run
    ui.answer(1)
    assert ui.right and ui.run is run
    assert ui.said == "Right: it returns 1. What counts is your first prediction, 8."


def test_options_of_simulate_are_passed_on():
    def works():
        threads = [threading.Thread(target=tv.work, args=(1,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ui = tv.predict("How long, on two cores?", works, ask="duration", cores=2)
    ui.answer(1)
    assert ui.right


@pytest.mark.parametrize(
    ("error", "arguments", "options", "text"),
    [
        (
            TypeError,
            (race, race),
            {},
            'predict needs a question in words first: tv.predict("What does it return?", race)',
        ),
        (
            TypeError,
            ("What?", 3),
            {},
            "predict needs a function to call, not int: write tv.predict(race), without calling race yourself",
        ),
        (
            TypeError,
            ("What?", race),
            {"ask": "time"},
            "ask must be 'result', 'duration', 'order', 'outcomes', 'measured', a function of a run, or "
            "('outcomes', a function of them), not 'time'",
        ),
        (
            TypeError,
            ("What?", race),
            {"ask": "order"},
            'ask="order" needs options: lines of what is printed, or parts of them, to be put in order',
        ),
        (
            TypeError,
            ("What?", race),
            {"ask": "order", "options": [1, 2]},
            "the options of an order must be texts, lines or parts of lines, not [1, 2]",
        ),
        (TypeError, ("What?", race), {"options": [1]}, "options must be a list of two or more answers, not [1]"),
        (TypeError, ("What?", race), {"options": "ab"}, "options must be a list of two or more answers, not 'ab'"),
        (ValueError, ("What?", race), {"options": [1, "1"]}, "two of the options are the same: 1, 1"),
        (
            ValueError,
            ("What?", race),
            {"ask": "duration", "options": [1, "long"]},
            "'long' is no duration: write seconds, such as 2 or 0.5, or 'never ends'",
        ),
        (
            ValueError,
            ("What?", race),
            {"ask": "outcomes", "seed": 1},
            "every interleaving is run for its outcomes: leave out seed",
        ),
        (
            ValueError,
            ("What?", race),
            {"ask": "measured", "cores": 2},
            "nothing is simulated where the scenario itself measures: leave out cores",
        ),
        (ValueError, ("What?", race), {"expect": 2}, "expect is for questions about outcomes: leave it out"),
        (TypeError, ("What?", race, 1, 2), {}, "too many positional arguments"),
        (
            ValueError,
            ("What?", lambda ask: ask),
            {},
            "<lambda>() has a parameter 'ask', which is an option of tv.predict; give it another name",
        ),
    ],
)
def test_what_does_not_fit_gets_one_sentence(error, arguments, options, text):
    with refused(error, text):
        tv.predict(*arguments, **options)


def test_scenario_that_is_refused_gets_its_sentence_in_the_widget():
    guard = threading.Lock()

    def scenario():
        with guard:
            return 1

    ui = tv.predict("What is it?", scenario)
    ui._pressed(None, {"answer": "1"}, [])
    assert ui._panel.state["said"].startswith("guard is a Lock made outside scenario()") and ui.run is None


def test_messages_that_make_no_sense_change_nothing():
    ui = tv.predict("What is it?", race, options=[1, 2])
    for message in ({}, {"answer": 3}, {"chosen": [9]}, {"chosen": "ab"}, {"answer": "1"}, {"press": "undo"}):
        ui._pressed(None, message, [])
    assert ui.run is None


def test_page_knows_that_it_runs_and_is_told_the_same_thing_again(monkeypatch):
    ui = tv.predict("How long?", sleeper, ask="duration")
    states = []
    ui._panel.observe(lambda change: states.append(change.new), "state")
    for _ in range(2):
        ui._pressed(None, {"answer": "long"}, [])
    wrong = "'long' is no duration: write seconds, such as 2 or 0.5, or 'never ends'"
    assert [each.get("running") or each["said"] for each in states] == [True, wrong] * 2


STORED = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_notebook_does_not_tell_what_it_asks(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if "tv.predict(" not in "".join(cell["source"]) or cell["cell_type"] != "code":
            continue
        assert len(cell["outputs"]) == 1 and list(cell["outputs"][0]["data"]) == ["text/plain"], cell["source"]
        text = "".join(cell["outputs"][0]["data"]["text/plain"])
        assert text.startswith("Predict: ") and text.endswith("Run this cell to answer; then the program runs.")


def test_stopped_run_is_no_prediction(monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    ui = tv.predict("What is it?", race)
    monkeypatch.setattr(ui, "_made", stopped)
    ui._pressed(None, {"answer": "1"}, [])
    assert ui._panel.state["said"] == "stopped; predict again to run it" and ui.right is None


def test_answer_that_comes_in_another_thread_is_left_to_the_cells_own():
    async def answered():
        ui = tv.predict("What is it?", race, 8)
        where = []
        ui._made = lambda: where.append(threading.current_thread()) or tv.simulate(race, 8)
        other = threading.Thread(target=ui._pressed, args=(None, {"answer": "1"}, []))
        other.start()
        other.join()
        await asyncio.sleep(0.05)
        return ui, where

    ui, where = asyncio.run(answered())
    assert ui.right and where == [threading.main_thread()]


def test_nothing_is_left_behind():
    before = explored.Box.add.__code__, threading.Lock
    ui = tv.predict("What is it?", explored.race, 2)
    ui.answer(2)
    assert (explored.Box.add.__code__, threading.Lock) == before
    assert json.dumps(ui._panel.state) and widget._instances
