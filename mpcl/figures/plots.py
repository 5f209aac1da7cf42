"""One style for every figure, and a function a figure: each draws data on given axes.

Colours are safe for colour-blind readers (Okabe and Ito's palette) and mean the same on
every page: orange positive, blue negative and grey neutral emotions; the same colour
for the same predictor.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.ticker import LogFormatter
from numpy.typing import ArrayLike

from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.figures.numbers import keep_numbers

VALENCE = {1: "#E69F00", 0: "#999999", -1: "#0072B2"}
BRANCH = {"physiological": "#009E73", "behavioural": "#CC79A7"}
INK, PALE = "#222222", "#BBBBBB"
FLOOR, MODEL = "#999999", "#D55E00"
CURVES = {"mpcl": MODEL, "mean_label": FLOOR}  # of the others, these in turn:
OTHERS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
SENSORS = {"cardiac": "heart", "eda": "skin", "face": "face"}
SHADES = {  # of conditions: warm where pleasant, blue where not, green at rest
    "positive": "#F8E0B0",
    "negative": "#B5D5EA",
    "mixed": "#E3CFE8",
    "neutral": "#E4E4E4",
    "baseline": "#E4E4E4",
    "stress": "#B5D5EA",
    "amusement": "#F8E0B0",
    "meditation1": "#BFE3D0",
    "meditation2": "#DDF1E6",
}
RC = {
    "figure.dpi": 110,
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "text.color": INK,
    "grid.color": "#E6E6E6",
    "text.parse_math": False,  # a name may hold a dollar
}


@contextmanager
def canvas(
    rows: int = 1,
    columns: int = 1,
    width: float = 7.2,
    height: float = 3.2,
    **options: Any,
) -> Generator[tuple[plt.Figure, Any]]:
    """A figure in the book's style and its axes, laid out tightly when done.

    In a notebook the figure is kept with the numbers that it shows
    (:mod:`mpcl.figures.numbers`), so that a page can offer them as CSV.

    Args:
        width, height: inches.
        options: passed to :func:`matplotlib.pyplot.subplots`.

    Yields:
        tuple (figure, axes): one panel, or an array of them.

    Example:
        >>> with canvas() as (figure, axes):
        ...     _ = axes.plot([0, 1])
        >>> plt.close(figure)
    """
    with sns.axes_style("whitegrid"), plt.rc_context(RC):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), **options)
        keep_numbers()
        yield figure, axes
        for panel in figure.axes:
            panel.spines[["top", "right"]].set_visible(False)
            _typeset_powers(panel)
        with plt.rc_context({"text.parse_math": True}):  # more powers may come
            figure.tight_layout()


def label_distribution(
    axes: plt.Axes,
    share: ArrayLike,
    emotions: Sequence[str] | np.ndarray | pd.Index,
    valence: ArrayLike,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
) -> None:
    """Bars: how one unit of feeling is shared out among the emotions.

    Args:
        share, lower, upper: shares (emotion,) and their bounds.
        valence: -1, 0 or +1 of each emotion; gives the colour.
    """
    colors = [VALENCE[int(sign)] for sign in np.asarray(valence)]
    axes.barh(range(len(colors)), np.asarray(share), color=colors, height=0.72)
    if lower is not None and upper is not None:
        axes.hlines(range(len(colors)), lower, upper, color=INK, linewidth=1.2)
    axes.axvline(1 / len(colors), color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share of the label distribution (dotted: uniform)")
    _name_rows(axes, list(emotions))


def matrix(
    axes: plt.Axes,
    values: np.ndarray,
    names: Sequence[str] | np.ndarray,
    label: str,
    limits: tuple[float, float] = (-1, 1),
) -> None:
    """A square map between emotions, such as correlations of their shares.

    Args:
        values: array (emotion, emotion).
        label: of the colour bar.
        limits: of the colours, symmetric about 0 for correlations.
    """
    sns.heatmap(
        pd.DataFrame(values, list(names), list(names)),
        ax=axes,
        xticklabels=True,
        yticklabels=True,
        vmin=limits[0],
        vmax=limits[1],
        square=True,
        cmap="PuOr_r" if limits[0] < 0 else "viridis",
        linewidths=0.4,
        cbar_kws={"label": label, "shrink": 0.8},
    )
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(axis="y", rotation=0)


def recording(
    axes: plt.Axes, dataset: xr.Dataset, participant: str, modality: str, feature: str
) -> None:
    """One feature of one participant over the session, each trial shaded and named."""
    session = _session(dataset, participant)
    values = session[modality].sel({f"{modality}_feature": feature})
    conditions = list(dict.fromkeys(session.condition.values.tolist()))
    pastel = sns.color_palette("pastel", len(conditions))
    shades = dict(zip(conditions, pastel, strict=True)) | SHADES
    for name in dict.fromkeys(session.trial.values.tolist()):
        rows = session.trial.values == name
        _shade(
            axes, session.isel(window=rows), shades[session.condition.values[rows][0]]
        )
        color = BRANCH[values.attrs["branch"]]
        axes.plot(session.minutes[rows], values[rows], ".-", color=color, markersize=4)
    axes.legend(
        [plt.Rectangle((0, 0), 1, 1, color=shades[name]) for name in conditions],
        conditions,
        ncols=len(conditions),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
    )
    axes.set_ylabel(f"{modality}\n{feature} ({values[f'{modality}_unit'].item()})")


def presence(axes: plt.Axes, absent: xr.DataArray) -> None:
    """How often each modality is missing, from :func:`mpcl.data.contract.missing`."""
    share = absent.mean("window") * 100
    axes.barh(range(len(share)), share.values, color=PALE)
    _name_rows(axes, share.modality.values.tolist())
    axes.set_xlabel("windows in which the modality is missing (%)")


def learning_curve(
    axes: plt.Axes, log: xr.DataArray, term: str, color: str = MODEL
) -> None:
    """A loss by epoch: the range over replicas faint, their mean strong.

    Args:
        log: losses (replica, epoch, term).
    """
    values = log.sel(term=term)
    axes.fill_between(
        values.epoch,
        values.min("replica"),
        values.max("replica"),
        color=color,
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(
        values.epoch, values.mean("replica"), color=color, marker="o", markersize=3
    )
    axes.set(title=term, xlabel="epoch")
    axes.locator_params(axis="x", integer=True)


def score_intervals(axes: plt.Axes, bounds: xr.DataArray, metric: str) -> None:
    """Mean and interval of every predictor: floors grey, peers dark, MPCL in colour.

    Args:
        bounds: (predictor, metric, bound) of :func:`mpcl.evaluation.tables.intervals`.
    """
    chosen = bounds.sel(metric=metric)
    names, floors = chosen.predictor.values.tolist(), (*FLOORS, *CONDITIONAL)
    colors = [
        MODEL if name.startswith("mpcl") else FLOOR if name in floors else INK
        for name in names
    ]
    _dots(axes, chosen, names, colors)
    axes.set_xlabel(f"{metric} ({chosen.better.item()} is better)")


def difference_intervals(axes: plt.Axes, bounds: xr.DataArray, metric: str) -> None:
    """Paired differences of predictors from one of them, in colour where beyond 0.

    Args:
        bounds: (predictor, metric, bound) of
            :func:`mpcl.evaluation.tables.differences`.
    """
    chosen = bounds.sel(metric=metric)
    excludes = (chosen.sel(bound="lower") > 0) | (chosen.sel(bound="upper") < 0)
    names = [name.removeprefix("mpcl-") for name in chosen.predictor.values.tolist()]
    axes.axvline(0, color=INK, linewidth=0.8)
    _dots(axes, chosen, names, np.where(excludes, MODEL, FLOOR).tolist())
    axes.set_xlabel(f"difference in {metric}")


def learning_from(
    axes: plt.Axes,
    curves: Mapping[str, pd.DataFrame],
    limit: pd.DataFrame | None = None,
) -> None:
    """Scores against the number of participants that were learned from.

    Args:
        curves: by predictor, frames with the columns mean, lower and upper, indexed by
            the number of training participants.
        limit: such a frame for the best possible prediction.
    """
    styles = cycle(product(("-", "-.", ":"), OTHERS))  # once round, another line
    for name, frame in curves.items():
        style, color = ("-", CURVES[name]) if name in CURVES else next(styles)
        people = frame.index.to_numpy()
        mean, lower, upper = frame[["mean", "lower", "upper"]].to_numpy().T
        axes.fill_between(people, lower, upper, color=color, alpha=0.12, linewidth=0)
        look = {"color": color, "linestyle": style, "marker": "o"}
        axes.plot(people, mean, linewidth=1.6, markersize=4, label=name, **look)
    if limit is not None:
        axes.plot(
            limit.index.to_numpy(),
            limit["mean"].to_numpy(),
            color=INK,
            linestyle="--",
            linewidth=1.2,
            label="best possible",
        )
    ticks = np.unique([n for line in axes.lines for n in np.asarray(line.get_xdata())])
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{n:g}" for n in ticks])
    axes.set_xlabel("participants to learn from")
    axes.legend(
        handles=list(axes.lines),
        fontsize=8,
        ncols=min(len(curves) + 1, 6),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )


def participant_pairs(
    axes: plt.Axes, frame: pd.DataFrame, predictor: str, floor: str, metric: str
) -> None:
    """Each participant's score by a predictor beside the same participant's by a floor.

    Args:
        frame: scores (participant, predictor).
        metric: name, for the axis.
    """
    ordered = frame.sort_values(floor)
    at = np.arange(len(ordered))
    low, high = ordered[floor].to_numpy(), ordered[predictor].to_numpy()
    axes.vlines(at, low, high, color=PALE, linewidth=2)
    axes.scatter(at, low, color=FLOOR, marker="s", s=26, label=floor, zorder=3)
    axes.scatter(at, high, color=MODEL, marker="o", s=30, label=predictor, zorder=3)
    axes.set_xticks(at, ordered.index, rotation=90)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel(metric)
    axes.legend(loc="upper left", ncols=2)


def idea(
    above: plt.Axes, below: plt.Axes, dataset: xr.Dataset, participant: str, trial: str
) -> None:
    """The idea of the book: signals of a session, and the mixture felt in one trial.

    Args:
        above: for the first feature of ``SENSORS``, z-scored; the trial is shaded.
        below: for the label distribution of that trial.
    """
    session = _session(dataset, participant)
    shown = session.isel(window=session.trial.values == trial)
    for at, name in enumerate(SENSORS):
        values = session[name].values[:, 0]
        z = (values - np.nanmean(values)) / np.nanstd(values)
        color = BRANCH[session[name].attrs["branch"]]
        above.plot(session.minutes, z - 5 * at, color=color, linewidth=1.3)
    _shade(above, shown, PALE, alpha=0.6)
    above.set_yticks(-5 * np.arange(len(SENSORS)), list(SENSORS.values()))
    above.set(title="What sensors record", xlabel="minutes")
    above.grid(visible=False)
    label_distribution(
        below,
        shown.distribution.values[0],
        shown.emotion.values,
        shown.valence.values,
    )
    below.set_title("What the person felt in the shaded trial")
    below.set_xlabel("share of the feeling (dotted: all alike)")


def _session(dataset: xr.Dataset, participant: str) -> xr.Dataset:
    """The windows of a participant in the order of time, their middle in minutes."""
    rows = dataset.participant.values == participant
    session = dataset.isel(window=rows).sortby("start")
    return session.assign_coords(minutes=(session.start + session.stop) / 120)


def _shade(axes: plt.Axes, windows: xr.Dataset, color: Any, alpha: float = 1) -> None:
    """The ground of some windows that follow one another, in minutes."""
    begin, end = windows.start.min() / 60, windows.stop.max() / 60
    axes.axvspan(begin.item(), end.item(), color=color, alpha=alpha, linewidth=0)


def _dots(
    axes: plt.Axes, chosen: xr.DataArray, names: Sequence[str], colors: Sequence[str]
) -> None:
    """A dot and an interval for each predictor (predictor, bound), one a row."""
    mean, low, high = (chosen.sel(bound=name) for name in ("mean", "lower", "upper"))
    axes.hlines(range(len(names)), low, high, color=colors, linewidth=2)
    axes.scatter(mean, range(len(names)), color=colors, zorder=3, s=34)
    _name_rows(axes, names)


def _typeset_powers(axes: plt.Axes) -> None:
    """Let the powers of ten of a logarithmic axis be set as such, and nothing else."""
    for axis in (axes.xaxis, axes.yaxis):
        for is_minor in (False, True):
            formatter = (axis.get_major_formatter, axis.get_minor_formatter)[is_minor]()
            for label in axis.get_ticklabels(minor=is_minor):
                label.set_parse_math(isinstance(formatter, LogFormatter))


def _name_rows(axes: plt.Axes, names: Sequence[str]) -> None:
    """Rows from the top down, with their names in place of numbers."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
