"""What a class costs a server: several learners who drag a slider in chapter 06 at the same time, each in a kernel.

    python -m benchmarks.classroom [LEARNERS ...]

Each moves the slider, waits for the picture, and a tenth of a second later moves it again.  Printed are the time from
a movement until its picture, the CPU time that a movement costs, and the memory of a kernel that no other shares.
"""

import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles

import nbformat

from .interact import Kernel, holds_picture

CHAPTER = Path(__file__).resolve().parents[1] / "notebooks" / "06_race_conditions.ipynb"
MOVES = 40
THINKS = 0.1  # seconds between a picture and the next movement
LEARNERS = [1, 2, 4, 8, 12, 16, 24, 32]
SLOW = 1.0  # seconds: no more learners are tried where the median picture takes longer


class Learner(Kernel):
    """A kernel that has run the first cells of the chapter, and shows its first slider."""

    def __init__(self) -> None:
        super().__init__()
        for cell in nbformat.read(CHAPTER, as_version=4).cells:
            if cell.cell_type == "code" and "tv.interact" in cell.source:
                self.execute("from IPython.display import display\nui = " + cell.source.strip() + "\ndisplay(ui)")
                break
            if cell.cell_type == "code" and "tv.predict" not in cell.source:
                self.execute(cell.source)
        self.slider = self.execute("print(ui.controls['workers'].model_id)")
        self.pid = int(self.execute("import os; print(os.getpid())"))
        self._drain()
        self.taken: list[float] = []

    def _drain(self) -> None:
        """Nothing: who drags does not wait until the picture is at rest."""

    def drag(self) -> None:
        for move in range(MOVES):
            self.taken.append(self.move(self.slider, 2 + move % 7, holds_picture))
            time.sleep(THINKS)

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory(self) -> float:
        """MB that this process has alone."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


def measure(learners: int) -> float:
    """Print the line of so many learners; the median time to a picture, in seconds."""
    kernels = [Learner() for _ in range(learners)]
    try:
        before = sum(kernel.cpu() for kernel in kernels)
        threads = [threading.Thread(target=kernel.drag) for kernel in kernels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cost = (sum(kernel.cpu() for kernel in kernels) - before) / (learners * MOVES)
        memory = median(kernel.memory() for kernel in kernels)
    finally:
        for kernel in kernels:
            kernel.close()
    taken = [each for kernel in kernels for each in kernel.taken[2:]]
    last = quantiles(taken, n=20)[-1]
    print(f"{learners:8} {median(taken) * 1e3:8.0f} ms {last * 1e3:8.0f} ms {cost * 1e3:8.1f} ms {memory:8.0f} MB")
    return median(taken)


def main(learners: list[int]) -> None:
    print("learners   median      19 of 20    CPU a move     memory")
    for number in learners:
        if measure(number) > SLOW:
            break


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or LEARNERS)
