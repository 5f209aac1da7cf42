"""Replicas side by side: networks of one shape, stacked so that one call computes all.

``torch.func.vmap`` runs the network that the chapters explain over a stack of weights
and batches. A replica's numbers depend on (seed, fold, step) alone; nothing passes from
one to another but rounding of the last digits.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from mpcl import splits
from mpcl.data.contract import trials
from mpcl.model.labels import LabelStatistics, label_statistics
from mpcl.training.batches import (
    Draw,
    Inputs,
    NetworkConfig,
    draw,
    inputs,
    mixed_batch,
    stacked,
)
from mpcl.training.graph import Replayed
from mpcl.training.optimiser import Blocks, clip
from mpcl.training.settings import Settings


class Windows(NamedTuple):
    """The training windows of a fold, and those that validate early stopping.

    Attributes:
        training: data set.
        validation: data set of other participants; no window without early stopping.
        counts: windows of each training trial (trial,).
        weights: of each training window (window,), so that trials count alike.
        labels: their statistics.
    """

    training: xr.Dataset
    validation: xr.Dataset
    counts: np.ndarray
    weights: np.ndarray
    labels: LabelStatistics

    @classmethod
    def of(cls, dataset: xr.Dataset, fold: splits.Fold, settings: Settings) -> Self:
        """The windows of a fold; with ``patience`` a fifth of its people validate."""
        training = splits.part(dataset, fold)[0]
        validation = training.isel(window=slice(0))
        if settings.patience:
            first = splits.inner(training, "participants")[0]
            training, validation = splits.part(training, first)
        grouped, labels = trials(training), label_statistics(training)
        return cls(training, validation, grouped.counts, grouped.weights(), labels)

    def steps(self, settings: Settings) -> int:
        """Steps in an epoch."""
        return max(1, round(self.counts.sum() / settings.batch))


class Replica(NamedTuple):
    """One network to train."""

    config: NetworkConfig
    fold: splits.Fold
    seed: int
    windows: Windows  # of the fold

    @property
    def key(self) -> tuple[int, int]:
        """What its random numbers depend on, besides the epoch."""
        return self.seed, zlib.crc32(self.fold.key.encode())

    def inputs(self, settings: Settings, device: torch.device) -> Inputs:
        """Its training trials."""
        training = self.windows.training
        return inputs(training, training, self.config, settings, device)

    def validation_inputs(self, settings: Settings) -> Inputs:
        """The trials of its validation participants, with early stopping."""
        training, validation = self.windows.training, self.windows.validation
        return inputs(validation, training, self.config, settings)

    def draw(self, epoch: int, settings: Settings, masks: int) -> Draw[np.ndarray]:
        """All that is random in an epoch; dropout may drop so many numbers a trial."""
        counts, weights = self.windows.counts, None
        if self.config.reads == "windows":  # each is a trial of one moment
            weights = self.windows.weights
            counts = np.ones(len(weights), int)
        random = np.random.default_rng((*self.key, 1 + epoch))
        steps = self.windows.steps(settings)
        return draw(counts, steps, self.config, settings, random, masks, weights)

    def network(self, settings: Settings) -> nn.Module:
        """A new network, which knows the statistics of its training labels."""
        state = np.random.SeedSequence((*self.key, 0)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        network = self.config.build(self.windows.labels, generator)
        return network.to(settings.dtype)

    def weights(self) -> dict[str, float]:
        """What each term of the loss weighs that is not off."""
        weights = {"kl": 1.0} | self.config.loss_weights()
        return {term: weight for term, weight in weights.items() if weight}


class Stack:
    """Networks that take every step together.

    Args:
        replicas: with the same parameters and the same number of steps.
        settings: of the training.
        device: where they train.
        initial: called with each network before its first step, to change it.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        settings: Settings,
        device: torch.device,
        initial: Callable[[nn.Module], object] | None = None,
    ) -> None:
        self.replicas, self.settings, self.device = replicas, settings, device
        self.models = [replica.network(settings) for replica in replicas]
        if initial:
            for model in self.models:
                initial(model)
        first: Any = self.models[0]
        self.masks = sum(math.prod(shape) for shape in first.mask_shapes)
        parameters, buffers = stack_module_state(self.models)  # (replica, ...) each
        moved = {name: value.to(device) for name, value in parameters.items()}
        self.blocks = Blocks(moved, settings.weight_decay)
        self.parameters = self.blocks.parameters
        self.buffers = {name: value.to(device) for name, value in buffers.items()}
        self.inputs, self.begins = self._gather_inputs()
        self.weights = self._gather_weights()
        self._losses = self._make_losses()
        self.learn: Callable[..., dict[str, Tensor]] = self._learn
        if device.type == "cuda":
            self.learn = Replayed(self._learn)

    def _gather_inputs(self) -> tuple[Inputs, list[int]]:
        """The trials of all folds one below the other; where each replica's begin."""
        of_fold = {replica.fold: replica for replica in self.replicas}
        parts = [each.inputs(self.settings, self.device) for each in of_fold.values()]
        counts = np.array([len(part.target) for part in parts])
        begins = dict(zip(of_fold, (counts.cumsum() - counts).tolist(), strict=True))
        longest = max(part.present.shape[1] for part in parts)
        parts = [part.lengthened(longest) for part in parts]
        gathered = Inputs(
            torch.cat([part.features for part in parts]),
            torch.cat([part.present for part in parts]),
            torch.cat([part.target for part in parts]),
            np.concatenate([part.trial for part in parts]),
        )
        return gathered, [begins[replica.fold] for replica in self.replicas]

    def _gather_weights(self) -> dict[str, Tensor]:
        """The weights (replica,) of every term that any replica has."""
        each = [replica.weights() for replica in self.replicas]
        terms = dict.fromkeys(term for weights in each for term in weights)
        return {
            term: torch.tensor(
                [weights.get(term, 0.0) for weights in each],
                dtype=self.settings.dtype,
                device=self.device,
            )
            for term in terms
        }

    def _make_losses(self) -> Callable[..., dict[str, Tensor]]:
        """One function for the losses of all, of every term that any of them has."""
        config = self.replicas[0].config
        if any(replica.config != config for replica in self.replicas):
            config = config.architecture()
        generator = torch.Generator()  # what it draws is not read
        network: Any = config.build(self.replicas[0].windows.labels, generator)
        network.to("meta")

        def lone(
            parameters: dict[str, Tensor],
            buffers: dict[str, Tensor],
            features: Tensor,
            present: Tensor,
            target: Tensor,
            keep: Tensor,
        ) -> dict[str, Tensor]:
            state, batch = (parameters, buffers), (features, present, keep)
            terms = network.losses(functional_call(network, state, batch), target)
            return {name: terms[name] for name in self.weights}

        together = vmap(lone)
        return torch.compile(together) if self.settings.compile else together

    def draw(self, epoch: int, device: torch.device | str = "cpu") -> Draw[Tensor]:
        """All that is random in an epoch."""
        settings, masks = self.settings, self.masks
        draws = [replica.draw(epoch, settings, masks) for replica in self.replicas]
        return stacked(draws, self.begins, device)

    def losses(self, drawn: Draw[Tensor]) -> dict[str, Tensor]:
        """The loss terms of each replica (replica,) in a step, and ``total``."""
        batch = mixed_batch(self.inputs, drawn)
        terms = self._losses(self.parameters, self.buffers, *batch, drawn.keep)
        total = torch.zeros_like(terms["kl"])
        for name, value in terms.items():
            total = total + self.weights[name] * value
        return terms | {"total": total}

    def _learn(self, *drawn: Tensor) -> dict[str, Tensor]:
        """The loss terms (replica,) of a step; the blocks get its clipped gradients."""
        terms = self.losses(Draw(*drawn))
        weights = list(self.parameters.values())
        # nothing is shared: each replica gets the gradient of its own total
        total = terms["total"].sum()
        gradients = torch.autograd.grad(total, weights, materialize_grads=True)
        clip(gradients, self.settings.clip, self.blocks.gradients)
        return {name: value.detach() for name, value in terms.items()}

    def networks(self) -> list[nn.Module]:
        """The networks, each alone and on the CPU, with the weights they have now."""
        state = {name: v.detach().cpu() for name, v in self.parameters.items()}
        for number, model in enumerate(self.models):
            weights = {name: value[number] for name, value in state.items()}
            model.load_state_dict(weights, strict=False)
        return self.models
