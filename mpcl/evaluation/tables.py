"""What a results file says: means, intervals, differences, and the tables of them."""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.metrics import BETTER, SIX
from mpcl.evaluation.predictors import CHECKS
from mpcl.evaluation.results import reasons
from mpcl.evaluation.statistics import (
    holm,
    holm_intervals,
    improvement,
    interval,
    sign_flip,
    verdict,
)

FIRST = (*FLOORS, *CONDITIONAL)  # in every table
BOUNDS = ("mean", "lower", "upper")
PEOPLE = ("participant", "cohort")
ARROWS = {"lower": "↓", "higher": "↑"}
NO_COMPETITORS = ("condition_oracle", *CHECKS)
MIXTURES = ("mpcl-ensemble", "mpcl-stacked")  # whose seeds are not those of a network


def of_reading(results: xr.Dataset, reads: str | None = None) -> xr.DataArray:
    """The scores, of each predictor as it read.

    Args:
        reads: ``trials`` or ``windows``, what predictors beside the floors read; by
            default trials where a predictor did, here and everywhere below.

    Returns:
        (predictor, protocol, ...), with a coordinate ``reads`` (predictor).

    Raises:
        ParameterError: for what nobody can read.
    """
    chosen = _is_scored(results).astype(int).idxmax("reads")  # the first that has any
    if reads is not None:
        asked = _one_of(results, "reads", reads)
        chosen = chosen.where(chosen.predictor.isin(FIRST), asked)
    return results.score.sel(reads=chosen)


def both_readings(results: xr.Dataset) -> bool:
    """Whether any predictor was run on trials and on windows."""
    return bool((_is_scored(results).sum("reads") > 1).any())


def _is_scored(results: xr.Dataset) -> xr.DataArray:
    """Whether a predictor has any score as it read so (predictor, reads)."""
    rest = set(results.score.dims) - {"predictor", "reads"}
    return results.score.notnull().any(rest)


def by_participant(
    results: xr.Dataset,
    protocol: str | None = None,
    level: str = "window",
    reads: str | None = None,
) -> xr.DataArray:
    """Scores with the seeds averaged within each participant.

    Args:
        protocol: the first of the file by default, here and everywhere below.

    Returns:
        (predictor, cohort, participant, metric).

    Raises:
        ParameterError: for a protocol or level that the file does not have.
    """
    chosen = {
        "protocol": _one_of(results, "protocol", protocol),
        "level": _one_of(results, "level", level),
    }
    return of_reading(results, reads).sel(chosen).mean("seed", skipna=True)


def complete(
    results: xr.Dataset, protocol: str | None = None, reads: str | None = None
) -> list[str]:
    """The predictors that have scores of everybody who was held out, in file order."""
    if "uniform" not in results.predictor.values:
        return []
    scores = by_participant(results, protocol, "window", reads).sel(metric="chebyshev")
    is_scored = scores.notnull()
    of_everybody = is_scored.sel(predictor="uniform")
    is_complete = (is_scored == of_everybody).all(["cohort", "participant"])
    is_complete &= of_everybody.any("participant").all()
    return [str(name) for name in results.predictor.values[is_complete.values]]


def intervals(
    results: xr.Dataset,
    protocol: str | None = None,
    level: str = "window",
    metrics: Sequence[str] | None = None,
    reads: str | None = None,
) -> xr.DataArray:
    """Mean and 95 % interval over participants of every predictor and metric.

    An interval ends where the metric does: no share and no rank agreement exceeds 1.

    Returns:
        (predictor, metric, bound) with the bounds mean, lower, upper; predictors
        without a complete set of scores are left out.

    Raises:
        DatasetError: if a floor is absent that applies.
        ParameterError: for an unknown metric.
    """
    names = complete(results, protocol, reads)
    absent = [
        name
        for name in FIRST
        if name not in names and not _excuse(results, name, protocol)
    ]
    if absent:
        raise DatasetError(
            f"{', '.join(absent)}: no scores, and no table without floors; run "
            "evaluate again"
        )
    chosen = {"predictor": names, "metric": _metrics(results, metrics)}
    scores = by_participant(results, protocol, level, reads).sel(chosen)
    bounds = xr.apply_ufunc(
        _interval,
        scores.drop_vars(["protocol", "level"]),
        input_core_dims=[PEOPLE],
        output_core_dims=[["bound"]],
        vectorize=True,
    )
    ends_at_one = scores.better == "higher"  # where no score, and no bound, is larger
    bounds = bounds.where(~ends_at_one, bounds.clip(max=1.0))
    return bounds.assign_coords(bound=list(BOUNDS))


def _interval(scores: np.ndarray) -> np.ndarray:
    """Bounds (3,) of scores (participant, cohort); NaN where there are none."""
    return np.array(interval(scores) if np.isfinite(scores).any() else 3 * [np.nan])


def change(
    results: xr.Dataset,
    predictor: str,
    against: str = "mpcl",
    protocol: str | None = None,
    level: str = "window",
    reads: str | None = None,
) -> xr.DataArray:
    """The paired difference of a predictor from another within each participant.

    A network and its ablations draw the same batches with the same seed, so that they
    are compared on the seeds that both were trained with; a predictor that has none of
    its own is compared with the mean over all.

    Returns:
        (cohort, participant, metric), the scores of ``against`` subtracted.

    Raises:
        ParameterError: for a predictor that the file does not have.
    """
    pair = [_one_of(results, "predictor", name) for name in (predictor, against)]
    if all(name.startswith("mpcl") and name not in MIXTURES for name in pair):
        scores = of_reading(results, reads).sel(
            predictor=pair, protocol=_one_of(results, "protocol", protocol)
        )
        is_scored = scores.notnull().any(("participant", "metric", "level"))
        results = results.sel(seed=is_scored.all("predictor").any("cohort").values)
    scores = by_participant(results, protocol, level, reads).drop_vars("reads")
    first, second = (scores.sel(predictor=name, drop=True) for name in pair)
    return first - second


def costs(
    results: xr.Dataset,
    predictor: str,
    level: str = "trial",
    metric: str = "kl",
    protocol: str | None = None,
) -> np.ndarray:
    """What it costs to have a predictor in place of the network, within each person.

    Returns:
        (participant, cohort), its score minus that of ``mpcl``.
    """
    of_metric = change(results, predictor, protocol=protocol, level=level)
    return of_metric.sel(metric=metric).transpose(*PEOPLE).values


def seeds_of(results: xr.Dataset, predictor: str) -> int:
    """With how many seeds a predictor was scored.

    Raises:
        ParameterError: for a predictor that the file does not have.
    """
    scores = results.score.sel(predictor=_one_of(results, "predictor", predictor))
    rest = [name for name in scores.dims if name != "seed"]
    return int(scores.notnull().any(rest).sum())


def differences(
    results: xr.Dataset,
    against: str = "mpcl",
    others: Sequence[str] | None = None,
    protocol: str | None = None,
    level: str = "window",
    metrics: Sequence[str] | None = None,
    reads: str | None = None,
) -> xr.DataArray:
    """Paired differences of predictors from one of them, with intervals.

    They are one family: an interval excludes 0 exactly where the difference is beyond
    chance by sign flips after Holm.

    Args:
        against: the predictor that is subtracted.
        others: those compared with it; by default all that have a complete set of
            scores, but no checks.

    Returns:
        (predictor, metric, bound) with the bounds mean, lower, upper; its coordinates
        ``p`` (predictor, metric), the sign-flip p-value adjusted after Holm, and
        ``improvement``, the share of participants for whom ``against`` is the better.

    Raises:
        DatasetError: for a predictor that has no complete set of scores.
    """
    names = complete(results, protocol, reads)
    if others is None:
        others = [name for name in names if name not in CHECKS]
    others = [name for name in others if name != against]
    absent = [name for name in (against, *others) if name not in names]
    if absent:
        raise DatasetError(f"{', '.join(absent)}: no complete set of scores to compare")
    chosen = results.sel(metric=_metrics(results, metrics))
    each = [change(chosen, name, against, protocol, level, reads) for name in others]
    compared = xr.concat(each, pd.Index(others, name="predictor"))
    words = of_reading(results, reads).reads.sel(predictor=others)
    compared = compared.assign_coords(reads=("predictor", words.values))
    judged = xr.apply_ufunc(
        _family,
        compared,
        compared.better,
        input_core_dims=[["predictor", *PEOPLE], []],
        output_core_dims=[["predictor", "bound"]],
        vectorize=True,
    ).transpose("predictor", "metric", "bound")
    p, share = judged.isel(bound=3), judged.isel(bound=4)
    bounds = judged.isel(bound=slice(3)).assign_coords(bound=list(BOUNDS))
    return bounds.assign_coords(p=p, improvement=share)


def _family(compared: np.ndarray, better: str) -> np.ndarray:
    """Bounds, adjusted p and improvement (predictor, 5) of comparisons made at once.

    Args:
        compared: (predictor, participant, cohort).
        better: whether ``lower`` or ``higher`` is.
    """
    if not np.isfinite(compared).any((1, 2)).all():
        return np.full((len(compared), 5), np.nan)
    sign = 1 if better == "lower" else -1
    p = holm([sign_flip(values) for values in compared])
    shares = [improvement(sign * values) for values in compared]
    return np.column_stack([holm_intervals(compared), p, shares])


def judged(
    files: Mapping[str, xr.Dataset | None],
    parts: Sequence[str],
    level: str = "trial",
    metric: str = "kl",
) -> pd.DataFrame:
    """What is to be said of each part of the network: one family over parts and files.

    Args:
        files: by what a reader calls the data; None where nothing was run, which counts
            as asked.
        parts: ``mpcl-no-<part>`` is the network without it.

    Returns:
        a row (part, data): ``mean``, ``lower`` and ``upper`` of the cost, the score
        without the part minus the score with it, by t; ``p`` by sign flips, ``holm`` of
        the family, and the ``verdict`` in words.
    """
    asked: dict[tuple[str, str], np.ndarray | None] = {}
    for part, (data, results) in product(parts, files.items()):
        name = f"mpcl-no-{part}"
        asked[part, data] = None
        if results is not None and {name, "mpcl"} <= {*complete(results)}:
            asked[part, data] = costs(results, name, level, metric)
    p = [1.0 if cost is None else sign_flip(cost) for cost in asked.values()]
    rows: list[list[Any]] = []
    for cost, alone, adjusted in zip(asked.values(), p, holm(p), strict=True):
        bounds, words = 3 * [np.nan], "not run by this version"
        if cost is not None:
            bounds, words = interval(cost), verdict(cost, adjusted)
        rows.append([*bounds, alone, adjusted, words])
    columns = ["mean", "lower", "upper", "p", "holm", "verdict"]
    index = pd.MultiIndex.from_tuples(list(asked), names=["part", "data"])
    return pd.DataFrame(rows, index, columns)


def leak(
    results: xr.Dataset,
    predictor: str = "nearest_neighbour",
    metric: str = "kl",
    leaky: str = "leaky-windows",
    honest: str = "participants",
) -> tuple[float, float, float]:
    """What a leaky split pays: the gain on the mean label there, minus that elsewhere.

    What memorises gains much where the same trial stands on both sides, and nothing
    with new people.

    Args:
        leaky, honest: two protocols of the file.

    Returns:
        mean, lower and upper bound of the interval over participants; all above 0 where
        the split pays.
    """
    chosen = _one_of(results, "metric", metric)
    gain, gain_of_honest = (
        change(results, "mean_label", predictor, protocol).sel(metric=chosen)
        for protocol in (leaky, honest)
    )
    paid = (gain - gain_of_honest).transpose(*PEOPLE).values
    return interval(paid if BETTER[metric] == "lower" else -paid)


def table(
    results: xr.Dataset,
    protocol: str | None = None,
    level: str = "window",
    metrics: Sequence[str] | None = SIX,
    reads: str | None = None,
) -> pd.DataFrame:
    """The table that a person reads: mean and 95 % interval, floors first.

    Its last column names what each predictor read. Floors and checks that do not apply
    say so.

    Args:
        metrics: all where None; the six measures of label distribution learning by
            default.

    Raises:
        DatasetError: if a floor is absent that applies.
    """
    bounds = intervals(results, protocol, level, metrics, reads)
    columns = [
        f"{name} {ARROWS[better]}"
        for name, better in zip(bounds.metric.values, bounds.better.values, strict=True)
    ]
    columns.append("reads")
    rows = {name: [_excuse(results, name, protocol)] * len(columns) for name in FIRST}
    for of_predictor in bounds:
        cells = [_cell(*numbers) for numbers in of_predictor.values]
        rows[of_predictor.predictor.item()] = [*cells, of_predictor.reads.item()]
    for name in set(CHECKS) - set(rows):
        if words := _excuse(results, name, protocol):
            rows[name] = [words] * len(columns)
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


class Shown(str):
    """A table in Markdown, as a page shows it."""

    def _repr_markdown_(self) -> str:
        return self


def shown(
    results: xr.Dataset,
    protocol: str | None = None,
    level: str = "window",
    metrics: Sequence[str] | None = SIX,
    reads: str | None = None,
) -> Shown:
    """:func:`table` for a page, its best means in bold; the oracle and checks, which
    are no competitors, are never the best.

    Example:
        >>> from mpcl.evaluation.results import evaluate
        >>> from mpcl.simulation.cohort import cohort
        >>> scored = evaluate(cohort(3, 4, 2), "ridge")
        >>> print(shown(scored, metrics=["kl"]).splitlines()[0])
        | predictor | kl ↓ | reads |
    """
    frame = table(results, protocol, level, metrics, reads)
    means = intervals(results, protocol, level, metrics, reads).sel(bound="mean")
    names = [name for name in means.predictor.values if name not in NO_COMPETITORS]
    for metric, column in zip(means.metric.values, frame.columns, strict=False):
        of_column = means.sel(metric=metric, predictor=names)
        sign = 1 if of_column.better.item() == "lower" else -1
        if of_column.notnull().any():
            name = names[np.nanargmin(sign * of_column.values)]
            frame.loc[name, column] = f"**{frame.loc[name, column]}**"
    return as_markdown(frame)


def as_markdown(frame: pd.DataFrame, corner: str = "predictor") -> Shown:
    """A table of text for a page; the index is its first column."""
    lines = [[corner, *map(str, frame.columns)], ["---"] * (1 + len(frame.columns))]
    for name, row in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        lines.append([str(name), *map(str, row)])
    return Shown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def difference_table(
    results: xr.Dataset,
    against: str,
    protocol: str | None = None,
    level: str = "window",
    metrics: Sequence[str] | None = SIX,
    reads: str | None = None,
) -> pd.DataFrame:
    """The differences that a person reads: mean, interval, a star where beyond chance,
    and the sign-flip p-value."""
    compared = differences(results, against, None, protocol, level, metrics, reads)
    cells: list[list[str]] = []
    for bounds, p_values in zip(compared.values, compared.p.values, strict=True):
        row: list[str] = []
        for numbers, p in zip(bounds, p_values, strict=True):
            text = " ".join(_short(number, "+") for number in numbers)
            row += [text + ("*" if p <= 0.05 else " "), p_text(p)]
        cells.append(row)
    columns = [word for name in compared.metric.values for word in (str(name), "p")]
    frame = pd.DataFrame(cells, list(compared.predictor.values), columns)
    return frame.assign(reads=compared.reads.values)


def participant_table(
    results: xr.Dataset,
    metric: str = "chebyshev",
    protocol: str | None = None,
    level: str = "window",
    reads: str | None = None,
) -> pd.DataFrame:
    """One row a participant, one column a predictor."""
    chosen = _one_of(results, "metric", metric)
    scores = by_participant(results, protocol, level, reads).sel(metric=chosen)
    people = sorted(map(str, scores.participant.values), key=lambda p: (len(p), p))
    ordered = scores.mean("cohort").sel(participant=people)
    return pd.DataFrame(ordered.transpose("participant", "predictor").to_pandas())


def apart(
    results: xr.Dataset,
    other: xr.Dataset,
    level: str = "window",
    metrics: Sequence[str] = ("chebyshev", "kl"),
) -> pd.DataFrame:
    """How far two runs of one evaluation lie apart: was a result reproduced?

    What only one of them holds is left out.

    Returns:
        a row a predictor: ``seeds``, how many both hold; for each metric the ``mean``,
        the first minus the second over all that both hold, and ``at most``, the largest
        that any participant's score with any seed is apart.

    Raises:
        DatasetError: if the data set, its labels, the training settings or the
            normalisation are others; the precision may be.
    """
    facts = ("dataset", "label_recipe", "conditions", "features")
    others = [name for name in facts if results.attrs[name] != other.attrs[name]]
    if _trained(results) != _trained(other):
        others.append("settings")
    if others:
        raise DatasetError(
            "these are two evaluations, not one run twice: another "
            f"{' and '.join(others)}"
        )
    scores = [
        each.score.sel(
            level=_one_of(each, "level", level), metric=_metrics(each, metrics)
        )
        for each in (results, other)
    ]
    first, second = xr.align(*scores)
    difference = (first - second).dropna("predictor", how="all")
    rest = set(difference.dims) - {"predictor", "metric"}
    beside = set(difference.dims) - {"predictor", "seed"}
    seeds = difference.notnull().any(beside).sum("seed")
    frame = pd.DataFrame({"seeds": seeds.to_series()})
    for metric in metrics:
        of_metric = difference.sel(metric=metric)
        frame[f"{metric} mean"] = of_metric.mean(rest).values
        frame[f"{metric} at most"] = abs(of_metric).max(rest).values
    return frame


def _trained(results: xr.Dataset) -> dict[str, Any]:
    """The settings of a file, but for the precision, which moves the last digits."""
    settings: dict[str, Any] = json.loads(results.attrs["settings"])
    return {name: value for name, value in settings.items() if name != "precision"}


def describe(results: xr.Dataset) -> str:
    """One paragraph on what made a results file."""
    facts, sizes = results.attrs, results.sizes
    parts = [
        f"{sizes['participant']} participants, {facts['trials']} trials, "
        f"{facts['windows']} windows, {facts['emotions']} emotions",
        f"protocol {', '.join(results.protocol.values)}",
        "1 seed" if sizes["seed"] == 1 else f"{sizes['seed']} seeds",
        f"normalisation {facts['normalisation']}",
    ]
    if sizes["cohort"] > 1:
        parts[0] = f"{sizes['cohort']} cohorts of {parts[0]}"
    if facts.get("network"):
        parts.append(f"network {facts['network']}")
    if facts["missing_modalities"]:
        parts.append(f"missing everywhere: {facts['missing_modalities']}")
    parts += [f"{name} not applicable: {why}" for name, why in reasons(results).items()]
    if facts.get("notes"):
        parts.append(facts["notes"])
    recipe = ""
    if facts["label_recipe"]:
        recipe = f", labels {facts['label_recipe']}, conditions {facts['conditions']}"
    return f"{facts['dataset']}{recipe}: {'; '.join(parts)}"


def _excuse(results: xr.Dataset, name: str, protocol: str | None) -> str:
    """Why a table may be without a predictor; empty where it may not."""
    chosen = _one_of(results, "protocol", protocol)
    return "not applicable" if f"{name}, {chosen}" in reasons(results) else ""


def _one_of(results: xr.Dataset, dimension: str, name: str | None) -> str:
    """A name that a file has along a dimension, the first by default, or a sentence."""
    names = [str(value) for value in results[dimension].values]
    if name is None:
        return names[0]
    if name not in names:
        raise ParameterError(
            f"unknown {dimension} {name!r}; choose from {', '.join(names)}"
        )
    return name


def _metrics(results: xr.Dataset, metrics: Sequence[str] | None) -> list[str]:
    """Names of metrics that a file has, all by default, or a sentence."""
    names = results.metric.values if metrics is None else dict.fromkeys(metrics)
    return [_one_of(results, "metric", name) for name in names]


def p_text(p: float) -> str:
    """A p-value as a page shows it.

    Example:
        >>> p_text(0.0004), p_text(0.04)
        ('<.001', '.040')
    """
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _cell(mean: float, lower: float, upper: float) -> str:
    if np.isnan(mean):
        return "–"
    if np.isnan(lower):
        return f"{_short(mean)} –"
    return f"{_short(mean)} {_short(lower)}–{_short(upper)}"


def _short(number: float, sign: str = "") -> str:
    if np.isnan(number):
        return "–"
    if abs(number) < 1:
        return f"{number:{sign}z.4f}".replace("0.", ".", 1)
    return f"{number:{sign}.3f}"
