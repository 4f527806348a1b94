"""The tool that measures what chapters quote: it lists its facts, runs those that are named, and refuses others."""

import subprocess
import sys
from pathlib import Path

import measure_facts
import pytest


def test_every_fact_is_listed_with_what_it_measures(capsys):
    assert measure_facts.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(measure_facts.FACTS)
    assert all(line.endswith((".", "threadviz.", "only.")) and len(line.split()) > 5 for line in listed)


def test_database_loses_updates_and_with_its_lock_none(capsys):
    assert measure_facts.main(["database"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"Python {sys.version.split()[0]} with")
    told = {line.partition(": [")[0]: line for line in out if ": [" in line}
    assert "[40, 40, 40, 40, 40]" in told["locked_update, sleep 0.01 s, 8 workers"]
    assert len(told) == 4


def test_fact_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        measure_facts.main(["phases_of_the_moon"])
    assert "there is no fact 'phases_of_the_moon'; there are counters, freezes, " in capsys.readouterr().err


def test_tool_needs_nothing_but_the_standard_library_to_be_started():
    tool = Path(measure_facts.__file__)
    done = subprocess.run([sys.executable, "-I", "-S", tool, "--list"], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
