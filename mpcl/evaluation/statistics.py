"""Intervals over participants: how far a score would move with other people in the sample.

Seeds are averaged within a participant first; participants are then drawn with replacement. The
spread over folds is never used as an error bar: folds share their training participants.
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
    values = np.asarray(values, float)
    columns = values[:, None] if values.ndim == 1 else values
    people = [column[np.isfinite(column)] for column in columns.T]
    people = [column for column in people if len(column)]
    if not people:
        raise ValueError("there is no score to average")
    random = np.random.default_rng(seed)
    chosen = random.integers(len(people), size=(draws, len(people)))  # cohorts are the outermost unit
    sampled = np.zeros(draws)
    for slot in range(len(people)):
        for cohort, scores in enumerate(people):
            rows = np.flatnonzero(chosen[:, slot] == cohort)
            drawn = scores[random.integers(len(scores), size=(len(rows), len(scores)))]  # (draw, participant)
            sampled[rows] += drawn.mean(1) / len(people)
    mean = float(np.mean([column.mean() for column in people]))
    outside = (1 - LEVEL) / family
    lower, upper = np.quantile(sampled, [outside / 2, 1 - outside / 2])
    return mean, float(lower), float(upper)
