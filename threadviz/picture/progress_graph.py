"""A progress graph as shapes: a cell for how far two threads have come, their steps along its edges, a run's way."""

from collections.abc import Callable

from ..story.progress_graph import Area, Axis, Cell, Move, ProgressGraph
from ..trace import Trace
from .lettering import fit_middle, printable, width, wrap
from .ruler import Ruler
from .shapes import INK, LETTERS, ORANGE, SMALL, TITLE, About, Box, Label, Picture
from .timeline import RIGHT, WIDTH, Timeline

WIDE, HIGH = (34.0, 124.0), (26.0, 40.0)  # of a cell, at least and at most
TALL = 420.0  # pixels of the whole, if that lets cells be so high
ROOM = 170.0  # pixels for the name of a step, at most
SLANT = 0.5736  # the sine of the angle at which the names of the steps stand under the graph
AREA_NAMES: dict[Area, str] = {
    "safe": "it ends well from here",
    "open": "it may go either way",
    "doomed": "doomed: it can only go wrong from here",
    "forbidden": "forbidden: both would hold a lock",
    "unreached": "no order leads here",
}


def progress_timeline(graph: ProgressGraph, title: str) -> Timeline:
    """Lay out a progress graph; what is painted is of the kind that `svg` and `figure` paint."""
    across, upwards = ([_name(move, axis) for move in axis.moves] for axis in (graph.x, graph.y))
    whose = fit_middle(f"{printable(graph.y.thread)}'s steps, upwards", ROOM, LETTERS)
    left = max([*(width(name, LETTERS) for name in upwards), width(whose, LETTERS, True)]) + 18
    columns, rows = len(across) + 1, len(upwards) + 1
    wide = min(max((WIDTH - left - RIGHT) / columns, WIDE[0]), WIDE[1])
    high = min(max(TALL / rows, HIGH[0]), HIGH[1])
    bottom = rows * high
    picture = Picture(columns * wide, bottom, Ruler(Trace(()), False, 1.0), (), True, lanes_end=bottom)

    def box(cell: Cell) -> Box:
        return cell[0] * wide, bottom - (cell[1] + 1) * high, (cell[0] + 1) * wide, bottom - cell[1] * high

    for cell, known in graph.areas.items():
        picture.boxes[known].append(box(cell))
        picture.about[box(cell)] = About(AREA_NAMES[known], graph.tell(cell), 0.0, 0.0)
    forbidden = {cell: graph.both_hold(cell) for cell in graph.cells("forbidden")}
    for lock in sorted({lock for locks in forbidden.values() for lock in locks}):
        alone = {cell for cell, locks in forbidden.items() if locks == [lock]}
        _name_area(picture, alone, box, f"both hold {printable(lock)}")
    doomed = graph.cells("doomed")
    if not _name_area(picture, {*doomed} - {*graph.path}, box, "doomed", True) and doomed:
        x0, y0, _, _ = box(doomed[0])  # the way of the run goes through its middle
        if wide / 2 > width("doomed", SMALL, True) + 6:
            picture.labels.append(Label(x0 + 5, y0 + 10, "doomed", SMALL, colour=ORANGE, bold=True))
    if graph.path:
        picture.path = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in map(box, graph.path)]
        picture.path_fails = graph.fails
        for kind, point, told in (("step", picture.path[0], "begins here"), ("error", picture.path[-1], graph.ends)):
            picture.marks[kind].append(point)  # type: ignore[index]
            picture.about[point] = About("the run", told, 0.0, 0.0)
    deepest = max((width(name, LETTERS) * SLANT for name in across), default=0.0)
    for k, name in enumerate(across, 1):
        picture.labels.append(Label(k * wide + 4, bottom + 10, name, LETTERS, "right", turned=True))
    for k, name in enumerate(upwards, 1):
        picture.labels.append(Label(-8, bottom - k * high, name, LETTERS, "right"))
    picture.labels.append(Label(-8, 8, whose, LETTERS, "right", bold=True))
    whose = fit_middle(f"{printable(graph.x.thread)}'s steps, to the right", WIDTH - left - RIGHT, LETTERS)
    picture.labels.append(Label(0, bottom + deepest + 26, whose, LETTERS, bold=True))
    picture.notes.append(
        "to cross a line is to make that step: each way to the right and upwards is one order of all steps"
    )
    picture.notes += [f"the run {graph.ends}"] if graph.path else []
    picture.notes += [printable(note) for note in graph.notes]
    _legend_and_notes(picture, 10 - left, bottom + deepest + 50)
    around = (Label(10 - left, -15, fit_middle(printable(title), WIDTH - 20, TITLE), TITLE),)
    return Timeline(picture, left, WIDTH, around)


def _name(move: Move, axis: Axis) -> str:
    """What a step is called: where that is long without the class of an attribute, unless there is another such one."""
    where = f", line {move.line}" if move.line is not None else ""
    verb, _, what = printable(move.what).rpartition(" ")
    short = what.rpartition(".")[2]
    others = {each.what.rpartition(" ")[2] for each in axis.moves} - {what}
    if width(f"{verb} {what}{where}", LETTERS) > ROOM and short not in {each.rpartition(".")[2] for each in others}:
        what = short
    return fit_middle(f"{verb} {what}", ROOM - width(where, LETTERS), LETTERS) + where


def _name_area(picture: Picture, cells: set[Cell], box: Callable[[Cell], Box], text: str, bold: bool = False) -> bool:
    """Write into the largest rectangle of these cells what they are; False where none has room for that."""
    best: tuple[float, Box] | None = None
    for i, j in cells:
        right = i
        while (right, j) in cells:
            top = j
            while all((x, top + 1) in cells for x in range(i, right + 1)):
                top += 1
            (x0, _, _, y1), (_, y0, x1, _) = box((i, j)), box((right, top))
            if x1 - x0 >= width(text, SMALL, bold) + 6 and (best is None or (x1 - x0) * (y1 - y0) > best[0]):
                best = (x1 - x0) * (y1 - y0), (x0, y0, x1, y1)
            right += 1
    if best is not None:
        x0, y0, x1, y1 = best[1]
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        label = Label(*middle, text, SMALL, "center", ORANGE if bold else INK, bold, backed=True)
        picture.labels.append(label)
    return best is not None


def _legend_and_notes(picture: Picture, left: float, y: float) -> None:
    entries: list[tuple[str, str]] = [(area, name) for area, name in AREA_NAMES.items() if picture.boxes[area]]
    entries += [("path", "the run")] if picture.path else []
    right = left + WIDTH - RIGHT - 10
    x = left
    for what, text in entries:
        wide = 30 + width(text, SMALL + 0.5)
        if x + wide > right and x > left:
            x, y = left, y + 18
        picture.legend.append((what, (x, y)))
        picture.labels.append(Label(x + 28, y, text, SMALL + 0.5))
        x += wide + 18
    y += 20
    for note in picture.notes:
        for line in wrap(note, right - left, SMALL + 0.5):
            picture.labels.append(Label(left, y, line, SMALL + 0.5))
            y += 15
    picture.below = y - picture.height - 4
