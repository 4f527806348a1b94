"""What a trace tells of queues: how full they are, and which put each item came from."""

import queue
import threading
import time

import pytest

import threadviz as tv
from threadviz.story.causality import queue_lives

from . import programs


def sources(run):
    """For each get the number of the put, counted from 0, that its item came from."""
    events = run.trace.events
    puts = [index for index, event in enumerate(events) if event.kind == "put"]
    return [None if e.cause is None else puts.index(e.cause) for e in events if e.kind == "get"]


def depths(run):
    return [int(event.value) for event in run.trace.events if event.kind in ("put", "get")]


@pytest.mark.parametrize(
    ("kind", "items", "came_from"),
    [
        (queue.Queue, (5, 5, 7), [0, 1, 2]),
        (queue.SimpleQueue, (5, 5, 7), [0, 1, 2]),
        (queue.LifoQueue, (5, 5, 7), [2, 1, 0]),
        (queue.PriorityQueue, (9, 5, 7), [1, 2, 0]),
    ],
)
def test_each_item_is_followed_from_its_put_to_its_get(kind, items, came_from):
    def program():
        orders = getattr(queue, kind.__name__)()
        for item in items:
            orders.put(item)
        return [orders.get() for _ in items]

    run = tv.simulate(program)
    assert run.result() == [items[number] for number in came_from]
    assert sources(run) == came_from
    assert depths(run) == [1, 2, 3, 2, 1, 0]
    assert {event.what for event in run.trace.events if event.kind in ("queue", "put", "get")} == {"orders"}


def test_blocked_put_is_noted_when_the_item_goes_in_with_its_line():
    run = tv.simulate(programs.pipeline, maxsize=1, messages=3)
    (life,) = queue_lives(run.trace)
    assert (life.name, life.maxsize, life.most[1], life.hand_overs) == ("slots", 1, 1, 4)
    assert depths(run) == [1, 0] * 1 + [1, 0, 1, 0, 1, 0]
    put = programs.pipeline.__code__.co_firstlineno + 6
    lines = {event.line for event in run.trace.events if event.kind == "put"}
    assert lines == {put, put + 2}
    span = next(s for lane in run.trace.lanes for s in lane.spans if s.label == "Queue.put of slots")
    assert span.line in lines
    noted = [e.time for e in run.trace.events if e.kind == "put"]
    assert span.end in noted and span.start not in noted


class Shop:
    def __init__(self):
        self.orders = queue.Queue()


def test_queue_is_called_what_the_learner_calls_it():
    def program():
        shop, other = Shop(), Shop()
        shop.orders.put(1)
        other.orders.put(1)
        for _ in range(2):
            hidden = queue.Queue()
            hidden.put(1)
        (lambda: [].append(queue.Queue().put(1)))()

    names = [life.name for life in queue_lives(tv.simulate(program).trace)]
    assert names == ["shop.orders", "other.orders", "hidden", "hidden (2)", "queue"]


def test_own_kind_of_queue_is_followed_too():
    class Newest(queue.Queue):
        """Keeps only one item."""

        def _put(self, item):
            self.queue.clear()
            self.queue.append(item)

    def program():
        prices = Newest(3)
        prices.put(1)
        prices.put(2)
        return prices.get()

    run = tv.simulate(program)
    assert (run.result(), depths(run), sources(run)) == (2, [1, 1, 0], [1])


def test_queue_of_the_library_itself_is_not_told():
    for program in (programs.race, programs.futures):
        assert queue_lives(tv.simulate(program).trace) == ()


def test_queue_is_as_good_as_new_after_the_run():
    def program():
        both = queue.Queue(), queue.SimpleQueue()
        for each in both:
            each.put(1)
            each.put(2)
            each.get()
        return both

    run = tv.simulate(program)
    told = str(run.trace)
    plain, simple = run.result()
    assert "_put" not in vars(plain) and "_get" not in vars(plain)
    assert simple.traffic is None
    assert (plain.get(block=False), simple.get(block=False)) == (2, 2)
    assert str(run.trace) == told


def test_items_of_abandoned_threads_are_not_told_after_the_end():
    def program():
        orders = queue.Queue()

        def tick():
            try:
                time.sleep(9)
            finally:
                orders.put("late")

        threading.Thread(target=tick, daemon=True).start()
        orders.put("early")
        time.sleep(1)

    assert depths(tv.simulate(program)) == [1]


@pytest.mark.skipif(not hasattr(queue, "ShutDown"), reason="Queue.shutdown came with CPython 3.13")
def test_items_thrown_away_by_a_shutdown_are_handed_to_nobody():
    def program():
        orders = queue.Queue()
        orders.put(1)
        orders.put(2)
        threading.Thread(target=lambda: orders.shutdown(immediate=True)).start()

    run = tv.simulate(program)
    assert (depths(run), sources(run)) == ([1, 2, 1, 0], [None, None])


def test_simple_queue_refuses_a_time_out_below_zero_and_can_be_used_without_waiting():
    def program():
        orders = queue.SimpleQueue()
        orders.put_nowait("tea")
        got = orders.get_nowait(), orders.empty()
        try:
            orders.get(timeout=-1)
        except ValueError as error:
            return *got, str(error)

    assert tv.simulate(program).result() == tv.record(program).result()
    assert tv.simulate(program).result() == ("tea", True, "'timeout' must be a non-negative number")


def test_simple_queue_of_a_finished_run_has_nothing_to_wait_for():
    orders = tv.simulate(lambda: queue.SimpleQueue()).result()
    with pytest.raises(RuntimeError, match="a queue of a finished run is empty"):
        orders.get()
