"""What the modules may import, and how long they may get."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "threadviz"
# lowest first: a module imports only from those before it
ORDER = [
    "errors",
    "trace",
    "tracing",
    "_real",
    "cpu",
    "frames",
    "naming",
    "surface",
    "stand_ins",
    "patching",
    "watchdog",
    "output",
    "futures",
    "watching",
    "queues",
    "outside",
    "schedule",
    "finished",
    "tracks",
    "recorder",
    "recorded_locks",
    "recorded_queue",
    "assembly",
    "cores",
    "tasks",
    "scheduler",
    "simulator",
    "locks",
    "simplequeue",
    "runtime",
    "causality",
    "words",
    "chrome",
    "simulation",
    "recording",
    "lettering",
    "picture",
    "bars",
    "crossings",
    "strips",
    "layout",
    "stamps",
    "encoding",
    "drawing",
    "timeline",
    "calls",
    "run",
    "verbs",
    "magics",
    "for_real",
    "widgets",
    "__init__",
    "__main__",
]
LONG = 250  # lines
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def imports(module):
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            name = (node.module or "").removeprefix("threadviz").removeprefix(".")
            if node.level or (node.module or "").startswith("threadviz"):
                yield from [name] if name else (alias.name for alias in node.names)


def test_every_module_has_its_place():
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    assert [name for name in imports(module) if ORDER.index(name) >= ORDER.index(module)] == []


@pytest.mark.parametrize("module", MODULES)
def test_only_widgets_imports_ipywidgets_and_only_drawing_imports_matplotlib(module):
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    assert ("import ipywidgets" in text) == (module in ("for_real", "widgets"))
    if ORDER.index(module) < ORDER.index("lettering"):
        assert "matplotlib" not in text
    if module not in ("tasks", "scheduler"):
        assert "from greenlet" not in text and "import greenlet" not in text


def test_no_file_is_long():
    long = {path.stem for path in PACKAGE.glob("*.py") if path.read_text(encoding="utf-8").count("\n") > LONG}
    assert long == set()
