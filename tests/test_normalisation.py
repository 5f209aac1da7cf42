import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from mpcl.data.contract import modalities, trials
from mpcl.errors import ParameterError
from mpcl.normalisation import LIMIT, STEADY, standardise, without_spread
from mpcl.splits import folds, of_participants, part, rows
from tests.strategies import datasets

WAYS = ["transductive", "inductive", "running"]


def column(dataset, values):
    changed = dataset["eda"].values.copy()
    changed[:, 0] = values
    return dataset.assign(eda=dataset["eda"].copy(data=changed))


def test_each_participant_by_their_own_windows(cohort):
    offset = np.where(cohort.participant.values == "P01", 1000.0, 0.0)
    plain = standardise(cohort, cohort).features["eda"][:, 0]
    moved = standardise(
        column(cohort, cohort["eda"].values[:, 0] * 3 + offset), cohort
    ).features["eda"][:, 0]
    assert np.allclose(plain, moved, atol=1e-3)
    own = plain[(cohort.participant.values == "P02") & (np.abs(plain) < LIMIT)]
    assert abs(own.mean()) < 0.2


def test_inductive_reads_the_training_participants_alone(cohort):
    train, test = part(cohort, of_participants(cohort, ["P01", "P02"]))
    before = standardise(train, train, "inductive").features["eda"]
    known = ~np.isnan(train["eda"].values[:, 0])
    expected = train["eda"].values[known, 0].astype(float)
    expected = (expected - expected.mean()) / expected.std()
    assert np.allclose(before[known, 0], np.clip(expected, -LIMIT, LIMIT))
    single = test.isel(window=[0])  # one window alone can be standardised
    assert np.allclose(
        standardise(single, train, "inductive").features["eda"][0],
        standardise(test, train, "inductive").features["eda"][0],
    )


@pytest.mark.parametrize("how", WAYS)
def test_constant_missing_and_extreme_values(cohort, how):
    constant = standardise(
        column(cohort, 7.7),
        cohort if how == "transductive" else column(cohort, 7.7),
        how,
    )
    assert (constant.features["eda"][:, 0] == 0).all()
    values = cohort["eda"].values[:, 0].copy()
    values[0], values[1] = np.nan, 1e9
    out = standardise(column(cohort, values), cohort, how).features["eda"][:, 0]
    assert out[0] == 0 and 3 < out[1] <= LIMIT and np.isfinite(out).all()
    with pytest.raises(ParameterError, match="unknown normalisation"):
        standardise(cohort, cohort, "global")


def test_a_known_participant_is_scaled_by_both_sides_and_the_fit_by_one(cohort):
    """A held-out trial keeps its level, and its features move no training window."""
    train, test = part(cohort, folds(cohort, "trials")[0])
    whole, row = (
        standardise(cohort, cohort).features["eda"],
        rows(cohort, folds(cohort, "trials")[0])[1],
    )
    assert np.allclose(standardise(test, train).features["eda"], whole[row])
    spoiled = column(
        cohort,
        np.where(
            np.isin(np.arange(cohort.sizes["window"]), row),
            1e6,
            cohort["eda"].values[:, 0],
        ),
    )
    again = part(spoiled, folds(cohort, "trials")[0])[0]
    for how in WAYS:
        assert np.array_equal(
            standardise(train, train, how).features["eda"],
            standardise(again, again, how).features["eda"],
        )
    assert np.array_equal(
        standardise(train.copy(), train).features["eda"],
        standardise(train, train).features["eda"],
    )


@given(dataset=datasets())
@settings(max_examples=15, deadline=None)
def test_a_feature_that_differs_between_people_is_not_wiped_out(dataset):
    """Whoever has no spread of their own is scaled as inductive does it."""
    train, test = dataset, dataset.copy()
    scaled, plain = (
        standardise(test, train, how).features for how in ("transductive", "inductive")
    )
    person, lone = dataset.participant.values, without_spread(dataset)
    for name in modalities(dataset):
        for participant in {*person}:
            rows = person == participant
            there = dataset[name][rows].notnull().any(f"{name}_feature")
            if there.any() and there.sum() < 3:
                assert participant in lone
                assert np.array_equal(scaled[name][rows], plain[name][rows])


def test_one_window_a_person_keeps_its_features(cohort):
    """Case: with one row a person every feature was 0."""
    first = np.unique(cohort.participant.values, return_index=True)[1]
    once = cohort.isel(window=np.sort(first))
    scaled = standardise(once, once).features["eda"]
    assert np.abs(scaled).max() > 0.5
    assert without_spread(once) == ["P01", "P02", "P03", "P04", "P05"]
    assert without_spread(cohort) == []
    again = cohort.assign(eda=cohort.eda[[0] * cohort.sizes["window"]])
    assert len(without_spread(again)) == 5  # the same window over and over


def new_person(cohort):
    """Training windows of four people, and those of a fifth in the order of time."""
    train, test = part(cohort, of_participants(cohort, ["P01", "P02", "P03", "P04"]))
    return train, test.isel(window=np.argsort(test.start.values))


def test_running_looks_at_no_window_of_the_future(cohort):
    """What comes after a trial moves nothing in it; in what came before, it does."""
    train, test = new_person(cohort)
    before = standardise(test, train, "running").features
    begins = np.sort(test.start.values[trials(test).first])
    for second in begins[[1, 2, -1]]:
        of_past = test.trial.values[test.start.values < second]
        past = np.isin(test.trial.values, of_past)
        poison = {name: 7 * test[name].values + 99 for name in modalities(test)}
        for name, values in poison.items():
            values[past] = test[name].values[past]
        later = {name: test[name].copy(data=poison[name]) for name in poison}
        after = standardise(test.assign(later), train, "running").features
        cut = standardise(test.isel(window=past), train, "running").features
        for name in modalities(test):
            assert np.array_equal(after[name][past], before[name][past])
            assert np.allclose(cut[name], before[name][past], atol=1e-12)
    measured = test.trial.values[test.eda.notnull().any("eda_feature").values]
    first = test.trial.values == measured[0]
    values = test.eda.values.copy()
    values[first] += 50
    moved = standardise(test.assign(eda=test.eda.copy(data=values)), train, "running")
    assert not np.allclose(moved.features["eda"][~first], before["eda"][~first])


def test_running_shares_the_mean_between_the_person_and_the_training_people():
    """By hand: people stand at 0 and 20, trials at -1 and +1 around them: k = 1/100."""
    person, trial = np.repeat(["A", "B", "C"], 4), np.repeat(list("abcdef"), 2)
    eda = [-1, -1, 1, 1, 19, 19, 21, 21, 30.0, 32, 30, 34]
    dataset = xr.Dataset(
        {"eda": (("window", "eda_feature"), np.array(eda)[:, None], {"branch": "x"})},
        {
            "participant": ("window", person),
            "trial": ("window", trial),
            "start": ("window", np.tile(np.arange(4.0), 3)),
            "stop": ("window", np.tile(np.arange(4.0), 3) + 1),
        },
    )
    train, test = dataset.isel(window=slice(8)), dataset.isel(window=slice(8, 12))
    scaled = standardise(test, train, "running").features["eda"][:, 0]
    means = [10 + (31 - 10) / 1.01, 10 + (31.5 - 10) * 2 / 2.01]
    squares = [np.mean((test.eda.values[:2] - means[0]) ** 2)]
    squares.append(np.mean((test.eda.values - means[1]) ** 2))
    variances = [(squares[0] + STEADY) / (1 + STEADY)]
    variances.append((2 * squares[1] + STEADY) / (2 + STEADY))
    expected = (test.eda.values[:, 0] - np.repeat(means, 2)) / np.sqrt(
        np.repeat(variances, 2)
    )
    assert np.allclose(scaled, expected)
    backwards = test.isel(window=slice(None, None, -1))
    again = standardise(backwards, train, "running").features["eda"][::-1, 0]
    assert np.allclose(again, expected)  # the clock counts, not the order of rows


def test_running_is_near_transductive_when_all_has_been_seen(cohort):
    train, test = new_person(cohort)
    whole, first, running = (
        standardise(test, train, how).features["eda"]
        for how in ("transductive", "inductive", "running")
    )
    last = test.trial.values == test.trial.values[-1]
    assert abs(running - whole)[last].mean() < abs(first - whole)[last].mean() / 2
    assert np.array_equal(  # training windows are complete
        standardise(train, train, "running").features["eda"],
        standardise(train, train, "transductive").features["eda"],
    )


def test_running_without_spread_or_order(cohort):
    train, test = new_person(cohort)
    once = train.isel(window=np.unique(train.participant.values, return_index=True)[1])
    for name in modalities(test):
        assert np.array_equal(
            standardise(test, once, "running").features[name],
            standardise(test, once, "inductive").features[name],
        )
    no_clock = test.assign_coords(start=test.start * 0, stop=test.start * 0 + 1)
    with pytest.raises(ParameterError, match="those of participant P05 overlap"):
        standardise(no_clock, train, "running")


def test_running_gives_finite_numbers_where_a_modality_is_missing(cohort):
    train, test = new_person(cohort)
    nothing = test.assign(eda=test.eda.where(False))
    assert (standardise(nothing, train, "running").features["eda"] == 0).all()
    never = train.assign(eda=train.eda.where(False))
    scaled = standardise(test, never, "running").features["eda"]
    assert (scaled == 0).all()
