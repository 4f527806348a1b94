"""Chapter 16 in JupyterLab: programs are played to their failing ends, undone, repaired, and the repairs proved."""

import nbformat
import pytest

from .conftest import ROOT
from .lab import PANEL, PATIENCE, open_notebook, run_all, screenshot, set_theme
from .test_step import button_of, wait_for

pytestmark = pytest.mark.browser

CHAPTER = nbformat.read(ROOT / "notebooks" / "16_break_it.ipynb", as_version=4)
REPAIRED_TRANSFER = """
def transfer(source, target, amount):
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        source.balance -= amount
        target.balance += amount
"""
REPAIRED_ENTER = """
    def enter(self, me, other):
        self.up[me] = True
        if self.up[other]:
            self.up[me] = False
            return False
        return True
"""


def open_program(page, lab, folder, name):
    """The chapter's own cells of one program, in a notebook of their own, run once; returns the panel of tv.step."""
    names = ("setup", name, f"{name}-play", f"{name}-check")
    cells = [cell for cell in CHAPTER.cells if cell.id in names]
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(metadata=CHAPTER.metadata, cells=cells), path)
    open_notebook(page, lab(path.name))
    return run_again(page)


def run_again(page):
    assert run_all(page)["errors"] == []
    panel = page.locator(".jp-OutputArea-output .tv-step").first
    panel.locator(".tv-threads button").first.wait_for(timeout=PATIENCE)
    return panel


def repair(page, old, new):
    """Put other code in place of some of the program's cell, as if it were typed there."""
    changed = page.evaluate(
        f"""([old, other]) => {{
            const cell = ({PANEL}).content.model.sharedModel.cells[1], source = cell.source;
            cell.setSource(source.replace(old, other));
            return cell.source !== source;
        }}""",
        [old, new.strip("\n")],
    )
    assert changed


def look(page, theme, name):
    set_theme(page, theme)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=PATIENCE)
    screenshot(page, name)


def verdict(page):
    return page.locator(".jp-OutputArea-output").last.text_content()


def source_of(name, first, last):
    """The lines of a cell from the one that begins with `first` to the one that begins with `last`."""
    (cell,) = (cell for cell in CHAPTER.cells if cell.id == name)
    lines = cell.source.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(first))
    end = next(i for i, line in enumerate(lines) if i > begin and line.startswith(last))
    return "\n".join(lines[begin : end + 1])


def test_transfers_are_brought_to_a_standstill_with_the_mouse_undone_repaired_and_proved(page, lab, folder):
    panel = open_program(page, lab, folder, "transfer")
    assert "not yet: payday(move=transfer) can go wrong: deadlock" in verdict(page)
    assert "takes rent.lock" in button_of(panel, "Ann").text_content()
    button_of(panel, "Ann").click()
    wait_for(panel, "so far")
    button_of(panel, "Bob").click()
    wait_for(panel, "the end: deadlock – reached!")
    screenshot(page, "break_it_mouse_light")
    panel.locator("button", has_text="undo").click()
    wait_for(panel, "so far")
    assert button_of(panel, "Bob").is_enabled()

    repair(page, source_of("transfer", "def transfer", "        target.balance"), REPAIRED_TRANSFER)
    panel = run_again(page)
    assert "passed: all 2 interleavings are as expected" in verdict(page)
    panel.locator("button", has_text="show me").click()
    wait_for(panel, "no run of this program reaches that")
    look(page, "Dark", "break_it_repaired_dark")


def test_both_get_into_the_doorway_with_the_keyboard_alone_which_is_undone_repaired_and_proved(page, lab, folder):
    panel = open_program(page, lab, folder, "door")
    panel.focus()
    # raise, raise and look, look and lower, lower and look, look and raise, into the doorway, and in there comes Bob
    keys = "12211221112222110000"
    for steps, key in enumerate(keys, 1):
        page.keyboard.press(key)
        wait_for(panel, f"{steps} step{'s' * (steps > 1)} so far")
    page.keyboard.press("0")
    wait_for(panel, "reached!")
    look(page, "Dark", "break_it_keyboard_dark")
    page.keyboard.press("Backspace")
    wait_for(panel, f"{len(keys)} steps so far")
    assert page.locator(".jp-Cell").count() == 4  # no key went to the notebook

    repair(page, source_of("door", "    def enter", "        return True"), REPAIRED_ENTER)
    run_again(page)
    assert "passed: all" in verdict(page)
    look(page, "Light", "break_it_repaired_light")
