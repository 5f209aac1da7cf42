"""Raw signals of a study in files of their own, to features of windows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from mpcl.data import clocks, features
from mpcl.data.windowing import as_modality, concatenate, place_windows
from mpcl.errors import DatasetError
from mpcl.laboratory.cells import Table, text

SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0}
KINDS = {  # and the unit in which each must be, or none
    "ppg": "",
    "ecg": "",
    "respiration": "",
    "emg": "",
    "series": "",
    "eda": "µS",
    "temperature": "°C",
    "acceleration": "g",
    "eeg": "µV",
}
UNLIKE = 1.25  # times as long as another modality of the trial: it is noted
NEEDED = ("branch", "source", "kind", "files", "rate", "columns", "unit")
NAMED = {"eeg": "channels", "series": "names"}  # the kinds whose columns have names


def need(name: str, about: object, keys: tuple[str, ...]) -> None:
    """Refuse a modality whose description lacks something."""
    is_described = isinstance(about, dict)
    missing = [key for key in keys if not is_described or key not in about]
    if missing:
        raise DatasetError(f"the plan: modality {name} lacks {', '.join(missing)}")


def attributes(about: dict[str, Any]) -> dict[str, Any]:
    """What the contract wants to know of a modality."""
    attrs = {"branch": about["branch"], "source": about["source"]}
    return attrs | ({"motion": int(about["motion"])} if "motion" in about else {})


def extracted(
    plan: dict[str, Any], trials: Table, table: Callable[[str], Table]
) -> tuple[xr.Dataset, np.ndarray]:
    """Features of all windows, and the row of each in the table of trials.

    Each modality of a trial has a file, its first sample at the start of the trial;
    its name is a pattern of the columns of the table, such as ``{person}_{film}.csv``.
    Where there is no such file, the modality is missing in that trial.

    Raises:
        DatasetError: for what is wrong in the plan or in the files.
    """
    length, step = float(plan.get("window", 60)), float(plan.get("step", 30))
    begins = np.zeros(len(trials.frame))
    if "start" in plan["columns"]:
        scale = SECONDS[plan["time"]]
        begins = scale * trials.numbers(plan["columns"]["start"], needed=True)
    parts: list[xr.Dataset] = []
    rows: list[int] = []
    notes: list[str] = []
    for row in range(len(trials.frame)):
        signals = {}
        for name, about in plan["modalities"].items():
            need(name, about, NEEDED)
            file = _file(name, about["files"], trials, row)
            try:
                signals[name] = _samples(table(file), about)
            except DatasetError as error:
                if "no such file" not in str(error):
                    raise
                notes.append(f"{name} is missing: there is no {file}")
        part = _windows(plan, signals, begins[row], length, step, notes)
        if part is not None:
            parts.append(part)
            rows += [row] * part.sizes["window"]
    lost = [name for name in plan["modalities"] if not any(name in p for p in parts)]
    if lost:
        raise DatasetError(
            f"{', '.join(lost)}: not one file is there, or none is as long as a window "
            f"of {length:g} s; notes: {'; '.join(notes[:5])}"
        )
    notes += _clocks_unknown(plan["modalities"])
    study = concatenate(parts, list(plan["modalities"]))
    return study.assign_attrs(notes="\n".join(notes)), np.array(rows)


def _stream(about: dict[str, Any], values: np.ndarray) -> clocks.Stream:
    """What a modality measured; its source is its device."""
    return clocks.Stream(str(about["source"]), about["kind"], values, about["rate"])


def _clocks_unknown(modalities: dict[str, dict[str, Any]]) -> list[str]:
    """A sentence where several devices hold nothing that would tell shifted clocks."""
    streams = [_stream(about, np.zeros(0)) for about in modalities.values()]
    devices = list(dict.fromkeys(stream.device for stream in streams))
    if len(devices) < 2 or clocks.comparable(streams):
        return []
    return [
        f"whether the clocks of {', '.join(devices)} run together cannot be told: they "
        "hold no common signal, such as motion or the heart's"
    ]


def _file(name: str, pattern: str, trials: Table, row: int) -> str:
    """The file of a modality in a trial."""
    cells = {str(key): text(value) for key, value in trials.frame.iloc[row].items()}
    try:
        return pattern.format(**cells)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"the plan: the files of {name}, {pattern!r}, are named by columns of "
            f"{trials.name}: {', '.join(map(str, trials.frame.columns))}"
        ) from error


def _samples(table: Table, about: dict[str, Any]) -> np.ndarray:
    """The samples (sample, column) of a file, or (sample,) of one column."""
    columns = [table.numbers(column) for column in about["columns"]]
    table.refuse()
    return columns[0] if len(columns) == 1 else np.stack(columns, 1)


def _windows(
    plan: dict[str, Any],
    signals: dict[str, np.ndarray],
    begin: float,
    length: float,
    step: float,
    notes: list[str],
) -> xr.Dataset | None:
    """The windows of one trial, or none."""
    lengths = [
        len(values) / plan["modalities"][name]["rate"]
        for name, values in signals.items()
    ]
    windows = place_windows(max(lengths, default=0.0), length, step)
    if not len(windows):
        return None
    if min(lengths) < max(lengths) / UNLIKE:
        pairs = zip(signals, lengths, strict=True)
        words = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in pairs)
        notes.append(f"of one trial, there are {words}: is a rate wrong?")
    streams = [_stream(plan["modalities"][name], signals[name]) for name in signals]
    late = clocks.apart(streams)
    notes += clocks.sentences(late)
    parts: list[xr.Dataset] = []
    for name, values in signals.items():
        about = plan["modalities"][name]
        made = _features(name, about, values, windows)
        share = clocks.shared(late, str(about["source"]), length)
        made["quality"] = made.quality * share
        notes += [f"{name}: {note}" for note in made.notes.splitlines()]
        part = as_modality(made, name, about["branch"], about["source"])
        part[name].attrs = attributes(about)
        parts.append(part)
    times = {
        "start": ("window", begin + windows[:, 0]),
        "stop": ("window", begin + windows[:, 1]),
    }
    return xr.merge(parts).assign_coords(times)


def _features(
    name: str, about: dict[str, Any], values: np.ndarray, windows: np.ndarray
) -> xr.DataArray:
    """The features of one signal, by its kind."""
    kind, unit = about["kind"], about["unit"]
    if kind not in KINDS:
        choices = ", ".join(KINDS)
        raise DatasetError(f"the plan: {name} is no {kind!r}; choose from {choices}")
    if KINDS[kind] not in ("", unit):
        raise DatasetError(f"the plan: {name} must be in {KINDS[kind]}, not {unit!r}")
    options: dict[str, Any] = {}
    if not KINDS[kind]:
        options["unit"] = unit
    if kind in NAMED:
        options[NAMED[kind]] = list(about["columns"])
    return getattr(features, kind)(values, about["rate"], windows, **options)
