"""Raw signals to features of windows: one function a kind of signal.

A recording (one uninterrupted trial) is cleaned and searched for its beats, breaths and
skin conductance responses **once**; the windows are then cut from the result, all at a
time. Every function takes

* ``signal``: (sample,) - for acceleration (sample, 3), for EEG and series
  (sample, channel) -, NaN where nothing was measured;
* ``rate``: samples a second;
* ``windows``: (window, 2), start and stop in seconds from the first sample, all of one
  length;
* ``unit``: that of the signal, where it may differ;

and returns a :class:`xarray.DataArray` (window, feature) with the coordinates ``unit
(feature)`` and ``quality (window)``, the share 0..1 of the window that could be used,
and with the attribute ``notes``: one sentence a line on what could not be done. What is
undefined in a window is NaN.

Gaps of up to one second are bridged by a straight line. Longer gaps, lines that stay
flat and samples stuck at the ends of the converter's range are *not usable*
(:mod:`mpcl.data.windowing`): filters run across them, but no beat, breath or sample
from there enters a feature. A window of which less than half is usable is NaN. Windows
lie in one trial, so none spans a change of label.

The fences below (which interval is a beat, how high a skin conductance response is at
least) are *our reading* of common practice; cleaning and peak finding are NeuroKit2's
and SciPy's.
"""

from collections.abc import Iterator, Sequence

import neurokit2 as nk
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy import ndimage
from scipy import signal as dsp

from mpcl.data.windowing import (
    FLAT,
    LEAST_SHARE,
    believable,
    clock,
    covered_share,
    cut_windows,
    guarded,
    lie_inside,
    mean,
    noted,
    over_windows,
    prepare,
    rmssd,
    sd,
    slope,
    spectrum,
    tabulate,
    thin,
    unbroken,
    upright,
    usable_share,
)
from mpcl.data.windowing import place_windows as place_windows
from mpcl.errors import DatasetError

CONDUCTANCE = (-0.05, 100.0)  # µS, of skin (Boucsein, 2012), and an amplifier's zero
SKIN = (15.0, 45.0)  # °C, of skin
THRUST = (0.0, 50.0)  # g, the length of an acceleration
RESTING = (0.0, 4.0)  # g, what half of the samples exceed in a body
CONDUCTING = (0.02, np.inf)  # µS, the same of skin; a sensor that is not worn has less
BRAIN = (0.1, 1000.0)  # µV, the spread of an electroencephalogram
LEAST = 5  # beats or breaths, the fewest that make a statistic
BEAT = (300.0, 2000.0)  # ms, the shortest and longest interval between beats
BREATH = (1.0, 15.0)  # s, the shortest and longest breath
JUMP = 0.2  # the furthest an interval may lie from its neighbours' median, as a share
SCR = 0.01  # µS, the lowest skin conductance response (Boucsein, 2012)
RISE = 5.0  # s, the longest that a response rises
DECAY = 4.0  # s, how a response decays
SMOOTH = 0.25  # s, standard deviation of the Gaussian before the search for responses
NOISE = 7.0  # standard deviations of the noise that a response must stand out
BANDS = {
    "delta": (1, 4),
    "theta": (4, 8),
    "alpha": (8, 13),
    "beta": (13, 30),
    "gamma": (30, 45),
}  # Hz
MOTION = 0.1  # g, standard deviation within a second above which it counts as motion


def ppg(
    signal: ArrayLike, rate: float, windows: np.ndarray, unit: str = "a.u."
) -> xr.DataArray:
    """Heart rate, its variability and the height of the pulse from a pulse wave.

    Pulses: Elgendi et al. (PLoS ONE 2013) as NeuroKit2 does it, on the band 0.7 to 3.5
    Hz; a pulse is timed at its steepest rise, which jitters less than its rounded top
    (against Empatica's own beats on WESAD, that brings the error of RMSSD from 59 to 9
    ms).

    Example:
        >>> pulse = nk.ppg_simulate(60, sampling_rate=64, random_state=1)
        >>> table = ppg(pulse, 64, place_windows(60))
        >>> abs(table.sel(feature="heart_rate").item() - 70) < 2
        True
        >>> table.unit.sel(feature="heart_rate").item()
        '1/min'
    """
    values, usable, remarks = _begin(signal, rate, windows, unit)
    wave = guarded(
        nk.signal_filter,
        values,
        otherwise=np.zeros(0),
        sampling_rate=rate,
        lowcut=0.7,
        highcut=3.5,
        order=2,
    )
    clean, turned = upright(wave, np.diff(wave))
    peaks = _positions(guarded(nk.ppg_findpeaks, clean, rate), "PPG_Peaks")
    height = _rise(clean, peaks) if len(peaks) else np.zeros(0)
    beats = _upstroke(clean, peaks, rate) if len(peaks) else np.zeros(0)
    table = _cardiac(beats, height, "pulse_amplitude", unit, usable, rate, windows)
    return noted(table, remarks + turned)


def ecg(
    signal: ArrayLike, rate: float, windows: np.ndarray, unit: str = "mV"
) -> xr.DataArray:
    """Heart rate, its variability and the height of the R wave (found by NeuroKit2).

    Example:
        >>> heart = nk.ecg_simulate(duration=60, sampling_rate=250, random_state=1)
        >>> table = ecg(heart, 250, place_windows(60))
        >>> abs(table.sel(feature="heart_rate").item() - 70) < 2
        True
    """
    values, usable, remarks = _begin(signal, rate, windows, unit)
    wave = guarded(nk.ecg_clean, values, sampling_rate=rate, otherwise=np.zeros(0))
    clean, turned = upright(wave, wave)
    peaks = _positions(guarded(nk.ecg_findpeaks, clean, rate), "ECG_R_Peaks")
    table = _cardiac(peaks, clean[peaks], "r_amplitude", unit, usable, rate, windows)
    return noted(table, remarks + turned)


def eda(signal: ArrayLike, rate: float, windows: np.ndarray) -> xr.DataArray:
    """Level, trend and responses (SCR) of electrodermal activity in microsiemens.

    Tonic below and phasic above 0.05 Hz (NeuroKit2). The phasic part rings after a
    large response, and its ripples pass for small ones; so responses are searched in
    the signal itself, each counted where it rises most steeply and as high as it is
    from trough to peak (``_responses``). ``scr_sum`` is their summed height a minute, 0
    where there is none; ``scr_amplitude`` is NaN there.

    Example:
        >>> skin = nk.eda_simulate(60, sampling_rate=8, scr_number=5, random_state=1)
        >>> eda(skin, 8, place_windows(60)).sel(feature="scr_rate").item()
        5.0
    """
    values, usable, remarks = _begin(
        signal,
        rate,
        windows,
        "µS",
        CONDUCTANCE,
        flat=10.0,
        stuck=False,
        typical=CONDUCTING,
    )
    values, usable, rate = thin(values, usable, rate, 14)
    smooth, peaks, height = _responses(values, rate)
    parts = guarded(nk.eda_phasic, smooth, sampling_rate=rate)
    lost = np.full((2, len(values)), np.nan)
    tonic, phasic = lost if parts is None else parts.to_numpy().T
    inside = lie_inside(peaks / rate, peaks / rate, windows) & usable[peaks]
    quality = usable_share(usable, rate, windows)
    level, varying = (
        cut_windows(part, rate, windows, usable) for part in (tonic, phasic)
    )
    minutes = np.maximum(quality * np.diff(windows, axis=1)[:, 0], 1e-9) / 60
    columns = {
        "level": ("µS", mean(level)),
        "level_slope": ("µS/min", slope(level, clock(level, rate))),
        "phasic_sd": ("µS", sd(varying)),
        "scr_rate": ("1/min", inside.sum(1) / minutes),
        "scr_amplitude": ("µS", mean(np.where(inside, height, np.nan))),
        "scr_sum": ("µS/min", (inside * height).sum(1) / minutes),
    }
    if parts is None:
        remarks.append("tonic and phasic parts could not be told apart")
    return tabulate(columns, quality, windows, remarks)


def _responses(
    values: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth skin conductance, and its responses: where they rise (samples), heights.

    A response is taken as a jump of the sudomotor drive that decays with ``DECAY``
    seconds: the sum of slope and level / ``DECAY`` undoes that decay (Alexander et al.,
    2005), so that each response is one bump of the drive, on a recovering or rising
    level too, and nothing rings. A bump must exceed ``SCR`` a second and ``NOISE``
    times what smoothing leaves of the sensor's noise (from the median second
    difference). The height is that of the signal, from trough to peak within ``RISE``
    seconds (Boucsein, 2012), and at least ``SCR``. These numbers are *our reading*.
    """
    if len(values) < 3:
        return values, np.zeros(0, int), np.zeros(0)
    width = SMOOTH * rate
    smooth = ndimage.gaussian_filter1d(values, width, mode="nearest")  # no new extremum
    drive = np.gradient(smooth) * rate + smooth / DECAY
    noise = np.median(np.abs(np.diff(values, 2))) / 0.6745 / np.sqrt(6)
    noise *= rate * np.sqrt(-np.expm1(-(width**-2)) / (4 * np.sqrt(np.pi) * width))
    steep = dsp.find_peaks(drive, prominence=max(SCR, NOISE * noise))[0]
    reach = max(1, int(RISE / 2 * rate))
    begin = np.maximum(np.append(0, steep[:-1]), steep - reach)
    onset = np.array(
        [
            first + drive[first:last].argmin()
            for first, last in zip(begin, steep, strict=True)
        ],
        int,
    )
    stop = np.minimum(np.append(onset[1:], len(values)), steep + reach)[: len(steep)]
    height = np.array(
        [
            smooth[middle : last + 1].max() - smooth[first:middle].min()
            for first, middle, last in zip(onset, steep, stop, strict=True)
        ],
        float,
    )
    return smooth, steep[height >= SCR], height[height >= SCR]


def temperature(signal: ArrayLike, rate: float, windows: np.ndarray) -> xr.DataArray:
    """Level, trend and spread of skin temperature in degrees Celsius.

    Example:
        >>> warming = 33 + np.arange(240) / 4 / 60  # one degree a minute, 4 Hz
        >>> table = temperature(warming, 4, place_windows(60))
        >>> round(table.sel(feature="slope").item(), 6)
        1.0
    """
    values, usable, remarks = _begin(
        signal, rate, windows, "°C", SKIN, flat=np.inf, stuck=False
    )
    values, usable, rate = thin(values, usable, rate, 4)
    cut = cut_windows(values, rate, windows, usable)
    columns = {
        "level": ("°C", mean(cut)),
        "slope": ("°C/min", slope(cut, clock(cut, rate))),
        "sd": ("°C", sd(cut)),
    }
    return tabulate(columns, usable_share(usable, rate, windows), windows, remarks)


def respiration(
    signal: ArrayLike, rate: float, windows: np.ndarray, unit: str = "%"
) -> xr.DataArray:
    """Rate, depth and regularity of breathing from a chest belt.

    Breaths: Khodadad et al. (2018) as NeuroKit2 does it. ``inhale_share`` is the part
    of a breath that is inhalation.

    Example:
        >>> belt = nk.rsp_simulate(60, sampling_rate=25, random_state=1)
        >>> table = respiration(belt, 25, place_windows(60))
        >>> abs(table.sel(feature="rate").item() - 15) < 1
        True
    """
    values, usable, remarks = _begin(signal, rate, windows, unit)
    values, usable, rate = thin(values, usable, rate, 25)
    clean = guarded(nk.rsp_clean, values, sampling_rate=rate)
    extrema = guarded(nk.rsp_findpeaks, clean, rate)
    peaks = _positions(extrema, "RSP_Peaks")
    troughs = _positions(extrema, "RSP_Troughs")[: len(peaks)]
    peaks = peaks[: len(troughs)]  # a trough before each peak
    depth = clean[peaks] - clean[troughs] if len(peaks) else np.zeros(0)
    period = np.diff(troughs) / rate
    good = (period > BREATH[0]) & (period < BREATH[1]) & unbroken(troughs, usable)
    inside = lie_inside(troughs[:-1] / rate, troughs[1:] / rate, windows) & good
    inside &= (
        inside.sum(1, keepdims=True) >= 3
    )  # a minute may hold but six slow breaths
    breaths = np.where(inside, period, np.nan)  # (window, breath)
    depths = np.where(inside, depth[:-1], np.nan)
    inhale = (peaks - troughs)[:-1] / rate / np.where(good, period, np.nan)
    columns = {
        "rate": ("1/min", 60 / mean(breaths)),
        "period_sd": ("s", sd(breaths)),
        "period_rmssd": ("s", rmssd(breaths)),
        "depth": (unit, mean(depths)),
        "depth_sd": (unit, sd(depths)),
        "inhale_share": ("1", mean(np.where(inside, inhale, np.nan))),
    }
    quality = np.minimum(
        covered_share(troughs / rate, good, windows),
        usable_share(usable, rate, windows),
    )
    if not good.any():
        remarks.append("no breath found")
    return tabulate(columns, quality, windows, remarks)


def emg(
    signal: ArrayLike, rate: float, windows: np.ndarray, unit: str = "mV"
) -> xr.DataArray:
    """Strength, bursts and pitch of muscle activity from an electromyogram.

    High-passed at 100 Hz (NeuroKit2's cleaning), which also removes the heart's share;
    the envelope is the root mean square of a quarter of a second.

    Example:
        >>> muscle = nk.emg_simulate(60, sampling_rate=700, random_state=1)
        >>> emg(muscle, 700, place_windows(60)).feature.values.tolist()
        ['rms', 'envelope_sd', 'burst', 'median_frequency']
    """
    values, usable, remarks = _begin(signal, rate, windows, unit)
    lost = np.full(len(values), np.nan)
    clean = guarded(nk.emg_clean, values, sampling_rate=rate, otherwise=lost)
    power, whole, slow = thin(clean**2, usable, rate, 4)
    powers = cut_windows(power, slow, windows, whole)
    envelope = np.sqrt(powers)  # (window, quarter of a second)
    frequency, density = spectrum(
        np.where(usable, clean, 0.0), rate, windows, seconds=1
    )
    half = np.argmax(density.cumsum(1) >= density.sum(1, keepdims=True) / 2, axis=1)
    columns = {
        "rms": (unit, np.sqrt(mean(powers))),
        "envelope_sd": (unit, sd(envelope)),
        "burst": (unit, over_windows(np.nanpercentile, envelope, q=95)),
        "median_frequency": (
            "Hz",
            np.where(density.any(1), frequency[half], np.nan),
        ),
    }
    if clean is lost:
        remarks.append("the signal could not be cleaned")
    return tabulate(columns, usable_share(usable, rate, windows), windows, remarks)


def acceleration(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    typical: tuple[float, float] = RESTING,
) -> xr.DataArray:
    """Posture, motion and rhythm from acceleration (sample, 3) in g.

    ``energy`` is the mean square of what varies between 0.5 and 10 Hz, ``frequency``
    where that is strongest, ``still`` the share of seconds without motion. Beyond
    ``typical``, where half of the samples lie in g, another unit is presumed: NaN.

    Example:
        >>> time = np.arange(60 * 32) / 32
        >>> shaken = 1 + 0.2 * np.sin(2 * np.pi * 2 * time)  # 2 Hz
        >>> axes = np.stack([shaken, 0 * time, 0 * time], 1)
        >>> acceleration(axes, 32, place_windows(60)).sel(feature="frequency").item()
        2.0
    """
    measured, remarks = believable(signal, rate, *THRUST, "g", typical)
    size, axes, usable, rate = _axes(measured, rate, windows)
    columns: dict[str, tuple[str, np.ndarray]] = {}
    for name, values in [*zip("xyz", axes, strict=True), ("magnitude", size)]:
        cut = cut_windows(values, rate, windows, usable)
        columns |= {f"{name}_mean": ("g", mean(cut)), f"{name}_sd": ("g", sd(cut))}
    rest = size[usable].mean() if usable.any() else 0.0
    frequency, density = spectrum(
        np.where(usable, size, rest), rate, windows, seconds=8
    )
    band = (frequency >= 0.5) & (frequency <= 10)
    energy = density[:, band].sum(1) * frequency[1]
    strongest = frequency[band][density[:, band].argmax(1)]  # (window,)
    columns |= {
        "energy": ("g²", energy),
        "frequency": ("Hz", np.where(energy > 1e-12, strongest, np.nan)),
        "still": ("1", _still(size, usable, rate, windows)),
    }
    return tabulate(columns, usable_share(usable, rate, windows), windows, remarks)


def _begin(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    unit: str,
    fence: tuple[float, float] = (-np.inf, np.inf),
    flat: float = FLAT,
    stuck: bool = True,
    typical: tuple[float, float] = (0.0, np.inf),
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Values and usable samples of a recording, and what was not to be believed."""
    measured, remarks = believable(signal, rate, *fence, unit, typical)
    return *prepare(measured, rate, windows, flat, stuck), remarks


def eeg(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    channels: Sequence[str] | None = None,
) -> xr.DataArray:
    """Strength of the five classical bands of each channel of an electroencephalogram.

    A band is cut out of the whole recording in µV (Butterworth, fourth order, no
    delay); from its mean square in the window, its power, follows its differential
    entropy 1/2 ln(2 pi e power), in nats: that of a normal variable (Shi et al., EMBC
    2013). Bands: delta, theta, alpha, beta as NeuroKit2 has them, gamma only up to 45
    Hz, below the mains (*our reading*). ``channels`` are the names, by default ch1,
    ch2, ...; features run channel by channel: ``ch1_delta``, ``ch1_theta``, ... A
    channel of which less than half can be used in a window is NaN there; ``quality`` is
    the mean over channels.

    Example:
        >>> time = np.arange(60 * 125) / 125
        >>> wave = 10 * np.sin(2 * np.pi * 10 * time)  # 10 Hz, power 10²/2
        >>> table = eeg(wave, 125, place_windows(60))
        >>> entropy = table.sel(feature="ch1_alpha").item()
        >>> round(float(np.exp(2 * entropy) / (2 * np.pi * np.e)), 1)
        50.0
    """
    columns: dict[str, tuple[str, np.ndarray]] = {}
    shares: list[np.ndarray] = []  # (window,) of each channel
    odd: list[str] = []
    for name, values, usable in _channels(signal, rate, windows, channels, "ch"):
        shares.append(usable_share(usable, rate, windows))
        spread = np.std(values[usable]) if usable.any() else BRAIN[0]
        if not BRAIN[0] <= spread <= BRAIN[1]:
            odd.append(f"{name} varies by {spread:.3g} µV: is this another unit?")
        for band, (low, high) in BANDS.items():
            wave = _band(values, rate, low, high)
            cut = cut_windows(wave**2, rate, windows, usable)
            power = np.where(shares[-1] >= LEAST_SHARE, mean(cut), np.nan)
            with np.errstate(divide="ignore"):
                entropy = np.log(2 * np.pi * np.e * power) / 2
            columns[f"{name}_{band}"] = ("nat", entropy)
    notes = [
        f"no {band}: it needs more than {2 * high} samples a second"
        for band, (_, high) in BANDS.items()
        if high >= rate / 2
    ]
    return tabulate(columns, np.mean(shares, 0), windows, odd + notes)


def _band(values: np.ndarray, rate: float, low: float, high: float) -> np.ndarray:
    """What lies between two frequencies; NaN where the rate or length forbids it."""
    lost = np.full(len(values), np.nan)
    if high >= rate / 2:
        return lost
    sections = dsp.butter(4, (low, high), "bandpass", output="sos", fs=rate)
    return guarded(dsp.sosfiltfilt, sections, values, otherwise=lost)


def series(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    names: Sequence[str] | None = None,
    unit: str = "1",
) -> xr.DataArray:
    """Level, spread and trend of slow series, such as the action units of a face.

    ``names`` are those of the series, by default s1, s2, ...; the features of each are
    ``<name>_mean``, ``<name>_sd`` and ``<name>_slope`` (a minute). A series may rest at
    one value; NaN is a frame without a face. A series of which less than half can be
    used in a window is NaN there; ``quality`` is the mean over series.

    Example:
        >>> smile = np.linspace(0, 1, 241)[:-1]  # AU12 rises from 0 to 1 in a minute
        >>> table = series(smile, 4, place_windows(60), names=["au12"])
        >>> table.feature.values.tolist()
        ['au12_mean', 'au12_sd', 'au12_slope']
        >>> round(table.sel(feature="au12_slope").item(), 6)
        1.0
    """
    columns: dict[str, tuple[str, np.ndarray]] = {}
    shares: list[np.ndarray] = []  # (window,) of each series
    for name, values, usable in _channels(
        signal, rate, windows, names, "s", flat=np.inf, stuck=False
    ):
        share = usable_share(usable, rate, windows)
        cut = cut_windows(values, rate, windows, usable)
        cut = np.where((share >= LEAST_SHARE)[:, None], cut, np.nan)
        columns[f"{name}_mean"] = (unit, mean(cut))
        columns[f"{name}_sd"] = (unit, sd(cut))
        columns[f"{name}_slope"] = (f"{unit}/min", slope(cut, clock(cut, rate)))
        shares.append(share)
    return tabulate(columns, np.mean(shares, 0), windows)


def _channels(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    names: Sequence[str] | None,
    prefix: str,
    flat: float = FLAT,
    stuck: bool = True,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, values and usable samples of each channel of (sample, channel) in turn."""
    signal = np.asarray(signal)
    signal = signal[:, None] if signal.ndim == 1 else signal
    if names is None:
        names = [f"{prefix}{number + 1}" for number in range(signal.shape[-1])]
    if signal.ndim != 2 or not names or len(set(names)) != signal.shape[1]:
        raise DatasetError(
            f"signals of the shape {signal.shape} and {len(names)} names, all different"
            ": they must be (sample, channel) with a name for each channel"
        )
    for name, values in zip(names, signal.T, strict=True):
        yield name, *prepare(values, rate, windows, flat, stuck)


def still(signal: ArrayLike, rate: float, windows: np.ndarray) -> np.ndarray:
    """Share (window,) of each window's seconds without motion, from (sample, 3) in g.

    It tells how far the other signals of the same device can be trusted; seconds
    without acceleration count as motion.

    Example:
        >>> axes = np.ones((60 * 32, 3)) + 0.001 * np.sin(np.arange(60 * 32))[:, None]
        >>> still(axes, 32, place_windows(60))
        array([1.])
    """
    size, _, usable, rate = _axes(signal, rate, windows)
    return np.nan_to_num(_still(size, usable, rate, windows))


def _still(
    size: np.ndarray, usable: np.ndarray, rate: float, windows: np.ndarray
) -> np.ndarray:
    """Share of seconds that hold still; the magnitude is (sample,)."""
    second = int(round(rate))
    count = len(size) // second
    moved = np.where(usable, size, np.nan)[: count * second].reshape(count, second)
    return mean(cut_windows((sd(moved) < MOTION).astype(float), rate / second, windows))


def _axes(
    signal: ArrayLike, rate: float, windows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Magnitude, axes (3, sample), usable samples and rate, of about 32 a second."""
    signal = np.asarray(signal)
    if signal.ndim != 2 or signal.shape[1] != 3:
        raise DatasetError(
            f"acceleration must have the shape (sample, 3), not {signal.shape}"
        )
    prepared = [
        prepare(axis, rate, windows, flat=np.inf, stuck=False) for axis in signal.T
    ]
    usable = np.all([mask for _, mask in prepared], 0)
    axes = np.stack([values for values, _ in prepared])
    size = np.sqrt((axes**2).sum(0))
    slower = [thin(values, usable, rate, 32) for values in (size, *axes)]
    size, usable, rate = slower[0]
    return size, np.stack([values for values, _, _ in slower[1:]]), usable, rate


def _upstroke(values: np.ndarray, peaks: np.ndarray, rate: float) -> np.ndarray:
    """Where, to a part of a sample, the signal rises most steeply before each peak.

    The search covers a third of a second; the part of a sample is the vertex of a
    parabola through three slopes.
    """
    slope = np.gradient(values)
    reach = np.arange(max(2, int(0.35 * rate)))
    before = np.maximum(peaks[:, None] - reach, 0)  # (peak, sample)
    steepest = np.take_along_axis(before, slope[before].argmax(1)[:, None], 1)[:, 0]
    left, top, right = (
        slope[(steepest + side).clip(0, len(slope) - 1)] for side in (-1, 0, 1)
    )
    bend = left - 2 * top + right
    vertex = np.divide(left - right, 2 * bend, out=np.zeros_like(top), where=bend < 0)
    return np.maximum.accumulate(steepest + vertex.clip(-0.5, 0.5))


def _cardiac(
    beats: np.ndarray,
    height: np.ndarray,
    name: str,
    unit: str,
    usable: np.ndarray,
    rate: float,
    windows: np.ndarray,
) -> xr.DataArray:
    """The table of a heart signal from the times (in samples) and heights of beats."""
    time = beats / rate
    interval = np.diff(time) * 1000  # ms
    good = (interval >= BEAT[0]) & (interval <= BEAT[1])
    good &= unbroken(beats.astype(int), usable)
    if len(interval):
        typical = ndimage.median_filter(interval, 11, mode="nearest")
        good &= np.abs(interval - typical) <= JUMP * typical
    inside = lie_inside(time[:-1], time[1:], windows) & good
    inside &= inside.sum(1, keepdims=True) >= LEAST
    intervals = np.where(inside, interval, np.nan)  # (window, beat)
    times, tall = (np.where(inside, x[1:], np.nan) for x in (time, height))
    change = np.abs(np.diff(intervals, axis=1))
    columns = {
        "heart_rate": ("1/min", 60000 / mean(intervals)),
        "heart_rate_slope": ("1/min/min", slope(60000 / intervals, times)),
        "sdnn": ("ms", sd(intervals)),
        "rmssd": ("ms", rmssd(intervals)),
        "pnn20": ("1", mean(np.where(np.isnan(change), np.nan, change > 20))),
        "pnn50": ("1", mean(np.where(np.isnan(change), np.nan, change > 50))),
        name: (unit, mean(tall)),
        f"{name}_sd": (unit, sd(tall)),
    }
    quality = np.minimum(
        covered_share(time, good, windows), usable_share(usable, rate, windows)
    )
    notes = [] if good.any() else ["no heart beat found"]
    return tabulate(columns, quality, windows, notes)


def _rise(values: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Height of each peak above the lowest value since the peak before it."""
    lowest = np.minimum.reduceat(values[: peaks[-1] + 1], np.append(0, peaks[:-1]))
    return values[peaks] - lowest


def _positions(events: dict[str, ArrayLike] | None, name: str) -> np.ndarray:
    """Samples of the events that NeuroKit2 recognised; none where it failed."""
    positions = (events or {}).get(name, ())
    return np.asarray(positions, dtype=float).astype(int)
