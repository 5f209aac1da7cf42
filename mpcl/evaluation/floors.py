"""The floors that stand beside every score: what is had without reading how anybody feels.

Each takes the training windows and the held-out windows and returns distributions
(window, emotion) for the latter. Means weigh each trial equally, however many windows it has.
``FLOORS`` read no signal and always apply. ``CONDITIONAL`` need a participant who is known, a modality of motion or a
clock, and say so where they do not apply.
"""

import numpy as np
import xarray as xr
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import SplineTransformer

from mpcl.data.contract import missing, modalities
from mpcl.normalisation import standardise
from mpcl.settings import Settings

MOTION = ("acc", "acceleration", "motion", "posture", "head")  # last word of the name of a modality of motion
PENALTIES = 10.0 ** np.arange(-3, 5)  # of the ridge, beside variances; the largest leaves the mean label alone


class NotApplicable(ValueError):
    """A floor that has no meaning on these data or under this protocol, and why."""


def uniform(train, test):
    """The same share for each emotion.

    Args:
        train: data set of the training participants (not read).
        test: data set of the held-out participants.

    Returns:
        array (window, emotion).
    """
    return np.full((test.sizes["window"], test.sizes["emotion"]), 1 / test.sizes["emotion"])


def mean_label(train, test):
    """The mean label of the training participants, whatever the signals say.

    Args:
        train: data set of the training participants.
        test: data set of the held-out participants.

    Returns:
        array (window, emotion).
    """
    return np.repeat(trial_labels(train).mean("trial").values[None], test.sizes["window"], 0)


def condition_oracle(train, test):
    """The mean training label of the true clip (WESAD: condition), which the oracle is *told*.

    No model is told this. Where a clip was never seen in training, the mean label stands in.

    Args:
        train: data set of the training participants.
        test: data set of the held-out participants; its coordinate ``clip`` is read.

    Returns:
        array (window, emotion).
    """
    labels = trial_labels(train)
    means = {clip: own.mean("trial").values for clip, own in labels.groupby("clip")}
    return np.stack([means.get(clip, labels.mean("trial").values) for clip in test["clip"].values])


def trial_labels(dataset):
    """The mean label of each trial, so that trials weigh equally.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        :class:`xarray.DataArray` (trial, emotion) with the coordinates ``clip`` and ``participant``.
    """
    trial, first, own = np.unique(dataset.trial.values.astype(str), return_index=True, return_inverse=True)
    total = np.zeros((len(trial), dataset.sizes["emotion"]))
    np.add.at(total, own, dataset.distribution.values)
    about = {name: ("trial", dataset[name].values[first]) for name in ("clip", "participant")}
    coords = {"trial": trial, "emotion": dataset.emotion.values, **about}
    return xr.DataArray(total / np.bincount(own)[:, None], dims=("trial", "emotion"), coords=coords)


def participant_mean(train, test, settings=None):
    """The mean training label of the participant whose window is held out.

    Args:
        train: the training windows; every held-out participant must be among them.
        test: the held-out windows.
        settings: not read.

    Returns:
        array (window, emotion).

    Raises:
        NotApplicable: where participants are held out whole.
    """
    labels = trial_labels(train)
    means = {name: own.mean("trial").values for name, own in labels.groupby("participant")}
    if set(test.participant.values) - set(means):
        raise NotApplicable("the participant is new")
    return np.stack([means[name] for name in test.participant.values])


def motion_only(train, test, settings=None):
    """What posture and movement alone give away: a ridge on the modalities of motion.

    Args:
        train: the training windows.
        test: the held-out windows.
        settings: :class:`mpcl.settings.Settings`, of which the normalisation is read.

    Returns:
        array (window, emotion).

    Raises:
        NotApplicable: without a modality of motion.
    """
    measured = [name for name in modalities(train) if name.split("_")[-1] in MOTION
                and not missing(train).sel(modality=name).all()]
    if not measured:
        raise NotApplicable("no modality of motion")
    how = (settings or Settings()).normalisation
    train_part, test_part = train[measured], test[measured]
    scaled = [standardise(part, train_part, how).features.values() for part in (train_part, test_part)]
    return _ridge(train, *(np.hstack(list(features)) for features in scaled))


def elapsed_time_only(train, test, settings=None):
    """What the clock alone gives away: a ridge on splines of the seconds since the recording began.

    Where everybody goes through the same order (baseline, stress, ...), the clock tells the condition.

    Args:
        train: the training windows.
        test: the held-out windows.
        settings: not read.

    Returns:
        array (window, emotion).

    Raises:
        NotApplicable: where all windows start at the same second.
    """
    start = train.start.values.astype(float)[:, None]
    if np.ptp(start) == 0:
        raise NotApplicable("no clock: every window starts at the same second")
    splines = SplineTransformer(8, extrapolation="constant").fit(start)
    return _ridge(train, *(splines.transform(seconds) for seconds in (start, test.start.values.astype(float)[:, None])))


def _ridge(train, columns, others):
    """Ridge from columns (window, feature) to shares, shrunk as far as pays on participants of its own training part.

    On the shares, not their logarithms, so that full shrinkage is the mean label and not worse than that floor.
    """
    labels, windows = train.distribution.values, np.unique(train.trial.values, return_inverse=True)[1]
    weight = 1 / np.bincount(windows)[windows]  # trials weigh equally
    groups = train.participant.values if len(set(train.participant.values)) > 1 else train.trial.values
    error = np.zeros(len(PENALTIES))
    for own, inside in GroupKFold(min(5, len(set(groups)))).split(columns, groups=groups):
        guess = _shrunk(columns[own], labels[own], weight[own], columns[inside])  # (penalty, window, emotion)
        error += ((guess - labels[inside]) ** 2).sum(2) @ weight[inside]
    predicted = np.clip(_shrunk(columns, labels, weight, others)[error.argmin()], 1e-3, None)
    return predicted / predicted.sum(1, keepdims=True)


def _shrunk(columns, labels, weight, others):
    """Predictions (penalty, window, emotion) of ridge regressions with each of the penalties."""
    share = weight / weight.sum()
    centre, mean = share @ columns, share @ labels
    centred = (columns - centre) * share[:, None]
    size, axes = np.linalg.eigh(centred.T @ (columns - centre))  # of the covariance
    toward = axes.T @ (centred.T @ (labels - mean))  # (axis, emotion)
    slopes = toward / (size[:, None] + PENALTIES[:, None, None])  # (penalty, axis, emotion)
    return mean + ((others - centre) @ axes) @ slopes


FLOORS = {"uniform": uniform, "mean_label": mean_label, "condition_oracle": condition_oracle}
CONDITIONAL = {"participant_mean": participant_mean, "motion_only": motion_only, "elapsed_time_only": elapsed_time_only}
