"""What a learner does in each chapter, where it cannot be found out from the chapter itself.

By cell: the settings with which a panel's goal is reached, by the names of its controls; or the keys that lead a
`tv.step` to its goal.  When they have been pressed, whoever is first goes on until the end.
"""

Settings = dict[str, float | str | bool]

MOVES: dict[str, dict[str, Settings | str]] = {
    "00_start_here": {"slider": {"sleep": 4.0}},
    "01_starting_a_thread": {
        "workers-panel": {"workers": 8, "sleep": 2.5},
        "run-panel": {"call": "run", "number": 5},
        "break-panel": {"slip": "with_parentheses"},
    },
    "02_daemon_threads": {"panel": {"work": 0.3, "main": 0.6, "daemon": True}},
    "03_joining_threads": {
        "many-panel": {"files": 4, "seconds": 0.5, "first_join": "the slowest"},
        "timeout-panel": {"film": 0.4, "patience": 0.4, "seed": 4},
    },
    "04_thread_pools": {
        "workers-run": {"workers": 5, "tasks": 10, "sleep": 1.0},
        "errands-run": {"pause": "0.75"},
    },
    "05_futures_and_errors": {
        "surface-run": {"failing": 4, "ask": True},
        "timeout-run": {"timeout": 0.1, "seconds": 0.4},
    },
    "06_race_conditions": {
        "busy-interact": {"workers": 3, "updates": 8, "disk": 0.2},
        "order-step": "1221",
        "hasty-interact": {"workers": 3, "updates": 12, "seed": 2},
    },
    "07_any_time": {
        "step": "1212",
        "step-three": "112233",
        "exercise-1-step": "122221211112",
        "lowest-panel": {"gates": 2, "people": "3", "seed": 1},
    },
    "08_locks": {
        "section-run": {"workers": 8, "outside": 0.9, "section": 0.1},
        "theatre-step": "1112222222111",
    },
    "09_deadlocks": {
        "panel": {"gap": 0.0, "seed": 5},
        "step": "12",
        "dinner-panel": {"philosophers": 5, "gap": 0.0, "seed": 7},
        "polite-panel": {"gap": 1.0, "rent_waits": 0.0, "refund_waits": 1.5, "seed": 1},
    },
    "10_producer_consumer_locks": {
        "panel": {"readings": 10, "measuring": 0.2, "saving": 0.2},
        "step": "111221112222",
        "hasty-panel": {"readings": 2, "seed": 2},
        "use-panel": {"slots": 3, "size": 4},
    },
    "11_producer_consumer_queue": {
        "panel": {"cooks": 3, "maxsize": 0, "taking": 0.05},
        "sentinel-panel": {"cooks": 3, "sentinels": 3},
        "step": "2201",
        "event-panel": {"cooks": 1, "pause": 0.05, "pause_first": True},
        "script-panel": {"clerks": 2, "cooks": 1, "room": 1},
    },
    "12_waiting_for_each_other": {
        "doors-panel": {"kind": "Condition", "bob_comes": 0.2, "seed": 1},
        "step": "2",
        "room-panel": {"visitors": 9, "permits": 3},
        "tour-panel": {"visitors": 7, "parties": 7},
    },
    "13_waiting_or_computing": {
        "panel": {"threads": 4, "work": 0.02, "sleep": 0.08},
        "beat-panel": {"spinners": 2, "interval": "0.001"},
        "ticket-step": "122211",
        "ticket-panel": {"work": 0.0, "seed": 1},
    },
    "14_without_the_gil": {
        "shared-panel": {"threads": 4, "alone": 0.03, "shared": 0.01, "cores": "no GIL, 4 cores"},
        "luck-panel": {"work": 0.01, "cores": "one GIL", "seed": 1},
    },
    "16_break_it": {
        "votes": "1221",
        "shop": "1111211112222222",
        "theatre": "1111122211122222",
        "kitchen-play": "33112",
        "bar": "112222221",
        "hatch": "22211",
        "transfer-play": "12",
        "printer": "11111222211",
        "dinner": "00111222",
        "bakery": "111333322222111333",
        "cache": "11112222222111",
        "gate": "11111122222222222222111",
        "library-play": "332222222222221111111333",
        "feast": "1132",
        "door-play": "12211221112222110000",
        "real-panel": {"program": "hatch", "seed": 9},
    },
    "17_when_it_hangs": {"rare-panel": {"orders": 2, "seed": 2}},
}

# What the learner changes in the script before a cell is run again; with the script as it is, its goal is out of reach.
SCRIPT = "producer_consumer_threading.py"
_WAIT = "            concurrent.futures.wait(at_the_door)\n"
_CLOSE = "            for _ in range(cooks):\n                orders.put(CLOSED)\n"
CHANGES = {"script-panel": (_WAIT + _CLOSE, _CLOSE + _WAIT)}
