"""The PNG file that a reader opens is the picture that was drawn."""

from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from threadviz.picture.drawing import EXACT
from threadviz.picture.encoding import encoded


def read_back(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(encoded(pixels, EXACT))).convert("RGBA"))


def image(rows: int, columns: int) -> np.ndarray:
    return np.full((rows, columns, 4), 255, np.uint8)


def test_colours_of_the_states_are_kept_exactly():
    pixels = image(len(EXACT) * 3, 50)
    for k, colour in enumerate(EXACT):
        pixels[3 * k : 3 * k + 3, :, :3] = [round(255 * part) for part in to_rgb(colour)]
    assert np.array_equal(read_back(pixels), pixels)
    assert len(EXACT) <= 24


def test_any_other_colour_changes_by_less_than_a_step_of_the_cube():
    pixels = image(64, 512)
    pixels[:, :, :3] = np.random.default_rng(1).integers(0, 256, (64, 512, 3))
    change = np.abs(read_back(pixels).astype(int) - pixels)
    assert 0 < change.max() <= 51


def test_equal_rows_between_different_ones_come_back_in_their_place():
    pixels = image(9, 4)
    for row, level in enumerate([0, 0, 255, 255, 0, 255, 255, 0, 0]):
        pixels[row, 1:3, :3] = level
    assert np.array_equal(read_back(pixels), pixels)
