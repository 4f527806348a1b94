"""The picture in words, compared letter by letter."""

from dataclasses import replace

import pytest

from threadviz.story.words import describe, lost_summary, seconds
from threadviz.texts import clean
from threadviz.trace import Held, Lane, Span, Trace, TraceEvent, Wait

from . import traces


def test_race_is_told_with_its_lost_update():
    assert describe(traces.race(), "race(workers=2)").splitlines() == [
        "race(workers=2)",
        "MainThread: blocked in ThreadPoolExecutor.__exit__ 0.1 s (line 12)",
        "worker-0, worker-1: sleeps 0.1 s (line 7)",
        "worker-1 writes 1 over worker-0's 1, which it had not seen: an update is lost",
        "in all: running 0 s, sleeping 0.2 s, blocked 0.1 s, duration 0.1 s (virtual seconds)",
    ]


def test_deadlock_is_told_with_its_circle_and_what_lasts_for_ever():
    assert describe(traces.deadlock()).splitlines() == [
        "MainThread: blocked in Thread.join for ever",
        "Thread-1 (pay): sleeps 0.1 s; waits for b, held by Thread-2 (refund), for ever (line 9); "
        "holds a from 0 s for ever",
        "Thread-2 (refund): sleeps 0.1 s; waits for a, held by Thread-1 (pay), for ever (line 9); "
        "holds b from 0 s for ever",
        "deadlock, nobody can go on: Thread-1 (pay) waits for b, held by Thread-2 (refund) (line 9); "
        "Thread-2 (refund) waits for a, held by Thread-1 (pay) (line 9)",
        "in all: running 0 s, sleeping 0.2 s, blocked 0.1 s, duration 0.1 s (virtual seconds)",
    ]


@pytest.mark.parametrize("at", [0.0, 0.4])
def test_lock_that_a_finished_thread_leaves_locked_is_held_for_ever_in_a_deadlock(at):
    main = Lane("MainThread", (Span("blocked", at, at, "waits for l, held by dead", on="lock"),), ending="deadlocked")
    dead = Lane("dead", (Span("running", 0, 0),), (Held("l", 0, at), Held("m", 0, at)))
    events = (
        TraceEvent(0, 1, "acquire", "l"),
        TraceEvent(0, 1, "acquire", "m"),
        TraceEvent(at, 1, "release", "m"),
        TraceEvent(at, 0, "deadlock"),
    )
    line = describe(Trace((main, dead), events, at, waits=(Wait("MainThread", "l", "dead", on="lock"),))).splitlines()[
        1
    ]
    let_go = "from 0 s to 0.4 s" if at else "for an instant"
    assert line == f"dead: runs without waiting; holds l from 0 s for ever; holds m {let_go}"


def test_lock_let_go_in_the_instant_of_a_deadlock_is_not_held_for_ever_by_who_waits_on():
    spans = (Span("sleeping", 0, 1), Span("blocked", 1, 1, "Condition.wait"))
    lane = Lane("T", spans, (Held("kept", 0, 1), Held("c", 0, 1)), ending="deadlocked")
    events = (
        TraceEvent(0, 0, "acquire", "kept"),
        TraceEvent(0, 0, "acquire", "c"),
        TraceEvent(1, 0, "release", "c"),
        TraceEvent(1, 0, "deadlock"),
    )
    line = describe(Trace((lane,), events, 1, waits=(Wait("T", "Condition.wait"),))).splitlines()[0]
    assert line.endswith("; holds kept from 0 s for ever; holds c from 0 s to 1 s")


def test_end_of_a_thread_is_waited_for_and_not_held():
    waits = (Wait("A", "the end of B", "B", 3, "thread"), Wait("B", "the end of A", "A", on="thread"))
    assert describe(Trace((), waits=waits)).splitlines()[1] == (
        "deadlock, nobody can go on: A waits for the end of B (line 3); B waits for the end of A"
    )


def test_waits_that_nobody_can_end_are_told_without_a_circle():
    trace = Trace((), waits=(Wait("A", "Event.wait", None, 3),))
    assert describe(trace).splitlines()[1] == (
        "deadlock, nobody is left to end these waits: A waits for Event.wait (line 3)"
    )


def test_waits_notes_and_failures_that_are_left_out_are_counted():
    failed = tuple(TraceEvent(0.0, 0, "failed", "ValueError", str(number)) for number in range(5))
    waits = tuple(Wait(f"T{number}", "Event.wait") for number in range(8))
    notes = tuple(f"left out {number}" for number in range(4))
    lines = describe(Trace((Lane("A", (Span("ready", 0, 1),)),), failed, 1.0, waits=waits, notes=notes)).splitlines()
    assert lines[0] == (
        "A: ready to run 1 s; a call in it raises ValueError: 0; a call in it raises ValueError: 1; "
        "a call in it raises ValueError: 2; and 2 more calls in it raised"
    )
    assert lines[1].endswith("T5 waits for Event.wait; and 2 more")
    assert lines[3:] == ["note: left out 0", "note: left out 1", "note: left out 2", "and 1 more note"]


def test_every_ending_is_told():
    lines = describe(traces.daemon()).splitlines()
    assert lines[1] == "heartbeat: sleeps 1 s; abandoned at 1 s, as the program ends and it is a daemon"
    assert lines[2] == "reader: sleeps 0.4 s; ends with ValueError: no such row"
    assert lines[3] == "spinner: runs 1 s; stopped at 1 s"


def test_queue_is_told_with_its_bound_its_fullest_moment_and_its_hand_overs():
    lines = describe(traces.queues()).splitlines()
    assert lines[1] == (
        "queue orders, at most 4: 0 items at the start, 4 at most (first at 0.5 s), 0 at the end; 6 hand-overs"
    )
    assert describe(traces.queues(maxsize="", items=1)).splitlines()[1] == (
        "queue orders: 0 items at the start, 1 at most (first at 0 s), 0 at the end; 1 hand-over"
    )


def test_recorded_times_of_a_queue_are_rounded_as_all_others_are():
    trace = traces.queues()
    late = tuple(event._replace(time=event.time + 0.000627344) for event in trace.events)
    assert "4 at most (first at 0.50063 s)" in describe(replace(trace, events=late, clock="real"))
    assert "4 at most (first at 0.500627 s)" in describe(replace(trace, events=late))


def test_many_queues_are_counted():
    lines = describe(traces.queues(7)).splitlines()
    assert "and 3 more queues" in lines and sum("hand-overs" in line for line in lines) == 4


def test_endless_wait_for_the_end_of_a_thread_is_a_sentence():
    lane = Lane("A", (Span("blocked", 0, 1, "waits for the end of B", 3),), ending="deadlocked")
    assert describe(Trace((lane,))).splitlines()[0] == "A: waits for the end of B, for ever (line 3)"


def test_repetition_is_summed_up():
    assert describe(traces.producer_consumer()).splitlines()[:2] == [
        "producer: 4 times (sleeps 0.2 s); holds outer from 0.2 s to 0.7 s; holds inner from 0.3 s to 0.5 s",
        "consumer: 4 times (blocked in Queue.get 0.2 s (line 5))",
    ]


def test_repeated_pattern_of_two_is_summed_up_as_such():
    spans = [Span(("sleeping", "running")[k % 2], k, k + 1) for k in range(6)]
    assert describe(Trace((Lane("A", tuple(spans)),))).startswith("A: 3 times (sleeps 1 s; runs 1 s)\n")


def test_locks_held_often_are_counted_and_added_up():
    held = tuple(Held("a", k, k + 0.5) for k in range(3))
    text = describe(Trace((Lane("A", (Span("running", 0, 3),), held),)))
    assert text.startswith("A: runs 3 s; holds a 3 times, 1.5 s in all\n")


@pytest.mark.parametrize("trace", [traces.many(200), traces.race(200), traces.busy(200, 50), traces.philosophers(200)])
def test_two_hundred_lanes_take_at_most_25_lines(trace):
    assert 3 <= len(describe(trace, "title").splitlines()) <= 25


def test_what_is_left_out_is_counted():
    lines = describe(traces.many(200)).splitlines()
    assert lines[10] == "and 190 more threads, left out here"
    assert "and 193 more updates lost in the same way" in describe(traces.race(200)).splitlines()


def test_setting_up_an_attribute_is_not_counted_as_an_update():
    race = traces.race(4)
    assert lost_summary(race) == "3 of 4 updates of value are lost"
    # moved to the end so that no cause changes its index: the main thread never reads
    set_up = replace(race, events=(*race.events, TraceEvent(0.1, 0, "write", "value", "0")))
    assert lost_summary(set_up) == "3 of 4 updates of value are lost"
    assert lost_summary(traces.race(2)) == "1 of 2 updates of value is lost"
    assert lost_summary(traces.locked()) == ""


def test_same_trace_is_told_in_the_same_words():
    assert describe(traces.locked(), "t") == describe(traces.locked(), "t")


def test_real_seconds_and_notes_are_named():
    lines = describe(Trace((), clock="real", notes=("one", "two", "three", "four"))).splitlines()
    assert lines[0] == "no thread did anything"
    assert lines[1] == "in all: duration 0 s (real seconds)"
    assert lines[2:] == ["note: one", "note: two", "note: three", "and 1 more note"]


def test_line_breaks_and_control_characters_cannot_forge_a_line():
    text = describe(traces.named("a\nin all: nothing\x1b[31m\u202e"), "ti\ntle")
    assert text.splitlines()[:2] == ["ti\ufffdtle", "a\ufffdin all: nothing\ufffd[31m\ufffd: sleeps 1 s"]
    assert clean("日本 $x$ <b>") == "日本 $x$ <b>"


@pytest.mark.parametrize("value, text", [(0.1 + 0.2, "0.3 s"), (2.0, "2 s"), (1 / 3, "0.333333 s"), (1e-7, "1e-07 s")])
def test_seconds_have_at_most_six_digits(value, text):
    assert seconds(value) == text


def test_time_out_and_calls_that_change_what_others_wait_for_are_told():
    spans = (Span("blocked", 0, 1, "Event.wait", 3), Span("blocked", 1, 2, "Event.wait", 3))
    events = (
        TraceEvent(1, 0, "wake", "Event.wait", "time-out", 3),
        TraceEvent(1.5, 1, "call", "Event.set", line=9),
        TraceEvent(1.5, 1, "call", "Event.set"),  # the library's own
        TraceEvent(2, 0, "wake", "Event.wait", line=3, cause=1),
    )
    lanes = Lane("A", spans), Lane("B", (Span("sleeping", 0, 1.5, "sleep 1.5", 8),))
    assert describe(Trace(lanes, events, 2)).splitlines()[:2] == [
        "A: blocked in Event.wait 1 s, until its time-out (line 3); blocked in Event.wait 1 s (line 3)",
        "B: sleeps 1.5 s (line 8); calls Event.set at 1.5 s (line 9)",
    ]


def test_moments_on_the_cpu_are_no_news_of_a_recorded_run_and_its_times_have_two_digits():
    times = 0, 0.0004, 0.1007, 0.1009, 0.1991, 0.1992, 0.2996, 0.3
    states = ("running", "sleeping", "running", "sleeping", "running", "sleeping", "running")
    spans = [Span(state, a, b, line=4) for state, a, b in zip(states, times, times[1:], strict=False)]
    lane = Lane("A", tuple(spans), (Held("lock", 0.10071, 0.19912),))
    off = Span("ready", 0.15, 0.1503, "off the CPU")
    busy = Lane("B", (Span("running", 0, 0.15), off, Span("running", 0.1503, 0.3)))
    assert describe(Trace((lane, busy), (), 0.3, "real")).splitlines()[:2] == [
        "A: sleeps 0.1 s (line 4); sleeps 0.098 s (line 4); sleeps 0.1 s (line 4); holds lock from 0.101 s to 0.199 s",
        "B: runs 0.3 s",
    ]
    wait = Span("blocked", 0.0002, 0.0006, "Queue.get")
    short = Lane("A", (Span("running", 0, 0.0002), wait, Span("running", 0.0006, 0.3)))
    assert describe(Trace((short,), (), 0.3, "real")).startswith("A: blocked in Queue.get 0.0004 s; runs 0.3 s\n")


def test_recorded_thread_that_only_ran_for_a_moment_ran():
    lanes = Lane("A", (Span("running", 0, 0.0002),)), Lane("B", (Span("sleeping", 0, 1),))
    assert describe(Trace(lanes, (), 1, "real")).startswith("A: runs without waiting\nB: sleeps 1 s\n")


def test_turns_on_the_cpu_of_a_recorded_thread_are_told_in_one():
    states = [("running", "", None), ("ready", "off the CPU", 8)] * 5
    spans = [Span(state, at / 10, (at + 1) / 10, label, line) for at, (state, label, line) in enumerate(states)]
    spans += [Span("sleeping", 1, 1.5, "sleep 0.5", 9)]
    working = [Span("running", 1.5, 1.6, "work 0.2", 10), Span("ready", 1.6, 1.7, "off the CPU", 10)] * 2
    spans += [
        each._replace(start=each.start + 0.2 * (at // 2), end=each.end + 0.2 * (at // 2))
        for at, each in enumerate(working)
    ]
    few = Lane("B", (*spans[:3], Span("sleeping", 0.3, 2)))
    assert describe(Trace((Lane("A", tuple(spans)), few), (), 2, "real")).splitlines()[:2] == [
        "A: runs 0.5 s in all, off the CPU for 0.5 s in between (line 8); sleeps 0.5 s (line 9); "
        "computes 0.2 s in all, off the CPU for 0.2 s in between (line 10)",
        "B: runs 0.1 s; off the CPU, 0.1 s (line 8); runs 0.1 s; sleeps 1.7 s",
    ]
