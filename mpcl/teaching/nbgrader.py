"""A bridge to nbgrader: clean notebooks in its folders, made without it."""

import json
from pathlib import Path

from mpcl.files import write_text
from mpcl.teaching import lab
from mpcl.teaching.collect import Submission
from mpcl.teaching.grade import POINTS


def write(submissions: list[Submission], name: str, course: Path) -> list[Path]:
    """Write ``source`` and ``submitted`` of a course, a notebook each.

    Every answer stands once, in its place, so that what was copied, deleted or stripped
    of its metadata cannot stop nbgrader.
    """
    solved: dict[str, str] = {}
    for task in lab.tasks(name):
        head = task.stub.rpartition("\n")[0]
        above, _, body = task.solution.split("\n\n\nverdict(")[0].partition(head)
        marks = "\n    ### BEGIN SOLUTION", "\n    ### END SOLUTION"
        solved[task.id] = f"{above}{head}{marks[0]}{body}{marks[1]}"
    file = Path(name) / f"{name}.ipynb"
    files = [write_text(notebook(name, solved), course / "source" / file)]
    for submission in submissions:
        answers = {
            key: f"{answer.support}\n\n\n{answer.source}".strip()
            for key, answer in submission.answers.items()
            if answer.source
        }
        folder = course / "submitted" / submission.student
        files.append(write_text(notebook(name, answers), folder / file))
    return files


def notebook(name: str, answers: dict[str, str]) -> str:
    """The student's notebook with answers in it, and nbgrader's metadata."""
    whole = json.loads(lab.notebook_text(lab.student_cells(lab.chapter_path(name))))
    key = ""
    for cell in whole["cells"]:
        tags = cell["metadata"]["tags"]
        if "exercise" in tags:
            key = cell["metadata"]["mpcl"]["id"]
            cell["source"] = answers.get(key, "".join(cell["source"]))
            cell["metadata"]["nbgrader"] = facts(key, is_answer=True)
        elif "check" in tags:
            source = "".join(cell["source"])  # where it is graded it has to raise
            cell["source"] = f"{source.rstrip(')')}, strict=True)"
            cell["metadata"]["nbgrader"] = facts(f"{key}-check", is_answer=False)
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def facts(key: str, is_answer: bool) -> dict[str, object]:
    """What nbgrader, in its format 3, wants to know of a cell."""
    points: dict[str, object] = {} if is_answer else {"points": POINTS}
    return points | {
        "schema_version": 3,
        "grade_id": key,
        "grade": not is_answer,
        "solution": is_answer,
        "locked": not is_answer,
        "task": False,
        "cell_type": "code",
    }
