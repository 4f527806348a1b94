"""From pixels to a PNG file, fast: the time goes into compressing bytes, so there should be few of them.

A picture of 2 million pixels takes Pillow 50 ms at its fastest setting, as RGBA written here 30 ms, and with a
palette, one byte a pixel, 15 ms.
"""

import struct
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def encoded(pixels: Bytes, exact: Sequence[str]) -> bytes:
    """Return an image as a PNG file with a palette (PNG specification, sections 5 and 11.2).

    Parameters
    ----------
    pixels
        RGBA, shape (rows, columns, 4), opaque.
    exact
        Colours, at most 24, that are kept as they are; others, as at the edges of letters, may change a little.
    """
    high, wide = pixels.shape[:2]
    colours, nearest = _palette(tuple(exact))
    values = pixels.view("<u4")[:, :, 0]
    rows = np.zeros((high, 1 + wide), np.uint8)
    # half the rows of a timeline are equal to the row above: filter type 2 says so in a row of zeros
    new = np.ones(high, bool)
    np.any(values[1:] != values[:-1], axis=1, out=new[1:])
    rows[~new, 0] = 2
    rows[new, 1:] = nearest[_cell(values[new])]
    header = struct.pack(">2I5B", wide, high, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _cell(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return for each colour five bits of red, green and blue."""
    cell = np.right_shift(values, np.uint32(3))
    cell &= 0x1F
    part = np.right_shift(values, np.uint32(6))
    part &= 0x3E0
    cell |= part
    np.right_shift(values, np.uint32(9), out=part)
    part &= 0x7C00
    cell |= part
    return cell


@cache
def _palette(exact: tuple[str, ...]) -> tuple[bytes, Bytes]:
    """Return 256 colours and which of them is nearest to each cell: the exact ones, greys, and a 6 x 6 x 6 cube."""
    own = [[round(255 * part) for part in to_rgb(colour)] for colour in exact]
    greys = [[level] * 3 for level in np.linspace(8, 247, 40 - len(own)).round().astype(int)]
    cube = [[r, g, b] for r in range(0, 256, 51) for g in range(0, 256, 51) for b in range(0, 256, 51)]
    colours = np.array([*own, *greys, *cube], np.uint8)
    cells = np.arange(32 * 32 * 32)
    middles = np.stack([cells & 31, cells >> 5 & 31, cells >> 10], axis=1) * 8 + 4
    nearest = np.zeros(len(cells), np.uint8)
    best = np.full(len(cells), 1 << 30)
    for index, colour in enumerate(colours.astype(int)):
        distance = ((middles - colour) ** 2).sum(axis=1)
        nearest[distance < best] = index
        np.minimum(best, distance, out=best)
    red, green, blue = colours[: len(own)].T.astype(int) >> 3
    nearest[red | green << 5 | blue << 10] = np.arange(len(own))
    return colours.tobytes(), nearest
