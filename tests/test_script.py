"""The script of the chapters on producers and consumers: alone in a terminal, and as a scenario."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import threadviz as tv

SCRIPT = Path(__file__).parent.parent / "notebooks" / "producer_consumer_threading.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("producer_consumer_threading", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_script_ends_by_itself_and_loses_no_order():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    taken = [re.search(r"took order (\S+),", line).group(1) for line in lines if "took order" in line]
    cooked = [line.split()[-1] for line in lines if "cooks order" in line]
    assert len(taken) > 4 and sorted(cooked) == sorted(taken)
    assert lines[-1].endswith(f"main   : {len(taken)} orders taken, {len(taken)} cooked")
    assert sum("goes home" in line for line in lines) == 5


@pytest.mark.parametrize("seed", [None, *range(20)])
def test_every_order_of_threads_cooks_what_was_taken(script, seed):
    run = tv.simulate(script.kitchen, seed=seed)
    taken, cooked = run.result()
    assert taken == cooked > 4 and run.errors == {}
    assert 1 < run.duration < 2


@pytest.mark.parametrize(("clerks", "cooks", "room"), [(1, 1, 1), (3, 1, 1), (1, 3, 2), (4, 4, 0)])
def test_any_number_of_clerks_and_cooks_ends_with_all_orders_cooked(script, clerks, cooks, room):
    taken, cooked = tv.simulate(script.kitchen, clerks, cooks, room).result()
    assert taken == cooked > 0


def test_cooks_that_fail_leave_nobody_waiting(script):
    run = tv.simulate(script.kitchen, cooking="burnt")
    taken, cooked = run.result()
    assert taken > 4 and cooked == 0


def test_error_of_a_clerk_reaches_the_caller(script):
    run = tv.simulate(script.kitchen, taking="late")
    assert isinstance(run.exception(), TypeError)


# What the chapters have the learner change in it

WAITS = "            concurrent.futures.wait(at_the_door)\n"
SENTINELS = "            for _ in range(cooks):\n                orders.put(CLOSED)\n"


def changed(*replacements):
    text = SCRIPT.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def under_threadviz(path):
    """What it says of the script, as a reader of a terminal sees it: its exit status, log and words."""
    done = subprocess.run([sys.executable, "-m", "threadviz", str(path)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.splitlines(), done.stdout


def test_script_runs_under_threadviz():
    status, log, words = under_threadviz(SCRIPT)
    assert status == 0 and log[-1].endswith("main   : 20 orders taken, 20 cooked")
    assert "simulated, 1.5 s" in words.splitlines()[0] and "blocked in Queue.put of orders" in words
    assert "queue orders, at most 4" in words


@pytest.mark.parametrize(("room", "taken", "waits"), [(1, 17, True), (4, 20, True), (5, 20, False)])
def test_room_is_what_the_chapter_says_it_is_good_for(tmp_path, room, taken, waits):
    path = tmp_path / "room.py"
    path.write_text(changed(("ROOM = 4", f"ROOM = {room}")), encoding="utf-8")
    _, log, words = under_threadviz(path)
    assert log[-1].endswith(f"main   : {taken} orders taken, {taken} cooked")
    clerks = [line for line in words.splitlines() if line.startswith("clerk_")]
    assert clerks and any("Queue.put" in line for line in clerks) is waits


def test_one_sentinel_for_all_is_told_as_a_deadlock(tmp_path):
    path = tmp_path / "one_sentinel.py"
    path.write_text(changed((SENTINELS, "            orders.put(CLOSED)\n")), encoding="utf-8")
    status, log, words = under_threadviz(path)
    assert status == 1 and "deadlock" in words and "waits for Queue.get of orders" in log[-1]


def test_sentinels_put_too_early_lose_an_order_only_in_some_orders_of_threads(tmp_path):
    path = tmp_path / "swapped.py"
    path.write_text(changed((WAITS + SENTINELS, SENTINELS + WAITS)), encoding="utf-8")
    _, log, _ = under_threadviz(path)
    assert log[-1].endswith("main   : 20 orders taken, 20 cooked")
    module = ModuleType("swapped")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    ends = [tv.simulate(module.kitchen, 2, 1, 1, seed=seed).result() for seed in range(1, 40)]
    lost = sum(cooked < taken for taken, cooked in ends)
    assert 0 < lost < len(ends) / 2  # about a third
