"""`%load_ext threadviz`: the cell magics `%%simulate`, `%%record` and `%%explore` take any cell as the scenario."""

import ast
import dis
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ..exploration.exploration import Exploration, explore
from ..run import Run
from ..verbs import record, simulate

_OUTCOME = "_threadviz_outcome"  # of an explored cell: what its last line is worth


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext threadviz`."""

    def simulate_cell(line: str, cell: str) -> Run:
        """Run the cell on the virtual clock, show it as a timeline: %%simulate [--seed N | --schedule TEXT]"""
        given = re.fullmatch(r"(?:--seed[ =]\s*(?P<seed>-?\d+)|--schedule[ =]\s*(?P<schedule>.+))?", line.strip())
        if given is None:
            raise UsageError(f"%%simulate takes only --seed N or --schedule TEXT, not {line!r}")
        if given["schedule"]:
            run = simulate(_explored(shell, cell), schedule=given["schedule"].strip("\"'"))
        else:
            with _scenario(shell, cell) as scenario:
                run = simulate(scenario, seed=int(given["seed"]) if given["seed"] else None)
        run.replay = f"%%simulate {line.strip()}".strip()
        return _shown(run)

    def record_cell(line: str, cell: str) -> Run:
        """Run the cell on real threads, in real time, show it as a timeline: %%record"""
        if line.strip():
            raise UsageError(f"%%record takes no options, not {line!r}")
        with _scenario(shell, cell) as scenario:
            return _shown(record(scenario))

    def explore_cell(line: str, cell: str) -> Exploration:
        """Run the cell in every order of its threads' steps; its last line is the outcome: %%explore [--expect X]"""
        given = re.fullmatch(r"(?:--expect[ =]\s*(.+))?", line.strip())
        if given is None:
            raise UsageError(f"%%explore takes only --expect and what the last line should be worth, not {line!r}")
        found = explore(_explored(shell, cell), expect=eval(given[1], shell.user_ns) if given[1] else None)
        found.replay = "%%simulate --schedule {schedule}"
        return found

    register: Any = shell.register_magic_function
    register(simulate_cell, "cell", "simulate")
    register(record_cell, "cell", "record")
    register(explore_cell, "cell", "explore")


def _explored(shell: InteractiveShell, cell: str) -> Callable[[], Any]:
    """The cell as a function that can be run again and again: each time with names of its own."""
    with _scenario(shell, cell, _keeping_the_outcome) as function:
        written = FunctionType(function.__code__, dict(function.__globals__))

    def scenario() -> Any:
        names = dict(written.__globals__)
        exec(written.__code__, names)
        return names[_OUTCOME]

    scenario.__name__ = "cell"
    return scenario


def _keeping_the_outcome(tree: ast.Module) -> None:
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        raise UsageError("the last line of an explored cell says what came of it, such as: counter")
    target = ast.copy_location(ast.Name(_OUTCOME, ast.Store()), last)
    tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)


def _leaving_it_alone(tree: ast.Module) -> None:
    pass


@contextmanager
def _scenario(
    shell: InteractiveShell, cell: str, change: Callable[[ast.Module], None] = _leaving_it_alone
) -> Iterator[FunctionType]:
    """The cell as a function.  A name that it assigns before it reads it starts fresh, as in a program of its own."""
    # a magic's first line is not in `cell`: an empty one in its place keeps the line numbers those of the notebook
    transform: Any = shell.transform_cell
    source = "\n" + transform(cell)
    filename = shell.compile.cache(source, shell.execution_count, raw_code=cell)
    tree = ast.parse(source, filename)
    change(tree)
    code: CodeType = compile(tree, filename, "exec")
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
