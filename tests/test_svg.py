"""The live picture: SVG that any viewer can read, that tells of each shape, and in which nothing is markup."""

import re
from dataclasses import fields
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest

import threadviz as tv
from threadviz.picture import figure, svg
from threadviz.picture.layout import lay_out
from threadviz.picture.shapes import Label, Picture
from threadviz.picture.styles import ARROWS, FILLS, LETTERING, MARKS, PAPER
from threadviz.picture.timeline import WIDTH, timeline

from . import programs, traces
from .test_timeline import SAMPLES, samples

NAME = "<img src=x onerror=alert(1)>"


def painted(trace, **more):
    return ElementTree.fromstring(svg.paint(timeline(trace, "title"), **more))


def all_of(root, tag):
    return list(root.iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def told(root, group):
    """The title of each shape of a kind, of which the last may be the legend's."""
    (found,) = [each for each in all_of(root, "g") if group in each.attrib.items()]
    shapes = [each for each in found.iter() if each.tag.endswith(("rect", "path"))]
    return [each[0].text if len(each) else None for each in shapes]


@samples
def test_every_bar_mark_and_arrow_has_a_title(trace):
    picture, root = timeline(trace).picture, painted(trace)
    for name, boxes in picture.boxes.items():
        if boxes:
            titles = told(root, ("data-fill", name))
            assert all(titles[: len(boxes)]) and len(titles) == len(boxes) + (name in dict(picture.legend))
    for name, marks in picture.marks.items():
        if marks:
            assert all(told(root, ("data-mark", name))[: len(marks)])
    for name, arrows in picture.arrows.items():
        if arrows:
            titles = told(root, ("data-arrows", name))
            assert all(titles[: len(arrows)]) and len(titles) == len(arrows) + 1


@samples
def test_every_text_of_the_layout_is_a_text_as_wide_as_it_was_laid_out(trace):
    laid_out = timeline(trace, "title")
    texts = all_of(painted(trace), "text")
    assert sorted(each.text for each in texts) == sorted(label.text for label in laid_out.labels if label.text)
    for label in laid_out.labels:
        widths = [float(each.get("textLength")) for each in texts if each.text == label.text]  # one of them is bold
        laid_out_as = pytest.approx(label.box[2] - label.box[0] - 4, abs=2)
        assert not label.text or any(width == laid_out_as for width in widths)


def test_title_tells_thread_state_time_line_and_what_is_written_there():
    run = tv.simulate(programs.race, 2)
    root = ElementTree.fromstring(run.svg())
    (slept, _) = [title for title in told(root, ("data-fill", "sleeping")) if title]
    thread, what, time, line = slept.split("\n")
    assert (what, time) == ("sleeping: sleep 0.1", "0 to 0.1 s")
    number, text = re.fullmatch(r"line (\d+): (.*)", line).groups()
    written = Path(programs.__file__).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert text == written.strip() and "sleep" in text


def test_picture_in_words_is_its_description():
    run = tv.simulate(programs.first_example)
    root = ElementTree.fromstring(run.svg())
    assert root.get("role") == "img" and root.get("aria-label") == run.title
    assert all_of(root, "desc")[0].text == run.describe()


def test_names_values_and_lines_are_text_and_never_markup():
    trace = traces.named(NAME, "a\nb\x1b]]>", "&amp;", "\ud800")
    document = svg.paint(timeline(trace, NAME), f"{NAME}\x00", {line: NAME for line in range(99)})
    assert "<img" not in document
    texts = [each.text for each in all_of(ElementTree.fromstring(document), "text")]
    assert NAME in texts and "&amp;" in texts


def test_same_run_gives_the_same_document_and_two_pictures_on_a_page_share_no_name():
    first, again, other = (svg.paint(timeline(each)) for each in (traces.busy(), traces.busy(), traces.locked()))
    assert first == again
    ids = [set(re.findall(r' id="([^"]+)"', each)) for each in (first, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", first)) <= ids[0]


def test_states_differ_in_hatching_or_by_how_dark_they_are_on_light_and_on_dark_ground():
    hatched = {"blocked": "dots", "lock": "lines", "forbidden": "lines"}  # the last one in progress graphs
    assert {name: style.hatch for name, style in FILLS.items() if style.hatch} == hatched
    for theme in ("light", "dark"):
        light = luminance(getattr(FILLS["ready"].inside, theme))
        assert ratio(light, luminance(getattr(FILLS["running"].inside, theme))) >= 3
        ground = luminance(getattr(PAPER, theme))
        for name in ("#222222", "#444444", "#B04A00"):
            assert ratio(luminance(getattr(LETTERING[name], theme)), ground) >= 4.5
        white = luminance(getattr(LETTERING["#FFFFFF"], theme))
        assert ratio(white, luminance(getattr(FILLS["running"].inside, theme))) >= 4.5


def luminance(colour):
    """As WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one, two):
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)


PAINTERS = {"svg": svg.paint, "figure": figure.saved}
painters = pytest.mark.parametrize("paint", PAINTERS.values(), ids=PAINTERS)


def test_every_fill_mark_and_arrow_reaches_both_painters():
    laid_out = timeline(traces.race(), "title")
    names = [*FILLS, *MARKS, *ARROWS]
    for paint, name in product(PAINTERS.values(), names):
        before = paint(laid_out)
        changed = timeline(traces.race(), "title")
        picture = changed.picture
        if name in MARKS:
            picture.marks[name].append((300.0, 60.0))
        elif name in ARROWS:
            picture.arrows[name].append(((300.0, 20.0), (340.0, 60.0)))
        else:
            {"held": picture.held, "depth": picture.depth}.get(name, picture.boxes[name]).append((300, 50, 350, 70))
        assert paint(changed) != before, name


@painters
@pytest.mark.parametrize("where", ["boxes", "marks", "arrows"])
def test_kind_that_no_style_knows_is_refused_and_does_not_just_vanish(paint, where):
    laid_out = timeline(traces.race())
    shape = {"boxes": (1.0, 2.0, 3.0, 4.0), "marks": (1.0, 2.0), "arrows": ((1.0, 2.0), (3.0, 4.0))}[where]
    getattr(laid_out.picture, where)["smoke"].append(shape)
    with pytest.raises(ValueError, match="^no style tells how to paint smoke$"):
        paint(laid_out)


@painters
def test_colour_of_a_label_that_no_style_knows_is_refused(paint):
    laid_out = timeline(traces.race())
    laid_out.picture.labels.append(Label(0, 0, "x", colour="#123456"))
    with pytest.raises(ValueError, match="^no style tells how to paint #123456$"):
        paint(laid_out)


# What tells the layout where things go, or what is told of them, and is nothing to paint; and what is a label already.
NO_SHAPES = {"axis", "rows", "roomy", "stripes", "lanes_end", "end", "ruler", "notes", "outputs", "taken", "about"}


@painters
def test_painter_looks_at_every_kind_of_shape(paint):
    laid_out = timeline(SAMPLES["deadlock"], "title")
    seen = set()

    class Watched(Picture):
        def __getattribute__(self, name):
            seen.add(name)
            return super().__getattribute__(name)

    watched = Watched(**{each.name: getattr(laid_out.picture, each.name) for each in fields(Picture)})
    paint(laid_out._replace(picture=watched))
    assert {each.name for each in fields(Picture)} - NO_SHAPES <= seen


def test_width_fits_a_cell_of_jupyterlab_on_a_small_screen():
    assert WIDTH <= 833
    assert all(label.size >= 12 for label in timeline(SAMPLES["busy"]).labels)
    assert lay_out(SAMPLES["busy"], 700).width == 700
