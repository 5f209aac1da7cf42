import numpy as np
import pytest
from scipy.stats import permutation_test

from mpcl.evaluation.statistics import holm, holm_intervals, improvement, interval, sign_flip


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


def test_holm_by_hand():
    """Textbook: .01, .02, .03, .04 of four: .04, .06, .06, .06."""
    assert np.allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    assert (holm([0.9, 0.8]) == 1).all()


def test_holm_intervals_exclude_0_step_by_step():
    """Three clear differences and one borderline: alone it holds, in a family of unclear ones it does not."""
    random = np.random.default_rng(4)
    noise = random.normal(size=40)
    noise = (noise - noise.mean()) / noise.std()
    sure, border, nothing = noise + 3, noise + 0.36, noise
    alone = holm_intervals([border])[0]
    assert alone[1] > 0 and alone.tolist() == pytest.approx(interval(border))
    assert holm_intervals([sure, sure, border])[2, 1] > 0  # the last step is at 5 % again, Bonferroni's is not
    assert interval(border, family=3)[1] < 0
    bounds = holm_intervals([sure, border, nothing, nothing])
    assert bounds[0, 1] > 0 and (bounds[1:, 1] <= 0).all() and (bounds[1:, 2] >= 0).all()
    assert bounds[1].tolist() == pytest.approx(interval(border, family=3))


def test_holm_keeps_the_error_of_a_family():
    random = np.random.default_rng(5)
    wrong = [any(low > 0 or high < 0 for _, low, high in holm_intervals(random.normal(size=(10, 40)), draws=1000))
             for _ in range(60)]
    assert sum(wrong) < 10


def test_sign_flips_agree_with_scipy_where_it_tries_them_all():
    random = np.random.default_rng(6)
    for shift in (0.0, 0.3, 0.6):
        values = random.normal(shift, 1, 12)
        exact = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        assert sign_flip(values) == pytest.approx(exact, abs=0.02)
    uniform = [sign_flip(random.normal(size=12), draws=500) for _ in range(300)]
    assert 0.02 < np.mean(np.array(uniform) < 0.1) < 0.18
    assert sign_flip(np.full(4, 1.0)) == pytest.approx(2 / 16, abs=0.02)  # four people cannot say more
    assert sign_flip(np.array([[1.0, np.nan], [2.0, 1.0]])) <= 1


def test_improvement_counts_people():
    assert improvement([1, 1, -1, 0]) == 0.625
    assert improvement([[1, np.nan], [1, -1]]) == 0.5  # each cohort counts alike
