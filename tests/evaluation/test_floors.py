import time

import numpy as np
import pytest

from mpcl.errors import NotApplicable
from mpcl.evaluation.blind import unlabelled
from mpcl.evaluation.floors import (
    CONDITIONAL,
    FLOORS,
    _shrunk,
    condition_oracle,
    elapsed_time_only,
    mean_label,
    motion_only,
    participant_mean,
    trial_labels,
)
from mpcl.normalisation import standardise
from mpcl.splits import folds, of_participants, part


def split(dataset, *more):
    """The first two participants, and more, and the others."""
    return part(dataset, of_participants(dataset, ["P01", "P02", *more]))


def test_means_weigh_trials_not_windows(cohort):
    train, test = split(cohort)
    extra = train.isel(
        window=[0] * 50 + list(range(train.sizes["window"]))
    )  # one trial with many more windows
    assert np.allclose(mean_label(extra, test), mean_label(train, test))
    assert np.allclose(mean_label(train, test)[0], trial_labels(train).values.mean(0))


def test_the_oracle_is_told_the_clip_and_nothing_else(cohort):
    train, test = split(cohort)
    blind = unlabelled(test).assign_coords(clip=test["clip"])
    predicted = condition_oracle(train, blind)
    clip = test["clip"].values[0]
    own = train.isel(window=np.flatnonzero(train["clip"].values == clip))
    assert np.allclose(predicted[0], trial_labels(own).values.mean(0))
    rest = train.isel(window=np.flatnonzero(train["clip"].values != clip))
    assert np.allclose(condition_oracle(rest, blind)[0], mean_label(rest, blind)[0])


def test_a_known_participant_has_a_mean_and_a_new_one_has_not(cohort):
    train, test = part(cohort, folds(cohort, "trials")[0])
    own = train.isel(
        window=np.flatnonzero(train.participant.values == test.participant.values[0])
    )
    assert np.allclose(
        participant_mean(train, unlabelled(test))[0], trial_labels(own).values.mean(0)
    )
    with pytest.raises(NotApplicable, match="the participant is new"):
        participant_mean(*split(cohort))


def clocked(cohort, values):
    """The same data, with labels that follow one column: its sign moves share between
    the first two emotions."""
    label = np.full((cohort.sizes["window"], cohort.sizes["emotion"]), 0.1)
    label[:, 0] += 0.08 * np.sign(values)
    label[:, 1] -= 0.08 * np.sign(values)
    return cohort.assign(distribution=cohort.distribution.copy(data=label))


@pytest.mark.parametrize("floor", [motion_only, elapsed_time_only])
def test_motion_and_clock_find_what_they_give_away_and_nothing_else(cohort, floor):
    moved, clock = (
        standardise(cohort, cohort).features["head"][:, 0],
        cohort.start.values - cohort.start.values.mean(),
    )
    shown = moved if floor is motion_only else clock
    train, test = split(clocked(cohort, shown), "P03")
    error, level = (
        np.abs(p - test.distribution.values).mean()
        for p in (floor(train, test), mean_label(train, test))
    )
    assert error < 0.8 * level
    random = np.random.default_rng(0).choice([-1, 1], cohort.sizes["window"])
    train, test = split(clocked(cohort, random), "P03")
    assert np.abs(floor(train, test) - mean_label(train, test)).mean() < 0.02


def test_where_there_is_no_motion_and_no_clock_the_floor_says_so(cohort):
    with pytest.raises(NotApplicable, match="no modality of motion"):
        motion_only(*split(cohort.drop_vars("head")))
    still = cohort.assign_coords(start=("window", np.zeros(cohort.sizes["window"])))
    with pytest.raises(NotApplicable, match="no clock"):
        elapsed_time_only(*split(still))


def test_floors_are_distributions(cohort):
    train, test = part(cohort, folds(cohort, "trials")[0])
    for floor in (FLOORS | CONDITIONAL).values():
        predicted = floor(train, test)
        assert predicted.shape == test.distribution.shape and np.allclose(
            predicted.sum(1), 1
        )
        assert np.array_equal(predicted, floor(train, test)) and (predicted > 0).all()


@pytest.mark.parametrize(
    ("name", "declared", "is_motion"),
    [
        ("wrist_acc", None, True),
        ("acc_wrist", None, True),
        ("WristAccelerometer", None, True),
        ("IMU", None, True),
        ("head", None, True),
        ("head_temperature", None, False),
        ("accent", None, False),
        ("wrist_acc", 0, False),
        ("gesture", 1, True),
        ("gesture", "True", True),
    ],
)
def test_what_is_motion_is_declared_or_read_from_the_name(
    cohort, name, declared, is_motion
):
    renamed = {f"eda{end}": f"{name}{end}" for end in ("", "_feature", "_unit")}
    dataset = cohort[["eda", "distribution"]].rename(renamed)
    if declared is not None:
        dataset[name].attrs["motion"] = declared
    train, test = part(dataset, of_participants(dataset, ["P01", "P02"]))
    if is_motion:
        motion_only(train, test)
    else:
        with pytest.raises(NotApplicable, match="motion=1"):
            motion_only(train, test)


def test_many_features_cost_no_cube(cohort):
    """5,000 features of 60 windows: seconds, and the same numbers as the long way."""
    random = np.random.default_rng(0)
    columns = random.standard_normal((60, 90))
    labels, weight = cohort.distribution.values, np.ones(60)
    short = _shrunk(columns, labels, weight, columns[:3])
    doubled = np.tile(columns, (2, 1)), np.tile(labels, (2, 1)), np.ones(120)
    np.testing.assert_allclose(short, _shrunk(*doubled, columns[:3]), atol=1e-9)
    begin = time.process_time()
    _shrunk(random.standard_normal((60, 5000)), labels, weight, np.zeros((3, 5000)))
    assert time.process_time() - begin < 5


def test_of_a_single_trial_nothing_but_its_mean_is_learned(cohort):
    single = cohort.isel(window=cohort.trial.values == cohort.trial.values[0])
    guess = elapsed_time_only(single, cohort)
    mean = single.distribution.values.mean(0)
    np.testing.assert_allclose(guess, np.tile(mean, (60, 1)), atol=1e-3)
