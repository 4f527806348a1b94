"""Notebooks are stored only when they ran, and only with what every machine has in common."""

import execute_notebooks
import nbformat
import pytest
import test_other_pythons
from nbformat.v4 import new_code_cell, new_notebook


@pytest.fixture
def write(tmp_path):
    def write(*sources, tags=()):
        path = tmp_path / "chapter.ipynb"
        cells = [new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


@pytest.mark.slow
def test_notebook_that_runs_is_stored_and_a_second_run_changes_nothing(write, capsys):
    path = write("import ipywidgets\nprint('out')\nipywidgets.IntSlider()", "print(1)\n2")
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]

    assert execute_notebooks.main([str(path)]) == 0
    first = path.read_text()
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == ids
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert notebook.cells[0].outputs[1].data.keys() == {"text/plain"}
    assert "widgets" not in notebook.metadata
    assert "version" not in notebook.metadata.language_info

    assert execute_notebooks.main([str(path)]) == 0
    assert path.read_text() == first
    assert capsys.readouterr().out.endswith("1 run, 0 failed\n")


def test_notebook_that_raises_fails_loudly_and_is_left_as_it_was(write, capsys):
    path = write("1 / 0")
    before = path.read_text()
    assert execute_notebooks.main([str(path)]) == 1
    assert path.read_text() == before
    said = capsys.readouterr()
    assert said.out == "0 run, 1 failed\n"
    assert "chapter.ipynb: FAILED, left as it was" in said.err
    assert "ZeroDivisionError" in said.err


def test_hidden_output_is_marked_as_jupyterlab_marks_it():
    cell = new_code_cell("1", metadata={"jupyter": {"outputs_hidden": True}})
    notebook = new_notebook(cells=[cell, new_code_cell("2")])
    execute_notebooks.tidy(notebook)
    assert [cell.metadata.get("collapsed") for cell in notebook.cells] == [True, None]


def test_cell_tagged_to_raise_may_raise(write):
    path = write("1 / 0", tags=["raises-exception"])
    assert execute_notebooks.main([str(path)]) == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].ename == "ZeroDivisionError"


def test_cell_that_never_ends_fails(write, capsys, monkeypatch):
    monkeypatch.setattr(execute_notebooks, "CELL_TIMEOUT", 1)
    assert execute_notebooks.main([str(write("import time\ntime.sleep(30)"))]) == 1
    assert "timed out" in capsys.readouterr().err


def test_python_that_is_not_there_is_skipped_by_name(monkeypatch, capsys):
    monkeypatch.setattr(test_other_pythons, "supported", lambda: ["3.99"])
    assert test_other_pythons.main([]) == 0
    assert capsys.readouterr().out.endswith("Python 3.99: skipped: no python3.99 found\n")


@pytest.mark.slow
def test_progress_bar_of_an_exploration_leaves_nothing_in_a_notebook(write, monkeypatch):
    source = """
import threading
import threadviz as tv
from threadviz.exploration import progress_bar
progress_bar.PATIENCE = 0
def scenario():
    numbers = {"count": 0}
    def add():
        numbers["count"] += 1
    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(tv.explore(scenario).complete)
"""

    def outputs():
        path = write(source)
        notebook = nbformat.read(path, as_version=4)
        execute_notebooks.execute(notebook, path.parent)
        return [output.get("text") or output.data for output in notebook.cells[0].outputs]

    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert outputs() == ["True\n"]  # a program runs it: no bar at all
    monkeypatch.setenv("JPY_SESSION_NAME", "chapter.ipynb")
    assert outputs() == [{"text/plain": ""}, "True\n"]
