"""explore(executor=...) on a cluster of Dask comes to the same as in one process, and nothing else imports Dask."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
import json, sys
import threadviz as tv
from tests import explored

PROGRAMS = [(explored.race, (4,)), (explored.philosophers, (3,)), (explored.pool, ())]

def told(found):
    failing = found.counterexample
    return {
        "found": repr(found),
        "counts": sorted((repr(value), count) for value, count in found.outcomes.items()),
        "runs": [found.runs, found.complete],
        "failing": failing.describe() if failing is not None else None,
    }

if __name__ == "__main__":
    from distributed import Client, LocalCluster

    alone = [told(tv.explore(program, *values, expect=4)) for program, values in PROGRAMS]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        there = client.get_executor()
        shared = [told(tv.explore(program, *values, expect=4, executor=there)) for program, values in PROGRAMS]
        tasks = sum(client.run(lambda dask_worker: dask_worker.state.executed_count).values())
    print(json.dumps([alone, shared, tasks]))
"""


@pytest.mark.slow
def test_cluster_finds_the_same_with_the_same_counts_and_counterexample(tmp_path):
    script = tmp_path / "on_a_cluster.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    alone, shared, tasks = json.loads(done.stdout.splitlines()[-1])
    assert shared == alone
    assert tasks > 2  # the workers have made runs, and not this process alone


def test_nothing_imports_dask_before_it_is_used():
    script = "import sys, threadviz as tv; tv.explore(lambda: 1); sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
