"""A timeline on paper: the shapes that `svg` paints, painted with matplotlib for PNG and PDF files."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.quiver import Quiver
from matplotlib.transforms import Transform
from PIL import Image

from ..trace import Trace
from .layout import lay_out
from .shapes import BASELINE, LETTERS, Arrow, Box, Label, Picture, Point
from .styles import (
    ALARM,
    ARROWS,
    BLACK,
    BROAD,
    FAMILY,
    FILLS,
    GRID,
    GROUND,
    LETTERING,
    MARKS,
    PAPER,
    RADIUS,
    SOFT,
    TURN,
    arc,
    arrows,
    boxes,
    check,
    gone,
    paths,
    points,
    stems,
    swatches,
)
from .timeline import TOP, Timeline, timeline, title_label

CSS = 96  # CSS pixels an inch
SHARP = 2  # drawn pixels for each CSS pixel, so that the picture is sharp on every screen
PALETTE = 256  # colours in a PNG file, those of the styles among them as they are
HATCHES = {"": None, "dots": "....", "lines": "////"}


def plot(trace: Trace, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a trace as a timeline.

    Parameters
    ----------
    trace
        What the threads did, in seconds on the clock that the trace names.
    title
        Shown as it is, without markup.
    ax
        Where to draw.  Names, legend and notes go beside and below it.  Without it a figure as large as the lanes
        need is made, which belongs to nobody: no window opens, nothing needs closing.

    Returns
    -------
    The axes drawn on, in CSS pixels (1/96 inch) to the right and downwards; its ticks are times.
    """
    if ax is None:
        return drawn(timeline(trace, title))
    box, dpi = ax.get_window_extent(), _figure(ax).dpi
    picture = lay_out(trace, box.width / dpi * CSS, box.height / dpi * CSS)
    _Drawing(ax, picture).draw(title_label(picture, title))
    return ax


def saved(painted: Timeline, kind: str = "png") -> bytes:
    """Return a timeline as a file: the same one for the same run, whatever style the notebook has set."""
    figure, file = _figure(drawn(painted)), BytesIO()
    with rc_context({"text.hinting": "none", "savefig.bbox": None, "savefig.facecolor": "auto", "pdf.fonttype": 42}):
        if kind == "pdf":
            figure.savefig(file, format=kind, metadata={"Creator": None, "Producer": None, "CreationDate": None})
            return file.getvalue()
        figure.savefig(file, format=kind, dpi=CSS * SHARP)
    # a few colours and their blends: with a palette the notebooks that keep the file are a third as long
    pixels, file = Image.open(file).convert("RGB"), BytesIO()
    pixels.quantize(PALETTE, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, kind)
    return file.getvalue()


def stacked(pictures: Sequence[bytes]) -> bytes:
    """Put PNG files under one another, in one."""
    drawn = [Image.open(BytesIO(each)).convert("RGB") for each in pictures]
    whole = Image.new("RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), PAPER.light)
    top = 0
    for each in drawn:
        whole.paste(each, (0, top))
        top += each.height
    file = BytesIO()
    whole.quantize(PALETTE, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, "png")
    return file.getvalue()


def drawn(painted: Timeline) -> Axes:
    """Draw a timeline on a figure of its own."""
    wide, high, picture = painted.width, painted.height, painted.picture
    with rc_context({"axes.linewidth": 0.8, "hatch.linewidth": 0.8}):
        figure = Figure(figsize=(wide / CSS, high / CSS), dpi=CSS * SHARP, facecolor=PAPER.light)
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
        bottom = high - TOP - picture.height
        frame = painted.left / wide, bottom / high, picture.width / wide, picture.height / high
        ax = figure.add_axes(frame, facecolor=PAPER.light)
        _Drawing(ax, picture).draw(painted.around[0])
    return ax


class _Drawing:
    """Puts a picture's shapes on axes: an artist for all that look alike, as hatching costs for each artist."""

    def __init__(self, ax: Axes, picture: Picture) -> None:
        check(picture)
        self._ax, self._picture = ax, picture
        self._to_screen = ax.transData
        self._order = 1.0

    def draw(self, title: Label) -> None:
        picture = self._picture
        self._frame()
        for name, fill in FILLS.items():
            edge = fill.edge.light if fill.edge else "none"
            # the swatch is part of the path: each hatched path costs, however little it covers
            path = _boxes([*boxes(picture, name), *swatches(picture, name)])
            hatch = HATCHES[fill.hatch]
            self._patch(path, facecolor=fill.inside.light, edgecolor=edge, hatch=hatch, linewidth=0.7, snap=True)
            if name == GROUND:
                dashes = {"linewidth": 0.9, "linestyle": (0, (3, 2))}
                self._patch(_lines(stems(picture)), fill=False, edgecolor=SOFT.light, **dashes)
        if picture.dead is not None:
            ends = [(picture.dead, 4.0), (picture.dead, picture.height)]
            self._line(ends, color=ALARM.light, linestyle="--", linewidth=1.2)
        self._patch(_lines([gone(edge) for edge in picture.torn]), facecolor=PAPER.light, edgecolor="none")
        self._patch(_lines(picture.torn), fill=False, edgecolor=BLACK.light, linewidth=1.2)
        self._arrows()
        self._circle()
        colour = (ALARM if picture.path_fails else FILLS["running"].edge or ALARM).light
        self._patch(_lines(paths(picture)), fill=False, edgecolor=colour, linewidth=BROAD * 72 / CSS, joinstyle="round")
        backed = [label.box for label in picture.labels if label.backed]
        self._patch(_boxes(backed), facecolor=PAPER.light, edgecolor="none", alpha=0.92)
        for name, mark in MARKS.items():
            size = 2 * max(RADIUS, *(max(abs(x), abs(y)) for x, y in mark.outline or [(0, 0)]))
            self._line(
                points(picture, name), linestyle="none", markersize=size, markeredgewidth=1.3,
                marker="o" if mark.outline is None else _lines([[(x, -y) for x, y in mark.outline]], True),
                mfc=mark.inside.light, mec=mark.edge.light,
            )  # fmt: skip
        beside = [label._replace(x=label.x / picture.width) for label in picture.names]
        self._letters(beside, self._ax.get_yaxis_transform())
        self._letters([title, *picture.labels], self._to_screen)

    def _frame(self) -> None:
        ax, picture = self._ax, self._picture
        ax.yaxis.set_visible(False)
        for side in ("left", "top", "right"):
            ax.spines[side].set_visible(False)
        ax.spines["bottom"].set(color=BLACK.light, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.grid(True, axis="x", color=GRID.light, linewidth=0.8, linestyle="-")
        ax.tick_params(
            axis="x", bottom=True, length=4, width=0.8, color="black", labelcolor="black",
            labelsize=LETTERS * 72 / CSS, labelfontfamily=FAMILY,
        )  # fmt: skip
        ax.set_xlim(0, picture.width)
        ax.set_ylim(picture.height, 0)
        ax.set_xticks([tick.x for tick in picture.ticks], [tick.text for tick in picture.ticks])
        ax.set_xlabel(picture.axis, fontproperties=_font(LETTERS, False), color="black", labelpad=3, usetex=False)

    def _letters(self, labels: Sequence[Label], transform: Transform) -> None:
        for label in labels:
            self._ax.text(
                label.x, label.y + BASELINE * label.size, _known(label.text), transform=transform, ha=label.align,
                va="baseline", color=LETTERING[label.colour].light, fontproperties=_font(label.size, label.bold),
                zorder=9, parse_math=False, usetex=False, rotation=TURN * label.turned, rotation_mode="anchor",
            )  # fmt: skip

    def _arrows(self) -> None:
        over_all = [arrow for kind in self._picture.arrows.values() for arrow in kind]
        self._patch(_lines(over_all), fill=False, edgecolor=PAPER.light, linewidth=3)
        for name, line in ARROWS.items():
            if shown := arrows(self._picture, name):
                self._quiver(shown, line.colour.light)
                dots = [tail for tail, _ in shown] if line.dot else []
                self._line(dots, linestyle="none", marker="o", markersize=4, color=line.colour.light)

    def _quiver(self, shown: Sequence[Arrow], colour: str) -> None:
        tails, heads = np.array([tail for tail, _ in shown]), np.array([head for _, head in shown])
        along = heads - tails
        # lengths are absolute, and upwards is positive, whatever the axes' limits are
        quiver = Quiver(
            self._ax, tails[:, 0], tails[:, 1], along[:, 0], -along[:, 1], transform=self._to_screen, angles="uv",
            scale=CSS, scale_units="inches", units="inches", width=1.2 / CSS, headwidth=6, headlength=7,
            headaxislength=6, minlength=0, color=colour, clip_on=False, zorder=self._next(),
        )  # fmt: skip
        # a quiver in inches reports a box of many metres, which a tight layout would make room for
        quiver.set_in_layout(False)
        self._ax.add_collection(quiver, autolim=False)

    def _circle(self) -> None:
        curves: list[Point] = []
        heads = []
        for arrow in self._picture.circle:
            start, bend, end, tip = arc(arrow)
            curves += [start, bend, end]
            heads.append([*tip, tip[0]])
        codes = [Path.MOVETO, Path.CURVE3, Path.CURVE3] * len(heads)
        self._patch(Path(curves, codes) if curves else None, fill=False, edgecolor=ALARM.light, linewidth=1.6)
        self._patch(_lines(heads), facecolor=ALARM.light, edgecolor=ALARM.light, linewidth=0.5)

    def _next(self) -> float:
        self._order += 0.01
        return self._order

    def _patch(self, path: Path | None, **style: Any) -> None:
        if path is not None:
            patch = PathPatch(path, transform=self._to_screen, clip_on=False, zorder=self._next(), **style)
            patch.set_hatch_linewidth(0.8)
            self._ax.add_artist(patch)

    def _line(self, places: Sequence[Point], **style: Any) -> None:
        if places:
            x, y = zip(*places, strict=True)
            self._ax.add_artist(Line2D(x, y, transform=self._to_screen, clip_on=False, zorder=self._next(), **style))


def _boxes(shown: Sequence[Box]) -> Path | None:
    if not shown:
        return None
    left, top, right, bottom = np.array(shown, dtype=float).T
    corners = np.stack([left, top, right, top, right, bottom, left, bottom, left, top], axis=1)
    codes = np.tile(np.array([1, 2, 2, 2, 79], dtype=np.uint8), len(shown))
    return Path(corners.reshape(-1, 2), codes)


def _lines(lines: Sequence[Sequence[Point]], closed: bool = False) -> Path | None:
    return (
        Path.make_compound_path(*(Path([*line, line[0]] if closed else line, closed=closed) for line in lines))
        if lines
        else None
    )


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FAMILY, size=size * 72 / CSS, weight="bold" if bold else "normal")


@cache
def _letters_of_the_font() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FAMILY))).get_charmap())


def _known(text: str) -> str:
    """Return the text with an empty box for each letter that the font does not have."""
    known = _letters_of_the_font()
    return "".join(letter if ord(letter) in known else "\u25a1" for letter in text)


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure
