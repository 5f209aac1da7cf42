"""A mixture of several predictors, its weights chosen within the training part.

Stacked generalisation (Wolpert, 1992; convex as in Breiman, 1996; with the KL
divergence, van der Laan et al., 2007).
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from mpcl.data.contract import trials
from mpcl.errors import DatasetError, NotApplicable
from mpcl.evaluation.blind import Predictor, fit_folds, predictions, whole
from mpcl.splits import WITHOUT, Fold, nested

STEPS = 1000  # of expectation-maximisation, which only climbs and has one summit


class Stack:
    """Predictors, each averaged within trials, mixed as inner folds say.

    ``mixture (part,)`` and ``fitted`` are there once it has learned.
    The weights are chosen on people who have every branch, whatever is lost later.
    """

    def __init__(self, parts: Sequence[Predictor], seed: int = 0) -> None:
        self.parts = parts
        self.seed = seed

    def fit(self, training: xr.Dataset) -> "Stack":
        """Learn from all of these windows; returns itself."""
        folds = [whole(training)]
        [(_, _, stack)] = self.fit_folds(training, folds, [self.seed], "participants")
        self.mixture, self.fitted = stack.mixture, stack.fitted
        return self

    def fit_folds(
        self,
        dataset: xr.Dataset,
        folds: Sequence[Fold],
        seeds: Sequence[int],
        protocol: str,
    ) -> Iterator[tuple[Fold, int, "Stack"]]:
        """Mixtures of all folds and seeds.

        Raises:
            NotApplicable: where a training part is too small for inner folds.
        """
        try:
            inner = {fold: nested(dataset, fold, protocol) for fold in folds}
        except DatasetError as reason:
            raise NotApplicable(f"no inner folds: {reason}") from reason
        every = [fold for of_outer in inner.values() for fold in of_outer]
        complete = protocol.partition(WITHOUT)[0]  # nobody lacks a branch
        for seed in seeds:
            guesses: list[dict[Fold, np.ndarray]] = []
            learned: list[dict[Fold, Predictor]] = []
            for part in self.parts:
                inside = predictions(dataset, part, complete, every, [seed])
                guesses.append({fold: guess for fold, _, guess in inside})
                outside = fit_folds(dataset, part, protocol, folds, [seed])
                learned.append({fold: fitted for fold, _, fitted in outside})
            for fold in folds:
                stack = copy.copy(self)
                stack.mixture = _mixture(dataset, inner[fold], guesses)
                stack.fitted = [of_fold[fold] for of_fold in learned]
                yield fold, seed, stack

    def seeds_together(self, folds: int) -> int:
        """One: each seed trains as many networks as there are inner folds."""
        return 1

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion), the same for all windows of a trial."""
        each = [by_trial(test, fitted.predict(test)) for fitted in self.fitted]
        return np.einsum("m,mwe->we", self.mixture, np.stack(each))


def _mixture(
    dataset: xr.Dataset, inner: list[Fold], guesses: list[dict[Fold, np.ndarray]]
) -> np.ndarray:
    """Weights (part,) that the inner folds of a training part choose."""
    held_out = [dataset.isel(window=list(fold.held_out)) for fold in inner]
    predicted = [
        np.concatenate(
            [
                by_trial(windows, guess[fold])
                for fold, windows in zip(inner, held_out, strict=True)
            ]
        )
        for guess in guesses
    ]  # (part, window, emotion)
    rows = [row for fold in inner for row in fold.held_out]
    windows = dataset.isel(window=rows)
    share = trials(windows).weights()
    return weights(windows.distribution.values, np.stack(predicted), share)


def weights(true: np.ndarray, predicted: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The convex mixture of lowest mean KL(true || it), by expectation-maximisation.

    Args:
        true: distributions (window, emotion).
        predicted: of each member (member, window, emotion); wherever a label has a
            share, a member must give it one.
        share: what each window counts for (window,); their sum is of no matter.

    Returns:
        array (member,), which sums to one.

    Raises:
        ValueError: if every member gives 0 where a label has a share.

    Example:
        >>> members = np.array([[[0.2, 0.8]], [[0.6, 0.4]]])
        >>> weights(np.array([[0.4, 0.6]]), members, np.ones(1)).round(3)
        array([0.5, 0.5])
    """
    true, predicted = np.asarray(true, float), np.asarray(predicted, float)
    if ((predicted.max(0) <= 0) & (true > 0)).any():
        raise ValueError(
            "every member gives an emotion no share that a label has; add a member "
            "such as mean_label"
        )
    share = np.asarray(share, float) / np.sum(share)
    counted = true * share[:, None]  # (window, emotion), sums to 1
    mixture = np.full(len(predicted), 1 / len(predicted))
    for _ in range(STEPS):
        together = np.einsum("m,mwe->we", mixture, predicted)
        owed = counted / np.where(counted > 0, together, 1)
        mixture = mixture * np.einsum("mwe,we->m", predicted, owed)
    return mixture / mixture.sum()


def by_trial(dataset: xr.Dataset, predicted: np.ndarray) -> np.ndarray:
    """Predictions (window, emotion) averaged within trials, for all of their windows.

    Example:
        >>> windows = xr.Dataset(coords={"trial": ("window", ["a", "a", "b"])})
        >>> by_trial(windows, np.array([[0.0, 1.0], [1.0, 0.0], [0.3, 0.7]]))[:, 0]
        array([0.5, 0.5, 0.3])
    """
    grouped = trials(dataset)
    return grouped.mean(predicted)[grouped.of_window]
