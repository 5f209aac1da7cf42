"""One page a student: points, and the hint of what failed; no code of a check."""

import html
import json
from pathlib import Path

from mpcl.errors import ParameterError
from mpcl.files import write_text
from mpcl.teaching import lab, rubric
from mpcl.teaching.grade import POINTS, Grades, Student, gradebook, titles

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
LAST = (
    "Your answers were run on the data of the page and on other data. The checks stand "
    "open in the notebook: change your answer, run them; ask where a hint is unclear."
)


def read(folder: Path) -> Grades:
    """The grades that ``grade`` wrote into a folder.

    Raises:
        ParameterError: where there are none.
    """
    path = folder / "grades.json"
    if not path.is_file():
        raise ParameterError(f"{path} is missing: python -m mpcl grade writes it")
    return json.loads(path.read_text(encoding="utf-8"))


def lines_of(
    student: Student, grades: Grades, given: dict[str, int]
) -> list[tuple[str, str]]:
    """The lines of a student's page, each with its tag of HTML.

    ``given`` are the marks by criterion; what has none yet is left out.
    """
    name, each = grades["lab"], student["grades"]
    total = sum([*(grade["points"] for grade in each.values()), *given.values()])
    possible = POINTS * len(each) + rubric.MOST * len(given)
    lines = [
        ("h1", f"Lab {name.removeprefix('lab')} · {student['student']}"),
        ("p", f"{total:g} of {possible:g} points"),
    ]
    for key, grade in each.items():
        points = f"{grade['points']:g} of {POINTS:g} points"
        lines.append(("h2", titles(name)[key]))
        if not grade["hint"]:
            lines.append(("p", f"Passed: {points}."))
            continue
        lines.append(("p", f"{points}. Not yet: {grade['hint']}"))
        if grade["held"]:
            lines.append(("p", f"{grade['held']} of {grade['total']} things hold."))
    for criterion, levels in rubric.rubric(lab.chapter_path(name)).items():
        if criterion in given:
            mark = given[criterion]
            words = f"{mark} of {rubric.MOST} points: {levels[rubric.MOST - mark]}"
            lines += [("h2", criterion), ("p", words)]
    if student["notes"]:
        lines.append(("h2", "What was handed in"))
        lines += [("li", note) for note in student["notes"]]
    return [*lines, ("p", LAST)]


def write(folder: Path) -> list[Path]:
    """Write ``feedback/NAME.html`` for each student of a folder.

    The gradebook is renewed with the marks that were given since.
    """
    grades = read(folder)
    criteria = rubric.rubric(lab.chapter_path(grades["lab"]))
    given = rubric.marks(folder, criteria)
    write_text(gradebook(grades, given), folder / "gradebook.csv")
    files: list[Path] = []
    for student in grades["students"]:
        name = student["student"]
        lines = lines_of(student, grades, given.get(name, {}))
        body = "\n".join(f"<{tag}>{html.escape(text)}</{tag}>" for tag, text in lines)
        page = PAGE.format(title=html.escape(lines[0][1]), body=body)
        files.append(write_text(page, folder / "feedback" / f"{name}.html"))
    return files
