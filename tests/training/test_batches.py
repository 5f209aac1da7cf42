"""Batches: trials drawn alike, mixtures that stay distributions, all of it keyed."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpcl.model.config import MPCLConfig
from mpcl.training.batches import (
    Draw,
    Inputs,
    draw,
    inputs,
    mixed_batch,
    rows_alike,
    stacked,
)
from mpcl.training.settings import Settings

CONFIG = MPCLConfig((("eda", "p", 5), ("face", "b", 2)), ("happy", "sad"), (1, -1))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(1, 7),
    st.integers(0, 1000),
)
def test_every_trial_is_drawn_as_often_whatever_its_length(counts, moments, seed):
    counts, settings = np.array(counts), Settings(batch=12, moments=moments)
    drawn = draw(counts, 20, CONFIG, settings, np.random.default_rng(seed))
    often = np.bincount(drawn.trials.ravel(), minlength=len(counts))
    assert often.max() - often.min() <= 1
    size = min(moments, counts.max())
    assert drawn.moments.shape == (
        *drawn.trials.shape,
        size,
    ) and drawn.trials.shape == (20, max(1, round(12 / size)))
    assert (drawn.moments < counts[drawn.trials][..., None]).all()
    different = [len(set(own)) for own in drawn.moments.reshape(-1, size).tolist()]
    enough = counts[drawn.trials].ravel() >= size
    assert (np.array(different)[enough] == size).all()
    assert (
        np.sort(drawn.others, 1) == np.arange(drawn.trials.shape[1])
    ).all()  # each is a partner once


@given(st.integers(0, 1000))
def test_a_batch_of_short_trials_has_as_many_moments_as_any(seed):
    """Only the trial that is not drawn has three moments."""
    settings = Settings(batch=3, moments=3)
    counts = np.array([1] * 9 + [3])
    drawn = draw(counts, 1, CONFIG, settings, np.random.default_rng(seed))
    assert drawn.moments.shape == (1, 1, 3)
    assert (drawn.moments < counts[drawn.trials][..., None]).all()


def test_moments_are_drawn_alike_and_masks_drop_their_share():
    counts = np.array([1, 4, 10])
    drawn = draw(
        counts,
        3000,
        CONFIG,
        Settings(batch=9, moments=3, modality_dropout=0.2),
        np.random.default_rng(0),
        masks=96,
    )
    for trial, count in enumerate(counts):
        often = np.bincount(drawn.moments[drawn.trials == trial].ravel())
        assert len(often) == count and often.std() < 0.06 * often.mean()
    assert (drawn.luck >= 0).mean() == pytest.approx(0.8, abs=0.005)
    assert drawn.keep.mean() == pytest.approx(1 - CONFIG.dropout, abs=0.001)


def test_inputs_are_the_windows_trial_by_trial(cohort):
    config = MPCLConfig.from_dataset(cohort)
    uneven = cohort.isel(
        window=np.random.default_rng(0).permutation(cohort.sizes["window"])[:-5]
    )
    data = inputs(uneven, cohort, config, Settings())
    lone = inputs(
        uneven, cohort, dataclasses.replace(config, multiscale=False), Settings()
    )
    assert (
        lone.features.shape[1] == 1
        and (lone.trial == np.arange(uneven.sizes["window"])).all()
    )
    names = uneven.trial.values.astype(str)
    for number, name in enumerate(sorted(set(names))):
        own = np.flatnonzero(names == name)
        assert (data.trial[own] == number).all()
        assert torch.equal(data.features[number, : len(own)], lone.features[own, 0])
        assert torch.equal(data.present[number, : len(own)], lone.present[own, 0])
        assert not data.present[number, len(own) :].any()
        np.testing.assert_allclose(
            data.target[number], uneven.distribution.values[own[0]], rtol=1e-14
        )


def test_a_trial_is_taught_its_mean_label_and_a_window_its_own(cohort):
    labels = cohort.distribution.values.copy()
    labels[::3] = labels[::3, ::-1]  # within a trial they differ
    varied = cohort.assign(distribution=cohort.distribution.copy(data=labels))
    config = MPCLConfig.from_dataset(cohort)
    data = inputs(varied, cohort, config, Settings())
    for number in range(len(data.target)):
        expected = labels[data.trial == number].mean(0)
        np.testing.assert_allclose(data.target[number], expected)
    lone = inputs(
        varied, cohort, dataclasses.replace(config, multiscale=False), Settings()
    )
    np.testing.assert_array_equal(lone.target, labels)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 99))
def test_windows_are_drawn_so_that_trials_count_alike(windows, seed):
    trial = np.repeat(np.arange(len(windows)), windows)
    weights = len(trial) / len(windows) / np.array(windows)[trial]
    rows = rows_alike(weights, 3, np.random.default_rng(seed))
    assert rows.shape == (3, len(trial))
    for row in rows:
        often = np.bincount(trial[row], minlength=len(windows))
        assert (abs(often - len(trial) / len(windows)) < 1 + 1e-9).all()
    random = np.random.default_rng(seed)
    counts = np.ones(len(trial), int)
    drawn = draw(counts, 9, CONFIG, Settings(batch=len(trial)), random, 0, weights)
    for batch in drawn.trials:
        often = np.bincount(trial[batch], minlength=len(windows))
        assert (abs(often - len(trial) / len(windows)) < 1 + 1e-9).all()


def test_windows_of_equal_trials_are_drawn_as_if_nobody_asked():
    counts, how = np.ones(12, int), Settings(batch=4)
    plain = draw(counts, 5, CONFIG, how, np.random.default_rng(3), 8)
    alike = draw(counts, 5, CONFIG, how, np.random.default_rng(3), 8, np.ones(12))
    assert all(map(np.array_equal, plain, alike))


def test_inputs_need_no_labels(cohort):
    config, settings = MPCLConfig.from_dataset(cohort), Settings(precision="float32")
    data = inputs(
        cohort.drop_vars(["distribution", "rating"]), cohort, config, settings
    )
    assert len(data.target) == 0 and data.features.dtype == torch.float32


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_modality_dropout_is_the_probability_it_says(share):
    """A moment loses all M of its modalities with share^M, and keeps one then."""
    names = "abc"
    config = MPCLConfig(
        tuple((name, "p", 1) for name in names), ("happy", "sad"), (1, -1)
    )
    present = torch.tensor([[True, True, True], [True, False, True], [False] * 3])
    rows = len(present)
    data = Inputs(
        torch.zeros(rows, 1, 3), present[:, None], torch.ones(rows, 2), np.arange(rows)
    )
    settings = Settings(batch=3000, mixup=0, modality_dropout=share)
    drawn = draw(np.ones(rows, int), 10, config, settings, np.random.default_rng(0))
    for row, has in enumerate(present.tolist()):
        kept = []
        for step in range(10):
            batch = mixed_batch(data, Draw(*map(torch.from_numpy, drawn)).at(step))[1]
            kept.append(batch[drawn.trials[step] == row, 0])
        kept = torch.cat(kept).double()  # (moment, modality)
        count = sum(has)
        expected = 1 - share + share**count / count if count else 0.0
        for modality, is_present in enumerate(has):
            often = kept[:, modality].mean().item()
            assert often == pytest.approx(expected * is_present, abs=0.02)
        assert (kept.sum(1) >= min(count, 1)).all()


def test_mixed_batches_stay_distributions_and_keep_a_modality(cohort):
    config = MPCLConfig.from_dataset(cohort)
    data = inputs(cohort, cohort, config, Settings())
    counts = np.bincount(data.trial)

    def batch(settings, replicas=2):
        draws = [
            draw(counts, 3, config, settings, np.random.default_rng(n))
            for n in range(replicas)
        ]
        return draws, mixed_batch(data, stacked(draws, [0] * replicas).at(1))

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
    config = MPCLConfig.from_dataset(cohort)
    data = inputs(cohort, cohort, config, Settings())
    drawn = draw(
        np.bincount(data.trial),
        1,
        config,
        Settings(mixup=0.4, modality_dropout=0),
        np.random.default_rng(0),
    )
    features, _, target = mixed_batch(data, Draw(*map(torch.from_numpy, drawn)).at(0))
    for place, (one, share, other) in enumerate(
        zip(drawn.trials[0], drawn.share[0], drawn.others[0], strict=True)
    ):
        two, moments = drawn.trials[0][other], drawn.moments[0]
        mixed = (
            share * data.features[one, moments[place]]
            + (1 - share) * data.features[two, moments[other]]
        )
        torch.testing.assert_close(features[place], mixed)
        torch.testing.assert_close(
            target[place], share * data.target[one] + (1 - share) * data.target[two]
        )
