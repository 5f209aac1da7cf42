"""One style for every figure, and a function a figure: each takes data and axes and returns the axes.

Colours are safe for colour-blind readers (Okabe and Ito's palette) and mean the same on every page:
orange positive, blue negative and grey neutral emotions; the same line for the same method.
"""

import sys
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.category import StrCategoryLocator
from matplotlib.ticker import FixedLocator, ScalarFormatter

from mpcl.data.contract import modalities
from mpcl.evaluation.floors import CONDITIONAL, FLOORS

VALENCE = {1: "#E69F00", 0: "#999999", -1: "#0072B2"}
BRANCH = {"physiological": "#009E73", "behavioural": "#CC79A7"}
INK, PALE = "#222222", "#BBBBBB"
FLOOR, MODEL = "#999999", "#D55E00"
SHADES = {  # of conditions: warm where pleasant, blue where not, green at rest; others take what is left
    "positive": "#F8E0B0", "negative": "#B5D5EA", "mixed": "#E3CFE8", "neutral": "#E4E4E4",
    "baseline": "#E4E4E4", "stress": "#B5D5EA", "amusement": "#F8E0B0",
    "meditation1": "#BFE3D0", "meditation2": "#DDF1E6",
}
RC = {
    "figure.dpi": 110, "savefig.facecolor": "white", "figure.facecolor": "white", "axes.titlesize": 11,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 9.5, "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5, "legend.frameon": False, "legend.fontsize": 8.5, "font.family": "DejaVu Sans",
    "axes.edgecolor": PALE, "axes.labelcolor": INK, "text.color": INK, "grid.color": "#E6E6E6",
}


@contextmanager
def canvas(rows=1, columns=1, width=7.2, height=3.2, **options):
    """A figure and its axes in the book's style, laid out tightly when done.

    In a notebook the figure is kept with its :func:`numbers` beside the picture, so that a page can offer them as CSV.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        width: inches.
        height: inches.
        options: passed to :func:`matplotlib.pyplot.subplots`.

    Yields:
        tuple (figure, axes).

    Example:
        >>> with canvas() as (figure, axes):
        ...     _ = axes.plot([0, 1])
        >>> plt.close(figure)
    """
    with sns.axes_style("whitegrid"), plt.rc_context(RC):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), **options)
        _keep_numbers()
        yield figure, axes
        for one in figure.axes:
            one.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()


LARGEST = 2500  # numbers of one thing drawn, above which only the picture is kept


def numbers(figure):
    """What a figure shows, read back from what was drawn: one row a point, bar, line segment or cell of a map.

    Args:
        figure: :class:`matplotlib.figure.Figure`.

    Returns:
        :class:`pandas.DataFrame` with the columns ``panel`` (its number), ``title`` (or the labels of its axes),
        ``kind`` (``line``, ``point``, ``bar``, ``segment``, ``band`` or ``map``), ``series`` (its name in the legend),
        ``x``, ``y`` (names where the axis has names), ``value`` (colour of a point, cell of a map) and ``to_x``,
        ``to_y`` (the other end of a segment or bar). What has more than ``LARGEST`` numbers is left out.

    Example:
        >>> with canvas() as (figure, axes):
        ...     _ = axes.bar(["a", "b"], [1.0, 2.0])
        >>> numbers(figure)[["x", "to_y"]].values.tolist()
        [['a', 1.0], ['b', 2.0]]
        >>> plt.close(figure)
    """
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    frames = []
    for place, axes in enumerate(panels, 1):
        title = next(filter(None, (axes.get_title(loc=side) for side in ("left", "center"))), "")
        title = title or " against ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel())))
        for kind, series, columns in _drawn(axes):
            frame = pd.DataFrame(columns)
            if len(frame) <= LARGEST:
                for name in frame.columns.intersection(["x", "y"]):
                    frame[name] = _named(frame[name], axes.xaxis if name == "x" else axes.yaxis)
                frames.append(frame.assign(panel=place, title=title.replace("\n", " "), kind=kind, series=series))
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"panel": []})
    order = ("panel", "title", "kind", "series", "x", "y", "value", "to_x", "to_y")
    return found[[name for name in order if name in found]]


def _drawn(axes):
    """Of everything in a panel that shows numbers: kind, name in the legend, and columns."""
    for line in axes.lines:
        if line.get_transform().contains_branch(axes.transData) and len(line.get_xdata()):
            yield "line", _series(line), dict(zip("xy", line.get_data(), strict=True))
    for bar in axes.patches:
        if isinstance(bar, plt.Rectangle) and bar.get_transform().contains_branch(axes.transData):
            x, y, width, height = bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()
            flat = _names(axes.yaxis) or axes.yaxis.get_inverted()  # a bar lies along the axis that has no names
            ends = ({"x": x, "y": y + height / 2, "to_x": x + width} if flat else
                    {"x": x + width / 2, "y": y, "to_y": y + height})
            yield "bar", _series(bar), {name: [value] for name, value in ends.items()}
    for drawn in axes.images:
        if (values := drawn.get_array()).ndim == 2:
            left, right, bottom, top = drawn.get_extent()  # whose rows run from top to bottom
            rows, columns = values.shape
            x = left + (np.arange(columns) + 0.5) * (right - left) / columns
            y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
            yield "map", _series(drawn), {"x": np.tile(x, rows), "y": np.repeat(y, columns),
                                          "value": np.ma.filled(values.astype(float), np.nan).ravel()}
    for drawn in axes.collections:
        kind, series = type(drawn).__name__, _series(drawn)
        if kind == "PathCollection":
            color = drawn.get_array()
            points = dict(zip("xy", np.asarray(drawn.get_offsets()).T, strict=True))
            yield "point", series, points | ({} if color is None else {"value": np.ravel(color)})
        elif kind == "LineCollection":
            ends = np.array([segment[[0, -1]] for segment in drawn.get_segments()]).reshape(-1, 4)
            yield "segment", series, dict(zip(("x", "y", "to_x", "to_y"), ends.T, strict=True))
        elif kind == "QuadMesh":
            corners = drawn.get_coordinates()
            middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2  # (row, column, 2)
            yield "map", series, {"x": middle[..., 0].ravel(), "y": middle[..., 1].ravel(),
                                  "value": np.ma.filled(drawn.get_array(), np.nan).ravel()}
        elif kind in ("PolyCollection", "FillBetweenPolyCollection"):
            for path in drawn.get_paths():
                yield "band", series, dict(zip("xy", path.vertices.T, strict=True))


def _series(drawn):
    return "" if str(drawn.get_label()).startswith("_") else str(drawn.get_label())


def _names(axis):
    """Where an axis has names instead of numbers: dict from place to name."""
    if not isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator):
        return {}
    if isinstance(axis.get_major_formatter(), ScalarFormatter):
        return {}
    places = axis.get_ticklocs()  # the labels themselves may be hidden, where panels share an axis
    return dict(zip(np.round(places, 6), axis.get_major_formatter().format_ticks(places), strict=True))


def _named(values, axis):
    """Places on an axis, by name where all of them have one."""
    names = _names(axis)
    found = [names.get(round(float(value), 6)) for value in values]
    return found if names and all(found) else values


def _keep_numbers():
    """In a notebook: a figure that is shown carries its numbers, to 5 digits, as text/csv beside the picture."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell:
        from IPython.core.formatters import BaseFormatter

        formatters = shell.display_formatter.formatters
        kept = formatters.setdefault("text/csv", BaseFormatter(parent=shell.display_formatter, format_type="text/csv"))
        kept.for_type(plt.Figure, lambda figure: numbers(figure).to_csv(index=False, float_format="%.5g"))


def label_distribution(axes, share, emotions, valence, lower=None, upper=None):
    """Bars: how one unit of feeling is shared out among the emotions.

    Args:
        axes: where to draw.
        share: array (emotion,).
        emotions: names.
        valence: -1, 0 or +1 of each emotion; gives the colour.
        lower: lower bounds, or None.
        upper: upper bounds, or None.

    Returns:
        the axes.
    """
    at = np.arange(len(emotions))
    axes.barh(at, share, color=[VALENCE[int(v)] for v in valence], height=0.72)
    if lower is not None:
        axes.hlines(at, lower, upper, color=INK, linewidth=1.2)
    axes.axvline(1 / len(emotions), color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(at, emotions)
    axes.set_ylim(len(at) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("share of the label distribution (dotted: uniform)")
    return axes


def matrix(axes, values, names, label, limits=(-1, 1)):
    """A square map between emotions, such as correlations of their shares.

    Args:
        axes: where to draw.
        values: array (emotion, emotion).
        names: of the emotions.
        label: of the colour bar.
        limits: of the colours, symmetric about 0 for correlations.

    Returns:
        the axes.
    """
    sns.heatmap(values, ax=axes, xticklabels=names, yticklabels=names, vmin=limits[0], vmax=limits[1], square=True,
                cmap="PuOr_r" if limits[0] < 0 else "viridis", linewidths=0.4, cbar_kws={"label": label, "shrink": 0.8})
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(axis="y", rotation=0)
    return axes


def recording(axes, dataset, participant, modality, feature):
    """One feature of one participant over the session, each trial shaded and named.

    Args:
        axes: where to draw.
        dataset: a data set that follows the contract.
        participant: name.
        modality: name.
        feature: name.

    Returns:
        the axes.
    """
    own = dataset.isel(window=np.flatnonzero(dataset.participant.values == participant)).sortby("start")
    values = own[modality].sel({f"{modality}_feature": feature})
    unit = str(values[f"{modality}_unit"].values)
    conditions = list(dict.fromkeys(own.condition.values.tolist()))
    shades = dict(zip(conditions, sns.color_palette("pastel", len(conditions)), strict=True)) | SHADES
    middle = (own.start + own.stop) / 120  # minutes
    for trial in dict.fromkeys(own.trial.values.tolist()):
        rows = np.flatnonzero(own.trial.values == trial)
        begin, end = own.start.values[rows].min() / 60, own.stop.values[rows].max() / 60
        axes.axvspan(begin, end, color=shades[own.condition.values[rows[0]]], linewidth=0)
        axes.plot(middle[rows], values[rows], color=BRANCH[dataset[modality].attrs["branch"]], marker=".", markersize=4)
    handles = [plt.Rectangle((0, 0), 1, 1, color=shades[name]) for name in conditions]
    axes.legend(handles, conditions, ncols=len(conditions), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    axes.set_ylabel(f"{modality}\n{feature} ({unit})")
    return axes


def presence(axes, absent):
    """Share of windows in which each modality is missing.

    Args:
        axes: where to draw.
        absent: bool :class:`xarray.DataArray` (window, modality), see :func:`mpcl.data.contract.missing`.

    Returns:
        the axes.
    """
    share = absent.mean("window") * 100
    axes.barh(share.modality.values, share.values, color=PALE)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("windows in which the modality is missing (%)")
    return axes


def learning_curve(axes, log, term, color=MODEL):
    """Loss term by epoch: every replica faint, their mean and range strong.

    Args:
        axes: where to draw.
        log: :class:`xarray.DataArray` (replica, epoch, term).
        term: name.
        color: of the line.

    Returns:
        the axes.
    """
    values = log.sel(term=term)
    axes.fill_between(values.epoch, values.min("replica"), values.max("replica"), color=color, alpha=0.2, linewidth=0)
    axes.plot(values.epoch, values.mean("replica"), color=color, marker="o", markersize=3)
    axes.set_title(term)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return axes


def scores(axes, bounds, metric):
    """Mean and interval of every method: floors grey, baselines dark, MPCL and its ablations in colour.

    Args:
        axes: where to draw.
        bounds: :class:`xarray.DataArray` (method, metric, bound) of :func:`mpcl.evaluation.results.intervals`.
        metric: name.

    Returns:
        the axes.
    """
    chosen = bounds.sel(metric=metric)
    floors = (*FLOORS, *CONDITIONAL)
    colors = [MODEL if str(name).startswith("mpcl") else FLOOR if name in floors else INK
              for name in chosen.method.values]
    _dots(axes, chosen, colors, chosen.method.values)
    axes.set_xlabel(f"{metric} ({str(chosen.better.values)} is better)")
    return axes


def differences(axes, bounds, metric):
    """Paired differences of methods from one of them, in colour where the interval excludes 0.

    Args:
        axes: where to draw.
        bounds: :class:`xarray.DataArray` (method, metric, bound) of :func:`mpcl.evaluation.results.differences`.
        metric: name.

    Returns:
        the axes.
    """
    chosen = bounds.sel(metric=metric)
    excludes = (chosen.sel(bound="lower") > 0) | (chosen.sel(bound="upper") < 0)
    axes.axvline(0, color=INK, linewidth=0.8)
    _dots(axes, chosen, np.where(excludes, MODEL, FLOOR),
          [str(name).removeprefix("mpcl-") for name in chosen.method.values])
    axes.set_xlabel(f"difference in {metric}")
    return axes


def _dots(axes, chosen, colors, names):
    """A dot and an interval for each method (method, bound), one below the other."""
    at = np.arange(len(names))
    axes.hlines(at, chosen.sel(bound="lower"), chosen.sel(bound="upper"), color=colors, linewidth=2)
    axes.scatter(chosen.sel(bound="mean"), at, color=colors, zorder=3, s=34)
    axes.set_yticks(at, names)
    axes.set_ylim(len(at) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def learning_from(axes, curves, limit=None):
    """Scores against the number of participants that were learned from, with intervals.

    Args:
        axes: where to draw.
        curves: dict from method to a :class:`pandas.DataFrame` with the columns mean, lower and upper, indexed by
            the number of training participants.
        limit: the same frame for the best possible prediction, or None.

    Returns:
        the axes.
    """
    colors = {"mpcl": MODEL, "mean_label": FLOOR}
    others = iter(("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"))
    for name, frame in curves.items():
        color = colors.get(name) or next(others)
        axes.fill_between(frame.index, frame.lower, frame.upper, color=color, alpha=0.12, linewidth=0)
        axes.plot(frame.index, frame["mean"], color=color, marker="o", markersize=4, linewidth=1.6, label=name)
    if limit is not None:
        axes.plot(limit.index, limit["mean"], color=INK, linestyle="--", linewidth=1.2, label="best possible")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(frame.index), [f"{n:g}" for n in frame.index])
    axes.set_xlabel("participants to learn from")
    axes.legend(fontsize=8, ncols=len(curves) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes


def participants(axes, frame, method, floor, metric):
    """Each participant's score under a method beside the same participant's under a floor.

    Args:
        axes: where to draw.
        frame: :class:`pandas.DataFrame` (participant, method).
        method: name.
        floor: name.
        metric: name, for the axis.

    Returns:
        the axes.
    """
    ordered = frame.sort_values(floor)
    at = np.arange(len(ordered))
    axes.vlines(at, ordered[floor], ordered[method], color=PALE, linewidth=2)
    axes.scatter(at, ordered[floor], color=FLOOR, marker="s", s=26, label=floor, zorder=3)
    axes.scatter(at, ordered[method], color=MODEL, marker="o", s=30, label=method, zorder=3)
    axes.set_xticks(at, ordered.index, rotation=90)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel(metric)
    axes.legend(loc="upper left", ncols=2)
    return axes


def idea(above, below, dataset, participant, trial):
    """The idea of the book in two panels: signals of a session, and the mixture that was felt in one of its trials.

    Args:
        above: axes for the first feature of up to three modalities, z-scored; the trial is shaded.
        below: axes for the label distribution of that trial.
        dataset: a data set that follows the contract, with the true ``distribution``.
        participant: name.
        trial: name.

    Returns:
        tuple of the axes.
    """
    own = dataset.isel(window=np.flatnonzero(dataset.participant.values == participant)).sortby("start")
    here, minutes = own.trial.values == trial, (own.start.values + own.stop.values) / 120
    words = {"cardiac": "heart", "eda": "skin", "face": "face"}
    names = [name for name in words if name in own] or modalities(own)[:3]
    for at, name in enumerate(names):
        values = own[name].values[:, 0]
        z = (values - np.nanmean(values)) / np.nanstd(values)
        above.plot(minutes, z - 5 * at, color=BRANCH[own[name].attrs["branch"]], linewidth=1.3)
    above.axvspan(own.start.values[here].min() / 60, own.stop.values[here].max() / 60, color=PALE, alpha=0.6, lw=0)
    above.set_yticks(-5 * np.arange(len(names)), [words.get(name, name) for name in names])
    above.set(title="What sensors record", xlabel="minutes")
    above.grid(visible=False)
    label_distribution(below, own.distribution.values[here][0], own.emotion.values, own.valence.values)
    below.set(title="What the person felt in the shaded trial", xlabel="share of the feeling (dotted: all alike)")
    return above, below
