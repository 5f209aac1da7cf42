"""A neural peer's configuration: which network, what it reads, its own parameters.

A peer is trained by the one engine (:mod:`mpcl.training`), as MPCL is: the same
batches, the same recipe. It reads ``windows`` one by one, or ``trials``, each as the
mean of its windows; a comparison names which.
"""

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import xarray as xr

from mpcl.data.contract import measured
from mpcl.errors import ParameterError

if TYPE_CHECKING:  # whoever only needs the settings waits for no torch
    import torch
    from torch import nn

    from mpcl.model.labels import LabelStatistics

READS = ("trials", "windows")


@dataclass(frozen=True)
class PeerConfig:
    """The settings of a peer, as :class:`mpcl.training.batches.NetworkConfig` asks.

    Args:
        network: its class, as ``module:name``, which takes this configuration, the
            label statistics, a generator and its own parameters.
        modalities: (name, branch, number of features) of each.
        emotions: their names.
        reads: ``trials`` or ``windows``.
        dropout: share of what its masks drop.
        parameters: of the network, by name; ``w_...`` are weights of terms of the loss.

    Raises:
        ParameterError: for what it cannot read, or another share than from 0 to 1.
    """

    network: str
    modalities: tuple[tuple[str, str, int], ...]
    emotions: tuple[str, ...]
    reads: str = "trials"
    dropout: float = 0.3
    parameters: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.reads not in READS:
            choices = " or ".join(READS)
            raise ParameterError(f"reads must be {choices}, not {self.reads!r}")
        if not 0 <= self.dropout < 1:
            raise ParameterError(
                f"dropout must be from 0 to below 1, not {self.dropout!r}"
            )

    @classmethod
    def from_dataset(
        cls,
        dataset: xr.Dataset,
        network: str,
        reads: str = "trials",
        dropout: float = 0.3,
        **parameters: float,
    ) -> Self:
        """For the modalities that have a value in a data set."""
        modalities = tuple(
            (name, str(dataset[name].attrs["branch"]), dataset[name].shape[1])
            for name in measured(dataset)
        )
        emotions = tuple(map(str, dataset.emotion.values))
        ordered = tuple(sorted(parameters.items()))
        return cls(network, modalities, emotions, reads, dropout, ordered)

    @property
    def sizes(self) -> list[int]:
        """Features of each modality."""
        return [count for *_, count in self.modalities]

    def build(
        self, labels: "LabelStatistics", generator: "torch.Generator"
    ) -> "nn.Module":
        """A new network; its initial weights come from the generator."""
        parameters = self.architecture().parameters
        return self._class()(self, labels, generator, **dict(parameters))

    def architecture(self) -> Self:
        """Itself without what changes the loss alone: equal ones share a stack."""
        kept = (pair for pair in self.parameters if not pair[0].startswith("w_"))
        return replace(self, parameters=tuple(kept))

    def loss_weights(self) -> dict[str, float]:
        """The weight of each term of the loss but the KL divergence.

        Raises:
            ParameterError: for a term that the network does not have.
        """
        weights = dict(self._class().WEIGHTS)
        for name, weight in self.parameters:
            term = name.removeprefix("w_")
            if name != term and term not in weights:
                raise ParameterError(f"{self.network} has no term of the loss {term!r}")
            if name != term:
                weights[term] = weight
        return weights

    def _class(self) -> Any:
        module, _, name = self.network.partition(":")
        return getattr(importlib.import_module(module), name)
