"""The floors beside every score: what is had without reading how it was felt.

Each takes the training windows and the held-out windows and returns distributions
(window, emotion) for the latter. Means weigh each trial equally, however many windows
it has. ``FLOORS`` read no signal and always apply. ``CONDITIONAL`` need a participant
who trains too, a modality of motion or a clock, and say so where they do not apply.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import SplineTransformer

from mpcl.data.contract import missing, modalities, trials
from mpcl.errors import NotApplicable
from mpcl.normalisation import standardise
from mpcl.training.settings import Settings

# Words in the name of a modality of motion; "head" is its last word.
MOTION = frozenset(
    "acc accel acceleration accelerometer actigraph actigraphy gait gyro gyroscope imu "
    "motion movement pose posture steps".split()
)
# Of the ridge, beside variances; the largest leaves the mean label alone.
PENALTIES = 10.0 ** np.arange(-3, 5)


def uniform(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """The same share for each emotion."""
    emotions = test.sizes["emotion"]
    return np.full((test.sizes["window"], emotions), 1 / emotions)


def mean_label(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """The mean label of the training windows, whatever the signals say."""
    mean = trial_labels(train).mean("trial").values
    return np.repeat(mean[None], test.sizes["window"], 0)


def condition_oracle(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """The mean training label of the true clip (WESAD: condition), which it is *told*.

    No model is told this. Where a clip was never seen in training, the mean label
    stands in.
    """
    labels = trial_labels(train)
    mean = labels.mean("trial").values
    of_clip = _means(labels, "clip")
    return np.stack([of_clip.get(clip, mean) for clip in test["clip"].values])


def participant_mean(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """The mean training label of the participant whose window is held out.

    Raises:
        NotApplicable: where participants are held out whole.
    """
    of_participant = _means(trial_labels(train), "participant")
    if set(test.participant.values) - set(of_participant):
        raise NotApplicable("the participant is new")
    return np.stack([of_participant[name] for name in test.participant.values])


def motion_only(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """What posture and movement alone give away: a ridge on the modalities of motion.

    Raises:
        NotApplicable: without a modality of motion.
    """
    absent = missing(train).all("window")
    moving = [
        name
        for name in modalities(train)
        if _is_motion(train[name]) and not absent.sel(modality=name)
    ]
    if not moving:
        raise NotApplicable(
            "no modality of motion (say which with its attribute motion=1)"
        )
    how = (settings or Settings()).normalisation
    reference = train[moving]
    columns, others = (
        np.hstack(list(standardise(windows, reference, how).features.values()))
        for windows in (reference, test[moving])
    )
    return _ridge(train, columns, others)


def _is_motion(modality: xr.DataArray) -> bool:
    """Whether a modality is one of motion: as it says itself, or by its name."""
    if "motion" in modality.attrs:
        return str(modality.attrs["motion"]).casefold() in ("1", "true", "yes")
    words = re.split(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])", str(modality.name))
    lower = [word.casefold() for word in words if word]
    return not MOTION.isdisjoint(lower) or lower[-1:] == ["head"]


def elapsed_time_only(
    train: xr.Dataset, test: xr.Dataset, settings: Settings | None = None
) -> np.ndarray:
    """What the clock alone gives away: a ridge on splines of the seconds so far.

    Where everybody goes through the same order (baseline, stress, ...), the clock tells
    the condition.

    Raises:
        NotApplicable: where all windows start at the same second.
    """
    start = train.start.values.astype(float)[:, None]
    later = test.start.values.astype(float)[:, None]
    if np.ptp(start) == 0:
        raise NotApplicable("no clock: every window starts at the same second")
    splines: Any = SplineTransformer(8, extrapolation="constant")
    splines.fit(start)
    return _ridge(train, splines.transform(start), splines.transform(later))


def trial_labels(dataset: xr.Dataset) -> xr.DataArray:
    """The mean label of each trial, so that trials weigh equally.

    Returns:
        (trial, emotion) with the coordinates ``clip`` and ``participant``.
    """
    grouped = trials(dataset)
    coords = {
        "trial": grouped.names,
        "emotion": dataset.emotion.values,
        "clip": ("trial", dataset["clip"].values[grouped.first]),
        "participant": ("trial", dataset.participant.values[grouped.first]),
    }
    mean = grouped.mean(dataset.distribution.values)
    return xr.DataArray(mean, coords, ("trial", "emotion"))


def _means(labels: xr.DataArray, coordinate: str) -> dict[str, np.ndarray]:
    """The mean label (emotion,) of each clip, or of each participant."""
    return {
        name: of_name.mean("trial").values
        for name, of_name in labels.groupby(coordinate)
    }


def _ridge(train: xr.Dataset, columns: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Ridge from columns (window, feature) to shares.

    It is shrunk as far as pays on participants of its own training part. On the shares,
    not their logarithms, so that full shrinkage is the mean label and not worse than
    that floor.
    """
    labels, weight = train.distribution.values, trials(train).weights()
    groups = train.participant.values
    if len(set(groups)) == 1:
        groups = train.trial.values
    best = _penalty(columns, labels, weight, groups)
    guess = _shrunk(columns, labels, weight, others)[best]
    predicted = np.clip(guess, 1e-3, None)
    return predicted / predicted.sum(1, keepdims=True)


def _penalty(
    columns: np.ndarray, labels: np.ndarray, weight: np.ndarray, groups: np.ndarray
) -> int:
    """The place of the penalty that pays best on groups held out; one group: the last.

    That is, of a single trial nothing is learned but its mean label.
    """
    if len(set(groups)) == 1:
        return len(PENALTIES) - 1
    splitter: Any = GroupKFold(min(5, len(set(groups))))
    error = np.zeros(len(PENALTIES))
    for fitted, inside in splitter.split(columns, groups=groups):
        guess = _shrunk(
            columns[fitted], labels[fitted], weight[fitted], columns[inside]
        )  # (penalty, window, emotion)
        error += ((guess - labels[inside]) ** 2).sum(2) @ weight[inside]
    return int(error.argmin())


def _shrunk(
    columns: np.ndarray, labels: np.ndarray, weight: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Predictions (penalty, window, emotion) of ridges with each of the penalties."""
    share = weight / weight.sum()
    centre, mean = share @ columns, share @ labels
    centred = (columns - centre) * share[:, None]
    if len(columns) < len(centre):  # more features than windows: none is squared
        spread = np.sqrt(share)[:, None] * (columns - centre)
        _, root, rows = np.linalg.svd(spread, full_matrices=False)
        size, axes = root**2, rows.T
    else:
        size, axes = np.linalg.eigh(centred.T @ (columns - centre))  # of the covariance
    toward = axes.T @ (centred.T @ (labels - mean))  # (axis, emotion)
    shrinkage = size[:, None] + PENALTIES[:, None, None]
    slopes = toward / shrinkage  # (penalty, axis, emotion)
    return mean + ((others - centre) @ axes) @ slopes


FloorFunction = Callable[[xr.Dataset, xr.Dataset, Settings | None], np.ndarray]
FLOORS: dict[str, FloorFunction] = {
    "uniform": uniform,
    "mean_label": mean_label,
    "condition_oracle": condition_oracle,
}
CONDITIONAL: dict[str, FloorFunction] = {
    "participant_mean": participant_mean,
    "motion_only": motion_only,
    "elapsed_time_only": elapsed_time_only,
}


class Floor:
    """A floor behind the interface of all predictors; it has no seed.

    Attributes:
        is_oracle: whether it is told the clips of the held-out windows.
    """

    def __init__(
        self, function: FloorFunction, settings: Settings | None = None
    ) -> None:
        self.function = function
        self.settings = settings
        self.is_oracle = function is condition_oracle

    def fit(self, training: xr.Dataset) -> "Floor":
        """Keep the training windows; returns itself."""
        self.training = training
        return self

    def predict(self, test: xr.Dataset) -> np.ndarray:
        """Distributions (window, emotion)."""
        return self.function(self.training, test, self.settings)
