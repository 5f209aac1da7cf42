"""Three ways to standardise a new person, trial by trial: the file of chapter 10.

    python -m data.make.baselines_of_people [--cohorts 1001 1002] [--wesad ROOT]

Writes ``data/results/normalisation.csv``: for each data set and predictor the KL of new
people at trial level, of all their trials and of the first, second, ... that each of
them came to; rows of other data sets stay. Cohort 0 is that of the book, the others are
of development: nothing here is a confirmation. A network is trained once for
``transductive`` and ``running``, which differ for new people alone.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mpcl import MPCLConfig, provenance, splits
from mpcl.data.catalogue import open_dataset
from mpcl.data.contract import trials
from mpcl.evaluation import metrics
from mpcl.evaluation.predict import held_out
from mpcl.files import write_text
from mpcl.normalisation import WAYS
from mpcl.training import loop
from mpcl.training.settings import Settings

PATH = provenance.ROOT / "data" / "results" / "normalisation.csv"
PEOPLE, SEED = 24, 0
SETTINGS = Settings(precision="float32")


def of_networks(dataset: xr.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Each way and what MPCL predicts (window, emotion) of everybody, held out once."""
    folds = splits.folds(dataset, "participants")
    config = MPCLConfig.from_dataset(dataset)
    models: dict[str, Any] = {}
    for way in WAYS:
        trained_as = "inductive" if way == "inductive" else "transductive"
        settings = replace(SETTINGS, normalisation=way)
        if trained_as not in models:
            fitted = loop.fit(config, dataset, folds, [SEED], settings, "cpu")
            models[trained_as] = fitted.models
        predicted = np.full(dataset.distribution.shape, np.nan)
        for fold, model in zip(folds, models[trained_as], strict=True):
            training, test = splits.part(dataset, fold)
            rows = list(fold.held_out)
            predicted[rows] = loop.predict(model, test, training, settings)
        yield way, predicted


def of_learner(dataset: xr.Dataset, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """The same of another predictor."""
    for way in WAYS:
        settings = replace(SETTINGS, normalisation=way)
        yield way, held_out(dataset, name, settings=settings).predicted.values[0]


def scores(dataset: xr.Dataset, predicted: np.ndarray) -> Iterator[tuple[int, float]]:
    """KL at trial level: 0 and the mean of people, n and the mean of n-th trials."""
    grouped = trials(dataset)
    label = grouped.mean(dataset.distribution.values)
    columns = {
        "kl": metrics.kl(label, grouped.mean(predicted)),
        "person": dataset.participant.values[grouped.first],
        "start": dataset.start.values[grouped.first],
    }
    table = pd.DataFrame(columns).sort_values(["person", "start"])
    table["trial"] = table.groupby("person").cumcount() + 1
    yield 0, table.groupby("person").kl.mean().mean()
    for trial in range(1, int(table.trial.max()) + 1):
        yield trial, table.kl[table.trial == trial].mean()


def main() -> None:
    """Measure what is named, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    cohorts = [0, 1001, 1002]
    parser.add_argument("--cohorts", type=int, nargs="*", default=cohorts)
    parser.add_argument("--wesad", help="folder of the official files")
    options = parser.parse_args()
    datasets = {
        f"simulated {seed}": open_dataset("simulated", participants=PEOPLE, seed=seed)
        for seed in options.cohorts
    }
    if options.wesad:
        datasets["wesad"] = open_dataset("wesad", options.wesad)
    table = pd.read_csv(PATH)
    rows = table[~table.dataset.isin(list(datasets))].values.tolist()
    for name, dataset in datasets.items():
        for predictor in ("mean_label", "ridge", "mpcl"):
            is_network = predictor == "mpcl"
            ways = (
                of_networks(dataset) if is_network else of_learner(dataset, predictor)
            )
            for way, predicted in ways:
                for trial, kl in scores(dataset, predicted):
                    rows.append([name, predictor, way, trial, round(kl, 4)])
                print(*rows[-1], flush=True)
        renewed = pd.DataFrame(rows, columns=table.columns)
        write_text(renewed.to_csv(index=False), PATH)


if __name__ == "__main__":
    main()
