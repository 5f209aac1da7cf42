"""The mixture of predictions: the best convex one, the same for a trial's windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcl.evaluation import results, stacking, tables
from mpcl.evaluation.blind import fit_folds
from mpcl.evaluation.metrics import kl, participant_scores
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import make
from mpcl.simulation.cohort import cohort as simulate
from mpcl.splits import folds
from mpcl.training.settings import Settings


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 6))
def test_no_mixture_is_closer_to_the_labels(seed, members, emotions):
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.ones(emotions), 20)
    predicted = random.dirichlet(np.ones(emotions), (members, 20))
    share = random.uniform(0.1, 1, 20)
    best = stacking.weights(true, predicted, share)
    assert best.min() >= 0 and np.isclose(best.sum(), 1)

    def loss(mixture):
        mixed = np.einsum("m,mwe->we", mixture, predicted)
        return np.average(kl(true, mixed), weights=share)

    others = [*np.eye(members), *random.dirichlet(np.ones(members), 50)]
    assert loss(best) <= min(map(loss, others)) + 1e-6


def test_a_mixture_that_made_the_labels_is_met_and_what_is_useless_gets_nothing():
    random = np.random.default_rng(0)
    predicted = random.dirichlet(np.ones(4), (3, 200))
    mixed = np.einsum("m,mwe->we", [0.7, 0.3, 0.0], predicted)
    best = stacking.weights(mixed, predicted, np.ones(200))
    assert np.allclose(best, [0.7, 0.3, 0.0], atol=2e-3)
    with pytest.raises(ValueError, match="add a member such as mean_label"):
        stacking.weights([[0.5, 0.5]], [[[1.0, 0.0]]], [1.0])


class Oracle:
    """A predictor that was handed the labels of the whole study."""

    def __init__(self, study):
        self.labels = study.distribution.values

    def fit(self, training):
        return self

    def predict(self, test):
        return self.labels[test.window.values]


def test_a_stack_follows_the_member_that_is_right_and_speaks_for_the_trial():
    study = simulate(participants=6, clips=4, windows=2, seed=2)
    study = study.assign_coords(window=np.arange(study.sizes["window"]))
    stack = stacking.Stack([Oracle(study), make("mean_label"), make("ridge")])
    every = folds(study, "participants")
    fitted = list(fit_folds(study, stack, "participants", every, [0]))
    assert len(fitted) == 5
    assert all(learned.mixture[0] > 0.98 for _, _, learned in fitted)
    guess = held_out(study, stack, "participants").predicted.values[0]
    assert np.allclose(guess[::2], guess[1::2])  # both windows of a trial
    level = [participant_scores(study, guess, name) for name in ("window", "trial")]
    assert (level[0].sel(metric="kl") < 1e-3).all()
    np.testing.assert_allclose(*(each.sel(metric="kl") for each in level))


def test_too_few_people_for_inner_folds_is_said_and_ends_nothing():
    pair = simulate(participants=2, clips=3, windows=1)
    scored = results.evaluate(
        pair, "mpcl-stacked", "participants", [0], Settings(epochs=1), "cpu"
    )
    assert "no inner folds" in tables.describe(scored)
    assert "mpcl-stacked" not in tables.complete(scored)
    assert "mpcl-stacked" not in tables.table(scored).index
