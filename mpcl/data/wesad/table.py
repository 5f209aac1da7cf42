"""A third party's features of WESAD, where the pickles are too large or not at hand.

The folder holds ``features_S2.npz`` and so on, each with ``X`` (row, column) and ``y``
(row,), 1 baseline, 2 stress, 3 amusement, and ``columns.txt`` with the names of the
columns. A row covers 5 s and follows the one before after 2.5 s; in a table of 154
columns, which lack heart rate variability, after 5 s (*inferred* from S15, the only
one). The extremes show it: a row that its neighbours overlap by half never goes beyond
both.

Its heart rate variability comes from 5 s of signal each, which is too short to be more
than a crude hint.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data.wesad.signals import CHANNELS
from mpcl.data.windowing import mean
from mpcl.errors import DatasetError

UNIT = {  # of a channel; chest: mV, µS, % as the authors convert them
    "chest_ACCx": "g", "chest_ACCy": "g", "chest_ACCz": "g", "chest_ECG": "mV",
    "chest_EMG": "mV", "chest_EDA": "µS", "chest_TEMP": "°C", "chest_RESP": "%",
    "wrist_ACCx": "g/64", "wrist_ACCy": "g/64", "wrist_ACCz": "g/64",
    "wrist_BVP": "a.u.", "wrist_EDA": "µS", "wrist_TEMP": "°C",
}  # fmt: skip
STATISTICS = {  # and how its unit follows; of the last two inferred from their values
    "mean": "{}", "std": "{}", "min": "{}", "max": "{}", "median": "{}", "iqr": "{}",
    "skew": "1", "kurtosis": "1", "domfreq": "Hz", "specenergy": "({})²",
    "specentropy": "bit",
}  # fmt: skip
HRV = {
    "hrv_rmssd": "ms",
    "hrv_sdnn": "ms",
    "hrv_meanrr": "ms",
    "hrv_pnn50": "%",
    "hrv_hr": "1/min",
}
COLUMNS = [f"{channel}_{statistic}" for statistic in STATISTICS for channel in UNIT]
WHOLE = COLUMNS + [f"chest_ECG_{name}" for name in HRV]
UNITS = [form.format(unit) for form in STATISTICS.values() for unit in UNIT.values()]
UNITS += HRV.values()
PLACES = {  # of each statistic, its columns
    name: slice(number * len(UNIT), (number + 1) * len(UNIT))
    for number, name in enumerate(STATISTICS)
}
CODE = {"baseline": 1, "stress": 2, "amusement": 3}
SECONDS = 5.0  # of a row
POOLED = 6  # rows in a window


def read(folder: Path, name: str, order: list[str]) -> xr.Dataset:
    """The table of one participant, pooled to windows of 30 s that do not overlap.

    Rows that overlap others, and the first and last of each condition, are left out.
    The mean of the six rows of a window stands for them, of ``min`` the lowest, of
    ``max`` the highest, of ``std`` the spread within and between them. Where no beats
    were found (a mean interval of 0) heart rate variability is NaN.

    Args:
        order: the participant's conditions in their order.

    Returns:
        (window, <modality>_feature) with ``condition``, ``start`` and ``stop``. The
        table has no clock: its seconds run through the three conditions, the pauses
        between them left out.

    Raises:
        DatasetError: naming file, place and remedy.
    """
    order = [condition for condition in order if condition in CODE]
    values, code = _rows(folder, name, order)
    conditions: list[str] = []
    pooled: list[np.ndarray] = []
    for condition in order:
        rows = np.flatnonzero(code == CODE[condition])[1:-1]
        count = len(rows) // POOLED
        conditions += [condition] * count
        pooled.append(rows[: count * POOLED].reshape(-1, POOLED))
    rows = np.concatenate(pooled)  # (window, row)
    part = _modalities(_pool(values[rows])).assign_coords(
        condition=("window", np.array(conditions, object)),
        start=("window", SECONDS * rows[:, 0]),
        stop=("window", SECONDS * (rows[:, -1] + 1)),
    )
    short = [condition for condition in order if condition not in conditions]
    notes = [f"{name}: {condition} is shorter than a window" for condition in short]
    if np.isnan(values[:, len(COLUMNS) :]).all():
        notes.append(f"{name}: the table has no heart rate variability")
    return part.assign_attrs(
        device="third-party table of chest and wrist", notes="\n".join(notes)
    )


def check_columns(folder: Path) -> None:
    """Refuse other columns than those whose meaning is known.

    Example:
        >>> check_columns(Path("no/such"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.errors.DatasetError: no/such/columns.txt: the names of the columns are ...
    """
    path = folder / "columns.txt"
    if not path.is_file():
        raise DatasetError("the names of the columns are missing; get them again", path)
    names = path.read_bytes().decode("utf-8-sig", errors="replace").split()
    pairs = zip([*names, "nothing"], [*WHOLE, "nothing"], strict=False)
    for place, (name, needed) in enumerate(pairs, 1):
        if name != needed:
            raise DatasetError(
                f"column {place} is {name[:30]!r}, not {needed!r}; get the names again",
                path,
            )


def _rows(folder: Path, name: str, order: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 5 s that do not overlap (row, 159), NaN where absent, and their codes."""
    path = folder / f"features_{name}.npz"
    values, code = _arrays(path, name)
    is_short = values.shape[1:] == (len(COLUMNS),)
    is_table = is_short or values.shape[1:] == (len(WHOLE),)
    if values.dtype.kind != "f" or not is_table or code.shape != values.shape[:1]:
        raise DatasetError(
            f"X {values.shape} and y {code.shape} must be (row, 154 or 159) and (row,)",
            path,
        )
    runs: list[int] = []
    if code.dtype.kind in "iu":
        runs = code[np.flatnonzero(np.diff(code, prepend=-1))].tolist()
    if runs != [CODE[condition] for condition in order]:
        raise DatasetError(
            f"y runs {runs}, the questionnaire's ORDER says {', '.join(order)}; "
            "get both again",
            path,
        )
    _check_values(values, path)
    _check_pace(values, code, is_short, path)
    apart = slice(None, None, 1 if is_short else 2)
    whole = np.full((len(values[apart]), len(WHOLE)), np.nan)
    whole[:, : values.shape[1]] = values[apart]
    return whole, code[apart]


def _arrays(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """X and y as they stand in the file."""
    if not path.is_file():
        raise DatasetError(
            f"the table of {name} is missing; add it, or leave out the folder of "
            f"{name}",
            path,
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file["X"]), np.asarray(file["y"])
    except Exception as error:  # whatever bytes can do to zip and numpy
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(
            f"this is no whole table with X and y ({reason}); get it again", path
        ) from None


def _check_values(values: np.ndarray, path: Path) -> None:
    """A table whose columns were moved has means outside of their own extremes."""
    slack = 1e-3 + 1e-4 * np.abs(values[:, PLACES["mean"]])
    lowest = values[:, PLACES["min"]] - slack
    highest = values[:, PLACES["max"]] + slack
    inside = np.isfinite(values).all(axis=1)
    for statistic in ("mean", "median"):
        level = values[:, PLACES[statistic]]
        inside &= ((lowest <= level) & (level <= highest)).all(axis=1)
    if not inside.all():
        raise DatasetError(
            f"row {np.argmin(inside)}: no means between their extremes; "
            "get the table again",
            path,
        )


def _check_pace(
    values: np.ndarray, code: np.ndarray, is_short: bool, path: Path
) -> None:
    """Rows that were left out or doubled would move all times behind them."""
    lowest, highest = values[:, PLACES["min"]], values[:, PLACES["max"]]
    slack = 1e-3 + 1e-4 * np.abs(values[1:-1, PLACES["mean"]])
    beyond = lowest[1:-1] < np.minimum(lowest[:-2], lowest[2:]) - slack
    beyond |= highest[1:-1] > np.maximum(highest[:-2], highest[2:]) + slack
    inside = code[:-2] == code[2:]  # of a condition
    alone = 1 + np.flatnonzero(beyond.any(axis=1) & inside)
    double = 1 + np.flatnonzero((values[1:] == values[:-1]).all(axis=1))
    fault = ""
    if len(double):
        fault = f"row {double[0]} is the row before once more"
    elif is_short and inside.any() and not len(alone):
        fault = "no row goes beyond its neighbours: they overlap, 5 s apart is expected"
    elif not is_short and len(alone):
        fault = f"row {alone[0]} goes beyond both rows beside it: rows are missing"
    if fault:
        raise DatasetError(f"{fault}; get the table again", path)


def _pool(values: np.ndarray) -> np.ndarray:
    """(window, row, column) to (window, column)."""
    pooled = values.mean(1)
    beats = values[:, :, len(COLUMNS) :]  # (window, row, heart rate variability)
    beating = beats[:, :, [list(HRV).index("hrv_meanrr")]] > 0
    pooled[:, len(COLUMNS) :] = mean(np.where(beating, beats, np.nan))
    pooled[:, PLACES["min"]] = values[:, :, PLACES["min"]].min(1)
    pooled[:, PLACES["max"]] = values[:, :, PLACES["max"]].max(1)
    within = (values[:, :, PLACES["std"]] ** 2).mean(1)
    between = values[:, :, PLACES["mean"]].var(1)
    pooled[:, PLACES["std"]] = np.sqrt(within + between)
    return pooled


def _modalities(pooled: np.ndarray) -> xr.Dataset:
    """The columns (window, 159), sorted into modalities."""
    part = xr.Dataset()
    for modality, channel in CHANNELS.items():
        stem = f"{channel.device}_{channel.key}"
        places = [n for n, column in enumerate(WHOLE) if column.startswith(stem)]
        names = [WHOLE[place].removeprefix(stem).lstrip("_") for place in places]
        units = [UNITS[place] for place in places]
        feature = f"{modality}_feature"
        about = {"branch": channel.branch, "source": channel.source()}
        part[modality] = ("window", feature), pooled[:, places], about
        part.coords[feature] = np.array(names, object)
        part.coords[f"{modality}_unit"] = feature, np.array(units, object)
    return part
