"""Small traces, made by hand, for the tests of drawing, describing and explaining."""

from threadviz.trace import Held, Lane, On, Span, State, Trace, TraceEvent, Wait


def race(workers: int = 2, sleep: float = 0.1, update: str = "value") -> Trace:
    """Every worker reads 0, sleeps, and writes 1: all updates but the last are lost."""
    main = Lane(
        "MainThread",
        (Span("running", 0, 0), Span("blocked", 0, sleep, "ThreadPoolExecutor.__exit__", 12)),
    )
    lanes = [
        Lane(
            f"worker-{i}",
            (Span("running", 0, 0), Span("sleeping", 0, sleep, f"sleep {sleep:g}", 7), Span("running", sleep, sleep)),
        )
        for i in range(workers)
    ]
    events = [TraceEvent(0, 0, "begin")]
    for i in range(1, workers + 1):
        start = len(events)
        events.append(TraceEvent(0, 0, "start", f"worker-{i - 1}", line=10))
        events.append(TraceEvent(0, i, "begin", cause=start))
        events.append(TraceEvent(0, i, "read", update, "0", 6))
    for i in range(1, workers + 1):
        events.append(TraceEvent(sleep, i, "write", update, "1", 8))
        events.append(TraceEvent(sleep, i, "end"))
    events.append(TraceEvent(sleep, 0, "wake", "ThreadPoolExecutor.__exit__", cause=len(events) - 1))
    return Trace((main, *lanes), tuple(events), sleep)


def locked(workers: int = 3, sleep: float = 0.1) -> Trace:
    """One at a time: each worker holds the lock while it sleeps, the others wait."""
    end, name = workers * sleep, "database._lock"
    lanes = [Lane("MainThread", (Span("running", 0, 0), Span("blocked", 0, end, "ThreadPoolExecutor.__exit__")))]
    events = [TraceEvent(0, 0, "begin")]
    for i in range(workers):
        events.append(TraceEvent(0, 0, "start", f"worker-{i}"))
        events.append(TraceEvent(0, i + 1, "begin", cause=len(events) - 1))
    for i in range(workers):
        begin = i * sleep
        before = (Span("blocked", 0, begin, f"waits for {name}, held by worker-{i - 1}", on="lock"),) if i else ()
        after = (Span("running", begin, begin), Span("sleeping", begin, begin + sleep, f"sleep {sleep:g}"))
        held = (Held(name, begin, begin + sleep),)
        lanes.append(Lane(f"worker-{i}", (Span("running", 0, 0), *before, *after), held))
        cause = next((k for k, e in enumerate(events) if e.kind == "release" and e.lane == i), None)
        events.append(TraceEvent(begin, i + 1, "acquire", name, cause=cause))
        events.append(TraceEvent(begin, i + 1, "read", "value", str(i)))
        events.append(TraceEvent(begin + sleep, i + 1, "write", "value", str(i + 1)))
        events.append(TraceEvent(begin + sleep, i + 1, "release", name))
    return Trace(tuple(lanes), tuple(events), end)


def deadlock(at: float = 0.1) -> Trace:
    """Two threads hold a lock each and wait for the other's; main joins them."""
    lanes = [Lane("MainThread", (Span("running", 0, 0), Span("blocked", 0, at, "Thread.join")), ending="deadlocked")]
    for name, own, other, holder in [
        ("Thread-1 (pay)", "a", "b", "Thread-2 (refund)"),
        ("Thread-2 (refund)", "b", "a", "Thread-1 (pay)"),
    ]:
        spans = (
            Span("running", 0, 0),
            Span("sleeping", 0, at, f"sleep {at:g}"),
            Span("running", at, at),
            Span("blocked", at, at, f"waits for {other}, held by {holder}", 9, "lock"),
        )
        lanes.append(Lane(name, spans, (Held(own, 0, at),), ending="deadlocked"))
    events = (
        TraceEvent(0, 0, "start", "Thread-1 (pay)"),
        TraceEvent(0, 1, "begin", cause=0),
        TraceEvent(0, 0, "start", "Thread-2 (refund)"),
        TraceEvent(0, 2, "begin", cause=2),
        TraceEvent(0, 1, "acquire", "a"),
        TraceEvent(0, 2, "acquire", "b"),
        TraceEvent(at, 2, "deadlock"),
    )
    waits = (
        Wait("MainThread", "Thread.join", "Thread-1 (pay)", 20, "thread"),
        Wait("Thread-1 (pay)", "b", "Thread-2 (refund)", 9, "lock"),
        Wait("Thread-2 (refund)", "a", "Thread-1 (pay)", 9, "lock"),
    )
    return Trace(tuple(lanes), events, at, waits=waits)


def deadlock_at_once() -> Trace:
    """As `deadlock`, but no time passes, and `one` waits for a lock that `two` has yet to get."""
    running = Span("running", 0, 0)
    lanes = (
        Lane("MainThread", (running,), ending="deadlocked"),
        Lane("one", (running,), (Held("a", 0, 0),), ending="deadlocked"),
        Lane("two", (running,), (Held("b", 0, 0),), ending="deadlocked"),
    )
    events = (
        TraceEvent(0, 0, "start", "one"),
        TraceEvent(0, 0, "start", "two"),
        TraceEvent(0, 1, "begin", cause=0),
        TraceEvent(0, 1, "acquire", "a"),
        TraceEvent(0, 2, "begin", cause=1),
        TraceEvent(0, 2, "acquire", "b"),
        TraceEvent(0, 0, "deadlock"),
    )
    waits = (
        Wait("MainThread", "the end of one", "one", on="thread"),
        Wait("one", "b", "two", on="lock"),
        Wait("two", "a", "one", on="lock"),
    )
    return Trace(lanes, events, waits=waits)


def philosophers(count: int = 5) -> Trace:
    """A circle of five, each holding a fork and waiting for the next."""
    lanes, waits = [], []
    for i in range(count):
        wanted, holder = f"fork-{(i + 1) % count}", f"philosopher-{(i + 1) % count}"
        spans = (
            Span("sleeping", 0, 1, "sleep 1"),
            Span("blocked", 1, 1, f"waits for {wanted}, held by {holder}", on="lock"),
        )
        lanes.append(Lane(f"philosopher-{i}", spans, (Held(f"fork-{i}", 0, 1),), ending="deadlocked"))
        waits.append(Wait(f"philosopher-{i}", wanted, holder, on="lock"))
    return Trace(tuple(lanes), (TraceEvent(1, 0, "deadlock"),), 1, waits=tuple(waits))


def daemon() -> Trace:
    """A daemon is abandoned, another thread raises, and one was stopped."""
    lanes = (
        Lane("MainThread", (Span("running", 0, 0), Span("sleeping", 0, 1, "sleep 1"))),
        Lane("heartbeat", (Span("sleeping", 0, 1, "sleep 5"),), daemon=True, ending="abandoned"),
        Lane("reader", (Span("sleeping", 0, 0.4, "sleep 0.4"), Span("running", 0.4, 0.4)), ending="raised"),
        Lane("spinner", (Span("running", 0, 1),), ending="stopped"),
    )
    events = (
        TraceEvent(0, 0, "start", "heartbeat"),
        TraceEvent(0, 1, "begin", cause=0),
        TraceEvent(0.4, 2, "error", "ValueError", "no such row"),
        TraceEvent(1, 1, "abandon"),
    )
    return Trace(lanes, events, 1)


def many(threads: int = 200) -> Trace:
    """Threads that sleep for different times."""
    return Trace(
        (
            Lane("MainThread", (Span("blocked", 0, 2, "Thread.join"),)),
            *(
                Lane(f"Thread-{i}", (Span("running", 0, 0), Span("sleeping", 0, 1 + i / threads, "sleep")))
                for i in range(1, threads)
            ),
        ),
        duration=2,
    )


def busy(lanes: int = 8, spans: int = 50, step: float = 0.01) -> Trace:
    """Every lane goes through all states again and again, blocked on a lock and on anything else."""
    states: tuple[tuple[State, On], ...] = (
        ("running", ""), ("ready", ""), ("sleeping", ""), ("blocked", "lock"), ("blocked", "")
    )  # fmt: skip
    rows = []
    for row in range(lanes):
        marks = []
        for k in range(spans):
            state, on = states[(k + row) % 5]
            marks.append(Span(state, k * step, (k + 1) * step, f"{state} {k}", on=on))
        rows.append(Lane(f"worker-{row}", tuple(marks), (Held("lock", row * step, (row + 4) * step),)))
    return Trace(tuple(rows), duration=spans * step, clock="real")


def in_turns(times: int, running: float) -> Trace:
    """One thread that runs for this share of every second, and sleeps for the rest of it."""
    spans: list[Span] = []
    for k in range(times):
        spans += [Span("running", k, k + running), Span("sleeping", k + running, k + 1)]
    return Trace((Lane("A", tuple(spans)),), duration=times)


def named(*names: str) -> Trace:
    """One sleeping thread for each name."""
    return Trace(tuple(Lane(name, (Span("sleeping", 0, 1, "sleep 1"),)) for name in names), duration=1)


def producer_consumer() -> Trace:
    """A queue: each put ends the consumer's wait for it; nested locks are held for a while."""
    put = tuple(Span("sleeping", k * 0.2, (k + 1) * 0.2, "sleep 0.2") for k in range(4))
    get = tuple(Span("blocked", k * 0.2, (k + 1) * 0.2, "Queue.get", 5) for k in range(4))
    held = (Held("outer", 0.2, 0.7), Held("inner", 0.3, 0.5))
    events = [TraceEvent(0, 0, "start", "consumer"), TraceEvent(0, 1, "begin", cause=0)]
    for k in range(4):
        events.append(TraceEvent((k + 1) * 0.2, 0, "call", "Queue.put"))
        events.append(TraceEvent((k + 1) * 0.2, 1, "wake", "Queue.get", cause=len(events) - 1))
    return Trace((Lane("producer", put, held), Lane("consumer", get)), tuple(events), 0.8)


def queues(count: int = 1, items: int = 6, maxsize: str = "4") -> Trace:
    """Each queue gets an item every 0.1 s and gives one every 0.2 s, without anybody waiting."""
    events = []
    for number in range(count):
        name = f"orders-{number}" if count > 1 else "orders"
        puts, depth = [], 0
        events.append(TraceEvent(0, 0, "queue", name, maxsize))
        for k in range(2 * items):
            if k < items:
                depth += 1
                puts.append(len(events))
                events.append(TraceEvent(k * 0.1, 0, "put", name, str(depth), 4))
            if k % 2:
                depth -= 1
                events.append(TraceEvent(k * 0.1, 1, "get", name, str(depth), 8, puts[k // 2]))
    end = (2 * items - 1) * 0.1
    lanes = (Lane("clerk", (Span("sleeping", 0, end, "sleep"),)), Lane("cook", (Span("sleeping", 0, end, "sleep"),)))
    return Trace(lanes, tuple(events), end)


EMPTY = Trace(())
INSTANT = race(2, 0.0)
