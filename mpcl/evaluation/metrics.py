"""The six measures of label distribution learning, and ours of mixed emotion.

d is the true distribution, p the predicted one, over C emotions (Geng, TKDE 2016, table
1; plain, not divided by C). 0 ln 0 and 0/0 count as 0. Functions of a window work on
the last axis, of arrays (..., emotion); two more look at all windows of a participant
at once. A measure that does not apply to a window or a participant is NaN there, and
left out of the averages.
"""

import re
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mpcl.data.contract import Trials, trials
from mpcl.errors import ParameterError

SMALLEST = 1e-12  # predicted shares are clipped here before their logarithm is taken
TIED = 1e-9  # shares that differ by less are tied
BINS = 5  # of the predicted positive mass, of equal width
LEVELS = ("window", "trial")


def chebyshev(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Largest error on any one emotion: max |d - p|, in 0..1, lower is better.

    Example:
        >>> float(chebyshev([0.5, 0.5], [0.25, 0.75]))
        0.25
    """
    return np.abs(np.subtract(true, predicted)).max(-1)


def clark(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Relative error, squared and summed: sqrt(sum (d - p)^2 / (d + p)^2).

    Small emotions weigh as much as large ones. Lower is better; at most sqrt(C).

    Example:
        >>> float(clark([1.0, 0.0], [0.0, 1.0]).round(4))
        1.4142
    """
    return np.sqrt((_relative(true, predicted) ** 2).sum(-1))


def canberra(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Relative error, summed: sum |d - p| / (d + p). Lower is better; at most C.

    Example:
        >>> float(canberra([1.0, 0.0], [0.0, 1.0]))
        2.0
    """
    return _relative(true, predicted).sum(-1)


def kl(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Kullback-Leibler divergence KL(true || predicted) in nats, lower is better.

    Example:
        >>> float(kl([0.5, 0.5], [0.5, 0.5]))
        0.0
    """
    true, predicted = np.asarray(true), np.clip(predicted, SMALLEST, None)
    ratio = np.where(true > 0, true, 1) / np.where(true > 0, predicted, 1)
    return (true * np.log(ratio)).sum(-1)


def cosine(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Cosine of the angle between the two distributions, higher is better.

    Example:
        >>> float(cosine([0.5, 0.5], [0.5, 0.5]).round(6))
        1.0
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    length = np.linalg.norm(true, axis=-1) * np.linalg.norm(predicted, axis=-1)
    return (true * predicted).sum(-1) / np.where(length > 0, length, 1)


def intersection(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Overlap of the two distributions: sum min(d, p), in 0..1, higher is better.

    Example:
        >>> float(intersection([0.5, 0.5], [0.25, 0.75]))
        0.75
    """
    return np.minimum(true, predicted).sum(-1)


def dominant_accuracy(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Whether the largest predicted emotion is the largest true one, or a tied one.

    Where several predicted ones are tied, the share of them that is: no order of the
    emotions is rewarded.

    Example:
        >>> tied = [0.4, 0.4, 0.2]
        >>> dominant_accuracy([tied, tied], [[0.1, 0.8, 0.1], [1 / 3] * 3]).round(2)
        array([1.  , 0.67])
    """
    top, guess = (
        shares >= shares.max(-1, keepdims=True) - TIED
        for shares in map(np.asarray, (true, predicted))
    )
    return (top & guess).sum(-1) / guess.sum(-1)


def positive_mass_error(
    true: ArrayLike, predicted: ArrayLike, valence: ArrayLike
) -> np.ndarray:
    """Error of the share of all positive emotions together, in 0..1, lower is better.

    Args:
        valence: (emotion,) in -1, 0, 1; of all functions below.

    Example:
        >>> float(positive_mass_error([0.5, 0.5], [0.25, 0.75], [1, -1]))
        0.25
    """
    return np.abs(np.subtract(predicted, true) @ (np.asarray(valence) > 0))


def rank_same(true: ArrayLike, predicted: ArrayLike, valence: ArrayLike) -> np.ndarray:
    """Kendall agreement in order within a valence, -1..1, higher is better.

    Over the pairs of emotions of the same sign that truly differ, how many are in the
    true order minus how many in the opposite one; a predicted tie counts 0. NaN where
    no pair differs. *Our reading* of valence consistency.

    Example:
        >>> float(rank_same([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], [1, 1, -1]))
        1.0
    """
    return _kendall(true, predicted, np.multiply.outer(valence, valence) > 0)


def rank_opposite(
    true: ArrayLike, predicted: ArrayLike, valence: ArrayLike
) -> np.ndarray:
    """As :func:`rank_same`, over the pairs of one positive and one negative emotion.

    Example:
        >>> float(rank_opposite([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], [1, 1, -1]))
        -1.0
    """
    return _kendall(true, predicted, np.multiply.outer(valence, valence) < 0)


def mixed_auroc(
    true: ArrayLike | None,
    predicted: ArrayLike,
    valence: ArrayLike,
    weight: ArrayLike,
    mixed: np.ndarray | None,
) -> float:
    """How well a participant's mixed windows are told from others: area under the ROC.

    A prediction is as mixed as the smaller of its largest positive and its largest
    negative share (*our reading*).

    Args:
        true: distributions (window, emotion), not read.
        weight: (window,).
        mixed: bool (window,) of :func:`mixed_windows`, or None without ratings.

    Returns:
        in 0..1, 0.5 for chance; NaN without ratings, or if all are mixed, or none.

    Example:
        >>> is_mixed = np.array([True, False])
        >>> mixed_auroc(None, [[0.5, 0.5], [0.9, 0.1]], [1, -1], [1, 1], is_mixed)
        1.0
    """
    if mixed is None or mixed.all() or not mixed.any():
        return np.nan
    score, weight = _both(predicted, valence).round(9), np.asarray(weight)
    order = np.sign(np.subtract.outer(score[mixed], score[~mixed]))
    above = (order + 1) / 2  # (mixed, other), ties count half
    total = weight[mixed] @ above @ weight[~mixed]
    return float(total / weight[mixed].sum() / weight[~mixed].sum())


def calibration_error(
    true: ArrayLike,
    predicted: ArrayLike,
    valence: ArrayLike,
    weight: ArrayLike,
    mixed: np.ndarray | None = None,
) -> float:
    """Expected calibration error of the predicted positive mass, lower is better.

    Windows are put into five bins of equal width by their predicted positive mass; the
    error is the mean distance between mean predicted and mean true mass of a bin.

    Example:
        >>> halves = np.full((2, 2), 0.5)
        >>> round(calibration_error(np.eye(2), halves, [1, -1], [1, 1]), 6)
        0.0
    """
    is_positive = np.asarray(valence) > 0
    guess, mass = np.asarray(predicted) @ is_positive, np.asarray(true) @ is_positive
    places = np.minimum((guess * BINS + TIED).astype(int), BINS - 1)  # (window,)
    errors = np.bincount(places, weight * (guess - mass))
    return float(np.abs(errors).sum() / np.sum(weight))


METRICS: dict[str, tuple[Callable[..., np.ndarray], str]] = {  # of each window
    "chebyshev": (chebyshev, "lower"),
    "clark": (clark, "lower"),
    "canberra": (canberra, "lower"),
    "kl": (kl, "lower"),
    "cosine": (cosine, "higher"),
    "intersection": (intersection, "higher"),
    "dominant_accuracy": (dominant_accuracy, "higher"),
}
VALENCE_METRICS: dict[str, tuple[Callable[..., np.ndarray], str]] = {  # of each window
    "positive_mass_error": (positive_mass_error, "lower"),
    "rank_same": (rank_same, "higher"),
    "rank_opposite": (rank_opposite, "higher"),
}
PARTICIPANT_METRICS: dict[str, tuple[Callable[..., float], str]] = {  # of all of theirs
    "mixed_auroc": (mixed_auroc, "higher"),
    "calibration_error": (calibration_error, "lower"),
}
SIX = tuple(METRICS)[:6]
BETTER = {
    name: better
    for name, (_, better) in (METRICS | VALENCE_METRICS | PARTICIPANT_METRICS).items()
}


def scores(
    true: np.ndarray, predicted: np.ndarray, valence: ArrayLike | None = None
) -> xr.DataArray:
    """All measures of each row of distributions (window, emotion).

    Args:
        valence: (emotion,) in -1, 0, 1; without it the measures that need it are left
            out.

    Returns:
        (window, metric), with the coordinate ``better``.

    Example:
        >>> scores(np.eye(2), np.eye(2)).sel(metric="kl").values
        array([0., 0.])
    """
    values = {
        name: function(true, predicted) for name, (function, _) in METRICS.items()
    }
    if valence is not None:
        for name, (function, _) in VALENCE_METRICS.items():
            values[name] = function(true, predicted, valence)
    better = ("metric", [BETTER[name] for name in values])
    coords = {"metric": list(values), "better": better}
    return xr.DataArray(
        np.stack(list(values.values()), -1), coords, ("window", "metric")
    )


def mixed_windows(dataset: xr.Dataset) -> np.ndarray | None:
    """Which windows are of a mixed trial, by what was answered: bool (window,).

    A trial is mixed where the largest positive and the largest negative rating both
    reach the middle of the scale, the attribute ``rating_scale``, such as ``1-5``.
    Labels cannot tell: divided by their sum, ratings of all ones are a mixture too.
    None without ratings, without a scale, or where all emotions have one valence.
    """
    scale = str(dataset.attrs.get("rating_scale", ""))
    ends = re.fullmatch(r"\s*([\d.]+)\s*(?:-|–|to)\s*([\d.]+)\s*", scale)
    if ends is None or "rating" not in dataset:
        return None
    valence = dataset.valence.values
    if not ((valence > 0).any() and (valence < 0).any()):
        return None
    rating = dataset.rating.transpose("window", "emotion").values
    return _both(rating, valence) >= (float(ends[1]) + float(ends[2])) / 2


def participant_scores(
    dataset: xr.Dataset, predicted: np.ndarray, level: str = "window"
) -> xr.DataArray:
    """Score predictions and average within each participant.

    A window's scores are averaged within its trial, then within its participant, so
    that long trials do not count for more. At the level ``trial`` the predicted and the
    true distributions of a trial's windows are averaged first, and scored once.

    Args:
        dataset: with the true ``distribution``.
        predicted: distributions (window, emotion) of the same windows; NaN is left out.

    Returns:
        (participant, metric).

    Raises:
        ParameterError: for another level than ``window`` or ``trial``.
    """
    if level not in LEVELS:
        raise ParameterError(f"unknown level {level!r}; choose {' or '.join(LEVELS)}")
    true, predicted = dataset.distribution.values, np.asarray(predicted)
    if level == "trial":
        grouped = trials(dataset)
        trial, count = grouped.of_window, len(grouped.names)
        true, predicted = (_means(each, trial, count) for each in (true, predicted))
        dataset = _of_trials(dataset, grouped)
    grouped = trials(dataset)
    mixed = mixed_windows(dataset)
    valence, person = dataset.valence.values, dataset.participant.values.astype(str)
    names, of_trial = np.unique(person[grouped.first], return_inverse=True)
    is_predicted = np.asarray(np.isfinite(predicted).all(1))  # else never held out
    predicted = np.where(is_predicted[:, None], predicted, 1 / predicted.shape[1])
    each = scores(true, predicted, valence).values
    each[~is_predicted] = np.nan
    by_trial = _means(each, grouped.of_window, len(grouped.names))
    averaged = _means(by_trial, of_trial, len(names))  # (participant, metric)
    weight = grouped.weights()
    whole: list[list[float]] = []
    for name in names:
        rows = (person == name) & is_predicted
        if not rows.any():
            whole.append([np.nan] * len(PARTICIPANT_METRICS))
            continue
        is_mixed = None if mixed is None else mixed[rows]
        theirs = true[rows], predicted[rows], valence, weight[rows], is_mixed
        whole.append([measure(*theirs) for measure, _ in PARTICIPANT_METRICS.values()])
    coords = {
        "participant": names,
        "metric": list(BETTER),
        "better": ("metric", list(BETTER.values())),
    }
    return xr.DataArray(np.hstack([averaged, whole]), coords, ("participant", "metric"))


def _of_trials(dataset: xr.Dataset, grouped: Trials) -> xr.Dataset:
    """The first window of each trial, with the mean rating of all of its windows."""
    first = dataset.isel(window=grouped.first)
    if "rating" not in dataset:
        return first
    values = dataset.rating.transpose("window", "emotion").values.astype(float)
    means = _means(values, grouped.of_window, len(grouped.names))
    return first.assign(rating=(("window", "emotion"), means))


def _relative(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    true, predicted = np.asarray(true), np.asarray(predicted)
    total = true + predicted
    return np.abs(true - predicted) / np.where(total > 0, total, 1)


def _kendall(true: ArrayLike, predicted: ArrayLike, pairs: np.ndarray) -> np.ndarray:
    """Mean agreement in order over the pairs (emotion, emotion) that differ."""
    first, second = np.nonzero(np.triu(pairs, 1))  # (pair,)
    signs = []
    for shares in map(np.asarray, (true, predicted)):
        change = shares[..., first] - shares[..., second]  # (..., pair)
        signs.append(np.where(np.abs(change) > TIED, np.sign(change), 0))
    count = np.abs(signs[0]).sum(-1)
    agreement = (signs[0] * signs[1]).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, agreement, np.nan)


def _both(values: ArrayLike, valence: ArrayLike) -> np.ndarray:
    """The smaller of the largest positive and negative of values (window, emotion)."""
    values, valence = np.asarray(values), np.asarray(valence)
    positive = values[..., valence > 0].max(-1)
    return np.minimum(positive, values[..., valence < 0].max(-1))


def _means(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Means (group, column) of the finite values of each group; NaN without any."""
    is_finite = np.isfinite(values)
    total = np.zeros((groups, values.shape[1]))
    count = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, np.where(is_finite, values, 0))
    np.add.at(count, group, is_finite)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
