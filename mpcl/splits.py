"""Who trains and who is held out.

A :class:`Fold` names the rows of a data set that train and those that are held out; of
a held-out window's label nothing is ever read while training. :func:`part` cuts a data
set by a fold.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError

FOLDS = 5  # of every protocol but leave-one-participant-out
SEED = 0  # of the protocols that shuffle: folds do not change with a model's seed
WITHOUT = "-without-"  # participants-without-face: the held-out windows lack a branch
AFTER = "participants-after-"  # so many of a held-out person's trials come with answers


@dataclass(frozen=True)
class Fold:
    """Windows that train and windows that are held out; those in neither are left out.

    Attributes:
        name: for people, such as ``trials 1 of 5``.
        training, held_out: rows of the data set that the fold was made from.
        key: what its random numbers depend on, the same in every run.
    """

    name: str
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    key: str


def names(dataset: xr.Dataset) -> list[str]:
    """The participants of a data set, each once, in order of appearance."""
    return list(dict.fromkeys(map(str, dataset.participant.values)))


def of_participants(dataset: xr.Dataset, training: Sequence[str]) -> Fold:
    """The fold in which these participants train and everybody else is held out.

    Raises:
        DatasetError: if somebody is unknown, or nobody is held out.

    Example:
        >>> people = xr.Dataset(coords={"participant": ("window", ["P1", "P2", "P1"])})
        >>> fold = of_participants(people, ["P1"])
        >>> fold.training, fold.held_out
        ((0, 2), (1,))
    """
    unknown = sorted(set(training) - set(names(dataset)))
    if unknown:
        raise DatasetError(
            "the fold names participants that are not in the data: "
            + ", ".join(unknown)
        )
    trains = np.isin(dataset.participant.values.astype(str), training)  # (window,)
    if trains.all():
        raise DatasetError("the fold holds nobody out")
    first, last = min(training), max(training)
    return Fold(
        f"training on {len(training)} participants ({first} to {last})",
        _rows(trains),
        _rows(~trains),
        "\0".join(training),
    )


def leave_one_participant_out(dataset: xr.Dataset) -> list[Fold]:
    """One fold a participant, in which that participant alone is held out."""
    everyone = _several(dataset)
    return [
        of_participants(dataset, [name for name in everyone if name != held_out])
        for held_out in everyone
    ]


def participants(dataset: xr.Dataset) -> list[Fold]:
    """Grouped five-fold: each participant is held out once, with a fifth of the others.

    There are fewer folds where there are fewer participants.
    """
    everyone = _several(dataset)
    splitter: Any = GroupKFold(min(FOLDS, len(everyone)))
    groups = splitter.split(everyone, groups=everyone)
    return [
        of_participants(dataset, [everyone[place] for place in training])
        for training, _ in groups
    ]


def clips(dataset: xr.Dataset) -> list[Fold]:
    """New people who watch new clips: groups of people crossed with groups of clips.

    A fold trains on the other participants with the other clips; what shares only one
    of the two with the held-out windows is left out. Each window is held out once, in
    one of 25 folds where there are enough participants and clips.

    Raises:
        DatasetError: if there is only one participant, or only one clip.
    """
    clip = dataset["clip"].values.astype(str)
    watched = np.unique(clip)
    if len(watched) < 2:
        raise DatasetError(
            f"everybody saw {watched[0]}; at least two clips are needed to hold one "
            "out",
            dataset.attrs.get("dataset", ""),
        )
    windows = np.arange(len(clip))
    clip_trains = [
        np.isin(clip, watched[list(training)])
        for training, _ in KFold(min(FOLDS, len(watched))).split(watched.tolist())
    ]
    person_trains = [np.isin(windows, fold.training) for fold in participants(dataset)]
    pairs = product(person_trains, clip_trains)
    return _numbered("clips", [(a & b, ~a & ~b) for a, b in pairs])


def trials(dataset: xr.Dataset) -> list[Fold]:
    """The same people, new trials: a fifth of each participant's trials is held out.

    Everybody's other trials train, so a model may know the participant and, from
    others, the clip. There are fewer folds where nobody has five trials.

    Raises:
        DatasetError: if a participant has only one trial.
    """
    grouped = contract.trials(dataset)
    person = dataset.participant.values.astype(str)[grouped.first]  # (trial,)
    people, counts = np.unique(person, return_counts=True)
    if counts.min() < 2:
        raise DatasetError(
            f"{', '.join(people[counts < 2])}: only one trial; leave them out, or hold "
            "out participants",
            dataset.attrs.get("dataset", ""),
        )
    splitter = StratifiedKFold(
        min(FOLDS, int(counts.max())), shuffle=True, random_state=SEED
    )
    # somebody may have fewer trials than there are folds
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        held_out = [
            np.isin(grouped.of_window, list(test))
            for _, test in splitter.split(grouped.names.tolist(), person.tolist())
        ]
    return _numbered("trials", [(~side, side) for side in held_out])


def leaky_windows(dataset: xr.Dataset) -> list[Fold]:
    """Windows split at random, **which leaks**: windows of one trial share a label.

    It exists to be shown wrong, as many published splits are made this way.
    """
    windows = np.arange(dataset.sizes["window"])
    if len(windows) < 2:
        raise DatasetError(
            "only one window is there; at least two are needed to hold one out",
            dataset.attrs.get("dataset", ""),
        )
    splitter = KFold(min(FOLDS, len(windows)), shuffle=True, random_state=SEED)
    held_out = [
        np.isin(windows, list(test))
        for _, test in splitter.split(dataset.trial.values.tolist())
    ]
    return _numbered("leaky-windows", [(~side, side) for side in held_out])


PROTOCOLS: dict[str, Callable[[xr.Dataset], list[Fold]]] = {
    "leave-one-participant-out": leave_one_participant_out,
    "participants": participants,
    "clips": clips,
    "trials": trials,
    "leaky-windows": leaky_windows,
}


def most_answered(dataset: xr.Dataset) -> int:
    """Of how many trials each participant's answers are told at most.

    The largest power of two that is no more than half of anybody's trials, so that at
    least half of them are left to be scored; 0 where somebody has one trial.
    """
    grouped = contract.trials(dataset)
    person = dataset.participant.values.astype(str)[grouped.first]  # (trial,)
    half = int(np.unique(person, return_counts=True)[1].min()) // 2
    return 1 << (half.bit_length() - 1) if half else 0


def turns(dataset: xr.Dataset) -> np.ndarray:
    """Which trial of its participant, in time, a window is of (window,): 0, 1, ...

    Example:
        >>> coords = {"trial": list("bbac"), "start": [3.0, 4.0, 9.0, 0.0]}
        >>> coords = {name: ("window", values) for name, values in coords.items()}
        >>> windows = xr.Dataset(coords=coords)
        >>> turns(windows.assign_coords(participant=("window", list("PPPQ")))).tolist()
        [0, 0, 1, 0]
    """
    grouped = contract.trials(dataset)
    person = dataset.participant.values.astype(str)[grouped.first]  # (trial,)
    start = grouped.least(dataset.start.values)
    turn = np.empty(len(person), int)
    for name in np.unique(person):
        of_person = np.flatnonzero(person == name)
        turn[of_person[np.argsort(start[of_person], kind="stable")]] = range(
            len(of_person)
        )
    return turn[grouped.of_window]


def count_answered(protocol: str) -> int | None:
    """The K of ``participants-after-K``, None for any other protocol.

    Raises:
        ParameterError: if K is no whole number.
    """
    name = protocol.partition(WITHOUT)[0]
    if not name.startswith(AFTER):
        return None
    count = name.removeprefix(AFTER)
    if not count.isdecimal():
        raise ParameterError(f"{name!r} does not say after how many trials: {AFTER}2")
    return int(count)


def folds(dataset: xr.Dataset, protocol: str) -> list[Fold]:
    """The folds of a protocol; what follows ``WITHOUT`` in its name changes none.

    Those of ``participants-after-K`` are those of ``participants``: the answers of the
    first K trials of a held-out person are told to whom they help, and nobody is scored
    but on what follows the most that can be told.

    Raises:
        ParameterError: for an unknown protocol.
        DatasetError: if the data set cannot be split.
    """
    name, without, branch = protocol.partition(WITHOUT)
    if without and not branch:
        raise ParameterError(
            f"{protocol!r} does not say which branch is lost: add its name, such as "
            "behavioural"
        )
    count = count_answered(protocol)
    if count is not None:
        if count > most_answered(dataset):
            raise ParameterError(
                f"{name}: at most {most_answered(dataset)} trials of each participant "
                "can be told, or too few are left to score"
            )
        return participants(dataset)
    if name not in PROTOCOLS:
        raise ParameterError(
            f"unknown protocol {name!r}; choose {' or '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[name](dataset)


def inner(training: xr.Dataset, protocol: str) -> list[Fold]:
    """Folds inside a training part, to tune on: grouped as the outer ones, five-fold.

    Args:
        training: the first of what :func:`part` returns; the folds are of its rows.
        protocol: of the outer folds.
    """
    name = protocol.partition(WITHOUT)[0]
    is_grouped = name == "leave-one-participant-out" or name.startswith(AFTER)
    return folds(training, "participants" if is_grouped else name)


def nested(dataset: xr.Dataset, fold: Fold, protocol: str) -> list[Fold]:
    """The inner folds of a fold, as rows of the whole data set.

    What the fold holds out stands on neither side of them.
    """
    outer = rows(dataset, fold)[0]
    inside = inner(dataset.isel(window=outer), protocol)
    places = [f", inner {n} of {len(inside)}" for n in range(1, len(inside) + 1)]
    return [
        Fold(
            fold.name + place,
            tuple(outer[list(small.training)].tolist()),
            tuple(outer[list(small.held_out)].tolist()),
            fold.key + place,
        )
        for place, small in zip(places, inside, strict=True)
    ]


def without_neighbours(outer: Sequence[Fold]) -> list[Fold]:
    """For each fold, one that holds out its people and those of the next one too.

    What is learned there tells of either fold's people what a model misses that has met
    neither, so it serves the other fold: half as many fits as folds within folds.

    Args:
        outer: three or more folds, in each of which all train who are not held out.
    """
    pairs = zip(outer, [*outer[1:], outer[0]], strict=True)
    return [
        Fold(
            f"{fold.name}, without {after.name}",
            tuple(sorted(set(fold.training) & set(after.training))),
            tuple(sorted(set(fold.held_out) | set(after.held_out))),
            f"{fold.key}, without {after.key}",
        )
        for fold, after in pairs
    ]


def part(dataset: xr.Dataset, fold: Fold) -> tuple[xr.Dataset, xr.Dataset]:
    """Training and held-out windows of a fold of this data set.

    Raises:
        DatasetError: if the fold names windows that are not there.
    """
    training, held_out = rows(dataset, fold)
    return dataset.isel(window=training), dataset.isel(window=held_out)


def rows(dataset: xr.Dataset, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """The rows that train and that are held out, as arrays; errors as :func:`part`."""
    if max(*fold.training, *fold.held_out) >= dataset.sizes["window"]:
        raise DatasetError(
            f"the fold {fold.name!r} is of another data set: it names windows that are "
            "not there"
        )
    return np.array(fold.training), np.array(fold.held_out)


def _several(dataset: xr.Dataset) -> list[str]:
    everyone = names(dataset)
    if len(everyone) < 2:
        raise DatasetError(
            f"only {everyone[0]} is there; at least two participants are needed to "
            "hold one out",
            dataset.attrs.get("dataset", ""),
        )
    return everyone


def _rows(side: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(side).tolist())


def _numbered(
    protocol: str, sides: Iterable[tuple[np.ndarray, np.ndarray]]
) -> list[Fold]:
    """Folds from pairs of bool arrays (window,); without one with an empty side."""
    whole = [pair for pair in sides if pair[0].any() and pair[1].any()]
    if not whole:
        raise DatasetError(
            f"{protocol}: whatever is held out, nothing is left to train on; choose "
            "another protocol"
        )
    texts = [f"{protocol} {n} of {len(whole)}" for n in range(1, len(whole) + 1)]
    return [
        Fold(text, _rows(training), _rows(held_out), text)
        for text, (training, held_out) in zip(texts, whole, strict=True)
    ]
