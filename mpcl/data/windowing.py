"""From a recording to windows: what of it can be used, and statistics of many at once.

A sample is **usable** unless it lies in a gap of more than ``GAP`` seconds (shorter
ones are bridged by a straight line), in a **flat line** (the very same value for
``FLAT`` seconds, where the value should never rest), or is **clipped** (``STUCK``
samples in a row at the highest or lowest value, where a share of ``CLIPPED`` of all
samples are). The **quality** of a window is its usable share; for hearts and breaths no
more than the share that lies between beats or breaths that were recognised. **Motion**
is told by another sensor: a data set multiplies the quality of signals that shake with
:func:`mpcl.data.features.still`. These limits are *our reading*.

A recording is cleaned once; then (sample,) becomes (window, sample), and statistics run
over axis 1. Everywhere ``rate`` is samples a second, ``windows`` (window, 2) start and
stop in seconds, all of one length, ``usable`` (sample,) of bool.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy import signal as dsp

from mpcl.errors import DatasetError, ParameterError

GAP = 1.0  # s, the longest gap that is bridged
FLAT = 2.0  # s of the very same value: nothing is measured (where it should never rest)
STUCK = 3  # samples in a row at the highest or lowest value: clipped,
CLIPPED = 0.005  # where at least this share of all samples are
MOST = 1e6  # windows of a recording
LEAST_SHARE = 0.5  # of a window that must be usable
EPOCH = 1e8  # s: a first sample beyond is a date, the first line of an E4 file
TURNED = 1.5  # times as far down as up: upside down
TOLD = 0.01  # share of samples from which on it is noted that they are left out


def place_windows(
    duration: float, length: float = 60.0, step: float = 30.0
) -> np.ndarray:
    """Start and stop (window, 2) in seconds; none if the trial is shorter than one.

    Example:
        >>> place_windows(100.0).tolist()
        [[0.0, 60.0], [30.0, 90.0]]
    """
    if not (length > 0 and step > 0):
        raise ParameterError(
            f"window and step must be positive seconds, not {length:g} and {step:g}"
        )
    if not duration / step < MOST:
        raise ParameterError(
            f"a window every {step:g} s gives more than {MOST:g} in {duration:g} s"
        )
    count = int(np.floor((duration - length) / step + 1e-9)) + 1
    start = step * np.arange(max(count, 0))
    return np.stack([start, start + length], 1)  # (window, 2)


def believable(
    signal: ArrayLike,
    rate: float,
    low: float,
    high: float,
    unit: str,
    typical: tuple[float, float] = (0.0, np.inf),
) -> tuple[np.ndarray, list[str]]:
    """A signal without what no body gives: NaN there, and a sentence on what it was.

    Nothing is left where the two lines that begin a file of an Empatica E4, its date
    and its rate, were taken for samples: every time is off then.

    Args:
        signal: (sample,), or (sample, axis), of which the length is judged.
        low, high: the range of the signal in a living person, in ``unit``.
        typical: the range of what half of the samples exceed; nothing is left beyond.

    Example:
        >>> believable([2.0, -70.0, 2.5], 4, 0, 100, "µS")[0]
        array([2. , nan, 2.5])
    """
    values = _numbers(signal)
    if len(values) > 1 and (values[0] > EPOCH).all() and (values[1] == rate).all():
        sentence = "the first two samples are the head of the file: cut them off"
        return np.full(values.shape, np.nan), [sentence]
    size = values if values.ndim == 1 else np.sqrt((values**2).sum(-1))
    outside = (size < low) | (size > high)
    share = outside.mean() if len(values) else 0.0
    values[outside] = np.nan
    kept = size[np.isfinite(size) & ~outside]
    middle = np.median(np.abs(kept)) if len(kept) else typical[0]
    if not typical[0] <= middle <= typical[1]:
        is_high = middle > typical[1]
        words = f"exceed {typical[1]:g}" if is_high else f"stay below {typical[0]:g}"
        sentence = f"half of the samples {words} {unit}: is this another unit?"
        return np.full(values.shape, np.nan), [sentence]
    if share < TOLD:
        return values, []
    sentence = (
        f"{share:.0%} of the samples lie outside of {low:g} to {high:g} {unit} and are "
        "left out: is this another unit?"
    )
    return values, [sentence]


def _numbers(signal: ArrayLike) -> np.ndarray:
    """A copy of a signal as floating-point numbers, or a sentence."""
    try:
        return np.array(signal, dtype=float, ndmin=1)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"a signal of numbers is needed ({error}); NaN is for samples that are "
            "missing, and decimals have a point"
        ) from error


def upright(values: np.ndarray, steep: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """A heart's signal the right way up, and a sentence where it had to be turned.

    Args:
        values: (sample,).
        steep: what is larger upwards than downwards in a signal that stands right.

    Example:
        >>> upright(np.array([0.0, -3.0, 1.0]), np.array([0.0, -3.0, 1.0]))[0].tolist()
        [-0.0, 3.0, -1.0]
    """
    if len(steep) == 0:
        return values, []
    down, up = np.quantile(steep, [0.005, 0.995])
    if not up < -down / TURNED:
        return values, []
    return -values, ["the signal stands upside down and was turned"]


def noted(table: xr.DataArray, remarks: Sequence[str]) -> xr.DataArray:
    """A table of features with more remarks in front of its notes.

    Example:
        >>> noted(xr.DataArray(0, attrs={"notes": "b"}), ["a"]).attrs["notes"]
        'a\\nb'
    """
    notes = [*remarks, *table.attrs["notes"].splitlines()]
    return table.assign_attrs(notes="\n".join(notes))


def prepare(
    signal: ArrayLike,
    rate: float,
    windows: np.ndarray,
    flat: float = FLAT,
    stuck: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Bridge the short gaps of a recording, and tell which samples are usable.

    Args:
        signal: (sample,) or (sample, 1), NaN where nothing was measured.
        flat: seconds of the very same value that are a flat line.
        stuck: whether the ends of the range tell of clipping.

    Returns:
        values (sample,) without NaN, and usable (sample,).

    Raises:
        DatasetError: if signal, rate or windows have another form.

    Example:
        >>> values, usable = prepare([1.0, np.nan, 3.0, 2.0], 4, place_windows(1, 1, 1))
        >>> values.tolist(), usable.all().item()
        ([1.0, 2.0, 3.0, 2.0], True)
    """
    values, windows = _numbers(signal), np.asarray(windows, float)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    lengths = np.diff(windows, axis=-1)
    is_rate = isinstance(rate, int | float | np.number) and 0 < rate < np.inf
    is_plain = values.ndim == 1 and is_rate and windows.shape[1:] == (2,)
    if not is_plain or not np.allclose(lengths, lengths[:1]):
        raise DatasetError(
            f"a signal (sample,) of shape {values.shape}, a positive rate, not {rate}, "
            "and windows (window, 2) of one length are needed"
        )
    finite = np.isfinite(values)
    if not finite.any() or not len(windows):
        return np.zeros(len(values)), np.zeros(len(values), bool)
    if not finite.all():
        samples = np.arange(len(values))
        values = np.interp(samples, samples[finite], values[finite])
    usable = ~_runs(~finite, GAP * rate + 1)
    usable &= ~_runs(np.diff(values, prepend=np.nan) == 0, flat * rate)
    if stuck:
        ends = _runs(values == values.max(), STUCK)
        ends |= _runs(values == values.min(), STUCK)
        usable &= ~ends | (ends.mean() < CLIPPED)
    return values, usable


def thin(
    values: np.ndarray, usable: np.ndarray, rate: float, target: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Average blocks of samples, so that about ``target`` samples a second remain.

    Example:
        >>> thin(np.arange(6.0), np.ones(6, bool), rate=6, target=2)
        (array([1., 4.]), array([ True,  True]), 2.0)
    """
    block = max(1, int(rate // target))
    count = len(values) // block
    means, shares = (
        part[: count * block].reshape(count, block).mean(1) for part in (values, usable)
    )
    return means, shares > 0.5, rate / block


def _runs(mask: np.ndarray, least: float) -> np.ndarray:
    """Where ``mask`` is true for at least ``least`` samples in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    long = np.zeros(len(mask), bool)
    for start, stop in edges.reshape(-1, 2)[np.diff(edges)[::2] >= least]:
        long[start:stop] = True
    return long


def cut_windows(
    values: np.ndarray,
    rate: float,
    windows: np.ndarray,
    usable: np.ndarray | bool = True,
) -> np.ndarray:
    """Cut (sample,) into (window, sample), NaN beyond the end and where not usable.

    Example:
        >>> cut_windows(np.arange(5.0), 1, place_windows(6, length=3, step=3))
        array([[ 0.,  1.,  2.],
               [ 3.,  4., nan]])
    """
    first, count = _places(rate, windows)
    if not count:
        return np.full((len(windows), 0), np.nan)
    longer = np.append(np.where(usable, values, np.nan), np.full(count, np.nan))
    pieces = np.lib.stride_tricks.sliding_window_view(longer, count)
    return pieces[first.clip(max=len(values))]  # (window, sample)


def usable_share(usable: np.ndarray, rate: float, windows: np.ndarray) -> np.ndarray:
    """Share of the samples of each window that can be used: (window,) in 0..1.

    Example:
        >>> usable = np.array([True, True, False, False])
        >>> usable_share(usable, 1, place_windows(4, length=2, step=2))
        array([1., 0.])
    """
    first, count = _places(rate, windows)
    before = np.append(0, np.cumsum(usable))  # usable samples before each
    last = (first + count).clip(max=len(usable))
    return (before[last] - before[first.clip(max=len(usable))]) / max(count, 1)


def _places(rate: float, windows: np.ndarray) -> tuple[np.ndarray, int]:
    """The first sample of each window (window,), and how many samples a window has."""
    count = int(round((windows[0, 1] - windows[0, 0]) * rate)) if len(windows) else 0
    return np.rint(windows[:, 0] * rate).astype(int), count


def lie_inside(start: np.ndarray, stop: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Which events, (event,) in seconds, lie wholly in which window: (window, event).

    Example:
        >>> start, stop = np.array([1.0, 3.5]), np.array([2.0, 4.5])
        >>> lie_inside(start, stop, place_windows(8, length=4, step=4))
        array([[ True, False],
               [False, False]])
    """
    return (start >= windows[:, :1]) & (stop < windows[:, 1:])


def covered_share(
    time: np.ndarray, good: np.ndarray, windows: np.ndarray
) -> np.ndarray:
    """Share of each window that lies between two events that belong together.

    Args:
        time: of the events (event,) in seconds.
        good: (event - 1,) of bool: from this event to the next.

    Example:
        >>> time, good = np.array([1.0, 2.0, 4.0]), np.array([True, False])
        >>> covered_share(time, good, place_windows(4, length=4))
        array([0.25])
    """
    overlap = np.minimum(time[1:], windows[:, 1:]) - np.maximum(
        time[:-1], windows[:, :1]
    )  # (window, event - 1)
    return (overlap.clip(0) * good).sum(1) / (windows[:, 1] - windows[:, 0])


def unbroken(positions: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Whether all samples from each position to the next can be used: (position - 1,).

    Example:
        >>> usable = np.array([True, True, True, False, True])
        >>> unbroken(np.array([0, 2, 4]), usable)
        array([ True, False])
    """
    lost = np.concatenate([[0], np.cumsum(~usable)])
    return np.diff(lost[positions]) == 0


def spectrum(
    values: np.ndarray, rate: float, windows: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz, and power densities (window, frequency) after Welch.

    The pieces, of so many seconds, overlap by half; windows that overlap share them.

    Example:
        >>> wave = np.sin(4 * np.pi * np.arange(600) / 10)
        >>> frequency, density = spectrum(wave, 10, place_windows(60), seconds=8)
        >>> frequency[density[0].argmax()].item()
        2.0
    """
    first, count = _places(rate, windows)
    if not count:
        return np.array([0.0, 1.0]), np.zeros((len(windows), 2))
    length = max(2, min(count, int(round(seconds * rate))))
    step = length - length // 2
    starts = first[:, None] + step * np.arange(
        (max(count, length) - length) // step + 1
    )  # (window, piece)
    starts, piece = np.unique(starts.clip(max=len(values)), return_inverse=True)
    pieces = np.lib.stride_tricks.sliding_window_view(
        np.append(values, np.zeros(length)), length
    )
    pieces = np.nan_to_num(pieces[starts])  # (piece, sample)
    taper = dsp.get_window("hann", length)
    waves = np.fft.rfft((pieces - pieces.mean(1, keepdims=True)) * taper, axis=1)
    density = np.abs(waves) ** 2 / (rate * (taper**2).sum())
    density[:, 1 : (length + 1) // 2] *= 2  # of negative frequencies
    density = density[piece.reshape(len(windows), -1)]  # (window, piece, frequency)
    return np.fft.rfftfreq(length, 1 / rate), density.mean(1)


def over_windows(
    function: Callable[..., np.ndarray], values: np.ndarray, **options: float
) -> np.ndarray:
    """A NaN-blind statistic over axis 1 of (window, sample).

    It gives NaN, and no warning, where nothing is left.

    Example:
        >>> over_windows(np.nanmax, np.array([[1.0, np.nan], [np.nan, np.nan]]))
        array([ 1., nan])
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(values, axis=1, **options)


def mean(values: np.ndarray) -> np.ndarray:
    """Mean of each window, NaN left out."""
    return over_windows(np.nanmean, values)


def sd(values: np.ndarray) -> np.ndarray:
    """Standard deviation of each window, NaN left out."""
    return over_windows(np.nanstd, values, ddof=1)


def rmssd(values: np.ndarray) -> np.ndarray:
    """Root mean square of the differences of neighbours in a window, NaN left out."""
    return np.sqrt(mean(np.diff(values, axis=1) ** 2))


def clock(cut: np.ndarray, rate: float) -> np.ndarray:
    """Seconds (window, sample) from the start of each window, NaN where values are."""
    return np.where(np.isnan(cut), np.nan, np.arange(cut.shape[1]) / rate)


def slope(values: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Least-squares slope a minute of (window, sample), NaN in both alike.

    Example:
        >>> slope(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 30.0, 60.0]]))
        array([2.])
    """
    away = seconds - mean(seconds)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return 60 * mean(away * (values - mean(values)[:, None])) / mean(away**2)


def guarded(
    function: Callable[..., Any], *arguments: Any, otherwise: Any = None, **options: Any
) -> Any:
    """What a library's function returns, without its warnings.

    Args:
        otherwise: what is returned where it fails: too short, flat, without an event.

    Example:
        >>> guarded(int, "7"), guarded(int, "seven", otherwise=0)
        (7, 0)
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*arguments, **options)
        except (
            ValueError,
            IndexError,
            TypeError,
            KeyError,
            AttributeError,
            ArithmeticError,
            NameError,
        ):
            return otherwise


def tabulate(
    columns: Mapping[str, tuple[str, np.ndarray]],
    quality: np.ndarray,
    windows: np.ndarray,
    notes: Sequence[str] = (),
) -> xr.DataArray:
    """Features (window, feature) from ``{name: (unit, values (window,))}`` and quality.

    They are NaN where less than half of a window can be used.

    Example:
        >>> columns = {"level": ("µS", np.array([2.0]))}
        >>> tabulate(columns, np.ones(1), place_windows(60)).unit.values.tolist()
        ['µS']
    """
    values = np.stack([values for _, values in columns.values()], 1)
    is_whole = np.isfinite(values) & (quality >= LEAST_SHARE)[:, None]
    if len(windows) and not notes and (quality < LEAST_SHARE).all():
        notes = ["less than half of each window can be used"]
    return xr.DataArray(
        np.where(is_whole, values, np.nan),
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


def as_modality(table: xr.DataArray, name: str, branch: str, source: str) -> xr.Dataset:
    """A table of features as the contract has it: with quality, names and units.

    Example:
        >>> columns = {"level": ("µS", np.array([2.0]))}
        >>> table = tabulate(columns, np.ones(1), place_windows(60))
        >>> list(as_modality(table, "eda", "physiological", "wrist").variables)
        ['eda', 'eda_quality', 'eda_feature', 'eda_unit']
    """
    feature = f"{name}_feature"
    about = {"branch": branch, "source": source}
    return xr.Dataset(
        {
            name: (("window", feature), table.values, about),
            f"{name}_quality": ("window", table["quality"].values),
        },
        {
            feature: table["feature"].values.astype(object),
            f"{name}_unit": (feature, table["unit"].values.astype(object)),
        },
    )


def concatenate(parts: Sequence[xr.Dataset], modalities: Sequence[str]) -> xr.Dataset:
    """The windows of all parts; a modality that one lacks is NaN there, of quality 0.

    The modalities stand in the order of their names.

    Example:
        >>> part = xr.Dataset({"eda": ("window", [2.0])})
        >>> concatenate([part, xr.Dataset({"bvp": part["eda"]})], ["bvp", "eda"])["bvp"]
        <xarray.DataArray 'bvp' (window: 2)> Size: 16B
        array([nan,  2.])
        Dimensions without coordinates: window
    """
    joined = xr.concat(
        parts,
        "window",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    order = [
        variable
        for name in modalities
        for variable in (name, f"{name}_quality")
        if variable in joined
    ]
    quality = [name for name in order if name.endswith("_quality")]
    joined = joined.fillna(dict.fromkeys(quality, 0))
    return joined.drop_vars(order).assign({name: joined[name] for name in order})
