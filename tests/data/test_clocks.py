"""Shifted clocks are found where two devices hold a common signal, and only there."""

import neurokit2 as nk
import numpy as np
import pytest

from mpcl.data import clocks
from mpcl.data.clocks import Stream

SECONDS = 240


def trembling(rng):
    """How much a body moves, each half of a second."""
    return rng.gamma(0.4, 0.2, SECONDS * 2)


def worn(rng, moved, rate, noise):
    """The acceleration (sample, 3) in g of a device on it."""
    size = moved[np.arange(SECONDS * rate) * 2 // rate][:, None]
    own = rng.gamma(0.4, 0.05, len(size))[:, None]
    axes = rng.standard_normal((len(size), 3)) * (size + own + noise)
    return axes + [0, 0, 1]


@pytest.mark.parametrize(("late", "rate"), [(0, 32), (7, 32), (-15, 32), (9, 25)])
def test_motion_of_wrist_and_chest(late, rate):
    rng = np.random.default_rng(abs(late))
    moved = trembling(rng)
    chest = worn(rng, moved, 64, 0.001)
    wrist = worn(rng, np.roll(moved, 2 * late), rate, 0.01)
    streams = [
        Stream("chest", "acceleration", chest, 64),
        Stream("wrist", "acceleration", wrist, rate),
    ]
    found = clocks.apart(streams)
    assert found == ({("chest", "wrist"): late} if late else {})
    assert clocks.shared(found, "wrist", 60) == 1 - abs(late) / 60
    assert [f"{abs(late)} s later" in words for words in clocks.sentences(found)] == (
        [True] if late else []
    )


@pytest.mark.parametrize("late", [0, 10, -20])
def test_heart_rate_of_electrocardiogram_and_pulse(late):
    quick = np.cumsum(np.random.default_rng(2).normal(0, 2, SECONDS)) + 75
    rate = np.interp(np.arange(SECONDS * 100) / 100, np.arange(SECONDS), quick)
    beats = np.flatnonzero(np.diff(np.floor(np.cumsum(rate / 60 / 100))) > 0)
    ecg = np.convolve(np.bincount(beats, minlength=len(rate)), np.hanning(9))
    pulse = np.convolve(np.bincount(beats + 20, minlength=len(rate)), np.hanning(50))
    ecg += 0.01 * np.random.default_rng(2).standard_normal(len(ecg))
    streams = [
        Stream("chest", "ecg", ecg[: len(rate)], 100),
        Stream("wrist", "ppg", np.roll(pulse, 100 * late)[: len(rate)], 100),
    ]
    seconds = clocks.apart(streams).get(("chest", "wrist"), 0)
    assert abs(seconds - late) <= 1


def test_nothing_is_said_of_people_who_hold_still_or_of_one_device():
    rng = np.random.default_rng(3)
    for _ in range(20):
        still = [rng.normal([0, 0, 1], 0.01, (SECONDS * 32, 3)) for _ in range(2)]
        streams = [Stream("abc"[n], "acceleration", still[n], 32) for n in range(2)]
        assert not clocks.apart(streams)
    assert not clocks.comparable([streams[0], streams[0]])
    assert not clocks.comparable([streams[0], streams[1]._replace(kind="eda")])
    ecg = nk.ecg_simulate(SECONDS, sampling_rate=100, random_state=0)
    flat = Stream("b", "ppg", np.zeros(len(ecg)), 100)
    assert not clocks.apart([Stream("a", "ecg", ecg, 100), flat])
    assert not clocks.apart([flat, flat._replace(device="c", kind="ecg")])
