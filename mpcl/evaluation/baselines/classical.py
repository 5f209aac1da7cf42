"""Classical learners of label distributions: each a function that learns from a table and returns its predictor.

A learner takes features (window, feature), labels (window, emotion), the weight of each window (window,), a
:class:`numpy.random.Generator` and its own parameters. What it returns maps features to distributions.
"""

import numpy as np
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.tree import DecisionTreeRegressor

from mpcl.evaluation.baselines.inputs import inputs, key, trial_weights
from mpcl.settings import Settings


class Tabular:
    """A learner of tables, behind the interface of all baselines.

    The table holds the z-scored features, 0 where missing, and a column a modality that says whether it was there.

    Args:
        learn: the learner, such as :func:`ridge`.
        seed: int.
        settings: :class:`mpcl.settings.Settings`, of which only ``normalisation`` is read; the defaults if None.
        hyper: the learner's own parameters.

    Example:
        >>> from mpcl.data.simulated import cohort
        >>> dataset = cohort(participants=3, clips=4, windows=2)
        >>> Tabular(ridge, alpha=100).fit(dataset).predict(dataset.drop_vars("distribution")).shape
        (24, 10)
    """

    def __init__(self, learn, seed=0, settings=None, **hyper):
        self.learn, self.seed, self.settings, self.hyper = learn, seed, settings or Settings(), hyper

    def fit(self, training):
        """Learn from the training windows, in which each trial counts alike; returns itself."""
        self.training, random = training, np.random.default_rng(key(training, self.seed))
        labels = training.distribution.transpose("window", "emotion").values.astype(float)
        self.predictor = self.learn(self._table(training), labels, trial_weights(training), random, **self.hyper)
        return self

    def predict(self, test):
        """Distributions (window, emotion) of windows that need no labels."""
        return self.predictor(self._table(test))

    def _table(self, dataset):
        return np.concatenate(inputs(dataset, self.training, self.settings.normalisation), 1)


def log_ratios(labels):
    """Labels as logarithms that sum to zero in each window: log((d + 1e-3) / sum), centred.

    Args:
        labels: distributions (window, emotion).

    Returns:
        array (window, emotion).

    Example:
        >>> log_ratios(np.array([[0.5, 0.5]]))
        array([[0., 0.]])
    """
    logs = np.log(labels + 1e-3)
    return logs - logs.mean(1, keepdims=True)


def ridge(features, labels, weight, random, alpha=300.0):
    """Ridge regression on :func:`log_ratios`; ``alpha`` is the penalty, beside weights that sum to the windows."""
    model = Ridge(alpha).fit(features, log_ratios(labels), sample_weight=weight)
    return lambda rows: softmax(model.predict(rows), 1)


def knn(features, labels, weight, random, neighbours=40):
    """The mean label of the nearest training windows (AA-kNN; Geng, TKDE 2016), each with its trial's weight."""
    index = NearestNeighbors(n_neighbors=min(neighbours, len(features)), algorithm="brute").fit(features)

    def predict(rows):
        nearest = index.kneighbors(rows, return_distance=False)  # (window, neighbour)
        share = weight[nearest] / weight[nearest].sum(1, keepdims=True)
        return np.einsum("wn,wne->we", share, labels[nearest])

    return predict


def forest(features, labels, weight, random, trees=60, leaf=10, share=0.3):
    """A random forest whose leaves hold mean labels; ``leaf`` windows at least, a ``share`` of features a split."""
    model = RandomForestRegressor(trees, min_samples_leaf=leaf, max_features=share, random_state=_state(random))
    return model.fit(features, labels, sample_weight=weight).predict


def trees(features, labels, weight, random, count=100, leaf=3, share=0.3):
    """Extremely randomised trees (Geurts et al., 2006): every tree sees all windows, and splits are drawn at random."""
    model = ExtraTreesRegressor(count, min_samples_leaf=leaf, max_features=share, random_state=_state(random))
    return model.fit(features, labels, sample_weight=weight).predict


def boosting(features, labels, weight, random, rounds=100, depth=3, rate=0.1, share=0.3):
    """Gradient boosting of the KL divergence, with one tree a round for all emotions at once (*our reading*).

    The negative gradient of KL(d || softmax(z)) is d - p; divided by the mean label it is a step in log-ratios, the
    same for frequent and rare emotions. A tree an emotion, as the usual libraries grow them, would cost C times more.
    A round sees half of the windows (Friedman, 2002) and each split a ``share`` of the features.
    """
    mean = weight @ labels / weight.sum() + 1e-3
    start, trees = np.log(mean), []
    logits = np.tile(start, (len(labels), 1))
    for _ in range(rounds):
        rows = random.permutation(len(labels))[: -(-len(labels) // 2)]
        residual = (labels[rows] - softmax(logits[rows], 1)) / mean
        tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=min(5, len(rows)), max_features=share,
                                     random_state=_state(random))
        trees.append(tree.fit(features[rows], residual, sample_weight=weight[rows]))
        logits += rate * tree.predict(features)
    return lambda rows: softmax(start + rate * sum(tree.predict(rows) for tree in trees), 1)


def _state(random):
    return int(random.integers(2**31))
