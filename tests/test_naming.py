"""What locks and threads are called, so that no two of them have the same name."""

import threading
import time
from collections import defaultdict, deque

import pytest

import threadviz as tv

VERBS = pytest.mark.parametrize("verb", [tv.simulate, tv.record])


class Account:
    def __init__(self):
        self.lock = threading.Lock()


def together(*bodies, **options):
    threads = [threading.Thread(target=body, **options) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def transfer(source, target):
    with source.lock:
        time.sleep(0.3)  # long enough for the other thread, on a busy machine, too
        with target.lock:
            pass


def held(run):
    return [[each.lock for each in lane.held] for lane in run.trace.lanes[1:]]


@VERBS
def test_locks_of_two_objects_have_two_names_in_a_deadlock(verb):
    def bank():
        accounts = [Account(), Account()]
        together(lambda: transfer(*accounts), lambda: transfer(*accounts[::-1]))

    run = verb(bank)
    assert run.outcome == "deadlock"
    assert held(run) == [["accounts[0].lock"], ["accounts[1].lock"]]
    assert [wait.what for wait in run.trace.waits[1:]] == ["accounts[1].lock", "accounts[0].lock"]


@VERBS
def test_locks_that_share_a_name_are_numbered(verb):
    def each_its_own():
        def work():
            lock = threading.Lock()
            for _ in range(2):
                with lock:
                    time.sleep(0.01)

        together(work, work, work)

    assert held(verb(each_its_own)) == [["lock"] * 2, ["lock (2)"] * 2, ["lock (3)"] * 2]


@VERBS
@pytest.mark.parametrize(
    ("make", "take", "name"),
    [
        (lambda: [[threading.Lock()], [threading.Lock()]], lambda shelf: shelf[1][0], "shelf[1][0]"),
        (lambda: defaultdict(threading.Lock), lambda shelf: shelf["a"], "shelf['a']"),
        (lambda: {Account(): threading.Lock()}, lambda shelf: next(iter(shelf.values())), "shelf[…]"),
        (lambda: deque([Account()]), lambda shelf: shelf[0].lock, "shelf[0].lock"),
        (lambda: [[[threading.Lock()]]], lambda shelf: shelf[0][0][0], "Lock"),
    ],
)
def test_lock_is_found_where_it_is_kept(verb, make, take, name):
    def scenario():
        shelf = make()
        with take(shelf):
            pass

    run = verb(scenario)
    assert [each.lock for each in run.trace.lanes[0].held] == [name]


@VERBS
def test_threads_of_the_same_name_are_told_apart(verb):
    def work(first, second):
        with first:
            time.sleep(0.05)
            with second:
                pass

    def two():
        a, b = threading.Lock(), threading.Lock()
        together(lambda: work(a, b), lambda: work(b, a), name="worker")

    run = verb(two)
    assert [lane.name for lane in run.trace.lanes] == ["MainThread", "worker", "worker (2)"]
    waits = {wait.thread: (wait.what, wait.holder) for wait in run.trace.waits}
    assert waits["worker"] == ("b", "worker (2)") and waits["worker (2)"] == ("a", "worker")
    told = dict(line.split(": ", 1) for line in run.describe().splitlines()[1:4])
    for name in ("worker", "worker (2)"):
        what, holder = waits[name]
        assert f"waits for {what}, held by {holder}, for ever" in told[name]


@VERBS
def test_errors_of_threads_of_the_same_name_belong_to_their_lanes(verb):
    def fail():
        raise ValueError("no")

    run = verb(lambda: together(fail, fail, name="worker"))
    assert list(run.errors) == ["worker", "worker (2)"]
    assert [line.text for line in run.log] == [
        "exception in worker: ValueError: no", "exception in worker (2): ValueError: no"
    ]  # fmt: skip


@VERBS
def test_wait_names_all_who_held_the_lock_meanwhile(verb):
    def three():
        lock = threading.Lock()

        def work(number):
            time.sleep(0.02 * number)
            with lock:
                time.sleep(0.1)

        together(*(lambda number=number: work(number) for number in range(3)))

    run = verb(three)
    first, second, _ = (lane.name for lane in run.trace.lanes[1:])
    waited = next(span for span in run.trace.lanes[3].spans if span.on == "lock")
    assert waited.label == f"waits for lock, held by {first}, then {second}"


def test_numbered_name_is_not_taken_twice():
    def program():
        for name in ("w", "w (2)", "w", "w"):
            threading.Thread(target=time.sleep, args=(1,), name=name).start()

    assert [lane.name for lane in tv.simulate(program).trace.lanes[1:]] == ["w", "w (2)", "w (3)", "w (4)"]
