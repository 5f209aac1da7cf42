import numpy as np
import pytest

from mpcl.evaluation.statistics import interval


def test_interval_agrees_with_theory():
    """The bootstrap interval of a mean is near mean +- 1.96 standard errors where people are many."""
    values = np.random.default_rng(0).normal(3, 2, 400)
    mean, lower, upper = interval(values)
    error = values.std() / np.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert lower == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert upper == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_pairing_removes_what_participants_share():
    random = np.random.default_rng(1)
    people = random.normal(0, 5, 30)
    one, other = people + 1 + random.normal(0, 0.1, 30), people + random.normal(0, 0.1, 30)
    mean, lower, upper = interval(one - other)
    assert 0.9 < lower < mean < upper < 1.1
    assert interval(one)[2] - interval(one)[1] > 2  # unpaired: a far wider one


def test_cohorts_are_the_outermost_unit():
    """With cohorts that differ, more participants a cohort cannot narrow the interval below the cohorts' spread."""
    random = np.random.default_rng(2)
    cohorts = random.normal(0, 1, 5)
    many = cohorts[None] + random.normal(0, 0.01, (200, 5))
    _, lower, upper = interval(many)
    assert upper - lower > 0.5
    _, lower, upper = interval(many.ravel())
    assert upper - lower < 0.5


def test_same_seed_same_interval_and_missing_scores_are_left_out():
    values = np.array([0.1, 0.4, np.nan, 0.3])
    assert interval(values) == interval(values)
    assert interval(values)[0] == pytest.approx(np.nanmean(values))
    with pytest.raises(ValueError, match="no score"):
        interval([np.nan])


def test_a_family_of_comparisons_holds_together():
    """Of ten comparisons of nothing, about half have some interval without 0, unless the family widens them."""
    random = np.random.default_rng(3)
    wrong = {1: 0, 10: 0}
    for _ in range(60):
        family = random.normal(size=(10, 40))  # ten differences over forty participants, all of mean 0
        for size in wrong:
            bounds = [interval(one, draws=1000, family=size)[1:] for one in family]
            wrong[size] += any(lower > 0 or upper < 0 for lower, upper in bounds)
    assert wrong[1] > 18 and wrong[10] < 10
