"""Tell whether the committed outputs of a chapter are those of its code.

A chapter carries a fingerprint of everything that its last run depended on: its code
cells, the modules of mpcl that the run loaded (comments and docstrings do not count),
the data files that its cells name, and the locked versions; and a hash of its outputs,
so that an edit by hand is seen.
"""

import ast
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from mpcl.provenance import PACKAGE, file_of, hash_of, hash_of_code
from mpcl.teaching.lab import KERNEL

KEPT = ("tags", "mystnb", "mpcl")  # cell metadata that a chapter may carry
DATA = (".nc", ".csv", ".yml")
OPENED = {  # by data set: the file that the catalogue reads
    "simulated": "simulated.nc",
    "simulated-blends": "simulated-blends.nc",
}
STALE = {
    "cells": "its code cells changed after they were run",
    "package": "a module of mpcl that it loads changed after it was run",
    "data": "a data file that it reads changed after it was run",
    "lock": "requirements.lock changed after it was run",
}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STYLE = re.compile(r"(?<=\bT_)[0-9a-f]{5}(?=[_\" ])")  # pandas' styled tables
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of format 4, read whole."""
    notebook = nbformat.read(path, 4)
    assert isinstance(notebook, NotebookNode)  # nbformat's own types are older
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of a notebook that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# What a run depends on ----------------------------------------------------------------


def _texts(cell: str) -> Iterator[str]:
    """The string constants of a cell; of an f-string, what varies is ``*``."""
    source = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell)  # magics
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "*"
                for part in node.values
            )


def named_files(cells: Iterable[str], root: Path) -> list[Path]:
    """The committed data files that code cells name, in full or as a glob.

    ``"simulated"`` names the file that the catalogue opens for it.
    """
    texts = {text for cell in cells for text in _texts(cell)}
    patterns = {PurePosixPath(text).name for text in texts}
    patterns |= {file for name, file in OPENED.items() if name in texts}
    data = root / "data"
    return [
        path
        for path in sorted(data.rglob("*"))
        if path.suffix in DATA
        and path.relative_to(data).parts[0] != "derived"
        and any(_names(pattern, path) for pattern in patterns)
    ]


def _names(pattern: str, path: Path) -> bool:
    """Whether a text names a file; without its ending, as ``*``, it names none."""
    return pattern.endswith(path.suffix) and fnmatchcase(path.name, pattern)


def root_of(path: Path) -> Path:
    """The checkout that a page belongs to: the folder above it with ``_toc.yml``."""
    return next(p for p in path.resolve().parents if (p / "_toc.yml").exists())


def read_data(path: Path) -> list[Path]:
    """The committed data files that the cells of a chapter name."""
    cells = [cell.source for cell in code_cells(read_notebook(path))]
    return named_files(cells, root_of(path))


def parts(path: Path, modules: Iterable[str]) -> dict[str, str]:
    """What the outputs of a chapter depend on: a hash for each kind of thing.

    ``modules`` are those of mpcl that a run loaded; one that is gone counts as empty.
    ``mpcl/__init__.py`` is no part of it: it only holds the public names.
    """
    root = root_of(path)
    files = {name: file_of(name, root) for name in set(modules) - {PACKAGE}}
    cells = [cell.source for cell in code_cells(read_notebook(path))]
    data: list[str | bytes] = []
    for path in named_files(cells, root):
        data += [path.relative_to(root).as_posix(), path.read_bytes()]
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    return {
        "cells": hash_of(*cells),
        "package": hash_of_code({name: file for name, file in files.items() if file}),
        "data": hash_of(*data),
        "lock": hash_of(*re.sub(r"(?m)\s*#.*$", "", lock).split()),
    }


def seal(notebook: NotebookNode, path: Path, modules: list[str]) -> None:
    """Write into a clean run of a chapter what it depended on, and what it gave."""
    depended = parts(path, modules)
    notebook.metadata["mpcl"] = {
        "fingerprint": hash_of(*depended.values()),
        "modules": modules,
        "outputs": hash_of_outputs(notebook),
        "parts": depended,
    }


def is_current(notebook: NotebookNode, path: Path) -> bool:
    """Whether a run of a chapter depended on what stands there now."""
    sealed = notebook.metadata.get("mpcl", {})
    now = parts(path, sealed.get("modules", []))
    return sealed.get("fingerprint") == hash_of(*now.values())


# What is committed --------------------------------------------------------------------


def clean(notebook: NotebookNode) -> NotebookNode:
    """Drop, in place, all that differs between two runs of the same code.

    Cell metadata keep ``KEPT``, notebook metadata the fingerprint.
    """
    kept = {
        key: notebook.metadata[key] for key in ("mpcl",) if key in notebook.metadata
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict({**KERNEL, **kept})
    seen: dict[str, str] = {}
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:03d}"
        metadata = {key: cell.metadata[key] for key in KEPT if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(metadata)
        for output in cell.get("outputs", []):
            _clean_output(output, seen)
    return notebook


def _clean_output(output: NotebookNode, seen: dict[str, str]) -> None:
    data = output.get("data", {})
    data.pop("application/vnd.jupyter.widget-view+json", None)
    for kind in {"text/html", "text/plain", "image/svg+xml"} & data.keys():
        data[kind] = _renumber(data[kind], seen)
    if "text" in output:
        output["text"] = _renumber(output["text"], seen)


def _renumber(text: str, seen: dict[str, str]) -> str:
    """Give random ids the number of their appearance; drop addresses and dates."""
    text = UUID.sub(
        lambda name: seen.setdefault(name[0], str(uuid.UUID(int=len(seen) + 1))), text
    )
    text = STYLE.sub(
        lambda name: seen.setdefault("T_" + name[0], f"{len(seen) + 1:05x}"), text
    )
    text = ADDRESS.sub("0x000000000000", text)
    return re.sub(r"\s*<dc:date>.*?</dc:date>", "", text)


def text_of(notebook: NotebookNode) -> str:
    """A notebook as the text of its file."""
    return nbformat.writes(notebook) + "\n"


def hash_of_outputs(notebook: NotebookNode) -> str:
    """Hash of a clean notebook's outputs, so that one edited by hand is seen."""
    shown = [[cell.execution_count, cell.outputs] for cell in code_cells(notebook)]
    return hash_of(json.dumps(shown, sort_keys=True))


def stale(path: Path) -> list[str]:
    """Why the outputs of a committed chapter are not those of its code, in words."""
    notebook = clean(read_notebook(path))
    cells = [cell for cell in code_cells(notebook) if cell.source.strip()]
    sealed = notebook.metadata.get("mpcl", {})
    reasons: list[str] = []
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        reasons.append("its cells were not run once each, from first to last")
    if any(output.output_type == "error" for cell in cells for output in cell.outputs):
        reasons.append("one of its cells failed")
    if "modules" not in sealed:
        return [*reasons, "it carries no fingerprint of a run"]
    now, before = parts(path, sealed["modules"]), sealed.get("parts", {})
    reasons += [STALE[name] for name in STALE if before.get(name) != now[name]]
    if not reasons and not is_current(notebook, path):
        reasons.append("its fingerprint was edited")
    if sealed.get("outputs") != hash_of_outputs(notebook):
        reasons.append(
            "an output is not what the run wrote: it was stripped, or edited by hand"
        )
    return reasons


def with_outputs(chapter: NotebookNode, run: NotebookNode) -> NotebookNode:
    """A chapter as it stands now, with the outputs of a run of the same code cells."""
    for cell, ran in zip(code_cells(chapter), code_cells(run), strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    chapter.metadata["mpcl"] = run.metadata["mpcl"]
    return clean(chapter)
