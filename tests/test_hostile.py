"""Cells as learners write them by accident: one clear message or an outcome, and nothing of them is left."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import threadviz as tv
from threadviz.recording import lives, one_run
from threadviz.simulation import simulator, tasks
from threadviz.texts import error_text

from . import programs
from .cells import CELLS, matches
from .hurry import hurry

VERBS = {  # verb of the package -> what the table expects of it
    "simulate": lambda cell: cell.simulated,
    "record": lambda cell: cell.recorded,
}
PROBE = 1, 3 * ["returned"], str(tv.simulate(programs.race, seed=1).trace)
STOPPED = "ended by the stop button"  # what the table says of a cell that does not end by itself
FASTER = 20  # times: how recorded seconds go by


def verdict(run):
    """How the run ended, and its threads that ended with an exception."""
    error = run.exception()
    told = [run.outcome if error is None else error_text(error)]
    return " | ".join([*told, *(f"{name}: {error_text(error)}" for name, error in run.errors.items())])


def rows():
    for verb, expected in VERBS.items():
        for cell in CELLS:
            if expected(cell) is not None:
                yield pytest.param(verb, cell, expected(cell), id=f"{verb}-{cell.name}")


@pytest.fixture(autouse=True, scope="module")
def quick_collections():
    gc.collect()
    gc.freeze()  # what was there before is not looked at again and again
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def low_limits(monkeypatch, request):
    cell = request.node.callspec.params.get("cell") if hasattr(request.node, "callspec") else None
    monkeypatch.setattr("threadviz.stage.watchdog.PERSIST", 0.01)
    if cell is None or not cell.unlimited:
        monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
        for name, limit in (("MAX_EVENTS", 20_000), ("MAX_SWITCHES", 50_000), ("MAX_THREADS", 1_000)):
            monkeypatch.setattr(simulator, name, limit)
    monkeypatch.setattr(lives, "MAX_THREADS", 50)
    monkeypatch.setattr(one_run, "MAX_LINES", 20_000)
    hurry(monkeypatch, FASTER)
    monkeypatch.setattr("sys.stdin", io.StringIO())


def greenlets():
    gc.collect()
    left = [task.carrier for task in tasks.UNKILLABLE]
    return [each for each in gc.get_objects() if type(each) is tasks.Carrier and each and each not in left]


def live_threads(before):
    """The threads that were not there before."""
    deadline = time.monotonic() + 1
    while not set(threading.enumerate()) <= before and time.monotonic() < deadline:
        time.sleep(0.001)
    return [thread.name for thread in threading.enumerate() if thread not in before]


def probe():
    """What comes of two programs now, recorded and simulated."""
    recorded = tv.record(programs.lost_update)
    return (
        recorded.result(),
        [lane.ending for lane in recorded.trace.lanes],
        str(tv.simulate(programs.race, seed=1).trace),
    )


def run_cell(verb, cell):
    """What is told of the cell and, where there is one, its run."""
    try:
        run = getattr(tv, verb)(cell.scenario())
    except (Exception, KeyboardInterrupt) as error:
        return f"{verb} raises {error_text(error)}", None
    return verdict(run), run


def run_cell_until_stopped(verb, cell):
    """As `run_cell`, with the stop button pressed three times a second."""
    ended = False

    def pressed(*_):
        if not ended:
            raise KeyboardInterrupt

    gc.collect()  # a finalizer of what earlier cells left would swallow the KeyboardInterrupt
    before = signal.signal(signal.SIGINT, pressed)
    # from another process, as the code may hold the GIL
    presser = subprocess.Popen(["sh", "-c", f"while sleep 0.3; do kill -INT {os.getpid()}; done"])
    try:
        return run_cell(verb, cell)
    finally:
        ended = True
        presser.kill()
        presser.wait()
        signal.signal(signal.SIGINT, before)


@pytest.mark.many
@pytest.mark.parametrize(("verb", "cell", "expected"), list(rows()))
def test_cell_ends_as_it_should_and_leaves_nothing_behind(verb, cell, expected):
    tracers, threads = (sys.gettrace(), sys.getprofile()), set(threading.enumerate())
    left = len(tasks.UNKILLABLE)
    began = time.monotonic()
    told, run = (run_cell_until_stopped if expected == STOPPED else run_cell)(verb, cell)
    assert matches("record raises KeyboardInterrupt" if expected == STOPPED else expected, told), told
    assert time.monotonic() - began < 20
    if run is not None:
        assert run.png().startswith(b"\x89PNG")
        assert all(line.isprintable() for line in run.describe().splitlines())
        texts = tuple(line.text.strip() for line in run.log if not line.text.startswith("exception in "))
        assert cell.log is None or texts == cell.log
    assert (sys.gettrace(), sys.getprofile()) == tracers
    del run
    assert len(tasks.UNKILLABLE) - left == (cell.left if verb == "simulate" else 0)
    assert greenlets() == []
    assert live_threads(threads) == []
    assert probe() == PROBE


def test_table_names_each_cell_once():
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names) >= 60
