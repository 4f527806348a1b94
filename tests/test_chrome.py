"""The Chrome trace of a run, held against the published fields of the Trace Event Format."""

import json
import math
import threading

import pytest

import threadviz as tv
from threadviz.story.causality import endless_wait, with_endless_waits
from threadviz.story.chrome import LONG, trace_events
from threadviz.trace import Held, Lane, Span, Trace, TraceEvent

from . import programs, traces

# What the format asks of each phase, and what it leaves open that is used here.
FIELDS = {
    "M": ({"name", "pid", "tid", "args"}, {"ts"}),
    "X": ({"name", "cat", "pid", "tid", "ts", "dur"}, {"args"}),
    "C": ({"name", "pid", "ts", "args"}, {"tid"}),
    "i": ({"name", "cat", "pid", "tid", "ts"}, {"s", "args"}),
    "s": ({"name", "cat", "pid", "tid", "ts", "id"}, set()),
    "f": ({"name", "cat", "pid", "tid", "ts", "id"}, {"bp"}),
}


def run_of(scenario):
    return tv.simulate(scenario).trace


SOME = {
    "race": traces.race(),
    "locked": traces.locked(),
    "deadlock": traces.deadlock(),
    "philosophers": traces.philosophers(),
    "daemon": traces.daemon(),
    "many": traces.many(30),
    "busy": traces.busy(),
    "put and get": traces.producer_consumer(),
    "no time": traces.INSTANT,
    "empty": traces.EMPTY,
    "simulated race": run_of(programs.race),
    "simulated locks": run_of(programs.no_race),
    "simulated deadlock": run_of(programs.two_locks),
    "simulated daemon": run_of(programs.ticking_daemon),
}
each_trace = pytest.mark.parametrize("trace", SOME.values(), ids=SOME.keys())


def written(trace, title="race() → 1"):
    return json.loads(json.dumps(trace_events(trace, title), allow_nan=False))


def entries(trace, phase):
    return [entry for entry in written(trace)["traceEvents"] if entry["ph"] == phase]


def rows(trace):
    return {entry["tid"]: entry["args"]["name"] for entry in entries(trace, "M") if entry["name"] == "thread_name"}


def nanoseconds(microseconds):
    """As Perfetto reads a time: multiplied, and the rest cut off."""
    return int(microseconds * 1000)


@each_trace
def test_every_entry_has_the_fields_of_its_phase(trace):
    for entry in written(trace)["traceEvents"]:
        required, allowed = FIELDS[entry["ph"]]
        assert required <= entry.keys() - {"ph"} <= required | allowed
        assert type(entry["pid"]) is type(entry["tid"]) is int
        assert isinstance(entry["name"], str) and entry["name"]
        for time in entry.keys() & {"ts", "dur"}:
            assert isinstance(entry[time], int | float) and entry[time] >= 0
        assert entry.get("s", "t") in ("t", "p", "g") and entry.get("bp", "e") == "e"


@each_trace
def test_times_never_go_back(trace):
    times = [entry["ts"] for entry in written(trace)["traceEvents"]]
    assert times == sorted(times)


@each_trace
def test_every_row_has_a_name_and_a_place(trace):
    used = {entry["tid"] for entry in written(trace)["traceEvents"] if entry["ph"] != "M"}
    assert used <= rows(trace).keys()
    assert [name for name in rows(trace).values() if ": locks held" not in name] == [lane.name for lane in trace.lanes]
    places = {entry["tid"]: entry["args"]["sort_index"] for entry in entries(trace, "M") if "sort" in entry["name"]}
    assert sorted(places) == sorted(places.values()) == sorted(rows(trace))


@each_trace
def test_intervals_of_a_row_do_not_overlap(trace):
    ends = {}
    for entry in entries(trace, "X"):
        begin = nanoseconds(entry["ts"])
        assert begin >= ends.get(entry["tid"], 0)
        ends[entry["tid"]] = begin + nanoseconds(entry["dur"])


@each_trace
def test_durations_add_up_to_the_seconds_in_each_state(trace):
    ended = [entry for entry in entries(trace, "X") if "lasts" not in entry["args"]]
    endless = {lane: endless_wait(lane) for lane in with_endless_waits(trace).lanes}
    for state in trace.seconds_in:
        seconds = sum(
            span.end - span.start
            for lane, wait in endless.items()
            for span in lane.spans
            if span.state == state and span is not wait
        )
        total = sum(nanoseconds(entry["dur"]) for entry in ended if entry["cat"] == state)
        assert math.isclose(total / 1e9, seconds, abs_tol=1e-9 * len(ended))


@each_trace
def test_every_interval_takes_time_and_is_named_by_what_is_done(trace):
    for entry in entries(trace, "X"):
        assert entry["dur"] > 0 and len(entry["name"]) <= LONG
        if entry["cat"] != "held":
            label = entry["args"].get("label", entry["cat"])
            assert label.startswith(entry["name"]) and not {",", ":"} & {*entry["name"]}


def test_depth_of_a_queue_is_a_curve_with_one_number_an_instant():
    told = [(entry["name"], entry["ts"], entry["args"]) for entry in entries(traces.queues(items=2), "C")]
    assert told == [
        ("queue orders", 0, {"items": 1}),
        ("queue orders", 100_000, {"items": 1}),
        ("queue orders", 300_000, {"items": 0}),
    ]


@each_trace
def test_every_held_lock_is_there_with_its_name(trace):
    told = {(rows(trace)[e["tid"]].partition(": locks held")[0], e["name"], e["ts"], e["dur"])
            for e in entries(trace, "X") if e["cat"] == "held"}  # fmt: skip
    held = {(lane.name, held.lock, round(held.start * 1e6, 3), round((held.end - held.start) * 1e6, 3))
            for lane in trace.lanes for held in lane.held if held.end > held.start}  # fmt: skip
    assert told == held


@each_trace
def test_every_trace_event_has_a_mark_of_its_own(trace):
    marks = entries(trace, "i")
    assert len(marks) == len(trace.events) and all(len(mark["name"]) <= LONG for mark in marks)
    places = [(mark["tid"], mark["ts"]) for mark in marks]
    assert len(set(places)) == len(places)  # a viewer would stack them


@each_trace
def test_arrows_come_in_pairs_and_start_first(trace):
    ends = [entry for entry in written(trace)["traceEvents"] if entry["ph"] in "sf"]
    intervals = [(e["tid"], e["ts"], e["ts"] + e["dur"]) for e in entries(trace, "X")]
    busy = {tid for tid, _, _ in intervals}
    open_arrows = {}
    for end in ends:  # each is bound to an interval of its row, if that has any
        on = any(tid == end["tid"] and begin <= end["ts"] < until for tid, begin, until in intervals)
        assert on or end["tid"] not in busy
        if end["ph"] == "s":
            assert open_arrows.setdefault(end["id"], end) is end
        else:
            start = open_arrows.pop(end["id"])
            assert (start["name"], start["cat"]) == (end["name"], end["cat"]) and start["tid"] != end["tid"]
    assert open_arrows == {}
    across = sum(e.cause is not None and trace.events[e.cause].lane != e.lane for e in trace.events)
    assert len(ends) == 2 * across


def test_arrows_show_who_handed_over_to_whom():
    trace = run_of(programs.no_race)
    names = rows(trace)
    pairs = zip(entries(trace, "s"), entries(trace, "f"), strict=True)
    told = [(s["name"], names[s["tid"]], names[f["tid"]], round(f["ts"])) for s, f in pairs if "release" in s["name"]]
    assert told == [
        ("release shared._lock", "ThreadPoolExecutor-0_0", "ThreadPoolExecutor-0_1", 100_000),
    ]


def test_wait_for_a_lock_names_its_owner():
    waits = [entry["args"] for entry in entries(run_of(programs.no_race), "X") if entry["args"].get("lock")]
    line = programs.LockedDatabase.update.__code__.co_firstlineno + 1
    lock, owner = "shared._lock", "ThreadPoolExecutor-0_0"
    assert waits == [{"label": f"waits for {lock}, held by {owner}", "line": line, "lock": lock, "owner": owner}]


def test_lost_update_is_named_where_it_happens():
    trace = traces.race()
    sentence = "worker-1 writes 1 over worker-0's 1, which it had not seen: an update is lost"
    (mark,) = [mark for mark in entries(trace, "i") if "lost update" in mark["cat"].split(",")]
    assert (rows(trace)[mark["tid"]], round(mark["ts"])) == ("worker-1", 100_000)
    assert mark["name"] == "write value = 1"
    assert mark["args"] == {"what": f"write value = 1: {sentence}", "line": 8}
    assert written(trace)["otherData"]["lost updates"] == [sentence]


def test_deadlock_is_told_and_its_waits_last_for_ever():
    trace = traces.deadlock()
    assert written(trace)["otherData"]["deadlock"].startswith("deadlock, nobody can go on: Thread-1 (pay) waits for b")
    assert [mark["name"] for mark in entries(trace, "i") if mark["s"] == "g"] == ["deadlock"]
    endless = [(entry["cat"], rows(trace)[entry["tid"]]) for entry in entries(trace, "X") if "lasts" in entry["args"]]
    assert endless == [("blocked", "MainThread"), ("blocked", "Thread-1 (pay)"), ("blocked", "Thread-2 (refund)")]


def test_clock_title_and_notes_are_told():
    trace = Trace((), duration=2.5, clock="real", notes=("something was left out",))
    about = {"title": "t", "clock": "real", "seconds": 2.5, "notes": ["something was left out"]}
    assert written(trace, "t")["otherData"] == about


def test_locks_held_across_each_other_have_a_row_each():
    held = (Held("a", 0, 2), Held("b", 1, 3), Held("a", 2, 4))
    trace = Trace((Lane("worker", (Span("running", 0, 4),), held),), duration=4)
    told = [(rows(trace)[entry["tid"]], entry["name"], entry["ts"]) for entry in entries(trace, "X")[1:]]
    assert told == [
        ("worker: locks held", "a", 0),
        ("worker: locks held (2)", "b", 1_000_000),
        ("worker: locks held", "a", 2_000_000),
    ]


def test_trace_events_of_one_instant_stand_side_by_side_in_their_order():
    events = tuple(TraceEvent(1, 0, "output", "line\u2028" * 9 if i == 0 else f"{i}", line=i) for i in range(6))
    marks = entries(Trace((Lane("A", (Span("running", 0, 2),)),), events, 2), "i")
    assert [mark["name"] for mark in marks] == [f"output {'line�' * 9}"[: LONG - 1] + "…"] + [
        f"output {number}" for number in range(1, 6)
    ]
    assert [nanoseconds(mark["ts"]) - 10**9 for mark in marks] == list(range(6))
    assert marks[0]["args"] == {"what": f"output {'line�' * 9}", "line": 0}


def test_no_nanosecond_is_lost_on_the_way():
    starts = [number * 1e-9 for number in range(0, 3_000_000, 37)]
    spans = tuple(Span("running", start, end) for start, end in zip(starts, starts[1:], strict=False))
    told = [nanoseconds(entry["ts"]) for entry in entries(Trace((Lane("A", spans),)), "X")]
    assert told == list(range(0, 3_000_000, 37))[:-1]
    assert any(int(n / 1000 * 1000) != n for n in told)  # as plain division does lose some


def test_same_run_gives_the_same_file(tmp_path):
    texts = set()
    for number in range(10):
        path = tmp_path / f"{number}.json"
        tv.simulate(programs.race, seed=3).save(path)
        texts.add(path.read_text(encoding="utf-8"))
    assert len(texts) == 1
    assert json.loads(texts.pop())["otherData"]["clock"] == "virtual"


def test_names_are_written_as_they_are(tmp_path):
    def scenario():
        threading.Thread(name="größe").start()

    tv.simulate(scenario).save(tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert '"scenario()   simulated, 0 s"' in text and '"größe"' in text
    assert "\\u" not in text  # Perfetto shows an escape as it stands


def test_half_a_character_breaks_no_file():
    lane = Lane(
        "\ud800", (Span("blocked", 0, 1, "waits for \ud800, held by \ud800", on="lock"),), (Held("\ud800", 0, 1),)
    )
    events = (TraceEvent(0, 0, "error", "\ud800", "\ud800"), TraceEvent(0, 0, "release", "\ud800", cause=0))
    json.dumps(trace_events(Trace((lane,), events, 1, notes=("\ud800",)), "\ud800"), ensure_ascii=False).encode("utf-8")


def test_owner_with_an_odd_name_is_told_whole():
    lane = Lane("A", (Span("blocked", 0, 1, "waits for lock, held by Bob, held by Eve", on="lock"),))
    (state,) = [each for each in trace_events(Trace((lane,), (), 1))["traceEvents"] if each.get("cat") == "blocked"]
    assert (state["args"]["lock"], state["args"]["owner"]) == ("lock", "Bob, held by Eve")
