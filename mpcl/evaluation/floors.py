"""Predictors that read no signal: the floors that stand beside every score.

Each takes the training windows and the held-out windows and returns distributions
(window, emotion) for the latter. Means weigh each trial equally, however many windows it has.
"""

import numpy as np


def uniform(train, test):
    """The same share for each emotion.

    Args:
        train: data set of the training participants (not read).
        test: data set of the held-out participants.

    Returns:
        array (window, emotion).
    """
    return np.full((test.sizes["window"], test.sizes["emotion"]), 1 / test.sizes["emotion"])


def mean_label(train, test):
    """The mean label of the training participants, whatever the signals say.

    Args:
        train: data set of the training participants.
        test: data set of the held-out participants.

    Returns:
        array (window, emotion).
    """
    return np.repeat(trial_labels(train).mean("trial").values[None], test.sizes["window"], 0)


def condition_oracle(train, test):
    """The mean training label of the true clip (WESAD: condition), which the oracle is *told*.

    No model is told this. Where a clip was never seen in training, the mean label stands in.

    Args:
        train: data set of the training participants.
        test: data set of the held-out participants; its coordinate ``clip`` is read.

    Returns:
        array (window, emotion).
    """
    labels = trial_labels(train)
    means = {clip: own.mean("trial").values for clip, own in labels.groupby("clip")}
    return np.stack([means.get(clip, labels.mean("trial").values) for clip in test["clip"].values])


def trial_labels(dataset):
    """The mean label of each trial, so that trials weigh equally.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        :class:`xarray.DataArray` (trial, emotion) with the coordinates ``clip`` and ``participant``.
    """
    first = np.unique(dataset.trial.values.astype(str), return_index=True)[1]
    labels = dataset.distribution.groupby("trial").mean()
    about = {name: ("trial", dataset[name].values[first]) for name in ("clip", "participant")}
    return labels.transpose("trial", "emotion").assign_coords(about)


FLOORS = {"uniform": uniform, "mean_label": mean_label, "condition_oracle": condition_oracle}
