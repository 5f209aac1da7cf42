"""Classical algorithms of label distribution learning from PyLDL (extra ``peers``)."""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np

from mpcl.errors import ParameterError

# Linear BD_LDL predicts negative shares, the others need a deep-learning stack.
ALGORITHMS = ("SA_BFGS", "LDSVR")


def pyldl(
    features: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    random: np.random.Generator,
    algorithm: str = "SA_BFGS",
) -> Callable[[np.ndarray], np.ndarray]:
    """An algorithm of PyLDL as a learner of :class:`classical.Tabular`.

    PyLDL has no weights, so windows of short trials are repeated until trials count
    alike (rounded).

    Args:
        algorithm: ``SA_BFGS`` (Geng, TKDE 2016) or ``LDSVR`` (Geng and Hou, IJCAI
            2015).

    Raises:
        ParameterError: if PyLDL is not installed, or the algorithm is another.
    """
    if algorithm not in ALGORITHMS:
        raise ParameterError(
            f"unknown PyLDL algorithm {algorithm!r}; choose from "
            f"{', '.join(ALGORITHMS)}"
        )
    kind = getattr(_algorithms(), algorithm)
    times = np.round(weight / weight.min()).astype(int)
    rows = np.repeat(np.arange(len(weight)), times)
    with _seeded(int(random.integers(2**31))):
        model = kind()
        model.fit(_with_one(features[rows]), labels[rows])

    def predict(test: np.ndarray) -> np.ndarray:
        given = np.asarray(model.predict(_with_one(test)), float)
        predicted = np.clip(np.nan_to_num(given), 1e-12, None)
        return predicted / predicted.sum(1, keepdims=True)

    return predict


def _algorithms() -> ModuleType:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        return importlib.import_module("pyldl.algorithms")
    except ImportError:
        raise ParameterError(
            "PyLDL is not installed: run `.venv/bin/python -m pip install -e "
            "'.[peers]'`, or leave its methods out"
        ) from None


def _with_one(features: np.ndarray) -> np.ndarray:
    """Features with a constant column, as these algorithms have no bias."""
    return np.concatenate([features, np.ones((len(features), 1))], 1)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyLDL draws from numpy's global generator, which is left as it was."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
