"""The cohort from raw signals: planted truth is recovered, people are the same."""

import numpy as np
import pytest
import xarray as xr

from mpcl.data import contract
from mpcl.errors import ParameterError
from mpcl.simulation import cohort as simulated
from mpcl.simulation import latent
from mpcl.simulation.recordings import (
    BAND_POWER,
    RATES,
    STATES,
    measure,
    raw_cohort,
    record,
    states,
)

SIZE = {"participants": 6, "clips": 10}


@pytest.fixture(scope="module")
def cohort():
    return raw_cohort(**SIZE, windows=1, seed=101)


def correlation(cohort, modality, feature, truth):
    """Of an extracted feature and the truth, where the sensor was there."""
    measured = cohort[modality].sel({f"{modality}_feature": feature}).values
    present = np.isfinite(measured)
    return np.corrcoef(measured[present], truth[present])[0, 1]


def planted(cohort, state):
    return cohort.truth_state.sel(state=state).values


@pytest.mark.parametrize(
    "modality, feature, state, floor",
    [
        ("ecg", "heart_rate", "heart rate", 0.995),
        ("ppg", "heart_rate", "heart rate", 0.995),
        ("ecg", "rmssd", "RMSSD", 0.87),
        ("ppg", "rmssd", "RMSSD", 0.87),
        ("ppg", "pulse_amplitude", "pulse amplitude", 0.99),
        ("eda", "level", "SCL", 0.97),
        ("eda", "scr_rate", "SCR count", 0.79),
        ("eda", "scr_amplitude", "SCR amplitude", 0.79),
        ("respiration", "rate", "breathing rate", 0.95),
        ("respiration", "depth", "breathing depth", 0.95),
        ("temperature", "level", "skin temperature", 0.99),
        ("head", "x_mean", "head pitch", 0.99),
        ("head", "magnitude_sd", "head motion", 0.95),
    ],
)
def test_planted_states_are_recovered(cohort, modality, feature, state, floor):
    assert correlation(cohort, modality, feature, planted(cohort, state)) > floor


def test_planted_responses_are_counted(cohort):
    assert correlation(cohort, "eda", "scr_rate", cohort.truth_responses.values) > 0.9


def test_planted_band_power_is_recovered(cohort):
    measured = {
        (channel, band): correlation(
            cohort,
            "eeg",
            f"{channel}_{band}",
            np.log(planted(cohort, f"{channel} {band}")),
        )
        for channel in simulated.CHANNELS
        for band in BAND_POWER
    }
    assert np.mean(list(measured.values())) > 0.99 and min(measured.values()) > 0.95


def test_planted_action_units_are_recovered(cohort):
    for part, name, floor in (("mean", "mean", 0.88), ("std", "sd", 0.8)):
        measured = [
            correlation(
                cohort, "face", f"{unit}_{name}", planted(cohort, f"{unit} {part}")
            )
            for unit in simulated.ACTION_UNITS
        ]
        assert np.mean(measured) > floor, part


def test_people_feelings_and_labels_are_those_of_the_cohort(cohort):
    plain = simulated.cohort(**SIZE, windows=1, seed=101)
    for name in (
        "distribution",
        "rating",
        "truth_eta",
        "truth_bayes",
        "truth_correlation",
        *contract.LABELS,
        "start",
    ):
        xr.testing.assert_identical(cohort[name].variable, plain[name].variable)
    for name, source in {
        "ecg": "cardiac",
        "face": "face",
        "eeg": "eeg",
    }.items():  # the same sensors came off
        lost = plain[source].isnull().all(f"{source}_feature").values
        np.testing.assert_array_equal(
            contract.missing(cohort).sel(modality=name).values, lost
        )
        assert (cohort[f"{name}_quality"].values[lost] < 0.5).all() and lost.any()
    assert contract.modalities(cohort) == list(RATES)
    assert contract.modalities(cohort, "behavioural") == ["face", "head"]
    assert all(cohort[f"{name}_unit"].values.astype(bool).all() for name in RATES)


def test_planted_cooccurrence_is_recovered_from_the_labels():
    """Ratings less the mean of their clip correlate as R says."""
    large = simulated.cohort(participants=60, clips=20, windows=1, seed=101)
    deviations = large.rating.groupby("clip") - large.rating.groupby("clip").mean()
    measured = np.corrcoef(deviations.transpose("emotion", "window").values)
    pairs = np.triu_indices(10, 1)
    truth = large.truth_correlation.values[pairs]
    assert np.corrcoef(measured[pairs], truth)[0, 1] > 0.95
    strongest = np.argsort(measured[pairs])[-4:]
    names = [
        {latent.EMOTIONS[pairs[0][pair]], latent.EMOTIONS[pairs[1][pair]]}
        for pair in strongest
    ]
    assert sorted(map(sorted, names)) == sorted(map(sorted, latent.PAIRS))


def test_same_seed_same_cohort_and_more_people_change_nobody():
    alone, two = raw_cohort(1, 2, seed=3), raw_cohort(2, 2, seed=3)
    assert contract.fingerprint(alone) == contract.fingerprint(raw_cohort(1, 2, seed=3))
    same = two.isel(window=two.participant == "P01")
    for name in ("ecg", "eeg", "face", "truth_state", "distribution"):
        np.testing.assert_array_equal(same[name].values, alone[name].values)
    assert not np.allclose(
        raw_cohort(1, 2, seed=4).eda.values, alone.eda.values, equal_nan=True
    )


def test_several_windows_a_trial_and_the_way_to_a_file(tmp_path):
    small = raw_cohort(2, 3, windows=2, seed=1)
    assert small.sizes["window"] == 12 and ((small.stop - small.start) == 20).all()
    contract.write(small, tmp_path / "raw.nc")
    xr.testing.assert_identical(contract.read(tmp_path / "raw.nc"), small)
    with pytest.raises(ParameterError, match="at least one"):
        raw_cohort(0, 3)


def test_a_sensor_that_was_never_on_is_missing():
    planned = simulated.cohort(participants=1, clips=2, windows=1)
    planned["eda"][:] = np.nan
    measured, state, responses = record(planned)
    table = measure(measured, np.stack([planned.start, planned.stop], 1))
    assert table["eda"].isnull().all() and table["ecg"].notnull().all()
    assert (state.sel(state="SCL") == STATES["SCL"][1]).all() and len(responses)


def test_states_stay_within_what_a_body_can_do():
    low, high = states(np.full(94, -99.0)), states(np.full(94, 99.0))
    assert 45 < low.sel(state="heart rate") and high.sel(state="heart rate") < 100
    assert 10 < low.sel(state="RMSSD") and high.sel(state="RMSSD") < 100
    assert 8 < low.sel(state="breathing rate") and high.sel(state="breathing rate") < 25
    assert 1 < low.sel(state="SCL") and (low.drop_sel(state="head pitch") > 0).all()
