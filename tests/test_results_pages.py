"""Scores on pages come from results files: change one and the page says so; none is typed."""

import re
from pathlib import Path

import matplotlib
import nbformat
import pytest

from mpcl.evaluation import results

BOOK = Path(__file__).parents[1] / "book"
KEPT = {"11_results": "wesad-all24-five.nc", "12_ablations": "simulated-plain-benchmark.nc"}
PAGES = ["index.md", "claims.md", "11_results.ipynb", "12_ablations.ipynb", "13_inside_the_model.ipynb", "../README.md"]


def said(chapter, capsys):
    """What the cells say that draw from kept files, without those that train."""
    namespace = {"__name__": "__main__"}
    cells = [cell for cell in nbformat.read(BOOK / f"{chapter}.ipynb", 4).cells if cell.cell_type == "code"]
    trains = ("scored", "fit(", "small", "exercise", "verdict(", "from_dataset", "footer", "count[")
    for cell in cells[:2] + [cell for cell in cells[2:] if not any(word in cell.source for word in trains)]:
        lines = cell.source.split("\n")
        shown = re.match(r"(results\.\w*table\(.*) if ", cell.source)  # what stands alone is shown, and here printed
        exec(f"print(({shown[1]}).to_string())" if shown and len(lines) == 1 else cell.source, namespace)
    return capsys.readouterr().out


@pytest.mark.parametrize("chapter", KEPT)
def test_a_score_that_changes_in_a_file_changes_on_the_page(chapter, capsys, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: matplotlib.pyplot.close("all"))
    before, read = said(chapter, capsys), results.read

    def changed(path):
        found = read(path)
        if Path(path).name == KEPT[chapter]:
            found.score.loc[{"method": "mpcl"}] += 0.25
        return found

    assert said(chapter, capsys) == before
    monkeypatch.setattr(results, "read", changed)
    after = said(chapter, capsys)
    assert after != before


@pytest.mark.parametrize("page", PAGES)
def test_no_score_is_typed_in_a_page(page):
    path = BOOK / page
    text = path.read_text(encoding="utf-8") if path.suffix == ".md" else "\n".join(
        cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    text = re.sub(r"(?s)```.*?```|`[^`]*`|arXiv \S+|\{cite[^}]*\}`[^`]*`", "", text)
    assert not re.findall(r"(?<![\d.])0?\.\d{3,}", text)
