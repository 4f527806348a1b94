"""The calls that come before and after one instruction, as instructions themselves."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from bytecode import Instr

from .places import NO_VALUE, Site, What

_LOAD_CELL = "LOAD_FAST" if sys.version_info >= (3, 13) else "LOAD_CLOSURE"


class Hooks(NamedTuple):
    """The functions that rewritten code calls; either is None where it is not wanted.

    `before(site, thing, key)`, `after(site, thing, value, key)`: `thing` is the very object, the closure's cell, or
    None for a global of the calling frame; `key` is there for items.
    """

    before: Callable[..., None] | None
    after: Callable[..., None] | None


class Around:
    """What comes before and after one instruction."""

    def __init__(self, item: Instr, hooks: Hooks, file: str) -> None:
        self.item = item
        self.hooks = hooks
        self._file = file
        self.first: list[Instr] = []
        self.last: list[Instr] = []
        self.line = (item.location.lineno if item.location is not None else None) or 0

    def make(self, name: str, *arg: Any) -> Instr:
        return Instr(name, *arg, location=self.item.location)

    def site(self, kind: Literal["read", "write"], what: What, name: str) -> Site:
        return Site(kind, what, name, self.line, self._file)

    def copy(self, depth: int, times: int = 1) -> None:
        """Keep what the instruction takes from the stack for the call after it."""
        if self.hooks.after is not None:
            self.first += [self.make("COPY", depth) for _ in range(times)]

    def before(self, site: Site, depth: int | None, key: int | None = None) -> None:
        """Call `before` with the stack's items at `depth` and, for an item, at `key`.

        There is no depth for a global, or a variable's own cell.
        """
        if self.hooks.before is not None:
            load = self.cell() if depth is None else [self.make("COPY", depth + 3)]
            if key is not None:
                load.append(self.make("COPY", key + 3 + len(load)))
            self.first += self.call(self.hooks.before, site, load)

    def after(self, site: Site, stack: Sequence[str], wanted: Sequence[str]) -> None:
        """Call `after` with the `wanted` ones of what is on the `stack`, whose top comes last."""
        if self.hooks.after is not None:
            load: list[Instr] = []
            for name in wanted:
                if name == "cell":
                    load += self.cell()
                else:
                    load.append(self.make("COPY", len(stack) - stack.index(name) + 3 + len(load)))
            self.last += self.call(self.hooks.after, site, load)

    def look(self, site: Site, depth: int) -> None:
        """Both calls before the instruction, for contents that C code reads in one go."""
        self.before(site, depth)
        if self.hooks.after is not None:
            self.first += self.call(self.hooks.after, site, [self.make("COPY", depth + 3)])

    def named(self, site: Site, arguments: int) -> None:
        """The calls for an attribute that the second of so many arguments names, and the third, if any, sets."""
        self.before(site, arguments, arguments - 1)
        if self.hooks.after is not None and site.kind == "write" and arguments == 3:
            load = [self.make("COPY", depth + 3 + i) for i, depth in enumerate((arguments, 1, arguments - 1))]
            self.first += self.call(self.hooks.after, site, load)

    def look_up(self, site: Site, depth: int, key: int) -> None:
        """Call `after` before the instruction, for an item that C code looks up by its key."""
        if self.hooks.after is not None:
            load = [self.make("COPY", depth + 3), self.make("LOAD_CONST", NO_VALUE), self.make("COPY", key + 5)]
            self.first += self.call(self.hooks.after, site, load)

    def drop(self, count: int) -> None:
        """Let go of what was kept."""
        if self.hooks.after is not None:
            self.last += [self.make("POP_TOP") for _ in range(count)]

    def drop_under(self, count: int) -> None:
        """As `drop`, of what lies under the top of the stack."""
        if self.hooks.after is not None:
            self.last.append(self.make("SWAP", count + 1))
        self.drop(count)

    def cell(self) -> list[Instr]:
        if self.item.name.endswith("_DEREF"):
            return [self.make(_LOAD_CELL, self.item.arg)]
        return [self.make("LOAD_CONST", None)]

    def call(self, hook: Callable[..., None], site: Site, load: list[Instr]) -> list[Instr]:
        function = [self.make("PUSH_NULL"), self.make("LOAD_CONST", hook)]
        if sys.version_info >= (3, 13):
            function.reverse()
        count = 1 + len(load)
        call = [self.make("CALL", count)]
        if sys.version_info < (3, 12):
            call.insert(0, self.make("PRECALL", count))
        return [*function, self.make("LOAD_CONST", site), *load, *call, self.make("POP_TOP")]
