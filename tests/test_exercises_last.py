"""Exercises of the last chapters: the chapter's solution passes; wrong, lazy and cheating answers do not."""

import ast
import json

import pytest

import threadviz as tv

from .test_exercises_explored import NOTEBOOKS, names_of, prediction


def value_of(chapter, cell, name):
    """A plain value, such as a dict of answers, to which a cell gives this name."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (source,) = ("".join(each["source"]) for each in cells if each["id"] == cell)
    (node,) = (n for n in ast.parse(source).body if isinstance(n, ast.Assign) and n.targets[0].id == name)
    return ast.literal_eval(node.value)


class EqualsEverything(str):
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True


# 13: the kinds of eight workloads.  What a real clock says is another test's: here the figures are those of one run.

# lasts, computes, longest and typical time between two glances, in seconds
FIGURES = {
    "read_orders": (0.150, 0.149, 0.135, 0.010),
    "pack_photo": (0.170, 0.165, 0.006, 0.0011),
    "wait_for_order": (0.200, 0.001, 0.002, 0.0011),
    "compute_tax": (0.140, 0.004, 0.004, 0.0011),
    "sort_latest_first": (0.085, 0.080, 0.012, 0.0062),
    "check_password": (0.100, 0.099, 0.003, 0.0011),
    "find_address": (0.100, 0.099, 0.099, 0.050),
    "wait_for_midnight": (0.100, 0.050, 0.013, 0.0064),
}


def measured(job):
    return dict(zip(("lasts", "computes", "longest", "typical"), FIGURES[job.__name__], strict=True))


@pytest.fixture
def computing():
    return names_of("13") | {"solution": value_of("13", "exercise-solution", "solution_answers")}


@pytest.fixture
def said(computing, capsys):
    """What the check of chapter 13 says of some answers, with the solution's for the rest."""

    def answered(**answers):
        check = computing["check_kinds"]
        check.__globals__["beside"] = measured
        check(computing["solution"] | answers)
        return capsys.readouterr().out

    return answered


def test_kinds_of_the_solution_pass(said):
    assert said() == "Solved. All eight kinds are as measured.\n"


def test_nothing_is_answered_to_begin_with(said):
    assert said(**value_of("13", "exercise-attempt", "my_answers")) == "Still to answer: 8 of 8.\n"


def test_what_is_left_out_is_still_to_answer(said):
    assert said(read_orders=None, compute_tax=None) == "Still to answer: 2 of 8.\n"


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("kind", ["waits", "takes turns", "lets go", "freezes"])
def test_every_other_kind_is_refused_with_the_figures(computing, said, name, kind):
    if kind != computing["solution"][name]:
        out = said(**{name: kind})
        lasts, computes, *_ = FIGURES[name]
        assert out.startswith(f"Not yet. {name}: not {kind!r}. Of {1000 * lasts:.0f} ms it computes for")
        assert f"computes for {1000 * computes:.0f} ms.\nThe clerk looks every" in out


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"pack_photo": ("waits", "takes turns", "lets go", "freezes")}, "pack_photo is one of 'waits', "),
        ({"find_address": EqualsEverything("waits")}, "find_address is one of 'waits', "),
        ({"find_address": True}, "and not True"),
        ({"find_address": "freeze"}, "and not 'freeze'"),
        ({"brew_coffee": "waits"}, "There is no job 'brew_coffee'"),
        (dict.fromkeys(FIGURES, "waits"), "read_orders: not 'waits'"),
        ({"compute_tax": "takes turns"}, "compute_tax: not 'takes turns'. Of 140 ms it computes for 4 ms"),
        ({"wait_for_midnight": "waits"}, "wait_for_midnight: not 'waits'. Of 100 ms it computes for 50 ms"),
    ],
)
def test_lazy_and_cheating_kinds_are_refused(said, answers, why):
    out = said(**answers)
    assert out.startswith("Not yet. ") and why in out


def test_answers_that_are_no_dict_are_refused(computing, capsys):
    computing["check_kinds"](["waits"] * 8)
    assert capsys.readouterr().out.startswith("Not yet. The answers are a dict")


def test_a_busy_computer_makes_no_job_freeze(computing):
    calm, busy = (
        {"lasts": 0.2, "computes": 0.1, "longest": longest, "typical": typical}
        for longest, typical in ((0.01, 0.0011), (0.15, 0.03))
    )
    assert computing["kind_of"]([busy, busy]) == "freezes"
    assert computing["kind_of"]([busy, calm, busy]) == "lets go"


# What the chapters set as goals can be reached, and is not when a panel opens


def goal_of(chapter, cell):
    """The predicate of the goal that a panel of this cell has."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (source,) = ("".join(each["source"]) for each in cells if each["id"] == cell)
    (goal,) = (each.value for each in ast.parse(source).body[-1].value.keywords if each.arg == "goal")
    return eval(compile(ast.Expression(goal), f"<{chapter}/{cell}>", "eval"), names_of(chapter))[1]


@pytest.mark.parametrize(
    ("chapter", "cell", "scenario", "arguments"),
    [
        ("13", "panel", "shop", {"threads": 4, "work": 0.02, "sleep": 0.05}),
        ("13", "beat-panel", "heartbeat", {"spinners": 2, "interval": 0.001}),
        ("13", "ticket-panel", "last_ticket", {"work": 0.0}),
    ],
)
def test_some_setting_of_the_panel_reaches_its_goal(chapter, cell, scenario, arguments):
    reached, program = goal_of(chapter, cell), names_of(chapter)[scenario]
    assert any(reached(tv.simulate(program, seed=seed, **arguments)) for seed in [None, *range(1, 21)])
    assert not reached(tv.simulate(program))


def test_panel_of_orders_wants_one_gil():
    reached, shop = goal_of("13", "panel"), names_of("13")["shop"]
    assert not reached(tv.simulate(shop, threads=4, work=0.02, sleep=0.0, cores=4))
    assert not reached(tv.simulate(shop, threads=4, work=0.02, sleep=0.04))


# What the chapters ask to predict is what comes


@pytest.mark.parametrize(
    ("chapter", "cell", "answer"),
    [
        ("13", "kinds-prediction", 0.08),
        ("13", "beat-prediction", 10.0),
        ("13", "ticket-prediction", -1),
        ("13", "quick-1", 0.09),
        ("13", "quick-2", 3),
        ("13", "quick-3", "never ends"),
    ],
)
def test_prediction_that_the_chapter_speaks_of_is_right(chapter, cell, answer):
    asked = prediction(chapter, cell)
    assert asked.run is None
    asked.answer(answer)
    assert asked.right, asked.said
