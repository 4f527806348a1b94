"""Exercises of chapters 02 and 03: right answers pass; wrong, lazy and cheating answers do not."""

import threading
import time
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
