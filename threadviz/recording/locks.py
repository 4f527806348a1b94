"""Real locks that note who held them and who waited: those that are made inside a recorded run."""

import sys
from functools import lru_cache, partial
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any

from .. import real
from ..learner.code import is_learners, made_by_condition, outside, queue_of, user_call
from ..learner.notes import blocked_in
from .recorder import Recorder
from .tracks import Described, Note, Spot, Track

_get_ident, _getframe, _now = real.get_ident, sys._getframe, perf_counter_ns


class Lock:
    """A real lock; one that the learner made notes when it is taken and let go, any other one only waits for it.

    An uncontended acquire tries without waiting first and appends one tuple.  It holds the learner's code and the
    instruction in it, as looking up a line costs more than all the rest; `assembly` does it afterwards.
    """

    __slots__ = (
        "__weakref__",
        "_attempt",
        "_code",
        "_free",
        "_leave",
        "_name",
        "_real",
        "_recorder",
        "_released",
        "made_by_learner",
        "_try",
        "_waiters",
        "class_name",
    )
    _make: Any = staticmethod(real.allocate_lock)
    _kind = "Lock"

    def __init__(self) -> None:
        self._recorder = Recorder.newest
        self._real: Any = self._make()
        self._try, self._free, self._leave = self._real.acquire, self._real.release, self._real.__exit__
        self._attempt = partial(self._try, True)
        self._waiters: list[Track] = []  # a list, as appending and removing are atomic
        self._released: Note | None = None
        self._name = ""
        self._code: CodeType | None = None  # the learner's, where it was used first, when it has a name
        maker = outside()
        self.class_name = self._kind
        if maker is not None and made_by_condition(maker):
            self.class_name = "Condition"
            maker = maker.f_back
        self.made_by_learner = maker is not None and is_learners(maker.f_code.co_filename)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking is not True or timeout != -1:
            real.check_timeout(blocking, timeout)
        if self._try(False):
            if self.made_by_learner:
                recorder = self._recorder
                notes = recorder.notes
                if len(notes) < recorder.room:
                    frame = _getframe(1)
                    code = frame.f_code
                    if code is self._code or (self._code and id(code) in recorder.learners):  # as `_note`, but at once
                        notes.append((_now(), _get_ident(), "acquire", self, code, frame.f_lasti, None))
                    else:
                        self._note("acquire", _now(), frame)
                else:
                    self._spend()
            return True
        return bool(blocking) and timeout != 0 and self._wait(timeout, _getframe(1))

    __enter__ = acquire

    def _spend(self) -> None:
        """No more notes are kept: from now on only the waits for it are looked at."""
        self._recorder.fill()
        kind: Any = type(self)
        self.__class__ = _spent(kind)

    def _note(self, kind: str, now: int, frame: FrameType, cause: "Lock | None" = None) -> None:
        """Note by whom, as far as the OS knows, and where the lock was got or let go; `now` is while it was held."""
        recorder = self._recorder
        if len(recorder.notes) < recorder.room:
            if not self._name:
                self._find_name()
            code: CodeType | None = frame.f_code
            offset: int | None = frame.f_lasti
            if id(code) not in recorder.learners:
                code, offset = self._place(frame) or (None, None)
            self._code = self._code or code
            recorder.notes.append((now, _get_ident(), kind, self, code, offset, cause))
        else:
            self._spend()

    def _find_name(self) -> None:
        self._name = self._recorder.object_name(self, self.class_name)

    def _place(self, frame: FrameType | None) -> Spot | None:
        """Where the learner's code is, in the frame or in those that called it."""
        while frame is not None and not is_learners(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None:
            return None
        self._recorder.learners[id(frame.f_code)] = frame.f_code
        return frame.f_code, frame.f_lasti

    def _wait(self, timeout: float, frame: FrameType) -> bool:
        recorder = self._recorder
        track = recorder.track()
        if track is None:
            got = bool(self._real.acquire(True, timeout))
            if got and self.made_by_learner:
                self._note("acquire", _now(), frame)
            return got
        seconds = None if timeout < 0 else timeout
        code = frame.f_code
        # As below, without looking at all the frames.
        if self.made_by_learner and self._name and id(code) in recorder.learners:
            place = code, frame.f_lasti
            described = Described("blocked", "", place, self, self._name, "lock")
            got = track.wait(described, self._attempt, seconds, self.locked)
            if got and len(recorder.notes) < recorder.room:
                recorder.notes.append((_now(), _get_ident(), "acquire", self, code, place[1], self))
            if not got and len(recorder.notes) < recorder.room:
                name = f"{self.class_name}.acquire"
                recorder.notes.append(Note(_now(), track, "wake", name, "time-out", place, None))
            return got
        name, line, outermost = user_call(f"{self.class_name}.acquire")
        takes_it = outermost is None or name.endswith((".acquire", ".__enter__", ".wait", ".wait_for"))
        if self.made_by_learner and takes_it:
            if not self._name:
                self._find_name()
            # Who held it is found out in `assembly`.
            described = Described("blocked", "", line, self, self._name, "lock")
        else:
            label = blocked_in(name, queue_of(outermost), recorder)
            described = Described("blocked", label, line, None, label.removeprefix("waits for "))
            if line is not None and not track.quiet:
                recorder.note("call", name, line=line)
        self._waiters.append(track)
        try:
            got = track.wait(described, self._attempt, seconds, self.locked)
        finally:
            self._waiters.remove(track)
        cause: Any = self if self.made_by_learner else self._released  # the lock itself: whoever let it go last
        if line is not None and not track.quiet and not got:
            recorder.note("wake", name, "time-out", line)
        elif described.on != "lock" and line is not None and not track.quiet:
            recorder.note("wake", name, line=line, cause=cause)
            cause = None
        if got and self.made_by_learner:
            self._note("acquire", _now(), frame, cause)
        return got

    def release(self) -> None:
        if self.made_by_learner:
            self._let_go(_getframe(1))
            return
        if self._waiters:
            self._released = self._recorder.note_call()
        self._free()

    def __exit__(self, *_: object) -> None:
        if self.made_by_learner:
            self._let_go(_getframe(1))
        else:
            self.release()

    def _let_go(self, frame: FrameType) -> None:
        now = _now()  # before the real release: afterwards it may be somebody else's already
        self._free()
        recorder = self._recorder
        notes = recorder.notes
        if len(notes) < recorder.room:
            code = frame.f_code
            if code is self._code or (self._code and id(code) in recorder.learners):
                notes.append((now, _get_ident(), "release", self, code, frame.f_lasti, None))
            else:
                self._note("release", now, frame)
        else:
            self._spend()

    def locked(self) -> bool:
        return bool(self._real.locked())

    def _at_fork_reinit(self) -> None:
        self._real._at_fork_reinit()

    def __repr__(self) -> str:
        return repr(self._real)

    acquire_lock, release_lock, locked_lock = acquire, release, locked


class RLock(Lock):
    """A real re-entrant lock."""

    __slots__ = ("_count",)
    _make: Any = staticmethod(real.RLockType)
    _kind = "RLock"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking is not True or timeout != -1:
            real.check_timeout(blocking, timeout)
        if self._try(False):
            self._count += 1
            if self._count == 1 and self.made_by_learner:
                self._note("acquire", _now(), _getframe(1))
            return True
        if blocking and timeout != 0 and self._wait(timeout, _getframe(1)):
            self._count = 1
            return True
        return False

    __enter__ = acquire

    def release(self) -> None:
        self._let_go(_getframe(1))

    def __exit__(self, *_: object) -> None:
        self._let_go(_getframe(1))

    def _let_go(self, frame: FrameType) -> None:
        if self._real._is_owned():
            self._count -= 1
            if not self._count:
                if self.made_by_learner:
                    self._note("release", _now(), frame)
                elif self._waiters:
                    self._released = self._recorder.note_call()
        self._free()

    def locked(self) -> bool:
        return self._count > 0

    def _is_owned(self) -> bool:
        return bool(self._real._is_owned())

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> int:
        count = self._count
        for _ in range(count):
            self.release()
        if not count:
            self._real.release()  # CPython's own error
        return count

    def _acquire_restore(self, count: int) -> None:
        for _ in range(count):
            self.acquire()


class _Spent(Lock):
    """A lock of which nothing is noted any more.  It is let go by CPython's own functions, which cost the least."""

    __slots__ = ()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking is not True or timeout != -1:
            real.check_timeout(blocking, timeout)
        return self._try(False) or (bool(blocking) and timeout != 0 and self._wait(timeout, _getframe(1)))

    def __enter__(self) -> bool:  # type: ignore[override]
        return self._try(False) or self._wait(-1, _getframe(1))

    def _spend(self) -> None:
        """It is."""

    release: Any = vars(Lock)["_free"]
    __exit__: Any = vars(Lock)["_leave"]


class _SpentRLock(_Spent, RLock):  # type: ignore[misc]
    __slots__ = ()

    # The real one counts, and tells it on every version in its repr alone.

    def locked(self) -> bool:
        return repr(self._real).startswith("<locked")

    def _recursion_count(self) -> int:
        return int(repr(self._real).partition("count=")[2].split()[0]) if self._is_owned() else 0

    def _release_save(self) -> int:
        count: int = self._real._release_save()[0]
        return count


@lru_cache(maxsize=8)
def _spent(cls: Any) -> Any:
    """The class for spent locks of a class, which goes by the same name."""
    base = _SpentRLock if issubclass(cls, RLock) else _Spent
    ours = {
        name: value for name, value in {**vars(_Spent), **vars(base)}.items() if name not in ("__doc__", "__slots__")
    }
    about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls)(vars(type)["__name__"].__get__(cls), (cls,), ours | about)


Recorder.Lock, Recorder.RLock = Lock, RLock
