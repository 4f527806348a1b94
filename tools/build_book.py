"""Build the course as a book: pages to be read without a kernel, with the stored pictures and a search.

    python tools/build_book.py [FOLDER]

Sphinx makes a page of each notebook. At the top of each stands a link that opens it in a browser tab, where it runs:
in what `make site` builds, which is to be published beside the book, in a folder `site`.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "build" / "book"
TAB = "../site/lab/index.html?path="  # from a page of the book
CONTENTS = "\n\n```{toctree}\n:hidden:\n:glob:\n\n[0-9]*\nglossary\n```\n"
# The longest line of a chapter's code fits where there is room; what a cell has printed is wrapped on a phone.
STYLE = """
@media (max-width: 82em), (min-width: 89em) { .content { width: 52em } }
.cell_output pre { white-space: pre-wrap }
"""
SETTINGS = {
    "project": "Threads in Python",
    "copyright": "the threadviz contributors",
    "extensions": ["myst_nb"],
    "html_theme": "furo",
    "html_title": "Threads in Python",
    "html_static_path": ["static"],
    "html_css_files": ["book.css"],
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "myst_heading_anchors": 3,
    "myst_heading_slug_func": "build_book.slug",
    "myst_links_external_new_tab": True,
}


def slug(heading: str) -> str:
    """The anchor of a heading as JupyterLab makes it, which is what the links in the chapters name."""
    return heading.replace(" ", "-")


def page(path: Path) -> nbformat.NotebookNode:
    """A notebook as the book shows it: closed where it is closed in JupyterLab, with a link that runs it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        closed = cell.metadata.get("jupyter", {})
        cell.metadata["tags"] = [
            f"hide-{part}"
            for part, key in (("input", "source_hidden"), ("output", "outputs_hidden"))
            if closed.get(key)
        ]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):  # the words stand for the picture where it is not seen
                cell.metadata["mystnb"] = {"image": {"alt": output.data["text/plain"]}}
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f'{title}\n\n<a href="{TAB}{path.name}">▶ Run this page in your browser</a>\n{rest}'
    return notebook


def front() -> str:
    """The README as far as it tells what the course is, as the book's first page."""
    text, _, _ = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Other ways")
    return re.sub(r"\]\((?:notebooks|docs)/", "](", text) + CONTENTS


def build(book: Path) -> None:
    """Build the book into a folder, which is made anew; ValueError where a link leads nowhere."""
    with tempfile.TemporaryDirectory() as made:
        pages = Path(made, "pages")
        (pages / "static").mkdir(parents=True)
        (pages / "static" / "book.css").write_text(STYLE, encoding="utf-8")
        for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
            nbformat.write(page(path), pages / path.name)
        (pages / "index.md").write_text(front(), encoding="utf-8")
        for linked in [*(ROOT / "docs").glob("*.png"), *(ROOT / "notebooks").glob("*.py")]:
            shutil.copy(linked, pages)
        html, state = Path(made, "html"), Path(made, "state")
        app = Sphinx(pages, None, html, state, "html", confoverrides=SETTINGS, status=None, warningiserror=True)
        app.build()
        if app.statuscode:
            raise ValueError("the book was not built: the warnings above say what is missing in it")
        shutil.rmtree(book, ignore_errors=True)
        shutil.move(html, book)


def main(arguments: list[str]) -> int:
    book = Path(arguments[0]).resolve() if arguments else BOOK
    build(book)
    print(f"{book}: to look at it: python -m http.server --bind 127.0.0.1 --directory {book.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
