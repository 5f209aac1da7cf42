"""What every baseline is given: z-scored features, which modality was there, labels, and the weight of a window."""

import zlib
from typing import NamedTuple

import numpy as np

from mpcl.data.contract import DatasetError, missing, modalities
from mpcl.normalisation import standardise


class Inputs(NamedTuple):
    """The features of some windows, side by side.

    Attributes:
        features: array (window, feature) in standard deviations, 0 where missing.
        present: bool array (window, modality).
    """

    features: np.ndarray
    present: np.ndarray


def measured(training):
    """The modalities that a learner can learn from: those with a value somewhere in the training windows.

    Args:
        training: the training windows, a data set that follows the contract.

    Returns:
        list of str.

    Raises:
        DatasetError: if there is none.
    """
    there = ~missing(training).values.all(0)
    if not there.any():
        raise DatasetError("no modality has a single value, so there is nothing to learn from",
                           training.attrs.get("dataset", ""))
    return [name for name, known in zip(modalities(training), there, strict=True) if known]


def inputs(dataset, training, how):
    """Standardise windows and lay their modalities side by side; no label is read.

    Args:
        dataset: the windows, with or without labels.
        training: the training windows, which say what is measured at all.
        how: see :func:`mpcl.normalisation.standardise`.

    Returns:
        :class:`Inputs`.
    """
    standard, names = standardise(dataset, training, how), measured(training)
    columns = [list(standard.features).index(name) for name in names]
    return Inputs(np.concatenate([standard.features[name] for name in names], 1), standard.present[:, columns])


def trial_weights(dataset):
    """A weight for each window, so that trials count alike; their mean is 1.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        array (window,).

    Example:
        >>> import xarray as xr
        >>> trial_weights(xr.Dataset(coords={"trial": ("window", ["a", "a", "a", "b"])})).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    trial, windows = np.unique(dataset.trial.values.astype(str), return_inverse=True, return_counts=True)[1:]
    return len(trial) / len(windows) / windows[trial]


def key(training, seed):
    """What the random numbers of a fit depend on: the seed, and which windows train.

    Args:
        training: the training windows.
        seed: int.

    Returns:
        tuple of two int, for :func:`numpy.random.default_rng`.
    """
    windows = zip(training.trial.values.tolist(), training.start.values.tolist(), strict=True)
    return seed, zlib.crc32("\0".join(f"{trial} {start}" for trial, start in windows).encode())
