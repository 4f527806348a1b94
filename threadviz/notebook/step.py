"""`step`: the learner is the scheduler, and says which thread makes the next step."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import anywidget
import ipywidgets
import traitlets

from ..calls import call_text, check_scenario
from ..errors import ThreadvizError
from ..exploration.exploration import explore
from ..exploration.walk import Walk
from ..picture.live import LiveTimeline
from ..run import Run
from .for_real import handed_over, running_loop
from .goals import Goal, check_goal, reaches
from .learner_progress import note

RESERVED = ("goal",)
_HERE = Path(__file__).parent
_AROUND = 200  # lines of a function that are shown at most


def step(scenario: Callable[..., Any], /, *args: Any, goal: Goal | None = None, **kwargs: Any) -> "Stepper":
    """Lead a scenario by hand: choose which thread makes the next step, a read, a write or a call at a time.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.  Called with the other arguments, again at each step.
    goal : pair, optional
        What is to be reached, in words, and a predicate of the finished Run that says whether it is:
        `("make it lose an update", lambda run: run.result() == 1)`.

    Returns
    -------
    Stepper
        A widget with `.choose(thread_name)`, `.undo()`, `.reset()`, `.run`, `.finished` and `.reached`.

    Raises
    ------
    MadeOutside, NotRepeatable, AlreadyRunning, TypeError, ValueError
        As for `explore`.
    """
    check_scenario(scenario, "step", RESERVED)
    if goal is not None:
        check_goal(goal)
    call = call_text(scenario, args, kwargs)
    return Stepper(call, partial(scenario, *args, **kwargs), goal)


class _Panel(anywidget.AnyWidget):
    """Code, buttons and what threads share; what is pressed comes back as a message."""

    _esm = (_HERE / "step.js").read_text(encoding="utf-8")
    _css = (_HERE / "step.css").read_text(encoding="utf-8")
    state = traitlets.Dict().tag(sync=True)


class Stepper(ipywidgets.VBox):  # type: ignore[misc]
    """The code, a button for each thread, what threads share, and the timeline so far.

    Attributes
    ----------
    finished : bool
        The run has come to its end: nobody can go on.
    reached : bool
        It has, and the goal is reached.
    """

    def __init__(self, call: str, program: partial[Any], goal: Goal | None) -> None:
        self._name = call.partition("(")[0]
        self._program = program
        self._goal = goal
        self._walk = Walk(call, program)
        self._said = ""
        self._panel = _Panel()
        self._home = running_loop()
        self._panel.on_msg(self._pressed)
        self._live = LiveTimeline()
        super().__init__([self._panel, self._live])
        self.add_class("threadviz-step")
        self._show()

    @property
    def run(self) -> Run:
        """The Run up to here."""
        return self._walk.state.run

    @property
    def finished(self) -> bool:
        return self._walk.state.is_over

    @property
    def reached(self) -> bool:
        try:
            return self.finished and self._goal is not None and reaches(self.run, self._goal)
        except ValueError:  # which is said where the end is shown
            return False

    def choose(self, thread_name: str) -> None:
        """Let a thread make its next step; ValueError where it cannot."""
        numbers = {stand.name: stand.number for stand in self._walk.state.stands}
        if thread_name not in numbers:
            raise ValueError(f"there is no thread {thread_name!r} now; there is {', '.join(numbers) or 'none'}")
        self._walk.choose(numbers[thread_name])
        self._show()
        if self._goal is not None and self.reached:  # by hand, and not by "show me"
            note("goals", f"{self._name}: {self._goal[0]}", True)

    def choose_line(self, thread_name: str) -> None:
        """Let a thread go on until it stands in another line, or cannot go on."""
        line = self._line_of(thread_name)
        self.choose(thread_name)
        while self._line_of(thread_name) == line != 0:
            self.choose(thread_name)

    def undo(self) -> None:
        """Take the newest step back."""
        self._walk.undo()
        self._show()

    def reset(self) -> None:
        """Begin anew."""
        self._walk.reset()
        self._show()

    def show_me(self) -> None:
        """Go to the end of the simplest run that reaches the goal, or, without one, that goes wrong."""
        found = explore(self._program)
        examples = found.step_examples()
        goal = self._goal
        wanted = examples if goal is not None else examples[:1] * (found.counterexample is not None)
        here = self._walk.choices
        for choices in wanted:
            self._walk.go_to(choices)
            if goal is None or self.reached:
                self._show()
                return
        self._walk.go_to(here)
        self._show("no run of this program reaches that" if found.complete else "no such run was found")

    def _line_of(self, thread_name: str) -> int:
        for stand in self._walk.state.stands:
            if stand.name == thread_name and stand.can_go:
                return stand.line or 0
        return 0

    def _pressed(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        if handed_over(self._home, partial(self._pressed, _widget, message, _buffers)):
            return
        try:
            match message:
                case {"choose": int(number), "line": bool(whole_line)}:
                    names = {stand.number: stand.name for stand in self._walk.state.stands}
                    if number in names:
                        (self.choose_line if whole_line else self.choose)(names[number])
                case {"press": "undo"}:
                    self.undo()
                case {"press": "reset"}:
                    self.reset()
                case {"press": "show"}:
                    self.show_me()
        except (ThreadvizError, ValueError) as error:
            self._show(str(error))

    def _show(self, said: str = "") -> None:
        state = self._walk.state
        if not said and state.is_over:
            said = f"the end: {state.run.outcome}"
            if self._goal is not None:
                try:
                    is_reached = reaches(state.run, self._goal)
                    said += " – reached!" if is_reached else " – not reached yet: undo, or begin anew"
                except ValueError as error:
                    said += f"; {error}"
        self._panel.state = {
            "goal": self._goal[0] if self._goal is not None else "",
            "said": said,
            "over": state.is_over,
            "reached": self.reached,
            "steps": self._walk.steps,
            "can_undo": self._walk.can_undo,
            "threads": [
                {
                    "number": stand.number,
                    "name": stand.name,
                    "can": stand.can_go,
                    "tells": stand.tells,
                    "line": stand.line,
                    "variables": [list(each) for each in stand.variables],
                }
                for stand in state.stands
            ],
            "places": [list(each) for each in state.places],
            "code": self._code(),
        }
        self._live.show(state.run.face())

    def _code(self) -> list[dict[str, Any]]:
        """The functions that threads are in, with the names of those that stand before each line."""
        codes: dict[CodeType, dict[int, list[str]]] = {}
        for stand in self._walk.state.stands:
            if stand.code is not None and stand.line is not None:
                codes.setdefault(stand.code, {}).setdefault(stand.line, []).append(stand.name)
        shown = []
        for code, marks in codes.items():
            try:
                lines, first = inspect.getsourcelines(code)
            except (OSError, TypeError):
                continue
            rows = [[first + i, line.rstrip("\n"), marks.get(first + i, [])] for i, line in enumerate(lines[:_AROUND])]
            shown.append({"name": code.co_name, "lines": rows})
        return shown

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        told = [self._goal[0]] if self._goal is not None else []
        told += [f"{stand.name} {stand.tells}" for stand in self._walk.state.stands]
        return self._live.bundle(self.run.on_paper(), "\n".join(told), self)
