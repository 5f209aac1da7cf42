"""Training: reproducible, blind to the held-out participants, and plain about what fails."""

import numpy as np
import pytest
import torch

from mpcl.evaluation.protocol import ABLATIONS, config_of
from mpcl.splits import part
from mpcl.training import (
    ParameterError,
    Settings,
    TrainingError,
    balanced_rows,
    device_of,
    fit,
    mixed_batch,
    predict,
)

FOLD = ("P01", "P02", "P03")
QUICK = Settings(epochs=2, batch=16)


def state(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_a_replica_does_not_depend_on_those_beside_it(cohort):
    config = config_of("mpcl", cohort)
    other = ("P02", "P03", "P04")
    together = fit(config, cohort, [other, FOLD], [3, 0], QUICK, "cpu")
    alone = fit(config, cohort, [FOLD], [0], QUICK, "cpu")
    assert (together.folds[3], together.seeds[3]) == (FOLD, 0)
    assert same(state(together.models[3]), state(alone.models[0]))
    assert not same(state(together.models[2]), state(alone.models[0]))
    assert np.array_equal(together.log[3], alone.log[0])


@pytest.mark.parametrize("normalisation", ["transductive", "inductive"])
def test_held_out_participants_leave_no_trace(cohort, normalisation):
    """Their features and labels replaced by NaN or huge values: the fitted state is bit-identical."""
    settings = Settings(epochs=1, batch=16, normalisation=normalisation)
    config = config_of("mpcl", cohort)
    clean = fit(config, cohort, [FOLD], [0], settings, "cpu").models[0]
    held_out = ~np.isin(cohort.participant.values, FOLD)
    for poison in (np.nan, 1e30):
        dataset = cohort.copy(deep=True)
        for name in ("eda", "face", "distribution", "rating"):
            values = dataset[name].values.copy()
            values[held_out] = poison
            dataset[name] = dataset[name].copy(data=values)
        assert same(state(fit(config, dataset, [FOLD], [0], settings, "cpu").models[0]), state(clean))


def test_training_learns_and_predicts_distributions(cohort):
    result = fit(config_of("mpcl", cohort), cohort, [FOLD], [0], Settings(epochs=8, batch=16), "cpu")
    kl = result.log.sel(term="kl").values[0]
    assert kl[-1] < 0.8 * kl[0]
    train, test = part(cohort, FOLD)
    predicted = predict(result.models[0], test.drop_vars(["distribution", "rating"]), train, result.settings)
    assert predicted.shape == test.distribution.shape
    assert np.allclose(predicted.sum(1), 1) and (predicted > 0).all()


@pytest.mark.parametrize("method", ABLATIONS)
def test_every_switch_trains(cohort, method):
    result = fit(config_of(method, cohort), cohort, [FOLD], [0], Settings(epochs=1, batch=32), "cpu")
    assert np.isfinite(result.log).all()


def test_trials_are_drawn_alike_however_long():
    trials = np.repeat([0, 1, 2], [1, 10, 100])
    rows = balanced_rows(trials, 3000, np.random.default_rng(0))
    assert np.bincount(trials[rows]).tolist() == [1000, 1000, 1000]
    assert len(np.unique(rows)) > 105


def test_mixed_batches_stay_distributions_and_keep_a_modality(cohort):
    from mpcl.training import _tensors

    config = config_of("mpcl", cohort)
    data = _tensors(cohort, cohort, config, Settings(), torch.device("cpu"))
    target = torch.as_tensor(cohort.distribution.values)
    random = np.random.default_rng(0)
    settings = Settings(modality_dropout=0.9)
    features, present, mixed = mixed_batch(data, target, np.arange(40), settings, random)
    assert torch.allclose(mixed.sum(1), torch.ones(40, dtype=mixed.dtype))
    assert present.any(1).all() and present.double().mean() < 0.5
    plain = Settings(mixup=0, modality_dropout=0)
    features, present, mixed = mixed_batch(data, target, np.arange(40), plain, random)
    assert torch.equal(mixed, target[:40]) and torch.equal(present, data.present[:40])
    assert torch.equal(features["eda"], data.features["eda"][:40])


def test_a_diverging_run_stops_with_its_place(cohort):
    with pytest.raises(TrainingError, match=r"loss term '\w+' is (nan|inf) in epoch \d, seed 5, training on 3 part"):
        fit(config_of("mpcl", cohort), cohort, [FOLD], [5], Settings(epochs=3, learning_rate=1e300, clip=1e300), "cpu")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"mixup": -1.0}, {"normalisation": "none"},
                                   {"precision": "float16"}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Settings(**wrong)


def test_only_auto_falls_back():
    assert device_of("auto").type in ("cpu", "cuda")
    with pytest.raises(ParameterError, match="unknown device 'gpu'"):
        device_of("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ParameterError, match="'cuda' is not there"):
            device_of("cuda")
