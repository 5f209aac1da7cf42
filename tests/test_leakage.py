"""Nothing of a held-out window's answer reaches what predicts it; what leaks is caught.

That no participant, trial or clip stands on both sides of a fold is shown in
``test_splits.py``.
"""

import numpy as np
import pytest
import xarray as xr

from mpcl.data.contract import modalities
from mpcl.evaluation import results, tables
from mpcl.evaluation.blind import fit_folds, shuffled, unlabelled
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import BASELINES, make
from mpcl.simulation.cohort import cohort as simulate
from mpcl.splits import folds, part
from mpcl.training.settings import Settings

QUICK = Settings(epochs=1, batch=32)
FEW = {"forest": {"trees": 5}, "trees": {"count": 5}, "boosting": {"rounds": 3}}


@pytest.fixture(scope="module")
def study():
    return simulate(participants=8, clips=6, windows=2, seed=11)


@pytest.fixture(scope="module")
def leaky(study):
    protocols = ["participants", "leaky-windows"]
    return results.evaluate(study, "nearest_neighbour", protocols, device="cpu")


def poisoned(dataset, rows):
    """Nonsense in the signals, labels, ratings and truth of some windows."""
    spoilt = dataset.copy(deep=True)
    for name, variable in spoilt.data_vars.items():
        if variable.dims[0] == "window" and variable.dtype.kind == "f":
            spoilt[name].values[rows] = 1e30 if name in modalities(dataset) else -7
    return spoilt


def fitted(dataset, name, fold, settings=QUICK):
    """A predictor of that name that has learned from a fold."""
    predictor = make(name, settings, "cpu", **FEW.get(name, {}))
    [(_, _, learned)] = fit_folds(dataset, predictor, "trials", [fold], [0])
    return learned


def test_a_held_out_window_comes_without_answers(study):
    blind = unlabelled(study)
    assert not {"distribution", "rating", "clip", "condition"} & set(blind.variables)
    assert not [name for name in blind.variables if name.startswith("truth_")]
    stays = {"participant", "trial", "start", "emotion", "valence"}
    assert stays | set(modalities(study)) <= set(blind.variables)


@pytest.mark.parametrize(
    "name",
    [*FLOORS, *CONDITIONAL, "nearest_neighbour", "ridge", "mpcl", "mpcl-stacked"],
)
def test_only_the_oracle_is_told_the_clip_and_nobody_the_label(study, name):
    """Predictions stay where labels of held-out windows are nonsense; all but one where
    their clips are."""
    fold = folds(study, "trials")[0]
    rows = list(fold.held_out)
    spoilt = study.copy(deep=True)
    spoilt.distribution.values[rows] = -7
    clip = study["clip"].values.copy()
    clip[rows] = "C99"
    exchanged = study.assign_coords(clip=("window", clip))
    first, blind, other = (
        held_out(
            dataset, name, "trials", [0], QUICK, "cpu", folds=[fold]
        ).predicted.values[0]
        for dataset in (study, spoilt, exchanged)
    )
    assert np.isfinite(first[rows]).all()
    assert np.isnan(np.delete(first, rows, 0)).all()
    assert np.array_equal(first, blind, equal_nan=True)
    is_same = np.array_equal(first, other, equal_nan=True)
    assert is_same == (name != "condition_oracle")


@pytest.mark.parametrize("split", ["participants", "trials"])
@pytest.mark.parametrize("how", ["transductive", "inductive", "running"])
def test_poisoned_test_participants_leave_a_network_bit_identical(study, split, how):
    fold = folds(study, split)[0]
    settings = Settings(epochs=2, batch=32, normalisation=how)
    spoilt = poisoned(study, list(fold.held_out))
    clean, other = (
        fitted(dataset, "mpcl", fold, settings).models[0].state_dict()
        for dataset in (study, spoilt)
    )
    assert all(np.array_equal(clean[name], other[name]) for name in clean)


@pytest.mark.parametrize("split", ["participants", "trials"])
def test_poisoned_test_participants_leave_the_weights_of_a_stack_bit_identical(
    study, split
):
    fold = folds(study, split)[0]
    clean, other = (
        fitted(dataset, "mpcl-stacked", fold).mixture
        for dataset in (study, poisoned(study, list(fold.held_out)))
    )
    assert np.array_equal(clean, other) and 0 < clean.max() < 1


@pytest.mark.parametrize("name", [*BASELINES, "nearest_neighbour"])
def test_poisoned_test_participants_leave_a_baseline_bit_identical(study, name):
    fold = folds(study, "participants")[0]
    test = unlabelled(part(study, fold)[1])
    clean, other = (
        fitted(dataset, name, fold).predict(test)
        for dataset in (study, poisoned(study, list(fold.held_out)))
    )
    assert np.array_equal(clean, other)


@pytest.mark.parametrize("name", ["mpcl", "ridge"])
def test_no_participant_is_predicted_with_the_help_of_another_held_out_one(study, name):
    fold = folds(study, "participants")[0]
    test = unlabelled(part(study, fold)[1])
    is_first = test.participant.values == test.participant.values[0]
    learned = fitted(study, name, fold)
    clean, other = (
        learned.predict(windows)
        for windows in (test, poisoned(test, np.flatnonzero(~is_first)))
    )
    assert np.array_equal(clean[is_first], other[is_first])
    assert not np.array_equal(clean, other)


def test_shuffled_labels_keep_what_each_participant_answered(study):
    dealt = shuffled(study)
    for name in set(study.participant.values):
        rows = study.participant.values == name
        before, after = (
            sorted(labels[rows].tolist())
            for labels in (study.distribution.values, dealt.distribution.values)
        )
        assert before == after
    assert not np.allclose(study.distribution, dealt.distribution)
    labels = dealt.distribution.values
    assert np.array_equal(labels[::2], labels[1::2])  # whole trials


class Peer:
    """A baseline with few trees, which shows what it reads as well as many do."""

    def __init__(self, name, settings):
        self.name, self.settings, self.seed = name, settings, 0

    def fit(self, training):
        changes = FEW.get(self.name, {})
        self.peer = make(self.name, self.settings, **changes).fit(training)

    def predict(self, test):
        return self.peer.predict(test)


def test_shuffled_labels_score_at_the_floor(study):
    """With labels that have nothing to do with the signals, nobody beats the mean label
    beyond chance."""
    settings = Settings(epochs=3, batch=32)
    peers = {f"few-{name}": Peer(name, settings) for name in BASELINES}
    dealt = shuffled(study)
    scored = results.evaluate(
        dealt, ["mpcl", peers], "participants", [0], settings, "cpu"
    )
    worse = tables.differences(scored, "mean_label", ["mpcl", *peers], metrics=["kl"])
    assert (worse.sel(bound="mean") > -0.005).all()
    # with more neighbours than trials, knn is the mean label but for rounding
    assert ((worse.p > 0.05) | (worse.sel(bound="mean") > -1e-12)).all()
    alone = tables.differences(scored, "mean_label", ["mpcl"], metrics=["kl"])
    assert (alone.p > 0.05).all() or (alone.sel(bound="mean") > 0).all()
    check = results.evaluate(
        study, "shuffled_labels", "participants", [0], settings, "cpu"
    )
    name = {"predictor": "shuffled_labels"}
    xr.testing.assert_allclose(
        check.score.sel(name, drop=True), scored.score.sel(predictor="mpcl", drop=True)
    )


def test_what_memorises_is_caught(study, leaky):
    """The nearest window is of the same trial where windows are split at random, and
    nobody's where people are."""
    assert tables.leak(leaky)[1] > 0.01
    assert abs(tables.leak(leaky, "mean_label")[0]) < 1e-12
    assert tables.leak(leaky, metric="cosine")[1] > 0
    dealt = results.evaluate(
        shuffled(study),
        "nearest_neighbour",
        ["participants", "leaky-windows"],
        device="cpu",
    )
    assert tables.leak(dealt)[1] > 0  # and even where there is nothing to learn
