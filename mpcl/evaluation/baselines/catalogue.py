"""The baselines by name, with the parameters that tuning chose for each.

Each is called as ``BASELINES[name](seed=0, settings=Settings())`` and has ``fit(training)``, which returns itself,
and ``predict(test)``, which needs no labels and returns distributions (window, emotion).
"""

from functools import partial

from mpcl.evaluation.baselines.classical import Tabular, boosting, forest, knn, ridge
from mpcl.evaluation.baselines.emotiondict import EmotionDict
from mpcl.evaluation.baselines.helo import HeLo
from mpcl.evaluation.baselines.ldl import pyldl
from mpcl.evaluation.baselines.neural import Neural, Perceptron, Transformer

BASELINES = {
    "ridge": partial(Tabular, ridge),
    "knn": partial(Tabular, knn),
    "forest": partial(Tabular, forest),
    "boosting": partial(Tabular, boosting),
    "mlp": partial(Neural, Perceptron),
    "transformer": partial(Neural, Transformer),
    "emotiondict": partial(Neural, EmotionDict),
    "helo": partial(Neural, HeLo),
}
# These need the extra ``peers``, and are no part of "all".
OPTIONAL = {
    "pyldl-sa-bfgs": partial(Tabular, pyldl, algorithm="SA_BFGS"),
    "pyldl-ldsvr": partial(Tabular, pyldl, algorithm="LDSVR"),
}
