"""The timeline in a notebook: a widget that shows what the kernel has painted, and lets its reader look closer.

Its JavaScript stands beside it as it is, without any build step, and comes with each widget: nothing is fetched.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from .timeline import WIDTH

_HERE = Path(__file__).parent
_LINES, _FOLDED = 14, 100  # of a log that are all shown; that are there at all
_Bundle = tuple[dict[str, Any], dict[str, Any]]
_OUTCOMES = 12  # bars, the others are counted together


class LiveTimeline(anywidget.AnyWidget):
    """A timeline, and around it what was printed, what came out, and the picture in words.

    Attributes
    ----------
    face : dict
        The picture as SVG, the log, and the words.
    said, bars : str
        What is said above the picture, and how often each outcome came.
    at : dict
        Where the controls stood for all this, by their models' ids: once they are elsewhere, it is hidden.
    running : bool
        Whether a run goes on, of which nothing is shown yet.
    """

    _esm = (_HERE / "timeline.js").read_text(encoding="utf-8")
    _css = (_HERE / "timeline.css").read_text(encoding="utf-8")
    face = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    bars = traitlets.Unicode().tag(sync=True)
    at = traitlets.Dict().tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)

    def show(self, face: Mapping[str, str], said: str = "", bars: str = "") -> None:
        """Show this and nothing else, now that nothing runs any more; what is the same as before is not sent again."""
        with self.hold_sync():  # in one message
            self.face = {key: value for key, value in face.items() if value}
            self.said, self.bars, self.running = said, bars, False

    def begin(self, at: Mapping[str, Any]) -> None:
        """A run begins, with the controls where `at` says."""
        with self.hold_sync():
            self.at, self.running = dict(at), True

    def bundle(self, png: bytes | None, text: str, shown: ipywidgets.DOMWidget | None = None) -> _Bundle:
        """Return all faces of an output: the widget, or `shown` in its place, and what stands for it on paper."""
        faces: dict[str, Any] = ipywidgets.DOMWidget._repr_mimebundle_(shown or self) | {"text/plain": text}
        if png is None:
            return faces, {}
        faces["image/png"] = base64.b64encode(png).decode("ascii")
        return faces, {"image/png": {"alt": text, "width": round(WIDTH)}}


def log_html(lines: Sequence[str], places: Iterable[float]) -> str:
    """Return what was printed, a line each that knows its place in the picture; a long log is folded."""
    shown = []
    for line, x in zip_longest(lines[:_FOLDED], list(places)[:_FOLDED]):
        shown.append(
            f'<div data-x="{x:.1f}">{html.escape(line)}</div>' if x is not None else f"<div>{html.escape(line)}</div>"
        )
    if len(lines) > _FOLDED:
        shown.append(f"<div>and {len(lines) - _FOLDED} more lines</div>")
    if len(shown) <= _LINES:
        return "".join(shown)
    first, others = shown[: _LINES - 2], shown[_LINES - 2 :]
    return (
        f"{''.join(first)}<details><summary>{len(lines) - len(first)} more lines</summary>{''.join(others)}</details>"
    )


def outcomes_html(counted: Sequence[tuple[str, int]], what: str) -> str:
    """Return a bar for each outcome and how often it came, the most frequent first."""
    if not counted:
        return ""
    every, most = sum(count for _, count in counted), counted[0][1]
    rows = [
        f'<tr><td>{html.escape(outcome)}</td><td><i style="width:{240 * count // most}px"></i></td>'
        f"<td>{count} of {every}</td></tr>"
        for outcome, count in counted[:_OUTCOMES]
    ]
    if len(counted) > _OUTCOMES:
        rows.append(f"<tr><td>and {len(counted) - _OUTCOMES} more outcomes</td></tr>")
    return f"<table><caption>outcomes of {every} {html.escape(what)}</caption>{''.join(rows)}</table>"
