"""Scenarios over real things: processes, sockets, pipes and event loops, which take real time and none on the clock."""

import asyncio
import datetime
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import timeit
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from datetime import datetime as early
from multiprocessing.pool import ThreadPool

import pytest

import threadviz as tv

REAL = "the run waited for something real, which takes no time on the virtual clock"
CHILD = [sys.executable, "-c", "import time; time.sleep(0.3); print('done')"]


def both(scenario):
    """What comes of a scenario plainly, which a simulated run must give, too; returns that run."""
    run = tv.simulate(scenario)
    assert run.result() == scenario()
    return run


def test_event_loop_and_its_threads_go_by_the_virtual_clock():
    def loop():
        async def main():
            began = time.monotonic()
            await asyncio.gather(asyncio.to_thread(time.sleep, 0.2), asyncio.sleep(0.1))
            return round(time.monotonic() - began, 1)

        return asyncio.run(main())

    assert both(loop).duration == pytest.approx(0.2)


def test_time_out_of_an_event_loop_comes_at_its_virtual_time():
    async def impatient():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(3600), 1800)

    assert tv.simulate(lambda: asyncio.run(impatient())).duration == pytest.approx(1800)


def test_threads_may_each_have_an_event_loop():
    def loops():
        done = []

        async def nap(seconds):
            await asyncio.sleep(seconds)
            done.append(seconds)

        threads = [threading.Thread(target=lambda s=s: asyncio.run(nap(s))) for s in (0.2, 0.1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done

    assert both(loops).duration == pytest.approx(0.2)


def test_thread_pool_of_multiprocessing_ends():
    def squares():
        with ThreadPool(3) as pool:
            return pool.map(lambda x: (time.sleep(0.1), x * x)[1], range(6))

    assert both(squares).duration == pytest.approx(0.2, abs=0.001)


def test_child_process_is_awaited_in_real_time_while_the_others_go_on():
    def parent():
        lines = []

        def wait():
            lines.append(subprocess.run(CHILD, capture_output=True, text=True, timeout=30).stdout.strip())

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.2)
        lines.append("slept")
        waiter.join()
        return sorted(lines)

    run = both(parent)
    assert run.duration == pytest.approx(0.2)
    assert REAL in run.trace.notes


def test_time_out_of_waiting_for_a_process_is_real():
    def impatient():
        child = subprocess.Popen(CHILD, stdout=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.01)
        return child.wait(timeout=30)

    run = both(impatient)
    assert (run.result(), run.duration) == (0, 0)


def test_socket_between_two_simulated_threads_is_served():
    def talk():
        left, right = socket.socketpair()
        left.setblocking(False)

        async def listen():
            return await asyncio.get_running_loop().sock_recv(left, 10)

        def speak():
            time.sleep(0.1)
            right.send(b"hello")

        speaker = threading.Thread(target=speak)
        speaker.start()
        heard = asyncio.run(listen())
        speaker.join()
        left.close()
        right.close()
        return heard

    assert both(talk).duration == pytest.approx(0.1)


def test_every_clock_that_tells_the_time_of_day_or_a_duration_is_the_runs_own():
    def clocks():
        looks = (
            datetime.datetime.now,
            early.now,
            datetime.datetime.today,
            lambda: datetime.datetime.now(datetime.UTC),
            timeit.default_timer,
            lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
            lambda: time.clock_gettime(time.CLOCK_REALTIME),
            lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9,
            lambda: os.times().elapsed,
        )
        before = [look() for look in looks]
        days = date.today(), datetime.date.today()
        time.sleep(86_400)
        assert [(b - a).days for a, b in zip(days, (date.today(), datetime.date.today()), strict=True)] == [1, 1]
        passed = [look() - first for look, first in zip(looks, before, strict=True)]
        return [each.total_seconds() if isinstance(each, datetime.timedelta) else each for each in passed]

    assert tv.simulate(clocks).result() == pytest.approx([86_400] * 9)


def test_dates_of_a_run_are_dates_like_any_others():
    def dates():
        class Mine(datetime.datetime):
            pass

        parsed = datetime.datetime.strptime("2024-03-01", "%Y-%m-%d")
        made = datetime.datetime(2024, 2, 29), early.fromisoformat("2024-02-29"), parsed
        assert all(isinstance(each, datetime.datetime) and isinstance(each, datetime.date) for each in made)
        assert not isinstance(datetime.date(2024, 1, 1), datetime.datetime) and not isinstance(7, datetime.date)
        assert type(Mine(2024, 1, 1)) is Mine and issubclass(Mine, datetime.date)
        assert datetime.datetime.max > made[0] and datetime.datetime.__name__ == "datetime"
        return [type(each) for each in made]

    assert set(tv.simulate(dates).result()) == {datetime.datetime}


def test_web_server_and_its_client_may_both_be_simulated_threads():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(0.5)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    def download():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def fetch(name):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{name}", timeout=20) as page:
                return page.read()

        with ThreadPoolExecutor(3) as pool:
            pages = list(pool.map(fetch, "abc"))
        server.shutdown()
        server.server_close()
        return pages

    run = both(download)
    assert run.duration < 1.1  # three pages of half a second each, side by side, and the server's last look
