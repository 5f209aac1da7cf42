"""The measures against their definitions in loops, and their weighting by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

from mpcl.errors import ParameterError
from mpcl.evaluation.metrics import (
    SIX,
    SMALLEST,
    calibration_error,
    dominant_accuracy,
    kl,
    mixed_auroc,
    mixed_windows,
    participant_scores,
    rank_opposite,
    rank_same,
    scores,
)


@st.composite
def pairs(draw):
    count = draw(st.integers(2, 8))
    rows = st.lists(st.integers(0, 20), min_size=count, max_size=count).filter(any)
    d, p = (np.array(draw(rows), float) for _ in range(2))
    return d / d.sum(), p / p.sum()


def reference(d, p):
    """Geng's table in loops, with the conventions 0 ln 0 = 0/0 = 0."""
    relative = [
        abs(a - b) / (a + b) if a + b else 0.0 for a, b in zip(d, p, strict=True)
    ]
    return {
        "chebyshev": max(abs(a - b) for a, b in zip(d, p, strict=True)),
        "clark": math.sqrt(sum(r * r for r in relative)),
        "canberra": sum(relative),
        "kl": sum(
            a * math.log(a / max(b, SMALLEST)) for a, b in zip(d, p, strict=True) if a
        ),
        "cosine": sum(a * b for a, b in zip(d, p, strict=True))
        / (math.hypot(*d) * math.hypot(*p)),
        "intersection": sum(min(a, b) for a, b in zip(d, p, strict=True)),
    }


@given(pairs())
def test_equal_to_the_definitions(pair):
    expected = reference(*pair)
    got = scores(*(row[None] for row in pair)).isel(window=0)
    for name in SIX:
        assert got.sel(metric=name).item() == pytest.approx(expected[name], abs=1e-12)


def test_equal_to_pyldl():
    """The independent library agrees; it clips elsewhere, so here all is above zero."""
    oracle = pytest.importorskip("pyldl.metrics", reason="python-ldl is not installed")
    random = np.random.default_rng(0)
    true, predicted = (
        random.dirichlet(np.full(10, 0.7), 50),
        random.dirichlet(np.full(10, 5.0), 50),
    )
    true[::2] = np.where(true[::2] > 0.05, true[::2], 0)
    true /= true.sum(1, keepdims=True)
    names = dict.fromkeys(SIX, None) | {"kl": "kl_divergence"}
    for name, theirs in names.items():
        expected = getattr(oracle, theirs or name)(true, predicted, reduction=None)
        assert np.allclose(
            scores(true, predicted).sel(metric=name), expected, atol=1e-9
        ), name


@given(pairs())
def test_nothing_beats_the_truth(pair):
    true, predicted = pair
    best, other = scores(true[None], true[None]), scores(true[None], predicted[None])
    sign = np.where(best.better == "lower", 1, -1)
    assert (sign * (other - best) >= -1e-12).all()


@given(pairs(), st.integers(0, 2**32 - 1))
def test_agreement_in_order_is_kendalls_within_and_between_valences(pair, seed):
    """Against a count of pairs in plain loops; without ties and with one valence,
    against SciPy's tau."""
    true, predicted = pair
    valence = np.random.default_rng(seed).choice([-1, 0, 1], len(true))
    for function, sign in ((rank_same, 1), (rank_opposite, -1)):
        compared = [
            np.sign(true[i] - true[j]) * np.sign(predicted[i] - predicted[j])
            for i in range(len(true))
            for j in range(i)
            if valence[i] * valence[j] * sign > 0 and true[i] != true[j]
        ]
        expected = np.mean(compared) if compared else np.nan
        assert function(true, predicted, valence) == pytest.approx(
            expected, nan_ok=True
        )
    one, other = np.random.default_rng(seed).dirichlet(np.ones(6), 2)
    assert rank_same(one, other, np.ones(6)) == pytest.approx(kendalltau(one, other)[0])


def test_the_dominant_emotion_may_be_tied():
    true = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.5, 0.3, 0.2]])
    guess = np.array([[0.3, 0.5, 0.2], [0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3]])
    assert np.allclose(dominant_accuracy(true, guess), [1, 0, 1 / 3])


def test_mixed_windows_are_told_by_ratings_alone(cohort):
    own = cohort.isel(window=np.flatnonzero(cohort.participant.values == "P01"))
    rating = np.ones((own.sizes["window"], own.sizes["emotion"]))
    rating[0, [0, 5]] = 3  # one positive, one negative at the middle of 1-5
    rating[1, [0, 1]] = 5
    own = own.assign(rating=(("window", "emotion"), rating))
    assert mixed_windows(own).tolist() == [True] + [False] * (own.sizes["window"] - 1)
    guess = np.full(rating.shape, 0.1)
    guess[0] += np.where(np.isin(np.arange(10), [0, 5]), 0.04, -0.01)
    scored = participant_scores(own, guess)
    assert scored.sel(metric="mixed_auroc").item() == 1
    assert (
        participant_scores(own, np.full(rating.shape, 0.1))
        .sel(metric="mixed_auroc")
        .item()
        == 0.5
    )
    assert mixed_windows(own.drop_vars("rating")) is None
    assert (
        participant_scores(own.drop_vars("rating"), guess)
        .sel(metric="mixed_auroc")
        .isnull()
        .all()
    )


def test_mixed_auroc_is_scikit_learns():
    random = np.random.default_rng(0)
    predicted, mixed, weight = (
        random.dirichlet(np.ones(4), 60).round(1),
        random.random(60) < 0.4,
        random.random(60),
    )
    score = np.minimum(predicted[:, :2].max(1), predicted[:, 2:].max(1))
    expected = roc_auc_score(mixed, score, sample_weight=weight)
    assert mixed_auroc(None, predicted, [1, 1, -1, -1], weight, mixed) == pytest.approx(
        expected
    )


def test_calibration_compares_mean_masses_bin_by_bin():
    """Predicted .3 where .5 is true on average, .9 where .9 is: an error of .2 over
    half of the weight."""
    true, guess = (
        np.stack([mass, 1 - np.array(mass)], 1)
        for mass in ([0.2, 0.8, 0.9, 0.9], [0.3, 0.3, 0.9, 0.9])
    )
    assert calibration_error(true, guess, [1, -1], np.ones(4)) == pytest.approx(0.1)
    assert calibration_error(
        true, guess, [1, -1], np.array([3, 0, 3, 0])
    ) == pytest.approx(0.05)


def test_kl_is_of_true_from_predicted():
    assert kl([1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert kl([0.5, 0.5], [1.0, 0.0]) > 10


def test_trials_and_participants_weigh_equally(cohort):
    """One participant with one short trial counts as much as all the windows of
    another.
    """
    rows = np.flatnonzero(cohort.participant.values == "P01").tolist()
    rows += np.flatnonzero(cohort.participant.values == "P02")[:1].tolist()
    dataset = cohort.isel(window=rows)
    predicted = np.full((len(rows), cohort.sizes["emotion"]), 0.1)
    each = scores(dataset.distribution.values, predicted).sel(metric="kl").values
    got = participant_scores(dataset, predicted).sel(metric="kl")
    trials = {}
    for value, trial in zip(each[:-1], dataset.trial.values, strict=False):
        trials.setdefault(trial, []).append(value)
    assert got.sel(participant="P01").item() == pytest.approx(
        np.mean([np.mean(v) for v in trials.values()])
    )
    assert got.sel(participant="P02").item() == pytest.approx(each[-1])


def test_trial_level_averages_predictions_before_scoring(cohort):
    """Errors of opposite sign within a trial cancel at the trial level alone."""
    one = cohort.isel(
        window=np.flatnonzero(cohort.trial.values == cohort.trial.values[0])[:2]
    )
    shift = np.zeros_like(one.distribution.values)
    shift[0, :2], shift[1, :2] = (0.01, -0.01), (-0.01, 0.01)
    predicted = one.distribution.values + shift
    assert participant_scores(one, predicted, "window").sel(
        metric="chebyshev"
    ).item() == pytest.approx(0.01)
    assert participant_scores(one, predicted, "trial").sel(
        metric="chebyshev"
    ).item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(ParameterError, match="unknown level"):
        participant_scores(one, predicted, "clip")


def test_windows_that_nobody_held_out_have_no_score(cohort):
    """Not even an agreement in rank of 0."""
    predicted = cohort.distribution.values.copy()
    predicted[cohort.participant.values == "P01"] = np.nan
    predicted[1] = predicted[3]
    for level in ("window", "trial"):
        scored = participant_scores(cohort, predicted, level)
        assert scored.sel(participant="P01").isnull().all()
        assert (scored.sel(participant="P02", metric="rank_same") == 1).all()
