"""Drawing a trace: a row for each thread, its states as bars, and arrows for who made whom go on."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from threadviz.drawing import CSS, EXACT, Drawing, same_digits
from threadviz.encoding import encoded
from threadviz.layout import lay_out, left_margin
from threadviz.lettering import fit_middle, printable
from threadviz.picture import LETTERS, PAD, TITLE, Label, Picture
from threadviz.stamps import DENSITY, stamp
from threadviz.trace import Trace

WIDTH, TOP, RIGHT = 864.0, 34.0, 18.0


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

    Figure, axes and background are made once and kept as long as lanes and time range stay the same.

    Parameters
    ----------
    width
        Of the whole picture, in CSS pixels (1/96 inch).
    """

    def __init__(self, width: float = WIDTH) -> None:
        self.width = width
        self._ax = _new_axes()
        self._drawing = Drawing(self._ax, animated=True)
        self._frame: tuple[object, ...] = ()

    def png(self, trace: Trace, title: str = "") -> bytes:
        """Return the timeline as a PNG file with two pixels for each CSS pixel."""
        left = left_margin(trace)
        picture = lay_out(trace, self.width - left - RIGHT)
        if (left, *picture.frame) != self._frame:
            self._draw_background(picture, left)
            self._frame = (left, *picture.frame)
        canvas: Any = self._canvas  # matplotlib's hints stop here
        canvas.restore_region(self._background)
        renderer = canvas.get_renderer()
        for artist in self._drawing.show(picture):
            artist.draw(renderer)
        pixels = np.asarray(canvas.buffer_rgba())
        stamp(pixels, [*picture.labels, _title(picture, title)], left, TOP)
        return encoded(pixels, EXACT)

    def _draw_background(self, picture: Picture, left: float) -> None:
        _resize(self._ax, picture, left, self.width)
        self._drawing.frame(picture)
        canvas: Any = FigureCanvasAgg(_figure(self._ax))
        canvas.draw()
        stamp(np.asarray(canvas.buffer_rgba()), [*picture.names, *_axis(picture)], left, TOP)
        self._canvas, self._background = canvas, canvas.copy_from_bbox(canvas.figure.bbox)


def _title(picture: Picture, title: str) -> Label:
    return Label(PAD, -15, fit_middle(printable(title), picture.width - PAD, TITLE), TITLE)


def _axis(picture: Picture) -> list[Label]:
    below = picture.height + 13
    ticks = zip(picture.ticks, same_digits(picture.ticks), strict=True)
    labels = [Label(picture.x(tick), below, text, LETTERS, "center") for tick, text in ticks]
    return [*labels, Label(picture.width / 2, below + 16, picture.axis, LETTERS, "center")]


def _new_axes() -> Axes:
    figure = Figure(figsize=(WIDTH / CSS, 1), dpi=CSS * DENSITY, facecolor="white")
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
