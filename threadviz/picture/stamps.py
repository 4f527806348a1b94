"""Text as small pictures that are kept: matplotlib takes 2 ms to draw a label, stamping it takes 0.03 ms."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from .lettering import bitmap, width
from .shapes import BASELINE, Label

_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}  # how much of a label is left of its place


def stamp(pixels: NDArray[np.uint8], labels: Iterable[Label], left: float, top: float, density: int) -> None:
    """Write labels onto an RGBA image of 1 or 2 pixels a CSS pixel, whose axes begin at (`left`, `top`)."""
    high, wide = pixels.shape[:2]
    for label in labels:
        at = left + label.x - _BEFORE[label.align] * width(label.text, label.size, label.bold)
        for word in label.text.split(" "):  # words come again in the next picture, whole labels often do not
            ink, paper, below = _letters(word, label.size, label.bold, label.colour, density)
            rows, columns = paper.shape[:2]
            x = round(at * density)
            y = round((top + label.y + BASELINE * label.size) * density) - rows + below
            at += width(word + " ", label.size, label.bold) - 1
            if rows == 0 or x < 0 or y < 0 or x + columns > wide or y + rows > high:
                continue
            part = pixels[y : y + rows, x : x + columns, :3]
            part[:] = (part * paper + ink) >> 8


@lru_cache(maxsize=1024)
def _letters(
    text: str, size: float, bold: bool, colour: str, density: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], int]:
    """Return what letters add to each pixel and how much they leave of it, both times 256."""
    dark, below = bitmap(text, size, bold)
    if density == 1:  # the same letters, smaller: drawn at that size they would be hinted to other widths
        below, high = (below + 1) // 2, dark.shape[0]
        dark = np.pad(dark, ((high % 2, 0), (0, dark.shape[1] % 2)))
        dark = (dark[::2, ::2] + dark[1::2, ::2] + dark[::2, 1::2] + dark[1::2, 1::2]) // 4
    share = (dark + (dark >> 7))[:, :, None]
    ink = share * np.array([round(255 * part) for part in to_rgb(colour)], dtype=np.uint16)
    return ink, np.broadcast_to(256 - share, ink.shape).copy(), below
