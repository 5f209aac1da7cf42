"""Predictors that a person's first few answers correct: any of them, in the same way.

Each keeps, of every answered trial, what its prediction missed (:mod:`mpcl.model.
remember`), and adds the shrunken mean to what it says of the others; the network can
weigh them by how much the trials resemble one another. How far to shrink, and at which
temperature to recall, is learned on training people alone: networks that were not
trained on them say what they miss, and the protocol is played on them.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from mpcl.data.contract import trials
from mpcl.evaluation.blind import Predictor, fit_folds, unlabelled, whole
from mpcl.model.remember import Memory, corrected, missed, recall
from mpcl.splits import Fold, names, nested, turns, without_neighbours

STRENGTHS = (128.0, 64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25)  # ties: the first


class Reading(NamedTuple):
    """What a fitted predictor makes of the trials of one person."""

    keys: Tensor  # (trial, D)
    predicted: Tensor  # (trial, C)
    label: Tensor  # (trial, C), NaN where it is not known
    turn: Tensor  # (trial,), 0, 1, ... in time

    def memory(self, rows: Tensor) -> Memory:
        """Of these trials, bool (trial,)."""
        return Memory(self.keys[rows], missed(self.predicted[rows], self.label[rows]))


class Personal:
    """A predictor that is corrected by a person's own answers.

    Args:
        parts: what predicts, alone.
        betas: inverse temperatures to choose from; 0 alone is the mean of corrections.

    Attributes:
        beta, strength: as chosen, once it has learned.
        lessons: of training people, what a predictor that never met them made of them.
    """

    def __init__(
        self, parts: Sequence[Predictor], betas: Sequence[float] = (0.0,), seed: int = 0
    ) -> None:
        [self.base] = parts
        self.betas = tuple(betas)
        self.seed = seed
        self.beta, self.strength = 0.0, STRENGTHS[0]
        self.lessons: list[Reading] = []

    def fit(self, training: xr.Dataset) -> "Personal":
        """Learn from all of these windows; returns itself."""
        folds = [whole(training)]
        [(_, _, fitted)] = self.fit_folds(training, folds, [self.seed], "participants")
        vars(self).update(vars(fitted))
        return self

    def fit_folds(
        self,
        dataset: xr.Dataset,
        folds: Sequence[Fold],
        seeds: Sequence[int],
        protocol: str,
    ) -> Iterator[tuple[Fold, int, "Personal"]]:
        """Predictors of all folds and seeds.

        What they miss is read with the first model seed alone: it is two numbers that
        are learned from it.
        """
        if len(folds) > 2 and protocol.startswith("participants"):
            inner = without_neighbours(folds)
        else:
            inner = [each for fold in folds for each in nested(dataset, fold, protocol)]
        lessons: dict[Fold, list[Reading]] = {fold: [] for fold in folds}
        for pair, _, fitted in fit_folds(dataset, self.base, protocol, inner, [0]):
            for fold in folds:
                if set(pair.training) < set(fold.training):
                    rows = sorted(set(pair.held_out) & set(fold.training))
                    windows = dataset.isel(window=rows)
                    _, people = readings(fitted, windows, max(self.betas) > 0)
                    lessons[fold] += [read for _, read in people]
        for fold, seed, fitted in fit_folds(dataset, self.base, protocol, folds, seeds):
            personal = copy.copy(self)
            personal.base, personal.lessons = fitted, lessons[fold]
            yield fold, seed, personal.chosen(self.betas)

    def chosen(self, betas: Sequence[float]) -> "Personal":
        """The same with a temperature and a strength chosen from these."""
        personal = copy.copy(self)
        personal.beta, personal.strength = choose(self.lessons, betas)
        return personal

    def seeds_together(self, folds: int) -> int:
        """As many as its base takes."""
        together = getattr(self.base, "seeds_together", None)
        return together(folds) if together else 1

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion) before anything was answered."""
        return self.base.predict(test)

    def predict_after(self, test: xr.Dataset) -> np.ndarray:
        """The same with the answers that people have given, to each person their own.

        Args:
            test: windows, ``distribution`` NaN where not answered.
        """
        windows, people = readings(self.base, test, self.beta > 0)
        grouped = trials(test)
        correction = windows.new_empty(len(grouped.names), windows.shape[1])
        for rows, read in people:
            memory = read.memory(read.label.isfinite().all(1))
            correction[rows] = recall(memory, read.keys, self.beta, self.strength)
        return corrected(windows, correction[grouped.of_window]).numpy()


class OwnMean:
    """A floor: the mean of a person's answers; the mean label before there is any."""

    def __init__(self, parts: Sequence[Predictor]) -> None:
        [self.base] = parts

    def fit(self, training: xr.Dataset) -> "OwnMean":
        """Learn the mean label; returns itself."""
        self.base.fit(training)
        return self

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """The mean label (window, emotion)."""
        return self.base.predict(test)

    def predict_after(self, test: xr.Dataset) -> np.ndarray:
        """The mean answer of each person (window, emotion)."""
        labels = test.distribution.transpose("window", "emotion").values
        person = test.participant.values.astype(str)
        guess = np.empty_like(labels)
        for name in names(test):
            rows = person == name
            is_answered = rows & np.isfinite(labels).all(1)
            answers = trials(test.isel(window=is_answered)).mean(labels[is_answered])
            guess[rows] = answers.mean(0)
        return guess


def readings(
    fitted: Any, dataset: xr.Dataset, weighs: bool
) -> tuple[Tensor, list[tuple[np.ndarray, Reading]]]:
    """What a predictor makes of windows (window, C), and of the trials of each person.

    Of each person, first which trials are theirs, bool (trial,).

    Args:
        weighs: whether keys are asked for; else all trials have the same.
    """
    blind, grouped = unlabelled(dataset), trials(dataset)
    windows = np.asarray(fitted.predict(blind), float)
    label = dataset.distribution.transpose("window", "emotion").values
    keys = fitted.keys(blind) if weighs else np.zeros((len(grouped.names), 1))
    turn = turns(dataset)[grouped.first]
    every = keys, grouped.mean(windows), grouped.mean(label), turn
    person = dataset.participant.values.astype(str)[grouped.first]  # (trial,)
    people: list[tuple[np.ndarray, Reading]] = []
    for name in names(dataset):
        rows = person == name
        read = Reading(*(torch.from_numpy(each[rows]) for each in every))
        people.append((rows, read))
    return torch.from_numpy(windows), people


def choose(lessons: Sequence[Reading], betas: Sequence[float]) -> tuple[float, float]:
    """The temperature and the strength of lowest mean KL on training people.

    They play the protocol: the first 1, 2, 4, ... trials are told, those after the most
    that can be told are scored, and every person and number counts alike.
    """
    most = min(len(person.turn) for person in lessons) // 2
    scales = torch.tensor(betas, dtype=torch.float64)
    total = np.zeros((len(betas), len(STRENGTHS)))
    for person, power in product(lessons, range(most.bit_length())):
        is_scored = person.turn >= 1 << (most.bit_length() - 1)
        memory = person.memory(person.turn < 1 << power)
        label, plain = person.label[is_scored], person.predicted[is_scored]
        for place, strength in enumerate(STRENGTHS):
            correction = recall(memory, person.keys[is_scored], scales, strength)
            after = corrected(plain, correction)  # (beta, trial, C)
            surprise = torch.xlogy(label, label) - label * after.log()
            total[:, place] += surprise.sum(-1).mean(-1).numpy()
    beta, strength = np.unravel_index(total.argmin(), total.shape)
    return betas[int(beta)], STRENGTHS[int(strength)]
