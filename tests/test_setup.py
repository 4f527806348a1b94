"""The set-up's own promises: one set of versions, stored notebook outputs, nothing of one machine."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import link_chapters
import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
GLOSSARY = ROOT / "notebooks" / "glossary.ipynb"
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


def test_every_notebook_is_a_chapter_or_the_glossary():
    assert sorted((ROOT / "notebooks").glob("*.ipynb")) == [*NOTEBOOKS, GLOSSARY]
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert len(set(numbers)) == len(numbers)
    assert NOTEBOOKS[0].stem == "00_start_here", "the notebook that make lab opens"


def text_of(path):
    """What a reader sees as text: a document, or the markdown cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")


def test_contents_of_readme_and_first_chapter_list_the_chapters_in_order():
    stems = [path.stem for path in NOTEBOOKS]
    readme = text_of(ROOT / "README.md")
    assert re.findall(r"^\| \[.*\]\(notebooks/(\w+)\.ipynb\) \| .*\? \|$", readme, re.MULTILINE) == stems
    assert re.findall(r"^\| \[.*\]\((\w+)\.ipynb\) \| .*\? \|$", text_of(NOTEBOOKS[0]), re.MULTILINE) == stems


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_last_cell_leads_back_and_on_and_to_every_other_chapter(path):
    last = nbformat.read(path, as_version=4).cells[-1].source
    linked = {
        word: re.findall(r"\]\((\w+)\.ipynb\)", line)
        for word, line in re.findall(r"^(Back|On|All chapters|Words): (.*)$", last, re.MULTILINE)
    }
    here = NOTEBOOKS.index(path)
    expected = {
        "Back": [other.stem for other in NOTEBOOKS[max(here - 1, 0) : here]],
        "On": [other.stem for other in NOTEBOOKS[here + 1 : here + 2]],
        "All chapters": [other.stem for other in NOTEBOOKS if other != path],
        "Words": [GLOSSARY.stem],
    }
    assert linked == {word: stems for word, stems in expected.items() if stems}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_has_every_part(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = [cell for cell in cells if cell.cell_type == "code"]
    for part in (
        "**The question: ",
        "After this chapter you can",
        "**Predict",
        "**Look at**",
        "<details>",
        "You may have",
    ):
        assert part in text, f"{path.name} has no {part!r}"
    assert "break it" in text.lower()
    assert any("tv.interact(" in cell.source or "tv.step(" in cell.source for cell in code)
    solutions = [cell for cell in code if cell.source.startswith("# Solution.")]
    exercises = len(re.findall(r"^## Exercise", text, re.MULTILINE))
    assert solutions and len(solutions) >= exercises
    assert exercises or any("tv.check(" in cell.source for cell in code)  # where every program is one
    assert all(cell.metadata.jupyter.get("source_hidden") for cell in solutions)
    remember = text.split("\n## What to remember\n")[1].split("\n## ")[0]
    assert re.findall(r"^(\d)\. ", remember, re.MULTILINE) == ["1", "2", "3"]


def test_tool_that_links_the_chapters_finds_nothing_to_change_and_mends_what_is_changed(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path / "notebooks")
    assert link_chapters.link(tmp_path) == [], "run tools/link_chapters.py"

    first, second = (tmp_path / "notebooks" / path.name for path in NOTEBOOKS[:2])
    before = first.read_bytes()
    second.unlink()
    changed = link_chapters.link(tmp_path)
    assert "README.md" in changed and first.name in changed
    assert second.name not in (tmp_path / "README.md").read_text(encoding="utf-8")
    shutil.copy(NOTEBOOKS[1], second)
    link_chapters.link(tmp_path)
    assert first.read_bytes() == before
    assert (tmp_path / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


def test_every_link_and_picture_of_documents_and_notebooks_exists():
    headings = {}
    for path in [*NOTEBOOKS, GLOSSARY]:
        found = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
        headings[path] = {heading.replace(" ", "-") for heading in found}
    links = []
    for document in [*sorted(ROOT.glob("*.md")), *NOTEBOOKS, GLOSSARY]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(document)):
            links.append((document.name, target, anchor))
            path = document.parent / target if target else document
            assert path.exists(), f"{document.name} points at {target}, which is not there"
            assert not anchor or anchor in headings[path], f"{document.name} points at {target}#{anchor}"
    assert any(anchor for _, _, anchor in links), "the pattern finds no link to a heading"


def test_terms_of_the_glossary_are_in_alphabetical_order_and_explained_in_a_few_words():
    cells = nbformat.read(GLOSSARY, as_version=4).cells
    assert all(cell.cell_type == "markdown" for cell in cells)
    entries = re.findall(r"^### (.+)\n\n(.+)$", text_of(GLOSSARY), re.MULTILINE)
    terms = [term.casefold() for term, _ in entries]
    assert terms == sorted(set(terms)) and len(terms) == text_of(GLOSSARY).count("### ")
    for term, text in entries:
        assert len(text.split()) <= 70, f"{term} is explained at too great a length"


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


def test_first_start_says_what_it_does_and_works_as_root():
    told = subprocess.run(
        ["make", "--dry-run", "--always-make", "lab"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (says,) = [number for number, line in enumerate(told) if "930 MB, a minute or two" in line]
    (makes,) = [number for number, line in enumerate(told) if " -m venv " in line]
    assert told[says].startswith("echo ") and says < makes
    (lab,) = [line for line in told if "default_url" in line]
    assert ("--allow-root" in lab.split()) == (os.geteuid() == 0)


def test_way_without_make_installs_what_a_learner_needs_and_asks_about_no_news():
    block = text_of(ROOT / "README.md").split("**Without make**")[1].split("```")[1]
    assert 'pip install --constraint requirements.txt ".[course]"' in block
    assert "set JUPYTER_CONFIG_PATH=.jupyter" in block and (ROOT / ".jupyter").is_dir()
    extras = read_pyproject()["project"]["optional-dependencies"]
    assert not set(extras["course"]) & set(extras["dev"])
    assert {"mypy", "nbval", "pytest", "ruff"} <= set(extras["dev"])
