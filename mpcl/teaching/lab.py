"""Notebooks for students: the exercises of a chapter, and the cells that they need."""

import hashlib
import json
import re
import sys
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path

from mpcl.errors import ParameterError
from mpcl.files import write_text
from mpcl.provenance import ROOT, imported
from mpcl.teaching.chapter import Cell, Exercise, exercises, names_of, needed, read
from mpcl.teaching.plain import equations, plain

BOOK = ROOT / "book"
KERNEL = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
TOP = """\
# Exercises: {title}

Run the cells from top to bottom (Shift + Enter). Write each answer where it says
`raise NotImplementedError`, run that cell, then the check below it. Hints are folded.
Solutions stand in the chapter `{chapter}` of the book. Save this file: it is yours."""
READY = """\
def ready(*packages):
    \"\"\"Say in words whether this notebook can run here.\"\"\"
    import importlib.util
    import sys

    version = sys.version.split()[0]
    if sys.version_info < (3, 11):
        return f"Python 3.11 or newer is needed, this is {{version}}."
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        return (
            f"Not installed here: {{', '.join(missing)}}. Choose the Python of the "
            "book's folder .venv as kernel, see the page How to use this book."
        )
    return f"Ready: Python {{version}} and all packages are there."


print(ready({packages}))"""


def pages() -> dict[str, Path]:
    """Chapters and labs by the first words of their files, such as ``04``, ``lab1``."""
    labs = sorted((BOOK / "teaching").glob("lab*_*.md"))
    return {
        path.stem.split("_")[0]: path for path in [*sorted(BOOK.glob("*.ipynb")), *labs]
    }


def chapter_path(name: str) -> Path:
    """The chapter or lab with such a name, also without its zero.

    Raises:
        ParameterError: where there is none.
    """
    known_pages = pages()
    if name.zfill(2) not in known_pages:
        raise ParameterError(
            f"no chapter {name!r} in {BOOK}; choose from {', '.join(known_pages)}"
        )
    return known_pages[name.zfill(2)]


@cache
def tasks(name: str) -> tuple[Exercise, ...]:
    """The exercises of a chapter or lab; its page is read once."""
    return tuple(exercises(read(chapter_path(name))))


def student_cells(path: Path) -> list[Cell]:
    """What a student gets of a chapter: no solution, and no cell without need."""
    cells = read(path)
    every = exercises(cells)
    if not every:
        raise ParameterError(f"{path.name} has no exercises")
    title = cells[0].source.splitlines()[0].lstrip("# ")
    formulas = equations(
        [c.source for page in BOOK.glob("*.ipynb") for c in read(page)]
    )
    body: list[Cell] = []
    given: set[tuple[int, int]] = set()
    for task in every:
        names = names_of(task.check)[1] | set(task.needs)
        parts = needed(cells, task.place, names)
        fresh = [key for key in parts if key not in given]
        given.update(fresh)
        if fresh:
            words = "what the next exercise needs" if body else "what they all need"
            body.append(Cell("markdown", f"## Run this once: {words}"))
        for _, keys in groupby(fresh, key=lambda key: key[0]):
            source = "\n".join(parts[key] for key in keys)
            body.append(Cell("code", source.strip("\n")))
        body.append(Cell("markdown", plain(task.prompt, formulas)))
        stub = f"# exercise {task.id}: write your answer here\n{task.stub}"
        body.append(Cell("code", stub, ("exercise",), {"id": task.id}))
        body.append(Cell("code", task.check, ("check",)))
    code = "\n".join(cell.source for cell in body if cell.kind == "code")
    packages = {name.split(".")[0] for name in imported(code)} - sys.stdlib_module_names
    ready = READY.format(packages=", ".join(map(repr, sorted(packages))))
    top = Cell("markdown", TOP.format(title=title, chapter=path.stem))
    return [top, Cell("code", ready), *body]


def notebook_text(cells: list[Cell]) -> str:
    """Cells as the text of a notebook."""
    made: list[dict[str, object]] = []
    for number, cell in enumerate(cells, 1):
        facts = {"mpcl": cell.facts} if cell.facts else {}
        ran = {"execution_count": None, "outputs": list[str]()}
        entry: dict[str, object] = {
            "cell_type": cell.kind,
            "id": f"cell-{number:03d}",
            "metadata": {"tags": list(cell.tags), **facts},
            "source": cell.source.splitlines(keepends=True),
        }
        made.append(entry | ran if cell.kind == "code" else entry)
    whole = {"cells": made, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def script_text(cells: list[Cell]) -> str:
    """Cells as a script with ``# %%`` between them, for VS Code, Spyder and others."""
    parts: list[str] = []
    for cell in cells:
        if cell.kind == "markdown":
            lines = [f"# {line}".rstrip() for line in cell.source.splitlines()]
            parts.append("\n".join(["# %% [markdown]", *lines]))
        else:
            parts.append(f"# %%\n{cell.source}")
    return "\n\n".join(parts) + "\n"


def seed_of(word: str) -> int:
    """The random numbers of a student, or of a secret.

    Example:
        >>> seed_of("anna") == seed_of("anna") != seed_of("bo")
        True
    """
    return int(hashlib.sha256(word.encode()).hexdigest()[:6], 16)


def of_student(cells: list[Cell], student: str) -> list[Cell]:
    """A student's own data, and the name under which it is handed in."""
    seed = f"SEED = {seed_of(student)}"
    mine = [replace(c, source=re.sub(r"(?m)^SEED = 0", seed, c.source)) for c in cells]
    return [*mine, Cell("code", f"STUDENT = {student!r}")]


def write(name: str, folder: Path, student: str = "") -> dict[Path, bool]:
    """Write ``04_student.ipynb`` and ``04_student.py`` into a folder.

    A file that is there may have answers in it, and stays. Returns which files are new.
    """
    path = chapter_path(name)
    cells = student_cells(path)
    if student:
        cells = of_student(cells, student)
    is_new: dict[Path, bool] = {}
    for suffix, text in ((".ipynb", notebook_text(cells)), (".py", script_text(cells))):
        file = folder / f"{path.stem.split('_')[0]}_student{suffix}"
        is_new[file] = not file.exists()
        if is_new[file]:
            write_text(text, file)
    return is_new
