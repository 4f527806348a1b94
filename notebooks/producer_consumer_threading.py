"""Producers and consumers that share a bounded queue and end on request.

Two clerks take orders and put them into a queue; three cooks get them out and cook.  After a while the main thread
asks the clerks to stop.  Orders that were taken are still cooked.  Run it with

    python producer_consumer_threading.py

It needs nothing but Python, and ends by itself after about a second and a half.
"""

import concurrent.futures
import logging
import queue
import threading
import time

CLERKS = 2
COOKS = 3
ROOM = 4  # orders that may lie in the queue at once
OPEN = 1.0  # seconds

CLOSED = object()  # the last thing that a cook gets: no order is this very object


def clerk(name, orders, closing, seconds):
    """Take orders until the event `closing` is set; return how many."""
    taken = 0
    # A clerk may look at the event: it decides for itself when to stop.  wait() is a sleep that set() cuts short.
    while not closing.wait(seconds):
        order = f"{name}-{taken}"
        orders.put(order)  # waits while the queue is full
        logging.info("clerk %s: took order %s, %d in the queue", name, order, orders.qsize())
        taken += 1
    logging.info("clerk %s: goes home", name)
    return taken


def cook(name, orders, seconds):
    """Cook until CLOSED comes out of the queue; return what was cooked."""
    cooked = []
    # A cook asks neither the event nor empty(): both may be out of date before the get.  Whoever waits in get()
    # is ended by something that get() returns.
    while (order := orders.get()) is not CLOSED:
        logging.info("cook  %s: cooks order %s", name, order)
        try:
            time.sleep(seconds)  # the work
        except Exception:
            # A cook that gave up would leave the clerks waiting for room in the queue for ever.
            logging.exception("cook  %s: order %s is spoiled", name, order)
        else:
            cooked.append(order)
    logging.info("cook  %s: goes home", name)
    return cooked


def kitchen(clerks=CLERKS, cooks=COOKS, room=ROOM, opened=OPEN, taking=0.1, cooking=0.2):
    """Run the kitchen for `opened` seconds; return how many orders were taken and how many were cooked."""
    orders = queue.Queue(maxsize=room)
    closing = threading.Event()

    # One worker for each call: with fewer, some cooks and clerks would begin only when others had gone home.
    with (
        concurrent.futures.ThreadPoolExecutor(max_workers=cooks, thread_name_prefix="cook") as stove,
        concurrent.futures.ThreadPoolExecutor(max_workers=clerks, thread_name_prefix="clerk") as door,
    ):
        at_the_stove = [stove.submit(cook, number, orders, cooking) for number in range(cooks)]
        at_the_door = [door.submit(clerk, number, orders, closing, taking) for number in range(clerks)]
        try:
            time.sleep(opened)
        finally:
            # Also after Ctrl-C: the with block would otherwise wait for ever.
            logging.info("main   : closing time")
            closing.set()
            # The order matters: only when the last order is in the queue may the cooks be told to go home.
            concurrent.futures.wait(at_the_door)
            for _ in range(cooks):
                orders.put(CLOSED)

    # result() raises here what was raised there; without it an exception would stay silent.
    taken = sum(each.result() for each in at_the_door)
    cooked = [order for each in at_the_stove for order in each.result()]
    return taken, len(cooked)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s: %(message)s", level=logging.INFO, datefmt="%H:%M:%S")
    taken, cooked = kitchen()
    logging.info("main   : %d orders taken, %d cooked", taken, cooked)
