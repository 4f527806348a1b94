"""The live timeline in JupyterLab: what is pointed at, what is waited for, what stands after a break; for everybody."""

import json
import shutil

import nbformat
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
    wait_until,
    write_notebook,
)
from .test_chapters import ROOT

pytestmark = pytest.mark.browser

SOURCE = """\
import threading, time
import threadviz as tv
total = 0
def race(workers=3, sleep=0.1, kind="a"):
    def work():
        global total
        value = total
        time.sleep(sleep)
        print(threading.current_thread().name, "writes")
        total = value + 1
    threads = [threading.Thread(target=work, name=f"worker-{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while sleep > 0.44:
        pass
tv.interact(race, workers=(1, 8), sleep=(0.0, 0.5, 0.05), kind=["a", "b"])
"""
GONE = "the kernel was restarted: run the cell again"
SLEEPING = "[data-fill=sleeping] rect"


@pytest.fixture
def panel(page, lab, folder, request):
    """A panel of sliders that has just been run, and the name of its notebook."""
    name = f"{request.node.name}.ipynb"
    write_notebook(folder / name, SOURCE)
    open_notebook(page, lab(name))
    assert run_all(page)["errors"] == []
    return first_widget(page)


def card(widget):
    shown = widget.locator(".tv-card").first
    shown.wait_for(timeout=5000)
    return shown.inner_text().splitlines()


def test_bar_under_the_pointer_tells_what_it_is_and_what_is_written_at_its_line(page, panel):
    panel.locator(SLEEPING).nth(1).hover()
    thread, what, time, line = card(panel)
    assert (thread, what) == ("worker-1", "sleeping: sleep 0.1")
    assert time == "0 to 0.1 s" and line == "line 8: time.sleep(sleep)"
    page.mouse.move(5, 5)
    panel.locator(".tv-card").first.wait_for(state="hidden", timeout=5000)
    assert panel.locator("title").count() == 0, "the browser's own tooltip would cover the card"
    screenshot(page, "card")


def test_arrows_go_from_one_thing_to_the_next_and_tell_it_without_a_pointer(page, panel):
    view = panel.locator(".tv-view").first
    view.focus()
    told = []
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp"):
        view.press(key)
        told.append(card(panel))
    assert len({tuple(each) for each in told}) >= 3
    assert {each[0] for each in told} >= {"MainThread", "worker-0"}
    assert view.evaluate("view => document.activeElement === view"), "the notebook has taken the keys"


def test_line_of_the_log_lights_up_its_instant_and_the_other_way_round(page, panel):
    lines = panel.locator(".tv-log [data-x]")
    assert lines.count() == 3
    lines.first.hover()
    instant = panel.locator(".tv-instant")
    instant.wait_for(state="attached", timeout=5000)
    x = float(lines.first.get_attribute("data-x"))
    assert float(instant.get_attribute("d").split()[0][1:]) == x
    page.mouse.move(5, 5)
    page.wait_for_function("() => !document.querySelector('.tv-instant')")
    box = panel.locator(".tv-view svg").first.bounding_box()
    page.mouse.move(box["x"] + x * box["width"] / 820, box["y"] + 60)
    panel.locator(".tv-log .tv-lit").first.wait_for(timeout=5000)


def test_outline_of_the_run_before_stays_while_a_slider_is_moved_and_the_page_does_not_jump(page, panel):
    top = panel.evaluate("panel => panel.getBoundingClientRect().top")
    height = panel.locator(".tv-panel").first.evaluate("panel => panel.offsetHeight")
    before = panel.locator(".tv-view").first.inner_html()
    move_slider(panel, "ArrowLeft")
    wait_until(panel, "widget.querySelector('.tv-view').innerHTML !== value", before)
    ghost = panel.locator(".tv-ghost")
    assert ghost.count() == 1 and ghost.get_attribute("d").count("M") > 5
    assert panel.locator(".tv-panel").first.evaluate("panel => panel.offsetHeight") >= height
    assert panel.evaluate("panel => panel.getBoundingClientRect().top") == top
    screenshot(page, "ghost")
    ghost.wait_for(state="detached", timeout=5000)


def test_wheel_scrolls_the_page_and_zooms_only_with_ctrl_and_keys_zoom_and_show_all_again(page, panel):
    svg = panel.locator(".tv-view svg").first
    svg.scroll_into_view_if_needed()
    whole = svg.get_attribute("viewBox")
    box = svg.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 40)
    page.mouse.wheel(0, -40)
    page.wait_for_timeout(300)
    assert svg.get_attribute("viewBox") == whole
    assert svg.bounding_box()["y"] != box["y"], "the page has not scrolled"
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    wait_until(panel, "widget.querySelector('.tv-view svg').getAttribute('viewBox') !== value", whole)
    view = panel.locator(".tv-view").first
    view.press("0")
    assert svg.get_attribute("viewBox") == whole
    view.press("+")
    x, y, width, height = map(float, svg.get_attribute("viewBox").split())
    assert width == pytest.approx(820 / 1.5) and x > 0
    view.press("Shift+ArrowRight")
    assert float(svg.get_attribute("viewBox").split()[0]) > x
    view.press("Escape")
    assert svg.get_attribute("viewBox") == whole


def test_setting_that_waits_for_another_cell_says_so_and_no_old_picture_stands_under_it(page, panel):
    panel.evaluate(
        f"""() => {{
            const kernel = ({PANEL}).sessionContext.session.kernel;
            kernel.requestExecute({{ code: "import time; time.sleep(3)" }});
        }}"""
    )
    page.wait_for_timeout(500)
    move_slider(panel, "ArrowRight")
    wait_until(panel, "widget.querySelector('.tv-outcome').textContent === 'waiting for another cell'")
    assert state_of(panel) == ("waiting for another cell", False)
    wait_until(panel, "widget.textContent.includes('race(workers=4')")
    assert state_of(panel) == ("", True)


def test_run_that_takes_long_says_that_it_is_running(page, panel):
    sleep = panel.locator("[role=slider]").nth(1)
    sleep.focus()
    sleep.press("End")
    wait_until(panel, "widget.querySelector('.tv-outcome').textContent === 'running…'")
    assert state_of(panel) == ("running…", False)
    screenshot(page, "running")
    run_command(page, "kernelmenu:interrupt")
    wait_until(panel, "widget.innerText.includes('stopped')")
    sleep.press("Home")
    wait_until(panel, "widget.textContent.includes('sleep=0.0')")
    assert state_of(panel) == ("", True)


def test_restart_of_the_kernel_is_said_and_a_slider_that_is_moved_then_hides_the_picture(page, panel):
    restart_kernel(page)
    wait_until(panel, f"widget.querySelector('.tv-outcome').textContent === {GONE!r}")
    assert state_of(panel) == (GONE, True)
    move_slider(panel, "ArrowRight")
    wait_until(panel, "widget.querySelector('.tv-stale')")
    assert state_of(panel) == (GONE, False)


@pytest.mark.parametrize("started", ["lab", "plain_lab"])
def test_notebook_that_was_saved_and_is_opened_again_shows_its_pictures(page, folder, request, started):
    lab, name = request.getfixturevalue(started), f"again-{started}.ipynb"
    write_notebook(folder / name, SOURCE + "\ntv.simulate(race, 2)")
    open_notebook(page, lab(name))
    assert run_all(page)["errors"] == []
    page.locator(".tv-view svg").first.wait_for(timeout=PATIENCE)
    page.wait_for_timeout(1000)
    run_command(page, "docmanager:save")
    page.wait_for_function(f"() => !({PANEL}).context.model.dirty", timeout=PATIENCE)
    restart_kernel(page)
    page.goto("about:blank")
    open_notebook(page, lab(name))
    page.locator(".tv-view svg").first.wait_for(timeout=PATIENCE)
    assert page.locator(BROKEN).count() == 0
    assert page.locator(".tv-view svg").first.is_visible()
    screenshot(page, f"again-{started}")


def test_words_stay_open_while_a_slider_moves(page, panel):
    panel.locator(".tv-words summary").first.click()
    move_slider(panel, "ArrowRight")
    wait_until(panel, "widget.querySelector('.tv-words pre').textContent.startsWith('race(workers=4')")
    assert panel.locator(".tv-words").first.evaluate("words => words.open")
    assert panel.locator(".tv-words pre").first.is_visible()


def test_click_on_the_track_gives_the_slider_the_keys(page, panel):
    track = panel.locator(".noUi-base").first.bounding_box()
    page.mouse.click(track["x"] + track["width"] - 2, track["y"] + track["height"] / 2)
    handle = panel.locator("[role=slider]").first
    page.wait_for_function("() => document.activeElement.getAttribute('role') === 'slider'", timeout=5000)
    page.wait_for_timeout(200)
    page.keyboard.press("ArrowLeft")
    wait_until(panel, "widget.textContent.includes('race(workers=7')")
    assert float(handle.get_attribute("aria-valuenow")) == 7


def test_button_keeps_the_focus_and_the_outcomes_come_into_view_under_it(page, panel):
    panel.locator("[role=slider]").nth(1).focus()
    panel.locator("[role=slider]").nth(1).press("Home")
    button = panel.get_by_role("button", name="run for real")
    button.scroll_into_view_if_needed()
    button.focus()
    page.keyboard.press("Enter")
    wait_until(panel, "/outcomes of 20 runs/.test(widget.innerText)")
    assert button.evaluate("button => document.activeElement === button")
    table = panel.locator(".tv-bars table").bounding_box()
    assert table["y"] > 0 and table["y"] + table["height"] < 776, table
    screenshot(page, "outcomes")


@pytest.mark.parametrize(
    ("chapter", "theme"), [("06_race_conditions", "Light"), ("11_producer_consumer_queue", "Dark")]
)
def test_outputs_of_a_chapter_are_for_everybody_and_no_scrollbar_is_in_them(page, lab, chapter, theme):
    open_notebook(page, lab(f"{chapter}.ipynb"))
    set_theme(page, theme)
    assert run_all(page)["errors"] == []
    widget = first_widget(page)
    widget.get_by_role("button", name="run for real").click()
    wait_until(widget, "widget.querySelectorAll('.tv-view svg').length === 2")
    widget.get_by_role("button", name="cancel").click()
    wait_until(widget, "widget.innerText.includes('cancelled')")
    screenshot(page, f"{chapter}-{theme}")
    found = Axe().run(page, context={"include": [[".jp-OutputArea-output"]]}).response
    assert {each["id"]: [node["html"] for node in each["nodes"]] for each in found["violations"]} == {}
    assert {"svg-img-alt", "aria-input-field-name", "color-contrast"} <= {each["id"] for each in found["passes"]}
    scrolled = "e => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight"
    boxes = "[...document.querySelectorAll('.jp-OutputArea-output, .jp-OutputArea-output *')]"
    has_bar = "['auto', 'scroll'].some(s => [getComputedStyle(e).overflowX, getComputedStyle(e).overflowY].includes(s))"
    assert page.evaluate(f"() => {boxes}.filter({scrolled}).filter(e => {has_bar}).map(e => e.className)") == []


def test_picture_follows_the_theme_of_jupyterlab(page, panel):
    colour = "() => getComputedStyle(document.querySelector('.tv-view [data-fill=sleeping]')).fill"
    seen = []
    for theme in ("Light", "Dark"):
        set_theme(page, theme)
        seen.append(page.evaluate(colour))
    assert seen == ["rgb(221, 221, 221)", "rgb(72, 72, 72)"]


def test_saving_a_chapter_that_was_only_opened_changes_no_cell(page, lab, folder):
    chapter = "02_daemon_threads.ipynb"
    shutil.copy(ROOT / "notebooks" / chapter, folder / "opened.ipynb")
    open_notebook(page, lab("opened.ipynb"))
    run_command(page, "docmanager:save")
    page.wait_for_function(f"() => !({PANEL}).context.model.dirty", timeout=PATIENCE)
    page.wait_for_timeout(500)
    before, after = (json.loads(path.read_text()) for path in (ROOT / "notebooks" / chapter, folder / "opened.ipynb"))
    assert after["cells"] == before["cells"]
    # these two are JupyterLab's own: the version of the Python that is there, and the state of no widget
    assert after["metadata"]["language_info"].pop("version")
    assert after["metadata"].pop("widgets", None) is None or nbformat.validate(after) is None
    assert after["metadata"] == before["metadata"]
