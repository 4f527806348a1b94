"""Kinds of programs that learners' books and questions hold, each as a small one of our own."""

import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import threadviz as tv
from tests.test_main import call, write
from threadviz.learner import places
from threadviz.picture import bars
from threadviz.picture.holds import holdings
from threadviz.picture.ruler import Ruler
from threadviz.recording.sampling import Look, cut, split
from threadviz.trace import Call, Lane, Span

VERBS = pytest.mark.parametrize("verb", [tv.simulate, tv.record])
OPTIONS = pytest.mark.parametrize("options", [[], ["--record"]], ids=["simulated", "recorded"])


def together(*bodies):
    threads = [threading.Thread(target=body, name=f"user-{number}") for number, body in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def waits(run):
    """What each wait for a lock was called."""
    return [
        span.label for lane in run.trace.lanes for span in lane.spans if span.state == "blocked" and span.on == "lock"
    ]


# ---- names and lines ----------------------------------------------------------------------------------------------


class Registry:
    guards = {}

    class Inner:
        pass

    def use(self):
        with self.guard:
            time.sleep(0.05)


class Derived(Registry):
    pass


@VERBS
@pytest.mark.parametrize(
    ("owner", "user", "name"),
    [
        (Registry, Registry, "Registry.guard"),
        (Registry, Derived, "Registry.guard"),
        (Derived, Derived, "Derived.guard"),
    ],
)
def test_lock_of_a_class_is_called_as_the_learner_calls_it(verb, owner, user, name):
    def scenario():
        owner.guard = threading.Lock()
        try:
            users = [user(), user()]
            together(users[0].use, users[1].use)
        finally:
            del owner.guard

    assert waits(verb(scenario)) == [f"waits for {name}, held by user-0"]


@VERBS
def test_lock_that_only_a_condition_knows_goes_by_its_name(verb):
    def scenario():
        ready, done = threading.Condition(threading.Lock()), threading.Condition()

        def use():
            for each in (ready, done):
                each.acquire()
                time.sleep(0.05)
                each.release()

        together(use, use)

    run = verb(scenario)
    assert waits(run)[0] == "waits for ready, held by user-0"
    assert [[held.lock for held in lane.held] for lane in run.trace.lanes[1:]] == [["ready", "done"]] * 2


@VERBS
def test_lock_under_two_conditions_goes_by_its_own_name(verb):
    def scenario():
        mutex = threading.Lock()
        full, empty = threading.Condition(mutex), threading.Condition(mutex)

        def use(which):
            with which:
                time.sleep(0.05)

        together(lambda: use(full), lambda: use(empty))

    assert waits(verb(scenario)) == ["waits for mutex, held by user-0"]


@VERBS
def test_lock_that_a_condition_makes_and_nobody_can_name_is_told_as_a_condition(verb):
    def scenario():
        made = threading.Condition().acquire
        assert made()

    assert [held.lock for held in verb(scenario).trace.lanes[0].held] == ["Condition"]


@VERBS
def test_wait_for_a_queue_names_the_queue(verb):
    def scenario():
        jobs, done = queue.Queue(), queue.SimpleQueue()

        def work():
            done.put(jobs.get())
            jobs.get()

        threading.Thread(target=work, name="worker").start()
        time.sleep(0.05)
        jobs.put(1)
        time.sleep(0.05)
        done.get()
        done.get()

    run = verb(scenario)
    assert [wait.what for wait in run.trace.waits] == ["SimpleQueue.get of done", "Queue.get of jobs"]
    assert "worker waits for Queue.get of jobs" in run.describe()


@OPTIONS
def test_line_of_another_file_is_told_with_the_name_of_the_file(tmp_path, options):
    write(
        tmp_path / "helper.py", "import time\n\n\ndef nap(box):\n    time.sleep(0.05)\n    box.append(1)\n    1 / 0\n"
    )
    source = """
    import threading
    from helper import nap
    box = []
    thread = threading.Thread(target=nap, args=(box,), name="sleeper")
    thread.start()
    thread.join()
    """
    write(tmp_path / "script.py", source)
    told = call(tmp_path, *options, "script.py").stdout
    assert "(line 5 of helper.py)" in told and "(line 5)" not in told
    assert "waits for sleeper" in told and "(line 7)" in told


# ---- signals, and what CPython ties to the OS thread ---------------------------------------------------------------

SCRIPTS = {
    "interrupt_main is caught by main": """
        import _thread, threading, time
        threading.Timer(0.05, _thread.interrupt_main).start()
        try:
            while True:
                time.sleep(0.02)
        except KeyboardInterrupt:
            print("stopping")
        => stopping
        """,
    "an interrupt ends a wait for a lock, and the lock is free to be taken later": """
        import os, signal, threading, time
        lock = threading.Lock()
        def work():
            with lock:
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.02)
        try:
            lock.acquire()
        except KeyboardInterrupt:
            print("no longer waiting", lock.locked())
        thread.join()
        print(lock.acquire())
        => no longer waiting True
        => True
        """,
    "a handler runs in the main thread, which then waits on": """
        import os, signal, threading, time
        def handle(number, frame):
            print("handled in", threading.current_thread().name, frame is not None)
        signal.signal(signal.SIGUSR1, handle)
        began = time.monotonic()
        sender = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1), name="sender")
        threading.Timer(0.1, sender.start).start()
        time.sleep(0.3)
        print("slept", round(time.monotonic() - began, 1), signal.getsignal(signal.SIGUSR1) is handle)
        => handled in MainThread True
        => slept 0.3 True
        """,
    "a handler ends what main waits for": """
        import os, signal, threading
        stop = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: stop.set())
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        print(stop.wait(20))
        => True
        """,
    "SystemExit of a handler ends main": """
        import os, signal, sys, threading, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        try:
            time.sleep(20)
        finally:
            print("cleaned up in", threading.current_thread().name)
        => cleaned up in MainThread
        """,
    "an exception raised from outside ends a thread": """
        import ctypes, threading, time
        def work():
            try:
                for _ in range(50):
                    time.sleep(0.02)
            except SystemExit:
                print("killed")
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.05)
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        print(raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)))
        thread.join()
        print(raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)))
        => 1
        => killed
        => 0
        """,
    "frames of other threads are theirs": """
        import sys, threading, time
        def nap():
            time.sleep(1)
        def wait():
            thread.join()
        thread, waiter = threading.Thread(target=nap), threading.Thread(target=wait)
        thread.start()
        waiter.start()
        time.sleep(0.05)
        frames = sys._current_frames()
        print(frames[thread.ident].f_code.co_name, frames[threading.main_thread().ident].f_code.co_name)
        frame = frames[waiter.ident]
        while frame.f_code.co_name != "wait":
            assert "threadviz" not in frame.f_code.co_filename
            frame = frame.f_back
        print(frame.f_lineno)
        => nap <module>
        => 6
        """,
    "a trace function is that of its own thread": """
        import sys, threading, time
        def trace(frame, event, arg):
            if ended:
                raise SystemExit
            return trace
        def work():
            sys.settrace(trace)
            while True:
                nap()
        def nap():
            time.sleep(0.02)
        ended, thread = False, threading.Thread(target=work)
        thread.start()
        time.sleep(0.05)
        print(sys.gettrace())
        ended = True
        thread.join()
        nap()
        print("ended")
        => None
        => ended
        """,
    "a connection of sqlite3 and its cursors belong to one thread": """
        import sqlite3, threading
        connection = sqlite3.connect(":memory:")
        shared = sqlite3.connect(":memory:", check_same_thread=False)
        cursor = connection.execute("create table t (x)")
        def use():
            for each in (connection, connection.cursor, cursor, shared):
                try:
                    print(getattr(each, "execute", each)("select 1").fetchone())
                except sqlite3.ProgrammingError as error:
                    print(str(error)[:33])
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        with connection:
            cursor.execute("insert into t values (7)")
        print(connection.execute("select x from t").fetchall(), isinstance(connection, sqlite3.Connection))
        => SQLite objects created in a threa
        => SQLite objects created in a threa
        => SQLite objects created in a threa
        => (1,)
        => [(7,)] True
        """,
    "event loops of two threads do not know of each other": """
        import asyncio, threading, time
        async def main():
            time.sleep(0.05)
            await asyncio.sleep(0.05)
            print("done\\n", end="")  # at once, where two threads print
        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        => done
        => done
        """,
}


@OPTIONS
@pytest.mark.parametrize("source", SCRIPTS.values(), ids=SCRIPTS)
def test_script_prints_what_it_prints_plainly(tmp_path, options, source):
    lines = textwrap.dedent(source).splitlines()
    told = [line.removeprefix("=> ") for line in lines if line.startswith("=> ")]
    write(tmp_path / "script.py", "\n".join(line for line in lines if not line.startswith("=> ")))
    done = call(tmp_path, *options, "script.py")
    assert done.stdout.splitlines()[: len(told)] == told, done.stderr
    assert done.stdout.splitlines()[len(told)].startswith("script.py()"), done.stdout


def test_what_is_expected_of_the_scripts_is_what_they_print_plainly(tmp_path):
    for source in SCRIPTS.values():
        lines = textwrap.dedent(source).splitlines()
        told = [line.removeprefix("=> ") for line in lines if line.startswith("=> ")]
        write(tmp_path / "script.py", "\n".join(line for line in lines if not line.startswith("=> ")))
        done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines() == told, done.stderr


@OPTIONS
def test_interrupt_that_nobody_catches_keeps_what_was_printed_and_tells_what_happened(tmp_path, options):
    source = """
    import _thread, threading, time
    print("begun")
    threading.Timer(0.05, _thread.interrupt_main).start()
    while True:
        time.sleep(0.02)
    """
    write(tmp_path / "script.py", source)
    done = call(tmp_path, *options, "script.py")
    assert done.returncode == 130
    assert done.stdout.startswith("begun\nscript.py() → raises KeyboardInterrupt")
    assert "MainThread: " in done.stdout
    assert 'script.py", line 6, in <module>' in done.stderr and done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_handlers_of_a_run_are_taken_off_again_and_interrupts_that_are_swallowed_end_it_at_last():
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGUSR1)]

    def scenario():
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        caught = []
        signal.signal(signal.SIGUSR1, lambda *_: caught.append("usr1"))
        assert signal.signal(signal.SIGINT, lambda *_: caught.append("int")) is signal.default_int_handler
        for each in (signal.SIGINT, signal.SIGUSR1):
            signal.raise_signal(each)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return caught

    def swallows():
        signal.signal(signal.SIGINT, lambda *_: None)
        while True:
            signal.raise_signal(signal.SIGINT)

    assert tv.simulate(scenario).result() == ["int", "usr1"]
    with pytest.raises(KeyboardInterrupt):
        tv.simulate(swallows)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGUSR1)] == before


def test_watchdog_outside_the_main_os_thread_strikes_nothing_but_the_learners_code(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.02)
    monkeypatch.setattr("threadviz.stage.watchdog.PERSIST", 0.0005)
    came = []

    def many():
        lock = threading.Lock()
        lock.acquire()
        for _ in range(500):
            threading.Thread(target=lock.acquire, daemon=True).start()
        while True:
            pass

    def run():
        try:
            came.append(type(tv.simulate(many).exception()))
        except BaseException as error:
            came.append(type(error))

    for _ in range(5):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert came == [tv.Stuck] * 5


# The endless loop and the one that ends look the same for as long as anybody looks.
@pytest.mark.parametrize(
    ("wait", "told"),
    [
        (
            lambda: [sum(range(1000)) for _ in iter(int, 1)],
            "no progress for 0.5 s of real time in worker, line {}: it computes without a pause, which nobody can tell "
            "from a loop without an end; let it sleep or wait, let tv.work(seconds) stand for what it computes, or "
            "record the program",
        ),
        (
            lambda: os.read(os.pipe()[0], 1),
            "no progress for 0.5 s of real time or more in worker, line {}: it waits for something real, which keeps "
            "the virtual clock still; record the program",
        ),
    ],
    ids=["computes", "waits"],
)
def test_run_that_is_given_up_says_whether_it_computed_or_waited(monkeypatch, wait, told):
    for module in ("stage.watchdog", "simulation.simulator"):
        monkeypatch.setattr(f"threadviz.{module}.PATIENCE", 0.5)
    monkeypatch.setattr("threadviz.stage.watchdog.REAL_PATIENCE", 1)

    def scenario():
        thread = threading.Thread(target=wait, name="worker")
        thread.start()
        thread.join()

    with pytest.raises(tv.Stuck) as stuck:
        tv.simulate(scenario).result()
    assert str(stuck.value) == told.format(wait.__code__.co_firstlineno)


# ---- what is not the same every time --------------------------------------------------------------------------------


class Plain:
    pass


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: {"anna", "bert", "carl"}, True),
        (lambda: frozenset([Plain(), Plain()]), True),
        (lambda: {("a", 1), ("b", 2)}, True),
        (lambda: {3, 1, 2.5}, False),
        (lambda: {"alone"}, False),
        (lambda: sorted({"anna", "bert"}), False),
        (lambda: {threading.Thread(), threading.Thread()}, False),
        (lambda: dict.fromkeys(["anna", "bert"]), False),
    ],
)
def test_order_of_a_set_that_differs_from_process_to_process_is_told(make, told):
    def loops():
        for _ in make():
            pass

    def unpacks():
        return [*make()], len(make())

    first = loops.__code__.co_firstlineno
    for scenario, line in ((loops, first + 1), (unpacks, first + 5)):
        notes = [note for note in tv.simulate(scenario).trace.notes if "order" in note]
        assert notes == told * [
            f"the set that is gone through in line {line} has another order in every process, and so may this run: "
            "sorted() gives it one"
        ]


def test_set_that_is_only_looked_into_has_no_order_to_tell():
    def scenario():
        names = {"anna", "bert"}
        return "anna" in names, len(names), sorted(names), max(names)

    assert tv.simulate(scenario).trace.notes == ()


# ---- what recorded threads do between two notes --------------------------------------------------------------------

has_clocks = pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no CPU clocks of other threads")


@has_clocks
@pytest.mark.parametrize("kind", ["socket", "pipe", "process"])
def test_recorded_thread_that_waits_for_something_real_is_blocked(kind):
    def scenario():
        left, right = socket.socketpair()
        reading, writing = os.pipe()
        wait = {
            "socket": lambda: left.recv(1),
            "pipe": lambda: os.read(reading, 1),
            "process": lambda: subprocess.run(["sleep", "0.3"], check=True, stdout=subprocess.PIPE),
        }[kind]
        thread = threading.Thread(target=wait, name="waiter")
        thread.start()
        time.sleep(0.3)
        right.send(b"x")
        os.write(writing, b"x")
        thread.join()
        for each in (left.close, right.close, lambda: os.close(reading), lambda: os.close(writing)):
            each()

    (lane,) = tv.record(scenario).trace.lanes[1:]
    blocked = [span for span in lane.spans if span.state == "blocked"]
    assert {span.label for span in blocked} == {"something real"}
    assert sum(span.end - span.start for span in blocked) > 0.15
    line = scenario.__code__.co_firstlineno
    assert all(line < span.line < line + 8 for span in blocked)
    assert [a.end for a in lane.spans[:-1]] == [b.start for b in lane.spans[1:]]


@has_clocks
def test_recorded_threads_that_compute_share_the_gil():
    def compute():
        sum(i * i for i in range(1_500_000))

    run = tv.record(lambda: together(compute, compute, compute, compute))
    computed = [sum(s.end - s.start for s in lane.spans if s.state == "running") for lane in run.trace.lanes[1:]]
    assert sum(computed) < 1.3 * run.duration
    assert min(computed) > 0
    assert {span.label for lane in run.trace.lanes[1:] for span in lane.spans if span.state == "ready"} == {
        "off the CPU"
    }
    assert any("CPU clock" in note for note in run.trace.notes)


def test_looks_at_a_cpu_clock_split_what_ran():
    ms = 1_000_000
    # It computes for 50 ms, waits for 100 ms, and then has the GIL for half of the time.
    computed = [0, 10, 20, 30, 40, 50] + [50] * 10 + [55, 60, 65, 70]
    looks = [Look(at * 10 * ms, each * ms, 7) for at, each in enumerate(computed)]
    spans = split([Span("running", 0, 0.19), Span("sleeping", 0.19, 0.3)], looks, 0, 2)
    assert [(span.state, round(span.start, 3), round(span.end, 3), span.label) for span in spans] == [
        ("running", 0, 0.05, ""),
        ("blocked", 0.05, 0.15, "something real"),
        *(
            each
            for start in (0.15, 0.16, 0.17, 0.18)
            for each in (
                ("running", start, round(start + 0.005, 3), ""),
                ("ready", round(start + 0.005, 3), round(start + 0.01, 3), "off the CPU"),
            )
        ),
        ("sleeping", 0.19, 0.3, ""),
    ]


def test_wait_that_looks_found_is_cut_where_a_worker_begins_its_next_call():
    found = [Span("blocked", 0, 0.41, "something real", 3), Span("blocked", 0.41, 0.6, "waits for work")]
    calls = (Call(0.0001, "fetch(0)"), Call(0.2, "fetch(4)"), Call(0.405, "fetch(5)"))
    spans = cut(found, [call.start for call in calls])
    assert spans == [
        Span("blocked", 0, 0.2, "something real", 3),
        Span("blocked", 0.2, 0.41, "something real", 3),
        Span("blocked", 0.41, 0.6, "waits for work"),
    ]
    lane = Lane("worker", tuple(spans), calls=calls)
    assert [bars._task(lane, span) for span in spans] == ["fetch(0)", "fetch(4)", ""]


# ---- recording for long -------------------------------------------------------------------------------------------


def full(lock):
    """Take a lock until no more notes are kept."""
    for _ in range(60):
        with lock:
            pass


@pytest.fixture
def few_notes(monkeypatch):
    for module in ("recorder", "assembly"):
        monkeypatch.setattr(f"threadviz.recording.{module}.MAX_NOTES", 100)


@pytest.mark.usefixtures("few_notes")
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_lock_keeps_threads_apart_when_no_more_notes_are_kept(make):
    def scenario():
        lock, count = make(), [0]
        kind, before = type(lock), repr(lock)
        full(lock)

        def add():
            for _ in range(200):
                with lock:
                    count[0], _ = count[0] + 1, time.sleep(0)
                assert lock.acquire(timeout=20)
                count[0] += 1
                lock.release()

        together(add, add, add)
        assert isinstance(lock, kind)
        assert type(lock).__mro__[1] is kind  # once and for all, whatever threads waited since
        assert repr(lock) == before
        with pytest.raises(RuntimeError):
            lock.release()
        condition = threading.Condition(lock)
        waiter = threading.Thread(target=lambda: [condition.acquire(), condition.wait(20), condition.release()])
        waiter.start()
        while not condition._waiters:
            time.sleep(0.001)
        with condition:
            condition.notify()
        waiter.join()
        return count[0]

    run = tv.record(scenario)
    assert run.result() == 1200
    assert run.trace.notes[0] == "only the first 100 notes were kept: what came after them is not shown"
    assert sum(event.kind in ("acquire", "release") for event in run.trace.events) == 100


@pytest.mark.usefixtures("few_notes")
def test_rlock_is_counted_when_no_more_notes_are_kept():
    def scenario():
        lock = threading.RLock()
        with lock:
            full(threading.Lock())
            full(lock)
            with lock:
                condition, counts = threading.Condition(lock), [lock._recursion_count()]
                other = threading.Thread(target=lambda: counts.append(lock.acquire(timeout=0.01)))
                other.start()
                other.join()
                waker = threading.Timer(0.05, lambda: [lock.acquire(), condition.notify(), lock.release()])
                waker.start()
                counts.append(condition.wait(20))
                counts.append(lock._recursion_count())
        return [*counts, lock._recursion_count()]

    assert tv.record(scenario).result() == [2, False, True, 2, 0]


@pytest.mark.usefixtures("few_notes")
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_deadlock_is_found_when_no_more_notes_are_kept(make):
    def scenario():
        one, other = make(), make()
        full(one)
        full(other)
        barrier = threading.Barrier(2)

        def take(first, second):
            with first:
                barrier.wait()
                with second:
                    pass

        together(lambda: take(one, other), lambda: take(other, one))

    assert isinstance(tv.record(scenario).exception(), tv.Deadlock)


class Tally:
    def __init__(self):
        self.value = 0


@pytest.mark.usefixtures("few_notes")
def test_accesses_are_no_longer_heard_of_when_no_more_notes_are_kept(monkeypatch):
    heard = []
    after = places.Places.after
    monkeypatch.setattr(places.Places, "after", lambda *told: (heard.append(told[1]), after(*told)))

    def scenario():
        tally = Tally()
        for _ in range(1000):
            tally.value += 1
        return tally.value

    run = tv.record(scenario)
    assert run.result() == 1000
    assert len(run.trace.events) == 100
    assert 100 <= len(heard) < 110


def test_accesses_that_are_too_many_to_be_kept_are_told_of(monkeypatch):
    monkeypatch.setattr("threadviz.recording.recorder.MAX_NOTES", 100)
    monkeypatch.setattr("threadviz.recording.recorder.MAX_ACCESSES", 500)
    lost = "there were too many reads and writes to keep them all: some are not shown"

    def scenario(alone, shared):
        numbers, both = [0], [0]
        for _ in range(alone):
            numbers[0] += 1

        def add():
            for _ in range(shared):
                both[0] += 1

        together(add, add)
        return both[0], numbers[0]

    for alone, shared, is_told in ((10, 5, False), (200, 5, False), (10, 100, True), (400, 5, True)):
        run = tv.record(scenario, alone, shared)
        assert run.result() == (2 * shared, alone)
        assert (lost in run.trace.notes) == is_told
        touched = [event for event in run.trace.events if event.kind in ("read", "write")]
        assert {event.what for event in touched} == ({"both[0]"} if alone < 400 else set())


# ---- pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pause", [0, 0.1])
def test_hold_ends_where_another_thread_lets_the_lock_go(seed, pause):
    def scenario():
        full, free = threading.Lock(), threading.Lock()
        full.acquire()

        def produce():
            for _ in range(3):
                free.acquire()
                full.release()
                time.sleep(pause)

        def consume():
            for _ in range(3):
                full.acquire()
                free.release()

        together(produce, consume)

    trace = tv.simulate(scenario, seed=seed).trace
    for lock in ("full", "free"):
        steps = [
            (index, event.lane, event.kind)
            for index, event in enumerate(trace.events)
            if event.what == lock and event.kind in ("acquire", "release")
        ]
        assert [kind for _, _, kind in steps] == ["acquire", "release"] * (len(steps) // 2) + ["acquire"] * (
            len(steps) % 2
        )
        wanted = [(lane, begin, end) for (begin, lane, _), (end, _, _) in zip(steps[::2], steps[1::2], strict=False)]
        shown = [
            (lane, hold.start.event, hold.end.event)
            for lane, holds in enumerate(holdings(trace, Ruler(trace, pause > 0, 800), len(trace.lanes)))
            for hold in holds
            if hold.locks == (lock,)
        ]
        assert set(wanted) <= set(shown)


# ---- lifetime -----------------------------------------------------------------------------------------------------


class Service:
    ended = []

    def __init__(self, name):
        self.name = name

    def __del__(self):
        self.ended.append(self.name)


def in_a_list():
    services = [Service("list")]
    services.append(1)
    assert services[0].name


def in_a_dict():
    services = {"a": Service("dict")}
    services["b"] = services["a"]
    assert services.get("a").name


def in_a_variable():
    service = Service("variable")

    def change():
        nonlocal service
        service = service or None

    change()


@VERBS
@pytest.mark.parametrize("keep", [in_a_list, in_a_dict, in_a_variable])
def test_objects_are_freed_when_plain_python_frees_them(verb, keep):
    def scenario():
        keep()
        threading.Event().wait(0.01)
        return list(Service.ended)

    def in_threads():
        threads = [threading.Thread(target=keep) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        threading.Event().wait(0.01)
        return list(Service.ended)

    name = keep.__name__.removeprefix("in_a_")
    for each, count in ((scenario, 1), (in_threads, 2)):
        Service.ended.clear()
        assert verb(each).result() == [name] * count
