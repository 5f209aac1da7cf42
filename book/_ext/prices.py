"""What each word of the abstract costs and earns, from the log of formulations."""

import csv
import re
from pathlib import Path

from sphinx.application import Sphinx

from book._ext.marks import fill_mark

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGE, MARK = "book/paper_and_code", "<!-- prices -->"
LOG = Path("data", "results", "formulations.csv")
FROZEN = "all of it, with that start: frozen"
ALONE = "the frozen network without the memory across modalities"  # on one cohort
ROWS = (  # word, what stands in its place, the formulation in the log
    ("fusion", "modalities summed", ALONE),
    (
        "fusion",
        "the mean of the moments",
        "the frozen network without the memory across time",
    ),
    ("multi-scale", "one beta", "the frozen network with one beta"),
    ("banks", "nothing written", "the frozen network, banks not written"),
    (
        "distillation",
        "the label teaches, no relations",
        "the same, single-branch views taught by the label, no relations: its control",
    ),
    ("distillation", "nobody teaches", "the same, neither"),
    ("co-occurrence", "none", "the frozen network without co-occurrence"),
    (
        "co-occurrence",
        "no gate",
        "the frozen network without the gate of co-occurrence",
    ),
    ("compression", "groups by hand", "the same, groups made by hand"),
    ("compression", "none", "the same, no compression"),
)
HEAD = """\
| word | in its place | cohorts | whole | behaviour lost | physiology lost |
|---|---|---|---|---|---|
"""


def numbers(text: str) -> list[float]:
    """The first three scores of a text: whole, behaviour lost, physiology lost."""
    return [float(number) for number in re.findall(r"\.\d{4}", text)[:3]]


def changes(root: Path = ROOT) -> list[tuple[str, str, int, list[float]]]:
    """Word, what stands in its place, cohorts, and how far KL rises by that."""
    with (root / LOG).open(encoding="utf-8", newline="") as file:
        log = {row["formulation"]: row for row in csv.DictReader(file)}
    frozen = {  # by how many cohorts
        1: numbers(log[ALONE]["mean KL"].split("(with it")[1]),
        2: numbers(log[FROZEN]["mean KL"].split("on 1001 and 1003")[1]),
    }
    table: list[tuple[str, str, int, list[float]]] = []
    for word, instead, formulation in ROWS:
        row = log[formulation]
        count = 2 if "1003" in row["setting"] else 1
        scores = zip(numbers(row["mean KL"]), frozen[count], strict=True)
        rises = [round(score - before, 4) for score, before in scores]
        table.append((word, instead, count, rises))
    return table


def page(root: Path = ROOT) -> str:
    """The table of what each word earns."""
    lines: list[str] = []
    for word, instead, count, rises in changes(root):
        signed = [f"{rise:+z.4f}".replace("0.", ".") for rise in rises]
        cells = [word, instead, str(count), *signed]
        lines.append(f"| {' | '.join(cells)} |")
    return HEAD + "\n".join(lines).replace("+.0000", ".0000").replace("-.0000", ".0000")


def setup(app: Sphinx) -> dict[str, bool]:
    return fill_mark(app, PAGE, MARK, page)
