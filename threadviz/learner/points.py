"""Points: just before and just after each access of data in the learner's code, while a run goes on.

The learner's functions get their bytecode rewritten for the length of a run; whatever happens, `__code__` is put back.
Who listens hears `before(site, thing, key)` and may switch threads there; then the access takes place, without any
other call between; then it hears `after(site, thing, value, key)`, but not where the access raised.  `thing` is the
very object (a closure's variable: its cell; a global: the namespace), and `site` one constant object for each place in
the code.  Functions and classes that rewritten code makes are rewritten, too.
"""

import __future__

import builtins
import sys
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache, wraps
from inspect import CO_NEWLOCALS
from types import CodeType, FunctionType
from typing import Any, Protocol

from ..patches import Patches
from .changed import Changed, changed_by, names_in, names_set
from .code import is_learners
from .places import NO_VALUE, Site

# Flags of code that say what it has imported from __future__.
_FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names} - {0x10, 0x20, 0x40})
REMEMBERED = 2000  # rewritten functions that are kept for later runs


class Listener(Protocol):
    """Who hears of each access, in the OS thread that makes it."""

    def before(self, site: Site, thing: Any, key: Any) -> None:
        """The access is about to be made: the one place where threads may be switched; `key` is that of an item."""

    def after(self, site: Site, thing: Any, value: Any, key: Any) -> None:
        """The access was made; `key` is that of an item."""


class Points:
    """The learner's functions and scripts, rewritten before a run, and put in place for its length."""

    def __init__(
        self, functions: Iterable[FunctionType], scripts: Iterable[Any], wants_before: bool, wants_after: bool = True
    ) -> None:
        """Rewrite `functions`, and the code that the cells `scripts` hold, with the calls that are wanted.

        This may import modules, so it comes before anything is patched.
        """
        self.unseen: list[str] = []  # a sentence on each one that could not be rewritten
        self._wants_before, self._wants_after = wants_before, wants_after
        olds = [(each, each.__code__) for each in functions]
        cells = [(each, each.cell_contents) for each in scripts]
        self.codes = [original(code) for _, code in (*olds, *cells)]
        self._changed = _changed_by(self.codes)
        self._functions = [(each, old, self._rewritten(original(old), self._changed)) for each, old in olds]
        self._scripts = [(each, self._rewritten(original(old), self._changed)) for each, old in cells]

    @property
    def seen(self) -> int:
        """How many functions and scripts tell their accesses; where it is 0, nothing is seen at all."""
        return sum(new is not None for *_, new in (*self._functions, *self._scripts))

    def heard_by(self, listener: Listener | None) -> None:
        """Let `listener` hear of each access from now on."""
        _listeners[:] = [listener] if listener is not None else []

    def install(self, patches: Patches) -> None:
        """Put the rewritten code in place until `patches` are undone."""

        def put_back() -> None:
            for function, old, new in self._functions:
                if function.__code__ is new:  # not where the run itself has given it another one
                    function.__code__ = old

        patches.callback(put_back)
        for function, _, new in self._functions:
            if new is not None:
                function.__code__ = new
        for cell, new in self._scripts:
            if new is not None:
                patches.slot(cell, "cell_contents", new)
        for executor in (builtins.exec, builtins.eval):
            patches.attribute(builtins, executor.__name__, self._executing(executor))

    def _executing(self, real: Any) -> Any:
        """`exec` or `eval`, which also has the learner's code rewritten that is compiled, or imported, during a run."""
        mode = real.__name__

        @wraps(real)
        def execute(source: Any, /, globals: Any = None, locals: Any = None, **more: Any) -> Any:
            frame = sys._getframe(1)
            by_learner = is_learners(frame.f_code.co_filename)
            if globals is None:
                globals = frame.f_globals
                if locals is None and frame.f_locals is not globals:
                    locals = frame.f_locals if sys.version_info < (3, 13) else dict(frame.f_locals)
            if type(source) is str and by_learner:
                source = _compiled(source.lstrip(" \t") if mode == "eval" else source, mode, frame.f_code.co_flags)
            if type(source) is CodeType and id(source) not in _stands_for and is_learners(source.co_filename):
                in_globals = locals is None or locals is globals
                # What a library compiles, such as a dataclass's `__init__`, is in no file, as what the learner does.
                wanted = by_learner or not source.co_filename.startswith("<")
                source = (self._rewritten_later(source, in_globals, by_learner) if wanted else None) or source
            return real(source, globals, locals, **more)

        return execute

    def _rewritten_later(self, code: CodeType, in_globals: bool, again: bool) -> CodeType | None:
        """The code of what is executed, perhaps `again` and again, in which case it changes every name that it sets."""
        if code.co_flags & CO_NEWLOCALS or code.co_freevars:
            return None
        found = _changed_by([code])
        set_here = names_set(code) if again and in_globals else frozenset[str]()
        changed = Changed(self._changed.globals | found.globals | set_here, self._changed.cells | found.cells)
        return self._rewritten(code, changed, in_globals)

    def _rewritten(self, code: CodeType, changed: Changed, in_globals: bool = True) -> CodeType | None:
        # They import `bytecode`, which is not there before something is rewritten.
        from .around import Hooks
        from .rewriting import rewritten

        memory = _memory(code)
        names = memory.names
        relevant = Changed(changed.globals & names, changed.cells & names)
        key = (self._wants_before, self._wants_after, relevant, in_globals)
        if key not in memory.rewritten:
            made: list[tuple[CodeType, CodeType]] = []
            hooks = Hooks(_before if self._wants_before else None, _after if self._wants_after else None)
            try:
                rewritten(code, relevant, hooks, made, memory.is_module and in_globals)
            except Exception as error:  # whatever the library does not know: told as what is not seen
                memory.rewritten[key] = None
                self.unseen.append(f"{code.co_name}() could not be looked into: {type(error).__name__}")
                return None
            for new, old in made:
                _stands_for[id(new)] = weakref.ref(new, _forget(id(new))), old
            memory.rewritten[key] = made[-1][0]
        return memory.rewritten[key]


@lru_cache(maxsize=200)
def _compiled(source: str, mode: str, flags: int) -> CodeType:
    """As `exec` and `eval` do it in code with these flags, and the same code for the same text: it may come often."""
    return compile(source, "<string>", mode, flags & _FUTURE, dont_inherit=True)  # type: ignore[no-any-return]


_listeners: list[Listener] = []  # that of the run that goes on


def _before(site: Site, thing: Any, key: Any = None) -> None:
    for (
        listener
    ) in _listeners:  # which may become empty at any time: another thread ends the run, or its notes are full
        listener.before(site, sys._getframe(1).f_globals if site.what == "global" else thing, key)


def _after(site: Site, thing: Any, value: Any = NO_VALUE, key: Any = None) -> None:
    for listener in _listeners:
        listener.after(site, sys._getframe(1).f_globals if site.what == "global" else thing, value, key)


class _Memory:
    """What is known of one function's code, for all runs."""

    def __init__(self, code: CodeType) -> None:
        self.code = code  # kept, as an id may be used again
        self.is_module = not code.co_flags & CO_NEWLOCALS
        self.changed = changed_by(code, self.is_module)
        self.names = names_in(code)
        self.rewritten: dict[Any, CodeType | None] = {}


# By id, as two functions that are written alike in different files are equal.
_memories: OrderedDict[int, _Memory] = OrderedDict()
# What functions that a run has made are made of; they may live on, and come into another run.
_stands_for: dict[int, tuple["weakref.ref[CodeType]", CodeType]] = {}


def _memory(code: CodeType) -> _Memory:
    memory = _memories.get(id(code))
    if memory is None:
        memory = _memories[id(code)] = _Memory(code)
        if len(_memories) > REMEMBERED:
            _memories.popitem(last=False)
    return memory


def _forget(key: int) -> Any:
    return lambda _: _stands_for.pop(key, None)


def original(code: CodeType) -> CodeType:
    """The learner's own code, where `code` is what a run has put in its place."""
    return _stands_for[id(code)][1] if id(code) in _stands_for else code


def _changed_by(codes: list[CodeType]) -> Changed:
    found = [_memory(code).changed for code in codes]
    return Changed(
        frozenset[str]().union(*(each.globals for each in found)),
        frozenset[str]().union(*(each.cells for each in found)),
    )
