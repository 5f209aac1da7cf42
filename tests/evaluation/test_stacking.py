"""The mixture of predictions: the best convex one, and the same for all windows of a trial."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcl.data.simulated import cohort as simulate
from mpcl.evaluation import protocol, results, stacking
from mpcl.evaluation.metrics import kl
from mpcl.settings import Settings


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 6))
def test_no_mixture_is_closer_to_the_labels(seed, members, emotions):
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.ones(emotions), 20)
    predicted = random.dirichlet(np.ones(emotions), (members, 20))
    share = random.uniform(0.1, 1, 20)
    found = stacking.weights(true, predicted, share)
    assert found.min() >= 0 and np.isclose(found.sum(), 1)

    def loss(mixture):
        return np.average(kl(true, np.einsum("m,mwe->we", mixture, predicted)), weights=share)

    others = [*np.eye(members), *random.dirichlet(np.ones(members), 50)]
    assert loss(found) <= min(map(loss, others)) + 1e-6


def test_a_mixture_that_made_the_labels_is_found_and_what_is_useless_gets_nothing():
    random = np.random.default_rng(0)
    predicted = random.dirichlet(np.ones(4), (3, 200))
    mixed = np.einsum("m,mwe->we", [0.7, 0.3, 0.0], predicted)
    assert np.allclose(stacking.weights(mixed, predicted, np.ones(200)), [0.7, 0.3, 0.0], atol=2e-3)
    with pytest.raises(ValueError, match="add a member such as mean_label"):
        stacking.weights([[0.5, 0.5]], [[[1.0, 0.0]]], [1.0])


def test_a_stack_follows_the_member_that_knows_and_speaks_for_the_trial(monkeypatch):
    study, chosen, real = simulate(participants=6, clips=4, windows=2, seed=2), [], stacking.weights
    monkeypatch.setattr(stacking, "weights", lambda *given: chosen.append(real(*given)) or chosen[-1])
    settings = Settings(epochs=1, batch=32)
    oracle = lambda training, test: study.distribution.sel(window=test.window).values  # noqa: E731
    study = study.assign_coords(window=np.arange(study.sizes["window"]))
    monkeypatch.setitem(protocol.FLOORS, "mean_label", oracle)
    scored = results.evaluate(study, "mpcl-stacked", "participants", [0], settings, "cpu")
    assert len(chosen) == 5 and all(one[0] > 0.98 for one in chosen)
    level = scored.score.sel({"method": "mpcl-stacked", "metric": "kl"}).squeeze()
    assert (level.sel(level="window") < 1e-3).all()
    np.testing.assert_allclose(level.sel(level="window"), level.sel(level="trial"))


def test_too_few_people_for_inner_folds_is_said_and_ends_nothing():
    pair = simulate(participants=2, clips=3, windows=1)
    scored = results.evaluate(pair, "mpcl-stacked", "participants", [0], Settings(epochs=1), "cpu")
    assert "no inner folds" in results.describe(scored) and "mpcl-stacked" not in results.complete(scored)
    assert "mpcl-stacked" not in results.table(scored).index
