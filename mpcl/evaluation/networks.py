"""Networks behind the interface of all predictors; all folds and seeds at once."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mpcl.errors import TrainingError
from mpcl.evaluation.baselines.peers import PeerConfig
from mpcl.evaluation.blind import whole
from mpcl.model import remember
from mpcl.model.config import MPCLConfig
from mpcl.splits import Fold, part
from mpcl.training import loop
from mpcl.training.batches import NetworkConfig, inputs
from mpcl.training.settings import Settings, device_of


class Network:
    """A network that the engine trains, MPCL or a peer, or the mean of several.

    Args:
        config: the settings of a network, a class with ``from_dataset``.
        members: networks with seeds of their own, whose predictions are averaged.
        reads: ``trials`` or ``windows``, where the network can read both.
        changes: settings of the network.
    """

    def __init__(
        self,
        config: type[MPCLConfig] | type[PeerConfig] = MPCLConfig,
        seed: int = 0,
        settings: Settings | None = None,
        device: str = "auto",
        members: int = 1,
        reads: str = "",
        **changes: Any,
    ) -> None:
        self.config = config
        self.seed = seed
        self.settings = settings or Settings()
        self.device = device
        self.members = members
        self.reads = reads
        self.changes = changes
        self.training = xr.Dataset()
        self.models: list[Any] = []  # none has failed

    def fit(self, training: xr.Dataset) -> "Network":
        """Train on all of these windows; returns itself."""
        [(_, _, fitted)] = self.fit_folds(training, [whole(training)], [self.seed], "")
        self.training, self.models = fitted.training, fitted.models
        return self

    def fit_folds(
        self,
        dataset: xr.Dataset,
        folds: Sequence[Fold],
        seeds: Sequence[int],
        protocol: str,
    ) -> Iterator[tuple[Fold, int, "Network"]]:
        """Networks of all folds and seeds; what they read may differ from fold to fold.

        Raises:
            TrainingError: if the training of any did not end well; to score the others
                alone would be to choose among seeds.
        """
        changes = dict(self.changes)
        if self.reads:
            changes["reads"] = self.reads
        folds_of: dict[NetworkConfig, list[Fold]] = {}
        for fold in folds:
            training = part(dataset, fold)[0]
            config = self.config.from_dataset(training, **changes)
            folds_of.setdefault(config, []).append(fold)
        every = [member for seed in seeds for member in self.seeds_of_members(seed)]
        models: dict[tuple[Fold, int], Any] = {}
        for config, alike in folds_of.items():
            result = loop.fit(config, dataset, alike, every, self.settings, self.device)
            if result.failed:
                raise TrainingError("; ".join(result.failed.values()))
            whose = zip(result.folds, result.seeds, strict=True)
            models |= dict(zip(whose, result.models, strict=True))
        for fold in folds:
            training = part(dataset, fold)[0]
            for seed in seeds:
                fitted = copy.copy(self)
                fitted.training = training
                fitted.models = [
                    models[fold, member] for member in self.seeds_of_members(seed)
                ]
                yield fold, seed, fitted

    def seeds_together(self, folds: int) -> int:
        """Seeds to train in one step; an interruption loses no more."""
        networks = loop.CHUNK[device_of(self.device).type]
        return max(1, networks // (folds * self.members))

    def seeds_of_members(self, seed: int) -> range:
        """The seeds of the networks that are averaged.

        Example:
            >>> Network(members=5).seeds_of_members(2)
            range(10, 15)
        """
        return range(self.members * seed, self.members * (seed + 1))

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion), averaged over the members."""
        return np.mean(
            [
                loop.predict(model, test, self.training, self.settings, self.device)
                for model in self.models
            ],
            0,
        )

    @loop.one_thread()
    def keys(self, test: xr.Dataset) -> np.ndarray:
        """By what a memory of a person recalls the trials of MPCL (trial, D)."""
        [model] = self.models  # of several the summaries are not one another's
        place = device_of(self.device)
        config = model.config
        data = inputs(test, self.training, config, self.settings, place)
        network = copy.deepcopy(model).to(place)
        return remember.keys_of(network, data).cpu().double().numpy()


def peer(network: type, **options: Any) -> Network:
    """A peer by the class of its network, with what :class:`Network` takes.

    Example:
        >>> from mpcl.evaluation.baselines.plain import Perceptron
        >>> from mpcl.simulation.cohort import cohort
        >>> dataset = cohort(participants=3, clips=4, windows=2)
        >>> mlp = peer(Perceptron, settings=Settings(epochs=1), device="cpu", width=8)
        >>> mlp.fit(dataset).predict(dataset).shape
        (24, 10)
    """
    name = f"{network.__module__}:{network.__qualname__}"
    options.setdefault("reads", "trials")
    return Network(PeerConfig, network=name, **options)
