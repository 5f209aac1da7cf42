"""Hold windows out, learn from the others, predict, score: one method under one protocol."""

from dataclasses import fields

import numpy as np

from mpcl.data.contract import DatasetError, modalities
from mpcl.evaluation import stacking
from mpcl.evaluation.baselines.catalogue import BASELINES, OPTIONAL
from mpcl.evaluation.baselines.inputs import trial_weights
from mpcl.evaluation.floors import CONDITIONAL, FLOORS, NotApplicable
from mpcl.evaluation.metrics import LEVELS, participant_scores
from mpcl.model.network import MPCLConfig
from mpcl.splits import WITHOUT, folds, nested, part, rows
from mpcl.training import TrainingError, fit, predict

SWITCHES = tuple(f.name for f in fields(MPCLConfig) if f.type in (bool, "bool"))
ABLATIONS = tuple(f"mpcl-no-{switch}" for switch in SWITCHES)
SEEDLESS = (*FLOORS, *CONDITIONAL, "nearest_neighbour")  # the same with every seed
CHECKS = ("nearest_neighbour", "shuffled_labels")  # what memorises, and what has nothing to learn: no competitors
NETWORKS = ("shuffled_labels", "mpcl", "mpcl-ensemble", *ABLATIONS)  # all folds and seeds are trained at once
MEMBERS = 5  # networks of an ensemble, whose predictions are averaged
STACKED = ("mean_label", "ridge", "trees", "mpcl")  # what mpcl-stacked mixes: a floor, and one of each kind of learner
METHODS = (*FLOORS, *CONDITIONAL, *CHECKS, *BASELINES, "mpcl", *ABLATIONS, "mpcl-ensemble", "mpcl-stacked")
ANSWERS = ("distribution", "rating", "condition", "clip")  # of a held-out window, and whatever is named truth_*


def check_methods(methods):
    """Return the methods with the floors in front: no score stands without them.

    Args:
        methods: names, or ``all``, or ``floors``.

    Returns:
        tuple of names.

    Raises:
        DatasetError: for an unknown name.

    Example:
        >>> check_methods(["mpcl"])[2:]
        ('condition_oracle', 'participant_mean', 'motion_only', 'elapsed_time_only', 'mpcl')
    """
    chosen = {"all": METHODS, "floors": ()}.get(methods, methods) if isinstance(methods, str) else methods
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    unknown = [name for name in chosen if name not in (*METHODS, *OPTIONAL)]
    if unknown:
        raise DatasetError(f"unknown method {unknown[0]!r}; choose from {', '.join((*METHODS, *OPTIONAL))}")
    return tuple(dict.fromkeys([*FLOORS, *CONDITIONAL, *chosen]))


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


def run(dataset, method, protocol, seeds, settings, device="auto"):
    """Hold every window out once, learn from the others, predict and score.

    Labels, clips and conditions of the held-out windows are taken away before anything is predicted. Predictions of
    all folds are put together before they are scored, as a participant's windows may lie in several of them.

    Args:
        dataset: a data set that follows the contract.
        method: name.
        protocol: name of a split, see :mod:`mpcl.splits`; ``participants-without-behavioural`` is ``participants``
            with held-out windows of which the behavioural branch was not measured, which no method was told before.
        seeds: list of int.
        settings: :class:`mpcl.settings.Settings`.
        device: see :func:`mpcl.settings.device_of`.

    Returns:
        list, one a seed, of dicts from level to :class:`xarray.DataArray` (participant, metric).

    Raises:
        NotApplicable: for a floor that has no meaning here, or too few windows to choose a mixture on.
    """
    dataset = dataset.drop_vars([name for name in dataset.variables if name.startswith("truth_")])
    dataset = shuffled(dataset) if method == "shuffled_labels" else dataset
    predicted = np.full((len(seeds), *dataset.distribution.shape), np.nan)  # (seed, window, emotion)
    make = stacked if method == "mpcl-stacked" else predictions
    for (fold, seed), guess in make(dataset, method, protocol, folds(dataset, protocol), seeds, settings, device):
        predicted[seeds.index(seed), rows(dataset, fold)[1]] = guess
    return [{level: participant_scores(dataset, one, level) for level in LEVELS} for one in predicted]


def predictions(dataset, method, protocol, every, seeds, settings, device="auto"):
    """What a method says of the windows that each fold holds out, having learned from the others.

    Args:
        dataset, method, protocol, seeds, settings, device: see :func:`run`.
        every: list of folds.

    Yields:
        ((fold, seed), array (window, emotion)).
    """
    fitted = {}
    if method in NETWORKS:
        several = [member for seed in seeds for member in members(method, seed)]
        fitted = networks(dataset, method, every, several, settings, device)
    for fold in every:
        training, test = part(dataset, fold)
        blind = without(unlabelled(test), protocol.partition(WITHOUT)[2])
        for seed in seeds:
            if method in NETWORKS:
                guess = np.mean([predict(fitted[fold, member], blind, training, settings, device)
                                 for member in members(method, seed)], 0)
            elif method == "condition_oracle":
                guess = FLOORS[method](training, blind.assign_coords(clip=test["clip"]))
            elif method in FLOORS:
                guess = FLOORS[method](training, blind)
            elif method in CONDITIONAL:
                guess = CONDITIONAL[method](training, blind, settings)
            else:
                guess = baseline(method, seed, settings).fit(training).predict(blind)
            yield (fold, seed), guess


def stacked(dataset, method, protocol, every, seeds, settings, device="auto"):
    """A mixture of ``STACKED``, each averaged within trials, weighted by what inner folds of the training part say.

    Arguments and what it yields are those of :func:`predictions`.

    Raises:
        NotApplicable: where a training part is too small for inner folds.
    """
    try:
        inside = {fold: nested(dataset, fold, protocol) for fold in every}
    except DatasetError as reason:
        raise NotApplicable(f"no inner folds: {reason}") from reason
    whole = protocol.partition(WITHOUT)[0]  # the weights are chosen on participants who have every branch
    for seed in seeds:
        inner = [one for own in inside.values() for one in own]
        told = [{fold: guess for plan, name in ((inner, whole), (every, protocol)) for (fold, _), guess in
                 predictions(dataset, member, name, plan, [seed], settings, device)} for member in STACKED]

        def by_trial(fold, told=told):
            trial = dataset.trial.values[rows(dataset, fold)[1]]
            return np.stack([stacking.by_trial(trial, guess[fold]) for guess in told])  # (member, window, emotion)

        for fold, own in inside.items():
            held_out = dataset.isel(window=np.concatenate([one.held_out for one in own]))
            learned = np.concatenate([by_trial(one) for one in own], 1)
            mixture = stacking.weights(held_out.distribution.values, learned, trial_weights(held_out))
            yield (fold, seed), np.einsum("m,mwe->we", mixture, by_trial(fold))


def members(method, seed):
    """The seeds of the networks that are averaged: a method's own seed, or for an ensemble as many others.

    Example:
        >>> members("mpcl", 2), members("mpcl-ensemble", 2)
        ((2,), (10, 11, 12, 13, 14))
    """
    return tuple(range(MEMBERS * seed, MEMBERS * (seed + 1))) if method == "mpcl-ensemble" else (seed,)


def networks(dataset, method, every, seeds, settings, device="auto"):
    """Train the networks of a method, all folds and seeds at once.

    Args:
        dataset, method, seeds, settings, device: see :func:`run`.
        every: list of folds.

    Returns:
        dict from (fold, seed) to a fitted :class:`mpcl.model.network.MPCL`.

    Raises:
        TrainingError: if the training of any of them did not end well.
    """
    configs, fitted = {}, {}
    for fold in every:  # what a network reads may differ, where a modality is missing in all training windows
        configs.setdefault(config_of(method, part(dataset, fold)[0]), []).append(fold)
    for config, own in configs.items():
        result = fit(config, dataset, own, seeds, settings, device)
        if result.failed:  # to score the others alone would be to choose among seeds
            raise TrainingError("; ".join(result.failed.values()))
        fitted |= dict(zip(zip(result.folds, result.seeds, strict=True), result.models, strict=True))
    return fitted


def baseline(method, seed, settings):
    """A baseline with ``fit`` and ``predict``; ``nearest_neighbour`` copies the label of the most similar window."""
    if method == "nearest_neighbour":
        return BASELINES["knn"](seed=seed, settings=settings, neighbours=1)
    return (BASELINES | OPTIONAL)[method](seed=seed, settings=settings)


def unlabelled(dataset):
    """Windows as a method sees those held out: without labels, ratings, truth, clip and condition.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        The same windows and signals, with participant, trial and times, and the names of the emotions.
    """
    return dataset.drop_vars([name for name in dataset.variables if name in ANSWERS or name.startswith("truth_")])


def without(dataset, branch):
    """The same windows with nothing measured of a branch.

    Args:
        dataset: a data set that follows the contract.
        branch: ``physiological`` or ``behavioural``; empty for a data set as it is.

    Returns:
        data set.

    Raises:
        DatasetError: if the data set has no such branch, or no other.
    """
    if not branch:
        return dataset
    lost = [name for name in modalities(dataset) if dataset[name].attrs["branch"] == branch]
    if not 0 < len(lost) < len(modalities(dataset)):
        raise DatasetError(f"the branch {branch!r} cannot be lost: it must be one of two that were measured",
                           dataset.attrs.get("dataset", ""))
    return dataset.assign({name: dataset[name].where(False) for name in lost})


def shuffled(dataset, seed=0):
    """The same people and signals with each participant's labels dealt anew to their trials.

    Nothing is left to learn from the signals, while every participant keeps the same labels, so that the floors stay
    where they were. Whatever beats ``mean_label`` here (``participant_mean``, where the participant is known) found a
    leak.

    Args:
        dataset: a data set that follows the contract.
        seed: of the random generator.

    Returns:
        data set.
    """
    _, first, trial = np.unique(dataset.trial.values.astype(str), return_index=True, return_inverse=True)
    person, donor = dataset.participant.values.astype(str)[first], np.arange(len(first))
    random = np.random.default_rng(seed)
    for name in np.unique(person):
        donor[person == name] = random.permutation(donor[person == name])
    given = {name: dataset[name].copy(data=dataset[name].values[first[donor[trial]]])
             for name in ("distribution", "rating") if name in dataset}
    return dataset.assign(given)


def absent_modalities(dataset):
    """Modalities that are missing in every window, which no network reads.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of str.
    """
    return [name for name in modalities(dataset) if bool(dataset[name].isnull().all())]
