"""tv.predict in JupyterLab: typed and chosen, with the mouse and with the keyboard alone; nothing is seen before."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from .lab import (
    BROKEN,
    PANEL,
    PATIENCE,
    first_widget,
    move_slider,
    open_notebook,
    restart_kernel,
    run_all,
    run_command,
    screenshot,
    set_theme,
    state_of,
    write_notebook,
)

pytestmark = pytest.mark.browser

SOURCE = """\
import threading, time
import ipywidgets
import threadviz as tv

class Account:
    def __init__(self):
        self.balance = 0

    def pay_in(self, amount):
        balance = self.balance
        time.sleep(0.1)
        self.balance = balance + amount

def pay(people=8):
    account = Account()
    threads = [threading.Thread(target=account.pay_in, args=(10,)) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return account.balance

def downloads():
    def fetch(name, seconds):
        time.sleep(seconds)
        print(f"{name} is here")
    threads = [threading.Thread(target=fetch, args=each) for each in (("film", 3), ("song", 1), ("book", 2))]
    for thread in threads:
        thread.start()
    print("all started")

ipywidgets.VBox([
    tv.predict("Eight people pay in 10 each. What does `pay()` return?", pay),
    tv.predict("And how long does it take?", pay, ask="duration", options=[0.1, 0.8, "never ends"]),
    tv.predict("In which order do these lines come?", downloads, ask="order",
               options=["film is here", "song is here", "book is here", "all started", "all done"]),
])
"""


@pytest.fixture
def panels(page, lab, folder, request):
    open_and_run(page, lab, folder, f"{request.node.name}.ipynb", SOURCE)
    panels = page.locator(".jp-OutputArea-output .threadviz-predict")
    panels.nth(2).locator("button").first.wait_for(timeout=PATIENCE)
    return [panels.nth(i) for i in range(3)]


def open_and_run(page, lab, folder, name, source):
    write_notebook(folder / name, source)
    open_notebook(page, lab(name))
    assert run_all(page)["errors"] == []


def wait_for(panel, text):
    panel.page.wait_for_function(
        "([panel, text]) => panel.querySelector('.tv-said').textContent.includes(text)",
        arg=[panel.element_handle(), text],
        timeout=PATIENCE,
    )


def focused(page):
    return page.evaluate("() => document.activeElement.textContent || document.activeElement.type")


def test_nothing_of_the_run_is_on_the_page_or_in_the_notebook_before_the_answer(panels):
    typed, page = panels[0], panels[0].page
    assert page.locator(".threadviz-predict svg").count() == 0
    typed.scroll_into_view_if_needed()
    screenshot(page, "predict_before")
    stored = page.evaluate(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].outputs)"
    )
    assert "image/png" not in stored and "returns" not in stored
    typed.locator("input").fill("80")
    typed.locator("button").click()
    wait_for(typed, "Not so: you said 80, and it returns 10.")
    typed.locator("svg").first.wait_for(timeout=PATIENCE)
    assert focused(page) == "try again"
    screenshot(page, "predict_typed")


def test_typed_chosen_and_put_in_order_by_the_keyboard_alone(panels):
    typed, chosen, ordered = panels
    page = typed.page
    typed.get_by_role("textbox", name="Predict: Eight people pay in 10 each. What does pay() return?").focus()
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    wait_for(typed, "Right: it returns 10.")
    assert focused(page) == "text"
    chosen.get_by_role("radio", name="0.1 s").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_for(chosen, "Not so: you said 0.8 s, and it takes 0.1 s.")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    wait_for(chosen, "Right: it takes 0.1 s. What counts is your first prediction, 0.8 s.")
    for name in ("all done", "all started", "all done", "song", "book", "film"):  # the second time takes it out again
        ordered.get_by_role("button", name=name).focus()
        page.keyboard.press("Space")
    assert ordered.get_by_role("button", name="film is here, place 4").get_attribute("aria-pressed") == "true"
    for _ in range(2):  # past the last of them, which are sorted
        page.keyboard.press("Tab")
    assert focused(page) == "this is my prediction"
    page.keyboard.press("Enter")
    wait_for(ordered, "“all done” never comes")
    assert ordered.locator(".tv-said").text_content().startswith("Right: the order is all started → song")
    assert page.locator(".jp-Cell").count() == 1  # no key went to the notebook


def test_whoever_answers_without_a_kernel_is_told_also_in_a_notebook_that_was_saved(panels, lab):
    page = panels[0].page
    name = page.evaluate(f"() => ({PANEL}).context.path")
    run_command(page, "docmanager:save")
    page.wait_for_function(f"() => !({PANEL}).context.model.dirty", timeout=PATIENCE)
    restart_kernel(page)
    page.goto("about:blank")
    open_notebook(page, lab(name))
    panels[0].locator("input").wait_for(timeout=PATIENCE)
    assert page.locator(BROKEN).count() == 0 and page.locator(".threadviz-predict svg").count() == 0
    panels[0].locator("input").fill("80")
    panels[0].locator("input").press("Enter")
    wait_for(panels[0], "no answer yet: another cell is running, or the kernel is gone; then run this cell again")


def test_goal_of_sliders_is_said_at_once_and_all_that_was_done_is_kept(page, lab, folder):
    (folder / ".threadviz_progress.json").unlink(missing_ok=True)
    source = SOURCE.partition("ipywidgets.VBox")[0]
    ask = "asked = tv.predict('What does it return?', pay, 2, ask='outcomes', options=[10, 20, 80])\n"
    goal = "played = tv.interact(pay, people=(1, 8), goal=('lose 3 of 4', lambda run: len(run.trace.lanes) == 5))\n"
    open_and_run(page, lab, folder, "paying.ipynb", f"{source}{ask}{goal}ipywidgets.VBox([played, asked])")
    widget = first_widget(page)
    assert widget.locator(".widget-html").first.text_content().strip() == "Goal: lose 3 of 4"
    move_slider(widget, "ArrowLeft", 4)
    page.locator(".tv-outcome", has_text="outcome: 10 – the goal is reached!").wait_for(timeout=PATIENCE)
    screenshot(page, "goal_reached")
    move_slider(widget, "ArrowLeft")
    page.wait_for_timeout(500)
    assert state_of(widget)[0] == "outcome: 10"
    assert widget.locator(".widget-html").first.text_content().strip() == "Goal: lose 3 of 4 – reached!"
    panel = page.locator(".threadviz-predict").first
    panel.get_by_role("checkbox", name="10").check()
    panel.get_by_role("checkbox", name="80").check()
    panel.locator("button").click()
    wait_for(panel, "Not so: you said 10, 80, and the possible outcomes are")
    screenshot(page, "predict_outcomes")
    kept = json.loads((folder / ".threadviz_progress.json").read_text(encoding="utf-8"))
    assert kept == {
        "paying": {"goals": {"pay: lose 3 of 4": True}, "predictions": {"pay: What does it return?": False}}
    }


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_stands_in_anybodys_way(panels, theme):
    page = panels[0].page
    set_theme(page, theme)
    panels[2].get_by_role("button", name="all started").click()
    panels[2].get_by_role("button", name="film is here").click()
    panels[1].get_by_role("radio", name="0.1 s").click()
    panels[1].locator("button").click()
    wait_for(panels[1], "Right")
    screenshot(page, f"predict_{theme.lower()}")
    found = Axe().run(page, context=".jp-OutputArea-output")
    assert json.dumps([each["id"] for each in found.response["violations"]]) == "[]"
    scrolled = page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-OutputArea-output *')].filter(each =>"
        " each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== 'visible'"
        " && each.clientWidth).length"
    )
    assert scrolled == 0
