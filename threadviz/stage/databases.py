"""Connections of sqlite3 belong to the thread that made them: CPython ties them to the OS thread, a run to its own."""

import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]


def connecting(real_connect: Callable[..., Any]) -> Callable[..., Any]:
    """What stands for `sqlite3.connect`: its connections and their cursors refuse other simulated threads."""

    def connect(_engine: Any, *args: Any, **kwargs: Any) -> Any:
        same_thread = kwargs.get("check_same_thread", args[4] if len(args) > 4 else True)
        if same_thread and len(args) <= 5:
            kwargs["factory"] = _of_one_thread(kwargs.get("factory", sqlite3.Connection))
        return real_connect(*args, **kwargs)

    return connect


@lru_cache(maxsize=20)
def _of_one_thread(cls: Any) -> Any:
    """A subclass whose objects may be used in the thread that made them alone, as CPython's errors say."""
    made_in: Any = weakref.WeakKeyDictionary()

    def init(made: Any, *args: Any, **kwargs: Any) -> None:
        made_in[made] = threading.get_ident()
        cls.__init__(made, *args, **kwargs)

    def checked(name: str) -> Any:
        def method(used: Any, *args: Any, **kwargs: Any) -> Any:
            here = threading.get_ident()
            if made_in.get(used, here) != here:
                raise sqlite3.ProgrammingError(
                    "SQLite objects created in a thread can only be used in that same thread. "
                    f"The object was created in thread id {made_in[used]} and this is thread id {here}."
                )
            if name == "cursor" and not args and not kwargs:
                args = (_of_one_thread(sqlite3.Cursor),)
            if name.startswith("execute") and isinstance(used, sqlite3.Connection):
                return getattr(used.cursor(), name)(*args, **kwargs)
            return getattr(cls, name)(used, *args, **kwargs)

        return method

    from_c = sqlite3.Connection if issubclass(cls, sqlite3.Connection) else sqlite3.Cursor
    names = [name for name, each in vars(from_c).items() if callable(each) and name[0] != "_" and name != "interrupt"]
    about = {"__init__": init, "__module__": "sqlite3"} | {name: checked(name) for name in names}
    return type(cls.__name__, (cls,), about)
