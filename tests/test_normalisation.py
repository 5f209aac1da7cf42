import numpy as np
import pytest

from mpcl.data.contract import DatasetError
from mpcl.normalisation import LIMIT, standardise
from mpcl.splits import folds, part, rows


def column(dataset, values):
    changed = dataset["eda"].values.copy()
    changed[:, 0] = values
    return dataset.assign(eda=dataset["eda"].copy(data=changed))


def test_each_participant_by_their_own_windows(cohort):
    offset = np.where(cohort.participant.values == "P01", 1000.0, 0.0)
    plain = standardise(cohort, cohort).features["eda"][:, 0]
    moved = standardise(column(cohort, cohort["eda"].values[:, 0] * 3 + offset), cohort).features["eda"][:, 0]
    assert np.allclose(plain, moved, atol=1e-3)
    own = plain[(cohort.participant.values == "P02") & (np.abs(plain) < LIMIT)]
    assert abs(own.mean()) < 0.2


def test_inductive_reads_the_training_participants_alone(cohort):
    train, test = part(cohort, ("P01", "P02"))
    before = standardise(train, train, "inductive").features["eda"]
    known = ~np.isnan(train["eda"].values[:, 0])
    expected = train["eda"].values[known, 0].astype(float)
    expected = (expected - expected.mean()) / expected.std()
    assert np.allclose(before[known, 0], np.clip(expected, -LIMIT, LIMIT))
    single = test.isel(window=[0])  # one window alone can be standardised
    assert np.allclose(standardise(single, train, "inductive").features["eda"][0],
                       standardise(test, train, "inductive").features["eda"][0])


@pytest.mark.parametrize("how", ["transductive", "inductive"])
def test_constant_missing_and_extreme_values(cohort, how):
    constant = standardise(column(cohort, 7.7), cohort if how == "transductive" else column(cohort, 7.7), how)
    assert (constant.features["eda"][:, 0] == 0).all()
    values = cohort["eda"].values[:, 0].copy()
    values[0], values[1] = np.nan, 1e9
    out = standardise(column(cohort, values), cohort, how).features["eda"][:, 0]
    assert out[0] == 0 and 3 < out[1] <= LIMIT and np.isfinite(out).all()
    with pytest.raises(DatasetError, match="unknown normalisation"):
        standardise(cohort, cohort, "global")


def test_a_known_participant_is_scaled_by_both_sides_and_the_fit_by_one(cohort):
    """Whole trials held out: the level of a held-out trial survives, and its features move no training window."""
    train, test = part(cohort, folds(cohort, "trials")[0])
    whole, row = standardise(cohort, cohort).features["eda"], rows(cohort, folds(cohort, "trials")[0])[1]
    assert np.allclose(standardise(test, train).features["eda"], whole[row])
    spoiled = column(cohort, np.where(np.isin(np.arange(cohort.sizes["window"]), row), 1e6, cohort["eda"].values[:, 0]))
    again = part(spoiled, folds(cohort, "trials")[0])[0]
    for how in ("transductive", "inductive"):
        assert np.array_equal(standardise(train, train, how).features["eda"],
                              standardise(again, again, how).features["eda"])
    assert np.array_equal(standardise(train.copy(), train).features["eda"], standardise(train, train).features["eda"])
