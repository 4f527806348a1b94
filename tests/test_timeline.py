"""What the picture shows, and that nothing in it is cut or hidden, on paper."""

import subprocess
import sys
import time
from io import BytesIO
from itertools import combinations, pairwise, product
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from PIL import Image

from threadviz.picture.figure import HATCHES, plot, saved
from threadviz.picture.layout import MOST_LANES, lay_out, left_margin
from threadviz.picture.lettering import fit, fit_middle, width, wrap
from threadviz.picture.styles import FILLS, boxes
from threadviz.picture.timeline import timeline
from threadviz.trace import Held, Lane, Span, Trace, TraceEvent

from . import traces

SAMPLES = {
    "race": traces.race(),
    "race of 8": traces.race(8),
    "race of 30": traces.race(30),
    "locked": traces.locked(),
    "locked 8": traces.locked(8),
    "deadlock": traces.deadlock(),
    "deadlock at once": traces.deadlock(0.0),
    "deadlock before any time passes": traces.deadlock_at_once(),
    "philosophers": traces.philosophers(),
    "daemon": traces.daemon(),
    "200 threads": traces.many(),
    "busy": traces.busy(),
    "very busy": traces.busy(8, 2000, 0.0005),
    "in turns": traces.in_turns(300, 0.1),
    "queue": traces.producer_consumer(),
    "depth": traces.queues(),
    "depth without a bound": traces.queues(maxsize=""),
    "seven queues": traces.queues(7),
    "many items": traces.queues(2, 900, "1000"),
    "names": traces.named("$x$", "<img src=x onerror=alert(1)>", "a\nb\x1b", "日本", "", "very long " * 30),
    "empty": traces.EMPTY,
    "no time at all": traces.INSTANT,
}
samples = pytest.mark.parametrize("trace", SAMPLES.values(), ids=SAMPLES.keys())


def arrows_of(picture):
    return [arrow for kind in ("wake", "start", "item") for arrow in picture.arrows[kind]]


def shown(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def texts_of(ax):
    """Return every text with letters in it, ticks and axis label included, and where it stands (pixels)."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    texts = [*ax.texts, ax.xaxis.label, *ax.get_xticklabels()]
    return [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in texts if t.get_text()]


@samples
def test_no_text_is_cut_at_any_edge(trace):
    ax = plot(trace, "a title " * 40)
    edge = ax.figure.bbox
    for text, box in texts_of(ax):
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= edge.width and box.y1 <= edge.height
        assert inside, (text, box, edge)


@samples
def test_tight_layout_needs_no_more_room_than_the_figure_has(trace):
    figure = plot(trace, "title").figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    tight = figure.get_tightbbox(canvas.get_renderer())
    assert tight.x0 >= 0 and tight.y0 >= 0
    assert tight.x1 <= figure.get_figwidth() and tight.y1 <= figure.get_figheight()


@samples
def test_no_two_texts_overlap(trace):
    for (one, a), (two, b) in combinations(texts_of(plot(trace, "title")), 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or down <= 1, (one, two, a, b)


@samples
def test_no_mark_lies_on_a_label_or_on_another_mark(trace):
    picture = lay_out(trace, 700)
    points = [(x, y) for kind, marks in picture.marks.items() if kind != "error" for x, y in marks]
    for (x, y), (u, v) in combinations(points, 2):
        assert abs(x - u) > 9 or abs(y - v) > 9
    for x, y in points:
        for label in picture.labels:
            left, top, right, bottom = label.box
            assert not (left < x + 3 and x - 3 < right and top < y < bottom), (label, x, y)


@samples
def test_no_mark_lies_on_an_arrow(trace):
    picture = lay_out(trace, 700)
    upright = [(tail, head) for tail, head in arrows_of(picture) if tail[0] == head[0]]
    points = [point for kind, marks in picture.marks.items() if kind != "error" for point in marks]
    for (x, y), ((arrow, start), (_, end)) in product(points, upright):
        assert abs(x - arrow) >= 1.5 or not min(start, end) < y < max(start, end)


def png(trace: Trace, title: str = "", width: float = 800) -> bytes:
    return saved(timeline(trace, title, width=width))


def test_same_trace_gives_the_same_picture_and_another_one_another():
    assert png(traces.race(), "t") == png(traces.race(), "t")
    assert png(traces.race(), "t") != png(traces.race(), "u")
    assert png(traces.race(2), "t") != png(traces.race(3), "t")


def test_png_has_two_pixels_for_each_css_pixel():
    assert shown(png(traces.race(), width=700)).shape[1] == 1400


def test_png_shows_the_states_in_their_colours():
    pixels = shown(png(traces.busy()))[:, :, :3].reshape(-1, 3)
    colours = [style.inside.light for name, style in FILLS.items() if name in ("running", "ready", "sleeping", "held")]
    for colour in (*colours, FILLS["lock"].edge.light):
        rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert (np.abs(pixels.astype(int) - rgb).sum(axis=1) < 12).sum() > 50, colour


def test_pdf_is_a_pdf_and_the_same_for_the_same_run():
    first, second = (saved(timeline(traces.race(), "t"), "pdf") for _ in range(2))
    assert first == second and first.startswith(b"%PDF")


def test_drawing_leaves_the_global_settings_and_pyplot_alone():
    code = (
        "import sys, matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "from tests import traces\n"
        "from threadviz.picture.figure import plot, saved\n"
        "from threadviz.picture.timeline import timeline\n"
        "plot(traces.deadlock()); saved(timeline(traces.race()))\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print('untouched')\n"
    )
    root = str(Path(__file__).parent.parent)
    path = {"PYTHONPATH": root, "MPLCONFIGDIR": matplotlib.get_configdir()}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=path)
    assert done.stdout == "untouched\n", done.stderr


def test_title_that_is_too_long_keeps_its_outcome():
    ax = plot(traces.race(), "kitchen(clerks=2, " + "cooks=3, " * 40 + "room=4) → (20, 20)   simulated, 1.5 s")
    (title,) = [text.get_text() for text in ax.texts if "kitchen" in text.get_text()]
    assert title.startswith("kitchen(clerks=2, ") and title.endswith("→ (20, 20)   simulated, 1.5 s")


def test_style_of_the_notebook_does_not_change_the_picture():
    plain = png(traces.deadlock(), "t")
    dark = {"font.size": 20, "text.color": "red", "axes.facecolor": "black", "axes.grid": True, "lines.linewidth": 9,
            "figure.dpi": 30, "savefig.dpi": 30, "font.family": "serif", "hatch.linewidth": 5}  # fmt: skip
    with matplotlib.rc_context(dark):
        assert png(traces.deadlock(), "t") == plain


@pytest.mark.parametrize("name", ["$x$", "<img src=x onerror=alert(1)>", "a_b^{c}", "\\alpha"])
def test_names_and_labels_are_text_and_never_markup(name):
    trace = Trace((Lane(name, (Span("blocked", 0, 1, name),)),), duration=1)
    texts = [t for t in plot(trace, name).texts if t.get_text() == name]
    assert len(texts) == 3  # lane, bar and title
    assert not any(text.get_parse_math() for text in texts)


def test_control_characters_and_what_the_font_lacks_are_replaced():
    texts = [text for text, _ in texts_of(plot(traces.named("a\nb\x1b[31m", "日本")))]
    assert "a\ufffdb\ufffd[31m" in texts
    assert "□□" in texts


def test_long_names_keep_both_ends():
    long = "first" + "x" * 300 + "last"
    name = next(text for text, _ in texts_of(plot(traces.named(long))) if "…" in text)
    assert name.startswith("first") and name.endswith("last")


@samples
def test_states_take_a_path_each_and_kinds_of_arrows_a_quiver(trace):
    picture, ax = lay_out(trace, 700), plot(trace)
    filled = {name for name in FILLS if boxes(picture, name)}
    for name in filled:
        alike = [p for p in ax.patches if same_color(p.get_facecolor(), FILLS[name].inside.light)]
        assert len([patch for patch in alike if patch.get_fill()]) == 1, name
    hatches = [HATCHES[FILLS[name].hatch] for name in FILLS if name in filled and FILLS[name].hatch]
    assert [patch.get_hatch() for patch in ax.patches if patch.get_hatch()] == hatches
    kinds = sum(bool(arrows) for arrows in lay_out(trace, 700).arrows.values())
    assert [type(each) for each in ax.collections] == [Quiver] * kinds


def test_number_of_artists_does_not_grow_with_the_spans():
    few, many = plot(traces.busy(8, 5)), plot(traces.busy(8, 500))
    assert len(many.patches) <= len(few.patches) == 7 and len(many.lines) <= len(few.lines)


def test_intervals_narrower_than_a_pixel_are_merged_and_counted():
    picture = lay_out(traces.busy(1, 20_000, 0.001), 600)
    assert sum(len(boxes) for boxes in picture.boxes.values()) < 700
    (note,) = [note for note in picture.notes if "merged" in note]
    assert 19_000 < int(note.split()[0]) <= 20_000


def test_nothing_is_merged_that_has_room():
    picture = lay_out(traces.busy(2, 50), 600)
    assert sum(len(boxes) for boxes in picture.boxes.values()) == 100
    assert picture.notes == []


def test_running_without_taking_time_is_a_tick():
    picture = lay_out(traces.race(1), 600)
    assert [round(right - left, 6) for left, _, right, _ in picture.boxes["running"]] == [3, 3, 3]


def test_thread_that_only_ever_sleeps_does_not_seem_to_run():
    for times in (100, 200, 1000):
        picture = lay_out(traces.in_turns(times, 0.0), 700)
        ran = sum(right - left for left, _, right, _ in picture.boxes["running"])
        assert ran < 0.03 * 700
        slept = sum(right - left for left, _, right, _ in picture.boxes["sleeping"])
        assert slept == pytest.approx(picture.x(times) - picture.x(0))
        (note,) = [note for note in picture.notes if "merged" in note]
        assert int(note.split()[0]) > 0.9 * times


def test_moments_of_running_close_to_one_another_all_look_alike_or_are_all_left_out():
    for times, wide in ((4, 3), (14, 1.5), (20, 1.5), (60, None)):
        spans = [Span(state, k, k + (state == "sleeping")) for k in range(times) for state in ("running", "sleeping")]
        rest = Span("sleeping", times, 70)
        picture = lay_out(Trace((Lane("A", (*spans, rest)),), duration=70), 700)
        widths = {round(right - left, 6) for left, _, right, _ in picture.boxes["running"]}
        assert widths == ({wide} if wide else set())
        assert len(picture.boxes["running"]) == (times if wide else 0)
        told = [] if wide else [f"{times} intervals narrower than a pixel are merged"]
        assert picture.notes == told


def test_lock_that_is_held_again_and_again_for_a_moment_is_a_row_of_dots_and_counted():
    held = tuple(Held("lock", k / 1000, (k + 0.1) / 1000) for k in range(500))
    picture = lay_out(Trace((Lane("A", (Span("running", 0, 0.5),), held),), duration=0.5), 700)
    black = sum(right - left for left, _, right, _ in picture.held)
    assert 0.1 < black / (picture.x(0.5) - picture.x(0)) < 0.35
    assert "holds lock 500 times" in [label.text for label in picture.labels]


def test_a_few_moments_of_running_are_all_shown_even_close_to_one_another():
    times = 0, 7, 14, 500, 600, 607, 614, 621
    spans = [Span(state, a, b) for a, b in pairwise(times) for state, b in (("running", a), ("sleeping", b))]
    picture = lay_out(Trace((Lane("A", (*spans, Span("running", 621, 621))),), duration=621), 700)
    assert len(picture.boxes["running"]) == len(times)
    assert picture.notes == []


@pytest.mark.parametrize("times", [40, 150, 250, 340, 500, 1000, 10_000])
@pytest.mark.parametrize("running", [0.02, 0.1, 0.25, 0.5])
def test_state_takes_that_share_of_the_pixels_that_it_took_of_the_time(times, running):
    pixels = shown(png(traces.in_turns(times, running))).astype(int)
    blue = np.abs(pixels - (0x00, 0x72, 0xB2)).sum(axis=2) < 60
    grey = (np.abs(pixels - 0xDD).sum(axis=2) < 30) | (np.abs(pixels - 0x77).sum(axis=2) < 60)
    row = (blue | grey).sum(axis=1).argmax()
    assert blue[row].sum() / (blue | grey)[row].sum() == pytest.approx(running, abs=0.05)


def test_one_narrow_span_between_wide_ones_is_shown():
    spans = Span("sleeping", 0, 50), Span("running", 50, 50.001), Span("sleeping", 50.001, 100)
    picture = lay_out(Trace((Lane("A", spans),), duration=100), 700)
    assert picture.boxes["running"][0][:3:2] == (picture.x(50), picture.x(50) + 1)
    assert picture.notes == []


def test_two_hundred_threads_are_shown_in_part_and_the_rest_is_counted():
    picture = lay_out(traces.many(200), 700)
    assert len(picture.rows) == MOST_LANES
    assert "160 of 200 threads are not shown" in picture.notes
    assert picture.height < 1000


def test_lanes_that_do_not_fit_on_given_axes_are_counted():
    picture = lay_out(traces.many(200), 700, 300)
    assert picture.height == 300
    assert f"{200 - len(picture.rows)} of 200 threads are not shown" in picture.notes
    assert picture.rows[-1].bottom <= 300


def test_one_thing_that_is_left_out_is_told_in_the_singular():
    lanes = (Lane("A", (Span("running", 0, 50),)), Lane("B", tuple(Span("blocked", k, k + 1) for k in range(31))))
    events = []
    for k in range(31):
        events += [TraceEvent(k + 1, 0, "call", "Queue.put"), TraceEvent(k + 1, 1, "wake", cause=2 * k)]
    assert "1 more arrow is not drawn" in lay_out(Trace(lanes, tuple(events), 50), 700).notes
    assert "1 of 41 threads is not shown" in lay_out(traces.many(41), 700).notes
    assert "1 more queue not shown" in lay_out(traces.queues(5), 700).notes
    crowd: list[Span] = []  # the fifth of which may not be widened
    for start in (0, 0.1, 0.2, 0.3, 0.4):
        crowd += [Span("running", start, start + 0.001), Span("sleeping", start + 0.001, start + 0.1)]
    lane = Lane("A", (*crowd, Span("sleeping", 0.5, 7)))
    assert lay_out(Trace((lane,), duration=7), 700).notes == ["1 interval narrower than a pixel is merged"]
    begin, read = TraceEvent(0, 1, "begin"), TraceEvent(0, 1, "read", "value")
    for reads in range(1, 50):
        both = begin, TraceEvent(0, 0, "write", "value"), *[read] * reads
        notes = lay_out(Trace((Lane("A", ()), Lane("B", (Span("running", 0, 9),))), both, 9), 700).notes
        if notes:
            break
    assert notes == ["1 more read or write is not marked"]


def test_picture_grows_with_the_number_of_lanes():
    heights = [lay_out(traces.race(n), 700).height for n in (1, 2, 4, 8)]
    assert all(a < b for a, b in pairwise(heights))


def test_arrows_are_capped_and_the_rest_is_counted():
    lanes = (Lane("A", (Span("running", 0, 50),)), Lane("B", tuple(Span("blocked", k, k + 1) for k in range(50))))
    events = []
    for k in range(50):
        events += [TraceEvent(k + 1, 0, "call", "Queue.put"), TraceEvent(k + 1, 1, "wake", cause=2 * k)]
    picture = lay_out(Trace(lanes, tuple(events), 50), 700)
    assert len(arrows_of(picture)) == 30
    assert "20 more arrows are not drawn" in picture.notes


def test_hand_over_of_a_short_wait_gets_no_arrow():
    def arrows(wait: float) -> int:
        lanes = (
            Lane("A", (Span("running", 0, 100),)),
            Lane("B", (Span("blocked", 0, wait), Span("running", wait, 100))),
        )
        events = (TraceEvent(wait, 0, "call", "Event.set"), TraceEvent(wait, 1, "wake", cause=0))
        return len(arrows_of(lay_out(Trace(lanes, events, 100), 634)))

    assert (arrows(0.4), arrows(0.6)) == (0, 1)


def test_items_get_arrows_without_a_wait_and_share_the_cap():
    picture = lay_out(traces.queues(), 700)
    events = traces.queues().events
    puts = [(picture.at(k), picture.rows[0].bottom) for k, event in enumerate(events) if event.kind == "put"]
    gets = [(picture.at(k), picture.rows[1].top - 1) for k, event in enumerate(events) if event.kind == "get"]
    assert picture.arrows == {"item": list(zip(puts, gets, strict=True)), "wake": [], "start": []}
    picture = lay_out(traces.queues(items=50), 700)
    assert len(arrows_of(picture)) == 30 and "20 more arrows are not drawn" in picture.notes


def test_get_after_an_earlier_wait_is_not_taken_for_its_end():
    lanes = (Lane("A", ()), Lane("B", (Span("blocked", 0, 5), Span("running", 5, 9))))
    waited = TraceEvent(5, 1, "wake", cause=0), TraceEvent(5, 1, "wake", cause=0)
    late = TraceEvent(9, 1, "wake", cause=0)
    assert len(arrows_of(lay_out(Trace(lanes, (TraceEvent(5, 0, "call"), *waited[:1]), 9), 700))) == 1
    assert len(arrows_of(lay_out(Trace(lanes, (TraceEvent(5, 0, "call"), late), 9), 700))) == 0


def test_strip_shows_every_depth_over_its_time():
    picture = lay_out(traces.queues(items=2), 700)  # 1, 2 for an instant, 1, 0: from 0, 0.1, 0.1, 0.3 s on
    floor = max(bottom for _, _, _, bottom in picture.depth)
    ((_, bound), _) = picture.stems[0]
    unit = (floor - bound) / 4
    first, second, third, fourth = (picture.at(index) for index in (1, 2, 3, 4))
    expected = [
        (first, floor - unit, second, floor),
        (second, floor - 2 * unit, third, floor),
        (third, floor - unit, fourth, floor),
        (fourth, floor - 1.5, fourth + 1.5, floor),
    ]
    assert np.array(picture.depth) == pytest.approx(np.array(expected))
    assert [label.text for label in picture.labels if label.y < picture.height and label.text.isdigit()] == ["1", "1"]


def test_strip_is_named_with_its_bound():
    assert [label.text for label in lay_out(traces.queues(), 700).names][2:] == ["queue orders", "at most 4"]
    assert [label.text for label in lay_out(traces.queues(maxsize=""), 700).names][2:] == ["queue orders", "no bound"]


def test_queues_that_are_not_shown_are_counted():
    assert "3 more queues not shown" in lay_out(traces.queues(7), 700).notes
    assert "there is no room for the queues" in lay_out(traces.queues(), 700, 60).notes
    assert lay_out(traces.queues(), 700, 200).height == 200


def test_nothing_is_added_to_the_picture_of_a_run_without_queues():
    picture = lay_out(traces.race(), 700)
    assert picture.depth == [] and picture.height == picture.lanes_end


def test_started_thread_has_an_arrow_from_its_parent():
    picture = lay_out(traces.race(2), 700)
    ends = {head[1] for _, head in arrows_of(picture)}
    assert {picture.rows[1].middle, picture.rows[2].middle} <= ends
    starts = [index for index, event in enumerate(traces.race(2).events) if event.kind == "start"]
    assert [stem[0] for stem in picture.stems] == [(picture.at(index), picture.rows[0].bottom) for index in starts]


def test_lost_update_is_crossed_and_told():
    picture = lay_out(traces.race(2), 700)
    assert {kind: len(points) for kind, points in picture.marks.items() if points} == {
        "read": 1,
        "stale read": 1,
        "lost write": 1,
        "stale write": 1,
    }
    assert "writes 1 over worker-0's 1: an update is lost" in [label.text for label in picture.labels]


def test_right_run_has_no_cross():
    picture = lay_out(traces.locked(), 700)
    assert {kind for kind, points in picture.marks.items() if points} == {"read", "write"}


@pytest.mark.parametrize("workers", [1, 2, 7, 8, 13, 14, 20, 30])
@pytest.mark.parametrize("wide", [500, 660])
def test_value_of_every_mark_stands_beside_it_however_many_workers_there_are(workers, wide):
    picture = lay_out(traces.race(workers), wide)
    for kind, value in (("read", 0), ("stale read", 0), ("write", 1), ("lost write", 1), ("stale write", 1)):
        for x, y in picture.marks[kind]:
            (label,) = [
                label
                for label in picture.labels
                if label.y == y and (0 < label.x - x < 14 or -14 < label.box[2] - x < 0)
            ]
            assert str(value) in label.text
    alone = [label for label in picture.labels if label.text in ("0", "1")]
    assert bool(alone) == ("what stands alone beside a mark is the value that is read or written" in picture.notes)


def test_many_workers_get_marks_and_one_sentence():
    picture = lay_out(traces.race(30), 700)
    assert len(picture.marks["stale write"]) == 29
    assert "29 of 30 updates of value are lost" in picture.notes
    assert not [label for label in picture.labels if "an update is lost" in label.text]


def test_attribute_of_one_thread_alone_is_not_marked():
    trace = traces.race(1)
    assert not any(lay_out(trace, 700).marks.values())


def test_endless_waits_reach_beyond_the_moment_of_the_deadlock():
    picture = lay_out(traces.deadlock(), 700)
    assert picture.dead == pytest.approx(picture.x(0.1))
    assert len(picture.boxes["lock"]) == 2
    for left, _, right, _ in picture.boxes["lock"]:
        assert right - left > 100
    assert picture.ticks[-1] == (picture.x(0.1), "0.10")
    assert len(picture.circle) == 2
    assert "deadlock: nobody can go on" in [label.text for label in picture.labels]


def test_endless_wait_that_takes_no_time_begins_when_its_lock_is_held():
    picture = lay_out(traces.deadlock_at_once(), 700)
    held_by_two = picture.x(0, 5.5)
    assert [left for left, *_ in picture.boxes["lock"]] == [held_by_two, held_by_two]
    one = [box for box in picture.boxes["running"] if box[1] == picture.rows[1].top]
    assert [(left + right) / 2 for left, _, right, _ in one] == [picture.at(2), picture.at(3)]


def test_circle_goes_from_who_waits_to_who_holds():
    picture = lay_out(traces.philosophers(3), 700)
    middles = [row.middle for row in picture.rows]
    assert [(a[1], b[1]) for a, b in picture.circle] == [
        (middles[0], middles[1]),
        (middles[1], middles[2]),
        (middles[2], middles[0]),
    ]


def test_abandoned_lane_is_torn_and_an_exception_named():
    picture = lay_out(traces.daemon(), 700)
    texts = [label.text for label in picture.labels]
    assert {"abandoned", "ValueError", "stopped"} <= set(texts)
    assert len(picture.torn) == 2
    assert picture.marks["error"] == [(picture.x(0.4), picture.rows[2].middle)]


def test_daemon_abandoned_where_no_time_passes_does_not_run_after_the_main_thread():
    events = (
        TraceEvent(0, 0, "start", "heartbeat"),
        TraceEvent(0, 1, "begin", cause=0),
        TraceEvent(0, 0, "end"),
        TraceEvent(0, 1, "abandon"),
    )
    now = (Span("running", 0, 0),)
    lanes = (Lane("MainThread", now), Lane("heartbeat", now, daemon=True, ending="abandoned"))
    picture = lay_out(Trace(lanes, events), 700)
    last = [max((b[0] + b[2]) / 2 for b in picture.boxes["running"] if b[1] == row.top) for row in picture.rows]
    assert last == [picture.at(0), picture.at(1)]


def test_locks_held_at_the_same_time_have_a_stripe_each():
    picture = lay_out(traces.producer_consumer(), 700)
    assert len({top for _, top, _, _ in picture.held}) == 2
    texts = [label.text for label in picture.labels]
    assert "holds outer" in texts and "and inner" in texts


def test_locks_held_for_no_time_that_could_be_seen_give_no_name_to_the_stripes_beside_them():
    held = tuple(Held(f"lock-{k}", k, 6 + k / 100_000) for k in range(6))
    picture = lay_out(Trace((Lane("A", (Span("running", 0, 12),), held),), duration=12), 1200)
    names = [label.text for label in picture.labels if label.text.startswith(("holds lock", "and"))]
    assert names[:5] == ["holds lock-0", *(f"and lock-{k}" for k in range(1, 5))]
    assert names[5:] == ["holds lock-0, lock-1, lock-2, lock-3, lock-4, lock-5"]


def test_locks_held_for_a_moment_alone_are_all_named():
    held = Held("outer", 5, 5.00003), Held("inner", 5.00001, 5.00002), Held("other", 8, 8.00001)
    picture = lay_out(Trace((Lane("A", (Span("running", 0, 20),), held),), duration=20), 1200)
    names = [label.text for label in picture.labels if label.text.startswith("holds ")]
    assert names == ["holds outer, inner", "holds other", "holds a lock"]


def test_gaps_between_holds_that_are_too_narrow_to_be_seen_are_told():
    short = tuple(Held("lock", k / 100_000, (k + 0.5) / 100_000) for k in range(50_000))
    lane = Lane("A", (Span("running", 0, 1),), (*short, Held("lock", 0.9, 0.95), Held("other", 0.95, 0.97)))
    picture = lay_out(Trace((lane,), (), 1), 700)
    assert len(picture.held) == 3
    assert picture.held[0][:3:2] == (picture.x(0), pytest.approx(picture.x(0.5), abs=3))
    assert [note for note in picture.notes if "gaps" in note] == [
        "49999 gaps between two holds of a lock too narrow to be seen"
    ]
    assert "holds lock" in [label.text for label in picture.labels]


def test_legend_names_the_fills_that_occur_and_adds_up_nothing():
    picture = lay_out(traces.race(), 700)
    texts = [label.text for label in picture.labels]
    assert [name for name, _ in picture.legend][:2] == ["running", "sleeping"]
    assert {"running", "sleeping", "blocked"} <= set(texts)
    assert not [text for text in texts if text.startswith(("ready", "running 0", "sleeping 0", "blocked 0"))]


def test_waiting_for_the_end_of_a_thread_is_a_hairline():
    spans = Span("blocked", 0, 1, "Thread.join: waits for B", on="thread"), Span("blocked", 1, 2, "Event.wait")
    picture = lay_out(Trace((Lane("A", spans),), duration=2), 700)
    ((_, top, _, bottom),) = picture.boxes["thread"]
    ((_, above, _, below),) = picture.boxes["blocked"]
    assert bottom - top < 2 < below - above
    assert (top + bottom) / 2 == picture.rows[0].middle


def test_daemon_is_told_from_the_start_by_its_name():
    lanes = Lane("main", (Span("running", 0, 1),)), Lane("beat", (Span("running", 0, 1),), daemon=True)
    assert [name.text for name in lay_out(Trace(lanes, duration=1), 700).names] == ["main", "beat (daemon)"]


def test_thread_that_a_new_thread_starts_at_once_has_an_arrow_from_it_alone():
    lanes = tuple(Lane(name, (Span("sleeping", 0, 1),)) for name in ("main", "office", "letter"))
    starts = [TraceEvent(0, lane, "start", lanes[lane + 1].name) for lane in (0, 1)]
    begins = [TraceEvent(0, lane, "begin", cause=2 * lane - 2) for lane in (1, 2)]
    picture = lay_out(Trace(lanes, (starts[0], begins[0], starts[1], begins[1]), 1), 700)
    main, office, letter = picture.rows
    assert [(stem[0][1], stem[-1][1]) for stem in picture.stems] == [
        (main.bottom, office.middle),
        (office.bottom, letter.middle),
    ]
    assert [stem[0][0] for stem in picture.stems] == [picture.at(0), picture.at(2)]


def test_run_that_takes_no_time_is_drawn_in_numbered_steps_of_one_width():
    picture = lay_out(traces.INSTANT, 700)
    assert picture.axis == "steps, one after the other: all of it takes no time on the virtual clock"
    assert [tick.text for tick in picture.ticks] == [str(number) for number in range(1, 12)]
    steps = sorted(picture.boxes["running"])
    assert [(left + right) / 2 for left, _, right, _ in steps] == pytest.approx([tick.x for tick in picture.ticks])
    assert len({round(right - left, 6) for left, _, right, _ in steps}) == 1
    assert {round(b.x - a.x, 6) for a, b in pairwise(picture.ticks)} == {44.0}
    assert "a step of the thread" in [label.text for label in picture.labels]
    assert "running" not in [label.text for label in picture.labels]


@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_axis_names_the_clock(clock):
    trace = Trace((Lane("A", (Span("running", 0, 1),)),), duration=1, clock=clock)
    assert lay_out(trace, 700).axis == plot(trace).get_xlabel() == f"{clock} seconds"


def test_plot_draws_on_axes_that_somebody_else_made():
    figure = Figure(figsize=(8, 4))
    left, right = figure.subplots(1, 2)
    assert plot(traces.locked(), "title", ax=left) is left
    assert plot(traces.race(), "title", ax=right) is right
    FigureCanvasAgg(figure).draw()
    assert left.get_xlim()[1] > 0.3


def test_margin_fits_the_widest_name():
    assert left_margin(traces.named("a", "a" * 20)) > left_margin(traces.named("a")) + 50


@pytest.mark.parametrize("label", ["sleep 0.1", "off the CPU", "waits for total.lock, held by page 4", "Queue.put"])
def test_narrow_bar_shows_no_stub_of_its_label(label):
    shown = set()
    for wide in range(120, 700, 5):
        spans = (Span("blocked", 0, 0.2, label), Span("running", 0.2, 1))
        shown |= {each.text for each in lay_out(Trace((Lane("A", spans),), duration=1), wide).labels[:1]}
    whole = {label, label.split(", ")[0]} | {word for word in label.split(" ")[:1] if len(word) > 3}
    assert label.split(", ")[0] in shown
    shown.discard("running")
    assert all(text in whole or (" " not in label and text[:-1] in label and len(text) > 14) for text in shown)


def test_value_that_cannot_be_shown_leaves_the_name_alone():
    lanes = (Lane("A", (Span("running", 0, 2),)), Lane("B", (Span("running", 0, 2),)))
    events = (TraceEvent(0.5, 0, "write", "slot.message", ""), TraceEvent(1.5, 1, "read", "slot.message", ""))
    texts = [label.text for label in lay_out(Trace(lanes, events, duration=2), 700).labels]
    assert "writes message" in texts and "reads message" in texts


def test_name_of_a_lock_stands_at_its_stripe_or_nowhere():
    work = Span("running", 0, 1)
    waits = (
        Span("blocked", 0, 0.55, on="lock"),
        Span("running", 0.55, 0.58),
        Span("blocked", 0.58, 0.62, on="lock"),
        Span("running", 0.62, 1),
    )
    above, holder, below = Lane("above", (work,)), Lane("A", (work,), (Held("lock", 0.5, 0.55),)), Lane("B", waits)
    events = (
        TraceEvent(0.55, 1, "release", "lock"),
        TraceEvent(0.55, 2, "acquire", "lock", cause=0),
        TraceEvent(0.62, 0, "release", "other"),
        TraceEvent(0.62, 2, "acquire", "other", cause=2),
    )
    for wide in range(500, 1000, 20):
        picture = lay_out(Trace((above, holder, below), events, duration=1), wide)
        assert len(arrows_of(picture)) == 2
        for label in picture.labels:
            assert label.text != "holds lock" or label.x <= picture.held[0][2] + 20


def test_picture_of_many_lock_operations_at_one_instant_takes_no_more_than_linear_time():
    def seconds(pairs):
        kinds = ("acquire", "release") * pairs
        events = tuple(TraceEvent(0, k % 2, kind, "lock") for k, kind in enumerate(kinds))
        lanes = tuple(Lane(name, (), (Held("lock", 0, 0),) * (pairs if name == "A" else 0)) for name in "AB")
        begin = time.process_time()
        lay_out(Trace(lanes, events), 700)
        return time.process_time() - begin

    few = min(seconds(2_000) for _ in range(3))
    assert seconds(20_000) < 40 * few


def test_texts_are_shortened_to_the_room_they_have():
    assert fit("sleep 0.1", 1000, 11) == "sleep 0.1"
    assert fit("waits for lock, held by worker-0", 100, 11) == "waits for lock"
    assert fit("abcdefgh", 5, 11) == ""
    for room in range(40, 200, 7):
        assert width(fit("ThreadPoolExecutor.__exit__", room, 11) or " ", 11) <= room
        assert width(fit_middle("ThreadPoolExecutor-0_0", room, 11), 11) <= room
        assert all(width(line, 11) <= room for line in wrap("one or two words " * 9, room, 11))
