import numpy as np
import pytest

from mpcl.evaluation.floors import (
    CONDITIONAL,
    FLOORS,
    NotApplicable,
    condition_oracle,
    elapsed_time_only,
    mean_label,
    motion_only,
    participant_mean,
    trial_labels,
)
from mpcl.evaluation.protocol import unlabelled
from mpcl.normalisation import standardise
from mpcl.splits import folds, part


def test_means_weigh_trials_not_windows(cohort):
    train, test = part(cohort, ("P01", "P02"))
    extra = train.isel(window=[0] * 50 + list(range(train.sizes["window"])))  # one trial with many more windows
    assert np.allclose(mean_label(extra, test), mean_label(train, test))
    assert np.allclose(mean_label(train, test)[0], trial_labels(train).values.mean(0))


def test_the_oracle_is_told_the_clip_and_nothing_else(cohort):
    train, test = part(cohort, ("P01", "P02"))
    blind = unlabelled(test).assign_coords(clip=test["clip"])
    predicted = condition_oracle(train, blind)
    clip = test["clip"].values[0]
    own = train.isel(window=np.flatnonzero(train["clip"].values == clip))
    assert np.allclose(predicted[0], trial_labels(own).values.mean(0))
    rest = train.isel(window=np.flatnonzero(train["clip"].values != clip))
    assert np.allclose(condition_oracle(rest, blind)[0], mean_label(rest, blind)[0])


def test_a_known_participant_has_a_mean_and_a_new_one_has_not(cohort):
    train, test = part(cohort, folds(cohort, "trials")[0])
    own = train.isel(window=np.flatnonzero(train.participant.values == test.participant.values[0]))
    assert np.allclose(participant_mean(train, unlabelled(test))[0], trial_labels(own).values.mean(0))
    with pytest.raises(NotApplicable, match="the participant is new"):
        participant_mean(*part(cohort, ("P01", "P02")))


def clocked(cohort, values):
    """The same data, with labels that follow one column: its sign moves share between the first two emotions."""
    label = np.full((cohort.sizes["window"], cohort.sizes["emotion"]), 0.1)
    label[:, 0] += 0.08 * np.sign(values)
    label[:, 1] -= 0.08 * np.sign(values)
    return cohort.assign(distribution=cohort.distribution.copy(data=label))


@pytest.mark.parametrize("floor", [motion_only, elapsed_time_only])
def test_motion_and_clock_find_what_they_give_away_and_nothing_else(cohort, floor):
    moved, clock = standardise(cohort, cohort).features["head"][:, 0], cohort.start.values - cohort.start.values.mean()
    train, test = part(clocked(cohort, moved if floor is motion_only else clock), ("P01", "P02", "P03"))
    error, level = (np.abs(p - test.distribution.values).mean() for p in (floor(train, test), mean_label(train, test)))
    assert error < 0.8 * level
    random = np.random.default_rng(0).choice([-1, 1], cohort.sizes["window"])
    train, test = part(clocked(cohort, random), ("P01", "P02", "P03"))
    assert np.abs(floor(train, test) - mean_label(train, test)).mean() < 0.02


def test_where_there_is_no_motion_and_no_clock_the_floor_says_so(cohort):
    with pytest.raises(NotApplicable, match="no modality of motion"):
        motion_only(*part(cohort.drop_vars("head"), ("P01", "P02")))
    still = cohort.assign_coords(start=("window", np.zeros(cohort.sizes["window"])))
    with pytest.raises(NotApplicable, match="no clock"):
        elapsed_time_only(*part(still, ("P01", "P02")))


def test_floors_are_distributions(cohort):
    train, test = part(cohort, folds(cohort, "trials")[0])
    for floor in (FLOORS | CONDITIONAL).values():
        predicted = floor(train, test)
        assert predicted.shape == test.distribution.shape and np.allclose(predicted.sum(1), 1)
        assert np.array_equal(predicted, floor(train, test)) and (predicted > 0).all()
