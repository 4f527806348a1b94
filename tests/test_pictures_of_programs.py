"""Pictures of small programs that were drawn wrong once: what they show is what happened."""

import threading
import time

import pytest

import threadviz as tv
from threadviz.picture.layout import lay_out


def test_start_is_drawn_from_where_it_happens_however_short_the_time_before():
    def program():
        time.sleep(0.2)
        for number in range(3):
            threading.Thread(target=time.sleep, args=(8,), name=f"late-{number}").start()

    picture = lay_out(tv.simulate(program).trace, 700)
    slept = [right for left, _, right, bottom in picture.boxes["sleeping"] if bottom == picture.rows[0].bottom]
    assert len(picture.stems) == 3
    assert all(x >= slept[0] >= picture.x(0.2) for x, _ in (stem[0] for stem in picture.stems))


def test_all_wake_ups_of_a_thread_look_alike():
    def program():
        def work():
            for _ in range(14):
                time.sleep(0.5)

        threading.Thread(target=work, name="beats").start()
        threading.Thread(target=time.sleep, args=(40,), name="long").start()

    picture = lay_out(tv.simulate(program).trace, 740)
    ticks = [right - left for left, top, right, _ in picture.boxes["running"] if top == picture.rows[1].top]
    assert len(ticks) == 15  # the first step, too
    assert len({round(wide, 6) for wide in ticks[1:]}) == 1


def test_lock_that_a_condition_lets_go_while_it_waits_is_not_drawn_as_held():
    def program():
        condition = threading.Condition()

        def wait():
            time.sleep(1)
            with condition:
                condition.wait()

        threading.Thread(target=wait, name="waiter").start()

    run = tv.simulate(program)
    picture = lay_out(run.trace, 700)
    ((left, _, right, _),) = picture.held
    assert picture.x(1) < left < right < picture.dead
    assert run.outcome == "deadlock"


def test_hold_ends_where_another_thread_releases_the_lock_also_where_no_time_passes():
    def program():
        full, free = threading.Lock(), threading.Lock()
        full.acquire()

        def produce():
            for _ in range(3):
                free.acquire()
                full.release()

        def consume():
            for _ in range(3):
                full.acquire()
                free.release()

        threads = [threading.Thread(target=each, name=each.__name__) for each in (produce, consume)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for seed in (None, 1, 2, 3):
        trace = tv.simulate(program, seed=seed).trace
        picture = lay_out(trace, 1600)
        for lock in ("full", "free"):
            acquires = [k for k, event in enumerate(trace.events) if (event.kind, event.what) == ("acquire", lock)]
            releases = [k for k, event in enumerate(trace.events) if (event.kind, event.what) == ("release", lock)]
            for begin, end in zip(acquires, releases, strict=False):
                assert any(
                    left == pytest.approx(picture.at(begin)) and right == pytest.approx(picture.at(end))
                    for left, _, right, _ in picture.held
                ), (seed, lock, begin, end)


def test_threads_that_hold_a_lock_for_moments_do_not_seem_to_hold_it_side_by_side():
    def program():
        lock = threading.Lock()

        def work():
            for _ in range(500):
                with lock:
                    pass
                time.sleep(0.001)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    picture = lay_out(tv.simulate(program).trace, 700)
    whole = picture.x(0.5) - picture.x(0)
    for row in picture.rows[1:]:
        black = [right - left for left, top, right, _ in picture.held if row.bottom < top < row.bottom + 5]
        assert 0 < sum(black) < 0.4 * whole
        assert max(black) <= 3
    assert any(label.text.startswith("holds lock 4") for label in picture.labels)
