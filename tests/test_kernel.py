"""A real kernel runs hostile cells and is interrupted at random moments; after each it is as good as new."""

import os
import queue
import random
import time
from pathlib import Path

import pytest

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")

from .cells import CELLS, PREAMBLE  # noqa: E402 - only where there is a kernel

ROOT = Path(__file__).parent.parent
INTERRUPTS = 200
RECORDED = 4  # every so many of them fall into recorded runs
pytestmark = pytest.mark.slow

SETUP = (
    PREAMBLE
    + """
import threadviz as tv
from tests import programs
from tests.conftest import surface
from threadviz.stage import watchdog
tv_before = {key: value for key, value in surface().items() if key != "random"}
tv_probe = str(tv.simulate(programs.race, seed=1).trace)
tv_threads = threading.enumerate()
watchdog.PATIENCE = 0.3
def tv_check():
    after = surface()
    wrong = [str(key) for key, value in tv_before.items() if after.get(key) != value]
    wrong += ["probe"] * (str(tv.simulate(programs.race, seed=1).trace) != tv_probe)
    wrong += ["recorded probe"] * (tv.record(programs.lost_update).result() != 1)
    threads = [thread for thread in threading.enumerate() if thread not in tv_threads]
    # pyzmq starts a thread of its own with the first message that is longer than 64 kB, such as a long traceback
    wrong += [repr(thread) for thread in threads if not type(thread).__module__.startswith("zmq.")]
    wrong += ["SIGINT"] * (signal.getsignal(signal.SIGINT) is not tv_sigint)
    wrong += ["SIGALRM"] * (signal.getsignal(signal.SIGALRM) is not tv_sigalrm)
    return wrong
tv_sigint, tv_sigalrm = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
"""
)
NAMES = (
    "join is forgotten",
    "started twice",
    "two threads join each other",
    "lock is never released",
    "a new lock in every call",
    "recursion without end",
    "while True pass",
    "while True pass in a thread",
    "while not flag sleep 0",
    "busy wait with try lock",
    "while True in finally",
    "except pass around a deadlock",
    "finally of a daemon loops",
    "KeyboardInterrupt raised in a thread",
    "pool inside a pool starves",
    "callback that raises",
    "barrier with too few parties",
    "timer never cancelled",
    "threads that start threads without end",
    "timer that starts a timer without end",
    "time.sleep is replaced",
    "logging.basicConfig twice",
    "a million lines",
    "sys.settrace never taken off",
    "gc.collect in threads",
    "select that waits",
    "task_done forgotten",
    "os._exit in a thread",
    "Thread is deleted",
    "socket between two threads",
)


@pytest.fixture(scope="module")
def client():
    manager, client = jupyter_client.manager.start_new_kernel(
        kernel_name="python3", startup_timeout=60, cwd=str(ROOT), env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    client.manager = manager
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def ask(client, code, timeout=20):
    """The text of the value of a cell's last line, or its error."""
    reply = client.execute_interactive(
        code,
        timeout=timeout,
        store_history=False,
        output_hook=lambda message: None,
        user_expressions={"tv_told": "tv_told"},
    )["content"]
    if reply["status"] != "ok":
        return f"{reply['ename']}: {reply['evalue']}"
    told = reply["user_expressions"]["tv_told"]
    return told["data"]["text/plain"] if told["status"] == "ok" else f"{told['ename']}: {told['evalue']}"


def test_kernel_is_as_good_as_new_after_every_interrupt(client):
    assert ask(client, f"{SETUP}\ntv_told = tv_check()") == "[]"
    cells = {cell.name: cell for cell in CELLS}
    moments = random.Random(7)
    endings = []
    for number in range(INTERRUPTS):
        cell = cells[NAMES[number % len(NAMES)]]
        shown = ("describe", "png")[number % 2]
        verb = "record" if number % RECORDED == 0 else "simulate"
        # a loop, so that the interrupt falls before, into, between and after runs
        loop = f"while True:\n    tv_run = tv.{verb}(scenario)\n    tv_run.{shown}()"
        message = client.execute(
            f"{cell.source}\nprint('begun', flush=True)\n{loop}", store_history=False, stop_on_error=False
        )
        wait_until_begun(client, message)
        time.sleep(moments.choice((0.0, 0.01, 0.05)) + moments.random() * 0.1)
        client.manager.interrupt_kernel()
        endings.append(answer(client, message))
        assert ask(client, "tv_told = tv_check()") == "[]", (number, verb, cell.name)
    assert endings.count("KeyboardInterrupt") > INTERRUPTS / 2, endings


def wait_until_begun(client, message):
    """An interrupt before that would be the kernel's own, and lose the cell."""
    while True:
        told = client.get_iopub_msg(timeout=10)
        if told["parent_header"].get("msg_id") == message and told["header"]["msg_type"] == "stream":
            return


def answer(client, message):
    """How a cell ended; interrupted again where the first interrupt was the scenario's own to swallow."""
    deadline = time.monotonic() + 15
    while True:
        try:
            reply = client.get_shell_msg(timeout=3)
        except queue.Empty:
            assert time.monotonic() < deadline, "the kernel does not answer"
            client.manager.interrupt_kernel()
            continue
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"].get("ename", reply["content"]["status"])
