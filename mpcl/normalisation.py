"""Features to z-scores, in one of two ways that are always named.

* ``transductive``: each participant by their own mean and spread, over all of their windows. For a
  held-out participant this uses unlabelled windows of the future; no label is read.
* ``inductive``: everybody by the mean and spread of the training windows alone.

Where a participant stands on both sides (whole trials or clips held out), the held-out windows are scaled by all of
that participant's windows, the training ones too: one trial by its own mean would lose its level. The training
windows are scaled by the training windows alone, because a fit never reads a held-out window. The two sides then
differ a little in scale, and that difference is part of the score.

The choice moves scores more than most components of a model do, so every score names its own.
"""

from typing import NamedTuple

import numpy as np

from mpcl.data.contract import DatasetError, missing, modalities

LIMIT = 4.0  # z-scores are clipped here: an artefact should not outvote the rest
WAYS = ("transductive", "inductive")


class Standardised(NamedTuple):
    """Features ready for a model.

    Attributes:
        features: dict from modality to array (window, feature), in standard deviations, 0 where missing.
        present: bool array (window, modality), False where a modality is missing.
    """

    features: dict
    present: np.ndarray


def standardise(dataset, training, how="transductive"):
    """Z-score every feature of a data set.

    A constant feature becomes 0; a value that is missing becomes 0 after the z-score.

    Args:
        dataset: the windows to standardise.
        training: the windows that train; ``transductive`` reads those of participants who are in ``dataset`` too.
        how: ``transductive`` or ``inductive``.

    Returns:
        :class:`Standardised`.

    Raises:
        DatasetError: for another way.
    """
    if how not in WAYS:
        raise DatasetError(f"unknown normalisation {how!r}; choose {' or '.join(WAYS)}")
    features, person = {}, dataset.participant.values.astype(str)
    more = _others(training, dataset) if how == "transductive" else None
    for name in modalities(dataset):
        values = dataset[name].values.astype(float)  # (window, feature)
        scaled = np.empty_like(values)
        if how == "inductive":
            scaled = _zscore(values, training[name].values.astype(float))
        else:
            for participant in np.unique(person):
                own, added = person == participant, more.participant.values.astype(str) == participant
                reference = np.concatenate([values[own], more[name].values[added].astype(float)])
                scaled[own] = _zscore(values[own], reference)
        features[name] = np.clip(np.nan_to_num(scaled, nan=0.0), -LIMIT, LIMIT)
    return Standardised(features, ~missing(dataset).values)


def _others(training, dataset):
    """The training windows that are not in ``dataset``: none where a fit scales its own windows."""
    if training is dataset:
        return training.isel(window=slice(0))
    known = set(zip(dataset.trial.values.tolist(), dataset.start.values.tolist(), strict=True))
    windows = zip(training.trial.values.tolist(), training.start.values.tolist(), strict=True)
    return training.isel(window=np.array([window not in known for window in windows], bool))


def _zscore(values, reference):
    """Z-scores of ``values`` by the columns of ``reference``, both (window, feature); NaN is left out."""
    known = np.isfinite(reference)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, reference, 0).sum(0) / count
    spread = np.sqrt((np.where(known, reference - mean, 0) ** 2).sum(0) / count)
    constant = spread <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
    return np.where(constant, 0.0, (values - mean) / np.where(constant, 1, spread))
