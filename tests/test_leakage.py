"""Nothing of a held-out window's answer reaches what predicts it, and what leaks is caught.

That no participant, trial or clip stands on both sides of a fold is shown in ``test_splits.py``.
"""

import numpy as np
import pytest

from mpcl.data.contract import modalities
from mpcl.data.simulated import cohort as simulate
from mpcl.evaluation import protocol, results
from mpcl.evaluation.baselines.catalogue import BASELINES
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.settings import Settings
from mpcl.splits import folds, part, rows
from mpcl.training import predict

QUICK = Settings(epochs=1, batch=32)
FEW = {"forest": {"trees": 5}, "trees": {"count": 5}, "boosting": {"rounds": 3}}


@pytest.fixture(scope="module")
def study():
    return simulate(participants=8, clips=6, windows=2, seed=11)


@pytest.fixture(scope="module")
def leaky(study):
    return results.evaluate(study, "nearest_neighbour", ["participants", "leaky-windows"], device="cpu")


def poisoned(dataset, place):
    """The data set with nonsense in the signals, labels, ratings and truth of some windows."""
    spoiled = dataset.copy(deep=True)
    for name, variable in spoiled.data_vars.items():
        if variable.dims[0] == "window" and variable.dtype.kind == "f":
            spoiled[name].values[place] = 1e30 if name in modalities(dataset) else -7
    return spoiled


def test_a_held_out_window_comes_without_answers(study):
    blind = protocol.unlabelled(study)
    assert not {"distribution", "rating", "clip", "condition"} & set(blind.variables)
    assert not [name for name in blind.variables if name.startswith("truth_")]
    assert {"participant", "trial", "start", "emotion", "valence"} <= set(blind.variables)


@pytest.mark.parametrize("method", [*FLOORS, *CONDITIONAL, "nearest_neighbour", "ridge", "mpcl", "mpcl-stacked"])
def test_only_the_oracle_is_told_the_clip_and_nobody_the_label(study, method, monkeypatch):
    """Predictions stay where the labels of the held-out windows are nonsense, and all but one where their clips are."""
    seen, fold = [], folds(study, "trials")[0]
    monkeypatch.setattr(protocol, "folds", lambda *_: [fold])
    monkeypatch.setattr(protocol, "participant_scores", lambda dataset, predicted, level: seen.append(predicted))
    spoiled, place = study.copy(deep=True), rows(study, fold)[1]
    spoiled.distribution.values[place] = -7
    exchanged = study.assign_coords(clip=("window", np.where(np.isin(np.arange(len(study.window)), place), "C99",
                                                             study["clip"].values)))
    for dataset in (study, spoiled, exchanged):
        protocol.run(dataset, method, "trials", [0], QUICK, "cpu")
    assert np.isfinite(seen[0][place]).all() and np.isnan(np.delete(seen[0], place, 0)).all()
    assert np.array_equal(seen[0], seen[2], equal_nan=True)
    assert np.array_equal(seen[0], seen[4], equal_nan=True) == (method != "condition_oracle")


@pytest.mark.parametrize("split", ["participants", "trials"])
@pytest.mark.parametrize("how", ["transductive", "inductive"])
def test_poisoned_test_participants_leave_a_network_bit_identical(study, split, how):
    fold, settings = folds(study, split)[0], Settings(epochs=2, batch=32, normalisation=how)
    spoiled = poisoned(study, rows(study, fold)[1])
    states = [protocol.networks(dataset, "mpcl", [fold], [0], settings, "cpu")[fold, 0].state_dict()
              for dataset in (study, spoiled)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("split", ["participants", "trials"])
def test_poisoned_test_participants_leave_the_weights_of_a_stack_bit_identical(study, split, monkeypatch):
    chosen, real, fold = [], protocol.stacking.weights, folds(study, split)[0]
    monkeypatch.setattr(protocol, "folds", lambda *_: [fold])
    monkeypatch.setattr(protocol, "participant_scores", lambda *_: None)
    monkeypatch.setattr(protocol.stacking, "weights", lambda *given: chosen.append(real(*given)) or chosen[-1])
    for dataset in (study, poisoned(study, rows(study, fold)[1])):
        protocol.run(dataset, "mpcl-stacked", split, [0], QUICK, "cpu")
    assert np.array_equal(*chosen) and 0 < chosen[0].max() < 1


@pytest.mark.parametrize("method", [*BASELINES, "nearest_neighbour"])
def test_poisoned_test_participants_leave_a_baseline_bit_identical(study, method, monkeypatch):
    fold, kept, real = folds(study, "participants")[0], [], protocol.baseline
    monkeypatch.setattr(protocol, "folds", lambda *_: [fold])
    monkeypatch.setattr(protocol, "participant_scores", lambda *_: None)
    monkeypatch.setattr(protocol, "baseline", lambda *given: kept.append(real(*given)) or kept[-1])
    monkeypatch.setattr(protocol, "BASELINES", {name: few(name) for name in BASELINES})
    for dataset in (study, poisoned(study, rows(study, fold)[1])):
        protocol.run(dataset, method, "participants", [0], QUICK, "cpu")
    clean = protocol.unlabelled(part(study, fold)[1])
    assert np.array_equal(kept[0].predict(clean), kept[1].predict(clean))


def few(name):
    """A baseline with few trees, which shows what it reads as well as many do."""
    return lambda **given: BASELINES[name](**FEW.get(name, {}) | given)


@pytest.mark.parametrize("method", ["mpcl", "ridge"])
def test_no_participant_is_predicted_with_the_help_of_another_held_out_one(study, method):
    fold = folds(study, "participants")[0]
    training, test = part(study, fold)
    first = test.participant.values == test.participant.values[0]
    if method == "mpcl":
        model = protocol.networks(study, method, [fold], [0], QUICK, "cpu")[fold, 0]
        given = [predict(model, protocol.unlabelled(windows), training, QUICK)
                 for windows in (test, poisoned(test, np.flatnonzero(~first)))]
    else:
        fitted = protocol.baseline(method, 0, QUICK).fit(training)
        given = [fitted.predict(protocol.unlabelled(windows))
                 for windows in (test, poisoned(test, np.flatnonzero(~first)))]
    assert np.array_equal(given[0][first], given[1][first]) and not np.array_equal(given[0], given[1])


def test_shuffled_labels_keep_what_each_participant_answered(study):
    dealt = protocol.shuffled(study)
    for name in set(study.participant.values):
        own = study.participant.values == name
        assert sorted(study.distribution.values[own].tolist()) == sorted(dealt.distribution.values[own].tolist())
    assert not np.allclose(study.distribution, dealt.distribution)
    assert np.array_equal(dealt.distribution.values[::2], dealt.distribution.values[1::2])  # whole trials


def test_shuffled_labels_score_at_the_floor(study, monkeypatch):
    """With labels that have nothing to do with the signals, no method beats the mean label beyond chance."""
    monkeypatch.setattr(protocol, "BASELINES", {name: few(name) for name in BASELINES})
    settings = Settings(epochs=3, batch=32)
    scored = results.evaluate(protocol.shuffled(study), ["mpcl", *BASELINES], "participants", [0], settings, "cpu")
    worse = results.differences(scored, "mean_label", ["mpcl", *BASELINES], metrics=["kl"])
    assert (worse.sel(bound="mean") > -0.005).all() and (worse.sel(bound="upper") >= 0).all()
    check = results.evaluate(study, "shuffled_labels", "participants", [0], settings, "cpu")
    kl = check.score.sel(metric="kl", level="window").squeeze()
    np.testing.assert_allclose(kl.sel({"method": "shuffled_labels"}),
                               scored.score.sel(metric="kl", level="window").squeeze().sel({"method": "mpcl"}))


def test_what_memorises_is_caught(study, leaky):
    """The nearest window is of the same trial where windows are split at random, and nobody's where people are."""
    mean, lower, upper = results.leak(leaky)
    assert lower > 0.01
    assert abs(results.leak(leaky, "mean_label")[0]) < 1e-12
    assert results.leak(leaky, metric="cosine")[1] > 0
    dealt = results.evaluate(protocol.shuffled(study), "nearest_neighbour", ["participants", "leaky-windows"],
                             device="cpu")
    assert results.leak(dealt)[1] > 0  # and even where there is nothing to learn
