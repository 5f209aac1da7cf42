"""Simulated recordings of a body with a known truth: heart, skin, breath, muscle, motion, brain and face.

What is planted (a heart rate, a level) is a number, or an array (second,): its values at 0, 1, 2, ... seconds, with
straight lines between. ``duration`` is in seconds, ``rate`` in samples a second; ``random`` is a
:class:`numpy.random.Generator`. Events (beats, breaths, skin conductance responses) are drawn first, as times in
seconds, so that one heart can be seen by two devices.

The shapes are textbook ones and the constants beside them *our choice*: they look like the real thing and let what
was planted be found again; they make no claim beyond that.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.signal import lfilter

from mpcl.data.features import BANDS

RSA = 0.6  # share of the beat-to-beat variation that follows the breath (respiratory sinus arrhythmia)
# fmt: off
HEART = (  # waves P, Q, R, S, T of one beat: seconds from the R wave, width (s), height (mV)
    (-0.17, 0.025, 0.12), (-0.03, 0.008, -0.12), (0.0, 0.010, 1.0), (0.03, 0.009, -0.25), (0.26, 0.045, 0.30),
)
PULSE = ((0.25, 0.075, 1.0), (0.50, 0.100, 0.35))  # of a pulse at the wrist: the systolic and the dicrotic wave
# fmt: on
RISE, DECAY = 0.75, 2.0  # s, time constants of a skin conductance response
INHALE = 0.4  # of a breath
UNSTEADY = 0.5  # s, over which a face keeps its expression


def events(per_minute, duration, random, irregular=1.0):
    """Times at which things happen, at a given rate; the count is that of the rate to within one.

    Args:
        per_minute: events a minute, as the module says.
        duration, random: see the module.
        irregular: 0 for an even train, 1 to place each event anywhere in its own interval; as the module says.

    Returns:
        float array (event,): seconds, ascending.

    Example:
        >>> len(events(30, 60.0, np.random.default_rng(0)))
        30
    """
    grid = np.linspace(0, duration, int(np.ceil(duration * 10)) + 1)
    passed = np.concatenate([[0], np.cumsum(_at(per_minute, grid[:-1]) / 60 * np.diff(grid))])
    number = np.arange(0.5, passed[-1])
    moved = _at(irregular, np.interp(number, passed, grid)) * random.uniform(-0.5, 0.5, len(number))
    return np.interp(number + moved, passed, grid)


def beats(heart_rate, rmssd, breaths, duration, random):
    """Times of heart beats with a planted rate and root mean square of successive differences (RMSSD).

    The intervals are those of the rate plus a variation that partly follows the breath; *our design*, in the
    manner of integral pulse frequency modulation. Over a whole recording the RMSSD is exact up to what changes of
    the rate add.

    Args:
        heart_rate: beats a minute.
        rmssd: milliseconds.
        breaths: (breath,), seconds at which breaths start.
        duration, random: see the module.

    Returns:
        float array (beat,): seconds, ascending.

    Example:
        >>> found = beats(60, 40, np.arange(0, 60, 4.0), 60.0, np.random.default_rng(0))
        >>> round(1000 * np.sqrt(np.mean(np.diff(found, n=2) ** 2)))
        40
    """
    time = events(heart_rate, duration, random, irregular=0)
    if len(time) < 3:
        return time
    interval = np.diff(time)
    phase = np.interp(time[1:], breaths, np.arange(len(breaths))) if len(breaths) else np.zeros(len(interval))
    variation = np.sqrt(2 * RSA) * np.sin(2 * np.pi * phase) + np.sqrt(1 - RSA) * random.standard_normal(len(interval))
    variation /= np.sqrt(np.mean(np.diff(variation) ** 2))
    interval = np.maximum(interval + _at(rmssd, time[1:]) / 1000 * variation, 0.3)
    found = time[0] + np.concatenate([[0], np.cumsum(interval)])
    return found[found < duration]


def ecg(beats, duration, rate, random, noise=0.02):
    """An electrocardiogram in mV, five waves a beat, with baseline wander.

    Args:
        beats: (beat,), seconds.
        duration, rate, random: see the module.
        noise: standard deviation of the white noise, mV.

    Returns:
        float array (sample,).

    Example:
        >>> ecg(np.array([0.5]), 1.0, 100, np.random.default_rng(0), noise=0).argmax().item()
        50
    """
    wave = _train(beats, np.ones(len(beats)), lambda time: _bumps(time, HEART), (-0.3, 0.5), duration, rate)
    return wave + 0.05 * np.sin(2 * np.pi * 0.2 * _time(duration, rate)) + noise * random.standard_normal(len(wave))


def pulse(beats, amplitude, duration, rate, random, noise=0.01):
    """A photoplethysmogram (blood volume pulse), arbitrary units.

    Args:
        beats: (beat,), seconds; the pulse arrives a quarter of a second later.
        amplitude: height of the systolic wave.
        duration, rate, random: see the module.
        noise: standard deviation of the white noise, relative to the mean amplitude.

    Returns:
        float array (sample,), positive at the systolic peak, about a mean of zero.

    Example:
        >>> pulse(np.arange(0, 10, 0.8), 1.0, 10.0, 64, np.random.default_rng(0)).shape
        (640,)
    """
    heights = _at(amplitude, beats)
    wave = _train(beats, heights, lambda time: _bumps(time, PULSE), (-0.05, 0.85), duration, rate)
    return wave - wave.mean() + noise * np.mean(amplitude) * random.standard_normal(len(wave))


def eda(level, responses, amplitude, duration, rate, random, noise=0.001):
    """Electrodermal activity in microsiemens: a level and skin conductance responses on top of it.

    Args:
        level: skin conductance level (SCL), microsiemens.
        responses: (response,), seconds at which responses start.
        amplitude: their height, microsiemens: a number, an array (second,), or one value a response.
        duration, rate, random: see the module.
        noise: standard deviation of the white noise, microsiemens.

    Returns:
        float array (sample,).

    Example:
        >>> skin = eda(5, np.array([10.0]), 0.5, 60.0, 4, np.random.default_rng(0))
        >>> round(skin.max().item() - 5, 1)
        0.5
    """
    top = RISE * DECAY / (DECAY - RISE) * np.log(DECAY / RISE)  # s, when a response is highest

    def shape(time):
        return (np.exp(-time / DECAY) - np.exp(-time / RISE)) / (np.exp(-top / DECAY) - np.exp(-top / RISE))

    heights = amplitude if np.shape(amplitude) == np.shape(responses) else _at(amplitude, responses)
    phasic = _train(responses, heights, shape, (0, 8 * DECAY), duration, rate)
    return _at(level, _time(duration, rate)) + phasic + noise * random.standard_normal(len(phasic))


def respiration(breaths, depth, duration, rate, random, noise=0.01):
    """A breathing belt, arbitrary units: lowest where a breath starts, highest after the inhalation.

    Args:
        breaths: (breath,), seconds at which breaths start.
        depth: from lowest to highest.
        duration, rate, random: see the module.
        noise: standard deviation of the white noise, relative to the mean depth.

    Returns:
        float array (sample,).

    Example:
        >>> belt = respiration(np.arange(0, 20, 4.0), 2.0, 16.0, 10, np.random.default_rng(0), noise=0)
        >>> [belt[:40].argmin().item(), belt[:40].argmax().item(), belt.max().item()]
        [0, 16, 1.0]
    """
    time = _time(duration, rate)
    edges = np.concatenate([[min(-5.0, np.min(breaths, initial=0) - 5)], breaths, [max(duration, *breaths, 0) + 5]])
    phase = np.interp(time, edges, np.arange(len(edges))) % 1
    half = np.where(phase < INHALE, phase / INHALE, 1 + (phase - INHALE) / (1 - INHALE)) / 2  # 0..1, top at 1/2
    belt = -_at(depth, time) / 2 * np.cos(2 * np.pi * half)
    return belt + noise * np.mean(depth) * random.standard_normal(len(time))


def temperature(level, duration, rate, random, noise=0.01):
    """Skin temperature in degrees Celsius: a level and white noise (°C). Arguments: see the module.

    Example:
        >>> temperature(33, 10.0, 4, np.random.default_rng(0)).shape
        (40,)
    """
    time = _time(duration, rate)
    return _at(level, time) + noise * random.standard_normal(len(time))


def emg(strength, duration, rate, random):
    """An electromyogram: white noise whose standard deviation is ``strength`` (mV). Arguments: see the module.

    Example:
        >>> round(emg(0.02, 60.0, 700, np.random.default_rng(0)).std().item(), 3)
        0.02
    """
    time = _time(duration, rate)
    return _at(strength, time) * random.standard_normal(len(time))


def acceleration(pitch, motion, duration, rate, random):
    """Acceleration in g of a worn sensor: gravity as it lies, and motion below some 3 Hz.

    Args:
        pitch: degrees by which the first axis points up.
        motion: standard deviation of each axis, g.
        duration, rate, random: see the module.

    Returns:
        float array (sample, 3).

    Example:
        >>> acceleration(90, 0, 1.0, 32, np.random.default_rng(0))[0].round(6).tolist()
        [1.0, 0.0, 0.0]
    """
    time = _time(duration, rate)
    angle = np.deg2rad(_at(pitch, time))
    gravity = np.stack([np.sin(angle), 0 * time, np.cos(angle)], 1)
    return gravity + _at(motion, time)[:, None] * _slow(len(time), 3, 0.05 * rate, random)


def eeg(power, duration, rate, random, bands=None):
    """An electroencephalogram in microvolt with a planted power in each band, which falls as 1/f within it.

    Args:
        power: (channel, band) or (second, channel, band), squared microvolts.
        duration, rate, random: see the module.
        bands: ``{name: (lowest, highest Hz)}`` in the order of ``power``; by default those of the features.

    Returns:
        float array (sample, channel); over the whole recording the power of constant bands is exact.

    Example:
        >>> wave = eeg(np.array([[0, 0, 20, 5, 0]]), 10.0, 128, np.random.default_rng(0))
        >>> round(wave.var().item(), 6)
        25.0
    """
    time = _time(duration, rate)
    power = np.asarray(power, float)
    power = power if power.ndim == 3 else power[None]
    long = next_fast_len(max(len(time), 2), real=True)
    frequency = rfftfreq(long, 1 / rate)
    signal = np.zeros((len(time), power.shape[1]))
    for band, (low, high) in enumerate((bands or BANDS).values()):
        inside = np.flatnonzero((frequency > low) & (frequency < high))
        for channel in range(power.shape[1]):
            spectrum = np.zeros(len(frequency), complex)
            spectrum[inside] = random.standard_normal((2, len(inside))).T @ [1, 1j] / np.sqrt(frequency[inside])
            wave = irfft(spectrum, long)[: len(time)]
            signal[:, channel] += np.sqrt(_at(power[:, channel, band], time)) * wave / (wave.std() or 1)
    return signal


def action_units(mean, sd, duration, rate, random, highest=5.0):
    """Intensities of facial action units (FACS, 0 to 5): lognormal, so never below 0, and slow.

    Args:
        mean, sd: (unit,) or (second, unit), mean and standard deviation of the intensity.
        duration, rate, random: see the module.
        highest: intensities end here (E, the maximum, in FACS).

    Returns:
        float array (sample, unit).

    Example:
        >>> face = action_units(np.array([1.0, 0.2]), np.array([0.1, 0.1]), 600.0, 25, np.random.default_rng(0))
        >>> face.mean(0).round(1), face.std(0).round(1)
        (array([1. , 0.2]), array([0.1, 0.1]))
    """
    time = _time(duration, rate)
    mean, sd = np.atleast_2d(mean), np.atleast_2d(sd)
    spread = np.sqrt(np.log1p((sd / mean) ** 2))  # of the logarithm
    centre, spread = (_each(quantity, time) for quantity in (np.log(mean) - spread**2 / 2, spread))
    return np.exp(centre + spread * _slow(len(time), mean.shape[1], UNSTEADY * rate, random)).clip(0, highest)


def _time(duration, rate):
    return np.arange(round(duration * rate)) / rate


def _at(quantity, time):
    """A planted quantity, a number or (second,), at times in seconds."""
    quantity = np.atleast_1d(np.asarray(quantity, float))
    return np.interp(time, np.arange(len(quantity)), quantity)


def _each(quantities, time):
    """(second, column) -> (sample, column)."""
    return np.stack([_at(quantity, time) for quantity in quantities.T], 1)


def _train(times, heights, shape, span, duration, rate):
    """The sum over events of height x shape(seconds since the event), which is nothing outside its ``span``."""
    count = round(duration * rate)
    first = np.ceil((times + span[0]) * rate).astype(int)
    sample = first[:, None] + np.arange(int((span[1] - span[0]) * rate) + 1)  # (event, sample)
    values = heights[:, None] * shape(np.maximum(sample / rate - times[:, None], span[0]))
    inside = (sample >= 0) & (sample < count)
    return np.bincount(sample[inside], values[inside], minlength=count)


def _bumps(time, waves):
    return sum(height * np.exp(-0.5 * ((time - at) / width) ** 2) for at, width, height in waves)


def _slow(samples, columns, memory, random):
    """Autoregressive noise (sample, column) of variance one that is forgotten over ``memory`` samples."""
    decay = np.exp(-1 / memory)
    steps = random.standard_normal((samples, columns))
    steps[1:] *= np.sqrt(1 - decay**2)
    return lfilter([1], [1, -decay], steps, axis=0)
