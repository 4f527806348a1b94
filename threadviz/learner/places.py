"""Places: the data that an access touches, and what the learner calls it.

An attribute of an object of the learner's is noted at every access.  Of everything else only what threads share is
worth a note: what one of them writes when another one that touches it has begun.  That is known at the end of a run, so
these accesses are noted for the time being, each with its place.
"""

import os
import sys
import threading
import weakref
from collections import Counter as Multiset
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import Future
from enum import Enum
from functools import lru_cache, partial
from types import ModuleType
from typing import Any, Literal, NamedTuple, Protocol

from ..texts import Namesakes, cut, printable
from ..trace import NOTHING, Kind
from .code import is_learners, is_learners_class, line_in
from .inside import own_dict, slots

PLAIN = (bool, int, float, str, bytes, None.__class__)
# What goes through a set in its order.
_IN_ORDER = frozenset(
    ["get_iter", "unpack_sequence", "unpack_ex", "list_extend", "pop", "list", "tuple", "iter", "enumerate", "reversed"]
)
FEW = 100  # objects that are looked through at every point; of more, at fewer of them
_CONTAINERS = (list, dict, set, deque, defaultdict, Multiset, OrderedDict, bytearray)


What = Literal["attribute", "item", "contents", "global", "variable"]


# Built-in functions that touch the attribute which their second argument names.
NAMED: dict[str, Literal["read", "write"]] = {
    "getattr": "read",
    "hasattr": "read",
    "setattr": "write",
    "delattr": "write",
}


class Site(NamedTuple):
    """One access as it is written: plain data, one object for each place in the code."""

    kind: Literal["read", "write"]
    what: What  # "contents" is a list, dict, set or deque as a whole; "variable" is that of an outer function
    name: str  # of the attribute or variable, or of the method or function that is called on contents
    line: int
    file: str


def with_name(site: Site, key: Any) -> Site:
    """The access with the attribute's name where it is only known when it is made, as `setattr` is told it."""
    return site if site.name else site._replace(name=str(key))


NO_VALUE: Any = type("NoValue", (), {"__slots__": ()})()  # of what is deleted, or looked at as a whole


MISSING: Any = type("Missing", (), {"__slots__": ()})()  # of an item that is not there


class Serials:
    """Numbers objects in the order in which they are met, and keeps none alive for longer than until `let_go`."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Any]] = {}
        self._kept: dict[int, Any] = {}  # what cannot be referred to weakly, as a list, whose id must not be used again
        self._asked = 0  # to let go
        self._met: Multiset[Any] = Multiset()

    @property
    def count(self) -> int:
        """How many there were so far."""
        return self._met.total()

    def of(self, thing: Any, among: Any = None) -> int:
        """Its number among those that were asked for with the same `among`, from 1 on."""
        key = id(thing)
        known = self._known.get(key)
        if known is None:
            kept: Any
            try:
                kept = weakref.ref(thing, partial(_forget, self._known, key))
            except TypeError:
                kept = None
                self._kept[key] = thing
            self._met[among] += 1
            known = self._known.setdefault(key, (self._met[among], kept))
        return known[0]

    def forget_all(self) -> None:
        self._known.clear()
        self._kept.clear()

    def let_go(self) -> None:
        """Forget what nobody else has any more: it would have been freed without us.  Often where it is little."""
        self._asked += 1
        if self._kept and self._asked % (1 + len(self._kept) // FEW) == 0:
            for key in _forgotten(self._kept):
                self._known.pop(key, None)
                del self._kept[key]


def _forget(known: dict[int, Any], key: int, _: object) -> None:
    known.pop(key, None)


def _forgotten(kept: dict[int, Any]) -> list[int]:
    """The keys of what nobody else refers to."""
    return [key for key, thing in list(kept.items()) if sys.getrefcount(thing) <= _ALONE]


_ALONE = 0  # how many references are seen there of what nobody else has; measured here, as versions differ
while not _forgotten({0: [None]}):
    _ALONE += 1


class Place:
    """A piece of data that threads may share."""

    __slots__ = ("cut", "instead", "lane", "name", "own", "several", "whole")

    def __init__(self, lane: int) -> None:
        self.lane = lane  # of the first thread that touched it
        self.several = False  # others did, too
        self.name = ""  # looked for when the second one comes
        self.cut = False  # some notes of it were thrown away
        self.whole: Place | None = None  # of an item that was written: the container, which is another one than before
        # Of an attribute of an object's that was found on its class: that of the class, until the object has its own.
        self.instead: Place | None = None
        self.own = False  # it has: all that was noted of it is shown

    @property
    def known_as(self) -> "Place":
        """The place that it turned out to be."""
        return self if self.own or self.instead is None else self.instead


class Notebook(Protocol):
    """The run that notes accesses, and may switch threads before them."""

    def before_access(self) -> None:
        """The thread that runs is about to touch what others may touch, too."""

    def lane(self) -> int | None:
        """The number of the thread that asks; None where nothing is to be noted."""

    def note_access(self, kind: Kind, what: str, value: str, line: int) -> None: ...
    def note_for_now(self, kind: Kind, place: Place, value: str, line: int) -> None: ...
    def object_name(self, wanted: object, otherwise: str) -> str: ...

    def note_given_away(self, method: str, kind: str, line: int) -> None:
        """A container's method is handed to somebody who will call it: those calls are in no code that is rewritten."""

    def note_order(self, line: int) -> None:
        """Code has gone by the order of a set, which differs from process to process."""


class Places:
    """The places of one run, which hears of every access."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._instances, self._holders = Serials(), Serials()
        self._kinds: dict[type, str] = {}
        self._only_main: dict[int, bool] = {}  # by the number of what was touched
        self._places: dict[tuple[int, Any], Place] = {}
        self._found_on_classes: dict[tuple[int, str], Place] = {}  # by the number of the object that has none
        self._namesakes = Namesakes()

    def let_go(self) -> None:
        """Free what the program has done with; threads are at a point where any code may run."""
        self._instances.let_go()
        self._holders.let_go()

    def before(self, site: Site, thing: Any, key: Any) -> None:
        """Tell the run of an access to what threads may share."""
        if site.what in ("global", "variable") or self._may_be_shared(site, thing):
            self._notebook.before_access()

    def _may_be_shared(self, site: Site, thing: Any) -> bool:
        """Not what only the main thread has touched so far, and touches again: it sets things up, or loops."""
        lane = self._notebook.lane()
        kind = self._kind(type(thing))
        wanted = ("object", "class", "module", "both") if site.what == "attribute" else ("container", "both")
        if lane is None or kind not in wanted:
            return False
        serial = self._holders.of(thing)
        self._only_main[serial] = only_main = lane == 0 and self._only_main.get(serial, True)
        return not only_main

    def after(self, site: Site, thing: Any, value: Any, key: Any) -> None:
        """Note one access of the thread that runs."""
        lane = self._notebook.lane()
        if lane is None:
            return
        if site.name in _IN_ORDER and type(thing) in (set, frozenset) and not _always_alike(thing):
            self._notebook.note_order(line_in(site.file, site.line))
        if site.what in ("global", "variable"):
            if not callable(value):
                self._note(lane, site, thing, (site.name,), value)
            return
        kind = self._kind(type(thing))
        if site.what == "attribute":
            self._attribute(kind, lane, with_name(site, key), thing, value)
        elif kind in ("container", "both"):
            self._contents(lane, site, thing, value, key)

    def _kind(self, cls: type) -> str:
        kind = self._kinds.get(cls)
        if kind is None:
            kind = self._kinds[cls] = _kind_of(cls)
        return kind

    def _attribute(self, kind: str, lane: int, site: Site, thing: Any, value: Any) -> None:
        if kind == "container" and callable(value):
            self._notebook.note_given_away(site.name, type(thing).__name__, line_in(site.file, site.line))
        if callable(value) or value is NO_VALUE:
            return
        name = site.name
        if kind in ("object", "both"):
            if site.kind == "write" or _is_data(thing, name):
                called = f"{self.called(thing)}.{name}"
                if site.kind == "write" and self._found_on_classes:
                    self._has_its_own(thing, name, called)
                self._notebook.note_access(site.kind, called, short(value), line_in(site.file, site.line))
                return
            holder = next((base for base in type(thing).__mro__ if name in vars(base)), object)
            if vars(holder).get(name) is value and is_learners_class(holder):
                self._note(lane, site, holder, (name,), value, of=thing)
        elif kind == "class" and is_learners_class(thing):
            holder = thing
            if site.kind == "read":
                holder = next((base for base in thing.__mro__ if name in vars(base)), thing)
            if is_learners_class(holder):
                self._note(lane, site, holder, (name,), value)
        elif kind == "module" and is_learners(getattr(thing, "__file__", None) or "<frozen"):
            self._note(lane, site, vars(thing), (name,), value)

    def called(self, thing: Any) -> str:
        """What an object is called whose attributes are touched: by its class, from the second one on with a number."""
        number = self._instances.of(thing, type(thing))
        return type(thing).__name__ if number == 1 else f"{type(thing).__name__}#{number}"

    def _contents(self, lane: int, site: Site, thing: Any, value: Any, key: Any) -> None:
        path: tuple[Any, ...] = ()
        if site.what == "item" and is_plain(key) and not isinstance(thing, set):
            if isinstance(thing, list | deque | bytearray) and type(key) is int and key < 0:
                key += len(thing)
            path = ("", key)
            if site.name == "get" and issubclass(type(thing), dict):
                value = dict.get(thing, key, MISSING)
        self._note(lane, site, thing, path, value)

    def _has_its_own(self, thing: Any, name: str, called: str) -> None:
        """An object gets an attribute of its own: what threads read of it before was that of its class."""
        found = self._found_on_classes.pop((self._holders.of(thing), name), None)
        if found is not None:
            found.own, found.name = True, called

    def _note(
        self, lane: int, site: Site, holder: Any, path: tuple[Any, ...], value: Any, of: object = NO_VALUE
    ) -> None:
        """Note an access for the time being; `of` is the object that has no such attribute of its own so far."""
        serial = self._holders.of(holder)
        place = self._places.get((serial, path))
        if place is None:
            place = self._places.setdefault((serial, path), Place(lane))
        if not place.several and place.lane != lane:
            place.name = self._name(site, holder, serial, path)
            place.several = True
        if site.what == "item" and site.kind == "write" and path:
            place.whole = whole = self._places.setdefault((serial, ()), Place(lane))
            if not whole.several and whole.lane != lane:
                whole.name = self._name(site, holder, serial, ())
                whole.several = True
        shown = "" if value is NO_VALUE else NOTHING if value is MISSING else short(value)
        if site.what == "contents" and site.kind == "write" and site.name != "[:]":
            shown = f"{site.name}()"  # which overwrites nothing that somebody read
        if of is not NO_VALUE:
            found = self._found_on_classes.setdefault((self._holders.of(of), path[0]), Place(lane))
            found.instead, place = place, found
        self._notebook.note_for_now(site.kind, place, shown, line_in(site.file, site.line))

    def _name(self, site: Site, holder: Any, serial: int, path: tuple[Any, ...]) -> str:
        if len(path) == 1:
            name = f"{holder.__name__}.{path[0]}" if isinstance(holder, type) else path[0]
            return self._namesakes.tell_apart(printable(name), serial)
        found = self._notebook.object_name(holder, type(holder).__name__)
        name = self._namesakes.tell_apart(printable(found), serial)
        return f"{name}[{path[1]!r}]" if path else name


def _kind_of(cls: type) -> str:
    # A container with methods of the learner's own: what these touch is seen in there.
    first = next(base for base in cls.__mro__ if base in _CONTAINERS or "__getitem__" in vars(base) or base is object)
    if issubclass(cls, ModuleType):
        return "module"
    if issubclass(cls, type):
        return "class"
    is_object = (
        any(is_learners_class(base) for base in cls.__mro__)
        and not issubclass(cls, BaseException | Enum)
        and cls.__getattribute__ is object.__getattribute__
    )
    if first in _CONTAINERS:
        return "both" if is_object else "container"
    return "object" if is_object else ""


def _always_alike(things: set[Any] | frozenset[Any]) -> bool:
    """Whether a set has the same order in every process: not that of texts, nor of what is hashed by its address."""
    return len(things) < 2 or all(map(_hashes_alike, set.__iter__(things) if type(things) is set else things))


def _hashes_alike(thing: Any) -> bool:
    kind = type(thing)
    if kind is tuple or kind is frozenset:
        return all(map(_hashes_alike, thing))
    if kind is str or kind is bytes:
        return os.environ.get("PYTHONHASHSEED", "random") != "random"
    return kind in (int, float, bool, complex) or issubclass(kind, (threading.Thread, Future))  # numbered in a run


@lru_cache(maxsize=1000)
def is_container(cls: type) -> bool:
    """Whether it is a list, dict, set or deque, with nothing of the learner's in it."""
    return _kind_of(cls) == "container"


@lru_cache(maxsize=1000)
def may_hold_items(cls: type) -> bool:
    """Whether `cls` has items and contents of its own: those of the learner's classes are seen in their code."""
    return _kind_of(cls) in ("container", "both") or not (issubclass(cls, type | ModuleType) or is_learners_class(cls))


def value_now(site: Site, thing: Any, key: Any) -> str:
    """A plain value at a place, or a short list of such, without any code of the learner's; "" for others."""
    try:
        if site.what == "attribute":
            value = object.__getattribute__(thing, "__dict__").get(site.name, NO_VALUE)
            if value is NO_VALUE:  # plain ones alone are told: no property, nor what stands for a slot
                classes = type(thing).__mro__
                value = next((vars(base)[site.name] for base in classes if site.name in vars(base)), NO_VALUE)
        elif site.what == "global":
            value = thing.get(site.name, NO_VALUE)
        elif site.what == "variable":
            value = thing.cell_contents
        elif site.what == "item" and type(thing) in (list, dict):
            value = thing[key]
        elif site.what == "contents" and type(thing) in _BUILT_IN and len(thing) <= 20:
            members = thing.items() if type(thing) is dict else thing
            return cut(repr(thing), 60) if all(map(is_plain, members)) else ""
        else:
            value = NO_VALUE
    except (AttributeError, ValueError, LookupError, TypeError):
        return ""
    return short(value) if value is not NO_VALUE else ""


_BUILT_IN = (list, dict, set, deque)


def is_plain(key: Any) -> bool:
    """Whether a key can be compared and written without any code of the learner's."""
    return type(key) in PLAIN or (type(key) is tuple and all(type(each) in PLAIN for each in key))


def _is_data(owner: object, name: str) -> bool:
    return name in own_dict(owner) or name in slots(type(owner))


def short(value: Any) -> str:
    """A plain value in at most 20 characters; "" for others, and for numbers too long to be written at every access.

    No method of the learner's is called, which may do anything.
    """
    kind: Any = next((each for each in PLAIN if issubclass(type(value), each)), None)
    if kind is None or (kind is int and int.bit_length(value) > 256):
        return ""
    if kind in (str, bytes):
        value = kind.__getitem__(value, slice(20))
    return cut(kind.__repr__(value), 20)


Touch = tuple[Any, int, Kind, Place]  # when, on any scale, which lane, and how it touched the place


def shared(touches: Iterable[Touch], begun: dict[int, Any]) -> set[int]:
    """The ids of the places that threads can disturb one another with.

    One of them writes when another one that touches the place at some time has begun: what was set up before the
    others began is a constant for them.  `begun` has the time of each thread's first step.
    """
    lanes: dict[int, set[int]] = {}
    writes: dict[int, list[tuple[Any, int]]] = {}
    own: set[int] = set()  # as all attributes of an object's own, these are shown whoever touches them
    for when, lane, kind, place in touches:
        if place.own:
            own.add(id(place))
        elif place.several:
            lanes.setdefault(id(place), set()).add(lane)
            if kind == "write":
                writes.setdefault(id(place), []).append((when, lane))
        if place.whole is not None and place.whole.several and kind == "write":
            lanes.setdefault(id(place.whole), set()).add(lane)
            writes.setdefault(id(place.whole), []).append((when, lane))
    return own | {
        key
        for key, touching in lanes.items()
        if any(
            lane != writer and (lane in begun and begun[lane] < when or lane == 0)
            for when, writer in writes.get(key, [])
            for lane in touching
        )
    }
