"""record: real threads on a real clock, noted and shown as simulated ones are."""

import concurrent.futures
import contextlib
import gc
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from itertools import groupby, pairwise

import pytest

import threadviz as tv
from threadviz import real
from threadviz.recording import assembly, lives, locks, one_run, recorder
from threadviz.stage import stage

from . import programs

TICK = 0.03  # seconds, real: long against what a busy machine adds


def lane(run, name):
    return next(lane for lane in run.trace.lanes if lane.name == name)


def spans(run, name, state):
    return [span for span in lane(run, name).spans if span.state == state]


def kinds(run, kind):
    return [event for event in run.trace.events if event.kind == kind]


def test_two_sleepers_overlap_on_the_real_clock():
    def nap():
        programs.run_all(*(threading.Thread(target=time.sleep, args=(TICK,), name=name) for name in "ab"))
        return "rested"

    began = time.perf_counter()
    run = tv.record(nap)
    assert (run.result(), run.clock) == ("rested", "real")
    assert TICK <= run.duration <= time.perf_counter() - began
    assert [lane.name for lane in run.trace.lanes] == ["MainThread", "a", "b"]
    for name in "ab":
        (asleep,) = spans(run, name, "sleeping")
        assert asleep.end - asleep.start >= TICK
    assert spans(run, "b", "sleeping")[0].start < spans(run, "a", "sleeping")[0].end
    assert run.title.startswith("nap() → 'rested'   recorded, 0.0")


def test_waiter_is_shown_with_the_owner_of_the_lock_and_the_hand_over():
    def locked():
        lock, held, wanted = threading.Lock(), threading.Event(), threading.Event()

        def first():
            with lock:
                held.set()
                wanted.wait()
                time.sleep(TICK)

        def second():
            held.wait()
            wanted.set()
            with lock:
                pass

        programs.run_all(threading.Thread(target=first, name="a"), threading.Thread(target=second, name="b"))

    run = tv.record(locked)
    (wait,) = spans(run, "b", "blocked")
    assert wait.label == "waits for lock, held by a"
    assert wait.end - wait.start > TICK / 2
    (held,) = lane(run, "a").held
    assert held.lock == "lock" and held.end - held.start >= TICK
    got = [event for event in kinds(run, "acquire") if event.lane == 2]
    cause = run.trace.events[got[0].cause]
    assert (cause.kind, cause.lane, cause.what) == ("release", 1, "lock")
    assert cause.time <= got[0].time


def test_a_hundred_threads_one_after_another_have_a_lane_each():
    def one_by_one():
        idents = set()
        for number in range(100):
            thread = threading.Thread(target=lambda: idents.add(threading.get_ident()), name=f"t{number}")
            thread.start()
            thread.join()
        return len(idents)

    run = tv.record(one_by_one)
    assert run.result() < 100, "no identity was used again: the test shows nothing"
    assert [lane.name for lane in run.trace.lanes] == ["MainThread", *(f"t{n}" for n in range(100))]
    assert all(len(lane.spans) >= 1 and lane.ending == "returned" for lane in run.trace.lanes)
    assert len(kinds(run, "begin")) == len(kinds(run, "end")) - 1 == 100


def test_condition_event_semaphore_barrier_and_queue_show_their_waits():
    def meet():
        condition, event, permits = threading.Condition(), threading.Event(), threading.Semaphore(0)
        barrier, items = threading.Barrier(2), queue.Queue()

        def waiter():
            with condition:
                condition.wait()
            event.wait()
            permits.acquire()
            barrier.wait()
            items.get()

        thread = threading.Thread(target=waiter, name="waiter")
        thread.start()
        for act in (notify, lambda c: event.set(), lambda c: permits.release(), lambda c: barrier.wait(),
                    lambda c: items.put(1)):  # fmt: skip
            time.sleep(TICK)
            act(condition)
        thread.join()

    def notify(condition):
        with condition:
            condition.notify()

    run = tv.record(meet)
    assert [span.label for span in spans(run, "waiter", "blocked")] == [
        "Condition.wait",
        "Event.wait",
        "Semaphore.acquire",
        "Barrier.wait",
        "Queue.get of items",
    ]
    woken = [event for event in kinds(run, "wake") if event.lane == 1 and event.cause is not None]
    assert [run.trace.events[event.cause].what for event in woken] == [
        "Condition.notify",
        "Event.set",
        "Semaphore.release",
        "Barrier.wait",
        "Queue.put",
    ]


def test_workers_of_a_pool_wait_for_work_and_a_failing_call_is_noted():
    def pool():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(time.sleep, 0)
            time.sleep(TICK)
            executor.submit(int, "x")

    run = tv.record(pool)
    idle = [span.label for span in spans(run, "ThreadPoolExecutor-0_0", "blocked")]
    assert "waits for work" in idle
    assert [event.what for event in kinds(run, "failed")] == ["ValueError"]
    assert list(run.errors) == ["ThreadPoolExecutor-0_0"]


def test_reentrant_lock_is_held_once_from_the_first_acquire_to_the_last_release():
    def nested():
        lock = threading.RLock()
        with lock, lock:
            time.sleep(TICK)
        with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
            lock.release()

    run = tv.record(nested)
    (held,) = lane(run, "MainThread").held
    assert held.lock == "lock" and held.end - held.start >= TICK
    assert run.exception() is None


def test_exceptions_of_threads_and_of_the_scenario_are_kept():
    def fails():
        thread = threading.Thread(target=lambda: 1 / 0, name="divider")
        thread.start()
        thread.join()
        raise KeyError("main")

    run = tv.record(fails)
    assert isinstance(run.exception(), KeyError)
    assert isinstance(run.errors["divider"], ZeroDivisionError)
    assert [line.text for line in run.log] == ["exception in divider: ZeroDivisionError: division by zero"]
    assert lane(run, "divider").ending == "raised"


def test_what_threads_print_and_log_goes_into_the_log_with_their_names(capsys):
    def talk():
        thread = threading.Thread(target=print, args=("from", "a", "thread"), name="talker")
        thread.start()
        thread.join()
        print("from main")

    run = tv.record(talk)
    assert [(line.thread, line.text) for line in run.log] == [
        ("talker", "from a thread"),
        ("MainThread", "from main"),
    ]
    assert capsys.readouterr().out == ""


def test_lost_update_of_real_threads_is_found():
    run = tv.record(programs.race, 3, None, TICK)
    assert run.result() == 1
    assert "an update is lost" in run.describe()


def test_deadlock_of_real_threads_ends_by_itself_with_the_cycle():
    run = tv.record(programs.two_locks, 0.02)
    assert isinstance(run.exception(), tv.Deadlock)
    assert len(run.deadlock) == 2
    assert {wait.holder for wait in run.deadlock} == {wait.thread for wait in run.deadlock}


def test_consumer_of_an_empty_queue_is_a_deadlock():
    def hang():
        consumer = threading.Thread(target=queue.Queue().get, name="consumer")
        consumer.start()
        consumer.join()

    run = tv.record(hang)
    assert run.outcome == "deadlock"
    assert [wait.thread for wait in run.deadlock] == ["MainThread", "consumer"]


def test_a_wait_with_a_time_out_is_no_deadlock():
    def slow():
        lock = threading.Lock()
        lock.acquire()
        return lock.acquire(timeout=0.5)

    assert tv.record(slow).result() is False


@pytest.mark.parametrize("keep_busy", [lambda: time.sleep(0.01), lambda: None], ids=["sleeping", "computing"])
def test_daemon_that_would_go_on_for_ever_is_abandoned_and_ended(keep_busy):
    def forever():
        while True:
            keep_busy()

    def main():
        threading.Thread(target=forever, name="daemon", daemon=True).start()
        time.sleep(TICK)

    run = tv.record(main)
    assert lane(run, "daemon").ending == "abandoned"
    assert lane(run, "daemon").end == run.duration
    assert not [thread for thread in threading.enumerate() if thread.name == "daemon"]


def test_thread_that_outlives_the_run_is_named(monkeypatch):
    monkeypatch.setattr(lives, "GRACE", 0.05)
    end, other_end = os.pipe()

    def main():
        threading.Thread(target=os.read, args=(end, 1), name="stubborn", daemon=True).start()
        time.sleep(TICK)

    try:
        run = tv.record(main)
        assert run.trace.notes[0] == (
            "stubborn was still running when the run had ended: what it did later is not shown"
        )
    finally:
        os.write(other_end, b"x")
        for thread in threading.enumerate():
            if thread.name == "stubborn":
                thread.join()
        os.close(end)
        os.close(other_end)


def test_thread_that_catches_every_request_to_end_is_ended_all_the_same():
    def stubborn():
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(0.01)

    def main():
        threading.Thread(target=stubborn, name="stubborn", daemon=True).start()
        time.sleep(TICK)

    run = tv.record(main)
    assert lane(run, "stubborn").ending == "abandoned"
    assert [thread for thread in threading.enumerate() if thread.name == "stubborn"] == []


def test_waits_of_a_deadlock_are_those_that_made_it_and_not_those_of_its_clearing_up():
    def starve():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: pool.submit(int).result()).result()

    assert [wait.what for wait in tv.record(starve).deadlock] == ["Future.result", "Future.result"]


def test_deadlock_with_the_main_thread_names_it_as_the_holder():
    def each_other():
        thread = threading.Thread(target=threading.main_thread().join, name="child")
        thread.start()
        thread.join()

    assert {(wait.thread, wait.holder) for wait in tv.record(each_other).deadlock} == {
        ("MainThread", "child"),
        ("child", "MainThread"),
    }


def test_interrupt_raised_by_hand_is_an_exception_like_any_other():
    def leave():
        raise KeyboardInterrupt("by hand")

    assert isinstance(tv.record(leave).exception(), KeyboardInterrupt)


def test_record_does_not_import_greenlet():  # on a free-threaded build its import would switch the GIL on
    code = "import sys, threadviz; threadviz.record(lambda: 1); sys.exit('greenlet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_stop_button_comes_through_and_everything_is_put_back():
    def wait():
        event = threading.Event()
        thread = threading.Thread(target=event.wait, name="waiter", daemon=True)
        thread.start()
        threading.Timer(TICK, signal.raise_signal, (signal.SIGINT,)).start()
        event.wait(10)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tv.record(wait)
    assert signal.getsignal(signal.SIGINT) is before
    assert tv.record(lambda: 3).result() == 3


def test_lock_made_before_the_run_gives_a_note_and_no_wrong_picture():
    lock = threading.Lock()

    def use():
        with lock:
            return 1

    run = tv.record(use)
    assert run.trace.notes[0] == ("lock is a Lock made outside use(): who waited for it, and who held it, is not shown")
    assert not kinds(run, "acquire")


def test_cap_is_told_and_ends_the_picture(monkeypatch):
    monkeypatch.setattr(recorder, "MAX_NOTES", 1000)
    monkeypatch.setattr(assembly, "MAX_NOTES", 1000)

    def busy():
        lock = threading.Lock()
        for _ in range(10_000):
            with lock:
                pass
        return "done"

    run = tv.record(busy)
    assert run.result() == "done"
    assert len(run.trace.events) <= 1000
    assert run.trace.notes[0] == "only the first 1,000 notes were kept: what came after them is not shown"
    assert run.duration == run.trace.events[-1].time


def test_wait_that_lasts_longer_than_the_notes_is_drawn_to_their_end(monkeypatch):
    monkeypatch.setattr(recorder, "MAX_NOTES", 1000)
    monkeypatch.setattr(assembly, "MAX_NOTES", 1000)

    def waited_for():
        lock = threading.Lock()

        def work():
            time.sleep(0.05)
            for _ in range(10_000):
                with lock:
                    pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        for _ in range(3):
            time.sleep(0.001)

    run = tv.record(waited_for)
    main, worker = run.trace.lanes
    assert main.spans[-1].state == "blocked" and main.spans[-1].label == "Thread.join: waits for Thread-1 (work)"
    assert main.end == worker.end == run.duration
    assert (main.ending, worker.ending) == ("goes on", "goes on")
    assert "goes on after" in run.describe()


def test_arguments_of_acquire_are_checked_by_many_threads_at_once():
    errors = []

    def ask():
        try:
            for _ in range(20_000):
                real.check_timeout(False, -1)
        except RuntimeError as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert errors == []


def test_recording_says_what_it_took():
    (note,) = tv.record(lambda: None).trace.notes
    assert note.startswith("recording itself took at least ") and note.endswith(" ms")


def test_cost_of_recording_is_that_of_a_lock_in_the_learners_code(monkeypatch):
    looked = []
    monkeypatch.setattr(locks.Lock, "_place", lambda *_: looked.append(1))
    cost = one_run._overhead(1_000_000)
    assert looked == []
    assert float(cost.split()[-2]) > 0 and "e+" not in cost


def test_locks_of_a_recorded_run_work_after_it():
    def make():
        return threading.Lock(), threading.RLock(), queue.Queue(), threading.Condition()

    lock, rlock, items, condition = tv.record(make).result()
    assert lock.acquire() and not lock.acquire(blocking=False)
    lock.release()
    with rlock, condition:
        condition.wait(0.01)
    items.put(1)
    assert items.get() == 1


def test_record_refuses_what_simulate_refuses():
    with pytest.raises(TypeError, match="record needs a function to call, not int: write tv.record"):
        tv.record(3)
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        tv.record(lambda x: x)


def test_a_recorded_run_cannot_start_another_one():
    assert isinstance(tv.record(lambda: tv.record(lambda: 1)).exception(), tv.AlreadyRunning)
    assert isinstance(tv.record(lambda: tv.simulate(lambda: 1)).exception(), tv.AlreadyRunning)


@pytest.mark.parametrize("kind", ["Queue", "LifoQueue", "SimpleQueue"])
def test_depth_of_a_queue_and_the_put_of_each_item_are_noted(kind):
    def hand_over():
        items = getattr(queue, kind)()
        consumer = threading.Thread(target=lambda: [items.get() for _ in range(3)], name="consumer")
        for number in range(3):
            items.put(number)
        consumer.start()
        consumer.join()

    run = tv.record(hand_over)
    assert [(event.what, event.value) for event in kinds(run, "put")] == [("items", str(n)) for n in (1, 2, 3)]
    gets = kinds(run, "get")
    assert [event.value for event in gets] == ["2", "1", "0"]
    puts = [run.trace.events[event.cause].value for event in gets]
    assert puts == (["3", "2", "1"] if kind == "LifoQueue" else ["1", "2", "3"])


def test_a_run_whose_end_was_interrupted_does_not_refuse_the_next_one():
    def left_behind():
        manager = stage.exclusively()
        manager.__enter__()  # and its __exit__ is interrupted

    left_behind()
    assert tv.record(lambda: 3).result() == tv.simulate(lambda: 3).result() == 3


def owners(run):
    """For each wait for a lock: its lane's name, the span, and who held the lock, going by the label."""
    for lane in run.trace.lanes:
        for span in lane.spans:
            if span.on == "lock":
                yield lane.name, span, span.label.rpartition(", held by ")[2] if ", held by " in span.label else None


def busy_lock(threads=4, turns=300):
    """Locks that change hands all the time."""
    lock = threading.Lock()

    def work():
        for _ in range(turns):
            with lock:
                time.sleep(0)  # lets others run

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_every_wait_for_a_lock_that_changes_hands_all_the_time_names_who_held_it():
    run = tv.record(busy_lock, turns=3000)
    holds = sorted((held.start, held.end, lane.name) for lane in run.trace.lanes for held in lane.held)
    assert all(first[1] <= second[0] for first, second in pairwise(holds))
    starts, ends = [start for start, _, _ in holds], [end for _, end, _ in holds]
    waits = list(owners(run))
    assert len(waits) > 50
    for waiter, span, owner in waits:
        first, last = bisect_left(ends, span.start), bisect_right(starts, span.end)
        during, before = [name for _, _, name in holds[first:last]], [name for _, _, name in holds[:first][-1:]]
        # who had noted that it lets the lock go, and had not done it yet, comes last before
        holders = [name for name, _ in groupby(during or before[-1:])][: assembly.MOST_HOLDERS]
        assert owner is not None and owner.split(", then ") == holders and waiter not in holders


def slowed(lock, step, name, then=lambda: real.sleep(2 * TICK)):
    """Have thread `name` stand in a step of its lock, between the note and what is noted, until another one waits.

    It calls `then` before it goes on. Returns what to call to wait until it stands there; the recorder sees nothing of
    all this.
    """
    step_itself, stands = getattr(lock, step), real.allocate_lock()
    stands.acquire()

    def slow(*args):
        is_done = step == "_try" and step_itself(*args)
        if threading.current_thread().name == name:
            stands.release()
            deadline = time.perf_counter() + 100 * TICK
            while not any(track.waiting and track.waiting[1].on == "lock" for track in recorder.Recorder.newest.all):
                assert time.perf_counter() < deadline
                real.sleep(0.001)
            then()
        return is_done or step_itself(*args)

    setattr(lock, step, slow)
    return stands.acquire


def test_wait_for_a_lock_that_was_got_and_not_noted_yet_names_the_one_who_got_it():
    def change_hands():
        lock = threading.Lock()
        with lock:
            pass  # an owner before
        first_has_got_it = slowed(lock, "_try", "first")

        def first():
            with lock:
                time.sleep(TICK)

        thread = threading.Thread(target=first, name="first")
        thread.start()
        first_has_got_it()
        with lock:
            pass
        thread.join()

    ((_, _, owner),) = owners(tv.record(change_hands))
    assert owner == "first"


@pytest.mark.parametrize("waits_in_vain", [False, True])
def test_wait_for_a_lock_whose_release_was_noted_and_not_made_yet_names_the_one_who_holds_it(waits_in_vain):
    gave_up = real.allocate_lock()
    gave_up.acquire()

    def change_hands():
        lock = threading.Lock()
        first_lets_it_go = slowed(lock, "_free", "first", *([gave_up.acquire] if waits_in_vain else []))

        def first():
            with lock:
                pass

        thread = threading.Thread(target=first, name="first")
        thread.start()
        first_lets_it_go()
        if waits_in_vain:
            assert not lock.acquire(timeout=TICK)
            gave_up.release()
        else:
            with lock:
                pass
        thread.join()

    run = tv.record(change_hands)
    ((_, _, owner),) = owners(run)
    # whoever waits in vain does not learn whether another one got it in the meantime and has not noted that yet
    assert (run.exception(), owner) == (None, None if waits_in_vain else "first")


def test_wait_with_a_time_out_names_the_owner():
    def impatient():
        lock = threading.Lock()

        def hold():
            with lock:
                time.sleep(4 * TICK)

        thread = threading.Thread(target=hold, name="a")
        thread.start()
        time.sleep(TICK)
        got = lock.acquire(timeout=TICK)
        thread.join()
        return got

    run = tv.record(impatient)
    assert run.result() is False
    assert [owner for _, _, owner in owners(run)] == ["a"]


def test_deadlock_names_an_owner_who_had_not_noted_that_it_got_the_lock_when_the_wait_began():
    def each_other():
        left, right = threading.Lock(), threading.Lock()
        first_has_left = slowed(left, "_try", "first")

        def first():
            left.acquire()
            right.acquire()

        def second():
            right.acquire()
            first_has_left()
            left.acquire()

        for target in (first, second):
            threading.Thread(target=target, name=target.__name__).start()

    run = tv.record(each_other)
    assert {(wait.thread, wait.what, wait.holder) for wait in run.deadlock} == {
        ("first", "right", "second"),
        ("second", "left", "first"),
    }
    assert {(waiter, owner) for waiter, _, owner in owners(run)} == {("first", "second"), ("second", "first")}


def test_lock_that_a_condition_waited_for_again_is_held_and_its_next_waiter_names_the_owner():
    def meet():
        condition = threading.Condition()

        def waiter():
            with condition:
                condition.wait()
                time.sleep(2 * TICK)

        thread = threading.Thread(target=waiter, name="waiter")
        thread.start()
        time.sleep(TICK)
        with condition:
            condition.notify()
            time.sleep(TICK)
        time.sleep(TICK)
        with condition:
            pass
        thread.join()

    run = tv.record(meet)
    assert len(lane(run, "waiter").held) == 2
    assert ("MainThread", "waiter") in {(waiter, owner) for waiter, _, owner in owners(run)}


def test_thread_that_is_not_of_the_run_is_no_owner_and_hides_the_one_before():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # its thread is there before the run

        def share():
            lock = threading.Lock()
            with lock:
                pass

            def hold():
                with lock:
                    began.set()
                    time.sleep(2 * TICK)

            began = threading.Event()
            future = pool.submit(hold)
            began.wait()
            with lock:
                pass
            future.result()

        run = tv.record(share)
    assert [(waiter, owner) for waiter, _, owner in owners(run)] == [("MainThread", None)]
    (got,) = [event for event in kinds(run, "acquire")][1:]
    assert got.cause is None


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_each_function_that_uses_a_lock_has_its_own_lines(kind):
    def use():
        lock = getattr(threading, kind)()

        def one():
            with lock:
                pass

        def other():
            lock.acquire()
            lock.release()

        def waiter():
            lock.acquire(timeout=100 * TICK)
            lock.release()

        for function in (one, other, one, other):
            function()
        with lock:
            thread = threading.Thread(target=waiter, name="waiter")
            thread.start()
            time.sleep(TICK)
        thread.join()

    run = tv.record(use)
    first = use.__code__.co_firstlineno
    noted = [(event.kind, event.line - first) for event in run.trace.events if event.kind in ("acquire", "release")]
    assert noted[:4] == noted[4:8] == [("acquire", 4), ("release", 4), ("acquire", 8), ("release", 9)]
    assert noted[8:] == [("acquire", 17), ("release", 17), ("acquire", 12), ("release", 13)]
    ((_, wait, _),) = owners(run)
    assert wait.line - first == 12


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_condition_around_a_new_lock_keeps_its_name(verb):
    def scenario():
        full = threading.Condition(threading.Lock())
        with full:
            return None

    assert [held.lock for lane in verb(scenario).trace.lanes for held in lane.held] == ["full"]


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_timer_waits_under_a_public_name_and_is_what_wakes(verb):
    def scenario():
        event = threading.Event()
        threading.Timer(TICK, event.set).start()
        event.wait()

    trace = verb(scenario).trace
    assert [[span.label for span in lane.spans if span.state == "blocked"] for lane in trace.lanes] == [
        ["Event.wait"],
        ["waits as a Timer"],
    ]
    wake = next(event for event in trace.events if event.kind == "wake")
    assert wake.cause is not None
    cause = trace.events[wake.cause]
    assert (trace.lanes[cause.lane].name, cause.kind, cause.what) == ("Thread-1", "call", "Event.set")


def test_finalizer_may_put_into_the_queue_that_is_being_put_into():
    class Leaves:
        def __init__(self, slots):
            self.slots = slots
            self.circle = self

        def __del__(self):
            self.slots.put("gone")

    def program():
        slots = queue.SimpleQueue()
        limits = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for _ in range(50):
                Leaves(slots)
                slots.put("kept")
        finally:
            gc.set_threshold(*limits)
        return slots.qsize()

    assert tv.record(program).result() >= 50


def test_finalizer_in_a_thread_of_ours_that_asks_who_it_is_leaves_no_thread_behind():
    told = set()

    class Ring:
        def __init__(self):
            self.ring = self

        def __del__(self):
            told.add(threading.current_thread().name)

    def make():
        for _ in range(40):
            Ring()
            time.sleep(0.005)

    def scenario():
        threads = [threading.Thread(target=make, name="maker") for _ in range(3)]
        programs.run_all(*threads)

    often, before = gc.get_threshold(), threading.enumerate()
    gc.set_threshold(1)
    try:
        while not any(name.startswith("Dummy") for name in told):
            tv.record(scenario)
    finally:
        gc.set_threshold(*often)
    assert threading.enumerate() == before


def test_finalizer_in_the_last_steps_of_a_thread_leaves_no_thread_behind():
    class Ring:
        def __init__(self):
            self.ring = self

        def __del__(self):
            threading.current_thread()

    def scenario():
        programs.run_all(*(threading.Thread(target=Ring, name="maker") for _ in range(6)))

    often, before = gc.get_threshold(), threading.enumerate()
    gc.set_threshold(1)
    try:
        for _ in range(60):
            tv.record(scenario)
            assert threading.enumerate() == before
    finally:
        gc.set_threshold(*often)


def test_many_threads_that_start_threads_are_ended_without_an_error():
    def program():
        def start(depth):
            if depth:
                threading.Thread(target=start, args=(depth - 1,)).start()

        for _ in range(8):
            threading.Thread(target=start, args=(30,)).start()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            assert tv.record(program).exception() is None
    finally:
        sys.setswitchinterval(interval)
