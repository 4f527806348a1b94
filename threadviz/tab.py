"""What a browser tab can do, where Python runs in WebAssembly; everywhere else all of it can be done."""

import errno
import importlib
import sys
from importlib.util import find_spec
from types import CodeType, FrameType
from typing import Any, cast

from . import real
from .errors import NoRealThreads, NotInThisTab


def can_switch() -> bool:
    """Whether a greenlet can be switched to from here.

    In a browser tab that takes a stack that can be suspended; one that begins with a message of the page, and not with
    a callback of the event loop, cannot be.
    """
    if real.HAS_THREADS:
        return True
    from pyodide.ffi import can_run_sync

    return bool(can_run_sync())


def can_ever_switch() -> bool:
    """Whether there is any place in this process from which a greenlet can be switched to."""
    if real.HAS_THREADS:
        return True
    import js

    return hasattr(js.WebAssembly, "Suspending")


def check_can_switch() -> None:
    """Say what is missing where no run can be simulated: NotInThisTab."""
    if not can_ever_switch():
        raise NotInThisTab(
            "simulated runs need a browser that can suspend WebAssembly (JSPI), and this one cannot: "
            "open the course in a newer one, such as Chrome or Edge from version 137 on, or in Python on a computer"
        )
    if not can_switch():
        raise NotInThisTab("no run can be simulated in a callback of the page: call it in a cell")


def fetch(package: str) -> None:
    """Load a package that the tab does not have from the start; NotInThisTab where it is not to be had."""
    if real.HAS_THREADS or find_spec(package) is not None:
        return
    import pyodide_js
    from pyodide.ffi import run_sync

    has_it = hasattr(pyodide_js.lockfile.packages, package)
    if has_it and can_switch():
        run_sync(pyodide_js.loadPackage(package))
        importlib.invalidate_caches()
    if not has_it or find_spec(package) is None:
        why = "could not be loaded into it" if has_it else "this copy of the course does not bring along"
        raise NotInThisTab(
            f"in a browser tab this needs {package}, which {why}: "
            'show the picture without it, save it with a name that ends in ".svg", or draw it in Python on a computer'
        )


def explain_errors(shell: Any) -> None:
    """Have IPython say in one sentence what a cell lacks that starts a real thread, a process or a server in a tab."""

    def show(shell: Any, kind: type[BaseException], error: Any, traceback: Any, tb_offset: int | None = None) -> None:
        if str(error) == "can't start new thread" or getattr(error, "errno", None) == errno.ENOTSUP:
            error = NoRealThreads(
                "this cell needs a real thread, a process or a server, and a browser tab has none of them "
                f"(Python says: {error}): go on with the next cell, or run this one in Python on a computer"
            )
        shell.showtraceback((type(error), error, traceback), tb_offset=tb_offset)

    shell.set_custom_exc((RuntimeError, OSError), show)


_ipython = sys.modules.get("IPython") if not real.HAS_THREADS else None
if _ipython is not None and _ipython.get_ipython() is not None:
    # An import changes nothing elsewhere; here a chapter must not look broken at the first cell that cannot run.
    explain_errors(_ipython.get_ipython())


class Still:
    """A frame as it was when its thread gave way, with what can be asked of a frame.

    While a stack is suspended in WebAssembly, its frames must not be looked at: Python then crashes.
    """

    def __init__(self, frame: FrameType, back: "Still | None") -> None:
        self.f_back = back
        self.f_code = frame.f_code
        self.f_globals = frame.f_globals
        self.f_builtins = frame.f_builtins
        self.f_lasti = frame.f_lasti
        self.f_lineno = frame.f_lineno
        known: Any = frame.f_locals
        self.f_locals = known if known is frame.f_globals else dict(known)


def still(frame: FrameType | None, end: CodeType) -> FrameType | None:
    """The frames from this one outwards, as they are now, up to that of `end`, which is left out."""
    frames: list[FrameType] = []
    while frame is not None and frame.f_code is not end:
        frames.append(frame)
        frame = frame.f_back
    found = None
    for each in reversed(frames):
        found = Still(each, found)
    return cast("FrameType | None", found)
