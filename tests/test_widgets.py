"""interact: sliders, what they show, and what it refuses."""

import asyncio
import base64
import html
import re
import signal
import threading
import time

import ipywidgets
import pytest

import threadviz as tv
from threadviz.picture.timeline import timeline

from . import programs
from .refused import refused


def race(workers=2, sleep=0.1):
    return programs.race(workers, None, sleep)


def deadlocks(threads=1):
    if threads > 1:
        programs.two_locks()
    if threads > 2:
        raise ValueError("too many")
    return "fine"


def shown(run):
    return {name: part for name, part in run.face().items() if part}


def test_sliders_stand_at_the_defaults_and_a_movement_runs_again():
    ui = tv.interact(race, workers=(1, 8), sleep=(0.0, 0.5, 0.05))
    assert {name: control.value for name, control in ui.controls.items()} == {"workers": 2, "sleep": 0.1, "seed": 0}
    before = ui._live.face["svg"]
    ui.controls["workers"].value = 8
    assert ui.run.title == "race(workers=8, sleep=0.1) → 1   simulated, 0.1 s"
    assert ui._live.face == shown(ui.run) and ui._live.face["svg"] != before


def test_twenty_queued_movements_are_drawn_at_most_four_times():
    async def drag():
        ui = tv.interact(race, workers=(1, 30))
        drawn = ui.draws
        for workers in range(3, 23):
            ui.controls["workers"].value = workers
            await asyncio.sleep(0)  # as between two messages of the front-end
        while ui._waiting is not None:
            await asyncio.sleep(0.01)
        return ui, ui.draws - drawn

    ui, draws = asyncio.run(drag())
    assert 1 <= draws <= 4
    assert ui._run.title.startswith("race(workers=22")
    assert ui._live.face == shown(ui.run)


def test_steady_dragging_is_drawn_while_it_goes_on():
    async def drag():
        ui = tv.interact(race, workers=(1, 200))
        drawn = ui.draws
        for workers in range(3, 150):
            ui.controls["workers"].value = workers % 9 + 1
            await asyncio.sleep(0.003)
        return ui.draws - drawn

    assert asyncio.run(drag()) >= 3


def test_stopped_run_leaves_no_old_picture_behind(monkeypatch):
    ui = tv.interact(race, workers=(1, 8))
    monkeypatch.setattr(
        "threadviz.notebook.interact.simulate", lambda *args, **kwargs: signal.raise_signal(signal.SIGINT)
    )
    ui.controls["workers"].value = 3
    assert (ui._live.said, ui._live.face) == ("stopped; move a slider to run it again", {})
    monkeypatch.undo()
    ui.controls["workers"].value = 4
    assert ui.run.title.startswith("race(workers=4")


def test_value_that_is_refused_leaves_no_old_picture_behind():
    locks = []
    ui = tv.interact(lambda n: len(locks) + n, n=(1, 8))
    locks.append(threading.Lock())
    ui.controls["n"].value = 3
    assert ui._live.said.startswith("locks[0] is a Lock made outside <lambda>()") and not ui._live.face
    locks.clear()
    ui.controls["n"].value = 4
    assert ui.run.result() == 4


def test_log_is_shown_up_to_a_hundred_lines():
    ui = tv.interact(lambda n: [print(each) for each in range(n)] and None, n=(101, 200))
    assert "and 50 more lines" in ui._live.face["log"] and ">   0.000  MainThread  99</div>" in ui._live.face["log"]
    assert "<summary>138 more lines</summary>" in ui._live.face["log"]
    assert ui._repr_mimebundle_()[0]["text/plain"].endswith("\nand 50 more lines")


def test_stopped_first_run_stops_the_cell(monkeypatch):
    monkeypatch.setattr(
        "threadviz.notebook.interact.simulate", lambda *args, **kwargs: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        tv.interact(race, workers=(1, 8))


def test_two_widgets_of_one_scenario_keep_their_own_runs():
    first, second = tv.interact(race, workers=(1, 8)), tv.interact(race, workers=(1, 8))
    first.controls["workers"].value = 5
    assert (len(first.run.trace.lanes), len(second.run.trace.lanes)) == (6, 3)


@pytest.mark.parametrize("error", [SystemExit("out"), KeyboardInterrupt(), BaseException("base"), RuntimeError("six")])
def test_slider_goes_on_after_a_value_that_raises(error):
    def scenario(n=1):
        if n == 2:
            raise error
        return n

    ui = tv.interact(scenario, n=(1, 3))
    ui.controls["n"].value = 2
    assert f"raises {type(error).__name__}" in ui._live.said
    ui.controls["n"].value = 3
    assert ui.run.result() == 3


def test_slider_goes_on_after_a_value_that_hangs(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)

    def scenario(n=1):
        while n == 2:
            pass
        return n

    ui = tv.interact(scenario, n=(1, 3))
    ui.controls["n"].value = 2
    assert ui._live.said == "outcome: stopped"
    ui.controls["n"].value = 3
    assert ui.run.result() == 3


def test_slider_values_come_without_the_noise_of_their_steps():
    ui = tv.interact(race, sleep=(0.0, 0.5, 0.1))
    ui.controls["sleep"].value = 0.1 + 0.2
    assert "sleep=0.3)" in ui.run.title


@pytest.mark.parametrize(("step", "shown"), [(0.5, ".2f"), (0.05, ".2f"), (0.005, ".3f"), (0.00025, ".5f")])
def test_slider_shows_as_many_decimals_as_its_step_has(step, shown):
    def scenario(sleep=0.0):
        time.sleep(sleep)

    assert tv.interact(scenario, sleep=(0.0, 20 * step, step)).controls["sleep"].readout_format == shown


def test_parameter_may_be_called_scenario_and_a_value_may_be_fixed():
    def program(scenario=1, times=2):
        return scenario, times

    ui = tv.interact(program, scenario=(1, 3), times=ipywidgets.fixed(5))
    assert ui.run.result() == (1, 5)
    assert tv.simulate(program, scenario=4).result() == (4, 2)


def test_newest_run_is_that_of_the_controls_even_before_it_was_drawn():
    async def ask():
        ui = tv.interact(race, workers=(1, 8))
        ui.controls["workers"].value = 5
        return ui.run.title

    assert asyncio.run(ask()).startswith("race(workers=5")


def test_seed_control_shuffles_the_order():
    ui = tv.interact(programs.shuffled)
    outcomes = set()
    for seed in range(8):
        ui.controls["seed"].value = seed
        outcomes.add(ui.run.outcome)
    ui.controls["seed"].value = 0
    assert ui.run.outcome == "'abc'" and len(outcomes) > 2


def test_deadlock_and_exception_are_shown_and_the_slider_goes_on():
    ui = tv.interact(deadlocks, threads=(1, 3))
    for value, outcome in ((2, "deadlock"), (3, "deadlock"), (1, "fine")):
        ui.controls["threads"].value = value
        assert outcome in ui._live.said
    assert ui.run.result() == "fine"


def test_stored_output_has_the_picture_and_the_words_beside_the_widget():
    ui = tv.interact(programs.first_example)
    bundle, metadata = ui._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": ui.run.describe() + f"\n{ui.run.log}", "width": 820}}
    assert base64.b64decode(bundle["image/png"]) == ui.run.png()
    assert bundle["text/plain"] == f"{ui.run.describe()}\n{ui.run.log}"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_names_and_lines_are_text_and_never_markup():
    name = "<img src=x onerror=alert(1)>"

    def hostile():
        thread = threading.Thread(target=time.sleep, args=(1,), name=name)
        thread.start()
        print(name)
        return name

    ui = tv.interact(hostile)
    for part in ("svg", "log"):
        assert name not in ui._live.face[part] and html.escape(name) in ui._live.face[part]
    assert name in ui._live.said and name in ui._live.face["words"]  # which the page takes as text


def test_widgets_lists_and_switches_can_be_controls():
    def program(kind="a", fast=True, times=3):
        return kind, fast, times

    ui = tv.interact(program, kind=["a", "b"], fast=True, times=ipywidgets.IntText(4))
    ui.controls["kind"].value = "b"
    assert ui.run.result() == ("b", True, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tv.interact(5), TypeError, "interact needs a function to call, not int: "
                                            "write tv.interact(race), without calling race yourself"),
        (lambda: tv.interact(race, wokers=(1, 8)), TypeError, "race() has no parameter 'wokers'; "
                                                              "it has workers, sleep"),
        (lambda: tv.interact(lambda **more: more, more=(1, 8)), TypeError, "<lambda>() has no parameter 'more'; "
                                                                           "it has none"),
        (lambda: tv.interact(race, workers=(8, 1)), ValueError, "the range (8, 1) for 'workers' of race() is upside "
                                                                "down; write (1, 8)"),
        (lambda: tv.interact(lambda n: n), TypeError, "<lambda>() needs a value for 'n'; "
                                                      "give it a control such as n=(1, 8), or a default"),
        (lambda: tv.interact(lambda seed=1: 1), ValueError, "<lambda>() has a parameter 'seed', which is an option of "
                                                            "tv.interact; give it another name"),
        (lambda: tv.interact(race, workers=(1, 8, 0)), ValueError, "(1, 8, 0) cannot be a control for 'workers' of "
                                                                   "race(): step must be >= 0, not 0"),
        (lambda: tv.interact(race, workers=object), ValueError, "<class 'object'> cannot be a control for 'workers' of "
                                                                "race(); write (min, max) or a list"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_sentence(call, error, message):
    with refused(error, message):
        call()


def quick(workers=2, sleep=0.02):
    """Returns the same on real threads, however busy the machine is."""
    programs.run_all(*(threading.Thread(target=time.sleep, args=(sleep,)) for _ in range(workers)))
    return workers


def test_nothing_runs_for_real_before_the_button_is_pressed(monkeypatch):
    monkeypatch.setattr("threadviz.notebook.interact.record", lambda *_, **__: pytest.fail("it ran"))
    ui = tv.interact(quick, workers=(1, 8))
    ui.controls["workers"].value = 3
    assert ui.for_real.run is None
    assert not (ui.for_real._live.face or ui.for_real._live.bars or ui.for_real._live.said)


def test_button_runs_on_real_threads_and_counts_the_outcomes():
    ui = tv.interact(quick, workers=(1, 8))
    ui.controls["workers"].value = 3
    ui.for_real.times.value = 4
    before = ui._live.face["svg"]
    ui.for_real.start.click()
    assert ui.for_real.run.clock == "real"
    assert ui.for_real.run.title.startswith("quick(workers=3, sleep=0.02) → 3   recorded")
    assert ui.for_real.outcomes == {"3": 4}
    assert ui._live.face["svg"] != before  # on the time axis of both
    assert "4 of 4" in ui.for_real._live.bars and ui.for_real._live.face["svg"] and not ui.for_real._live.said


def test_run_of_median_length_is_shown_at_the_end_as_the_first_one_is_often_the_slowest(monkeypatch):
    ui = tv.interact(quick, workers=(1, 8))
    runs = [tv.record(quick, 2, sleep) for sleep in (0.2, 0.02, 0.1)]
    queued = iter(runs)
    monkeypatch.setattr("threadviz.notebook.interact.record", lambda *_, **__: next(queued))
    ui.for_real.times.value = 3
    ui.for_real.start.click()
    assert ui.for_real.run is runs[2]
    assert ui.for_real._live.face["words"] == runs[2].describe()
    assert ui.for_real._live.face["summary"].endswith("of 3 runs the one of median length")


def test_moved_slider_forgets_what_was_run_for_real():
    ui = tv.interact(quick, workers=(1, 8))
    ui.for_real.times.value = 1
    ui.for_real.start.click()
    ui.controls["workers"].value = 5
    assert ui.for_real.run is None
    assert not (ui.for_real._live.face or ui.for_real._live.bars or ui.for_real._live.said)


def test_repetition_can_be_cancelled_and_sliders_stay_usable():
    async def use():
        ui = tv.interact(quick, workers=(1, 8))
        ui.for_real.times.value = 1000
        ui.for_real.start.click()
        while sum(ui.for_real.outcomes.values()) < 2:
            await asyncio.sleep(0.01)
        ui.for_real.cancel.click()
        await ui.for_real._task
        done = sum(ui.for_real.outcomes.values())
        assert ui.for_real._live.said == "cancelled" and f"{done} of {done}" in ui.for_real._live.bars
        ui.for_real.start.click()
        while ui.for_real._live.said != "running…" or sum(ui.for_real.outcomes.values()) < 2:
            await asyncio.sleep(0.01)
        ui.controls["workers"].value = 4
        await ui.for_real._task
        return ui, done

    ui, done = asyncio.run(use())
    assert 2 <= done < 10
    assert not ui.for_real.outcomes
    assert ui.run.title.startswith("quick(workers=4")
    assert not ui.for_real.is_repeating


def test_button_pressed_right_after_a_movement_runs_what_the_slider_says():
    async def use():
        ui = tv.interact(quick, workers=(1, 8))
        ui.for_real.times.value = 3
        ui.controls["workers"].value = 5
        ui.for_real.start.click()
        await ui.for_real._task
        return ui

    ui = asyncio.run(use())
    assert ui.for_real.outcomes == {"5": 3}
    assert ui.for_real.run.title.startswith("quick(workers=5, sleep=0.02) → 5   recorded")
    assert ui.run.title.startswith("quick(workers=5")


def test_what_another_thread_does_to_the_widget_runs_where_the_widget_was_made(monkeypatch):
    """JupyterLab may deliver movements and clicks in a thread of its own, which the stop button does not reach."""
    ran_in = []
    for name in ("simulate", "record"):
        real = getattr(tv, name)
        monkeypatch.setattr(
            f"threadviz.notebook.interact.{name}",
            lambda *a, real=real, **k: (ran_in.append(threading.get_ident()), real(*a, **k))[1],
        )

    async def use():
        ui = tv.interact(quick, workers=(1, 8))
        ui.for_real.times.value = 2

        async def elsewhere():
            ui.controls["workers"].value = 7
            ui.for_real.start.click()
            return threading.get_ident()

        other = await asyncio.to_thread(asyncio.run, elsewhere())
        await asyncio.sleep(0.01)
        await ui.for_real._task
        return ui, other

    ui, other = asyncio.run(use())
    assert ui.for_real.outcomes == {"7": 2} and ui.run.title.startswith("quick(workers=7")
    assert len(ran_in) >= 4 and set(ran_in) == {threading.get_ident()} != {other}


def test_stop_button_between_two_runs_ends_the_repetitions():
    async def use():
        uis = [tv.interact(quick, workers=(1, 8)) for _ in range(2)]
        for ui in uis:
            ui.for_real.times.value = 1000
            ui.for_real.start.click()
        while not all(ui.for_real.outcomes for ui in uis):
            await asyncio.sleep(0.001)
        signal.raise_signal(signal.SIGINT)  # no run goes on while this line runs
        for ui in uis:
            await ui.for_real._task
        return uis

    before = signal.getsignal(signal.SIGINT)
    for ui in asyncio.run(use()):
        assert ui.for_real._live.said == "stopped"
        assert 1 <= sum(ui.for_real.outcomes.values()) < 1000
        assert not ui.for_real.is_repeating
    assert signal.getsignal(signal.SIGINT) is before


def test_repetition_whose_first_run_is_stopped_says_just_that(monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    ui = tv.interact(quick, workers=(1, 8))
    monkeypatch.setattr("threadviz.notebook.interact.record", stopped)
    ui.for_real.start.click()
    assert (ui.for_real._live.said, ui.for_real._live.bars, ui.for_real._live.face) == ("stopped", "", {})


def test_run_with_the_values_of_a_movement_is_not_counted_among_those_before(monkeypatch):
    for wait in ("SETTLE", "PATIENCE"):
        monkeypatch.setattr(f"threadviz.notebook.interact.{wait}", 5)
    seen = []

    async def use():
        ui = tv.interact(quick, workers=(1, 8))
        workers = ui.controls["workers"]

        def move_at_the_second(scenario, **values):
            seen.append(values["workers"])
            if len(seen) == 2:
                workers.value = 6
            return real(scenario, **values)

        monkeypatch.setattr("threadviz.notebook.interact.record", move_at_the_second)
        ui.for_real.start.click()
        await ui.for_real._task

    real = tv.record
    asyncio.run(use())
    assert len(seen) == 2 and 6 not in seen


@pytest.mark.parametrize(
    ("error", "told"), [(KeyboardInterrupt(), "stopped"), (tv.AlreadyRunning("busy"), "AlreadyRunning: busy")]
)
def test_repetition_that_fails_says_so_and_keeps_what_it_has(monkeypatch, error, told):
    ui = tv.interact(quick, workers=(1, 8))
    runs = iter([tv.record(quick)])

    def fails_at_the_second(*_, **__):
        for run in runs:
            return run
        raise error

    monkeypatch.setattr("threadviz.notebook.interact.record", fails_at_the_second)
    ui.for_real.start.click()
    assert ui.for_real._live.said == told and "1 of 1" in ui.for_real._live.bars
    assert not ui.for_real.is_repeating


def test_rare_outcomes_are_counted_together():
    numbers = iter(range(100))
    ui = tv.interact(lambda: next(numbers))
    ui.for_real.times.value = 14
    ui.for_real.start.click()
    assert "and 2 more outcomes" in ui.for_real._live.bars


def test_button_pressed_twice_starts_one_repetition():
    async def press():
        ui = tv.interact(quick)
        ui.for_real.times.value = 2
        ui.for_real.start.click()
        first = ui.for_real._task
        ui.for_real.start.click()
        await first
        return ui.for_real._task is first

    assert asyncio.run(press())


def test_outcomes_are_text_and_never_markup():
    def hostile():
        return "<img src=x onerror=alert(1)>"

    ui = tv.interact(hostile)
    ui.for_real.times.value = 1
    ui.for_real.start.click()
    assert "<img" not in ui.for_real._live.bars
    assert html.escape("'<img src=x onerror=alert(1)>'") in ui.for_real._live.bars


def test_both_timelines_have_as_many_pixels_a_second_and_the_same_ticks():
    simulated, recorded = tv.simulate(quick).trace, tv.record(quick).trace
    first, second = timeline(simulated, "", recorded).picture, timeline(recorded, "", simulated).picture
    assert first.scale == second.scale and first.width == second.width
    assert {tick.text for tick in second.ticks} <= {tick.text for tick in first.ticks}
    assert first.axis != second.axis


def test_cores_are_a_control_of_their_own():
    def crunch(threads=2):
        for _ in range(threads):
            threading.Thread(target=tv.work, args=(0.02,)).start()

    ui = tv.interact(crunch, threads=(1, 4), cores=[("one GIL", None), ("2 cores, no GIL", 2)])
    assert list(ui.controls) == ["threads", "cores", "seed"]
    assert (ui.controls["cores"].label, ui.run.duration) == ("one GIL", 0.04)
    ui.controls["cores"].label = "2 cores, no GIL"
    assert ui.run.duration == 0.02
    ui.controls["cores"].label = "one GIL"
    assert ui.run.duration == 0.04


def test_range_of_cores_is_a_slider():
    ui = tv.interact(lambda: tv.work(0.02), cores=(1, 4))
    assert ui.controls["cores"].value == 2
    assert ui.run.title == "<lambda>()   simulated, no GIL, 2 cores, 0.02 s"


def test_cores_are_the_simulation_s_alone():
    ui = tv.interact(quick, cores=[("one GIL", None), ("2 cores", 2)])
    ui.for_real.times.value = 1
    ui.for_real.start.click()
    assert ui.for_real.outcomes == {"2": 1}


def test_what_is_shown_says_where_the_controls_stood():
    ui = tv.interact(lambda n=2, kind="a": n, n=(1, 8), kind=["a", "b"])
    number, kind = ui.controls["n"], ui.controls["kind"]
    seed = ui.controls["seed"]
    ui.controls["kind"].value = "b"
    expected = {number.model_id: ["value", 2], kind.model_id: ["index", 1], seed.model_id: ["value", 0]}
    assert ui._live.at == expected == ui.for_real._at


def test_run_is_said_to_go_on_before_it_begins(monkeypatch):
    ui = tv.interact(quick, workers=(1, 8))
    seen = []

    def look(*args, **values):
        seen.append((ui._live.running, ui._live.at[ui.controls["workers"].model_id]))
        return real(*args, **values)

    real = tv.simulate
    monkeypatch.setattr("threadviz.notebook.interact.simulate", look)
    ui.controls["workers"].value = 3
    assert seen == [(True, ["value", 3])] and not ui._live.running


def test_outcome_of_a_scenario_that_returns_nothing_is_not_said():
    assert tv.interact(lambda: None)._live.said == ""
    assert tv.interact(lambda: 0)._live.said == "outcome: 0"


def test_every_line_of_the_log_knows_its_place_in_the_picture():
    def talk():
        for _ in range(3):
            time.sleep(1)
            print("tick")

    run = tv.simulate(talk)
    places = [float(place) for place in re.findall(r'data-x="([\d.]+)"', run.face()["log"])]
    laid_out = timeline(run.trace, run.title)
    assert places == pytest.approx([laid_out.left + laid_out.picture.x(second) for second in (1, 2, 3)], abs=0.1)


def test_tracks_of_all_sliders_begin_at_the_same_place():
    ui = tv.interact(race, workers=(1, 8), sleep=(0.0, 0.5, 0.05))
    assert len({control.style.description_width for control in ui.controls.values()}) == 1


def test_run_shows_itself_as_a_live_timeline_with_a_picture_and_words_for_paper():
    run = tv.simulate(race)
    bundle, metadata = run._repr_mimebundle_()
    assert bundle.keys() == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert base64.b64decode(bundle["image/png"]) == run.png()
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == run.describe()


def test_javascript_of_the_timeline_is_short_and_needs_no_build_step():
    from threadviz.picture.live import LiveTimeline

    source = LiveTimeline._esm
    assert len(source.splitlines()) <= 200 and max(map(len, source.splitlines())) <= 120
    assert "import " not in source and "http:" not in source.replace("http://www.w3.org/2000/svg", "")


def test_exploration_shows_its_verdict_how_often_each_outcome_comes_and_the_simplest_run():
    def count():
        total = [0]

        def add():
            total[0] += 1

        programs.run_all(*(threading.Thread(target=add) for _ in range(2)))
        return total[0]

    found = tv.explore(count, expect=2)
    bundle, _ = found._repr_mimebundle_()
    live = ipywidgets.widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
    assert live.said == f"count(): {found.verdict}"
    assert "<td>1</td>" in live.bars and f"outcomes of {found.outcomes.total()} interleavings" in live.bars
    graph = found.progress_graph()
    assert live.face["svg"] == found.counterexample.face()["svg"] + graph.svg()
    assert live.face["words"] == f"{found.describe()}\n\n{graph.describe()}"
    assert "an update is lost" in live.face["words"]
    right, about = tv.explore(count, expect={1, 2}.__contains__)._repr_mimebundle_()
    assert "image/png" not in right and about == {}
