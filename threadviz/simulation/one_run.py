"""A simulated scenario on its stage: what it may share is looked at once, then it is run once or thousands of times."""

from functools import cached_property, partial
from types import FrameType, TracebackType
from typing import Any

from ..errors import StopRun
from ..learner.code import raised_at, set_home
from ..learner.outside import alike, survey
from ..learner.points import Points
from ..schedule import Policy, Replay, Schedule
from ..stage.stage import Finished, Stage, exclusively, interrupted_with, one_each
from ..stage.watchdog import Watchdog
from ..tab import check_can_switch
from ..texts import error_parts
from .locks import Lock
from .scheduler import Scheduler
from .shared import Shared
from .signals import can_be_interrupted, let_main_handle, signalled
from .simplequeue import SimpleQueue
from .simulator import Simulator
from .stepped import SteppedThreads
from .stepping import Stepping
from .tasks import Carrier, end_carriers
from .threads import SimulatedThreads


def simulate_once(program: partial[Any], policy: Policy, seed: int, cores: int | None) -> Finished:
    """Run a scenario's call on the virtual clock.

    KeyboardInterrupt and ScheduleMismatch come through; all else is kept.
    """
    with exclusively(), Simulation(program, policy.preempts) as simulation:
        return simulation.run(policy, seed, cores)


def replay_steps(program: partial[Any], schedule: Schedule) -> Finished:
    """Run a scenario's call once more as it was explored; as `simulate_once` otherwise."""
    with exclusively(), Simulation(program, steps=True) as simulation:
        simulation.run(Replay(schedule), noted=False)  # which finds out what is shared
        return simulation.run(Replay(schedule))


class Simulation:
    """A scenario's call, ready to be run; its stage stands between `__enter__` and `__exit__`.

    MadeOutside, by name, for a primitive that the scenario can reach and has not made itself; NotInThisTab where a
    browser cannot run it.  With `preempts` a policy may switch threads just before an access; with `steps` they go
    step by step, at what is known to be `shared`.  Where nothing is `noted`, traces are empty.
    """

    def __init__(
        self,
        program: partial[Any],
        preempts: bool = False,
        steps: bool = False,
        noted: bool = True,
        shared: Shared | None = None,
    ) -> None:
        check_can_switch()
        self._program = program
        around = survey(program, (Lock, SimpleQueue))
        set_home(around.home)
        self._holders = around.holders
        functions = alike(around.functions) if steps else around.functions
        self._points = Points(functions, around.scripts, preempts or steps, noted)
        self._stage = Stage(SteppedThreads if steps else SimulatedThreads, program, self._holders, self._points)
        self._noted = noted
        self.shared = (Shared() if shared is None else shared) if steps else None  # for runs that go step by step
        self._watchdog = Watchdog(self)
        self._simulator: Simulator | None = None  # of the run that goes on
        self.newest: Simulator | None = None  # of the run before it
        self._between_runs = 0
        self._idle: list[Carrier] = []  # stacks that carried a thread of a run before
        self._interrupted = False  # by the stop button, between two runs
        self._pressed = False  # during the run: the first time it interrupts the learner's code, which may catch it

    def __enter__(self) -> "Simulation":
        self._watchdog.__enter__()
        try:
            self._stage.__enter__()
        except BaseException:
            self._watchdog.__exit__()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            end_carriers(self._idle)
            self._stage.__exit__(kind, error, traceback)
        finally:
            self._watchdog.__exit__()
        if self._interrupted:  # while everything was put back
            raise KeyboardInterrupt

    def run(self, policy: Policy, seed: int = 0, cores: int | None = None, noted: bool = True) -> Finished:
        """One run.  Where it is not `noted` it has the same outcome and an empty trace."""
        if self.newest is not None:
            self.newest.take_apart()
        policy.begin()  # not on the stage, as it may import what it needs
        noted = noted and self._noted
        if self.shared is not None:
            stepping = Stepping(policy, self.shared, noted)
            simulator: Simulator = stepping
            engine: SimulatedThreads = SteppedThreads(stepping, self._stage.output)
        else:
            simulator = Scheduler(policy, cores, noted)
            engine = SimulatedThreads(simulator, self._stage.output)
        kept: dict[str, Any] = {}

        def main() -> None:
            try:
                kept["value"] = self._program()
            except BaseException as error:
                if simulator.is_over or isinstance(error, StopRun):
                    return
                kept["error"] = error
                simulator.tasks[0].ending = "raised"
                simulator.record("error", *error_parts(error), line=raised_at(error))
                if self._pressed and isinstance(error, KeyboardInterrupt):
                    simulator.mark("interrupted", None)
                    return
            engine.drain_pools()

        simulator.idle = self._idle
        self._simulator, self._pressed = simulator, False
        self._stage.begin(engine, seed)
        try:
            for holder in self._holders:
                if issubclass(type(holder), cached_property) and hasattr(holder, "lock"):  # up to CPython 3.11
                    engine.patches.slot(holder, "lock", engine.RLock())
            if self._interrupted:
                raise KeyboardInterrupt
            simulator.run(main)
        finally:
            engine.forget_pools()
            self._stage.end(engine)
            self._simulator, self.newest = None, simulator
        stuck = simulator.stuck()
        simulator.events.notes[:0] = self._points.unseen
        finished = Finished(
            simulator.trace(),
            Schedule(simulator.choices, steps=self.shared is not None),
            self._stage.output.lines,
            kept.get("value"),
            stuck or kept.get("error"),
            one_each([*engine.errors, *self._stage.silent.errors()]),
            simulator.deadlocked and stuck is None,
            self._points.codes,
        )
        if simulator.stop_now == "interrupted":
            raise interrupted_with(finished, kept.get("error"))
        return finished

    # ---- what the watchdog asks and says; it may do so at any time, also between two runs ----

    @property
    def unseen(self) -> list[str]:
        """A sentence on each function whose accesses are not seen."""
        return self._points.unseen

    @property
    def seen(self) -> int:
        """How many functions tell their accesses."""
        return self._points.seen

    @property
    def progress(self) -> int:
        if self._simulator is None:
            self._between_runs -= 1  # another number each time: whoever makes the runs is not to be ended
            return self._between_runs
        return self._simulator.progress

    @property
    def holds_up(self) -> bool:
        return self._simulator is None or self._simulator.holds_up

    def stop(self, why: str, frame: FrameType | None) -> None:
        simulator = self._simulator
        if simulator is None:
            self._interrupted |= why == "interrupted"
        elif why == "interrupted" and not self._pressed and can_be_interrupted(simulator):
            self._pressed = True
            signalled(simulator, _interrupt, frame, at_once=True)
        else:
            simulator.stop(why, frame)

    def computing(self, frame: FrameType | None) -> None:
        if self._simulator is not None:
            self._simulator.note_computing(frame)
            let_main_handle(self._simulator, frame)

    def strike(self, why: str, frame: FrameType | None) -> None:
        if self._simulator is not None:
            self._simulator.mark(why, frame)
            self._simulator.target.strike()
        else:
            self._interrupted |= why == "interrupted"


def _interrupt() -> None:
    raise KeyboardInterrupt
