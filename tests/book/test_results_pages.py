"""Scores on pages come from results files: they are recomputed here by hand."""

import re

import numpy as np
import pytest
import xarray as xr

from book._make import ledger
from book._make.fresh import code_cells, read_notebook
from mpcl.provenance import ROOT

BOOK = ROOT / "book"
PAGES = [
    "index.md",
    "claims.md",
    "11_results.ipynb",
    "12_ablations.ipynb",
    "13_inside_the_model.ipynb",
    "../README.md",
]


FILES = {
    "Gaussian world": "simulated-plain-benchmark.nc",
    "blends world": "simulated-blends-plain-benchmark.nc",
    "WESAD, wrist": "wesad-all24-five.nc",
    "WESAD, chest and wrist": "wesad-all24-three-table159.nc",
}
PARTS = {
    "multi-scale associative memory": "fusion",
    "prototype banks": "prototypes",
    "relation distillation": "distillation",
    "co-occurrence retrieval": "cooccurrence",
    "semantic compression": "compression",
}


def shown(chapter):
    """All Markdown that the committed run of a chapter shows, and its tables' rows."""
    cells = code_cells(read_notebook(BOOK / f"{chapter}.ipynb"))
    texts = [
        output.data["text/markdown"]
        for cell in cells
        for output in cell.outputs
        if "text/markdown" in output.get("data", {})
    ]
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for text in texts
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return texts, rows


def people(file, name, metric="kl"):
    """Scores by participant, by hand: no line of mpcl."""
    with xr.open_dataset(ROOT / "data" / "results" / file, engine="h5netcdf") as kept:
        if name not in kept.predictor.values:
            return None
        score = kept.score.sel(predictor=name, level="trial", metric=metric)
        score = score.max("reads") if "reads" in score.dims else score
        return score.squeeze(["protocol", "cohort"]).load()


def flips(values):
    """Exact p of up to 15 people; of more, of 100,000 patterns."""
    people, random = len(values), np.random.default_rng(1)
    signs = random.choice([-1, 1], (100_000, people))
    if people <= 15:
        bits = np.arange(2**people)[:, None] >> np.arange(people) & 1
        signs = 1 - 2 * bits
    return (abs(signs @ values) >= abs(values.sum()) - 1e-12).mean()


def costs():
    """The cost of removing each part by participant, of each question of the family."""
    of_question = {}
    for part in PARTS.values():
        for words, file in FILES.items():
            if not (ROOT / "data" / "results" / file).is_file():
                of_question[part, words] = None
                continue
            whole, without = people(file, "mpcl"), people(file, f"mpcl-no-{part}")
            if whole is None or without is None:
                of_question[part, words] = None
                continue
            seeds = whole.notnull().any("participant")
            seeds &= without.notnull().any("participant")
            change = (without - whole).sel(seed=seeds.values).mean("seed")
            of_question[part, words] = change.values
    return of_question


def test_the_numbers_of_the_verdicts_are_those_of_the_files():
    """Means and p-values of chapter 12, recomputed from the scores."""
    questions = costs()
    p = {
        question: 1.0 if values is None else flips(values)
        for question, values in questions.items()
    }
    holm, least = {}, 0.0
    for rank, question in enumerate(sorted(p, key=p.get)):
        least = max(least, min(1.0, (len(p) - rank) * p[question]))
        holm[question] = least
    _, rows = shown("12_ablations")
    (header,) = [row for row in rows if row[:2] == ["part", "Gaussian world"]]
    table = rows[rows.index(header) + 2 :][: len(PARTS)]
    assert [row[0] for row in table] == list(PARTS)
    for row in table:
        for words, cell in zip(header[1:], row[1:], strict=True):
            question = PARTS[row[0]], words
            if questions[question] is None:
                assert cell == "not run by this version"
                continue
            word, mean, told = re.fullmatch(
                r"\*\*(.*)\*\*: ([+-]\d\.\d{4}), p ([\d.<]+)", cell
            ).groups()
            told = told.removeprefix("<")
            assert float(mean) == pytest.approx(questions[question].mean(), abs=6e-5)
            assert float(told) == pytest.approx(holm[question], 0.15, 0.02)
            assert word.startswith(("helps", "hurts")) == (float(told) <= 0.05)


@pytest.mark.parametrize("name", ["mean_label", "ridge", "helo", "mpcl"])
def test_the_means_of_the_tables_are_those_of_the_files(name):
    """KL and the order within a valence in the tables of chapter 11."""
    texts, rows = shown("11_results")
    for file in FILES.values():
        if not (ROOT / "data" / "results" / file).is_file():
            continue
        for metric in ("kl", "rank_same"):
            scores = people(file, name, metric)
            if scores is None or scores.isnull().all():
                continue
            mean = scores.mean("seed").mean("participant").item()
            number = f"{mean:z.4f}".replace("0.", ".", 1)
            of_name = [" ".join(row) for row in rows if row[0] == name]
            assert any(number in row for row in of_name), (file, metric, number)


def test_ledger_and_chapter_give_the_same_verdicts():
    _, rows = shown("12_ablations")
    words = {row[0]: row[1:] for row in rows if row[0] in PARTS and len(row) == 5}
    for claim in ledger.read(ROOT / "data" / "claims.yml"):
        for evidence in claim.evidence:
            if evidence.part:
                (sentence, *_), _ = ledger._compare(evidence, ROOT / "data" / "results")
                name = {part: words for words, part in PARTS.items()}[evidence.part]
                place = list(FILES.values()).index(evidence.file)
                cell = words[name][place]
                assert sentence.rpartition(": ")[2] == cell.strip("*").split("**")[0]


def test_nothing_stale_is_shown_as_of_this_network():
    """Whatever file holds scores of the earlier network says so."""
    for path in (ROOT / "data" / "results").rglob("*.nc"):
        with xr.open_dataset(path, engine="h5netcdf") as kept:
            names = kept[next(n for n in ("predictor", "method") if n in kept.dims)]
            if "mpcl" in names.values and kept.attrs["created"] < "2026-11-28":
                assert "network" in kept.attrs, path.name


@pytest.mark.parametrize("page", PAGES)
def test_no_score_is_typed_in_a_page(page):
    path = BOOK / page
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        cells = read_notebook(path).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    text = re.sub(r"(?s)```.*?```|`[^`]*`|arXiv \S+|\{cite[^}]*\}`[^`]*`", "", text)
    assert not re.findall(r"(?<![\d.])0?\.\d{3,}", text)
