"""What a person marks in a lab: criteria, with a sentence for two, one and no point."""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from mpcl.errors import ParameterError
from mpcl.files import write_text
from mpcl.teaching.collect import decoded

MOST = 2  # points of a criterion
ROW = re.compile(r"(?m)^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$")
Marks = dict[str, dict[str, int]]  # by student and criterion
Rubric = dict[str, list[str]]  # by criterion: what earns two points, one, none


def rubric(page: Path) -> Rubric:
    """The criteria of a lab, from the table under ``## Rubric``; a chapter has none."""
    text = page.read_text(encoding="utf-8") if page.suffix == ".md" else ""
    table = text.partition("\n## Rubric\n")[2].partition("\n## ")[0]
    rows = ROW.findall(table)[1:]  # the first one is its head
    return {name: levels for name, *levels in rows}


def marks(folder: Path, criteria: Rubric) -> Marks:
    """What stands in ``rubric.csv`` of a folder; empty cells are not marked yet.

    Raises:
        ParameterError: for a mark that is not 0, 1 or 2, and for another separator.
    """
    path, given = folder / "rubric.csv", Marks()
    if not path.is_file():
        return given
    rows = csv.DictReader(io.StringIO(decoded(path.read_bytes()), newline=""))
    if "Student" not in (rows.fieldnames or []):
        raise ParameterError(f"{path} has no column Student: save it with commas")
    for row in rows:
        student = given.setdefault(row["Student"], {})
        for name in criteria:
            mark = (row.get(name) or "").strip()
            if mark not in ("", "0", "1", "2"):
                sentence = f"{path}: {row['Student']}, {name}: {mark!r} is no mark"
                raise ParameterError(f"{sentence}; write 0, 1 or 2")
            if mark:
                student[name] = int(mark)
    return given


def write(criteria: Rubric, students: list[str], folder: Path) -> Path:
    """Write ``rubric.csv`` to fill in, or add a row for who came later; its path."""
    path = folder / "rubric.csv"
    present = marks(folder, criteria)
    head = pd.DataFrame(columns=["Student", *criteria]).to_csv(index=False)
    text = decoded(path.read_bytes()) if path.exists() else head
    fresh = [student for student in students if student not in present]
    rows = [student + "," * len(criteria) for student in fresh]
    return write_text("\n".join([text.rstrip(), *rows]) + "\n", path)
