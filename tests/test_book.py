"""The book of `make book`: every chapter is a page, no link leads nowhere, and each page can be run."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def build(folder):
    done = subprocess.run([sys.executable, ROOT / "tools" / "build_book.py", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Page(HTMLParser):
    """What a page links to, what it can be linked at, and its pictures' words."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.words = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        if tag == "img":
            self.words.append(attributes.get("alt", ""))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "book"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def pages(book):
    return {path.name: Page(path.read_text(encoding="utf-8")) for path in book.glob("*.html")}


def test_every_notebook_is_a_page_that_can_be_run(pages):
    for name in NOTEBOOKS:
        assert f"../site/lab/index.html?path={name}.ipynb" in pages[f"{name}.html"].links


def test_no_link_leads_nowhere(book, pages):
    checked = 0
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("../site/"):
                continue
            target = unquote(parts.path) or name
            assert (book / target).is_file(), f"{name} links to {link}"
            # The search page and Sphinx's own scripts make theirs when they run.
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{name} links to {link}"
            checked += 1
    assert checked > 100 * len(NOTEBOOKS) / 2


def test_pictures_have_words(pages):
    words = [words for name in NOTEBOOKS for words in pages[f"{name}.html"].words]
    assert len(words) > 50
    assert all("MainThread" in each or "threads" in each or "steps" in each for each in words)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_closed_in_the_notebook_is_closed_in_the_book(book, name):
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    closed = [cell["metadata"].get("jupyter", {}) for cell in cells]
    text = (book / f"{name}.html").read_text(encoding="utf-8")
    assert text.count("tag_hide-input") == sum(each.get("source_hidden", False) for each in closed)
    assert text.count("tag_hide-output") == sum(each.get("outputs_hidden", False) for each in closed)


def test_the_same_checkout_gives_the_same_book(book, tmp_path):
    build(tmp_path / "again")

    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, again = files(book), files(tmp_path / "again")
    assert first.keys() == again.keys()
    assert [str(path) for path in first if first[path] != again[path]] == []
