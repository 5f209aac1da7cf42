"""Classical algorithms of label distribution learning from PyLDL, where the extra ``peers`` is installed."""

import contextlib
import importlib
import os

import numpy as np

from mpcl.settings import ParameterError

ALGORITHMS = ("SA_BFGS", "LDSVR")  # linear BD_LDL predicts negative shares, the others need a deep-learning stack


def pyldl(features, labels, weight, random, algorithm="SA_BFGS", **hyper):
    """An algorithm of PyLDL as a learner of :class:`mpcl.evaluation.baselines.classical.Tabular`.

    PyLDL knows no weights, so windows of short trials are repeated until trials count alike (rounded).

    Args:
        features, labels, weight, random: see :mod:`mpcl.evaluation.baselines.classical`.
        algorithm: ``SA_BFGS`` (Geng, TKDE 2016) or ``LDSVR`` (Geng and Hou, IJCAI 2015).
        hyper: parameters of the algorithm's class.

    Returns:
        function from features to distributions.

    Raises:
        ParameterError: if PyLDL is not installed, or the algorithm is another.
    """
    if algorithm not in ALGORITHMS:
        raise ParameterError(f"unknown PyLDL algorithm {algorithm!r}; choose from {', '.join(ALGORITHMS)}")
    kind = getattr(_algorithms(), algorithm)
    rows = np.repeat(np.arange(len(weight)), np.round(weight / weight.min()).astype(int))
    with _seeded(int(random.integers(2**31))):
        model = kind(**hyper)
        model.fit(_with_one(features[rows]), labels[rows])

    def predict(test):
        predicted = np.clip(np.nan_to_num(np.asarray(model.predict(_with_one(test)), float)), 1e-12, None)
        return predicted / predicted.sum(1, keepdims=True)

    return predict


def _algorithms():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        return importlib.import_module("pyldl.algorithms")
    except ImportError:
        raise ParameterError("PyLDL is not installed: run `.venv/bin/python -m pip install -e '.[peers]'`, "
                             "or leave its methods out") from None


def _with_one(features):
    """Features with a constant column, as these algorithms have no bias."""
    return np.concatenate([features, np.ones((len(features), 1))], 1)


@contextlib.contextmanager
def _seeded(seed):
    """PyLDL draws from numpy's global generator, which is left as it was."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
