"""What keeps a chapter short, honest about its time, and silent about the answers to its questions."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import pytest

from .test_exercises_explored import names_of

CHAPTERS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
WORDS, CELLS, PREDICTIONS = 2000, 45, 8
WORDS_OF_A_CELL, LINES_OF_CODE, LINES_PRINTED = 160, 40, 40
WIDTH = 102  # characters
WORDS_BEFORE_A_PICTURE = 300
MINUTES = 50  # as first-time readers took, reading every word
# First-time readers took so long for these three, which say so and where to take a break.
MINUTES_OF = {"10": 55, "12": 55, "13": 55}
# Chapter 16 is fifteen programs of three cells each, from which a learner chooses.
CELLS_OF = {"16": 63}
SECONDS_A_LINE, SECONDS_A_PREDICTION, SECONDS_A_PANEL, MINUTES_AN_EXERCISE, WORDS_A_MINUTE = 5, 40, 90, 8, 180


@dataclass
class Chapter:
    """The cells of a chapter, sorted."""

    number: str
    cells: list

    @property
    def text(self):
        return [cell for cell in self.cells[:-1] if cell.cell_type == "markdown" and cell.id != "contents"]

    @property
    def code(self):
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def seen(self):
        """The cells of code in view."""
        return [cell for cell in self.code if not cell.metadata.get("jupyter", {}).get("source_hidden")]

    def calls(self, name):
        """The cells that call `tv.<name>` as it stands in them, and not inside a function that only may be called."""
        return [cell for cell in self.code if name in called(cell.source)]

    @property
    def words(self):
        return "\n\n".join(cell.source for cell in self.text)


def called(source):
    """The names of our functions that a cell calls in its own lines."""
    lines = "\n".join("" if line.startswith("%") else line for line in source.splitlines())
    return [
        node.func.attr
        for statement in ast.parse(lines).body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_ours(node.func.value)
    ]


def is_ours(node):
    return isinstance(node, ast.Name) and node.id == "tv"


@cache
def read(path):
    return Chapter(path.name[:2], nbformat.read(path, as_version=4).cells)


def count(text):
    return len(text.split())


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return read(request.param)


def test_chapter_is_short(chapter):
    assert count(chapter.words) <= WORDS
    assert len(chapter.cells) <= CELLS_OF.get(chapter.number, CELLS)
    assert 1 <= len(chapter.calls("predict")) <= PREDICTIONS
    long = {cell.id: count(cell.source) for cell in chapter.text if count(cell.source) > WORDS_OF_A_CELL}
    assert long == {}, "one idea a cell"
    long = {cell.id: n for cell in chapter.seen if (n := len(cell.source.splitlines())) > LINES_OF_CODE}
    assert long == {}, "such a cell is collapsed, or two cells"
    wide = {cell.id: line for cell in chapter.seen for line in cell.source.splitlines() if len(line) > WIDTH}
    assert wide == {}, "a page of 1280 pixels would have to be scrolled sideways"


def test_picture_comes_first(chapter):
    before = 0
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            before += count(cell.source)
        elif any("image/png" in output.get("data", {}) for output in cell.outputs):
            break
    assert before <= WORDS_BEFORE_A_PICTURE


def test_time_is_honest(chapter):
    told = re.search(r"about (\d+) minutes", chapter.cells[0].source)
    if chapter.number == "16":  # as many of its programs as one likes
        return
    minutes = (
        count(chapter.words) / WORDS_A_MINUTE
        + sum(len(cell.source.splitlines()) for cell in chapter.seen) * SECONDS_A_LINE / 60
        + len(chapter.calls("predict")) * SECONDS_A_PREDICTION / 60
        + sum(len(chapter.calls(name)) for name in ("interact", "step")) * SECONDS_A_PANEL / 60
        + len(re.findall(r"^## Exercise", chapter.words, re.MULTILINE)) * MINUTES_AN_EXERCISE
    )
    assert told is not None and int(told[1]) <= MINUTES_OF.get(chapter.number, MINUTES)
    assert int(told[1]) <= MINUTES or "a good place for a break" in chapter.cells[0].source
    assert 0.8 * minutes <= int(told[1]) <= 1.4 * minutes, round(minutes)


def test_learner_does_something_of_each_kind(chapter):
    code = "\n".join(cell.source for cell in chapter.code)
    assert "goal=" in code
    assert "run it for real" in chapter.words.lower() or "*run for real*" in chapter.words
    if chapter.number >= "06" and chapter.number not in ("13", "14", "17"):  # which are on real threads throughout
        assert chapter.calls("step")
    quick = [cell for cell in chapter.calls("predict") if cell.id.startswith("quick-")]
    assert 3 <= len(quick) <= 5
    assert (
        re.search(r"chapters? \d\d", "\n".join(cell.source for cell in quick), re.IGNORECASE) or chapter.number == "00"
    )


def test_chapter_promises_no_other_that_does_not_exist(chapter):
    numbers = {path.name[:2] for path in CHAPTERS}
    source = "\n".join(cell.source for cell in chapter.cells)
    assert {n for n in re.findall(r"[Cc]hapters? \[?(\d\d)", source) if n not in numbers} == set()
    assert not re.search(r"still to be written|will follow|coming soon", source)


def predictions():
    return [(path.name[:2], cell.id) for path in CHAPTERS for cell in read(path).calls("predict")]


def in_words(option):
    return [] if isinstance(option, int | float | tuple | list) else [str(option)]


@pytest.mark.parametrize(("number", "cell"), predictions())
def test_headings_and_objectives_do_not_answer_a_question(number, cell):
    """As far as options are words: what can be chosen, right or wrong, stands in none of them."""
    (path,) = (path for path in CHAPTERS if path.name.startswith(number))
    cells = read(path).cells
    (source,) = (each.source for each in cells if each.id == cell)
    call = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and called_predict(node))
    options = next((each.value for each in call.keywords if each.arg == "options"), None)
    if options is None:
        return
    told = [line for each in cells if each.cell_type == "markdown" for line in each.source.splitlines()]
    told = [line.lower() for line in told if line.startswith(("#", "- ")) and not line.startswith("- [")]
    values = eval(compile(ast.Expression(options), "<options>", "eval"), names_of(number))
    words = [word for value in values for word in in_words(value) if count(word) > 1]
    assert [(word, line) for word in words for line in told if word.lower() in line] == []


def called_predict(node):
    return isinstance(node.func, ast.Attribute) and node.func.attr == "predict" and is_ours(node.func.value)
