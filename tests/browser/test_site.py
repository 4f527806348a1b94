"""The course as static files: chapters run in a browser tab, with nothing behind them that computes."""

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import build_site
import pytest
from jupyterlite_pyodide_kernel.constants import PYODIDE_PYTHON_VERSION, PYODIDE_VERSION

import threadviz as tv

from .. import programs
from .conftest import chromium
from .lab import BROKEN, PANEL, first_widget, move_slider, open_notebook, run_all, screenshot, wait_until

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # milliseconds: Python is loaded into the tab first
SAME = ["race", "pool_example", "two_locks", "pipeline", "condition", "semaphore", "barrier", "futures", "philosophers"]
TRACES = f"print(json.dumps([str(tv.simulate(globals()[name], seed=3).trace) for name in {SAME}]))"
LOOK = """
import json
def told(verb, scenario, **options):
    try:
        return verb(scenario, **options).outcome
    except tv.ThreadvizError as error:
        return f"{type(error).__name__}: {error}"
def endless():
    thread = threading.Thread(target=spin)
    thread.start()
    thread.join()
def spin():
    while True:
        pass
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it hands out."""

    def log_message(self, *_):
        pass


def build(folder):
    subprocess.run([sys.executable, ROOT / "tools" / "build_site.py", folder], check=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built site."""
    assert chromium()
    return build(tmp_path_factory.mktemp("built") / "site")


@pytest.fixture(scope="module")
def site(built):
    """The address of the built site, as a function of a notebook's name."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=built))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield lambda name: f"http://127.0.0.1:{server.server_port}/lab/index.html?path={name}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def elsewhere(page, site):
    """What the page asks of other hosts: nothing."""
    asked = []
    here = site("").split("/lab/")[0]
    page.on(
        "request",
        lambda request: None if request.url.startswith((here, "data:", "blob:")) else asked.append(request.url),
    )
    yield asked
    assert asked == []


def run_source(page, source):
    """Run this in the first code cell; what it has printed."""
    page.evaluate(
        f"""source => {{
            const cells = ({PANEL}).content.model.sharedModel.cells;
            cells.find(cell => cell.cell_type === 'code').setSource(source);
        }}""",
        source,
    )
    return page.evaluate(
        f"""async () => {{
            const panel = {PANEL};
            const at = panel.content.widgets.findIndex(cell => cell.model.type === 'code');
            panel.content.activeCellIndex = at;
            panel.content.deselectAll();
            await window.jupyterapp.commands.execute('notebook:run-cell');
            return panel.content.model.cells.get(at).toJSON().outputs.map(o => [o.text, o.evalue].join('')).join('');
        }}"""
    )


def contents(folder):
    """What is in each file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_built_again_it_is_the_same_files(built, tmp_path):
    first, second = contents(built), contents(build(tmp_path / "site"))
    assert [name for name in {*first, *second} if first.get(name) != second.get(name)] == []


def test_lean_site_leaves_pyodide_and_matplotlib_to_their_host_and_says_what_they_must_be(tmp_path):
    build_site.lay_pyodide(tmp_path, PYODIDE_VERSION, PYODIDE_PYTHON_VERSION, build_site.KERNELS, lean=True)
    host = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE_VERSION}/full/"
    packages = json.loads((tmp_path / "pyodide-lock.json").read_text(encoding="utf-8"))["packages"]
    far = {name for name, package in packages.items() if package["file_name"].startswith(host)}
    assert {"matplotlib", "numpy", "pillow"} <= far and "threadviz" not in far
    here = {package["file_name"] for name, package in packages.items() if name not in far}
    assert {path.name for path in tmp_path.iterdir()} == here | {"pyodide-lock.json"}
    for package in packages.values():
        assert len(package["sha256"]) == 64
        assert {build_site.normal(each) for each in package["depends"]} <= set(packages)
    told = build_site.configuration(host)["jupyter-config-data"]["litePluginSettings"][build_site.KERNEL]
    assert told["pyodideUrl"] == f"{host}pyodide.mjs"


def test_first_chapter_runs_in_the_tab_and_its_slider_answers(page, site, elsewhere):
    open_notebook(page, site("00_start_here.ipynb"), PATIENCE)
    assert run_all(page, PATIENCE)["errors"] == []
    widget = first_widget(page)
    picture = widget.locator("svg").first.inner_html()
    widget.scroll_into_view_if_needed()
    move_slider(widget, "ArrowRight", times=2)
    wait_until(widget, "widget.querySelector('.tv-view svg').innerHTML !== value", picture)
    assert page.locator(BROKEN).count() == 0
    screenshot(page, "site-00")


def test_race_chapter_runs_in_the_tab(page, site, elsewhere):
    open_notebook(page, site("06_race_conditions.ipynb"), PATIENCE)
    assert run_all(page, PATIENCE)["errors"] == []
    assert page.locator(BROKEN).count() == 0
    screenshot(page, "site-06")


def test_program_is_stepped_to_its_failing_end_and_an_exercise_is_checked_in_the_tab(page, site, elsewhere):
    open_notebook(page, site("09_deadlocks.ipynb"), PATIENCE)
    assert run_all(page, PATIENCE)["errors"] == []
    panel = page.locator(".jp-OutputArea-output .tv-step").first
    panel.locator(".tv-threads button").first.wait_for(timeout=PATIENCE)
    panel.scroll_into_view_if_needed()
    for name in ("rent", "refund") * 3:
        button = panel.locator(".tv-threads button", has=page.locator(f"b:text-is('{name}')"))
        if button.count() and button.is_enabled():  # at the end there are none
            said = panel.locator(".tv-said").text_content()
            button.click()
            page.wait_for_function(
                "([panel, said]) => panel.querySelector('.tv-said').textContent !== said",
                arg=[panel.element_handle(), said],
                timeout=PATIENCE,
            )
    assert "reached" in panel.inner_text()
    screenshot(page, "site-09-step")
    shown = page.evaluate(
        f"""() => ({PANEL}).content.model.sharedModel.cells.map(cell => JSON.stringify(cell.outputs ?? '')).join('')"""
    )
    assert "not yet: " in shown and "passed: " in shown


def test_runs_in_the_tab_are_those_of_the_desktop_and_what_is_missing_is_said(page, site, elsewhere):
    open_notebook(page, site("00_start_here.ipynb"), PATIENCE)
    source = (ROOT / "tests" / "programs.py").read_text(encoding="utf-8")
    cell = f"{source}\nimport threadviz as tv\n{LOOK}\n{TRACES}"
    shell = f"from IPython.core.interactiveshell import InteractiveShell as Shell\nShell.instance().run_cell({cell!r})"
    desktop = subprocess.run([sys.executable, "-c", shell], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run_source(page, cell)) == json.loads(desktop.stdout)
    counted = "found = tv.explore(race, 2)\nprint(found.complete, found.runs, sorted(found.outcomes.items()))"
    found = tv.explore(programs.race, 2)
    assert run_source(page, counted).strip() == f"{found.complete} {found.runs} {sorted(found.outcomes.items())}"
    told = run_source(page, "print(told(tv.record, race))")
    assert told.startswith("NoRealThreads: record needs real threads")
    patience = "from threadviz.stage import watchdog\nwatchdog.PATIENCE = 1.0"
    assert "stopped" in run_source(page, f"{patience}\nprint(told(tv.simulate, endless))")
