"""The claim ledger: verdicts follow from the results files, and from nothing else."""

import re

import numpy as np
import pytest
import yaml

from book._make import ledger
from book._make.ledger import Claim, Evidence
from mpcl.errors import DatasetError
from mpcl.evaluation import results
from mpcl.files import read_netcdf, write_netcdf
from mpcl.provenance import ROOT
from mpcl.simulation.cohort import cohort
from mpcl.training.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a file in which mpcl is ahead of ridge, and of no memory by nothing."""
    names, few = ["ridge", "mpcl", "mpcl-no-memory"], Settings(epochs=1)
    eight = cohort(participants=8, clips=3, windows=2, seed=7)
    scored = results.evaluate(eight, names, "participants", [0], few, "cpu")
    kl = np.linspace(0.1, 0.2, scored.sizes["participant"])
    nothing = np.resize([0.01, -0.01], len(kl))
    for name, score in (
        ("mpcl", kl),
        ("ridge", kl + np.linspace(0.04, 0.06, len(kl))),
        ("mpcl-no-memory", kl + nothing),
    ):
        scored.score.loc[{"predictor": name, "metric": "kl"}] = score
    made = tmp_path_factory.mktemp("results")
    write_netcdf(scored, made / "made.nc")
    return made


def claim(tier, *others):
    return Claim("c", "s", "x", evidence=(Evidence(tier, "made.nc", others),))


@pytest.mark.parametrize(
    ("tier", "others", "verdict"),
    [
        ("wesad", ["ridge"], "reproduced"),
        ("wesad", ["ridge", "mpcl-no-memory"], "partly"),
        ("simulated", ["ridge"], "partly"),
        ("wesad", ["mpcl-no-memory"], "not reproduced"),
        ("simulated", ["mpcl-no-memory"], "not reproduced"),
        ("wesad", ["helo"], "not attempted"),
    ],
)
def test_a_verdict_follows_from_the_scores(folder, tier, others, verdict):
    judged, sentences = ledger.judge(claim(tier, *others), folder)
    assert judged == verdict
    assert not any(sentences[other] for other in ledger.TIERS if other != tier), (
        "evidence stands in its own column alone"
    )
    if "ridge" in others:
        (sentence,) = [text for text in sentences[tier] if "ridge" in text]
        assert "ridge: kl +0.0500" in sentence and "beyond chance" in sentence


def test_another_score_is_another_verdict(folder, tmp_path):
    changed = read_netcdf(folder / "made.nc")
    changed.score.loc[{"predictor": "ridge", "metric": "kl"}] -= 0.05
    write_netcdf(changed, tmp_path / "made.nc")
    assert ledger.judge(claim("wesad", "ridge"), tmp_path)[0] == "not reproduced"


@pytest.mark.parametrize(
    ("file", "verdict"), [("made.nc", "no verdict"), ("none.nc", "not attempted")]
)
def test_a_figure_of_an_unknown_recipe_gets_no_verdict(folder, file, verdict):
    """However near it is; what whoever is told the condition has stands beside it."""
    reported = Evidence("wesad", file, metric="kl", value=0.15, beside=["made.nc"])
    if file == "none.nc":
        reported = Evidence("wesad", file, metric="kl", value=0.15)
    judged, sentences = ledger.judge(Claim("c", "s", "x", reported=reported), folder)
    assert judged == verdict
    if file == "made.nc":
        assert "ours 0.1500, reported 0.1500" in sentences["wesad"][0]
        assert "told the condition" in sentences["wesad"][0]


def test_a_part_is_judged_by_the_declared_family(folder, tmp_path, monkeypatch):
    made = read_netcdf(folder / "made.nc")
    write_netcdf(made, tmp_path / "one.nc")
    family = {"level": "trial", "files": {"a": "one.nc", "b": "two.nc"}}
    (tmp_path / "family.yml").write_text(
        yaml.safe_dump(family | {"parts": {"memory": {}, "banks": {}}})
    )
    monkeypatch.setattr(ledger, "FAMILY", tmp_path / "family.yml")
    part = Evidence("simulated", "one.nc", part="memory")
    judged, sentences = ledger.judge(Claim("c", "s", "x", evidence=(part,)), tmp_path)
    assert judged == "not reproduced"
    assert sentences["simulated"][0].endswith("undecided at this n")
    absent = Evidence("wesad", "two.nc", part="memory")
    judged, sentences = ledger.judge(Claim("c", "s", "x", evidence=(absent,)), tmp_path)
    assert judged == "not attempted"
    assert sentences["wesad"] == ["not run by this version"]


def test_what_matters_most_costs_more_than_the_rest(folder, tmp_path):
    made = read_netcdf(folder / "made.nc")
    made = made.assign_coords(
        predictor=[
            {"ridge": "mpcl-no-x", "mpcl-no-memory": "mpcl-no-y"}.get(name, name)
            for name in map(str, made.predictor.values)
        ]
    )
    write_netcdf(made, tmp_path / "made.nc")
    for most, other, ahead in (("x", "y", True), ("y", "x", False)):
        evidence = Evidence("wesad", "made.nc", [other], most=most)
        (sentence,), outcome = ledger._compare(evidence, tmp_path)
        assert outcome == [ahead] and ("beyond chance" in sentence) is ahead
        assert sentence.startswith(f"without {most} minus without {other}: kl ")


def columns(section):
    """The table of a section, by data set, and the line above it."""
    rows = dict(re.findall(r"(?m)^\| (simulated|WESAD|DMER) \| (.*) \|$", section))
    (line,) = re.findall(r"Verdict: .*", section)
    return rows, line


def test_each_column_holds_sentences(folder):
    """With evidence on DMER, the page once printed a list of Python."""
    two = claim("dmer", "ridge", "mpcl-no-memory")
    rows, line = columns(ledger.section(1, two, folder))
    assert line == "Verdict: **partly**."
    assert rows["simulated"] == rows["WESAD"] == "–"
    first, second = rows["DMER"].split("<br>")
    assert first.startswith("ridge: kl +0.0500 [")
    assert second.startswith("without memory: kl ")
    assert not set("'\"") & set(rows["DMER"])
    rows, _ = columns(ledger.section(1, claim("wesad", "ridge"), folder))
    assert rows["DMER"] == "not run here"


def test_what_was_not_attempted_says_why(folder):
    """Its emphasis was once mended after it was made."""
    reason = Claim("c", "s", "x", why="a **strong** reason")
    rows, line = columns(ledger.section(1, reason, folder))
    assert line == "Verdict: **not attempted** (a **strong** reason)."
    assert not rows, "no table of dashes"


def test_many_predictors_share_a_sentence(folder, tmp_path):
    made = read_netcdf(folder / "made.nc")
    floors = ["uniform", "mean_label", "motion_only"]
    kl = made.score.sel(predictor="mpcl", metric="kl", drop=True).max("reads")
    for name, more in zip(floors, (0.05, 0, -0.05), strict=True):
        place = {"predictor": name, "reads": "windows", "metric": "kl"}
        made.score.loc[place] = kl + more
    write_netcdf(made, tmp_path / "made.nc")
    four = Evidence("wesad", "made.nc", [*floors, "ridge"])
    (sentence,), ahead = ledger._compare(four, tmp_path)
    assert ahead == [True, False, False, True]
    assert sentence.startswith("kl: **ahead of** uniform (+0.0500, p ")
    assert "**behind** motion_only (-0.0500" in sentence
    assert sentence.endswith("**not told apart from** mean_label (+0.0000, p 1.000)")


def test_further_cohorts_stand_beside_and_decide_nothing(folder, tmp_path, monkeypatch):
    made = read_netcdf(folder / "made.nc")
    family = {"level": "trial", "files": {"a": "made.nc"}, "parts": {"memory": {}}}
    (tmp_path / "family.yml").write_text(yaml.safe_dump(family))
    monkeypatch.setattr(ledger, "FAMILY", tmp_path / "family.yml")
    monkeypatch.setattr(ledger, "COHORTS", {"made.nc": "other-*.nc"})
    write_netcdf(made, tmp_path / "made.nc")
    part = Evidence("simulated", "made.nc", part="memory")
    (alone,), decided = ledger._compare(part, tmp_path)
    made.score.loc[{"predictor": "mpcl-no-memory"}] += 0.04  # it helps a great deal
    write_netcdf(made, tmp_path / "other-7.nc")
    (first, second), still = ledger._compare(part, tmp_path)
    assert (first, still) == (alone, decided)
    assert "2 cohorts together: kl +0.0200 [" in second


def test_the_ledger_names_chapters_and_predictors_that_exist():
    from data.make.ladder import family, rungs
    from mpcl.evaluation.predictors import METHODS

    for each in ledger.read(ROOT / "data" / "claims.yml"):
        assert list((ROOT / "book").glob(f"{each.chapter}.*")), each.chapter
        for evidence in each.evidence:
            if not evidence.most:
                assert set(evidence.others) <= {*METHODS, *rungs("rivals")}
            parts = {
                evidence.part,
                evidence.most,
                *evidence.others * bool(evidence.most),
            }
            assert parts - {""} <= set(family()["parts"])
            if evidence.part:
                assert evidence.file in family()["files"].values()


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "reproduced", "why": "w"},
        {},
        {"why": "w", "reported": {}},
        {"reported": {"tier": "wesad", "file": "f.nc", "number": 3}},
        {"evidence": [{"tier": "wesad"}]},
        {"evidence": [{"tier": "moon", "file": "f.nc", "others": []}]},
    ],
)
def test_a_claim_that_is_not_one_is_refused(wrong, tmp_path):
    path = tmp_path / "claims.yml"
    entry = {"claim": "c", "source": "s", "chapter": "x", **wrong}
    path.write_text(yaml.safe_dump([entry]))
    with pytest.raises(DatasetError, match="the claim 'c'"):
        ledger.read(path)
