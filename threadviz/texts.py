"""Text that fits on one line, whatever it holds, and names that stay apart."""

import unicodedata
from collections.abc import Iterator
from itertools import count


def printable(text: str) -> str:
    """`text` on one line: control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, length: int) -> str:
    """`text` in at most so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def error_parts(error: BaseException) -> tuple[str, str]:
    """'ValueError' and 'no such row', each on one line; the learner's own `__str__` may raise."""
    name = type(error).__name__
    try:
        return name, printable(" ".join(str(error).split()))
    except (Exception, SystemExit) as broken:
        return name, f"<its str raises {type(broken).__name__}>"


def error_text(error: BaseException) -> str:
    """'ValueError: no such row', or 'ValueError' alone."""
    return ": ".join(filter(None, error_parts(error)))


def clean(text: str) -> str:
    """Return the text in one line, with characters that would not be seen as themselves made visible."""
    if text.isprintable():  # which looks at all at once
        return text
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "".join("\ufffd" if unicodedata.category(char) in hidden else char for char in text)


class Namesakes:
    """Tells apart what has the same name in one run: the second 'worker' is 'worker (2)'."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], str] = {}
        self._owners: dict[str, tuple[str, int]] = {}
        self._numbers: dict[str, Iterator[int]] = {}

    def tell_apart(self, name: str, key: int) -> str:
        """The name, with a number from the second key on that comes with it."""
        me = name, key
        while me not in self._told:  # each step is one of the interpreter's, as real threads may ask at once
            number = next(self._numbers.setdefault(name, count(1)))
            told = name if number == 1 else f"{name} ({number})"
            if self._owners.setdefault(told, me) == me:  # nobody is called so already
                self._told.setdefault(me, told)
        return self._told[me]


def counted(number: int, noun: str) -> str:
    """How many of something, such as '1 run' and '1,200 runs'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
