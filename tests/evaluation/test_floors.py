import numpy as np

from mpcl.evaluation.floors import condition_oracle, mean_label, trial_labels, uniform
from mpcl.splits import part


def test_means_weigh_trials_not_windows(cohort):
    train, test = part(cohort, ("P01", "P02"))
    extra = train.isel(window=[0] * 50 + list(range(train.sizes["window"])))  # one trial with many more windows
    assert np.allclose(mean_label(extra, test), mean_label(train, test))
    assert np.allclose(mean_label(train, test)[0], trial_labels(train).values.mean(0))


def test_the_oracle_is_told_the_clip_and_nothing_else(cohort):
    train, test = part(cohort, ("P01", "P02"))
    blind = test.copy(deep=True)
    blind["distribution"] = blind.distribution * np.nan
    predicted = condition_oracle(train, blind)
    clip = test["clip"].values[0]
    own = train.isel(window=np.flatnonzero(train["clip"].values == clip))
    assert np.allclose(predicted[0], trial_labels(own).values.mean(0))
    unseen = condition_oracle(train.isel(window=np.flatnonzero(train["clip"].values != clip)), blind)
    rest = train.isel(window=np.flatnonzero(train["clip"].values != clip))
    assert np.allclose(unseen[0], mean_label(rest, blind)[0])


def test_floors_are_distributions(cohort):
    train, test = part(cohort, ("P01", "P02"))
    for floor in (uniform, mean_label, condition_oracle):
        predicted = floor(train, test)
        assert predicted.shape == test.distribution.shape and np.allclose(predicted.sum(1), 1)
