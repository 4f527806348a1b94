"""Who computes: one thread at a time, which holds the GIL, or one on each core where Python has none.

The model, with the GIL (CPython since 3.2, Python/ceval_gil): a thread that waits for it asks after one switch
interval, and the thread that holds it then lets it go.  So a turn ends one interval after it began, or after the first
waiter came, whichever is later.  Who has waited longest is next, and who lost the GIL waits behind all others.  Every
step of Python needs it: a thread that wakes up waits, too, while another one computes.

Without the GIL each core computes for one thread.  More threads than cores take turns by the same rule.  A thread that
wakes up for a step that takes no time never waits: the operating system lets it go first.
"""

import sys
from dataclasses import dataclass

from ..stage.notes import Row
from ..trace import On, State

MAX_CPU_TURNS = 100_000  # of a run, which take some seconds; what goes on longer is taken to be endless


@dataclass(slots=True)
class Claim:
    """What a thread wants the GIL or a core for; times in nanoseconds."""

    row: Row
    left: int  # of its work; 0 where it only wants to go on with plain code
    state: State  # with label and line: what it does when its turn comes, or what it did before it had to wait
    label: str
    line: int | None
    since: int  # it waits, or computes, since then
    on: On = ""
    began: int = 0  # its turn
    waits_for: Row | None = None  # the first thread that had the GIL meanwhile


class Cores:
    """The cores of a run, or its GIL; all times in nanoseconds, virtual."""

    def __init__(self, count: int | None) -> None:
        self._gil = count is None
        self._count = 1 if count is None else count
        self._computing: list[Claim] = []
        self._line: list[Claim] = []
        self._holder: Row | None = None  # of the GIL, and since when: a turn goes on from one piece of work to the next
        self._held_since = 0
        self.turns = 0  # that somebody waited for, so far

    @property
    def crowded(self) -> bool:
        """Whether a thread that could go on has to wait for the GIL first."""
        return self._gil and bool(self._computing or self._line)

    def waits(self, row: Row) -> bool:
        return any(claim.row is row for claim in self._line)

    def compute(self, now: int, row: Row, work: int, label: str, line: int | None) -> None:
        """The thread that is running, and so has the GIL if there is one, begins to compute."""
        claim = Claim(row, work, "running", label, line, now)
        if self._gil or (len(self._computing) < self._count and not self._line):
            self._begin(now, claim)
        else:
            self._queue(now, claim)

    def wait(self, now: int, row: Row) -> None:
        """A thread that could go on waits for the GIL first."""
        self._queue(now, Claim(row, 0, row.state, row.label, row.line, now, row.on))

    def next_change(self, now: int) -> int | None:
        """When somebody's work is done or somebody's turn is over; None where nobody computes or waits."""
        if self._line and len(self._computing) < self._count:
            return now
        ends = [claim.since + claim.left for claim in self._computing]
        if self._line:
            ends += [self._turn_end(claim) for claim in self._computing]
        return max(now, min(ends)) if ends else None

    def advance(self, now: int) -> list[Claim]:
        """Compute until `now`; returns the claims of those who go on with plain code."""
        for claim in self._computing:
            claim.left -= now - claim.since
            claim.since = now
        done = [claim for claim in self._computing if claim.left <= 0]
        self._computing = [claim for claim in self._computing if claim.left > 0]
        if done and self._gil:
            return done  # it keeps the GIL for its next steps
        while self._line:
            over = [claim for claim in self._computing if self._turn_end(claim) <= now]
            if len(self._computing) == self._count:
                if not over:
                    break
                self._computing.remove(over[0])
                self._queue(now, over[0])
            claim = self._line.pop(0)
            self.turns += 1
            if claim.left == 0:
                self._take_gil(now, claim.row)
                return [claim]
            self._begin(now, claim)
        return done

    def _turn_end(self, claim: Claim) -> int:
        interval = max(1, round(sys.getswitchinterval() * 1e9))
        return max(claim.began, self._line[0].since) + interval

    def _take_gil(self, now: int, row: Row) -> None:
        if self._gil and self._holder is not row:
            self._holder, self._held_since = row, now

    def _begin(self, now: int, claim: Claim) -> None:
        self._take_gil(now, claim.row)
        claim.since = now
        claim.began = self._held_since if self._gil else now
        self._computing.append(claim)
        row = claim.row
        row.enter(now, "running", claim.label, claim.line)
        before = row.spans[-1] if row.spans else None
        if before and before.label == claim.label and before.line == claim.line and before.end == now / 1e9:
            row.since = round(before.start * 1e9)  # it lost its turn and had it back at the same instant
            row.spans.pop()
        for waiter in self._line:
            self._tell(now, waiter)

    def _queue(self, now: int, claim: Claim) -> None:
        claim.since = now
        self._line.append(claim)
        claim.row.enter(now, "ready", "waits for the GIL" if self._gil else "waits for a core", claim.line)
        if self._computing:
            self._tell(now, claim)

    def _tell(self, now: int, waiter: Claim) -> None:
        """Say in a wait's label who holds the GIL meanwhile."""
        if not self._gil:
            return
        holder = self._computing[0].row
        if waiter.since == now:
            waiter.waits_for = holder
        told = holder.name if waiter.waits_for is holder else "others"
        if not waiter.row.label.endswith(" others"):
            waiter.row.label = f"waits for the GIL, held by {told}"
