"""What is different in a browser tab; run by `make test-node`, as no other Python has it."""

import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

import threadviz as tv
from threadviz import tab

from . import programs
from .explored import Box, together

pytestmark = pytest.mark.skipif(sys.platform != "emscripten", reason="make test-node runs it, in WebAssembly")
suspending = pytest.mark.skipif(not tab.can_ever_switch(), reason="this browser cannot suspend WebAssembly")
TOO_OLD = (
    r"^simulated runs need a browser that can suspend WebAssembly \(JSPI\), and this one cannot: open the course in a "
    r"newer one, such as Chrome or Edge from version 137 on, or in Python on a computer$"
)


@pytest.mark.skipif(tab.can_ever_switch(), reason="this browser can suspend WebAssembly")
@pytest.mark.parametrize("verb", [tv.simulate, tv.explore, tv.step, tv.interact])
def test_browser_that_cannot_suspend_a_stack_is_told_of_in_one_sentence(verb):
    with pytest.raises(tv.NotInThisTab, match=TOO_OLD):
        verb(programs.race)


@suspending
def test_matplotlib_that_the_site_does_not_have_is_told_of_in_one_sentence(tmp_path):
    run = tv.simulate(programs.race)
    said = (
        "^in a browser tab this needs matplotlib, which this copy of the course does not bring along: show the picture "
        r'without it, save it with a name that ends in "\.svg", or draw it in Python on a computer$'
    )
    for draw in (run.plot, run.png, lambda: run.save(tmp_path / "run.pdf")):
        with pytest.raises(tv.NotInThisTab, match=said):
            draw()
    run.save(tmp_path / "run.svg")
    assert run.on_paper() is None


@suspending
def test_package_that_the_site_has_is_loaded_when_it_is_asked_for():
    assert "micropip" not in sys.modules
    with pytest.raises(ImportError):
        import micropip
    tab.fetch("micropip")
    import micropip  # noqa: F401


@suspending
def test_notebook_shows_the_sentence_alone():
    with pytest.raises(tv.NoRealThreads) as caught:
        tv.record(programs.race)
    assert caught.value._render_traceback_() == [f"NoRealThreads: {caught.value}"]


@suspending
@pytest.mark.parametrize(
    "source, said",
    [
        ("import threading; threading.Thread(target=int).start()", "can't start new thread"),
        ("import subprocess; subprocess.run(['ls'])", "emscripten does not support processes"),
    ],
)
def test_cell_that_needs_a_thread_or_a_process_shows_one_sentence(source, said, capsys):
    shell = InteractiveShell()
    tab.explain_errors(shell)
    assert shell.run_cell(source).error_in_exec is not None
    shown = capsys.readouterr().out
    assert shown.startswith("NoRealThreads: this cell needs a real thread, a process or a server") and said in shown
    assert len(shown.splitlines()) == 1
    shell.run_cell("open('nowhere')")
    assert "FileNotFoundError" in capsys.readouterr().out


@suspending
def test_thousands_of_runs_are_explored_in_one_kernel():
    def four():
        box = Box()
        together(box.add, box.add, box.add, box.add)
        return box.value

    runs = 0
    while runs < 2000:
        found = tv.explore(four)
        assert found.complete and found.runs == 576  # as on the desktop
        runs += found.runs
