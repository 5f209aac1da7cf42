"""Two devices on one person: whether their clocks run together.

Where two streams hold a common signal, its cross-correlation tells: the motion of wrist
and trunk, the heart rate of an electrocardiogram and of a pulse. It is told only where
it is sure: the streams agree well at one shift, and much less at none. In a person who
holds still there is nothing to compare. These limits are *our reading*.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import neurokit2 as nk
import numpy as np
from scipy import ndimage
from scipy import signal as dsp

from mpcl.data.windowing import guarded

RATE = 2.0  # Hz, of common signals
LEAST = 2.0  # s of a shift that is told: the motion of a wrist may precede the trunk's
MOST = 60.0  # s, the largest that is looked for
SHORTEST = 120.0  # s of a recording that can tell
AGREE = 0.6  # correlation at the shift,
BEYOND = 0.25  # and how far that of no shift stays below
SLOW = 30.0  # s; what changes the heart rate more slowly tells of no moment
FLOOR = 0.005  # g of motion, below which it is a sensor's noise
BEATS = {  # how each kind of heart signal is cleaned and searched
    "ecg": (nk.ecg_clean, nk.ecg_findpeaks, "ECG_R_Peaks"),
    "ppg": (nk.ppg_clean, nk.ppg_findpeaks, "PPG_Peaks"),
}
COMMON = {"acceleration": "motion", "ecg": "heart rate", "ppg": "heart rate"}


class Stream(NamedTuple):
    """What a device measured in a trial, from its start."""

    device: str
    kind: str  # of the functions in mpcl.data.features
    values: np.ndarray  # (sample,), or (sample, 3) in g
    rate: float  # samples a second


def comparable(streams: Sequence[Stream]) -> list[tuple[Stream, Stream]]:
    """The pairs of streams of two devices that hold a common signal."""
    return [
        (first, second)
        for first, second in combinations(streams, 2)
        if first.device != second.device
        and first.kind in COMMON
        and COMMON[first.kind] == COMMON.get(second.kind)
    ]


def apart(streams: Sequence[Stream]) -> dict[tuple[str, str], float]:
    """Seconds by which the second of two devices is late, where that is sure."""
    late: dict[tuple[str, str], float] = {}
    long = [each for each in streams if len(each.values) >= SHORTEST * each.rate]
    for first, second in comparable(long):
        seconds = shift(_common(first), _common(second))
        if seconds:
            late[first.device, second.device] = seconds
    return late


def sentences(late: dict[tuple[str, str], float]) -> list[str]:
    """In words: whose clock is late.

    Example:
        >>> sentences({("chest", "wrist"): 7.0})
        ['what wrist measured comes 7 s later than what chest did: are clocks shifted?']
    """
    return [
        f"what {second if seconds > 0 else first} measured comes {abs(seconds):g} s "
        f"later than what {first if seconds > 0 else second} did: are clocks shifted?"
        for (first, second), seconds in late.items()
    ]


def shared(late: dict[tuple[str, str], float], device: str, length: float) -> float:
    """The share of a window of so many seconds that a device measured with the others.

    Example:
        >>> shared({("chest", "wrist"): -15.0}, "wrist", 60)
        0.75
    """
    most = max((abs(s) for pair, s in late.items() if device in pair), default=0.0)
    return max(0.0, 1 - most / length)


def _common(stream: Stream) -> np.ndarray:
    """The signal that another device may hold too, each half of a second."""
    if stream.kind == "acceleration":
        return activity(stream.values, stream.rate)
    clean, find, name = BEATS[stream.kind]
    values = np.nan_to_num(np.asarray(stream.values, float))
    wave = guarded(clean, values, sampling_rate=stream.rate)
    beats = (guarded(find, wave, stream.rate) or {}).get(name, ())
    heart = rates(np.asarray(beats) / stream.rate, len(values) / stream.rate)
    return heart - ndimage.uniform_filter1d(heart, int(SLOW * RATE))


def activity(axes: np.ndarray, rate: float) -> np.ndarray:
    """How much an acceleration (sample, 3) in g moves, each half of a second.

    Example:
        >>> axes = np.zeros((64, 3))
        >>> axes[32:, 0] = np.tile([0, 1], 16)
        >>> activity(axes, 32).round(1).tolist()
        [0.0, 0.0, 4.6, 4.6]
    """
    half = (np.arange(len(axes)) * RATE / rate).astype(int)  # of each sample
    whole = np.arange(int(len(axes) * RATE / rate))
    by_axis = [ndimage.variance(axis, half, whole) for axis in np.asarray(axes).T]
    moved = np.sqrt(np.sum(by_axis, 0))  # (half second,)
    return np.log1p(np.nan_to_num(moved) / FLOOR)


def rates(beats: np.ndarray, seconds: float) -> np.ndarray:
    """Heart rate at each half of a second, from the times of beats in seconds.

    Example:
        >>> rates(np.arange(4.0), 2.0).tolist()
        [60.0, 60.0, 60.0, 60.0]
    """
    time, interval = np.arange(int(seconds * RATE)) / RATE, np.diff(beats)
    if len(interval) < 5:
        return np.full(len(time), 60 / interval[0] if len(interval) else 0.0)
    typical = ndimage.median_filter(interval, 5, mode="nearest")
    good = np.abs(interval - typical) <= 0.2 * typical
    if not good.any():
        return np.zeros(len(time))
    return np.interp(time, beats[1:][good], 60 / interval[good])


def shift(first: np.ndarray, second: np.ndarray) -> float:
    """Seconds by which the second of two common signals (time,) is late; 0 if unsure.

    Example:
        >>> moving = np.random.default_rng(0).gamma(0.3, size=500)
        >>> shift(moving, np.roll(moving, 10)), shift(moving, moving[::-1])
        (5.0, 0.0)
    """
    count, reach = min(len(first), len(second)), int(MOST * RATE)
    early, late = (
        (each[:count] - each[:count].mean()) / (each[:count].std() + 1e-12)
        for each in (first, second)
    )
    lags = dsp.correlation_lags(count, count)
    near = np.abs(lags) <= min(reach, count // 2)
    together = dsp.correlate(late, early) / (count - np.abs(lags))
    together, lags = together[near], lags[near]
    best = together.argmax()
    is_sure = together[best] >= AGREE
    is_sure &= together[lags == 0].item() <= together[best] - BEYOND
    seconds = float(lags[best] / RATE)
    return seconds if is_sure and abs(seconds) >= LEAST else 0.0
