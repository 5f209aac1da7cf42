"""Batches: trials drawn alike, mixtures that stay distributions, and nothing random that is not keyed."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpcl.batches import Draw, draw, inputs, mixed_batch, stacked
from mpcl.evaluation.protocol import config_of
from mpcl.model.network import MPCLConfig
from mpcl.settings import Settings

CONFIG = MPCLConfig((("eda", "p", 5), ("face", "b", 2)), ("happy", "sad"), (1, -1))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 7), st.integers(0, 1000))
def test_every_trial_is_drawn_as_often_whatever_its_length(counts, moments, seed):
    counts, settings = np.array(counts), Settings(batch=12, moments=moments)
    drawn = draw(counts, 20, CONFIG, settings, np.random.default_rng(seed))
    often = np.bincount(drawn.trials.ravel(), minlength=len(counts))
    assert often.max() - often.min() <= 1
    size = min(moments, counts.max())
    assert drawn.moments.shape == (*drawn.trials.shape, size) and drawn.trials.shape == (20, max(1, round(12 / size)))
    assert (drawn.moments < counts[drawn.trials][..., None]).all()
    different = [len(set(own)) for own in drawn.moments.reshape(-1, size).tolist()]
    enough = counts[drawn.trials].ravel() >= size
    assert (np.array(different)[enough] == size).all()
    assert (np.sort(drawn.others, 1) == np.arange(drawn.trials.shape[1])).all()  # each is a partner once


def test_moments_are_drawn_alike_and_masks_drop_their_share():
    counts = np.array([1, 4, 10])
    drawn = draw(counts, 3000, CONFIG, Settings(batch=9, moments=3, modality_dropout=0.2), np.random.default_rng(0))
    for trial, count in enumerate(counts):
        often = np.bincount(drawn.moments[drawn.trials == trial].ravel())
        assert len(often) == count and often.std() < 0.06 * often.mean()
    assert drawn.kept.mean() == pytest.approx(0.8, abs=0.005)
    assert drawn.dropout.mean() == pytest.approx(1 - CONFIG.dropout, abs=0.001)


def test_inputs_are_the_windows_trial_by_trial(cohort):
    config = config_of("mpcl", cohort)
    uneven = cohort.isel(window=np.random.default_rng(0).permutation(cohort.sizes["window"])[:-5])
    data = inputs(uneven, cohort, config, Settings())
    lone = inputs(uneven, cohort, dataclasses.replace(config, multiscale=False), Settings())
    assert lone.features.shape[1] == 1 and (lone.trial == np.arange(uneven.sizes["window"])).all()
    names = uneven.trial.values.astype(str)
    for number, name in enumerate(sorted(set(names))):
        own = np.flatnonzero(names == name)
        assert (data.trial[own] == number).all()
        assert torch.equal(data.features[number, : len(own)], lone.features[own, 0])
        assert torch.equal(data.present[number, : len(own)], lone.present[own, 0])
        assert not data.present[number, len(own) :].any()
        np.testing.assert_array_equal(data.target[number], uneven.distribution.values[own[0]])


def test_inputs_need_no_labels(cohort):
    config, settings = config_of("mpcl", cohort), Settings(precision="float32")
    data = inputs(cohort.drop_vars(["distribution", "rating"]), cohort, config, settings)
    assert data.target is None and data.features.dtype == torch.float32


def test_mixed_batches_stay_distributions_and_keep_a_modality(cohort):
    config = config_of("mpcl", cohort)
    data = inputs(cohort, cohort, config, Settings())
    counts = np.bincount(data.trial)

    def batch(settings, replicas=2):
        draws = [draw(counts, 3, config, settings, np.random.default_rng(n)) for n in range(replicas)]
        return draws, mixed_batch(data, stacked(draws, [0] * replicas), 1)

    _, (_, present, target) = batch(Settings(modality_dropout=0.6))
    assert torch.allclose(target.sum(-1), target.new_ones(()))
    assert present.any(-1).all() and present.double().mean() < 0.5
    draws, (features, present, target) = batch(Settings(mixup=0, modality_dropout=0))
    for number, drawn in enumerate(draws):
        trials, moments = drawn.trials[1], drawn.moments[1]
        assert torch.equal(target[number], data.target[trials])
        assert torch.equal(present[number], data.present[trials[:, None], moments])
        assert torch.equal(features[number], data.features[trials[:, None], moments])
    assert not np.array_equal(draws[0].trials, draws[1].trials)


def test_a_mixture_takes_the_same_share_of_features_and_of_labels(cohort):
    config = config_of("mpcl", cohort)
    data = inputs(cohort, cohort, config, Settings())
    drawn = draw(np.bincount(data.trial), 1, config, Settings(mixup=0.4, modality_dropout=0), np.random.default_rng(0))
    features, _, target = mixed_batch(data, Draw(*map(torch.from_numpy, drawn)), 0)
    for place, (one, share, other) in enumerate(zip(drawn.trials[0], drawn.share[0], drawn.others[0], strict=True)):
        two, moments = drawn.trials[0][other], drawn.moments[0]
        mixed = share * data.features[one, moments[place]] + (1 - share) * data.features[two, moments[other]]
        torch.testing.assert_close(features[place], mixed)
        torch.testing.assert_close(target[place], share * data.target[one] + (1 - share) * data.target[two])
