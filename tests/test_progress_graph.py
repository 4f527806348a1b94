"""The progress graph of two threads: worked out by hand, and by going every way step by step."""

import threading
from collections import defaultdict
from functools import partial
from xml.etree import ElementTree

import pytest

import threadviz as tv
from threadviz.exploration.walk import Walk

from .test_faults import (
    Account,
    ann_and_bob,
    crossed,
    is_right,
    notified_too_early,
    one_section,
    oversold,
    read_here_written_there,
    torn_sum,
    two_payments,
)


def graph_of(program):
    return tv.explore(program, expect=is_right).progress_graph().graph


def names(axis):
    return [move.what for move in axis.moves]


def test_two_locks_have_their_forbidden_rectangles_and_the_doomed_cell_between_them():
    graph = graph_of(crossed)
    assert names(graph.x) == ["takes left", "takes right", "lets go of right", "lets go of left"]
    assert names(graph.y) == ["takes right", "takes left", "lets go of left", "lets go of right"]
    # Ann has left after steps 1 to 3 and right after step 2; Bob has right after steps 1 to 3 and left after step 2.
    left, right = {(1, 2), (2, 2), (3, 2)}, {(2, 1), (2, 2), (2, 3)}
    assert set(graph.cells("forbidden")) == left | right
    assert graph.both_hold((2, 2)) == ["left", "right"] and graph.both_hold((3, 2)) == ["left"]
    assert graph.cells("doomed") == [(1, 1)]  # each has its first lock, and wants the other's
    assert graph.cells("unreached") == [(3, 3)]  # behind the two rectangles
    assert graph.cells("open") == [(0, 0), (0, 1), (1, 0)]  # before, both ways are open
    assert len(graph.areas) == 25
    assert graph.path == ((0, 0), (1, 0), (1, 1)) and graph.ends == "ends in deadlock" and graph.fails


def test_lost_update_has_nothing_forbidden_and_is_doomed_where_both_have_read():
    graph = graph_of(two_payments)
    assert names(graph.x) == names(graph.y) == ["reads Account.balance", "writes Account.balance"]
    assert not graph.cells("forbidden") and not graph.cells("unreached")
    assert graph.cells("doomed") == [(1, 1)]
    assert graph.cells("safe") == [(0, 2), (2, 0)]  # one of them has done, and the other one not begun
    assert graph.path[0] == (0, 0) and graph.path[-1] == (2, 2) and (1, 1) in graph.path


def test_lock_forbids_a_square_and_nothing_is_doomed():
    def both():
        account, guard = Account(0), threading.Lock()

        def add():
            with guard:
                account.balance += 1

        ann_and_bob(add, add)
        return account.balance == 2

    graph = graph_of(both)
    assert names(graph.x) == [
        "takes guard",
        "reads Account.balance",
        "writes Account.balance",
        "lets go of guard",
    ]
    assert graph.cells("forbidden") == [(i, j) for i in (1, 2, 3) for j in (1, 2, 3)]
    assert {*graph.areas.values()} == {"forbidden", "safe"}
    assert graph.path == () and not graph.fails and "the run" not in graph.describe()


PROGRAMS = [two_payments, crossed, read_here_written_there, torn_sum, one_section]


@pytest.mark.parametrize("program", PROGRAMS)
def test_going_every_way_step_by_step_says_the_same(program):
    """Walks lead each interleaving by hand: which cells they come through, and how those end."""
    walk = Walk("", partial(program))
    came: dict[tuple[int, int], set[bool]] = defaultdict(set)

    def go(choices, cells):
        walk.go_to(choices)
        if walk.state.is_over or not any(stand.can_go for stand in walk.state.stands):
            run = walk.state.run
            fails = run.exception() is not None or run.result() is False
            for cell in cells:
                came[cell].add(fails)
            return
        for number in [stand.number for stand in walk.state.stands if stand.can_go]:
            i, j = cells[-1]
            go([*choices, number], [*cells, (i + (number == 1), j + (number == 2))])

    go([], [(0, 0)])
    graph = graph_of(program)
    assert not graph.notes
    assert {cell for cell, area in graph.areas.items() if area not in ("forbidden", "unreached")} == came.keys()
    told = {frozenset([True]): "doomed", frozenset([False]): "safe"}
    assert {cell: graph.areas[cell] for cell in came} == {
        cell: told.get(frozenset(ends), "open") for cell, ends in came.items()
    }


# Who finds no ticket left does not sell one; a notify that wakes nobody is no step.
@pytest.mark.parametrize("program", [oversold, notified_too_early])
def test_threads_that_make_other_steps_in_another_order_are_told(program):
    graph = graph_of(program)
    assert "in another order the threads make other steps" in graph.describe()
    assert graph.areas[graph.path[-1]] == "doomed"  # it is along the steps of the counterexample


@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_of_two_threads(threads):
    def add():
        account = Account(0)

        def one():
            account.balance += 1

        started = [threading.Thread(target=one) for _ in range(threads)]
        for thread in started:
            thread.start()
        account.balance += 1
        for thread in started:
            thread.join()

    with pytest.raises(ValueError, match=f"a progress graph is of two threads besides the main one: {threads} of them"):
        tv.explore(add).progress_graph()
    assert "progress graph" not in str(tv.explore(add)._repr_mimebundle_())


def test_every_cell_says_what_it_is_and_the_whole_is_told_in_words():
    shown = tv.explore(crossed).progress_graph()
    root = ElementTree.fromstring(shown.svg())
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len([title for title in titles if "Ann has made" in title]) == 25
    assert len([title for title in titles if "cannot be: both would hold left and right" in title]) == 1
    assert "doomed, it can only go wrong from: 1×1" in shown.describe()
    assert "forbidden, as both would hold left: 1×2 2×2 3×2" in shown.describe()
    (desc,) = root.iter("{http://www.w3.org/2000/svg}desc")
    assert desc.text == shown.describe() == repr(shown)


@pytest.mark.parametrize("program", [crossed, two_payments, oversold])
def test_doomed_cells_are_marked_in_the_picture_also_where_the_run_goes_through_them(program):
    shown = tv.explore(program, expect=is_right).progress_graph()
    assert ">doomed</text>" in shown.svg()
    if program is crossed:
        assert ">both hold left</text>" in shown.svg() and ">both hold right</text>" in shown.svg()


def test_it_shows_itself_in_a_notebook_and_under_the_counterexample():
    found = tv.explore(crossed)
    bundle, about = found.progress_graph()._repr_mimebundle_()
    assert bundle["text/plain"] == found.progress_graph().describe() == about["image/png"]["alt"]
    bundle, _ = found._repr_mimebundle_()
    assert bundle["text/plain"] == f"{found.describe()}\n\n{found.progress_graph().describe()}"


def test_exploration_in_which_nothing_goes_wrong_shows_none_unasked():
    found = tv.explore(one_section, expect=lambda value: value is not None)
    assert "progress graph" not in found._repr_mimebundle_()[0]["text/plain"]
    assert found.progress_graph().graph.cells("forbidden")


def test_many_steps_are_not_shown_unasked():
    def many():
        account = Account(0)

        def ann():
            for _ in range(8):
                account.balance = account.balance + 1

        def bob():
            account.paid = account.balance

        ann_and_bob(ann, bob)
        return account.paid == 8

    found = tv.explore(many, expect=True)
    graph = found.progress_graph().graph
    assert len(graph.x.moves) == 16
    assert "progress graph" not in found._repr_mimebundle_()[0]["text/plain"]
