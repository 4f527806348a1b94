"""`interact`: sliders that run a scenario again at every movement, with its timeline, log and outcome."""

import asyncio
import base64
import html
import inspect
from collections.abc import Callable
from typing import Any

import ipywidgets

from ..calls import check_scenario
from ..errors import ThreadvizError
from ..run import Run
from ..verbs import RESERVED, record, simulate
from .for_real import ForReal, handed_over, running_loop

SETTLE = 0.005  # seconds, real: a movement is drawn when no newer one came in for so long
PATIENCE = 0.1  # seconds, real: a movement that is always followed by newer ones is drawn after so long
_LOG_LINES = 100


def interact(scenario: Callable[..., Any], /, **abbreviations: Any) -> "Interaction":
    """Sliders for a scenario's parameters; every movement simulates it again and redraws its timeline.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.
    **abbreviations
        A control for each parameter, as for `ipywidgets.interact`: `(min, max)`, `(min, max, step)`, a list, a bool
        or a widget.  Parameters without one keep their default.  `cores` is that of `simulate`:
        `cores=[("one GIL", None), ("2 cores, no GIL", 2)]`.

    Returns
    -------
    Interaction
        A widget with `.controls` (parameter name to widget, `seed` among them) and `.run`, the newest Run.

    Raises
    ------
    TypeError, ValueError
        In one sentence: what does not fit, where, and how to mend it.
    """
    check_scenario(scenario, "interact", RESERVED)
    return Interaction(scenario, _controls(scenario, abbreviations))


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
        control.style = {"description_width": "initial"}
        control.layout.width = "330px"
    return control


class Interaction(ipywidgets.VBox):  # type: ignore[misc]
    """Controls, outcome, timeline, log and words of the newest run.

    Attributes
    ----------
    controls : dict of str to widget
        Parameter name to its control; `seed` shuffles the order of threads that can go on, 0 leaves it as it is.
    """

    def __init__(self, scenario: Callable[..., Any], controls: dict[str, ipywidgets.ValueWidget]) -> None:
        self._scenario = scenario
        self._home = running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._draw_by = 0.0
        self._busy = False
        self._run: Run | None = None
        self.for_real = ForReal(
            lambda: self.run, lambda: record(self._scenario, **self._values(real=True)), self._beside
        )
        self.draws = 0
        seed = ipywidgets.IntSlider(0, 0, 20, description="shuffle the order (0: no)")
        self.controls = {**controls, "seed": _control("interact", "seed", seed, inspect.Parameter.empty)}
        self._outcome = ipywidgets.HTML()
        self._picture = ipywidgets.HTML()
        self._log = ipywidgets.HTML()
        self._words = ipywidgets.HTML()
        seen = [control for control in self.controls.values() if isinstance(control, ipywidgets.DOMWidget)]
        rows = ipywidgets.HBox(seen, layout={"flex_flow": "row wrap"})
        super().__init__([rows, self._outcome, self._picture, self._log, self._words, self.for_real])
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
        """Draw when the movements that are queued already have come in; at once where there is no event loop."""
        if handed_over(self._home, self._moved):
            return
        loop = running_loop()
        if loop is None:
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
        self.for_real.clear()
        try:
            seed = self.controls["seed"].value or None
            self._show(simulate(self._scenario, seed=seed, **self._values()))
        except KeyboardInterrupt:
            if self._run is None:  # the very first run: there is no widget yet, and the cell itself is stopped
                raise
            self._show_nothing("stopped; move a slider to run it again")
        except (ThreadvizError, TypeError, ValueError) as error:
            if self._run is None:
                raise
            self._show_nothing(str(error))
        finally:
            self._busy = False

    def _values(self, real: bool = False) -> dict[str, Any]:
        """What the controls say, to `simulate` or to `record`, which has neither seed nor cores."""
        left_out = ("seed", "cores") if real else ("seed",)
        values = {key: _plain(control.value) for key, control in self.controls.items() if key not in left_out}
        if "cores" in values:
            values["cores"] = values["cores"] or None
        return values

    def _beside(self, recorded: Run) -> Run:
        """Draw the simulated run on the time axis of a recorded one, too."""
        self._picture.value = self.run.svg(recorded)
        return self.run

    def _say(self, text: str) -> None:
        large = "font-size: 1.5em; font-weight: bold"
        self._outcome.value = f'<div role="status" style="{large}">{html.escape(text)}</div>'

    def _show_nothing(self, why: str) -> None:
        """An old picture must not stand under a new setting."""
        self._say(why)
        self._picture.value = self._log.value = self._words.value = ""

    def _show(self, run: Run) -> None:
        self._run = run
        self.draws += 1
        self._picture.value = run.svg()
        self._say(f"outcome: {run.outcome}")
        self._log.value = _pre(_log_text(run)) if run.log else ""
        self._words.value = f"<details><summary>The picture in words</summary>{_pre(run.describe())}</details>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        run = self.run
        text = run.describe() + (f"\n{_log_text(run)}" if run.log else "")
        bundle["text/plain"] = text
        bundle["image/png"] = base64.b64encode(run.png()).decode("ascii")
        return bundle


def _plain(value: Any) -> Any:
    """A slider's value without the noise of its steps: 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _log_text(run: Run) -> str:
    lines = [str(line) for line in run.log[:_LOG_LINES]]
    if len(run.log) > _LOG_LINES:
        lines.append(f"and {len(run.log) - _LOG_LINES} more lines")
    return "\n".join(lines)


def _pre(text: str) -> str:
    style = "max-height: 16em; overflow: auto; line-height: 1.3; margin: 0; white-space: pre-wrap"
    return f'<pre style="{style}">{html.escape(text)}</pre>'
