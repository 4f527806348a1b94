"""An instructor's table says what each learner has done, and names what it could not read."""

import csv
import io
import json

import collect_progress
import pytest


@pytest.fixture
def learner(tmp_path):
    def learner(name, *books):
        folder = tmp_path / name
        for number, book in enumerate(books):
            path = folder / f"copy {number}" / collect_progress.FILE
            path.parent.mkdir(parents=True)
            path.write_text(book if isinstance(book, str) else json.dumps(book), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        return str(folder)

    return learner


def table(capsys):
    said = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(said.out))), said.err


def test_row_for_each_chapter_counts_what_was_tried_and_what_went_well(learner, capsys):
    ann = learner(
        "ann",
        {
            "06_race_conditions": {"predictions": {"how many?": True, "which?": False}, "goals": {"lose five": True}},
            "08_locks": {"exercises": {"exercise": False}},
        },
    )
    assert collect_progress.main([ann]) == 0
    rows, trouble = table(capsys)
    assert trouble == ""
    assert [list(row.values()) for row in rows] == [
        ["ann", "06_race_conditions", "2", "1", "1", "1", "0", "0"],
        ["ann", "08_locks", "0", "0", "0", "0", "1", "0"],
    ]


def test_what_was_passed_in_one_copy_of_the_course_is_passed(learner, capsys):
    first, second = {"08_locks": {"exercises": {"exercise": True}}}, {"08_locks": {"exercises": {"exercise": False}}}
    assert collect_progress.main([learner("bob", first, second)]) == 0
    assert table(capsys)[0][0]["exercises passed"] == "1"


@pytest.mark.parametrize("broken", ["{", "[]", '{"08_locks": []}', '{"08_locks": {"exercises": 3}}'])
def test_broken_file_costs_that_learner_and_is_named(learner, capsys, broken):
    good = learner("ann", {"08_locks": {"exercises": {"exercise": True}}})
    assert collect_progress.main([learner("eve", broken), good]) == 1
    rows, trouble = table(capsys)
    assert [row["learner"] for row in rows] == ["ann"]
    assert "eve" in trouble and "is not a file that the course has written" in trouble


def test_learner_without_a_file_is_named(learner, capsys):
    assert collect_progress.main([learner("kim")]) == 1
    rows, trouble = table(capsys)
    assert rows == []
    assert trouble.endswith("nothing was answered there in JupyterLab\n")


def test_nothing_given_tells_how_to_call_it(capsys):
    assert collect_progress.main([]) == 2
    assert "FOLDER" in capsys.readouterr().err
