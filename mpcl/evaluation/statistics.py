"""How sure is a difference between methods, given the people it was measured on?

Seeds are averaged within a participant first. The spread over folds is never used as an
error bar: folds share their training participants. Cohorts of simulated people are
taken as they are, not as a sample of cohorts.

What *decides* is the exact sign-flip test: if nothing differed, each person's
difference could as well have had the other sign. Intervals *illustrate*. That of a
score is Student's; that of a difference is made of the test itself, so that it excludes
0 exactly where the test rejects.

A family of comparisons is corrected after Holm (1979): the most certain one must hold
at 5 % divided by their number, the next at 5 % divided by one less, until one does not;
those behind it do not hold either.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

DRAWS = 100_000  # sign patterns; up to 16 people there are fewer, and all are tried
LEVEL = 0.95
FEWEST = 6  # people with an interval: of 5, the smallest p of sign flips is .0625
MARGIN = 0.0005  # in nats: differences below it do not matter here
TIED = 1e-12
ROOM = 2_000_000  # numbers that are held at once


def interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of a score over people and its t interval.

    Of several cohorts each counts alike; the degrees of freedom are Welch's.

    Args:
        values: (participant,), one score or paired difference each, or (participant,
            cohort) of several simulated cohorts; NaN where a participant has no score.

    Returns:
        mean, lower and upper bound; of fewer than six people, or where all are alike,
        no bounds, which are NaN.

    Raises:
        ValueError: if there is no score at all.

    Example:
        >>> mean, lower, upper = interval(np.arange(9.0))
        >>> mean, float(round(lower, 2)), float(round(upper, 2))
        (4.0, 1.89, 6.11)
    """
    cohorts = _columns(values)
    mean = float(np.mean([scores.mean() for scores in cohorts]))
    if min(map(len, cohorts)) < FEWEST:
        return mean, np.nan, np.nan
    sizes = np.array([len(scores) for scores in cohorts])
    errors = np.array([scores.var(ddof=1) for scores in cohorts]) / sizes
    if errors.sum() <= TIED**2:
        return mean, np.nan, np.nan
    freedom = errors.sum() ** 2 / (errors**2 / (sizes - 1)).sum()
    half = stats.t.ppf((1 + level) / 2, freedom) * errors.sum() ** 0.5 / len(cohorts)
    return mean, mean - half, mean + half


def with_interval(numbers: Sequence[float], form: str = "+z.4f") -> str:
    """A mean with its bounds, as of :func:`interval`; without any, that is said.

    Example:
        >>> with_interval((0.5, 0.25, 0.75), ".2f")
        '0.50 [0.25, 0.75]'
        >>> with_interval((0.5, np.nan, np.nan), ".2f")
        '0.50, no interval'
    """
    mean, low, high = numbers
    bounds = ", no interval" if np.isnan(low) else f" [{low:{form}}, {high:{form}}]"
    return f"{mean:{form}}{bounds}"


def holm_intervals(
    family: Sequence[np.ndarray] | np.ndarray, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Intervals of paired differences made at once, by sign flips after Holm.

    One excludes 0 exactly where :func:`sign_flip` rejects by that procedure. Each is as
    wide as its step asks, those behind the first that includes 0 as wide as that one.
    They are no 95 % region for all of them together.

    Args:
        family: arrays as in :func:`interval`, one a comparison.

    Returns:
        (comparison, 3) of mean, lower, upper; NaN where :func:`interval` has none, and
        where too few people ask for more than all of their signs can say.

    Example:
        >>> holm_intervals([np.arange(9.0), np.arange(9.0) - 4]).round(1)
        array([[ 4. ,  1.3,  6.7],
               [ 0. , -2.2,  2.2]])
    """
    means = [_subset_means(values, draws, seed) for values in family]
    p = np.array([_p_value(of_subsets) for of_subsets in means])
    intervals = np.full((len(p), 3), np.nan)
    left, is_stopped = len(p), False
    for place in np.argsort(p, kind="stable"):
        intervals[place] = interval(family[place])
        if np.isfinite(intervals[place, 1]):
            intervals[place, 1:] = _bounds(means[place], (1 - LEVEL) / left)
        is_stopped = is_stopped or p[place] > (1 - LEVEL) / left
        if not is_stopped:
            left -= 1
    return intervals


def sign_flip(values: ArrayLike, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p-value of paired differences: are their signs chance?

    Args:
        values: as in :func:`interval`.
        draws: number of random sign patterns, where there are more than that.

    Example:
        >>> sign_flip(np.ones(8)) == 2 / 2**8
        True
    """
    return _p_value(_subset_means(values, draws, seed))


def holm(p: ArrayLike) -> np.ndarray:
    """p-values (comparison,) adjusted after Holm: each may be read against 5 % alone.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p, order = np.asarray(p, float), np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    stepwise = np.minimum(p[order] * np.arange(len(p), 0, -1), 1)
    adjusted[order] = np.maximum.accumulate(stepwise)
    return adjusted


def verdict(costs: ArrayLike, p: float) -> str:
    """What is to be said of a part, in words.

    Args:
        costs: KL without it minus KL with it, as in :func:`interval`.
        p: of sign flips, after Holm over the whole family.

    Example:
        >>> verdict([0.01, 0.02, 0.01, 0.03, 0.02, 0.01], 0.03)
        'helps'
    """
    mean, lower, upper = interval(costs, level=0.9)
    direction = "helps" if mean > 0 else "hurts"
    is_small = -MARGIN < lower and upper < MARGIN
    if p > 1 - LEVEL:
        return "smaller than .0005" if is_small else "undecided at this n"
    return f"{direction}, by less than .0005" if is_small else direction


def improvement(values: ArrayLike) -> float:
    """Probability of improvement: the share of people above 0, ties counting half.

    Args:
        values: as in :func:`interval`, signed so that above 0 is better.

    Example:
        >>> improvement(np.array([0.2, 0.1, -0.1, 0.0]))
        0.625
    """
    shares = [((each > 0) + (each == 0) / 2).mean() for each in _columns(values)]
    return float(np.mean(shares))


def _columns(values: ArrayLike) -> list[np.ndarray]:
    """The finite scores, one array (participant,) a cohort."""
    values = np.asarray(values, float)
    columns = values[:, None] if values.ndim == 1 else values
    people = [column[np.isfinite(column)] for column in columns.T]
    people = [column for column in people if len(column)]
    if not people:
        raise ValueError("there is no score to average")
    return people


def _subset_means(values: ArrayLike, draws: int, seed: int) -> np.ndarray:
    """Means (subset,) of subsets of people: all but the empty one, or random ones.

    Flipping the signs of a subset turns the sum around 0 exactly where the mean of the
    subset has the other sign (Hartigan 1969): the test counts these means, and its
    interval is cut from them. A subset and the rest of it are drawn together.
    """
    columns = _columns(values)
    scores = np.concatenate(columns)
    weights = np.concatenate([np.full(len(each), 1 / len(each)) for each in columns])
    people = len(scores)
    sides = np.stack([weights, weights * scores], 1)
    if 2**people <= draws:
        numbers = np.arange(1, 2**people)[:, None]
        sums = ((numbers >> np.arange(people)) % 2).astype(float) @ sides
    else:
        random, everybody = np.random.default_rng(seed), sides.sum(0)
        halves = [
            random.integers(2, size=(rows, people), dtype=np.int8).astype(float) @ sides
            for rows in _blocks(draws // 2, max(1, ROOM // people))
        ]
        half = np.concatenate(halves)
        sums = np.concatenate([half, everybody - half, everybody[None]])
    means = sums[:, 1] / np.where(sums[:, 0] > TIED, sums[:, 0], np.inf)
    return np.where(np.abs(means) > TIED, means, 0.0)


def _blocks(count: int, most: int) -> list[int]:
    """A number in parts: memory holds so many at once."""
    whole, rest = divmod(count, most)
    return [most] * whole + [rest] * (rest > 0)


def _p_value(means: np.ndarray) -> float:
    """Of as many subsets and the empty one, twice the share that turns the sign."""
    turned = min((means <= 0).sum(), (means >= 0).sum())
    return float(min(1.0, 2 * (1 + turned) / (1 + len(means))))


def _bounds(means: np.ndarray, outside: float) -> np.ndarray:
    """The values (2,) between which the test does not reject at this level."""
    rank = int(outside * (1 + len(means)) / 2 + TIED)
    if not rank:
        return np.full(2, np.nan)
    ordered = np.partition(means, [rank - 1, len(means) - rank])
    return ordered[[rank - 1, -rank]]
