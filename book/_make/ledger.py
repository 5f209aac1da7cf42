"""The claim ledger: each claim of the paper, judged from results files alone.

Nobody writes a verdict: ``data/claims.yml`` names the files and the predictors that the
network has to beat, and :func:`judge` compares, at the level of trials and with readers
of trials. Simulated evidence never fills the column of real recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from mpcl.errors import DatasetError
from mpcl.evaluation import results, tables
from mpcl.evaluation.predictors import BASELINES
from mpcl.evaluation.statistics import interval
from mpcl.provenance import ROOT

TIERS = ("simulated", "wesad", "dmer")
VERDICTS = (
    "reproduced", "partly", "not reproduced", "not attempted", "no verdict",
)  # fmt: skip
NETWORK = "mpcl"
REMOVED = "mpcl-no-"
CHANCE = 0.05
RIVALS = tuple(n for n in (*tables.FIRST, *BASELINES) if n != "condition_oracle")
FAMILY = ROOT / "data" / "family.yml"
COHORTS = {"simulated-plain-benchmark.nc": "simulated-plain-cohort-*.nc"}  # confirm it
MANY = 3  # predictors, above which they share one sentence
SECTION = """
(claim-{number})=
## {number} · {claim}

{source}; {{doc}}`{chapter}`. Verdict: {verdict}.
"""
FOUND = """
| data | found |
|---|---|
| simulated | {simulated} |
| WESAD | {wesad} |
| DMER | {dmer} |
"""


@dataclass(frozen=True)
class Evidence:
    """A results file, and the predictors in it that the network has to beat.

    Or a ``part``, which is judged in the declared family; or ``most``, a part whose
    removal has to cost more than that of each other part. Of a reported figure: its
    value, and the files whose oracles stand beside it.
    """

    tier: str
    file: str
    others: Sequence[str] = ()
    protocol: str | None = None
    level: str = "trial"
    metric: str = "kl"
    note: str = ""
    part: str = ""
    most: str = ""
    value: float | None = None
    beside: Sequence[str] = ()


@dataclass(frozen=True)
class Claim:
    """What the paper says, where it is tested, and by what; or why it is not."""

    claim: str
    source: str
    chapter: str
    evidence: Sequence[Evidence] = ()
    reported: Evidence | None = None
    why: str = ""


def _claim(entry: dict[str, Any]) -> Claim:
    fields = dict(entry)
    if "reported" in entry:
        fields["reported"] = Evidence(**entry["reported"])
    fields["evidence"] = [Evidence(**each) for each in entry.get("evidence", [])]
    return Claim(**fields)


def read(path: Path) -> list[Claim]:
    """The claims of a ledger such as ``data/claims.yml``.

    Raises:
        DatasetError: for a claim with unknown keys or tiers, or without exactly one of
            evidence, reported and why.
    """
    claims: list[Claim] = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        name = str(entry.get("claim", "?"))[:40]
        if len({"evidence", "reported", "why"} & set(entry)) != 1:
            raise DatasetError(
                f"the claim {name!r} needs one of evidence, reported and why", path
            )
        try:
            claim = _claim(entry)
        except TypeError as error:
            raise DatasetError(f"the claim {name!r}: {error}", path) from error
        files = [claim.reported] if claim.reported else claim.evidence
        if not {file.tier for file in files} <= set(TIERS):
            tiers = ", ".join(TIERS)
            raise DatasetError(f"the claim {name!r}: tiers are {tiers}", path)
        claims.append(claim)
    return claims


# Judging ------------------------------------------------------------------------------


def judge(claim: Claim, folder: Path) -> tuple[str, dict[str, list[str]]]:
    """The verdict on a claim from the results files in a folder, and sentences by tier.

    *Reproduced*: on real recordings the network is ahead of all that are named, beyond
    chance. *Partly*: beyond chance against some, or on simulated people alone. *Not
    reproduced*: it was measured, and nothing was beyond chance. *Not attempted*:
    nothing was measured. A reported figure of an unknown recipe gets no verdict. Parts
    are judged by the family of ``data/family.yml``; all rivals of a file are a family
    after Holm, and so is each other list of predictors.
    """
    sentences: dict[str, list[str]] = {tier: [] for tier in TIERS}
    if claim.reported:
        verdict, sentence = _beside(claim.reported, folder)
        sentences[claim.reported.tier].append(sentence)
        return verdict, sentences
    simulated: list[bool] = []
    real: list[bool] = []
    for evidence in claim.evidence:
        texts, ahead = _compare(evidence, folder)
        note = f"{evidence.note}: " if evidence.note else ""
        sentences[evidence.tier] += [f"{note}{text}" for text in texts]
        outcomes = simulated if evidence.tier == "simulated" else real
        outcomes += ahead
    return _verdict(simulated, real), sentences


def _verdict(simulated: list[bool], real: list[bool]) -> str:
    if real and all(real):
        return "reproduced"
    if any(real) or any(simulated):
        return "partly"
    return "not reproduced" if real or simulated else "not attempted"


def _compare(evidence: Evidence, folder: Path) -> tuple[list[str], list[bool]]:
    """A sentence on each predictor, and whether the network is ahead of it."""
    if evidence.part:
        return _part(evidence, folder)
    bounds = _differences(evidence, folder / evidence.file)
    if bounds is None:
        return ["not run by this version"], []
    sign = -1 if evidence.most else 1  # there the rest are to be the better ones
    is_lower = bounds.better == "lower"
    is_better = (sign * bounds.sel(bound="mean") > 0) == is_lower  # (predictor,)
    outcomes = ((bounds.p <= CHANCE) & is_better).values.tolist()
    if len(bounds) > MANY:
        return _in_one(bounds, outcomes, evidence.metric), outcomes
    sentences: list[str] = []
    for each, ahead in zip(bounds, outcomes, strict=True):  # (bound,) of a predictor
        mean, *ends = sign * each.values
        words = str(each.predictor.values).replace(REMOVED, "without ")
        if evidence.most:
            words = f"without {evidence.most} minus {words}"
        beyond = ", beyond chance" if ahead else ""
        numbers = f"{evidence.metric} {mean:+z.4f}{_between(*sorted(ends))}"
        numbers += f", p {tables.p_text(float(each.p))}"
        sentences.append(f"{words}: {numbers}{beyond}")
    return sentences, outcomes


def _in_one(bounds: xr.DataArray, outcomes: list[bool], metric: str) -> list[str]:
    """One sentence on many predictors."""
    groups: dict[str, list[str]] = {
        "ahead of": [],
        "behind": [],
        "not told apart from": [],
    }
    for each, ahead in zip(bounds, outcomes, strict=True):  # (bound,) of a predictor
        mean, p = float(each.sel(bound="mean")), float(each.p)
        behind = "behind" if p <= CHANCE else "not told apart from"
        numbers = f"{mean:+z.4f}, p {tables.p_text(p)}"
        group = groups["ahead of" if ahead else behind]
        group.append(f"{each.predictor.values} ({numbers})")
    parts = [f"**{name}** {', '.join(each)}" for name, each in groups.items() if each]
    return [f"{metric}: {'; '.join(parts)}"]


def _between(low: float, high: float) -> str:
    return "" if isnan(low) else f" [{low:+z.4f}, {high:+z.4f}]"


@lru_cache
def _family(folder: Path) -> dict[Any, dict[Any, Any]]:
    """The declared family of parts, by part and file."""
    declared = yaml.safe_load(FAMILY.read_text(encoding="utf-8"))
    paths = [folder / name for name in declared["files"].values()]
    files = {
        path.name: results.read(path) if path.is_file() else None for path in paths
    }
    judged = tables.judged(files, list(declared["parts"]), declared["level"])
    return judged.to_dict("index")


def _part(evidence: Evidence, folder: Path) -> tuple[list[str], list[bool]]:
    """The sentence on a part, and whether it helps, by the declared family."""
    judged = _family(folder)[evidence.part, evidence.file]
    words = str(judged["verdict"])
    if isnan(judged["mean"]):
        return [words], []
    between = _between(judged["lower"], judged["upper"])
    numbers = f"kl {judged['mean']:+z.4f}{between}, p {tables.p_text(judged['holm'])}"
    sentences = [f"without {evidence.part}: {numbers}: {words}"]
    further = sorted(folder.glob(COHORTS.get(evidence.file, "none")))
    if further:
        sentences.append(_confirmed([folder / evidence.file, *further], evidence.part))
    return sentences, [words.startswith("helps")]


@lru_cache
def _costs(path: Path, part: str) -> np.ndarray | None:
    """Cost (participant, cohort) of removing a part; None where it was not run."""
    scored = results.read(path)
    names = {NETWORK, f"{REMOVED}{part}"}
    if not names <= {*tables.complete(scored)}:
        return None
    return tables.costs(scored, f"{REMOVED}{part}")


def _confirmed(paths: list[Path], part: str) -> str:
    """What other people of the same world show; it decides nothing."""
    each = [_costs(path, part) for path in paths]
    costs = [values for values in each if values is not None]
    mean, low, high = interval(np.concatenate(costs, axis=1))
    signs = [np.nanmean(values) > 0 for values in costs]
    return (
        f"beside it, deciding nothing, {len(costs)} cohorts together: kl {mean:+z.4f}"
        f"{_between(low, high)}, same sign in {signs.count(signs[0])}"
    )


def _differences(evidence: Evidence, path: Path) -> xr.DataArray | None:
    """Differences from the network (predictor, bound); None where the file has none."""
    if not path.is_file():
        return None
    scored = results.read(path)
    measured = tables.complete(scored, evidence.protocol)
    others, against = list(evidence.others), NETWORK
    if evidence.most:
        others = [f"{REMOVED}{name}" for name in others]
        against = f"{REMOVED}{evidence.most}"
    others = [name for name in others if name in measured]
    if not others or against not in measured:
        return None
    family = others
    if set(others) <= set(RIVALS):  # of the network, all of them, as in chapter 11
        family = [name for name in RIVALS if name in measured]
    bounds = tables.differences(
        scored,
        against,
        family,
        evidence.protocol,
        evidence.level,
        [evidence.metric],
    )
    return bounds.sel(metric=evidence.metric, predictor=others)


def _beside(reported: Evidence, folder: Path) -> tuple[str, str]:
    """No verdict on a figure of an unknown recipe, and what stands beside it here.

    Whoever is told the condition is a bound of what can be had with these answers: a
    reported figure below it was made from others.
    """
    sentences: list[str] = []
    ours = folder / reported.file
    if ours.is_file() and NETWORK in tables.complete(scored := results.read(ours)):
        mean = _mean(scored, NETWORK, reported)
        sentences.append(f"ours {mean:.4f}, reported {reported.value:.4f}")
    for name in reported.beside:
        if (folder / name).is_file():
            scored = results.read(folder / name)
            oracle = _mean(scored, "condition_oracle", reported)
            recipe = f"{scored.label_recipe}, {scored.conditions} conditions"
            sentences.append(f"told the condition, {recipe}: {oracle:.4f}")
    if not sentences:
        return "not attempted", "not run by this version"
    return "no verdict", "; ".join(sentences)


def _mean(scored: xr.Dataset, name: str, reported: Evidence) -> float:
    scores = tables.by_participant(scored, level=reported.level)
    return float(scores.sel(predictor=name, metric=reported.metric).mean())


# The page -----------------------------------------------------------------------------


def section(number: int, claim: Claim, folder: Path) -> str:
    """The part of the page on one claim, in Markdown."""
    verdict, sentences = judge(claim, folder)
    head = {"number": number, "claim": claim.claim, "source": claim.source}
    head["chapter"] = claim.chapter
    if claim.why:
        return SECTION.format(verdict=f"**{verdict}** ({claim.why})", **head)
    cells = {tier: "<br>".join(sentences[tier]) or "–" for tier in TIERS}
    if not sentences["dmer"]:
        cells["dmer"] = "not run here"
    return SECTION.format(verdict=f"**{verdict}**", **head) + FOUND.format(**cells)


def page(root: Path) -> str:
    """How many claims have which verdict, and a section for each, in Markdown."""
    claims, folder = read(root / "data" / "claims.yml"), root / "data" / "results"
    verdicts = [judge(claim, folder)[0] for claim in claims]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in VERDICTS)
    text = f"Of {len(claims)} claims: {counts}.\n\n| claim | verdict |\n|---|---|\n"
    for number, claim in enumerate(claims, 1):
        text += f"| [{number} · {claim.claim}](claim-{number}) "
        text += f"| **{verdicts[number - 1]}** |\n"
    for number, claim in enumerate(claims, 1):
        text += section(number, claim, folder)
    return text
