"""The artists of a timeline on one axes: made once, given new shapes for each picture."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.quiver import Quiver
from matplotlib.transforms import Affine2D

from .lettering import FAMILY
from .shapes import BASELINE, GREY, INK, LETTERS, ORANGE, PAD, Box, Label, Picture, Point

CSS = 96  # CSS pixels an inch
STYLES: dict[str, dict[str, Any]] = {  # in the order of drawing
    "sleeping": {"facecolor": "#DDDDDD", "edgecolor": "#777777"},
    "blocked": {"facecolor": "#F8E4EF", "edgecolor": "#CC79A7", "hatch": "...."},
    "thread": {"facecolor": "#999999", "edgecolor": "none"},
    "lock": {"facecolor": "#F3E3EA", "edgecolor": "#882255", "hatch": "////"},
    "ready": {"facecolor": "#33BBEE", "edgecolor": "#1A7FA6"},
    "running": {"facecolor": "#0072B2", "edgecolor": "#0072B2"},
    "held": {"facecolor": "#000000", "edgecolor": "none"},
    "depth": {"facecolor": "#8CC9BC", "edgecolor": "#2B7A6B"},
}
MARKS: dict[str, dict[str, Any]] = {
    "read": {"marker": "o", "mfc": "white", "mec": GREY},
    "write": {"marker": "s", "mfc": GREY, "mec": GREY},
    "stale read": {"marker": "o", "mfc": "white", "mec": ORANGE},
    "lost write": {"marker": "s", "mfc": ORANGE, "mec": ORANGE},
    "stale write": {"marker": "X", "mfc": ORANGE, "mec": ORANGE},
    "error": {"marker": "X", "mfc": "black", "mec": "white", "markersize": 10},
}

GRID = "#E8E8E8"
EXACT = tuple(
    dict.fromkeys(
        ["#FFFFFF", "#000000", INK, GREY, GRID, ORANGE]
        + [style[edge] for style in STYLES.values() for edge in ("facecolor", "edgecolor") if style[edge] != "none"]
    )
)


class Drawing:
    """Shows one picture after the other on the same axes.

    What ``frame`` sets up is drawn with the axes; what ``show`` returns can be drawn alone, over a background.
    """

    def __init__(self, ax: Axes, animated: bool = False) -> None:
        self.ax, self.animated = ax, animated
        self._pixels = Affine2D()
        self._to_screen = self._pixels + ax.transData
        self._order = 1.0
        ax.yaxis.set_visible(False)
        for side in ("left", "top", "right"):
            ax.spines[side].set_visible(False)
        ax.spines["bottom"].set(color="black", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.grid(True, axis="x", color=GRID, linewidth=0.8, linestyle="-")
        ax.tick_params(
            axis="x", bottom=True, length=4, width=0.8, color="black", labelcolor="black", labelsize=11 * 72 / CSS,
            labelfontfamily=FAMILY,
        )  # fmt: skip
        self._stems = self._patch(fill=False, edgecolor=GREY, linewidth=0.9)
        self._arrows: Quiver | None = None
        self._arrow_order = self._next()
        self._shapes = {name: self._patch(linewidth=0.7, snap=True, **style) for name, style in STYLES.items()}
        self._dead = self._line(color=ORANGE, linestyle="--", linewidth=1.2)
        self._gone = self._patch(facecolor="white", edgecolor="none")
        self._torn = self._patch(fill=False, edgecolor="black", linewidth=1.2)
        self._curves = self._patch(fill=False, edgecolor=ORANGE, linewidth=1.6)
        self._heads = self._patch(facecolor=ORANGE, edgecolor=ORANGE, linewidth=0.5)
        self._backing = self._patch(facecolor="white", edgecolor="none", alpha=0.92)
        self._marks = {
            kind: self._line(**{"linestyle": "none", "markersize": 5.6, "markeredgewidth": 1.3, **style})
            for kind, style in MARKS.items()
        }

    def frame(self, picture: Picture) -> None:
        """Set up what stays as long as ``picture.frame`` does, except for the letters."""
        ax = self.ax
        self._pixels.clear().translate(-PAD, 0).scale(1 / picture.scale, 1)
        ax.set_xlim(-PAD / picture.scale, (picture.width - PAD) / picture.scale)
        ax.set_ylim(picture.height, 0)
        ax.set_xticks(picture.ticks, [""] * len(picture.ticks))

    def write(self, picture: Picture, title: Label) -> None:
        """Add all letters, as artists."""
        self.ax.set_xticks(picture.ticks, same_digits(picture.ticks))
        self.ax.set_xlabel(picture.axis, fontproperties=_font(LETTERS, False), color="black", labelpad=3, usetex=False)
        beside = [label._replace(x=label.x / picture.width) for label in picture.names]
        for labels, transform in ((beside, self.ax.get_yaxis_transform()), ((*picture.labels, title), self._to_screen)):
            for label in labels:
                self.ax.text(
                    label.x, label.y + BASELINE * label.size, label.text, transform=transform, ha=label.align,
                    va="baseline", color=label.colour, fontproperties=_font(label.size, label.bold), zorder=9,
                    parse_math=False, usetex=False,
                )  # fmt: skip

    def show(self, picture: Picture) -> list[Artist]:
        """Give every artist the picture's shapes; return those to be drawn, in order."""
        swatches = {name: (x, y - 5, x + 22, y + 5) for name, (x, y) in picture.legend}
        for name, patch in self._shapes.items():
            own = {"held": picture.held, "depth": picture.depth}
            boxes = own[name] if name in own else picture.boxes.get(name, [])  # type: ignore[call-overload]
            # the swatch is part of the path: each hatched path costs, however little it covers
            _reshape(patch, _boxes([*boxes, swatches[name]] if name in swatches else boxes))
        for kind, line in self._marks.items():
            points = [*picture.marks.get(kind, [])]  # type: ignore[call-overload]
            points += [(x + 14, y) for name, (x, y) in picture.legend if name == kind]
            _move(line, points)
        self._set_arrows(picture)
        _reshape(self._stems, _lines(picture.stems))
        dead = picture.dead
        _move(self._dead, [(dead, 4.0), (dead, picture.height)] if dead is not None else [])
        _reshape(self._torn, _lines(picture.torn))
        _reshape(
            self._gone,
            _lines([[*edge, (edge[-1][0] + 6, edge[-1][1]), (edge[0][0] + 6, edge[0][1])] for edge in picture.torn]),
        )
        self._set_circle(picture.circle)
        _reshape(self._backing, _boxes([label.box for label in picture.labels if label.backed]))
        artists = [
            self._stems,
            self._arrows,
            *self._shapes.values(),
            self._dead,
            self._gone,
            self._torn,
            self._curves,
            self._heads,
            self._backing,
            *self._marks.values(),
        ]
        return [artist for artist in artists if artist is not None]

    def _set_arrows(self, picture: Picture) -> None:
        if self._arrows is not None:
            self._arrows.remove()
            self._arrows = None
        arrows = [*picture.arrows, *(((x, y), (x + 22, y)) for name, (x, y) in picture.legend if name == "arrow")]
        if not arrows:
            return
        tails, heads = np.array([tail for tail, _ in arrows]), np.array([head for _, head in arrows])
        along = heads - tails
        # lengths are absolute, and upwards is positive, whatever the axes' limits are
        self._arrows = Quiver(
            self.ax, tails[:, 0], tails[:, 1], along[:, 0], -along[:, 1], transform=self._to_screen, angles="uv",
            scale=CSS, scale_units="inches", units="inches", width=1.2 / CSS, headwidth=6, headlength=7,
            headaxislength=6, minlength=0, color=GREY, clip_on=False, zorder=self._arrow_order, animated=self.animated,
        )  # fmt: skip
        # a quiver in inches reports a box of many metres, which a tight layout would make room for
        self._arrows.set_in_layout(False)
        self.ax.add_collection(self._arrows, autolim=False)

    def _set_circle(self, circle: Sequence[tuple[Point, Point]]) -> None:
        curves, codes, heads = [], [], []
        for (x, y0), (_, y1) in circle:
            sign = 1 if y1 > y0 else -1
            bend = (x - 14 * sign, (y0 + y1) / 2)
            curves += [(x, y0), bend, (x, y1 - 5 * sign)]
            codes += [Path.MOVETO, Path.CURVE3, Path.CURVE3]
            heads.append([(x, y1), (x - 6.5 * sign, y1 - 8 * sign), (x + 2 * sign, y1 - 9.5 * sign), (x, y1)])
        _reshape(self._curves, Path(curves, codes) if curves else _NOTHING)
        _reshape(self._heads, _lines(heads))

    def _next(self) -> float:
        self._order += 0.01
        return self._order

    def _patch(self, **style: Any) -> PathPatch:
        patch = PathPatch(_NOTHING, transform=self._to_screen, clip_on=False, zorder=self._next(), **style)
        patch.set_hatch_linewidth(0.8)
        patch.set_animated(self.animated)
        self.ax.add_artist(patch)
        return patch

    def _line(self, **style: Any) -> Line2D:
        line = Line2D([], [], transform=self._to_screen, clip_on=False, zorder=self._next(), **style)
        line.set_animated(self.animated)
        self.ax.add_artist(line)
        return line


_NOTHING = Path([(0.0, 0.0)])


def _move(line: Line2D, points: Sequence[Point]) -> None:
    line.set_data([x for x, _ in points], [y for _, y in points])
    # an empty line that is visible still asks a tight layout for room at the corner of the figure
    line.set_visible(bool(points))


def _reshape(patch: PathPatch, path: Path) -> None:
    patch.set_path(path)
    patch.set_visible(path is not _NOTHING)


def _boxes(boxes: Sequence[Box]) -> Path:
    """Make one path of many boxes: hatching them one by one takes a hundred times as long."""
    if not boxes:
        return _NOTHING
    left, top, right, bottom = np.array(boxes, dtype=float).T
    corners = np.stack([left, top, right, top, right, bottom, left, bottom, left, top], axis=1)
    codes = np.tile(np.array([1, 2, 2, 2, 79], dtype=np.uint8), len(boxes))
    return Path(corners.reshape(-1, 2), codes)


def _lines(lines: Sequence[Sequence[Point]]) -> Path:
    if not lines:
        return _NOTHING
    return Path.make_compound_path(*(Path(line) for line in lines))


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FAMILY, size=size * 72 / CSS, weight="bold" if bold else "normal")


def same_digits(ticks: Sequence[float]) -> list[str]:
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    digits = next((d for d in range(12) if all(abs(round(t, d) - t) < step / 1000 for t in ticks)), 12)
    return [f"{tick:.{digits}f}" for tick in ticks]
