"""Each chapter as a learner uses it: opened, run, a slider moved with the keyboard."""

from pathlib import Path

import nbformat
import pytest

from .lab import (
    BROKEN,
    PATIENCE,
    first_widget,
    move_slider,
    open_notebook,
    run_all,
    screenshot,
    wait_until,
    write_notebook,
)

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_shows_its_pictures_before_anything_is_run(page, lab, chapter):
    open_notebook(page, lab(chapter))
    stored = nbformat.read(ROOT / "notebooks" / chapter, as_version=4)
    # the answer to a prediction is collapsed until the learner runs its cell
    open_cells = [cell for cell in stored.cells if not cell.metadata.get("jupyter", {}).get("outputs_hidden")]
    pictures = [o for cell in open_cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert pictures
    page.wait_for_function(
        """count => {
            const shown = [...document.querySelectorAll('.jp-OutputArea-output img')];
            return shown.length === count && shown.every(image => image.naturalWidth > 0);
        }""",
        arg=len(pictures),
        timeout=PATIENCE,
    )
    assert page.locator(BROKEN).count() == 0
    screenshot(page, f"{chapter}-opened")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_runs_and_answers_the_keyboard(page, lab, chapter):
    open_notebook(page, lab(chapter))
    state = run_all(page)
    assert state["errors"] == []
    if "tv.interact(" not in (ROOT / "notebooks" / chapter).read_text(encoding="utf-8"):
        assert page.locator(BROKEN).count() == 0
        return  # its buttons are pressed in test_break_it.py
    page.wait_for_selector(".widget-slider [role=slider]", timeout=PATIENCE)
    assert page.locator(BROKEN).count() == 0
    widget = first_widget(page)
    widget.scroll_into_view_if_needed()
    screenshot(page, f"{chapter}-first")
    picture, words = widget.locator("svg").first.inner_html(), widget.inner_text()
    move_slider(widget, "ArrowRight", times=3)
    wait_until(widget, "widget.querySelector('.tv-view svg').innerHTML !== value", picture)
    page.wait_for_timeout(500)
    assert widget.inner_text() != words
    assert page.alerts == []
    screenshot(page, f"{chapter}-moved")


def test_markup_in_names_is_shown_letter_by_letter(page, lab, folder):
    name = "<img src=x onerror=alert(1)>"
    source = f"""
import threading, time
import threadviz as tv
def hostile(sleep=1.0):
    thread = threading.Thread(target=time.sleep, args=(sleep,), name={name!r})
    thread.start()
    print({name!r})
    return {name!r}
tv.interact(hostile, sleep=(0.0, 2.0))
"""
    write_notebook(folder / "hostile.ipynb", source)
    open_notebook(page, lab("hostile.ipynb"))
    assert run_all(page)["errors"] == []
    widget = first_widget(page)
    widget.locator("summary").first.click()
    page.wait_for_timeout(1000)
    text = widget.inner_text()
    assert text.count(name) >= 3, text
    assert widget.locator("img").count() == 0
    assert page.alerts == []
    screenshot(page, "hostile")


def test_endless_loop_is_ended_by_the_stop_button_and_the_slider_works_again(page, lab, folder):
    source = """
import threading, time
import threadviz as tv
def maybe_endless(turns=1):
    while turns > 1:
        pass
    time.sleep(1)
    return f"ended after {turns}"
ui = tv.interact(maybe_endless, turns=(0, 2))
ui
"""
    write_notebook(folder / "endless.ipynb", source)
    open_notebook(page, lab("endless.ipynb"))
    assert run_all(page)["errors"] == []
    widget = first_widget(page)
    move_slider(widget, "ArrowRight")
    page.wait_for_timeout(1000)
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:interrupt') }")
    wait_until(widget, "widget.innerText.includes('stopped')")
    move_slider(widget, "ArrowLeft")
    wait_until(widget, "widget.innerText.includes('ended after 1')")


def test_button_shows_real_threads_under_the_simulated_ones_and_a_repetition_is_cancelled(page, lab, folder):
    source = """
import threading, time
import threadviz as tv
def naps(workers=2, sleep=0.2):
    threads = [threading.Thread(target=time.sleep, args=(sleep,)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return workers
tv.interact(naps, workers=(1, 8))
"""
    write_notebook(folder / "real.ipynb", source)
    open_notebook(page, lab("real.ipynb"))
    assert run_all(page)["errors"] == []
    widget = first_widget(page)
    assert widget.locator(".tv-view svg").count() == 1
    widget.get_by_role("button", name="run for real").click()
    wait_until(widget, "widget.querySelectorAll('.tv-view svg').length === 2")
    wait_until(widget, "/outcomes of [2-9] runs/.test(widget.innerText)")
    screenshot(page, "real")
    widget.get_by_role("button", name="cancel").click()
    wait_until(widget, "widget.innerText.includes('cancelled')")
    assert "outcomes of 20 runs" not in widget.inner_text()
    move_slider(widget, "ArrowRight")
    wait_until(widget, "widget.innerText.includes('outcome: 3')")
    # what was run for real belongs to another setting
    wait_until(widget, "widget.querySelectorAll('.tv-view svg').length === 1")
    widget.get_by_role("button", name="run for real").click()
    wait_until(widget, "/outcomes of [2-9] runs/.test(widget.innerText)")
    # not in a subshell, in which JupyterLab delivers what the learner does: no stop button reaches it
    assert widget.text_content().count("\nMainThread: ") == 2
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:interrupt') }")
    wait_until(widget, "widget.innerText.includes('stopped')")
    assert "outcomes of 20 runs" not in widget.inner_text()
    assert page.alerts == []
