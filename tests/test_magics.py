"""%%simulate: any cell as a timeline."""

import contextlib
import sys
import threading
import time

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import threadviz as tv

from .refused import refused

EXAMPLE = """
import logging
import threading
import time


def thread_function(name):
    logging.info("Thread %s: starting", name)
    time.sleep(2)
    logging.info("Thread %s: finishing", name)


if __name__ == "__main__":
    format = "%(asctime)s: %(message)s"
    logging.basicConfig(format=format, level=logging.INFO, datefmt="%H:%M:%S")
    x = threading.Thread(target=thread_function, args=(1,))
    x.start()
"""


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))  # it would keep a thread
    shell.user_ns["__name__"] = "__main__"
    tv.load_ipython_extension(shell)
    yield shell
    InteractiveShell.clear_instance()


def test_pasted_example_runs_whole_and_its_log_is_printed(shell, capsys):
    run = shell.run_cell_magic("simulate", "", EXAMPLE)
    assert run.duration == 2
    assert capsys.readouterr().out.splitlines() == [
        "   0.000  Thread-1 (thread_function)  12:00:00: Thread 1: starting",
        "   2.000  Thread-1 (thread_function)  12:00:02: Thread 1: finishing",
    ]


def test_lines_are_those_of_the_cell(shell):
    run = shell.run_cell_magic("simulate", "", "import time\ntime.sleep(1)\n")
    assert [event.line for event in run.trace.events if event.kind == "sleep"] == [3]


def test_names_of_the_cell_are_there_afterwards(shell):
    shell.run_cell_magic("simulate", "", "answer = 42\n")
    assert shell.user_ns["answer"] == 42


def test_cell_that_makes_its_lock_can_be_run_again(shell):
    cell = "import threading\nlock = threading.Lock()\nwith lock:\n    print('in')\n"
    assert [len(shell.run_cell_magic("simulate", "", cell).log) for _ in range(2)] == [1, 1]


def test_lock_from_another_cell_is_refused_by_name(shell):
    shell.run_cell("import threading\nmine = threading.Lock()")
    with pytest.raises(tv.MadeOutside, match=r"mine is a Lock made outside cell\(\)"):
        shell.run_cell_magic("simulate", "", "with mine:\n    pass\n")


@pytest.mark.parametrize("magic", ["simulate", "record"])
def test_name_that_the_cell_does_not_come_to_assign_keeps_its_value(shell, magic):
    shell.user_ns |= {"keep": 7, "flag": 0, "made": 1}
    shell.run_cell_magic(magic, "", "made = 2\nif flag:\n    keep = 8\n")
    assert (shell.user_ns["keep"], shell.user_ns["made"]) == (7, 2)
    shell.user_ns["lock"] = threading.Lock()
    with contextlib.suppress(tv.MadeOutside):
        shell.run_cell_magic(magic, "", "with lock:\n    made = 3\n")
    assert shell.user_ns["made"] == (2 if magic == "simulate" else 3)


def test_error_in_the_cell_is_told_with_its_run(shell):
    run = shell.run_cell_magic("simulate", "", "1 / 0\n")
    assert run.outcome == "raises ZeroDivisionError: division by zero"


def test_seed_is_taken_from_the_line(shell):
    cell = "import random\nprint(random.random())\n"
    told = {str(shell.run_cell_magic("simulate", line, cell).log) for line in ("--seed 1", "--seed 2", "--seed 1")}
    assert len(told) == 2


def test_unknown_option_gets_one_clear_sentence(shell):
    with refused(UsageError, "%%simulate takes only --seed N or --schedule TEXT, not '--speed 3'"):
        shell.run_cell_magic("simulate", "--speed 3", "pass")


def test_failing_cell_is_run_again_by_its_own_magic(shell):
    run = shell.run_cell_magic("simulate", "--seed 3", "1 / 0\n")
    assert run.replay == "%%simulate --seed 3"
    assert run.describe().splitlines()[-1] == "to run this again: %%simulate --seed 3"
    assert shell.run_cell_magic("simulate", "", "1 / 0\n").replay == "%%simulate"


def test_cell_is_recorded_on_real_threads(shell, capsys):
    run = shell.run_cell_magic("record", "", EXAMPLE.replace("sleep(2)", "sleep(0.05)"))
    assert (run.clock, run.trace.lanes[1].name) == ("real", "Thread-1 (thread_function)")
    assert 0.05 <= run.duration < 2
    assert [line.split(": ", 1)[1] for line in capsys.readouterr().out.splitlines()] == [
        "Thread 1: starting",
        "Thread 1: finishing",
    ]
    with pytest.raises(UsageError, match=r"%%record takes no options, not '--seed 3'"):
        shell.run_cell_magic("record", "--seed 3", EXAMPLE)


@pytest.mark.parametrize("magic", ["simulate", "record"])
def test_names_that_a_cell_imports_are_the_real_ones_afterwards(shell, magic, tmp_path, monkeypatch):
    (tmp_path / "helper_of_a_cell.py").write_text("from time import sleep\nfrom threading import Lock\n")
    monkeypatch.syspath_prepend(tmp_path)
    cell = "from time import monotonic, sleep\nfrom threading import Lock, Thread\nimport helper_of_a_cell\n"
    run = shell.run_cell_magic(magic, "", cell + "sleep(0.01)\nhelper_of_a_cell.sleep(0.01)\nkept = sleep\n")
    assert run.exception() is None
    helper = sys.modules.pop("helper_of_a_cell")
    names = shell.user_ns
    assert (names["sleep"], names["kept"], names["monotonic"]) == (time.sleep, time.sleep, time.monotonic)
    assert (names["Lock"], helper.Lock, helper.sleep) == (threading.Lock, threading.Lock, time.sleep)
    assert shell.run_cell_magic("simulate", "", "before = monotonic()\nsleep(3)\nafter = monotonic()\n").duration == 3
    assert names["after"] - names["before"] == 3


@pytest.mark.parametrize("magic", ["simulate", "record"])
def test_what_an_object_of_a_cell_keeps_is_real_afterwards(shell, magic):
    shell.run_cell_magic(magic, "", "import time, threading\nkept = [time.sleep, threading.Lock]\n")
    sleep, lock = shell.user_ns["kept"]
    sleep(0.001)
    assert type(lock()) is type(threading.Lock())


RACE = """
lock = threading.Lock()
counter = 0
def add():
    global counter
    counter += step
threads = [threading.Thread(target=add) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counter
"""


def test_cell_is_explored_and_each_run_replayed_by_a_magic(shell):
    shell.run_cell("import threading\nstep = 1")
    shell.run_cell_magic("simulate", "", "lock = threading.Lock()")  # which outlives its cell
    found = shell.run_cell_magic("explore", "--expect 2", RACE)
    assert found.outcomes == {1: 4, 2: 2} and found.complete
    assert "counter" not in shell.user_ns
    line = found.counterexample.replay
    assert line.startswith("%%simulate --schedule steps ")
    again = shell.run_cell_magic("simulate", line.removeprefix("%%simulate "), RACE)
    assert again.describe() == found.counterexample.describe() and again.replay == line
    repaired = shell.run_cell_magic(
        "explore", "--expect 2", RACE.replace("    counter += ", "    with lock: counter += ")
    )
    assert repaired.outcomes == {2: 2} and repaired.complete and repaired.counterexample is None
    assert repaired.example(2).result() == 2


def test_explored_cell_without_an_outcome_and_options_that_are_none_get_one_sentence(shell):
    with refused(UsageError, "the last line of an explored cell says what came of it, such as: counter"):
        shell.run_cell_magic("explore", "", "x = 1")
    with refused(UsageError, "%%explore takes only --expect and what the last line should be worth, not '2'"):
        shell.run_cell_magic("explore", "2", RACE)
