"""Small programs to explore: one for each primitive, and for each way in which code may be written."""

import queue
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field
from functools import partial


def together(*targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Box:
    def __init__(self, value=0):
        self.value = value

    def add(self):
        self.value += 1


def attribute():
    box = Box()
    together(box.add, box.add)
    return box.value


def two_boxes():
    one, other = Box(), Box()
    together(one.add, other.add)
    return one.value, other.value


def closure():
    count = 0

    def add():
        nonlocal count
        count += 1

    together(add, add)
    return count


total = 0


def global_variable():
    global total
    total = 0

    def add():
        global total
        total += 1

    together(add, add)
    return total


def item():
    counts = {"a": 0}

    def add():
        counts["a"] += 1

    together(add, add)
    return counts["a"]


def own_items():
    results = [None, None]

    def put(index):
        results[index] = index

    together(partial(put, 0), partial(put, 1))
    return results


def item_and_length():
    seen = {}
    found = []

    def put():
        seen["a"] = 1

    def look():
        found.append(len(seen))

    together(put, look)
    return found


def append_and_pop():
    items = [1]
    got = []

    def pop():
        if items:
            got.append(items.pop())

    together(pop, pop)
    return sorted(got)


def order_of_appends():
    items = []
    together(lambda: items.append(1), lambda: items.append(2))
    return items


def lock():
    box, guard = Box(), threading.Lock()

    def add():
        with guard:
            box.value += 1

    together(add, add)
    return box.value


def two_locks():
    box, one, other = Box(), threading.Lock(), threading.Lock()

    def add(guard):
        with guard:
            box.value += 1

    together(partial(add, one), partial(add, other))
    return box.value


def crossed_locks():
    one, other = threading.Lock(), threading.Lock()

    def take(first, second):
        with first, second:
            pass

    together(partial(take, one, other), partial(take, other, one))
    return "fine"


def rlock():
    box, guard = Box(), threading.RLock()

    def add():
        with guard, guard:
            box.value += 1

    together(add, add)
    return box.value


def try_lock():
    guard, got = threading.Lock(), []

    def attempt(name):
        if guard.acquire(blocking=False):
            got.append(name)
            guard.release()

    together(partial(attempt, 1), partial(attempt, 2))
    return sorted(got)


def lock_with_timeout():
    guard, got = threading.Lock(), []

    def attempt():
        got.append(guard.acquire(timeout=1))

    together(attempt, attempt)
    return sorted(got)


def is_locked():
    guard, seen = threading.Lock(), []

    def hold():
        with guard:
            pass

    together(hold, lambda: seen.append(guard.locked()))
    return seen


def event():
    box, ready = Box(), threading.Event()

    def produce():
        box.value = 1
        ready.set()

    def consume():
        ready.wait()
        box.value += 10

    together(produce, consume)
    return box.value


def event_set_too_soon():
    box, ready = Box(), threading.Event()

    def produce():
        ready.set()
        box.value = 1

    def consume():
        ready.wait()
        box.value += 10

    together(produce, consume)
    return box.value


def event_with_timeout():
    ready, seen = threading.Event(), []
    together(ready.set, lambda: seen.append(ready.wait(1)))
    return seen


def event_is_set():
    ready, seen = threading.Event(), []
    together(ready.set, lambda: seen.append(ready.is_set()))
    return seen


def lost_notify():
    condition = threading.Condition()

    def waits():
        with condition:
            condition.wait()

    def notifies():
        with condition:
            condition.notify()

    together(waits, notifies)
    return "fine"


def condition_and_flag():
    condition, box = threading.Condition(), Box()

    def waits():
        with condition:
            while not box.value:
                condition.wait()

    def notifies():
        with condition:
            box.value = 1
            condition.notify()

    together(waits, notifies)
    return "fine"


def condition_and_if():
    condition, items, got = threading.Condition(), [], []

    def takes():
        with condition:
            if not items:
                condition.wait()
            got.append(items.pop() if items else None)

    def puts():
        with condition:
            items.append(1)
            condition.notify_all()

    together(takes, takes, puts)
    return sorted(map(str, got))


def condition_with_timeout():
    condition, seen = threading.Condition(), []

    def waits():
        with condition:
            seen.append(condition.wait(1))

    def notifies():
        with condition:
            condition.notify()

    together(waits, notifies)
    return seen


def semaphore():
    box, rooms = Box(), threading.Semaphore(1)

    def add():
        with rooms:
            box.value += 1

    together(add, add)
    return box.value


def roomy_semaphore():
    box, rooms = Box(), threading.Semaphore(2)

    def add():
        with rooms:
            box.value += 1

    together(add, add)
    return box.value


def bounded_semaphore():
    rooms, failed = threading.BoundedSemaphore(1), []

    def release():
        try:
            rooms.release()
        except ValueError:
            failed.append(1)

    together(rooms.acquire, release)
    return failed


def barrier():
    gate, box, seen = threading.Barrier(2), Box(), []

    def meet():
        box.value = 1
        gate.wait()
        seen.append(box.value)

    together(meet, meet)
    return seen


def orders():
    stock, got = queue.Queue(), []

    def put(number):
        stock.put(number)

    together(partial(put, 1), partial(put, 2), lambda: got.append(stock.get()))
    return got


def bounded_queue():
    stock, got = queue.Queue(1), []

    def produce():
        stock.put(1)
        stock.put(2)

    def consume():
        got.append(stock.get())
        got.append(stock.get())

    together(produce, consume)
    return got


def queue_in_a_hurry():
    stock, got = queue.Queue(), []

    def look():
        try:
            got.append(stock.get_nowait())
        except queue.Empty:
            got.append(None)

    together(partial(stock.put, 1), look)
    return got


def queue_with_timeout():
    stock, got = queue.Queue(), []

    def look():
        try:
            got.append(stock.get(timeout=1))
        except queue.Empty:
            got.append(None)

    together(lambda: stock.put(1), look)
    return got


def check_then_get():
    stock = queue.Queue()
    stock.put(1)
    got = []

    def take():
        if not stock.empty():
            got.append(stock.get(block=False))

    together(take, take)
    return got


def simple_queue():
    stock, got = queue.SimpleQueue(), []
    together(lambda: stock.put(1), lambda: stock.put(2), lambda: got.append((stock.get(), stock.get())))
    return got


def one_sentinel_for_two():
    stock = queue.Queue()

    def consume():
        while stock.get() is not None:
            pass

    together(consume, consume, lambda: stock.put(None))
    return "fine"


def pool():
    box = Box()
    with ThreadPoolExecutor(2) as executor:
        executor.submit(box.add)
        executor.submit(box.add)
    return box.value


def pool_map():
    box = Box()

    def read(_):
        box.value += 1
        return box.value

    with ThreadPoolExecutor(2) as executor:
        return list(executor.map(read, range(2)))


def pool_of_one():
    box = Box()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(box.add)
        executor.submit(box.add)
    return box.value


def future_done():
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(int)
        return future.done()


def future_cancelled():
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int)
        return executor.submit(int).cancel()


def future_callback():
    seen = []
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).add_done_callback(lambda _: seen.append(threading.current_thread().name[:4]))
    return seen


def first_completed():
    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(int, 1), executor.submit(int, 2)]
        return [future.result() for future in as_completed(futures)]


def wait_for_all():
    box = Box()
    with ThreadPoolExecutor(2) as executor:
        wait([executor.submit(box.add), executor.submit(box.add)])
        return box.value


def pool_waits_for_itself():
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: executor.submit(int).result()).result()


def nested_threads():
    box = Box()
    together(lambda: together(box.add, box.add))
    return box.value


def timer():
    box = Box()
    later = threading.Timer(1, box.add)
    later.start()
    later.cancel()
    later.join()
    return box.value


def is_alive():
    thread = threading.Thread(target=Box().add)
    thread.start()
    return thread.is_alive()


def join_with_timeout():
    box = Box()
    thread = threading.Thread(target=box.add)
    thread.start()
    thread.join(1)
    return box.value


def daemon():
    box = Box()
    threading.Thread(target=box.add, daemon=True).start()
    return box.value


def thread_local():
    local, seen = threading.local(), []

    def use():
        local.value = 1
        local.value += 1
        seen.append(local.value)

    together(use, use)
    return seen


def sleeps():
    box = Box()

    def slow():
        value = box.value
        time.sleep(0.1)
        box.value = value + 1

    together(slow, slow)
    return box.value


def raises():
    box = Box(1)

    def divide():
        box.value = 0

    thread = threading.Thread(target=divide)
    thread.start()
    result = 1 // box.value
    thread.join()
    return result


def spins():
    box = Box()

    def look():
        while not box.value:
            pass

    together(look, lambda: setattr(box, "value", 1))
    return box.value


def spins_for_ever():
    box = Box()

    def look():
        while not box.value:
            pass

    together(look)


def looks_three_times():
    box, seen = Box(), []

    def look():
        for attempt in range(3):
            if box.value:
                seen.append(attempt)
                return
        seen.append(None)

    together(look, box.add)
    return seen


def flag_protocol():
    """Each raises its flag and looks at the other's, without a lock."""
    flags, inside = [False, False], []

    def enter(me):
        flags[me] = True
        if not flags[1 - me]:
            inside.append(me)

    together(partial(enter, 0), partial(enter, 1))
    return sorted(inside)


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0

    def add(self):
        self.value += 1


def slots():
    box = Slotted()
    together(box.add, box.add)
    return box.value


@dataclass
class Data:
    items: list = field(default_factory=list)
    value: int = 0

    @property
    def double(self):
        return self.value * 2

    @double.setter
    def double(self, double):
        self.value = double // 2


def properties():
    data = Data()

    def add():
        data.double += 2

    together(add, add)
    return data.value


def generator():
    box = Box()

    def steps():
        value = box.value
        yield value
        box.value = value + 1

    together(lambda: list(steps()), lambda: list(steps()))
    return box.value


def comprehension():
    box = Box()

    def add():
        box.value = sum([box.value for _ in range(1)]) + 1

    together(add, add)
    return box.value


def kept_in_a_dict():
    box = Box()
    actions = {"add": lambda: box.add()}
    together(actions["add"], actions["add"])
    return box.value


def counted(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Decorated(Box):
    @counted
    def add(self):
        self.value += 1


def decorated():
    box = Decorated()
    together(box.add, box.add)
    return box.value


class MyThread(threading.Thread):
    def __init__(self, box):
        super().__init__()
        self.box = box

    def run(self):
        self.box.value += 1


def subclass():
    box = Box()
    threads = [MyThread(box), MyThread(box)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return box.value


def ring():
    items, got = deque(), []

    def turn():
        items.append(1)
        items.rotate(1)
        got.append(items.popleft() if items else None)

    together(turn, turn)
    return len(items), got


def double_check():
    box, guard = Box(None), threading.Lock()
    made = []

    def get():
        if box.value is None:
            with guard:
                if box.value is None:
                    made.append(1)
                    box.value = 1

    together(get, get)
    return len(made)


def philosophers(seats=3):
    forks = [threading.Lock() for _ in range(seats)]

    def eat(seat):
        with forks[seat], forks[(seat + 1) % seats]:
            pass

    together(*(partial(eat, seat) for seat in range(seats)))
    return "all ate"


def race(threads=2):
    box = Box()

    def add():
        value = box.value
        box.value = value + 1

    together(*[add] * threads)
    return box.value


def polls_until_closed():
    orders, closing, served = queue.Queue(), threading.Event(), []

    def order():
        orders.put("tea")
        closing.set()

    def serve():
        while not (closing.is_set() and orders.empty()):
            try:  # noqa: SIM105 - as it is written by learners
                served.append(orders.get(timeout=1))
            except queue.Empty:
                pass

    together(order, serve)
    return served


def polls_a_flag_that_is_set_too_early():
    orders, closing, served = queue.Queue(), threading.Event(), []

    def order():
        closing.set()
        orders.put("tea")

    def serve():
        while not closing.is_set():
            try:  # noqa: SIM105 - as it is written by learners
                served.append(orders.get(timeout=1))
            except queue.Empty:
                pass

    together(order, serve)
    return served


def gives_up_after_three_times():
    orders, tries = queue.Queue(), []

    def serve():
        for attempt in range(3):
            try:
                orders.get(timeout=1)
                break
            except queue.Empty:
                tries.append(attempt)

    together(partial(orders.put, "tea"), serve)
    return tries


def event_waited_for_again_and_again():
    event, box = threading.Event(), Box()

    def wait():
        while not event.wait(0.1):
            box.add()
            if box.value > 2:
                return

    together(event.set, wait)
    return box.value


def event_waited_for_without_end():
    event = threading.Event()

    def wait():
        while not event.wait(0.1):
            pass

    together(event.set, wait)
    return "came"


def lock_tried_for_some_time_again_and_again():
    lock, box = threading.Lock(), Box()

    def work():
        while not lock.acquire(timeout=0.1):
            pass
        box.add()
        lock.release()

    together(work, work)
    return box.value


ALL = [
    each
    for name, each in list(globals().items())
    if callable(each)
    and getattr(each, "__module__", "") == __name__
    and not isinstance(each, type)
    and name not in ("together", "counted")
]


def rarely_shared():
    """What both threads change is touched by Ann only in an order that needs several preemptions."""
    seen, orders = {"ann": 0, "bob": 0}, [0]

    def ann():
        for number in (1, 2):
            if seen["bob"] < number:
                return
            seen["ann"] = number
        orders[0] += 10

    def bob():
        orders[0] += 1
        for number in (1, 2):
            seen["bob"] = number
            if seen["ann"] < number:
                return

    threads = [threading.Thread(target=ann, name="Ann"), threading.Thread(target=bob, name="Bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return orders[0]
