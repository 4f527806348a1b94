"""`%load_ext threadviz`: the cell magic `%%simulate` shows any cell, such as a pasted example, as a timeline."""

import argparse
import dis
from types import CodeType, FunctionType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from .run import Run, simulate

_parser = argparse.ArgumentParser(prog="%%simulate", add_help=False, exit_on_error=False)
_parser.add_argument("--seed", type=int, default=None, help="shuffle the order of threads that can go on")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext threadviz`."""

    def simulate_cell(line: str, cell: str) -> Run | None:
        return _simulate_cell(shell, line, cell)

    simulate_cell.__doc__ = "Run the cell on the virtual clock, show it as a timeline: %%simulate [--seed N]"
    register: Any = shell.register_magic_function
    register(simulate_cell, "cell", "simulate")


def _simulate_cell(shell: InteractiveShell, line: str, cell: str) -> Run | None:
    try:
        options, unknown = _parser.parse_known_args(line.split())
    except argparse.ArgumentError as error:
        raise UsageError(f"%%simulate takes only --seed N, not {line!r}: {error}") from error
    if unknown:
        raise UsageError(f"%%simulate takes only --seed N, not {line!r}")
    # a magic's first line is not in `cell`: an empty one in its place keeps the line numbers those of the notebook
    transform: Any = shell.transform_cell
    source = "\n" + transform(cell)
    filename = shell.compile.cache(source, shell.execution_count, raw_code=cell)
    code: CodeType = compile(source, filename, "exec")
    _forget_what_the_cell_makes(code, shell.user_ns)
    run = simulate(FunctionType(code, shell.user_ns, "cell"), seed=options.seed)
    if run.log:
        print(run.log)
    return run


def _forget_what_the_cell_makes(code: CodeType, names: dict[str, Any]) -> None:
    """A name that the cell assigns before it reads it starts fresh, as in a program of its own."""
    read: set[str] = set()
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            read.add(name)
        elif instruction.opname == "STORE_NAME" and name not in read and name in names:
            del names[name]
