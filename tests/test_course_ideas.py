"""The course teaches, or corrects, each idea of a usual first text on threads: the cell that does, and what it says."""

from functools import cache
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"

# idea -> cells as "chapter/cell", each with words that stand in the cell or in what it prints
IDEAS = {
    "a thread is a flow of execution of its own": {
        "00/title": ["one path through your program", "its own place in the code"],
        "01/what-is-a-thread": ["one path through your program", "share its memory"],
    },
    "threads are not processes": {"01/what-is-a-thread": ["not processes", "see the same objects"]},
    "threads of the usual build only seem to run Python code at the same time": {
        "01/parallel-belief": ["take turns", "seem to run at the same time", "only one thread at a time"],
    },
    "threads may be on different processors": {"01/parallel-belief": ["different processors", "GIL"]},
    "threads help where a program waits": {
        "01/workers-answer": ["all of them sleep at the same time"],
        "01/parallel-belief": ["spends its time waiting for something outside it"],
    },
    "a wait for the network overlaps with others": {
        "01/web-program": ["urllib.request.urlopen", "target=download_page"],
        "01/web-record-all": ["recorded", "blocked in something real"],
    },
    "whether threads help where a program computes depends": {
        "01/parallel-belief": ["one that computes depends on the code and on the build", "without the GIL"],
    },
    "a first program with one thread": {
        "00/first-program": ["basicConfig", "sleeper(1, sleep)"],
        "00/first-run-intro": ["if __name__"],
        "00/first-program-run": ["def thread_function(name)", "time.sleep(2)", "Main   : all done"],
    },
    "log lines have a format, a level and a form of date": {
        "00/first-program-run": ["%(asctime)s: %(message)s", "level=logging.INFO", 'datefmt="%H:%M:%S"'],
        "01/three-intro": ["%(asctime)s", "datefmt"],
    },
    "the format is spelt %(message)s": {"00/first-belief": ["%(messages)s", "without the s"]},
    "a thread is made from a target and a tuple of arguments": {
        "01/making": ["threading.Thread(target=thread_function, args=(1,))", "needs its comma"],
    },
    "start() sets a thread going": {"01/making": ["x.start()", "sets the thread going"]},
    "the main thread goes straight on": {"00/first-belief": ["goes straight on", "does not wait"]},
    "run() is the work itself, on the thread that calls it": {
        "01/run-answer": ["a plain call of a method", "does the work itself"],
    },
    "a log line about waiting does not wait": {
        "00/first-belief": ["commented out"],
        "03/join-belief-log": ["commented out", "A log says what the programmer wrote"],
    },
    "what a daemon is to an operating system, and to Python": {
        "02/mark-answer": ["works in the background", "do not wait for me"],
    },
    "a program waits for the threads that are no daemons": {
        "02/end-answer": ["Python waits until every other thread has ended"],
        "02/file-run": ["daemon=False", "file closed", "lines in the file: 5"],
        "02/crash-answer": ["by an exception or by `sys.exit()`"],
    },
    "daemons end with the program": {"02/mark-answer": ["its daemons end with it"]},
    "daemons are abandoned and clean nothing up": {
        "02/mark-answer": ["**abandoned**"],
        "02/file-answer": ["all that is left is an empty file", "no `finally` block runs"],
        "02/file-prediction": ["export, write_orders, daemon=True"],
    },
    "daemon=True where the thread is made": {
        "02/mark-intro": ["args=(1,), daemon=True"],
        "02/kernel-example": ["daemon=True", "abandoned at 1 s"],
    },
    "the mark is set before start() and inherited": {
        "02/flag-intro": ["not after `start()`"],
        "02/flag-too-late": ["cannot set daemon status of active thread"],
        "02/flag-answer": ["takes after the thread that *makes* it"],
        "02/remember": ["inherits it"],
    },
    "the last line is missing, but only where the program ends": {
        "02/kernel-example": ["12:00:01: Main   : all done", "abandoned at 1 s"],
        "02/kernel-look": ["the daemon is alive: True"],
        "02/kernel-answer": ["where the *program ends*"],
    },
    "join waits for another thread": {
        "03/join-line": ["x.join()", "pauses there until the thread `x` has ended"],
        "03/join-run": ["blocked in Thread.join"],
    },
    "join stops nothing": {
        "03/stop-answer": ["`join` is for stopping a thread", "the one that calls it", "and in no other way"],
        "03/timeout-answer": ["ends the *waiting* and not the work"],
        "03/ask-answer": ["*ask* it to stop, and *join* it"],
    },
    "many threads are started first and joined then": {
        "03/many-intro": ["start all of them first"],
        "03/many-remark": ["as long as the slowest thread"],
    },
    "a pool starts a group of threads": {
        "04/setup": ["import concurrent.futures"],
        "04/pool-intro": ["from the standard library", "group of threads", "single queue"],
        "04/pool-with": ["max_workers=3"],
    },
    "a pool is used in a with block, which waits, even on an error": {
        "04/pool-with": ["easiest way to use it is a `with` block"],
        "04/pool-predict": ["It joins the workers"],
        "04/with-prediction": ["the disk is full"],
        "04/with-answer": ["waits until *all* tasks are done", "held back until then"],
    },
    "map makes one call for each item": {
        "04/pool-with": ["executor.map(thread_function, range(3))", "one call for each item"],
        "04/order-answer": ["in the order of the *items*"],
    },
    "max_workers is a limit; workers come late and are used again": {
        "04/errands-answer": ["`max_workers` is a limit", "lazy", "reused", "It makes none"],
        "04/errands-run": ["errands(pause=0.0)", "worker_2"],
    },
    "a name that is misspelt, and imports that are missing": {
        "04/pool-belief": ["thread_funtion", "NameError", "lack the imports"],
        "04/setup": ["import logging", "import time"],
        "06/race-belief": ["lack their imports"],
    },
    "submit(function, *args, **kwargs)": {
        "04/submit-intro": ["executor.submit(function, *args, **kwargs)", "does not wait"],
        "04/slip-answer": ["works out an argument before it makes the call"],
        "05/future-run": ['submit(look_up, "book", 2, value=20)'],
        "06/program-intro": ["pool.submit(function, *args, **kwargs)"],
    },
    "submit is called on the pool, once for each task": {
        "04/submit-intro": ["called on the executor, once for each task"],
        "06/race-belief": ["called on the pool, once for each task"],
    },
    "a pool is silent about errors": {
        "05/silent-answer": ["puts it into the future", "nobody is told"],
        "05/silent-belief": ["silent for ever"],
        "05/silent-real": ["executor.submit(len)", "Traceback"],
        "05/surface-intro": ["keep the futures, and ask each for its result"],
        "05/surface-run": ["nobody asked for the ValueError"],
    },
    "after its first exception map gives no more results": {
        "05/map-answer": ["every later `next` raises `StopIteration`"]
    },
    "cancel and time-outs stop no call that has begun": {
        "05/cancel-answer": ["Nothing can stop a thread"],
        "05/timeout-real": ["The time-out ends the *waiting*"],
    },
    "thread-locals are not fresh for each task": {
        "04/errands-local": ["a worker is used again", "beginning of every task"]
    },
    "real downloads, in a pool": {
        "04/web-server": ["ThreadingHTTPServer", "127.0.0.1"],
        "04/web-run": ["tv.record(morning)", "something real"],
        "05/web-run": ["as_completed", "HTTP Error 404", "HTTP Error 500", "timed out"],
    },
    "what a race condition is": {
        "06/what-is-a-race": [
            "race condition",
            "two threads use the same data",
            "writes it",
            "nothing keeps the two apart",
            "**data race**",
        ],
        "06/race-belief": ["Sharing is not enough"],
    },
    "a database that keeps one number": {
        "06/program-intro": ["keeps just that one number"],
        "06/program-class": ["copy = self.value", "time.sleep(disk)", "self.value = copy"],
    },
    "two updates in a pool of two lose one": {
        "06/program-prediction": ["Two workers make one update each", "workers=2"],
        "06/program-answer": ["**stale read**", "**lost update**"],
    },
    "this race ends alike every time": {
        "06/rare-prediction": ["20 different orders"],
        "06/rare-answer": ["shows itself every time", "what the program *allows*"],
    },
    "a lock keeps threads apart and puts them in no order": {
        "06/kinds-prediction": ["with order.lock"],
        "06/kinds-answer": ["a race condition without a data race", "does not put them in an *order*"],
    },
    "where to read more": {"06/links": ["https://realpython.com/intro-to-python-threading/"]},
    "threads may be switched at any time": {
        "07/endings-predict": ["The operating system may stop a thread", "at any time"],
        "07/atomic-belief": ["code by the rule", "a switch may come between any two steps"],
    },
    "a switch can come in the middle of a statement": {
        "07/line-answer": ["`LOAD_ATTR` reads the number, and `STORE_ATTR` writes it back"],
        "07/real-intro": ["switch in the middle of the line"],
    },
    "a lock is one of several ways to stop a race": {"08/lock-intro": ["several ways to stop a race", "queue"]},
    "one thread at a time has the lock, others wait": {
        "08/lock-intro": ["the caller is blocked until it is free", "only one thread at a time"],
        "08/with-safe": ["waits for account.lock, held by Ann"],
    },
    "acquire and release": {
        "08/lock-intro": ["lock.acquire()", "lock.release()"],
        "08/with-prediction": ["self.lock.acquire()", "self.lock.release()"],
        "08/try-intro": ["lock.acquire(timeout=2)", "lock.acquire(blocking=False)"],
    },
    "a lock works as a with block": {
        "08/lock-intro": ["`with lock:`"],
        "08/with-answer": ["jumps over the `release`", "gives the lock back however it is left"],
    },
    "a lock is unlocked at first": {"08/lock-intro": ["unlocked at first"]},
    "the locked update holds the lock until it has written": {
        "08/program-class": ["def locked_update(self)", "with self.lock:"],
        "08/program-answer": ["the database ends with 2", "until the first one gives the lock back"],
    },
    "debug lines show only at the level DEBUG": {
        "08/debug-intro": ["`DEBUG` is lower", "Only four came"],
        "08/debug-run": [
            "level=logging.DEBUG",
            "worker_1 12:00:00: about to lock",
            "worker_1 12:00:00: has the lock",
        ],
        "08/debug-belief": ["level=logging.DEBUG", "force=True"],
    },
    "a lock keeps threads apart in its section and nowhere else": {
        "08/debug-belief": ["complete its work", "nowhere else"],
        "08/section-run": ["section="],
    },
    "a lock helps if everybody takes the same one": {
        "08/useless-program": ["with threading.Lock():", "till = bank.lock"],
        "08/useless-answer": ["One lock for the data", "taken by everybody"],
    },
    "a lock around each step removes the data race, but not the race": {
        "08/theatre-step": ["left = theatre.tickets"],
        "08/theatre-answer": ["A lock around each step removes the data race, but not the race"],
    },
    "a Lock has no owner, an RLock has": {
        "08/owner-run": ["Lock:  released", "RLock: RuntimeError: cannot release un-acquired lock"],
        "08/owner-belief": ["A `Lock` has no owner", "An `RLock` has one"],
    },
    "a line is many steps, and a switch may come between any two": {
        "07/line-run": ["LOAD_ATTR visitors", "STORE_ATTR visitors"],
        "07/line-answer": ["**two steps**, a read and a write"],
        "07/atomic-belief": ["a switch may come between any two steps", "GIL"],
    },
    "every order of a small program can be counted": {
        "07/three-answer": ["| 2 | 6 | 2 |", "1 in 15", "2,520"],
    },
    "a deadlock is a circle of waits": {
        "09/circle": ["**deadlock**", "that circle *is* the deadlock"],
        "09/exercise-check": ["lock, held by 1 pays 0", "lock, held by 0 pays 1"],
    },
    "a thousand runs prove nothing": {"09/all-answer": ["passes a thousand times"]},
    "a thread can wait for itself": {"09/alone-program": ["Lock  deadlock", "RLock 'your balance is 100'"]},
    "one order of locks makes the circle impossible": {
        "09/order-program": ["sorted(", "every interleaving is as expected"],
        "09/polite-answer": ["**livelock**"],
    },
    "a call of notify is not remembered, an event is": {
        "12/late-answer": ["An event has a memory", "**lost wake-up**"],
        "12/fact-run": ["while not is_open", "every interleaving is as expected"],
    },
    "a semaphore admits a fixed number, a barrier waits for a fixed number": {
        "12/room-intro": ["**semaphore**", "two permits"],
        "12/tour-intro": ["**barrier**", "blocks until that many threads are waiting"],
    },
    "a timer calls later, and a thread-local is each thread's own": {
        "12/timer-intro": ["`threading.Timer(seconds, function)`", "`threading.local()`"],
    },
    "only Python code is exclusive, and only with a GIL": {
        "13/gil-answer": ["Only running Python code is exclusive", "Two threads that wait do so at the same time"],
        "13/panel-answer": ["C code that lets the GIL go does gain"],
        "13/panel-intro": ["**free-threaded**", "a single thread is slower there"],
        "13/freeze-answer": ["calls back into Python"],
    },
    "threads help where a program waits, and with a GIL not where Python code computes": {
        "13/panel-answer": ["as long as the waiting outweighs the computing"],
        "13/exercise-solution": ["Solved. All eight kinds are as measured."],
    },
    "a hang has one of four kinds, and a hung program can be asked where it stands": {
        "17/kinds": ["either computes or waits", "no fifth"],
        "17/dump-intro": ["faulthandler"],
        "17/sampler-program": ["sys._current_frames()"],
        "17/hook-intro": ["threading.excepthook"],
        "17/checklist": ["threading.enumerate()"],
        "17/test-run": [".assert_holds()", "deadlock: 60 interleavings"],
    },
    "a Python without a GIL computes side by side, at a price": {
        "14/build-intro": ["**free-threaded** Python", "run Python code on as many **cores** as there are"],
        "14/three-answer": ["a single thread is slower"],
        "14/forms-answer": ["each object of these kinds has a small lock inside"],
    },
    "the GIL does not protect your data": {"13/ticket-answer": ["It keeps the interpreter's own data safe"]},
    "producers hand over work to consumers": {
        "10/pipeline-intro": ["producer_lock", "consumer_lock", "**slot**"],
        "10/pipeline-program": ["def set_message", "def get_message"],
        "10/sentinel-intro": ["**sentinel**"],
        "10/owner-intro": ["Whose lock is it?"],
        "11/queue-intro": ["queue.Queue(maxsize)"],
    },
    "a whole program with producers and consumers": {
        "11/script-intro": ["producer_consumer_threading.py"],
        "11/script-panel": ["producer_consumer_threading"],
        "10/script-run": ["-m", "producer_consumer_threading.py"],
    },
    "a program is right when every order of its steps is": {
        "16/remember": ["every order of its steps is right", "may only lack the switch that breaks it"],
    },
    "a lock around every access does not end every race": {
        "16/theatre-intro": ["What a lock protects is a section"],
        "16/theatre-check": ["it returns (-1, [True, True])"],
    },
    "notify is forgotten where nobody waits": {
        "16/hatch-intro": ["A `notify` that finds nobody waiting is forgotten"],
        "16/hatch-check": ["deadlock"],
    },
    "who is woken has to look again": {"16/bakery-intro": ["must get the lock again"]},
    "a pool must not wait for itself": {
        "16/dinner-intro": ["same pool", "a third one would only postpone the trouble"]
    },
    "a writer may starve": {"16/library-intro": ["the writer *starves*", "beyond any exploration"]},
}


@cache
def words_of_cells(chapter):
    """Cell id -> its source and what it printed, in one text."""
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    words = {}
    for cell in nbformat.read(path, as_version=4).cells:
        printed = [
            output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])
        ]
        words[cell.id] = "\n".join([cell.source, *printed])
    return words


@pytest.mark.parametrize("idea", IDEAS)
def test_course_teaches(idea):
    for place, phrases in IDEAS[idea].items():
        chapter, cell = place.split("/")
        assert phrases and all(phrases)
        assert cell in words_of_cells(chapter), f"{place} is gone: which cell teaches that {idea}?"
        for phrase in phrases:
            assert phrase in words_of_cells(chapter)[cell], f"{place} no longer says {phrase!r}"
