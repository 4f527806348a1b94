"""CPU work: the busy loop that really computes, and what is refused."""

import threading
import time

import pytest

import threadviz as tv
from threadviz.stage import cpu

from .programs import run_all
from .refused import refused


@pytest.mark.parametrize(
    ("seconds", "kind", "message"),
    [
        (-0.5, ValueError, "work needs a number of seconds, 0 or more, not -0.5"),
        (float("nan"), ValueError, "work needs a number of seconds, 0 or more, not nan"),
        (float("inf"), ValueError, "work needs a number of seconds, 0 or more, not inf"),
        ("1", TypeError, "work needs a number of seconds, not str"),
        (None, TypeError, "work needs a number of seconds, not NoneType"),
        (True, TypeError, "work needs a number of seconds, not bool"),
    ],
)
def test_what_is_no_time_is_refused_in_one_sentence(seconds, kind, message):
    with refused(kind, message):
        tv.work(seconds)
    run = tv.simulate(lambda: tv.work(seconds))
    assert (type(run.exception()), str(run.exception())) == (kind, message)


def test_outside_a_run_it_uses_the_threads_own_cpu_time():
    before = time.thread_time()
    tv.work(0.05)
    assert 0.05 <= time.thread_time() - before < 0.25


def test_waiting_for_the_gil_uses_nothing_of_the_work():
    used = []

    def measure():
        before = time.thread_time()
        tv.work(0.05)
        used.append(time.thread_time() - before)

    run_all(*(threading.Thread(target=measure) for _ in range(2)))
    assert all(0.05 <= each < 0.25 for each in used)


def test_tick_is_called_often_with_the_real_clock():
    ticks = []
    before = time.perf_counter_ns()
    cpu.busy(0.02, ticks.append)
    after = time.perf_counter_ns()
    assert len(ticks) > 50  # 0.4 ms apart at most, on average; it is 0.02 to 0.05 ms
    assert ticks == sorted(ticks)
    assert before <= ticks[0] and ticks[-1] <= after


def test_no_work_takes_no_time_but_its_turn_among_the_trace_events():
    run = tv.simulate(lambda: tv.work(0))
    assert run.duration == 0
    assert [(event.kind, event.what) for event in run.trace.events] == [("work", "0"), ("end", "")]


def test_other_os_threads_go_on_really_computing_during_a_run():
    used = []

    def measure():
        began.acquire()
        before = time.thread_time()
        tv.work(0.02)
        used.append(time.thread_time() - before)

    def scenario():
        began_release()
        while not used:  # real time passes, the virtual clock stands still
            pass
        return time.perf_counter()

    began = threading.Lock()
    began.acquire()
    began_release = began.release
    other = threading.Thread(target=measure)
    other.start()
    assert tv.simulate(scenario).result() == 0
    other.join()
    assert 0.02 <= used[0] < 0.2
