"""What a network is fed: the inputs of a data set, and the random batches of one training step.

Every random number is drawn on the CPU from a generator keyed by (seed, fold, step), so that a replica gets the same
batches whichever replicas are trained beside it, and on whatever device.
"""

from typing import NamedTuple

import numpy as np
import torch

from mpcl.normalisation import standardise


class Inputs(NamedTuple):
    """What :meth:`mpcl.model.network.MPCL.forward` reads, and the labels to learn.

    Attributes:
        features: dict from modality to tensor (window, feature), in standard deviations, 0 where missing.
        present: bool tensor (window, modality), in the order of ``config.modalities``.
        target: label distributions (window, emotion), or None where the data set has no labels.
    """

    features: dict
    present: torch.Tensor
    target: torch.Tensor | None


def inputs(dataset, training, config, settings, device="cpu"):
    """Windows of a data set as tensors that a network of this configuration reads.

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

    def tensor(values):
        return torch.as_tensor(np.ascontiguousarray(values), dtype=settings.dtype, device=device)

    target = tensor(dataset.distribution.values) if "distribution" in dataset else None
    present = torch.as_tensor(standard.present[:, columns], device=device)
    return Inputs({name: tensor(standard.features[name]) for name in names}, present, target)


class Trials(NamedTuple):
    """Windows sorted by trial, ``order`` (window,); where each trial is ``first`` and how many ``windows`` it has."""

    order: np.ndarray
    first: np.ndarray
    windows: np.ndarray

    @classmethod
    def of(cls, names):
        """The trials of windows, from the name of each window's trial (window,)."""
        trial = np.unique(np.asarray(names).astype(str), return_inverse=True)[1]
        windows = np.bincount(trial)
        return cls(np.argsort(trial, kind="stable"), np.cumsum(windows) - windows, windows)


def balanced_rows(trials, count, random):
    """Draw windows so that every trial counts alike, however many windows it has.

    Args:
        trials: :class:`Trials` of the training windows.
        count: number of rows to draw.
        random: :class:`numpy.random.Generator`.

    Returns:
        int array (count,) of rows; no trial is drawn twice before all were drawn once.

    Example:
        >>> rows = balanced_rows(Trials.of(["a", "a", "a", "b"]), 4, np.random.default_rng(0))
        >>> int((rows == 3).sum())
        2
    """
    several = len(trials.windows)
    drawn = np.concatenate([random.permutation(several) for _ in range(-(-count // several))])[:count]
    return trials.order[trials.first[drawn] + (random.random(count) * trials.windows[drawn]).astype(int)]


class Draw(NamedTuple):
    """The random numbers of one step of one replica, of several where they are stacked.

    Attributes:
        rows: windows of the batch (batch,).
        others: the windows they are mixed with (batch,).
        share: how much of each first one is kept (batch,).
        kept: bool (batch, modality), False where a modality is withheld.
        dropout: what the network keeps at each of its dropout sites, see ``MPCL.draw_dropout``.
    """

    rows: np.ndarray
    others: np.ndarray
    share: np.ndarray
    kept: np.ndarray
    dropout: dict


def draw(trials, network, settings, random):
    """Draw all that is random in one step of one replica.

    Args:
        trials: :class:`Trials` of its training windows.
        network: :class:`mpcl.model.network.MPCL`, for its modalities and its dropout sites.
        settings: :class:`mpcl.settings.Settings`.
        random: :class:`numpy.random.Generator`.

    Returns:
        :class:`Draw`.
    """
    rows = balanced_rows(trials, settings.batch, random)
    others = rows[random.permutation(len(rows))]
    share = random.beta(settings.mixup, settings.mixup, len(rows)) if settings.mixup else np.ones(len(rows))
    kept = random.random((len(rows), len(network.config.modalities))) >= settings.modality_dropout
    return Draw(rows, others, share, kept, network.draw_dropout(len(rows), random))


def mixed_batch(data, drawn):
    """One batch: pairs of windows mixed, some modalities withheld.

    Mixup (Zhang et al., 2018) takes a Beta-distributed share of one window and the rest of another, of their features
    and of their distributions alike. What is missing in both stays missing. A window keeps at least one modality.

    Args:
        data: :class:`Inputs` of all training windows.
        drawn: :class:`Draw` of tensors, of one replica or of a stack of them.

    Returns:
        :class:`Inputs` of the batch, (batch, ...) or (replica, batch, ...).
    """
    share = drawn.share.to(data.target)[..., None]  # (..., batch, 1)

    def mix(values):
        return share * values[drawn.rows] + (1 - share) * values[drawn.others]

    present = data.present[drawn.rows] | (data.present[drawn.others] & (share < 1))  # (..., batch, modality)
    kept = present & (drawn.kept | ~(present & drawn.kept).any(-1, keepdim=True))
    return Inputs({name: mix(values) for name, values in data.features.items()}, kept, mix(data.target))


def stacked(draws, begins, device="cpu"):
    """The draws of several replicas as one :class:`Draw` of tensors (replica, batch, ...).

    Args:
        draws: one :class:`Draw` a replica.
        begins: row at which the windows of each replica begin in the inputs of all (replica,).
        device: where the tensors stand.

    Returns:
        :class:`Draw`.
    """
    rows, others, share, kept, dropout = zip(*draws, strict=True)
    begins = np.asarray(begins)[:, None]

    def tensor(values):
        return torch.from_numpy(np.asarray(values)).to(device, non_blocking=True)

    dropout = {site: tensor([one[site] for one in dropout]) for site in dropout[0]}
    return Draw(tensor(rows + begins), tensor(others + begins), tensor(share), tensor(kept), dropout)
