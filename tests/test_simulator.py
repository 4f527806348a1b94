"""The engine: order, clock, capture, ends of all kinds."""

import concurrent.futures
import contextlib
import copy
import cProfile
import functools
import logging
import pickle
import queue
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from pathlib import Path
from threading import Lock as early_lock
from time import sleep as early_sleep

import pytest

import threadviz as tv
from threadviz.learner import code
from threadviz.picture.layout import lay_out

from . import programs
from .programs import FakeDatabase, run_all

ROOT = Path(__file__).parent.parent


def texts(run):
    return [line.text for line in run.log]


def test_first_example_logs_its_five_lines_two_seconds_apart():
    run = tv.simulate(programs.first_example)
    assert texts(run) == [
        "12:00:00: Main   : before creating thread",
        "12:00:00: Thread 1: starting",
        "12:00:00: Main   : wait for the thread to finish",
        "12:00:00: Main   : all done",
        "12:00:02: Thread 1: finishing",
    ]
    assert [line.time for line in run.log] == [0, 0, 0, 0, 2]
    assert run.log[-1].thread == "Thread-1 (thread_function)"
    assert run.duration == 2


def test_virtual_seconds_cost_no_real_ones():
    began = time.perf_counter()
    run = tv.simulate(time_passes)
    assert run.result() == (3600.0, 3600.0, 3600.0)
    assert time.perf_counter() - began < 60


def time_passes():
    before = time.time(), time.monotonic(), time.perf_counter()
    time.sleep(3600)
    return time.time() - before[0], time.monotonic() - before[1], time.perf_counter() - before[2]


def test_pool_example_runs_three_threads_side_by_side():
    run = tv.simulate(programs.pool_example)
    assert run.duration == 2
    assert [lane.name for lane in run.trace.lanes] == ["MainThread", *(f"ThreadPoolExecutor-0_{i}" for i in range(3))]


@pytest.mark.parametrize(("workers", "updates", "value"), [(2, 2, 1), (2, 40, 20), (8, 40, 5), (1, 5, 5)])
def test_race_loses_updates_every_time(workers, updates, value):
    assert {tv.simulate(programs.race, workers, updates).result() for _ in range(3)} == {value}


def test_lock_repairs_the_race_and_takes_its_time():
    run = tv.simulate(programs.no_race, 3)
    assert (run.result(), run.duration) == (3, pytest.approx(0.3))
    held = [(lane.held[0].start, lane.held[0].end) for lane in run.trace.lanes[1:]]
    assert held == [(0.0, 0.1), (0.1, 0.2), (0.2, 0.3)]
    assert {lane.held[0].lock for lane in run.trace.lanes[1:]} == {"shared._lock"}
    assert run.trace.lanes[2].spans[1].label == "waits for shared._lock, held by ThreadPoolExecutor-0_0"


def test_thread_waiting_for_a_lock_is_woken_by_its_release():
    trace = tv.simulate(programs.no_race).trace
    acquired = [event for event in trace.events if event.kind == "acquire"][1]
    release = trace.events[acquired.cause]
    assert (release.kind, release.what, trace.lanes[release.lane].name) == (
        "release",
        "shared._lock",
        "ThreadPoolExecutor-0_0",
    )


def test_deadlock_ends_the_run_with_its_cycle():
    run = tv.simulate(programs.two_locks)
    assert [(wait.thread, wait.what, wait.holder) for wait in run.deadlock] == [
        ("pay", "b", "refund"),
        ("refund", "a", "pay"),
    ]
    with pytest.raises(tv.Deadlock) as caught:
        run.result()
    first = programs.two_locks.__code__.co_firstlineno
    assert str(caught.value) == (
        f"deadlock, nobody can go on: pay waits for b, held by refund (line {first + 6}); "
        f"refund waits for a, held by pay (line {first + 12})"
    )
    assert run.outcome == "deadlock"


def test_lock_taken_twice_is_a_deadlock_with_oneself():
    def twice():
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    (wait,) = tv.simulate(twice).deadlock
    assert (wait.thread, wait.what, wait.holder) == ("MainThread", "lock", "MainThread")


def test_nobody_left_to_wake_a_getter_is_a_deadlock_without_a_cycle():
    run = tv.simulate(lambda: queue.Queue().get())
    assert str(run.exception()).startswith(
        "deadlock, nobody is left to end these waits: MainThread waits for Queue.get"
    )


def test_daemon_is_abandoned_where_it_stands_and_its_finally_is_not_seen():
    run = tv.simulate(programs.ticking_daemon)
    assert texts(run) == ["tick"] * 3
    assert run.duration == 1
    assert [lane.ending for lane in run.trace.lanes] == ["returned", "abandoned"]


def fails_when_it_is_ended():
    try:
        while True:
            time.sleep(1)
    finally:
        raise ValueError("on the way out")


def test_what_an_abandoned_daemon_raises_on_its_way_out_is_no_error_of_the_program():
    def program():
        threading.excepthook = hooked.append
        threading.Thread(target=fails_when_it_is_ended, daemon=True).start()
        time.sleep(3)

    hooked = []
    run = tv.simulate(program)
    assert (run.errors, hooked, run.outcome) == ({}, [], "None")
    assert [lane.ending for lane in run.trace.lanes] == ["returned", "abandoned"]


def test_what_threads_raise_as_a_deadlock_ends_them_is_no_error_of_the_program():
    def program():
        lock = threading.Lock()

        def wait():
            condition = threading.Condition(lock)
            with condition:
                condition.wait()  # ended, it lets go of a lock that somebody else has taken since

        def take():
            with lock:
                threading.Event().wait()

        executor = concurrent.futures.ThreadPoolExecutor(1)
        executor.submit(wait)
        threading.Thread(target=take).start()
        try:
            threading.Event().wait()
        finally:
            raise ValueError("on the way out")

    run = tv.simulate(program)
    assert (run.errors, run.outcome) == ({}, "deadlock")
    assert {lane.ending for lane in run.trace.lanes} == {"deadlocked"}


def test_what_a_thread_raises_as_an_endless_run_ends_it_does_not_come_out_of_simulate(monkeypatch):
    monkeypatch.setattr("threadviz.simulation.simulator.MAX_EVENTS", 100)

    def program():
        threading.Thread(target=fails_when_it_is_ended).start()

    run = tv.simulate(program)
    assert isinstance(run.exception(), tv.Stuck)
    assert run.errors == {}


def test_program_waits_for_threads_that_are_no_daemons():
    def leaves():
        threading.Thread(target=time.sleep, args=(5,)).start()
        return "main is done"

    run = tv.simulate(leaves)
    assert (run.result(), run.duration) == ("main is done", 5)


def test_daemon_flag_is_inherited():
    def parent():
        def child():
            threading.Thread(target=lambda: None, name="grandchild").start()
            time.sleep(9)

        threading.Thread(target=child, daemon=True).start()
        return None

    assert [lane.daemon for lane in tv.simulate(parent).trace.lanes] == [False, True, True]


def test_names_bound_early_are_simulated_too():
    def early():
        lock = early_lock()
        with lock:
            early_sleep(100)
        return type(lock)

    run = tv.simulate(early)
    assert run.duration == 100
    assert run.trace.lanes[0].held[0].lock == "lock"
    assert early_sleep is time.sleep and early_lock is threading.Lock


def test_exception_in_main_is_kept():
    run = tv.simulate(lambda: {}["missing"])
    with pytest.raises(KeyError, match="missing"):
        run.result()
    assert run.outcome == "raises KeyError: 'missing'"


def test_exception_in_a_thread_is_kept_under_its_name():
    def program():
        thread = threading.Thread(target=int, args=("x",), name="parser")
        thread.start()
        thread.join()
        return "main goes on"

    run = tv.simulate(program)
    assert run.result() == "main goes on"
    assert {name: type(error) for name, error in run.errors.items()} == {"parser": ValueError}
    assert texts(run) == ["exception in parser: ValueError: invalid literal for int() with base 10: 'x'"]


def test_exception_that_nobody_asked_a_future_for_is_found():
    def pool(ask):
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            future = executor.submit(len)
        return repr(future.exception()) if ask else None

    assert list(tv.simulate(pool, True).errors) == []
    assert {k: type(e) for k, e in tv.simulate(pool, False).errors.items()} == {"ThreadPoolExecutor-0_0": TypeError}


def test_failed_call_of_a_pool_is_told_apart_from_a_thread_that_ended_and_is_crossed_out():
    def program():
        threading.Thread(target=int, args=("x",), name="parser").start()
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(time.sleep, 1)
            executor.submit(time.sleep, -1)
            executor.submit(time.sleep, 2)

    run = tv.simulate(program)
    lines = run.describe().splitlines()
    assert "ThreadPoolExecutor-0_0: sleeps 1 s; sleeps 2 s; a call in it raises ValueError: sleep length" in lines[3]
    assert lines[-3:-1] == [
        "parser ended with ValueError: invalid literal for int() with base 10: 'x'",
        "nobody asked for the ValueError of a call in ThreadPoolExecutor-0_0: sleep length must be non-negative",
    ]
    picture = lay_out(run.trace, 700)
    (failed,) = [index for index, event in enumerate(run.trace.events) if event.kind == "failed"]
    (ended,) = [index for index, event in enumerate(run.trace.events) if event.kind == "error"]
    assert picture.marks["error"] == [
        (picture.at(ended), picture.rows[1].middle),
        (picture.at(failed), picture.rows[2].middle),
    ]


def test_idle_worker_of_a_pool_waits_for_work():
    def program():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(time.sleep, 1)
            time.sleep(3)

    words = tv.simulate(program).describe().splitlines()
    assert words[2] == "ThreadPoolExecutor-0_0: sleeps 1 s; waits for work, 2 s"


def test_call_that_is_queued_when_a_run_deadlocks_is_never_made():
    def program():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(lambda: executor.submit(time.sleep, 1).result()).result()

    run = tv.simulate(program)
    assert (run.outcome, run.duration, run.trace.seconds_in["sleeping"]) == ("deadlock", 0, 0)


def test_main_thread_can_be_joined_and_lives_until_its_last_line():
    def program():
        main = threading.current_thread()

        def last():
            print(main.is_alive())
            main.join()
            print(main.is_alive())

        threading.Thread(target=last, name="last").start()
        time.sleep(1)

    assert [str(line) for line in tv.simulate(program).log] == ["   0.000  last  True", "   1.000  last  False"]


def test_lock_that_a_thread_took_with_it_is_said_to_be_held_by_the_last_that_got_it():
    def program():
        lock = threading.Lock()

        def pay(releases):
            lock.acquire()
            time.sleep(1)
            if releases:
                lock.release()

        for name, releases in (("Ann", True), ("Bob", False), ("Cem", True)):
            threading.Thread(target=pay, args=(releases,), name=name).start()

    assert [(wait.thread, wait.holder) for wait in tv.simulate(program).deadlock] == [("Cem", "Bob")]


def test_system_exit_in_a_thread_is_silent():
    def program():
        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()

    run = tv.simulate(program)
    assert (run.errors, texts(run), run.exception()) == ({}, [], None)


def test_learners_excepthook_is_called_and_taken_off_again():
    def program():
        threading.excepthook = lambda args: print("hook saw", args.exc_type.__name__)
        thread = threading.Thread(target=int, args=("x",))
        thread.start()
        thread.join()

    assert texts(tv.simulate(program)) == ["hook saw ValueError"]


@pytest.mark.parametrize("program", [programs.endless, programs.restless])
def test_run_without_an_end_is_stuck_and_says_where(program, monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
    run = tv.simulate(program)
    with pytest.raises(tv.Stuck, match=r"in MainThread, line \d+"):
        run.result()
    assert tv.simulate(programs.race).result() == 1


def test_loop_that_swallows_everything_is_ended_too(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.1)
    monkeypatch.setattr("threadviz.stage.watchdog.PERSIST", 0.01)

    def stubborn():
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    assert isinstance(tv.simulate(stubborn).exception(), tv.Stuck)


def test_real_lock_cannot_hang_a_run(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
    from threadviz import real

    def hidden():
        lock = [real.allocate_lock]
        lock = lock[0]()
        lock.acquire()
        lock.acquire()

    assert isinstance(tv.simulate(hidden).exception(), tv.Stuck)


def test_endless_loop_outside_the_main_os_thread_is_stuck_too(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
    kept = []
    thread = threading.Thread(target=lambda: kept.append(tv.simulate(programs.endless)))
    thread.start()
    thread.join()
    assert isinstance(kept[0].exception(), tv.Stuck)


def test_stop_button_ends_a_run_and_the_next_one_works():
    import _thread

    for program in (programs.endless, programs.restless):
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            tv.simulate(program)
        timer.join()
        assert tv.simulate(programs.race).result() == 1


def test_other_os_threads_keep_the_real_clock():
    seen, go, stop = [], threading.Event(), threading.Event()

    def outsider():
        go.wait()
        while not stop.is_set():
            seen.append((time.time(), type(threading.Lock()), threading.current_thread().name))
            time.sleep(0.001)

    thread = threading.Thread(target=outsider, name="outsider")
    thread.start()
    go.set()
    real = type(threading.Lock())
    for _ in range(20):
        tv.simulate(programs.pipeline)
    stop.set()
    thread.join()
    assert {kind for _, kind, _ in seen} == {real}
    assert {name for _, _, name in seen} == {"outsider"}
    assert all(abs(now - time.time()) < 60 for now, _, _ in seen)


def test_scenario_cannot_start_another_run():
    run = tv.simulate(lambda: tv.simulate(programs.race))
    with pytest.raises(tv.AlreadyRunning, match="a scenario cannot start another run"):
        run.result()


def test_seed_shuffles_the_order_and_repeats_it():
    orders = {seed: tv.simulate(programs.shuffled, seed=seed).result() for seed in range(20)}
    assert len(set(orders.values())) == 6
    assert tv.simulate(programs.shuffled).result() == "abc"
    assert orders == {seed: tv.simulate(programs.shuffled, seed=seed).result() for seed in orders}


def test_seed_finds_the_lost_update_between_two_locked_sections():
    def check_then_act():
        lock = threading.Lock()
        account = {"money": 100}

        def withdraw():
            with lock:
                enough = account["money"] >= 100
            if enough:
                with lock:
                    account["money"] -= 100

        run_all(*(threading.Thread(target=withdraw) for _ in range(2)))
        return account["money"]

    assert tv.simulate(check_then_act).result() == 0
    assert {tv.simulate(check_then_act, seed=seed).result() for seed in range(20)} == {0, -100}


@pytest.mark.parametrize("program", programs.ALL, ids=lambda program: program.__name__)
def test_same_schedule_gives_the_same_trace_ten_times(program):
    for seed in (None, 1, 2):
        first = tv.simulate(program, seed=seed)
        for _ in range(5):
            assert str(tv.simulate(program, seed=seed).trace) == str(first.trace)
        for _ in range(5):
            again = tv.simulate(program, seed=seed, schedule=str(first.schedule))
            assert (str(again.trace), again.schedule) == (str(first.trace), first.schedule)


@pytest.mark.parametrize("program", programs.ORDERLY, ids=lambda program: program.__name__)
def test_synchronised_program_ends_the_same_in_every_order(program):
    schedules = set()
    for seed in (None, *range(30)):
        run = tv.simulate(program, seed=seed)
        assert run.outcome == programs.ORDERLY[program]
        assert str(tv.simulate(program, seed=seed, schedule=run.schedule).trace) == str(run.trace)
        schedules.add(run.schedule)
    assert len(schedules) > 5


def test_first_thread_to_run_may_be_one_that_has_not_begun():
    def program():
        for _ in range(2):
            threading.Thread(target=len, args=("",)).start()

    assert {tv.simulate(program, seed=seed).outcome for seed in range(40)} == {"None"}


def test_same_trace_in_two_processes_with_different_hash_seeds():
    code = textwrap.dedent("""
        import threadviz as tv
        from tests import programs
        for program in programs.ALL:
            for seed in (None, 1):
                run = tv.simulate(program, seed=seed)
                print(program.__name__, seed, run.describe(), run.trace, run.log, sep="\\n")
    """)
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(told) == 1 and "an update is lost" in told.pop()


def test_traces_are_those_of_every_other_interpreter():
    """The file is written from one interpreter; every interpreter must give it letter by letter."""
    told = "\n".join(f"{program.__name__}\n{tv.simulate(program, seed=3).trace}" for program in programs.ALL)
    assert told == (Path(__file__).parent / "traces_seed_3.txt").read_text(encoding="utf-8")


def test_schedule_for_other_code_is_refused():
    with pytest.raises(tv.ScheduleMismatch, match="the code is not the code it was made for"):
        tv.simulate(programs.race, 3, schedule=tv.simulate(programs.race, 8).schedule)
    with pytest.raises(tv.ScheduleMismatch, match="this run had only"):
        tv.simulate(programs.first_example, schedule="1 1 1 1 1 1 1")


@pytest.mark.parametrize("schedule", ["9", "1", "1 2 1"])
def test_schedule_that_fails_inside_a_thread_is_refused_and_is_no_error_of_that_thread(schedule):
    def program():
        def step():
            try:
                time.sleep(1)
            except BaseException as error:
                caught.append(error)

        caught = []
        run_all(threading.Thread(target=step), threading.Thread(target=step))

    with pytest.raises(tv.ScheduleMismatch, match="the code is not the code it was made for"):
        tv.simulate(program, schedule=schedule)


@pytest.mark.parametrize("threads", [200])
def test_many_threads_in_one_run(threads):
    def crowd():
        counter = []
        all_of_them = [threading.Thread(target=lambda: (time.sleep(1), counter.append(1))) for _ in range(threads)]
        for thread in all_of_them:
            thread.start()
        for thread in all_of_them:
            thread.join()
        return len(counter)

    run = tv.simulate(crowd)
    assert (run.result(), len(run.trace.lanes), run.duration) == (threads, threads + 1, 1)


def test_two_thousand_runs_leave_no_memory_behind():
    import gc
    import tracemalloc

    def rounds(count):
        for _ in range(count):
            tv.simulate(programs.race, sleep=0.01)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        rounds(50)
        before = rounds(1)
        assert rounds(2000) - before < 200_000
    finally:
        tracemalloc.stop()


def test_prints_are_kept_with_time_and_thread_and_reach_no_terminal(capsys):
    def talk():
        print("one", end=" ")
        print("line")
        time.sleep(1.5)
        print("to stderr", file=sys.stderr)
        print("unfinished", end="")

    run = tv.simulate(talk)
    assert [(line.time, line.thread, line.text) for line in run.log] == [
        (0, "MainThread", "one line"),
        (1.5, "MainThread", "to stderr"),
        (1.5, "MainThread", "unfinished"),
    ]
    assert capsys.readouterr() == ("", "")


def test_handlers_from_before_the_run_write_to_the_log(capsys):
    logger = logging.getLogger("shop")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        run = tv.simulate(lambda: logger.warning("sold out"))
        assert texts(run) == ["sold out"]
        assert handler.stream is sys.stderr
    finally:
        logger.removeHandler(handler)
    assert capsys.readouterr() == ("", "")


def test_basic_config_in_a_scenario_works_whatever_an_earlier_cell_did():
    handler = logging.StreamHandler()
    logging.root.addHandler(handler)
    try:
        assert texts(tv.simulate(programs.first_example))[0] == "12:00:00: Main   : before creating thread"
    finally:
        logging.root.removeHandler(handler)


def test_virtual_wall_clock_starts_at_noon():
    assert tv.simulate(lambda: time.strftime("%H:%M:%S")).result() == "12:00:00"


def test_random_is_seeded_and_restored():
    import random

    state = random.getstate()
    random.seed(5)
    expected = [random.random() for _ in range(2)]
    random.seed(5)
    first = random.random()
    drawn = {tv.simulate(lambda: random.random()).result() for _ in range(3)}
    assert len(drawn) == 1
    after = random.random()
    random.setstate(state)
    assert [first, after] == expected


def test_attribute_reads_and_writes_are_noted_with_values():
    trace = tv.simulate(programs.race).trace
    noted = [(trace.lanes[e.lane].name[-3:], e.kind, e.value) for e in trace.events if e.kind in ("read", "write")]
    assert noted == [
        ("ead", "write", "0"),
        ("0_0", "read", "0"),
        ("0_1", "read", "0"),
        ("0_0", "write", "1"),
        ("0_1", "write", "1"),
        ("ead", "read", "1"),
    ]
    assert "__setattr__" not in vars(FakeDatabase) and "__getattribute__" not in vars(FakeDatabase)


def test_identity_of_threads_is_virtual():
    def who():
        seen = []
        thread = threading.Thread(
            target=lambda: seen.append((threading.current_thread() is thread, threading.get_ident() == thread.ident))
        )
        thread.start()
        count = threading.active_count(), [t.name for t in threading.enumerate()]
        thread.join()
        main = threading.current_thread() is threading.main_thread(), thread.is_alive()
        return seen, count, main

    assert tv.simulate(who).result() == ([(True, True)], (1, ["MainThread"]), (True, False))


def test_thread_locals_are_one_a_thread():
    def program():
        data, seen = threading.local(), []
        data.name = "main"

        def work():
            seen.append(hasattr(data, "name"))
            data.name = "worker"

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return seen, data.name

    assert tv.simulate(program).result() == ([False], "main")


def test_what_a_thread_keeps_in_a_local_ends_with_it():
    class Connection:
        pass

    def program():
        def work():
            kept.connection = Connection()
            weakref.finalize(kept.connection, print, "closed")
            time.sleep(1)

        kept = threading.local()
        kept.own = "main's"
        run_all(threading.Thread(target=work))
        print(kept.own)

    assert texts(tv.simulate(program)) == ["closed", "main's"]


def test_join_with_a_time_out_gives_up_on_the_clock():
    def program():
        thread = threading.Thread(target=time.sleep, args=(5,))
        thread.start()
        thread.join(timeout=1)
        return time.monotonic(), thread.is_alive()

    assert tv.simulate(program).result() == (1.0, True)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda: time.sleep(-1), "sleep length must be non-negative"),
        (lambda: threading.Thread(target=len).join(), "cannot join thread before it is started"),
        (lambda: threading.current_thread().join(), "cannot join current thread"),
        (lambda: [t := threading.Thread(target=print), t.start(), t.start()], "threads can only be started once"),
        (lambda: threading.Lock().release(), "release unlocked lock"),
        (lambda: threading.RLock().release(), "cannot release un-acquired lock"),
        (lambda: threading.Lock().acquire(False, 1), "can't specify a timeout for a non-blocking call"),
        (lambda: threading.BoundedSemaphore(1).release(), "Semaphore released too many times"),
        (lambda: threading.Condition().notify(), "cannot notify on un-acquired lock"),
    ],
)
def test_errors_are_cpythons(program, message):
    with pytest.raises(Exception) as real:
        program()
    simulated = tv.simulate(program).exception()
    assert (type(simulated), str(simulated)) == (type(real.value), str(real.value))
    assert str(simulated) == message


@pytest.mark.parametrize("run", [tv.simulate, tv.record])
@pytest.mark.parametrize("make", ["threading.Lock", "threading.RLock", "queue.SimpleQueue", "threading.local"])
def test_primitives_cannot_be_copied_and_are_called_as_in_cpython(run, make):
    def program():
        value = eval(make)()
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps, lambda value: value.aquire):
            try:
                attempt(value)
            except Exception as error:
                told.append(f"{type(error).__name__}: {error}")
        return repr(type(value)), type(value).__name__, told

    told = []
    really = program()
    assert len(told) == 4
    told = []
    assert run(program).result() == really


def test_reentrant_lock_is_asked_whether_it_is_locked_only_where_cpythons_can_be():
    assert tv.simulate(lambda: hasattr(threading.RLock(), "locked")).result() is hasattr(threading.RLock(), "locked")


def test_old_names_of_functions_warn_as_in_cpython():
    def program():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answers = threading.currentThread().name, threading.activeCount()
        return answers, [str(warning.message) for warning in caught]

    answers, told = tv.simulate(program).result()
    assert answers == ("MainThread", 1)
    assert told == program()[1]


class Report:
    times = 0

    @functools.cached_property
    def total(self):
        type(self).times += 1
        time.sleep(0.01)
        return self.times


def test_cached_property_is_computed_as_often_as_in_cpython():
    def program():
        class Inner:
            times = 0

            @functools.cached_property
            def total(self):
                return Report.total.func(self)

        return [computed(Report), computed(Inner)]

    def computed(kind):
        kind.times = 0
        one = kind()
        run_all(*(threading.Thread(target=lambda: one.total) for _ in range(2)))
        return kind.times

    times = [1, 1] if sys.version_info < (3, 12) else [2, 2]  # up to CPython 3.11 it has a lock
    assert tv.simulate(program).result() == times
    assert any(program() == times for _ in range(10))  # real threads may come one after the other


@pytest.mark.parametrize("run", [tv.simulate, tv.record])
def test_lock_that_an_exit_stack_takes_is_the_learners(run):
    def program():
        first, second = threading.Lock(), threading.Lock()

        def work():
            with contextlib.ExitStack() as stack:
                for lock in (first, second):
                    stack.enter_context(lock)
                time.sleep(0.05)

        run_all(threading.Thread(target=work, name="A"), threading.Thread(target=work, name="B"))

    done = run(program)
    assert [sorted(held.lock for held in lane.held) for lane in done.trace.lanes[1:]] == [["first", "second"]] * 2
    assert "waits for first, held by A, " in done.describe()


def test_timer_event_condition_barrier_and_semaphore_keep_their_times():
    def program():
        told = []
        event = threading.Event()
        threading.Timer(1.5, event.set).start()
        told.append((event.wait(1), event.wait(1), time.monotonic()))
        barrier = threading.Barrier(3)
        times = []
        threads = [
            threading.Thread(target=lambda n=n: (time.sleep(n), barrier.wait(), times.append(time.monotonic())))
            for n in range(3)
        ]
        run_all(*threads)
        told.append(times)
        return told

    assert tv.simulate(program).result() == [(False, True, 1.5), [3.5, 3.5, 3.5]]


def test_as_completed_and_wait_follow_the_virtual_clock():
    def program():
        with concurrent.futures.ThreadPoolExecutor(3) as executor:
            futures = [executor.submit(time.sleep, seconds) for seconds in (3, 1, 2)]
            order = [futures.index(future) for future in concurrent.futures.as_completed(futures)]
            late = executor.submit(time.sleep, 5)
            done, waiting = concurrent.futures.wait([late, *futures], timeout=1)
        return order, len(done), len(waiting), time.monotonic()

    assert tv.simulate(program).result() == ([1, 2, 0], 3, 1, 8.0)


@pytest.mark.parametrize("timeout", [0, 2])
def test_as_completed_gives_up_at_the_very_instant_of_its_time_out(timeout, monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)

    def program():
        with concurrent.futures.ThreadPoolExecutor(3) as executor:
            futures = [executor.submit(time.sleep, seconds) for seconds in (3, 1)]
            try:
                return [futures.index(future) for future in concurrent.futures.as_completed(futures, timeout)]
            except TimeoutError as error:
                return str(error), round(time.monotonic(), 6)

    assert tv.simulate(program).result() == (f"{2 if not timeout else 1} (of 2) futures unfinished", timeout)


def test_pool_that_nobody_shuts_down_ends_with_the_program():
    def program():
        executor = concurrent.futures.ThreadPoolExecutor(2)
        executor.submit(time.sleep, 1)
        kept.append(executor)

    kept = []
    run = tv.simulate(program)
    assert (run.exception(), run.duration, run.deadlock) == (None, 1, None)


def test_queued_future_can_be_cancelled():
    def program():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            first, second = executor.submit(time.sleep, 1), executor.submit(time.sleep, 1)
            return first.cancel(), second.cancel()

    run = tv.simulate(program)
    assert (run.result(), run.duration) == ((False, True), 1)


def test_thread_named_as_markup_keeps_its_name():
    name = "<img src=x onerror=alert(1)>\n"

    def program():
        thread = threading.Thread(target=time.sleep, args=(1,), name=name)
        thread.start()
        thread.join()

    run = tv.simulate(program)
    assert run.trace.lanes[1].name == "<img src=x onerror=alert(1)>\\n"


@pytest.mark.parametrize(
    ("folders", "learners"),
    [
        ((".local", "lib", "python3.11", "site-packages"), False),
        (("usr", "lib", "python3", "dist-packages"), False),
        (("course", "packages"), True),
    ],
)
def test_installed_package_is_not_the_learners_wherever_pip_put_it(tmp_path, folders, learners):
    assert code.is_learners(str(tmp_path.joinpath(*folders, "module.py"))) is learners


def test_run_under_the_profiler_comes_to_its_end():
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        run = tv.simulate(programs.no_race)
    finally:
        profiler.disable()
    assert run.exception() is None and len(profiler.getstats()) > 100
