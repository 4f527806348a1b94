"""Put the progress files of a class into one table, as CSV on standard output: a row for each learner and chapter.

    python tools/collect_progress.py FOLDER [FOLDER ...] > class.csv

Each folder stands for one learner, and is named by them: a home folder, or what they have handed in. The files
`.threadviz_progress.json` in it are found wherever they are below it. What cannot be read is named on standard error.
"""

import csv
import json
import sys
from pathlib import Path

FILE = ".threadviz_progress.json"
KINDS = {"predictions": "right", "goals": "reached", "exercises": "passed"}
COLUMNS = ["learner", "chapter", *(f"{kind} {word}" for kind, well in KINDS.items() for word in ("tried", well))]


def rows(folder: Path) -> list[list[object]]:
    """Return the rows of one learner; ValueError where a file is not one that a chapter has written."""
    chapters: dict[str, dict[str, dict[str, bool]]] = {}
    for path in sorted(folder.rglob(FILE)):
        try:
            for chapter, kinds in json.loads(path.read_text(encoding="utf-8")).items():
                for kind in KINDS:
                    kept = chapters.setdefault(chapter, {}).setdefault(kind, {})
                    for what, well in kinds.get(kind, {}).items():
                        kept[what] = kept.get(what, False) or well is True
        except (OSError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} is not a file that the course has written: {error}") from error
    if not chapters:
        raise ValueError(f"{folder} has no {FILE} in it: nothing was answered there in JupyterLab")
    return [
        [folder.name, chapter, *(count for kind in KINDS for count in (len(kinds[kind]), sum(kinds[kind].values())))]
        for chapter, kinds in sorted(chapters.items())
    ]


def main(folders: list[str]) -> int:
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    table = csv.writer(sys.stdout)
    table.writerow(COLUMNS)
    bad = 0
    for folder in folders:
        try:
            table.writerows(rows(Path(folder).resolve()))
        except ValueError as error:
            print(error, file=sys.stderr)
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
