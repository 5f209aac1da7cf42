"""What classical learners are given: a table of z-scores, and random numbers."""

import zlib

import numpy as np
import xarray as xr

from mpcl.data.contract import measured, trials
from mpcl.normalisation import standardise


def table(
    dataset: xr.Dataset, training: xr.Dataset, how: str, reads: str
) -> np.ndarray:
    """Modalities side by side, and a column for each that says whether it is present.

    No label is read. Modalities without a value in the training windows are left out.

    Args:
        dataset: the windows.
        training: what the learner is trained on.
        how: of :func:`mpcl.normalisation.standardise`; a missing feature is 0.
        reads: ``windows``, a row each, or ``trials``, of which a feature is the mean
            over the windows in which its modality is present.
    """
    standard, names = standardise(dataset, training, how), measured(training)
    columns = [list(standard.features).index(name) for name in names]
    features = np.concatenate([standard.features[name] for name in names], 1)
    present = standard.present[:, columns]  # (window, modality)
    if reads == "trials":
        grouped = trials(dataset)
        present = grouped.mean(present)  # (trial, modality), a share
        sizes = [standard.features[name].shape[1] for name in names]
        share = np.repeat(present, sizes, 1)  # (trial, feature)
        features = grouped.mean(features) / np.where(share > 0, share, 1)
        present = present > 0
    return np.concatenate([features, present], 1)


def key(training: xr.Dataset, seed: int) -> tuple[int, int]:
    """What the random numbers of a fit depend on: the seed, and which windows train."""
    trial, start = training.trial.values.tolist(), training.start.values.tolist()
    windows = [f"{name} {second}" for name, second in zip(trial, start, strict=True)]
    return seed, zlib.crc32("\0".join(windows).encode())
