"""A model that can be kept: networks, and all that they need to know of their training.

Of the people who trained it, it holds names, counts, and the mean and spread of each
feature; no recording and no label of anybody.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor, nn

from mpcl.data.contract import trials
from mpcl.model import memory
from mpcl.model.remember import Memory, corrected, missed, recall
from mpcl.normalisation import people_of
from mpcl.training.batches import NetworkConfig, inputs
from mpcl.training.loop import one_thread
from mpcl.training.settings import Settings, device_of

# Of a layout: two people of two trials of two windows, above or below (window, 3).
SIGNS = np.stack(np.meshgrid([1, -1], [1, -1], [1, -1], indexing="ij"), -1).reshape(
    8, 3
)
STEPS = np.linspace(0, 1, 101)  # of quantiles


@dataclass(frozen=True)
class KeptModel:
    """Networks whose predictions are averaged, and what they were trained on.

    Attributes:
        predictor: its name, ``mpcl`` or ``helo``.
        config, settings: of the networks, and of their training.
        networks: one a seed.
        layout: made-up windows of :func:`layout_of`, with the features, units and
            emotions that the model reads. By their mean and spread a person is scaled
            who cannot be scaled by their own windows.
        familiar: for each set of branches, such as ``physiological+behavioural``, the
            quantiles (101,) of the energy of the training trials.
        about: what stands in ``model.json`` beside this.
    """

    predictor: str
    config: NetworkConfig
    settings: Settings
    networks: list[nn.Module]
    layout: xr.Dataset
    familiar: dict[str, np.ndarray]
    about: dict[str, Any]

    @property
    def modalities(self) -> list[str]:
        """The names of those that it reads, in its order."""
        return [name for name, *_ in self.config.modalities]

    @property
    def branches(self) -> list[str]:
        """The names of its branches, in its order."""
        return list(dict.fromkeys(branch for _, branch, _ in self.config.modalities))


class Asked(NamedTuple):
    """What a model says of trials, in the order of their names."""

    predicted: np.ndarray  # (trial, emotion)
    energy: np.ndarray  # (trial, branch), NaN where it was not read
    present: np.ndarray  # bool (trial, modality)


def layout_of(dataset: xr.Dataset, names: list[str], how: str) -> xr.Dataset:
    """Eight made-up windows that scale new people as all training windows would.

    They are of two people, with two trials each, and their mean and spread are those of
    the training people.
    """
    coords = {
        name: values
        for name, values in dataset.coords.items()
        if values.dims == ("emotion",) or str(name).rpartition("_")[0] in names
    }
    layout = xr.Dataset(coords=coords)
    for name in names:
        mean, variances = _spread(dataset, name, how)
        attrs = {key: dataset[name].attrs[key] for key in ("branch", "source")}
        windows = mean + SIGNS @ np.sqrt(variances)  # (window, feature)
        layout[name] = (("window", f"{name}_feature"), windows, attrs)
    numbers = np.arange(len(SIGNS))
    return layout.assign_coords(
        participant=("window", np.repeat(["A", "B"], 4).astype(object)),
        trial=("window", np.repeat(["A1", "A2", "B1", "B2"], 2).astype(object)),
        start=("window", numbers.astype(float)),
        stop=("window", numbers + 1.0),
    )


def _spread(dataset: xr.Dataset, name: str, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each feature (feature,), and variances (3, feature) that are laid out.

    Of people, trials and windows: for ``running`` those of trials and people are as the
    doubt says, the larger half of all; else people alone differ, and have no spread.
    """
    people = people_of(dataset, name) if how == "running" else None
    if people is None:
        values = dataset[name].values.astype(float)  # (window, feature)
        count = np.maximum(np.isfinite(values).sum(0), 1)
        mean = np.nansum(values, 0) / count
        total = np.nansum((values - mean) ** 2, 0) / count
        return mean, np.stack([total, 0 * total, 0 * total])
    half = people.variance / 2
    person, trial = (
        half / np.maximum(people.doubt, 1),
        half * np.minimum(people.doubt, 1),
    )
    return people.mean, np.stack([person, trial, people.variance - trial])


@one_thread()
def ask(
    model: KeptModel,
    dataset: xr.Dataset,
    answers: np.ndarray | None = None,
    device: str = "cpu",
) -> Asked:
    """What a model says of recordings that are laid out as it reads them.

    One participant at a time, so that nobody's prediction depends on who else is there.

    Args:
        answers: labels (trial, emotion) that these people gave, NaN where none; each
            person's own correct what the model says of them.
    """
    grouped, person = trials(dataset), dataset.participant.values.astype(str)
    count, emotions = len(grouped.names), model.layout.sizes["emotion"]
    if answers is None:
        answers = np.full((count, emotions), np.nan)
    asked = Asked(
        np.empty((count, emotions)),
        np.empty((count, len(model.branches))),
        np.zeros((count, len(model.modalities)), bool),
    )
    for name in np.unique(person):
        rows = np.unique(grouped.of_window[person == name])
        windows = dataset.isel(window=person == name)
        part = _ask(model, windows, torch.from_numpy(answers[rows]), device)
        for values, values_of_part in zip(asked, part, strict=True):
            values[rows] = values_of_part
    return asked


def _ask(model: KeptModel, dataset: xr.Dataset, answers: Tensor, device: str) -> Asked:
    """The same for one participant."""
    place = device_of(device)
    data = inputs(dataset, model.layout, model.config, model.settings, place)
    predicted: list[np.ndarray] = []
    energies: list[np.ndarray] = []
    for network in model.networks:
        network.to(place)
        with torch.no_grad():
            output = network(data.features, data.present)
            energies.append(energy_of(network, output, len(model.branches)))
        guess = output.logits.softmax(-1).double().cpu()
        if answers.isfinite().any():
            guess = _corrected(model, output, guess, answers)
        predicted.append(guess.numpy())
    present = data.present.any(1).cpu().numpy()
    return Asked(np.mean(predicted, 0), np.mean(energies, 0), present)


def _corrected(model: KeptModel, output: Any, guess: Tensor, answers: Tensor) -> Tensor:
    """What one network says (trial, emotion), corrected by a person's own answers."""
    keys = torch.ones(len(guess), 1, dtype=torch.float64)
    if hasattr(output, "summaries"):  # as of remember.keys_of
        keys = F.normalize(output.summaries.flatten(1), dim=-1).double().cpu()
    given = answers.isfinite().all(1)
    person = Memory(keys[given], missed(guess[given], answers[given]))
    beta, strength = model.about["own"]["beta"], model.about["own"]["strength"]
    return corrected(guess, recall(person, keys, beta, strength))


def energy_of(network: Any, output: Any, branches: int) -> np.ndarray:
    """The energy (trial, branch) of trials in all prototypes of a branch together.

    NaN where nothing of a branch was read, and for a network without prototypes.
    """
    banks = getattr(network, "banks", None)
    if banks is None:
        return np.full((len(output.logits), branches), np.nan)
    query: Tensor = F.normalize(output.summaries, dim=-1).transpose(0, 1)
    prototypes = banks.prototypes().flatten(1, 2)  # (branch, C K, width)
    energy = memory.energy(query, prototypes, banks.beta).mT  # (trial, branch)
    return energy.masked_fill(~output.present, torch.nan).double().cpu().numpy()


def sets_of(energy: np.ndarray, branches: list[str]) -> list[str]:
    """Which branches of each trial were read, such as ``physiological``."""
    return ["+".join(np.array(branches)[row]) for row in np.isfinite(energy)]


def familiarity(energy: np.ndarray, branches: list[str]) -> dict[str, np.ndarray]:
    """Quantiles (101,) of training energies (trial, branch), by the branches read."""
    quantiles: dict[str, np.ndarray] = {}
    for size in range(1, len(branches) + 1):
        for columns in combinations(range(len(branches)), size):
            means = energy[:, columns].mean(1)
            if np.isfinite(means).any():
                names = "+".join(branches[column] for column in columns)
                quantiles[names] = np.nanquantile(means, STEPS)
    return quantiles


def unfamiliar(model: KeptModel, energy: np.ndarray) -> np.ndarray:
    """The share (trial,) of training trials with less energy, NaN without an energy."""
    shares = np.full(len(energy), np.nan)
    for row, names in enumerate(sets_of(energy, model.branches)):
        if names in model.familiar:
            mean = np.nanmean(energy[row])
            shares[row] = np.interp(mean, model.familiar[names], STEPS)
    return shares
