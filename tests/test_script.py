"""The script of the chapters on producers and consumers: alone in a terminal, and as a scenario."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

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
