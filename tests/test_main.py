"""python -m threadviz: any script as a timeline, run in child processes as a user would."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from threadviz.__main__ import main

ROOT = Path(__file__).parent.parent
SLEEPERS = """
    import logging, sys, threading, time
    from concurrent.futures import ThreadPoolExecutor

    lock = threading.Lock()


    def beat():
        while True:
            time.sleep(0.45)
            print("beat")


    def work(n):
        with lock:
            time.sleep(1)
        return n * n


    if __name__ == "__main__":
        threading.Thread(target=beat, daemon=True).start()
        with ThreadPoolExecutor(2) as pool:
            print(list(pool.map(work, range(2))))
"""


def write(path, source):
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return path


def call(folder, *words, **environment):
    """What `python -m threadviz` prints on both streams, and its exit status."""
    command = [sys.executable, "-m", "threadviz", *map(str, words)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def test_script_is_told_in_words_after_what_it_printed(tmp_path):
    write(tmp_path / "sleepers.py", SLEEPERS)
    done = call(tmp_path, "sleepers.py")
    lines = done.stdout.splitlines()
    assert lines[:6] == ["beat"] * 4 + ["[0, 1]", "sleepers.py()   simulated, 2 s"]
    assert "Thread-1 (beat): 4 times (sleeps 0.45 s (line 10)); sleeps 0.2 s (line 10); abandoned at 2 s" in done.stdout
    assert lines[-1].startswith("in all: ") and lines[-1].endswith("duration 2 s (virtual seconds)")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("name", "magic"), [("run.png", b"\x89PNG"), ("run.svg", b"<svg"), ("run.pdf", b"%PDF"), ("run.json", b'{"trace')]
)
def test_picture_goes_to_the_file_and_only_the_prints_are_shown(tmp_path, name, magic):
    write(tmp_path / "sleepers.py", SLEEPERS)
    done = call(tmp_path, "sleepers.py", "-o", name)
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert (done.stdout.split(), done.stderr, done.returncode) == (["beat"] * 4 + ["[0,", "1]"], f"saved {name}\n", 0)


def test_script_stands_where_a_program_stands(tmp_path):
    folder = tmp_path / "öffnen"
    folder.mkdir()
    write(folder / "neighbour.py", "import threading\nlock = threading.Lock()\nword = 'grüß → dich'\n")
    write(
        folder / "schön.py",
        """
        import sys, threading
        import __main__
        from neighbour import lock, word
        with lock:
            print(word, sys.argv, __name__, __main__.word == word)
        print(sys.path[0] == __file__.rpartition("/")[0], __package__, __spec__, threading.current_thread().name)
        """,
    )
    done = call(tmp_path, "öffnen/schön.py", "ä", "-o", "mine", "--record")
    assert done.stderr == ""
    assert done.stdout.splitlines()[:3] == [
        "grüß → dich ['öffnen/schön.py', 'ä', '-o', 'mine', '--record'] __main__ True",
        "True None None MainThread",
        "schön.py('ä', '-o', 'mine', '--record')   simulated, 0 s",
    ]


def test_stream_that_cannot_take_a_character_gets_an_escape(tmp_path):
    write(tmp_path / "→.py", "print('→')\n")
    done = call(tmp_path, "→.py", PYTHONIOENCODING="ascii")
    assert done.stdout.splitlines()[:2] == ["\\u2192", "\\u2192.py()   simulated, 0 s"]


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [("3", 3, ""), ("", 0, ""), ("0", 0, ""), ("'no such table'", 1, "no such table\n")],
)
def test_exit_status_is_that_of_the_script(tmp_path, capfd, ending, status, message):
    script = write(tmp_path / "ends.py", f"import sys\nprint('so far')\nsys.exit({ending})\n")
    assert main([str(script)]) == status
    captured = capfd.readouterr()
    assert (captured.out.splitlines()[0], captured.err) == ("so far", message)


def test_exit_status_reaches_the_shell(tmp_path):
    write(tmp_path / "ends.py", "import sys\nsys.exit(3)\n")
    assert call(tmp_path, "ends.py", "-o", "x.png").returncode == 3
    assert (tmp_path / "x.png").exists()


def test_exceptions_go_to_stderr_as_python_prints_them(tmp_path):
    script = write(
        tmp_path / "fails.py",
        """
        import threading

        def fail():
            raise LookupError("no such row")

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        print("half way")
        raise ValueError("ännd")
        """,
    )
    done = call(tmp_path, "fails.py")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == ["half way", "fails.py() → raises ValueError: ännd   simulated, 0 s"]
    assert lines[-1] == "to run this again: python -m threadviz fails.py"
    by_thread, _, by_main = done.stderr.partition("LookupError: no such row\n")
    assert by_thread.startswith("Exception in Thread-1 (fail):\nTraceback (most recent call last):\n")
    assert f'File "{script}", line 5, in fail\n    raise LookupError("no such row")\n' in by_thread
    assert by_main == (
        f'Traceback (most recent call last):\n  File "{script}", line 11, in <module>\n'
        '    raise ValueError("ännd")\nValueError: ännd\n'
    )


def test_update_that_the_script_loses_is_told(tmp_path):
    write(
        tmp_path / "race.py",
        """
        import threading, time

        class Database:
            def __init__(self):
                self.value = 0

            def update(self):
                copy = self.value
                time.sleep(0.1)
                self.value = copy + 1

        database = Database()
        threads = [threading.Thread(target=database.update, name=name) for name in "AB"]
        for thread in threads:
            thread.start()
        """,
    )
    done = call(tmp_path, "race.py")
    assert "B writes 1 over A's 1, which it had not seen: an update is lost\n" in done.stdout


def test_deadlock_ends_with_a_message_and_its_picture(tmp_path):
    write(tmp_path / "hangs.py", "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n")
    done = call(tmp_path, "hangs.py", "-o", "x.json")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("python -m threadviz: deadlock, nobody can go on: MainThread waits for lock")
    assert "deadlock" in json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["otherData"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["-o", "x.png", "SCRIPT", "1"], ["1"]),
        (["SCRIPT", "-o", "x.png", "1", "-o", "y"], ["1", "-o", "y"]),
        (["SCRIPT", "-ox.png", "--", "-o", "y"], ["-o", "y"]),
        (["-o", "x.png", "--", "SCRIPT", "--", "--", "-h"], ["--", "-h"]),
        (["-o", "y.gif", "SCRIPT", "-o", "x.png"], []),
    ],
)
def test_what_follows_our_options_belongs_to_the_script(tmp_path, monkeypatch, capfd, words, arguments):
    monkeypatch.chdir(tmp_path)
    script = write(tmp_path / "shows.py", "import sys\nprint(sys.argv[1:])\n")
    assert main([str(script) if word == "SCRIPT" else word for word in words]) == 0
    assert capfd.readouterr().out == f"{arguments}\n"
    assert (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.py"], "there is no file 'none.py'"),
        (["."], "'.' is a folder: name a Python file in it"),
        (["text.txt"], "'text.txt' is not Python: invalid syntax (line 2)"),
        (["picture.png"], "'picture.png' is not Python: "),
        (["good.py", "-o", "x.gif"], "cannot save 'x.gif': the name must end in .png, .svg, .pdf or .json"),
        (["good.py", "-o", "none/x.png"], "cannot save 'none/x.png': there is no folder 'none'"),
    ],
)
def test_what_cannot_be_run_gets_one_clear_sentence(tmp_path, monkeypatch, capfd, words, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.py", "print('ran')\n")
    write(tmp_path / "text.txt", "\nno Python at all\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert main(words) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"python -m threadviz: {message}") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: script"),
        (["--speed", "good.py"], "unrecognized arguments: --speed"),
        (["good.py", "-o"], "argument -o: expected one argument"),
    ],
)
def test_unknown_or_missing_word_is_refused(capfd, words, message):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"python -m threadviz: error: {message}"


def test_picture_that_cannot_be_written_is_told(tmp_path, capfd):
    script = write(tmp_path / "good.py", "print('ran')\n")
    (tmp_path / "x.json").mkdir()
    assert main([str(script), "-o", str(tmp_path / "x.json")]) == 2
    assert capfd.readouterr() == (
        "ran\n", f"python -m threadviz: cannot save '{tmp_path}/x.json': Is a directory\n"
    )  # fmt: skip


def test_interpreter_is_left_as_it_was(tmp_path, capfd):
    script = write(tmp_path / "changes.py", "import sys\nsys.argv.clear()\nsys.path.clear()\n1 / 0\n")
    before = sys.modules["__main__"], sys.argv, sys.argv[:], sys.path, sys.path[:]
    assert main([str(script)]) == 1
    assert (sys.modules["__main__"], sys.argv, sys.argv[:], sys.path, sys.path[:]) == before
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_recorded_script_runs_in_real_time(tmp_path):
    write(tmp_path / "sleepers.py", SLEEPERS)
    done = call(tmp_path, "sleepers.py", "--record", "-o", "x.json")
    assert (done.stdout.splitlines()[-1], done.stderr, done.returncode) == ("[0, 1]", "saved x.json\n", 0)
    about = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["otherData"]
    assert about["clock"] == "real" and 1.9 < about["seconds"] < 30


def test_what_a_script_does_at_its_exit_comes_before_the_words(tmp_path):
    write(
        tmp_path / "tidy.py",
        """
        import atexit, weakref
        class Kept: pass
        kept = Kept()
        weakref.finalize(kept, print, "finalized")
        atexit.register(print, "goodbye")
        print("working")
        """,
    )
    done = call(tmp_path, "tidy.py")
    assert done.stdout.splitlines()[:2] == ["working", "goodbye"]
    assert done.stdout.splitlines().index("finalized") < done.stdout.splitlines().index("tidy.py()   simulated, 0 s")


def test_what_a_script_writes_to_stderr_stays_there(tmp_path):
    write(tmp_path / "both.py", "import logging, sys\nprint('out')\nlogging.error('logged')\nsys.stderr.write('err')\n")
    done = call(tmp_path, "both.py", "-o", "x.json")
    assert (done.stdout, done.stderr) == ("out\n", "ERROR:root:logged\nerr\nsaved x.json\n")


def test_prompt_is_seen_before_the_answer(tmp_path):
    write(tmp_path / "asks.py", "name = input('who? ')\nprint('hello', name)\n")
    done = subprocess.run(
        [sys.executable, "-m", "threadviz", "asks.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="Ann\n",
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("who? hello Ann\n")


def test_traceback_has_pythons_suggestion_and_no_frame_of_ours(tmp_path):
    write(
        tmp_path / "slips.py",
        "import threading\nt = threading.Thread()\ntry:\n    t.join()\nfinally:\n    t.isAlive()\n",
    )
    told = call(tmp_path, "slips.py").stderr
    assert told.rstrip().endswith("Did you mean: 'is_alive'?")
    assert "cannot join thread before it is started" in told and "During handling" in told
    assert f"{os.sep}threadviz{os.sep}" not in told


def test_exception_that_a_pool_keeps_is_as_silent_as_ever(tmp_path):
    write(
        tmp_path / "unasked.py",
        """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor() as pool:
            pool.submit(int, "x")
        """,
    )
    done = call(tmp_path, "unasked.py")
    assert done.stderr == "" and "nobody asked for the ValueError of a call" in done.stdout


def test_global_variable_that_two_threads_change_is_seen_and_others_are_not_told_of(tmp_path, capfd):
    script = write(
        tmp_path / "counts.py",
        """
        import threading, time
        count, names, alone = 0, ["a", "b"], 0
        def add():
            global count
            seen = count
            time.sleep(0.1)
            count = seen + 1
        threads = [threading.Thread(target=add, name=name) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
            alone += 1
        """,
    )
    assert main([str(script)]) == 0
    out = capfd.readouterr().out
    assert "an update is lost" in out and "count" in out and "alone" not in out and "not shown" not in out
