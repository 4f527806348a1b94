"""Run every notebook in place, each on a fresh kernel, and store its outputs.

Stored outputs are what `make test` compares with, and what a reader without a kernel sees. So what
only a live page can show (widget views) and what differs from one run to the next (times, the
Python version) is left out.

    python tools/execute_notebooks.py [notebook ...]
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT = 60  # seconds, real
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class NotebookFailed(Exception):
    """A notebook could not be run to its end."""


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every code cell of `notebook`, in `folder`; raise `NotebookFailed` where one cannot."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        # Errors are looked for below, so that the message can be the kernel's own traceback.
        allow_errors=True,
        skip_cells_with_tag="",
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookFailed(str(error)) from error
    for cell in notebook.cells:
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if output.output_type == "error":
                    raise NotebookFailed("\n".join(["in the cell", cell.source, "", *output.traceback]))


def tidy(notebook: NotebookNode) -> None:
    """Leave only what a run on any machine, seen without a kernel, has in common."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.metadata.get("jupyter", {}).get("outputs_hidden"):
            cell.metadata["collapsed"] = True  # as JupyterLab writes it: saving what was only opened changes no cell
        if cell.cell_type == "code":
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET_VIEW, None)
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]


def main(arguments: list[str]) -> int:
    paths = [Path(name) for name in arguments] or sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        print(f"no notebook in {NOTEBOOKS}", file=sys.stderr)
        return 1
    failed = []
    for path in paths:
        start = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            execute(notebook, path.resolve().parent)
        except NotebookFailed as error:
            print(f"{path.name}: FAILED, left as it was: {error}", file=sys.stderr)
            failed.append(path.name)
            continue
        tidy(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.perf_counter() - start:.1f} s")
    print(f"{len(paths) - len(failed)} run, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
