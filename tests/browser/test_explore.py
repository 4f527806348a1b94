"""What `tv.explore` shows in JupyterLab: the counterexample's steps downwards, and the progress graph under them."""

import pytest

from .lab import PATIENCE, open_notebook, run_all, screenshot, set_theme, write_notebook

pytestmark = pytest.mark.browser

SOURCE = """\
import threading
import threadviz as tv

def two_locks():
    left, right = threading.Lock(), threading.Lock()
    def take(first, second):
        with first:
            with second:
                pass
    threads = [
        threading.Thread(target=take, args=(left, right), name="Ann"),
        threading.Thread(target=take, args=(right, left), name="Bob"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

tv.explore(two_locks)
"""


@pytest.fixture
def panel(page, lab, folder, request):
    name = f"{request.node.name}.ipynb"
    write_notebook(folder / name, SOURCE)
    open_notebook(page, lab(name))
    assert run_all(page)["errors"] == []
    panel = page.locator(".jp-OutputArea-output .tv-panel").first
    panel.locator("svg").nth(1).wait_for(timeout=PATIENCE)
    return panel


def told_at(panel, shape, at=None):
    shape.scroll_into_view_if_needed()
    shape.hover(position=at)
    card = panel.locator(".tv-card")
    card.wait_for(timeout=5000)
    return card.inner_text()


def test_steps_and_cells_under_the_pointer_tell_what_they_are(page, panel):
    steps, graph = panel.locator("svg").first, panel.locator("svg").nth(1)
    told = told_at(panel, steps.locator("[data-mark=step] path").nth(3))
    assert "Ann" in told and "4. takes left" in told and "line 7: with first:" in told
    told = told_at(panel, graph.locator("[data-fill=doomed] rect").first, at={"x": 12, "y": 8})  # not its mark
    assert "Ann has made 1 of 4" in told and "Bob has made 1 of 4" in told and "doomed" in told


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_is_cut_off_and_no_scrollbar_is_in_the_output(page, panel, theme):
    set_theme(page, theme)
    for number in range(2):
        panel.locator("svg").nth(number).scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        screenshot(page, f"explore_{number}_{theme.lower()}")
    assert page.evaluate("""() => [...document.querySelectorAll('.jp-OutputArea-output')].every(
        each => each.scrollWidth <= each.clientWidth && each.scrollHeight <= each.clientHeight)""")
    outside = panel.evaluate("""panel => [...panel.querySelectorAll('svg')].flatMap(svg => {
        const all = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < all.left - 1 || box.right > all.right + 1 || box.bottom > all.bottom + 1;
        }).map(text => text.textContent);
    })""")
    assert outside == []
