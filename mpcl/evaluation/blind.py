"""Blind prediction: what predicts a window is not told how it was felt.

A *predictor* is anything with ``fit(training)`` and ``predict(test)``. Folds are held
out here, their answers are taken away, and the predictor is asked.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import xarray as xr

from mpcl.data.contract import Trials, modalities, trials
from mpcl.errors import DatasetError, NotApplicable, ParameterError
from mpcl.splits import WITHOUT, Fold, count_answered, names, part, turns

ANSWERS = ("distribution", "rating", "condition", "clip")  # and all named truth_*
DEALS = 20  # how often labels are dealt until one of them moves
TOLERANCE = 1e-4  # how far a predicted distribution may sum from one


class Predictor(Protocol):
    """Whatever can learn and predict.

    Where it has attributes ``seed``, ``settings`` and ``device``, they are set. Where
    it has ``fit_folds(dataset, folds, seeds, protocol)``, it trains all of them
    together and yields fold, seed and what has learned; ``seeds_together(folds)`` is
    then how many seeds it takes at once. Where it has ``predict_after(test)``, it
    can be told a person's answers: ``distribution`` is NaN where there is none.
    """

    def fit(self, training: xr.Dataset) -> object:
        """Learn from windows with their answers; what it returns is not read."""

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion) of windows that come without answers."""


def predictions(
    dataset: xr.Dataset,
    predictor: Predictor,
    protocol: str,
    folds: Sequence[Fold],
    seeds: Sequence[int],
) -> Iterator[tuple[Fold, int, np.ndarray]]:
    """What a predictor says of the windows of each fold that it was not shown.

    Yields:
        fold, seed, and distributions (window, emotion) of the fold's held-out windows.

    Raises:
        ParameterError: if it does not give one distribution a window.
    """
    for fold, seed, fitted in fit_folds(dataset, predictor, protocol, folds, seeds):
        yield fold, seed, asked(fitted, part(dataset, fold)[1], protocol)


def asked(fitted: Predictor, windows: xr.Dataset, protocol: str) -> np.ndarray:
    """What a fitted predictor says (window, emotion) of held-out windows.

    Of ``participants-after-K`` one that has ``predict_after(test)`` is told the answers
    of each person's first trials.

    Raises:
        ParameterError: if it does not give one distribution a window.
    """
    test = without(unlabelled(windows), protocol.partition(WITHOUT)[2])
    if getattr(fitted, "is_oracle", False):
        test = test.assign_coords(clip=windows["clip"])
    count = count_answered(protocol)
    predict = fitted.predict
    if count and hasattr(fitted, "predict_after"):
        is_answered = xr.DataArray(turns(windows) < count, dims="window")
        label = windows.distribution.where(is_answered)
        test = test.assign(distribution=label.variable)
        predict = fitted.predict_after
    guess = np.asarray(predict(test), float)
    if not are_distributions(guess, windows):
        raise ParameterError(
            f"{type(fitted).__name__} must predict distributions (window, emotion): a "
            "row a window, finite, not negative, of sum 1"
        )
    return guess


def are_distributions(predicted: np.ndarray, windows: xr.Dataset) -> bool:
    """Whether there is one distribution over the emotions for each window."""
    return (
        predicted.shape == (windows.sizes["window"], windows.sizes["emotion"])
        and bool((np.isfinite(predicted) & (predicted >= 0)).all())
        and np.allclose(predicted.sum(1), 1, atol=TOLERANCE)
    )


def fit_folds(
    dataset: xr.Dataset,
    predictor: Predictor,
    protocol: str,
    folds: Sequence[Fold],
    seeds: Sequence[int],
) -> Iterator[tuple[Fold, int, Predictor]]:
    """A copy of a predictor for each fold and seed, fitted to its training part."""
    together = getattr(predictor, "fit_folds", None)
    if together is not None:
        yield from together(dataset, folds, seeds, protocol)
        return
    for fold in folds:
        training = part(dataset, fold)[0]
        for seed in seeds:
            fitted = equipped(predictor, seed=seed)
            fitted.fit(training)
            yield fold, seed, fitted


def whole(training: xr.Dataset) -> Fold:
    """The fold in which all windows train."""
    rows = tuple(range(training.sizes["window"]))
    return Fold("all windows", rows, (), "\0".join(names(training)))


def equipped(predictor: Predictor, **values: object) -> Predictor:
    """A copy with those attributes set that it has; None and ``auto`` set nothing."""
    copied = copy.deepcopy(predictor)
    for name, value in values.items():
        if value not in (None, "auto") and hasattr(copied, name):
            setattr(copied, name, value)
    return copied


def unlabelled(dataset: xr.Dataset) -> xr.Dataset:
    """Windows as they are held out: without labels, ratings, truth, clip, condition.

    Signals, participant, trial, times and the names of the emotions stay.
    """
    answers = [name for name in ANSWERS if name in dataset.variables]
    return without_truth(dataset).drop_vars(answers)


def without_truth(dataset: xr.Dataset) -> xr.Dataset:
    """A data set without what is known of simulated data alone."""
    names = [name for name in dataset.variables if str(name).startswith("truth_")]
    return dataset.drop_vars(names)


def without(dataset: xr.Dataset, branch: str) -> xr.Dataset:
    """The same windows with nothing measured of a branch; of none where it is empty.

    Raises:
        DatasetError: if the data set has no such branch, or no other.
    """
    if not branch:
        return dataset
    lost = modalities(dataset, branch)
    if not 0 < len(lost) < len(modalities(dataset)):
        raise DatasetError(
            f"the branch {branch!r} cannot be lost: it must be one of two that were "
            "measured",
            dataset.attrs.get("dataset", ""),
        )
    return dataset.assign({name: dataset[name].where(False) for name in lost})


def shuffled(dataset: xr.Dataset, seed: int = 0) -> xr.Dataset:
    """The same signals with each participant's labels dealt anew to their trials.

    Nothing is left to learn from the signals, while every participant keeps the same
    labels, so that the floors stay where they were. Whatever beats ``mean_label`` here
    (``participant_mean``, where the participant trains too) has met a leak.

    Raises:
        NotApplicable: if nobody has two trials of different labels.
    """
    grouped, label = trials(dataset), dataset.distribution.values
    person = dataset.participant.values.astype(str)[grouped.first]  # (trial,)
    for attempt in range(DEALS):
        rows = _dealt(grouped, person, seed + attempt)
        if not np.array_equal(label[rows], label):
            break
    else:
        raise NotApplicable("nobody has two trials of different labels")
    dealt = {
        name: dataset[name].copy(data=dataset[name].values[rows])
        for name in ("distribution", "rating")
        if name in dataset
    }
    return dataset.assign(dealt)


def _dealt(grouped: Trials, person: np.ndarray, seed: int) -> np.ndarray:
    """Whose label each window is given (window,): of a trial of the same person.

    Its windows stand in their order, from the first again where it has fewer.
    """
    donor = np.arange(len(person))
    random = np.random.default_rng(seed)
    for name in np.unique(person):
        donor[person == name] = random.permutation(donor[person == name])
    order = np.argsort(grouped.of_window, kind="stable")  # windows, trial by trial
    begins = grouped.counts.cumsum() - grouped.counts
    moment = np.empty_like(order)  # of each window in its trial
    moment[order] = np.arange(len(order)) - np.repeat(begins, grouped.counts)
    giver = donor[grouped.of_window]
    return order[begins[giver] + moment % grouped.counts[giver]]
