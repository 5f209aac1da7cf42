"""One loop over folds, methods and seeds; each step holds some participants out and scores them."""

from dataclasses import fields

from mpcl.data.contract import DatasetError, modalities
from mpcl.evaluation.floors import FLOORS
from mpcl.evaluation.metrics import LEVELS, participant_scores
from mpcl.model.network import MPCLConfig
from mpcl.splits import folds, part
from mpcl.training import fit, predict

SWITCHES = tuple(f.name for f in fields(MPCLConfig) if f.type in (bool, "bool"))
ABLATIONS = tuple(f"mpcl-no-{switch}" for switch in SWITCHES)
METHODS = (*FLOORS, "mpcl", *ABLATIONS)


def check_methods(methods):
    """Return the methods with the floors in front: no score stands without them.

    Args:
        methods: names, or ``all``, or ``floors``.

    Returns:
        tuple of names.

    Raises:
        DatasetError: for an unknown name.

    Example:
        >>> check_methods(["mpcl"])
        ('uniform', 'mean_label', 'condition_oracle', 'mpcl')
    """
    chosen = {"all": METHODS, "floors": ()}.get(methods, methods) if isinstance(methods, str) else methods
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    unknown = [name for name in chosen if name not in METHODS]
    if unknown:
        raise DatasetError(f"unknown method {unknown[0]!r}; choose from {', '.join(METHODS)}")
    return (*FLOORS, *(name for name in dict.fromkeys(chosen) if name not in FLOORS))


def config_of(method, dataset):
    """The network of a method: ``mpcl``, or ``mpcl-no-<switch>`` with one component removed.

    Args:
        method: name.
        dataset: a data set that follows the contract.

    Returns:
        :class:`mpcl.model.network.MPCLConfig`.

    Raises:
        DatasetError: if no modality has a value.
    """
    if len(absent_modalities(dataset)) == len(modalities(dataset)):
        raise DatasetError("no modality has a single value, so there is nothing to learn from",
                           dataset.attrs.get("dataset", ""))
    without = {method.removeprefix("mpcl-no-"): False} if method in ABLATIONS else {}
    return MPCLConfig.from_dataset(dataset, **without)


def tasks(dataset, methods, protocol, seeds):
    """Everything that an evaluation computes, in order.

    Args:
        dataset: a data set that follows the contract.
        methods: names.
        protocol: name.
        seeds: list of int; floors take the first alone.

    Returns:
        list of (fold, method, seed).
    """
    return [
        (fold, method, seed)
        for fold in folds(dataset, protocol)
        for method in methods
        for seed in (seeds[:1] if method in FLOORS else seeds)
    ]


def run(dataset, task, settings, device="auto"):
    """Hold participants out, learn from the others, predict and score.

    The labels of the held-out participants are taken away before anything is predicted.

    Args:
        dataset: a data set that follows the contract.
        task: (fold, method, seed) of :func:`tasks`.
        settings: :class:`mpcl.training.Settings`.
        device: see :func:`mpcl.training.device_of`.

    Returns:
        dict from level to :class:`xarray.DataArray` (participant, metric) of the held-out participants.
    """
    fold, method, seed = task
    training, test = part(dataset, fold)
    unlabelled = test.drop_vars([name for name in ("rating",) if name in test])
    unlabelled["distribution"] = unlabelled.distribution * float("nan")
    if method in FLOORS:
        predicted = FLOORS[method](training, unlabelled)
    else:
        fitted = fit(config_of(method, training), dataset, [fold], [seed], settings, device)
        predicted = predict(fitted.models[0], unlabelled, training, settings, device)
    return {level: participant_scores(test, predicted, level) for level in LEVELS}


def absent_modalities(dataset):
    """Modalities that are missing in every window, which no network reads.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of str.
    """
    return [name for name in modalities(dataset) if bool(dataset[name].isnull().all())]
