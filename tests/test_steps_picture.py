"""The picture of a run in which steps count: rows, columns, source lines, bars and locks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

import threadviz as tv
from threadviz.picture import figure, steps
from threadviz.picture.steps import BAR, HEAD, OWN, ROW, steps_timeline
from threadviz.picture.timeline import WIDTH
from threadviz.story.words import is_step

from .test_faults import Account, ann_and_bob, crossed, is_right, notified_too_early, oversold, two_payments


def many(workers=4):
    account, guard = Account(0), threading.Lock()

    def work():
        with guard:
            account.balance += 1
        account.balance += 1

    threads = [threading.Thread(target=work, name=name) for name in ("Ann", "Bob", "Cid", "Dora")[:workers]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return account.balance == 2 * workers


def pool():
    account = Account(0)

    def add():
        account.balance += 1

    with ThreadPoolExecutor(3) as executor:
        for _ in range(3):
            executor.submit(add)
    return account.balance == 3


def run_of(program):
    return tv.explore(program, expect=is_right, max_runs=60).counterexample


def laid_out(run):
    return steps_timeline(run.trace, run.title, run.source, True)


def rows(run):
    """The labels of each row, from the left; the first one is its number where it is a step."""
    timeline = laid_out(run)
    told: dict[float, list] = {}
    bottom = timeline.picture.height
    for label in timeline.picture.labels:
        if HEAD < label.y < bottom and label.text:
            told.setdefault(label.y, []).append(label)
    return [sorted(told[y], key=lambda label: label.box[0]) for y in sorted(told)]


PROGRAMS = [two_payments, crossed, oversold, notified_too_early, many, pool]


@pytest.mark.parametrize("program", PROGRAMS)
def test_steps_have_the_numbers_that_they_have_in_words(program):
    run = run_of(program)
    told = [event for event in run.trace.events if is_step(event)]
    numbers = [row[0].text for row in rows(run) if row[0].text.isdigit()]
    assert numbers == [str(number) for number in range(1, len(told) + 1)]
    assert f"{len(told):3}. " in run.describe() and f"{len(told) + 1:3}. " not in run.describe()


@pytest.mark.parametrize("program", PROGRAMS)
def test_source_line_stands_in_the_row_of_its_step(program):
    run = run_of(program)
    told = [event for event in run.trace.events if is_step(event)]
    shown = 0
    for event, row in zip(told, rows(run), strict=False):
        text = run.source.get(event.line, "")
        begin = text.strip()[:6]
        if begin and len(row) == 3:  # a number, the line, and what is done there
            assert begin in row[1].text or row[1].text.rstrip("…") in text
            shown += 1
    assert shown > len(told) * 0.6


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_overlaps_or_stands_outside(program):
    timeline = laid_out(run_of(program))
    for row in rows(run_of(program)):
        for one, other in zip(row, row[1:], strict=False):
            assert one.box[2] <= other.box[0] + 6, (one.text, other.text)
    for label in timeline.labels:
        left, _, right, bottom = label.box
        assert left >= -timeline.left - 3 and right <= WIDTH - timeline.left + 3, label
        assert bottom <= timeline.height, label


def test_thread_has_a_column_and_its_steps_stand_in_it():
    run = run_of(two_payments)
    picture = laid_out(run).picture
    column = picture.width / 3
    assert column >= OWN
    told = [event for event in run.trace.events if is_step(event)]
    for event, row in zip(told, rows(run), strict=True):
        assert all(event.lane * column <= label.box[0] + 2 < (event.lane + 1) * column for label in row[1:])
    marks = [mark for kind in picture.marks.values() for mark in kind]
    assert sorted((y, int(x // column)) for x, y in marks) == [
        (HEAD + ROW * (row + 0.5), event.lane) for row, event in enumerate(told)
    ]


def test_more_threads_stand_side_by_side_and_the_words_right_of_them_all():
    run = run_of(many)
    assert len(run.trace.lanes) == 5
    begins = {row[1].box[0] for row in rows(run)}
    assert len(begins) == 1  # in one column
    assert laid_out(run).height <= 900


def test_counterexample_of_25_steps_fits_a_screen():
    run = run_of(oversold)
    assert 15 <= len(rows(run)) <= 25
    assert laid_out(run).height <= 660  # of 800 pixels JupyterLab's own bars take about 100


def state_of_rows(run, lane):
    picture = laid_out(run).picture
    x = next(label.x for label in picture.labels if label.text == lane)
    found = {}
    for state, boxes in picture.boxes.items():
        for left, top, right, bottom in boxes:
            if x <= left and right <= x + BAR:
                found |= dict.fromkeys(range(round((top - HEAD) / ROW), round((bottom - HEAD) / ROW)), state)
    return [found.get(row) for row in range(max(found) + 1)]


def test_bar_says_who_makes_each_step_and_how_the_others_stand():
    run = run_of(crossed)
    # Main starts Ann and Bob and waits for her; Ann takes her first lock, Bob his; nobody can go on.
    assert state_of_rows(run, "MainThread") == ["running"] * 3 + ["thread"] * 5
    assert state_of_rows(run, "Ann") == ["ready"] * 3 + ["running"] + ["lock"] * 4
    assert state_of_rows(run, "Bob") == [None] + ["ready"] * 3 + ["running"] + ["lock"] * 3


def test_lock_is_held_from_the_step_that_takes_it_to_the_one_that_lets_it_go():
    run = run_of(oversold)
    told = [event for event in run.trace.events if is_step(event)]
    picture = laid_out(run).picture
    edges = sorted((top, bottom) for _, top, _, bottom in picture.held)
    takes = [HEAD + ROW * (row + 0.5) for row, event in enumerate(told) if event.kind == "acquire"]
    lets = [HEAD + ROW * (row + 0.5) for row, event in enumerate(told) if event.kind == "release"]
    assert [top for top, _ in edges] == takes and [bottom for _, bottom in edges] == lets


def test_who_waits_for_ever_says_so_in_a_row_of_its_own():
    texts = [[label.text for label in row] for row in rows(run_of(crossed))]
    assert [row[-1] for row in texts[-2:]] == ["waits for right, held by Bob", "waits for left, held by Ann"]
    assert not any(each.isdigit() for row in texts[-3:] for each in row)


@pytest.mark.parametrize("program", [two_payments, oversold])
def test_what_went_wrong_stands_under_the_rows_and_its_steps_are_marked(program):
    run = run_of(program)
    picture = laid_out(run).picture
    under = " ".join(label.text for label in picture.labels if label.y > picture.height)
    assert under.startswith(run.why)
    orange = [row[-1].text for row in rows(run) if row[-1].colour == steps.ORANGE]
    assert len(orange) == 3 and orange[0].startswith("reads") and orange[1].startswith("writes")


def test_every_bar_mark_and_lock_says_what_it_is():
    run = run_of(oversold)
    root = ElementTree.fromstring(run.svg())
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    told = [event for event in run.trace.events if is_step(event)]
    assert len([title for title in titles if title.split("\n")[1].partition(".")[0].isdigit()]) == len(told)
    assert any("reads left['tickets'] = 1" in title and "enough = left" in title for title in titles)
    assert "Ann\nholds guard" in titles and "Bob\nblocked on a lock" in titles


@pytest.mark.parametrize("program", PROGRAMS)
def test_paper_shows_the_same(program):
    run = run_of(program)
    axes = run.plot()
    shown = [text.get_text() for text in axes.texts]
    assert all(label.text in shown for row in rows(run) for label in row)
    assert run.png().startswith(b"\x89PNG")
    figure.saved(laid_out(run), "pdf")


def test_long_run_says_how_many_steps_are_left_out():
    def long():
        account = Account(0)

        def add():
            for _ in range(20):
                account.balance += 1

        ann_and_bob(add, add)
        return account.balance == 40

    found = tv.explore(long, expect=True, max_runs=40)
    assert len(rows(found.counterexample)) == 60
    assert "more steps are not shown" in found.counterexample.svg()
