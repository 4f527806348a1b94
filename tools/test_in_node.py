"""Run the tests of what works in a browser tab in Node.js, with the Python that the tab has: Pyodide.

    python tools/test_in_node.py [PYTEST_ARGUMENT...]

Without arguments: the files of NAMES, then once more test_tab.py where no stack can be suspended, as in older browsers.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from build_site import BIN, CACHE, ROOT, lay_pyodide

TOOLS = ROOT / "tools"
SUSPENDING = "--experimental-wasm-jspi"  # which Node.js has from version 25 on without being asked
# Those of simulating, exploring and explaining that take neither matplotlib nor another process.
NAMES = ["calls", "causality", "jumps", "misuse", "naming", "schedule", "tab", "words"]


def run(folder: str, flag: str, arguments: list[str]) -> int:
    command = [BIN / "node", flag, TOOLS / "run_in_node.mjs", folder, TOOLS / "pytest_in_node.py", *arguments]
    return subprocess.run(command, cwd=ROOT).returncode


def main(arguments: list[str]) -> int:
    from jupyterlite_pyodide_kernel.constants import PYODIDE_PYTHON_VERSION, PYODIDE_VERSION

    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        lay_pyodide(Path(folder), PYODIDE_VERSION, PYODIDE_PYTHON_VERSION, ["threadviz", "pytest", "micropip"])
        if arguments:
            return run(folder, SUSPENDING, arguments)
        files = [f"tests/test_{name}.py" for name in NAMES]
        return max(
            run(folder, SUSPENDING, ["-q", *files]),
            run(folder, SUSPENDING.replace("--", "--no-"), ["-q", "tests/test_tab.py"]),
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
