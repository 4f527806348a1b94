"""Drawing a trace: a row for each thread, its states as bars, and arrows for who made whom go on."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..trace import Trace
from .drawing import CSS, EXACT, GRID, Drawing, same_digits
from .encoding import encoded
from .layout import lay_out, left_margin
from .lettering import fit_middle, printable
from .shapes import LETTERS, PAD, TITLE, Label, Picture
from .stamps import stamp

WIDTH, TOP, RIGHT = 864.0, 34.0, 18.0
SHARP = 2  # drawn pixels for each CSS pixel, so that the picture is sharp on every screen

_GRID = [round(255 * part) for part in to_rgb(GRID)]


def plot(trace: Trace, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a trace as a timeline.

    Parameters
    ----------
    trace
        What the threads did, in seconds on the clock that the trace names.
    title
        Shown as it is, without markup.
    ax
        Where to draw.  Names, legend and notes go beside and below it.  Without it a figure of 9 inches by as
        much as the lanes need is made, which belongs to nobody: no window opens, nothing needs closing.

    Returns
    -------
    The axes drawn on: x is in seconds, y in CSS pixels (1/96 inch) downwards.
    """
    if ax is None:
        ax = _new_axes()
        left = left_margin(trace)
        picture = lay_out(trace, WIDTH - left - RIGHT)
        _resize(ax, picture, left)
    else:
        box = ax.get_window_extent()
        dpi = _figure(ax).dpi
        picture = lay_out(trace, box.width / dpi * CSS, box.height / dpi * CSS)
    drawing = Drawing(ax)
    drawing.frame(picture)
    drawing.show(picture)
    drawing.write(picture, _title(picture, title))
    return ax


class Timeline:
    """A timeline that is drawn again and again, as when a slider moves.

    The figure is made once and kept; a new size or time range is set where it changes.

    Parameters
    ----------
    width
        Of the whole picture, in CSS pixels (1/96 inch).
    density
        Drawn pixels for each CSS pixel; 1 takes half the time of 2.
    """

    def __init__(self, width: float = WIDTH, density: int = SHARP) -> None:
        self.width = width
        self._density = density
        self._ax = _new_axes(density)
        self._canvas = _figure(self._ax).canvas
        self._drawing = Drawing(self._ax, animated=True)
        self._frame: tuple[object, ...] = ()

    def png(self, trace: Trace, title: str = "", beside: Trace | None = None) -> bytes:
        """Return the timeline as a PNG file with `density` pixels for each CSS pixel.

        The time axis is that of `beside`, too, where one is given: the two can stand one under the other.
        """
        left = max(left_margin(each) for each in (trace, beside) if each is not None)
        wide = self.width - left - RIGHT
        picture = lay_out(trace, wide)
        if beside is not None and picture.timed:
            other = lay_out(beside, wide)
            if other.timed:
                until = max(picture.end, other.end)
                scale = min(lay_out(each, wide, until=until).scale for each in (trace, beside))
                picture = lay_out(trace, wide, until=until, scale=scale)
        if (left, *picture.frame) != self._frame:
            _resize(self._ax, picture, left, self.width)
            self._drawing.frame(picture)
            self._frame = (left, *picture.frame)
        canvas: Any = self._canvas  # matplotlib's hints stop here
        renderer = canvas.get_renderer()
        pixels = np.asarray(canvas.buffer_rgba())
        self._rule(pixels, picture, left)
        for artist in self._drawing.show(picture):
            artist.draw(renderer)
        labels = [*picture.names, *_axis(picture), *picture.labels, _title(picture, title)]
        stamp(pixels, labels, left, TOP, self._density)
        return encoded(pixels, EXACT)

    def _rule(self, pixels: NDArray[np.uint8], picture: Picture, left: float) -> None:
        """Clear the image and rule its grid and axis: matplotlib takes longer for these than for all the rest."""
        one = self._density
        top, bottom = round(TOP * one), round((TOP + picture.height) * one)
        pixels[:] = 255
        for tick in picture.ticks:
            x = round((left + picture.x(tick)) * one)
            pixels[top:bottom, x : x + one, :3] = _GRID
            pixels[bottom : bottom + 4 * one, x : x + one, :3] = 0
        pixels[bottom : bottom + one, round(left * one) : round((left + picture.width) * one), :3] = 0


def _title(picture: Picture, title: str) -> Label:
    return Label(PAD, -15, fit_middle(printable(title), picture.width - PAD, TITLE), TITLE)


def _axis(picture: Picture) -> list[Label]:
    below = picture.height + 13
    ticks = zip(picture.ticks, same_digits(picture.ticks), strict=True)
    labels = [Label(picture.x(tick), below, text, LETTERS, "center") for tick, text in ticks]
    return [*labels, Label(picture.width / 2, below + 16, picture.axis, LETTERS, "center")]


def _new_axes(density: int = SHARP) -> Axes:
    figure = Figure(figsize=(WIDTH / CSS, 1), dpi=CSS * density, facecolor="white")
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    return figure.add_axes((0, 0, 1, 1), facecolor="white")


def _resize(ax: Axes, picture: Picture, left: float, width: float = WIDTH) -> None:
    # whole pixels, so that nothing depends on how a size is rounded
    height = round(TOP + picture.height + picture.below)
    _figure(ax).set_size_inches(width / CSS, height / CSS)
    bottom = height - TOP - picture.height
    ax.set_position((left / width, bottom / height, picture.width / width, picture.height / height))


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure
