"""Text as small pictures that are kept: matplotlib takes 2 ms to draw a label, stamping it takes 0.03 ms."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from threadviz.lettering import bitmap
from threadviz.picture import BASELINE, Label

DENSITY = 2  # drawn pixels for each CSS pixel, so that the picture is sharp on every screen


def stamp(pixels: NDArray[np.uint8], labels: Iterable[Label], left: float, top: float) -> None:
    """Write labels onto an RGBA image, whose axes begin so far from its left and upper edge (CSS pixels)."""
    high, wide = pixels.shape[:2]
    for label in labels:
        ink, paper, below = _letters(label.text, label.size, label.bold, label.colour)
        rows, columns = paper.shape[:2]
        x = round((left + label.x) * DENSITY)
        x -= {"left": 0, "center": columns // 2, "right": columns}[label.align]
        y = round((top + label.y + BASELINE * label.size) * DENSITY) - rows + below
        if rows == 0 or x < 0 or y < 0 or x + columns > wide or y + rows > high:
            continue
        part = pixels[y : y + rows, x : x + columns, :3]
        part[:] = (part * paper + ink) >> 8


@lru_cache(maxsize=1024)
def _letters(text: str, size: float, bold: bool, colour: str) -> tuple[NDArray[np.uint16], NDArray[np.uint16], int]:
    """Return what letters add to each pixel and how much they leave of it, both times 256."""
    dark, below = bitmap(text, size, bold)
    share = (dark + (dark >> 7))[:, :, None]
    ink = share * np.array([round(255 * part) for part in to_rgb(colour)], dtype=np.uint16)
    return ink, np.broadcast_to(256 - share, ink.shape).copy(), below
