"""Kinds of programs that learners' books and questions hold, each as a small one of our own."""

import queue
import threading
import time

import pytest

import threadviz as tv
from tests.test_main import call, write

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
