"""Exercises of chapters 02 and 03: right answers pass; wrong, lazy and cheating answers do not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .test_exercises_explored import names_of, prediction


@pytest.fixture(scope="module")
def daemons():
    return names_of("02")


# 02: the shop, its office, its lamp and its writer


def shops(names):
    """Answers to the exercise, right and wrong, that are made of the chapter's own threads."""
    blink, write_orders, solution_office = names["blink"], names["write_orders"], names["solution_office"]

    def start(target, name, *args, daemon):
        thread = threading.Thread(target=target, args=args, name=name, daemon=daemon)
        thread.start()
        return thread

    def of(office, daemon):
        """A shop whose main thread does no more than in the attempt."""

        def shop(path, orders, closes):
            start(office, "office", path, orders, daemon=daemon)
            time.sleep(closes)
            print("main: all done")

        return shop

    def ordinary_office(path, orders):
        start(blink, "lamp", daemon=False)
        start(write_orders, "writer", path, orders, daemon=False)

    def marked_office(path, orders):
        start(blink, "lamp", daemon=True)
        start(write_orders, "writer", path, orders, daemon=True)

    def half_office(path, orders):
        start(blink, "lamp", daemon=True)
        start(write_orders, "writer", path, orders, daemon=False)

    def dark_office(path, orders):
        start(write_orders, "writer", path, orders, daemon=False)

    def thrifty_office(path, orders):
        writer = start(write_orders, "writer", path, orders, daemon=False)

        def blink_meanwhile():
            while writer.is_alive():
                time.sleep(0.1)

        start(blink_meanwhile, "lamp", daemon=True)

    def patient_office(path, orders):
        start(blink, "lamp", daemon=True)
        start(write_orders, "writer", path, orders, daemon=True).join()

    def joined(path, orders, closes):
        office = start(patient_office, "office", path, orders, daemon=True)
        time.sleep(closes)
        print("main: all done")
        office.join()

    def joined_first(path, orders, closes):
        office = start(patient_office, "office", path, orders, daemon=True)
        office.join()
        time.sleep(closes)
        print("main: all done")

    def guessed(path, orders, closes):
        start(marked_office, "office", path, orders, daemon=True)
        time.sleep(max(closes, 0.1 * orders + 1e-9))
        print("main: all done")

    def waits_for_the_lamp(path, orders, closes):
        lamp = start(blink, "lamp", daemon=False)
        start(write_orders, "writer", path, orders, daemon=False)
        time.sleep(closes)
        print("main: all done")
        lamp.join()

    def only_said(path, orders, closes):
        for number in range(1, orders + 1):
            print("order", number, "written")
        print("file closed")
        print("main: all done")

    def said_by_a_writer(path, orders, closes):
        def write(path, orders):
            for number in range(1, orders + 1):
                print("order", number, "written")
                time.sleep(0.1)
            print("file closed")

        start(blink, "lamp", daemon=True)
        start(write, "writer", path, orders, daemon=False)
        time.sleep(closes)
        print("main: all done")

    def main_writes(path, orders, closes):
        start(blink, "lamp", daemon=True)
        write_orders(path, orders)
        time.sleep(max(0, closes - 0.1 * orders))
        print("main: all done")

    def written_at_once(path, orders, closes):
        def write(path, orders):
            Path(path).write_text("".join(f"order {number}\n" for number in range(1, orders + 1)))

        start(blink, "lamp", daemon=True)
        start(write, "writer", path, orders, daemon=False)
        time.sleep(closes)
        print("main: all done")

    def late(path, orders, closes):
        start(solution_office, "office", path, orders, daemon=False).join()
        time.sleep(closes + 1)
        print("main: all done")

    def fails(path, orders, closes):
        start(solution_office, "office", path, orders, daemon=False)
        time.sleep(closes)
        raise OSError("no paper")

    def silent(path, orders, closes):
        start(solution_office, "office", path, orders, daemon=False)
        time.sleep(closes)

    return {
        "joined": joined,
        "all ordinary": of(ordinary_office, False),
        "all marked": of(marked_office, True),
        "only the writer ordinary": of(half_office, True),
        "no lamp": of(dark_office, False),
        "lamp only while writing": of(thrifty_office, False),
        "office waits, nobody for the office": of(patient_office, True),
        "joined before the shop closes": joined_first,
        "guessed": guessed,
        "waits for the lamp": waits_for_the_lamp,
        "only said": only_said,
        "said by a writer": said_by_a_writer,
        "main writes": main_writes,
        "written at once": written_at_once,
        "late": late,
        "fails": fails,
        "silent": silent,
    }


@pytest.mark.parametrize("answer", ["solution_shop", "joined"])
def test_right_shops_pass(daemons, capsys, answer):
    assert daemons["check_shop"]({**daemons, **shops(daemons)}[answer]).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("shop", "the writer writes each of the 5 orders"),
        ("all marked", "the writer writes each of the 5 orders"),
        ("all ordinary", "the program ends as soon as"),
        ("only the writer ordinary", "the writer writes each of the 4 orders"),
        ("office waits, nobody for the office", "the writer writes each of the 5 orders"),
        ("no lamp", "the lamp blinks for as long as the program lasts"),
        ("lamp only while writing", "the lamp blinks for as long as the program lasts"),
        ("joined before the shop closes", "the program ends as soon as"),
        ("guessed", "does not guess"),
        ("waits for the lamp", "the program ends as soon as"),
        ("only said", "the writer writes each of the 5 orders"),
        ("said by a writer", "are not in the file"),
        ("main writes", "the writer writes each of the 5 orders"),
        ("written at once", "the writer writes each of the 5 orders"),
        ("late", "does not guess"),
        ("fails", "raises OSError: no paper"),
        ("silent", "says so"),
    ],
)
def test_wrong_shops_are_refused(daemons, capsys, answer, why):
    verdict = daemons["check_shop"]({**daemons, **shops(daemons)}[answer])
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")
    assert verdict is None or not verdict.passed


# What the chapters ask to predict is what comes


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("mark-prediction", ["photo 1 saved", "main: all done"]),
        ("finally-prediction", ["order 3 written", "main: all done"]),
        ("file-prediction", 0),
        ("flag-prediction", "main: all done"),
        ("crash-prediction", 0.6),
        ("quick-1", 2),
        ("quick-2", 2),
        ("quick-3", 2),
    ],
)
def test_prediction_of_chapter_02_is_right(cell, answer):
    asked = prediction("02", cell)
    assert asked.run is None  # nothing has been run that could be looked at
    asked.answer(answer)
    assert asked.right, asked.said


# 03, exercise 1: prices


@pytest.fixture(scope="module")
def joining():
    return names_of("03")


def started(articles, fetch):
    threads = [threading.Thread(target=fetch, args=pair, name=pair[1]) for pair in enumerate(articles)]
    for thread in threads:
        thread.start()
    return threads


def by_name(articles, ask):
    prices = {}

    def fetch(place, article):
        prices[article] = ask(article)

    for thread in started(articles, fetch):
        thread.join()
    return [prices[article] for article in articles]


def with_a_pool(articles, ask):
    with ThreadPoolExecutor(max_workers=len(articles) or 1) as pool:
        return list(pool.map(ask, articles))


def appended_and_joined(articles, ask):
    prices = []
    for thread in started(articles, lambda place, article: prices.append(ask(article))):
        thread.join()
    return prices


def joined_in_the_loop(articles, ask):
    prices = []
    for article in articles:
        thread = threading.Thread(target=lambda article=article: prices.append(ask(article)))
        thread.start()
        thread.join()
    return prices


def main_asks(articles, ask):
    return [ask(article) for article in articles]


def never_joined(articles, ask):
    prices = [None] * len(articles)

    def fetch(place, article):
        prices[place] = ask(article)

    started(articles, fetch)
    return prices


def joins_the_last(articles, ask):
    prices = [None] * len(articles)

    def fetch(place, article):
        prices[place] = ask(article)

    for thread in started(articles, fetch)[-1:]:
        thread.join()
    return prices


def sleeps_long_enough(articles, ask):
    prices = [None] * len(articles)

    def fetch(place, article):
        prices[place] = ask(article)

    started(articles, fetch)
    time.sleep(9)
    return prices


def gives_up_after_a_while(articles, ask):
    prices = [None] * len(articles)

    def fetch(place, article):
        prices[place] = ask(article)

    for thread in started(articles, fetch):
        thread.join(timeout=2)
    return prices


def looks_it_up(articles, ask):
    """Without a thread: it sleeps as long as the slowest shop, and takes what `ask` knows."""
    cells = dict(zip(ask.__code__.co_freevars, ask.__closure__, strict=True))
    time.sleep(max(cells["seconds"].cell_contents.values(), default=0))
    return [cells["costs"].cell_contents[article] for article in articles]


def sorts(articles, ask):
    return sorted(appended_and_joined(articles, ask))


@pytest.mark.parametrize("answer", ["solution_fetch_all", by_name, with_a_pool])
def test_right_ways_to_fetch_prices_pass(joining, capsys, answer):
    assert joining["check_fetch_all"](joining[answer] if isinstance(answer, str) else answer).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("fetch_all", "the main thread does not sleep"),
        (sleeps_long_enough, "the main thread does not sleep"),
        (looks_it_up, "the main thread does not sleep"),
        (main_asks, "the main thread does not sleep"),
        (joined_in_the_loop, "it takes as long as the slowest shop, 1 s"),
        (appended_and_joined, "where [20, 35, 2] is expected"),
        (sorts, "it returns [2, 20, 35] where [20, 35, 2] is expected"),
        (never_joined, "it returns [None, None, None]"),
        (joins_the_last, "where [20, 35, 2] is expected"),
        (gives_up_after_a_while, "None"),
        (lambda articles, ask: [20, 35, 2], "every article is asked for once"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_ways_to_fetch_prices_are_refused(joining, capsys, answer, why):
    verdict = joining["check_fetch_all"](joining[answer] if isinstance(answer, str) else answer)
    assert "Solved" not in capsys.readouterr().out
    assert not verdict.passed and why in verdict.reason


# 03, exercise 2: a thermometer


class Flagged:
    """A thermometer with a flag; others get it wrong in one place."""

    def __init__(self, send):
        self.send = send
        self.flag = threading.Event()

    def start(self):
        self.thread = threading.Thread(target=self.measure, name="thermometer")
        self.thread.start()

    def measure(self):
        try:
            while not self.flag.is_set():
                self.send("21 degrees")
                self.flag.wait(1)
        finally:
            self.send("goodbye")

    def stop(self):
        self.flag.set()
        self.thread.join()


class OnACondition(Flagged):
    def __init__(self, send):
        self.send, self.ended, self.changed = send, False, threading.Condition()

    def measure(self):
        with self.changed:
            while not self.ended:
                self.send("21 degrees")
                self.changed.wait(1)
        self.send("goodbye")

    def stop(self):
        with self.changed:
            self.ended = True
            self.changed.notify()
        self.thread.join()


class JoinsAgainAndAgain(Flagged):
    def stop(self):
        self.flag.set()
        while self.thread.is_alive():
            self.thread.join(timeout=1)


class NoticesLate(Flagged):
    def measure(self):
        while not self.flag.is_set():
            self.send("21 degrees")
            time.sleep(1)
        self.send("goodbye")


class LooksOften(Flagged):
    def measure(self):
        while not self.flag.is_set():
            self.send("21 degrees")
            for _ in range(100):
                if not self.flag.is_set():
                    time.sleep(0.01)
        self.send("goodbye")


class KnowsItsLength(Flagged):
    def measure(self):
        for _ in range(2):
            self.send("21 degrees")
            time.sleep(1)
        self.send("21 degrees")
        time.sleep(0.53)
        self.send("goodbye")


class MainSaysGoodbye(Flagged):
    def measure(self):
        while True:
            self.send("21 degrees")
            if self.flag.wait(1):
                return

    def stop(self):
        super().stop()
        self.send("goodbye")


class ThirdSaysGoodbye(MainSaysGoodbye):
    def stop(self):
        Flagged.stop(self)
        third = threading.Thread(target=self.send, args=("goodbye",), name="thermometer")
        third.start()
        third.join()


class SaysItTwice(Flagged):
    def stop(self):
        super().stop()
        self.send("goodbye")


class DoesNotJoin(Flagged):
    def stop(self):
        self.flag.set()


class JoinsForATenth(Flagged):
    def stop(self):
        self.thread.join(timeout=0.1)
        self.flag.set()


class SharesAFlag(Flagged):
    flag = threading.Event()

    def __init__(self, send):
        self.send = send


class OverwritesAFlag(Flagged):
    def __init__(self, send):
        self.send = send

    def start(self):
        type(self).flag = threading.Event()
        super().start()


class WaitsFirst(Flagged):
    def measure(self):
        while not self.flag.wait(1):
            self.send("21 degrees")
        self.send("goodbye")


class EndsByAnError(Flagged):
    def measure(self):
        while not self.flag.is_set():
            self.send("21 degrees")
            self.flag.wait(1)
        self.send("goodbye")
        raise RuntimeError("stopped")


class IsADaemon(Flagged):
    def start(self):
        self.thread = threading.Thread(target=self.measure, name="thermometer", daemon=True)
        self.thread.start()

    def stop(self):
        pass


class Kills(IsADaemon):
    def stop(self):
        self.thread.stop()


@pytest.mark.parametrize("answer", ["SolutionThermometer", Flagged, OnACondition, JoinsAgainAndAgain])
def test_right_thermometers_pass(joining, capsys, answer):
    assert joining["check_thermometer"](joining[answer] if isinstance(answer, str) else answer).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.many
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Thermometer", "The kitchen is asked to stop at 2.53 s, and never says goodbye."),
        (NoticesLate, "The kitchen is asked to stop at 2.53 s, and says goodbye at [3.0] s."),
        (LooksOften, "sleeps between two values, and nobody can wake a sleeper"),
        (KnowsItsLength, "The cellar is asked to stop at 4.27 s, and says goodbye at [2.53] s."),
        (MainSaysGoodbye, "goodbye from another thread"),
        (ThirdSaysGoodbye, "goodbye from another thread"),
        (SaysItTwice, "says goodbye at [2.53, 2.53] s"),
        (DoesNotJoin, "The order of events is"),
        (JoinsForATenth, "says goodbye at [2.63] s"),
        (SharesAFlag, "made outside"),
        (OverwritesAFlag, "The cellar is asked to stop at 4.27 s, and says goodbye at [2.53] s."),
        (WaitsFirst, "not one at once and one every second"),
        (EndsByAnError, "RuntimeError"),
        (IsADaemon, "never says goodbye"),
        (Kills, "AttributeError"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_thermometers_are_refused(joining, capsys, answer, why):
    verdict = joining["check_thermometer"](joining[answer] if isinstance(answer, str) else answer)
    out = capsys.readouterr().out
    assert "Solved" not in out and why in out + getattr(verdict, "reason", "")


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("many-prediction", 3),
        ("loop-prediction", 6),
        ("timeout-prediction", ["piece 1", "alive", "piece 2", "piece 3"]),
        ("stop-prediction", 0),
        ("ask-prediction", 2.5),
        ("quick-1", 2),
        ("quick-2", "RuntimeError"),
        ("quick-3", 2),
    ],
)
def test_prediction_of_chapter_03_is_right(cell, answer):
    asked = prediction("03", cell)
    assert asked.run is None  # nothing has been run that could be looked at
    asked.answer(answer)
    assert asked.right, asked.said


# What the chapters set as goals can be reached


@pytest.mark.parametrize(
    ("chapter", "cell", "arguments"),
    [
        ("02", "panel", {"main": 0.7, "daemon": True}),
        ("03", "many-panel", {"first_join": "the slowest"}),
        ("03", "timeout-panel", {"film": 0.4, "patience": 0.4}),
    ],
)
def test_some_setting_of_the_panel_reaches_its_goal_and_the_first_does_not(chapter, cell, arguments):
    panel = prediction(chapter, cell)
    assert not panel.reached
    for seed in range(21):
        for name, value in {**arguments, "seed": seed}.items():
            panel.controls[name].value = value
        assert panel.run is not None
        if panel.reached:
            return
    pytest.fail("not in twenty orders")
