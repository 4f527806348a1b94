"""What accesses and calls touch: the places of one run, and which of them threads share."""

from collections import deque
from functools import lru_cache
from typing import Any

from ..learner.places import Serials, Site, is_plain
from .shared import Shared, Touches
from .steps import Before, PlaceKey, Use
from .walker import Walker


class HasPlace:
    """A primitive, which is a place: asked for at each call, so it keeps its own."""

    place: PlaceKey | None = None


class Accesses:
    """The places of one run; objects are numbered in the order in which they are met."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._serials = Serials()
        self._touches: dict[PlaceKey, Touches] = {}

    def forget_all(self) -> None:
        self._serials.forget_all()
        self._touches = {}

    @property
    def known(self) -> int:
        """How many objects have a number."""
        return self._serials.count

    def uses(self, site: Site, thing: Any, key: Any) -> dict[PlaceKey, Use]:
        """How an access uses which places."""
        serial = self._serials.of(thing)
        writes = site.kind == "write"
        if site.what in ("attribute", "global"):
            place: PlaceKey = (serial, site.name)
            if site.what == "attribute":
                if writes and issubclass(type(thing), type):
                    self._shared.see_class_written(site.name)
                elif not writes and site.name in self._shared.of_classes:
                    classes = [(self._serials.of(cls), site.name) for cls in looked_in(thing, site.name)]
                    return {**dict.fromkeys(classes, Use.READ), place: Use.READ}
        elif site.what == "item" and is_plain(key):
            if type(key) is int and key < 0 and isinstance(thing, list | deque | bytearray):
                key += len(thing)
            return {
                (serial,): Use.WRITE_ITEM if writes else Use.READ_ITEM,
                (serial, "", key): Use.WRITE if writes else Use.READ,
            }
        else:
            place = (serial,)
        return {place: Use.WRITE if writes else Use.READ}

    def note(self, task: Walker, site: Site, uses: dict[PlaceKey, Use]) -> None:
        """Find out whether an access touches what threads share."""
        for place, how in uses.items():
            touches = self._touches.get(place)
            if touches is None:
                touches = self._touches[place] = Touches()
            if touches.note(task.number, task.clock, site, how):
                for each in touches.sites:
                    self._shared.add(each)

    def place(self, primitive: Any) -> PlaceKey:
        if isinstance(primitive, HasPlace):
            if primitive.place is None:
                primitive.place = (self._serials.of(primitive),)
            return primitive.place
        return (self._serials.of(primitive),)


@lru_cache(maxsize=1000)
def before_access(site: Site) -> Before:
    return Before(site.kind, site.name or "[]", site.line)


def looked_in(thing: Any, attribute: str) -> list[type]:
    """The classes in which an attribute of an object, or of a class, is looked for: up to that which has it."""
    is_class = issubclass(type(thing), type)
    if not is_class:
        try:
            if attribute in object.__getattribute__(thing, "__dict__"):
                return []  # a property of that name would come first, but is not written
        except AttributeError:  # it has slots alone
            pass
    classes: list[type] = []
    for cls in thing.__mro__ if is_class else type(thing).__mro__:
        classes.append(cls)
        if attribute in vars(cls):
            break
    return [cls for cls in classes if cls is not thing]


_UNDER = ("mutex", "_cond", "_condition", "_lock", "_block")  # where the library's primitives keep what they stand on


def underlying(called: Any) -> Any:
    """The lock under a primitive of the library's: calls of those that share one may disturb one another."""
    for _ in range(len(_UNDER)):
        inner = next((vars(called)[name] for name in _UNDER if name in getattr(called, "__dict__", ())), None)
        if inner is None:
            return called if hasattr(called, "taken") else None
        called = inner
    return None
