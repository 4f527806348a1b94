"""Text that fits: measuring it in DejaVu Sans, shortening it.

All widths and sizes are CSS pixels (1/96 inch).
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache

from ..texts import clean
from .advances import BOLD, REGULAR

_UNITS = 2048  # an em, which is the size of a letter
_ADVANCES = [{ord(letter): wide for wide, letters in table.items() for letter in letters} for table in (REGULAR, BOLD)]
_OTHER, _WIDE = 1400, 2048  # a letter that is not in the table, and one as wide as it is high


@lru_cache(maxsize=4096)
def printable(text: str) -> str:
    """Return the text in one line, with characters that would not be seen as themselves made visible."""
    return clean(text)


@lru_cache(maxsize=4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """Return how wide a printable text is."""
    advances = _ADVANCES[bold]
    return sum(advances.get(ord(letter)) or _unknown(letter) for letter in text) * size / _UNITS + 1


def _unknown(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return _WIDE if unicodedata.east_asian_width(letter) in "WF" else _OTHER


@lru_cache(maxsize=4096)
def fit(text: str, room: float, size: float, bold: bool = False) -> str:
    """Return the text, or its beginning up to a comma, a colon or an ellipsis, or nothing if hardly any of it fits."""
    if width(text, size, bold) <= room:
        return text
    for mark in (", ", ": "):
        head = text.split(mark)[0]
        if head != text and width(head, size, bold) <= room:
            return head
    return fit_start(text, room, size, bold)


@lru_cache(maxsize=4096)
def fit_start(text: str, room: float, size: float, bold: bool = False) -> str:
    """Return the text, or as much of its beginning as fits with an ellipsis, or nothing if that is hardly any."""
    if width(text, size, bold) <= room:
        return text
    keep = _most(len(text), lambda n: width(text[:n].rstrip() + "…", size, bold) <= room)
    return text[:keep].rstrip() + "…" if keep >= 4 else ""


@lru_cache(maxsize=4096)
def fit_middle(text: str, room: float, size: float) -> str:
    """Return the text, with an ellipsis in its middle if it is too wide: both ends tell names apart."""
    if width(text, size) <= room:
        return text

    def shortened(n: int) -> str:
        return text[: n - n // 2] + "…" + text[len(text) - n // 2 :]

    return shortened(_most(len(text) - 1, lambda n: width(shortened(n), size) <= room))


def wrap(text: str, room: float, size: float) -> list[str]:
    """Break a sentence into at most three lines, the last one shortened."""
    words, told = text.split(" "), [""]
    for at, word in enumerate(words):
        longer = f"{told[-1]} {word}".strip()
        if width(longer, size) <= room or not told[-1]:
            told[-1] = longer
        elif len(told) == 3:
            told[-1] = " ".join([told[-1], *words[at:]])
            break
        else:
            told.append(word)
    return [fit(line, room, size) for line in told]


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
