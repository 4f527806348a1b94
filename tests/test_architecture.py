"""What the rooms may import: only what lies below them, as docs/architecture.md draws it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "threadviz"
# Each room, and the rooms that it may import from; a room may always import from itself.
GROUND = {"errors", "interrupts", "texts", "trace", "real", "patches", "kernel", "tab"}
ROOMS = {
    "errors": set(),
    "texts": set(),
    "trace": set(),
    "real": set(),
    "interrupts": {"real"},
    "patches": set(),
    "tab": {"errors", "real"},
    "kernel": set(),
    "schedule": {"errors"},
    "learner": GROUND,
    "stage": GROUND | {"learner", "schedule"},
    "simulation": GROUND | {"learner", "schedule", "stage"},
    "recording": GROUND | {"learner", "schedule", "stage"},
    "story": {"texts", "trace"},
    "picture": {"texts", "trace", "story"},
    "calls": {"errors", "learner", "texts"},
    "run": GROUND | {"calls", "learner", "picture", "schedule", "stage", "story"},
    "exploration": GROUND | {"calls", "learner", "picture", "run", "schedule", "simulation", "stage", "story"},
    "verbs": GROUND | {"calls", "recording", "run", "schedule", "simulation"},
    "notebook": GROUND | {"calls", "exploration", "picture", "run", "story", "verbs"},
    "__init__": {"errors", "exploration", "notebook", "run", "schedule", "stage", "trace", "verbs"},
    "__main__": GROUND | {"learner", "run", "verbs"},
}
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
# What is slow to import, or not to be had everywhere, and who may ask for it.
HEAVY = {
    "greenlet": {
        "simulation/scheduler",
        "simulation/signals",
        "simulation/simulator",
        "simulation/standing",
        "simulation/stepping",
        "simulation/tasks",
    },
    "ipywidgets": {"notebook/for_real", "notebook/interact", "notebook/predict", "notebook/step", "picture/live"},
    "anywidget": {"notebook/predict", "notebook/step", "picture/live"},
    "matplotlib": {"picture/figure", "run"},
    "tqdm": {"exploration/progress_bar"},
}


def room_of(module):
    return module.split("/")[0]


def imports(module):
    """The rooms that a module imports from, and the other packages."""
    folder = module.split("/")[:-1]
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (("other", alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            place = [*folder[: len(folder) - node.level + 1], *filter(None, (node.module or "").split("."))]
            yield from (("room", name) for name in ([place[0]] if place else [alias.name for alias in node.names]))
        elif isinstance(node, ast.ImportFrom):
            yield "other", (node.module or "").split(".")[0]


def test_every_file_lies_in_a_room():
    assert {room_of(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    room = room_of(module)
    allowed = ROOMS[room] | ({room} if "/" in module else set())
    assert {name for kind, name in imports(module) if kind == "room"} - allowed == set()


def test_rooms_are_built_from_the_ground_up():
    built = set()
    for room, below in ROOMS.items():
        assert below <= built, f"{room} stands on {below - built}"
        built.add(room)


@pytest.mark.parametrize("package", HEAVY)
def test_what_is_slow_to_import_is_asked_for_in_few_places(package):
    assert {module for module in MODULES if ("other", package) in set(imports(module))} == HEAVY[package]


LATER = ("matplotlib", "numpy", "PIL", "IPython", "ipywidgets", "anywidget", "greenlet", "bytecode", "tqdm")


def test_importing_the_package_loads_nothing_that_is_slow_to_import_and_all_its_names_are_there():
    code = f"""
import sys, threadviz
print([name for name in {LATER} if name in sys.modules])
missing = [name for name in threadviz.__all__ if not hasattr(threadviz, name) or name not in dir(threadviz)]
print(missing, [name for name in {LATER} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    first, then = done.stdout.splitlines()
    assert first == "[]"
    assert then.startswith("[] [") and "ipywidgets" in then


def test_unknown_name_is_said_as_python_says_it():
    import threadviz

    with pytest.raises(AttributeError, match="^module 'threadviz' has no attribute 'simulat'$"):
        threadviz.simulat  # noqa: B018 - it is the asking that raises
