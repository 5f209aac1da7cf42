"""A lab is done: its model, two failing answers and its rubric ran through grade."""

import csv
import html
import re
import subprocess
import sys

import pytest

from mpcl.__main__ import main
from mpcl.errors import ParameterError
from mpcl.teaching import feedback, grade, lab, processes, rubric
from mpcl.teaching.chapter import exercises, read
from tests.teaching.lab_answers import ANSWERS, HASTY, MISTAKEN, submission

LABS = [name for name in lab.pages() if name.startswith("lab")]
LIMITS = processes.Limits(jobs=2)
FREE = ("01", "02", "lab0", "lab1", "lab2", "lab3", "lab5", "labS")  # of torch
WITHOUT = """\
import sys


class NoTorch:
    def find_spec(name, *_):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, NoTorch)
"""


def tasks(name):
    return exercises(read(lab.chapter_path(name)))


def test_there_are_six_labs_and_a_seminar():
    assert sorted(ANSWERS) == LABS
    assert LABS == ["lab0", "lab1", "lab2", "lab3", "lab4", "lab5", "labS"]


@pytest.mark.parametrize("name", LABS)
def test_a_lab_has_all_that_a_course_needs(name):
    page = lab.chapter_path(name).read_text(encoding="utf-8")
    every, criteria = tasks(name), rubric.rubric(lab.chapter_path(name))
    minutes = int(re.search(r"^\*(\d+) minutes", page, re.M)[1])
    assert sum(task.minutes for task in every) <= max(minutes, 90)
    assert "\nSEED = 0  # yours" in page, "everybody has data of their own"
    assert {task.level for task in every} == {"function", "write"}
    assert ANSWERS[name].keys() == {task.id for task in every}
    for part in ("Rubric", "Usual mistakes", "For the talk"):
        assert f"\n## {part}\n" in page
    if name != "lab0":  # written work counts as much as what is checked
        hand = [each for each in criteria if not each.startswith("Talk")]
        assert len(criteria) == 6 and len(hand) == 4 and len(every) == 4
    for levels in criteria.values():
        assert len(set(levels)) == 3 and all(level.endswith(".") for level in levels)
    headings = re.findall(r"(?m)^### Exercise (\S+) · ", page)
    assert headings == [f"{headings[0][:-1]}{n}" for n in range(1, len(every) + 1)]


def marked(folder, criteria):
    """A rubric.csv filled in: full marks, half of them, and one not marked yet."""
    with open(folder / "rubric.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_student = {"model": "2", MISTAKEN: "1", HASTY: ""}
    for row in rows:
        row |= dict.fromkeys(criteria, by_student[row["Student"]])
    with open(folder / "rubric.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n == "lab5" else []) for n in LABS],
)
def test_a_lab_is_graded_as_deserved(name, tmp_path, capsys):
    inbox, folder = tmp_path / "inbox", tmp_path / "graded"
    inbox.mkdir()
    every, criteria = tasks(name), rubric.rubric(lab.chapter_path(name))
    model = "\n\n\n".join(task.solution for task in every)
    (inbox / "model.py").write_text(model)
    for who in (HASTY, MISTAKEN):
        (inbox / f"{who}.py").write_text(submission(name, who))
    grades = grade.grade(inbox, name, "a word", LIMITS)
    grade.write(grades, folder)
    got = {s["student"]: s["grades"] for s in grades["students"]}
    with capsys.disabled():
        print(
            f"\n{name}", {who: [g["points"] for g in got[who].values()] for who in got}
        )
    hints = {key: each["hint"] for key, each in got["model"].items()}
    assert all(g["points"] == grade.POINTS for g in got["model"].values()), hints
    for place, who in enumerate((HASTY, MISTAKEN)):
        for key, answers in ANSWERS[name].items():
            given = got[who][key]
            assert given["points"] <= grade.POINTS / 2, (who, key)
            assert re.search(answers[place][1], given["hint"]), (who, key, given)
    texts = (folder / "texts.md").read_text(encoding="utf-8")
    assert texts.count("# model") == 1 and "return" in texts
    marked(folder, criteria)
    feedback.write(folder)
    with open(folder / "gradebook.csv", encoding="utf-8", newline="") as file:
        totals = {
            r["Student"]: float(r[f"Lab {name[3:]}"]) for r in csv.DictReader(file)
        }
    most = grade.POINTS * len(every) + rubric.MOST * len(criteria)
    assert totals["model"] == most
    assert totals[HASTY] < totals[MISTAKEN] < most / 2 + 1
    full, half, none = (
        html.unescape((folder / "feedback" / f"{who}.html").read_text("utf-8"))
        for who in ("model", MISTAKEN, HASTY)
    )
    assert f"{most:g} of {most:g} points" in full
    for criterion, levels in criteria.items():
        assert levels[0] in full and levels[1] in half
        assert f"<h2>{criterion}</h2>" not in none, "what has no mark is left out"


def test_marks_that_stand_are_kept_and_strange_ones_refused(tmp_path):
    criteria = rubric.rubric(lab.chapter_path("lab1"))
    rubric.write(criteria, ["anna"], tmp_path)
    sheet = (tmp_path / "rubric.csv").read_text()
    assert sheet.splitlines()[1] == "anna" + "," * len(criteria)
    first = next(iter(criteria))
    (tmp_path / "rubric.csv").write_text(f"Student,{first}\nanna,2\n")
    rubric.write(criteria, ["anna", "bo"], tmp_path)  # who came later has a row
    rubric.write(criteria, ["anna", "bo"], tmp_path)
    assert rubric.marks(tmp_path, criteria) == {"anna": {first: 2}, "bo": {}}
    assert (tmp_path / "rubric.csv").read_text().count("bo") == 1
    (tmp_path / "rubric.csv").write_text(f"Student;{first}\nanna;2\n")
    with pytest.raises(ParameterError, match="save it with commas"):
        rubric.marks(tmp_path, criteria)
    (tmp_path / "rubric.csv").write_text(f"Student,{first}\nanna,3\n")
    with pytest.raises(ParameterError, match="anna, Purpose: '3' is no mark"):
        rubric.marks(tmp_path, criteria)


def test_everybody_gets_data_of_their_own(tmp_path, capsys):
    for who in ("anna", "bo"):
        to = str(tmp_path / who)
        assert main(["lab", "lab1", "--to", to, "--seed-of", who]) == 0
    anna, bo = (
        (tmp_path / who / "lab1_student.py").read_text() for who in ("anna", "bo")
    )
    assert f"SEED = {lab.seed_of('anna')}" in anna and "STUDENT = 'anna'" in anna
    assert f"SEED = {lab.seed_of('bo')}" in bo
    assert anna.replace("anna", "") != bo.replace("bo", "")


@pytest.mark.parametrize("name", FREE)
def test_a_lab_runs_without_torch_until_its_first_answer(name, tmp_path):
    """The notebook as handed out, in a Python that cannot import torch."""
    lab.write(name, tmp_path)
    script = tmp_path / f"{name}_student.py"
    script.write_text(WITHOUT + script.read_text("utf-8"), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].startswith("Ready: Python")
    waiting = [line for line in ran.stdout.splitlines() if line.startswith("Not yet")]
    assert len(waiting) == len(tasks(name))
