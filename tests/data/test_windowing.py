"""Windows, what can be used of them, and their statistics, beside the plain way one
window at a time.
"""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import welch

from mpcl.data import windowing
from mpcl.errors import DatasetError, ParameterError

RANDOM = np.random.default_rng(0)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 2000), st.floats(1, 120), st.floats(1, 120))
def test_windows_fill_the_trial_and_never_leave_it(duration, length, step):
    places = windowing.place_windows(duration, length, step)
    assert (places >= 0).all() and (places <= duration * (1 + 1e-9) + 1e-6).all()
    assert len(places) == 0 if duration < length * (1 - 1e-9) - 1e-6 else True
    if len(places):
        assert places[-1, 1] + step > duration - 1e-6


def test_cuts_are_those_of_one_window_at_a_time():
    values = RANDOM.normal(size=1000)
    for rate, length, step in ((4, 60, 30), (7, 10.5, 3.3), (0.5, 200, 100)):
        places = windowing.place_windows(1000 / rate, length, step)
        places = np.vstack(
            [places, places[-1:] + step]
        )  # the last reaches beyond the end
        cut = windowing.cut_windows(values, rate, places)
        usable = values > 0
        for row, start in zip(cut, places[:, 0], strict=True):
            plain = values[round(start * rate) :][: cut.shape[1]]
            np.testing.assert_array_equal(row[: len(plain)], plain)
            assert np.isnan(row[len(plain) :]).all()
        share = np.nan_to_num(windowing.cut_windows(usable, rate, places)).mean(1)
        np.testing.assert_allclose(windowing.usable_share(usable, rate, places), share)


def test_spectra_are_those_of_welch():
    values = RANDOM.normal(size=3000)
    for length, step, samples in ((60, 30, 80), (40, 7, 71)):
        places = windowing.place_windows(300, length, step)
        frequency, density = windowing.spectrum(
            values, 10, places, seconds=samples / 10
        )
        theirs = welch(
            windowing.cut_windows(values, 10, places), 10, nperseg=samples, axis=1
        )
        np.testing.assert_allclose(frequency, theirs[0])
        np.testing.assert_allclose(density, theirs[1], atol=1e-12)


def test_slope_is_that_of_least_squares():
    values, seconds = RANDOM.normal(size=(2, 5, 40))
    values[0, 3:7], seconds[0, 3:7] = np.nan, np.nan
    lines = [
        np.polyfit(x[~np.isnan(x)], y[~np.isnan(y)], 1)[0]
        for x, y in zip(seconds, values, strict=True)
    ]
    np.testing.assert_allclose(windowing.slope(values, seconds), 60 * np.array(lines))


@pytest.mark.parametrize(
    ("spoil", "lost"),
    [
        (
            lambda x: np.where(np.arange(600) % 100 < 5, np.nan, x),
            0,
        ),  # gaps of half a second are bridged
        (
            lambda x: np.where(
                (np.arange(600) >= 200) & (np.arange(600) < 230), np.nan, x
            ),
            30,
        ),
        (
            lambda x: np.where(
                (np.arange(600) >= 200) & (np.arange(600) < 230), x[200], x
            ),
            29,
        ),  # a flat line
        (lambda x: x.clip(None, 0.9), 6 * 15),  # clipped on top of each wave
        (lambda x: np.full(600, np.nan), 600),
        (lambda x: np.ones(600), 599),
    ],
    ids=["short gaps", "gap", "flat", "clipped", "nothing", "constant"],
)
def test_what_cannot_be_used_lowers_the_quality(spoil, lost):
    wave = np.sin(2 * np.pi * np.arange(600) / 100) + 1e-4 * np.arange(600)
    places = windowing.place_windows(60, 60)
    values, usable = windowing.prepare(spoil(wave), 10, places)
    assert np.isfinite(values).all()
    assert windowing.usable_share(usable, 10, places)[0] == pytest.approx(
        1 - lost / 600, abs=0.02
    )


def test_what_is_no_window_is_refused():
    with pytest.raises(ParameterError, match="positive seconds"):
        windowing.place_windows(60, 0)
    with pytest.raises(DatasetError, match="of one length"):
        windowing.prepare(np.ones(240), 4, np.array([[0, 30], [0, 60]]))


def test_public_functions_are_documented():
    for name, function in inspect.getmembers(windowing, inspect.isfunction):
        if not name.startswith("_"):
            assert "Example:" in function.__doc__ or name in (
                "mean",
                "sd",
                "rmssd",
                "clock",
            ), name
