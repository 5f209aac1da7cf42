"""Tuning: as many trials for every predictor, on training participants alone.

``python -m data.make.tuning data/results/tuning-simulated.csv`` makes the record of two
simulated cohorts that are for development; the defaults of every predictor are chosen
from it. All read trials and are scored at the level of trials, as they are compared.
Trial 0 of the network is the network as it was frozen.
``python -m data.make.tuning data/results/sweep-simulated.csv sweep`` changes one
setting of the network at a time, on cohorts of the same kind.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data.contract import modalities
from mpcl.evaluation.blind import Predictor
from mpcl.evaluation.metrics import participant_scores
from mpcl.evaluation.predict import held_out
from mpcl.files import write_text
from mpcl.simulation import cohort as simulated
from mpcl.splits import Fold, inner
from mpcl.training.settings import Settings

TRIALS = 20
COHORTS = (1001, 1002)  # two of the four that are for development (1001-1004)
LOOP: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 3e-3, 1e-2),
    "weight_decay": (0.1, 0.3, 1.0),
    "mixup": (0.0, 0.2, 0.4),
    "dropout": (0.1, 0.3, 0.5),
}
SPACE: dict[str, dict[str, tuple[Any, ...]]] = {
    "ridge": {"alpha": tuple(np.geomspace(10, 10_000, 20).round().tolist())},
    "knn": {
        "neighbours": tuple(
            np.unique(np.geomspace(5, 300, 20).round().astype(int)).tolist()
        )
    },
    "forest": {"leaf": (3, 5, 10, 20, 40), "share": (0.1, 0.2, 0.3, 0.5)},
    "trees": {"leaf": (1, 3, 5, 10, 20), "share": (0.1, 0.3, 0.5, 1.0)},
    "boosting": {
        "rounds": (50, 100, 200),
        "depth": (2, 3, 4),
        "rate": (0.05, 0.1, 0.2),
        "share": (0.1, 0.3),
    },
    "mlp": LOOP | {"width": (64, 128, 256)},
    "transformer": LOOP | {"width": (32, 48, 64), "layers": (1, 2)},
    "emotiondict": LOOP
    | {
        "elements": (8, 16, 24),
        "w_modality": (0.1, 0.3, 1.0),
        "w_dictionary": (0.0, 0.1),
    },
    "helo": LOOP
    | {
        "epsilon": (0.05, 0.1, 0.5),
        "w_transport": (0.0, 0.1, 0.3),
        "w_labels": (0.1, 1.0),
    },
    "mpcl": LOOP | {"modality_dropout": (0.0, 0.1, 0.2)},
}
FROZEN = {  # what the network has by default
    "learning_rate": 3e-3,
    "weight_decay": 0.3,
    "mixup": 0.4,
    "dropout": 0.3,
    "modality_dropout": 0.1,
}
CHANGES: dict[str, tuple[Any, ...]] = {
    "betas": ((0.25,), (1.0,), (4.0,), (0.25, 1.0), (0.25, 1.0, 4.0, 16.0)),
    "prototypes_per_emotion": (1, 4, 8),
    "temperature": (0.1, 1.0),
    "cooccurrence_strength": (1.0, 100.0, 1600.0, 6400.0),
    "width": (24, 96),
    "moments": (1, 2, 5),
    "modalities": ("physiological", "behavioural", "eeg", "eda", "face"),
}


def candidates(
    space: Mapping[str, Sequence[Any]], trials: int = TRIALS, seed: int = 0
) -> list[dict[str, Any]]:
    """Draw different points of a space, each equally probable; all where there are
    fewer.

    Args:
        space: from a parameter to its possible values.

    Example:
        >>> candidates({"alpha": (1, 10), "beta": (0,)})
        [{'alpha': 1, 'beta': 0}, {'alpha': 10, 'beta': 0}]
    """
    shape = [len(values) for values in space.values()]
    count = math.prod(shape)
    random = np.random.default_rng(seed)
    drawn = random.choice(count, min(trials, count), replace=False)
    points = []
    for places in zip(*np.unravel_index(drawn, shape), strict=True):
        pairs = zip(space.items(), places, strict=True)
        points.append({name: values[place] for (name, values), place in pairs})
    return points


def validate(
    predictor: str | Predictor,
    training: xr.Dataset,
    fold: Fold,
    hyper: Mapping[str, Any],
    seed: int = 0,
    settings: Settings | None = None,
) -> float:
    """KL of one candidate on the participants that an inner fold holds out, in nats.

    At the level of trials, averaged over them.

    Args:
        training: the training windows of an outer fold, or a development cohort.
        fold: one of :func:`mpcl.splits.inner` of them.
        hyper: settings, and parameters of the predictor.
    """
    predicted = held_out(
        training,
        predictor,
        "participants",
        [seed],
        settings,
        "cpu",
        folds=[fold],
        **hyper,
    ).predicted
    rows = list(fold.held_out)
    guess = predicted.isel(seed=0, window=rows).values
    scores = participant_scores(training.isel(window=rows), guess, "trial")
    return float(scores.sel(metric="kl").mean())


def tune_simulated(
    predictor: str,
    trials: int = TRIALS,
    settings: Settings | None = None,
    cohorts: Sequence[int] = COHORTS,
) -> pd.DataFrame:
    """Try points of a space on the development cohorts, on another inner fold of each.

    Args:
        cohorts: seeds of the cohorts, 24 participants, 16 clips and 5 windows a trial
            each.

    Returns:
        (predictor, trial, hyper, cohort, kl).
    """
    studies = [simulated.cohort(seed=number) for number in cohorts]
    rows = []
    points = candidates(SPACE[predictor], trials)
    if predictor == "mpcl":
        points = [FROZEN, *(point for point in points if point != FROZEN)][:trials]
    for trial, hyper in enumerate(points):
        for place, (number, study) in enumerate(zip(cohorts, studies, strict=True)):
            folds = inner(study, "participants")
            fold = folds[place % len(folds)]
            kl = validate(predictor, study, fold, hyper, 0, settings)
            rows.append([predictor, trial, json.dumps(hyper), number, round(kl, 5)])
    return pd.DataFrame(rows, columns=["predictor", "trial", "hyper", "cohort", "kl"])


def sweep(
    settings: Settings | None = None,
    cohorts: Sequence[int] = COHORTS,
    seeds: Sequence[int] = (0, 1),
    changes: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """The network with one setting changed at a time, and with fewer modalities.

    Everybody is held out once; a participant's score is averaged over the seeds.

    Args:
        cohorts: seeds of development cohorts, 24 participants, 16 clips and 5 windows a
            trial each.
        changes: from a setting, or ``modalities``, to the values tried; ``CHANGES`` by
            default.

    Returns:
        (setting, value, cohort, participant, kl).
    """
    tried: list[tuple[str, Any]] = [("default", None)]
    for name, values in (changes or CHANGES).items():
        tried += [(name, value) for value in values]
    frames = []
    for number in cohorts:
        whole = simulated.cohort(seed=number)
        for name, value in tried:
            study = only(whole, value) if name == "modalities" else whole
            changed = {} if name in ("default", "modalities") else {name: value}
            kl = mean_kl(study, changed, seeds, settings)
            frame = {
                "setting": name,
                "value": str(value or ""),
                "cohort": number,
                "participant": kl.index,
                "kl": kl.round(5).values,
            }
            frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def only(dataset: xr.Dataset, chosen: str) -> xr.Dataset:
    """A data set with one modality, or with those of one branch."""
    lost = [
        name
        for name in modalities(dataset)
        if chosen not in (name, dataset[name].attrs["branch"])
    ]
    return dataset.drop_vars(lost)


def mean_kl(
    dataset: xr.Dataset,
    changed: Mapping[str, Any],
    seeds: Sequence[int],
    settings: Settings | None,
) -> pd.Series:
    """KL of each participant of a cohort, held out once, averaged over seeds."""
    predicted = held_out(
        dataset, "mpcl", "participants", seeds, settings, "cpu", **changed
    ).predicted
    scores = [participant_scores(dataset, guess) for guess in predicted.values]
    return xr.concat(scores, "seed").sel(metric="kl").mean("seed").to_series()


def main(out: str, *predictors: str) -> None:
    """Tune predictors, all by default, on the development cohorts.

    Rows of others in the file are kept. The word ``sweep`` in place of a predictor
    makes the record of :func:`sweep`.
    """
    path, settings = Path(out), Settings(epochs=10, precision="float32")
    if predictors == ("sweep",):
        record = sweep(Settings(precision="float32"))
        write_text(record.to_csv(index=False), path)
        return
    for name in predictors or SPACE:
        record = tune_simulated(name, settings=settings)
        mean = record.groupby("hyper").kl.mean().sort_values()
        if path.exists():
            before = pd.read_csv(path)
            record = pd.concat([before[before.predictor != name], record])
        write_text(record.to_csv(index=False), path)
        best = f"{mean.iloc[0]:.4f} {mean.index[0]}"
        print(f"{name}: {best}, median {mean.median():.4f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
