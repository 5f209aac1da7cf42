"""From a recording to windows: what can be used of it, how windows are cut, and the statistics of many at once.

A sample is **usable** unless it lies in a gap of more than ``GAP`` seconds (shorter ones are bridged by a
straight line), in a **flat line** (the very same value for ``FLAT`` seconds, where the value should never
rest), or is **clipped** (``STUCK`` samples in a row at the highest or lowest value, where a share of
``CLIPPED`` of all samples are). The **quality** of a window is its usable share; for hearts and breaths no
more than the share that lies between beats or breaths that were recognised. **Motion** is told by another
sensor: a data set multiplies the quality of signals that shake with :func:`mpcl.data.features.still`. These
limits are *our reading*.

A recording is cleaned once; then (sample,) becomes (window, sample), and statistics run over axis 1.
"""

import warnings

import numpy as np
import xarray as xr
from scipy import signal as dsp

from mpcl.data.contract import DatasetError

GAP = 1.0  # s, the longest gap that is bridged
FLAT = 2.0  # s of the very same value: nothing is measured (where the value should never rest)
STUCK, CLIPPED = 3, 0.005  # samples in a row at the highest or lowest value, and their share: clipped
LEAST_SHARE = 0.5  # of a window that must be usable


def place_windows(duration, length=60.0, step=30.0):
    """Place windows over a trial.

    Args:
        duration: seconds that the trial lasts.
        length: seconds of a window.
        step: seconds from the start of one window to the start of the next.

    Returns:
        float array (window, 2): start and stop in seconds; none if the trial is shorter than a window.

    Raises:
        DatasetError: if length or step is not positive.

    Example:
        >>> place_windows(100.0).tolist()
        [[0.0, 60.0], [30.0, 90.0]]
    """
    if not (length > 0 and step > 0):
        raise DatasetError(f"window and step must be positive seconds, not {length:g} and {step:g}")
    count = int(np.floor((duration - length) / step + 1e-9)) + 1
    start = step * np.arange(max(count, 0))
    return np.stack([start, start + length], 1)


def prepare(signal, rate, windows, flat=FLAT, stuck=True):
    """Bridge the short gaps of a recording, and tell which samples can be used.

    Args:
        signal: (sample,) or (sample, 1), NaN where nothing was measured.
        rate: samples a second.
        windows: (window, 2) in seconds, all of one length.
        flat: seconds of the very same value that are a flat line.
        stuck: whether the ends of the range tell of clipping.

    Returns:
        (values (sample,), usable (sample,) of bool).

    Raises:
        DatasetError: if signal, rate or windows have another form.

    Example:
        >>> values, usable = prepare([1.0, np.nan, 3.0, 2.0], 4, place_windows(1, 1, 1))
        >>> values.tolist(), usable.all().item()
        ([1.0, 2.0, 3.0, 2.0], True)
    """
    values = np.array(signal, dtype=float)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    lengths = np.diff(windows, axis=-1)
    if values.ndim != 1 or not rate > 0 or np.shape(windows)[1:] != (2,) or not np.allclose(lengths, lengths[:1]):
        raise DatasetError(
            f"a signal (sample,) of shape {values.shape}, a positive rate, not {rate}, and windows (window, 2) "
            f"of one length are needed"
        )
    finite = np.isfinite(values)
    if not finite.any() or not len(windows):
        return np.zeros(len(values)), np.zeros(len(values), bool)
    samples = np.arange(len(values))
    values = values if finite.all() else np.interp(samples, samples[finite], values[finite])
    usable = ~_runs(~finite, GAP * rate + 1)
    usable &= ~_runs(np.diff(values, prepend=np.nan) == 0, flat * rate)
    if stuck:
        ends = _runs(values == values.max(), STUCK) | _runs(values == values.min(), STUCK)
        usable &= ~ends | (ends.mean() < CLIPPED)
    return values, usable


def thin(values, usable, rate, target):
    """Average blocks of samples, so that about ``target`` samples a second remain: (values, usable, rate).

    Example:
        >>> thin(np.arange(6.0), np.ones(6, bool), rate=6, target=2)
        (array([1., 4.]), array([ True,  True]), 2.0)
    """
    block = max(1, int(rate // target))
    count = len(values) // block
    means = values[: count * block].reshape(count, block).mean(1)
    return means, usable[: count * block].reshape(count, block).mean(1) > 0.5, rate / block


def _runs(mask, least):
    """Where ``mask`` is true for at least ``least`` samples in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    long = np.zeros(len(mask), bool)
    for start, stop in edges.reshape(-1, 2)[np.diff(edges)[::2] >= least]:
        long[start:stop] = True
    return long


def cut_windows(values, rate, windows):
    """Cut (sample,) into (window, sample), NaN beyond the end.

    Example:
        >>> cut_windows(np.arange(5.0), 1, place_windows(6, length=3, step=3))
        array([[ 0.,  1.,  2.],
               [ 3.,  4., nan]])
    """
    first, count = _places(rate, windows)
    if not count:
        return np.full((len(windows), 0), np.nan)
    longer = np.append(values, np.full(count, np.nan))
    return np.lib.stride_tricks.sliding_window_view(longer, count)[first.clip(max=len(values))]


def usable_share(usable, rate, windows):
    """Share of the samples of each window that can be used: (window,) in 0..1.

    Example:
        >>> usable_share(np.array([True, True, False, False]), 1, place_windows(4, length=2, step=2))
        array([1., 0.])
    """
    first, count = _places(rate, windows)
    before = np.append(0, np.cumsum(usable))  # usable samples before each
    stop, start = (before[place.clip(max=len(usable))] for place in (first + count, first))
    return (stop - start) / max(count, 1)


def _places(rate, windows):
    """The first sample of each window (window,), and how many samples a window has."""
    count = int(round((windows[0, 1] - windows[0, 0]) * rate)) if len(windows) else 0
    return np.rint(windows[:, 0] * rate).astype(int), count


def lie_inside(start, stop, windows):
    """Tell which events, from start to stop (event,) in seconds, lie wholly in which window: (window, event).

    Example:
        >>> lie_inside(np.array([1.0, 3.5]), np.array([2.0, 4.5]), place_windows(8, length=4, step=4))
        array([[ True, False],
               [False, False]])
    """
    return (start >= windows[:, :1]) & (stop < windows[:, 1:])


def covered_share(time, good, windows):
    """Share of each window that lies between two events that belong together.

    Args:
        time: (event,) in seconds.
        good: (event - 1,) of bool: from this event to the next.
        windows: (window, 2) in seconds.

    Example:
        >>> covered_share(np.array([1.0, 2.0, 4.0]), np.array([True, False]), place_windows(4, length=4))
        array([0.25])
    """
    overlap = np.minimum(time[1:], windows[:, 1:]) - np.maximum(time[:-1], windows[:, :1])
    return (overlap.clip(0) * good).sum(1) / (windows[:, 1] - windows[:, 0])


def unbroken(positions, usable):
    """Tell whether all samples from each position to the next can be used: (position - 1,).

    Example:
        >>> unbroken(np.array([0, 2, 4]), np.array([True, True, True, False, True]))
        array([ True, False])
    """
    lost = np.concatenate([[0], np.cumsum(~usable)])
    return np.diff(lost[positions]) == 0


def spectrum(values, rate, windows, seconds):
    """Frequencies in Hz and power densities (window, frequency) after Welch, in pieces that overlap by half.

    Example:
        >>> frequency, density = spectrum(np.sin(4 * np.pi * np.arange(600) / 10), 10, place_windows(60), seconds=8)
        >>> frequency[density[0].argmax()].item()
        2.0
    """
    first, count = _places(rate, windows)
    if not count:
        return np.array([0.0, 1.0]), np.zeros((len(windows), 2))
    length = max(2, min(count, int(round(seconds * rate))))
    step = length - length // 2
    starts = first[:, None] + step * np.arange((max(count, length) - length) // step + 1)  # (window, piece)
    starts, piece = np.unique(starts.clip(max=len(values)), return_inverse=True)  # windows that overlap share pieces
    pieces = np.lib.stride_tricks.sliding_window_view(np.append(values, np.zeros(length)), length)[starts]
    pieces, taper = np.nan_to_num(pieces), dsp.get_window("hann", length)
    waves = np.fft.rfft((pieces - pieces.mean(1, keepdims=True)) * taper, axis=1)
    density = np.abs(waves) ** 2 / (rate * (taper**2).sum())
    density[:, 1 : (length + 1) // 2] *= 2  # of negative frequencies
    return np.fft.rfftfreq(length, 1 / rate), density[piece.reshape(len(windows), -1)].mean(1)


def over_windows(function, values, **options):
    """A NaN-blind statistic over axis 1 of (window, sample); NaN, not a warning, where nothing is left.

    Example:
        >>> over_windows(np.nanmax, np.array([[1.0, np.nan], [np.nan, np.nan]]))
        array([ 1., nan])
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(values, axis=1, **options) if values.shape[1] else np.full(len(values), np.nan)


def mean(values):
    """Mean of each window, NaN left out."""
    return over_windows(np.nanmean, values)


def sd(values):
    """Standard deviation of each window, NaN left out."""
    return over_windows(np.nanstd, values, ddof=1)


def rmssd(values):
    """Root mean square of the differences of neighbours in each window, NaN left out."""
    return np.sqrt(mean(np.diff(values, axis=1) ** 2))


def clock(cut, rate):
    """Seconds (window, sample) from the start of each window, NaN where the values are."""
    return np.where(np.isnan(cut), np.nan, np.arange(cut.shape[1]) / rate)


def slope(values, seconds):
    """Least-squares slope a minute of (window, sample) over ``seconds``, NaN in both alike.

    Example:
        >>> slope(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 30.0, 60.0]]))
        array([2.])
    """
    away = seconds - mean(seconds)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return 60 * mean(away * (values - mean(values)[:, None])) / mean(away**2)


def guarded(function, *arguments, **options):
    """The result of a library's function, without its warnings; None where it finds nothing and fails.

    Example:
        >>> guarded(int, "7"), guarded(int, "seven")
        (7, None)
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*arguments, **options)
        except (ValueError, IndexError, TypeError, KeyError, AttributeError, ArithmeticError, NameError):
            return None  # too short, flat or without a single event


def tabulate(columns, quality, windows, notes=()):
    """Features of windows, from ``{name: (unit, values (window,))}``, quality (window,) and notes.

    Returns:
        :class:`xarray.DataArray` (window, feature), NaN where less than half of a window can be used.

    Example:
        >>> tabulate({"level": ("µS", [2.0])}, np.ones(1), place_windows(60)).unit.values.tolist()
        ['µS']
    """
    values = np.stack([values for _, values in columns.values()], 1)
    values = np.where(np.isfinite(values) & (quality >= LEAST_SHARE)[:, None], values, np.nan)
    if len(windows) and not notes and (quality < LEAST_SHARE).all():
        notes = ["less than half of each window can be used"]
    return xr.DataArray(
        values,
        dims=("window", "feature"),
        coords={
            "feature": list(columns),
            "unit": ("feature", [unit for unit, _ in columns.values()]),
            "quality": ("window", quality.clip(0, 1)),
            "start": ("window", windows[:, 0]),
            "stop": ("window", windows[:, 1]),
        },
        attrs={"notes": "\n".join(notes)},
    )
