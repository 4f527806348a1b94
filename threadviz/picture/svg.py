"""A timeline as SVG: real text, a `<title>` on every bar, mark and arrow, and colours that follow the page's theme.

It stands on its own, as a file and in a page without JavaScript.  Whatever comes from the learner's program is escaped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from zlib import crc32

from ..texts import clean
from .shapes import BASELINE, LETTERS, About, Box, Label, Picture, Point
from .styles import (
    ARROWS,
    BLACK,
    BROAD,
    FAMILY,
    FILLS,
    GRID,
    GROUND,
    LETTERING,
    MARKS,
    PAPER,
    RADIUS,
    TURN,
    arc,
    arrows,
    boxes,
    check,
    gone,
    head,
    paths,
    points,
    stems,
    swatches,
)
from .timeline import TOP, Timeline

_INKS = dict(zip(LETTERING, ("ink", "soft", "alarm", "white"), strict=True))
_COLOURS = {"paper": PAPER, "grid": GRID, "black": BLACK, **{name: LETTERING[each] for each, name in _INKS.items()}}
_COLOURS |= {name: style.inside for name, style in FILLS.items()} | {
    name: style.inside for name, style in MARKS.items()
}
_COLOURS |= {f"{name}-edge": style.edge for name, style in FILLS.items() if style.edge}
_COLOURS |= {f"{name}-edge": style.edge for name, style in MARKS.items()}
_COLOURS |= {f"{name}-arrow": line.colour for name, line in ARROWS.items()}
_ANCHOR = {"left": "", "center": ' text-anchor="middle"', "right": ' text-anchor="end"'}


def paint(timeline: Timeline, words: str = "", source: Mapping[int, str] | None = None) -> str:
    """Return a timeline as an SVG document.

    Parameters
    ----------
    words
        The whole picture in words: what is told to those who do not see it.
    source
        What is written in a line of the learner's code, by its number.
    """
    picture = timeline.picture
    check(picture)
    body = "".join(_parts(timeline, source or {}))
    # the hatchings are found by name, in the whole page: another picture's must not be taken
    name = f"tv{crc32(body.encode()):08x}"
    title, wide, high = timeline.around[0].text, _n(timeline.width), _n(timeline.height)
    told = escape("\n".join(clean(line) for line in words.splitlines()))
    desc = f"<desc>{told}</desc>" if told else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tv" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" font-family="{FAMILY}, Verdana, sans-serif" '
        f'font-size="{_n(LETTERS)}" data-bottom="{_n(TOP + picture.height)}" data-scale="{_scale(picture):.6g}">'
        f"{desc}<style>{_STYLE}</style>{_hatchings(name)}"
        f'<rect{_look("paper")} width="100%" height="100%"/>'
        f'<g transform="translate({_n(timeline.left)} {_n(TOP)})">{body.replace("url(#tv-", f"url(#{name}-")}</g></svg>'
    )


def _scale(picture: Picture) -> float:
    """Pixels a second, all in all; 0 where nothing takes time."""
    return (picture.x(picture.end) - picture.x(0)) / picture.end if picture.ruler.timed and picture.end else 0.0


def _parts(timeline: Timeline, source: Mapping[int, str]) -> Iterator[str]:
    picture = timeline.picture

    def told(shape: Box | Point | tuple[Point, Point]) -> str:
        about = picture.about.get(shape)
        return f"<title>{escape(tell(about, picture, source))}</title>" if about else ""

    yield from _frame(picture)
    for name, style in FILLS.items():
        shown = [_rect(box, told(box)) for box in boxes(picture, name)]
        shown += [_rect(box, "") for box in swatches(picture, name)]
        if shown:
            look = _look(name, f"{name}-edge" if style.edge else "")
            if style.hatch:
                shown = ['<g fill="url(#tv-', name, ')">', *shown, "</g>"]
            yield f'<g data-fill="{name}" stroke-width=".7"{look}>{"".join(shown)}</g>'
        if name == GROUND:
            yield _path("soft", [_line(stem) for stem in stems(picture)], 0.9, ' stroke-dasharray="3 2"')
    if picture.dead is not None:
        dash = ' stroke-dasharray="4 2.5"'
        yield _path("alarm", [_line([(picture.dead, 4.0), (picture.dead, picture.height)])], 1.2, dash)
    if picture.torn:
        yield f'<path{_look("paper")} d="{"".join(_line(gone(edge)) + "z" for edge in picture.torn)}"/>'
        yield _path("black", [_line(edge) for edge in picture.torn], 1.2)
    yield _path("paper", [_line(arrow) for kind in picture.arrows.values() for arrow in kind], 4)
    for name, line in ARROWS.items():
        shown = []
        for arrow in arrows(picture, name):
            tip = _line([head(arrow)[0], arrow[1], head(arrow)[1]])
            dot = f"M{_pair(arrow[0])}m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z" if line.dot else ""
            shown.append(f'<path d="{_line(arrow)}{tip}z{dot}">{told(arrow)}</path>')
        if shown:
            look = _look(f"{name}-arrow", f"{name}-arrow")
            yield f'<g data-arrows="{name}" stroke-width="1.2"{look}>{"".join(shown)}</g>'
    yield from _circle(picture)
    colour = "alarm" if picture.path_fails else "running-edge"
    yield _path(colour, [_line(way) for way in paths(picture)], BROAD, ' stroke-linejoin="round"')
    backed = [label.box for label in picture.labels if label.backed]
    yield f'<g opacity=".92"{_look("paper")}>{"".join(_rect(box, "") for box in backed)}</g>' if backed else ""
    for name, mark in MARKS.items():
        if places := points(picture, name):
            outline = f"m-{RADIUS} 0a{RADIUS} {RADIUS} 0 1 0 {2 * RADIUS} 0a{RADIUS} {RADIUS} 0 1 0-{2 * RADIUS} 0"
            if mark.outline is not None:
                outline = _line(mark.outline, "m")
            shown = [f'<path d="M{_n(x)} {_n(y)}{outline}z">{told((x, y))}</path>' for x, y in places]
            yield f'<g data-mark="{name}" stroke-width="1.3"{_look(name, f"{name}-edge")}>{"".join(shown)}</g>'
    for colour, ink in _INKS.items():
        letters = "".join(_text(label) for label in timeline.labels if label.text and label.colour == colour)
        yield f"<g{_look(ink)}>{letters}</g>" if letters else ""


def tell(about: About, picture: Picture, source: Mapping[int, str]) -> str:
    """Return what is told of a bar, a mark or an arrow, in lines."""
    lines = [about.thread, about.what]
    if picture.timed:
        at, until = f"{about.start:.6g}", f"{about.end:.6g}"
        lines.append(f"at {at} s" if at == until else f"from {at} s on" if until == "inf" else f"{at} to {until} s")
    if about.because:
        lines.append(f"let go on by {about.because}")
    if about.line is not None:
        text = source.get(about.line, "").strip()
        lines.append(f"line {about.line}: {text}" if text else f"line {about.line}")
    return "\n".join(clean(line) for line in lines)


def _frame(picture: Picture) -> Iterator[str]:
    """The grid and the axis."""
    xs = [tick.x for tick in picture.ticks]
    top, bottom = "0", _n(picture.height)
    yield _path("grid", [f"M{_n(x)} {top}V{bottom}" for x in xs], 0.8)
    yield _path("black", [f"M0 {bottom}H{_n(picture.width)}", *(f"M{_n(x)} {bottom}v4" for x in xs)], 0.8)


def _circle(picture: Picture) -> Iterator[str]:
    if picture.circle:
        arcs = [arc(arrow) for arrow in picture.circle]
        yield _path("alarm", [f"M{_pair(a)}Q{_pair(bend)} {_pair(b)}" for a, bend, b, _ in arcs], 1.6)
        yield f'<path{_look("alarm")} d="{"".join(_line(tip) + "z" for *_, tip in arcs)}"/>'


def _text(label: Label) -> str:
    wide = label.box[2] - label.box[0] - 4
    size = "" if label.size == LETTERS else f' font-size="{_n(label.size)}"'
    bold = ' font-weight="bold"' if label.bold else ""
    around = f"{_n(label.x)} {_n(label.y + BASELINE * label.size)}"
    turned = f' transform="rotate(-{TURN} {around})"' if label.turned else ""
    return (
        f'<text x="{_n(label.x)}" y="{_n(label.y + BASELINE * label.size)}"{_ANCHOR[label.align]}{size}{bold}{turned} '
        f'textLength="{_n(wide)}" lengthAdjust="spacingAndGlyphs">{escape(label.text)}</text>'
    )


def _path(colour: str, lines: Iterable[str], wide: float, more: str = "") -> str:
    d = "".join(lines)
    return f'<path{_look(stroke=colour)} stroke-width="{wide}"{more} d="{d}"/>' if d else ""


def _rect(box: Box, title: str) -> str:
    left, top, right, bottom = box
    size = f'x="{_n(left)}" y="{_n(top)}" width="{_n(max(right - left, 0))}" height="{_n(bottom - top)}"'
    return f"<rect {size}>{title}</rect>" if title else f"<rect {size}/>"


def _hatchings(name: str) -> str:
    patterns = []
    for fill, style in FILLS.items():
        if style.hatch:
            ground = f'<rect{_look(fill)} width="6" height="6"/>'
            ink = {
                "dots": f'<circle{_look(f"{fill}-edge")} cx="2" cy="2" r=".8"/>',
                "lines": f'<path{_look(stroke=f"{fill}-edge")} stroke-width=".9" d="M-1 1l2-2M0 6l6-6M5 7l2-2"/>',
            }[style.hatch]
            wide = 4 if style.hatch == "dots" else 6
            patterns.append(
                f'<pattern id="{name}-{fill}" patternUnits="userSpaceOnUse" width="{wide}" height="{wide}">'
                f"{ground}{ink}</pattern>"
            )
    return f"<defs>{''.join(patterns)}</defs>"


def _line(corners: Sequence[Point], begin: str = "M") -> str:
    """A path through some points; relative ones for a small m."""
    if begin == "m":
        steps = [corners[0], *((b[0] - a[0], b[1] - a[1]) for a, b in zip(corners, corners[1:], strict=False))]
        return "m" + "l".join(map(_pair, steps))
    return "M" + "L".join(map(_pair, corners))


def _pair(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _look(fill: str = "", stroke: str = "") -> str:
    """Colours by name: as a variable that the theme sets, and plainly for viewers that know none."""
    plain = f' fill="{_COLOURS[fill].light}"' if fill else ' fill="none"'
    plain += f' stroke="{_COLOURS[stroke].light}"' if stroke else ""
    named = [f"{what}:var(--tv-{_css(name)})" for what, name in (("fill", fill), ("stroke", stroke)) if name]
    return f'{plain} style="{";".join(named)}"'


def _css(name: str) -> str:
    return name.replace(" ", "-")


def _sheet() -> str:
    named = {name: f"light-dark({colour.light},{colour.dark})" for name, colour in _COLOURS.items()}
    named["paper"] = f"var(--jp-layout-color0,{named['paper']})"
    dark = "body[data-jp-theme-light=false] .tv,body.vscode-dark .tv,html[theme=dark] .tv"
    light = "body[data-jp-theme-light=true] .tv,body.vscode-light .tv"
    return (
        f".tv{{color-scheme:light dark;{''.join(f'--tv-{_css(name)}:{value};' for name, value in named.items())}}}"
        f"{light}{{color-scheme:light}}{dark}{{color-scheme:dark}}.tv text{{white-space:pre}}"
        # what lies over a shape and is none itself lets the pointer through
        ".tv *{pointer-events:none}.tv :is([data-fill],[data-mark],[data-arrows]) *{pointer-events:auto}"
        # a line is too thin to be pointed at
        ".tv [data-fill=thread] rect{stroke:transparent;stroke-width:12;pointer-events:all}"
    )


_STYLE = _sheet()
