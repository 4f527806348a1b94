"""The course in a browser tab: from an empty profile to the first timeline, and how fast runs are there.

    make site && .venv/bin/python -m benchmarks.tab

Serves `build/site` on this machine and drives Chromium.  What is asked: the first timeline within 20 s and 40 MB, the
race of 8 drawn anew in 150 ms, three threads of two accesses and five philosophers explored in 2 s each.
"""

import functools
import http.server
import threading
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, chromium
from tests.browser.lab import PANEL, begin_run_all, end_run_all, open_notebook

SITE = Path(__file__).resolve().parents[1] / "build" / "site"
PATIENCE = 300_000  # milliseconds
MEASURED = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
import threadviz as tv

class Database:
    def __init__(self):
        self.value = 0
    def update(self):
        copy = self.value
        time.sleep(0.1)
        self.value = copy + 1

def race(workers):
    database = Database()
    with ThreadPoolExecutor(workers) as executor:
        for _ in range(workers):
            executor.submit(database.update)
    return database.value

def three():
    shared = [0]
    def add():
        shared[0] += 1
    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return shared[0]

def philosophers():
    forks = [threading.Lock() for _ in range(5)]
    def dine(place):
        with forks[place], forks[(place + 1) % 5]:
            pass
    threads = [threading.Thread(target=dine, args=(place,)) for place in range(5)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def took(call, times):
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return f"{median(found):.2f} s, at most {max(found):.2f} s, of {times}"

print("race of 8, run and drawn:", took(lambda: tv.simulate(race, 8).face(), 20))
print("three threads of two accesses, explored:", took(lambda: tv.explore(three), 3))
print("five philosophers, explored:", took(lambda: tv.explore(philosophers), 3))
"""


class Counting(http.server.SimpleHTTPRequestHandler):
    """Counts what it hands out."""

    sent = 0  # bytes

    def copyfile(self, source, outputfile):
        content = source.read()
        Counting.sent += len(content)
        outputfile.write(content)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Counting, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/lab/index.html?path=00_start_here.ipynb"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page()
        began = time.perf_counter()
        open_notebook(page, address, PATIENCE)
        ready = time.perf_counter() - began
        begin_run_all(page)
        page.locator(".jp-OutputArea-output .tv-panel svg").first.wait_for(timeout=PATIENCE)
        print(f"empty profile to a kernel that is ready: {ready:.1f} s; to the first timeline: ", end="")
        print(f"{time.perf_counter() - began:.1f} s; downloaded: {Counting.sent / 1e6:.1f} MB")
        end_run_all(page, PATIENCE)
        print(
            page.evaluate(
                f"""async source => {{
                    const panel = {PANEL};
                    const at = panel.content.widgets.findIndex(cell => cell.model.type === 'code');
                    panel.content.model.sharedModel.cells[at].setSource(source);
                    panel.content.activeCellIndex = at;
                    panel.content.deselectAll();
                    await window.jupyterapp.commands.execute('notebook:run-cell');
                    return panel.content.model.cells.get(at).toJSON().outputs.map(o => o.text ?? o.evalue).join('');
                }}""",
                MEASURED,
            )
        )
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
