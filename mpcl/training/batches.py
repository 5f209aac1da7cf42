"""What a network is fed: a data set as it reads it, and the random batches of an epoch.

A network reads *trials*, each with its windows as moments, or *windows*, each as a
trial of one moment.

Every random number is drawn on the CPU from a generator keyed by (seed, fold, epoch),
so that a replica gets the same batches whichever replicas are trained beside it, and on
whatever device.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor, nn

from mpcl.data.contract import Trials, trials
from mpcl.normalisation import standardise
from mpcl.training.settings import Settings

if TYPE_CHECKING:
    from mpcl.model.labels import LabelStatistics


class NetworkConfig(Protocol):
    """What the engine asks of the settings of a network, a frozen dataclass.

    Its module gives an output with ``logits`` (B, C) for features (B, W, F), present
    (B, W, M) and what dropout keeps, bool (B, number) or None. ``module.mask_shapes``
    says the masks of a trial that are cut from it, and ``module.losses(output,
    target)`` the terms of the loss by name, ``kl`` among them. The module draws no
    random number and has no training mode.
    """

    @property
    def modalities(self) -> tuple[tuple[str, str, int], ...]:
        """Name, branch and number of features of each (M)."""

    @property
    def reads(self) -> str:
        """``trials`` or ``windows``."""

    @property
    def dropout(self) -> float:
        """Share of what its masks drop."""

    def build(self, labels: "LabelStatistics", generator: torch.Generator) -> nn.Module:
        """A new network; its initial weights come from the generator."""

    def architecture(self) -> Self:
        """Itself without what changes the loss alone: equal ones share a stack."""

    def loss_weights(self) -> dict[str, float]:
        """The weight of each term of the loss; 0 of one that is off."""


class Inputs(NamedTuple):
    """What a network reads, and the labels to learn.

    Attributes:
        features: (trial, moment, feature), in standard deviations, 0 where missing;
            modality by modality. Trials with fewer moments than the longest are filled
            up with moments that are missing.
        present: bool (trial, moment, modality), in the order of ``config.modalities``.
        target: label distributions (trial, emotion), the mean over the windows of each;
            empty where the data set has no labels.
        trial: of each window of the data set (window,).
    """

    features: Tensor
    present: Tensor
    target: Tensor
    trial: np.ndarray

    def lengthened(self, moments: int) -> Self:
        """The same with so many moments a trial, the last of them missing."""
        lacking = (0, 0, 0, moments - self.present.shape[1])
        features, present = F.pad(self.features, lacking), F.pad(self.present, lacking)
        return self._replace(features=features, present=present)


def inputs(
    dataset: xr.Dataset,
    training: xr.Dataset,
    config: NetworkConfig,
    settings: Settings,
    device: torch.device | str = "cpu",
) -> Inputs:
    """A data set as tensors that a network of this configuration reads.

    Args:
        dataset: the windows; labels may be absent.
        training: the windows that the network is trained on, see
            :func:`mpcl.normalisation.standardise`.
        config: of the network.
        settings: normalisation and precision are read.
        device: where the tensors stand.
    """
    standard = standardise(dataset, training, settings.normalisation)
    names = [name for name, _, _ in config.modalities]
    columns = [list(standard.features).index(name) for name in names]
    features = np.concatenate([standard.features[name] for name in names], 1)
    windows = np.arange(len(features))
    grouped = Trials(windows, windows, windows, np.ones_like(windows))
    if config.reads == "trials":
        grouped = trials(dataset)
    order = np.argsort(grouped.of_window, kind="stable")  # windows, trial by trial
    begins = grouped.counts.cumsum() - grouped.counts
    moment = np.empty_like(order)  # of each window in its trial
    moment[order] = windows - np.repeat(begins, grouped.counts)

    def by_trial(values: np.ndarray) -> np.ndarray:
        shape = (len(begins), grouped.counts.max(), values.shape[1])
        filled = np.zeros(shape, values.dtype)
        filled[grouped.of_window, moment] = values
        return filled

    def tensor(values: np.ndarray) -> Tensor:
        values = np.ascontiguousarray(values)
        return torch.as_tensor(values, dtype=settings.dtype, device=device)

    label = np.empty((0, 0))
    if "distribution" in dataset:
        labels = dataset.distribution.transpose("window", "emotion").values
        label = grouped.mean(labels)  # (trial, emotion)
    present = torch.as_tensor(by_trial(standard.present[:, columns]), device=device)
    return Inputs(tensor(by_trial(features)), present, tensor(label), grouped.of_window)


Array = TypeVar("Array", np.ndarray, Tensor)


class Draw(NamedTuple, Generic[Array]):
    """The random numbers of an epoch of one replica; S steps of B trials.

    Those of several replicas are tensors (S, replica, B, ...).

    Attributes:
        trials: of each batch (S, B).
        moments: W moments of each (S, B, W).
        others: of each, the place in its batch of the trial it is mixed with (S, B).
        share: how much of each first one is kept (S, B).
        luck: (S, B, W, modality), below 0 where a modality is withheld, unless it has
            the best of those present.
        keep: bool (S, B, number), what dropout keeps, the masks of a network in a row.
    """

    trials: Array
    moments: Array
    others: Array
    share: Array
    luck: Array
    keep: Array

    def at(self, step: int) -> Self:
        """The random numbers of one step."""
        return type(self)(*(values[step] for values in self))


def draw(
    counts: np.ndarray,
    steps: int,
    config: NetworkConfig,
    settings: Settings,
    random: np.random.Generator,
    masks: int = 0,
    weights: np.ndarray | None = None,
) -> Draw[np.ndarray]:
    """Draw all that is random in one epoch of one replica.

    Every trial counts alike, however many windows it has: no trial is drawn twice
    before all were drawn once, and of each a few moments are drawn, different ones
    where there are enough. A reader of windows draws those as :func:`rows_alike` says.

    Args:
        counts: number of moments of each training trial (trial,).
        steps: batches in the epoch.
        config: for its modalities and its dropout.
        settings: of the batches.
        random: keyed by replica and epoch.
        masks: numbers that dropout may drop of a trial.
        weights: of each window, where each is a trial of its own (trial,).

    Example:
        >>> from mpcl import MPCLConfig
        >>> eda = ("eda", "physiological", 5)
        >>> config = MPCLConfig((eda,), ("happy", "sad"), (1, -1))
        >>> counts, random = np.array([3, 3, 8]), np.random.default_rng(0)
        >>> drawn = draw(counts, 2, config, Settings(batch=9, moments=3), random)
        >>> sorted(drawn.trials[0].tolist()), drawn.moments.shape
        ([0, 1, 2], (2, 3, 3))
    """
    moments = min(settings.moments, int(counts.max()))
    batch = max(1, round(settings.batch / moments))
    rounds = -(-steps * batch // len(counts))
    every = np.tile(np.arange(len(counts)), (rounds, 1))
    if weights is not None:
        every = rows_alike(weights, rounds, random.spawn(1)[0])
    trials = random.permuted(every, axis=1).ravel()[: steps * batch]
    trials = trials.reshape(steps, batch)
    places = _moments(counts[trials], moments, random)
    others = np.argsort(random.random((steps, batch)), 1)
    share = np.ones((steps, batch))
    if settings.mixup:
        share = random.beta(settings.mixup, settings.mixup, (steps, batch))
    chances = random.random((steps, batch, moments, len(config.modalities)))
    luck = chances - settings.modality_dropout
    bits = np.frombuffer(random.bytes(2 * steps * batch * masks), np.uint16)
    keep = (bits >= round(config.dropout * 65536)).reshape(steps, batch, masks)
    return Draw(trials, places, others, share, luck, keep)


def rows_alike(
    weights: np.ndarray, rounds: int, random: np.random.Generator
) -> np.ndarray:
    """Rows (round, window), in each round as many as windows, so that trials count
    alike: a window is drawn as often as its weight says, rounded up or down
    (systematic resampling).

    Args:
        weights: of each window (window,), their mean is 1.

    Example:
        >>> rows_alike(np.array([1.5, 1.5, 0.5, 0.5]), 1, np.random.default_rng(0))
        array([[0, 1, 1, 3]])
    """
    places = np.arange(len(weights)) + random.random((rounds, 1))
    ends = weights.cumsum() * (len(weights) / weights.sum())
    return np.searchsorted(ends, places, side="right").clip(max=len(weights) - 1)


def _moments(
    counts: np.ndarray, moments: int, random: np.random.Generator
) -> np.ndarray:
    """Moments of trials of these lengths (..., moments).

    They are different ones, or any where a trial is too short.
    """
    longest = max(moments, int(counts.max()))
    rank = random.random((*counts.shape, longest))
    rank[np.arange(longest) >= counts[..., None]] = 2  # past the end of a trial
    different = np.argsort(rank, -1)[..., :moments]
    chances = random.random((*counts.shape, moments))
    anyone = (chances * counts[..., None]).astype(int)
    return np.where(counts[..., None] >= moments, different, anyone)


def stacked(
    draws: Sequence[Draw[np.ndarray]],
    begins: Sequence[int],
    device: torch.device | str = "cpu",
) -> Draw[Tensor]:
    """The epochs of several replicas as one.

    Args:
        draws: one a replica.
        begins: row at which the trials of each replica begin in the inputs of all.
        device: where the tensors stand.
    """

    def tensor(values: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(values, 1)).to(device, non_blocking=True)

    moved = [
        drawn._replace(trials=drawn.trials + begin)
        for drawn, begin in zip(draws, begins, strict=True)
    ]
    return Draw(*map(tensor, zip(*moved, strict=True)))


def mixed_batch(data: Inputs, drawn: Draw[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """One batch: pairs of trials mixed, some modalities withheld.

    Mixup (Zhang et al., 2018) takes a Beta-distributed share of one trial and the rest
    of another, of the features of their moments and of their distributions alike. What
    is missing in both stays missing. A moment that would lose all of its modalities
    keeps one of them, any of them as likely.

    Args:
        data: all training trials.
        drawn: of one step of a replica, or of a stack of them.

    Returns:
        features (..., B, W, feature), present (..., B, W, modality) and target
        (..., B, emotion).
    """
    trials, moments, others, share, luck, _ = drawn
    share = share.to(data.target)
    partners = trials.gather(-1, others)  # (..., batch)
    places = moments.gather(-2, others[..., None].expand_as(moments))
    first = trials[..., None], moments  # (..., batch, moment)
    second = partners[..., None], places
    mixed = (share < 1)[..., None, None]
    present = data.present[first] | (data.present[second] & mixed)
    luck = luck.masked_fill(~present, -torch.inf)
    kept = present & (luck >= luck.amax(-1, keepdim=True).clamp_max(0))
    wide, narrow = share[..., None, None], share[..., None]
    features = wide * data.features[first] + (1 - wide) * data.features[second]
    target = narrow * data.target[trials] + (1 - narrow) * data.target[partners]
    return features, kept, target
