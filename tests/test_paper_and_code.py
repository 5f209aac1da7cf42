"""What the pages name exists: modules, tests and symbols."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "paper_and_code.md").read_text(encoding="utf-8")
NOTATION = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`((?:mpcl|tests)/[\w/.:]+)`", PAGE))))
def test_every_module_and_test_that_the_page_names_exists(named):
    path, _, test = named.partition("::")
    assert (ROOT / path).exists(), path
    if test:
        tree = ast.parse((ROOT / path).read_text())
        assert test in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_the_page_names_every_component():
    components = {path.name for path in (ROOT / "mpcl" / "model").glob("*.py")} - {"__init__.py"}
    assert components == {name for name in components if f"mpcl/model/{name}" in PAGE}


def symbols(text):
    """The mathematics in the first column of every table whose head begins with the word symbol."""
    found = []
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.M):
        rows = [row.split("|")[1] for row in table.splitlines()]
        if rows[0].strip() == "symbol":
            found += [symbol for row in rows[2:] for symbol in re.findall(r"\$([^$]+)\$", row)]
    return [re.sub(r"\{(\w)\}", r"\1", re.sub(r"\s|\\,", "", symbol)) for symbol in found]  # P^{b} is P^b


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_symbol_of_a_chapter_stands_in_the_notation(path):
    known = {symbol for line in symbols(NOTATION) for symbol in [line, *line.split(",")]}
    text = "\n".join(cell.source + "\n" for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    unknown = [symbol for symbol in symbols(text) if symbol not in known]
    assert not unknown, f"not in book/notation.md: {', '.join(unknown)}"


def test_the_model_stays_thin():
    """An hour's reading: under 700 lines with docstrings, no function over 40, no constructor over 8 arguments."""
    files = sorted((ROOT / "mpcl" / "model").glob("*.py"))
    assert sum(len(path.read_text().splitlines()) for path in files) < 700
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                lines = node.end_lineno - (node.body[0].end_lineno if documented else node.lineno)
                assert lines <= 40, (path.name, node.name, lines)
                assert node.name != "__init__" or len(node.args.args) <= 9, (path.name, node.name)  # self and eight
