"""What a network is fed: the inputs of a data set trial by trial, and the random batches of one epoch of training.

Every random number is drawn on the CPU from a generator keyed by (seed, fold, epoch), so that a replica gets the same
batches whichever replicas are trained beside it, and on whatever device.
"""

from typing import NamedTuple

import numpy as np
import torch

from mpcl.normalisation import standardise


class Inputs(NamedTuple):
    """What :meth:`mpcl.model.network.MPCL.forward` reads, and the labels to learn.

    Attributes:
        features: tensor (trial, moment, feature), in standard deviations, 0 where missing; columns as in
            ``config.columns``. Trials with fewer moments than the longest are filled up with moments that are missing.
        present: bool tensor (trial, moment, modality), in the order of ``config.modalities``.
        target: label distributions (trial, emotion), or None where the data set has no labels.
        trial: int array (window,), the trial of each window of the data set.
    """

    features: torch.Tensor
    present: torch.Tensor
    target: torch.Tensor | None
    trial: np.ndarray


def inputs(dataset, training, config, settings, device="cpu"):
    """The trials of a data set as tensors that a network of this configuration reads.

    Without ``config.multiscale`` each window is a trial of one moment.

    Args:
        dataset: the windows; labels may be absent.
        training: the windows that the network is trained on (their statistics serve ``inductive``).
        config: :class:`mpcl.model.network.MPCLConfig`.
        settings: :class:`mpcl.settings.Settings`, of which normalisation and precision are read.
        device: where the tensors stand.

    Returns:
        :class:`Inputs`.
    """
    standard = standardise(dataset, training, settings.normalisation)
    names = [name for name, _, _ in config.modalities]
    columns = [list(standard.features).index(name) for name in names]
    features = np.concatenate([standard.features[name] for name in names], 1)  # (window, feature)
    windows, several = np.arange(len(features)), dataset.trial.values.astype(str)
    trial = np.unique(several, return_inverse=True)[1] if config.multiscale else windows
    counts = np.bincount(trial)
    order = np.argsort(trial, kind="stable")  # windows, trial by trial
    moment = np.empty_like(order)
    moment[order] = windows - np.repeat(counts.cumsum() - counts, counts)  # of each window in its trial

    def by_trial(values):
        filled = np.zeros((len(counts), counts.max(), values.shape[1]), values.dtype)
        filled[trial, moment] = values
        return filled

    def tensor(values):
        return torch.as_tensor(np.ascontiguousarray(values), dtype=settings.dtype, device=device)

    first = order[counts.cumsum() - counts]  # window of each trial
    target = tensor(dataset.distribution.values[first]) if "distribution" in dataset else None
    present = torch.as_tensor(by_trial(standard.present[:, columns]), device=device)
    return Inputs(tensor(by_trial(features)), present, target, trial)


class Draw(NamedTuple):
    """The random numbers of an epoch of one replica, or of several one after the other; S steps of B trials.

    Attributes:
        trials: trials of each batch (S, B).
        moments: W moments of each (S, B, W).
        others: of each, the place in its batch of the trial that it is mixed with (S, B).
        share: how much of each first one is kept (S, B).
        kept: bool (S, B, W, modality), False where a modality is withheld.
        dropout: bool (S, B, branch, width), what is kept of the summaries.
    """

    trials: np.ndarray
    moments: np.ndarray
    others: np.ndarray
    share: np.ndarray
    kept: np.ndarray
    dropout: np.ndarray


def draw(counts, steps, config, settings, random):
    """Draw all that is random in one epoch of one replica.

    Every trial counts alike, however many windows it has: no trial is drawn twice before all were drawn once, and of
    each a few moments are drawn, different ones where there are enough.

    Args:
        counts: number of windows of each training trial (trial,).
        steps: batches in the epoch.
        config: :class:`mpcl.model.network.MPCLConfig`, for its sizes and its dropout.
        settings: :class:`mpcl.settings.Settings`.
        random: :class:`numpy.random.Generator`.

    Returns:
        :class:`Draw`.

    Example:
        >>> from mpcl.model.network import MPCLConfig
        >>> from mpcl.settings import Settings
        >>> config = MPCLConfig((("eda", "physiological", 5),), ("happy", "sad"), (1, -1))
        >>> counts, random = np.array([3, 3, 8]), np.random.default_rng(0)
        >>> drawn = draw(counts, 2, config, Settings(batch=9, moments=3), random)
        >>> sorted(drawn.trials[0].tolist()), drawn.moments.shape
        ([0, 1, 2], (2, 3, 3))
    """
    moments = moments_of(counts, settings)
    batch = max(1, round(settings.batch / moments))
    rounds = -(-steps * batch // len(counts))
    trials = random.permuted(np.tile(np.arange(len(counts)), (rounds, 1)), axis=1).ravel()[: steps * batch]
    trials = trials.reshape(steps, batch)
    places = _moments(counts[trials], moments, random)
    others = np.argsort(random.random((steps, batch)), 1)
    mixup = settings.mixup
    share = random.beta(mixup, mixup, (steps, batch)) if mixup else np.ones((steps, batch))
    shape = steps, batch, moments
    kept = random.random((*shape, len(config.modalities))) >= settings.modality_dropout
    dropout = _kept(random, config.dropout, steps, batch, len(config.branches), config.width)
    return Draw(trials, places, others, share, kept, dropout)


def moments_of(counts, settings):
    """How many moments of a trial are drawn: ``settings.moments``, or all where no trial has as many."""
    return min(settings.moments, int(counts.max()))


def _moments(counts, moments, random):
    """Moments of trials of these lengths (..., moments): different ones, or any where a trial is too short."""
    rank = random.random((*counts.shape, counts.max()))
    rank[np.arange(counts.max()) >= counts[..., None]] = 2  # these are not there
    different = np.argsort(rank, -1)[..., :moments]
    any_of_them = (random.random((*counts.shape, moments)) * counts[..., None]).astype(int)
    return np.where(counts[..., None] >= moments, different, any_of_them)


def _kept(random, share, *shape):
    """Bool array, False in about ``share`` of its places."""
    chances = np.frombuffer(random.bytes(2 * int(np.prod(shape))), np.uint16)
    return (chances >= round(share * 65536)).reshape(shape)


def stacked(draws, begins, device="cpu"):
    """The epochs of several replicas as one :class:`Draw` of tensors (S, replica, B, ...).

    Args:
        draws: one :class:`Draw` a replica.
        begins: row at which the trials of each replica begin in the inputs of all (replica,).
        device: where the tensors stand.

    Returns:
        :class:`Draw`.
    """
    def tensor(values):
        return torch.from_numpy(np.stack(values, 1)).to(device, non_blocking=True)

    trials, *rest = zip(*draws, strict=True)
    trials = [own + begin for own, begin in zip(trials, begins, strict=True)]
    return Draw(tensor(trials), *map(tensor, rest))


def mixed_batch(data, drawn, step):
    """One batch: pairs of trials mixed, some modalities withheld.

    Mixup (Zhang et al., 2018) takes a Beta-distributed share of one trial and the rest of another, of the features of
    their moments and of their distributions alike. What is missing in both stays missing. A moment keeps at least one
    modality.

    Args:
        data: :class:`Inputs` of all training trials.
        drawn: :class:`Draw` of tensors, of one replica or of a stack of them.
        step: which of its batches.

    Returns:
        features (..., B, W, feature), present (..., B, W, modality) and target (..., B, emotion).
    """
    share, others = drawn.share[step].to(data.target), drawn.others[step]
    trials, moments, kept = drawn.trials[step], drawn.moments[step], drawn.kept[step]
    own = trials[..., None], moments  # (..., batch, moment)
    partner = (trials.gather(-1, others)[..., None],
               moments.gather(-2, others[..., None].expand_as(moments)))

    def mix(values, one, other, share):
        return share * values[one] + (1 - share) * values[other]

    there = data.present[own] | (data.present[partner] & (share < 1)[..., None, None])
    kept = there & (kept | ~(there & kept).any(-1, keepdim=True))
    features = mix(data.features, own, partner, share[..., None, None])
    return features, kept, mix(data.target, trials, partner[0][..., 0], share[..., None])
