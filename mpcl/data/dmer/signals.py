"""Signals of one participant of DMER to windows: the aligned and the raw form.

**Aligned**, ``<id>/datas.mat``. *Read* in the programs of its authors: the rates, and
that of ``<name>_datas`` (channel + 2, sample) the second-to-last row is the video id
(rest is 40) and the last the second of the trial, -1 between. *Inferred*: GSR and PPG
have one row of signal, and channels stand in the order of DSI-Streamer (their names
here are numbers).

**Raw**, the recordings of the two devices. *Read* in the recording program: the files,
the rates, the triggers (clip k starts with k + 10 and stops with k + 100; a start
counts only if its own stop comes next; everything before the first trigger 60, the
start of the practice, is trying out), and that a trigger stands in the third column of
the wristband's rows and other rows have two. *Inferred*: the header of ``1_raw.csv`` is
that of DSI-Streamer (a line that begins with Time, after comments), and the wristband's
unit is the microsiemens. EEG is as recorded (reference Pz), not cleaned of blinks as
the aligned release is.
"""

import io
import warnings
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data import features
from mpcl.data.dmer import mat
from mpcl.data.dmer.dataset import Spans, note, part, runs, signal
from mpcl.data.dmer.release import (
    CLIPS,
    Place,
    content,
    questionnaires_folder,
    subfolder,
)
from mpcl.errors import DatasetError

RATES = {"eeg": 300, "gsr": 4, "ppg": 100}  # samples a second
CHANNELS = (  # DSI-24 without A1, A2, Pz
    "P3 C3 F3 Fz F4 C4 P4 Cz Fp1 Fp2 T3 T5 O1 O2 F7 F8 T6 T4".split()
)
REST = 40  # stands for a video id
PRACTICE_START = 60  # the trigger
SLACK = 2.0  # s by which the devices may differ on the length of a trial


class Recording(NamedTuple):
    """One signal of a participant, and where its trials lie in it."""

    signal: np.ndarray  # (sample, channel)
    spans: Spans


def aligned_form(folder: Place, number: int, length: float) -> xr.Dataset:
    """Windows of participant ``number``; each trial is filtered and searched alone."""
    path = folder / "datas.mat"
    names = [stem for name in RATES for stem in (f"{name}_datas", f"fs_{name}")]
    variables = mat.read(path, names)
    recordings: dict[str, Recording] = {}
    notes: list[str] = []
    begin = np.full(CLIPS, np.inf)  # s of the trial at which a clip is cut out
    for name in RATES:
        rows = _rows(variables, name, path)
        if not rows.size:
            notes.append(f"P{number:02d}: no {name} was recorded: a missing modality")
            continue
        spans = runs(rows[-2], f"{name}_datas", path, REST)
        spans.pop(REST, None)
        for clip, (first, last) in spans.items():
            _check_seconds(rows[-1, first:last], name, clip, path)
            begin[clip] = min(begin[clip], rows[-1, first])
        recordings[name] = Recording(rows[:-2].T, spans)
    windows = windows_of(recordings, number, length, path, is_whole=False)
    windows.attrs["notes"] = notes + windows.attrs["notes"]
    shift = begin[windows["clip"].values]  # (window,)
    return windows.assign_coords(start=windows.start + shift, stop=windows.stop + shift)


def _rows(variables: dict[str, np.ndarray], name: str, path: Place) -> np.ndarray:
    """The rows (channel + 2, sample) of a modality; none where it was not recorded."""
    rate = RATES[name]
    stated = variables[f"fs_{name}"].ravel()
    rows = variables[f"{name}_datas"].astype(float)
    height = 2 + (len(CHANNELS) if name == "eeg" else 1)
    fault = ""
    if stated.tolist() != [rate]:
        fault = f"fs_{name} is {stated[:3]}, {rate} expected; the file is another"
    elif rows.size and (rows.ndim != 2 or len(rows) != height):
        fault = (
            f"{name}_datas has the shape {rows.shape}, not ({height}, sample); "
            f"the second-to-last row must be the video id, the last the time"
        )
    if fault:
        raise DatasetError(fault, str(path))
    return rows


def _check_seconds(time: np.ndarray, name: str, clip: int, path: Place) -> None:
    """Each second must be marked once, the first at the first sample of a trial."""
    marks = time[time >= 0]
    is_counted = (
        np.isfinite(time).all()
        and time.min() >= -1
        and time[0] >= 0
        and (np.diff(marks) == 1).all()
        and abs(len(marks) - len(time) / RATES[name]) < 1
    )
    if not is_counted:
        raise DatasetError(
            f"{name}_datas, clip {clip}: {len(marks)} seconds are marked in "
            f"{len(time)} samples at {RATES[name]} Hz; the time row or the rate is "
            f"wrong, download again",
            str(path),
        )


def raw_form(folder: Place, number: int, length: float) -> xr.Dataset:
    """Windows of participant ``number``; each signal is filtered and searched whole."""
    wristband = questionnaires_folder(folder)
    headset = subfolder(folder, f"sub{folder.name}", "subn")
    rows = {
        "eeg": _headset(headset / "1_raw.csv"),
        "gsr": _wristband(wristband / "raw_gsr.csv"),
        "ppg": _wristband(wristband / "raw_ppg.csv"),
    }
    recordings = {
        name: Recording(values[:, :-1], shown(values[:, -1], folder, name))
        for name, values in rows.items()
    }
    _check_order(recordings, folder)
    return windows_of(recordings, number, length, folder, is_whole=True)


def _check_order(recordings: Mapping[str, Recording], place: Place) -> None:
    """All devices saw the clips in one order; another means other numbers of clips."""
    orders = {
        name: sorted(each.spans, key=each.spans.__getitem__)
        for name, each in recordings.items()
    }
    for (first, before), (second, after) in combinations(orders.items(), 2):
        if [c for c in before if c in after] != [c for c in after if c in before]:
            raise DatasetError(
                f"the triggers of {first} and {second} show the clips in two orders; "
                "restore the file of the device that is wrong",
                str(place),
            )


def shown(trigger: np.ndarray, place: Place, name: str) -> Spans:
    """First and last sample of each clip, from the trigger of each sample.

    Raises:
        DatasetError: for a clip that was shown twice.
    """
    at = np.flatnonzero((trigger > 0) & (np.diff(trigger, prepend=0) != 0))
    practice = np.flatnonzero(trigger[at] == PRACTICE_START)
    at = at[practice[0] :] if len(practice) else at
    code = trigger[at].astype(int)
    spans: Spans = {}
    is_start = (code[:-1] >= 10) & (code[:-1] < 10 + CLIPS) & (np.diff(code) == 90)
    for row in np.flatnonzero(is_start):
        clip = int(code[row]) - 10
        if clip in spans:
            raise DatasetError(
                f"{name}: clip {clip} starts and stops twice, at samples "
                f"{spans[clip][0]} and {at[row]}; remove the triggers of the one that "
                f"does not count",
                str(place),
            )
        spans[clip] = (int(at[row]), int(at[row + 1]))
    return spans


def _wristband(path: Place) -> np.ndarray:
    """Signal and trigger (sample, 2) of the wristband: time, value, at times a trigger.

    The program writes no header.
    """
    columns = ["time", "value", "trigger"]
    table = _csv(path, content(path), names=columns, index_col=False)
    rows = np.asarray(table, float)
    lost = np.flatnonzero(np.isnan(rows[:, 1])) if len(rows) else [0]
    if len(lost):
        raise DatasetError(
            f"line {1 + lost[0]} has no value in its second column; restore the file",
            str(path),
        )
    return np.nan_to_num(rows[:, 1:])


def _headset(path: Place) -> np.ndarray:
    """EEG in microvolts and triggers (sample, channel + 1), as DSI-Streamer writes."""
    text = content(path)
    lines = text[:20000].decode("utf-8-sig", errors="replace").lower().splitlines()
    heads = [number for number, line in enumerate(lines, 1) if line.startswith("time,")]
    if not heads:
        raise DatasetError(
            "no line begins with Time, the header of DSI-Streamer; export the "
            "recording again",
            str(path),
        )
    fields = lines[heads[0] - 1].split(",")
    fields = [field.strip().removesuffix("-pz") for field in fields]
    names = [*CHANNELS, "Trigger"]
    absent = [name for name in names if name.lower() not in fields]
    if absent:
        raise DatasetError(
            f"line {heads[0]}: no column {', '.join(absent)}; export the recording "
            f"again",
            str(path),
        )
    columns = [fields.index(name.lower()) for name in names]
    table = _csv(path, text, skiprows=heads[0], usecols=columns)
    rows = np.asarray(table[columns], float)  # in the order of CHANNELS
    lost = np.flatnonzero(np.isnan(rows).any(1))
    if len(lost):
        raise DatasetError(
            f"line {heads[0] + 1 + lost[0]} lacks values; restore the file", str(path)
        )
    return rows


def _csv(path: Place, text: bytes, **options: Any) -> pd.DataFrame:
    """Numbers of a comma-separated file, NaN where a field is empty."""
    options |= {"header": None, "dtype": float, "encoding": "utf-8-sig"}
    try:
        with warnings.catch_warnings():  # of more fields than names
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(io.BytesIO(text), skip_blank_lines=False, **options)
    except (ValueError, pd.errors.ParserWarning) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(
            f"not a table of numbers ({reason}); restore the file", str(path)
        ) from error


def windows_of(
    recordings: Mapping[str, Recording],
    number: int,
    length: float,
    place: Place,
    is_whole: bool,
) -> xr.Dataset:
    """Windows of participant ``number``, and their features by modality.

    Args:
        place: file or folder, for the errors.
        is_whole: a signal is one recording, filtered and searched at once; else each
            trial is one.
    """
    trials, notes = _durations(recordings, number, place)
    placed = {
        clip: features.place_windows(seconds, length, length)
        for clip, seconds in trials.items()
    }
    windows = part(number, placed, notes)
    if windows.sizes["window"]:
        for name, recording in recordings.items():
            table, remarks = _table(name, recording, windows, is_whole)
            windows.attrs["notes"] += [
                f"P{number:02d}: {name}{remark}" for remark in remarks
            ]
            windows.update(signal(name, table))
    return windows


def _table(
    name: str, recording: Recording, windows: xr.Dataset, is_whole: bool
) -> tuple[xr.DataArray, list[str]]:
    """Features (window, feature) of a modality, NaN in trials that it lacks; notes."""
    clips = windows["clip"].values
    times = np.stack([windows.start, windows.stop], 1)  # (window, 2)
    spans = {clip: recording.spans.get(clip, (0, 0)) for clip in clips.tolist()}
    if is_whole:
        first = np.array([spans[clip][0] for clip in clips.tolist()]) / RATES[name]
        table = _extract(name, recording.signal, times + first[:, None])
        remarks = [f": {remark}" for remark in table.attrs["notes"].splitlines()]
    else:
        tables = {
            clip: _extract(name, recording.signal[first:last], times[clips == clip])
            for clip, (first, last) in spans.items()
        }
        table = xr.concat(tables.values(), "window", combine_attrs="drop")
        remarks = [
            f", clip {clip}: {remark}"
            for clip, of_clip in tables.items()
            if clip in recording.spans
            for remark in of_clip.attrs["notes"].splitlines()
        ]
    is_present = xr.DataArray(np.isin(clips, list(recording.spans)), dims="window")
    table = table.where(is_present)
    return table.assign_coords(quality=table.quality * is_present), remarks


def _extract(name: str, values: np.ndarray, windows: np.ndarray) -> xr.DataArray:
    """Features (window, feature) of one uninterrupted signal (sample, channel)."""
    if name == "eeg":
        return features.eeg(values, RATES[name], windows)
    measure = features.eda if name == "gsr" else features.ppg
    return measure(values[:, 0], RATES[name], windows)


def _durations(
    recordings: Mapping[str, Recording], participant: int, place: Place
) -> tuple[dict[int, float], list[str]]:
    """Seconds of each trial, those that all devices have, and notes on differences.

    Raises:
        DatasetError: if there is no trial, or devices differ by more than a quarter.
    """
    table = pd.DataFrame(index=range(CLIPS), dtype=float)
    for name, (_, spans) in recordings.items():
        samples = {clip: last - first for clip, (first, last) in spans.items()}
        table[name] = pd.Series(samples, dtype=float) / RATES[name]
    table = table.dropna(how="all")  # seconds (clip, modality)
    if table.empty:
        raise DatasetError(
            f"participant {participant}: no whole trial is in here; download it again",
            str(place),
        )
    notes: list[str] = []
    for clip, lasts in table.iterrows():
        words = ", ".join(f"{name} {s:.1f} s" for name, s in lasts.dropna().items())
        if lasts.max() > 1.25 * lasts.min() + SLACK:
            raise DatasetError(
                f"participant {participant}, clip {clip}: {words}; the rates or the "
                f"files are wrong, download them again",
                str(place),
            )
        if lasts.max() - lasts.min() > SLACK:
            notes.append(
                f"P{participant:02d}: clip {clip} lasts {words}; cut to the shortest"
            )
    for name, seconds in table.items():
        notes += note(participant, f"no {name}", table.index[seconds.isna()].tolist())
    return table.min(axis=1).to_dict(), notes
