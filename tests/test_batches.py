"""Batches: trials drawn alike, mixtures that stay distributions, and nothing random that is not keyed."""

import numpy as np
import torch

from mpcl.batches import Trials, balanced_rows, draw, inputs, mixed_batch, stacked
from mpcl.evaluation.protocol import config_of
from mpcl.model.network import MPCL
from mpcl.settings import Settings


def test_trials_are_drawn_alike_however_long():
    trials = Trials.of(np.repeat(["a", "b", "c"], [1, 10, 100]))
    rows = balanced_rows(trials, 3000, np.random.default_rng(0))
    assert np.bincount(np.repeat([0, 1, 2], [1, 10, 100])[rows]).tolist() == [1000, 1000, 1000]
    assert len(np.unique(rows)) > 105


def test_mixed_batches_stay_distributions_and_keep_a_modality(cohort):
    config = config_of("mpcl", cohort)
    data = inputs(cohort, cohort, config, Settings())
    network = MPCL.from_dataset(cohort, torch.Generator())

    def batch(settings, replicas=2):
        draws = [draw(Trials.of(cohort.trial), network, settings, np.random.default_rng(n)) for n in range(replicas)]
        return draws, mixed_batch(data, stacked(draws, [0] * replicas))

    _, mixed = batch(Settings(modality_dropout=0.6))
    assert torch.allclose(mixed.target.sum(-1), mixed.target.new_ones(()))
    assert mixed.present.any(-1).all() and mixed.present.double().mean() < 0.5
    draws, plain = batch(Settings(mixup=0, modality_dropout=0))
    for number, drawn in enumerate(draws):
        assert torch.equal(plain.target[number], data.target[drawn.rows])
        assert torch.equal(plain.present[number], data.present[drawn.rows])
        assert torch.equal(plain.features["eda"][number], data.features["eda"][drawn.rows])
    assert not np.array_equal(draws[0].rows, draws[1].rows)
    half = batch(Settings(mixup=0.4, modality_dropout=0))[0][0]
    assert set(half.others) == set(half.rows) and 0 <= half.share.min() and half.share.max() <= 1


def test_inputs_need_no_labels(cohort):
    config, settings = config_of("mpcl", cohort), Settings(precision="float32")
    data = inputs(cohort.drop_vars(["distribution", "rating"]), cohort, config, settings)
    assert data.target is None and data.features["eda"].dtype == torch.float32
