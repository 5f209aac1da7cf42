"""The baselines by name, with the parameters that tuning chose for each.

Each is called as ``BASELINES[name](seed=0, settings=Settings())`` and has ``fit(training)``, which returns itself,
and ``predict(test)``, which needs no labels and returns distributions (window, emotion).
"""

from functools import partial

from mpcl.evaluation.baselines.classical import Tabular, boosting, forest, knn, ridge, trees
from mpcl.evaluation.baselines.emotiondict import EmotionDict
from mpcl.evaluation.baselines.helo import HeLo
from mpcl.evaluation.baselines.ldl import pyldl
from mpcl.evaluation.baselines.neural import Neural, Perceptron, Transformer

BASELINES = {  # the best of 20 points each, data/results/tuning-simulated.csv
    "ridge": partial(Tabular, ridge, alpha=1129.0),
    "knn": partial(Tabular, knn, neighbours=66),
    "forest": partial(Tabular, forest, leaf=3, share=0.2),
    "trees": partial(Tabular, trees, leaf=3, share=0.5),
    "boosting": partial(Tabular, boosting, rounds=200, depth=4, rate=0.05, share=0.1),
    "mlp": partial(Neural, Perceptron, learning_rate=3e-3, weight_decay=1.0, mixup=0.2, dropout=0.5, width=128),
    "transformer": partial(Neural, Transformer, learning_rate=1e-3, weight_decay=0.1, mixup=0.0, dropout=0.3, width=32,
                           layers=2),
    "emotiondict": partial(Neural, EmotionDict, learning_rate=1e-3, weight_decay=0.1, mixup=0.4, dropout=0.1,
                           elements=8, w_modality=0.1, w_dictionary=0.0),
    "helo": partial(Neural, HeLo, learning_rate=1e-3, weight_decay=0.1, mixup=0.0, dropout=0.3, epsilon=0.05,
                    w_transport=0.3, w_labels=1.0),
}
# These need the extra ``peers``, and are no part of "all".
OPTIONAL = {
    "pyldl-sa-bfgs": partial(Tabular, pyldl, algorithm="SA_BFGS"),
    "pyldl-ldsvr": partial(Tabular, pyldl, algorithm="LDSVR"),
}
