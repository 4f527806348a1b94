"""`interact`: sliders that run a scenario again at every movement, with its timeline, log and outcome."""

import asyncio
import html
import inspect
import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from ..calls import check_scenario
from ..errors import ThreadvizError
from ..picture.lettering import width
from ..picture.live import LiveTimeline
from ..run import Run
from ..verbs import RESERVED, record, simulate
from .for_real import ForReal, handed_over, running_loop
from .goals import Goal, check_goal, reaches
from .learner_progress import note

SETTLE = 0.005  # seconds, real: a movement is drawn when no newer one came in for so long
PATIENCE = 0.1  # seconds, real: a movement that is always followed by newer ones is drawn after so long
_LOG_LINES = 100
_LABEL = 190  # CSS pixels that the name of a control takes at most


def interact(scenario: Callable[..., Any], /, *, goal: Goal | None = None, **abbreviations: Any) -> "Interaction":
    """Sliders for a scenario's parameters; every movement simulates it again and redraws its timeline.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.
    goal : pair, optional
        What is to be reached with the sliders, in words, and a predicate of the Run that says whether it is:
        `("lose five of eight updates", lambda run: run.result() == 3)`.  Once reached, it stays so.
    **abbreviations
        A control for each parameter, as for `ipywidgets.interact`: `(min, max)`, `(min, max, step)`, a list, a bool
        or a widget.  Parameters without one keep their default.  `cores` is that of `simulate`:
        `cores=[("one GIL", None), ("2 cores, no GIL", 2)]`.

    Returns
    -------
    Interaction
        A widget with `.controls` (parameter name to widget, `seed` among them), `.run`, the newest Run, and `.reached`.

    Raises
    ------
    TypeError, ValueError
        In one sentence: what does not fit, where, and how to mend it.
    """
    check_scenario(scenario, "interact", ("goal", *RESERVED))
    if goal is not None:
        check_goal(goal)
    return Interaction(scenario, _controls(scenario, abbreviations), goal)


def _controls(scenario: Callable[..., Any], abbreviations: dict[str, Any]) -> dict[str, ipywidgets.ValueWidget]:
    name = getattr(scenario, "__name__", type(scenario).__name__)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = {k: p for k, p in inspect.signature(scenario).parameters.items() if p.kind not in variadic}
    controls = {}
    for key, abbreviation in abbreviations.items():
        if key == "cores":  # simulate's own option, which check_scenario lets no scenario have
            controls[key] = _control("interact", key, _without_none(abbreviation), inspect.Parameter.empty)
            continue
        if key not in parameters:
            raise TypeError(f"{name}() has no parameter {key!r}; it has {', '.join(parameters) or 'none'}")
        controls[key] = _control(name, key, abbreviation, parameters[key].default)
    for key, parameter in parameters.items():
        if key not in controls and parameter.default is parameter.empty:
            raise TypeError(f"{name}() needs a value for {key!r}; give it a control such as {key}=(1, 8), or a default")
    return controls


def _without_none(abbreviation: Any) -> Any:
    """Zero for None among the options of a list: a Dropdown whose value is None may show no label at all."""
    if not isinstance(abbreviation, list):
        return abbreviation
    pairs = [each if isinstance(each, tuple) else (str(each), each) for each in abbreviation]
    return [(label, 0 if value is None else value) for label, value in pairs]


def _control(name: str, key: str, abbreviation: Any, default: Any) -> ipywidgets.ValueWidget:
    match abbreviation:
        case tuple([int() | float() as low, int() | float() as high, *_]) if low > high:
            raise ValueError(f"the range {abbreviation} for {key!r} of {name}() is upside down; write ({high}, {low})")
    try:
        control = ipywidgets.interactive.widget_from_abbrev(abbreviation, default)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{abbreviation!r} cannot be a control for {key!r} of {name}(): {error}") from error
    if control is None:
        raise ValueError(f"{abbreviation!r} cannot be a control for {key!r} of {name}(); write (min, max) or a list")
    if isinstance(control, ipywidgets.DOMWidget):
        control.description = control.description or key
    if isinstance(control, ipywidgets.FloatSlider) and isinstance(abbreviation, tuple):
        # With two decimals, which it has by itself, 0.005 and 0.01 would read the same.
        decimals = f"{control.step or 0:.6f}".rstrip("0").partition(".")[2]
        control.readout_format = f".{max(2, len(decimals))}f"
    return control


class Interaction(ipywidgets.VBox):  # type: ignore[misc]
    """Controls, outcome, timeline, log and words of the newest run.

    Attributes
    ----------
    controls : dict of str to widget
        Parameter name to its control; `seed` shuffles the order of threads that can go on, 0 leaves it as it is.
    reached : bool
        Whether some run has reached the goal.
    """

    def __init__(
        self, scenario: Callable[..., Any], controls: dict[str, ipywidgets.ValueWidget], goal: Goal | None
    ) -> None:
        self._scenario = scenario
        self._goal = goal
        self.reached = False
        self._home = running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._draw_by = 0.0
        self._drawn_at = 0.0
        self._busy = False
        self._run: Run | None = None
        self.for_real = ForReal(
            lambda: self.run, lambda: record(self._scenario, **self._values(real=True)), self._beside
        )
        self.draws = 0
        seed = ipywidgets.IntSlider(0, 0, 20, description="shuffle the order (0: no)")
        self.controls = {**controls, "seed": _control("interact", "seed", seed, inspect.Parameter.empty)}
        self._live = LiveTimeline()
        seen = [control for control in self.controls.values() if isinstance(control, ipywidgets.DOMWidget)]
        _align(seen)
        rows = ipywidgets.HBox(seen, layout={"flex_flow": "row wrap", "max_width": "100%"})
        self._aim = ipywidgets.HTML()
        super().__init__([*([self._aim] if goal is not None else []), rows, self._live, self.for_real])
        self.add_class("threadviz-interact")
        for control in self.controls.values():
            control.observe(self._moved, "value")
        self._redraw()

    @property
    def run(self) -> Run:
        """The newest Run, with the controls where they stand now unless it was stopped or refused there."""
        if self._waiting is not None:
            self._redraw()
        assert self._run is not None
        return self._run

    def _moved(self, _change: object = None) -> None:
        """Draw at once where there was rest; otherwise when the movements that are queued already have come in."""
        if handed_over(self._home, self._moved):
            return
        loop = running_loop()
        is_at_rest = self._waiting is None and time.monotonic() - self._drawn_at >= SETTLE
        if loop is None or (is_at_rest and not self.for_real.is_repeating):
            self._redraw()
            return
        if self._waiting is None:
            self._draw_by = loop.time() + PATIENCE
        else:
            self._waiting.cancel()
        self._waiting = loop.call_at(min(loop.time() + SETTLE, self._draw_by), self._redraw)

    def _redraw(self) -> None:
        """Run and draw."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._busy:  # a movement in the middle of a run: the run's own redraw comes first
            return
        self._busy = True
        at = self._at()
        self._live.begin(at)
        self.for_real.clear(at)
        try:
            seed = self.controls["seed"].value or None
            self._show(simulate(self._scenario, seed=seed, **self._values()))
        except KeyboardInterrupt:
            if self._run is None:  # the very first run: there is no widget yet, and the cell itself is stopped
                raise
            self._live.show({}, "stopped; move a slider to run it again")
        except (ThreadvizError, TypeError, ValueError) as error:
            if self._run is None:
                raise
            self._live.show({}, str(error))
        finally:
            self._busy = False
            self._drawn_at = time.monotonic()

    def _values(self, real: bool = False) -> dict[str, Any]:
        """What the controls say, to `simulate` or to `record`, which has neither seed nor cores."""
        left_out = ("seed", "cores") if real else ("seed",)
        values = {key: _plain(control.value) for key, control in self.controls.items() if key not in left_out}
        if "cores" in values:
            values["cores"] = values["cores"] or None
        return values

    def _at(self) -> dict[str, Any]:
        """Where the controls stand, as the page has it: by the model's id, the name of what is synchronized."""
        at = {}
        for control in self.controls.values():
            if isinstance(control, ipywidgets.Widget):
                name = next((name for name in ("index", "value") if name in control.keys), None)
                if name is not None and control.trait_metadata(name, "to_json") is None:
                    at[control.model_id] = [name, control.get_state(name)[name]]
        return at

    def _beside(self, recorded: Run) -> Run:
        """Draw the simulated run on the time axis of a recorded one, too."""
        self._live.show(self.run.face(recorded), self._live.said)
        return self.run

    def _show(self, run: Run) -> None:
        self._run = run
        self.draws += 1
        said = [] if run.outcome == "None" else [f"outcome: {run.outcome}"]
        if self._goal is not None:
            said += self._compared(run, self._goal)
        self._live.show(run.face(), " – ".join(said))

    def _compared(self, run: Run, goal: Goal) -> list[str]:
        """Say what a run has to do with the goal, which stays reached."""
        said = []
        try:
            if reaches(run, goal):
                said = ["the goal is reached!"]
                if not self.reached and self.draws > 1:  # by a movement
                    note("goals", f"{getattr(self._scenario, '__name__', 'scenario')}: {goal[0]}", True)
                self.reached = True
        except ValueError as error:
            said = [str(error)]
        self._aim.value = f"<b>Goal: {html.escape(goal[0])}{' – reached!' if self.reached else ''}</b>"
        return said

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        run = self.run
        text = run.describe() + (f"\n{_log_text(run)}" if run.log else "")
        if self._goal is not None:
            text = f"Goal: {self._goal[0]}\n{text}"
        return self._live.bundle(run.on_paper(), text, self)


def _align(controls: list[ipywidgets.DOMWidget]) -> None:
    """Let the tracks of all sliders begin at the same place, in two columns."""
    wide = min(max((width(control.description, 13) + 10 for control in controls), default=0), _LABEL)
    for control in controls:
        control.style.description_width = f"{wide:.0f}px"
        control.layout.width = "400px"


def _plain(value: Any) -> Any:
    """A slider's value without the noise of its steps: 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _log_text(run: Run) -> str:
    lines = [str(line) for line in run.log[:_LOG_LINES]]
    if len(run.log) > _LOG_LINES:
        lines.append(f"and {len(run.log) - _LOG_LINES} more lines")
    return "\n".join(lines)
