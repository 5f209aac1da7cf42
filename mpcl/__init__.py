"""MPCL: from physiological and behavioural signals to a distribution over emotions.

An independent implementation of *Memory-guided Prototypical Co-occurrence Learning*
(arXiv 2602.20530). Importing this package loads nothing heavy and reads no file: the
names below are loaded when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpcl.data.catalogue import open_dataset
    from mpcl.data.contract import check
    from mpcl.evaluation.predict import held_out
    from mpcl.evaluation.results import evaluate
    from mpcl.evaluation.tables import table
    from mpcl.model.config import MPCLConfig
    from mpcl.model.network import MPCL
    from mpcl.training.loop import fit, predict

__version__ = "0.1.0"
__all__ = [
    "MPCL",
    "MPCLConfig",
    "check",
    "evaluate",
    "fit",
    "held_out",
    "open_dataset",
    "predict",
    "table",
]
MODULES = {  # where each of them lives
    "MPCL": "model.network",
    "MPCLConfig": "model.config",
    "check": "data.contract",
    "evaluate": "evaluation.results",
    "fit": "training.loop",
    "held_out": "evaluation.predict",
    "open_dataset": "data.catalogue",
    "predict": "training.loop",
    "table": "evaluation.tables",
}


def __getattr__(name: str) -> object:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
