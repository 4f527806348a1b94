"""The examples of docs/ run: that of testing.md is a test that passes, and fails without its lock."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def run_example(tmp_path, change=lambda text: text):
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "testing.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "test_account.py"
    path.write_text(change(example), encoding="utf-8")
    names = {"__name__": "test_account", "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    names["test_no_payment_is_lost"]()


def test_example_holds(tmp_path):
    run_example(tmp_path)


def test_example_without_its_lock_fails_with_the_story(tmp_path):
    with pytest.raises(AssertionError, match="an update is lost") as caught:
        run_example(tmp_path, lambda text: text.replace("with self._lock:", "if True:"))
    assert "tv.simulate(pay_twice, schedule='steps " in str(caught.value)


def test_program_for_chapter_16_is_explored_to_its_end_and_goes_wrong(tmp_path, capsys):
    text = (DOCS / "teaching.md").read_text(encoding="utf-8")
    (example,) = [each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "tv.explore" in each]
    path = tmp_path / "votes.py"
    path.write_text("import threading\n\nimport threadviz as tv\n\n\n" + example, encoding="utf-8")
    names = {"__name__": "votes", "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    assert names["found"].complete
    assert "an update is lost" in capsys.readouterr().out
