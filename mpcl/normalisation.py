"""Features to z-scores, in one of three ways that are always named.

* ``transductive``: each participant by their mean and spread over all of their windows.
  For a held-out participant this uses unlabelled windows of the future; no label is
  read.
* ``inductive``: everybody by the mean and spread of the training windows alone.
* ``running``: each trial of a participant by their windows up to its end, and by the
  training people while those are few. Nothing of the future is read, so a new person
  can have this in practice. Training windows are scaled as ``transductive`` does it:
  those recordings are complete.

Where a participant stands on both sides (whole trials or clips held out), the held-out
windows are scaled by all of that participant's windows, the training ones too: one
trial by its own mean would lose its level. The training windows are scaled by the
training windows alone, because a fit never reads a held-out window. The two sides then
differ a little in scale, and that difference is part of the score.

A participant whose windows have no spread (fewer than three with a modality, or all
alike) would lose every feature of it, or keep its sign alone; ``transductive`` scales
them by the training windows, as ``inductive`` does it, and :func:`without_spread` tells
who. ``running`` scales everybody so where no training participant has a spread.

The choice moves scores more than most components of a model do, so every score names
its own.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from mpcl.data.contract import missing, modalities, trials
from mpcl.errors import ParameterError

LIMIT = 4.0  # z-scores are clipped here: an artefact should not outvote the rest
FEWEST = 3  # windows that have a spread of their own
STEADY = 5  # trials, as many as the spread of training people counts for
WAYS = ("transductive", "inductive", "running")


class Standardised(NamedTuple):
    """Features ready for a model.

    Attributes:
        features: of each modality (window, feature), in standard deviations, 0 where
            missing.
        present: bool (window, modality), False where a modality is missing.
    """

    features: dict[str, np.ndarray]
    present: np.ndarray


def standardise(
    dataset: xr.Dataset, training: xr.Dataset, how: str = "transductive"
) -> Standardised:
    """Z-score every feature of a data set.

    A constant feature becomes 0; a value that is missing becomes 0 after the z-score.

    Args:
        dataset: the windows to standardise.
        training: the windows that train; ``transductive`` reads those of participants
            who are in ``dataset`` too, and all for those without a spread.
        how: ``transductive``, ``inductive`` or ``running``.

    Raises:
        ParameterError: for another way, or where trials have no order in time.
    """
    if how not in WAYS:
        raise ParameterError(
            f"unknown normalisation {how!r}; choose {' or '.join(WAYS)}"
        )
    others = _without(training, dataset)
    windows = training.sizes["window"] - others.sizes["window"]
    if how == "running" and windows == dataset.sizes["window"]:  # all of them train
        how = "transductive"
    if how == "running":
        _check_order(dataset)
    features: dict[str, np.ndarray] = {}
    for name in modalities(dataset):
        if how == "inductive":
            reference = training[name].values.astype(float)
            scaled = _zscore(dataset[name].values.astype(float), reference)
        elif how == "running":
            scaled = _by_past(dataset, training, others, name)
        else:
            scaled = _by_participant(dataset, training, others, name)
        features[name] = np.clip(np.nan_to_num(scaled, nan=0.0), -LIMIT, LIMIT)
    return Standardised(features, ~missing(dataset).values)


def without_spread(dataset: xr.Dataset) -> list[str]:
    """Participants with a modality whose windows have no spread of their own.

    Example:
        >>> once = xr.Dataset({"eda": (("window", "eda_feature"), [[1.0]])})
        >>> once["eda"].attrs["branch"] = "physiological"
        >>> without_spread(once.assign_coords(participant=("window", ["P1"])))
        ['P1']
    """
    person = dataset.participant.values.astype(str)
    return [
        participant
        for participant in np.unique(person).tolist()
        if any(
            rows.notnull().any() and not _has_spread(rows.values)
            for rows in (
                dataset[name][person == participant] for name in modalities(dataset)
            )
        )
    ]


def _has_spread(values: np.ndarray) -> bool:
    """Whether windows (window, feature) have a spread: three or more, not alike."""
    present = values[np.isfinite(values).any(1)]
    is_repeated = np.array_equal(present[1:], present[:-1], equal_nan=True)
    return len(present) >= FEWEST and not is_repeated


def _by_participant(
    dataset: xr.Dataset, training: xr.Dataset, others: xr.Dataset, name: str
) -> np.ndarray:
    """A modality of ``dataset`` by each participant's windows, here and in others."""
    values = dataset[name].values.astype(float)  # (window, feature)
    others_values = others[name].values.astype(float)
    person = dataset.participant.values.astype(str)
    others_person = others.participant.values.astype(str)
    scaled = np.empty_like(values)
    for participant in np.unique(person):
        rows = person == participant
        more = others_values[others_person == participant]
        reference = np.concatenate([values[rows], more])
        if not _has_spread(reference):
            reference = training[name].values.astype(float)
        scaled[rows] = _zscore(values[rows], reference)
    return scaled


class People(NamedTuple):
    """What training windows tell of people, of each feature (feature,)."""

    mean: np.ndarray  # of the people's means
    variance: np.ndarray  # of windows about their person, mean over people
    doubt: np.ndarray  # as many trials the mean counts for


def people_of(training: xr.Dataset, name: str) -> People | None:
    """None where nobody's windows have a spread."""
    values, grouped = training[name].values.astype(float), trials(training)
    person = training.participant.values.astype(str)
    means: list[np.ndarray] = []
    variances: list[np.ndarray] = []
    doubts = [np.full(values.shape[1], np.nan)]  # variances of trials about a person
    for participant in np.unique(person):
        rows = person == participant
        if not _has_spread(values[rows]):
            continue
        mean, variance = _moments(values[rows])
        means.append(mean)
        variances.append(variance)
        numbers = np.unique(grouped.of_window[rows])
        each = [_moments(values[grouped.of_window == number])[0] for number in numbers]
        if len(each) > 1:
            doubts.append(_moments(np.array(each))[1])
    if not means:
        return None
    mean, between = _moments(np.array(means))
    doubt = np.full_like(between, np.inf)  # nothing tells trials from people
    np.divide(_moments(np.array(doubts))[0], between, out=doubt, where=between > 0)
    doubt = np.nan_to_num(doubt, nan=np.inf, posinf=np.inf)
    return People(mean, _moments(np.array(variances))[0], doubt)


def _by_past(
    dataset: xr.Dataset, training: xr.Dataset, others: xr.Dataset, name: str
) -> np.ndarray:
    """A modality of ``dataset`` by each participant's windows up to the trial's end.

    The windows are those in ``dataset`` and, of a participant who trains too, those of
    training.

    *Our reading*, empirical Bayes (James and Stein, 1961): after n trials, a person's
    mean is n / (n + k) of the mean of their windows so far and the rest of the mean of
    the training people. k is the variance of trials about their person, divided by that
    of people about their mean: where people differ much, one trial outvotes all others.
    The variance about that mean is shared likewise, with ``STEADY`` for k.
    """
    people = people_of(training, name)
    values = dataset[name].values.astype(float)  # (window, feature)
    if people is None:
        return _zscore(values, training[name].values.astype(float))
    both = xr.concat([_times(dataset), _times(others)], "window")
    values = np.concatenate([values, others[name].values.astype(float)]) - people.mean
    scaled = np.empty_like(values)
    person = both.participant.values.astype(str)
    for participant in np.unique(person):
        rows = person == participant
        scaled[rows] = _by_trials_so_far(values[rows], both.isel(window=rows), people)
    return scaled[: dataset.sizes["window"]]


def _by_trials_so_far(
    values: np.ndarray, windows: xr.Dataset, people: People
) -> np.ndarray:
    """One person's values (window, feature), less the training mean, as z-scores."""
    grouped = trials(windows)
    begins = grouped.least(windows.start.values)
    rank = np.argsort(np.argsort(begins))[grouped.of_window]  # of each window's trial
    finite = np.isfinite(values)
    number = np.where(finite, values, 0.0)
    sums = np.zeros((3, len(begins), values.shape[1]))  # (power, trial, feature)
    for power in range(3):
        np.add.at(sums[power], rank, np.where(finite, number**power, 0))
    seen = (sums[0] > 0).cumsum(0)  # trials so far (trial, feature)
    count, total, square = sums.cumsum(1)
    mean, square = total / np.maximum(count, 1), square / np.maximum(count, 1)
    centre = seen / (seen + people.doubt) * mean
    variance = np.maximum(square - 2 * centre * mean + centre**2, 0)
    variance = (seen * variance + STEADY * people.variance) / (seen + STEADY)
    is_constant = variance <= (1e-9 * np.maximum(np.abs(people.mean), 1e-300)) ** 2
    spread = np.sqrt(np.where(is_constant, np.inf, variance))
    return (values - centre[rank]) / spread[rank]


def _times(dataset: xr.Dataset) -> xr.Dataset:
    """Whose windows they are, of which trial, and when, without their values."""
    names = ("participant", "trial", "start", "stop")
    return xr.Dataset({name: ("window", dataset[name].values) for name in names})


def _check_order(dataset: xr.Dataset) -> None:
    """Refuse a participant whose trials overlap: nobody can tell which came first."""
    grouped = trials(dataset)
    person = dataset.participant.values.astype(str)[grouped.first]
    begins = grouped.least(dataset.start.values)
    ends = -grouped.least(-dataset.stop.values)
    order = np.lexsort((begins, person))
    begins, ends, person = begins[order], ends[order], person[order]
    overlaps = (begins[1:] < ends[:-1] - 1e-6) & (person[1:] == person[:-1])
    if overlaps.any():
        raise ParameterError(
            "normalisation 'running' needs trials one after the other: those of "
            f"participant {person[1:][overlaps][0]} overlap, so start and stop may not "
            "be seconds of the recording"
        )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the finite values of each column; NaN where none is."""
    finite = np.isfinite(values)
    count = np.where(finite.any(0), finite.sum(0), np.nan)
    mean = np.where(finite, values, 0).sum(0) / count
    return mean, (np.where(finite, values - mean, 0) ** 2).sum(0) / count


def _without(training: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """The training windows that are not in ``dataset``: none where it is the same."""
    pairs = dataset.trial.values.tolist(), dataset.start.values.tolist()
    windows = set(zip(*pairs, strict=True))
    pairs = training.trial.values.tolist(), training.start.values.tolist()
    is_other = [window not in windows for window in zip(*pairs, strict=True)]
    return training.isel(window=np.array(is_other, bool))


def _zscore(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Z-scores (window, feature) by the columns of ``reference``, without its NaN."""
    finite = np.isfinite(reference)
    count = np.maximum(finite.sum(0), 1)
    mean = np.where(finite, reference, 0).sum(0) / count  # (feature,)
    spread = np.sqrt((np.where(finite, reference - mean, 0) ** 2).sum(0) / count)
    constant = spread <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
    return np.where(constant, 0.0, (values - mean) / np.where(constant, 1, spread))
