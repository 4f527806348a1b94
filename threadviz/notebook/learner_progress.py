"""What a learner has done so far, chapter by chapter, kept in one small file beside the notebooks.

It is written where somebody has a notebook open in front of them, and nowhere else: not by tests, scripts or notebooks
that are run by a program.  Nothing is sent anywhere.  Deleting the file starts afresh.
"""

import errno
import html
import inspect
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from .. import kernel
from ..texts import clean

FILE = ".threadviz_progress.json"
UNNAMED = "this notebook"
SOLUTION = "# Solution"
CHECK = "-check"  # how the id of a chapter's cell ends that checks an exercise
LEFT = "text-align: left"
PATIENCE = 2.0  # seconds, real: another kernel has written by then
STALE = 10.0  # seconds, real: whoever locked the file so long ago was ended meanwhile
_START = Path.cwd()  # a kernel begins in its notebook's folder

Kind = Literal["predictions", "goals", "exercises"]
# Chapter, kind, what it was: whether a prediction was right, a goal reached, an exercise passed.
Book = dict[str, dict[str, dict[str, bool]]]
KINDS: dict[Kind, str] = {"predictions": "right", "goals": "reached", "exercises": "passed"}

_book: Book = {}  # what is not in the file
# Exercise to the cell of its newest check, whether it was passed before, and whether that cell's checks have passed.
_tries: dict[str, tuple[int | None, bool, bool]] = {}
_trouble = ""  # why the file was not written


class Progress:
    """Predictions, goals and exercises so far; shows itself as a table with a row for each chapter.

    Attributes
    ----------
    chapters : dict
        Chapter to kind to what it was: `chapters["08_locks"]["exercises"]["exercise-2"]` is whether that was passed.
        Exercises are named by the chapter's cell that checks them, or else by the scenario.
    note : str
        Why something is missing here, or where it is kept.
    """

    def __init__(self, chapters: Book, note: str) -> None:
        self.chapters = chapters
        self.note = note

    @property
    def _rows(self) -> list[list[str]]:
        # Not how many there are: whoever reads "of 2" is to know of which two.
        rows = [["chapter", "predictions made", "goals", "exercises tried"]]
        for chapter in sorted(self.chapters):
            rows.append([clean(chapter), *(_counted(kind, self.chapters[chapter]) for kind in KINDS)])
        return rows

    def __repr__(self) -> str:
        if not self.chapters:
            return f"nothing yet; {self.note}"
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in self._rows]
        return "\n".join([*lines, self.note])

    def _repr_html_(self) -> str:
        if not self.chapters:
            return f"<p>{html.escape(repr(self))}</p>"
        head, *rows = [[html.escape(each) for each in row] for row in self._rows]
        top = "".join(f'<th scope="col" style="{LEFT}">{each}</th>' for each in head)
        body = "".join(
            f'<tr><th scope="row" style="{LEFT}">{chapter}</th>'
            + "".join(f'<td style="{LEFT}">{each}</td>' for each in cells)
            + "</tr>"
            for chapter, *cells in rows
        )
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table><p>{html.escape(self.note)}</p>"


def progress() -> Progress:
    """Return the predictions, goals and exercises so far, chapter by chapter.

    They are kept in `.threadviz_progress.json` beside the notebooks, once each, however often a cell is run: a
    prediction as it was first, a goal that was once reached, an exercise that was once passed.  Outside a notebook
    the file of the current folder is read.

    Returns
    -------
    Progress
        Shows itself as a table; `.chapters` has it as plain data.

    Examples
    --------
    >>> progress().chapters.get("08_locks", "nothing yet")
    'nothing yet'
    """
    path = _file()
    try:
        chapters = _merged(_read(path) if path is not None else {}, _book)
    except (OSError, ValueError) as error:
        return Progress(_book, f"{FILE} cannot be read: {_why(error)}")
    if _is_attended():
        kept = _trouble or f"kept in {FILE}; delete it to start afresh"
    else:
        kept = "kept where the notebook is open in JupyterLab" if path is None else f"as in {path}"
    return Progress(chapters, kept)


def verdict(passed: bool, words: str) -> None:
    """Print the verdict on an exercise, and note whether it is passed, where nothing is to be explored by `check`.

    The exercise is named as for `check`: by the chapter's cell that checks it, `exercise-1` in a cell with the id
    `exercise-1-check`, or else by the function that calls this.

    Parameters
    ----------
    passed : bool
        Whether the answer is right.  Once passed an exercise stays so.
    words : str
        What the learner is told.

    Raises
    ------
    TypeError
        Where `passed` is neither True nor False, or `words` is no text.

    Examples
    --------
    >>> def check_seconds(seconds):
    ...     if seconds != 3:
    ...         return verdict(False, f"Not yet. The program does not last {seconds} s.")
    ...     return verdict(True, "Solved. The longest thread decides.")
    >>> check_seconds(6)
    Not yet. The program does not last 6 s.
    """
    if not isinstance(passed, bool):
        raise TypeError(f"passed must be True or False, not {passed!r}")
    if not isinstance(words, str):
        raise TypeError(f"words must be a text, not {words!r}")
    print(words)
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    tried(caller.f_code.co_name if caller is not None else "exercise", passed)


def note(kind: Kind, what: str, well: bool) -> None:
    """Note that something was predicted, reached or tried, and whether well; it never raises.

    What a chapter's own solution does, in a cell that begins with `# Solution`, is not the learner's.
    """
    global _trouble
    shell = kernel.shell()
    if shell is not None and str(shell.user_ns.get("In", [""])[-1]).lstrip().startswith(SOLUTION):
        return
    entry: Book = {_chapter(): {kind: {what: well}}}
    _book.update(_merged(_book, entry))
    if not _is_attended():
        return
    path = _file()
    assert path is not None
    try:
        with _locked(path):
            _write(path, _merged(_read(path), _book))
    except (OSError, ValueError) as error:
        _trouble = f"{FILE} is not written: {_why(error)}"
    else:
        _trouble = ""
        _book.clear()  # or it would come back after the file was deleted


def tried(exercise: str, passed: bool) -> None:
    """Note an exercise, which is passed where every check of it in one cell is; once passed it stays so."""
    shell = kernel.shell()
    if kernel.cell().endswith(CHECK):  # however many scenarios it checks, it is one exercise
        exercise = kernel.cell().removesuffix(CHECK)
    cell = getattr(shell, "execution_count", None)
    newest = _tries.get(exercise)
    if newest is None or cell is None or newest[0] != cell:
        before = progress().chapters.get(_chapter(), {}).get("exercises", {}).get(exercise, False)
        newest = cell, before, True
    cell, before, so_far = newest
    _tries[exercise] = cell, before, so_far and passed
    note("exercises", exercise, before or (so_far and passed))


def score() -> str:
    """Return how many predictions of this chapter were right, and whether that could be kept, in a sentence."""
    here = progress().chapters.get(_chapter(), {})
    counted = f"Predictions in this chapter: {_counted('predictions', here)}."
    return f"{counted} ({_trouble})" if _trouble else counted


def _counted(kind: Kind, entries: Mapping[str, Mapping[str, bool]]) -> str:
    done = entries.get(kind, {})
    if not done:
        return "–"
    well = sum(done.values())
    return f"{well} of {len(done)} {KINDS[kind]}" if kind != "goals" else f"{well} {KINDS[kind]}"


def _merged(old: Book, new: Book) -> Book:
    """Both together: of predictions the old one counts, of exercises the new one."""
    both = {chapter: {kind: dict(entries) for kind, entries in kinds.items()} for chapter, kinds in old.items()}
    for chapter, kinds in new.items():
        for kind, entries in kinds.items():
            place = both.setdefault(chapter, {}).setdefault(kind, {})
            for what, well in entries.items():
                place[what] = place.get(what, well) if kind == "predictions" else well
    return both


def _read(path: Path) -> Book:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    book: Book = json.loads(text)
    kept = isinstance(book, dict) and all(
        isinstance(kinds, dict)
        and all(
            kind in KINDS and isinstance(entries, dict) and all(isinstance(well, bool) for well in entries.values())
            for kind, entries in kinds.items()
        )
        for kinds in book.values()
    )
    if not kept:
        raise ValueError("it does not hold what threadviz writes")
    return book


def _write(path: Path, book: Book) -> None:
    """Write all or nothing."""
    beside = path.with_name(f"{FILE}.new")
    beside.write_text(json.dumps(book, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other kernels from writing between a reading and its writing."""
    lock = path.with_name(f"{FILE}.lock")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if _age(lock) > STALE:
                lock.unlink(missing_ok=True)
            elif time.monotonic() > until:
                raise BlockingIOError(errno.EAGAIN, "another kernel is writing it") from None
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "it is no JSON; delete it to start afresh"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{error}; delete it to start afresh"


def _is_attended() -> bool:
    return bool(kernel.notebook())


def _chapter() -> str:
    path = Path(kernel.notebook())
    return path.stem if path.suffix == ".ipynb" else UNNAMED


def _file() -> Path | None:
    """The file, or None for a kernel that a program leads: its notebook must not differ from learner to learner."""
    if not _is_attended():
        return _START / FILE if kernel.shell() is None else None
    folder = Path(kernel.notebook()).parent
    return (folder if folder.is_absolute() and folder.is_dir() else _START) / FILE
