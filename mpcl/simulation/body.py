"""Simulated signals of a body with a known truth: heart, skin, breath, muscle, brain.

What is planted (a heart rate, a level) is a number, or an array (second,): its values
at 0, 1, 2, ... seconds, with straight lines between. ``duration`` is in seconds,
``rate`` in samples a second. Events (beats, breaths, skin conductance responses) are
drawn first, as times in seconds, so that one heart can be seen by two devices.

The shapes are textbook ones and the constants beside them *our choice*: they look like
the real thing and let what was planted be found again; they make no claim beyond that.
Features are extracted by :mod:`mpcl.data.features`; here all begins with ``simulate``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.signal import lfilter

from mpcl.data.features import BANDS

Quantity: TypeAlias = float | np.ndarray  # a number, or (second,)

# share of the beat-to-beat variation that follows the breath (respiratory sinus
# arrhythmia)
RSA = 0.6
HEART = (  # P, Q, R, S, T of one beat: seconds from the R wave, width (s), height (mV)
    (-0.17, 0.025, 0.12),
    (-0.03, 0.008, -0.12),
    (0.0, 0.010, 1.0),
    (0.03, 0.009, -0.25),
    (0.26, 0.045, 0.30),
)
PULSE = ((0.25, 0.075, 1.0), (0.50, 0.100, 0.35))  # systolic and dicrotic wave, wrist
RISE, DECAY = 0.75, 2.0  # s, time constants of a skin conductance response
INHALE = 0.4  # of a breath
UNSTEADY = 0.5  # s, over which a face keeps its expression


def events(
    per_minute: Quantity,
    duration: float,
    random: Generator,
    irregular: Quantity = 1.0,
) -> np.ndarray:
    """Times (event,) at which things happen; as many as the rate says to within one.

    Args:
        irregular: 0 for an even train, 1 to place each event anywhere in its interval.

    Example:
        >>> len(events(30, 60.0, np.random.default_rng(0)))
        30
    """
    grid = np.linspace(0, duration, int(np.ceil(duration * 10)) + 1)
    passed = np.concatenate(
        [[0], np.cumsum(_at(per_minute, grid[:-1]) / 60 * np.diff(grid))]
    )
    number = np.arange(0.5, passed[-1])
    moved = _at(irregular, np.interp(number, passed, grid)) * random.uniform(
        -0.5, 0.5, len(number)
    )
    return np.interp(number + moved, passed, grid)


def beats(
    heart_rate: Quantity,
    rmssd: Quantity,
    breaths: np.ndarray,
    duration: float,
    random: Generator,
) -> np.ndarray:
    """Times (beat,) of heart beats with a planted rate (1/min) and RMSSD (ms).

    The intervals are those of the rate plus a variation that partly follows the breath;
    *our design*, in the manner of integral pulse frequency modulation. Over a whole
    recording the root mean square of successive differences (RMSSD) is exact up to what
    changes of the rate add.

    Example:
        >>> random = np.random.default_rng(0)
        >>> time = beats(60, 40, np.arange(0, 60, 4.0), 60.0, random)
        >>> round(1000 * np.sqrt(np.mean(np.diff(time, n=2) ** 2)))
        40
    """
    time = events(heart_rate, duration, random, irregular=0)
    if len(time) < 3:
        return time
    interval = np.diff(time)
    # in breaths; before the first and after the last there is none
    number = np.arange(max(len(breaths), 1))
    phase = np.interp(time[1:], breaths if len(breaths) else [0.0], number)
    noise = np.sqrt(1 - RSA) * random.standard_normal(len(interval))
    variation = np.sqrt(2 * RSA) * np.sin(2 * np.pi * phase) + noise
    variation /= np.sqrt(np.mean(np.diff(variation) ** 2))
    interval = np.maximum(interval + _at(rmssd, time[1:]) / 1000 * variation, 0.3)
    time = time[0] + np.concatenate([[0], np.cumsum(interval)])
    return time[time < duration]


def simulate_ecg(
    beats: np.ndarray,
    duration: float,
    rate: int,
    random: Generator,
    noise: float = 0.02,
) -> np.ndarray:
    """An electrocardiogram (sample,) in mV, five waves a beat, with baseline wander.

    Args:
        noise: standard deviation of the white noise, mV.

    Example:
        >>> random = np.random.default_rng(0)
        >>> simulate_ecg(np.array([0.5]), 1.0, 100, random, noise=0).argmax().item()
        50
    """
    wave = _train(
        beats,
        np.ones(len(beats)),
        partial(_bumps, waves=HEART),
        (-0.3, 0.5),
        duration,
        rate,
    )
    return (
        wave
        + 0.05 * np.sin(2 * np.pi * 0.2 * _time(duration, rate))
        + noise * random.standard_normal(len(wave))
    )


def simulate_pulse(
    beats: np.ndarray,
    amplitude: Quantity,
    duration: float,
    rate: int,
    random: Generator,
    noise: float = 0.01,
) -> np.ndarray:
    """A photoplethysmogram (blood volume pulse), arbitrary units, with a mean of zero.

    The pulse arrives, positive, a quarter of a second after the beat.

    Args:
        amplitude: height of the systolic wave.
        noise: standard deviation of the white noise, relative to the mean amplitude.

    Example:
        >>> random = np.random.default_rng(0)
        >>> simulate_pulse(np.arange(0, 10, 0.8), 1.0, 10.0, 64, random).shape
        (640,)
    """
    wave = _train(
        beats,
        _at(amplitude, beats),
        partial(_bumps, waves=PULSE),
        (-0.05, 0.85),
        duration,
        rate,
    )
    return (
        wave
        - wave.mean()
        + noise * np.mean(amplitude) * random.standard_normal(len(wave))
    )


def simulate_eda(
    level: Quantity,
    responses: np.ndarray,
    amplitude: Quantity,
    duration: float,
    rate: int,
    random: Generator,
    noise: float = 0.001,
) -> np.ndarray:
    """Electrodermal activity in microsiemens: a level, and responses on top of it.

    Args:
        level: skin conductance level (SCL), microsiemens.
        responses: (response,), seconds at which skin conductance responses start.
        amplitude: their height in microsiemens, or one value a response.
        noise: standard deviation of the white noise, microsiemens.

    Example:
        >>> random = np.random.default_rng(0)
        >>> skin = simulate_eda(5, np.array([10.0]), 0.5, 60.0, 4, random)
        >>> round(skin.max().item() - 5, 1)
        0.5
    """
    is_each = np.shape(amplitude) == responses.shape
    heights = np.asarray(amplitude) if is_each else _at(amplitude, responses)
    phasic = _train(responses, heights, _response, (0, 8 * DECAY), duration, rate)
    return (
        _at(level, _time(duration, rate))
        + phasic
        + noise * random.standard_normal(len(phasic))
    )


def simulate_respiration(
    breaths: np.ndarray,
    depth: Quantity,
    duration: float,
    rate: int,
    random: Generator,
    noise: float = 0.01,
) -> np.ndarray:
    """A breathing belt, arbitrary units: lowest where a breath starts.

    Args:
        breaths: (breath,), seconds at which breaths start.
        depth: from lowest to highest, which is where the inhalation ends.
        noise: standard deviation of the white noise, relative to the mean depth.

    Example:
        >>> random = np.random.default_rng(0)
        >>> breaths = np.arange(0, 20, 4.0)
        >>> belt = simulate_respiration(breaths, 2, 16, 10, random, noise=0)
        >>> [belt[:40].argmin().item(), belt[:40].argmax().item(), belt.max().item()]
        [0, 16, 1.0]
    """
    time = _time(duration, rate)
    before = min(-5.0, np.min(breaths, initial=0) - 5)
    edges = np.concatenate(
        [[before], breaths, [max(duration, np.max(breaths, initial=0)) + 5]]
    )
    phase = np.interp(time, edges, np.arange(len(edges))) % 1
    exhaled = 1 + (phase - INHALE) / (1 - INHALE)
    half = np.where(phase < INHALE, phase / INHALE, exhaled) / 2  # 0..1, top at 1/2
    belt = -_at(depth, time) / 2 * np.cos(2 * np.pi * half)
    return belt + noise * np.mean(depth) * random.standard_normal(len(time))


def simulate_temperature(
    level: Quantity, duration: float, rate: int, random: Generator, noise: float = 0.01
) -> np.ndarray:
    """Skin temperature in degrees Celsius: a level and white noise (°C).

    Example:
        >>> simulate_temperature(33, 10.0, 4, np.random.default_rng(0)).shape
        (40,)
    """
    time = _time(duration, rate)
    return _at(level, time) + noise * random.standard_normal(len(time))


def simulate_emg(
    strength: Quantity, duration: float, rate: int, random: Generator
) -> np.ndarray:
    """An electromyogram: white noise whose standard deviation is ``strength`` (mV).

    Example:
        >>> muscle = simulate_emg(0.02, 60.0, 700, np.random.default_rng(0))
        >>> round(muscle.std().item(), 3)
        0.02
    """
    time = _time(duration, rate)
    return _at(strength, time) * random.standard_normal(len(time))


def simulate_acceleration(
    pitch: Quantity, motion: Quantity, duration: float, rate: int, random: Generator
) -> np.ndarray:
    """Acceleration (sample, 3) in g of a worn sensor: gravity, and motion below 3 Hz.

    Args:
        pitch: degrees by which the first axis points up.
        motion: standard deviation of each axis, g.

    Example:
        >>> still = simulate_acceleration(90, 0, 1.0, 32, np.random.default_rng(0))
        >>> still[0].round(6).tolist()
        [1.0, 0.0, 0.0]
    """
    time = _time(duration, rate)
    angle = np.deg2rad(_at(pitch, time))
    gravity = np.stack([np.sin(angle), 0 * time, np.cos(angle)], 1)
    return gravity + _at(motion, time)[:, None] * _slow(
        len(time), 3, 0.05 * rate, random
    )


def simulate_eeg(
    power: np.ndarray,
    duration: float,
    rate: int,
    random: Generator,
    bands: Mapping[str, tuple[float, float]] = BANDS,
) -> np.ndarray:
    """An electroencephalogram (sample, channel) in microvolts, band by band.

    Its power falls as 1/f within a band; over the whole recording the power of constant
    bands is exact.

    Args:
        power: (channel, band) or (second, channel, band), squared microvolts.
        bands: lowest and highest Hz, in the order of ``power``.

    Example:
        >>> power = np.array([[0, 0, 20, 5, 0]])
        >>> wave = simulate_eeg(power, 10.0, 128, np.random.default_rng(0))
        >>> round(wave.var().item(), 6)
        25.0
    """
    time = _time(duration, rate)
    power = power.astype(float).reshape(-1, *power.shape[-2:])
    length = next_fast_len(max(len(time), 2), real=True)
    frequency = rfftfreq(length, 1 / rate)
    signal = np.zeros((len(time), power.shape[1]))
    for band, (low, high) in enumerate(bands.values()):
        inside = np.flatnonzero((frequency > low) & (frequency < high))
        drawn = random.standard_normal((power.shape[1], 2, len(inside)))
        spectrum = np.zeros((power.shape[1], len(frequency)), complex)
        spectrum[:, inside] = (drawn[:, 0] + 1j * drawn[:, 1]) / np.sqrt(
            frequency[inside]
        )
        wave = irfft(spectrum, length)[:, : len(time)]  # (channel, sample)
        spread = wave.std(1)
        height = np.sqrt(_each(power[:, :, band], time))
        signal += height * wave.T / np.where(spread > 0, spread, 1)
    return signal


def simulate_action_units(
    mean: np.ndarray,
    sd: np.ndarray,
    duration: float,
    rate: int,
    random: Generator,
    highest: float = 5.0,
) -> np.ndarray:
    """Intensities (sample, unit) of facial action units: lognormal, and slow.

    Args:
        mean, sd: (unit,) or (second, unit), mean and standard deviation of the
            intensity.
        highest: intensities end here (E, the maximum, in FACS).

    Example:
        >>> mean, sd = np.array([1.0, 0.2]), np.array([0.1, 0.1])
        >>> random = np.random.default_rng(0)
        >>> face = simulate_action_units(mean, sd, 600.0, 25, random)
        >>> face.mean(0).round(1), face.std(0).round(1)
        (array([1. , 0.2]), array([0.1, 0.1]))
    """
    time = _time(duration, rate)
    mean, sd = np.atleast_2d(mean), np.atleast_2d(sd)
    spread = np.sqrt(np.log1p((sd / mean) ** 2))  # of the logarithm
    centre = _each(np.log(mean) - spread**2 / 2, time)
    moved = _slow(len(time), mean.shape[1], UNSTEADY * rate, random)
    return np.exp(centre + _each(spread, time) * moved).clip(0, highest)


def _time(duration: float, rate: int) -> np.ndarray:
    return np.arange(round(duration * rate)) / rate


def _at(quantity: Quantity, time: np.ndarray) -> np.ndarray:
    """A planted quantity at times in seconds."""
    return np.interp(time, np.arange(np.size(quantity)), np.ravel(quantity))


def _each(quantities: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(second, column) -> (sample, column)."""
    return np.stack([_at(quantity, time) for quantity in quantities.T], 1)


def _train(
    times: np.ndarray,
    heights: np.ndarray,
    shape: Callable[[np.ndarray], np.ndarray],
    span: tuple[float, float],
    duration: float,
    rate: int,
) -> np.ndarray:
    """The sum over events of height x shape(seconds since), within ``span`` only."""
    count = round(duration * rate)
    first = np.ceil((times + span[0]) * rate).astype(int)
    steps = np.arange(int((span[1] - span[0]) * rate) + 1)
    sample = first[:, None] + steps  # (event, sample)
    values = heights[:, None] * shape(
        np.maximum(sample / rate - times[:, None], span[0])
    )
    inside = (sample >= 0) & (sample < count)
    return np.bincount(sample[inside], values[inside], minlength=count)


def _bumps(
    time: np.ndarray, waves: tuple[tuple[float, float, float], ...]
) -> np.ndarray:
    return np.sum(
        [
            height * np.exp(-0.5 * ((time - at) / width) ** 2)
            for at, width, height in waves
        ],
        axis=0,
    )


def _response(time: np.ndarray) -> np.ndarray:
    """A skin conductance response of height one."""
    top = RISE * DECAY / (DECAY - RISE) * np.log(DECAY / RISE)  # s, when it is highest
    return (np.exp(-time / DECAY) - np.exp(-time / RISE)) / (
        np.exp(-top / DECAY) - np.exp(-top / RISE)
    )


def _slow(samples: int, columns: int, memory: float, random: Generator) -> np.ndarray:
    """Autoregressive noise (sample, column) of variance one; ``memory`` in samples."""
    decay = np.exp(-1 / memory)
    steps = random.standard_normal((samples, columns))
    steps[1:] *= np.sqrt(1 - decay**2)
    return np.asarray(lfilter([1], [1, -decay], steps, axis=0))
