"""A progress graph: how far each of two threads has come, and from where on it can only go wrong.

E. W. Dijkstra's drawing (as in Coffman, Elphick and Shoshani, System Deadlocks, 1971): one thread's steps go to the
right, the other one's upwards, and each interleaving is a way through the cells.  Plain data, and in words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..texts import clean

# What is known of a cell: some way from it ends well, and some not; all end well; all end badly; or no way leads to it,
# as both threads would hold a lock, or for another reason.
Area = Literal["open", "safe", "doomed", "forbidden", "unreached"]
Cell = tuple[int, int]  # steps that the one thread has made, and the other one


class Move(NamedTuple):
    """One step of a thread, and what comes of it."""

    what: str  # "takes lock"
    line: int | None  # of the learner's code
    holds: frozenset[str]  # locks, from then on


@dataclass(frozen=True, slots=True)
class Axis:
    """One thread and its steps, in order."""

    thread: str
    moves: tuple[Move, ...]

    def holds(self, made: int) -> frozenset[str]:
        """The locks that it holds after so many steps."""
        return self.moves[made - 1].holds if made else frozenset()

    def tell(self, made: int) -> str:
        """How far it has come."""
        if not made:
            return f"{clean(self.thread)} has made no step"
        last = self.moves[made - 1]
        where = f", line {last.line}" if last.line is not None else ""
        return f"{clean(self.thread)} has made {made} of {len(self.moves)} (last: {clean(last.what)}{where})"


@dataclass(frozen=True, slots=True)
class ProgressGraph:
    """Two threads, what is known of each cell, and the way of one run."""

    x: Axis
    y: Axis
    areas: dict[Cell, Area]
    path: tuple[Cell, ...]  # of a run, from where the first of the two went on; empty without one
    ends: str  # how that run ends: "ends in deadlock", "returns 90"
    fails: bool  # it is not as it should be
    notes: tuple[str, ...] = ()

    def cells(self, area: Area) -> list[Cell]:
        """The cells of which this is known, in order."""
        return sorted(cell for cell, known in self.areas.items() if known == area)

    def both_hold(self, cell: Cell) -> list[str]:
        """The locks that both would hold there."""
        return sorted(self.x.holds(cell[0]) & self.y.holds(cell[1]))

    def tell(self, cell: Cell) -> str:
        """What is known of a cell, in a sentence."""
        where = f"{self.x.tell(cell[0])}, {self.y.tell(cell[1])}"
        if cell == (len(self.x.moves), len(self.y.moves)):
            return f"{where}: the end, " + {"safe": "and all is well", "doomed": "and it went wrong"}.get(
                self.areas[cell], "and it depends on the order how"
            )
        told = {
            "open": "it may end well or not, as the order goes on",
            "safe": "from here on it ends well",
            "doomed": "doomed: whatever the order from here on, it goes wrong",
            "forbidden": f"cannot be: both would hold {' and '.join(map(clean, self.both_hold(cell)))}",
            "unreached": "no order leads here",
        }[self.areas[cell]]
        return f"{where}: {told}"

    def describe(self) -> str:
        """The picture in words."""
        lines = [f"progress graph: {clean(self.x.thread)} × {clean(self.y.thread)}, so many steps of each"]
        for axis in (self.x, self.y):
            moves = "; ".join(f"{k} {clean(move.what)}{_line(move)}" for k, move in enumerate(axis.moves, 1))
            lines.append(f"  {clean(axis.thread)}: {moves or 'no step'}")
        locks = sorted({lock for cell in self.cells("forbidden") for lock in self.both_hold(cell)})
        for lock in locks:
            cells = [cell for cell in self.cells("forbidden") if lock in self.both_hold(cell)]
            lines.append(f"  forbidden, as both would hold {clean(lock)}: {_told(cells)}")
        for area, name in (("unreached", "no order leads to"), ("doomed", "doomed, it can only go wrong from")):
            if cells := self.cells(area):  # type: ignore[arg-type]
                lines.append(f"  {name}: {_told(cells)}")
        if self.path:
            lines.append(f"  the run: {_told(self.path)}; it {clean(self.ends)}")
        return "\n".join([*lines, *(f"  note: {clean(note)}" for note in self.notes)])


def _line(move: Move) -> str:
    return f" (line {move.line})" if move.line is not None else ""


def _told(cells: Iterable[Cell]) -> str:
    return " ".join(f"{i}×{j}" for i, j in cells)
