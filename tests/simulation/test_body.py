"""Simulated signals: the package's features find again what is planted in them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.data import features
from mpcl.simulation import body

MINUTES = 8
WINDOWS = features.place_windows(60.0 * MINUTES, 60, 60)
RISING = np.linspace(0, 1, 60 * MINUTES + 1)  # (second,)


def random(seed=0):
    return np.random.default_rng(seed)


def values(table, feature):
    return table.sel(feature=feature).values


def planted(trace):
    """The mean of a trace (second,) in each window."""
    return np.array(
        [trace[int(start) : int(stop) + 1].mean() for start, stop in WINDOWS]
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 300), st.floats(0.1, 200), st.floats(0, 1), st.integers(0, 9))
def test_events_are_as_many_as_their_rate_says_and_in_order(
    per_minute, duration, irregular, seed
):
    measured = body.events(per_minute, duration, random(seed), irregular)
    assert abs(len(measured) - per_minute * duration / 60) <= 1
    assert (np.diff(measured) >= 0).all() and (
        (measured >= 0) & (measured <= duration)
    ).all()


def test_one_heart_in_two_devices():
    heart_rate, rmssd = 55 + 45 * RISING, 80 - 60 * RISING
    breaths = body.events(14, 60.0 * MINUTES, random(1), 0.2)
    beats = body.beats(heart_rate, rmssd, breaths, 60.0 * MINUTES, random(2))
    interval = np.diff(beats) * 1000
    expected = [
        np.sqrt(
            np.mean(np.diff(interval[(beats[1:] >= start) & (beats[1:] < stop)]) ** 2)
        )
        for start, stop in WINDOWS
    ]
    np.testing.assert_allclose(
        expected, planted(rmssd), rtol=0.25
    )  # what is drawn is near what was asked for
    chest = features.ecg(
        body.simulate_ecg(beats, 60.0 * MINUTES, 250, random(3)), 250, WINDOWS
    )
    wrist = features.ppg(
        body.simulate_pulse(beats, 1 + RISING, 60.0 * MINUTES, 64, random(4)),
        64,
        WINDOWS,
    )
    for table in (chest, wrist):
        np.testing.assert_allclose(
            values(table, "heart_rate"), planted(heart_rate), rtol=0.02
        )
        np.testing.assert_allclose(values(table, "rmssd"), expected, rtol=0.1, atol=4)
        assert table.quality.min() > 0.9
    assert (
        np.corrcoef(values(wrist, "pulse_amplitude"), planted(1 + RISING))[0, 1] > 0.9
    )  # fast pulses overlap


@pytest.mark.parametrize("rate", [4, 100])
def test_skin_level_and_responses(rate):
    responses = body.events(1 + 9 * RISING, 60.0 * MINUTES, random(1))
    skin = body.simulate_eda(
        8 - 5 * RISING, responses, 0.2 + 0.4 * RISING, 60.0 * MINUTES, rate, random(2)
    )
    table = features.eda(skin, rate, WINDOWS)
    counted = ((responses >= WINDOWS[:, :1]) & (responses < WINDOWS[:, 1:])).sum(1)
    assert np.corrcoef(values(table, "scr_rate"), counted)[0, 1] > 0.9
    assert np.abs(values(table, "scr_rate") - counted).mean() < 1
    np.testing.assert_allclose(
        values(table, "level"), planted(8 - 5 * RISING), atol=0.6
    )
    assert (
        np.corrcoef(values(table, "scr_amplitude"), planted(0.2 + 0.4 * RISING))[0, 1]
        > 0.9
    )


def test_breath_and_temperature():
    breaths = body.events(9 + 14 * RISING, 60.0 * MINUTES, random(1), 0.2)
    belt = body.simulate_respiration(
        breaths, 5 + 5 * RISING, 60.0 * MINUTES, 32, random(2)
    )
    table = features.respiration(belt, 32, WINDOWS)
    np.testing.assert_allclose(
        values(table, "rate"), planted(9 + 14 * RISING), atol=0.7
    )
    np.testing.assert_allclose(
        values(table, "depth"), planted(5 + 5 * RISING), rtol=0.1
    )
    np.testing.assert_allclose(values(table, "inhale_share"), body.INHALE, atol=0.06)
    warm = features.temperature(
        body.simulate_temperature(30 + RISING, 60.0 * MINUTES, 4, random()), 4, WINDOWS
    )
    np.testing.assert_allclose(values(warm, "level"), planted(30 + RISING), atol=0.01)
    np.testing.assert_allclose(values(warm, "slope"), 1 / MINUTES, atol=0.02)


def test_muscle_and_motion():
    muscle = features.emg(
        body.simulate_emg(0.01 + 0.04 * RISING, 60.0 * MINUTES, 700, random()),
        700,
        WINDOWS,
    )
    assert (
        np.corrcoef(values(muscle, "rms"), planted(0.01 + 0.04 * RISING))[0, 1] > 0.99
    )
    worn = features.acceleration(
        body.simulate_acceleration(
            90 * RISING, 0.01 + 0.3 * RISING, 60.0 * MINUTES, 32, random()
        ),
        32,
        WINDOWS,
    )
    np.testing.assert_allclose(
        values(worn, "x_mean"), np.sin(np.deg2rad(planted(90 * RISING))), atol=0.05
    )
    np.testing.assert_allclose(
        values(worn, "y_sd"), planted(0.01 + 0.3 * RISING), rtol=0.15
    )
    assert values(worn, "still")[0] > 0.9 > 0.3 > values(worn, "still")[-1]


def test_brain_power_of_each_band_and_channel():
    power = np.exp(random(1).normal(2, 0.7, (12, 5)))  # (channel, band)
    entropy = features.eeg(
        body.simulate_eeg(power, 240.0, 128, random(2)),
        128,
        np.array([[0.0, 240.0]]),
    )
    measured = np.exp(2 * entropy.values.reshape(12, 5)) / (2 * np.pi * np.e)
    np.testing.assert_allclose(
        measured.sum(), power.sum(), rtol=0.15
    )  # some is between bands
    for band, name in enumerate(features.BANDS):
        correlation = np.corrcoef(np.log(measured[:, band]), np.log(power[:, band]))[
            0, 1
        ]
        assert correlation > 0.99, name
    changing = np.exp(np.stack([RISING, -RISING], 1))[:, :, None] * np.ones(5)
    table = features.eeg(
        body.simulate_eeg(changing, 60.0 * MINUTES, 128, random(3)), 128, WINDOWS
    )
    assert np.corrcoef(values(table, "ch1_alpha"), planted(RISING))[0, 1] > 0.9
    assert np.corrcoef(values(table, "ch2_beta"), planted(RISING))[0, 1] < -0.9


def test_a_face_is_never_below_zero():
    mean, sd = np.array([0.2, 1.0, 2.5]), np.array([0.3, 0.2, 0.5])
    table = features.series(
        body.simulate_action_units(mean, sd, 60.0 * MINUTES, 25, random()), 25, WINDOWS
    )
    np.testing.assert_allclose(
        [values(table, f"s{unit}_mean").mean() for unit in (1, 2, 3)], mean, rtol=0.1
    )
    np.testing.assert_allclose(
        [values(table, f"s{unit}_sd").mean() for unit in (1, 2, 3)], sd, rtol=0.2
    )
    face = body.simulate_action_units(
        np.array([4.5, 0.05]), np.array([2.0, 0.2]), 60.0, 25, random()
    )
    assert face.min() >= 0 and face.max() == 5


def test_same_generator_same_signal_and_no_event_is_no_error():
    pair = [
        body.simulate_eda(5, body.events(6, 60.0, random(1)), 0.3, 60.0, 4, random(2))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*pair)
    none = body.beats(0, 30, np.zeros(0), 10.0, random())
    assert len(none) == 0 and body.simulate_ecg(none, 10.0, 64, random()).shape == (
        640,
    )
    assert body.simulate_pulse(none, 1.0, 10.0, 64, random()).shape == (640,)
    assert body.simulate_eda(5, none, 0.3, 10.0, 4, random()).shape == (40,)
    assert np.isfinite(body.simulate_respiration(none, 1.0, 10.0, 8, random())).all()
    assert len(body.beats(60, 30, np.zeros(0), 10.0, random())) in (9, 10, 11)
