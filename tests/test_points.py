"""Accesses seen by rewriting the learner's bytecode: exact to the object, and the code does what it did before."""

import asyncio
import contextlib
import dataclasses
import inspect
import sys
import threading
import time
import traceback
from collections import deque
from functools import partial, wraps

import pytest

import threadviz as tv
from threadviz.learner.points import Points
from threadviz.patches import Patches

# ---- the rewritten code does what the plain one does --------------------------------------------------------------


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 1


@dataclasses.dataclass
class Point:
    x: int = 0
    tags: list = dataclasses.field(default_factory=list)

    @property
    def double(self):
        return self.x * 2

    @double.setter
    def double(self, to):
        self.x = to // 2


class Base:
    def hello(self):
        return "base"


class Child(Base):
    def hello(self):
        return "child of " + super().hello()

    def __getattr__(self, name):
        return f"made up {name}"


def attributes():
    slotted, point = Slotted(), Point(3)
    slotted.value += 1
    point.double = 10
    point.x -= 1
    del slotted.value
    with pytest.raises(AttributeError, match="value"):
        _ = slotted.value
    return point, point.double, Child().hello(), Child().anything, hasattr(slotted, "value")


def items():
    stock, row, bag, line = {"a": 1}, [1, 2, 3], {1, 2}, deque([1, 2])
    stock["a"] += 1
    stock["b"] = stock.get("a", 0) + len(row)
    row[-1], row[0] = row[0], row[-1]
    row[1:2] = [7, 8]
    del row[0], stock["a"]
    bag.add(3)
    bag |= {4}
    line.rotate(1)
    row.append(sum(x for x in row if x in bag))
    return stock, row, sorted(bag), list(line), [*row, *bag], {**stock}, min(row, default=0)


count = 0


def variables():
    global count, gone
    count, gone, total, deep = 0, 1, 0, []

    def add(by=1):
        nonlocal total
        global count
        total += by
        count += by
        deep.append(lambda: (total, count))
        return total

    for number in range(3):
        add(by=number)
    del gone
    with pytest.raises(NameError, match="gone"):
        _ = gone  # noqa: F821 - which is what is looked at
    with pytest.raises(UnboundLocalError):
        unbound(False)
    return total, count, [each() for each in deep], [total for total in range(2)], (last := 5) + last


def unbound(bind):
    if bind:
        value = 1
    return (lambda: value) and value


def generators():
    def numbers(point):
        try:
            while True:
                point.x += yield point.x
        finally:
            point.tags.append("closed")

    point = Point()
    stream = numbers(point)
    seen = [next(stream), stream.send(2), stream.send(3)]
    stream.close()

    def outer():
        yield from (x for x in point.tags)
        return "done"

    return seen, point, list(outer()), {k: v for k, v in zip("ab", point.tags * 2, strict=True)}


def flow():
    found = []

    @contextlib.contextmanager
    def noted(what):
        found.append(f"in {what}")
        try:
            yield what
        finally:
            found.append(f"out {what}")

    for number in [0, 1, 2]:
        try:
            with noted(number) as what:
                found.append(10 // what)
                if what == 2:
                    break
        except ZeroDivisionError as error:
            found.append(str(error))
            continue
        else:
            found.append("else")
        finally:
            found.append("finally")
    match {"kind": Point(2, ["t"])}:
        case {"kind": Point(x=x, tags=[first, *rest])} if x > 1:
            found.append(f"{x!r:>3}{first}{rest}")
    a, (b, *c) = 1, found
    return found, a, b, c, not found, found and found[0] or None


def decorated():
    def twice(function):
        @wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs), function(*args, **kwargs)

        return call

    calls = []

    @twice
    def note(what, *, sep="-", **more):
        calls.append(what + sep + str(more))
        return len(calls)

    return note("a"), note("b", sep="+", z=1), calls, note.__name__, partial(note, "c")(), sorted(calls, key=len)


def coroutines():
    class Box:
        opened = 0

        async def __aenter__(self):
            self.opened += 1
            return self

        async def __aexit__(self, *error):
            self.opened -= 1

    async def numbers():
        for number in range(3):
            yield number

    async def main():
        async with Box() as box:
            return box.opened, [x async for x in numbers()], await asyncio.sleep(0, "slept")

    return asyncio.run(main())


def classes():
    class Made:
        kinds = [kind for kind in ("a", "b")]
        total = len(kinds)

        def __init__(self):
            self.__hidden = self.total

        def __enter__(self):
            return self.__hidden

        def __exit__(self, *_):
            self.__hidden = None
            return True

    with Made() as hidden:
        raise ValueError("swallowed")
    return hidden, vars(Made())["_Made__hidden"], Made.__qualname__


EVERYTHING = [attributes, items, variables, generators, flow, decorated, coroutines, classes]
HELPERS = [Slotted.__init__, Point.double.fget, Point.double.fset, Child.hello, Child.__getattr__, unbound]


class Ear:
    def __init__(self):
        self.heard = []

    def before(self, site, thing, key):
        self.heard.append((site.kind, site.what, site.name, site.line))

    def after(self, site, thing, value, key):
        pass


@contextlib.contextmanager
def rewritten(*functions, wants_before=True):
    """The sites that are heard of while `functions` are rewritten."""
    codes = [function.__code__ for function in functions]
    points, ear = Points(functions, [], wants_before), Ear()
    assert points.unseen == [] and points.seen == len(functions)
    with Patches() as patches:
        points.install(patches)
        points.heard_by(ear)
        assert all(function.__code__ is not code for function, code in zip(functions, codes, strict=True))
        yield ear.heard
        points.heard_by(None)
    assert all(function.__code__ is code for function, code in zip(functions, codes, strict=True))


@pytest.mark.parametrize("wants_before", [True, False])
@pytest.mark.parametrize("function", EVERYTHING, ids=lambda function: function.__name__)
def test_rewritten_code_does_what_the_plain_code_does(function, wants_before):
    plain = function()
    with rewritten(function, *HELPERS, wants_before=wants_before) as heard:
        assert function() == plain
    assert function() == plain
    assert bool(heard) == wants_before


def test_lines_source_and_suggestions_are_those_of_the_plain_code():
    class Cup:
        full = True

    def slip(cup):
        cup.full = False

        return cup.ful + 1

    def told():
        try:
            slip(Cup())
        except AttributeError as error:
            lines = traceback.extract_tb(error.__traceback__)
            return [(line.lineno, line.line, line.colno, line.end_colno) for line in lines][-1], error.name, error.obj

    plain, source = told()[:2], inspect.getsource(slip)
    with rewritten(slip):
        assert told()[:2] == plain
        assert inspect.getsource(slip) == source
        assert inspect.signature(slip) == inspect.signature(lambda cup: None)


def test_each_access_is_heard_of_once_and_in_order():
    class Box:
        value = 0

    def work(box, row):
        box.value += 1
        row[0] = row[1]
        row.append(2)
        return len(row)

    first = work.__code__.co_firstlineno
    with rewritten(work) as heard:
        assert work(Box(), [0, 1]) == 3
    assert [(kind, what, line - first) for kind, what, _, line in heard] == [
        ("read", "attribute", 1),
        ("write", "attribute", 1),
        ("read", "item", 2),
        ("write", "item", 2),
        ("write", "contents", 3),
        ("read", "contents", 4),
    ]


def test_code_is_put_back_after_every_kind_of_run(monkeypatch):
    monkeypatch.setattr("threadviz.stage.watchdog.PATIENCE", 0.2)
    box = Point()

    def fine():
        box.x = 1

    def raises():
        box.x = 1
        raise ValueError

    def deadlocks():
        box.x = 1
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    def never_ends():
        while True:
            pass

    def interrupted():
        box.x = 1
        raise KeyboardInterrupt

    for scenario in (fine, raises, deadlocks, never_ends, interrupted):
        for options in ({}, {"seed": 1}):
            code = scenario.__code__
            with contextlib.suppress(KeyboardInterrupt):
                tv.simulate(scenario, **options)
            assert scenario.__code__ is code
    assert sys.gettrace() is None


# ---- places: what threads share, by the learner's names ----------------------------------------------------------


def accesses(run):
    return [(event.kind, event.what, event.value) for event in run.trace.events if event.kind in ("read", "write")]


def in_threads(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def with_a_global():
    global count
    count = 0

    def add():
        global count
        seen = count
        time.sleep(0.1)
        count = seen + 1

    in_threads(add, add)
    return count


def with_a_closure():
    total = 0

    def add():
        nonlocal total
        seen = total
        time.sleep(0.1)
        total = seen + 1

    in_threads(add, add)
    return total


def with_an_item():
    stock = {"apples": 0, "pears": 0}

    def add():
        seen = stock["apples"]
        time.sleep(0.1)
        stock["apples"] = seen + 1

    in_threads(add, add)
    return stock["apples"]


def with_get():
    stock = {}

    def add():
        seen = stock.get("apples", 0)
        time.sleep(0.1)
        stock["apples"] = seen + 1

    in_threads(add, add)
    return stock["apples"]


def with_exec():
    names = {"total": 0, "time": time}

    def add():
        exec("seen = total\ntime.sleep(0.1)\ntotal = seen + 1", names)

    in_threads(add)
    names["total"] = 0
    text = "def add():\n    global total\n    seen = total\n    time.sleep(0.1)\n    total = seen + 1"
    exec(text, names)
    in_threads(names["add"], names["add"])
    return names["total"]


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
@pytest.mark.parametrize(
    ("scenario", "place"),
    [
        (with_exec, "total"),
        (with_get, "stock['apples']"),
        (with_a_global, "count"),
        (with_a_closure, "total"),
        (with_an_item, "stock['apples']"),
    ],
)
def test_lost_update_of_any_place_is_found(verb, scenario, place):
    run = verb(scenario)
    assert run.result() == 1
    assert {what for _, what, _ in accesses(run)} == {place}
    assert "an update is lost" in run.describe()


def test_what_one_thread_alone_touches_or_nobody_changes_is_not_noted():
    names, limits = ["a", "b"], {"most": 3}

    def work():
        own = []
        for name in names:
            own.append(limits["most"])
            own[0] += len(name)

    assert accesses(tv.simulate(lambda: in_threads(work, work))) == []


def test_two_objects_of_one_class_are_two_places():
    def scenario():
        left, right = Point(), Point()

        def add(point):
            seen = point.x
            time.sleep(0.1)
            point.x = seen + 1

        in_threads(partial(add, left), partial(add, right))
        return left.x, right.x

    run = tv.simulate(scenario)
    assert run.result() == (1, 1)
    assert {what for kind, what, _ in accesses(run) if kind == "read"} == {"Point.x", "Point#2.x"}
    assert "lost" not in run.describe()


def test_object_that_was_touched_is_freed_as_soon_as_nobody_has_it():
    def scenario():
        ended = []

        class Service:
            def __init__(self):
                self.name = "service"

            def __del__(self):
                ended.append(time.monotonic())

        service = Service()
        service.name += "!"
        del service
        time.sleep(1)
        return ended

    assert tv.simulate(scenario).result() == [0.0]


# ---- preemption --------------------------------------------------------------------------------------------------


def counted(locked, threads=2):
    counter, lock = Point(), threading.Lock()

    def add():
        if locked:
            with lock:
                counter.x += 1
        else:
            counter.x += 1

    in_threads(*[add] * threads)
    return counter.x


def test_update_without_a_sleep_is_lost_at_some_seed_and_under_a_lock_at_none():
    values = [tv.simulate(counted, False, seed=seed).result() for seed in range(40)]
    assert set(values) == {1, 2}
    assert {tv.simulate(counted, True, seed=seed).result() for seed in range(40)} == {2}
    assert {tv.simulate(counted, False).result() for _ in range(3)} == {2}


def test_run_that_was_preempted_is_replayed_by_its_schedule():
    for seed in range(40):
        run = tv.simulate(counted, False, 3, seed=seed)
        again = tv.simulate(counted, False, 3, schedule=str(run.schedule))
        assert (str(again.trace), again.result()) == (str(run.trace), run.result())


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_method_of_a_container_that_is_given_away_is_told(verb):
    def scenario():
        results, prices = [], {"tea": 2}
        in_threads(partial(results.append, 1), lambda: results.append(2))
        return sorted(results), prices.get("tea")

    run = verb(scenario)
    assert run.result() == ([1, 2], 2)
    line = scenario.__code__.co_firstlineno + 2
    given = [note for note in run.trace.notes if "given away" in note]
    assert len(given) == 1 and given[0].startswith(f"the method append of a list is given away in line {line}: ")


def test_code_that_is_compiled_during_a_run_does_what_it_does_plainly():
    def scenario():
        here, names = 1, {"total": 0}
        exec("total += 1", names)
        exec("total += here", names, {"here": 5, "total": 7})
        seen = {}
        exec("here = 2", globals(), seen)
        with pytest.raises(SyntaxError):
            exec("total +")
        with pytest.raises(TypeError):
            exec(7)
        code = compile("[n for n in range(3)]", "<mine>", "eval")
        return names["total"], here, seen["here"], eval("here + 1"), eval(code), eval(" count"), eval(b"1+1")

    plain = scenario()
    assert tv.simulate(scenario).result() == plain == (1, 1, 2, 2, [0, 1, 2], count, 2)
    assert exec.__module__ == "builtins" and type(exec) is type(len)


def test_module_that_is_imported_during_a_run_is_seen(tmp_path, monkeypatch):
    add = "def add():\n    global total\n    seen = total\n    time.sleep(1)\n    total = seen + 1\n"
    (tmp_path / "imported_late.py").write_text(f"import time\ntotal = 0\n{add}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imported_late", raising=False)

    def scenario():
        import imported_late

        imported_late.total = 0
        in_threads(imported_late.add, imported_late.add)
        return imported_late.total

    run = tv.simulate(scenario)
    sys.modules.pop("imported_late")
    assert run.result() == 1
    assert "an update is lost" in run.describe()
    assert "line 5 of imported_late.py" in str(run.trace)
