"""Trials that are copies of one another: the same recording under two names."""

import numpy as np
import xarray as xr

from mpcl.data.contract import modalities, trials

DISTINCT = 6  # different numbers that a trial must hold to be told apart by them
SHOWN = 5  # pairs named


def copies(dataset: xr.Dataset) -> list[str]:
    """A sentence for trials that are equal in every number of every modality.

    Held out beside its copy, a trial is known before it is predicted.

    Example:
        >>> from mpcl.simulation.cohort import cohort
        >>> study = cohort(participants=2, clips=2, windows=2, seed=1)
        >>> twice = study.isel(window=[*range(8), 0, 1])
        >>> names = ("window", [*study.trial.values, "P09-a", "P09-a"])
        >>> copies(study), copies(twice.assign_coords(trial=names))
        ([], ['trials P01-C02 and P09-a have the same numbers: is one a copy?'])
    """
    numbers = np.hstack([dataset[name].values for name in modalities(dataset)])
    grouped, start = trials(dataset), dataset.start.values
    order = np.lexsort((start, grouped.of_window))
    seen: dict[bytes, str] = {}
    pairs: list[tuple[str, str]] = []
    pieces = np.split(numbers[order], np.cumsum(grouped.counts)[:-1])
    for name, piece in zip(grouped.names.tolist(), pieces, strict=True):
        if len(np.unique(piece[np.isfinite(piece)])) < DISTINCT:
            continue
        first = seen.setdefault(piece.tobytes(), name)
        if first != name:
            pairs.append((first, name))
    sentences = [
        f"trials {first} and {second} have the same numbers: is one a copy?"
        for first, second in pairs[:SHOWN]
    ]
    if len(pairs) > SHOWN:
        sentences.append(f"so have {len(pairs) - SHOWN} more pairs of trials")
    return sentences
