"""Chapters as learners use them: everything that can be answered, moved, led, run for real or solved is, once."""

import ast
import json
import re
from contextlib import contextmanager

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from ..test_break_it import solutions
from .conftest import ROOT
from .lab import (
    BROKEN,
    PANEL,
    PATIENCE,
    open_notebook,
    restart_kernel,
    run_all,
    run_command,
    screenshot,
    set_theme,
    wait_until,
)
from .played import CHANGES, MOVES, SCRIPT

pytestmark = pytest.mark.browser

LONG = 2 * PATIENCE  # a thousand real runs on a busy machine
OUTPUT = ".jp-OutputArea-output"
LIVE = ".tv-view svg, .tv-predict form, .tv-threads button"
NOT_YET = re.compile("not yet|still to (answer|find)", re.IGNORECASE)
# Text that is outside its picture, and words that stand on others; of slanted words the box says nothing.
CUT = """() => [...document.querySelectorAll('.jp-OutputArea-output svg')].flatMap(svg => {
    const inside = (a, b) => Math.min(a.left - b.left, b.right - a.right, a.top - b.top, b.bottom - a.bottom) > -2;
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
    const whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text:not([transform*=rotate])')]
        .map(each => [each.textContent, each.getBoundingClientRect()])
        .filter(([, box]) => box.width);
    return texts.flatMap(([words, box], i) => [
        ...(inside(box, whole) ? [] : [`${words} is cut`]),
        ...texts.slice(0, i).filter(([, other]) => meet(box, other)).map(([other]) => `${words} on ${other}`)]);
})"""
SCROLLED = """() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-OutputArea-output *')].filter(each =>
    each.clientWidth && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1)
    && /auto|scroll/.test(getComputedStyle(each).overflow)).map(each => each.className)"""


def index_of(page, cell):
    return page.evaluate(f"id => ({PANEL}).content.model.sharedModel.cells.findIndex(each => each.id === id)", cell)


def under(page, cell):
    """What stands under a cell."""
    return page.locator(".jp-Notebook .jp-Cell").nth(index_of(page, cell)).locator(OUTPUT)


def source_of(page, cell):
    return page.evaluate(f"i => ({PANEL}).content.model.sharedModel.cells[i].source", index_of(page, cell))


def write(page, cell, source):
    """Put other code into a cell, as if it were typed there."""
    page.evaluate(
        f"([i, source]) => ({PANEL}).content.model.sharedModel.cells[i].setSource(source)",
        [index_of(page, cell), source],
    )


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


def answer(panel):
    """Give some answer, and wait until the page says what came of it."""
    panel.scroll_into_view_if_needed()
    choices, items = panel.locator("input[type=radio], input[type=checkbox]"), panel.locator(".tv-item")
    if choices.count():
        choices.first.check()
    elif items.count():
        for item in items.all():
            item.click()
    else:
        panel.locator("input[type=text]").fill("3")
    panel.locator("button").last.click()
    panel.page.wait_for_function(
        "panel => /^(Right|Not so): /.test(panel.querySelector('.tv-said').textContent)",
        arg=panel.element_handle(),
        timeout=LONG,
    )


def drag(panel):
    """Move every slider by keys; it stays where it is on the screen, and so does what stands above it."""
    for slider in panel.locator("[role=slider]").all():
        slider.scroll_into_view_if_needed()
        slider.focus()
        panel.page.wait_for_timeout(100)
        top = slider.bounding_box()["y"]
        for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft", "Home"):
            slider.press(key)
            panel.page.wait_for_timeout(100)
            assert abs(slider.bounding_box()["y"] - top) < 1, f"the page jumps at {key}"


def put(panel, name, value):
    """Put the control of this name to a value."""
    label = panel.page.get_by_text("shuffle the order (0: no)" if name == "seed" else name, exact=True)
    control = panel.locator(".widget-slider, .widget-dropdown, .widget-checkbox", has=label)
    if isinstance(value, bool):
        control.locator("input").set_checked(value)
    elif isinstance(value, str):
        control.locator("select").select_option(label=value)
    else:
        handle, shown = control.locator("[role=slider]"), control.locator(".widget-readout")
        handle.press("Home")
        for _ in range(100):
            if float(shown.inner_text().replace("−", "-")) == value:  # as d3 writes it
                return
            handle.press("ArrowRight")
        raise AssertionError(f"the slider {name} has no {value}")


def play(panel, settings):
    """Drag its sliders, reach its goal if it has one, and run it for real; return its goal."""
    drag(panel)
    aim = panel.locator(".widget-html").first
    goal = aim.inner_text() if aim.count() else ""
    assert bool(goal) == bool(settings), f"the goal is {goal!r}, and the settings are {settings}"
    for name, value in settings.items():
        put(panel, name, value)
    if goal:
        wait_until(panel, "widget.querySelector('.widget-html').innerText.endsWith('– reached!')")
    panel.get_by_role("button", name="run for real").click()
    wait_until(panel, "widget.querySelectorAll('.tv-view svg').length === 2")
    panel.get_by_role("button", name="cancel").click()
    wait_until(panel, "[...widget.querySelectorAll('.tv-outcome')].at(-1).textContent !== 'running…'")
    return goal


def lead(step, keys):
    """Lead a program to its end with the keyboard; return its goal."""

    def press(key):
        before = step.locator(".tv-said").text_content()
        step.press(key)
        wait_until(step, "widget.querySelector('.tv-said').textContent !== value", before)

    said = step.locator(".tv-said")
    for key in keys:
        press(key)
    while not said.filter(has_text="the end").count():
        press(step.locator(".tv-threads button:enabled kbd").first.text_content())
    goal = step.locator(".tv-goal").text_content()
    assert not goal or said.text_content().endswith("– reached!"), (goal, said.text_content())
    return goal


def as_attempt(solution, attempt):
    """The solution as the learner would have written it: under the names of the attempt, without the check."""
    written = solution.rpartition("\n")[0]
    for name in re.findall(r"\b(?:solution_|Solution)\w+", written):
        own = name.removeprefix("solution_").removeprefix("Solution")
        written = re.sub(rf"\b{name}\b", own if re.search(rf"\b{own}\b", attempt) else f"my_{own}", written)
    return written


def solve(page, exercise):
    """The attempt is refused, and what the solution has is accepted."""
    attempt, check = f"{exercise}-attempt", f"{exercise}-check"
    under(page, check).filter(has_text=NOT_YET).first.wait_for(timeout=PATIENCE)
    write(page, attempt, as_attempt(source_of(page, f"{exercise}-solution"), source_of(page, attempt)))
    run_cell(page, attempt)
    run_cell(page, check)
    under(page, check).filter(has_text="Solved.").first.wait_for(timeout=PATIENCE)


def prove(page, check):
    """A program of chapter 16 is refused as it stands, and the chapter's own repair of it passes the same check."""
    under(page, check).filter(has_text=NOT_YET).first.wait_for(timeout=PATIENCE)
    scenario = re.match(r"tv\.check\(\s*(\w+)", source := source_of(page, check))
    write(page, check, f"{scenario[0]}, {ast.unparse(solutions()[scenario[1]])}{source[scenario.end() :]}")
    run_cell(page, check)
    under(page, check).filter(has_text="passed: ").first.wait_for(timeout=PATIENCE)


@contextmanager
def script_changed(page, folder, cell):
    """The script as the learner changes it before a cell is run again; afterwards it is put back."""
    path = folder / SCRIPT
    before = path.read_text(encoding="utf-8")
    old, new = CHANGES.get(cell, ("", ""))
    assert old in before
    if old:
        path.write_text(before.replace(old, new), encoding="utf-8")
        run_cell(page, cell)
        page.wait_for_timeout(1000)
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def nothing_is_in_the_way(page):
    assert page.evaluate(SCROLLED) == []
    assert page.evaluate(CUT) == []
    assert page.locator(BROKEN).count() == 0


def look(page, chapter, cells, theme, size):
    """What the eye could stumble over; and a screenshot of each cell that is played with."""
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.wait_for_timeout(500)
    nothing_is_in_the_way(page)
    for cell in cells:
        shown = under(page, cell).first
        shown.evaluate("shown => shown.scrollIntoView()")
        screenshot(page, f"played_{chapter}_{cell}_{theme}_{size[0]}")


def come_back(page, address):
    """Save the notebook, and open it again on another day, with nothing run; all that was shown is there."""
    shown = page.locator(LIVE).count()
    run_command(page, "docmanager:save")
    page.wait_for_function(f"() => !({PANEL}).context.model.dirty", timeout=PATIENCE)
    restart_kernel(page)
    page.goto("about:blank")
    open_notebook(page, address)
    page.wait_for_function(
        "([parts, shown]) => document.querySelectorAll(parts).length === shown", arg=[LIVE, shown], timeout=PATIENCE
    )
    assert page.locator(BROKEN).count() == 0


@pytest.mark.many  # a minute or two each
@pytest.mark.parametrize("chapter", MOVES)
def test_chapter_is_played_from_its_first_prediction_to_its_last_exercise(page, lab, folder, chapter):
    path, moves = folder / f"played_{chapter}.ipynb", MOVES[chapter]
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    nbformat.write(notebook, path)
    open_notebook(page, lab(path.name))
    set_theme(page, "Light")  # the server remembers the newest
    assert run_all(page)["errors"] == []
    assert page.locator(".threadviz-predict svg").count() == 0  # nothing is told before it is asked

    goals, predictions, exercises, played = [], 0, [], []
    cells = [cell.id for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        panels, steps, asked = (
            under(page, cell).locator(each) for each in (".threadviz-interact", ".tv-step", ".threadviz-predict")
        )
        with script_changed(page, folder, cell):
            goals += [play(panel, moves.get(cell, {})) for panel in panels.all()]
        goals += [lead(step, moves.get(cell, "")) for step in steps.all()]
        for panel in asked.all():
            answer(panel)
            predictions += 1
        exercise, _, part = cell.rpartition("-")
        if part == "solution" and f"{exercise}-attempt" in cells:
            exercises.append(exercise)
            solve(page, exercise)
        if part == "check" and f"{exercise}-attempt" not in cells:
            prove(page, cell)
        if panels.count() + steps.count() + asked.count() or cell.endswith("-check"):
            played.append(cell)

    kept = json.loads((folder / ".threadviz_progress.json").read_text(encoding="utf-8"))[path.stem]
    assert len(kept["predictions"]) == predictions
    assert len(kept.get("goals", {})) >= len(list(filter(None, goals)))
    assert [exercise for exercise in exercises if not kept["exercises"].get(exercise)] == []

    for theme in ("Light", "Dark"):
        set_theme(page, theme)
        found = Axe().run(page, context=OUTPUT)
        assert json.dumps([each["id"] for each in found.response["violations"]]) == "[]"
        for size in ((1440, 900), (1280, 800)):
            look(page, chapter, played, theme, size)
    come_back(page, lab(path.name))
    assert page.alerts == []
