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
    assert trace.notes == ("only the first 3 reads and writes of attributes were noted",)


counted = 0


def add_globally():
    global counted
    counted += 1


def add_in_a_closure():
    count = 0

    def add():
        nonlocal count
        count += 1

    adder = threading.Thread(target=add)
    adder.start()
    adder.join()


def add_in_an_outer_lambda():
    return [last := number for number in range(3)], (lambda: (counted, last))()


GLOBAL = "counted is a global variable: its reads and writes are not shown, and all runs share its value"
OUTER = "count is a variable of an outer function: its reads and writes are not shown"


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize(
    ("scenario", "notes"),
    [(add_globally, [GLOBAL]), (add_in_a_closure, [OUTER]), (add_in_an_outer_lambda, [])],
)
def test_variables_whose_changes_are_not_seen_are_named(verb, scenario, notes):
    run = verb(scenario)
    assert run.exception() is None
    assert [note for note in run.trace.notes if "are not shown" in note] == notes


def test_global_variable_that_only_a_called_method_changes_is_named():
    class Adder:
        def __call__(self):
            add_globally()

    assert list(tv.simulate(Adder()).trace.notes) == [GLOBAL]
