"""Exercises of the last chapters: the chapter's solution passes; wrong, lazy and cheating answers do not."""

import ast
import json
from types import SimpleNamespace

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


ONE_WRITER = '    writers = [threading.Thread(target=write, name="writer-1")]'
SAYS_IT_BY_HEART = """    packer = threading.Thread(
        target=lambda: parcels.extend(["two boxes"] * 3 + ["one box"]), name="packer")""".replace("\n", "")


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


# 17: three scripts that do not end


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    names = names_of("17")
    names["folder"] = SimpleNamespace(name=str(tmp_path_factory.mktemp("scripts")))
    names["RIGHT"] = names["write_scripts"]()
    return names


@pytest.fixture
def found(hanging, capsys):
    """What the check of chapter 17 says of findings, and the run that it shows."""

    def checked(**findings):
        run = hanging["check_findings"]({f"{name}.py": finding for name, finding in findings.items()})
        return capsys.readouterr().out, run

    return checked


SOLUTION = value_of("17", "exercise-solution", "solution_findings")


def test_findings_of_the_solution_pass(found):
    out, run = found(**{name.removesuffix(".py"): finding for name, finding in SOLUTION.items()})
    assert (out, run) == ("Solved. All three end, with all their work done.\n", None)


def test_nothing_is_found_to_begin_with(found):
    findings = value_of("17", "exercise-attempt", "my_findings")
    assert found(**{name.removesuffix(".py"): finding for name, finding in findings.items()})[0] == (
        "Still to find: 3 of 3.\n"
    )


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("invoices", ("nobody", 19, "    [orders.put(None) for writer in writers]")),
        ("invoices", ("nobody", 19, "    orders.put(None), orders.put(None)")),
        ("balance", ("circle", 17, "            self.totals.append(sum(self.coins))")),
        ("parcels", ("computes", 8, "        while boxes[0] >= 1:")),
    ],
)
def test_other_ways_to_mend_a_script_pass(found, name, finding):
    assert found(**{name: finding}) == ("Still to find: 2 of 3.\n", None)


@pytest.mark.many
@pytest.mark.parametrize(
    ("name", "finding", "why"),
    [
        # the wrong kind: the run of the script is told
        ("invoices", ("circle", *SOLUTION["invoices.py"][1:]), "is it 'circle'? This is its run: deadlock, nobody is"),
        ("balance", ("nobody", *SOLUTION["balance.py"][1:]), "is it 'nobody'? This is its run: deadlock, nobody can"),
        ("balance", (EqualsEverything("circle"), *SOLUTION["balance.py"][1:]), "a kind is one of"),
        ("balance", ("deadlock", *SOLUTION["balance.py"][1:]), "a kind is one of"),
        # no finding at all
        ("invoices", "nobody", "write three things"),
        ("invoices", ("nobody", "19", "    pass"), "the number of a line, 1 to "),
        ("invoices", ("nobody", 99, "    pass"), "the number of a line, 1 to "),
        ("invoices", ("nobody", 19, "    pass\n    pass"), "the text of one line"),
        # a line that cannot be run
        ("invoices", ("nobody", 19, "orders.put(None"), "it cannot even be started"),
        ("invoices", ("nobody", 19, "        orders.put(None)"), "deadlock"),  # as many as orders, not as writers
        # lazy: it is left as it is, or only waited for less long
        ("invoices", ("nobody", 19, "    orders.put(None)"), "with your line 19 it ends with Deadlock"),
        ("invoices", ("nobody", 21, "        pass"), "with your line 21 it ends with Deadlock"),
        ("invoices", ("nobody", 21, "        writer.join(timeout=1)"), "with your line 21 it ends with Deadlock"),
        ("balance", ("circle", 8, "        self.lock = threading.Lock()"), "with your line 8 it ends with Deadlock"),
        # it ends, and the work is not done, or not by these threads
        ("invoices", ("nobody", 14, ONE_WRITER), "other threads do the work"),
        ("invoices", ("nobody", 11, "        while (order := orders.get(timeout=1)) is not None:"), "Empty"),
        ("invoices", ("nobody", 11, "        while not orders.empty() and (order := orders.get()):"), "it returns "),
        ("balance", ("circle", 17, "            self.totals.append(100)"), "is expected"),
        ("balance", ("circle", 17, "            pass"), "it returns [] where [95, 100] is expected"),
        (
            "parcels",
            ("computes", 8, "        while boxes[0] > 1:"),
            "it returns ['two boxes', 'two boxes', 'two boxes'] where",
        ),
        ("parcels", ("computes", 9, "            boxes[0] -= 7"), "is expected"),
        # cheating: the expected value is written down
        ("parcels", ("computes", 13, "    return ['two boxes'] * 3 + ['one box']"), "other threads do the work"),
        ("parcels", ("computes", 12, SAYS_IT_BY_HEART), "where ['two boxes', 'one box'] is expected"),
    ],
)
def test_wrong_lazy_and_cheating_findings_are_refused(found, name, finding, why):
    out, _ = found(**{name: finding})
    assert out.startswith(f"Not yet. {name}.py: ") and why in out


def test_findings_on_other_scripts_are_refused(found):
    assert found(warehouse=("nobody", 1, ""))[0].startswith("Not yet. The findings are a dict with invoices.py, ")


# 14: right, or only lucky


@pytest.fixture
def judged(capsys):
    """What the check of chapter 14 says of some answers, with the solution's for the rest."""
    names, solution = names_of("14"), value_of("14", "exercise-solution", "solution_answers")

    def answered(**answers):
        found = names["check_answers"](solution | answers)
        return capsys.readouterr().out, found

    return answered


def test_right_and_lucky_programs_of_the_solution_pass(judged):
    assert judged() == ("Solved. All six answers are right.\n", None)


def test_no_program_is_judged_to_begin_with(judged):
    attempt = value_of("14", "exercise-attempt", "my_answers")
    assert judged(**attempt) == ("Still to answer: 6 of 6.\n", None)


@pytest.mark.parametrize("name", ["guests", "votes", "key_cutting", "payments", "parcels", "steps"])
def test_program_that_is_judged_wrongly_is_refuted(judged, name):
    is_right = value_of("14", "exercise-solution", "solution_answers")[name]
    out, found = judged(**{name: not is_right})
    assert out.startswith(f"Not yet. {name}: not {not is_right}, ")
    assert (found.counterexample is None) == is_right and found.complete >= is_right


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (dict.fromkeys(["guests", "votes", "key_cutting", "payments", "parcels", "steps"], True), "votes: not True"),
        (dict.fromkeys(["guests", "votes", "key_cutting", "payments", "parcels", "steps"], False), "guests: not False"),
        ({"guests": 1}, "guests is True or False, and not 1"),
        ({"steps": EqualsEverything("True")}, "steps is True or False, and not 'True'"),
        ({"waiters": True}, "The answers are a dict with guests, votes"),
    ],
)
def test_lazy_and_cheating_judgements_are_refused(judged, answers, why):
    out, _ = judged(**answers)
    assert out.startswith("Not yet. ") and why in out


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
        ("14", "shared-panel", "album", {"alone": 0.02, "shared": 0.02, "cores": 4}),
        ("14", "luck-panel", "last_ticket", {}),
        ("17", "rare-panel", "shift", {}),
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
        ("14", "three-prediction", 0.03),
        ("14", "shared-prediction", 0.13),
        ("14", "luck-prediction", -1),
        ("14", "quick-1", 0.04),
        ("14", "quick-2", 0.08),
        ("14", "quick-3", [5, 10]),
        ("17", "warehouse-prediction", "never ends"),
        ("17", "roll-call-prediction", 1),
        ("17", "hook-prediction", 1),
        ("17", "rare-prediction", [2, "never ends"]),
        ("17", "quick-1", "never ends"),
        ("17", "quick-2", 3),
        ("17", "quick-3", "heard"),
    ],
)
def test_prediction_that_the_chapter_speaks_of_is_right(chapter, cell, answer):
    asked = prediction(chapter, cell)
    assert asked.run is None
    asked.answer(answer)
    assert asked.right, asked.said
