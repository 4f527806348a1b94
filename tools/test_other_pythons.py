"""Run the package's tests under every other supported Python that this machine has.

Each gets its own environment (`.venv-3.12`, ...) with the same pins, made again only when these
change. A Python that is not found is skipped, and the closing lines say so.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
INPUTS = [ROOT / "requirements.txt", ROOT / "pyproject.toml"]
# These test the checkout or a browser, which are the same under every Python.
NOT_THE_PACKAGE = ["browser", "test_book.py", "test_setup.py", "test_tools.py"]


def supported() -> list[str]:
    """Versions that the package says it works with, without the one that runs this script."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = re.findall(r"Python :: (3\.\d+)$", "\n".join(classifiers), re.MULTILINE)
    return [version for version in versions if version != f"{sys.version_info[0]}.{sys.version_info[1]}"]


def search_path() -> str:
    """`PATH`, and behind it the folders of pyenv's Pythons, whose names on `PATH` may refuse to run."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return os.pathsep.join([os.environ["PATH"], *map(str, sorted(pyenv.glob("versions/3.*/bin")))])


def find(version: str) -> str | None:
    """Path of an interpreter of that version, or None."""
    found = subprocess.run(
        [find_uv_bin(), "python", "find", "--system", "--no-python-downloads", version],
        env={**os.environ, "PATH": search_path()},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() if found.returncode == 0 else None


def environment(version: str, interpreter: str) -> Path:
    """Path of the Python of an up-to-date environment for `version`."""
    folder = ROOT / f".venv-{version}"
    stamp = folder / ".installed"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not stamp.exists() or stamp.stat().st_mtime < max(path.stat().st_mtime for path in INPUTS):
        uv = [find_uv_bin(), "--quiet"]
        install = [*uv, "pip", "install", "--python", str(python)]
        subprocess.run([*uv, "venv", "--clear", "--python", interpreter, str(folder)], check=True)
        subprocess.run([*install, "-r", "requirements.txt"], cwd=ROOT, check=True)
        subprocess.run([*install, "--no-deps", "-e", "."], cwd=ROOT, check=True)
        stamp.touch()
    return python


def main(arguments: list[str]) -> int:
    verdicts = {}
    for version in supported():
        interpreter = find(version)
        if interpreter is None:
            verdicts[version] = f"skipped: no python{version} found"
            continue
        print(f"\nPython {version} ({interpreter})", flush=True)
        # nbval has nothing to do here, and its imports take seconds.
        command = [environment(version, interpreter), "-m", "pytest", "-p", "no:nbval", "tests", "--numprocesses=auto"]
        ignored = [f"--ignore=tests/{name}" for name in NOT_THE_PACKAGE]
        done = subprocess.run([*command, *ignored, *arguments], cwd=ROOT)
        verdicts[version] = "passed" if done.returncode == 0 else "FAILED"
    print()
    for version, verdict in verdicts.items():
        print(f"Python {version}: {verdict}")
    return 1 if "FAILED" in verdicts.values() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
