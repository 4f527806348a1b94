"""`predict`: the learner says what a program will do, and only then it runs."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import traitlets

from ..calls import call_text, check_scenario, short
from ..errors import ThreadvizError
from ..exploration.exploration import Exploration, explore
from ..exploration.explorer import shown
from ..picture.live import LiveTimeline, outcomes_html
from ..run import Run
from ..texts import error_text
from ..verbs import RESERVED as SIMULATES
from ..verbs import simulate
from .answers import NEVER, TOLERANCE, Ask, Outcomes, Truth, is_never, read_seconds, told, truth_of, truth_of_all
from .for_real import handed_over, running_loop
from .learner_progress import note, score

RESERVED = ("question", "ask", "options", "expect", *SIMULATES)
_KINDS = ("result", "duration", "order", "outcomes", "measured")
_MANY = ("order", "outcomes")  # of whose options there may be several in an answer
_HERE = Path(__file__).parent


def predict(
    question: str,
    scenario: Callable[..., Any],
    /,
    *args: Any,
    ask: Ask = "result",
    options: Sequence[object] | None = None,
    expect: object = None,
    **kwargs: Any,
) -> "Prediction":
    """Ask what a scenario will do: it runs once there is a prediction, and its run says whether that was right.

    Nothing of the run is in the notebook before.  The first prediction counts; others may be tried after it.

    Parameters
    ----------
    question : str
        What is to be predicted, in words; `code` in backticks.
    scenario : callable
        Builds its own state and uses threads; plain Python.  Called with the other arguments, on the virtual clock;
        `seed`, `schedule` and `cores` are those of `simulate`.
    ask : {"result", "duration", "order", "outcomes", "measured"}, callable or pair, optional
        What is compared: the value that the scenario returns; its duration in seconds, virtual, within 5 percent; the
        order in which `options` come in what is printed and logged; all outcomes that are possible, in every
        interleaving, which is explored; what this function of the Run returns: `ask=lambda run: len(run.trace.lanes)`;
        or what a function of all outcomes and their numbers does: `ask=("outcomes", min)`,
        `ask=("outcomes", lambda outcomes: outcomes[1])`.  "never ends" is right for a result or a duration where the
        run stands still for ever or has no end, and the name of an exception where the scenario raises it.
        "measured" is for a function that makes its own runs, on real threads for example: it is called as it stands,
        nothing is simulated, and what it returns is compared.  A run is shown only where it returns one with its
        answer: `return answer, run`.
    options : sequence, optional
        The answers to choose from, one or, for outcomes, all that are possible; for an order, lines or parts of lines,
        which are shown sorted, and those that never come are to be left out.  Without them the answer is typed in:
        `2` is as good as `2.0`.
    expect : object or callable, optional
        For questions about outcomes, as in `explore`, and then all is shown that `explore` shows: the simplest run
        that is not as expected and, where there are two threads, the progress graph.

    Returns
    -------
    Prediction
        A widget with `.answer(value)`, `.right` and `.run`.

    Raises
    ------
    TypeError, ValueError
        In one sentence: what does not fit, and how to mend it.

    Examples
    --------
    >>> import threading, time
    >>> def nap():
    ...     sleepers = [threading.Thread(target=time.sleep, args=(2,)) for _ in range(3)]
    ...     for sleeper in sleepers:
    ...         sleeper.start()
    ...     for sleeper in sleepers:
    ...         sleeper.join()
    >>> ui = predict("Three threads sleep for two seconds each. How long does it take?", nap, ask="duration")
    >>> ui.run is None
    True
    >>> ui.answer("6 s")
    >>> print(ui.said)
    Not so: you said 6 s, and it takes 2 s.
    """
    if not isinstance(question, str) or not question.strip():
        raise TypeError('predict needs a question in words first: tv.predict("What does it return?", race)')
    check_scenario(scenario, "predict", RESERVED)
    of_all = isinstance(ask, tuple) and len(ask) == 2 and ask[0] == "outcomes" and callable(ask[1])
    if not (callable(ask) or of_all or ask in _KINDS):
        kinds = ", ".join(map(repr, _KINDS))
        raise TypeError(f"ask must be {kinds}, a function of a run, or ('outcomes', a function of them), not {ask!r}")
    choices = _choices(ask, options)
    made = {key: kwargs.pop(key) for key in SIMULATES if key in kwargs}
    explores = of_all or ask == "outcomes"
    if made and explores:
        raise ValueError(f"every interleaving is run for its outcomes: leave out {', '.join(made)}")
    if made and ask == "measured":
        raise ValueError(f"nothing is simulated where the scenario itself measures: leave out {', '.join(made)}")
    if expect is not None and not explores:
        raise ValueError("expect is for questions about outcomes: leave it out")
    # one sentence now, and not after the answer, for arguments that do not fit
    name = call_text(scenario, args, kwargs).partition("(")[0]
    verb: Callable[..., Run | Exploration | _Measured] = partial(simulate, **made)
    if ask == "measured":
        verb = _measure
    elif explores:
        verb = partial(explore, expect=expect)
    return Prediction(
        question.strip(), name, partial(verb, scenario, *args, **kwargs), ask, choices, expect is not None
    )


class _Measured(NamedTuple):
    """What a scenario that makes its own runs came to, and the run that it wants to be shown."""

    answer: Any
    run: Run | None


def _measure(scenario: Callable[..., Any], *args: Any, **kwargs: Any) -> _Measured:
    match scenario(*args, **kwargs):
        case (answer, Run() as run):
            return _Measured(answer, run)
        case answer:
            return _Measured(answer, None)


def _choices(ask: Ask, options: Sequence[object] | None) -> list[Any]:
    if options is None:
        if ask == "order":
            raise TypeError('ask="order" needs options: lines of what is printed, or parts of them, to be put in order')
        return []
    if isinstance(options, str) or not isinstance(options, Sequence) or len(options) < 2:
        raise TypeError(f"options must be a list of two or more answers, not {options!r}")
    if ask == "order" and not all(isinstance(each, str) for each in options):
        raise TypeError(f"the options of an order must be texts, lines or parts of lines, not {options!r}")
    labels = [_label(ask, each) for each in options]
    if len(set(labels)) < len(labels):
        raise ValueError(f"two of the options are the same: {', '.join(labels)}")
    # In the order in which somebody wrote them down they might be the answer.
    return sorted(options) if ask == "order" else list(options)


def _label(ask: Ask, option: object) -> str:
    """An option as it is shown; ValueError where it is no answer to the question."""
    if ask == "duration" and not is_never(option):
        read_seconds(option)
        return option if isinstance(option, str) else f"{option:g} s"
    return option if isinstance(option, str) else short(option)


class _Panel(anywidget.AnyWidget):
    """The question and a form for the answer, which comes back as a message."""

    _esm = (_HERE / "predict.js").read_text(encoding="utf-8")
    _css = (_HERE / "predict.css").read_text(encoding="utf-8")
    asked = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)


class Prediction(ipywidgets.VBox):  # type: ignore[misc]
    """A question; after the answer also the run, and whether the answer was right.

    Attributes
    ----------
    right : bool or None
        Whether the newest prediction is right; None before there is one.
    run : Run or None
        The run; None before there is a prediction, and where something was measured that is no run.
    said : str
        What came of the newest prediction, in a sentence.
    """

    def __init__(
        self, question: str, name: str, made: Callable[[], Any], ask: Ask, options: list[Any], expects: bool
    ) -> None:
        self._question, self._name, self._made = question, name, made
        self._ask, self._options, self._expects = ask, options, expects
        self._labels = [_label(ask, each) for each in options]
        self._truth: Truth | None = None
        self._bars = ""
        self._found: Exploration | None = None  # where all of it is shown
        self._first: str | None = None
        self._home = running_loop()
        self.run: Run | None = None
        self.right: bool | None = None
        self.said = ""
        self._panel = _Panel(asked=self._asked(), state={"said": "", "right": None})
        self._panel.on_msg(self._pressed)
        self._live = LiveTimeline()
        super().__init__([self._panel, self._live])
        self.add_class("threadviz-predict")

    def answer(self, value: object) -> None:
        """Predict `value`; of options, one of them, and for an order or outcomes a list of them.

        Raises
        ------
        ValueError, TypeError
            In one sentence, for what is no answer to the question: it does not count.
        """
        said = self._read(value)
        if self._truth is None:
            self._come(self._made(), value)
            assert self._truth is not None
        self.right = self._truth.matches(value)
        again = "" if self._first is None else f" What counts is your first prediction, {self._first}."
        if self._first is None:
            self._first = said
            note("predictions", f"{self._name}: {self._question}", self.right)
        came = self._truth.words
        self.said = (f"Right: {came}." if self.right else f"Not so: you said {said}, and {came}.") + again
        self._show()

    def _come(self, made: Run | Exploration | _Measured, value: object) -> None:
        """Take what was run for what there is to know and, after this answer, to show."""
        try:
            if isinstance(made, _Measured):
                self._truth = told(made.answer)
            elif isinstance(made, Exploration):
                self._truth = truth_of_all(made, self._ask)
            else:
                self._truth = truth_of(made, self._ask, self._options)
        except ValueError:
            raise
        except Exception as error:  # what asks is the chapter's own code
            raise ValueError(f"the run does not answer this question: {error_text(error)}") from error
        if isinstance(made, Exploration):
            if self._expects and made.counterexample is not None:
                self._found, self.run = made, made.counterexample
            else:
                self.run = self._example(made, self._truth, value)
        else:
            self.run = made.run if isinstance(made, _Measured) else made

    def _example(self, found: Exploration, truth: Truth, value: object) -> Run:
        """The run to show of all of them: with the outcome asked for, or one that was not foreseen, or a rare one."""
        counted = found.outcomes.most_common()
        self._bars = outcomes_html([(shown(outcome), count) for outcome, count in counted], found.counts)
        outcomes = [outcome for outcome, _ in counted]
        if isinstance(truth, Outcomes):
            outcomes = [each for each in outcomes if not truth.has_named(value, each)] or outcomes
        else:
            outcomes = [each for each in outcomes if truth.matches(each)] or outcomes
        return found.example(outcomes[-1])

    def _read(self, value: object) -> str:
        """The answer in words; raises where it is none."""
        if self._options and self._ask in _MANY:
            if not isinstance(value, list | tuple) or any(each not in self._options for each in value):
                what = "put these in order" if self._ask == "order" else "choose from these"
                raise ValueError(f"{what}: {', '.join(self._labels)}")
            labels = [self._labels[self._options.index(each)] for each in value]
            return (" → " if self._ask == "order" else ", ").join(labels) or "none of them"
        if self._options:
            if value not in self._options:
                raise ValueError(f"{value!r} is none of the options: {', '.join(self._labels)}")
            return self._labels[self._options.index(value)]
        if isinstance(value, str) and not value.strip():
            raise ValueError("write your prediction first")
        if self._ask == "duration" and not is_never(value):
            read_seconds(value)
        return value.strip() if isinstance(value, str) else short(value)

    def _pressed(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        if handed_over(self._home, partial(self._pressed, _widget, message, _buffers)):
            return
        self._panel.state = {"running": True}
        try:
            match message:
                case {"answer": str(text)} if not self._options:
                    self.answer(text)
                case {"chosen": list(indices)} if indices and self._options and self._ask in _MANY:
                    self.answer([self._options[index] for index in indices])
                case {"chosen": [int(index)]} if self._options:
                    self.answer(self._options[index])
                case _:
                    self._tell("choose your prediction first")
        except KeyboardInterrupt:
            self._tell("stopped; predict again to run it")
        except (ThreadvizError, TypeError, ValueError, IndexError) as error:
            self._tell(str(error))

    def _tell(self, said: str) -> None:
        """Say what is wrong with an answer."""
        self._panel.state = {"said": said, "right": None, "again": self._first is not None}

    def _show(self) -> None:
        # The picture comes first, so that the page knows how far to scroll.
        if self._found is not None:
            self._found.show_on(self._live)
        elif self.run is not None:
            self._live.show(self.run.face(), bars=self._bars)
        with self._panel.hold_sync():
            self._tell(self.said)
            self._panel.state = self._panel.state | {"right": self.right, "score": score()}

    def _asked(self) -> dict[str, Any]:
        hints = {
            "result": f"a number or a word; or: {NEVER}",
            "duration": f"in seconds, within {TOLERANCE * 100:g} percent; or: {NEVER}",
            "order": "press them in the order in which they come; leave out what never comes",
            "outcomes": "choose all that are possible"
            if self._options
            else f"all that are possible, such as 1, 2, {NEVER}",
        }
        kind, hint = "text", hints.get(str(self._ask), "a number or a word")
        if self._options:
            kind = str(self._ask) if self._ask in _MANY else "choice"
        return {
            "question": self._question,
            "kind": kind,
            "options": self._labels,
            "hint": "" if kind == "choice" else hint,
        }

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        lines = [f"Predict: {self._question}"]
        if self._labels:
            lines.append(f"Choose: {' | '.join(self._labels)}")
        if self._truth is None:
            return self._live.bundle(None, "\n".join([*lines, "Run this cell to answer; then the program runs."]), self)
        png, words = None, ""
        if self._found is not None:
            png, words = self._found.on_paper()
        elif self.run is not None:
            png, words = self.run.on_paper(), self.run.describe()
        return self._live.bundle(png, "\n".join(filter(None, [*lines, self.said, words])), self)
