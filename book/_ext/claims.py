"""The table of the claim ledger, computed from the results files at each build."""

from pathlib import Path

from sphinx.application import Sphinx

from book._ext.marks import fill_mark
from book._make import ledger

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGE, MARK = "book/claims", "<!-- claims -->"


def setup(app: Sphinx) -> dict[str, bool]:
    return fill_mark(app, PAGE, MARK, lambda: ledger.page(ROOT))
