"""The six measures of label distribution learning, ours of mixed emotion, and the averages of every score.

d is the true distribution, p the predicted one, over C emotions (Geng, TKDE 2016, table 1; plain,
not divided by C). 0 ln 0 and 0/0 count as 0. Functions of a window work on the last axis; two more look at all
windows of a participant at once. A measure that does not apply to a window or a participant is NaN there, and left
out of the averages.
"""

import re

import numpy as np
import xarray as xr

SMALLEST = 1e-12  # predicted shares are clipped here before their logarithm is taken
TIED = 1e-9  # shares that differ by less are tied
BINS = 5  # of the predicted positive mass, of equal width
LEVELS = ("window", "trial")


def chebyshev(true, predicted):
    """Largest error on any one emotion: max |d - p|.

    Args:
        true: distributions (..., emotion).
        predicted: distributions of the same shape.

    Returns:
        array (...,) in 0..1, lower is better.

    Example:
        >>> float(chebyshev([0.5, 0.5], [0.25, 0.75]))
        0.25
    """
    return np.abs(np.subtract(true, predicted)).max(-1)


def clark(true, predicted):
    """Relative error, squared and summed: sqrt(sum (d - p)^2 / (d + p)^2).

    Small emotions weigh as much as large ones. Lower is better; at most sqrt(C).

    Example:
        >>> float(clark([1.0, 0.0], [0.0, 1.0]).round(4))
        1.4142
    """
    return np.sqrt((_relative(true, predicted) ** 2).sum(-1))


def canberra(true, predicted):
    """Relative error, summed: sum |d - p| / (d + p). Lower is better; at most C.

    Example:
        >>> float(canberra([1.0, 0.0], [0.0, 1.0]))
        2.0
    """
    return _relative(true, predicted).sum(-1)


def kl(true, predicted):
    """Kullback-Leibler divergence KL(true || predicted) in nats, lower is better.

    Example:
        >>> float(kl([0.5, 0.5], [0.5, 0.5]))
        0.0
    """
    true, predicted = np.asarray(true), np.clip(predicted, SMALLEST, None)
    ratio = np.where(true > 0, true, 1) / np.where(true > 0, predicted, 1)
    return (true * np.log(ratio)).sum(-1)


def cosine(true, predicted):
    """Cosine of the angle between the two distributions, higher is better.

    Example:
        >>> float(cosine([0.5, 0.5], [0.5, 0.5]).round(6))
        1.0
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    length = np.linalg.norm(true, axis=-1) * np.linalg.norm(predicted, axis=-1)
    return (true * predicted).sum(-1) / np.where(length > 0, length, 1)


def intersection(true, predicted):
    """Overlap of the two distributions: sum min(d, p), in 0..1, higher is better.

    Example:
        >>> float(intersection([0.5, 0.5], [0.25, 0.75]))
        0.75
    """
    return np.minimum(true, predicted).sum(-1)


def dominant_accuracy(true, predicted):
    """Whether the largest predicted emotion is the largest true one, or one of several tied true ones.

    Where several predicted ones are tied, the share of them that is: no order of the emotions is rewarded.

    Example:
        >>> dominant_accuracy([[0.4, 0.4, 0.2]] * 2, [[0.1, 0.8, 0.1], [1 / 3] * 3]).round(2)
        array([1.  , 0.67])
    """
    top, guess = (p >= p.max(-1, keepdims=True) - TIED for p in map(np.asarray, (true, predicted)))
    return (top & guess).sum(-1) / guess.sum(-1)


def positive_mass_error(true, predicted, valence):
    """Error of the share that all positive emotions have together: |predicted - true mass|, lower is better.

    Args:
        true: distributions (..., emotion).
        predicted: distributions of the same shape.
        valence: (emotion,) in -1, 0, 1.

    Returns:
        array (...,) in 0..1.

    Example:
        >>> float(positive_mass_error([0.5, 0.5], [0.25, 0.75], [1, -1]))
        0.25
    """
    return np.abs(np.subtract(predicted, true) @ (np.asarray(valence) > 0))


def rank_same(true, predicted, valence):
    """Kendall agreement of the true and predicted order of emotions of one valence, -1..1, higher is better.

    Over the pairs of emotions of the same sign that truly differ, how many are in the true order minus how many in
    the opposite one; a predicted tie counts 0. NaN where no pair differs. *Our reading* of valence consistency.

    Example:
        >>> float(rank_same([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], [1, 1, -1]))
        1.0
    """
    return _kendall(true, predicted, np.multiply.outer(valence, valence) > 0)


def rank_opposite(true, predicted, valence):
    """As :func:`rank_same`, over the pairs of one positive and one negative emotion.

    Example:
        >>> float(rank_opposite([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], [1, 1, -1]))
        -1.0
    """
    return _kendall(true, predicted, np.multiply.outer(valence, valence) < 0)


def mixed_auroc(true, predicted, valence, weight, mixed):
    """How well the predictions of one participant tell mixed windows from others: area under the ROC curve.

    A prediction is as mixed as the smaller of its largest positive and its largest negative share (*our reading*).

    Args:
        true: distributions (window, emotion), not read.
        predicted: distributions (window, emotion).
        valence: (emotion,) in -1, 0, 1.
        weight: (window,).
        mixed: bool (window,) of :func:`mixed_windows`, or None where there are no ratings.

    Returns:
        float in 0..1, 0.5 for chance; NaN without ratings, or if all windows are mixed, or none.

    Example:
        >>> mixed_auroc(None, np.array([[0.5, 0.5], [0.9, 0.1]]), [1, -1], [1, 1], np.array([True, False]))
        1.0
    """
    if mixed is None or mixed.all() or not mixed.any():
        return np.nan
    score, weight = _both(predicted, valence).round(9), np.asarray(weight)
    above = (np.sign(np.subtract.outer(score[mixed], score[~mixed])) + 1) / 2  # (mixed, other), ties count half
    return float(weight[mixed] @ above @ weight[~mixed] / weight[mixed].sum() / weight[~mixed].sum())


def calibration_error(true, predicted, valence, weight, mixed=None):
    """Expected calibration error of the predicted positive mass of one participant, lower is better.

    Windows are put into five bins of equal width by their predicted positive mass; the error is the mean distance
    between mean predicted and mean true mass of a bin. Arguments: see :func:`mixed_auroc`.

    Example:
        >>> round(calibration_error(np.eye(2), np.full((2, 2), 0.5), [1, -1], [1, 1]), 6)
        0.0
    """
    guess, mass = (np.asarray(p) @ (np.asarray(valence) > 0) for p in (predicted, true))  # (window,)
    places = np.minimum((guess * BINS + TIED).astype(int), BINS - 1)
    return float(np.abs(np.bincount(places, weight * (guess - mass))).sum() / np.sum(weight))


METRICS = {  # of each window; name: (function of true and predicted, which way is better)
    "chebyshev": (chebyshev, "lower"),
    "clark": (clark, "lower"),
    "canberra": (canberra, "lower"),
    "kl": (kl, "lower"),
    "cosine": (cosine, "higher"),
    "intersection": (intersection, "higher"),
    "dominant_accuracy": (dominant_accuracy, "higher"),
}
VALENCE_METRICS = {  # of each window; the function takes the valence too
    "positive_mass_error": (positive_mass_error, "lower"),
    "rank_same": (rank_same, "higher"),
    "rank_opposite": (rank_opposite, "higher"),
}
PARTICIPANT_METRICS = {  # of all windows of a participant
    "mixed_auroc": (mixed_auroc, "higher"),
    "calibration_error": (calibration_error, "lower"),
}
SIX = tuple(METRICS)[:6]
BETTER = {name: better for name, (_, better) in (METRICS | VALENCE_METRICS | PARTICIPANT_METRICS).items()}


def scores(true, predicted, valence=None):
    """All measures of each row.

    Args:
        true: distributions (window, emotion).
        predicted: distributions of the same shape.
        valence: (emotion,) in -1, 0, 1; without it the measures that need it are left out.

    Returns:
        :class:`xarray.DataArray` (window, metric), with the coordinate ``better``.

    Example:
        >>> scores(np.eye(2), np.eye(2)).sel(metric="kl").values
        array([0., 0.])
    """
    values = {name: function(true, predicted) for name, (function, _) in METRICS.items()}
    if valence is not None:
        values |= {name: function(true, predicted, valence) for name, (function, _) in VALENCE_METRICS.items()}
    better = ("metric", [BETTER[name] for name in values])
    coords = {"metric": list(values), "better": better}
    return xr.DataArray(np.stack(list(values.values()), -1), dims=("window", "metric"), coords=coords)


def mixed_windows(dataset):
    """Which windows are of a mixed trial, by what was answered.

    A trial is mixed where the largest positive and the largest negative rating both reach the middle of the scale.
    Labels cannot tell: divided by their sum, ratings of all ones are a mixture too.

    Args:
        dataset: a data set that follows the contract; ``rating_scale`` is read as ``1-5``.

    Returns:
        bool array (window,), or None without ratings, without a scale, or where all emotions have one valence.
    """
    ends = re.fullmatch(r"\s*([\d.]+)\s*(?:-|–|to)\s*([\d.]+)\s*", str(dataset.attrs.get("rating_scale", "")))
    valence = dataset.valence.values
    if ends is None or "rating" not in dataset or not ((valence > 0).any() and (valence < 0).any()):
        return None
    rating = dataset.rating.transpose("window", "emotion").values
    return _both(rating, valence) >= (float(ends[1]) + float(ends[2])) / 2


def participant_scores(dataset, predicted, level="window"):
    """Score predictions window by window (or trial by trial) and average within each participant.

    A window's scores are averaged within its trial, then within its participant, so that long
    trials do not count for more. At the level ``trial`` the predicted and the true distributions
    of a trial's windows are averaged first, and scored once.

    Args:
        dataset: a data set that follows the contract, with the true ``distribution``.
        predicted: distributions (window, emotion) of the same windows.
        level: ``window`` or ``trial``.

    Returns:
        :class:`xarray.DataArray` (participant, metric).

    Raises:
        ValueError: for another level.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown level {level!r}; choose {' or '.join(LEVELS)}")
    trial, first, inverse = np.unique(dataset.trial.values.astype(str), return_index=True, return_inverse=True)
    true, predicted, mixed = dataset.distribution.values, np.asarray(predicted), mixed_windows(dataset)
    if level == "trial":
        true, predicted = (_group_mean(values, inverse, len(trial)) for values in (true, predicted))
        mixed, dataset, inverse = None if mixed is None else mixed[first], dataset.isel(window=first), range(len(trial))
    each = scores(true, predicted, dataset.valence.values)
    person = dataset.participant.values.astype(str)
    names, owner = np.unique(person if level == "trial" else person[first], return_inverse=True)  # of each trial
    averaged = _group_mean(_group_mean(each.values, inverse, len(trial)), owner, len(names))  # (participant, metric)
    weight = 1 / np.bincount(inverse)[inverse]  # trials weigh equally
    whole = [[function(true[own], predicted[own], dataset.valence.values, weight[own],
                       None if mixed is None else mixed[own]) for function, _ in PARTICIPANT_METRICS.values()]
             for own in (person == name for name in names)]
    coords = {"participant": names, "metric": list(BETTER), "better": ("metric", list(BETTER.values()))}
    return xr.DataArray(np.hstack([averaged, whole]), dims=("participant", "metric"), coords=coords)


def _relative(true, predicted):
    true, predicted = np.asarray(true), np.asarray(predicted)
    total = true + predicted
    return np.abs(true - predicted) / np.where(total > 0, total, 1)


def _kendall(true, predicted, pairs):
    """Mean agreement in order over those of the pairs of emotions (emotion, emotion) that truly differ."""
    one, other = np.nonzero(np.triu(pairs, 1))  # (pair,)
    order = [np.asarray(p)[..., one] - np.asarray(p)[..., other] for p in (true, predicted)]  # (..., pair)
    signs = [np.where(np.abs(change) > TIED, np.sign(change), 0) for change in order]
    count = np.abs(signs[0]).sum(-1)
    return np.where(count > 0, (signs[0] * signs[1]).sum(-1) / np.maximum(count, 1), np.nan)


def _both(values, valence):
    """The smaller of the largest positive and the largest negative value of each row (window, emotion)."""
    return np.minimum(*(np.asarray(values)[..., np.asarray(valence) * sign > 0].max(-1) for sign in (1, -1)))


def _group_mean(values, group, groups):
    """Means (group, column) of the finite values of each group; NaN where there is none."""
    known = np.isfinite(values)
    total, count = np.zeros((groups, values.shape[1])), np.zeros((groups, values.shape[1]))
    np.add.at(total, group, np.where(known, values, 0))
    np.add.at(count, group, known)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
