"""Student notebooks: plain Markdown, nothing overwritten, no solution in them."""

import json
import re
import subprocess
import sys

import nbformat
import pytest

from book._make.contents import chapters
from mpcl.__main__ import main
from mpcl.errors import ParameterError
from mpcl.teaching import lab
from mpcl.teaching.chapter import Cell, exercises, names_of, needed, read
from mpcl.teaching.plain import equations, plain

CHAPTERS = chapters()


def code(source, *tags):
    return Cell("code", source, tags)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_students_notebook_has_stubs_and_checks_and_no_solution(path):
    cells, tasks = lab.student_cells(path), exercises(read(path))
    sources = [cell.source for cell in cells]
    for task in tasks:
        body = task.solution.split('"""')[2].split("\n\n\nverdict")[0].strip()
        assert not any(body in source for source in sources), task.id
        stubs = [source for source in sources if task.stub in source]
        assert len(stubs) == 1 and f"exercise {task.id}:" in stubs[0]
        assert sources.count(task.check) == 1
    for cell in cells:
        assert cell.source.strip()
        if cell.kind == "markdown":
            assert not re.search(r"\{[\w:-]+\}`|^[`:]{3,}\{", cell.source, re.M)
            folds = cell.source.count("<details>")
            assert folds == cell.source.count("</details>") and folds in (0, 3)
        else:
            compile(cell.source, path.stem, "exec")


def test_the_files_are_a_notebook_and_a_script(tmp_path, capsys):
    assert main(["lab", "1", "--to", str(tmp_path)]) == 0
    notebook = nbformat.read(tmp_path / "01_student.ipynb", 4)
    nbformat.validate(notebook)
    script = (tmp_path / "01_student.py").read_text("utf-8")
    assert script.count("# %%") == len(notebook.cells)
    stubs = [c for c in notebook.cells if "exercise" in c.metadata.get("tags", [])]
    assert [c.metadata["mpcl"]["id"] for c in stubs] == [
        "01-largest",
        "01-jensen",
        "01-behind",
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.source in script and not cell.outputs
    capsys.readouterr()
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "01_student.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("Ready: Python")
    assert sum(line.startswith("Not yet: write") for line in lines) == 3


def test_answers_that_are_there_stay(tmp_path, capsys):
    mine = tmp_path / "02_student.ipynb"
    mine.write_text("my answers")
    assert main(["lab", "02", "--to", str(tmp_path)]) == 0
    assert mine.read_text() == "my answers"
    said = capsys.readouterr().out
    assert f"there already, kept: {mine}" in said and "02_student.py" in said


def test_an_unknown_chapter_is_one_sentence(tmp_path, capsys):
    assert main(["lab", "77", "--to", str(tmp_path / "new")]) == 2
    assert "no chapter '77'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_first_cell_says_what_is_missing(capsys):
    cells = [Cell("code", lab.READY.format(packages="'numpy', 'no_such_package'"))]
    exec(cells[0].source, {})
    said = capsys.readouterr().out
    assert said.startswith("Not installed here: no_such_package. ")


def test_only_the_statements_that_names_come_from_are_kept():
    cells = [
        code("SEED = 1", "parameters"),
        code("import math\nrun = start(globals())"),
        code("a = 1\nb = a + SEED\nprint(b)\nc = []"),
        code("for step in range(3):\n    c.append(step)\nd = 5"),
        code("def twice(x):\n    return a * x\nc = c + [9]", "exercise"),
        Cell("markdown", "text"),
        code("table = {}\ntable['k'] = twice(2) if a else 0\ntwice = len"),
    ]
    kept = needed(cells, len(cells), {"c"})
    assert list(kept.values()) == [
        "SEED = 1",
        "import math",
        "run = start(globals())",
        "c = []",
        "for step in range(3):\n    c.append(step)",
    ]
    kept = list(needed(cells, len(cells), {"table"}).values())
    assert kept[3:] == ["a = 1", "table = {}", "table['k'] = twice(2) if a else 0"][-3:]


@pytest.mark.parametrize(
    ("source", "gives", "needs"),
    [
        ("x = y", "x", "y"),
        ("x += 1", "x", "x"),
        ("x[0].a = y", "x", "xy"),
        ("with f() as (g, h):\n    g(h, y)", "gh", "fy"),
        ("for i in range(n):\n    k = i", "ik", "n"),
        ("def f(a):\n    b = a\n    b[0] = c\n    return d(b)", "f", "cd"),
        ("from q import x as z\nz(y)", "zy", "y"),
        ("v = [w for w in u]", "v", "u"),
        ("u.sort()", "u", "u"),
        ("f(u)", "fu", "fu"),
        ("u.save(p / 'x', k=1)", "up", "up"),
        ("f({k: v[k] for k in u})", "f", "fuv"),  # shown, and nothing done to u
    ],
)
def test_names_of_a_cell(source, gives, needs):
    given, read_from_before = names_of(source)
    one_letter = {name for name in read_from_before if len(name) == 1}
    assert (given, one_letter) == (set(gives), set(needs))


def test_a_text_becomes_plain():
    text = (
        "By {eq}`eq-a` and {numref}`fig-b`, {cite:p}`x2020`; {doc}`the end <02_s>`.\n\n"
        "````{admonition} Hint\n:class: dropdown hint\nOne.\n\n"
        "```{admonition} More\n:class: dropdown hint\nTwo.\n```\n````"
    )
    formulas = equations(["a\n\n```{math}\n:label: eq-a\nx = 1\n```\n"])
    lowered = plain(text, formulas)
    assert "$$\nx = 1\n$$" in lowered and lowered.count("<details>") == 2
    assert lowered.index("$$") < lowered.index("<details>")
    assert "{" not in lowered and "the end" in lowered
    boxed = plain("```{admonition} Note\nMind\nthis.\n```", {})
    assert boxed == "> **Note**\n>\n> Mind\n> this."


def test_a_chapter_without_exercises_is_refused(tmp_path):
    page = tmp_path / "page.ipynb"
    page.write_text(json.dumps({"cells": []}))
    with pytest.raises(ParameterError, match="page.ipynb has no exercises"):
        lab.student_cells(page)
