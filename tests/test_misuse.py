"""Semaphores, barriers, pools and time-outs: why a run went wrong, and look-alikes of which that must not be said."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, Queue

import pytest

import threadviz as tv
from threadviz.story.faults import faults


def together(*tasks):
    threads = [
        threading.Thread(target=task, name=name) for task, name in zip(tasks, ("Ann", "Bob", "Cid"), strict=False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Room:
    """Who is inside, noted under a lock, so that nothing but the semaphore can go wrong."""

    def __init__(self):
        self.guard, self.inside, self.most = threading.Lock(), 0, 0

    def enter(self):
        with self.guard:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self):
        with self.guard:
            self.inside -= 1


# ---- semaphores ----


def released_twice():
    permits, room = threading.Semaphore(1), Room()

    def visit():
        permits.acquire()
        room.enter()
        room.leave()
        permits.release()

    def clumsy():
        permits.acquire()
        permits.release()
        permits.release()

    together(visit, visit, clumsy)
    return room.most == 1


def released_on_both_ways_out():
    permits = threading.BoundedSemaphore(1)

    def visit():
        with permits:
            permits.release()

    together(visit)
    return True


def released_by_who_tells():
    """One starts with a permit and gets more: who releases never acquires."""
    letters, read = threading.Semaphore(1), []

    def ann():
        for _ in range(3):
            letters.acquire()
            read.append("letter")

    def bob():
        letters.release()
        letters.release()

    together(ann, bob)
    return len(read) == 2


def turnstile():
    """Of no permits at first: whoever comes through lets the next one in, and one release begins it all."""
    gate, through = threading.Semaphore(0), []

    def come():
        gate.acquire()
        through.append("one")
        gate.release()

    def opener():
        gate.release()
        gate.acquire()
        gate.release()

    together(come, opener)
    return len(through) == 2


def too_many_by_the_number():
    """It has as many permits as it was made with, which is one too many."""
    permits, room = threading.Semaphore(2), Room()

    def visit():
        with permits:
            room.enter()
            room.leave()

    together(visit, visit)
    return room.most == 1


def handed_over():
    """Ann takes it and Bob, who had it before, lets it go: never more than one permit."""
    permits, taken = threading.Semaphore(1), threading.Event()

    def ann():
        permits.acquire()
        taken.set()

    def bob():
        with permits:
            pass
        taken.wait()
        permits.release()

    together(ann, bob)
    return False


def its_own_value_error():
    permits = threading.BoundedSemaphore(1)

    def visit():
        with permits:
            raise ValueError("Semaphore released too many times, or so")

    together(visit)
    return True


# ---- barriers ----


def comes_once_more():
    start, log = threading.Barrier(2), []

    def ann():
        start.wait()
        log.append("Ann")
        start.wait()

    def bob():
        start.wait()
        log.append("Bob")

    together(ann, bob)
    return True


def never_full():
    """It has let nobody go on so far: how many it waits for is in no trace."""
    start = threading.Barrier(3)
    together(start.wait, lambda: start.wait())
    return True


def busy_elsewhere():
    """The other one may well come again, but waits for an event."""
    start, called = threading.Barrier(2), threading.Event()

    def ann():
        start.wait()
        start.wait()

    def bob():
        start.wait()
        called.wait()
        start.wait()

    together(ann, bob)
    return True


def ends_with_an_exception():
    start = threading.Barrier(2)

    def ann():
        start.wait()
        start.wait()

    def bob():
        start.wait()
        raise RuntimeError("ill")

    together(ann, bob)
    return True


# ---- pools ----


def waits_for_its_own_pool():
    with ThreadPoolExecutor(1, thread_name_prefix="cook") as pool:

        def dinner(dish):
            return pool.submit(str.upper, dish).result()

        return pool.submit(dinner, "soup").result()


def maps_in_its_own_pool():
    with ThreadPoolExecutor(1) as pool:

        def dinner():
            return list(pool.map(str.upper, ["soup", "fish"]))

        return pool.submit(dinner).result()


def waits_for_another_pool():
    with ThreadPoolExecutor(1, thread_name_prefix="cook") as cooks, ThreadPoolExecutor(1) as helpers:
        never = threading.Event()
        helpers.submit(never.wait)

        def dinner():
            return helpers.submit(str.upper, "soup").result()

        return cooks.submit(dinner).result()


def waits_for_nobodys_promise():
    """A Future of its own that nobody fulfils; each call that was submitted has begun."""
    with ThreadPoolExecutor(1) as pool:
        promise = Future()
        return pool.submit(promise.result).result()


def waits_for_an_event():
    """The only worker waits for no result: who sets the event might be anybody."""
    with ThreadPoolExecutor(1) as pool:
        ready = threading.Event()
        pool.submit(ready.wait)
        pool.submit(print)
        return pool.submit(print).result()


def cancelled_first():
    """The call that has not begun never will, as it was cancelled."""
    with ThreadPoolExecutor(1) as pool:
        go, promise = threading.Event(), Future()

        def first():
            go.wait()
            promise.result()

        begun, second = pool.submit(first), pool.submit(print)
        second.cancel()
        go.set()
        return begun.result()


# ---- time-outs ----


def nothing_comes():
    jobs = Queue()
    together(lambda: jobs.get(timeout=1))
    return True


def result_too_late():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(time.sleep, 5).result(timeout=1)


def overtaken():
    printer, got = threading.Lock(), []

    def ann():
        for _ in range(4):
            with printer:
                time.sleep(1)

    def bob():
        time.sleep(0.5)
        got.append(printer.acquire(timeout=2))

    together(ann, bob)
    return got == [True]


def held_all_the_time():
    """Nobody took it meanwhile: it was held by one for the whole wait."""
    printer, got = threading.Lock(), []

    def ann():
        with printer:
            time.sleep(4)

    def bob():
        time.sleep(0.5)
        got.append(printer.acquire(timeout=2))

    together(ann, bob)
    return got == [True]


def empty_without_a_wait():
    jobs = Queue()

    def ann():
        try:
            jobs.get(timeout=1)
        except Empty:
            jobs.get_nowait()

    together(ann)
    return True


def task_raises_a_time_out():
    """It is the call that raises TimeoutError, and nobody waited in vain."""

    def late():
        raise TimeoutError("of the call's own")

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(late).result(timeout=1)


NAMED = {
    "too many permits": [released_twice, released_on_both_ways_out],
    "missing party": [comes_once_more],
    "thread starvation": [waits_for_its_own_pool, maps_in_its_own_pool],
}
TIMED = {"time-out": [nothing_comes, result_too_late, overtaken]}
LOOK_ALIKES = {
    "too many permits": [released_by_who_tells, turnstile, too_many_by_the_number, handed_over, its_own_value_error],
    "missing party": [never_full, busy_elsewhere, ends_with_an_exception],
    "thread starvation": [
        waits_for_another_pool,
        waits_for_nobodys_promise,
        waits_for_an_event,
        cancelled_first,
    ],
}
TIMED_LOOK_ALIKES = {"time-out": [held_all_the_time, empty_without_a_wait, task_raises_a_time_out]}


def pairs(table):
    return [
        pytest.param(kind, program, id=program.__name__) for kind, programs in table.items() for program in programs
    ]


def is_right(value):
    return value is not False


def kinds(run):
    return [fault.kind for fault in faults(run.trace, True)]


@pytest.mark.parametrize(("kind", "program"), pairs(NAMED))
def test_what_went_wrong_is_named(kind, program):
    found = tv.explore(program, expect=is_right, max_runs=300)
    (first, *_) = faults(found.counterexample.trace, True)
    assert first.kind == kind
    assert first.sentence in found.describe() and first.sentence in found.counterexample.why
    assert all(0 <= index < len(found.counterexample.trace.events) for index in first.events)


@pytest.mark.parametrize(("kind", "program"), pairs(TIMED))
def test_time_out_is_named_on_the_clock(kind, program):
    assert kinds(tv.simulate(program))[0] == kind


@pytest.mark.parametrize(("kind", "program"), pairs(LOOK_ALIKES))
def test_look_alike_is_not_named(kind, program):
    found = tv.explore(program, expect=is_right, max_runs=300)
    assert found.counterexample is not None  # as it is wrong, though not in this way
    for run in [found.counterexample, *(found.example(outcome) for outcome in found.outcomes)]:
        assert kind not in kinds(run)


@pytest.mark.parametrize(("kind", "program"), pairs(TIMED_LOOK_ALIKES))
def test_look_alike_of_a_time_out_is_not_named(kind, program):
    assert kind not in kinds(tv.simulate(program))


def line(program, text, number=1):
    """The number of the line of a program that has this text, for the first or a later time."""
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = program.__code__.co_firstlineno
    return [at for at, each in enumerate(lines, 1) if at >= first and each.strip() == text][number - 1]


def test_semaphore_that_was_released_too_often_is_told_with_all_that_shows_it():
    why = tv.explore(released_twice, max_runs=300, expect=True).counterexample.why
    one, two = (line(released_twice, "permits.release()", number) for number in (2, 3))
    acquire = line(released_twice, "permits.acquire()")
    assert why == (
        f"Cid acquired permits once and released it twice (lines {one} and {two}): it had 1 permit at first and 2 "
        f"after that, and Ann (line {acquire}) and Bob (line {acquire}) were inside together"
    )


def test_bounded_semaphore_says_who_released_it_where():
    at = line(released_on_both_ways_out, "with permits:")
    why = tv.explore(released_on_both_ways_out).counterexample.why
    assert why == f"Ann released permits (line {at}) more often than it was acquired, and ends with ValueError"


def test_barrier_says_how_many_it_lets_go_on_and_who_does_not_come_again():
    again = line(comes_once_more, "start.wait()", 2)
    assert tv.explore(comes_once_more).counterexample.why.endswith(
        f"; start lets 2 threads go on together, as it has done before, and only Ann (line {again}) came again: Bob "
        "has ended, and nobody else comes"
    )


def test_pool_that_waits_for_itself_is_told_on_the_clock_too():
    at = line(waits_for_its_own_pool, "return pool.submit(str.upper, dish).result()")
    for run in (tv.simulate(waits_for_its_own_pool), tv.explore(waits_for_its_own_pool).counterexample):
        assert run.why.endswith(
            f"; the only worker of the pool waits for a result: cook_0 in dinner('soup') (line {at}); so nobody is "
            "left to begin a call that was submitted: thread starvation, the pool waits for itself"
        )


def test_wait_that_was_overtaken_again_and_again_is_told():
    at = line(overtaken, "got.append(printer.acquire(timeout=2))")
    (fault,) = faults(tv.simulate(overtaken).trace, True)
    assert fault.sentence == (
        f"Bob gave up waiting for printer (line {at}) after its time-out; Ann took it twice meanwhile"
    )
    assert not faults(tv.simulate(overtaken).trace, False)  # as a wait may well be given up


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_permits_are_noted_where_there_are_more_than_at_first(verb):
    def more_and_more():
        permits, told = threading.Semaphore(2), threading.Semaphore(0)
        told.release()
        permits.acquire()
        permits.release()
        permits.release()
        permits.release(2)

    events = verb(more_and_more).trace.events
    assert [(each.what, each.value) for each in events if each.kind == "permits"] == [
        ("permits", "3 of 2"),
        ("permits", "5 of 2"),
    ]
