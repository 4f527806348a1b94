"""Small programs to run as scenarios: the source text's examples, and broken ones beside repaired ones."""

import concurrent.futures
import logging
import queue
import threading
import time


def run_all(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def thread_function(name):
    logging.info("Thread %s: starting", name)
    time.sleep(2)
    logging.info("Thread %s: finishing", name)


def first_example():
    format = "%(asctime)s: %(message)s"
    logging.basicConfig(format=format, level=logging.INFO, datefmt="%H:%M:%S")
    logging.info("Main   : before creating thread")
    x = threading.Thread(target=thread_function, args=(1,))
    x.start()
    logging.info("Main   : wait for the thread to finish")
    # x.join()
    logging.info("Main   : all done")


def pool_example():
    format = "%(asctime)s: %(message)s"
    logging.basicConfig(format=format, level=logging.INFO, datefmt="%H:%M:%S")
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as executor:
        executor.map(thread_function, range(3))


class FakeDatabase:
    def __init__(self):
        self.value = 0

    def update(self, name, sleep=0.1):
        logging.info("Thread %s: starting update", name)
        local_copy = self.value
        local_copy += 1
        time.sleep(sleep)
        self.value = local_copy
        logging.info("Thread %s: finishing update", name)


class LockedDatabase(FakeDatabase):
    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def update(self, name, sleep=0.1):
        with self._lock:
            super().update(name, sleep)


def race(workers=2, updates=None, sleep=0.1, database=FakeDatabase):
    shared = database()
    with concurrent.futures.ThreadPoolExecutor(max_workers=workers) as executor:
        for index in range(workers if updates is None else updates):
            executor.submit(shared.update, index, sleep)
    return shared.value


def no_race(workers=2):
    return race(workers, database=LockedDatabase)


def two_locks(gap=0.1):
    a, b = threading.Lock(), threading.Lock()

    def pay():
        with a:
            time.sleep(gap)
            with b:
                pass

    def refund():
        with b:
            time.sleep(gap)
            with a:
                pass

    run_all(threading.Thread(target=pay, name="pay"), threading.Thread(target=refund, name="refund"))


def pipeline(maxsize=2, messages=5):
    slots = queue.Queue(maxsize)
    got = []

    def produce():
        for number in range(messages):
            slots.put(number)
            time.sleep(0.01)
        slots.put(None)

    def consume():
        while (message := slots.get()) is not None:
            got.append(message)
            time.sleep(0.02)

    run_all(threading.Thread(target=produce), threading.Thread(target=consume))
    return got


def ticking_daemon():
    def tick():
        try:
            while True:
                time.sleep(0.3)
                print("tick")
        finally:
            print("never seen")

    threading.Thread(target=tick, name="ticker", daemon=True).start()
    time.sleep(1)


def shuffled():
    """Order of three threads that all wake at the same time: only a seed changes it."""
    order = []

    def wake(name):
        time.sleep(1)
        order.append(name)

    run_all(*(threading.Thread(target=wake, args=(name,)) for name in "abc"))
    return "".join(order)


def endless():
    while True:
        pass


def restless():
    while True:
        time.sleep(1)


ALL = (first_example, pool_example, race, no_race, two_locks, pipeline, ticking_daemon, shuffled)


def condition():
    ready, items, got = threading.Condition(), [], []

    def take():
        with ready:
            while not items:
                ready.wait()
            got.append(items.pop())

    def give():
        for number in range(3):
            with ready:
                items.append(number)
                ready.notify()
            time.sleep(0.01)

    run_all(*(threading.Thread(target=take) for _ in range(3)), threading.Thread(target=give))
    return sorted(got)


def semaphore():
    permits, inside, most = threading.BoundedSemaphore(2), [], []

    def work():
        with permits:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.1)
            inside.pop()

    run_all(*(threading.Thread(target=work) for _ in range(7)))
    return max(most), time.monotonic()


def barrier():
    gate, rounds = threading.Barrier(3), []

    def work(number):
        for turn in range(3):
            time.sleep(number * 0.1)
            gate.wait()
            rounds.append(turn)

    run_all(*(threading.Thread(target=work, args=(number,)) for number in range(3)))
    return rounds


def joined_queue():
    tasks, done = queue.Queue(3), []

    def work():
        while True:
            task = tasks.get()
            time.sleep(0.01 * task)
            done.append(task)
            tasks.task_done()

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    for task in range(12):
        tasks.put(task)
    tasks.join()
    return sorted(done)


def futures():
    def work(number):
        time.sleep(0.1 * (number % 3))
        return number

    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        submitted = [executor.submit(work, number) for number in range(9)]
        finished = [future.result() for future in concurrent.futures.as_completed(submitted)]
        return sorted(finished), list(executor.map(abs, range(-2, 0)))


def reentrant():
    lock, turns = threading.RLock(), []

    def work():
        for _ in range(5):
            with lock, lock:
                turns.append(1)

    run_all(*(threading.Thread(target=work) for _ in range(4)))
    return len(turns)


def philosophers():
    forks = [threading.Lock() for _ in range(4)]

    def dine(place):
        with forks[place]:
            time.sleep(0.01)
            with forks[(place + 1) % 4]:
                pass

    run_all(*(threading.Thread(target=dine, args=(place,)) for place in range(4)))


ORDERLY = {  # what each ends with, whatever the order
    condition: "[0, 1, 2]",
    semaphore: "(2, 0.4)",
    barrier: "[0, 0, 0, 1, 1, 1, 2, 2, 2]",
    joined_queue: str(list(range(12))),
    futures: "([0, 1, 2, 3, 4, 5, 6, 7, 8], [2, 1])",
    reentrant: "20",
    philosophers: "deadlock",
}


def lost_update():
    """The same on any machine, however busy."""
    value, both_have_read = [0], threading.Barrier(2)

    def update():
        copy = value[0]
        both_have_read.wait()
        value[0] = copy + 1

    run_all(*(threading.Thread(target=update) for _ in range(2)))
    return value[0]
