"""What stands for a primitive while a run goes on: functions, and classes under CPython's own names.

Each asks `is_ours` whether the caller is of the run that goes on; every other one gets the real thing.
"""

import _threading_local
from collections.abc import Callable
from typing import Any


def dispatcher(
    is_ours: Callable[[], bool], real: Callable[..., Any], virtual: Callable[..., Any]
) -> Callable[..., Any]:
    def dispatch(*args: Any, **kwargs: Any) -> Any:
        if is_ours():
            try:
                return virtual(*args, **kwargs)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
        return real(*args, **kwargs)  # also for a call that does not fit: the error is CPython's own

    dispatch.__name__ = dispatch.__qualname__ = real.__name__
    dispatch.__module__ = real.__module__  # CPython's own errors name it
    return dispatch


def _full_name(cls: type) -> str:
    return type.__dict__["__name__"].__get__(cls)  # type: ignore[no-any-return]


# Its classes have a name with a dot, as CPython's errors call those that are written in C, and do not tell it.
_Named: type[type] = type("type", (type,), {"__name__": property(lambda cls: _full_name(cls).rpartition(".")[2])})


def _not_copied(self: object, _: object) -> Any:
    raise TypeError(f"cannot pickle {_full_name(type(self))!r} object")  # CPython's own words, also for a copy


# The library's local in Python, under the name that CPython's errors give to the one in C.
Local = _Named(
    "_thread._local",
    (_threading_local.local,),
    {"__slots__": (), "__module__": "_thread", "__qualname__": "_local", "__reduce_ex__": _not_copied},
)


def factory(is_ours: Callable[[], bool], real: Callable[..., Any], virtual: type, named: type) -> type:
    """A class, as some code subclasses or asks isinstance; making one gives the real thing to other OS threads.

    It goes by the name of the class `named`, in full, as CPython's errors do.
    """

    def make(cls: type, *args: Any, **kwargs: Any) -> Any:
        if not is_ours():
            return real(*args, **kwargs)
        return object.__new__(cls)

    about = {"__slots__": (), "__new__": make, "__reduce_ex__": _not_copied}
    about |= {"__module__": named.__module__, "__qualname__": named.__qualname__}
    return _Named(f"{named.__module__}.{named.__qualname__}", (virtual,), about)
