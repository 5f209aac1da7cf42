"""Classical learners of label distributions, each a function that learns from a table.

A learner takes features (row, feature), labels (row, emotion), the weight of each row
(row,), a generator and its own parameters. What it returns maps features to
distributions. A row is a window or a trial.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.tree import DecisionTreeRegressor

from mpcl.data.contract import trials
from mpcl.evaluation.baselines.inputs import key, table
from mpcl.training.settings import Settings

# What scikit-learn makes is of type Any here: it has no types of its own.
Map = Callable[[np.ndarray], np.ndarray]  # features to distributions
CORES = -1  # all, for trees, which do not depend on one another


class Tabular:
    """A learner of tables, behind the interface of all predictors.

    Args:
        settings: of which only ``normalisation`` is read.
        reads: ``trials`` or ``windows``, what a row of its table is.
        hyper: the learner's own parameters.

    Example:
        >>> from mpcl.simulation.cohort import cohort
        >>> dataset = cohort(participants=3, clips=4, windows=2)
        >>> Tabular(ridge, alpha=100).fit(dataset).predict(dataset).shape
        (24, 10)
    """

    def __init__(
        self,
        learn: Callable[..., Map],
        seed: int = 0,
        settings: Settings | None = None,
        reads: str = "trials",
        **hyper: Any,
    ) -> None:
        self.learn = learn
        self.seed = seed
        self.settings = settings or Settings()
        self.reads = reads
        self.hyper = hyper

    def fit(self, training: xr.Dataset) -> "Tabular":
        """Learn from rows in which each trial counts alike; returns itself."""
        self.training, grouped = training, trials(training)
        random = np.random.default_rng(key(training, self.seed))
        labels = training.distribution.transpose("window", "emotion").values
        labels, weight = labels.astype(float), grouped.weights()
        if self.reads == "trials":
            labels = grouped.mean(labels)
            weight = np.full(len(labels), len(weight) / len(labels))
        rows = self._table(training)
        self.map = self.learn(rows, labels, weight, random, **self.hyper)
        return self

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion) of windows that need no labels."""
        predicted = self.map(self._table(test))
        return (
            predicted[trials(test).of_window] if self.reads == "trials" else predicted
        )

    def _table(self, dataset: xr.Dataset) -> np.ndarray:
        how = self.settings.normalisation
        return table(dataset, self.training, how, self.reads)


def log_ratios(labels: np.ndarray) -> np.ndarray:
    """Labels (window, emotion) as logarithms that sum to zero in each window:
    log((d + 1e-3) / sum), centred.

    Example:
        >>> log_ratios(np.array([[0.5, 0.5]]))
        array([[0., 0.]])
    """
    logs = np.log(labels + 1e-3)
    return logs - logs.mean(1, keepdims=True)


def ridge(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    alpha: float = 300.0,
) -> Map:
    """Ridge regression on :func:`log_ratios`.

    ``alpha`` is the penalty, beside weights that sum to the windows.
    """
    model: Any = Ridge(alpha)
    model.fit(features, log_ratios(labels), sample_weight=weight)
    return lambda rows: softmax(model.predict(rows), 1)


def knn(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    neighbours: int = 40,
) -> Map:
    """The mean label of the nearest training windows, each with its trial's weight.

    AA-kNN; Geng, TKDE 2016.
    """
    count = min(neighbours, len(features))
    index: Any = NearestNeighbors(n_neighbors=count, algorithm="brute")
    index.fit(features)

    def predict(rows: np.ndarray) -> np.ndarray:
        nearest = index.kneighbors(rows, return_distance=False)  # (window, neighbour)
        share = weight[nearest] / weight[nearest].sum(1, keepdims=True)
        return np.einsum("wn,wne->we", share, labels[nearest])

    return predict


def forest(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    trees: int = 60,
    leaf: int = 10,
    share: float = 0.3,
) -> Map:
    """A random forest whose leaves hold mean labels.

    A leaf has ``leaf`` windows at least; a split sees a ``share`` of the features.
    """
    model: Any = RandomForestRegressor(trees, min_samples_leaf=leaf, max_features=share)
    return _grown(model, features, labels, weight, random)


def trees(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    count: int = 100,
    leaf: int = 3,
    share: float = 0.3,
) -> Map:
    """Extremely randomised trees (Geurts et al., 2006).

    Every tree sees all windows, and splits are drawn at random.
    """
    model: Any = ExtraTreesRegressor(count, min_samples_leaf=leaf, max_features=share)
    return _grown(model, features, labels, weight, random)


def _grown(
    model: Any,
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
) -> Map:
    """The mean of trees that are grown on all cores and summed in one order."""
    model.set_params(random_state=_state(random), n_jobs=CORES)
    model.fit(features, labels, sample_weight=weight)
    return model.set_params(n_jobs=1).predict


def boosting(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    rounds: int = 100,
    depth: int = 3,
    rate: float = 0.1,
    share: float = 0.3,
) -> Map:
    """Gradient boosting of the KL divergence, one tree a round for all emotions.

    *Our reading*: the negative gradient of KL(d || softmax(z)) is d - p; divided by the
    mean label it is a step in log-ratios, the same for frequent and rare emotions. A
    tree an emotion, as the usual libraries grow them, would cost C times more. A round
    sees half of the windows (Friedman, 2002) and each split a ``share`` of the
    features.
    """
    mean = weight @ labels / weight.sum() + 1e-3
    start = np.log(mean)
    trees: list[Any] = []
    logits = np.tile(start, (len(labels), 1))  # (window, emotion)
    for _ in range(rounds):
        rows = random.permutation(len(labels))[: -(-len(labels) // 2)]
        residual = (labels[rows] - softmax(logits[rows], 1)) / mean
        tree: Any = DecisionTreeRegressor(
            max_depth=depth,
            min_samples_leaf=min(5, len(rows)),
            max_features=share,
            random_state=_state(random),
        )
        trees.append(tree.fit(features[rows], residual, sample_weight=weight[rows]))
        logits += rate * tree.predict(features)

    def predict(rows: np.ndarray) -> np.ndarray:
        steps = sum(tree.predict(rows) for tree in trees)
        return softmax(start + rate * steps, 1)

    return predict


def _state(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
