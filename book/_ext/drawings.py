"""Draw what belongs to no chapter: the figure of the landing page, and the gallery of all figure functions.

Each function here draws one figure of :mod:`mpcl.figures` from committed data and returns the numbers
that it shows; its source stands on the gallery page below the figure, and its numbers can be downloaded.
"""

import inspect
import re
from functools import lru_cache
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from mpcl import figures
from mpcl.data import contract
from mpcl.evaluation import results, statistics

ROOT = Path(__file__).resolve().parents[2]
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


@lru_cache
def cohort():
    return contract.read(ROOT / "data" / "simulated.nc")


@lru_cache
def kept():
    return results.read(ROOT / "data" / "results" / "simulated-plain-benchmark.nc")


def label_distribution():
    """The mean label of the simulated cohort, with its 95 % interval over participants.

    Horizontal bars, one an emotion, all near one tenth, with short interval lines; orange for pleasant, blue for not.
    """
    labels = cohort().distribution.groupby("participant").mean()  # (participant, emotion)
    found = [statistics.interval(labels.sel(emotion=name).values) for name in labels.emotion.values]
    shown = pd.DataFrame(found, columns=["share", "lower", "upper"], index=labels.emotion.values)
    with figures.canvas(height=3) as (figure, axes):
        figures.label_distribution(axes, shown.share, shown.index, cohort().valence.values, shown.lower, shown.upper)
    return figure, shown


def matrix():
    """Correlations between the shares of emotions over the trials of the simulated cohort.

    A square map of ten emotions: warm among those of one valence, violet between pleasant and unpleasant ones.
    """
    trials = cohort().distribution.groupby("trial").first()
    shown = pd.DataFrame(np.corrcoef(trials.values.T), trials.emotion.values, trials.emotion.values)
    with figures.canvas(width=5.5, height=4.5) as (figure, axes):
        figures.matrix(axes, shown.values, list(shown.columns), "correlation")
    return figure, shown


def recording():
    """One feature of one simulated participant over the session; shading and names: the condition of each trial.

    Dots joined within each trial over some minutes, on coloured grounds for positive, negative, mixed and neutral.
    """
    own = cohort().isel(window=np.flatnonzero(cohort().participant.values == "P01"))
    shown = pd.DataFrame({"start": own.start, "condition": own.condition, "value": own["eda"].values[:, 0]})
    with figures.canvas(height=2.6) as (figure, axes):
        figures.recording(axes, cohort(), "P01", "eda", str(cohort().eda_feature.values[0]))
    return figure, shown


def presence():
    """How often each modality is missing in the simulated cohort.

    Horizontal bars, one a modality, of a few per cent each.
    """
    shown = contract.missing(cohort()).mean("window").to_series().rename("share missing")
    with figures.canvas(height=2.4) as (figure, axes):
        figures.presence(axes, contract.missing(cohort()))
    return figure, shown


def learning_curve():
    """A loss by epoch: the mean over networks and their range. *These numbers are made up*; chapter 10 has real ones.

    A line with dots falls steeply, then flattens, within a pale band.
    """
    epochs, noise = np.arange(1, 13), np.random.default_rng(0).normal(0, 0.02, (4, 12))
    log = xr.DataArray((np.exp(-epochs / 3) + 0.1 + noise)[..., None], dims=("replica", "epoch", "term"),
                       coords={"replica": range(4), "epoch": epochs, "term": ["made-up loss"]})
    with figures.canvas(height=2.6) as (figure, axes):
        figures.learning_curve(axes, log, "made-up loss")
    return figure, log.sel(term="made-up loss").to_pandas()


def scores():
    """Mean KL of every method on five simulated cohorts, with 95 % intervals over participants.

    Dots with horizontal interval lines, one a method: grey for predictors without signals, red for the network.
    """
    bounds = results.intervals(kept())
    with figures.canvas(height=4.5) as (figure, axes):
        figures.scores(axes, bounds, "kl")
    return figure, bounds.sel(metric="kl").to_pandas()


def differences():
    """What removing a component costs in KL on five simulated cohorts: mean and 95 % interval after Holm.

    Dots with horizontal interval lines around a vertical line at zero, in colour where the interval excludes zero.
    """
    removed = [name for name in results.complete(kept()) if str(name).startswith("mpcl-no-")]
    bounds = results.differences(kept(), others=removed, metrics=["kl"])
    with figures.canvas(height=2.6) as (figure, axes):
        figures.differences(axes, bounds, "kl")
    return figure, bounds.sel(metric="kl").to_pandas()


def learning_from():
    """Scores against the number of participants learned from. *These numbers are made up*; chapter 12 has real ones.

    Two falling lines with pale bands above a dashed horizontal line.
    """
    people, limit = np.array([8, 16, 32, 64, 128]), 0.024
    curves = {name: pd.DataFrame({"mean": limit + a / people**0.5}, index=people)
              for name, a in (("ridge", 0.2), ("mpcl", 0.15))}
    curves = {name: frame.assign(lower=frame["mean"] * 0.95, upper=frame["mean"] * 1.05)
              for name, frame in curves.items()}
    best = pd.DataFrame({"mean": np.full(len(people), limit)}, index=people)
    with figures.canvas(height=2.8) as (figure, axes):
        figures.learning_from(axes, curves, best)
    return figure, pd.concat(curves, axis=1)


def participants():
    """Every participant of one simulated cohort: the network beside the mean label, ordered by the latter.

    Pairs of a grey square and a red dot, joined by a line, one pair a participant; most dots lie lower.
    """
    shown = results.participant_table(kept().isel(cohort=[0]), "kl")[["mean_label", "mpcl"]]
    with figures.canvas(height=2.8) as (figure, axes):
        figures.participants(axes, shown, "mpcl", "mean_label", "KL")
    return figure, shown


def idea():
    """The figure of the landing page: what sensors record, and the mixture that a (simulated) person felt.

    Above, three curves over a session, one trial shaded; below, bars for ten emotions, pleasant and unpleasant at once.
    """
    data, size = cohort(), {"width": 5.2, "height": 4.6}
    pleasant = data.distribution.values @ (data.valence.values > 0)  # (window,)
    whole = ~contract.missing(data).values.any(1)
    mixed = (np.abs(pleasant - 0.5) < 0.08) & (data.condition.values == "mixed")
    at = int(np.argmax(data.distribution.values.std(1) * mixed * whole))  # the mixture with the clearest shape
    with figures.canvas(2, 1, **size, gridspec_kw={"height_ratios": (1, 1.5)}) as (figure, axes):
        figures.idea(*axes, data, str(data.participant.values[at]), str(data.trial.values[at]))
    own = data.isel(window=at)
    return figure, pd.DataFrame({"share": own.distribution.values}, index=own.emotion.values)


GALLERY = (label_distribution, matrix, recording, presence, learning_curve, scores, differences, learning_from,
           participants, idea)


def draw(to, chosen=GALLERY):
    """Draw figures and write their numbers, the same bytes at every build."""
    matplotlib.use("Agg")
    to.mkdir(parents=True, exist_ok=True)
    for function in chosen:
        figure, shown = function()
        with plt.rc_context({"svg.hashsalt": function.__name__}):
            figure.savefig(to / f"{function.__name__}.svg", metadata={"Date": None}, bbox_inches="tight")
        plt.close(figure)
        shown.to_csv(to / f"{function.__name__}.csv", float_format="%.6g")


def for_the_landing_page(to):
    """The idea once more, to stand within the page: it takes the page's colour for text and needs no ground."""
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "idea"}):
        figure, _ = idea()
        nobody = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(to / "idea.svg", metadata=nobody, transparent=True, bbox_inches="tight")
    plt.close(figure)
    svg = re.sub(r"(?s)^.*?(?=<svg)", "", (to / "idea.svg").read_text(encoding="utf-8"))
    svg = re.sub("#(?:222222|262626|000000)", "currentColor", svg)  # ink
    svg = svg.replace("stroke: #e6e6e6", "stroke: currentColor; stroke-opacity: 0.15")  # grid
    svg = svg.replace("stroke: #bbbbbb", "stroke: currentColor; stroke-opacity: 0.4")  # edges of the panels
    svg = svg.replace("stroke: #ffffff", "stroke: none")  # rims of bars
    alt = inspect.getdoc(idea).split("\n\n")[1].replace("\n", " ")
    svg = re.sub(r'<svg (.*?)width="[^"]+"', rf'<svg role="img" aria-label="{alt}" class="idea" \1', svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]+"', r"\1", svg, count=1)
    (to / "idea.svg").write_text(svg, encoding="utf-8")


def section(function):
    caption, alt = (part.replace("\n", " ") for part in inspect.getdoc(function).split("\n\n"))
    code = re.sub(r'(?s)\n    """.*?"""', "", inspect.getsource(function), count=1).rstrip()
    name = function.__name__
    return SECTION.format(name=name, anchor=name.replace("_", "-"), caption=caption, alt=alt, code=code)


def draw_all(app):
    draw(Path(app.srcdir, FOLDER))
    for_the_landing_page(Path(app.srcdir, "book", "_static"))


def fill(app, page, source):
    if page == PAGE:
        source[0] = source[0].replace(MARK, "".join(map(section, GALLERY)))


def setup(app):
    app.connect("builder-inited", draw_all)
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
