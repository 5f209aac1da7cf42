"""The measures against their definitions in plain loops, and their weighting against a count by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcl.evaluation.metrics import METRICS, SMALLEST, kl, participant_scores, scores


@st.composite
def pairs(draw):
    count = draw(st.integers(2, 8))
    rows = st.lists(st.integers(0, 20), min_size=count, max_size=count).filter(any)
    d, p = (np.array(draw(rows), float) for _ in range(2))
    return d / d.sum(), p / p.sum()


def reference(d, p):
    """Geng's table in loops, with the conventions 0 ln 0 = 0/0 = 0."""
    relative = [abs(a - b) / (a + b) if a + b else 0.0 for a, b in zip(d, p, strict=True)]
    return {
        "chebyshev": max(abs(a - b) for a, b in zip(d, p, strict=True)),
        "clark": math.sqrt(sum(r * r for r in relative)),
        "canberra": sum(relative),
        "kl": sum(a * math.log(a / max(b, SMALLEST)) for a, b in zip(d, p, strict=True) if a),
        "cosine": sum(a * b for a, b in zip(d, p, strict=True)) / (math.hypot(*d) * math.hypot(*p)),
        "intersection": sum(min(a, b) for a, b in zip(d, p, strict=True)),
    }


@given(pairs())
def test_equal_to_the_definitions(pair):
    expected = reference(*pair)
    for name, value in zip(METRICS, scores(*(row[None] for row in pair)).values[0], strict=True):
        assert value == pytest.approx(expected[name], abs=1e-12)


@given(pairs())
def test_nothing_beats_the_truth(pair):
    true, predicted = pair
    best, other = scores(true[None], true[None]), scores(true[None], predicted[None])
    sign = np.where(best.better == "lower", 1, -1)
    assert (sign * (other - best) >= -1e-12).all()


def test_kl_is_of_true_from_predicted():
    assert kl([1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert kl([0.5, 0.5], [1.0, 0.0]) > 10


def test_trials_and_participants_weigh_equally(cohort):
    """One participant with one short trial counts as much as all the windows of another."""
    rows = np.flatnonzero(cohort.participant.values == "P01").tolist()
    rows += np.flatnonzero(cohort.participant.values == "P02")[:1].tolist()
    dataset = cohort.isel(window=rows)
    predicted = np.full((len(rows), cohort.sizes["emotion"]), 0.1)
    each = scores(dataset.distribution.values, predicted).sel(metric="kl").to_series().values
    got = participant_scores(dataset, predicted).sel(metric="kl")
    trials = {}
    for value, trial in zip(each[:-1], dataset.trial.values, strict=False):
        trials.setdefault(trial, []).append(value)
    assert got.sel(participant="P01").item() == pytest.approx(np.mean([np.mean(v) for v in trials.values()]))
    assert got.sel(participant="P02").item() == pytest.approx(each[-1])


def test_trial_level_averages_predictions_before_scoring(cohort):
    """Errors of opposite sign within a trial cancel at the trial level alone."""
    one = cohort.isel(window=np.flatnonzero(cohort.trial.values == cohort.trial.values[0])[:2])
    shift = np.zeros_like(one.distribution.values)
    shift[0, :2], shift[1, :2] = (0.01, -0.01), (-0.01, 0.01)
    predicted = one.distribution.values + shift
    assert participant_scores(one, predicted, "window").sel(metric="chebyshev").item() == pytest.approx(0.01)
    assert participant_scores(one, predicted, "trial").sel(metric="chebyshev").item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="unknown level"):
        participant_scores(one, predicted, "clip")
