"""Who computes when: turns and waits worked out by hand, in milliseconds."""

import queue
import sys
import sysconfig
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import threadviz as tv
from threadviz.picture.layout import lay_out
from threadviz.story.causality import gil_turns

from .programs import run_all
from .refused import refused

GIL = "waits for the GIL, held by "


def crunch(threads=2, work=0.02):
    crunchers = [threading.Thread(target=tv.work, args=(work,), name="ABCDEFGH"[i]) for i in range(threads)]
    for thread in crunchers:
        thread.start()
    for thread in crunchers:
        thread.join()


def turns(run, name):
    """When a thread computes: (start, end) in milliseconds."""
    (lane,) = [lane for lane in run.trace.lanes if lane.name == name]
    spans = [span for span in lane.spans if span.state == "running" and span.end > span.start]
    return [(round(span.start * 1e3, 6), round(span.end * 1e3, 6)) for span in spans]


def waits(run, name):
    (lane,) = [lane for lane in run.trace.lanes if lane.name == name]
    return [
        (span.label, round(span.start * 1e3, 6), round(span.end * 1e3, 6))
        for span in lane.spans
        if span.state == "ready" and span.end > span.start
    ]


def test_one_thread_computes_without_a_turn():
    run = tv.simulate(crunch, 1)
    assert run.duration == 0.02
    assert turns(run, "A") == [(0, 20)]


def test_two_threads_share_one_gil_in_turns_of_5_ms():
    # At 0 main starts A, which computes; main asks for the GIL and has it at 5, starts B, and waits behind A and B.
    # 5 A, 10 B, 15 main for an instant, A; 20 B, 25 A to its end at 30 (its 20 ms: 0-10, 15-20, 25-30), B until 40.
    run = tv.simulate(crunch)
    assert run.duration == 0.04
    assert turns(run, "A") == [(0, 10), (15, 20), (25, 30)]
    assert turns(run, "B") == [(10, 15), (20, 25), (30, 40)]
    assert waits(run, "A") == [(GIL + "B", 10, 15), (GIL + "B", 20, 25)]
    # join came back to main at 30, when A's end let it go on, but B had waited longer and then had its turn of 5 ms
    assert waits(run, "MainThread") == [(GIL + "A", 0, 5), (GIL + "others", 5, 15), (GIL + "B", 30, 35)]


def test_without_a_gil_two_cores_take_half_the_time():
    run = tv.simulate(crunch, cores=2)
    assert run.duration == 0.02
    assert turns(run, "A") == turns(run, "B") == [(0, 20)]
    assert waits(run, "MainThread") == []


def test_without_a_gil_one_core_takes_turns_too():
    run = tv.simulate(crunch, 2, 0.01, cores=1)
    assert turns(run, "A") == [(0, 5), (10, 15)]
    assert turns(run, "B") == [(5, 10), (15, 20)]
    assert waits(run, "B") == [("waits for a core", 0, 5), ("waits for a core", 10, 15)]


def test_three_threads_share_two_cores():
    # C waits until 5 and takes A's core, so that A waits from 5 and takes B's at 10, B takes C's at 15, C takes A's
    # at 20, and A that of B, which is done, at 25: everybody computes for 10 ms and waits for 5.
    run = tv.simulate(crunch, 3, cores=2)
    assert run.duration == 0.03  # 60 ms of work on two cores
    assert turns(run, "A") == [(0, 5), (10, 20), (25, 30)]
    assert turns(run, "B") == [(0, 10), (15, 25)]
    assert turns(run, "C") == [(5, 15), (20, 30)]


@pytest.mark.parametrize(("spinners", "late"), [(0, 0), (1, 5), (2, 10), (4, 20)])
def test_sleeper_wakes_late_beside_spinning_threads(spinners, late):
    """One switch interval for each spinning thread: it comes when a turn begins, and waits for them all."""

    def scenario():
        for _ in range(spinners):
            threading.Thread(target=tv.work, args=(0.5,), daemon=True).start()
        delays = []
        for _ in range(3):
            before = time.perf_counter()
            time.sleep(0.02)
            delays.append(round((time.perf_counter() - before - 0.02) * 1e3, 6))
        return delays

    assert tv.simulate(scenario).result() == [late] * 3
    assert tv.simulate(scenario, cores=1).result() == [0] * 3  # without a GIL who wakes up goes first


def test_sleeper_that_wakes_in_the_middle_of_a_turn_asks_and_waits_one_interval():
    def scenario():
        thread = threading.Thread(target=tv.work, args=(0.1,))
        thread.start()  # main has the GIL back at 5 ms
        time.sleep(0.012)  # at 17
        return time.perf_counter()

    assert tv.simulate(scenario).result() == pytest.approx(0.022)


def test_learner_changes_the_switch_interval_for_the_run_only():
    def scenario():
        sys.setswitchinterval(0.01)
        crunch()

    run = tv.simulate(scenario)
    assert turns(run, "A") == [(0, 20)]  # main has it at 10, B is started and waits behind A
    assert turns(run, "B") == [(20, 40)]
    assert sys.getswitchinterval() == 0.005
    assert run.duration == 0.04


def test_turn_goes_on_from_one_piece_of_work_to_the_next():
    def pieces():
        for _ in range(10):
            tv.work(0.001)

    def scenario():
        threads = [threading.Thread(target=pieces, name=name) for name in "AB"]
        for thread in threads:
            thread.start()

    run = tv.simulate(scenario)
    ends = [turns(run, name)[-1][1] for name in "AB"]
    assert ends == [10, 20]
    assert waits(run, "MainThread") == [(GIL + "A", 0, 5), (GIL + "others", 5, 15)]


def test_who_finishes_its_work_keeps_the_gil_until_it_waits():
    def scenario():
        done = []

        def cook(name):
            tv.work(0.003)
            done.append(name)
            time.sleep(0.001)
            done.append(name)

        run_all(*(threading.Thread(target=cook, args=(name,), name=name) for name in "AB"))
        return "".join(done)

    # A computes until 3 and sleeps; main starts B, which computes until 6; A woke at 4 and waits for B
    run = tv.simulate(scenario)
    assert run.result() == "ABAB"
    assert waits(run, "A") == [(GIL + "B", 4, 6)]


def test_lock_is_handed_over_only_when_the_gil_is_free():
    def scenario():
        lock = threading.Lock()

        def hold():
            with lock:
                time.sleep(0.01)

        def want():
            with lock:
                return time.perf_counter()

        with ThreadPoolExecutor(3) as pool:
            pool.submit(hold)
            wanted = pool.submit(want)
            pool.submit(tv.work, 0.1)
        return wanted.result()

    # hold wakes at 10, has the GIL at 15 and releases; the wanter waits behind the spinner until 20
    assert tv.simulate(scenario).result() == pytest.approx(0.02)


def test_time_out_that_passes_while_waiting_for_the_gil_was_no_time_out():
    def scenario():
        orders = queue.Queue()

        def late():
            time.sleep(0.01)
            orders.put("tea")

        threading.Thread(target=late).start()
        threading.Thread(target=tv.work, args=(0.1,), daemon=True).start()
        return orders.get(timeout=0.012), time.perf_counter()

    # main waits from 5 until 17; put at 15, when the GIL is there; got at 20
    assert tv.simulate(scenario).result() == ("tea", pytest.approx(0.02))


def lock_taken_again(seconds):
    """A locked lock: a thread releases it after 0.01 s, and takes it again at once, for so many seconds."""
    lock = threading.Lock()
    lock.acquire()

    def grab():
        time.sleep(0.01)
        lock.release()
        lock.acquire()
        time.sleep(seconds)
        lock.release()

    threading.Thread(target=grab, name="grab", daemon=True).start()
    return lock


@pytest.mark.parametrize(("timeout", "ends"), [(0.012, 0.02), (0.02, 0.03)])
def test_time_out_is_still_one_when_somebody_else_took_the_lock(timeout, ends):
    # main waits from 5 and is let go on at 15, when grab has the GIL, but has it only at 20: the lock is taken again,
    # and the time is over at 17, or at 25 in the middle of a turn that began at 20
    def scenario():
        lock = lock_taken_again(1)
        threading.Thread(target=tv.work, args=(0.1,), daemon=True).start()
        return lock.acquire(timeout=timeout), round(time.perf_counter(), 6)

    assert tv.simulate(scenario).result() == (False, ends)


def test_lock_that_somebody_else_took_is_waited_for_again():
    def scenario():
        lock = lock_taken_again(0.1)
        threading.Thread(target=tv.work, args=(0.05,)).start()
        lock.acquire()
        return time.perf_counter()

    # grab has the GIL at 15, releases, and takes the lock again at once; main has the GIL at 20, too late
    run = tv.simulate(scenario)
    assert run.result() == pytest.approx(0.115)
    told = [(s.label, round(s.start, 6), round(s.end, 6)) for s in run.trace.lanes[0].spans if s.end > s.start]
    assert told == [
        (GIL + "Thread-1 (work)", 0, 0.005),
        ("waits for lock, held by MainThread", 0.005, 0.015),
        (GIL + "Thread-1 (work)", 0.015, 0.02),
        ("waits for lock, held by MainThread, then grab", 0.02, 0.115),
    ]


def test_daemon_is_abandoned_in_the_middle_of_its_work():
    def scenario():
        threading.Thread(target=tv.work, args=(1,), name="miner", daemon=True).start()

    run = tv.simulate(scenario)
    assert run.duration == 0.005  # main had to wait for the GIL before it could end
    assert run.trace.lanes[1].ending == "abandoned"


def test_sleep_of_zero_waits_for_its_turn():
    def scenario():
        threading.Thread(target=tv.work, args=(0.02,)).start()
        before = time.perf_counter()
        time.sleep(0)
        return time.perf_counter() - before

    assert tv.simulate(scenario).result() == pytest.approx(0.005)


def test_words_tell_who_computes_and_who_waits():
    assert tv.simulate(crunch, 2, 0.006).describe().splitlines()[2:4] == [
        "A: computes 0.006 s",
        "B: waits for the GIL, held by A, 0.001 s; computes 0.006 s",
    ]
    run = tv.simulate(crunch, 3, 0.004, cores=2)
    assert run.describe().splitlines()[0] == "crunch(threads=3, work=0.004)   simulated, no GIL, 2 cores, 0.008 s"
    assert run.describe().splitlines()[3] == "C: waits for a core, 0.004 s; computes 0.004 s"


def test_trace_event_tells_the_work_and_its_line():
    def scenario():
        tv.work(0.25)

    (event, _) = tv.simulate(scenario).trace.events
    assert (event.kind, event.what, event.line) == ("work", "0.25", scenario.__code__.co_firstlineno + 1)


@pytest.mark.parametrize("cores", [None, 1, 2])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_same_run_ten_times_over(cores, seed):
    assert len({str(tv.simulate(crunch, 4, 0.013, cores=cores, seed=seed).describe()) for _ in range(10)}) == 1
    run = tv.simulate(crunch, 4, 0.013, cores=cores, seed=seed)
    again = eval(run.replay, {"tv": tv, "crunch": crunch})
    assert again.describe() == run.describe()


def test_work_without_end_can_be_stopped_and_is_told():
    def scenario():
        while True:
            tv.work(1)

    run = tv.simulate(scenario)
    assert str(run.exception()).startswith("still going after 500,000 trace events in MainThread")


def test_turns_without_end_are_told():
    def scenario():
        def crunch_on():
            while True:
                tv.work(1)

        for name in "AB":
            threading.Thread(target=crunch_on, name=name, daemon=True).start()
        time.sleep(3600)

    run = tv.simulate(scenario)
    # each turn takes 5 ms, but for the first of A, which lasts until B is there
    assert str(run.exception()).startswith("still going after 100,000 turns on the CPU in ")
    assert run.duration == pytest.approx(500, rel=0.01)


@pytest.mark.parametrize(
    ("cores", "kind", "message"),
    [
        (0, ValueError, "cores must be 1 or more, or None for one GIL, not 0"),
        (-2, ValueError, "cores must be 1 or more, or None for one GIL, not -2"),
        (1.5, TypeError, "cores must be a whole number, or None for one GIL, not 1.5"),
        (True, TypeError, "cores must be a whole number, or None for one GIL, not True"),
        ("2", TypeError, "cores must be a whole number, or None for one GIL, not '2'"),
    ],
)
def test_impossible_number_of_cores_is_refused(cores, kind, message):
    with refused(kind, message):
        tv.simulate(crunch, cores=cores)


def test_scenario_with_a_parameter_of_that_name_is_refused():
    with refused(
        ValueError, "<lambda>() has a parameter 'cores', which is an option of tv.simulate; give it another name"
    ):
        tv.simulate(lambda cores: None, 2)


def test_arrows_lead_to_where_a_child_waits_and_to_where_a_joiner_goes_on():
    run = tv.simulate(crunch)  # B is started at 5 and has the GIL at 10; A ends at 30, and main goes on at 35
    picture = lay_out(run.trace, 800)
    events, rows = run.trace.events, picture.rows
    assert (picture.x(0.005), rows[2].top - 1) in [head for _, head in picture.arrows["start"]]
    (went_on,) = [index for index, event in enumerate(events) if event.kind == "wake" and event.time == 0.035]
    assert (picture.at(went_on), rows[0].bottom + 1) in [head for _, head in picture.arrows["wake"]]


def test_recorded_threads_share_the_gil_too():
    run = tv.record(crunch, 2, 0.03)
    lanes = run.trace.lanes[1:]
    for lane in lanes:
        computed = sum(span.end - span.start for span in lane.spans if span.label == "work 0.03")
        off = sum(span.end - span.start for span in lane.spans if span.label == "off the CPU")
        assert computed + off >= 0.03
        assert {span.state for span in lane.spans if span.label == "off the CPU"} <= {"ready"}
    assert run.clock == "real"
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        assert run.duration >= 0.06
        assert any(span.label == "off the CPU" for lane in lanes for span in lane.spans)


def test_recorded_work_is_a_trace_event_with_its_line():
    def scenario():
        tv.work(0.001)

    (event,) = [event for event in tv.record(scenario).trace.events if event.kind == "work"]
    assert (event.what, event.line) == ("0.001", scenario.__code__.co_firstlineno + 1)


def test_recorded_threads_that_are_abandoned_at_work_are_not_seen_to_compute_together():
    def scenario():
        for name in "AB":
            threading.Thread(target=tv.work, args=(5,), name=name, daemon=True).start()
        time.sleep(0.05)

    run = tv.record(scenario)
    last = [lane.spans[-1] for lane in run.trace.lanes[1:]]
    assert [lane.ending for lane in run.trace.lanes[1:]] == ["abandoned", "abandoned"]
    assert {span.label for span in last} <= {"work 5", "off the CPU"}
    assert all(a.end == b.start for lane in run.trace.lanes for a, b in zip(lane.spans, lane.spans[1:], strict=False))
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        computing = [span for span in last if span.state == "running"]
        assert len(computing) < 2 or run.duration - max(span.start for span in computing) < 0.005


def test_recorded_sleep_is_told_apart_from_the_wait_for_the_cpu_after_it():
    def scenario():
        threading.Thread(target=tv.work, args=(0.2,)).start()
        for _ in range(5):
            time.sleep(0.01)

    main = tv.record(scenario).trace.lanes[0].spans
    sleeps = [span.end - span.start for span in main if span.state == "sleeping"]
    assert len(sleeps) == 5
    assert all(0.0099 < lasted < 0.0125 for lasted in sleeps)


def test_turns_of_the_gil_are_told_in_words_and_stand_under_the_lanes():
    run = tv.simulate(crunch)
    turns = [(run.trace.lanes[turn.lane].name, turn.start, turn.end) for turn in gil_turns(run.trace)]
    assert turns == [  # main asks 5 ms after the first thread began, the second one 5 ms after main
        ("A", 0.0, 0.01),
        ("B", 0.01, 0.015),
        ("A", 0.015, 0.02),
        ("B", 0.02, 0.025),
        ("A", 0.025, 0.03),
        ("B", 0.03, 0.04),
    ]
    assert "the GIL: 6 turns, of A, B, 0.005 s in the median" in run.describe().splitlines()
    picture = lay_out(run.trace, 700)
    assert [label.text for label in picture.names].count("holds the GIL") == 1
    assert picture.height > lay_out(tv.simulate(crunch, cores=2).trace, 700).height


@pytest.mark.parametrize("cores", [1, 2])
def test_nobody_holds_a_gil_where_there_is_none(cores):
    run = tv.simulate(crunch, cores=cores)
    assert gil_turns(run.trace) == ()
    assert "the GIL" not in run.describe()


def test_recorded_threads_take_turns_that_do_not_overlap():
    run = tv.record(crunch, work=0.05)
    turns = gil_turns(run.trace)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return
    assert {run.trace.lanes[turn.lane].name for turn in turns} == {"A", "B"}
    assert 0.07 < sum(turn.end - turn.start for turn in turns) <= run.duration + 0.01


@pytest.mark.parametrize("wide", [500, 700, 900])
def test_last_steps_of_a_thread_are_marked_beside_the_slanted_arrow_to_who_waited_for_it(wide):
    class Office:
        left = 0

    def tickets():
        office = Office()
        office.left = 2

        def sell():
            tv.work(0.02)
            office.left -= 1

        sellers = [threading.Thread(target=sell) for _ in range(2)]
        for seller in sellers:
            seller.start()
        for seller in sellers:
            seller.join()
        return office.left

    picture = lay_out(tv.simulate(tickets).trace, wide)
    (tail, head), *_ = picture.arrows["wake"]  # of the longest wait
    assert head[0] - tail[0] > 40
    assert len(picture.marks["read"]) == 3 and len(picture.marks["write"]) == 3
    assert not [note for note in picture.notes if "not marked" in note]
