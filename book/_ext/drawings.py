"""Draw what belongs to no chapter: the landing page's figure, and the gallery.

Each function of the gallery draws one figure of :mod:`mpcl.figures.plots` from
committed data and returns the numbers that it shows. Its source stands on the page
below the figure, its numbers can be downloaded; of its docstring, the first part is the
caption, the second the text for who does not see the figure.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from sphinx.application import Sphinx

from book._ext.marks import fill_mark
from book._make.quote import without_docstrings
from mpcl.data import contract
from mpcl.evaluation import results, statistics, tables
from mpcl.figures import plots

Drawing = tuple[Figure, pd.DataFrame | pd.Series | xr.DataArray]

ROOT = Path(__file__).resolve().parents[2]  # of the book as it is laid down to render
PAGE, MARK, FOLDER = "book/gallery", "<!-- figures -->", "book/_static/gallery"
SECTION = """
## `{name}`

```{{figure}} _static/gallery/{name}.svg
:name: gallery-{anchor}
:alt: {alt}

{caption} <a href="../_static/gallery/{name}.csv" download>The numbers as CSV</a>.
```

```{{code-block}} python
{code}
```
"""
UNDATED: dict[str, str | None] = {"Date": None}
INK = "#(?:222222|262626|000000)"
FAINT = {
    "stroke: #e6e6e6": "stroke: currentColor; stroke-opacity: 0.15",  # grid
    "stroke: #bbbbbb": "stroke: currentColor; stroke-opacity: 0.4",  # edges of panels
    "stroke: #ffffff": "stroke: none",  # rims of bars
}


@lru_cache
def cohort() -> xr.Dataset:
    """The committed simulated cohort."""
    return contract.read(ROOT / "data" / "simulated.nc")


@lru_cache
def benchmark() -> xr.Dataset:
    """The committed scores on a simulated cohort."""
    return results.read(ROOT / "data" / "results" / "simulated-plain-benchmark.nc")


def label_distribution() -> Drawing:
    """The mean label of the simulated cohort, with its 95 % interval over participants.

    Horizontal bars, one an emotion, all near one tenth, with short interval lines;
    orange for pleasant, blue for not.
    """
    labels = cohort().distribution.groupby("participant").mean()
    emotions = labels.emotion.values
    shares = [labels.sel(emotion=name).values for name in emotions]
    bounds = np.array([statistics.interval(values) for values in shares])
    shown = pd.DataFrame(bounds, columns=["share", "lower", "upper"], index=emotions)
    share, lower, upper = bounds.T
    with plots.canvas(height=3) as (figure, axes):
        plots.label_distribution(
            axes,
            share,
            emotions,
            cohort().valence.values,
            lower,
            upper,
        )
    return figure, shown


def matrix() -> Drawing:
    """Correlations between the shares of emotions over the trials of the cohort.

    A square map of ten emotions: warm among those of one valence, violet between
    pleasant and unpleasant ones.
    """
    labels = cohort().distribution.groupby("trial").first()
    names = labels.emotion.values
    correlations = np.corrcoef(labels.values.T)  # (emotion, emotion)
    with plots.canvas(width=5.5, height=4.5) as (figure, axes):
        plots.matrix(axes, correlations, names, "correlation")
    return figure, pd.DataFrame(correlations, names, names)


def recording() -> Drawing:
    """One feature of one simulated participant over the session, by condition.

    Dots joined within each trial over some minutes, on coloured grounds for positive,
    negative, mixed and neutral.
    """
    person = cohort().isel(window=cohort().participant.values == "P01")
    feature = str(person.eda_feature.values[0])
    columns = {"start": person.start, "condition": person.condition}
    shown = pd.DataFrame({**columns, "value": person.eda.sel(eda_feature=feature)})
    with plots.canvas(height=2.6) as (figure, axes):
        plots.recording(axes, cohort(), "P01", "eda", feature)
    return figure, shown


def presence() -> Drawing:
    """How often each modality is missing in the simulated cohort.

    Horizontal bars, one a modality, of a few per cent each.
    """
    missing = contract.missing(cohort())
    with plots.canvas(height=2.4) as (figure, axes):
        plots.presence(axes, missing)
    return figure, missing.mean("window").to_series().rename("share missing")


def learning_curve() -> Drawing:
    """A loss by epoch: the mean over networks, and their range.

    *These numbers are made up*; chapter 10 has real ones.

    A line with dots falls steeply, then flattens, within a pale band.
    """
    epochs, noise = np.arange(1, 13), np.random.default_rng(0).normal(0, 0.02, (4, 12))
    log = xr.DataArray(
        (np.exp(-epochs / 3) + 0.1 + noise)[..., None],
        dims=("replica", "epoch", "term"),
        coords={"replica": range(4), "epoch": epochs, "term": ["made-up loss"]},
    )
    with plots.canvas(height=2.6) as (figure, axes):
        plots.learning_curve(axes, log, "made-up loss")
    return figure, log.squeeze("term", drop=True).to_pandas()


def score_intervals() -> Drawing:
    """Mean KL of every predictor on a simulated cohort, with 95 % intervals.

    Dots with horizontal interval lines, one a predictor: grey for those without
    signals, red for the network.
    """
    bounds = tables.intervals(benchmark())
    with plots.canvas(height=4.5) as (figure, axes):
        plots.score_intervals(axes, bounds, "kl")
    return figure, bounds.sel(metric="kl").to_pandas()


def difference_intervals() -> Drawing:
    """What removing a component costs in KL: mean and 95 % interval after Holm.

    Dots with horizontal interval lines around a vertical line at zero, in colour where
    the interval excludes zero.
    """
    names = tables.complete(benchmark())
    removed = [name for name in names if name.startswith("mpcl-no-")]
    bounds = tables.differences(benchmark(), others=removed, metrics=["kl"])
    with plots.canvas(height=2.6) as (figure, axes):
        plots.difference_intervals(axes, bounds, "kl")
    return figure, bounds.sel(metric="kl").to_pandas()


def learning_from() -> Drawing:
    """Scores against the number of participants learned from.

    *These numbers are made up*; chapter 12 has real ones.

    Two falling lines with pale bands above a dashed horizontal line.
    """
    people, limit = np.array([8, 16, 32, 64, 128]), 0.024
    curves = {}
    for name, slope in (("ridge", 0.2), ("mpcl", 0.15)):
        mean = limit + slope / people**0.5
        bounds = {"mean": mean, "lower": 0.95 * mean, "upper": 1.05 * mean}
        curves[name] = pd.DataFrame(bounds, index=people.tolist())
    best = pd.DataFrame({"mean": limit}, index=people.tolist())
    with plots.canvas(height=2.8) as (figure, axes):
        plots.learning_from(axes, curves, best)
    return figure, pd.concat(curves, axis=1)


def participant_pairs() -> Drawing:
    """Every participant of one simulated cohort: the network beside the mean label.

    Pairs of a grey square and a red dot, joined by a line, one pair a participant, in
    the order of the squares; most dots lie lower.
    """
    table = tables.participant_table(benchmark().isel(cohort=[0]), "kl")
    shown = table[["mean_label", "mpcl"]]
    with plots.canvas(height=2.8) as (figure, axes):
        plots.participant_pairs(axes, shown, "mpcl", "mean_label", "KL")
    return figure, shown


def clearest_mixture(dataset: xr.Dataset) -> int:
    """The complete window of a mixed trial, as pleasant as not, of clearest shape."""
    labels = dataset.distribution.values  # (window, emotion)
    pleasant = labels[:, dataset.valence.values > 0].sum(1)  # (window,)
    complete = ~contract.missing(dataset).values.any(1)
    mixed = (np.abs(pleasant - 0.5) < 0.08) & (dataset.condition.values == "mixed")
    return int(np.argmax(labels.std(1) * mixed * complete))


def idea() -> Drawing:
    """The landing page's figure: what sensors record, and the mixture that was felt.

    Above, three curves over a session, one trial shaded; below, bars for ten emotions,
    pleasant and unpleasant at once.
    """
    window = cohort().isel(window=clearest_mixture(cohort()))
    heights = {"height_ratios": (1, 1.5)}
    participant, trial = str(window.participant.values), str(window.trial.values)
    with plots.canvas(2, 1, 5.2, 4.6, gridspec_kw=heights) as (figure, (above, below)):
        plots.idea(above, below, cohort(), participant, trial)
    shares = {"share": window.distribution.values}
    return figure, pd.DataFrame(shares, index=window.emotion.values)


GALLERY: tuple[Callable[[], Drawing], ...] = (
    label_distribution,
    matrix,
    recording,
    presence,
    learning_curve,
    score_intervals,
    difference_intervals,
    learning_from,
    participant_pairs,
    idea,
)


def draw(to: Path, chosen: Iterable[Callable[[], Drawing]] = GALLERY) -> None:
    """Draw figures and write their numbers, the same bytes at every build."""
    matplotlib.use("Agg")
    to.mkdir(parents=True, exist_ok=True)
    for function in chosen:
        figure, shown = function()
        out = to / f"{function.__name__}.svg"
        with plt.rc_context({"svg.hashsalt": function.__name__}):
            figure.savefig(out, metadata=UNDATED, bbox_inches="tight")
        plt.close(figure)
        shown.to_csv(out.with_suffix(".csv"), float_format="%.6g")


def words(function: Callable[[], Drawing]) -> tuple[str, str]:
    """The caption of a figure, and the text for who does not see it."""
    text = (inspect.getdoc(function) or "").replace("\n\n", "\0").replace("\n", " ")
    *caption, alt = text.split("\0")
    return " ".join(caption), alt


def for_the_landing_page(to: Path) -> None:
    """The idea once more, within the page: no ground, text in the page's colour."""
    out = to / "idea.svg"
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "idea"}):
        figure, _ = idea()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, metadata=nothing, transparent=True, bbox_inches="tight")
    plt.close(figure)
    svg = re.sub(r"(?s)^.*?(?=<svg)", "", out.read_text(encoding="utf-8"))
    svg = re.sub(INK, "currentColor", svg)
    for colour, faint in FAINT.items():
        svg = svg.replace(colour, faint)
    start = f'<svg role="img" aria-label="{words(idea)[1]}" class="idea"'
    head, rest = svg.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]+"', "", head).replace("<svg", start, 1)
    out.write_text(f"{head}>{rest}", encoding="utf-8")


def section(function: Callable[[], Drawing]) -> str:
    """The part of the gallery on one figure, in Markdown."""
    name, (caption, alt) = function.__name__, words(function)
    code = without_docstrings(inspect.getsource(function), always=True).rstrip()
    code = code.replace(" -> Drawing", "")
    anchor = name.replace("_", "-")
    return SECTION.format(name=name, anchor=anchor, caption=caption, alt=alt, code=code)


def draw_all(app: Sphinx) -> None:
    draw(Path(app.srcdir, FOLDER))
    for_the_landing_page(Path(app.srcdir, "book", "_static"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", draw_all)
    return fill_mark(app, PAGE, MARK, lambda: "".join(map(section, GALLERY)))
