"""Who trains and who is held out.

A *fold* of the protocols over people is the tuple of its **training** participants; everybody else is held out. A
fold of the other protocols is a :class:`Fold`, which names its windows. Nothing of a held-out window's label is ever
read while training. :func:`part` cuts a data set by either.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from mpcl.data.contract import DatasetError

FOLDS = 5  # of every protocol but leave-one-participant-out
SEED = 0  # of the two protocols that shuffle; folds never change with the seed of a model


@dataclass(frozen=True)
class Fold:
    """Windows that train and windows that are held out; windows in neither are left out.

    Attributes:
        name: protocol and number, such as ``trials 1 of 5``.
        training: rows of the data set.
        held_out: rows of the data set.
    """

    name: str
    training: tuple
    held_out: tuple


def names(dataset):
    """The participants of a data set, each once, in order of appearance.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of str.
    """
    return list(dict.fromkeys(map(str, dataset.participant.values)))


def leave_one_participant_out(dataset):
    """One fold a participant, in which that participant alone is held out.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of tuples of training participants.

    Raises:
        DatasetError: if there is only one participant.
    """
    everyone = _several(dataset)
    return [tuple(name for name in everyone if name != held_out) for held_out in everyone]


def participants(dataset):
    """Grouped five-fold: each participant is held out once, together with a fifth of the others.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of tuples of training participants, five or as many as there are participants.

    Raises:
        DatasetError: if there is only one participant.
    """
    everyone = np.array(_several(dataset))
    splitter = GroupKFold(min(FOLDS, len(everyone)))
    return [tuple(map(str, everyone[train])) for train, _ in splitter.split(everyone, groups=everyone)]


def clips(dataset):
    """New people who watch new clips: five groups of participants crossed with five groups of clips.

    A fold trains on the other participants with the other clips; what shares only one of the two with the held-out
    windows is left out. Each window is held out once.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of :class:`Fold`, 25 where there are enough participants and clips.

    Raises:
        DatasetError: if there is only one participant, or only one clip.
    """
    person, clip = (dataset[name].values.astype(str) for name in ("participant", "clip"))
    watched = np.unique(clip)
    if len(watched) < 2:
        raise DatasetError(f"everybody saw {watched[0]}; at least two clips are needed to hold one out",
                           dataset.attrs.get("dataset", ""))
    seen = [np.isin(clip, watched[train]) for train, _ in KFold(min(FOLDS, len(watched))).split(watched)]
    known = [np.isin(person, train) for train in participants(dataset)]
    return _numbered("clips", [(own & others, ~own & ~others) for own in known for others in seen])


def trials(dataset):
    """Known people, new trials: of each participant a fifth of the trials is held out whole.

    Everybody's other trials train, so a model may know the participant and, from others, the clip.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of :class:`Fold`, five or as many as anybody has trials.

    Raises:
        DatasetError: if a participant has only one trial.
    """
    trial, first, inverse = np.unique(dataset.trial.values.astype(str), return_index=True, return_inverse=True)
    person = dataset.participant.values.astype(str)[first]  # (trial,)
    own, counts = np.unique(person, return_counts=True)
    if counts.min() < 2:
        raise DatasetError(f"{', '.join(own[counts < 2])}: only one trial; leave them out, or hold out participants",
                           dataset.attrs.get("dataset", ""))
    splitter = StratifiedKFold(min(FOLDS, counts.max()), shuffle=True, random_state=SEED)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that somebody has fewer trials than folds
        held_out = [np.isin(inverse, test) for _, test in splitter.split(trial, person)]
    return _numbered("trials", [(~rows, rows) for rows in held_out])


def leaky_windows(dataset):
    """Windows split at random, **which leaks**: windows of one trial share a label and stand on both sides.

    It exists to be shown wrong, as many published splits are made this way.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        list of :class:`Fold`.
    """
    rows = np.arange(dataset.sizes["window"])
    splitter = KFold(min(FOLDS, len(rows)), shuffle=True, random_state=SEED)
    return _numbered("leaky-windows", [(~np.isin(rows, test), np.isin(rows, test)) for _, test in splitter.split(rows)])


PROTOCOLS = {"leave-one-participant-out": leave_one_participant_out, "participants": participants, "clips": clips,
             "trials": trials, "leaky-windows": leaky_windows}
WITHOUT = "-without-"  # participants-without-behavioural: the folds of participants, and held-out windows lack a branch


def folds(dataset, protocol):
    """The folds of a protocol, by its name.

    Args:
        dataset: a data set that follows the contract.
        protocol: a name in ``PROTOCOLS``; what follows ``WITHOUT`` in it does not change the folds.

    Returns:
        list of folds.

    Raises:
        DatasetError: for an unknown protocol, or a data set that cannot be split.
    """
    name = protocol.partition(WITHOUT)[0]
    if name not in PROTOCOLS:
        raise DatasetError(f"unknown protocol {name!r}; choose {' or '.join(PROTOCOLS)}")
    return PROTOCOLS[name](dataset)


def inner(training, protocol):
    """Folds inside the training windows of a fold, to tune on: grouped as the outer ones are, five-fold.

    Args:
        training: the first of what :func:`part` returns; the folds hold for this data set alone.
        protocol: name of the outer protocol.

    Returns:
        list of folds of ``training``.
    """
    protocol = protocol.partition(WITHOUT)[0]
    return folds(training, "participants" if protocol == "leave-one-participant-out" else protocol)


def nested(dataset, fold, protocol):
    """The inner folds of a fold, as folds of the whole data set: what the fold holds out is in neither side of them.

    Args:
        dataset: a data set that follows the contract.
        fold: one of :func:`folds`.
        protocol: its protocol.

    Returns:
        list of :class:`Fold`.
    """
    own, training = rows(dataset, fold)[0], part(dataset, fold)[0]
    sides = [[tuple(own[side].tolist()) for side in rows(training, one)] for one in inner(training, protocol)]
    return [Fold(f"{text(fold)}, inner {number} of {len(sides)}", *pair) for number, pair in enumerate(sides, 1)]


def part(dataset, fold):
    """Training and held-out windows of a fold.

    Args:
        dataset: a data set that follows the contract; for a :class:`Fold` the one that it was made from.
        fold: tuple of training participants, or a :class:`Fold`.

    Returns:
        two data sets.

    Raises:
        DatasetError: if the fold names somebody unknown, or holds nobody out.
    """
    training, held_out = rows(dataset, fold)
    return dataset.isel(window=training), dataset.isel(window=held_out)


def rows(dataset, fold):
    """The rows that train and the rows that are held out; arguments and errors are those of :func:`part`.

    Returns:
        two int arrays.
    """
    if isinstance(fold, Fold):
        training, held_out = (np.array(own, int) for own in (fold.training, fold.held_out))
        if max(training.max(), held_out.max()) >= dataset.sizes["window"]:
            raise DatasetError(f"the fold {fold.name!r} is of another data set: it names windows that are not there")
        return training, held_out
    unknown = set(fold) - set(names(dataset))
    if unknown:
        raise DatasetError(f"the fold names participants that are not in the data: {', '.join(sorted(unknown))}")
    training = np.isin(dataset.participant.values.astype(str), fold)
    if training.all():
        raise DatasetError("the fold holds nobody out")
    return np.flatnonzero(training), np.flatnonzero(~training)


def text(fold):
    """What tells a fold from others, the same in every run: the key of its randomness.

    Example:
        >>> text(("P01", "P02")), text(Fold("trials 1 of 5", (0, 1), (2,)))
        ('P01\\x00P02', 'trials 1 of 5')
    """
    return fold.name if isinstance(fold, Fold) else "\0".join(fold)


def label(fold):
    """A fold in words, for a person.

    Example:
        >>> label(("P01", "P02", "P03"))
        'training on 3 participants (P01 to P03)'
    """
    return f"fold {fold.name}" if isinstance(fold, Fold) else (
        f"training on {len(fold)} participants ({fold[0]} to {fold[-1]})")


def _several(dataset):
    everyone = names(dataset)
    if len(everyone) < 2:
        raise DatasetError(f"only {everyone[0]} is there; at least two participants are needed to hold one out",
                           dataset.attrs.get("dataset", ""))
    return everyone


def _numbered(protocol, sides):
    """Folds from pairs of bool arrays (window,), those without a training or held-out window left out."""
    sides = [tuple(tuple(np.flatnonzero(side).tolist()) for side in pair) for pair in sides]
    sides = [pair for pair in sides if all(pair)]
    return [Fold(f"{protocol} {number} of {len(sides)}", *pair) for number, pair in enumerate(sides, 1)]
