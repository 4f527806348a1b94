"""A search in parts, which other processes make at the same time.

A part is a choice with alternatives that are still to be tried, and the choices that lead to it.  A process tries them,
and all that follows from them, for so many runs; then it hands in what it found, and what is left as further parts.
No run is in two parts: to whoever tries one alternative, those that are tried elsewhere are asleep.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from .search import Node, Search

ALONE = 100  # runs that are made before any other process is asked
RUNS_A_PART = 200  # at most: then what is left is handed out anew
AT_ONCE = 16  # parts that are handed out before the first one has come back

Path = tuple[int, ...]  # the choices that lead to a node


def check_executor(executor: object) -> None:
    """One clear sentence for what cannot make runs."""
    if not isinstance(executor, Executor):
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}")
    if isinstance(executor, ThreadPoolExecutor):
        raise TypeError("executor must make its calls in other processes: in one process, one run goes on at a time")


@dataclass
class Part:
    """A choice whose alternatives are to be tried: the last one of `nodes`."""

    nodes: list[Node]
    most: int  # runs

    def begin(self, preemptions: int | None) -> Search:
        """The search that tries them; its first run is chosen."""
        search = Search(preemptions)
        search.stack = list(self.nodes)
        search.floor = len(self.nodes) - 1
        self.nodes[-1].step = None
        search.advance()
        return search

    def left(self, search: Search) -> tuple[list[set[int]], list[Node]]:
        """Alternatives that were found at the choices before, and what is left of this one and behind it."""
        above = [node.todo for node in self.nodes[:-1]]
        return above, _opened(search.stack[search.floor :]) or [self.nodes[-1]]


@dataclass
class Done:
    """What came of a part."""

    found: Any
    above: list[set[int]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    bound_cut: bool = False
    shared: Any = None  # what is known to be shared, where that has grown: the search is then to be made anew


def _opened(nodes: list[Node]) -> list[Node]:
    """Choices of a search, to be gone on with elsewhere: what was chosen at each but the last one counts as tried."""
    for node in nodes[:-1]:
        assert node.step is not None
        node.tried = {**node.tried, node.chosen: None if node.cut_off else node.step}
    return nodes


class Parts:
    """All parts of one search, as far as they are known."""

    def __init__(self, search: Search) -> None:
        self._nodes: dict[Path, Node] = {}
        self._busy: set[Path] = set()
        self._keep((), _opened(search.stack))

    def _keep(self, path: Path, nodes: list[Node]) -> None:
        for node in nodes:
            if path in self._nodes:
                node.todo |= self._nodes[path].todo
            self._nodes[path] = node
            path = (*path, node.chosen)

    def take(self, most: int) -> tuple[Path, Part] | None:
        """One that nobody works on, the shortest first, as most is behind it."""
        free = [path for path, node in self._nodes.items() if path not in self._busy and node.todo - node.tried.keys()]
        if not free:
            return None
        path = min(free, key=lambda each: (len(each), each))
        self._busy.add(path)
        above = [self._nodes[path[:depth]].leading_to(chosen) for depth, chosen in enumerate(path)]
        return path, Part([*above, self._nodes[path]], most)

    def put(self, path: Path, done: Done) -> None:
        """What came of a part that was taken."""
        self._busy.remove(path)
        for depth, more in enumerate(done.above):
            self._nodes[path[:depth]].todo |= more
        self._keep(path, done.nodes)


def as_sent(program: Any) -> Any:
    """The program as another process gets it: cloudpickle gives functions that it sends whole another file's name.

    ModuleNotFoundError where there is no cloudpickle, which sends functions of a notebook or script, too.
    """
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:
        raise ModuleNotFoundError("executor= needs cloudpickle: pip install cloudpickle") from None
    return cloudpickle.loads(cloudpickle.dumps(program))


def spread(
    executor: Executor, make: Callable[[Part], Done], search: Search, most: int, keep: Callable[[Done], bool]
) -> bool:
    """Have the rest of `search` made by `make`, in other processes, with at most so many runs; whether that was all.

    `keep` takes what came of each part, and says whether to go on.
    """
    import cloudpickle

    maker = cloudpickle.dumps(make)
    parts = Parts(search)
    futures: dict[Future[bytes], tuple[Path, int]] = {}
    left = most  # runs that may still be handed out
    try:
        while True:
            while left > 0 and len(futures) < AT_ONCE and (taken := parts.take(min(left, RUNS_A_PART))) is not None:
                path, part = taken
                left -= part.most
                futures[executor.submit(_made, maker, cloudpickle.dumps(part))] = path, part.most
            if not futures:
                return parts.take(1) is None
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                path, asked = futures.pop(future)
                done: Done = cloudpickle.loads(future.result())
                left += asked - done.found.runs
                if not keep(done):
                    return False
                parts.put(path, done)
    finally:
        for future in futures:
            future.cancel()


def _made(maker: bytes, part: bytes) -> bytes:
    """Called in the other process."""
    import cloudpickle

    make: Callable[[Part], Done] = cloudpickle.loads(maker)
    return cloudpickle.dumps(make(cloudpickle.loads(part)))  # type: ignore[no-any-return]
