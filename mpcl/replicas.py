"""Replicas side by side: networks of one shape, stacked so that one call computes them all.

``torch.func.vmap`` runs the network that the chapters explain over a stack of weights and batches. A replica's numbers
depend on (seed, fold, step) alone; nothing passes from one to another but rounding of the last digits.
"""

import copy
import dataclasses
import zlib
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch.func import functional_call, stack_module_state, vmap

from mpcl import splits
from mpcl.batches import Inputs, draw, inputs, mixed_batch, stacked
from mpcl.model.network import MPCL, MPCLConfig, label_statistics

TERMS = ("kl", "prototypes", "relation")


class Windows(NamedTuple):
    """The training windows of a fold, and those that validate where training stops early.

    Attributes:
        training, validation: data sets that share no participant; validation may be None.
        counts: windows of each training trial (trial,).
        labels: the mean training label (emotion,), the co-occurrence (emotion, emotion) and the number of trials.
    """

    training: xr.Dataset
    validation: xr.Dataset | None
    counts: np.ndarray
    labels: tuple

    @classmethod
    def of(cls, dataset, fold, settings):
        """The windows of a fold; a fifth of its participants validate where ``settings.patience`` is set."""
        training, validation = splits.part(dataset, fold)[0], None
        if settings.patience:
            training, validation = splits.part(training, splits.inner(training, "participants")[0])
        counts = np.unique(training.trial.values.astype(str), return_counts=True)[1]
        return cls(training, validation, counts, label_statistics(training))

    def steps(self, settings):
        """Steps in an epoch."""
        return max(1, round(self.counts.sum() / settings.batch))


class Replica(NamedTuple):
    """One network to train.

    Attributes:
        config: :class:`mpcl.model.network.MPCLConfig`.
        fold: a fold of :mod:`mpcl.splits`.
        seed: int.
        windows: :class:`Windows` of the fold.
    """

    config: MPCLConfig
    fold: tuple
    seed: int
    windows: Windows

    @property
    def key(self):
        """What its random numbers depend on, besides the epoch."""
        return self.seed, zlib.crc32(splits.text(self.fold).encode())

    def draw(self, epoch, settings):
        """All that is random in an epoch, :class:`mpcl.batches.Draw`."""
        counts = self.windows.counts
        counts = counts if self.config.multiscale else np.ones(counts.sum(), int)
        return draw(counts, self.windows.steps(settings), self.config, settings,
                    np.random.default_rng((*self.key, 1 + epoch)))

    def network(self, settings):
        """A new network, with the prior and the co-occurrence of its training windows."""
        state = np.random.SeedSequence((*self.key, 0)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        return MPCL(self.config, *self.windows.labels, generator).to(settings.dtype)

    def weight(self, term):
        """What a term of the loss weighs in the total of this replica."""
        if term == "relation" and not self.config.distillation:
            return 0.0
        return getattr(self.config, f"w_{term}", 1.0)


def same_parameters(config):
    """A configuration without what changes the loss alone: ablations that share it can stand in one stack.

    Args:
        config: :class:`mpcl.model.network.MPCLConfig`.

    Returns:
        the configuration with distillation on, where it applies, and all weights of the loss 1.
    """
    return dataclasses.replace(config, distillation=True, w_prototypes=1.0, w_relation=1.0)


class Stack:
    """Networks that take every step together.

    Args:
        replicas: list of :class:`Replica` with the same parameters and the same number of steps.
        settings: :class:`mpcl.settings.Settings`.
        device: :class:`torch.device`.
        initial: called with each network before its first step, to change it; or None.
    """

    def __init__(self, replicas, settings, device, initial=None):
        self.replicas, self.settings, self.device = replicas, settings, device
        self.models = [replica.network(settings) for replica in replicas]
        for model in self.models if initial else ():
            initial(model)
        parameters, buffers = stack_module_state(self.models)
        self.parameters = {k: v.detach().to(device).requires_grad_() for k, v in parameters.items()}
        self.buffers = {k: v.to(device) for k, v in buffers.items()}
        self._gather_inputs()
        self._prepare_losses()

    def _gather_inputs(self):
        """The training trials of all folds one below the other, and where those of each replica begin."""
        parts, begins, begin = {}, {}, 0
        for replica in self.replicas:
            if replica.fold not in parts:
                windows = replica.windows.training
                parts[replica.fold] = inputs(windows, windows, replica.config, self.settings, self.device)
                begins[replica.fold], begin = begin, begin + len(parts[replica.fold].target)
        features, present, target, trial = zip(*parts.values(), strict=True)
        longest = max(one.shape[1] for one in present)
        features, present = (torch.cat([F.pad(one, (0, 0, 0, longest - one.shape[1])) for one in several])
                             for several in (features, present))
        self.inputs = Inputs(features, present, torch.cat(target), np.concatenate(trial))
        self.begins = np.array([begins[replica.fold] for replica in self.replicas])

    def _prepare_losses(self):
        """One function for the losses of all; where only their weights differ, it computes every term."""
        configs = [replica.config for replica in self.replicas]
        network = copy.deepcopy(self.models[0]).to("meta")
        network.config = configs[0] if configs.count(configs[0]) == len(configs) else same_parameters(configs[0])

        def lone(parameters, buffers, features, present, target, dropout):
            output = functional_call(network, (parameters, buffers), (features, present, dropout))
            terms = network.losses(output, target)
            return {name: terms[name] for name in TERMS if name in terms}

        self._losses = torch.compile(vmap(lone)) if self.settings.compile else vmap(lone)
        self._weights = {name: torch.tensor([replica.weight(name) for replica in self.replicas],
                                            dtype=self.settings.dtype, device=self.device) for name in TERMS}

    def draw(self, epoch):
        """All that is random in an epoch, :class:`mpcl.batches.Draw` of tensors (step, replica, ...)."""
        return stacked([replica.draw(epoch, self.settings) for replica in self.replicas], self.begins, self.device)

    def losses(self, drawn, step):
        """The loss terms of each replica (replica,) in a step of an epoch, and their weighted sum, ``total``."""
        batch = mixed_batch(self.inputs, drawn, step)
        terms = self._losses(self.parameters, self.buffers, *batch, drawn.dropout[step])
        return terms | {"total": sum(self._weights[name] * value for name, value in terms.items())}

    def networks(self):
        """The networks, each alone and on the CPU, with the weights that they have now."""
        state = {k: v.detach().cpu() for k, v in self.parameters.items()}
        for number, model in enumerate(self.models):
            model.load_state_dict({k: v[number] for k, v in state.items()}, strict=False)
        return self.models


def clip(parameters, largest):
    """Scale the gradients of each replica so that their norm is at most ``largest``, in place.

    Args:
        parameters: tensors (replica, ...) with gradients.
        largest: largest norm.

    Returns:
        tensor (replica,), the norms before.

    Example:
        >>> weight = torch.ones(2, 4, requires_grad=True)
        >>> (weight * torch.tensor([[1.0], [3.0]])).sum().backward()
        >>> clip([weight], 1.0).tolist(), weight.grad[:, 0].tolist()
        ([2.0, 6.0], [0.5, 0.5])
    """
    gradients = [parameter.grad for parameter in parameters]
    norm = torch.stack([gradient.reshape(len(gradient), -1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
    scale = (largest / norm).clamp_max(1.0)  # (replica,)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))
    return norm
