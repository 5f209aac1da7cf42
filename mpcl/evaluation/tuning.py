"""Tuning: as many trials for every method, on training participants alone, and a record of each.

``python -m mpcl.evaluation.tuning data/results/tuning-simulated.csv`` makes the record of two simulated cohorts
that are for development; the defaults of every method are chosen from it. ``python -m mpcl.evaluation.tuning
data/results/sweep-simulated.csv sweep`` changes one setting of the network at a time, on cohorts of the same kind.
"""

import json
import math
import os
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mpcl.data import simulated
from mpcl.data.contract import modalities
from mpcl.evaluation.baselines.catalogue import BASELINES
from mpcl.evaluation.metrics import participant_scores
from mpcl.model.network import MPCLConfig
from mpcl.settings import ParameterError, Settings
from mpcl.splits import inner, part, participants
from mpcl.training import fit, predict

TRIALS = 20
COHORTS = (1001, 1002)  # two of the four that are for development (1001-1004)
LOOP = {"learning_rate": (1e-3, 3e-3, 1e-2), "weight_decay": (0.1, 0.3, 1.0), "mixup": (0.0, 0.2, 0.4),
        "dropout": (0.1, 0.3, 0.5)}
SPACE = {
    "ridge": {"alpha": tuple(np.geomspace(10, 10_000, 20).round().tolist())},
    "knn": {"neighbours": tuple(np.unique(np.geomspace(5, 300, 20).round().astype(int)).tolist())},
    "forest": {"leaf": (3, 5, 10, 20, 40), "share": (0.1, 0.2, 0.3, 0.5)},
    "trees": {"leaf": (1, 3, 5, 10, 20), "share": (0.1, 0.3, 0.5, 1.0)},
    "boosting": {"rounds": (50, 100, 200), "depth": (2, 3, 4), "rate": (0.05, 0.1, 0.2), "share": (0.1, 0.3)},
    "mlp": LOOP | {"width": (64, 128, 256)},
    "transformer": LOOP | {"width": (32, 48, 64), "layers": (1, 2)},
    "emotiondict": LOOP | {"elements": (8, 16, 24), "w_modality": (0.1, 0.3, 1.0), "w_dictionary": (0.0, 0.1)},
    "helo": LOOP | {"epsilon": (0.05, 0.1, 0.5), "w_transport": (0.0, 0.1, 0.3), "w_labels": (0.1, 1.0)},
    "mpcl": LOOP | {"modality_dropout": (0.0, 0.1, 0.2)},
}
CHANGES = {
    "betas": ((0.25,), (1.0,), (4.0,), (0.25, 1.0), (0.25, 1.0, 4.0, 16.0)),
    "prototypes_per_emotion": (1, 4, 8),
    "temperature": (0.1, 1.0),
    "cooccurrence_strength": (1.0, 100.0, 1600.0, 6400.0),
    "width": (24, 96),
    "moments": (1, 2, 5),
    "modalities": ("physiological", "behavioural", "eeg", "eda", "face"),
}


def candidates(space, trials=TRIALS, seed=0):
    """Draw different points of a space, each equally probable.

    Args:
        space: dict from parameter to its possible values.
        trials: how many; all of them where there are fewer.
        seed: int.

    Returns:
        list of dicts.

    Example:
        >>> candidates({"alpha": (1, 10), "beta": (0,)})
        [{'alpha': 1, 'beta': 0}, {'alpha': 10, 'beta': 0}]
    """
    shape = [len(values) for values in space.values()]
    drawn = np.random.default_rng(seed).choice(math.prod(shape), min(trials, math.prod(shape)), replace=False)
    places = np.stack(np.unravel_index(drawn, shape), 1)  # (trial, parameter)
    return [{name: values[place] for (name, values), place in zip(space.items(), row, strict=True)} for row in places]


def validate(method, training, fold, hyper, seed=0, settings=None):
    """KL of one candidate on the participants that an inner fold holds out, window level, averaged over them.

    Args:
        method: name in ``SPACE``.
        training: the training windows of an outer fold, or a development cohort.
        fold: one of :func:`mpcl.splits.inner` of them.
        hyper: dict of parameters.
        seed: int.
        settings: :class:`mpcl.settings.Settings`; the defaults if None.

    Returns:
        float, in nats.
    """
    known, held_out = part(training, fold)
    settings, unlabelled = settings or Settings(), held_out.drop_vars(
        [name for name in held_out.data_vars if name in ("distribution", "rating") or name.startswith("truth_")])
    if method == "mpcl":
        of_loop = {name: hyper[name] for name in hyper if name in {f.name for f in fields(Settings)}}
        of_model = {name: hyper[name] for name in hyper if name not in of_loop}
        settings, config = replace(settings, **of_loop), MPCLConfig.from_dataset(known, **of_model)
        model = fit(config, training, [fold], [seed], settings, "cpu").models[0]
        predicted = predict(model, unlabelled, known, settings)
    else:
        predicted = BASELINES[method](seed=seed, settings=settings, **hyper).fit(known).predict(unlabelled)
    return float(participant_scores(held_out, predicted).sel(metric="kl").mean())


def tune(method, training, trials=TRIALS, seed=0, settings=None, protocol="participants"):
    """Try points of a method's space by five-fold validation inside the training windows.

    Args:
        method, training, settings: see :func:`validate`.
        trials: how many points.
        seed: of the points and of the fits.
        protocol: of the outer folds; the inner ones are grouped alike.

    Returns:
        tuple of the best parameters (dict) and a :class:`pandas.DataFrame` (method, trial, hyper, fold, kl).

    Raises:
        ParameterError: for a method without a space.
    """
    if method not in SPACE:
        raise ParameterError(f"nothing to tune in {method!r}; choose from {', '.join(SPACE)}")
    tried = candidates(SPACE[method], trials, seed)
    rows = [{"method": method, "trial": trial, "hyper": json.dumps(hyper), "fold": number,
             "kl": validate(method, training, fold, hyper, seed, settings)}
            for trial, hyper in enumerate(tried)
            for number, fold in enumerate(inner(training, protocol))]
    record = pd.DataFrame(rows)
    return tried[record.groupby("trial").kl.mean().idxmin()], record


def tune_simulated(method, trials=TRIALS, settings=None, cohorts=COHORTS):
    """Try points of a method's space on the development cohorts, on one inner fold of each, a different one.

    Args:
        method, trials, settings: see :func:`tune`.
        cohorts: seeds of the cohorts, 24 participants, 16 clips and 5 windows a trial each.

    Returns:
        :class:`pandas.DataFrame` (method, trial, hyper, cohort, kl).
    """
    parts = [(number, own, inner(own, "participants")) for number in cohorts for own in [simulated.cohort(seed=number)]]
    return pd.DataFrame([
        {"method": method, "trial": trial, "hyper": json.dumps(hyper), "cohort": number,
         "kl": round(validate(method, own, folds[place % len(folds)], hyper, 0, settings), 5)}
        for trial, hyper in enumerate(candidates(SPACE[method], trials))
        for place, (number, own, folds) in enumerate(parts)])


def sweep(settings=None, cohorts=COHORTS, seeds=(0, 1), changes=None):
    """The network with one setting changed at a time, and with fewer modalities: everybody held out once.

    Args:
        settings: :class:`mpcl.settings.Settings`.
        cohorts: seeds of development cohorts, 24 participants, 16 clips and 5 windows a trial each.
        seeds: of the networks, over which a participant's score is averaged.
        changes: dict from a setting of :class:`mpcl.model.network.MPCLConfig`, ``moments`` or ``modalities`` to the
            values tried, ``CHANGES`` by default.

    Returns:
        :class:`pandas.DataFrame` (setting, value, cohort, participant, kl).
    """
    settings, frames = settings or Settings(), []
    tried = [("default", None)] + [(name, value) for name, values in (changes or CHANGES).items() for value in values]
    for number in cohorts:
        whole = simulated.cohort(seed=number)
        for name, value in tried:
            lost = [m for m in modalities(whole) if name == "modalities" and m != value
                    and whole[m].attrs["branch"] != value]
            own, training = whole.drop_vars(lost), replace(settings, moments=value) if name == "moments" else settings
            changed = {} if name in ("default", "moments", "modalities") else {name: value}
            kl = _held_out(own, changed, seeds, training).round(5)
            frames.append(pd.DataFrame({"setting": name, "value": str(value or ""), "cohort": number,
                                        "participant": kl.index, "kl": kl.values}))
    return pd.concat(frames, ignore_index=True)


def _held_out(dataset, changed, seeds, settings):
    """KL of each participant of a cohort, held out once, averaged over seeds: :class:`pandas.Series`."""
    every = participants(dataset)
    result = fit(MPCLConfig.from_dataset(dataset, **changed), dataset, every, list(seeds), settings, "cpu")
    found = []
    for fold, model in zip(result.folds, result.models, strict=True):
        known, held_out = part(dataset, fold)
        predicted = predict(model, held_out, known, settings)
        found.append(participant_scores(held_out, predicted).sel(metric="kl").to_series())
    return pd.concat(found).groupby(level=0).mean()


def _write(record, out):
    part_file = out.with_name(f".{out.name}.{os.getpid()}.part")
    record.to_csv(part_file, index=False)
    os.replace(part_file, out)


def main(out, *methods):
    """Tune methods (all by default) on the development cohorts; rows of other methods in the file are kept.

    The word ``sweep`` in place of a method makes the record of :func:`sweep`.
    """
    out, settings = Path(out), Settings(epochs=10, precision="float32")
    if methods == ("sweep",):
        return _write(sweep(Settings(precision="float32")), out)
    for method in methods or SPACE:
        record = tune_simulated(method, settings=settings)
        if out.exists():
            before = pd.read_csv(out)
            record = pd.concat([before[before.method != method], record])
        _write(record, out)
        mean = record[record.method == method].groupby("hyper").kl.mean().sort_values()
        print(f"{method}: {mean.iloc[0]:.4f} {mean.index[0]}, median {mean.median():.4f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
