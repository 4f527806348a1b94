"""Build the course as static files for a browser tab: JupyterLite, Pyodide, and all that the chapters import.

    python tools/build_site.py [--lean] [FOLDER]

The site needs no server that computes and no other host: Python runs in the tab, in WebAssembly. Pyodide's core comes
from npm, pure wheels from PyPI in the versions that requirements.txt pins, threadviz from this checkout. All of them
stand in Pyodide's lock file, so that a kernel has them from the start. What was fetched is kept in `build/cache`.
The same checkout and the same pins give the same files.

A lean site, for publishing, leaves Pyodide's core to Pyodide's own host, and matplotlib, which is built for no other.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "cache"
SITE = ROOT / "build" / "site"
BIN = Path(sys.executable).parent
CORE = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
CORE_SHA256 = "d78ac549b28a2a58600cd06f44e017024151775f8c6b2d73fab1475400d38ea2"  # of the package on npm
# Wheels that Pyodide's own lock file does not know: what is imported of each, and which others it needs.
ADDED = {
    "anywidget": (["anywidget"], ["ipywidgets", "psygnal", "typing-extensions"]),
    "bytecode": (["bytecode"], []),
    "comm": (["comm"], ["traitlets"]),
    "greenlet-pyodide": (["greenlet"], []),
    "iniconfig": (["iniconfig"], []),
    "ipywidgets": (["ipywidgets"], ["comm", "ipython", "jupyterlab-widgets", "traitlets"]),
    "jupyterlab-widgets": ([], []),
    "pluggy": (["pluggy"], []),
    "psygnal": (["psygnal"], []),
    "pytest": (["pytest"], ["iniconfig", "packaging", "pluggy", "pygments"]),
    "threadviz": (["threadviz"], ["anywidget", "bytecode", "greenlet-pyodide", "ipython", "ipywidgets", "tqdm"]),
}
NOT_PINNED = {"greenlet-pyodide": "0.1.0"}  # as it is of use in a browser only
KERNELS = ["threadviz", "micropip", "jedi", "packaging"]  # all but the first JupyterLite's kernel asks for by itself
ON_PAPER = "matplotlib"  # loaded when a picture is drawn with it
CDN = "https://cdn.jsdelivr.net/pyodide/v{}/full/"
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
EPOCH = "1577836800"  # 2020-01-01, for every file: with the day of the build in them no two sites would be the same
PORTABLE = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"]


def normal(name: str) -> str:
    """The name of a package as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """The version of each package that requirements.txt names."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_core(version: str) -> Path:
    """Return the folder of Pyodide's core, fetched if need be; ValueError where it is not what was expected."""
    package = CACHE / f"pyodide-{version}.tgz"
    if not package.exists():
        subprocess.run([BIN / "npm", "pack", "--silent", f"pyodide@{version}"], cwd=CACHE, check=True)
    if digest(package) != CORE_SHA256:
        raise ValueError(f"{package.name} is not the package that was tried: look at it, and change CORE_SHA256")
    folder = CACHE / f"pyodide-{version}"
    if not folder.exists():
        with tarfile.open(package) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def fetch_wheel(name: str, version: str, python: str) -> Path:
    """Return a wheel of pure Python, fetched if need be."""
    for _ in range(2):
        for path in CACHE.glob("*.whl"):
            if (normal(path.name.split("-")[0]), path.name.split("-")[1]) == (name, version):
                return path
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            *PORTABLE,
        ]
        command = [*pip, f"--python-version={python}", f"--dest={CACHE}", f"{name}=={version}"]
        subprocess.run(command, check=True)
    raise ValueError(f"pip has fetched no wheel of {name} {version}")


def build_wheel(folder: Path) -> Path:
    """The wheel of threadviz as this checkout has it."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    command = [BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT]
    subprocess.run(command, env=environment, check=True)
    return next(folder.glob("*.whl"))


def needed(names: list[str], known: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Each of these packages and of those that they need, with what it needs."""
    found: dict[str, list[str]] = {}
    names = list(names)
    while names:
        name = names.pop()
        if name not in found:
            found[name] = ADDED[name][1] if name in ADDED else [normal(each) for each in known[name]["depends"]]
            names += found[name]
    return dict(sorted(found.items()))


def lay_pyodide(folder: Path, version: str, python: str, names: list[str], lean: bool = False) -> None:
    """Write Pyodide, the wheels of `names` and of what they need, and the lock file with their checksums."""
    core = fetch_core(version)
    for name in [] if lean else CORE:
        shutil.copy(core / name, folder)
    lock = json.loads((core / "pyodide-lock.json").read_text(encoding="utf-8"))
    known = {normal(name): entry for name, entry in lock["packages"].items()}
    pinned = {**{name: entry["version"] for name, entry in known.items()}, **NOT_PINNED, **pins()}
    packages = {}
    for name, depends in needed(names, known).items():
        with tempfile.TemporaryDirectory() as made:
            wheel = build_wheel(Path(made)) if name == "threadviz" else fetch_wheel(name, pinned[name], python)
            shutil.copy(wheel, folder)
        packages[name] = {
            "name": name,
            "version": wheel.name.split("-")[1],
            "file_name": wheel.name,
            "sha256": digest(folder / wheel.name),
            "imports": ADDED[name][0] if name in ADDED else known[name]["imports"],
            "depends": depends,
            "install_dir": "site",
            "package_type": "package",
            "unvendored_tests": False,
        }
    for name in needed([ON_PAPER], known) if lean else []:
        elsewhere = {**known[name], "file_name": CDN.format(version) + known[name]["file_name"]}
        packages.setdefault(name, elsewhere)
    text = json.dumps({**lock, "packages": packages}, indent=1)
    (folder / "pyodide-lock.json").write_text(text, encoding="utf-8")


def configuration(core: str) -> dict[str, Any]:
    """What JupyterLite is told: where Pyodide is, that nothing else is fetched, what is there from the start."""
    kernel = {
        "pyodideUrl": f"{core}pyodide.mjs",
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"packages": ["threadviz"], "lockFileURL": "./static/pyodide/pyodide-lock.json"},
    }
    data = {"appName": "Threads in Python", "exposeAppInBrowser": True, "litePluginSettings": {KERNEL: kernel}}
    return {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}


def settings() -> dict[str, Any]:
    """JupyterLab's settings as `make lab` has them."""
    folder = ROOT / ".jupyter" / "labconfig"
    return json.loads((folder / "default_setting_overrides.json").read_text(encoding="utf-8"))


def going_on(notebook: str) -> str:
    """A chapter in which Run All comes to the end, although some of its cells need what no tab has."""
    chapter = json.loads(notebook)
    for cell in chapter["cells"]:
        if cell["cell_type"] == "code":
            tags = cell["metadata"].setdefault("tags", [])
            tags += [] if "raises-exception" in tags else ["raises-exception"]
    return json.dumps(chapter, indent=1, ensure_ascii=False) + "\n"


def build(site: Path, lean: bool = False) -> None:
    """Build the site into a folder, which is made anew."""
    from jupyterlite_pyodide_kernel.constants import PYODIDE_PYTHON_VERSION, PYODIDE_VERSION

    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        plan, contents = Path(made, "plan"), Path(made, "contents")
        pyodide = plan / "static" / "pyodide"
        pyodide.mkdir(parents=True)
        contents.mkdir()
        lay_pyodide(pyodide, PYODIDE_VERSION, PYODIDE_PYTHON_VERSION, KERNELS, lean)
        told = configuration(CDN.format(PYODIDE_VERSION) if lean else "./static/pyodide/")
        (plan / "jupyter-lite.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        (plan / "overrides.json").write_text(json.dumps(settings(), indent=1), encoding="utf-8")
        for path in sorted((ROOT / "notebooks").glob("*.*")):
            if path.suffix == ".ipynb":
                (contents / path.name).write_text(going_on(path.read_text(encoding="utf-8")), encoding="utf-8")
            elif path.suffix == ".py":
                shutil.copy(path, contents)
        shutil.rmtree(site, ignore_errors=True)
        command = [BIN / "jupyter", "lite", "build", "--lite-dir", plan, "--contents", contents, "--output-dir", site]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        # in the folder that is thrown away, as doit leaves there what it has done, and would not do it again
        done = subprocess.run(
            [*command, f"--source-date-epoch={EPOCH}"], cwd=made, env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ValueError(f"jupyter lite build failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def main(arguments: list[str]) -> int:
    lean = "--lean" in arguments
    folders = [each for each in arguments if each != "--lean"]
    site = Path(folders[0]).resolve() if folders else SITE
    build(site, lean)
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"{site}: {size / 1e6:.0f} MB. To look at it: python -m http.server --bind 127.0.0.1 --directory {site}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
