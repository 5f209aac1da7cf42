"""Intervals over participants: how far a score would move with other people in the sample.

Seeds are averaged within a participant first; participants are then drawn with replacement. The
spread over folds is never used as an error bar: folds share their training participants.

A family of comparisons is corrected after Holm (1979): the most certain one must hold at 5 % divided by their
number, the next at 5 % divided by one less, until one does not; those behind it do not hold either.
"""

import numpy as np

DRAWS = 10_000
LEVEL = 0.95


def interval(values, draws=DRAWS, seed=0, family=1):
    """Percentile bootstrap over participants of a mean score.

    Args:
        values: array (participant,), one score or paired difference each, or (participant, cohort) of
            several simulated cohorts; NaN where a participant has no score.
        draws: number of bootstrap samples.
        seed: of the random generator.
        family: how many comparisons are made at once; the interval is widened for it after Bonferroni,
            so that all of the family's intervals hold together with 95 %.

    Returns:
        tuple (mean, lower, upper) of floats, the bounds of the 95 % interval.

    Raises:
        ValueError: if there is no score at all.

    Example:
        >>> interval(np.array([1.0, 1.0, 1.0]))
        (1.0, 1.0, 1.0)
    """
    mean, sampled = _bootstrap(values, draws, seed)
    return mean, *_bounds(sampled, family)


def holm_intervals(family, draws=DRAWS, seed=0):
    """Intervals of paired differences made at once: one excludes 0 exactly where it does so by Holm's procedure.

    Each is as wide as its step asks, those behind the first that includes 0 as wide as that one. They answer which
    differences are beyond chance; they are no 95 % region for all of them together.

    Args:
        family: list of arrays (participant,) or (participant, cohort), one a comparison.
        draws, seed: see :func:`interval`.

    Returns:
        array (comparison, 3) of mean, lower, upper.

    Example:
        >>> holm_intervals([np.array([0.9, 1.1]), np.array([-1.0, 1.0])]).round(1)
        array([[ 1. ,  0.9,  1.1],
               [ 0. , -1. ,  1. ]])
    """
    drawn = [_bootstrap(values, draws, seed) for values in family]
    tails = [min((sampled <= 0).mean(), (sampled >= 0).mean()) for _, sampled in drawn]
    bounds, left, stopped = [None] * len(drawn), len(drawn), False
    for place in np.argsort(tails, kind="stable"):
        mean, sampled = drawn[place]
        bounds[place] = lower, upper = _bounds(sampled, left)
        stopped |= lower <= 0 <= upper
        left -= not stopped
    return np.array([(mean, *bound) for (mean, _), bound in zip(drawn, bounds, strict=True)]).reshape(-1, 3)


def sign_flip(values, draws=DRAWS, seed=0):
    """Two-sided permutation p-value of paired differences: were their signs a matter of chance?

    Args:
        values: as in :func:`interval`. Several cohorts are taken as they are, not as a sample of cohorts.
        draws, seed: number of random sign patterns, and seed of their generator.

    Returns:
        float, at least 1 / (draws + 1).

    Example:
        >>> sign_flip(np.ones(20)) < 0.001
        True
    """
    columns = _columns(values)
    weighed = np.concatenate([column / len(column) / len(columns) for column in columns])
    signs = np.random.default_rng(seed).integers(2, size=(draws, len(weighed)), dtype=np.int8) * 2 - 1
    reached = np.abs(signs @ weighed) >= abs(weighed.sum()) - 1e-12
    return (1 + int(reached.sum())) / (1 + draws)


def holm(p):
    """p-values of a family, adjusted after Holm: each may be read against 5 % by itself.

    Args:
        p: p-values (comparison,).

    Returns:
        array (comparison,).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p, order = np.asarray(p, float), np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(p[order] * np.arange(len(p), 0, -1), 1))
    return adjusted


def improvement(values):
    """Probability of improvement: the share of participants whose difference is above 0, ties counting half.

    Args:
        values: as in :func:`interval`, signed so that above 0 is better.

    Returns:
        float in 0..1.

    Example:
        >>> improvement(np.array([0.2, 0.1, -0.1, 0.0]))
        0.625
    """
    return float(np.mean([((column > 0) + (column == 0) / 2).mean() for column in _columns(values)]))


def _columns(values):
    """The scores that are there, one array a cohort."""
    values = np.asarray(values, float)
    columns = values[:, None] if values.ndim == 1 else values
    people = [column[np.isfinite(column)] for column in columns.T]
    people = [column for column in people if len(column)]
    if not people:
        raise ValueError("there is no score to average")
    return people


def _bootstrap(values, draws, seed):
    """The mean, and means (draw,) of participants drawn anew; cohorts are the outermost unit."""
    people = _columns(values)
    random = np.random.default_rng(seed)
    chosen = random.integers(len(people), size=(draws, len(people)))
    sampled = np.zeros(draws)
    for slot in range(len(people)):
        for cohort, scores in enumerate(people):
            rows = np.flatnonzero(chosen[:, slot] == cohort)
            drawn = scores[random.integers(len(scores), size=(len(rows), len(scores)))]  # (draw, participant)
            sampled[rows] += drawn.mean(1) / len(people)
    return float(np.mean([column.mean() for column in people])), sampled


def _bounds(sampled, family):
    outside = (1 - LEVEL) / family
    return tuple(float(bound) for bound in np.quantile(sampled, [outside / 2, 1 - outside / 2]))
