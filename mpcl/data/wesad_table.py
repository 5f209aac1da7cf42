"""A third party's features of WESAD's chest and wrist signals, where the pickles are too large or not at hand.

The folder holds ``features_S2.npz`` and so on, each with ``X`` (row, column) and ``y`` (row,), 1 baseline, 2 stress,
3 amusement, and ``columns.txt`` with the names of the columns. A row covers 5 s and follows the one before after 2.5 s;
in a table of 154 columns, which lack heart rate variability, after 5 s (*inferred* from S15, the only one).

Its heart rate variability comes from 5 s of signal each, which is too short to be more than a crude hint.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data.contract import DatasetError

UNIT = {  # of a channel; chest: mV, µS, % as the authors convert them
    "chest_ACCx": "g", "chest_ACCy": "g", "chest_ACCz": "g", "chest_ECG": "mV", "chest_EMG": "mV", "chest_EDA": "µS",
    "chest_TEMP": "°C", "chest_RESP": "%", "wrist_ACCx": "g/64", "wrist_ACCy": "g/64", "wrist_ACCz": "g/64",
    "wrist_BVP": "a.u.", "wrist_EDA": "µS", "wrist_TEMP": "°C",
}  # fmt: skip
STATISTICS = {  # and how its unit follows from the channel's; of the last two inferred from their values
    "mean": "{}", "std": "{}", "min": "{}", "max": "{}", "median": "{}", "iqr": "{}", "skew": "1", "kurtosis": "1",
    "domfreq": "Hz", "specenergy": "({})²", "specentropy": "bit",
}  # fmt: skip
HRV = {"hrv_rmssd": "ms", "hrv_sdnn": "ms", "hrv_meanrr": "ms", "hrv_pnn50": "%", "hrv_hr": "1/min"}
COLUMNS = [f"{channel}_{statistic}" for statistic in STATISTICS for channel in UNIT]
WHOLE = COLUMNS + [f"chest_ECG_{name}" for name in HRV]
CODE = {"baseline": 1, "stress": 2, "amusement": 3}
SECONDS, POOLED = 5.0, 6  # of a row; rows in a window


def read(folder, name, order):
    """The table of one participant, pooled to windows of 30 s that do not overlap.

    Rows that overlap others, and the first and last of each condition, are left out. The mean of the six rows of a
    window stands for them, of ``min`` the lowest, of ``max`` the highest, of ``std`` the spread within and between
    them. Where no beats were found (a mean interval of 0) heart rate variability is NaN.

    Args:
        folder: holds ``features_<name>.npz`` and ``columns.txt``.
        name: participant, such as ``S2``.
        order: the participant's conditions in their order.

    Returns:
        :class:`xarray.Dataset` (window, <modality>_feature) with ``condition``, ``start`` and ``stop``. The table has
        no clock: its seconds run through the three conditions, the pauses between them left out.

    Raises:
        DatasetError: naming file, place and remedy.

    Example:
        >>> read("no/such", "S2", ["baseline", "stress", "amusement"])
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: no/such/columns.txt: the names of the columns are missing; get them again
    """
    values, code = _rows(Path(folder), name, [condition for condition in order if condition in CODE])
    condition, rows = [], []
    for told in dict.fromkeys(code.tolist()):
        own = np.flatnonzero(code == told)[1:-1]
        own = own[: len(own) // POOLED * POOLED].reshape(-1, POOLED)  # (window, row)
        condition += [{number: known for known, number in CODE.items()}[told]] * len(own)
        rows.append(own)
    rows = np.concatenate(rows)
    part = xr.Dataset(
        coords={
            "condition": ("window", np.array(condition, object)),
            "start": ("window", SECONDS * rows[:, 0]),
            "stop": ("window", SECONDS * (rows[:, -1] + 1)),
        },
        attrs={"participant": name, "device": "third-party table of chest and wrist", "notes": ""},
    )
    if np.isnan(values[:, len(COLUMNS) :]).all():
        part.attrs["notes"] = f"{name}: the table has no heart rate variability"
    return part.merge(_modalities(_pool(values[rows])), combine_attrs="no_conflicts")


def _rows(folder, name, order):
    """Rows of 5 s that do not overlap, (row, column) with NaN for absent columns, and the codes of their conditions."""
    _check_columns(folder / "columns.txt")
    path = folder / f"features_{name}.npz"
    if not path.is_file():
        raise DatasetError(f"the table of {name} is missing; add it, or leave out the folder of {name}", path)
    try:
        with np.load(path, allow_pickle=False) as file:
            values, code = np.asarray(file["X"]), np.asarray(file["y"])
    except Exception as error:  # whatever bytes can do to zip and numpy
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(f"this is no whole table with X and y ({reason}); get it again", path) from None
    shapes = (len(COLUMNS),), (len(WHOLE),)
    if values.dtype.kind != "f" or values.shape[1:] not in shapes or code.shape != values.shape[:1]:
        raise DatasetError(f"X {values.shape} and y {code.shape} must be (row, 154 or 159) and (row,)", path)
    runs = [int(code[row]) for row in np.flatnonzero(np.diff(code, prepend=-1))] if code.dtype.kind in "iu" else []
    if runs != [CODE[condition] for condition in order]:
        raise DatasetError(f"y runs {runs}, the questionnaire's ORDER says {', '.join(order)}; get both again", path)
    _check_values(values, path)
    step = 1 if values.shape[1] == len(COLUMNS) else 2
    whole = np.full((len(values[::step]), len(WHOLE)), np.nan)
    whole[:, : values.shape[1]] = values[::step]
    return whole, code[::step]


def _check_columns(path):
    if not path.is_file():
        raise DatasetError("the names of the columns are missing; get them again", path)
    names = path.read_bytes().decode("utf-8-sig", errors="replace").split()
    if names != WHOLE:
        pairs = zip(names + ["nothing"], WHOLE + ["nothing"], strict=False)
        place, (found, known) = next((place, pair) for place, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        raise DatasetError(f"column {place} is {found[:30]!r}, not {known!r}; get the names again", path)


def _check_values(values, path):
    """A table whose columns were moved has means outside of their own minimum and maximum."""
    low, high, *middle = (values[:, [COLUMNS.index(f"{channel}_{name}") for channel in UNIT]]
                          for name in ("min", "max", "mean", "median"))  # fmt: skip
    slack = 1e-3 + 1e-4 * np.abs(values[:, : len(UNIT)])
    wrong = ~np.isfinite(values).all(1)
    for level in middle:
        wrong |= ~((low - slack <= level) & (level <= high + slack)).all(1)
    if wrong.any():
        raise DatasetError(f"row {np.argmax(wrong)}: no means between their extremes; get the table again", path)


def _pool(values):
    """(window, row, column) to (window, column)."""
    mean = {channel: COLUMNS.index(f"{channel}_mean") for channel in UNIT}
    beats = values[:, :, len(COLUMNS) :]
    found = beats[:, :, [list(HRV).index("hrv_meanrr")]] > 0
    count = found.sum(1)
    pooled = values.mean(1)
    pooled[:, len(COLUMNS) :] = np.where(count, np.where(found, beats, 0).sum(1) / np.maximum(count, 1), np.nan)
    for place, column in enumerate(COLUMNS):
        channel, statistic = column.rsplit("_", 1)
        if statistic in ("min", "max"):
            pooled[:, place] = getattr(values[:, :, place], statistic)(1)
        elif statistic == "std":
            between = values[:, :, mean[channel]].var(1)
            pooled[:, place] = np.sqrt((values[:, :, place] ** 2).mean(1) + between)
    return pooled


def _modalities(pooled):
    """The columns (window, 159) sorted into modalities, such as ``chest_acc`` with ``x_mean``."""
    places = {}
    for place, column in enumerate(WHOLE):
        device, kind, axis, statistic = re.fullmatch(r"(chest|wrist)_([A-Z]+)([xyz]?)_(\w+)", column).groups()
        unit = HRV.get(statistic) or STATISTICS[statistic].format(UNIT[f"{device}_{kind}{axis}"])
        entry = (place, f"{axis}_{statistic}" if axis else statistic, unit)
        places.setdefault(f"{device}_{kind.lower()}", []).append(entry)
    variables, coords = {}, {}
    for modality, columns in places.items():
        index, names, units = zip(*columns, strict=True)
        feature = f"{modality}_feature"
        variables[modality] = (("window", feature), pooled[:, index])
        coords |= {feature: np.array(names, object), f"{modality}_unit": (feature, np.array(units, object))}
    return xr.Dataset(variables, coords)
