"""Predictions of held-out windows: every score, table and figure begins with these."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mpcl import splits
from mpcl.errors import ParameterError
from mpcl.evaluation.blind import (
    Predictor,
    equipped,
    predictions,
    shuffled,
    without_truth,
)
from mpcl.evaluation.predictors import make
from mpcl.training.settings import Settings


def held_out(
    dataset: xr.Dataset,
    method: str | Predictor,
    protocol: str = "participants",
    seeds: Sequence[int] = (0,),
    settings: Settings | None = None,
    device: str = "auto",
    *,
    folds: Sequence[splits.Fold] | None = None,
    **changes: Any,
) -> xr.Dataset:
    """Hold windows out, learn from the others, and predict them without their answers.

    Args:
        dataset: follows the contract.
        method: a name in :data:`mpcl.evaluation.predictors.PREDICTORS`, or a predictor,
            which is copied for each fold and seed.
        protocol: see :mod:`mpcl.splits`. Of ``participants-without-behavioural`` the
            held-out windows lack that branch, and nobody was told before.
        settings: the defaults of a name, and those that a predictor has, if None.
        folds: some of the protocol, or others; all of it by default.
        changes: settings, or parameters of the named predictor, such as ``alpha=300``.

    Returns:
        ``predicted (seed, window, emotion)``, NaN in windows that no fold holds out;
        with ``participants-after-K``, in those of trials whose answers can be told too.

    Raises:
        ParameterError: for an unknown name or parameter.
        NotApplicable: for what has no meaning here.

    Example:
        >>> from mpcl.simulation.cohort import cohort
        >>> held_out(cohort(3, 4, 2), "ridge", alpha=300.0).predicted.sizes["window"]
        24
    """
    if isinstance(method, str):
        dataset = studied(dataset, method)
        predictor = make(method, settings, device, **changes)
    elif changes:
        raise ParameterError(
            f"{', '.join(changes)}: give parameters to the predictor where it is made"
        )
    else:
        predictor = equipped(method, settings=settings, device=device)
    dataset, seeds = without_truth(dataset), list(seeds)
    every = splits.folds(dataset, protocol) if folds is None else folds
    predicted = np.full((len(seeds), *dataset.distribution.shape), np.nan)
    for fold, seed, guess in predictions(dataset, predictor, protocol, every, seeds):
        predicted[seeds.index(seed), list(fold.held_out)] = guess
    if splits.count_answered(protocol) is not None:
        is_early = splits.turns(dataset) < splits.most_answered(dataset)
        predicted[:, is_early] = np.nan
    name = method if isinstance(method, str) else type(method).__name__
    windows = {
        name: values
        for name, values in dataset.coords.items()
        if values.dims in (("window",), ("emotion",))
        and name not in ("seed", "predicted")
    }
    return xr.Dataset(
        {"predicted": (("seed", "window", "emotion"), predicted)},
        {"seed": seeds, **windows},
        {"predictor": name, "protocol": protocol},
    )


def studied(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """What a method is run and scored on: labels dealt anew for ``shuffled_labels``."""
    return shuffled(dataset) if name == "shuffled_labels" else dataset
