"""What a learner has done is kept beside the notebooks, once each, where a learner sits there; and harms nothing."""

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

import threadviz as tv
from threadviz import kernel
from threadviz.notebook import learner_progress as module

from . import explored, programs
from .refused import refused

QUESTION = "What is the value at the end?"


def race(workers=2):
    return programs.race(workers, None, 0.1)


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch):
    monkeypatch.setattr(module, "_book", {})
    monkeypatch.setattr(module, "_trouble", "")
    monkeypatch.setattr(module, "_tries", {})
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def shell(monkeypatch):
    """A kernel's shell in this process."""
    shell = SimpleNamespace(user_ns={})
    monkeypatch.setattr(kernel, "shell", lambda: shell)
    return shell


@pytest.fixture
def learner(monkeypatch, tmp_path, shell):
    """Somebody who has the chapter 08_locks open; the file with what they did."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "08_locks.ipynb"))
    return tmp_path / module.FILE


def again(monkeypatch):
    """As in a kernel that has just begun."""
    monkeypatch.setattr(module, "_book", {})
    monkeypatch.setattr(module, "_tries", {})
    return tv.progress()


def test_predictions_goals_and_exercises_are_kept_for_other_kernels(learner, monkeypatch):
    tv.predict(QUESTION, race, 8).answer(8)
    tv.predict("How many lanes?", race, ask=lambda run: len(run.trace.lanes)).answer(3)
    tv.interact(race, workers=(1, 8), goal=("lose seven", lambda run: len(run.trace.lanes) == 9)).controls[
        "workers"
    ].value = 8
    stepper = tv.step(explored.race, goal=("lose one", lambda run: run.result() == 1))
    for name in ("Thread-1 (add)", "Thread-2 (add)") * 2 + ("MainThread",):
        stepper.choose(name)
    tv.check(explored.race, expect=2)
    tv.check(explored.lock, expect=2)
    kept = json.loads(learner.read_text(encoding="utf-8"))
    assert kept == {
        "08_locks": {
            "predictions": {f"race: {QUESTION}": False, "race: How many lanes?": True},
            "goals": {"race: lose seven": True, "race: lose one": True},
            "exercises": {"race": False, "lock": True},
        }
    }
    assert repr(again(monkeypatch)) == (
        "chapter   predictions made  goals      exercises tried\n"
        "08_locks  1 of 2 right      2 reached  1 of 2 passed\n"
        "kept in .threadviz_progress.json; delete it to start afresh"
    )
    assert os.listdir(learner.parent) == [learner.name]


def test_first_prediction_counts_however_often_the_cell_is_run(learner, monkeypatch):
    for said in (8, 1):
        ui = tv.predict(QUESTION, race, 8)
        ui.answer(said)
        assert ui._panel.state["score"] == "Predictions in this chapter: 0 of 1 right."
        again(monkeypatch)
    ui.answer(8)
    assert tv.progress().chapters == {"08_locks": {"predictions": {f"race: {QUESTION}": False}}}


def test_exercise_that_was_passed_stays_so(learner, shell, monkeypatch):
    for shell.execution_count, passed in enumerate((False, True, False)):
        module.tried("sell", passed)
        again(monkeypatch)
        assert tv.progress().chapters == {"08_locks": {"exercises": {"sell": shell.execution_count > 0}}}


def test_exercise_is_passed_by_all_checks_of_a_cell_and_not_by_the_first(learner, shell):
    for shell.execution_count, checks, is_passed in (
        (1, (True, True, False), False),
        (2, (False, True), False),
        (3, (True, True), True),
        (4, (True, False), True),
    ):
        for passed in checks:
            module.tried("sell", passed)
        assert tv.progress().chapters == {"08_locks": {"exercises": {"sell": is_passed}}}


def test_exercise_is_named_by_the_cell_that_checks_it_however_many_scenarios_it_has(learner, shell):
    def try_in(cell, scenario, passed):
        shell.kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": cell}})
        module.tried(scenario, passed)

    shell.execution_count = 1
    try_in("exercise-2-check", "to_and_fro", True)
    try_in("exercise-2-check", "to_oneself", True)
    shell.execution_count = 2
    try_in("5f0c1a2b-9d3e", "my_own", False)
    try_in("votes-check", "poll", False)
    assert tv.progress().chapters == {"08_locks": {"exercises": {"exercise-2": True, "my_own": False, "votes": False}}}


def test_verdict_prints_its_words_and_counts_for_the_exercise_of_its_cell(learner, shell, capsys):
    def check_rule(answer):
        tv.verdict(answer == 2, "Solved." if answer == 2 else "Not yet.")

    shell.kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "exercise-1-check"}})
    for shell.execution_count, answer in enumerate((1, 2, 3)):
        check_rule(answer)
        assert tv.progress().chapters == {"08_locks": {"exercises": {"exercise-1": answer > 1}}}  # it stays so
    assert capsys.readouterr().out == "Not yet.\nSolved.\nNot yet.\n"
    shell.kernel = None  # where nobody says which cell it is
    shell.execution_count = 3
    check_rule(1)
    shell.user_ns["In"] = ["# Solution.\ncheck_rule(2)"]
    check_rule(2)
    assert tv.progress().chapters == {"08_locks": {"exercises": {"exercise-1": True, "check_rule": False}}}


@pytest.mark.parametrize(
    ("passed", "words", "why"),
    [
        (1, "Solved.", "passed must be True or False, not 1"),
        (True, None, "words must be a text, not None"),
    ],
)
def test_verdict_that_is_none_is_refused(learner, passed, words, why):
    with refused(TypeError, why):
        tv.verdict(passed, words)
    assert not learner.exists()


@pytest.mark.parametrize("parent", [{}, {"metadata": None}, {"metadata": {"cellId": None}}, None])
def test_cell_without_an_id_is_no_trouble(shell, parent):
    shell.kernel = SimpleNamespace(get_parent=lambda: parent)
    assert kernel.cell() == ""


def test_solution_of_a_chapter_is_not_what_the_learner_has_done(learner, shell):
    shell.user_ns["In"] = ["", "tv.check(lock)", "# Solution.\n# It takes a lock.\ntv.check(lock)"]
    module.tried("lock", True)
    module.note("goals", "six visitors", True)
    assert not learner.exists()
    shell.user_ns["In"].append("tv.check(lock)")
    module.tried("lock", True)
    assert tv.progress().chapters == {"08_locks": {"exercises": {"lock": True}}}


def test_chapters_have_a_row_each_and_a_table_for_the_page(learner, monkeypatch):
    module.note("predictions", "one", True)
    monkeypatch.setenv("JPY_SESSION_NAME", str(learner.parent / "09 <b>.ipynb"))
    module.note("goals", "two", True)
    assert str(tv.progress()).splitlines()[1:3] == [
        "08_locks  1 of 1 right      –          –",
        "09 <b>    –                 1 reached  –",
    ]
    table = tv.progress()._repr_html_()
    assert table.count("<tr>") == 3 and "09 &lt;b&gt;" in table and "<b>" not in table


def test_deleting_the_file_starts_afresh(learner, monkeypatch):
    module.note("goals", "reached", True)
    learner.unlink()
    assert (
        repr(tv.progress())
        == repr(again(monkeypatch))
        == "nothing yet; kept in .threadviz_progress.json; delete it to start afresh"
    )


def test_what_was_deleted_does_not_come_back_with_what_is_done_next(learner):
    module.note("goals", "before", True)
    learner.unlink()
    module.note("goals", "after", True)
    assert json.loads(learner.read_text()) == {"08_locks": {"goals": {"after": True}}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is no JSON; delete it to start afresh"),
        ("\x00\xff", "it is no JSON; delete it to start afresh"),
        ("[1]", "it does not hold what threadviz writes; delete it to start afresh"),
        (
            '{"08_locks": {"predictions": {"one": 1}}}',
            "it does not hold what threadviz writes; delete it to start afresh",
        ),
        ('{"08_locks": {"jokes": {"one": true}}}', "it does not hold what threadviz writes; delete it to start afresh"),
    ],
)
def test_broken_file_costs_a_sentence_and_is_left_as_it_is(learner, text, why):
    learner.write_bytes(text.encode("latin-1"))
    ui = tv.predict(QUESTION, race, 8)
    ui.answer(1)
    assert (
        ui._panel.state["score"] == f"Predictions in this chapter: 1 of 1 right. ({module.FILE} is not written: {why})"
    )
    assert tv.progress().note == f"{module.FILE} cannot be read: {why}"
    assert learner.read_bytes() == text.encode("latin-1")


def test_folder_that_cannot_be_written_costs_a_sentence(learner, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "open", refuse)
    ui = tv.predict(QUESTION, race, 8)
    ui.answer(1)
    said = f"{module.FILE} is not written: Permission denied"
    assert ui._panel.state["score"] == f"Predictions in this chapter: 1 of 1 right. ({said})"
    assert tv.progress().note == said and not learner.exists()


def test_error_in_the_middle_of_writing_leaves_what_there_was(learner, monkeypatch):
    module.note("goals", "first", True)
    before = learner.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        module.note("goals", "second", True)
    assert learner.read_bytes() == before and not learner.with_name(f"{module.FILE}.lock").exists()
    module.note("goals", "third", True)
    assert set(json.loads(learner.read_text())["08_locks"]["goals"]) == {"first", "second", "third"}


def test_lock_of_a_kernel_that_was_ended_is_taken_over_and_a_living_one_is_waited_for(learner, monkeypatch):
    lock = learner.with_name(f"{module.FILE}.lock")
    lock.touch()
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    module.note("goals", "one", True)
    assert tv.progress().note == f"{module.FILE} is not written: another kernel is writing it" and lock.exists()
    os.utime(lock, (time.time() - 60,) * 2)
    module.note("goals", "two", True)
    assert set(json.loads(learner.read_text())["08_locks"]["goals"]) == {"one", "two"} and not lock.exists()


WRITER = """
import sys
from types import SimpleNamespace
from threadviz import kernel
from threadviz.notebook import learner_progress
kernel.shell = lambda: SimpleNamespace(user_ns={})
learner_progress.PATIENCE = 60
for number in range(40):
    learner_progress.note("goals", f"{sys.argv[1]} {number}", True)
"""


def test_kernels_that_write_at_once_destroy_nothing_of_each_other(learner):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in "abc"]
    assert [writer.wait(timeout=100) for writer in writers] == [0, 0, 0]
    assert len(json.loads(learner.read_text())["08_locks"]["goals"]) == 120


def test_name_of_the_notebook_is_that_of_the_editor_where_no_server_says_one(shell, tmp_path):
    shell.user_ns["__vsc_ipynb_file__"] = str(tmp_path / "05_race.ipynb")
    module.note("goals", "one", True)
    assert json.loads((tmp_path / module.FILE).read_text()) == {"05_race": {"goals": {"one": True}}}


def test_console_and_name_without_a_folder_do_their_best(learner, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_START", tmp_path / "here")
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1-abc")
    module.note("goals", "one", True)
    assert json.loads((tmp_path / "here" / module.FILE).read_text()) == {module.UNNAMED: {"goals": {"one": True}}}


def test_nobody_in_front_of_it_writes_or_reads_nothing(shell, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_START", tmp_path)
    (tmp_path / module.FILE).write_text('{"08_locks": {"goals": {"one": true}}}')
    before = (tmp_path / module.FILE).read_bytes()
    ui = tv.predict(QUESTION, race, 8)
    ui.answer(1)
    assert tv.progress().chapters == {module.UNNAMED: {"predictions": {f"race: {QUESTION}": True}}}
    assert (tmp_path / module.FILE).read_bytes() == before and len(os.listdir(tmp_path)) == 1


def test_script_that_a_notebook_starts_does_not_write(monkeypatch, tmp_path):
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "08_locks.ipynb"))
    monkeypatch.setattr(module, "_START", tmp_path)
    tv.check(explored.lock, expect=2)
    assert os.listdir(tmp_path) == []


def test_outside_notebooks_the_file_of_the_folder_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_START", tmp_path)
    (tmp_path / module.FILE).write_text('{"08_locks": {"goals": {"one": true}}}')
    assert str(tv.progress()).splitlines()[1] == "08_locks  –                 1 reached  –"


def test_goal_of_sliders_is_noticed_at_once_and_stays_reached(learner):
    ui = tv.interact(
        race, workers=(1, 8), goal=("lose < 7 & no more", lambda run: run.result() == 1 and len(run.trace.lanes) > 7)
    )
    assert not ui.reached and ui._aim.value == "<b>Goal: lose &lt; 7 &amp; no more</b>"
    assert ui._live.said == "outcome: 1"
    ui.controls["workers"].value = 8
    assert ui.reached and ui._live.said == "outcome: 1 – the goal is reached!"
    assert ui._aim.value == "<b>Goal: lose &lt; 7 &amp; no more – reached!</b>"
    ui.controls["workers"].value = 1
    assert ui.reached and ui._live.said == "outcome: 1" and "reached!" in ui._aim.value
    assert ui._repr_mimebundle_()[0]["text/plain"].startswith("Goal: lose < 7 & no more\nrace(workers=1)")


def test_goal_that_is_reached_without_a_movement_is_nobodys(learner):
    assert tv.interact(race, workers=(1, 8), goal=("lose one", lambda run: run.result() == 1)).reached
    assert not learner.exists()


def test_goal_that_raises_costs_a_sentence():
    ui = tv.interact(race, workers=(1, 8), goal=("?", lambda run: run.nothing))
    assert ui._live.said == (
        "outcome: 1 – the goal cannot be asked of this run: AttributeError: 'Run' object has no attribute 'nothing'"
    )
    assert not ui.reached and ui._live.face["svg"]
    stepper = tv.step(explored.race, goal=("?", lambda run: run.nothing))
    stepper.show_me()
    assert not stepper.reached


def test_run_without_a_result_just_does_not_reach_a_goal_that_asks_for_it():
    ui = tv.interact(programs.two_locks, gap=(0.0, 0.5), goal=("finish", lambda run: run.result() is None))
    assert not ui.reached and ui._live.said == "outcome: deadlock"


def test_what_show_me_plays_is_not_the_learners_doing(learner):
    stepper = tv.step(explored.race, goal=("lose one", lambda run: run.result() == 1))
    stepper.show_me()
    assert stepper.reached and not learner.exists()


def test_goal_that_is_none_is_refused():
    with refused(TypeError, "goal must be a sentence and a function of a run, not 'lose'"):
        tv.interact(race, goal="lose")
    with refused(
        ValueError, "<lambda>() has a parameter 'goal', which is an option of tv.interact; give it another name"
    ):
        tv.interact(lambda goal=1: goal)
