"""The programs of the chapters, recorded and simulated: both runs tell the same story."""

import ast
import concurrent.futures
import json
import os
import re
import threading
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

import pytest

import threadviz as tv

from . import programs
from .hurry import hurry

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
FASTER = 20  # times: how recorded seconds go by
PACES = (FASTER, FASTER, 10, 5, 1)  # one after another: on a busy machine a recorded run may miss its moment


class Chapter:
    """A notebook's own definitions, and its `%%simulate` cells as scenarios."""

    def __init__(self, number):
        (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self.sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]

    def scenario(self, name, **arguments):
        """The function `name`, in a namespace with every import and definition of the chapter."""
        names = {"__name__": "chapter"}
        for source in self.sources:
            exec(compile(definitions(source), "<chapter>", "exec"), names)
        return partial(names[name], **arguments) if arguments else names[name]

    def cell(self, number):
        """The `%%simulate` cell with this number, from 0."""
        cells = [source for source in self.sources if source.startswith("%%simulate")]
        names = {"__name__": "__main__"}
        for source in self.sources:
            exec(compile(definitions(source), "<chapter>", "exec"), names)
        code = compile("\n" + cells[number].partition("\n")[2], "<chapter's cell>", "exec")

        def cell():
            exec(code, dict(names))

        return cell


def definitions(source):
    """Imports, functions, classes and constants of a cell, without what it does."""
    if source.startswith("%%"):
        source = source.partition("\n")[2]
    lines = ["" if line.startswith("%") else line for line in source.splitlines()]
    kept = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse("\n".join(lines))
    body = [node for node in tree.body if isinstance(node, kept) or is_import(node) or is_constant(node)]
    return ast.unparse(ast.Module(body, []))


def is_import(node):
    """Of a module that is not a script beside the notebook."""
    names = [alias.name for alias in getattr(node, "names", ())]
    return isinstance(node, ast.Import | ast.ImportFrom) and not any((NOTEBOOKS / f"{n}.py").exists() for n in names)


def is_constant(node):
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()


START, STARTING, DAEMONS, JOINING, POOLS, FUTURES, RACES, LOCKS, HANDING, QUEUES = map(
    Chapter, ("00", "01", "02", "03", "04", "05", "06", "08", "10", "11")
)
# name -> (scenario, whether the program determines the order of its hand-overs)
SCENARIOS = {
    "00 cell": (START.cell(0), True),
    "00 shop": (START.scenario("shop"), True),
    "00 first_example": (START.scenario("first_example"), True),
    "00 order": (START.scenario("order", sleep=1.5), True),
    "01 one_download": (STARTING.scenario("one_download"), True),
    "01 three_files": (STARTING.scenario("three_files"), True),
    "01 names": (STARTING.cell(0), True),
    "01 files": (STARTING.scenario("files"), True),
    "01 files, run": (STARTING.scenario("files", call="run"), True),
    "01 ask_for_the_size": (STARTING.scenario("ask_for_the_size"), True),
    "01 start_twice": (STARTING.scenario("start_twice"), True),
    "01 no_comma": (STARTING.scenario("no_comma"), True),
    "01 with_parentheses": (STARTING.scenario("with_parentheses"), True),
    "01 no_super": (STARTING.scenario("no_super"), True),
    "02 cell": (DAEMONS.cell(0), True),
    "02 backup": (DAEMONS.scenario("backup"), True),
    "02 backup, abandoned": (DAEMONS.scenario("backup", daemon=True), True),
    "02 export": (DAEMONS.scenario("export", path=os.devnull), True),
    "02 too_late": (DAEMONS.scenario("too_late"), True),
    "02 send_by_office": (DAEMONS.scenario("send_by_office"), True),
    "02 crash": (DAEMONS.scenario("crash"), True),
    "02 two_helpers": (DAEMONS.scenario("two_helpers"), True),
    "03 cell": (JOINING.cell(0), True),
    "03 invoice": (JOINING.scenario("invoice"), True),
    "03 downloads": (JOINING.scenario("downloads", first_join="the slowest"), True),
    "03 tidy_downloads": (JOINING.scenario("tidy_downloads"), True),
    "03 give_up": (JOINING.scenario("give_up"), True),
    "03 impatient": (JOINING.scenario("impatient"), True),
    "03 guard": (JOINING.scenario("evening"), True),
    "03 radio_day": (JOINING.scenario("radio_day"), True),
    "03 myself": (JOINING.scenario("myself"), True),
    "04 three_calls": (POOLS.scenario("three_calls"), True),
    "04 gallery": (POOLS.scenario("gallery", tasks=2), True),
    "04 errands": (POOLS.scenario("errands", pause=2.0), True),
    "04 office": (POOLS.scenario("office"), True),
    "04 hasty_office": (POOLS.scenario("hasty_office"), True),
    "04 shelf": (POOLS.scenario("shelf"), True),
    "04 full_disk": (POOLS.scenario("full_disk"), False),
    "05 shop": (FUTURES.scenario("shop"), True),
    "05 office": (FUTURES.scenario("office"), True),
    "05 gallery": (FUTURES.scenario("gallery"), False),
    "05 gallery, asked": (FUTURES.scenario("gallery", ask=True), False),
    "05 album": (FUTURES.scenario("album"), False),
    "05 change_of_mind": (FUTURES.scenario("change_of_mind"), True),
    "05 ask_server": (FUTURES.scenario("ask_server", timeout=0.5, seconds=2.0), True),
    "05 report": (FUTURES.scenario("report"), True),
    "06 race": (RACES.scenario("race"), True),
    "06 race, three workers": (RACES.scenario("race", workers=3, updates=3), True),
    "06 two_readers": (RACES.scenario("two_readers"), True),
    "06 handed_over": (RACES.scenario("handed_over"), True),
    "08 two_updates": (LOCKS.scenario("two_updates"), True),
    "08 make_index": (LOCKS.scenario("make_index", section=0.5), False),
    "08 payments": (LOCKS.scenario("payments"), False),
    "08 two_updates, locked": (LOCKS.scenario("two_updates", locked=True), False),
    "08 payments, safe": (LOCKS.scenario("payments", safe=True), False),
    "08 silent_pool": (LOCKS.scenario("silent_pool"), True),
    "10 bare_station": (HANDING.scenario("bare_station"), True),
    "10 station": (HANDING.scenario("station"), True),
    "10 owned_station": (HANDING.scenario("owned_station"), True),
    "10 three_bursts": (HANDING.scenario("three_bursts"), True),
    "11 kitchen": (QUEUES.scenario("kitchen"), True),
    "11 closing_time": (QUEUES.scenario("closing_time", sentinels=2), False),
    "11 closing_time, too few sentinels": (QUEUES.scenario("closing_time", sentinels=1), False),
    "11 evening": (QUEUES.scenario("evening"), False),
    "programs.no_race": (programs.no_race, True),
    "programs.two_locks": (programs.two_locks, True),
    "programs.pipeline": (programs.pipeline, True),
    "programs.ticking_daemon": (programs.ticking_daemon, True),
    "programs.barrier": (programs.barrier, False),
    "programs.joined_queue": (programs.joined_queue, False),
    "programs.futures": (programs.futures, False),
    "programs.reentrant": (programs.reentrant, False),
}


def started(run):
    """Who started whom, in this order."""
    name = [lane.name for lane in run.trace.lanes]
    return [(name[event.lane], event.what) for event in run.trace.events if event.kind == "start"]


def hand_overs(run):
    """For each named lock who let it go and who got it then; for each queue who put what somebody got."""
    name = [lane.name for lane in run.trace.lanes]
    told = defaultdict(list)
    for event in run.trace.events:
        if event.kind == "get" or (event.kind == "acquire" and event.cause is not None):
            giver = name[run.trace.events[event.cause].lane] if event.cause is not None else None
            told[event.what].append((giver, name[event.lane]))
    return dict(told)


def taken(run):
    """How often each lock was taken and let go, and each queue put into and got from."""
    kinds = ("acquire", "release", "put", "get")
    return Counter((event.kind, event.what) for event in run.trace.events if event.kind in kinds)


def disagreements(recorded, simulated, ordered, faster):
    told = {
        "outcome": lambda run: run.outcome,
        "lanes": lambda run: sorted((lane.name if ordered else "", lane.ending) for lane in run.trace.lanes),
        "starts": started,
        "taken": taken,
        "errors": lambda run: sorted(f"{name if ordered else ''} {error!r}" for name, error in run.errors.items()),
        "log": lambda run: sorted(re.sub(r"^\d\d:\d\d:\d\d: ", "", line.text) for line in run.log),
    }
    if ordered:
        told["hand-overs"] = hand_overs
    found = {key: (tell(recorded), tell(simulated)) for key, tell in told.items()}
    wrong = {key: pair for key, pair in found.items() if pair[0] != pair[1]}
    least = simulated.duration / faster
    if not least * 0.999 <= recorded.duration <= 1.5 * least + 0.3 + (0.5 if simulated.deadlock else 0):
        wrong["duration"] = (recorded.duration, least)
    return wrong


@pytest.mark.parametrize(("scenario", "ordered"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_recorded_run_agrees_with_the_simulated_one(scenario, ordered):
    simulated = tv.simulate(scenario)
    for faster in PACES:
        with pytest.MonkeyPatch.context() as patch:
            hurry(patch, faster)
            wrong = disagreements(tv.record(scenario), simulated, ordered, faster)
        if not wrong:
            break
    assert wrong == {}


def test_lock_of_a_condition_is_taken_again_after_the_wait_in_both(monkeypatch):
    hurry(monkeypatch, FASTER)
    assert taken(tv.record(programs.condition)) == taken(tv.simulate(programs.condition))


def test_wait_for_a_condition_names_who_notified_and_then_who_holds_its_lock_in_both(monkeypatch):
    def hand_over():
        ready, items = threading.Condition(), []

        def take():
            with ready:
                while not items:
                    ready.wait()

        taker = threading.Thread(target=take, name="taker")
        taker.start()
        time.sleep(1)
        with ready:
            items.append("order")
            ready.notify()
            time.sleep(1)
        taker.join()

    hurry(monkeypatch, FASTER)
    for run in (tv.record(hand_over), tv.simulate(hand_over)):
        spans = [(span.on, span.label) for span in run.trace.lanes[1].spans if span.state == "blocked"]
        assert spans == [("", "Condition.wait"), ("lock", "waits for ready, held by MainThread")]
        events = run.trace.events
        told = [
            (event.kind, events[event.cause].kind, events[event.cause].what)
            for event in events
            if event.lane == 1 and event.cause is not None and event.kind != "begin"
        ]
        assert told == [("wake", "call", "Condition.notify"), ("acquire", "release", "ready")]


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize("who", [None, "Dot"])
def test_lock_of_a_thread_that_has_ended_is_held_until_somebody_releases_it_in_both(verb, who, monkeypatch):
    def left_locked():
        lock = threading.Lock()

        def bob():
            lock.acquire()
            time.sleep(1)

        def cem():
            time.sleep(0.5)
            return lock.acquire(timeout=3)

        def dot():
            time.sleep(2)
            if who:
                lock.release()

        for body in (bob, cem, dot):
            threading.Thread(target=body, name=body.__name__.title()).start()

    hurry(monkeypatch, FASTER)
    trace = verb(left_locked).trace
    bob = trace.lanes[1]
    releases = [event.time for event in trace.events if event.kind == "release"]
    assert len(releases) == (1 if who else 0)
    assert [(held.lock, held.end) for held in bob.held] == [("lock", *(releases or [trace.duration]))]
    assert bob.end < bob.held[0].end


class Taken:
    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()


class TakenToo(Taken):
    def __init__(self, number):
        super().__init__()
        self.number = number


def one():
    shop = Taken()
    return shop


def subclass():
    shop = TakenToo(1)
    return shop


def in_another():
    shop = type("Street", (), {})()
    shop.first = Taken()
    return shop


class Street:
    def __init__(self):
        self.first = Taken()


def in_a_constructor():
    street = Street()
    return street


def in_a_list():
    shops = [Taken()]
    shops[0] = Taken()
    return shops


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize(
    ("scenario", "names"),
    [
        (one, ["shop.lock"]),
        (subclass, ["shop.lock"]),
        (in_another, ["shop.first.lock"]),
        (in_a_constructor, ["street.first.lock"]),
        (in_a_list, ["Taken.lock", "Taken.lock (2)"]),
    ],
)
def test_lock_taken_in_a_constructor_has_the_name_that_its_object_gets(verb, scenario, names):
    assert [held.lock for held in verb(scenario).trace.lanes[0].held] == names


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize("how", ["result", "as_completed", "wait", "exception"])
def test_wait_for_a_future_is_ended_by_the_worker_whose_call_ended(verb, how, monkeypatch):
    def orders():
        def order(seconds):
            time.sleep(seconds)
            if how == "exception":
                raise ValueError

        with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="w") as pool:
            futures = [pool.submit(order, seconds) for seconds in (1, 2)]
            if how == "result":
                futures[1].result()
            elif how == "exception":
                futures[1].exception()
            elif how == "wait":
                concurrent.futures.wait(futures)
            else:
                list(concurrent.futures.as_completed(futures))

    hurry(monkeypatch, FASTER)
    trace = verb(orders).trace
    (*_, cause) = (e.cause for e in trace.events if e.kind == "wake" and not e.what.startswith("ThreadPoolExecutor"))
    ended = trace.events[cause]
    assert (trace.lanes[ended.lane].name, ended.kind) == ("w_1", "call")
    assert ended.what == ("Future.set_exception" if how == "exception" else "Future.set_result")
