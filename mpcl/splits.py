"""Who trains and who is held out.

A *fold* is the tuple of its **training** participants; everybody else is held out. Nothing of a
held-out participant's labels is ever read while training.
"""

import numpy as np
from sklearn.model_selection import GroupKFold

from mpcl.data.contract import DatasetError

FOLDS = 5  # of the protocol "participants"


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


PROTOCOLS = {"leave-one-participant-out": leave_one_participant_out, "participants": participants}


def folds(dataset, protocol):
    """The folds of a protocol, by its name.

    Args:
        dataset: a data set that follows the contract.
        protocol: ``leave-one-participant-out`` or ``participants``.

    Returns:
        list of tuples of training participants.

    Raises:
        DatasetError: for an unknown protocol, or a data set that cannot be split.
    """
    if protocol not in PROTOCOLS:
        raise DatasetError(f"unknown protocol {protocol!r}; choose {' or '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol](dataset)


def part(dataset, fold):
    """Training and held-out windows of a fold.

    Args:
        dataset: a data set that follows the contract.
        fold: tuple of training participants.

    Returns:
        two data sets that share no participant.

    Raises:
        DatasetError: if the fold names somebody unknown, or holds nobody out.
    """
    unknown = set(fold) - set(names(dataset))
    if unknown:
        raise DatasetError(f"the fold names participants that are not in the data: {', '.join(sorted(unknown))}")
    training = np.isin(dataset.participant.values.astype(str), fold)
    if training.all():
        raise DatasetError("the fold holds nobody out")
    return dataset.isel(window=training), dataset.isel(window=~training)


def _several(dataset):
    everyone = names(dataset)
    if len(everyone) < 2:
        raise DatasetError(f"only {everyone[0]} is there; at least two participants are needed to hold one out",
                           dataset.attrs.get("dataset", ""))
    return everyone
