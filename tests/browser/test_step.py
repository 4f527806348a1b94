"""tv.step in JupyterLab: played to its failing end with the mouse and with the keyboard alone; undone, shown."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from .lab import PATIENCE, open_notebook, run_all, screenshot, set_theme, write_notebook

pytestmark = pytest.mark.browser

SOURCE = """\
import threading
import threadviz as tv

class Account:
    def __init__(self):
        self.balance = 0

    def pay_in(self, amount):
        balance = self.balance
        self.balance = balance + amount

def pay_twice():
    account = Account()
    threads = [threading.Thread(target=account.pay_in, args=(10,), name=name) for name in ("Ann", "Bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return account.balance

tv.step(pay_twice, goal=("let one of the two payments get lost", lambda run: run.result() == 10))
"""


@pytest.fixture
def panel(page, lab, folder, request):
    name = f"{request.node.name}.ipynb"
    write_notebook(folder / name, SOURCE)
    open_notebook(page, lab(name))
    assert run_all(page)["errors"] == []
    panel = page.locator(".jp-OutputArea-output .tv-step").first
    panel.locator(".tv-threads button").first.wait_for(timeout=PATIENCE)
    return panel


def button_of(panel, name):
    return panel.locator(".tv-threads button", has=panel.page.locator(f"b:text-is('{name}')"))


def wait_for(panel, text):
    panel.page.wait_for_function(
        "([panel, text]) => panel.querySelector('.tv-said').textContent.includes(text)",
        arg=[panel.element_handle(), text],
        timeout=PATIENCE,
    )


def test_played_to_its_failing_end_with_the_mouse_and_undone(panel):
    assert "let one of the two payments get lost" in panel.locator(".tv-goal").text_content()
    ann, bob = (button_of(panel, name) for name in ("Ann", "Bob"))
    assert "reads Account.balance, which is 0 (line 9)" in ann.text_content()
    assert button_of(panel, "MainThread").is_disabled()
    for steps, button in enumerate((ann, bob, ann, bob), 1):
        button.click()
        wait_for(panel, f"{steps} step{'s' * (steps > 1)} so far")
    screenshot(panel.page, "step_light")
    button_of(panel, "MainThread").click()
    wait_for(panel, "the end: 10 – reached!")
    panel.locator("button", has_text="undo").click()
    wait_for(panel, "4 steps so far")
    panel.locator("button", has_text="begin anew").click()
    wait_for(panel, "Who goes first?")
    panel.locator("button", has_text="show me").click()
    wait_for(panel, "the end: 10 – reached!")


def test_played_to_its_failing_end_with_the_keyboard_alone(panel):
    panel.focus()
    for steps, key in enumerate("1212", 1):
        panel.page.keyboard.press(key)
        wait_for(panel, f"{steps} step{'s' * (steps > 1)} so far")
    panel.page.keyboard.press("0")
    wait_for(panel, "reached!")
    panel.page.keyboard.press("Backspace")
    wait_for(panel, "4 steps so far")
    assert panel.page.locator(".jp-Cell").count() == 1  # no key went to the notebook


def test_whole_lines_are_taken_where_that_is_wanted(panel):
    panel.locator("label", has_text="a line at a time").click()
    button_of(panel, "Bob").click()
    wait_for(panel, "1 step so far")
    here = panel.locator(".tv-here", has_text="Bob")
    assert "self.balance = balance + amount" in here.text_content()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_stands_in_anybodys_way(panel, theme):
    set_theme(panel.page, theme)
    button_of(panel, "Ann").click()
    wait_for(panel, "1 step so far")
    screenshot(panel.page, f"step_{theme.lower()}")
    found = Axe().run(panel.page, context=".jp-OutputArea-output")
    assert json.dumps([each["id"] for each in found.response["violations"]]) == "[]"
