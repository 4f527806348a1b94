"""What stands further to the right never happened earlier, also within one instant."""

from itertools import pairwise

import pytest

import threadviz as tv
from threadviz.picture.layout import lay_out
from threadviz.picture.ruler import MARK, Moment, Ruler
from threadviz.story.causality import lost_updates
from threadviz.trace import Held, Lane, Span, Trace, TraceEvent

from . import programs, traces


def race_of_8():
    return programs.race(8)


def race_of_20():
    return programs.race(20)


def two_rounds():
    return programs.race(3, updates=6)


def race_without_time():
    return programs.race(2, sleep=0)


PROGRAMS = (
    *programs.ALL, *programs.ORDERLY, programs.lost_update, race_of_8, race_of_20, two_rounds, race_without_time,
)  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4])
def test_marks_stand_from_left_to_right_in_the_order_in_which_they_happened(program, seed):
    trace = tv.simulate(program, seed=seed).trace
    picture = lay_out(trace, 660)
    marks = sorted(mark for kind in picture.marks if kind != "error" for mark in picture.marks[kind])
    shown = [(picture.about[mark].thread, picture.about[mark].line) for mark in marks]
    happened = iter((trace.lanes[event.lane].name, event.line) for event in trace.events)
    assert all(each in happened for each in shown)  # each is found after the one before
    assert all(a < b for (a, _), (b, _) in pairwise(marks))


@pytest.mark.parametrize("workers", [2, 3, 8, 20])
@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4, 5])
def test_what_is_overwritten_stands_left_of_what_overwrites_it(workers, seed):
    trace = tv.simulate(programs.race, workers, seed=seed).trace
    lost = lost_updates(trace)
    picture = lay_out(trace, 660)
    assert len(lost) == len(picture.marks["stale write"]) == workers - 1
    for each in lost:
        before, after = (trace.events[index] for index in (each.overwritten, each.write))
        rows = [picture.rows[event.lane].top - 8 for event in (before, after)]
        writes = [mark for kind in ("lost write", "stale write") for mark in picture.marks[kind]]
        (x,), (y,) = ([mark[0] for mark in writes if mark[1] == row] for row in rows)
        assert x < y


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_no_trace_event_is_left_of_an_earlier_one(program):
    trace = tv.simulate(program, seed=3).trace
    picture = lay_out(trace, 660)
    places = [picture.at(index) for index in range(len(trace.events))]
    assert places == sorted(places)
    for index, event in enumerate(trace.events):
        assert picture.x(event.time) <= places[index] <= picture.x(event.time, float("inf"))


def test_instant_is_stretched_by_a_step_for_each_thing_in_it_and_all_else_keeps_its_scale():
    lanes = (Lane("A", (Span("sleeping", 0, 4),)), Lane("B", (Span("sleeping", 0, 4),)))
    events = tuple(TraceEvent(2, lane, "put", "q", "1") for lane in (0, 1, 0))
    picture = lay_out(Trace(lanes, (TraceEvent(0, 0, "queue", "q"), *events), 4), 700)
    assert [picture.at(index) - picture.x(2) for index in (1, 2, 3)] == [5.5, 16.5, 27.5]
    assert picture.x(2, float("inf")) - picture.x(2) == 33
    assert picture.x(1) - picture.x(0) == pytest.approx(picture.x(4) - picture.x(3))
    assert picture.x(3) - picture.x(1) == pytest.approx(2 * (picture.x(1) - picture.x(0)) + 33)
    ((left, top, right, bottom),) = picture.boxes["instant"]
    assert (left, right, top, bottom) == (picture.x(2), picture.x(2) + 33, 0, picture.height)
    assert picture.axis == "virtual seconds; shaded: one instant, stretched to show the order of what happens in it"
    assert ("2", picture.x(2)) in [(tick.text, tick.x) for tick in picture.ticks]


def test_nothing_is_stretched_where_each_thing_has_an_instant_of_its_own():
    puts = (TraceEvent(0, 0, "queue", "q"), *(TraceEvent(k, 0, "put", "q", "1") for k in (1, 2, 3)))
    trace = Trace((Lane("A", (Span("running", 0, 4),)),), puts, 4)
    picture = lay_out(trace, 700)
    assert picture.boxes["instant"] == [] and picture.axis == "virtual seconds"


def test_two_marks_of_one_lane_have_room_beside_one_another():
    events = [TraceEvent(0, 1, "begin"), TraceEvent(0, 0, "write", "x", "1"), TraceEvent(0, 1, "read", "x", "1")]
    events += [TraceEvent(1, 1, "read", "x", "1") for _ in range(20)]
    lanes = (Lane("A", (Span("running", 0, 2),)), Lane("B", (Span("running", 0, 2),)))
    ruler = Ruler(Trace(lanes, tuple(events), 2), True, 900)
    places = [ruler.x(Moment(1, index)) for index in range(3, 23)]
    assert min(b - a for a, b in pairwise(places)) >= MARK


@pytest.mark.parametrize("items", [300, 5000])
def test_more_than_there_is_room_for_is_not_stretched_and_keeps_its_order(items):
    events = [TraceEvent(k // 3, k % 2, "put", "q", "1") for k in range(items)]
    lanes = (Lane("A", (Span("running", 0, items),)), Lane("B", (Span("running", 0, items),)))
    ruler = Ruler(Trace(lanes, tuple(events), items), True, 600)
    assert ruler.instants == []


def test_lock_is_held_from_the_acquire_to_the_release_that_another_thread_makes_in_that_instant():
    events = tuple(
        TraceEvent(0, lane, kind, "full")
        for lane, kind in ((0, "acquire"), (1, "release"), (1, "acquire"), (0, "release"))
    )
    lanes = tuple(Lane(name, (Span("running", 0, 0),), (Held("full", 0, 0),)) for name in "AB")
    picture = lay_out(Trace(lanes, events), 700)
    assert [(left, right) for left, _, right, _ in picture.held] == [
        (picture.at(0), picture.at(1)),
        (picture.at(2), picture.at(3)),
    ]


def test_lock_that_is_let_go_in_the_instant_of_a_deadlock_is_not_held_for_ever():
    trace = traces.deadlock()
    late = (TraceEvent(0.1, 1, "acquire", "c"), TraceEvent(0.1, 1, "release", "c"))
    one = trace.lanes[1]
    lanes = (trace.lanes[0], Lane(one.name, one.spans, (*one.held, Held("c", 0.1, 0.1)), ending=one.ending))
    events = (*trace.events[:-1], *late, trace.events[-1])
    picture = lay_out(Trace((*lanes, trace.lanes[2]), events, 0.1, waits=trace.waits), 700)
    index = events.index(late[1])
    assert any(right == pytest.approx(picture.at(index)) for _, _, right, _ in picture.held)
