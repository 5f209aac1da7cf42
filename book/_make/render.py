"""Lay down what the book is rendered from, and render it."""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nbformat import NotebookNode

from book._make.contents import BookError
from book._make.fresh import text_of
from mpcl.files import write_text
from mpcl.provenance import ROOT

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STATUS = "book/run_status.md"
ROWS = "<!-- runs -->"
NUMBERS = "_static/numbers"  # of the figures, a table each
COMPLAINT = r"(?m)^.*(?:\b(?:WARNING|ERROR|CRITICAL)\b|Error:).*(?:(?<=raised:)\n.*)?$"
LEFT_OUT = shutil.ignore_patterns(
    "derived", "__pycache__", ".ipynb_checkpoints", ".*", "*.ipynb"
)


def stage(
    to: Path,
    notebooks: Mapping[Path, NotebookNode],
    rows: Sequence[str] = (),
    root: Path = ROOT,
) -> None:
    """Lay down settings, pages, the package that pages quote, and data in a folder.

    The folder is replaced; ``notebooks`` go by path under ``root``, ``rows`` into the
    page that tells of their runs.
    """
    shutil.rmtree(to, ignore_errors=True)
    for folder in ("book", "mpcl", "data"):
        shutil.copytree(root / folder, to / folder, ignore=LEFT_OUT)
    for name in ("_config.yml", "_toc.yml", "requirements.lock"):
        shutil.copy2(root / name, to / name)
    for path, notebook in notebooks.items():
        page = path.relative_to(root)
        offering, tables = offer_numbers(notebook, page)
        for name, table in tables.items():
            write_text(table, to / "book" / NUMBERS / name)
        write_text(text_of(mark_slides(offering)), to / page)
    status = to / STATUS
    if status.exists():
        text = status.read_text(encoding="utf-8")
        write_text(text.replace(ROWS, "\n".join(rows)), status)


def offer_numbers(
    notebook: NotebookNode, page: Path
) -> tuple[NotebookNode, dict[str, str]]:
    """A chapter whose captions link to its figures' numbers, and these as CSV by name.

    The page is a path in the book, such as ``book/02_signals.ipynb``.
    """
    notebook = copy.deepcopy(notebook)
    up = "../" * (len(page.parts) - 1)
    tables: dict[str, str] = {}
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        for output in cell.get("outputs", []):
            table = output.get("data", {}).pop("text/csv", "")
            if table.strip() and "caption" in figure:
                name = f"{page.stem}-{figure['name']}.csv"
                tables[name] = table
                figure["caption"] += (
                    f' <a class="numbers" href="{up}{NUMBERS}/{name}" download>'
                    "The numbers as CSV</a>"
                )
    return notebook, tables


def mark_slides(notebook: NotebookNode) -> NotebookNode:
    """A chapter whose slides of text stand between comments that editions reads."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "slide" in cell.metadata.get("tags", []):
            cell.source = f"<!-- slide -->\n\n{cell.source}\n\n<!-- end of slide -->"
    return notebook


def render(staged: Path, html: Path, root: Path = ROOT) -> None:
    """Render a staged book into a folder, replaced only if all went well.

    ``root`` holds ``book/_make`` and the package that the reference pages describe.

    Raises:
        BookError: with the warnings, each of which is an error.
    """
    work = html.parent / "render"
    shutil.rmtree(work, ignore_errors=True)
    start = "from jupyter_book.cli.main import main; main()"
    options = ["--path-output", str(work), "--warningiserror", "--keep-going", "--all"]
    done = subprocess.run(
        [sys.executable, "-c", start, "build", str(staged), *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    log = COLOUR.sub("", done.stdout + done.stderr)
    write_text(log, work.with_suffix(".log"))
    if done.returncode:
        raise BookError(complaints(log, staged))
    shutil.rmtree(html, ignore_errors=True)
    (work / "_build" / "html").rename(html)
    shutil.rmtree(work)


def complaints(log: str, staged: Path) -> str:
    """The warnings and errors in a log, pages named as in the book, cells by number."""
    lines = re.findall(COMPLAINT, log) or log.splitlines()[-20:]
    text = "\n".join(["the book has warnings or errors:", *lines])
    text = text.replace(f"{staged}{os.sep}", "")
    return re.sub(r"\.ipynb:(\d+)(\d{4}):", r".ipynb, cell \1:", text)
