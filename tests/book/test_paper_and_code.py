"""What the page says of paper and code: modules and tests exist, prices are true."""

import ast
import re

import pytest

from book._ext import prices
from mpcl.provenance import ROOT

PAGE = (ROOT / "book" / "paper_and_code.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "named", sorted(set(re.findall(r"`((?:mpcl|tests)/[\w/.:]+)`", PAGE)))
)
def test_every_module_and_test_that_the_page_names_exists(named):
    path, _, test = named.partition("::")
    assert (ROOT / path).exists(), path
    if test:
        tree = ast.parse((ROOT / path).read_text())
        assert test in [
            node.name for node in tree.body if isinstance(node, ast.FunctionDef)
        ]


def test_the_page_names_every_component():
    files = {path.name for path in (ROOT / "mpcl" / "model").glob("*.py")}
    components = files - {"__init__.py", "config.py"}
    assert [name for name in components if f"mpcl/model/{name}" not in PAGE] == []


def test_every_statement_about_the_method_has_a_test_of_the_scored_network():
    """Statements 4 to 8: something is frozen, replaced or counted in the network."""
    parts = re.split(r"(?m)^\*\*(\d\w?) · ", PAGE)[1:]
    statements = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(statements) == ["1", "2", "3", "4", "5", "6a", "6b", "7", "8", "9"]
    for number in ("4", "5", "6a", "6b", "7", "8"):
        text = statements[number]
        assert "`tests/model/test_words.py::" in text, number
        assert ": *How far*:" in text and ": *Our reading*:" in text, number


def test_the_column_how_far_has_a_line_for_each_statement():
    table = re.search(r"(?m)^\| \| in short.*\n(?:\|.*\n)+", PAGE)[0].splitlines()[2:]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table]
    numbers = re.findall(r"(?m)^\*\*(\d\w?) · ", PAGE)
    assert [row[0] for row in rows] == numbers
    assert all(len(row[3]) > 20 for row in rows)


def test_each_word_has_its_price_and_what_the_page_says_of_it_is_true():
    rises = {(word, instead): rise for word, instead, _, rise in prices.changes(ROOT)}
    worth = {key for key, rise in rises.items() if max(rise) >= 0.0005}
    assert worth == {("distillation", "nobody teaches"), ("compression", "none")}
    costs = {key for key, rise in rises.items() if min(rise) <= -0.0005}
    time = ("fusion", "the mean of the moments")
    assert costs == {time, ("compression", "none")}  # with physiology lost
    assert max(rises["co-occurrence", "none"]) == 0
    filled = prices.page(ROOT).splitlines()
    assert len(filled) == len(rises) + 2 and prices.MARK in PAGE
    assert len({line.count("|") for line in filled}) == 1


def test_the_model_can_be_read_function_by_function():
    """No function over 40 lines, no constructor over 8 arguments."""
    for path in sorted((ROOT / "mpcl" / "model").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                first = node.body[0].end_lineno if documented else node.lineno
                assert node.end_lineno - first <= 40, (path.name, node.name)
                if node.name == "__init__":  # self and eight
                    assert len(node.args.args) <= 9, path.name
