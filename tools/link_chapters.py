"""Write the links between the chapters: back, on, all chapters, and the two tables of contents.

The chapters are the notebooks whose names begin with a number. Title and question come from the
first cell of each, so that nothing has to be kept in step by hand. What is written: the first lines
of each chapter's last cell (`links`), the table in the cell `contents` of the first chapter, and the
table of README.md.

    python tools/link_chapters.py
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
HEADING = "## Where to go"
GLOSSARY = "Words: [Glossary](glossary.ipynb)"
WRITTEN = re.compile(r"(Back|On|All chapters|Words): ")
TABLE = re.compile(r"^\| chapter \| question \|\n(\|.*\n)+", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """What the other chapters need to know of one."""

    path: Path
    title: str
    question: str

    def link(self, folder: str = "") -> str:
        return f"[{self.title}]({folder}{self.path.name})"


def find_chapters(notebooks: Path) -> list[Chapter]:
    """Return the chapters in number order; raise `ValueError` where one has no title or question."""
    chapters = []
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        first = nbformat.read(path, as_version=4).cells[0].source
        title = re.match(rf"# ({path.name[:2]} · .+)\n", first)
        question = re.search(r"^\*\*The question: (.+\?)\*\*$", first, re.MULTILINE)
        if title is None or question is None:
            raise ValueError(f"{path.name} must begin with '# {path.name[:2]} · Title' and '**The question: ...?**'")
        text = question[1]
        chapters.append(Chapter(path, title[1], text[0].upper() + text[1:]))
    return chapters


def contents(chapters: list[Chapter], folder: str = "") -> str:
    """Return the table of contents, its links relative to the parent of `folder`."""
    rows = [f"| {chapter.link(folder)} | {chapter.question} |" for chapter in chapters]
    return "\n".join(["| chapter | question |", "|---|---|", *rows]) + "\n"


def link_cell(source: str, chapters: list[Chapter], number: int) -> str:
    """Return the last cell of `chapters[number]` with its links anew; what the author wrote below them stays."""
    lines = [HEADING, ""]
    if number:
        lines.append(f"Back: {chapters[number - 1].link()}  ")
    if number + 1 < len(chapters):
        lines.append(f"On: {chapters[number + 1].link()}  ")
    here = chapters[number]
    lines.append("All chapters: " + " | ".join(c.title if c is here else c.link() for c in chapters) + "  ")
    lines.append(GLOSSARY)
    own = [line for line in source.removeprefix(HEADING).splitlines() if not WRITTEN.match(line)]
    rest = "\n".join(own).strip()
    return "\n".join(lines) + (f"\n\n{rest}" if rest else "")


def link(root: Path) -> list[str]:
    """Write all links below `root`; return the names of the files that were changed."""
    chapters = find_chapters(root / "notebooks")
    changed = []
    for number, chapter in enumerate(chapters):
        notebook = nbformat.read(chapter.path, as_version=4)
        before = nbformat.writes(notebook)
        last = notebook.cells[-1]
        if last.id != "links":
            raise ValueError(f"the last cell of {chapter.path.name} must have the id 'links'")
        last.source = link_cell(last.source, chapters, number)
        for cell in notebook.cells:
            if cell.id == "contents":
                cell.source = TABLE.sub(lambda _: contents(chapters), cell.source)
        if nbformat.writes(notebook) != before:
            nbformat.write(notebook, chapter.path)
            changed.append(chapter.path.name)
    readme = root / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = TABLE.sub(lambda _: contents(chapters, "notebooks/"), before)
    if after != before:
        readme.write_text(after, encoding="utf-8")
        changed.append(readme.name)
    return changed


def main() -> int:
    changed = link(ROOT)
    print("links written anew in: " + (", ".join(changed) or "nothing, all were right"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
