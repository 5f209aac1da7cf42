"""What the book is rendered from: numbers offered, runs listed, source quoted."""

from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

from book._make.chapters import Record, row
from book._make.contents import chapters
from book._make.editions import _for_paper
from book._make.quote import without_docstrings
from book._make.render import complaints, offer_numbers, stage

RECORD = Record("3.11.1", "cpu", "2.0", 12.3, "today")


def test_a_caption_offers_the_numbers_of_its_figure():
    data = {"image/png": "", "text/csv": "x,y\n1,2\n"}
    figure = {"name": "fig-one", "caption": "One figure."}
    cell = nbformat.v4.new_code_cell(
        "plt.show()",
        outputs=[nbformat.v4.new_output("display_data", data)],
        metadata={"mystnb": {"figure": figure}},
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    offering, tables = offer_numbers(notebook, Path("book/01_one.ipynb"))
    assert tables == {"01_one-fig-one.csv": "x,y\n1,2\n"}
    assert "text/csv" not in offering.cells[0].outputs[0].data
    caption = offering.cells[0].metadata.mystnb.figure.caption
    assert 'href="../_static/numbers/01_one-fig-one.csv"' in caption
    assert notebook.cells[0].metadata.mystnb.figure.caption == "One figure.", (
        "the notebook itself stays as it is"
    )


def test_the_page_of_runs_tells_of_each(tmp_path):
    path, notebook = chapters()[0], nbformat.v4.new_notebook()
    for differ, words in (
        (0, "same as committed"),
        (2, "outputs that differ from the committed ones: 2"),
    ):
        record = Record(*list(vars(RECORD).values())[:-1], differ)
        stage(tmp_path, {path: notebook}, [row(path, notebook, record)])
        page = (tmp_path / "book" / "run_status.md").read_text(encoding="utf-8")
        for part in ("12 s", "Python 3.11.1, torch 2.0", words):
            assert part in page
        (head,) = [line for line in page.splitlines() if line.startswith("| chapter")]
        (line,) = [line for line in page.splitlines() if "12 s" in line]
        assert line.count("|") == head.count("|")
        assert row(path, notebook, None).count("|") == head.count("|")


def test_a_warning_names_its_page_and_cell():
    log = "reading\n/stage/book/02_signals.ipynb:120001: WARNING: no such thing\ndone"
    assert complaints(log, Path("/stage")).endswith(
        "\nbook/02_signals.ipynb, cell 12: WARNING: no such thing"
    )


FOLDED = """<article>
<div class="cell tag_hide-cell"><details class="hide above-input"><summary>
<p class="collapsed">Show the tables</p><p class="expanded">Hide it</p></summary>
<div class="cell_input">code</div><div class="cell_output">12.5</div></details></div>
<div class="cell tag_solution tag_hide-cell"><details class="hide above-input">
<div class="cell_input">answer</div><div class="cell_output">Passed.</div></details>
</div></article>"""


def test_a_folded_table_is_printed_on_paper_and_a_solution_is_not():
    text = BeautifulSoup(FOLDED, "html.parser").article
    _for_paper(text, "page", {})
    assert text.get_text(" ", strip=True) == "The tables: 12.5"


# Source as a page shows it ------------------------------------------------------------

LONG = '''def area(side):
    """The area of a square.

    Of any side.
    """

    return side**2
'''
SHORT = '''class Square:
    """A square."""

    def __init__(self, side):
        """Keep it.

        For ever.
        """
        self.side = side

    def area(self):
        """Its area."""
        return self.side**2


    def last(self):
        """Only words.

        No code.
        """
'''


def test_a_docstring_longer_than_its_code_is_not_shown():
    assert without_docstrings(LONG) == "def area(side):\n    return side**2\n"


def test_a_docstring_shorter_than_its_code_is_shown():
    shown = without_docstrings(SHORT)
    assert '"""A square."""' in shown and '"""Its area."""' in shown
    assert "Keep it" not in shown and "        self.side = side" in shown
    assert "Only words" in shown, "a body of words alone stays: it is the code"
    assert "A square" not in without_docstrings(SHORT, always=True)


def test_an_indented_method_keeps_its_indent():
    method = "".join(f"    {line}" for line in LONG.splitlines(keepends=True))
    assert without_docstrings(method) == (
        "    def area(side):\n        return side**2\n"
    )
