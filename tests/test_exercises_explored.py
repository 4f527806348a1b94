"""Exercises whose verdict is a proof: the chapter's solution passes; wrong, lazy and cheating answers do not."""

import ast
import json
import linecache
import re
import threading
import time
from pathlib import Path

import pytest

import threadviz as tv

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
KEPT = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom


def names_of(chapter):
    """What the cells of a chapter define, checks and solutions among it; nothing of it is run."""
    names = {"__name__": "chapter"}
    for cell, source in sources_of(chapter).items():
        if source.startswith("%%"):  # a program of its own
            continue
        name = f"<{chapter}/{cell}>"
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name  # as a notebook's kernel does
        tree = ast.parse(source)
        tree.body = [node for node in tree.body if isinstance(node, KEPT) or is_answer(node)]
        exec(compile(tree, name, "exec"), names)
    return names


def sources_of(chapter):
    """The cells of code, without single lines that are IPython's."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    return {cell: re.sub(r"^%(?!%).*$", "", source, flags=re.MULTILINE) for cell, source in sources.items()}


def is_answer(node):
    """Whether it is a plain value with a name, or an object that stands for nothing but itself."""
    return isinstance(node, ast.Assign) and (
        isinstance(node.value, ast.Constant) or ast.unparse(node.value) == "object()"
    )


@pytest.fixture(scope="module")
def any_time():
    return names_of("07")


@pytest.fixture(scope="module")
def deadlocks():
    return names_of("09")


@pytest.fixture(scope="module")
def waiting():
    return names_of("12")


# 07, exercise 1: an order of steps


def test_order_of_the_solution_ends_with_two(any_time, capsys):
    run = any_time["check_order"](any_time["solution_order"])
    assert run.result() == 2 and capsys.readouterr().out.startswith("Solved.")


def test_order_to_begin_with_is_not_the_answer(any_time, capsys):
    assert any_time["check_order"](any_time["order"]).result() == 3
    assert capsys.readouterr().out.startswith("Not yet. This order ends with 3.")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("", "Each gate takes six steps; yours has 0 of gate 1, 0 of gate 2, 0 in all"),
        ("1 2 2 1", "yours has 2 of gate 1, 2 of gate 2, 4 in all"),
        ("1 2 2 2 2 1 2 1 1 1 1 3", "yours has 6 of gate 1, 5 of gate 2, 12 in all"),
        ("1 2 2 2 2 2 2 1 1 1 1 1 1", "yours has 7 of gate 1, 6 of gate 2, 13 in all"),
        ("1 1 1 1 1 1 2 2 2 2 2 2", "This order ends with 6"),
        ("1 2 2 2 2 2 2 1 1 1 1 1", "This order ends with 3"),
    ],
)
def test_order_that_does_not_end_with_two_is_refused(any_time, capsys, order, said):
    any_time["check_order"](order)
    out = capsys.readouterr().out
    assert out.startswith("Not yet.") and said in out


# 07, exercise 2: visitors


def open_all(gates, work):
    threads = [threading.Thread(target=work, args=(gate,)) for gate in gates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def counts_by_list(gates):
    inside = []

    def work(gate):
        while gate.let_one_in():
            inside.append(gate)

    open_all(gates, work)
    return len(inside)


def counts_under_a_lock(gates):
    inside, lock = [0], threading.Lock()

    def work(gate):
        while gate.let_one_in():
            with lock:
                inside[0] += 1

    open_all(gates, work)
    return inside[0]


def one_gate_after_the_other(gates):
    inside = [0]

    def work(gate):
        while gate.let_one_in():
            inside[0] += 1

    for gate in gates:
        open_all([gate], work)
    return inside[0]


def main_does_it_all(gates):
    inside = 0
    for gate in gates:
        while gate.let_one_in():
            inside += 1
    return inside


def knows_it_by_heart(gates):
    open_all(gates, lambda gate: gate.let_one_in())
    return 2


def looks_before_the_end(gates):
    counts = {gate: 0 for gate in gates}

    def work(gate):
        while gate.let_one_in():
            counts[gate] += 1

    threads = [threading.Thread(target=work, args=(gate,)) for gate in gates]
    for thread in threads:
        thread.start()
    time.sleep(3)
    return sum(counts.values())


def copies_first(gates):
    inside = {"visitors": 0}

    def work(gate):
        while gate.let_one_in():
            seen = inside["visitors"]
            inside["visitors"] = seen + 1

    open_all(gates, work)
    return inside["visitors"]


def only_sleeps(gates):
    open_all(gates, lambda gate: time.sleep(1))
    return len(gates)


@pytest.mark.parametrize("answer", ["solution_count_visitors", counts_by_list, counts_under_a_lock])
def test_right_ways_to_count_visitors_pass(any_time, answer):
    assert any_time["check_count"](any_time[answer] if isinstance(answer, str) else answer).passed


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("count_visitors", "an update is lost"),
        (copies_first, "an update is lost"),
        (one_gate_after_the_other, "open at the same time"),
        (main_does_it_all, "open at the same time"),
        (knows_it_by_heart, "open at the same time"),
        (only_sleeps, "open at the same time"),
        (looks_before_the_end, "open at the same time"),
        (lambda gates: sum(gate._people for gate in gates), "AttributeError"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_ways_to_count_visitors_are_refused(any_time, answer, why):
    verdict = any_time["check_count"](any_time[answer] if isinstance(answer, str) else answer)
    assert not verdict.passed and why in verdict.reason


# 09: transfers


def in_order(source, target):
    return sorted((source, target), key=lambda account: account.number)


def move(source, target, amount):
    source.balance -= amount
    target.balance += amount


def payments(names):
    """Answers to the exercise, right and wrong, that sign as the chapter does."""
    sign = names["sign"]

    def signs_before(source, target, amount):
        if source is not target:
            sign()
            first, second = in_order(source, target)
            with first.lock, second.lock:
                move(source, target, amount)

    def forgets_oneself(source, target, amount):
        first, second = in_order(source, target)
        with first.lock, second.lock:
            sign()
            move(source, target, amount)

    def highest_first(source, target, amount):
        if source is not target:
            second, first = in_order(source, target)
            with first.lock, second.lock:
                sign()
                move(source, target, amount)

    def by_balance(source, target, amount):
        if source is not target:
            first, second = sorted((source, target), key=lambda account: account.balance)
            with first.lock, second.lock:
                sign()
                move(source, target, amount)

    def one_lock_after_the_other(source, target, amount):
        with source.lock:
            source.balance -= amount
        sign()
        with target.lock:
            target.balance += amount

    def without_locks(source, target, amount):
        sign()
        move(source, target, amount)

    def tries_for_ever(source, target, amount):
        while source is not target:
            with source.lock:
                if target.lock.acquire(blocking=False):
                    sign()
                    move(source, target, amount)
                    target.lock.release()
                    return

    def gives_up(source, target, amount):
        with source.lock:
            if target.lock.acquire(timeout=1):
                sign()
                move(source, target, amount)
                target.lock.release()

    bank = threading.Lock()

    def one_lock_for_the_bank(source, target, amount):
        with bank:
            sign()
            move(source, target, amount)

    def never_pays(source, target, amount):
        sign()

    def never_signs(source, target, amount):
        if source is not target:
            first, second = in_order(source, target)
            with first.lock, second.lock:
                move(source, target, amount)

    return {name: each for name, each in locals().items() if callable(each)}


@pytest.mark.parametrize("answer", ["solution_pay", "signs_before"])
def test_right_transfers_pass(deadlocks, answer):
    assert deadlocks["check_pay"]({**deadlocks, **payments(deadlocks)}[answer]).passed


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("pay", "deadlock"),
        ("forgets_oneself", "deadlock"),
        ("highest_first", "deadlock"),
        ("by_balance", "deadlock"),
        ("one_lock_after_the_other", "is expected"),
        ("without_locks", "is expected"),
        ("tries_for_ever", "takes no lock a second time"),
        ("gives_up", "sign() once"),
        ("one_lock_for_the_bank", "made outside"),
        ("never_pays", "is expected"),
        ("never_signs", "sign() once"),
    ],
)
def test_wrong_transfers_are_refused(deadlocks, answer, why):
    verdict = deadlocks["check_pay"]({**deadlocks, **payments(deadlocks)}[answer])
    assert not verdict.passed and why in verdict.reason


# 12, exercise 1: a room


class Counted:
    """A room of a Condition and a count; others get it wrong in one place."""

    def __init__(self, limit):
        self.limit = limit
        self.inside = 0
        self.changed = threading.Condition()

    def enter(self):
        with self.changed:
            while self.inside >= self.limit:
                self.changed.wait()
            self.inside += 1

    def leave(self):
        with self.changed:
            self.inside -= 1
            self.changed.notify()


class LooksOnce(Counted):
    def enter(self):
        with self.changed:
            if self.inside >= self.limit:
                self.changed.wait()
            self.inside += 1


class TellsNobody(Counted):
    def leave(self):
        with self.changed:
            self.inside -= 1


class ComesBackToLook(Counted):
    def enter(self):
        while True:
            with self.changed:
                if self.inside < self.limit:
                    self.inside += 1
                    return
            time.sleep(0.1)


class LooksAndThenEnters(Counted):
    def enter(self):
        with self.changed:
            while self.inside >= self.limit:
                self.changed.wait()
        with self.changed:
            self.inside += 1


class OneTooMany:
    def __init__(self, limit):
        self.tokens = threading.Semaphore(limit + 1)
        self.enter, self.leave = self.tokens.acquire, self.tokens.release


class Open:
    def __init__(self, limit):
        pass

    def enter(self):
        pass

    leave = enter


class NeverLeaves(OneTooMany):
    def __init__(self, limit):
        super().__init__(limit - 1)
        self.leave = bool


tokens_of_the_house = threading.Semaphore(2)


class MadeOutside(Open):
    def enter(self):
        tokens_of_the_house.acquire()

    def leave(self):
        tokens_of_the_house.release()


@pytest.mark.parametrize("answer", ["SolutionRoom", Counted])
def test_right_rooms_pass(waiting, capsys, answer):
    assert waiting["check_room"](waiting[answer] if isinstance(answer, str) else answer).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Room", "2 could be inside at once; here it is 1"),
        (TellsNobody, "deadlock"),
        (ComesBackToLook, "somebody sleeps outside"),
        (OneTooMany, "3 are inside, and 2 is the limit"),
        (Open, "3 are inside, and 2 is the limit"),
        (NeverLeaves, "deadlock"),
        (MadeOutside, "made outside"),
        (LooksOnce, "2 are inside, and 1 is the limit"),
        (LooksAndThenEnters, "3 are inside, and 2 is the limit"),
    ],
)
def test_wrong_rooms_are_refused(waiting, capsys, answer, why):
    verdict = waiting["check_room"](waiting[answer] if isinstance(answer, str) else answer)
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


# 12, exercise 2: a display


class Right:
    def __init__(self):
        self.number = 0
        self.bell = threading.Condition()

    def call_next(self):
        with self.bell:
            self.number += 1
            self.bell.notify_all()

    def wait_for(self, number):
        with self.bell:
            self.bell.wait_for(lambda: self.number >= number)


class WakesOne(Right):
    def call_next(self):
        with self.bell:
            self.number += 1
            self.bell.notify()


class WaitsOnce(Right):
    def wait_for(self, number):
        with self.bell:
            if self.number < number:
                self.bell.wait()


class LooksWithoutTheLock(Right):
    def wait_for(self, number):
        while self.number < number:
            with self.bell:
                self.bell.wait()


class WaitsForTheCall(Right):
    def wait_for(self, number):
        with self.bell:
            self.bell.wait()


class OneFlag(Right):
    def __init__(self):
        self.flag = threading.Event()

    def call_next(self):
        self.flag.set()

    def wait_for(self, number):
        self.flag.wait()


class Sleeps(Right):
    def wait_for(self, number):
        while self.number < number:
            time.sleep(0.1)


class TimesOut(Right):
    def wait_for(self, number):
        with self.bell:
            while self.number < number:
                self.bell.wait(timeout=0.1)


class WaitsForNothing(Right):
    def wait_for(self, number):
        pass


@pytest.mark.parametrize("answer", ["SolutionDisplay", Right])
def test_right_displays_pass(waiting, capsys, answer):
    assert waiting["check_display"](waiting[answer] if isinstance(answer, str) else answer).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Display", "the wake-up is lost"),
        (WakesOne, "deadlock"),
        (WaitsOnce, "only 1 called, and number 2 goes"),
        (LooksWithoutTheLock, "the wake-up is lost"),
        (WaitsForTheCall, "the wake-up is lost"),
        (OneFlag, "only 1 called, and number 2 goes"),
        (Sleeps, "comes back to look again and again"),
        (TimesOut, "comes back to look again and again"),
        (WaitsForNothing, "only 0 called, and number 1 goes"),
    ],
)
def test_wrong_displays_are_refused(waiting, capsys, answer, why):
    verdict = waiting["check_display"](waiting[answer] if isinstance(answer, str) else answer)
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


# What the chapters set as goals can be reached


@pytest.mark.parametrize(
    ("chapter", "scenario", "arguments", "reached"),
    [
        ("07", "evening", {"people": 3}, lambda run: run.result() <= 4),
        ("09", "two_transfers", {}, lambda run: run.deadlock is not None and run.duration == 0),
        ("09", "dinner", {}, lambda run: run.deadlock is not None and run.duration == 0),
        ("09", "polite_transfers", {"gap": 1.0, "refund_waits": 0.5}, lambda run: run.result() == (95, 105)),
        ("12", "opening", {"kind": "Condition", "bob_comes": 0.2}, lambda run: run.deadlock is not None),
        ("12", "small_room", {"visitors": 9}, lambda run: run.duration == 3 and run.facts.at_once == 3),
        ("12", "tours", {"visitors": 7, "parties": 7}, lambda run: run.deadlock is None),
    ],
)
def test_some_setting_of_the_panel_reaches_its_goal(chapter, scenario, arguments, reached):
    runs = [tv.simulate(names_of(chapter)[scenario], seed=seed, **arguments) for seed in range(1, 21)]
    assert any(reached(run) for run in runs)


# What the chapters ask to predict is what comes


def prediction(chapter, cell):
    """The `tv.predict` of this cell."""
    asks = ast.parse(sources_of(chapter)[cell]).body[-1]
    return eval(compile(ast.Expression(asks.value), f"<{chapter}/{cell}>", "eval"), names_of(chapter))


@pytest.mark.parametrize(
    ("chapter", "cell", "answer"),
    [
        ("07", "endings-prediction", "1 or 2"),
        ("07", "orders-prediction", 4),
        ("07", "three-prediction", 6),
        ("07", "lowest-prediction", 2),
        ("07", "quick-1", [2]),
        ("07", "quick-2", 3),
        ("07", "quick-3", 1),
        ("09", "transfers-prediction", "never ends"),
        ("09", "all-prediction", 2),
        ("09", "alone-prediction", "never ends"),
        ("09", "polite-prediction", (100, 100)),
        ("09", "quick-1", 4),
        ("09", "quick-2", "unlocked"),
        ("09", "quick-3", "never ends"),
        ("12", "late-event", 0.4),
        ("12", "late-condition", "never ends"),
        ("12", "room-prediction", 3),
        ("12", "tour-prediction", "never ends"),
        ("12", "quick-1", 2),
        ("12", "quick-2", "Ann"),
        ("12", "quick-3", "gave up"),
    ],
)
def test_prediction_that_the_chapter_speaks_of_is_right(chapter, cell, answer):
    asked = prediction(chapter, cell)
    assert asked.run is None  # nothing has been run that could be looked at
    asked.answer(answer)
    assert asked.right, asked.said


def test_run_beside_an_answer_is_the_one_that_is_asked_for():
    endings, all_orders = prediction("07", "endings-prediction"), prediction("07", "orders-prediction")
    for asked, answer in ((endings, "1 or 2"), (all_orders, 4)):
        asked.answer(answer)
        assert asked.run.result() == 1
    stands_still = prediction("09", "all-prediction")
    stands_still.answer(2)
    assert stands_still.run.deadlock is not None
    for asked in (all_orders, stands_still):
        assert "doomed" in asked._live.face["words"] and "doomed" in asked._live.face["svg"]


def test_lowest_number_comes_without_the_order_that_an_exercise_asks_for():
    asked = prediction("07", "lowest-prediction")
    asked.answer(2)
    assert asked.right and asked.run is None and asked._live.face == {}


@pytest.mark.parametrize(
    ("lose", "answer"),
    [
        ([], "neither of them"),
        (["asking_gate"], "asking_gate"),
        (["plain_gate", "asking_gate"], "plain_gate and asking_gate"),
    ],
)
def test_gates_on_real_threads_are_told_by_what_they_lose_and_beside_no_simulated_run(any_time, lose, answer):
    asked = prediction("07", "cpython-prediction")
    asked._made.args[0].__globals__["lost"] = lambda gate: 12.5 * (gate.__name__ in lose)
    asked.answer(answer)
    assert asked.right and asked.run is None


@pytest.mark.parametrize("still", [0, 1, 3])
def test_run_beside_a_thousand_real_ones_is_one_of_them_and_stands_still_where_one_did(monkeypatch, still):
    standstills = prediction("09", "thousand-prediction")._made.args[0]
    runs = [tv.simulate(standstills.__globals__["two_transfers"], 0.5 * (number < still)) for number in range(3)]
    left = list(runs)
    monkeypatch.setattr(tv, "record", lambda scenario: left.pop())
    words, run = standstills(times=3)
    assert words == {0: "never", 1: "in a few runs", 3: "in most runs"}[still]
    assert run in runs and left == [] and (run.deadlock is not None) == (still > 0)
