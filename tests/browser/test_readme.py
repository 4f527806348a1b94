"""The picture of the lab on the README's first screen.

`THREADVIZ_SCREENSHOTS=docs .venv/bin/pytest tests/browser/test_readme.py` takes it anew.
"""

import os
from pathlib import Path

import pytest
from PIL import Image

from .conftest import ROOT
from .lab import open_notebook, run_all, run_command, screenshot, set_theme
from .test_played import under, wait_until

pytestmark = pytest.mark.browser

SIZE = {"width": 1280, "height": 800}
STATUS = 28  # pixels that JupyterLab's status bar takes
STEPS = "12"  # both gates have read 0: whoever writes now, a visitor is lost


def test_program_that_is_led_into_a_lost_update_fits_on_one_screen(page, lab):
    page.set_viewport_size(SIZE)
    open_notebook(page, lab("07_any_time.ipynb"))
    set_theme(page, "Light")
    assert run_all(page)["errors"] == []
    run_command(page, "application:toggle-left-area")
    panel = under(page, "step")
    for steps, key in enumerate(STEPS, 1):
        panel.locator(".tv-step").press(key)
        wait_until(panel, "widget.querySelector('.tv-said').textContent.startsWith(value)", f"{steps} step")
    panel.evaluate("panel => panel.scrollIntoView()")
    page.wait_for_timeout(500)
    screenshot(page, "lab")
    assert panel.locator("svg").first.is_visible()
    box = panel.locator("svg").first.bounding_box()
    assert box["y"] + box["height"] < SIZE["height"] - STATUS
    folder = os.environ.get("THREADVIZ_SCREENSHOTS")
    if folder:
        path = Path(folder) / "lab.png"
        Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    with Image.open(ROOT / "docs" / "lab.png") as picture:
        assert picture.size == tuple(SIZE.values())
    assert (ROOT / "docs" / "lab.png").stat().st_size <= 150_000
