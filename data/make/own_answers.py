"""What a person's own few answers are worth, for every predictor: two results files.

::

    python -m data.make.own_answers data/results/own-answers-gaussian

writes ``...-running.nc`` and ``...-transductive.nc``. The protocols are
``participants-after-K``. Nothing that is trained depends on K, or on which of these
normalisations held-out people get, so each predictor is fitted once; ``mpcl evaluate``
with one of the protocols gives the same scores, and fits anew.
"""

import argparse
import copy
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mpcl.data.catalogue import open_dataset
from mpcl.evaluation import results
from mpcl.evaluation.blind import Predictor, asked, fit_folds, without_truth
from mpcl.evaluation.personal import Personal
from mpcl.evaluation.predictors import BETAS, PREDICTORS, made, make
from mpcl.files import write_netcdf
from mpcl.splits import AFTER, Fold, folds, most_answered, names, part, turns
from mpcl.training.settings import Settings

DIMENSIONS = ("seed", "window", "emotion")
BASES = ("mean_label", "ridge", "forest", "mpcl", "transformer")
NAMES = (
    "own_mean", "mean_label_corrected", "ridge", "ridge-corrected", "forest",
    "forest-corrected", "transformer", "transformer-corrected", "mpcl",
    "mpcl-corrected", "mpcl-remembers",
)  # fmt: skip


def counts(dataset: xr.Dataset) -> list[int]:
    """How many answers are told: 0, 1, 2, 4, ..."""
    return [0, *(1 << power for power in range(most_answered(dataset).bit_length()))]


def ways(fitted: Personal, base: str) -> dict[str, Predictor]:
    """A fitted predictor plain, and corrected in each way, by its name."""
    plain: Predictor = fitted.base
    if base == "mean_label":
        return {base: plain, "mean_label_corrected": fitted}
    by_mean = fitted.chosen((0.0,))
    if base != "mpcl":
        return {base: plain, f"{base}-corrected": by_mean}
    return {base: plain, "mpcl-corrected": by_mean, "mpcl-remembers": fitted}


class Kept:
    """A fitted predictor that is asked once about the same people."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted
        self.answers: dict[tuple[str, ...], np.ndarray] = {}

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion)."""
        return self._answer(self.fitted.predict, test)

    def keys(self, test: xr.Dataset) -> np.ndarray:
        """Of trials (trial, D)."""
        return self._answer(self.fitted.keys, test)

    def _answer(
        self, ask: Callable[[xr.Dataset], np.ndarray], test: xr.Dataset
    ) -> np.ndarray:
        about = (ask.__name__, *names(test))
        if about not in self.answers:
            self.answers[about] = ask(test)
        return self.answers[about]


class Once:
    """A predictor that is fitted once a fold and seed, and asked with any settings."""

    def __init__(self, base: Predictor) -> None:
        self.base = base
        self.fits: dict[tuple[Fold, int], Any] = {}
        self.settings = Settings()

    def fit_folds(
        self,
        dataset: xr.Dataset,
        outer: Sequence[Fold],
        seeds: Sequence[int],
        protocol: str,
    ) -> Iterator[tuple[Fold, int, Kept]]:
        """What has learned, fitted where it has not been."""
        if (outer[0], seeds[0]) not in self.fits:
            every = fit_folds(dataset, self.base, protocol, outer, seeds)
            self.fits |= {(fold, seed): fitted for fold, seed, fitted in every}
        for fold, seed in product(outer, seeds):
            fitted = copy.copy(self.fits[fold, seed])
            if hasattr(fitted, "settings"):
                fitted.settings = self.settings
            yield fold, seed, Kept(fitted)


Choices = dict[str, list[tuple[float, float]]]
Guesses = dict[tuple[str, int], np.ndarray]


def predictions(
    dataset: xr.Dataset, base: str, fitted_once: Any, seeds: Sequence[int]
) -> tuple[Guesses, Choices]:
    """Of each way and number of answers (seed, window, emotion), and what was chosen.

    That is the temperature and the strength of each way, in each fold.
    """
    personal = Personal([fitted_once], BETAS if base == "mpcl" else (0.0,))
    outer = folds(dataset, "participants")
    predicted: Guesses = {}
    chosen: Choices = {}
    for fold, seed, fitted in personal.fit_folds(dataset, outer, seeds, f"{AFTER}0"):
        windows = part(dataset, fold)[1]
        for name, way in ways(fitted, base).items():
            if isinstance(way, Personal) and seed == seeds[0]:
                chosen.setdefault(name, []).append((way.beta, way.strength))
            for count in counts(dataset):
                shape = (len(seeds), *dataset.distribution.shape)
                rows = predicted.setdefault((name, count), np.full(shape, np.nan))
                guess = asked(way, windows, f"{AFTER}{count}")
                rows[seeds.index(seed), list(fold.held_out)] = guess
    is_early = turns(dataset) < most_answered(dataset)
    for rows in predicted.values():
        rows[:, is_early] = np.nan
    return predicted, chosen


def begin(
    out: Path, dataset: xr.Dataset, seeds: list[int], settings: Settings
) -> xr.Dataset:
    """A file that says what is about to run, and the scores of all floors."""
    predictors = made(list(NAMES), settings, "cpu")
    protocols = [f"{AFTER}{count}" for count in counts(dataset)]
    number = int(dataset.attrs.get("cohort_seed", 0))
    scored = results.empty(
        {number: dataset}, predictors, protocols, seeds, settings, "cpu"
    )
    todo = [
        results.Step(name, PREDICTORS[name].reads[0], protocol, number, seeds)
        for name in predictors
        for protocol in protocols
    ]
    write_netcdf(results.noted(scored, todo), out)
    floors = results.evaluate(dataset, "own_mean", protocols, [0], settings, "cpu")
    return results.together(floors.assign_attrs(runs=scored.runs), scored)


def main(out: str, dataset: xr.Dataset, seeds: list[int], epochs: int) -> None:
    """Make the files, predictor by predictor."""
    settings = {
        how: Settings(epochs=epochs, normalisation=how)
        for how in ("running", "transductive")
    }
    paths = {how: Path(f"{out}-{how}.nc") for how in settings}
    files = {how: begin(paths[how], dataset, seeds, settings[how]) for how in settings}
    blind, chosen = without_truth(dataset), {how: Choices() for how in settings}
    for base in BASES:
        fitted_once = Once(make(base, settings["transductive"], "cpu"))
        for how, scored in files.items():
            fitted_once.settings = settings[how]
            predicted, picked = predictions(blind, base, fitted_once, seeds)
            chosen[how] |= picked
            for (name, count), guesses in predicted.items():
                if name != "mean_label":
                    place = {
                        "predictor": name,
                        "reads": PREDICTORS[name].reads[0],
                        "protocol": f"{AFTER}{count}",
                        "cohort": scored.cohort.item(),
                    }
                    each = xr.DataArray(guesses, {"seed": seeds}, DIMENSIONS)
                    results.put(scored, dataset, each, place)
            scored.attrs["chosen"] = json.dumps(chosen[how])
            write_netcdf(scored, paths[how])
            print(f"{paths[how].name}: {base} {picked}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--dataset", default="simulated")
    parser.add_argument("--root")
    parser.add_argument("--conditions")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    given = parser.parse_args()
    chosen = {"conditions": given.conditions} if given.conditions else {}
    main(
        given.out,
        open_dataset(given.dataset, given.root, **chosen),
        list(range(given.seeds)),
        given.epochs,
    )
