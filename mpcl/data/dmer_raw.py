"""DMER's signals: the aligned and the raw release of one participant to features of windows.

*Read* in the data descriptor or in the recording and alignment programs of its authors: the files, the rates, the
rows of ``datas.mat``, the triggers (clip k starts with k + 10 and stops with k + 100; rest is 40, practice 50; a
start counts only if its own stop comes next; everything before the first trigger 60 is trying out), that a trigger
stands in the third column of the wristband's rows and other rows have two. *Inferred*: the header of
``1_raw.csv`` is that of DSI-Streamer (a line that begins with Time, after comments), the wristband's unit is the
microsiemens, GSR and PPG have one signal row in ``datas.mat``, and channels of ``datas.mat`` stand in the order of
DSI-Streamer (their names here are numbers). Not run on the real files, which nobody here may hold.
"""

import io
import re
import warnings
import zipfile
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data import dmer_mat, features
from mpcl.data.contract import DatasetError

CLIPS, REST, PRACTICE_START = 32, 40, 60
RATES = {"eeg": 300, "gsr": 4, "ppg": 100}  # samples a second
CHANNELS = "P3 C3 F3 Fz F4 C4 P4 Cz Fp1 Fp2 T3 T5 O1 O2 F7 F8 T6 T4".split()  # DSI-24 without A1, A2, Pz
FOLDERS = {"features": "Features", "aligned": "Aligned_data", "raw": "Raw_data"}
ASK = "ask for the data at doi 10.5281/zenodo.11194571, unpack them and give the folder that holds them"
SLACK = 2.0  # s by which the devices may differ on the length of a trial


class Part(NamedTuple):
    """All windows of one participant: clip (window,), start and stop (window, 2), tables and notes."""

    participant: int
    clip: np.ndarray
    times: np.ndarray
    tables: dict  # {modality: DataArray (window, feature) with unit and quality}
    notes: list


def aligned(folder, participant, length, video=None):
    """Features of the windows of one participant from ``datas.mat`` and the clips beside it.

    Args:
        folder: holds ``datas.mat`` and ``0.mp4`` to ``31.mp4``.
        participant: number from 1 to 80.
        length: seconds of a window; windows follow one another from the first sample of a trial.
        video: None, or a function from the path of a clip to an array (second, feature) of numbers.

    Returns:
        :class:`Part`; seconds count from the start of the trial.

    Raises:
        DatasetError: naming file, modality and clip.
    """
    path = folder / "datas.mat"
    cuts, notes = _signals(path, participant)
    spans = {name: {clip: values.shape[0] / RATES[name] for clip, (_, values) in cut.items()}
             for name, cut in cuts.items()}
    trials, extra = _durations(spans, participant, path)
    windows = {clip: features.place_windows(duration, length, length) for clip, duration in trials.items()}
    starts = {clip: min(cut[clip][0] for cut in cuts.values() if clip in cut) for clip in trials}
    tables = {}
    for name, cut in cuts.items() if any(map(len, windows.values())) else ():
        none = np.full((1, len(CHANNELS) if name == "eeg" else 1), np.nan)
        tables[name] = xr.concat([
            _extract(name, cut.get(clip, (0, none))[1], windows[clip]) for clip in trials if len(windows[clip])
        ], "window")
    if video is not None and any(map(len, windows.values())):
        tables["video"], unseen = _watch(folder, windows, video)
        notes += told(participant, "no video", unseen)
    return _part(participant, trials, windows, starts, tables, notes + extra)


def raw(folder, participant, length):
    """Features of the windows of one participant from the files of the two devices.

    The whole recording is filtered and searched once, then windows are cut. EEG is as recorded (reference Pz), not
    cleaned of blinks as the aligned release is.

    Args:
        folder: holds ``<id>/raw_gsr.csv``, ``<id>/raw_ppg.csv`` and ``sub<id>/1_raw.csv`` (or ``n`` and ``subn``).
        participant: number from 1 to 80.
        length: seconds of a window; windows follow one another from the start trigger of a clip.

    Returns:
        :class:`Part`; seconds count from the start of the trial.

    Raises:
        DatasetError: naming file, line or clip.
    """
    own, sub = questionnaires_folder(folder), subfolder(folder, f"sub{folder.name}", "subn")
    signals = {"eeg": _headset(sub / "1_raw.csv")}
    signals |= {name: _wristband(own / f"raw_{name}.csv") for name in ("gsr", "ppg")}
    events = {name: _events(trigger, folder, name) for name, (_, trigger) in signals.items()}
    spans = {name: {clip: (stop - start) / RATES[name] for clip, (start, stop) in found.items()}
             for name, found in events.items()}
    trials, notes = _durations(spans, participant, folder)
    windows = {clip: features.place_windows(duration, length, length) for clip, duration in trials.items()}
    tables = {}
    for name, (values, _) in signals.items():
        known = [clip in events[name] for clip in trials for _ in windows[clip]]
        placed = [windows[clip] + events[name].get(clip, (0, 0))[0] / RATES[name] for clip in trials]
        table = _extract(name, values, np.concatenate([np.zeros((0, 2)), *placed]))
        tables[name] = table.where(xr.DataArray(known, dims="window"))
        tables[name]["quality"] = table.quality * known
    return _part(participant, trials, windows, dict.fromkeys(trials, 0.0), tables, notes)


def find(root, form):
    """``{participant: its .mat, or its folder}`` of a form, on disk or in the archive, in order of number.

    Raises:
        DatasetError: if ``root`` is neither a folder nor an archive, or an archive is damaged.
    """
    name = FOLDERS[form]
    places = [root, root / name]
    for archive in [root] if root.is_file() else [root / f"{name}.zip"]:
        if archive.is_file():
            try:
                inside = zipfile.Path(archive)
            except (zipfile.BadZipFile, OSError) as error:
                raise DatasetError(f"this is no whole archive ({error}); download it again", archive) from error
            places += [inside, inside / name]
    if not (root.is_dir() or len(places) > 2):
        raise DatasetError(f"there is no such folder or archive of DMER; {ASK}", root)
    for place in places:
        found = {}
        for entry in place.iterdir() if place.is_dir() else ():
            number = re.fullmatch(r"([1-9]\d?)" + (r"\.mat" if form == "features" else ""), entry.name)
            if number and _fits(entry, form):
                found[int(number[1])] = entry
        if found:
            return dict(sorted(found.items()))
    return {}


def _fits(entry, form):
    if form == "features":
        return entry.is_file()
    if form == "aligned":
        return (entry / "datas.mat").is_file()
    return questionnaires_folder(entry).is_dir()


def questionnaires_folder(folder):
    """The folder of a participant's questionnaires and wristband: named by the id again, or ``n``."""
    return subfolder(folder, folder.name, "n")


def subfolder(folder, *names):
    """The first of the named subfolders that exists, else what the first would be."""
    return next((folder / name for name in names if (folder / name).is_dir()), folder / names[0])


def _extract(name, values, windows):
    """Features (window, feature) of one uninterrupted signal (sample, channel)."""
    if name == "eeg":
        channels = [f"ch{number}" for number in range(1, len(CHANNELS) + 1)]
        table = features.eeg(values, RATES[name], windows, channels)
    else:
        table = {"gsr": features.eda, "ppg": features.ppg}[name](values[:, 0], RATES[name], windows)
    return table.drop_attrs().drop_vars(["start", "stop"])


def _part(participant, trials, windows, starts, tables, notes):
    clip = np.concatenate([np.zeros(0, int), *(np.full(len(windows[clip]), clip) for clip in trials)])
    times = np.concatenate([np.zeros((0, 2)), *(windows[clip] + starts[clip] for clip in trials)])
    short = [clip for clip in trials if not len(windows[clip])]
    return Part(participant, clip.astype(int), times, tables, notes + told(participant, "shorter than a window", short))


def told(participant, what, clips):
    """A list of one note on clips, or of none."""
    return [f"P{participant:02d}: {what}: clip {', '.join(map(str, clips))}"] if clips else []


def _durations(spans, participant, place):
    """Seconds of each trial, those that all devices have, and notes on where they differ."""
    trials, notes = {}, []
    for clip in range(CLIPS):
        lasts = {name: found[clip] for name, found in spans.items() if clip in found}
        if not lasts:
            continue
        least, most = min(lasts.values()), max(lasts.values())
        words = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in lasts.items())
        if most > 1.25 * least + SLACK:
            raise DatasetError(f"participant {participant}, clip {clip}: {words}; the rates or the files are wrong, "
                               f"download them again", place)
        if most - least > SLACK:
            notes.append(f"P{participant:02d}: clip {clip} lasts {words}; cut to the shortest")
        trials[clip] = least
    for name, found in spans.items():
        notes += told(participant, f"no {name}", [clip for clip in trials if clip not in found])
    notes += told(participant, "missing", [clip for clip in range(CLIPS) if clip not in trials])
    if not trials:
        raise DatasetError(f"participant {participant}: no whole trial is in here; download it again", place)
    return trials, notes


# --- aligned -------------------------------------------------------------------------------------


def _signals(path, participant):
    """``{modality: {clip: (first second, signal)}}`` of ``datas.mat``, and notes on what was not recorded."""
    found = dmer_mat.read(path, [variable for name in RATES for variable in (f"{name}_datas", f"fs_{name}")])
    cuts, notes = {}, []
    for name, rate in RATES.items():
        given = found.get(f"fs_{name}", np.array([rate]))
        if f"{name}_datas" not in found:
            raise DatasetError(f"{name}_datas is missing; unpack or download the file again", path)
        if given.size != 1 or float(given.ravel()[0]) != rate:
            raise DatasetError(f"fs_{name} is {given.ravel()[:3]}, {rate} expected; the file is another", path)
        if found[f"{name}_datas"].size:
            cuts[name] = _trials(found[f"{name}_datas"].astype(float), name, path)
        else:
            notes.append(f"P{participant:02d}: no {name} was recorded: a missing modality")
    return cuts, notes


def _trials(rows, name, path):
    """``{clip: (first second, signal (sample, channel))}`` from (channel + 2, sample)."""
    channels = len(CHANNELS) if name == "eeg" else 1
    if rows.ndim != 2 or rows.shape[0] != channels + 2:
        raise DatasetError(f"{name}_datas has the shape {rows.shape}, not ({channels + 2}, sample); the second-to-last "
                           f"row must be the video id, the last the time", path)
    clip, time = rows[-2], rows[-1]
    cuts = {}
    for first, last in runs(clip, f"{name}_datas", path, REST):
        number, marks = int(clip[first]), np.flatnonzero(time[first:last] >= 0)
        if number == REST:
            continue
        seconds = time[first:last][marks]
        bad = not len(marks) or marks[0] or (np.diff(seconds) != 1).any() or (time[first:last] < -1).any()
        if bad or not np.isfinite(time[first:last]).all() or abs(len(marks) - (last - first) / RATES[name]) >= 1:
            raise DatasetError(f"{name}_datas, clip {number}: {len(marks)} seconds are marked in {last - first} "
                               f"samples at {RATES[name]} Hz; the time row or the rate is wrong, download again", path)
        cuts[number] = (float(seconds[0]), rows[:-2, first:last].T)
    return cuts


def runs(clip, name, path, *others):
    """(first, last) row of each clip's one run in the row of video ids, all ids being 0 to 31 or ``others``."""
    wrong = np.flatnonzero(~np.isin(clip, [*range(CLIPS), *others]))
    if len(wrong):
        raise DatasetError(f"{name}, row {wrong[0]}: the video id is {clip[wrong[0]]:g}, ids run from 0 to "
                           f"{CLIPS - 1}; correct it or download again", path)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(clip)) + 1, [len(clip)]]).astype(int)
    found = [(first, last) for first, last in zip(edges[:-1], edges[1:], strict=True) if last > first]
    seen = [int(clip[first]) for first, _ in found]
    twice = [number for number in dict.fromkeys(seen) if seen.count(number) > 1]
    if twice:
        raise DatasetError(f"{name}: the rows of clip {twice[0]} lie in {seen.count(twice[0])} places, so their "
                           f"seconds are unknown; restore the order or download again", path)
    return found


def _watch(folder, windows, video):
    """The user's features of each clip (window, feature), NaN where there is none, and the clips without a film."""
    clips, unseen = {}, []
    for clip in windows:
        path = folder / f"{clip}.mp4"
        if not path.is_file():
            unseen.append(clip)
            continue
        clips[clip] = np.asarray(video(path), float)
        if clips[clip].ndim != 2 or len({rows.shape[1] for rows in clips.values()}) > 1:
            raise DatasetError(f"video= gave the shape {clips[clip].shape}; (second, feature) is needed, with as many "
                               f"features for each clip", path)
    width = next((rows.shape[1] for rows in clips.values()), 1)
    none = np.full((0, width), np.nan)
    tables = [pool_seconds(clips.get(clip, none), 0, windows[clip]) for clip in windows]
    return table(np.concatenate(tables), [f"video{number}" for number in range(1, width + 1)], "1"), unseen


def pool_seconds(rows, first, windows):
    """Mean of rows (second, feature), row 0 being second ``first``, within each window (window, 2); NaN if none."""
    second = first + np.arange(len(rows)) + 0.5
    inside = (second >= windows[:, :1]) & (second < windows[:, 1:])  # (window, second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # mean of nothing
        means = [np.nanmean(rows[row], 0) if row.any() else np.full(rows.shape[1], np.nan) for row in inside]
    return np.stack(means) if means else np.zeros((0, rows.shape[1]))


def table(values, names, units):
    """A table of features as :mod:`mpcl.data.features` makes them; quality is the share of numbers that are there."""
    units = [units] * len(names) if isinstance(units, str) else units
    return xr.DataArray(values, dims=("window", "feature"), coords={
        "feature": names, "unit": ("feature", units), "quality": ("window", np.isfinite(values).mean(1))})


# --- raw -----------------------------------------------------------------------------------------


def _events(trigger, place, name):
    """``{clip: (start, stop)}`` in samples, from the trigger of each sample (0 for none)."""
    at = np.flatnonzero((trigger > 0) & (np.diff(trigger, prepend=0) != 0))
    code = trigger[at].astype(int)
    begun = np.flatnonzero(code == PRACTICE_START)
    at, code = (at[begun[0]:], code[begun[0]:]) if len(begun) else (at, code)
    found = {}
    for row in np.flatnonzero((code[:-1] >= 10) & (code[:-1] < 10 + CLIPS) & (np.diff(code) == 90)):
        clip = int(code[row]) - 10
        if clip in found:
            raise DatasetError(f"{name}: clip {clip} starts and stops twice, at samples {found[clip][0]} and "
                               f"{at[row]}; remove the triggers of the one that does not count", place)
        found[clip] = (int(at[row]), int(at[row + 1]))
    return found


def _wristband(path):
    """Signal (sample, 1) and trigger (sample,) of a file of the wristband: time, value, and sometimes a trigger."""
    content = dmer_mat.content(path)
    header = int(bool(re.match(rb"(\xef\xbb\xbf)?[A-Za-z]", content)))  # the program writes none; one is passed over
    rows = _csv(path, content, names=["time", "value", "trigger"], index_col=False, skiprows=header)
    lost = np.flatnonzero(rows["value"].isna()) if len(rows) else [0]
    if len(lost):
        raise DatasetError(f"line {1 + header + lost[0]} has no value in its second column; restore the file", path)
    return rows[["value"]].to_numpy(float), rows["trigger"].fillna(0).to_numpy(float)


def _headset(path):
    """EEG (sample, channel) in microvolts and trigger (sample,) of a file of DSI-Streamer."""
    content = dmer_mat.content(path)
    lines = content[:20000].decode("utf-8-sig", errors="replace").splitlines()
    start = next((number for number, line in enumerate(lines) if line.lower().startswith("time,")), None)
    if start is None:
        raise DatasetError("no line begins with Time, the header of DSI-Streamer; export the recording again", path)
    names = {name.strip().removesuffix("-Pz").lower(): place for place, name in enumerate(lines[start].split(","))}
    wanted = [*CHANNELS, "Trigger"]
    absent = [name for name in wanted if name.lower() not in names]
    if absent:
        raise DatasetError(f"line {start + 1}: no column {', '.join(absent)}; export the recording again", path)
    columns = [names[name.lower()] for name in wanted]
    rows = _csv(path, content, skiprows=start + 1, usecols=columns)[columns]
    lost = np.flatnonzero(rows.isna().any(axis=1))
    if len(lost):
        raise DatasetError(f"line {start + 2 + lost[0]} lacks values; restore the file", path)
    return rows[columns[:-1]].to_numpy(float), rows[columns[-1]].to_numpy(float)


def _csv(path, content, **options):
    """Numbers of a comma-separated file, NaN where a field is empty."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more fields than names
            options |= {"header": None, "dtype": float, "skip_blank_lines": False, "encoding": "utf-8-sig"}
            rows = pd.read_csv(io.BytesIO(content), **options)
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise DatasetError(f"not a table of numbers ({str(error).splitlines()[0]}); restore the file", path) from error
    return rows
