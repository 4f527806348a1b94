"""A slider's movement until its picture, over a real kernel connection: tv.interact against the plain way.

The plain way is `ipywidgets.interact` and pyplot drawing the same spans with `barh`.  Both run in one kernel, which
gets the messages that a front-end sends when a slider moves; the clock stops when the new picture comes back.
"""

import queue
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from jupyter_client.manager import KernelManager, start_new_kernel

SETUP = """
import asyncio, threading, time
import ipywidgets, matplotlib
matplotlib.use("module://matplotlib_inline.backend_inline")
import matplotlib.pyplot as plt
import threadviz as tv
from benchmarks.simulate import race

def busy(sleep=0.1):
    def work(n):
        for turn in range(50):
            time.sleep(sleep * (1 + (n + turn) % 3))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

COLOURS = {"running": "#0072B2", "ready": "#33BBEE", "sleeping": "#DDDDDD", "blocked": "#CC79A7"}
HATCHES = {"blocked": "...."}

def plain(scenario):
    def draw(**values):
        trace = tv.simulate(scenario, **values).trace
        fig, ax = plt.subplots(figsize=(9, 1 + 0.5 * len(trace.lanes)))
        for row, lane in enumerate(trace.lanes):
            for state in COLOURS:
                spans = [span for span in lane.spans if span.state == state]
                ax.barh([row] * len(spans), [span.end - span.start for span in spans],
                        left=[span.start for span in spans], color=COLOURS[state], hatch=HATCHES.get(state),
                        edgecolor="black")
        ax.set_yticks(range(len(trace.lanes)), [lane.name for lane in trace.lanes])
        ax.invert_yaxis()
        plt.show()
    return draw
"""
CASES = {
    "race, 2 to 14 workers, each new": ("race", "workers", "(1, 14)", [*range(2, 15)]),
    "race, 7 or 9 workers in turn": ("race", "workers", "(1, 9)", [7, 9] * 7),
    "8 lanes x 50 spans": ("busy", "sleep", "(0.0, 0.5, 0.05)", [0.2, 0.3] * 7),
}


class Kernel:
    """A kernel, and the slider in it that is moved."""

    def __init__(self) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        self.execute(SETUP)

    def execute(self, code: str) -> str:
        self.client.execute_interactive(code, output_hook=lambda message: self._collect(message), timeout=60)
        return self._text

    _text = ""

    def _collect(self, message: dict[str, Any]) -> None:
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        if message["msg_type"] == "stream":
            self._text = message["content"]["text"].strip()

    def move(self, comm: str, value: object, is_picture: Callable[[dict[str, Any]], bool]) -> float:
        """Seconds, real, from the slider's message to the picture's."""
        content = {"comm_id": comm, "data": {"method": "update", "state": {"value": value}, "buffer_paths": []}}
        began = time.perf_counter()
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if is_picture(message):
                taken = time.perf_counter() - began
                self._drain()
                return taken

    def _drain(self) -> None:
        time.sleep(0.4)  # until the picture is at rest, too
        while True:
            try:
                self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                return

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def holds_picture(message: dict[str, Any]) -> bool:
    """A display with a PNG (the plain way), or a widget's state with SVG in it (ours)."""
    content = message["content"]
    if message["msg_type"] == "display_data":
        return "image/png" in content["data"]
    if message["msg_type"] != "comm_msg":
        return False
    state = content["data"].get("state", {})
    if state.get("face", {}).get("svg"):
        return True
    outputs = state.get("outputs", ())
    return any("image/png" in output.get("data", {}) for output in outputs)


def measure(kernel: Kernel, ui: str, comm: str, values: list[object]) -> float:
    kernel.execute(ui)
    identity = kernel.execute(f"print({comm})")
    kernel._drain()
    taken = [kernel.move(identity, value, holds_picture) for value in values]
    return median(taken[2:])


def main() -> None:
    kernel = Kernel()
    try:
        print("a slider's movement until its picture, over a kernel connection, medians")
        for name, (scenario, key, control, values) in CASES.items():
            ours = measure(
                kernel,
                f"ui = tv.interact({scenario}, {key}={control}); display(ui)",
                f"ui.controls[{key!r}].model_id",
                values,
            )
            plain = measure(
                kernel,
                f"ui = ipywidgets.interactive(plain({scenario}), {key}={control}); display(ui)",
                "ui.children[0].model_id",
                values,
            )
            print(f"  {name:<32} ipywidgets + pyplot {plain * 1e3:7.1f} ms   tv.interact {ours * 1e3:7.1f} ms   "
                  f"{plain / ours:5.1f} x faster")  # fmt: skip
    finally:
        kernel.close()


if __name__ == "__main__":
    main()
