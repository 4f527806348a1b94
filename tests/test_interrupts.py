"""Interrupts that come while matplotlib is imported for the first picture."""

import signal
import subprocess
import sys
import threading

import pytest

from threadviz import interrupts

INTERRUPTED_IMPORT = """
import signal, sys
import threadviz as tv

class Finder:
    asked = 0
    def find_spec(self, name, path=None, target=None):
        # Parts of numpy that it imports from its C code and from Python, each of them only once in a process
        if name in ("matplotlib", "numpy._core._multiarray_umath", "matplotlib.colors"):
            Finder.asked += 1
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
run = tv.simulate(lambda: None)
try:
    run.png()
except KeyboardInterrupt:
    print("interrupted", Finder.asked, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(run.png()[:4] == b"\\x89PNG")
"""


def test_interrupt_of_the_first_picture_comes_when_matplotlib_is_whole():
    told = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, timeout=120)
    assert told.stdout.split() == ["interrupted", "3", "True", "True"], told.stderr


def test_interrupt_comes_at_the_end_of_the_block_and_once():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_error_of_the_block_comes_out():
    with pytest.raises(ImportError), interrupts.held_back():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handler_is_left_alone_where_no_interrupt_comes():
    seen = []

    def look():
        with interrupts.held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
