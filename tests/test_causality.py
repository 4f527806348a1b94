"""Lost updates, deadlock circles and hand-overs, on traces made by hand."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import threadviz
from threadviz.story.causality import (
    HandOver,
    LostUpdate,
    deadlock_cycle,
    endless_wait,
    gil_turns,
    hand_overs,
    lost_updates,
    queue_lives,
    shared_attributes,
    with_endless_waits,
)
from threadviz.trace import Lane, Span, Trace, TraceEvent, Wait

from . import programs, traces


def accesses(*steps: str) -> Trace:
    """Make a trace of steps such as "A read x": lanes A, B, C, a second a step."""
    events = []
    for time, step in enumerate(steps):
        thread, kind, what = step.split()
        events.append(TraceEvent(time, "ABC".index(thread), kind, what))  # type: ignore[arg-type]
    return Trace(tuple(Lane(name, (Span("running", 0, 9),)) for name in "ABC"), tuple(events), 9)


def waiting(*pairs: str) -> Trace:
    waits = tuple(Wait(pair[0], "lock", pair[1:] or None, on="lock") for pair in pairs)
    return Trace((), waits=waits)


def test_write_over_an_update_it_has_not_seen_is_lost():
    assert lost_updates(accesses("A read x", "B read x", "A write x", "B write x")) == (LostUpdate(1, 2, 3),)


def test_one_after_the_other_loses_nothing():
    assert lost_updates(accesses("A read x", "A write x", "B read x", "B write x")) == ()


def test_every_stale_write_of_three_threads_is_counted():
    trace = accesses("A read x", "B read x", "C read x", "A write x", "B write x", "C write x")
    assert lost_updates(trace) == (LostUpdate(1, 3, 4), LostUpdate(2, 4, 5))


def test_write_without_a_read_is_no_lost_update():
    assert lost_updates(accesses("A write x", "B write x")) == ()


def test_own_update_may_be_overwritten():
    assert lost_updates(accesses("A read x", "A write x", "A write x")) == ()


def test_attributes_are_told_apart():
    assert lost_updates(accesses("A read x", "B read y", "B write y", "A write x")) == ()


def test_reading_again_makes_the_value_fresh():
    assert lost_updates(accesses("A read x", "B write x", "A read x", "A write x")) == ()


def test_lost_update_of_the_race_names_the_stale_read_and_both_writes():
    trace = traces.race(2)
    (lost,) = lost_updates(trace)
    kinds = [(trace.events[i].lane, trace.events[i].kind) for i in (lost.read, lost.overwritten, lost.write)]
    assert kinds == [(2, "read"), (1, "write"), (2, "write")]


def test_circle_of_two_is_found_and_who_waits_for_it_is_not_in_it():
    assert [wait.thread for wait in deadlock_cycle(traces.deadlock())] == ["Thread-1 (pay)", "Thread-2 (refund)"]


def test_circle_follows_the_holders_and_not_the_order_of_the_waits():
    assert [wait.thread for wait in deadlock_cycle(waiting("AC", "BA", "CB"))] == ["A", "C", "B"]


def test_thread_that_waits_for_itself_is_a_circle():
    assert [wait.thread for wait in deadlock_cycle(waiting("BA", "AA"))] == ["A"]


def test_no_circle_when_nobody_holds_what_is_waited_for():
    assert deadlock_cycle(waiting("AB", "B")) == ()
    assert deadlock_cycle(waiting("AB")) == ()
    assert deadlock_cycle(traces.race()) == ()


def test_hand_overs_are_causes_in_other_threads_only():
    lanes = (Lane("A", ()), Lane("B", ()))
    events = (
        TraceEvent(0, 0, "start", "B"),
        TraceEvent(0, 1, "begin", cause=0),
        TraceEvent(0, 1, "call", "Event.set"),
        TraceEvent(0, 1, "wake", cause=2),
        TraceEvent(0, 0, "wake", cause=2),
    )
    assert hand_overs(Trace(lanes, events)) == (HandOver(0, 1), HandOver(2, 4))


def test_wait_that_ends_with_a_get_is_told_by_the_get_of_that_very_item():
    lanes = (Lane("A", ()), Lane("B", ()), Lane("C", ()))
    events = (
        TraceEvent(0, 0, "put", "q", "1"),
        TraceEvent(0, 2, "put", "q", "2"),
        TraceEvent(0, 1, "wake", "Queue.get", cause=1),  # woken by C's put, it gets A's item
        TraceEvent(0, 0, "end"),
        TraceEvent(0, 1, "get", "q", "1", cause=0),
        TraceEvent(0, 1, "wake", "Queue.get", cause=1),  # in vain: somebody else was faster
        TraceEvent(0, 1, "call", "Queue.get"),
        TraceEvent(0, 1, "get", "q", "0", cause=1),
    )
    assert hand_overs(Trace(lanes, events)) == (HandOver(0, 4), HandOver(1, 5), HandOver(1, 7))


def test_queue_starts_empty_and_hands_over_between_threads_only():
    (life,) = queue_lives(traces.queues(items=2))
    assert (life.name, life.maxsize, life.hand_overs) == ("orders", 4, 2)
    assert life.steps == ((0, 0), (0, 1), (0.1, 2), (0.1, 1), (0.30000000000000004, 0))
    assert life.most == (0.1, 2)
    alone = (TraceEvent(0, 0, "queue", "q"), TraceEvent(0, 0, "put", "q", "1"), TraceEvent(0, 0, "get", "q", "0", 1, 1))
    (life,) = queue_lives(Trace((Lane("A", ()),), alone))
    assert (life.maxsize, life.hand_overs) == (None, 0)
    assert queue_lives(traces.race()) == ()


def test_attribute_set_up_before_the_others_begin_is_a_constant():
    lanes = tuple(Lane(name, ()) for name in "AB")
    begin, write = TraceEvent(0, 1, "begin"), TraceEvent(0, 0, "write", "lock")
    read = TraceEvent(0, 1, "read", "lock")
    assert shared_attributes(Trace(lanes, (write, begin, read))) == frozenset()
    assert shared_attributes(Trace(lanes, (begin, write, read))) == {"lock"}


def test_deadlocked_lane_gets_the_wait_that_began_in_the_last_instant():
    lane = Lane("A", (Span("blocked", 0, 1, "waits for x", on="lock"), Span("running", 1, 1)), ending="deadlocked")
    (mended,) = with_endless_waits(Trace((lane,), waits=(Wait("A", "b", "B", 7, "lock"),))).lanes
    assert endless_wait(lane) is None
    assert mended.spans == (*lane.spans, Span("blocked", 1, 1, "waits for b, held by B", 7, "lock"))
    assert endless_wait(mended) is mended.spans[-1]


def test_wait_that_is_already_there_is_left_as_it_is():
    assert with_endless_waits(traces.deadlock()) == traces.deadlock()
    assert with_endless_waits(traces.race()) == traces.race()


def test_attribute_is_shared_when_two_threads_touch_it():
    assert shared_attributes(accesses("A read x", "A write x", "B read y", "C write y")) == {"y"}


def test_forty_updates_that_end_with_five_have_lost_thirty_five():
    trace = threadviz.simulate(programs.race, 8, 40).trace
    assert len(lost_updates(trace)) == 40 - 5


def test_two_objects_of_one_class_are_not_taken_for_one():
    def deposit(account):
        balance = account.value
        sleep(1)
        account.value = balance + 10

    def program():
        with ThreadPoolExecutor(2) as pool:
            for account in (programs.FakeDatabase(), programs.FakeDatabase()):
                pool.submit(deposit, account)

    run = threadviz.simulate(program)
    assert [event.value for event in run.trace.events if event.kind == "write"] == ["0", "0", "10", "10"]
    assert lost_updates(run.trace) == ()


def computing(
    *turns: tuple[int, float, float], waits: str = "waits for the GIL, held by others", clock="virtual"
) -> Trace:
    """A trace of three lanes, each of which also waits once, and computes in these turns: lane, start, end."""
    return Trace(
        tuple(
            Lane(
                f"T{lane}",
                (
                    Span("ready", 0, 0, waits),
                    *(Span("running", start, end, "work 1") for at, start, end in turns if at == lane),
                ),
            )
            for lane in range(3)
        ),
        clock=clock,
    )


def told(trace: Trace) -> list[tuple[int, float, float]]:
    return [(turn.lane, turn.start, turn.end) for turn in gil_turns(trace)]


def test_turns_of_one_thread_that_touch_are_one():
    assert told(computing((0, 0, 1), (0, 1, 2), (1, 2, 3))) == [(0, 0, 2), (1, 2, 3)]
    assert told(computing((0, 0, 1), (0, 1.0005, 2), (1, 2, 3), clock="real")) == [(0, 0, 2), (1, 2, 3)]


def test_turn_in_a_pause_that_was_too_short_to_be_noted_parts_the_others():
    parted = [(0, 0, 2), (1, 2, 2.0009), (0, 2.0009, 5), (1, 5, 6)]
    assert told(computing((0, 0, 5), (1, 2, 2.0009), (1, 5, 6), clock="real")) == parted
    assert told(computing((0, 0, 5), (1, 4.9995, 6), clock="real")) == [(0, 0, 4.9995), (1, 4.9995, 6)]
    assert told(computing((0, 0, 5), (1, 2, 2.0015), (1, 5, 6), clock="real")) == []


def test_threads_that_compute_side_by_side_hold_no_gil():
    assert told(computing((0, 0, 2), (1, 1, 3))) == []
    assert told(computing((0, 0, 1), (1, 1, 2), waits="waits for a core")) == []


def test_facts_of_a_trace_are_found_once():
    trace = traces.race()
    assert lost_updates(trace) is lost_updates(trace)
    assert with_endless_waits(trace) is trace
    assert lost_updates(traces.race()) is not lost_updates(trace)
    assert traces.race() == trace and "lost_updates" not in repr(trace)
