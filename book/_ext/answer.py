"""The landing page's answer to its own question, computed from the results files."""

from pathlib import Path

import xarray as xr
from sphinx.application import Sphinx

from book._ext.marks import fill_mark
from book._make import ledger
from mpcl.evaluation import tables
from mpcl.evaluation.results import read

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGE, MARK = "book/index", "<!-- answer -->"
SIMULATED = "simulated people"
FOLDER = ROOT / "data" / "results"
FILES = {
    SIMULATED: "simulated-plain-benchmark.nc",
    "WESAD, read from the wrist,": "wesad-all24-five.nc",
    "WESAD, read from chest and wrist,": "wesad-all24-three-table159.nc",
}
COHORTS = "simulated-plain-cohort-*.nc"
RIVALS = {
    "mean_label": "the mean label (floor)",
    "motion_only": "motion alone (confound)",
    "elapsed_time_only": "the clock alone (confound)",
}
WEAK = "it is **not** shown to be better than guessing the usual answer"
HALF = (
    "it is better than guessing the usual answer, but **not** shown to be better than "
    "movement alone and the clock alone"
)
STRONG = "it is better than guessing the usual answer, than movement and than the clock"


def compare(scored: xr.Dataset) -> xr.DataArray:
    """KL of floor and confounds minus MPCL's with new people, in whole trials.

    They are of one family with all rivals of the file, as in chapter 11.
    """
    measured = tables.complete(scored)
    family = [name for name in ledger.RIVALS if name in measured]
    compared = tables.differences(scored, "mpcl", family, level="trial", metrics=["kl"])
    return compared.sel(metric="kl", predictor=list(RIVALS))


def sample(scored: xr.Dataset) -> str:
    """On how many people and networks a column rests."""
    people = scored.score.dropna("participant", how="all").sizes["participant"]
    seeds = tables.seeds_of(scored, "mpcl")
    return f"{people} people, {seeds} seeds"


def confirmed(folder: Path, said: str) -> str:
    """Whether further simulated cohorts, which decide nothing, give the same answer."""
    paths = sorted(folder.glob(COHORTS))
    again = [verdict(compare(read(path))) for path in paths]
    if not again:
        return ""
    return (
        f" Of {len(again)} further simulated cohorts, which only confirm, "
        f"{again.count(said)} give the same answer."
    )


def verdict(compared: xr.DataArray) -> str:
    """What may be said of MPCL by differences (predictor, bound) with their ``p``."""
    ahead = (compared.p < 0.05) & (compared.sel(bound="mean") > 0)
    if not ahead.sel(predictor="mean_label"):
        return WEAK
    return STRONG if ahead.all() else HALF


def cell(numbers: xr.DataArray) -> str:
    """One difference with its interval, and whether it is beyond chance."""
    mean, lower, upper = (f"{value:+z.4f}" for value in numbers.values.tolist())
    chance = "beyond chance" if numbers.p < 0.05 else "not beyond chance"
    return f"{mean} [{lower}, {upper}], {chance}"


def answer(folder: Path = FOLDER) -> str:
    """A sentence, and a table of the differences behind it, in Markdown."""
    files = {
        where: read(folder / name)
        for where, name in FILES.items()
        if (folder / name).is_file()
    }
    compared = {where: compare(scored) for where, scored in files.items()}
    verdicts = {where: verdict(each) for where, each in compared.items()}
    short = " ".join(f"With {where} {said}." for where, said in verdicts.items())
    if SIMULATED in verdicts:
        short += confirmed(folder, verdicts[SIMULATED])
    heads = [f"{at.strip(',')} ({sample(scored)})" for at, scored in files.items()]
    lines = ["| MPCL is ahead of ... | " + " | ".join(heads) + " |"]
    lines.append("|---" * (1 + len(compared)) + "|")
    for name, words in RIVALS.items():
        cells = [cell(each.sel(predictor=name)) for each in compared.values()]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return f"**The answer.** {short}\n\n" + "\n".join(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    return fill_mark(app, PAGE, MARK, answer)
