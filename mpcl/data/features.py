"""Raw signals to features of windows: one function a kind of signal.

A recording (one uninterrupted trial) is cleaned and searched for its beats, breaths and skin
conductance responses **once**; the windows are then cut from the result, all at a time. Every
function takes

* ``signal``: (sample,) - for acceleration (sample, 3), for EEG and series (sample, channel) -, NaN where
  nothing was measured;
* ``rate``: samples a second;
* ``windows``: (window, 2), start and stop in seconds from the first sample, all of one length,

and returns a :class:`xarray.DataArray` (window, feature) with the coordinates ``unit (feature)`` and
``quality (window)``, the share 0..1 of the window that could be used, and with the attribute
``notes``: one sentence a line on what could not be done. What is undefined in a window is NaN.

Gaps of up to one second are bridged by a straight line. Longer gaps, lines that stay flat and samples
stuck at the ends of the converter's range are *not usable* (:mod:`mpcl.data.windowing`): filters run
across them, but no beat, breath or sample from there enters a feature. A window of which less than half
is usable is NaN. Windows lie in one trial, so none spans a change of label.

The fences below (which interval is a beat, how high a skin conductance response is at least) are
*our reading* of common practice; cleaning and peak finding are NeuroKit2's and SciPy's.
"""

import neurokit2 as nk
import numpy as np
from scipy import ndimage
from scipy import signal as dsp

from mpcl.data.contract import DatasetError
from mpcl.data.windowing import (
    LEAST_SHARE,
    clock,
    covered_share,
    cut_windows,
    guarded,
    lie_inside,
    mean,
    over_windows,
    prepare,
    rmssd,
    sd,
    slope,
    spectrum,
    tabulate,
    thin,
    unbroken,
    usable_share,
)
from mpcl.data.windowing import place_windows as place_windows  # for whoever asks here

LEAST = 5  # beats or breaths, the fewest that make a statistic
BEAT = (300.0, 2000.0)  # ms, the shortest and longest interval between beats (200 to 30 a minute)
BREATH = (1.0, 15.0)  # s, the shortest and longest breath
JUMP = 0.2  # how far an interval may lie from the median of its neighbours, relative to it
SCR = 0.01  # µS, the lowest skin conductance response (Boucsein, 2012)
RISE, DECAY = 5.0, 4.0  # s, the longest that a response rises, and how it decays
SMOOTH = 0.25  # s, standard deviation of the Gaussian before the search for responses
NOISE = 7.0  # standard deviations of the noise that a response must stand out
BANDS = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 45)}  # Hz
MOTION = 0.1  # g, a second whose acceleration varies more (standard deviation) counts as motion


def ppg(signal, rate, windows, unit="a.u."):
    """Heart rate, its variability and the height of the pulse from a photoplethysmogram.

    Pulses: Elgendi et al. (PLoS ONE 2013) as NeuroKit2 does it, on the band 0.7 to 3.5 Hz; a pulse is
    timed at its steepest rise, which jitters less than its rounded top (against Empatica's own beats on
    WESAD, that brings the error of RMSSD from 59 to 9 ms). ``unit`` is the signal's. Arguments, result
    and missing values: see the module.

    Example:
        >>> pulse = nk.ppg_simulate(duration=60, sampling_rate=64, heart_rate=70, random_state=1)
        >>> found = ppg(pulse, 64, place_windows(60))
        >>> abs(found.sel(feature="heart_rate").item() - 70) < 2, found.unit.sel(feature="heart_rate").item()
        (True, '1/min')
    """
    values, usable = prepare(signal, rate, windows)
    clean = guarded(nk.signal_filter, values, sampling_rate=rate, lowcut=0.7, highcut=3.5, order=2)
    peaks = _positions(guarded(lambda: nk.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"]))
    height = _rise(clean, peaks) if len(peaks) else np.zeros(0)
    beats = _upstroke(clean, peaks, rate) if len(peaks) else np.zeros(0)
    return _cardiac(beats, height, "pulse_amplitude", unit, usable, rate, windows)


def ecg(signal, rate, windows, unit="mV"):
    """Heart rate, its variability and the height of the R wave from an electrocardiogram.

    R waves: NeuroKit2's own method. ``unit`` is the signal's. Arguments, result and missing values:
    see the module.

    Example:
        >>> heart = nk.ecg_simulate(duration=60, sampling_rate=250, heart_rate=70, random_state=1)
        >>> abs(ecg(heart, 250, place_windows(60)).sel(feature="heart_rate").item() - 70) < 2
        True
    """
    values, usable = prepare(signal, rate, windows)
    clean = guarded(nk.ecg_clean, values, sampling_rate=rate)
    peaks = _positions(guarded(lambda: nk.ecg_findpeaks(clean, sampling_rate=rate)["ECG_R_Peaks"]))
    height = clean[peaks] if len(peaks) else np.zeros(0)
    return _cardiac(peaks, height, "r_amplitude", unit, usable, rate, windows)


def eda(signal, rate, windows):
    """Level, trend and responses (SCR) of electrodermal activity in microsiemens.

    Tonic below and phasic above 0.05 Hz (NeuroKit2). The phasic part rings after a large response, and its
    ripples pass for small ones; so responses are searched in the signal itself, each counted where it rises
    most steeply and as high as it is from trough to peak (``_responses``). ``scr_sum`` is their summed
    height a minute, 0 where there is none; ``scr_amplitude`` is NaN there. Arguments, result and missing
    values: see the module.

    Example:
        >>> skin = nk.eda_simulate(duration=60, sampling_rate=8, scr_number=5, random_state=1)
        >>> eda(skin, 8, place_windows(60)).sel(feature="scr_rate").item()
        5.0
    """
    values, usable = prepare(signal, rate, windows, flat=10.0, stuck=False)
    values, usable, rate = thin(values, usable, rate, 14)
    smooth, peaks, height = _responses(values, rate)
    parts = guarded(nk.eda_phasic, smooth, sampling_rate=rate)
    lost = parts is None
    tonic, phasic = (np.full((2, len(values)), np.nan)) if lost else parts.to_numpy().T
    inside = lie_inside(peaks / rate, peaks / rate, windows) & usable[peaks]
    quality = usable_share(usable, rate, windows)
    level, varying = (cut_windows(np.where(usable, x, np.nan), rate, windows) for x in (tonic, phasic))
    minutes = np.maximum(quality * np.diff(windows, axis=1)[:, 0], 1e-9) / 60
    columns = {
        "level": ("µS", mean(level)),
        "level_slope": ("µS/min", slope(level, clock(level, rate))),
        "phasic_sd": ("µS", sd(varying)),
        "scr_rate": ("1/min", inside.sum(1) / minutes),
        "scr_amplitude": ("µS", mean(np.where(inside, height, np.nan))),
        "scr_sum": ("µS/min", (inside * height).sum(1) / minutes),
    }
    return tabulate(columns, quality, windows, ["tonic and phasic parts could not be told apart"] * lost)


def _responses(values, rate):
    """Smooth skin conductance, where its responses rise most steeply (in samples), and their heights.

    A response is taken as a jump of the sudomotor drive that decays with ``DECAY`` seconds: the sum of slope
    and level / ``DECAY`` undoes that decay (Alexander et al., 2005), so that each response is one bump of
    the drive, on a recovering or rising level too, and nothing rings. A bump must exceed ``SCR`` a second and
    ``NOISE`` times what smoothing leaves of the sensor's noise (from the median second difference). The
    height is that of the signal, from trough to peak within ``RISE`` seconds (Boucsein, 2012), and at least
    ``SCR``. These numbers are *our reading*.
    """
    if len(values) < 3:
        return values, np.zeros(0, int), np.zeros(0)
    width = SMOOTH * rate
    smooth = ndimage.gaussian_filter1d(values, width, mode="nearest")  # adds no extremum
    drive = np.gradient(smooth) * rate + smooth / DECAY
    noise = np.median(np.abs(np.diff(values, 2))) / 0.6745 / np.sqrt(6)
    noise *= rate * np.sqrt(-np.expm1(-(width**-2)) / (4 * np.sqrt(np.pi) * width))
    steep = dsp.find_peaks(drive, prominence=max(SCR, NOISE * noise))[0]
    reach = max(1, int(RISE / 2 * rate))
    begin = np.maximum(np.append(0, steep[:-1]), steep - reach)
    onset = np.array([first + drive[first:last].argmin() for first, last in zip(begin, steep, strict=True)], int)
    stop = np.minimum(np.append(onset[1:], len(values)), steep + reach)[: len(steep)]
    height = [
        smooth[middle : last + 1].max() - smooth[first:middle].min()
        for first, middle, last in zip(onset, steep, stop, strict=True)
    ]
    height = np.array(height, float)
    return smooth, steep[height >= SCR], height[height >= SCR]


def temperature(signal, rate, windows):
    """Level, trend and spread of skin temperature in degrees Celsius.

    Arguments, result and missing values: see the module.

    Example:
        >>> warming = 33 + np.arange(240) / 4 / 60  # one degree a minute, 4 Hz
        >>> round(temperature(warming, 4, place_windows(60)).sel(feature="slope").item(), 6)
        1.0
    """
    values, usable = prepare(signal, rate, windows, flat=np.inf, stuck=False)
    values, usable, rate = thin(values, usable, rate, 4)
    cut = cut_windows(np.where(usable, values, np.nan), rate, windows)
    columns = {
        "level": ("°C", mean(cut)),
        "slope": ("°C/min", slope(cut, clock(cut, rate))),
        "sd": ("°C", sd(cut)),
    }
    return tabulate(columns, usable_share(usable, rate, windows), windows)


def respiration(signal, rate, windows, unit="%"):
    """Rate, depth and regularity of breathing from a chest belt.

    Breaths: Khodadad et al. (2018) as NeuroKit2 does it. ``inhale_share`` is the part of a breath
    that is inhalation. ``unit`` is the belt's. Arguments, result and missing values: see the module.

    Example:
        >>> belt = nk.rsp_simulate(duration=60, sampling_rate=25, respiratory_rate=15, random_state=1)
        >>> abs(respiration(belt, 25, place_windows(60)).sel(feature="rate").item() - 15) < 1
        True
    """
    values, usable = prepare(signal, rate, windows)
    values, usable, rate = thin(values, usable, rate, 25)
    clean = guarded(nk.rsp_clean, values, sampling_rate=rate)
    found = guarded(lambda: nk.rsp_findpeaks(clean, sampling_rate=rate)) or {}
    peaks, troughs = (_positions(found.get(f"RSP_{name}")) for name in ("Peaks", "Troughs"))
    peaks, troughs = peaks[: len(troughs)], troughs[: len(peaks)]  # a trough before each peak
    depth = clean[peaks] - clean[troughs] if len(peaks) else np.zeros(0)
    period = np.diff(troughs) / rate
    good = (period > BREATH[0]) & (period < BREATH[1]) & unbroken(troughs, usable)
    inside = lie_inside(troughs[:-1] / rate, troughs[1:] / rate, windows) & good
    inside &= inside.sum(1, keepdims=True) >= 3  # a minute may hold no more than six slow breaths
    breaths = np.where(inside, period, np.nan)
    inhale = (peaks - troughs)[:-1] / rate
    columns = {
        "rate": ("1/min", 60 / mean(breaths)),
        "period_sd": ("s", sd(breaths)),
        "period_rmssd": ("s", rmssd(breaths)),
        "depth": (unit, mean(np.where(inside, depth[:-1], np.nan))),
        "depth_sd": (unit, sd(np.where(inside, depth[:-1], np.nan))),
        "inhale_share": ("1", mean(np.where(inside, inhale / np.where(good, period, np.nan), np.nan))),
    }
    quality = np.minimum(covered_share(troughs / rate, good, windows), usable_share(usable, rate, windows))
    return tabulate(columns, quality, windows, ["no breath found"] * (not good.any()))


def emg(signal, rate, windows, unit="mV"):
    """Strength, bursts and pitch of muscle activity from an electromyogram.

    High-passed at 100 Hz (NeuroKit2's cleaning), which also removes the heart's share; the envelope
    is the root mean square of a quarter of a second. ``unit`` is the signal's. Arguments, result and
    missing values: see the module.

    Example:
        >>> muscle = nk.emg_simulate(duration=60, sampling_rate=700, burst_number=3, random_state=1)
        >>> emg(muscle, 700, place_windows(60)).feature.values.tolist()
        ['rms', 'envelope_sd', 'burst', 'median_frequency']
    """
    values, usable = prepare(signal, rate, windows)
    clean = guarded(nk.emg_clean, values, sampling_rate=rate)
    lost = clean is None
    clean = np.full(len(values), np.nan) if lost else np.asarray(clean)
    power, whole, slow = thin(clean**2, usable, rate, 4)
    envelope = cut_windows(np.where(whole, np.sqrt(power), np.nan), slow, windows)
    frequency, density = spectrum(np.where(usable, clean, 0.0), rate, windows, seconds=1)
    half = np.argmax(density.cumsum(1) >= density.sum(1, keepdims=True) / 2, axis=1)
    columns = {
        "rms": (unit, np.sqrt(mean(cut_windows(np.where(whole, power, np.nan), slow, windows)))),
        "envelope_sd": (unit, sd(envelope)),
        "burst": (unit, over_windows(np.nanpercentile, envelope, q=95)),
        "median_frequency": ("Hz", np.where(density.sum(1) > 0, frequency[half], np.nan)),
    }
    return tabulate(columns, usable_share(usable, rate, windows), windows, ["the signal could not be cleaned"] * lost)


def acceleration(signal, rate, windows):
    """Posture, motion and rhythm from acceleration (sample, 3) in g.

    ``energy`` is the mean square of what varies between 0.5 and 10 Hz, ``frequency`` where that is
    strongest, ``still`` the share of seconds without motion. Arguments, result and missing values:
    see the module.

    Example:
        >>> time = np.arange(60 * 32) / 32
        >>> shaken = np.stack([1 + 0.2 * np.sin(2 * np.pi * 2 * time), 0 * time, 0 * time], 1)  # 2 Hz
        >>> acceleration(shaken, 32, place_windows(60)).sel(feature="frequency").item()
        2.0
    """
    size, axes, usable, rate = _axes(signal, rate, windows)
    columns = {}
    for name, values in [*zip("xyz", axes.T, strict=True), ("magnitude", size)]:
        cut = cut_windows(np.where(usable, values, np.nan), rate, windows)
        columns |= {f"{name}_mean": ("g", mean(cut)), f"{name}_sd": ("g", sd(cut))}
    rest = size[usable].mean() if usable.any() else 0.0
    frequency, density = spectrum(np.where(usable, size, rest), rate, windows, seconds=8)
    band = (frequency >= 0.5) & (frequency <= 10)
    energy = density[:, band].sum(1) * frequency[1]
    columns["energy"] = ("g²", energy)
    columns["frequency"] = ("Hz", np.where(energy > 1e-12, frequency[band][density[:, band].argmax(1)], np.nan))
    columns["still"] = ("1", _still(size, usable, rate, windows))
    return tabulate(columns, usable_share(usable, rate, windows), windows)


def eeg(signal, rate, windows, channels=None, measure="entropy", unit="µV"):
    """Strength of the five classical bands of each channel (sample, channel) of an electroencephalogram.

    A band is cut out of the whole recording (Butterworth, fourth order, no delay); its ``power`` is its
    mean square in the window, its differential ``entropy`` 1/2 ln(2 pi e power), in nats: that of a normal
    variable (Shi et al., EMBC 2013). Bands: delta, theta, alpha, beta as NeuroKit2 has them, gamma only up
    to 45 Hz, below the mains (*our reading*). ``channels`` are the names, by default ch1, ch2, ...; features
    run channel by channel: ``ch1_delta``, ``ch1_theta``, ... A channel of which less than half can be used
    in a window is NaN there; ``quality`` is the mean over channels. Arguments, result and missing values:
    see the module.

    Example:
        >>> wave = 10 * np.sin(2 * np.pi * 10 * np.arange(60 * 125) / 125)  # 10 Hz, power 10²/2
        >>> round(eeg(wave, 125, place_windows(60), measure="power").sel(feature="ch1_alpha").item(), 1)
        50.0
    """
    if measure not in ("entropy", "power"):
        raise DatasetError(f"the measure must be entropy or power, not {measure!r}")
    names, values, usable = zip(*_channels(signal, rate, windows, channels, "ch"), strict=True)
    values, usable = np.stack(values, 1), np.stack(usable, 1)  # (sample, channel)
    share = np.stack([usable_share(one, rate, windows) for one in usable.T])  # (channel, window)
    power, notes = {}, []
    for band, (low, high) in BANDS.items():
        waves = np.full(values.shape, np.nan)
        if high < rate / 2:
            sections = dsp.butter(4, (low, high), "bandpass", output="sos", fs=rate)
            filtered = guarded(dsp.sosfiltfilt, sections, values, axis=0)
            waves = waves if filtered is None else np.where(usable, filtered, np.nan)
        else:
            notes.append(f"no {band}: it needs more than {2 * high} samples a second")
        for name, wave, enough in zip(names, waves.T, share >= LEAST_SHARE, strict=True):
            power[name, band] = np.where(enough, mean(cut_windows(wave**2, rate, windows)), np.nan)
    columns = {f"{name}_{band}": (f"{unit}²", power[name, band]) for name in names for band in BANDS}
    if measure == "entropy":
        with np.errstate(divide="ignore"):
            columns = {name: ("nat", np.log(2 * np.pi * np.e * found) / 2) for name, (_, found) in columns.items()}
    return tabulate(columns, share.mean(0), windows, notes)


def series(signal, rate, windows, names=None, unit="1"):
    """Level, spread and trend of slow series (sample, series), such as the action units of a face.

    ``names`` are those of the series, by default s1, s2, ...; the features of each are ``<name>_mean``,
    ``<name>_sd`` and ``<name>_slope`` (a minute). A series may rest at one value; NaN is a frame without a
    face. A series of which less than half can be used in a window is NaN there; ``quality`` is the mean
    over series. Arguments, result and missing values: see the module.

    Example:
        >>> smile = np.linspace(0, 1, 241)[:-1]  # AU12 rises from 0 to 1 within a minute, 4 Hz
        >>> found = series(smile, 4, place_windows(60), names=["au12"])
        >>> found.feature.values.tolist(), round(found.sel(feature="au12_slope").item(), 6)
        (['au12_mean', 'au12_sd', 'au12_slope'], 1.0)
    """
    columns, qualities = {}, [np.zeros(len(windows))]
    for name, values, usable in _channels(signal, rate, windows, names, "s", flat=np.inf, stuck=False):
        qualities.append(usable_share(usable, rate, windows))
        cut = cut_windows(np.where(usable, values, np.nan), rate, windows)
        cut = np.where((qualities[-1] >= LEAST_SHARE)[:, None], cut, np.nan)
        columns[f"{name}_mean"] = (unit, mean(cut))
        columns[f"{name}_sd"] = (unit, sd(cut))
        columns[f"{name}_slope"] = (f"{unit}/min", slope(cut, clock(cut, rate)))
    return tabulate(columns, np.mean(qualities[1:] or qualities, 0), windows)


def _channels(signal, rate, windows, names, prefix, **options):
    """Name, values and usable samples of each channel of (sample, channel) in turn."""
    signal = np.asarray(signal)
    signal = signal[:, None] if signal.ndim == 1 else signal
    names = [f"{prefix}{number}" for number in range(1, signal.shape[-1] + 1)] if names is None else list(names)
    if signal.ndim != 2 or not names or len(set(names)) < len(names) or len(names) != signal.shape[1]:
        raise DatasetError(
            f"signals of the shape {signal.shape} and {len(names)} names, all different: they must "
            f"be (sample, channel) with a name for each channel"
        )
    for name, values in zip(names, signal.T, strict=True):
        yield name, *prepare(values, rate, windows, **options)


def still(signal, rate, windows):
    """Share of each window's seconds without motion, from acceleration (sample, 3) in g.

    It tells how far the other signals of the same device can be trusted. Arguments: see the module.

    Returns:
        float array (window,) in 0..1; seconds without acceleration count as motion.

    Example:
        >>> still(np.ones((60 * 32, 3)) + 0.001 * np.sin(np.arange(60 * 32))[:, None], 32, place_windows(60))
        array([1.])
    """
    size, _, usable, rate = _axes(signal, rate, windows)
    return np.nan_to_num(_still(size, usable, rate, windows))


def _still(size, usable, rate, windows):
    """Share of seconds that hold still; the magnitude is (sample,)."""
    second = int(round(rate))
    count = len(size) // second
    moved = np.where(usable, size, np.nan)[: count * second].reshape(count, second)
    return mean(cut_windows((sd(moved) < MOTION).astype(float), rate / second, windows))


def _axes(signal, rate, windows):
    """Acceleration as (magnitude, axes (sample, 3), usable, rate), at about 32 samples a second."""
    signal = np.asarray(signal)
    if signal.ndim != 2 or signal.shape[1] != 3:
        raise DatasetError(f"acceleration must have the shape (sample, 3), not {signal.shape}")
    prepared = [prepare(axis, rate, windows, flat=np.inf, stuck=False) for axis in signal.T]
    usable = np.all([mask for _, mask in prepared], 0)
    size = np.sqrt(sum(values**2 for values, _ in prepared))
    slower = [thin(values, usable, rate, 32) for values in (size, *(values for values, _ in prepared))]
    return slower[0][0], np.stack([values for values, _, _ in slower[1:]], 1), *slower[0][1:]


def _upstroke(values, peaks, rate):
    """Where, to a part of a sample, the signal rises most steeply in the third of a second before each peak."""
    slope = np.gradient(values)
    before = np.maximum(peaks[:, None] - np.arange(max(2, int(0.35 * rate))), 0)  # (peak, sample)
    steepest = np.take_along_axis(before, slope[before].argmax(1)[:, None], 1)[:, 0]
    left, top, right = (slope[(steepest + side).clip(0, len(slope) - 1)] for side in (-1, 0, 1))
    bend = left - 2 * top + right
    vertex = np.divide(
        left - right, 2 * bend, out=np.zeros_like(top), where=bend < 0
    )  # of a parabola through the three
    return np.maximum.accumulate(steepest + vertex.clip(-0.5, 0.5))


def _cardiac(beats, height, name, unit, usable, rate, windows):
    """The table of a heart signal from the times (in samples) and heights of its beats."""
    time = beats / rate
    interval = np.diff(time) * 1000  # ms
    good = (interval >= BEAT[0]) & (interval <= BEAT[1]) & unbroken(beats.astype(int), usable)
    if len(interval):
        typical = ndimage.median_filter(interval, 11, mode="nearest")
        good &= np.abs(interval - typical) <= JUMP * typical
    inside = lie_inside(time[:-1], time[1:], windows) & good
    inside &= inside.sum(1, keepdims=True) >= LEAST
    intervals = np.where(inside, interval, np.nan)  # (window, beat)
    change = np.abs(np.diff(intervals, axis=1))
    tall = np.where(inside, height[1:], np.nan)
    columns = {
        "heart_rate": ("1/min", 60000 / mean(intervals)),
        "heart_rate_slope": ("1/min/min", slope(60000 / intervals, np.where(inside, time[1:], np.nan))),
        "sdnn": ("ms", sd(intervals)),
        "rmssd": ("ms", rmssd(intervals)),
        "pnn20": ("1", mean(np.where(np.isnan(change), np.nan, change > 20))),
        "pnn50": ("1", mean(np.where(np.isnan(change), np.nan, change > 50))),
        name: (unit, mean(tall)),
        f"{name}_sd": (unit, sd(tall)),
    }
    quality = np.minimum(covered_share(time, good, windows), usable_share(usable, rate, windows))
    return tabulate(columns, quality, windows, ["no heart beat found"] * (not good.any()))


def _rise(values, peaks):
    """Height of each peak above the lowest value since the peak before it."""
    lowest = np.minimum.reduceat(values[: peaks[-1] + 1], np.concatenate([[0], peaks[:-1]]))
    return values[peaks] - lowest


def _positions(found):
    return np.asarray([] if found is None else found, dtype=float).astype(int)
