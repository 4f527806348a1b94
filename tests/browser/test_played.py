"""Chapters as learners use them: all predictions answered, a program led to its end, an exercise checked and solved."""

import json
import re

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from .conftest import ROOT
from .lab import BROKEN, PANEL, PATIENCE, open_notebook, run_all, run_command, screenshot, set_theme
from .test_step import button_of

pytestmark = pytest.mark.browser

LONG = 2 * PATIENCE  # a thousand real runs on a busy machine
# Chapter to the buttons of the first `tv.step`, pressed until its goal is reached, and what is then said.
PLAYED = {
    "07_any_time": (["gate 1", "gate 2", "gate 1", "gate 2"], "1"),
    "09_deadlocks": (["rent", "refund"], "deadlock"),
    "12_waiting_for_each_other": (["guard"], "deadlock"),
}
# Chapter to the cells of an exercise: its attempt, its check, its solution; and what the solution calls its own.
EXERCISES = {
    "07_any_time": ("exercise-1-attempt", "exercise-1-check", "exercise-1-solution", ("solution_order", "order")),
    "09_deadlocks": ("exercise-attempt", "exercise-check", "exercise-solution", ("solution_pay", "pay")),
    "12_waiting_for_each_other": (
        "exercise-1-attempt",
        "exercise-1-check",
        "exercise-1-solution",
        ("SolutionRoom", "Room"),
    ),
}


def press(step, button):
    """Let a thread make a step, and wait until it is made."""
    before = step.locator(".tv-said").text_content()
    button.click()
    step.page.wait_for_function(
        "([step, before]) => step.querySelector('.tv-said').textContent !== before",
        arg=[step.element_handle(), before],
        timeout=PATIENCE,
    )


def answer(panel):
    """Give some answer, and wait until the page says what came of it."""
    panel.scroll_into_view_if_needed()
    choices = panel.locator("input[type=radio], input[type=checkbox]")
    if choices.count():
        choices.first.check()
    else:
        panel.locator("input[type=text]").fill("3")
    panel.locator("button").last.click()
    panel.page.wait_for_function(
        "panel => /^(Right|Not so): /.test(panel.querySelector('.tv-said').textContent)",
        arg=panel.element_handle(),
        timeout=LONG,
    )


def index_of(page, cell):
    return page.evaluate(f"id => ({PANEL}).content.model.sharedModel.cells.findIndex(each => each.id === id)", cell)


def run_cell(page, cell):
    """Run one cell as somebody who has clicked on it, and wait until the kernel has done it."""
    page.evaluate(f"index => {{ ({PANEL}).content.activeCellIndex = index }}", index_of(page, cell))
    counted = page.evaluate(
        f"index => ({PANEL}).content.model.sharedModel.cells[index].execution_count", index_of(page, cell)
    )
    run_command(page, "notebook:run-cell")
    page.wait_for_function(
        f"""([index, before]) => {{
            const cell = ({PANEL}).content.model.sharedModel.cells[index];
            return cell.execution_count !== null && cell.execution_count !== before;
        }}""",
        arg=[index_of(page, cell), counted],
        timeout=LONG,
    )


def source_of(page, cell):
    return page.evaluate(f"i => ({PANEL}).content.model.sharedModel.cells[i].source", index_of(page, cell))


def wait_for_text(page, cell, text):
    """Wait until this stands under a cell."""
    under = page.locator(".jp-Notebook .jp-Cell").nth(index_of(page, cell)).locator(".jp-OutputArea-output")
    under.filter(has_text=text).first.wait_for(timeout=PATIENCE)


def nothing_is_in_the_way(page):
    found = Axe().run(page, context=".jp-OutputArea-output")
    assert json.dumps([each["id"] for each in found.response["violations"]]) == "[]"
    scrolled = page.evaluate("""() => [...document.querySelectorAll('.jp-OutputArea-output')].filter(
        each => each.clientWidth && each.scrollWidth > each.clientWidth + 1).length""")
    assert scrolled == 0


@pytest.mark.parametrize("chapter", PLAYED)
def test_chapter_is_played_from_its_first_prediction_to_its_solved_exercise(page, lab, folder, chapter):
    path = folder / f"played_{chapter}.ipynb"
    nbformat.write(nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4), path)
    open_notebook(page, lab(path.name))
    set_theme(page, "Light")  # the server remembers the newest
    assert run_all(page)["errors"] == []
    assert page.locator(".threadviz-predict svg").count() == 0  # nothing is told before it is asked

    keys, ending = PLAYED[chapter]
    step = page.locator(".jp-OutputArea-output .tv-step").first
    step.scroll_into_view_if_needed()
    for name in keys:
        press(step, button_of(step, name))
    while not step.locator(".tv-said", has_text="the end").count():
        press(step, step.locator(".tv-threads button:enabled").first)
    assert step.locator(".tv-said").text_content() == f"the end: {ending} – reached!"
    screenshot(page, f"played_{chapter}_step")

    panels = page.locator(".jp-OutputArea-output .threadviz-predict")
    for number in range(panels.count()):
        answer(panels.nth(number))
        page.wait_for_timeout(500)
        screenshot(page, f"played_{chapter}_{number}_light")

    attempt, check, solution, names = EXERCISES[chapter]
    run_cell(page, check)
    wait_for_text(page, check, re.compile("not yet", re.IGNORECASE))
    screenshot(page, f"played_{chapter}_check")
    page.evaluate(
        f"([i, source]) => ({PANEL}).content.model.sharedModel.cells[i].setSource(source)",
        [index_of(page, attempt), source_of(page, solution).rpartition("\n")[0].replace(*names)],
    )
    run_cell(page, attempt)
    run_cell(page, check)
    wait_for_text(page, check, "Solved.")
    kept = json.loads((folder / ".threadviz_progress.json").read_text(encoding="utf-8"))[path.stem]
    assert len(kept["predictions"]) == panels.count()
    if chapter == "07_any_time":  # it is led by hand, to a goal
        assert kept["goals"]["six_visitors: an order that ends with 2"]
    else:
        assert kept["exercises"][check.removesuffix("-check")]

    nothing_is_in_the_way(page)
    set_theme(page, "Dark")
    nothing_is_in_the_way(page)
    for number in range(panels.count()):
        panels.nth(number).scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        screenshot(page, f"played_{chapter}_{number}_dark")
    assert page.locator(BROKEN).count() == 0
