"""Grade a class: every answer on the data of the page, then on other data."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import pandas as pd

from mpcl.data import contract
from mpcl.errors import ParameterError
from mpcl.files import write_text
from mpcl.simulation.cohort import cohort
from mpcl.teaching import lab, rubric
from mpcl.teaching.collect import (
    Submission,
    answer_to,
    collect,
    names_given,
    statements,
)
from mpcl.teaching.processes import Job, Limits, Result, State, run, state

POINTS = 2.0  # of an exercise
COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]  # of Canvas


class Grade(TypedDict):
    """The points of an answer, and the hint of its first failed expectation."""

    points: float
    held: int
    total: int
    hint: str


class Student(TypedDict):
    """What a student handed in, and the grades by exercise."""

    student: str
    notes: list[str]
    grades: dict[str, Grade]
    written: dict[str, str]  # the texts, for a person to mark


class Grades(TypedDict):
    """The grades of a class."""

    lab: str
    students: list[Student]


def grade(
    inbox: Path, name: str, secret: str = "", limits: Limits | None = None
) -> Grades:
    """The grades of a class.

    Raises:
        ParameterError: where the chapter's own solution does not pass its check.
    """
    limits = limits or Limits()
    submissions = collect(inbox, name)
    with tempfile.TemporaryDirectory() as folder:
        data = data_of(secret, Path(folder))
        states: dict[int, State] = {}
        if limits.method == "fork":  # the others cannot be handed a state
            states = {seed: state(name, seed, path) for seed, path in data}
        asked = solved(name, data, states, limits)
        jobs = [
            Job(name, key, answer, tuple(d for d in data if (key, d[0]) in asked))
            for submission in submissions
            for key, answer in submission.answers.items()
        ]
        results = iter(run(jobs, states, limits))
    texts = [task.id for task in lab.tasks(name) if task.level == "write"]
    students: list[Student] = []
    for submission in submissions:
        grades = {key: points(next(results), key, asked) for key in submission.answers}
        students.append(
            {
                "student": submission.student,
                "notes": submission.notes,
                "grades": grades,
                "written": {key: submission.answers[key].source for key in texts},
            }
        )
    return {"lab": name, "students": students}


def data_of(secret: str, folder: Path) -> list[tuple[int, str]]:
    """The data of the page, another cohort, and one that only the lecturer knows."""
    data = [(0, "simulated")]
    for seed in [1, lab.seed_of(secret)] if secret else [1]:
        path = contract.write(cohort(seed=seed), folder / f"{seed}.nc")
        data.append((seed, str(path)))
    return data


def solved(
    name: str, data: list[tuple[int, str]], states: dict[int, State], limits: Limits
) -> dict[tuple[str, int], int]:
    """How many expectations each exercise has on each data that its solution passes."""
    given = names_given(lab.chapter_path(name))
    model = Submission("model")
    for task in lab.tasks(name):
        model.parts += statements(task.solution)
    jobs = [
        Job(name, task.id, answer_to(task, model, given), (each,))
        for task in lab.tasks(name)
        for each in data
    ]
    asked: dict[tuple[str, int], int] = {}
    results = run(jobs, states, replace(limits, seconds=60.0))
    for job, (seed, verdict) in zip(jobs, results, strict=True):
        if verdict.passed:
            asked[job.exercise, seed] = verdict.total
        elif seed == 0:
            raise ParameterError(
                f"{job.exercise} cannot be graded: its solution says {verdict.hint}"
            )
    return asked


def points(result: Result, exercise: str, asked: dict[tuple[str, int], int]) -> Grade:
    """All points for an answer that passes, half of what holds for another."""
    seed, verdict = result
    total = asked[exercise, seed]
    share = 1.0 if verdict.passed else 0.5 * verdict.held / total
    where = "on other data than the page's: " if seed and verdict.hint else ""
    return {
        "points": round(POINTS * share, 2),
        "held": verdict.held,
        "total": total,
        "hint": where + verdict.hint,
    }


def titles(name: str) -> dict[str, str]:
    """The headings of the exercises of a chapter or lab, by their ids."""
    return {
        task.id: task.prompt.splitlines()[0].lstrip("# ") for task in lab.tasks(name)
    }


def gradebook(grades: Grades, marks: rubric.Marks) -> str:
    """A table for Canvas and Moodle, a row a student; what has no mark stays empty."""
    criteria = rubric.rubric(lab.chapter_path(grades["lab"]))
    rows: list[list[object]] = []
    for student in grades["students"]:
        name = student["student"]
        given = marks.get(name, {})
        each = [grade["points"] for grade in student["grades"].values()]
        total = round(sum([*each, *given.values()]), 2)
        by_hand = [given.get(criterion, "") for criterion in criteria]
        rows.append([name, "", "", name, "", *each, *by_hand, total])
    sums = f"Lab {grades['lab'].removeprefix('lab')}"
    heads = [*COLUMNS, *titles(grades["lab"]).values(), *criteria, sums]
    return pd.DataFrame(rows, columns=heads).to_csv(index=False, lineterminator="\n")


def texts_of(grades: Grades) -> str:
    """What a person has to read, student by student, in Markdown."""
    headings = titles(grades["lab"])
    parts: list[str] = []
    for student in grades["students"]:
        parts.append(f"# {student['student']}\n")
        for key, text in student["written"].items():
            block = f"```python\n{text or '# nothing'}\n```\n"
            parts.append(f"## {headings[key]}\n\n{block}")
    return "\n".join(parts)


def write(grades: Grades, folder: Path) -> list[Path]:
    """Write ``grades.json``, ``gradebook.csv``, and of a lab what a person marks."""
    criteria = rubric.rubric(lab.chapter_path(grades["lab"]))
    table = gradebook(grades, rubric.marks(folder, criteria))
    files = [
        write_text(json.dumps(grades, indent=1) + "\n", folder / "grades.json"),
        write_text(table, folder / "gradebook.csv"),
    ]
    if criteria:
        names = [student["student"] for student in grades["students"]]
        files.append(rubric.write(criteria, names, folder))
        files.append(write_text(texts_of(grades), folder / "texts.md"))
    return files
