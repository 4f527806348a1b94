"""What the browser tests do in JupyterLab: open a notebook, run it, find a panel, move a slider."""

import os
from pathlib import Path

import nbformat

PATIENCE = 60_000  # milliseconds
BROKEN = "text=/model not found|Error displaying widget|Error creating widget|Failed to load model/i"
PANEL = "[...(window.jupyterapp?.shell.widgets('main') ?? [])].find(w => w.content?.widgets && w.sessionContext)"
# JupyterLab first has an empty notebook, then cells of which it puts on the page what is in sight, and the others
# in idle time. A change of its windowing mode before the last of them would leave the others off for good.
OPENED = f"""() => {{
    const panel = {PANEL};
    return panel?.context.isReady && panel.sessionContext.session?.kernel?.status === 'idle'
        && panel.content.widgets.length === panel.content.model.cells.length
        && panel.content.widgets.every(cell => !cell.isPlaceholder());
}}"""
STATE = f"""() => {{
    const panel = {PANEL};
    const cells = panel.content.model.sharedModel.cells.filter(c => c.cell_type === 'code' && c.source.trim());
    return {{
        status: panel.sessionContext.session?.kernel?.status,
        run: cells.filter(c => c.execution_count).length, all: cells.length,
        errors: cells.flatMap(c => c.outputs).filter(o => o.output_type === 'error').map(o => o.evalue),
    }};
}}"""


def open_notebook(page, address, patience=PATIENCE):
    page.goto(address)
    page.wait_for_function(OPENED, timeout=patience)


def run_all(page, patience=PATIENCE):
    """Run every cell; what the notebook's own model says when the kernel has come to rest."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    page.evaluate("() => { window.jupyterapp.commands.execute('runmenu:run-all') }")
    page.wait_for_function(
        f"() => {{ const state = ({STATE})(); return state.run === state.all && state.status === 'idle' }}",
        timeout=patience,
    )
    page.wait_for_timeout(1000)
    return page.evaluate(STATE)


def first_widget(page):
    """The first sliders with their picture."""
    widget = page.locator(".jp-OutputArea-output .threadviz-interact").first
    widget.locator("svg").first.wait_for(timeout=PATIENCE)
    return widget


def move_slider(widget, key, times=1):
    slider = widget.locator("[role=slider]").first
    slider.focus()
    for _ in range(times):
        slider.press(key)


def wait_until(widget, condition, value=None):
    """Wait for a JavaScript `condition` on `widget` and `value`."""
    widget.page.wait_for_function(
        f"([widget, value]) => {condition}", arg=[widget.element_handle(), value], timeout=30_000
    )


def write_notebook(path, source):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(notebook, path)


def run_command(page, command, **arguments):
    page.evaluate("([name, more]) => { window.jupyterapp.commands.execute(name, more) }", [command, arguments])


def set_theme(page, name):
    run_command(page, "apputils:change-theme", theme=f"JupyterLab {name}")
    page.wait_for_function(
        "name => document.body.dataset.jpThemeName === `JupyterLab ${name}`", arg=name, timeout=PATIENCE
    )


def restart_kernel(page):
    page.evaluate(f"async () => {{ await ({PANEL}).sessionContext.session.kernel.restart() }}")


def state_of(widget):
    """What is said above the picture, and whether the picture is seen."""
    panel = widget.locator(".tv-panel").first
    return panel.locator(".tv-outcome").text_content(), panel.locator(".tv-view").is_visible()


def screenshot(page, name):
    folder = os.environ.get("THREADVIZ_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
