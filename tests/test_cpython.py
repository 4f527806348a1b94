"""CPython's own tests of locks, conditions, events, semaphores, barriers and queues, each run as a scenario."""

import importlib.util
import queue
import sys
import threading
import unittest
from importlib.util import find_spec
from pathlib import Path

import pytest

import threadviz as tv
from threadviz.simulation import simulator

pytest.importorskip("test.lock_tests", reason="this interpreter comes without CPython's own tests")


def as_learners(name, folder):
    """CPython's module `test.<name>`, loaded from a copy, so that it is learner's code like any other."""
    path = folder / f"copy_of_{name}.py"
    path.write_text(Path(find_spec(f"test.{name}").origin).read_text(encoding="utf-8"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def lock_cases(module):
    """The cases as CPython's test_threading makes them from lock_tests."""

    def case(base, **types):
        return type(base.__name__, (base,), {name: staticmethod(made) for name, made in types.items()})

    return {
        "Lock": case(module.LockTests, locktype=lambda: threading.Lock()),
        "PyRLock": case(module.RLockTests, locktype=lambda: threading._PyRLock()),
        "RLock": case(module.RLockTests, locktype=lambda: threading.RLock()),
        "ConditionAsRLock": case(module.RLockTests, locktype=lambda: threading.Condition()),
        "Condition": case(module.ConditionTests, condtype=lambda *args: threading.Condition(*args)),
        "Event": case(module.EventTests, eventtype=lambda: threading.Event()),
        "Semaphore": case(module.SemaphoreTests, semtype=lambda *args, **kw: threading.Semaphore(*args, **kw)),
        "BoundedSemaphore": case(
            module.BoundedSemaphoreTests, semtype=lambda *args, **kw: threading.BoundedSemaphore(*args, **kw)
        ),
        "Barrier": case(module.BarrierTests, barriertype=lambda *args, **kw: threading.Barrier(*args, **kw)),
    }


def queue_cases(module):
    cases = {}
    for name, found in vars(module).items():
        if (
            isinstance(found, type)
            and issubclass(found, unittest.TestCase)
            and unittest.TestLoader().getTestCaseNames(found)
        ):
            found.queue = queue  # not a fresh copy of the module, whose own clock nobody could know of
            if hasattr(found, "type2test") and not isinstance(found.type2test, str):
                found.type2test = getattr(queue, found.type2test.__name__, found.type2test)
            cases[name] = found
    return cases


def collect(tmp):
    found = []
    seen = set()
    for label, case in {
        **lock_cases(as_learners("lock_tests", tmp)),
        **queue_cases(as_learners("test_queue", tmp)),
    }.items():
        for method in unittest.TestLoader().getTestCaseNames(case):
            if label[0] in "C" and (f"Py{label[1:]}", method) in seen:  # one simulated queue stands for both
                continue
            seen.add((label, method))
            if "fork" not in method and (label, method) != (
                "ConditionAsRLock",
                "test_recursion_count",
            ):  # CPython skips it
                found.append(pytest.param(case, method, id=f"{label}-{method}"))
    return found


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        folder = metafunc.config._tmp_path_factory.mktemp("cpython")
        metafunc.parametrize(("case", "method"), collect(folder))


def test_cpythons_own_test_passes_as_a_scenario(case, method, monkeypatch):
    monkeypatch.setattr(simulator, "MAX_EVENTS", 2_000_000)  # two of them poll a million times, and do end
    monkeypatch.setattr(simulator, "MAX_SWITCHES", 10_000_000)
    result = unittest.TestResult()
    run = tv.simulate(lambda: case(method).run(result))
    assert run.exception() is None, run.describe()
    told = [text for _, text in (*result.errors, *result.failures)]
    assert not told, told[0]
    assert result.testsRun == 1
