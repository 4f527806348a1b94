"""The model of the GIL against real threads: turns, delays of a thread that wakes up, durations."""

import threading
import time
from statistics import mean, median

import threadviz as tv

NAP = 0.0213  # seconds: no multiple of a turn, so that a sleeper wakes up somewhere in the middle of one


def crunch(threads: int = 2, work: float = 0.2) -> None:
    crunchers = [threading.Thread(target=tv.work, args=(work,)) for _ in range(threads)]
    for thread in crunchers:
        thread.start()
    for thread in crunchers:
        thread.join()


def delays(spinners: int, naps: int = 40) -> list[float]:
    """Seconds by which a thread wakes up late beside so many others that compute."""
    for _ in range(spinners):
        threading.Thread(target=tv.work, args=(4.0 / spinners,)).start()
    late = []
    for _ in range(naps):
        began = time.perf_counter()
        time.sleep(NAP)
        late.append(time.perf_counter() - began - NAP)
    return late


def turns(run: tv.Run) -> list[float]:
    """Seconds of each turn, without each thread's first and last: others may not compute yet, or no longer."""
    lasted = []
    for lane in run.trace.lanes[1:]:
        computing = [span.end - span.start for span in lane.spans if span.label.startswith("work")]
        lasted += computing[1:-1]
    return lasted


def row(what: str, model: float, real: float) -> None:
    print(f"  {what:<40} model {model * 1e3:7.1f} ms   real {real * 1e3:7.1f} ms   {real / model:5.2f} of the model")


def main() -> None:
    print("the model of the GIL against real threads: medians, and means of the delays, as real ones vary a lot")
    for threads in (2, 4):
        model, real = turns(tv.simulate(crunch, threads)), turns(tv.record(crunch, threads))
        row(f"a turn, {threads} threads that compute", median(model), median(real))
    for threads in (1, 2, 4):
        real_runs = [tv.record(crunch, threads).duration for _ in range(3)]
        row(f"duration, {threads} threads of 0.2 s", tv.simulate(crunch, threads).duration, median(real_runs))
    for spinners in (1, 2, 4):
        model, real = tv.simulate(delays, spinners).result(), delays(spinners)
        wait_for_the_others()
        row(f"delay of a wake-up, {spinners} that compute", mean(model), mean(real))
        row("  the longest of them", max(model), max(real))


def wait_for_the_others() -> None:
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


if __name__ == "__main__":
    main()
