"""A timeline: a trace's picture with what stands around it, the names at its left, its title and its axis."""

from typing import NamedTuple

from ..trace import Trace
from .layout import lay_out, left_margin
from .lettering import fit_middle, printable
from .ruler import PAD
from .shapes import LETTERS, TITLE, Label, Picture

# A cell of JupyterLab has 833 pixels on a screen of 1280, with the file browser open.
WIDTH, TOP, RIGHT = 820.0, 34.0, 18.0


class Timeline(NamedTuple):
    """What is painted; lengths in CSS pixels (1/96 inch), counted from the top left corner of the picture's axes."""

    picture: Picture
    left: float  # from the left edge of all to the axes
    width: float  # of all
    around: tuple[Label, ...]  # title and axis

    @property
    def height(self) -> float:
        # whole pixels, so that nothing depends on how a size is rounded
        return round(TOP + self.picture.height + self.picture.below)

    @property
    def labels(self) -> list[Label]:
        return [*self.picture.names, *self.around, *self.picture.labels]


def timeline(trace: Trace, title: str = "", beside: Trace | None = None, width: float = WIDTH) -> Timeline:
    """Lay out a trace.

    The time axis is that of `beside`, too, where one is given: the two can stand one under the other.
    """
    left = max(left_margin(each) for each in (trace, beside) if each is not None)
    wide = width - left - RIGHT
    picture = lay_out(trace, wide)
    if beside is not None and picture.timed:
        other = lay_out(beside, wide)
        if other.timed:
            until = max(picture.end, other.end)
            scale = min(lay_out(each, wide, until=until).scale for each in (trace, beside))
            picture = lay_out(trace, wide, until=until, scale=scale)
    return Timeline(picture, left, width, (title_label(picture, title), *_axis(picture)))


def title_label(picture: Picture, title: str) -> Label:
    return Label(PAD, -15, fit_middle(printable(title), picture.width - PAD, TITLE), TITLE)


def _axis(picture: Picture) -> list[Label]:
    below = picture.height + 13
    labels = [Label(tick.x, below, tick.text, LETTERS, "center") for tick in picture.ticks]
    return [*labels, Label(picture.width / 2, below + 16, picture.axis, LETTERS, "center")]
