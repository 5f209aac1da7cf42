"""The tables of the page on speed, drawn from data/benchmarks at each build."""

import json
from pathlib import Path

import numpy as np
import xarray as xr
from sphinx.application import Sphinx

from book._ext.marks import fill_mark
from mpcl.files import read_netcdf

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGE, MARK = "book/benchmarks", "<!-- benchmarks -->"
FOLDER = ROOT / "data" / "benchmarks"
TITLES = {
    "training": "Training a stack of networks",
    "retrieval": "Retrieval from a large memory",
    "features": "Features of a window of signals",
    "loading": "Loading a data set",
    "measures": "The six measures on 200,000 distributions",
    "inference": "Predicting one trial and many",
    "grid": "A grid of runs: a second worker, and what the scheduler costs",
    "book": "Building this book again",
}
NOT_MEASURED = "*Not measured by this version.*"


def short(number: float) -> str:
    """Two digits, or whole from 10 on."""
    return f"{number:.0f}" if number >= 9.95 else f"{number:.2g}"


def page(folder: Path = FOLDER) -> str:
    """A section for each benchmark, for the processor and for a GPU."""
    lines: list[str] = []
    for name, title in TITLES.items():
        lines += [f"## {title}", ""]
        kinds = ("cpu", "cuda") if name in ("training", "retrieval") else ("cpu",)
        for kind in kinds:
            path = folder / f"{name}-{kind}.nc"
            lines += [f"**{'GPU' if kind == 'cuda' else 'Processor'}**", ""]
            measured = read_netcdf(path) if path.is_file() else xr.Dataset()
            is_of_today = "case" in measured.dims  # the first version kept other things
            lines += table(measured) if is_of_today else [NOT_MEASURED]
            lines.append("")
    return "\n".join(lines)


def table(measured: xr.Dataset) -> list[str]:
    """A row for each case: seconds of both ways, and how many times as fast."""
    rows = [
        "| what | ours, s | rival | its s | times as fast (least, most) |",
        "|---|--:|---|--:|--:|",
    ]
    for number, case in enumerate(measured.case.values):
        ours, theirs = measured.seconds.values[number]
        ratio = theirs / ours
        spread = f"{short(ratio.min())}, {short(ratio.max())}"
        rival = measured.rival.values[number]
        seconds = f"{short(np.median(ours))} | {rival} | {short(np.median(theirs))}"
        rows.append(
            f"| {case} | {seconds} | **{short(np.median(ratio))}** ({spread}) |"
        )
    attrs = measured.attrs
    versions = json.loads(attrs["versions"])
    measured_on = f"{attrs['device']}, {attrs['machine']}, {attrs['threads']} thread(s)"
    packages = f"Python {versions['python']}, torch {versions['torch']}"
    rounds = f"{measured.sizes['round']} rounds, {attrs['created'][:10]}"
    return [*rows, "", f"{measured_on}; {packages}; {rounds}."]


def setup(app: Sphinx) -> dict[str, bool]:
    return fill_mark(app, PAGE, MARK, page)
