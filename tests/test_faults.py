"""Why a run went wrong, named by its trace alone; and look-alikes of which that must not be said."""

import queue
import threading

import pytest

import threadviz as tv
from threadviz.story.faults import faults
from threadviz.trace import NOBODY


def ann_and_bob(ann, bob):
    threads = [threading.Thread(target=ann, name="Ann"), threading.Thread(target=bob, name="Bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Account:
    def __init__(self, balance=100):
        self.balance = balance
        self.paid = 0


# ---- lost update ----


def two_payments():
    account = Account()

    def ann():
        seen = account.balance
        account.balance = seen - 10

    def bob():
        account.balance -= 50

    ann_and_bob(ann, bob)
    return account.balance == 40


def counted_twice():
    votes = {"yes": 0}

    def vote():
        votes["yes"] += 1

    ann_and_bob(vote, vote)
    return votes["yes"] == 2


def two_locks_for_one_number():
    number, one, other = 0, threading.Lock(), threading.Lock()

    def add(guard):
        nonlocal number
        with guard:
            number += 1

    ann_and_bob(lambda: add(one), lambda: add(other))
    return number == 2


def last_one_wins():
    """Nobody read before: nothing was computed from what is overwritten."""
    account = Account()

    def ann():
        account.balance = 1

    def bob():
        account.balance = 2

    ann_and_bob(ann, bob)
    return account.balance == 1


def fresh_read():
    """Each reads just before it writes, under one lock; what is wrong is the number itself."""
    account, guard = Account(), threading.Lock()

    def pay():
        with guard:
            account.balance -= 10

    ann_and_bob(pay, pay)
    return account.balance == 70


def appended():
    """An append overwrites nothing."""
    names = []

    def ann():
        if len(names) < 9:
            names.append("Ann")

    def bob():
        names.append("Bob")

    ann_and_bob(ann, bob)
    return names == ["Ann", "Bob"]


# ---- check-then-act ----


def lazy_singleton():
    class Registry:
        only = None

    got = []

    def get():
        if Registry.only is None:
            Registry.only = object()
        got.append(Registry.only)

    ann_and_bob(get, get)
    return got[0] is got[1]


def overdrawn():
    account = Account()

    def pay():
        if account.balance >= 80:
            account.balance -= 80

    ann_and_bob(pay, pay)
    return account.balance >= 0


def last_item():
    items = ["apple"]

    def take():
        if items:
            items.pop()

    ann_and_bob(take, take)
    return True


def looked_up():
    made = []
    cache = {}

    def ann():
        if "x" not in cache:
            made.append("Ann's")
            cache["x"] = "Ann's"

    def bob():
        if "x" not in cache:
            made.append("Bob's")
            cache["x"] = "Bob's"

    ann_and_bob(ann, bob)
    return len(made) == 1


def looked_before_it_waited():
    """As `if` looks only once: who was woken finds nothing any more."""
    changed, loaves = threading.Condition(), []

    def take():
        with changed:
            if not loaves:
                changed.wait()
            loaves.pop()

    def bake():
        with changed:
            loaves.append("rye")
            changed.notify()

    threads = [threading.Thread(target=each, name=name) for each, name in ((take, "Ann"), (take, "Bob"), (bake, "Cid"))]
    for thread in threads:
        thread.start()
    for thread in threads[2:]:
        thread.join()
    bake()
    return True


def fetched_twice():
    pages, fetched = {}, []

    def get():
        if pages.get("news") is None:
            fetched.append("news")
            pages["news"] = "rain"

    ann_and_bob(get, get)
    return len(fetched) == 1


def not_empty():
    orders = queue.Queue()
    orders.put("tea")

    def take():
        if not orders.empty():
            orders.get()

    ann_and_bob(take, take)
    return True


def locked_or_not():
    guard = threading.Lock()

    def take():
        if not guard.locked():
            guard.acquire()

    ann_and_bob(take, take)
    return True


def begun_twice():
    begun, begins = threading.Event(), []

    def begin():
        if not begun.is_set():
            begun.set()
            begins.append(1)

    ann_and_bob(begin, begin)
    return len(begins) == 1


def vanished():
    account = Account("open")

    def ann():
        if account.balance is not None:
            account.balance.upper()

    def bob():
        account.balance = None

    ann_and_bob(ann, bob)
    return True


def checked_under_the_lock():
    """What is looked at and done in one section is not stale; the limit itself is wrong."""
    account, guard = Account(), threading.Lock()

    def pay():
        with guard:
            if account.balance >= 10:
                account.balance -= 60

    ann_and_bob(pay, pay)
    return account.balance >= 0


def checked_twice():
    """Without the lock first, and again with it: the second look counts."""
    account, guard = Account(), threading.Lock()

    def pay():
        if account.balance >= 10:
            with guard:
                if account.balance >= 10:
                    account.balance -= 60

    ann_and_bob(pay, pay)
    return account.balance >= 0


def looked_for_fun():
    """Nobody wrote between the look and what was done."""
    account = Account()

    def ann():
        seen = account.balance
        account.paid = seen + 1

    def bob():
        account.paid = 3

    ann_and_bob(ann, bob)
    return account.paid == 3


def other_item():
    """Somebody else changed another item of the container."""
    cache = {}

    def ann():
        if "a" not in cache:
            cache["a"] = 1

    def bob():
        cache["b"] = 2

    ann_and_bob(ann, bob)
    return cache == {}


def asked_and_got():
    """Both ask and both get theirs; a third get has no end."""
    orders = queue.Queue()
    orders.put("tea")
    orders.put("milk")

    def ann():
        if not orders.empty():
            orders.get()

    def bob():
        orders.get()

    ann_and_bob(ann, bob)
    orders.get()


def raises_on_its_own():
    items = ["apple"]

    def ann():
        if items:
            raise KeyError("of her own")

    def bob():
        items.clear()

    ann_and_bob(ann, bob)


# ---- broken atomicity ----


def read_here_written_there():
    account, guard = Account(), threading.Lock()

    def pay(amount):
        with guard:
            seen = account.balance
        with guard:
            account.balance = seen - amount

    ann_and_bob(lambda: pay(10), lambda: pay(50))
    return account.balance == 40


def oversold():
    left, guard = {"tickets": 1}, threading.Lock()

    def sell():
        with guard:
            enough = left["tickets"] > 0
        if enough:
            with guard:
                left["tickets"] -= 1

    ann_and_bob(sell, sell)
    return left["tickets"] == 0


def torn_sum():
    guard, seen = threading.Lock(), []
    one, other = Account(100), Account(0)

    def ann():
        with guard:
            first = one.balance
        with guard:
            seen.append(first + other.balance)

    def bob():
        with guard:
            one.balance -= 30
            other.balance += 30

    ann_and_bob(ann, bob)
    return seen == [100]


def half_a_transfer():
    guard, seen = threading.Lock(), []
    one, other = Account(100), Account(0)

    def ann():
        with guard:
            one.balance = 70
        with guard:
            other.balance = 30

    def bob():
        with guard:
            seen.append(one.balance + other.balance)

    ann_and_bob(ann, bob)
    return seen == [100]


def through_a_wait():
    account, changed = Account(), threading.Condition()

    def ann():
        with changed:
            seen = account.balance
            changed.wait(1)
            account.balance = seen - 10

    def bob():
        with changed:
            account.balance -= 50

    ann_and_bob(ann, bob)
    return account.balance == 40


def one_section():
    account, guard = Account(), threading.Lock()

    def pay():
        with guard:
            seen = account.balance
            account.balance = seen - 10

    ann_and_bob(pay, pay)
    return account.balance == 90


def different_locks():
    """Each access is made under a lock, but not under the same one: an update is lost, and no lock was for it."""
    account, one, other = Account(), threading.Lock(), threading.Lock()

    def pay(guard):
        with guard:
            seen = account.balance
        with guard:
            account.balance = seen - 10

    ann_and_bob(lambda: pay(one), lambda: pay(other))
    return account.balance == 80


def sum_in_one_section():
    guard, seen = threading.Lock(), []
    one, other = Account(100), Account(0)

    def ann():
        with guard:
            seen.append(one.balance + other.balance)

    def bob():
        with guard:
            one.balance -= 30
            other.balance += 30

    ann_and_bob(ann, bob)
    return seen == [70]


def counted_in_two_sections():
    """Two updates, each whole: nobody relied on what was there before."""
    account, guard = Account(0), threading.Lock()

    def add():
        with guard:
            account.balance += 1
        with guard:
            account.balance += 1

    ann_and_bob(add, add)
    return account.balance == 5


# ---- deadlock ----


def crossed():
    left, right = threading.Lock(), threading.Lock()

    def take(first, second):
        with first, second:
            pass

    ann_and_bob(lambda: take(left, right), lambda: take(right, left))


def itself():
    guard = threading.Lock()

    def ann():
        with guard:
            guard.acquire()

    ann_and_bob(ann, lambda: None)


def joined_in_a_circle():
    guard, threads = threading.Lock(), []

    def ann():
        with guard:
            threads[1].join()

    def bob():
        with guard:
            pass

    threads += [threading.Thread(target=ann, name="Ann"), threading.Thread(target=bob, name="Bob")]
    for thread in threads:
        thread.start()
    threads[0].join()


def nobody_sets():
    done = threading.Event()
    ann_and_bob(done.wait, lambda: None)


def nobody_puts():
    ann_and_bob(queue.Queue().get, lambda: None)


def forgot_to_release():
    """Who took it has ended: nobody waits in a circle."""
    guard = threading.Lock()
    ann_and_bob(lambda: guard.acquire(), lambda: guard.acquire())


# ---- lost wake-up ----


def notified_too_early():
    changed = threading.Condition()

    def ann():
        with changed:
            changed.wait()

    def bob():
        with changed:
            changed.notify()

    ann_and_bob(ann, bob)


def all_notified_too_early():
    guard = threading.Lock()
    full, changed = threading.Condition(guard), threading.Condition(guard)

    def ann():
        with full:
            pass
        with changed:
            changed.wait()

    def bob():
        with guard:
            changed.notify_all()

    ann_and_bob(ann, bob)


def flag_looked_at_too_early():
    changed, ready = threading.Condition(), [False]

    def ann():
        if not ready[0]:
            with changed:
                changed.wait()

    def bob():
        with changed:
            ready[0] = True
            changed.notify()

    ann_and_bob(ann, bob)


def displayed_too_early():
    """What does not change, as the condition in its attribute, says nothing when it is read after the call."""

    class Display:
        def __init__(self):
            self.number = 0
            self.bell = threading.Condition()

    display = Display()

    def ann():
        if display.number < 1:
            with display.bell:
                display.bell.wait()

    def bob():
        with display.bell:
            display.number += 1
            display.bell.notify()

    ann_and_bob(ann, bob)


def pulsed():
    ready = threading.Event()

    def ann():
        ready.wait()

    def bob():
        ready.set()
        ready.clear()

    ann_and_bob(ann, bob)


def cleared_before_she_waits():
    ready = threading.Event()

    def ann():
        ready.clear()
        ready.wait()

    ann_and_bob(ann, lambda: ready.set())


def missed_the_second_one():
    changed, served = threading.Condition(), []

    def ann():
        for _ in range(2):
            with changed:
                changed.wait(1 if not served else None)
                served.append(1)

    def bob():
        with changed:
            changed.notify()

    ann_and_bob(ann, bob)


def nobody_notifies():
    changed = threading.Condition()

    def ann():
        with changed:
            changed.wait()

    ann_and_bob(ann, lambda: None)


def another_condition():
    """What nobody waited for belongs to another condition, of the same lock."""
    guard = threading.Lock()
    full, empty = threading.Condition(guard), threading.Condition(guard)

    def ann():
        with full:
            full.wait()

    def bob():
        with empty:
            empty.notify()

    ann_and_bob(ann, bob)


def knows_that_there_is_nothing():
    """Nobody waited when Bob called, but Ann has looked since: the one item has gone to Cid."""
    changed, items = threading.Condition(), []

    def take():
        with changed:
            if not items:
                changed.wait()
            items.pop()

    def bob():
        with changed:
            items.append("tea")
            changed.notify_all()

    bob()
    ann_and_bob(take, take)


def woken_once():
    """The notify that came in vain came before her first wait, which did end."""
    changed, turns = threading.Condition(), []

    def ann():
        with changed:
            while len(turns) < 2:
                turns.append(1)
                changed.wait(1 if len(turns) == 1 else None)

    def bob():
        with changed:
            changed.notify()

    bob()
    ann_and_bob(ann, lambda: None)


def cleared_by_nobody_else():
    """She sets and clears it herself: nobody has called her."""
    ready = threading.Event()

    def ann():
        ready.set()
        ready.clear()
        ready.wait()

    ann_and_bob(ann, lambda: None)


NAMED = {
    "lost update": [two_payments, counted_twice, two_locks_for_one_number],
    "check-then-act": [
        *(
            lazy_singleton,
            overdrawn,
            last_item,
            looked_up,
            fetched_twice,
            not_empty,
            locked_or_not,
            begun_twice,
            vanished,
            looked_before_it_waited,
        ),
    ],
    "broken atomicity": [read_here_written_there, oversold, torn_sum, half_a_transfer, through_a_wait],
    "deadlock": [crossed, itself, joined_in_a_circle],
    "lost wake-up": [
        notified_too_early,
        all_notified_too_early,
        flag_looked_at_too_early,
        displayed_too_early,
        pulsed,
        cleared_before_she_waits,
    ],
}
LOOK_ALIKES = {
    "lost update": [last_one_wins, fresh_read, appended],
    "check-then-act": [
        *(checked_under_the_lock, checked_twice, looked_for_fun, other_item, asked_and_got, raises_on_its_own),
        *(fresh_read, last_one_wins),
    ],
    "broken atomicity": [one_section, different_locks, sum_in_one_section, counted_in_two_sections, two_payments],
    "deadlock": [nobody_sets, nobody_puts, forgot_to_release, notified_too_early],
    "lost wake-up": [
        nobody_notifies,
        another_condition,
        knows_that_there_is_nothing,
        woken_once,
        cleared_by_nobody_else,
        nobody_sets,
    ],
}


def pairs(table):
    return [
        pytest.param(kind, program, id=program.__name__) for kind, programs in table.items() for program in programs
    ]


def is_right(value):
    return value is not False


@pytest.mark.parametrize(("kind", "program"), pairs(NAMED))
def test_what_went_wrong_is_named(kind, program):
    found = tv.explore(program, expect=is_right)
    (first, *_) = faults(found.counterexample.trace, True)
    assert first.kind == kind
    assert first.sentence in found.describe() and first.sentence in tv.check(program, expect=is_right).reason
    assert all(0 <= index < len(found.counterexample.trace.events) for index in first.events)


@pytest.mark.parametrize(("kind", "program"), pairs(LOOK_ALIKES))
def test_look_alike_is_not_named(kind, program):
    found = tv.explore(program, expect=is_right)
    assert found.counterexample is not None  # as it is wrong, though not in this way
    runs = [found.counterexample, *(found.example(outcome) for outcome in found.outcomes)]
    for run in runs:
        assert kind not in [fault.kind for fault in faults(run.trace, True)]


def why(program):
    return tv.explore(program, expect=is_right).counterexample.why


def line(program, text, number=1):
    """The number of the line of a program that has this text, for the first or a later time."""
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = program.__code__.co_firstlineno
    return [at for at, each in enumerate(lines, 1) if at >= first and each.strip() == text][number - 1]


def test_lost_update_is_told_with_who_wrote_what_in_which_lines():
    lines = [line(two_payments, text) for text in ("seen = account.balance", "account.balance -= 50")]
    write = line(two_payments, "account.balance = seen - 10")
    assert why(two_payments) == (
        f"Ann read Account.balance (100, line {lines[0]}), Bob wrote 50 (line {lines[1]}) before Ann wrote 90 (line "
        f"{write}): an update is lost, that of Bob"
    )


def test_broken_atomicity_says_under_which_lock():
    read, write = (
        line(read_here_written_there, text) for text in ("seen = account.balance", "account.balance = seen - amount")
    )
    assert why(read_here_written_there) == (
        f"Ann read Account.balance (100, line {read}) under guard, Bob wrote 50 (line {write}) before Ann wrote 90 "
        f"(line {write}): an update is lost, that of Bob, although each access was made under guard"
    )


def test_deadlock_says_who_took_what_and_waits_for_what_in_which_lines():
    both = line(crossed, "with first, second:")
    assert why(crossed) == (
        f"deadlock, nobody can go on: Ann took left (line {both}) and waits for right, held by Bob (line {both}); Bob "
        f"took right (line {both}) and waits for left, held by Ann (line {both})"
    )


def test_lost_wake_up_says_that_nobody_was_waiting():
    wait, notify = line(notified_too_early, "changed.wait()"), line(notified_too_early, "changed.notify()")
    assert why(notified_too_early).endswith(
        f"; Bob called notify on changed (line {notify}) when nobody was waiting, before Ann waited (line {wait}): the "
        "wake-up is lost, and Ann waits for ever"
    )


def test_check_then_act_names_what_was_seen_and_who_was_faster():
    asked = line(not_empty, "if not orders.empty():")
    assert why(not_empty).endswith(
        f"Ann asked orders.empty() (line {asked}), Bob got an item (line {asked + 1}) before Ann's own get (line "
        f"{asked + 1}): check-then-act, and Ann waits for ever"
    )


def test_run_that_is_as_it_should_be_is_told_no_check_then_act():
    """A value that somebody prints first, and updates later, under a lock."""

    def harmless():
        account, guard = Account(), threading.Lock()

        def pay():
            with guard:
                str(account.balance)
            with guard:
                account.balance -= 10

        ann_and_bob(pay, pay)
        return account.balance

    found = tv.explore(harmless, expect=80)
    assert found.complete and found.counterexample is None
    assert all(not found.example(outcome).why for outcome in found.outcomes)


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_notify_with_nobody_waiting_is_marked_and_told(verb):
    def alone():
        changed = threading.Condition()
        with changed:
            changed.notify()
            changed.notify_all()
        threading.Event().set()  # which notifies inside, and has waited for nobody

    run = verb(alone)
    assert [event.what for event in run.trace.events if event.value.endswith(NOBODY)] == [
        "Condition.notify",
        "Condition.notify_all",
    ]
    assert run.describe().count(": nobody was waiting") == 2
    assert 'data-mark="in vain"' in run.svg() and "notify when nobody was waiting" in run.svg()


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_notify_that_wakes_somebody_is_not_in_vain(verb):
    def heard():
        changed, ready = threading.Condition(), threading.Event()

        def ann():
            with changed:
                ready.set()
                changed.wait()

        thread = threading.Thread(target=ann)
        thread.start()
        ready.wait()
        with changed:
            changed.notify()
        thread.join()

    assert NOBODY not in verb(heard).describe()


def test_lost_wake_up_is_told_of_a_run_on_the_clock_too():
    assert "the wake-up is lost, and Ann waits for ever" in tv.simulate(early_and_late).describe()


def early_and_late():
    import time

    changed = threading.Condition()

    def ann():
        time.sleep(1)
        with changed:
            changed.wait()

    def bob():
        with changed:
            changed.notify()

    ann_and_bob(ann, bob)


def test_call_is_told_when_it_is_made_and_not_when_its_thread_comes_to_it():
    run = tv.explore(pulsed).counterexample
    calls = [event.what for event in run.trace.events if event.kind == "call" and event.what.startswith("Event")]
    assert calls == ["Event.set", "Event.clear", "Event.wait"]
