"""Exercises on pools: the chapter's solution passes; wrong, lazy and cheating answers do not, and are told why."""

import concurrent.futures
import contextlib
import math
import threading
import time

import pytest

import threadviz as tv

from .test_exercises_explored import names_of


@pytest.fixture(scope="module")
def pools():
    return names_of("04")


@pytest.fixture(scope="module")
def futures_and_errors():
    return names_of("05")


def refusal(check, answer, capsys):
    """The sentence that says what is wrong, without what comes before it; a run or a verdict is there to be seen."""
    seen = check(answer)
    out = capsys.readouterr().out
    assert "Solved" not in out
    if isinstance(seen, tv.Run):
        *right, wrong, last = out.splitlines()
        assert last == "Not yet. This is the run:" and all(line.endswith(": right.") for line in right)
        return wrong
    assert not seen.passed
    return seen.reason


# 04: the smallest pool that meets a deadline


def in_a_pool(workers, download, pages):
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        return list(executor.map(download, [name for name, _ in pages]))


def one_worker(download, pages, deadline):
    return in_a_pool(1, download, pages)


def always_three(download, pages, deadline):
    return in_a_pool(3, download, pages)


def no_workers(download, pages, deadline):
    return in_a_pool(0, download, pages)


def sum_by_deadline(download, pages, deadline):
    return in_a_pool(math.ceil(sum(seconds for _, seconds in pages) / deadline), download, pages)


def as_if_all_were_as_long_as_the_longest(download, pages, deadline):
    rounds = deadline // max(seconds for _, seconds in pages)
    return in_a_pool(math.ceil(len(pages) / rounds), download, pages)


def main_downloads(download, pages, deadline):
    return [download(name) for name, _ in pages]


def threads_by_hand(download, pages, deadline):
    texts = {}

    def work(names):
        for name in names:
            texts[name] = download(name)

    names = [name for name, _ in pages]
    threads = [threading.Thread(target=work, args=(names[n::3],), name=f"thread {n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [texts[name] for name in names]


def invented(download, pages, deadline):
    return [f"text of {name}" for name, _ in pages]


def invented_in_a_pool(download, pages, deadline):
    return in_a_pool(2, "text of {}".format, pages)


def downloaded_twice(download, pages, deadline):
    in_a_pool(3, download, pages)
    return in_a_pool(3, download, pages)


def returned_before_it_is_there(download, pages, deadline):
    executor = concurrent.futures.ThreadPoolExecutor(1)
    for name, _ in pages:
        executor.submit(download, name)
    executor.shutdown(wait=False)
    return [f"text of {name}" for name, _ in pages]


def in_the_order_in_which_they_come(download, pages, deadline):
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        futures = [executor.submit(download, name) for name, _ in pages]
        return [future.result() for future in concurrent.futures.as_completed(futures)]


def nothing(download, pages, deadline):
    in_a_pool(3, download, pages)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (one_worker, "It takes 12 s, 8 s too long"),
        (always_three, "It is in time, with 3 workers. 2 would be enough"),
        (no_workers, "raises ValueError: max_workers must be greater than 0"),
        (sum_by_deadline, "It takes 5 s, 1 s too long"),
        (as_if_all_were_as_long_as_the_longest, "It is in time, with 4 workers. 3 would be enough"),
        (main_downloads, "MainThread downloads a page itself"),
        (threads_by_hand, "thread 0 downloads a page itself, and is not a worker of a pool"),
        (invented, "The downloads last 0 s in all, and should last 12 s"),
        (invented_in_a_pool, "The downloads last 0 s in all"),
        (downloaded_twice, "The downloads last 24 s in all"),
        (returned_before_it_is_there, "It takes 12 s, 8 s too long"),
        (in_the_order_in_which_they_come, "and ['text of page 1', 'text of page 2'"),
        (nothing, "It returns None"),
    ],
)
def test_edition_that_is_late_or_costs_too_much_is_refused(pools, capsys, answer, said):
    assert said in refusal(pools["check_edition"], answer, capsys)


def test_attempt_at_an_edition_has_too_many_workers(pools, capsys):
    said = refusal(pools["check_edition"], pools["print_edition"], capsys)
    assert said.endswith("It is in time, with 6 workers. 3 would be enough.")


def test_edition_of_the_solution_is_proved(pools, capsys):
    assert pools["check_edition"](pools["solution_print_edition"]).passed
    assert capsys.readouterr().out.endswith("Solved. Each edition is in time, and no smaller pool could do it.\n")


def longest_first(download, pages, deadline):
    """Another order may need fewer workers still."""
    sorted_pages = sorted(pages, key=lambda page: -page[1])
    workers = 1
    while True:
        free_at = [0] * workers
        for _, seconds in sorted_pages:
            free_at[free_at.index(min(free_at))] += seconds
        if max(free_at) <= deadline:
            break
        workers += 1
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        futures = {name: executor.submit(download, name) for name, _ in sorted_pages}
    return [futures[name].result() for name, _ in pages]


def test_edition_that_needs_fewer_workers_in_another_order_passes(pools, capsys):
    assert pools["check_edition"](longest_first).passed
    capsys.readouterr()


# 05, exercise 1: every error


def asks_until_the_first_error(shrink, photos):
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    return {photo: future.result() for photo, future in futures.items()}, {}


def stops_at_the_first_error(shrink, photos):
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    for photo, future in futures.items():
        try:
            results[photo] = future.result()
        except Exception as error:
            errors[photo] = error
            break
    return results, errors


def goes_through_map(shrink, photos):
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        sizes = executor.map(shrink, photos)
        for photo in photos:
            try:
                results[photo] = next(sizes)
            except StopIteration:
                break
            except Exception as error:
                errors[photo] = error
    return results, errors


def knows_one_kind_of_error(shrink, photos):
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    for photo, future in futures.items():
        try:
            results[photo] = future.result()
        except OSError as error:
            errors[photo] = error
    return results, errors


def keeps_words(shrink, photos):
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    for photo, future in futures.items():
        try:
            results[photo] = future.result()
        except Exception as error:
            errors[photo] = str(error)
    return results, errors


def swallows_errors(shrink, photos):
    results = {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    for photo, future in futures.items():
        with contextlib.suppress(Exception):
            results[photo] = future.result()
    return results, {}


def nobody_at_the_same_time(shrink, photos):
    results, errors = {}, {}
    for photo in photos:
        with concurrent.futures.ThreadPoolExecutor(4) as executor:
            future = executor.submit(shrink, photo)
        if future.exception():
            errors[photo] = future.exception()
        else:
            results[photo] = future.result()
    return results, errors


def without_a_pool(shrink, photos):
    results, errors = {}, {}
    for photo in photos:
        try:
            results[photo] = shrink(photo)
        except Exception as error:
            errors[photo] = error
    return results, errors


def asks_the_photo_again(shrink, photos):
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    for photo, future in futures.items():
        if future.exception() is None:
            results[photo] = future.result()
        else:
            try:
                shrink(photo)
            except Exception as error:
                errors[photo] = error
    return results, errors


def shrinks_twice(shrink, photos):
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        for photo in photos:
            executor.submit(shrink, photo).add_done_callback(lambda future: future.exception())
        futures = {photo: executor.submit(shrink, photo) for photo in photos}
    errors = {photo: future.exception() for photo, future in futures.items() if future.exception()}
    return {photo: future.result() for photo, future in futures.items() if photo not in errors}, errors


def takes_them_as_they_come(shrink, photos):
    """But for the photos in their own order."""
    results, errors = {}, {}
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(shrink, photo) for photo in photos]
        for photo, future in zip(photos, concurrent.futures.as_completed(futures), strict=True):
            if future.exception() is None:
                results[photo] = future.result()
            else:
                errors[photo] = future.exception()
    return results, errors


def measures_the_names(shrink, photos):
    return {photo: len(photo) for photo in photos}, {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (asks_until_the_first_error, "publish itself raises ZeroDivisionError: town is broken"),
        (stops_at_the_first_error, "The results are {'sea': 3, 'forest': 6}"),
        (goes_through_map, "The results are {'sea': 3, 'forest': 6}"),
        (knows_one_kind_of_error, "publish itself raises ZeroDivisionError"),
        (keeps_words, "The errors are {'town': 'str: town is broken'}"),
        (swallows_errors, "The errors are {}"),
        (nobody_at_the_same_time, "It takes 4 s"),
        (without_a_pool, "MainThread shrinks a photo, and is not a worker of a pool"),
        (asks_the_photo_again, "MainThread shrinks a photo"),
        (shrinks_twice, "8 photos are shrunk, and should be 4"),
        (takes_them_as_they_come, ""),
        (measures_the_names, "0 photos are shrunk"),
    ],
)
def test_answer_that_loses_an_error_is_refused(futures_and_errors, capsys, answer, said):
    assert said in refusal(futures_and_errors["check_publish"], answer, capsys)


def test_attempt_to_publish_loses_everything(futures_and_errors, capsys):
    said = refusal(futures_and_errors["check_publish"], futures_and_errors["publish"], capsys)
    assert "The results are {}, and {'sea': 3" in said


def test_solution_of_publish_is_proved(futures_and_errors, capsys):
    assert futures_and_errors["check_publish"](futures_and_errors["solution_publish"]).passed
    assert "Solved. Nothing gets lost" in capsys.readouterr().out


def errors_are_noted_by_the_workers(shrink, photos):
    results, errors = {}, {}

    def carefully(photo):
        try:
            results[photo] = shrink(photo)
        except Exception as error:
            errors[photo] = error

    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        list(executor.map(carefully, photos))
    return results, errors


def test_other_ways_to_keep_every_error_pass(futures_and_errors, capsys):
    assert futures_and_errors["check_publish"](errors_are_noted_by_the_workers).passed
    capsys.readouterr()


# 05, exercise 2: the first good answer


def waits_for_the_slowest(ask, servers):
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        futures = [executor.submit(ask, server) for server in servers]
        for future in concurrent.futures.as_completed(futures):
            if future.exception() is None:
                return future.result()
    return None


def takes_the_first_of_all(ask, servers):
    executor = concurrent.futures.ThreadPoolExecutor(8)
    futures = [executor.submit(ask, server) for server in servers]
    first = next(concurrent.futures.as_completed(futures))
    executor.shutdown(wait=False)
    return first.result()


def gives_up_at_the_first_error(ask, servers):
    executor = concurrent.futures.ThreadPoolExecutor(8)
    futures = [executor.submit(ask, server) for server in servers]
    first = next(concurrent.futures.as_completed(futures))
    executor.shutdown(wait=False)
    return first.result() if first.exception() is None else None


def one_after_the_other(ask, servers):
    for server in servers:
        try:
            return ask(server)
        except OSError:
            pass
    return None


def knows_the_best_server(ask, servers):
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        return executor.submit(ask, "Oslo").result()


def looks_again_and_again(ask, servers):
    executor = concurrent.futures.ThreadPoolExecutor(8)
    futures = [executor.submit(ask, server) for server in servers]
    executor.shutdown(wait=False)
    while True:
        done = [future for future in futures if future.done()]
        for future in done:
            if future.exception() is None:
                return future.result()
        if len(done) == len(futures):
            return None
        time.sleep(0.1)


def reads_the_answer_without_asking(ask, servers):
    """Looks into what `ask` knows."""
    known = next(cell.cell_contents for cell in ask.__closure__)
    good = sorted((seconds, server) for server, (seconds, works) in known.items() if works)
    if not good:
        time.sleep(max(seconds for seconds, _ in known.values()))
        return None
    time.sleep(good[0][0])
    return f"file from {good[0][1]}"


def raises_where_all_fail(ask, servers):
    executor = concurrent.futures.ThreadPoolExecutor(8)
    futures = [executor.submit(ask, server) for server in servers]
    executor.shutdown(wait=False)
    for future in concurrent.futures.as_completed(futures):
        if future.exception() is None:
            return future.result()
    return future.result()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (waits_for_the_slowest, "'file from Oslo' is there after 1.2 s, and it is returned after 3.1 s"),
        (takes_the_first_of_all, "quickest itself raises OSError: no answer from Oslo"),
        (gives_up_at_the_first_error, "It returns None, and 'file from Lima' is right"),
        (one_after_the_other, "It returns 'file from Rome', and 'file from Oslo' is right"),
        (knows_the_best_server, "Each server should be asked once"),
        (looks_again_and_again, "MainThread sleeps"),
        (reads_the_answer_without_asking, "MainThread sleeps"),
        (raises_where_all_fail, "quickest itself raises OSError: no answer from Rome"),
    ],
)
def test_answer_that_is_late_or_no_answer_is_refused(futures_and_errors, capsys, answer, said):
    assert said in refusal(futures_and_errors["check_quickest"], answer, capsys)


def test_attempt_at_the_quickest_waits_for_the_first_in_the_list(futures_and_errors, capsys):
    said = refusal(futures_and_errors["check_quickest"], futures_and_errors["quickest"], capsys)
    assert said.endswith("It returns 'file from Rome', and 'file from Oslo' is right.")


def test_solution_of_the_quickest_passes(futures_and_errors, capsys):
    assert futures_and_errors["check_quickest"](futures_and_errors["solution_quickest"]).passed
    assert "Solved. The first good answer" in capsys.readouterr().out


def waits_for_the_first_completed(ask, servers):
    executor = concurrent.futures.ThreadPoolExecutor(max_workers=len(servers))
    waiting = {executor.submit(ask, server) for server in servers}
    executor.shutdown(wait=False)
    while waiting:
        done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            if future.exception() is None:
                return future.result()
    return None


def test_other_ways_to_the_first_good_answer_pass(futures_and_errors, capsys):
    assert futures_and_errors["check_quickest"](waits_for_the_first_completed).passed
    capsys.readouterr()
