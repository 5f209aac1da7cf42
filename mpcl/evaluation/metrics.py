"""The six measures of label distribution learning, and the averages that every score is built from.

d is the true distribution, p the predicted one, over C emotions (Geng, TKDE 2016, table 1; plain,
not divided by C). 0 ln 0 and 0/0 count as 0. Every function works on the last axis.
"""

import numpy as np
import xarray as xr

SMALLEST = 1e-12  # predicted shares are clipped here before their logarithm is taken
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


METRICS = {  # name: (function, which way is better)
    "chebyshev": (chebyshev, "lower"),
    "clark": (clark, "lower"),
    "canberra": (canberra, "lower"),
    "kl": (kl, "lower"),
    "cosine": (cosine, "higher"),
    "intersection": (intersection, "higher"),
}


def scores(true, predicted):
    """All six measures of each row.

    Args:
        true: distributions (window, emotion).
        predicted: distributions of the same shape.

    Returns:
        :class:`xarray.DataArray` (window, metric), with the coordinate ``better``.

    Example:
        >>> scores(np.eye(2), np.eye(2)).sel(metric="kl").values
        array([0., 0.])
    """
    values = np.stack([function(true, predicted) for function, _ in METRICS.values()], -1)
    better = ("metric", [direction for _, direction in METRICS.values()])
    return xr.DataArray(values, dims=("window", "metric"), coords={"metric": list(METRICS), "better": better})


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
    participant = dataset.participant.values.astype(str)[first]  # (trial,)
    true, predicted = dataset.distribution.values, np.asarray(predicted)
    if level == "trial":
        by_trial = scores(_group_mean(true, inverse, len(trial)), _group_mean(predicted, inverse, len(trial)))
    else:
        each = scores(true, predicted)
        by_trial = each.isel(window=slice(0, len(trial))).copy(data=_group_mean(each.values, inverse, len(trial)))
    names, inverse = np.unique(participant, return_inverse=True)
    averaged = _group_mean(by_trial.values, inverse, len(names))  # (participant, metric)
    coords = {"participant": names, "metric": by_trial.metric, "better": by_trial.better}
    return xr.DataArray(averaged, dims=("participant", "metric"), coords=coords)


def _relative(true, predicted):
    true, predicted = np.asarray(true), np.asarray(predicted)
    total = true + predicted
    return np.abs(true - predicted) / np.where(total > 0, total, 1)


def _group_mean(values, group, groups):
    total = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, values)
    return total / np.bincount(group, minlength=groups)[:, None]
