"""`%load_ext threadviz`: the cell magics `%%simulate` and `%%record` show any cell, such as a pasted example."""

import dis
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ..run import Run
from ..verbs import record, simulate


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext threadviz`."""

    def simulate_cell(line: str, cell: str) -> Run:
        """Run the cell on the virtual clock, show it as a timeline: %%simulate [--seed N]"""
        seed = _seed(line)
        with _scenario(shell, cell) as scenario:
            run = simulate(scenario, seed=seed)
        run.replay = "%%simulate" if seed is None else f"%%simulate --seed {seed}"
        return _shown(run)

    def record_cell(line: str, cell: str) -> Run:
        """Run the cell on real threads, in real time, show it as a timeline: %%record"""
        if line.strip():
            raise UsageError(f"%%record takes no options, not {line!r}")
        with _scenario(shell, cell) as scenario:
            return _shown(record(scenario))

    register: Any = shell.register_magic_function
    register(simulate_cell, "cell", "simulate")
    register(record_cell, "cell", "record")


def _seed(line: str) -> int | None:
    """Shuffles the order of threads that can go on."""
    given = re.fullmatch(r"(?:--seed[ =]\s*(-?\d+))?", line.strip())
    if given is None:
        raise UsageError(f"%%simulate takes only --seed N, not {line!r}")
    return int(given[1]) if given[1] else None


@contextmanager
def _scenario(shell: InteractiveShell, cell: str) -> Iterator[FunctionType]:
    """The cell as a function.  A name that it assigns before it reads it starts fresh, as in a program of its own."""
    # a magic's first line is not in `cell`: an empty one in its place keeps the line numbers those of the notebook
    transform: Any = shell.transform_cell
    source = "\n" + transform(cell)
    filename = shell.compile.cache(source, shell.execution_count, raw_code=cell)
    code: CodeType = compile(source, filename, "exec")
    before = {name: shell.user_ns.pop(name) for name in _made_by(code) if name in shell.user_ns}
    try:
        yield FunctionType(code, shell.user_ns, "cell")
    finally:
        for name, value in before.items():  # where the cell did not come to assign it after all
            shell.user_ns.setdefault(name, value)


def _shown(run: Run) -> Run:
    if run.log:
        print(run.log)
    return run


def _made_by(code: CodeType) -> list[str]:
    """The names that the code assigns before it reads them."""
    read: set[str] = set()
    made: list[str] = []
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            read.add(name)
        elif instruction.opname == "STORE_NAME" and name not in read and name not in made:
            made.append(name)
    return made
