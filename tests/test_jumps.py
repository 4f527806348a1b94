"""Runs where nothing can look from outside, as in a browser tab: no interval timer, no other thread."""

import sys
import threading
import time

import pytest

import threadviz as tv
from threadviz import real, tab
from threadviz.stage import watchdog

from . import programs

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")


@pytest.fixture(autouse=True)
def nobody_looks_from_outside(monkeypatch):
    monkeypatch.setattr(real, "HAS_THREADS", False)
    for asks_the_page in ("can_switch", "can_ever_switch"):
        monkeypatch.setattr(tab, asks_the_page, lambda: True)
    monkeypatch.setattr(watchdog, "_setitimer", None)
    monkeypatch.setattr(watchdog, "PATIENCE", 0.3)
    yield
    watching = sys.monitoring
    assert [watching.get_tool(each) for each in range(6)].count("threadviz") == 0


def spin():
    while True:
        pass


def spin_in_a_thread():
    thread = threading.Thread(target=spin)
    thread.start()
    thread.join()


def spin_for():
    for _ in iter(int, 1):
        pass


@pytest.mark.parametrize("scenario", [spin, spin_in_a_thread, spin_for])
def test_endless_loop_is_ended(scenario):
    run = tv.simulate(scenario)
    assert isinstance(run.exception(), tv.Stuck), run.outcome
    assert threading.active_count() == 1


def test_loop_that_ends_is_left_alone():
    def count():
        total = 0
        for number in range(200_000):
            total += number
        return total

    assert tv.simulate(count).result() == sum(range(200_000))


def test_runs_are_the_same_as_ever(monkeypatch):
    runs = [str(tv.simulate(programs.race, seed=3).trace) for _ in range(2)]
    monkeypatch.undo()
    assert {*runs, str(tv.simulate(programs.race, seed=3).trace)} == {runs[0]}


def test_second_run_in_the_same_code_is_looked_at_too():
    for _ in range(2):
        assert isinstance(tv.simulate(spin).exception(), tv.Stuck)


def test_record_says_what_it_needs():
    with pytest.raises(tv.NoRealThreads, match="simulate the program here, or record it in Python on a computer"):
        tv.record(programs.race)


def test_nothing_is_looked_at_where_debuggers_have_taken_all_ids():
    watching = sys.monitoring
    for number in (3, 4):
        watching.use_tool_id(number, "other")
    try:
        assert tv.simulate(lambda: time.sleep(2)).duration == 2
    finally:
        for number in (3, 4):
            watching.free_tool_id(number)
