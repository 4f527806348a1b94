"""How each kind of shape looks: the one table from which `svg` and `figure` both paint.

Colours are told apart with any kind of colour blindness, and never colour alone tells: fills differ in how dark they
are or in their hatching, marks in their outline.
"""

from collections.abc import Sequence
from math import hypot
from typing import Literal, NamedTuple

from .shapes import GREY, INK, ORANGE, Arrow, Picture, Point

FAMILY = "DejaVu Sans"


class Colour(NamedTuple):
    """A colour on a light and on a dark ground."""

    light: str
    dark: str


class Fill(NamedTuple):
    """How a box is filled; an edge of None is none."""

    inside: Colour
    edge: Colour | None
    hatch: Literal["", "dots", "lines"] = ""


class Line(NamedTuple):
    """How an arrow is drawn, and whether the lines that lead to it are dashed, or a dot is where it begins."""

    colour: Colour
    dashed: bool = False
    dot: bool = False


class Mark(NamedTuple):
    """How a mark looks: the corners of its outline (pixels from its middle), or a circle."""

    inside: Colour
    edge: Colour
    outline: Sequence[Point] | None = None


GROUND = "instant"  # lies under all else
PAPER = Colour("#FFFFFF", "#111111")
BLACK = Colour("#000000", "#F2F2F2")
GRID = Colour("#E8E8E8", "#333333")
# The colours that labels name.
LETTERING = {
    INK: Colour(INK, "#E4E4E4"),
    GREY: Colour(GREY, "#B8B8B8"),
    ORANGE: Colour(ORANGE, "#FF9D5C"),
    "#FFFFFF": Colour("#FFFFFF", "#FFFFFF"),  # on what runs
}
SOFT, ALARM = LETTERING[GREY], LETTERING[ORANGE]

FILLS: dict[str, Fill] = {  # in the order of painting
    GROUND: Fill(Colour("#FBF3DC", "#2E2A1E"), None),
    "sleeping": Fill(Colour("#DDDDDD", "#484848"), Colour("#777777", "#9A9A9A")),
    "blocked": Fill(Colour("#F8E4EF", "#3B2432"), Colour("#CC79A7", "#CC79A7"), "dots"),
    "thread": Fill(Colour("#999999", "#8A8A8A"), None),
    "lock": Fill(Colour("#F3E3EA", "#3A1A29"), Colour("#882255", "#DD7FA8"), "lines"),
    "ready": Fill(Colour("#8AD4F4", "#8AD4F4"), Colour("#1A7FA6", "#BDE7FA")),
    "running": Fill(Colour("#0072B2", "#0072B2"), Colour("#0072B2", "#3FA0DA")),
    "held": Fill(BLACK, None),
    "safe": Fill(Colour("#FFFFFF", "#111111"), Colour("#BBBBBB", "#555555")),
    "open": Fill(Colour("#E3F1FA", "#14303F"), Colour("#BBBBBB", "#555555")),
    "doomed": Fill(Colour("#FBD9C4", "#5A2C12"), Colour("#B04A00", "#FF9D5C")),
    "forbidden": Fill(Colour("#F3E3EA", "#3A1A29"), Colour("#882255", "#DD7FA8"), "lines"),
    "unreached": Fill(Colour("#DDDDDD", "#484848"), Colour("#BBBBBB", "#555555")),
    "depth": Fill(Colour("#8CC9BC", "#2B7A6B"), Colour("#2B7A6B", "#8CC9BC")),
}

_SQUARE = ((-2.8, -2.8), (2.8, -2.8), (2.8, 2.8), (-2.8, 2.8))
_DIAMOND = ((0, -4.2), (4.2, 0), (0, 4.2), (-4.2, 0))
_HOURGLASS = ((-3.4, -3.8), (3.4, -3.8), (-3.4, 3.8), (3.4, 3.8))
_CROSS = ((-3.4, -1.7), (-1.7, -3.4), (0, -1.7), (1.7, -3.4), (3.4, -1.7), (1.7, 0),
          (3.4, 1.7), (1.7, 3.4), (0, 1.7), (-1.7, 3.4), (-3.4, 1.7), (-1.7, 0))  # fmt: skip
_LARGE_CROSS = tuple((x * 1.7, y * 1.7) for x, y in _CROSS)
RADIUS = 2.8  # of a circle

MARKS: dict[str, Mark] = {
    "read": Mark(PAPER, SOFT),
    "write": Mark(SOFT, SOFT, _SQUARE),
    "stale read": Mark(PAPER, ALARM),
    "lost write": Mark(ALARM, ALARM, _SQUARE),
    "stale write": Mark(ALARM, ALARM, _CROSS),
    "act": Mark(SOFT, SOFT, _DIAMOND),
    "in vain": Mark(PAPER, ALARM, _DIAMOND),
    "time-out": Mark(PAPER, SOFT, _HOURGLASS),
    "error": Mark(BLACK, PAPER, _LARGE_CROSS),
    "step": Mark(BLACK, PAPER),
}
ARROWS: dict[str, Line] = {
    "start": Line(SOFT, dashed=True),
    "wake": Line(LETTERING[INK]),
    "item": Line(Colour("#2B7A6B", "#8CC9BC"), dot=True),
}
BROAD = 3.0  # of the way of a run
TURN = 35  # degrees, of a label that is turned
DASH = 15  # of an arrow in the legend, so much is dashed


def check(picture: Picture) -> None:
    """ValueError for what no style tells how to paint: it must not just be missing."""
    legend = {name for name, _ in picture.legend}
    unknown: set[str] = (picture.boxes.keys() - FILLS) | (picture.marks.keys() - MARKS)
    unknown |= legend - {*FILLS, *MARKS, *ARROWS, "path"}
    unknown |= picture.arrows.keys() - ARROWS
    unknown |= {label.colour for label in picture.labels} - LETTERING.keys()
    if unknown:
        raise ValueError(f"no style tells how to paint {', '.join(sorted(unknown))}")


def swatches(picture: Picture, name: str) -> list[tuple[float, float, float, float]]:
    """Return the boxes that stand for a fill in the legend."""
    high = 0.75 if name == "thread" else 5
    return [(x, y - high, x + 22, y + high) for each, (x, y) in picture.legend if each == name]


def boxes(picture: Picture, name: str) -> list[tuple[float, float, float, float]]:
    """Return what is filled in one way, without the legend."""
    own = {"held": picture.held, "depth": picture.depth}
    return own[name] if name in own else picture.boxes.get(name, [])  # type: ignore[call-overload]


def points(picture: Picture, name: str) -> list[Point]:
    """Return where the marks of one kind are, with that of the legend."""
    legend = [(x + 14, y) for each, (x, y) in picture.legend if each == name]
    return [*picture.marks.get(name, []), *legend]  # type: ignore[call-overload]


def arrows(picture: Picture, name: str) -> list[Arrow]:
    """Return the arrows of one kind, with that of the legend."""
    begin = DASH if ARROWS[name].dashed else 0
    legend = [((x + begin, y), (x + 22, y)) for each, (x, y) in picture.legend if each == name]
    return [*picture.arrows.get(name, []), *legend]  # type: ignore[call-overload]


def stems(picture: Picture) -> list[list[Point]]:
    """Return the dashed lines, with that of the legend."""
    dashed = [name for name, line in ARROWS.items() if line.dashed]
    return [*picture.stems, *([(x, y), (x + DASH, y)] for each, (x, y) in picture.legend if each in dashed)]


def paths(picture: Picture) -> list[list[Point]]:
    """Return the way of a run, with that of the legend."""
    legend = [[(x, y), (x + 22, y)] for each, (x, y) in picture.legend if each == "path"]
    return [picture.path, *legend] if picture.path else []


def head(arrow: Arrow) -> tuple[Point, Point]:
    """Return the two corners of an arrow's head that are not its tip."""
    (x0, y0), (x1, y1) = arrow
    long = hypot(x1 - x0, y1 - y0) or 1.0
    along, across = ((x1 - x0) / long * 7, (y1 - y0) / long * 7), ((y1 - y0) / long * 3.2, (x0 - x1) / long * 3.2)
    base = x1 - along[0], y1 - along[1]
    return (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])


def arc(arrow: Arrow) -> tuple[Point, Point, Point, list[Point]]:
    """Return the start, the bend and the end of a curve of the circle in a deadlock, and the corners of its head."""
    (x, y0), (_, y1) = arrow
    sign = 1 if y1 > y0 else -1
    tip = [(x, y1), (x - 6.5 * sign, y1 - 8 * sign), (x + 2 * sign, y1 - 9.5 * sign)]
    return (x, y0), (x - 14 * sign, (y0 + y1) / 2), (x, y1 - 5 * sign), tip


def gone(edge: Sequence[Point]) -> list[Point]:
    """Return the corners of what a torn edge takes away."""
    return [*edge, (edge[-1][0] + 6, edge[-1][1]), (edge[0][0] + 6, edge[0][1])]
