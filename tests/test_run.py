"""Run: what it tells, shows and saves; and what simulate refuses."""

import _thread
import base64
import concurrent.futures
import contextlib
import linecache
import queue
import signal
import sys
import textwrap
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import pytest

import threadviz as tv
from threadviz.patches import Patches

from . import programs
from .refused import refused

lock = threading.Lock()
orders = queue.Queue()
accounts = [{"lock": threading.RLock()}]


class Context(threading.local):
    pass


class Shop:
    till = threading.Lock()


class Clerk:
    def __init__(self):
        self.till = threading.Lock()

    def __call__(self):
        return self.till.locked()


waiting = deque([threading.Lock()])


def uses_lock():
    with lock:
        return 1


def test_words_tell_the_race():
    assert tv.simulate(programs.race).describe().splitlines()[2:] == [
        "ThreadPoolExecutor-0_0, ThreadPoolExecutor-0_1: sleeps 0.1 s (line 42)".replace(
            "42", str(programs.FakeDatabase.update.__code__.co_firstlineno + 4)
        ),
        "ThreadPoolExecutor-0_1 writes 1 over ThreadPoolExecutor-0_0's 1, which it had not seen: an update is lost",
        "in all: running 0 s, sleeping 0.2 s, blocked 0.1 s, duration 0.1 s (virtual seconds)",
    ]


def test_failing_run_shows_the_line_that_replays_it():
    run = tv.simulate(programs.two_locks, seed=3)
    line = run.describe().splitlines()[-1]
    assert line == f"to run this again: {run.replay}"
    again = eval(run.replay, {"tv": tv, "two_locks": programs.two_locks})
    assert (str(again.trace), again.outcome) == (str(run.trace), run.outcome)


def test_outcome_is_told_in_words():
    assert tv.simulate(lambda: "x").outcome == "'x'"
    assert tv.simulate(lambda: 1 / 0).outcome == "raises ZeroDivisionError: division by zero"
    assert tv.simulate(lambda: list(range(1000))).outcome.endswith("…")
    assert tv.simulate(lambda: object()).outcome == "<object object>"


def test_picture_and_words_are_shown_in_a_notebook():
    data, metadata = tv.simulate(programs.race)._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"]


@pytest.mark.parametrize(
    ("name", "magic"),
    [("run.png", b"\x89PNG"), ("run.svg", b"<svg"), ("run.pdf", b"%PDF"), ("run.json", b'{"traceEvents":')],
)
def test_run_is_saved_by_the_ending_of_the_name(tmp_path, name, magic):
    tv.simulate(programs.race).save(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_unknown_ending_is_refused(tmp_path):
    with refused(ValueError, "cannot save 'run.gif': the name must end in .png, .svg, .pdf or .json"):
        tv.simulate(programs.race).save(tmp_path / "run.gif")


def test_log_shows_a_line_each_with_time_and_thread():
    assert str(tv.simulate(programs.ticking_daemon).log).splitlines()[0] == "   0.300  ticker  tick"


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (uses_lock, "lock is a Lock made outside uses_lock(), where it would outlive the run; "
                    "create it inside uses_lock(), so that every run starts fresh"),
        (lambda: orders.get(), "orders is a Queue made outside"),
        (lambda: accounts, "accounts[0]['lock'] is an RLock made outside"),
        (lambda: Context(), "class Context is made from threading.local outside"),
        (lambda: Shop(), "Shop.till is a Lock made outside"),
        (Shop, "Shop.till is a Lock made outside"),
        (Clerk(), "Clerk.till is a Lock made outside"),
        (lambda: waiting, "waiting[0] is a Lock made outside"),
        (lambda held=lock: held, "a default of <lambda>() is a Lock made outside"),
    ],
)  # fmt: skip
def test_primitive_from_outside_is_refused_by_name(scenario, message):
    with pytest.raises(tv.MadeOutside) as caught:
        tv.simulate(scenario)
    assert str(caught.value).startswith(message)


def test_primitive_in_a_module_of_the_learners_is_refused():
    programs.forgotten = threading.Lock()
    try:
        with pytest.raises(tv.MadeOutside, match=r"programs\.forgotten is a Lock made outside"):
            tv.simulate(lambda: programs.forgotten.acquire())
    finally:
        del programs.forgotten


def test_global_lock_is_no_matter_to_a_scenario_that_has_an_attribute_of_that_name():
    source = """
class Account:
    def __init__(self):
        self.forgotten = threading.Lock()

def attribute():
    with Account().forgotten:
        return "fine"

def itself():
    return [lock.locked() for lock in [forgotten]]
"""
    names = {"threading": threading, "forgotten": threading.Lock(), "__name__": "__main__"}
    exec(source, names)
    assert tv.simulate(names["attribute"]).result() == "fine"
    with pytest.raises(tv.MadeOutside, match="forgotten is a Lock made outside itself"):
        tv.simulate(names["itself"])


def test_primitive_given_as_an_argument_is_refused():
    with pytest.raises(tv.MadeOutside, match="argument 1 is a Lock made outside"):
        tv.simulate(lambda given: given, threading.Lock())


def test_lock_of_a_finished_run_is_refused_like_any_other():
    old = tv.simulate(lambda: threading.Lock()).result()
    with pytest.raises(tv.MadeOutside, match="old is a Lock made outside"):
        tv.simulate(lambda: old.acquire())


def test_pool_from_outside_is_refused():
    with ThreadPoolExecutor(1) as pool, pytest.raises(tv.MadeOutside, match="pool is a ThreadPoolExecutor made"):
        tv.simulate(lambda: pool.submit(time.sleep, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tv.simulate(5), TypeError, "simulate needs a function to call, not int: "
                                            "write tv.simulate(race), without calling race yourself"),
        (lambda: tv.simulate(lambda seed: 1, 2), ValueError, "<lambda>() has a parameter 'seed', which is an option of "
                                                             "tv.simulate; give it another name"),
        (lambda: tv.simulate(programs.race, seed="x"), TypeError, "seed must be a whole number or None, not 'x'"),
        (lambda: tv.simulate(programs.race, 1, 2, 3, 4, 5), TypeError, "too many positional arguments"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_sentence(call, error, message):
    with refused(error, message):
        call()


def test_callable_that_does_not_tell_its_parameters_is_refused():
    with refused(TypeError, "record needs a function written in Python: dict does not tell its parameters"):
        tv.record(dict)


def test_title_tells_each_kind_of_argument_as_it_was_given():
    class Broken:
        def __repr__(self):
            raise ValueError

    def scenario(first, /, second, *rest, **named):
        second.append("changed")

    run = tv.simulate(scenario, 1, [], 3, 4, five=Broken())
    shown = "scenario(1, [], 3, 4, five=<Broken, whose repr raises ValueError>)"
    assert run.title == f"{shown}   simulated, 0 s"


def test_coroutine_is_refused():
    async def fetch():
        return 1

    with pytest.raises(TypeError, match=r"fetch\(\) is a generator or a coroutine"):
        tv.simulate(fetch)


class Made:
    """Keeps real primitives under names of its own, as an earlier cell may."""

    Lock = threading.Lock
    nap = time.sleep

    def __init__(self, make=threading.Lock):
        self.make = make

    @staticmethod
    def made_by_default(*, make=threading.RLock):
        return make()


class Slotted:
    __slots__ = ("make",)

    def __init__(self):
        self.make = threading.Lock


@dataclass
class Account:
    value: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shelf(list):
    """Not to be asked before a run what is in it."""

    def __init__(self):
        super().__init__([threading.Lock])
        self.make = threading.RLock

    def __iter__(self):
        raise AssertionError

    __len__ = __getitem__ = __iter__


class Savings(Account):
    pass


@contextmanager
def holding(make=threading.Lock):
    with make() as lock:
        time.sleep(0.01)
        yield lock


def closure():
    make = threading.Lock
    return lambda: make()


made_in_closure, made_by_partial = closure(), partial(threading.Lock)
nap = partial(time.sleep, 0.01)
kept, slotted = Made(), Slotted()
locks_by_name, in_shelf, in_deque = defaultdict(threading.Lock), Shelf(), deque([threading.Lock])
in_tuple, in_dict, in_list = (threading.RLock, (threading.Lock,)), {"make": threading.Lock}, [threading.Lock]
EARLY = {
    "dataclass": lambda: Account().lock,
    "its subclass": lambda: Savings().lock,
    "class attribute": lambda: Made().Lock(),
    "keyword default": lambda: Made.made_by_default(),
    "attribute": lambda: kept.make(),
    "slot": lambda: slotted.make(),
    "closure": lambda: made_in_closure(),
    "partial": lambda: made_by_partial(),
    "defaultdict": lambda: locks_by_name["one"],
    "tuple": lambda: in_tuple[0](),
    "tuple in a tuple": lambda: in_tuple[1][0](),
    "dict": lambda: in_dict["make"](),
    "list": lambda: in_list[0](),
    "list of a class of one's own": lambda: list.__getitem__(in_shelf, 0)(),
    "attribute of such a list": lambda: in_shelf.make(),
    "deque": lambda: in_deque[0](),
    "default": lambda make=threading.RLock: make(),
}


def kept_early():
    return (
        [cell.cell_contents for cell in (*made_in_closure.__closure__, *Account.__init__.__closure__)],
        [dict(vars(cls)) for cls in (Made, Slotted, Account)],
        (Made.__init__.__defaults__, dict(Made.made_by_default.__kwdefaults__), kept.make, slotted.make),
        (made_by_partial.__reduce__(), nap.__reduce__(), locks_by_name.default_factory),
        [each.default_factory for each in Account.__dataclass_fields__.values()],
        (
            in_tuple,
            dict(in_dict),
            list(in_list),
            list.copy(in_shelf),
            in_shelf.make,
            list(in_deque),
            [make.__defaults__ for make in EARLY.values()],
        ),
    )


def contend(make, sleep=time.sleep):
    lock = make()

    def work():
        with lock:
            sleep(0.05)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize("make", EARLY.values(), ids=EARLY)
def test_lock_whose_maker_was_kept_before_the_run_is_seen(verb, make):
    before = kept_early()
    try:
        run = verb(contend, make)
    finally:
        locks_by_name.clear()
    waits = [span for lane in run.trace.lanes for span in lane.spans if span.on == "lock"]
    assert (run.outcome, len(waits)) == ("None", 1)
    assert [len(lane.held) for lane in run.trace.lanes] == [0, 1, 1]
    assert sum(span.state == "sleeping" for lane in run.trace.lanes for span in lane.spans) == 2
    assert kept_early() == before


def test_real_sleep_kept_before_the_run_or_given_to_it_is_simulated():
    def naps(sleep):
        sleep(1)
        Made().nap(2)
        Made.nap(4)
        nap()
        with holding():
            return time.monotonic()

    assert tv.simulate(naps, time.sleep).result() == 7.02
    assert tv.simulate(partial(naps, sleep=time.sleep)).result() == 7.02


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, "deadlock"])
@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_what_was_kept_before_a_broken_run_is_put_back(verb, end):
    seen = []

    def broken():
        seen.append([make() for make in EARLY.values()])
        in_list.reverse()
        if end == "deadlock":
            lock = made_by_partial()
            lock.acquire()
            lock.acquire()
        if end is KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)
        raise end

    in_list.append(None)
    before = kept_early()
    try:
        with pytest.raises(KeyboardInterrupt) if end is KeyboardInterrupt else nullcontext():
            assert verb(broken).outcome in ("raises ValueError", "deadlock")
    finally:
        locks_by_name.clear()
        in_list.reverse()
        in_list.remove(None)
        before[-1][2].remove(None)
    assert len(seen) == 1 and not {_thread.LockType, type(threading.RLock())} & set(map(type, seen[0]))
    assert kept_early() == before


VERBS = pytest.mark.parametrize("verb", [tv.simulate, tv.record])


@VERBS
def test_everything_else_is_put_back_where_one_thing_cannot_be(verb):
    class Guarded(type):
        def __setattr__(cls, name, value):
            raise AttributeError("a class like this is not changed")

    class Stubborn(metaclass=Guarded):
        def __init__(self):
            self.value = 1

    def program():
        del Plain.__setattr__
        return Stubborn().value + Plain().value

    class Plain(Stubborn, metaclass=Guarded):
        pass

    before = time.sleep, threading.Lock, sys.stdout, signal.getsignal(signal.SIGALRM)
    with contextlib.suppress(AttributeError):
        verb(program)
    assert (time.sleep, threading.Lock, sys.stdout, signal.getsignal(signal.SIGALRM)) == before


@VERBS
def test_undo_goes_on_after_one_that_fails_and_tells_it(verb):
    def program():
        queue.Queue().__dict__.clear()
        kept.append(1)

    kept = []
    verb(program)
    assert kept == [1]
    patches, seen = Patches(), []
    patches.callback(lambda: seen.append("first"))
    patches.callback(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        patches.close()
    assert seen == ["first"]


@VERBS
def test_timer_of_the_process_goes_on_after_a_run(verb):
    handler = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 300, 600)
    try:
        verb(lambda: time.sleep(0.001))
        delay, interval = signal.getitimer(signal.ITIMER_REAL)
        assert 200 < delay <= 300
        assert interval == 600
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


@VERBS
def test_signal_is_refused_by_keyword_too(verb):
    run = verb(lambda: signal.signal(signalnum=signal.SIGALRM, handler=signal.SIG_IGN))
    assert "SIGALRM" in str(run.exception())


@VERBS
def test_exception_that_cannot_be_written_is_still_the_futures(verb):
    class Odd(Exception):
        def __str__(self):
            raise SystemExit("no words")

    def fails():
        raise Odd

    def program():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            future = executor.submit(fails)
            executor.submit(fails)
        return type(future.exception()).__name__

    run = verb(program)
    assert run.result() == "Odd"
    assert [type(error) for error in run.errors.values()] == [Odd]
    assert "<its str raises SystemExit>" in run.describe()


@VERBS
def test_future_that_nobody_asked_is_told_however_many_others_were_asked(verb):
    def program():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            for _ in range(20):
                executor.submit(int).result()
            executor.submit(int, "x")

    assert [type(error) for error in verb(program).errors.values()] == [ValueError]


@VERBS
def test_values_that_cannot_be_written_do_no_harm(verb):
    class Money(float):
        def __repr__(self):
            raise RuntimeError("not for you")

    class Account:
        def __init__(self):
            self.amount = Money(3)
            self.digits = 10**5000
            self.name = "x" * 1000

    def program():
        account = Account()
        return account.amount + 0, account.digits > 0, len(account.name)

    run = verb(program)
    assert run.result() == (3.0, True, 1000)
    assert [event.value for event in run.trace.events if event.kind == "write"] == ["3.0", "", "'xxxxxxxxxxxxxxxxxx…"]


def test_svg_of_the_same_run_is_the_same_file(tmp_path):
    run = tv.simulate(programs.race)
    for name in ("one.svg", "two.svg"):
        run.save(tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_line_to_run_it_again_does_not_pass_cut_arguments_for_python():
    def program(items):
        threading.Thread(target=items.append, args=(1,)).start()
        threading.Event().wait()

    assert tv.simulate(program, [1, 2]).replay == "tv.simulate(program, items=[1, 2], schedule='1')"
    assert tv.simulate(program, list(range(100))).replay == "tv.simulate(program, <the same arguments>, schedule='1')"


def test_line_of_one_cell_is_not_taken_for_the_same_line_of_another():
    helper = """
        import threading
        def started(job):
            thread = threading.Thread(target=job)
            thread.start()
            return thread
    """
    scenario = """
        def scenario():
            found = []
            thread = started(lambda: found.append(1))
            thread.join()
            return len(found)
    """
    names = {}
    for cell, source in enumerate((helper, scenario), 1):
        source, name = textwrap.dedent(source).lstrip(), f"<cell {cell}>"
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
        exec(compile(source, name, "exec"), names)
    run = tv.explore(names["scenario"]).example(1)
    told = {event.what: (str(event.line), run.source[event.line]) for event in run.trace.events if event.line}
    assert told["Thread.join"] == ("4", "thread.join()")
    assert told["Thread-1 (<lambda>)"] == ("4", "thread.start()")
    assert told["found"] == ("5", "return len(found)")


def test_method_that_changes_a_list_stands_beside_its_mark_as_a_call():
    def scenario():
        found = []
        threads = [threading.Thread(target=found_later, args=(found,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(found)

    def found_later(found):
        time.sleep(1)
        found.append("a page")

    assert "calls found.append()" in tv.simulate(scenario).svg()
