"""`python -m threadviz script.py`: what the threads of any script did, as a picture or in words."""

import argparse
import atexit
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, TextIO

from .errors import ThreadvizError
from .learner.code import KIND, OWN
from .run import Run, check_ending
from .texts import error_text
from .verbs import record, simulate

PROGRAM = "python -m threadviz"
USAGE = f"{PROGRAM} [options] script.py [options] [--] [arguments of the script]"
INTERRUPTED = 130  # the exit status of what SIGINT has ended
ABOUT = """Run a script on the virtual clock and tell what each of its threads did. What the script printed and logged
is shown when it has ended. Then the timeline follows in words, or goes to the file that -o names."""
MORE = """The options stand before the script or right after it. From the first word that is not one of them, or from --
on, everything goes to the script. The exit status is the script's own; 1 for an exception and for a deadlock, 2 where
the script cannot be run at all."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script that a command line names; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    options, arguments = _parsed(words)
    try:
        if options.output is not None:
            _check_output(options.output)
        code = _compiled(options.script)
        verb = record if options.record else simulate
    except ValueError as error:
        _say(f"{PROGRAM}: {error}", sys.stderr)
        return 2
    try:
        with _main_module(options.script, arguments) as names:
            done = verb(_program(code, names, options.script), *arguments)
    except KeyboardInterrupt as stopped:
        if "threadviz" not in vars(stopped):  # before it began
            _say(f"{PROGRAM}: interrupted", sys.stderr)
            return INTERRUPTED
        done = vars(stopped)["threadviz"]
    _tell_log(done)
    status = _tell_errors(done)
    if argv is None:  # the script's output at its exit comes before the words, as it comes before a shell's prompt
        atexit._run_exitfuncs()
    if options.output is None:
        _say(done.describe().replace(done.replay, f"{PROGRAM} {shlex.join(words)}"), sys.stdout)
        return status
    try:
        done.save(options.output)
    except OSError as error:
        _say(f"{PROGRAM}: cannot save {str(options.output)!r}: {error.strerror}", sys.stderr)
        return 2
    _say(f"saved {options.output}", sys.stderr)  # stdout is the script's
    return status


def _parsed(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and the script's arguments."""
    ours = argparse.ArgumentParser(PROGRAM, USAGE, add_help=False)
    ours.add_argument("--record", action="store_true", help="run on real threads, in real time")
    ours.add_argument(
        "-o", dest="output", metavar="FILE", help="a name in .png, .svg or .pdf, or in .json for Perfetto"
    )
    parser = argparse.ArgumentParser(PROGRAM, USAGE, ABOUT, MORE, [ours], allow_abbrev=False)
    parser.add_argument("script", help="the Python file to run")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS).required = False
    options = parser.parse_args(words)
    rest, end = options.rest, 0
    # A parser would also take what stands behind an option that is the script's own.
    while end < len(rest) and (rest[end] == "--record" or rest[end].startswith("-o")):
        end += 2 if rest[end] == "-o" else 1
    ours.parse_args(rest[:end], options)
    return options, rest[end + (rest[end : end + 1] == ["--"]) :]


def _check_output(name: str) -> None:
    path = Path(name)
    check_ending(path)
    if not path.parent.is_dir():
        raise ValueError(f"cannot save {name!r}: there is no folder {str(path.parent)!r}")


def _compiled(script: str) -> CodeType:
    path = Path(script)
    if path.is_dir():
        raise ValueError(f"{script!r} is a folder: name a Python file in it")
    if not path.exists():
        raise ValueError(f"there is no file {script!r}")
    try:
        return compile(path.read_bytes(), os.path.abspath(script), "exec", dont_inherit=True)
    except OSError as error:
        raise ValueError(f"cannot read {script!r}: {error.strerror}") from error
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        raise ValueError(f"{script!r} is not Python: {error.msg}{where}") from error
    except ValueError as error:  # a null byte, before 3.12
        raise ValueError(f"{script!r} is not Python: {error}") from error


@contextmanager
def _main_module(script: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Stand the script in the interpreter's place for a program: `__main__`, `sys.argv` and `sys.path`."""
    module = ModuleType("__main__")
    module.__dict__.update(__file__=os.path.abspath(script), __builtins__=__builtins__)
    before = sys.modules["__main__"], sys.argv, sys.path[:]
    sys.modules["__main__"] = module
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    try:
        yield module.__dict__
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = before


def _program(code: CodeType, names: dict[str, Any], script: str) -> Callable[..., object]:
    """The script as a scenario, which returns what it gave to `sys.exit`."""

    def program(*_arguments: str) -> object:  # which are in sys.argv; here they are for the title
        try:
            exec(code, names)
        except SystemExit as ended:
            return ended.code
        return None

    program.__name__ = Path(script).name
    return program


def _tell_log(done: Run) -> None:
    """What was printed and logged; without the lines on exceptions, of which the tracebacks follow."""
    errors = {error_text(error) for error in done.errors.values()}
    for line in done.log:
        _, of_an_error, error = line.text.partition(f"exception in {line.thread}: ")
        if not line.seen and (not of_an_error or error not in errors):
            _say(line.text, sys.stderr if line.to_stderr else sys.stdout)
    sys.stdout.flush()


def _tell_errors(done: Run) -> int:
    """What went wrong, on stderr; returns the exit status."""
    threads = sum(lane.ending == "raised" for lane in done.trace.lanes[1:])  # the rest are futures', as silent as ever
    for name, error in list(done.errors.items())[:threads]:
        _say(f"Exception in {name}:", sys.stderr)
        _tell_error(error)
    failure = done.exception()
    if failure is None:
        status = done.result()
        if status is None or isinstance(status, int):
            return int(status or 0)
        _say(str(status), sys.stderr)
    elif isinstance(failure, ThreadvizError):
        _say(f"{PROGRAM}: {failure}", sys.stderr)
    else:
        _tell_error(failure)
    return INTERRUPTED if isinstance(failure, KeyboardInterrupt) else 1


def _tell_error(error: BaseException) -> None:
    """As Python tells it for the script alone, with what it suggests and without frames of ours."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in seen:
            seen.append(each)
            todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
            each.__traceback__ = _without_ours(each.__traceback__)
    sys.__excepthook__(type(error), error, error.__traceback__)


def _without_ours(entry: TracebackType | None) -> TracebackType | None:
    entries = []
    while entry is not None:
        if KIND[entry.tb_frame.f_code.co_filename] != OWN:
            entries.append(entry)
        entry = entry.tb_next
    for each in reversed(entries):
        entry = TracebackType(entry, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return entry


def _say(text: str, stream: TextIO) -> None:
    """Print, with an escape for each character that the stream cannot take."""
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


if __name__ == "__main__":
    sys.exit(main())
