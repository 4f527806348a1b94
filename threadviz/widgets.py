"""Sliders that run a scenario again at every movement: the widget side, and the only user of ipywidgets."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets
from ipywidgets.widgets.interaction import interactive

from . import telling
from .errors import ThreadvizError
from .run import RESERVED, Run, call_text, check_scenario, simulate
from .timeline import WIDTH, Timeline
from .trace import Trace
from .words import clean

SEEDS = 20
# Queued messages follow one another within a few turns of the kernel's event loop; this many without one mean none.
QUIET_TURNS = 12


class Interaction:
    """A scenario with a control for each parameter, and its newest run as outcome, picture, log and words.

    A control that is moved asks for a run.  Where an event loop is running, the run waits until no more movements
    are queued, so that only the newest values are drawn; where there is none, it follows at once.

    Attributes
    ----------
    controls : dict of str to widget
        Parameter name to widget; `seed` is None for threads in order, or the seed that shuffles them.
    widget : ipywidgets.VBox
        All that is shown, to be put into other layouts.
    """

    def __init__(self, scenario: Callable[..., Any], controls: Mapping[str, Any]) -> None:
        self._scenario = scenario
        self.controls = {**controls, "seed": _seed_control()}
        self._timeline = Timeline()
        self._text = ""
        self._asked = self._scheduled = self._busy = False
        self._quiet = 0
        self._outcome, self._log, self._words = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._picture = ipywidgets.Image(format="png", layout={"width": f"{WIDTH:g}px", "max_width": "100%"})
        self.widget = self._layout()
        self._run: Run = simulate(scenario, *self._arguments()[0], **self._arguments()[1])
        self._show(self._run)
        for control in self.controls.values():
            control.observe(self._moved, "value")

    @property
    def run(self) -> Run:
        """The run for the controls' present values, or the last one, where the scenario could not be run with them."""
        self._draw_what_is_asked()
        return self._run

    def _moved(self, _change: Any) -> None:
        self._asked = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._draw_what_is_asked()
            return
        self._quiet = QUIET_TURNS
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._quiet -= 1
        if self._quiet > 0 and self._asked:
            loop.call_soon(self._turn, loop)
        else:
            self._scheduled = False
            self._draw_what_is_asked()

    def _draw_what_is_asked(self) -> None:
        if not self._asked or self._busy:  # busy: the scenario itself has moved a control; its own run goes first
            return
        self._busy, self._asked = True, False
        try:
            args, kwargs = self._arguments()
            self._run = simulate(self._scenario, *args, **kwargs)
            self._show(self._run)
        except KeyboardInterrupt:  # let through, it would end the kernel's event loop, and so the kernel
            self._show_sentence("stopped", "the run was interrupted; move a slider to run it again")
        except (ThreadvizError, TypeError, ValueError) as error:
            self._show_sentence("cannot be run", str(error))
        finally:
            self._busy = False

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        values = {name: _tidy(control.value) for name, control in self.controls.items()}
        parameters = inspect.signature(self._scenario).parameters
        positional = [name for name in values if _is_positional_only(parameters.get(name))]
        return [values.pop(name) for name in positional], values

    def _show(self, run: Run) -> None:
        self._put(telling.call(run), *telling.outcome(run), run.png_with(self._timeline), run)

    def _show_sentence(self, headline: str, sentence: str) -> None:
        args, kwargs = self._arguments()
        del kwargs["seed"]
        call = call_text(self._scenario, tuple(args), kwargs)
        picture = self._timeline.png(Trace(()), f"{call}: {headline}")
        self._put(call, headline, sentence, True, picture, None)

    def _put(self, call: str, headline: str, detail: str, is_bad: bool, picture: bytes, run: Run | None) -> None:
        log = telling.log_lines(run.log) if run else ""
        described = run.describe() if run else f"{call}: {headline}\n{detail}"
        self._text = f"{described}\n\nprinted and logged:\n{log}" if log else described
        self._picture.value = picture
        self._outcome.value = _OUTCOME.format(
            call=escape(clean(call)),
            headline=escape(clean(headline)),
            detail=escape(detail),
            color="#882255" if is_bad else "#0072B2",
        )
        self._log.value = _PRE.format(name="printed and logged", text=escape(log or "nothing was printed or logged"))
        self._words.value = _PRE.format(name="the picture in words", text=escape(described))

    def _layout(self) -> Any:
        shown = [control for control in self.controls.values() if isinstance(control, ipywidgets.DOMWidget)]
        self._words.layout.display = "none"
        button = ipywidgets.ToggleButton(description="the picture in words", icon="align-left", layout={"width": "auto"})
        button.observe(self._toggle_words, "value")
        return ipywidgets.VBox([*shown, self._outcome, self._picture, self._log, button, self._words])

    def _toggle_words(self, change: Any) -> None:
        self._words.layout.display = None if change["new"] else "none"

    def __repr__(self) -> str:
        self._draw_what_is_asked()
        return self._text

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self._draw_what_is_asked()
        view = self.widget._repr_mimebundle_(**options) or {}
        # The picture and the words stay in stored notebooks, where nothing is live: GitHub, print, CI.
        data = {**view, "image/png": self._picture.value, "text/plain": self._text}
        return data, {"image/png": {"alt": self._text, "width": WIDTH}}


def interact(scenario: Callable[..., Any], /, **abbreviations: Any) -> Interaction:
    """Run a scenario on the virtual clock at every movement of a slider, and show what every thread did.

    Parameters
    ----------
    scenario : callable
        Builds its own state and uses threads; plain Python.  Each of its parameters gets a control.
    **abbreviations
        A control for a parameter, as for `ipywidgets.interact`: `(min, max)` or `(min, max, step)` for a slider,
        a list for a choice, a bool for a box to tick, or a widget.  A parameter without one gets the control that
        fits its default value; it keeps a default for which there is no such control.

    Returns
    -------
    Interaction
        Shows itself in a notebook.  `.controls` has the widgets by parameter name, and `seed`; `.run` is the newest
        Run.

    Raises
    ------
    TypeError, ValueError
        What is asked for cannot be made into controls; the sentence says why.
    MadeOutside
        The scenario can reach a lock, queue or event that it has not made itself.

    Examples
    --------
    >>> def double(number=2):
    ...     return number * 2
    >>> ui = interact(double, number=(1, 8))
    >>> ui.controls["number"].value = 5
    >>> ui.run.result()
    10
    """
    check_scenario(scenario, "interact", ("seed",))
    check_scenario(scenario, "simulate", RESERVED)
    return Interaction(scenario, _controls(scenario, abbreviations))


def _controls(scenario: Callable[..., Any], abbreviations: Mapping[str, Any]) -> dict[str, Any]:
    name = getattr(scenario, "__name__", type(scenario).__name__)
    parameters = inspect.signature(scenario).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    named = {key: each for key, each in parameters.items() if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
    for key in abbreviations:
        if key in RESERVED:
            raise ValueError(f"{key!r} is no parameter of {name}(): tv.interact has its own control for the order")
        if key not in named and not takes_any:
            has = f"it has {', '.join(named)}" if named else "it has none"
            raise ValueError(f"{name}() has no parameter {key!r}: {has}")
    controls = {}
    for key in dict.fromkeys([*named, *abbreviations]):
        default = named[key].default if key in named else inspect.Parameter.empty
        if key in abbreviations:
            controls[key] = _control(key, abbreviations[key], default)
        elif default is inspect.Parameter.empty:
            raise ValueError(
                f"{name}() needs a value for {key!r}: give it a default, or a control, as in tv.interact({name}, {key}=(1, 8))"
            )
        elif (control := interactive.widget_from_abbrev(default, default)) is not None:
            controls[key] = control
    widest = max((len(key) for key in [*controls, _SHUFFLE]), default=0)
    for key, control in controls.items():
        if isinstance(control, ipywidgets.DOMWidget) and not control.description:
            control.description = key
            if control is not abbreviations.get(key):
                control.style.description_width = f"{widest}ch"
    return controls


def _control(name: str, abbreviation: Any, default: Any) -> Any:
    shown = f"{name}={abbreviation!r}"
    if isinstance(abbreviation, tuple):
        if len(abbreviation) not in (2, 3) or not all(_is_number(each) for each in abbreviation):
            raise TypeError(f"{shown} is no slider: write (smallest, largest) or (smallest, largest, step), all numbers")
        low, high, *step = abbreviation
        if low > high:
            raise ValueError(f"{shown} is upside down: the smallest value comes first, as in ({high}, {low})")
        if step and step[0] <= 0:
            raise ValueError(f"{shown} has a step that leads nowhere: the third number must be greater than 0")
    elif isinstance(abbreviation, list | dict) and not abbreviation:
        raise ValueError(f"{shown} leaves nothing to choose: put at least one value into it")
    try:
        control = interactive.widget_from_abbrev(abbreviation, default)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{shown} cannot be made into a control: {error}") from error
    if control is None or not hasattr(control, "value"):
        raise TypeError(f"{shown} is no control: write (smallest, largest), a list, True or False, or a widget")
    return control


_SHUFFLE = "shuffle the order"


def _seed_control() -> Any:
    options = [("no", None), *((f"seed {seed}", seed) for seed in range(1, SEEDS + 1))]
    control = ipywidgets.SelectionSlider(options=options, description=_SHUFFLE)
    control.tooltip = "whose turn it is: the first that can go on, or one drawn by lot"
    return control


def _is_positional_only(parameter: inspect.Parameter | None) -> bool:
    return parameter is not None and parameter.kind is parameter.POSITIONAL_ONLY


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tidy(value: Any) -> Any:
    """Take off what adding up steps leaves behind: 0.30000000000000004 is shown, and used, as 0.3."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


_OUTCOME = """\
<div role="status" aria-live="polite" style="line-height: 1.4; overflow-wrap: anywhere">
<code>{call}</code>
<div style="font-size: 1.7em; font-weight: 600; color: {color}">{headline}</div>
<div style="white-space: pre-wrap">{detail}</div>
</div>"""
_PRE = """\
<div style="font-size: 0.9em; color: var(--jp-ui-font-color2, #555)">{name}</div>
<pre style="max-height: 15em; overflow: auto; margin: 0; white-space: pre-wrap; line-height: 1.35" tabindex="0"
>{text}</pre>"""
