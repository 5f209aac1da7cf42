"""What every predictor must do, as a test: one line for one's own."""

from typing import Any

import numpy as np
import xarray as xr

from mpcl.data.contract import modalities
from mpcl.errors import DatasetError, NotApplicable, ParameterError, TrainingError
from mpcl.evaluation.blind import Predictor, equipped, unlabelled
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import make
from mpcl.simulation.cohort import cohort
from mpcl.splits import Fold, folds, names, of_participants, part
from mpcl.training.settings import Settings

REFUSALS = (DatasetError, ParameterError, TrainingError, NotApplicable)


def check_predictor(
    method: str | Predictor, settings: Settings | None = None, **changes: Any
) -> None:
    """Try a predictor on a small simulated study; every name in the table passes.

    It gives one distribution a window without being told labels, clip or condition,
    leaves its input alone, is the same when it learns again, and survives a modality
    that is missing or a single new participant, or refuses them in a sentence.

    Args:
        method, settings, changes: as in :func:`mpcl.evaluation.predict.held_out`.

    Raises:
        ParameterError: with all that it does wrong.

    Example:
        >>> check_predictor("ridge")
    """
    if isinstance(method, str):
        method = make(method, settings, "cpu", **changes)
    study = cohort(participants=4, clips=4, windows=2, seed=5)
    fold = folds(study, "trials")[0]
    try:
        first = _guess(method, study, fold)
    except REFUSALS:
        raise
    except Exception as error:
        raise ParameterError(
            "it must predict windows that come without labels, ratings, clip and "
            f"condition: {type(error).__name__}: {error}"
        ) from error
    violations = []
    if not np.array_equal(first, _guess(method, study, fold)):
        violations.append("it must predict the same when it learns again")
    if not np.array_equal(first, _guess(method, _poisoned(study, fold), fold)):
        violations.append("it must not read the labels of held-out windows")
    if _changes_input(equipped(method), study, fold):
        violations.append("it must not change the windows that it is given")
    violations += _not_survived(method, study, fold)
    if violations:
        raise ParameterError("; ".join(violations))


def _guess(predictor: Predictor, study: xr.Dataset, fold: Fold) -> np.ndarray:
    """What it says of the held-out windows (window, emotion)."""
    made = held_out(study, predictor, "trials", folds=[fold])
    return made.predicted.values[0, list(fold.held_out)]


def _poisoned(study: xr.Dataset, fold: Fold) -> xr.Dataset:
    """The study with the answers of the held-out windows in another order."""
    spoilt = study.copy(deep=True)
    for name in ("distribution", "rating"):
        rows = list(fold.held_out)
        spoilt[name].values[rows] = study[name].values[rows, ::-1]
    return spoilt


def _changes_input(predictor: Predictor, study: xr.Dataset, fold: Fold) -> bool:
    """Whether the windows that it learns from or predicts are others afterwards."""
    training, test = part(study, fold)
    if not getattr(predictor, "is_oracle", False):
        test = unlabelled(test)
    before = training.copy(deep=True), test.copy(deep=True)
    predictor.fit(training)
    predictor.predict(test)
    return not (training.identical(before[0]) and test.identical(before[1]))


def _not_survived(predictor: Predictor, study: xr.Dataset, fold: Fold) -> list[str]:
    """A sentence for each hardship that ends in anything but a refusal in one line."""
    signal = study[modalities(study)[0]]
    trains = xr.DataArray(np.full(len(signal), False), dims="window")
    trains[list(fold.training)] = True
    hardships = {
        "a modality that held-out windows lack": (signal.where(trains), fold),
        "a modality that nobody has": (signal.where(False), fold),
        "a single new participant": (
            signal,
            of_participants(study, names(study)[:-1]),
        ),
    }
    violations = []
    for hardship, (values, split) in hardships.items():
        try:
            _guess(predictor, study.assign({signal.name: values}), split)
        except Exception as error:
            is_sentence = len(str(error).splitlines()) == 1
            if not isinstance(error, REFUSALS) or not is_sentence:
                violations.append(
                    f"it must survive {hardship}, or raise a DatasetError of one "
                    f"sentence, not {type(error).__name__}: {error}"
                )
    return violations
