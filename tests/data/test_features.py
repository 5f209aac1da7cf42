"""Features against simulated truth, NeuroKit2's own functions, and signals that hold
nothing.
"""

import inspect
import warnings
import zipfile
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.data import features
from mpcl.errors import DatasetError

SIGNALS = Path(__file__).resolve().parents[3] / "shared" / "data" / "signals"
KINDS = [
    features.ppg,
    features.ecg,
    features.eda,
    features.temperature,
    features.respiration,
    features.emg,
]
KINDS += [features.eeg, features.series]
MINUTE = features.place_windows(60.0)


def recorded(name, skip=0):
    """A column of one of the real recordings beside the checkout."""
    if not SIGNALS.is_dir():
        pytest.skip("the real recordings of ../shared are not here")
    return np.loadtxt(SIGNALS / name, comments="#", skiprows=skip)


def whole(signal, rate):
    return features.place_windows(len(signal) / rate, length=len(signal) / rate)


def value(table, feature, window=0):
    return table.sel(feature=feature).values[window]


@pytest.mark.parametrize("rate", [52, 70, 97])
def test_heart_rate_of_simulated_hearts(rate):
    pulse = nk.ppg_simulate(
        duration=120, sampling_rate=64, heart_rate=rate, random_state=rate
    )
    heart = nk.ecg_simulate(
        duration=120, sampling_rate=350, heart_rate=rate, random_state=rate
    )
    for table in (
        features.ppg(pulse, 64, features.place_windows(120)),
        features.ecg(heart, 350, features.place_windows(120)),
    ):
        assert np.abs(table.sel(feature="heart_rate") - rate).max() < 1.5
        assert table.quality.min() > 0.85


def test_variability_is_that_of_neurokit():
    heart = nk.ecg_simulate(
        duration=120, sampling_rate=500, heart_rate=65, heart_rate_std=4, random_state=3
    )
    table = features.ecg(heart, 500, whole(heart, 500))
    _, found = nk.ecg_peaks(nk.ecg_clean(heart, sampling_rate=500), sampling_rate=500)
    theirs = nk.hrv_time(found["ECG_R_Peaks"], sampling_rate=500).iloc[0]
    assert value(table, "sdnn") == pytest.approx(theirs.HRV_SDNN)
    assert value(table, "rmssd") == pytest.approx(theirs.HRV_RMSSD)
    assert value(table, "heart_rate") == pytest.approx(60000 / theirs.HRV_MeanNN)


def test_planted_rmssd_is_recovered():
    planted, found = [], []
    rng = np.random.default_rng(0)
    for spread in (5, 15, 30, 50, 70):
        beats = np.cumsum(0.85 + rng.normal(0, spread / 1000, 160))
        time = np.arange(0, 125, 1 / 64)
        pulse = np.exp(-0.5 * ((time[:, None] - beats) / 0.09) ** 2).sum(
            1
        ) + 0.02 * rng.normal(size=len(time))
        inside = beats[beats < 120]
        planted.append(1000 * np.sqrt(np.mean(np.diff(inside, n=2) ** 2)))
        found.append(
            value(features.ppg(pulse, 64, features.place_windows(120, 120)), "rmssd")
        )
    np.testing.assert_allclose(found, planted, rtol=0.15, atol=4)


def test_beats_of_real_hearts_agree_with_neurokit():
    heart = recorded("biosppy/ecg.txt")
    table = features.ecg(heart, 1000, whole(heart, 1000))
    _, found = nk.ecg_process(heart, sampling_rate=1000)
    theirs = nk.hrv_time(found["ECG_R_Peaks"], sampling_rate=1000).iloc[0]
    assert value(table, "heart_rate") == pytest.approx(
        60000 / theirs.HRV_MeanNN, abs=0.5
    )
    assert value(table, "rmssd") == pytest.approx(theirs.HRV_RMSSD, rel=0.05)
    pulse = recorded("biosppy/ppg.txt")
    _, found = nk.ppg_process(pulse, sampling_rate=1000)
    table = features.ppg(pulse, 1000, whole(pulse, 1000))
    assert value(table, "heart_rate") == pytest.approx(
        60 / (np.diff(found["PPG_Peaks"]).mean() / 1000), abs=1.5
    )


@pytest.mark.parametrize(
    ("name", "rate", "kind", "rmssd"),
    [("data", 100, "ppg", 2), ("e0103", 250, "ecg", 0.2)],
)
def test_hearts_of_other_sources_agree_with_neurokit(name, rate, kind, rmssd):
    heart = recorded(f"heartpy/{name}.csv")
    table = getattr(features, kind)(heart, rate, whole(heart, rate))
    _, found = getattr(nk, f"{kind}_process")(heart, sampling_rate=rate)
    theirs = nk.hrv_time(
        found["PPG_Peaks" if kind == "ppg" else "ECG_R_Peaks"], sampling_rate=rate
    ).iloc[0]
    assert value(table, "heart_rate") == pytest.approx(
        60000 / theirs.HRV_MeanNN, abs=0.05
    )
    assert value(table, "rmssd") == pytest.approx(
        theirs.HRV_RMSSD, abs=rmssd
    )  # pulses are timed otherwise


def test_breaths_of_a_real_chest_agree_with_neurokit():
    belt = recorded("biosppy/resp.txt")
    table = features.respiration(belt, 1000, whole(belt, 1000))
    _, found = nk.rsp_process(belt, sampling_rate=1000)
    periods = np.diff(found["RSP_Troughs"]) / 1000
    assert value(table, "rate") == pytest.approx(
        60 / periods[periods > features.BREATH[0]].mean(), abs=0.5
    )


def real_skins():
    """Skin conductance in microsiemens and its rate: a finger's, and two wrists' over
    twenty-five minutes.
    """
    finger = (
        recorded("biosppy/eda.txt")[:150000].reshape(-1, 50).mean(1)
    )  # 50 Hz of the mains averaged out
    yield finger / 2**12 * 3.3 / 0.12, 20
    for name in ("S2", "S6"):
        with zipfile.ZipFile(
            SIGNALS.parent / "wesad" / name / f"{name}_E4_Data.zip"
        ) as archive:
            yield np.loadtxt(archive.open("EDA.csv"))[6002:12002], 4


def test_responses_of_real_skin_agree_with_neurokit():
    for skin, rate in real_skins():
        smooth, steep, height = features._responses(skin, rate)
        _, theirs = nk.eda_peaks(
            smooth, sampling_rate=rate, amplitude_min=1e-9
        )  # by trough and peak, too
        whole_ones = np.isfinite(theirs["SCR_Onsets"]) & (
            theirs["SCR_Amplitude"] >= 0.05
        )
        onset, peak, rise = (
            np.array(theirs[f"SCR_{name}"])[whole_ones]
            for name in ("Onsets", "Peaks", "Amplitude")
        )
        inside = (steep >= onset[:, None]) & (
            steep <= peak[:, None]
        )  # (their response, ours)
        assert (
            inside.any(1).mean() > 0.99
        )  # theirs are all found; some that overlap are told apart
        single = inside.sum(1) == 1
        same = np.isclose(height[inside[single].argmax(1)], rise[single], rtol=1e-6)
        assert (
            single.mean() > 0.6 and same.mean() > 0.75
        )  # but for those that rise longer
        assert (height >= 0.05).sum() - inside.any(0)[
            height >= 0.05
        ].sum() <= 0.03 * len(steep)
        assert value(
            features.eda(skin, rate, whole(skin, rate)), "level"
        ) == pytest.approx(skin.mean(), rel=0.02)


@pytest.mark.parametrize("rate", [4, 100])
def test_planted_skin_responses_are_counted(rate):
    planted = list(range(0, 13, 2))
    found, levels = [], []
    for count in planted:
        skin = nk.eda_simulate(
            duration=60,
            sampling_rate=100,
            scr_number=max(count, 1),
            noise=0,
            drift=0.001,
            random_state=count,
        )
        skin = (skin if count else np.full(6000, 1.0) + 1e-4 * np.arange(6000) / 100)[
            :: 100 // rate
        ] + count
        table = features.eda(skin, rate, MINUTE)
        found.append(value(table, "scr_rate"))
        levels.append(value(table, "level"))
    assert found == planted and np.isnan(
        value(features.eda(np.linspace(1, 1.01, 240), 4, MINUTE), "scr_amplitude")
    )
    assert np.corrcoef(planted, levels)[0, 1] > 0.99


def test_ringing_is_no_response():
    skin = nk.eda_simulate(
        duration=90, sampling_rate=8, scr_number=6, drift=0.01, noise=0, random_state=1
    )
    assert features.eda(skin, 8, features.place_windows(90)).sel(
        feature="scr_rate"
    ).values.tolist() == [4, 4]


@pytest.mark.parametrize("rate", [4, 16])
@pytest.mark.parametrize("drift", [-0.5, 0.0, 0.5])  # µS a minute
@pytest.mark.parametrize("noise", [0.0005, 0.003, 0.01])
def test_responses_that_overlap_on_a_moving_level(rate, drift, noise):
    """Of responses of .05 to 1 µS, 2 to 15 s apart, with the recovery times of several
    people.
    """
    rng = np.random.default_rng(rate)
    planted, found, wrong = 0, [], 0
    for _ in range(4):
        time, start = np.arange(300 * rate) / rate, np.cumsum(rng.uniform(2, 15, 33))
        start, recovery, rise = (
            start[start < 288],
            rng.uniform(2, 8),
            rng.uniform(0.5, 1),
        )
        shape = [
            np.exp(-after / recovery) - np.exp(-after / rise)
            for after in ((time[:, None] - start).clip(0), np.arange(0, 20, 0.01))
        ]  # Bateman's function
        size = np.exp(rng.uniform(np.log(0.05), 0, len(start)))
        skin = (
            3
            + drift * time / 60
            + (shape[0] * size).sum(1) / shape[1].max()
            + noise * rng.normal(size=len(time))
        )
        _, steep, height = features._responses(np.round(skin, 3), rate)
        late = steep[:, None] / rate - start  # (found, planted)
        match = (late > -1) & (late < 3)
        planted, wrong = planted + len(start), wrong + (~match.any(1)).sum()
        row, column = np.nonzero(
            match & (np.abs(late) == np.abs(late).min(1, keepdims=True))
        )
        found += list(zip(size[column], height[row], strict=True))
    assert (
        wrong <= 1
        and (0.75 if noise == 0.01 else 0.88) * planted < len(found) <= planted
    )
    assert np.corrcoef(np.transpose(found))[0, 1] > 0.97


@pytest.mark.parametrize("rate", [8, 15, 24])
def test_breathing_rate(rate):
    belt = nk.rsp_simulate(
        duration=120, sampling_rate=50, respiratory_rate=rate, random_state=rate
    )
    found = features.respiration(belt, 50, features.place_windows(120)).sel(
        feature="rate"
    )
    assert np.abs(found - rate).max() < 1


def test_muscle_bursts_raise_the_root_mean_square():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=120 * 700) * np.where(
        np.arange(120 * 700) < 60 * 700, 0.1, 0.3
    )
    table = features.emg(noise, 700, features.place_windows(120, 60, 60))
    assert value(table, "rms", 1) / value(table, "rms", 0) == pytest.approx(3, rel=0.05)
    assert 100 < value(table, "median_frequency") < 350


def test_strength_of_a_real_muscle_is_that_of_neurokit():
    for name in ("emg", "emg_1"):
        muscle = recorded(f"biosppy/{name}.txt")
        table = features.emg(muscle, 1000, whole(muscle, 1000))
        clean = nk.emg_clean(muscle, sampling_rate=1000)
        assert table.quality > 0.98
        assert value(table, "rms") == pytest.approx(
            np.sqrt(np.mean(clean**2)), rel=0.01
        )


def test_acceleration_of_a_planted_tremor():
    time = np.arange(120 * 32) / 32
    shaken = np.stack(
        [
            0 * time,
            0.6 + 0 * time,
            0.8 + 0.2 * np.sin(2 * np.pi * 5 * time) * (time >= 60),
        ],
        1,
    )
    table = features.acceleration(shaken, 32, features.place_windows(120, 60, 60))
    assert value(table, "still", 0) == 1 and value(table, "still", 1) < 0.1
    assert value(table, "frequency", 1) == pytest.approx(5, abs=0.2)
    assert value(table, "y_mean", 0) == pytest.approx(0.6) and value(
        table, "z_sd", 1
    ) == pytest.approx(0.1414, abs=1e-3)
    assert value(table, "energy", 1) == pytest.approx(
        np.var(np.sqrt(0.36 + shaken[1920:, 2] ** 2)), rel=0.05
    )
    frozen = features.acceleration(
        np.ones((1920, 3)), 32, MINUTE
    )  # a still arm is no broken device
    assert (
        value(frozen, "still") == 1
        and np.isnan(value(frozen, "frequency"))
        and frozen.quality.item() == 1
    )


def test_real_motion_is_read():
    axes = recorded("biosppy/acc.txt")
    table = features.acceleration(axes, 100, whole(axes, 100))
    np.testing.assert_allclose(
        [value(table, f"{axis}_mean") for axis in "xyz"], axes.mean(0), atol=0.01
    )


def power(entropy):
    """The mean square of which eeg gives the differential entropy."""
    return np.exp(2 * entropy) / (2 * np.pi * np.e)


def test_planted_band_power_is_recovered():
    time = np.arange(120 * 250) / 250
    middle = {band: np.sqrt(low * high) for band, (low, high) in features.BANDS.items()}
    size = np.random.default_rng(0).uniform(5, 10, (2, 5))  # (channel, band), µV
    waves = np.sin(2 * np.pi * time[:, None] * list(middle.values()))  # (sample, band)
    found = features.eeg(
        waves @ size.T + 400,
        250,
        features.place_windows(120),
        ["Fz", "O1"],
    )
    assert found.feature.values[4:6].tolist() == ["Fz_gamma", "O1_delta"]
    assert set(found.unit.values) == {"nat"}
    np.testing.assert_allclose(
        power(found).values, np.tile(size.ravel() ** 2 / 2, (3, 1)), rtol=0.02
    )
    lost = np.where(np.arange(2) == 1, np.nan, waves @ size.T)  # O1 fell off: Fz stays
    half = features.eeg(lost, 250, MINUTE, ["Fz", "O1"])
    assert (
        half[0, :5].notnull().all()
        and half[0, 5:].isnull().all()
        and half.quality == 0.5
    )
    assert "no gamma" in features.eeg(waves[::5, 0], 50, MINUTE).attrs["notes"]


def test_bands_of_a_real_brain_agree_with_neurokit():
    brain = recorded("biosppy/eeg_eo.txt")
    places = features.place_windows(len(brain) / 125, 4, 4)
    table = power(features.eeg(brain, 125, places))
    whole_ones = np.flatnonzero(table.quality == 1)  # the converter clips elsewhere
    assert len(whole_ones) > 10
    for band, (low, high) in features.BANDS.items():
        wave = nk.signal_filter(brain, 125, low, high, method="butterworth", order=4)
        theirs = [np.mean(wave[row * 500 : row * 500 + 500] ** 2) for row in whole_ones]
        np.testing.assert_allclose(
            table.sel(feature=f"ch1_{band}")[whole_ones], theirs, rtol=1e-9
        )
        cuts = [brain[row * 500 : row * 500 + 500] for row in whole_ones]
        welch = [
            nk.signal_power(
                cut, [(low, high)], 125, method="welch", normalize=False
            ).iloc[0, 0]
            for cut in cuts
        ]
        assert (
            np.corrcoef(np.log(welch), np.log(theirs))[0, 1] > 0.9
        )  # spectra leak, filters do not
        assert np.median(np.divide(welch, theirs)) == pytest.approx(1, abs=0.15)


def test_slow_series_have_level_spread_and_trend():
    minutes = np.arange(480) / 4 / 60
    face = np.stack([0.2 + 0.3 * minutes, np.zeros(480)], 1)
    face[100:130, 1] = np.nan  # no face for a while
    table = features.series(face, 4, features.place_windows(120), ["au12", "au04"])
    np.testing.assert_allclose(table.sel(feature="au12_slope"), 0.3)
    np.testing.assert_allclose(
        table.sel(feature="au12_mean"), 0.2 + 0.3 * np.array([0.5, 1, 1.5]), atol=1e-3
    )
    assert (table.sel(feature="au04_sd") == 0).all() and 0.7 < table.quality.min() < 1


def nothing(kind, samples, fill):
    return np.full((samples, 3) if kind is features.acceleration else samples, fill)


@pytest.mark.parametrize(
    "kind", [*KINDS, features.acceleration], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("samples", [0, 1, 3, 40, 60 * 64])
@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0, 33.3])
def test_signals_that_hold_nothing_are_nan_and_quiet(kind, samples, fill):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = kind(nothing(kind, samples, fill), 64, MINUTE)
    assert table.shape == (1, len(table.feature)) and 0 <= table.quality.item() <= 1
    resting = {  # at values that a body can have
        features.temperature: [33.3],
        features.series: [0.0, 33.3],
        features.acceleration: [0.0],
    }
    rests = samples > 1000 and fill in resting.get(kind, [])
    assert rests or table.isnull().all(), table
    assert (table.quality.item() == 1) == rests


HEART = nk.ecg_simulate(duration=60, sampling_rate=250, heart_rate=70, random_state=1)
PULSE = nk.ppg_simulate(duration=60, sampling_rate=64, heart_rate=70, random_state=1)
SKIN = nk.eda_simulate(duration=60, sampling_rate=4, scr_number=5, random_state=1)
UNTRUE = {  # what no body gives, and a word of the note
    "a head of a file as samples": (features.eda, np.r_[1.495e9, 4.0, SKIN], 4, "head"),
    "the head of a pulse": (features.ppg, np.r_[1.495e9, 64.0, PULSE], 64, "head"),
    "the head of axes": (
        features.acceleration,
        np.concatenate([np.full((1, 3), 1.495e9), np.full((1920, 3), 32.0)]),
        32,
        "head",
    ),
    "negative conductance": (features.eda, SKIN - 5, 4, "unit"),
    "kiloohm": (features.eda, 1000 / SKIN, 4, "unit"),
    "nanosiemens": (features.eda, 1000 * SKIN, 4, "unit"),
    "Fahrenheit": (features.temperature, np.full(240, 91.4), 4, "unit"),
    "kelvin": (features.temperature, np.full(240, 306.0), 4, "unit"),
    "counts of an accelerometer": (
        features.acceleration,
        np.tile([64.0, 0, 0], (1920, 1)),
        32,
        "unit",
    ),
    "metres a second squared": (
        features.acceleration,
        np.tile([9.81, 0, 0], (1920, 1)),
        32,
        "unit",
    ),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_signals_that_cannot_be_true_have_no_quality_and_a_note(name):
    kind, signal, rate, word = UNTRUE[name]
    table = kind(signal, rate, MINUTE)
    assert table.quality.item() < 0.5 and table.isnull().all()
    assert word in table.attrs["notes"], table.attrs["notes"]


def test_a_single_untrue_sample_is_bridged():
    spike = SKIN.copy()
    spike[100] = 1e6
    plain, table = (features.eda(signal, 4, MINUTE) for signal in (SKIN, spike))
    np.testing.assert_allclose(table, plain, atol=0.02)
    assert table.quality.item() == 1 and not table.attrs["notes"]


@pytest.mark.parametrize(
    ("kind", "signal", "rate"),
    [(features.ecg, HEART, 250), (features.ppg, PULSE, 64)],
    ids=["ecg", "ppg"],
)
def test_a_heart_upside_down_is_turned_and_it_is_said(kind, signal, rate):
    upright, turned = (kind(each, rate, MINUTE) for each in (signal, -signal))
    np.testing.assert_allclose(upright, turned, rtol=0.02)
    assert not upright.attrs["notes"]
    assert turned.attrs["notes"] == "the signal stands upside down and was turned"


@pytest.mark.parametrize("signal", [["1,5"] * 240, ["a"] * 240, [{}] * 240])
def test_what_is_no_number_is_a_sentence(signal):
    with pytest.raises(DatasetError, match="a signal of numbers is needed"):
        features.eda(signal, 4, MINUTE)
    with pytest.raises(DatasetError, match="a positive rate"):
        features.eda(SKIN, "4", MINUTE)


@pytest.mark.parametrize(
    "kind", [*KINDS, features.acceleration], ids=lambda kind: kind.__name__
)
def test_noise_and_low_rates_do_not_break_it(kind):
    rng = np.random.default_rng(0)
    for rate in (1, 2, 5, 30, 700):
        noise = rng.normal(size=nothing(kind, 70 * rate, 0.0).shape)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = kind(noise, rate, MINUTE)
        assert not np.isinf(table).any() and table.unit.values.astype(bool).all()
        assert table.attrs["notes"] or table.notnull().any()


def test_gaps_are_bridged_or_left_out():
    pulse = nk.ppg_simulate(
        duration=60, sampling_rate=64, heart_rate=70, random_state=1
    )
    clean = features.ppg(pulse, 64, MINUTE)
    short, long, most = pulse.copy(), pulse.copy(), pulse.copy()
    short[640:670], long[640:1280], most[640:3500] = np.nan, np.nan, np.nan
    assert value(features.ppg(short, 64, MINUTE), "heart_rate") == pytest.approx(
        value(clean, "heart_rate"), abs=0.5
    )
    assert features.ppg(short, 64, MINUTE).quality.item() == pytest.approx(
        clean.quality.item(), abs=0.05
    )
    table = features.ppg(long, 64, MINUTE)
    assert value(table, "heart_rate") == pytest.approx(70, abs=2)
    assert table.quality.item() == pytest.approx(1 - 10 / 60, abs=0.06)
    assert features.ppg(most, 64, MINUTE).isnull().all()


def test_flat_and_clipped_signals_lose_quality():
    pulse = nk.ppg_simulate(
        duration=60, sampling_rate=64, heart_rate=70, random_state=1
    )
    flat, clipped = pulse.copy(), pulse.clip(None, np.quantile(pulse, 0.9))
    flat[1280:2560] = flat[1280]
    assert features.ppg(flat, 64, MINUTE).quality.item() == pytest.approx(
        2 / 3, abs=0.06
    )
    assert features.ppg(clipped, 64, MINUTE).quality.item() < 0.5
    moving = np.ones((1920, 3))
    moving[:960] += np.random.default_rng(0).normal(0, 1, (960, 3))
    assert features.still(moving, 32, MINUTE)[0] == pytest.approx(0.5)


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 100), offset=st.floats(-50, 50))
def test_rates_do_not_depend_on_scale_and_offset(scale, offset):
    pulse = nk.ppg_simulate(
        duration=60, sampling_rate=64, heart_rate=70, random_state=1
    )
    plain, scaled = (
        features.ppg(pulse, 64, MINUTE),
        features.ppg(scale * pulse + offset, 64, MINUTE),
    )
    factor = np.array([scale if unit == "a.u." else 1 for unit in plain.unit.values])
    np.testing.assert_allclose(
        scaled.values, plain.values * factor, rtol=1e-3, atol=1e-3 * max(1, scale)
    )


@pytest.mark.parametrize(
    "kind", [*KINDS, features.acceleration], ids=lambda kind: kind.__name__
)
def test_a_window_does_not_depend_on_its_neighbours(kind):
    rate = 250 if kind in (features.ecg, features.emg, features.eeg) else 32
    rng = np.random.default_rng(1)
    beat = (
        np.sin(2 * np.pi * 1.1 * np.arange(200 * rate) / rate) ** 15
        + 0.01 * rng.normal(size=200 * rate).cumsum()
    )
    signal = (
        np.stack([beat, beat[::-1], 0.5 * beat], 1)
        if kind is features.acceleration
        else beat
    )
    places = features.place_windows(200, 60, 30)
    table = kind(signal, rate, places)
    for row in range(len(places)):
        np.testing.assert_allclose(
            kind(signal, rate, places[row : row + 1]).values[0],
            table.values[row],
            rtol=1e-9,
        )


def test_what_is_no_signal_is_refused():
    with pytest.raises(DatasetError, match="needed"):
        features.eda(np.ones((240, 2)), 4, MINUTE)
    with pytest.raises(DatasetError, match="positive rate"):
        features.eda(np.ones(240), 0, MINUTE)
    with pytest.raises(DatasetError, match="of one length"):
        features.eda(np.ones(240), 4, np.array([[0, 30], [0, 60]]))
    with pytest.raises(DatasetError, match="a name for each channel"):
        features.eeg(np.ones((240, 2)), 4, MINUTE, channels=["Fz"])
    with pytest.raises(DatasetError, match="sample, 3"):
        features.acceleration(np.ones(240), 4, MINUTE)


def test_no_window_is_an_empty_table():
    for kind in (*KINDS, features.acceleration):
        assert (
            kind(nothing(kind, 640, 0.5), 64, features.place_windows(10)).shape[0] == 0
        )


def test_public_functions_are_documented():
    for name, function in inspect.getmembers(features, inspect.isfunction):
        if not name.startswith("_") and function.__module__ == features.__name__:
            assert "Example:" in function.__doc__, name


@pytest.mark.parametrize("scale", [1e-6, 1e-3])  # siemens, millisiemens
def test_skin_in_another_unit_is_told_and_left_out(scale):
    skin = 3 + nk.eda_simulate(60, sampling_rate=8, scr_number=5, random_state=1)
    table = features.eda(skin * scale, 8, features.place_windows(60))
    assert "half of the samples stay below 0.02 µS" in table.notes
    assert table.quality.item() == 0 and table.isnull().all()
    assert not features.eda(skin, 8, features.place_windows(60)).notes


@pytest.mark.parametrize(("scale", "is_told"), [(1, 0), (1e-6, 1), (1e4, 1)])
def test_a_brain_in_another_unit_is_told(scale, is_told):
    wave = 20 * np.random.default_rng(0).standard_normal((60 * 128, 2))
    table = features.eeg(wave * scale, 128, features.place_windows(60))
    assert table.notes.count("is this another unit?") == 2 * is_told
