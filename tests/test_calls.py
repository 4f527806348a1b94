"""What a pool is asked to do, calls that others wait for, and time-outs: in the trace, in the picture and in words."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial

import pytest

import threadviz as tv
from threadviz.picture.layout import lay_out
from threadviz.trace import Call, Lane, Span, Trace

both = pytest.mark.parametrize("verb", [tv.simulate, tv.record])


class Secret:
    def __repr__(self):
        raise AssertionError("nobody may look at it")


def fetch(page, depth=1, **more):
    time.sleep(0.1)


@both
def test_pool_s_calls_are_told_as_they_would_be_written_and_nothing_of_the_learner_s_is_called_for_it(verb):
    def program():
        with ThreadPoolExecutor(1) as pool:
            pool.submit(fetch, "a")
            pool.submit(fetch, 2, depth=3)
            pool.submit(fetch, Secret(), other=Secret())
            pool.submit(partial(fetch, 1))
            pool.submit(fetch, "never").cancel()
            pool.submit(None, 3)  # called too early
            list(pool.map(lambda page: None, ["x" * 50]))

    calls = verb(program).trace.lanes[1].calls
    assert [call.what for call in calls] == [
        "fetch('a')",
        "fetch(2, depth=3)",
        "fetch(…, other=…)",
        "partial()",
        "None(3)",
        "<lambda>('xxxxxxxxxxxxxxxxxx…)",
    ]
    assert [call.start for call in calls] == sorted(call.start for call in calls)


@both
def test_bar_of_a_worker_says_which_call_it_is_in_and_words_say_so_too(verb):
    def program():
        with ThreadPoolExecutor(1, thread_name_prefix="worker") as pool:
            pool.submit(fetch, "a")
            pool.submit(fetch, "b")

    run = verb(program)
    labels = [label.text for label in lay_out(run.trace, 800).labels]
    assert "fetch('a'): sleep 0.1" in labels and "fetch('b'): sleep 0.1" in labels
    assert "worker_0 runs fetch('a'); worker_0 runs fetch('b')" in run.describe().splitlines()


def test_worker_that_waits_for_work_is_in_no_call_and_a_bar_without_a_label_says_the_call():
    spans = (Span("sleeping", 0, 1, "sleep 1"), Span("blocked", 1, 2, "waits for work"), Span("running", 2, 3))
    trace = Trace((Lane("A", spans, calls=(Call(0, "fetch('a')"), Call(2, "fetch('b')"))),), duration=3)
    picture = lay_out(trace, 700)
    texts = [label.text for label in picture.labels]
    assert {"fetch('a'): sleep 1", "waits for work", "fetch('b')"} <= set(texts)
    assert {about.thread for about in picture.about.values()} == {"A, in fetch('a')", "A", "A, in fetch('b')"}


@both
def test_calls_that_others_wait_for_and_time_outs_are_marked_and_told(verb):
    def program():
        closing, lock = threading.Event(), threading.Lock()

        def cook():
            closing.wait(0.1)
            closing.wait()

        def hold():
            with lock:
                time.sleep(0.4)

        threads = [threading.Thread(target=each) for each in (cook, hold)]
        for thread in threads:
            thread.start()
        threads[0].join(0.2)
        closing.set()
        lock.acquire(timeout=0.05)

    run = verb(program)
    picture = lay_out(run.trace, 800)
    acts = [picture.about[mark] for mark in picture.marks["act"]]
    assert [(about.thread, about.what) for about in acts] == [("MainThread", "calls Event.set")]
    over = sorted(picture.about[mark].what for mark in picture.marks["time-out"])
    assert over == ["Event.wait: time-out", "Lock.acquire: time-out", "Thread.join: time-out"]
    assert [name for name, _ in picture.legend][-2:] == ["act", "time-out"]
    told = run.describe()
    assert told.count("until its time-out") == 3 and "calls Event.set at 0.2" in told


@both
def test_time_out_of_a_future_is_told(verb):
    def program():
        with ThreadPoolExecutor(1) as pool, pytest.raises(FutureTimeout):
            pool.submit(time.sleep, 0.05).result(timeout=0.01)

    events = verb(program).trace.events
    assert [event.what for event in events if event.kind == "wake" and event.value] == ["Future.result"]


def test_piece_of_work_says_how_much_of_it_it_is():
    def crunch():
        threads = [threading.Thread(target=tv.work, args=(0.02,)) for _ in range(2)]
        for thread in threads:
            thread.start()

    labels = [label.text for label in lay_out(tv.simulate(crunch).trace, 1600).labels]
    assert "work 0.005 of 0.02" in labels
    assert "work 0.02" not in labels
    alone = [label.text for label in lay_out(tv.simulate(tv.work, 0.02).trace, 800).labels]
    assert "work 0.02" in alone


@both
def test_timer_is_told_as_one(verb):
    def program():
        threading.Timer(0.1, print, ("ring",)).start()

    (line,) = [line for line in verb(program).describe().splitlines() if line.startswith("Thread-1")]
    assert re.fullmatch(r"Thread-1: waits as a Timer, 0\.\d+ s(; .*)?", line)


def test_narrow_bar_says_the_call_rather_than_that_it_sleeps_but_what_it_waits_for_rather_than_the_call():
    calls = (Call(0, "fetch('a')"), Call(1, "fetch('b')"))
    spans = (Span("sleeping", 0, 1, "sleep 1"), Span("blocked", 1, 2, "waits for l", on="lock"), Span("running", 2, 9))
    picture = lay_out(Trace((Lane("A", spans, calls=calls),), duration=9), 900)
    texts = [label.text for label in picture.labels]
    assert "fetch('a')" in texts and "waits for l" in texts and "sleep 1" not in texts
