"""An attribute that an object has from its class, until it has its own: seen in each run, and exact to the object."""

import threading

import pytest

import threadviz as tv
from threadviz.story.faults import faults


class Counter:
    value = 0

    def increment(self):
        self.value += 1


class Inherited(Counter):
    pass


def together(*tasks):
    threads = [threading.Thread(target=task, name=name) for task, name in zip(tasks, ("Ann", "Bob"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def counted_twice(kind=Counter):
    counter = kind()
    together(counter.increment, counter.increment)
    return counter.value


def counted_apart():
    one, other = Counter(), Counter()
    together(one.increment, other.increment)
    return one.value, other.value


def accesses(run, name=""):
    events = (each for each in run.trace.events if each.kind in ("read", "write") and name in each.what)
    return [(run.trace.lanes[each.lane].name, each.kind, each.what, each.value) for each in events]


@pytest.mark.parametrize("kind", [Counter, Inherited])
def test_exploring_finds_the_lost_update_and_says_so(kind):
    found = tv.explore(counted_twice, kind, expect=2)
    assert found.outcomes == {1: 4, 2: 2} and found.complete
    run = found.counterexample
    (fault,) = faults(run.trace, True)
    assert fault.kind == "lost update"
    name = f"{kind.__name__}.value"
    first, *_ = accesses(run)
    assert first == ("Ann", "read", name, "0")
    assert f"Ann read {name} (0, line" in run.why
    assert f"reads {name} = 0: stale read" in run.svg()


@pytest.mark.parametrize("verb", [tv.simulate, tv.record])
def test_first_read_is_in_the_trace_and_in_the_picture(verb):
    run = verb(counted_twice)
    reads = [what for what in accesses(run) if what[1:] == ("read", "Counter.value", "0")]
    assert reads[0][0] == "Ann"
    assert "Ann\nreads Counter.value = 0" in run.svg()


def test_two_objects_do_not_conflict():
    found = tv.explore(counted_apart, expect=(1, 1))
    assert (found.outcomes, found.runs, found.complete) == ({(1, 1): 1}, 1, True)
    assert [what for _, kind, what, _ in accesses(tv.simulate(counted_apart)) if kind == "write"] == [
        "Counter.value",
        "Counter#2.value",
    ]


def test_what_no_object_ever_has_itself_is_a_constant_and_not_told():
    class Room:
        seats = 3
        taken = 0

        def take(self):
            if self.taken < self.seats:
                self.taken += 1

    def fill():
        room = Room()
        together(room.take, room.take)

    assert not accesses(tv.simulate(fill), "seats")
    assert len(accesses(tv.simulate(fill), "taken")) == 6


def read_through_an_object(make):
    class Config:
        limit = 0

    class Own(Config):
        pass

    thing, got = make(Config, Own), []

    def set_it():
        Config.limit = 5

    together(lambda: got.append(thing.limit), set_it)
    return got[0]


@pytest.mark.parametrize(
    "make",
    [lambda config, own: config(), lambda config, own: own(), lambda config, own: own],
    ids=["of an object", "of an object of a subclass", "of a subclass"],
)
def test_write_to_a_class_is_seen_by_all_that_have_it_from_there(make):
    found = tv.explore(read_through_an_object, make)
    assert (found.outcomes, found.complete) == ({0: 1, 5: 1}, True)
    assert ("Bob", "write", "Config.limit", "5") in accesses(found.example(5))
    assert ("Ann", "read", "Config.limit", "5") in accesses(found.example(5))


def test_object_with_an_attribute_of_its_own_does_not_see_its_class_written():
    def hidden():
        class Config:
            limit = 0

        config, got = Config(), []
        config.limit = 1

        def set_it():
            Config.limit = 5

        together(lambda: got.append(config.limit), set_it)
        return got[0]

    found = tv.explore(hidden)
    assert (found.outcomes, found.runs, found.complete) == ({1: 1}, 1, True)


def test_update_of_an_object_and_write_to_its_class_have_all_their_outcomes():
    """Enumerated by hand: the class is written before the object is read, or after it; afterwards it has its own."""

    def both():
        class Config:
            limit = 0

        config = Config()

        def update():
            config.limit += 1

        def set_it():
            Config.limit = 5

        together(update, set_it)
        return config.limit

    found = tv.explore(both)
    assert (set(found.outcomes), found.complete) == ({1, 6}, True)


def test_leading_by_hand_shows_what_it_is_before_the_object_has_its_own():
    stepper = tv.step(counted_twice)
    assert [tell for tell in _told(stepper) if "Counter.value" in tell and "0" in tell]


def _told(stepper):
    return [f"{name} {value}" for name, value in stepper._walk.state.places]
