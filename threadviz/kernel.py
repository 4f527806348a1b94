"""Whether there is a kernel, and somebody with its notebook open in front of them."""

import os
import sys
from typing import Any


def shell() -> Any:
    """IPython's shell, where a kernel is behind it; None elsewhere."""
    ipython = sys.modules.get("IPython")
    found = ipython.get_ipython() if ipython is not None else None
    return found if hasattr(found, "kernel") else None


def notebook() -> str:
    """The path of the notebook that somebody has open in front of this kernel; empty where nobody has.

    A Jupyter server tells it the kernels that it starts for a page, in their environment; the editor VS Code in a
    variable.  Whoever runs notebooks by a program, as nbclient and nbval do, tells nothing.
    """
    found = shell()
    if found is None:
        return ""
    return str(found.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", ""))


def cell() -> str:
    """The id of the cell that runs, as its notebook has it; empty where nobody says one."""
    parent: Any = getattr(getattr(shell(), "kernel", None), "get_parent", dict)()
    metadata = parent.get("metadata") if isinstance(parent, dict) else None
    return str(metadata.get("cellId") or "") if isinstance(metadata, dict) else ""
