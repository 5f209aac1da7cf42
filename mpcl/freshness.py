"""Tell whether the committed outputs of a notebook are those of its code.

A chapter carries a fingerprint of everything that its last run depended on: its code cells, the
modules of this package that they import (comments and docstrings do not count), the data files
that these name, and the locked versions; and a hash of its outputs, so that an edit by hand is seen.
"""

import ast
import hashlib
import json
import re
import uuid
from functools import lru_cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("tags", "mystnb")  # cell metadata that a chapter may carry
STALE = {
    "cells": "its code cells changed after they were run",
    "package": "a module of mpcl that it imports changed after it was run",
    "data": "a data file that it reads changed after it was run",
    "lock": "requirements.lock changed after it was run",
}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STYLE = re.compile(r"(?<=\bT_)[0-9a-f]{5}(?=[_\" ])")  # pandas' styled tables
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


@lru_cache(maxsize=512)
def syntax(source):
    """What Python source does, as text: no comments, docstrings or positions, the same in every Python version.

    Args:
        source: str of Python code.

    Returns:
        str, equal for sources that differ in comments, docstrings and layout only.

    Example:
        >>> syntax("def f():\\n    'Says something.'\\n    return 1  # one") == syntax("def f(): return 1")
        True
    """
    def words(node):
        if isinstance(node, list):
            inner = [words(child) for child in node if not is_text(child)]
            return f"[{','.join(inner)}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return f"{type(node).__name__}({','.join(f'{name}={words(value)}' for name, value in fields)})"

    def is_text(node):
        return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

    return words(ast.parse(source).body)


@lru_cache(maxsize=512)
def imported(source, package=""):
    """Names that Python source imports, wherever the statement stands.

    Args:
        source: str of Python code.
        package: dotted name of the package that the source belongs to, for relative imports.

    Returns:
        frozenset of dotted names; ``from a import b`` gives both ``a`` and ``a.b``, since ``b`` may be a module.

    Example:
        >>> sorted(imported("from mpcl.data import labels"))
        ['mpcl.data', 'mpcl.data.labels']
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return frozenset(found)


def reachable(source, root=ROOT):
    """The modules of ``mpcl`` that running Python source may load, by following its imports.

    Args:
        source: str of Python code.
        root: folder that holds ``mpcl/``.

    Returns:
        dict of :class:`~pathlib.Path` by dotted name, sorted by name.
    """
    def file(name):
        base = Path(root).joinpath(*name.split("."))
        return next((p for p in (base / "__init__.py", base.with_suffix(".py")) if p.exists()), None)

    modules, todo = {}, set(imported(source))
    while todo:
        name = todo.pop()
        if name.split(".")[0] != "mpcl" or name in modules or not (path := file(name)):
            continue
        modules[name] = path
        parent = name.rpartition(".")[0]
        package = name if path.stem == "__init__" else parent
        todo |= imported(path.read_text(encoding="utf-8"), package) | {parent}
    return dict(sorted(modules.items()))


def data_files(code, root=ROOT):
    """The committed data files that code may read: those that it names, and netCDF files whose folder it names.

    Args:
        code: str, the syntax of all code that is run, see :func:`syntax`.
        root: folder that holds ``data/``.

    Returns:
        sorted list of :class:`~pathlib.Path`.
    """
    data = Path(root) / "data"
    files = [p for p in sorted(data.rglob("*")) if p.is_file() and p.relative_to(data).parts[0] != "derived"]
    texts = set(re.findall(r"[\w.-]+", code))
    return [p for p in files if p.name in texts or p.suffix == ".nc" and p.parent != data and p.parent.name in texts]


def read_data(path):
    """The committed data files that the code of a notebook may read, see :func:`data_files`.

    Args:
        path: a notebook in a checkout of this project.

    Returns:
        sorted list of :class:`~pathlib.Path`.
    """
    return _reached(path)[3]


def _reached(path):
    """Of a notebook: the checkout, its code cells, the syntax of the modules they load, the data files these name."""
    root = next(folder for folder in Path(path).resolve().parents if (folder / "_toc.yml").exists())
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    source = "\n".join(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell) for cell in cells)
    package = {name: syntax(file.read_text(encoding="utf-8")) for name, file in reachable(source, root).items()}
    return root, cells, package, data_files("\n".join([syntax(source), *package.values()]), root)


def parts(path):
    """What the outputs of a notebook depend on, a hash for each kind of thing.

    Args:
        path: a notebook in a checkout of this project.

    Returns:
        dict with ``cells``, ``package``, ``data`` and ``lock``.
    """
    root, cells, package, files = _reached(path)
    lock = re.sub(r"(?m)\s*#.*$", "", (root / "requirements.lock").read_text(encoding="utf-8"))
    return {
        "cells": hash_of(*cells),
        "package": hash_of(*(text for item in package.items() for text in item)),
        "data": hash_of(*(x for file in files for x in (file.relative_to(root).as_posix(), file.read_bytes()))),
        "lock": hash_of(*lock.split()),
    }


def fingerprint(path):
    """One hash over all that the outputs of a notebook depend on; comments and docstrings of modules do not count.

    Args:
        path: a notebook in a checkout of this project.

    Returns:
        str of 16 hexadecimal digits.
    """
    return hash_of(*parts(path).values())


def hash_of(*items):
    """16 hexadecimal digits of a SHA-256 over texts and bytes, which cannot run into one another."""
    digest = hashlib.sha256()
    for item in items:
        item = item.encode() if isinstance(item, str) else item
        digest.update(len(item).to_bytes(8, "big") + item)
    return digest.hexdigest()[:16]


# What is committed --------------------------------------------------------------------------------


def clean(nb):
    """Drop from a notebook, in place, all that differs between two runs of the same code.

    Cell metadata keep ``tags`` and ``mystnb``, notebook metadata the fingerprint.

    Args:
        nb: a notebook of :mod:`nbformat`.

    Returns:
        the same notebook.
    """
    nb.nbformat, nb.nbformat_minor = 4, 5
    nb.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        **({"mpcl": nb.metadata["mpcl"]} if "mpcl" in nb.metadata else {}),
    })
    seen = {}
    for number, cell in enumerate(nb.cells, 1):
        cell["id"] = f"cell-{number:03d}"
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in KEPT if cell.metadata.get(k)})
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            for kind in {"text/html", "text/plain", "image/svg+xml"} & data.keys():
                data[kind] = _renumber(data[kind], seen)
            if "text" in output:
                output["text"] = _renumber(output["text"], seen)
    return nb


def _renumber(text, seen):
    """Random ids become their number of appearance; addresses become 0; drawings lose their date."""
    text = UUID.sub(lambda m: seen.setdefault(m[0], str(uuid.UUID(int=len(seen) + 1))), text)
    text = STYLE.sub(lambda m: seen.setdefault("T_" + m[0], f"{len(seen) + 1:05x}"), text)
    text = ADDRESS.sub("0x000000000000", text)
    return re.sub(r"\s*<dc:date>.*?</dc:date>", "", text)


def text_of(nb):
    """A notebook as the text of its file."""
    return nbformat.writes(nb) + "\n"


def hash_of_outputs(nb):
    """Hash of a clean notebook's outputs, so that an output edited by hand is seen."""
    shown = [[cell.execution_count, cell.outputs] for cell in nb.cells if cell.cell_type == "code"]
    return hash_of(json.dumps(shown, sort_keys=True))


def stale(path):
    """Why the outputs of a committed notebook are not those of its code; empty if they are.

    Args:
        path: a notebook in a checkout of this project.

    Returns:
        list of str, each a reason in words.
    """
    nb = clean(nbformat.read(path, 4))
    code = [cell for cell in nb.cells if cell.cell_type == "code" and cell.source.strip()]
    stored = nb.metadata.get("mpcl", {})
    found = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("its cells were not run once each, from first to last")
    if any(output.output_type == "error" for cell in code for output in cell.outputs):
        found.append("one of its cells failed")
    if "fingerprint" not in stored:
        return [*found, "it carries no fingerprint of a run"]
    now = parts(path)
    found += [reason for name, reason in STALE.items() if stored.get("parts", {}).get(name) != now[name]]
    if stored["fingerprint"] != hash_of(*now.values()) and not found:
        found.append("its fingerprint was edited")
    if stored.get("outputs") != hash_of_outputs(nb):
        found.append("an output is not what the run wrote: it was stripped, or edited by hand")
    return found


def with_outputs(nb, run):
    """A chapter as it stands now, with the outputs of a run of the same code cells.

    Args:
        nb: the chapter, whose text may have changed since the run.
        run: the notebook that was run.

    Returns:
        the chapter, clean, with the run's outputs and fingerprint.
    """
    cells = [[cell for cell in book.cells if cell.cell_type == "code"] for book in (nb, run)]
    for cell, ran in zip(*cells, strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    nb.metadata["mpcl"] = run.metadata["mpcl"]
    return clean(nb)
