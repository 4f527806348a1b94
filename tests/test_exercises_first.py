"""Exercises of the first two chapters: their solutions pass; wrong, lazy and cheating answers do not."""

import ast
import json
import threading
import time
from pathlib import Path

import pytest

import threadviz as tv

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
DEFINED = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom


def names_of(chapter, *whole):
    """What the cells of a chapter define; of the cells whose ids are given, everything is run."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    names = {"__name__": "chapter"}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and not source.startswith("%%"):
            lines = ["" if line.startswith("%") else line for line in source.splitlines()]
            tree = ast.parse("\n".join(lines))
            tree.body = [node for node in tree.body if cell["id"] in whole or isinstance(node, DEFINED)]
            exec(compile(tree, f"<{chapter}/{cell['id']}>", "exec"), names)
    return names


def answers_of(chapter, cell_id):
    """The plain values that a cell gives names to."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    (cell,) = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["id"] == cell_id]
    tree = ast.parse("".join(cell["source"]))
    tree.body = [node for node in tree.body if isinstance(node, ast.Assign)]
    names = {}
    exec(compile(tree, cell_id, "exec"), names)
    return names


# 00: ready in three and a half seconds


@pytest.fixture(scope="module")
def check_sleep():
    return names_of("00")["check_sleep"]


def test_sleep_of_the_solution_is_right(check_sleep, capsys):
    assert check_sleep(answers_of("00", "exercise-solution")["solution_sleep"]).passed
    assert capsys.readouterr().out.startswith("Solved.")


@pytest.mark.parametrize(
    ("sleep", "said"),
    [
        (answers_of("00", "exercise-attempt")["my_sleep"], "after 2.0 s, which is too soon; MainThread ends last"),
        (2.5, "after 5.0 s, which is too late; game ends last"),  # right for the film alone
        (3.5, "after 7.0 s, which is too late; game ends last"),
        (0, "after 2.0 s, which is too soon"),
        (1.7501, "after 3.5002 s, which is too late"),
    ],
)
def test_sleep_that_is_too_short_or_too_long_is_refused(check_sleep, capsys, sleep, said):
    verdict = check_sleep(sleep)
    out = capsys.readouterr().out
    assert not verdict.passed and "it should be ready after 3.5 s" in verdict.reason
    assert out.startswith("Not yet.") and said in out


class AlwaysRight(float):
    """Says that it is whatever it is compared with."""

    __hash__ = None

    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "sleep", ["1.75", None, -1, True, float("nan"), float("inf"), AlwaysRight(), [1.75], lambda: 1.75]
)
def test_sleep_that_is_no_number_of_seconds_is_refused_in_a_sentence(check_sleep, capsys, sleep):
    assert check_sleep(sleep) is None
    assert capsys.readouterr().out.startswith("Not yet. my_sleep should be a number of seconds")


def test_sleep_is_tried_in_an_order_of_the_check_s_own():
    names = names_of("00")
    names["order"] = names["film"] = names["game"] = lambda *_: time.sleep(3.5)
    assert not names["check_sleep"](0.5).passed


# 01: all pages in the time of one


@pytest.fixture(autouse=True)
def main_keeps_its_name(monkeypatch):
    thread = threading.current_thread()
    monkeypatch.setattr(thread, "name", thread.name)  # one of the answers changes it


@pytest.fixture(scope="module")
def pages():
    names = names_of("01", "web-server", "web-program")
    yield names
    names["server"].shutdown()
    names["server"].server_close()


def test_fetch_all_of_the_solution_is_right_and_fetches_real_pages(pages, capsys):
    before = len(pages["ASKED"])
    run = pages["check_fetch_all"](pages["solution_fetch_all"])
    assert capsys.readouterr().out.startswith("Solved.")
    assert run.clock == "real" and {lane.name for lane in run.trace.lanes} == {"MainThread", "cinema", "news", "sports"}
    assert sorted(pages["ASKED"][before:]) == ["cinema", "news", "sports"]


def test_fetch_all_may_wait_for_its_threads(pages, capsys):
    def fetch_all(pages, download):
        threads = [threading.Thread(target=download, args=(page,), name=page) for page in pages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    pages["check_fetch_all"](fetch_all)
    assert capsys.readouterr().out.startswith("Solved.")


def calls_on_the_spot(pages, download):
    for page in pages:
        threading.Thread(target=download(page), name=page).start()


def runs_and_never_starts(pages, download):
    for page in pages:
        threading.Thread(target=download, args=(page,), name=page).run()


def forgets_the_names(pages, download):
    for page in pages:
        threading.Thread(target=download, args=(page,)).start()


def forgets_the_comma(pages, download):
    for page in pages:
        threading.Thread(target=download, args=(page), name=page).start()


def waits_for_each(pages, download):
    for page in pages:
        thread = threading.Thread(target=download, args=(page,), name=page)
        thread.start()
        thread.join()


def starts_no_thread(pages, download):
    for page in pages:
        print(f"{page} is here")
    time.sleep(1)


def fetches_each_twice(pages, download):
    for page in [*pages, *pages]:
        threading.Thread(target=download, args=(page,), name=page).start()


def fetches_all_in_one_thread(pages, download):
    threading.Thread(target=lambda: [download(page) for page in pages], name=pages[0]).start()


def leaves_one_to_the_main_thread(pages, download):
    for page in pages[1:]:
        threading.Thread(target=download, args=(page,), name=page).start()
    threading.current_thread().name = pages[0]
    download(pages[0])


def fetches_the_last_page_only(pages, download):
    for page in pages:
        threading.Thread(target=lambda: download(page), name=page).start()  # noqa: B023


def knows_the_first_pages_by_heart(pages, download):
    for page in ("news", "weather"):
        threading.Thread(target=download, args=(page,), name=page).start()


def makes_daemons(pages, download):
    for page in pages:
        threading.Thread(target=download, args=(page,), name=page, daemon=True).start()


def starts_nothing(pages, download):
    for page in pages:
        threading.Thread(target=download, args=(page,), name=page)


def makes_lanes_that_only_print(pages, download):
    for page in pages:
        threading.Thread(target=print, args=(f"{page} is here",), name=page).start()


MAIN = "the main thread should download nothing itself"
EACH = "each page should be downloaded, and none twice"
NAMED = "each page should be downloaded in a thread with its name"
TOGETHER = "each thread should sleep for one download, all of them at the same time"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (calls_on_the_spot, MAIN),
        (runs_and_never_starts, MAIN),
        (forgets_the_names, NAMED),
        (forgets_the_comma, "TypeError"),
        (waits_for_each, TOGETHER),
        (starts_no_thread, MAIN),
        (fetches_each_twice, EACH),
        (fetches_all_in_one_thread, NAMED),
        (leaves_one_to_the_main_thread, MAIN),
        (fetches_the_last_page_only, EACH),
        (knows_the_first_pages_by_heart, EACH),
        (makes_daemons, EACH),
        (starts_nothing, EACH),
        (makes_lanes_that_only_print, TOGETHER),
        (None, "TypeError"),
        (lambda: None, "TypeError"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_fetch_all_that_is_wrong_lazy_or_cheats_is_refused(pages, capsys, answer, said):
    verdict = pages["check_fetch_all"](answer)
    assert capsys.readouterr().out.startswith("Not yet. Simulated downloads of a second each show what is wrong:")
    assert not verdict.passed and said in verdict.reason


def test_fetch_all_that_only_looks_like_downloading_is_refused_by_the_real_server(pages, capsys):
    def fetch_all(pages, download):
        def pretend(page):
            time.sleep(1)
            print(f"{page} is here")

        for page in pages:
            threading.Thread(target=pretend, args=(page,), name=page).start()

    pages["check_fetch_all"](fetch_all)
    out = capsys.readouterr().out
    asked = "Not yet. The server should have been asked for ['cinema', 'news', 'sports'], and was asked for []"
    assert out.startswith(asked)


def test_fetch_all_that_fails_on_real_pages_is_refused_in_a_sentence(pages, capsys):
    def fetch_all(pages, download):
        def fetch(page):
            if page == "sports":
                raise LookupError("no sports")
            download(page)

        for page in pages:
            threading.Thread(target=fetch, args=(page,), name=page).start()

    pages["check_fetch_all"](fetch_all)
    assert capsys.readouterr().out.startswith("Not yet. With real pages, a thread ends with LookupError: no sports.")


def test_attempt_that_the_chapter_begins_with_is_refused(pages, capsys):
    assert not pages["check_fetch_all"](pages["fetch_all"]).passed
    assert capsys.readouterr().out.startswith("Not yet.")


# 01: the panel of wrong starts


@pytest.mark.parametrize(
    ("slip", "error"),
    [("start_twice", RuntimeError), ("no_comma", TypeError), ("with_parentheses", None), ("no_super", RuntimeError)],
)
def test_of_the_wrong_starts_one_raises_nothing(pages, slip, error):
    run = tv.simulate(pages["wrong_start"], slip=pages[slip])
    raised = [run.exception(), *run.errors.values()]
    assert [type(each) for each in raised if each is not None] == ([error] if error else [])
    assert (set(run.facts.slept) == {"MainThread"}) == (slip == "with_parentheses")
