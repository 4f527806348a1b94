"""The set-up's own promises: one set of versions, stored notebook outputs, nothing of one machine."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# conda-forge's matplotlib brings a desktop toolkit; matplotlib-base is what the registry's matplotlib is.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def read_pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read_pins():
    """requirements.txt as name -> (version, marker or None)."""
    pins = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{line} is not an exact pin"
            name = canonicalize_name(requirement.name)
            assert name not in pins, f"{name} has two pins, so two machines may run two versions"
            pins[name] = (specifier.version, requirement.marker)
    return pins


def test_pyproject_requirements_and_environment_hold_the_same_versions():
    project = read_pyproject()["project"]
    pins = read_pins()
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    direct = {group: {canonicalize_name(Requirement(r).name) for r in rs} for group, rs in groups.items()}

    for name in set.union(*direct.values()):
        assert name in pins, f"{name} is in pyproject.toml but not in requirements.txt: run make pins"
        assert pins[name][1] is None, f"{name} must be installed on every platform"

    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert [entry for entry in entries if isinstance(entry, dict)] == [{"pip": ["-e ."]}]
    conda = [entry for entry in entries if isinstance(entry, str)]
    parts = [entry.split("=") for entry in conda if entry != "pip"]
    assert all(len(part) == 2 for part in parts), "name=version, without a build string"
    versions = {CONDA_NAMES.get(name, name): version for name, version in parts}
    python = versions.pop("python")
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    assert versions == {name: pins[name][0] for name in direct[""] | direct["course"]}


def outputs_of(cell):
    """Stored outputs of a code cell, without errors that the cell is tagged to raise."""
    raises = "raises-exception" in cell.metadata.get("tags", [])
    return [output for output in cell.outputs if not (raises and output.output_type == "error")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_stores_one_run_from_top_to_bottom(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any(cell.outputs for cell in code), "without stored outputs nbval compares nothing"
    assert "widgets" not in notebook.metadata
    for cell in code:
        where = f"cell {cell.execution_count} of {path.name}"
        printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert len(printed.splitlines()) <= 40, f"{where} prints more than 40 lines"
        for output in outputs_of(cell):
            assert output.output_type != "error", f"{where} stores an error"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), where
            assert "ipykernel_" not in str(output), f"{where} shows a path that differs in every run"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_function_or_class_of_a_notebook_is_defined_once_so_that_every_cell_can_be_run_again(path):
    defined = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            source = "\n".join("" if line.startswith("%") else line for line in lines)
            for node in ast.parse(source).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    defined.setdefault(node.name, set()).add(ast.dump(node))
    assert [name for name, bodies in defined.items() if len(bodies) > 1] == []


def test_readme_lists_the_notebooks_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", readme)
    assert listed == [path.stem for path in NOTEBOOKS]
    assert listed[0] == "00_start_here", "the notebook that make lab opens"


def test_every_link_and_picture_of_the_documents_exists():
    for document in sorted(ROOT.glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{document.name} points at {target}, which is not there"


def test_no_file_names_a_home_folder():
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("not a git checkout, so the project's own files are not known")
    home = re.compile(r"(/(root|home/\w+|Users/\w+)/|\\Users\\\w)|" + re.escape(str(Path.home())) + "/")
    named = []
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="ignore").splitlines()
            named += [f"{name}:{number}" for number, line in enumerate(lines, 1) if home.search(line)]
    assert named == []
