"""Reads and writes of the learner's objects, however their classes keep attributes."""

import threading

import pytest

import threadviz as tv


class Slotted:
    __slots__ = ("lock", "value")

    def __init__(self, lock=None):
        self.lock = lock
        self.value = 0

    @property
    def val(self):
        return self.value

    def update(self):
        with self.lock:
            self.value = self.value + 1


class Both(Slotted):
    pass


@pytest.mark.parametrize("cls", [Slotted, Both])
def test_slots_are_attributes_like_any_other(cls):
    def program():
        counter = cls(threading.Lock())
        counter.update()
        return counter.val

    run = tv.simulate(program)
    name = cls.__name__
    assert run.result() == 1
    accesses = [(e.kind, e.what, e.value) for e in run.trace.events if e.kind in ("read", "write")]
    assert [each for each in accesses if "lock" not in each[1]] == [
        ("write", f"{name}.value", "0"),
        ("read", f"{name}.value", "0"),
        ("write", f"{name}.value", "1"),
        ("read", f"{name}.value", "1"),
    ]
    assert [held.lock for held in run.trace.lanes[0].held] == ["counter.lock"]


@pytest.mark.parametrize("cls", [Slotted, Both])
def test_lock_made_outside_is_found_in_a_slot(cls):
    shared = cls(threading.Lock())
    with pytest.raises(tv.MadeOutside, match=r"^shared\.lock is a Lock made outside"):
        tv.simulate(lambda: shared.update())


def test_accesses_are_noted_up_to_a_limit_that_the_trace_tells(monkeypatch):
    monkeypatch.setattr("threadviz.stage.notes.MAX_ACCESSES", 3)

    def program():
        counter = Both()
        for _ in range(5):
            counter.value = 1

    trace = tv.simulate(program).trace
    assert sum(event.kind == "write" for event in trace.events) == 3
    assert trace.notes == ("only the first 3 reads and writes were noted",)
