"""Small programs to run as scenarios: the source text's examples, and broken ones beside repaired ones."""

import concurrent.futures
import logging
import queue
import threading
import time


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

    threads = [threading.Thread(target=pay, name="pay"), threading.Thread(target=refund, name="refund")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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

    threads = [threading.Thread(target=produce), threading.Thread(target=consume)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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

    threads = [threading.Thread(target=wake, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "".join(order)


def endless():
    while True:
        pass


def restless():
    while True:
        time.sleep(1)


ALL = (first_example, pool_example, race, no_race, two_locks, pipeline, ticking_daemon, shuffled)
