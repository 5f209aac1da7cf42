"""Exercises in the chapters: one form, one source, no number without a meaning."""

import ast
import re

import pytest

from book._make.contents import chapters
from book._make.fresh import clean, read_notebook
from mpcl.teaching.chapter import exercises, names_of, read, stub_of

CHAPTERS = chapters()
LEVELS = ["check", "change", "extend"]
HEADING = r"### Exercise (\S+) · (.+)\n\n\*(\w+) · (\d+) minutes · objectives? (.+)\*\n"


def aims(cells):
    """What a chapter promises: the bold word of each objective."""
    text = "\n".join(cell.source for cell in cells[:3] if cell.kind == "markdown")
    listed = text.split("You will be able to")[1].split("\n:::")[0]
    return re.findall(r"(?m)^- \*\*(.+?)\*\*", listed)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_have_numbers_minutes_objectives_and_hints(path):
    cells = read(path)
    tasks, verbs = exercises(cells), aims(cells)
    chapter = path.stem.split("_")[0]
    number = chapter.lstrip("0") if chapter.isdigit() else "B"
    assert [task.level for task in tasks] == LEVELS
    first = cells[tasks[0].place - 1].source
    assert "{doc}`how_to_use`" in first.split("## Exercises\n")[1]
    for place, task in enumerate(tasks, 1):
        heading = re.match(HEADING, task.prompt)
        assert heading, f"{task.id}: {task.prompt[:120]}"
        assert heading[1] == f"{number}.{place}"
        assert heading[3].lower() == task.level and int(heading[4]) == task.minutes
        named = [
            f"{aim} ({verbs[int(aim.split('.')[1]) - 1]})" for aim in task.objectives
        ]
        assert heading[5] == ", ".join(named), task.id
        assert all(aim.split(".")[0] == number for aim in task.objectives)
        hints = re.findall(r"(?m)^`+\{admonition\} (.+)$", task.prompt)
        assert hints == ["Hint: the idea", "A first step", "Nearly the code"], task.id
        assert task.id.startswith(f"{chapter}-")


def test_ids_are_one_of_a_kind():
    ids = [task.id for path in CHAPTERS for task in exercises(read(path))]
    assert len(ids) == len(set(ids)) >= 42


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_solution_is_the_only_source(path):
    cells = read(path)
    for task in exercises(cells):
        assert task.stub == stub_of(task.solution), task.id
        check = ast.parse(task.check)
        functions = [n for n in check.body if isinstance(n, ast.FunctionDef)]
        asked = [n.arg for n in functions[-1].args.args]
        assert asked == [ast.parse(task.stub).body[-1].name], task.id
        assert task.check.endswith(f"\n\n\nverdict({functions[-1].name})"), task.id
        assert task.solution.endswith(f"\n\n\nverdict({functions[-1].name})"), task.id
        assert "expect" in task.check, task.id
        before = cells[: task.place]
        given = {
            name
            for cell in before
            if cell.kind == "code" and not {"check", "solution"} & set(cell.tags)
            for name in names_of(cell.source)[0]
        }
        needs = names_of(task.solution)[1] & given - {"verdict"}
        assert needs <= set(task.needs), f"{task.id} needs {needs}"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_page_shows_a_stub_that_waits_and_a_solution_that_passes(path):
    """By the committed outputs; nbval holds these to what really runs."""
    notebook = read_notebook(path)
    kept = clean(read_notebook(path))
    for tag, begin in (("check", "Not yet: write"), ("solution", "Passed.\n")):
        for cell, again in zip(notebook.cells, kept.cells, strict=True):
            if tag in cell.metadata.get("tags", []):
                printed = "".join(output.get("text", "") for output in cell.outputs)
                assert printed.startswith(begin), cell.source
                assert again.metadata == cell.metadata
                if tag == "solution":
                    shown = cell.metadata["mystnb"]["code_prompt_show"]
                    assert shown.startswith("Show a solution to exercise ")
