"""Text that fits: measuring it in DejaVu Sans, shortening it, leaving out characters the font does not have.

All widths and sizes are CSS pixels (1/96 inch).
"""

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags
from numpy.typing import NDArray

from ..texts import clean

FAMILY = "DejaVu Sans"


@cache
def _font(bold: bool) -> FT2Font:
    return get_font(findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal")))


@cache
def _known() -> frozenset[int]:
    return frozenset(_font(False).get_charmap())


@lru_cache(maxsize=4096)
def printable(text: str) -> str:
    """Return the text in one line of characters that the font has; the others become an empty box."""
    known = _known()
    return "".join(char if ord(char) in known else "\u25a1" for char in clean(text))


@lru_cache(maxsize=4096)
def width(text: str, size: float, bold: bool = False) -> float:
    """Return how wide a printable text is, letter by letter: asking the font for whole texts takes much longer."""
    return sum(_advance(letter, size, bold) for letter in text) + 1


@cache
def _advance(letter: str, size: float, bold: bool) -> float:
    font = _font(bold)
    font.set_size(size * 0.75, 192)
    return float(font.load_char(ord(letter), LoadFlags.FORCE_AUTOHINT).horiAdvance) / 64 / 2


@lru_cache(maxsize=4096)
def fit(text: str, room: float, size: float, bold: bool = False) -> str:
    """Return the text, or its beginning up to a comma, a colon or an ellipsis, or nothing if hardly any of it fits."""
    if width(text, size, bold) <= room:
        return text
    for mark in (", ", ": "):
        head = text.split(mark)[0]
        if head != text and width(head, size, bold) <= room:
            return head
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


@lru_cache(maxsize=2048)
def bitmap(text: str, size: float, bold: bool) -> tuple[NDArray[np.uint16], int]:
    """Return how dark each pixel of a text is (0 to 255, two pixels a CSS pixel), and the rows below its line."""
    font = _font(bold)
    font.set_size(size * 0.75, 192)
    font.set_text(text, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    return font.get_image().astype(np.uint16), round(font.get_descent() / 64)


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
