"""DMER (Yang et al., Scientific Data 11:847, 2024): the released files in, the data contract out.

DMER is given on request to those who sign an agreement, and nobody here may hold it: **this reader has never been
run on the real files**, but on files laid down by hand and by a writer from their published description. One real
excerpt is public, and :func:`open_sample` is tested on it. What is *read* in a source (the data descriptor, the
programs of its authors) and what is *inferred* is said at each place; the signals are in :mod:`mpcl.data.dmer_raw`.

Three forms were released (*read*), and any is enough together with the ratings:

* ``features`` (Features.zip): ``<id>.mat`` with ``feas`` (n, 913), a row a second from the fifth second of a trial on,
  and the video id of each row in ``vids``;
* ``aligned`` (Aligned_data.zip): ``<id>/datas.mat`` with the signals of all trials, and the clips of the face;
* ``raw`` (Raw_data.zip): ``<id>/<id>/`` with questionnaires and wristband, ``<id>/sub<id>/`` with the EEG.

**The ratings** lie in the raw release only, ``<id>/<id>/Panas.csv``: the video id and ten answers a line, lines in the
order of presentation. Labels are rating / sum of the ten, joined on the video id. A trial is a clip: 0-7 positive,
8-15 negative, 16-31 mixed, which is its ``condition``. EEG, GSR and PPG are physiological, the face is behavioural.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from mpcl import __version__
from mpcl.data import contract, dmer_mat, dmer_raw, features, labels
from mpcl.data.contract import DatasetError
from mpcl.data.dmer_questionnaires import EMOTIONS, POSITIVE, panas_file, questionnaires, top_of_scale
from mpcl.data.dmer_raw import ASK, CLIPS, FOLDERS, Part, find

BANDS = "delta theta alpha beta gamma".split()
COLUMNS = {"eeg": (0, 90), "gsr": (90, 118), "ppg": (118, 145), "video": (145, 913)}  # of feas
LENGTH = {"features": 5.0, "aligned": 10.0, "raw": 10.0}  # s of a window
SKIPPED = 4  # s at the start of a trial without a row of features: each looks back over five seconds
PARTICIPANTS = [number for number in range(1, 81) if number not in (3, 4, 13, 16, 17, 27, 31)]
SAMPLE = "data_feature_sample.mat"
LICENCE = "on request, with a signed agreement; academic use only; no redistribution"
CITATION = ("Yang, Liu, Liu, Shu, Ji, Ren, Sheng, Yu, Yi, Zhang, Liu: A Multimodal Dataset for Mixed Emotion "
            "Recognition, Scientific Data 11:847, 2024, doi 10.1038/s41597-024-03676-4")


def open_dmer(root, form=None, ratings=None, pool=None, video=None, scale=None, missing="error", progress=None):
    """Load DMER from one of its released forms.

    Args:
        root: the folder that holds ``Features``, ``Aligned_data`` or ``Raw_data`` or their contents, or the ``.zip``
            files, which are read packed.
        form: ``features``, ``aligned`` or ``raw``; by default the first of them that is there.
        ratings: the folder of the raw release, for its ``Panas.csv`` files; by default looked for in ``root``.
        pool: seconds of a window; by default 5 for features (a row looks back over five seconds, so rows in between
            add little but size) and 10 for signals (shorter ones hold too few heart beats). What is left over at the
            end of a trial is dropped. ``pool=1`` keeps each row of features.
        video: for the aligned form, a function from the path of a clip (mp4) to numbers (second, feature). Without
            it, the released features of the face (LBP-TOP) are taken where the features form lies beside, else the
            face is a missing modality.
        scale: ``1-5`` or ``1-9``; by default told from the answers. The descriptor says 1-9, its program 1-5.
        missing: a clip without answers is an ``error``, or its trial is left out (``drop``).
        progress: True or False for a bar or silence; by default a bar on a terminal.

    Returns:
        :class:`xarray.Dataset` that follows the contract; ``rating`` and ``position (window)``, the place of the
        clip in the order of presentation, are in it. ``start`` and ``stop`` count from the start of the *trial*.

    Raises:
        DatasetError: naming file, line or clip, and what to do.

    Example:
        >>> open_dmer("no/such/folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: no/such/folder: there is no such folder or archive of DMER; ask for ...
    """
    for given, known in ((form, (None, *FOLDERS)), (scale, (None, "1-5", "1-9")), (missing, ("error", "drop"))):
        if given not in known:
            raise DatasetError(f"unknown choice {given!r}; choose {', '.join(filter(None, known))}", "dmer")
    root = Path(root)
    here = {kind: find(root, kind) for kind in FOLDERS}
    form = form or next((kind for kind in FOLDERS if here[kind]), None)
    if not here.get(form):
        what = f"the {form} form" if form else "any released form"
        raise DatasetError(f"{what} of DMER is not in here; {ASK}", root)
    length = float(LENGTH[form] if pool is None else pool)
    if not length >= 1:
        raise DatasetError(f"pool must be at least one second, not {length:g}", "dmer")
    if video is not None and form != "aligned":
        raise DatasetError("video= needs the aligned form, whose films are cut into clips", "dmer")
    asked = questionnaires(root if ratings is None else ratings, here[form], missing, ["panas"])
    top, notes = top_of_scale(asked.panas, scale)
    parts = []
    for number in tqdm(here[form], desc="dmer", disable=None if progress is None else not progress):
        parts.append(_participant(form, here[form][number], number, length, video, here["features"].get(number)))
    if not any(len(part.clip) for part in parts):
        raise DatasetError(f"no trial is as long as a window of {length:g} s", root)
    dataset = _join(parts, asked)
    dataset["distribution"] = labels.distribution(dataset["rating"], ceiling=top).transpose("window", "emotion")
    notes += asked.attrs["notes"] + [note for part in parts for note in part.notes] + _absent(here[form])
    dataset.attrs = _attributes("dmer", notes, rating_scale=f"1-{top}", features=form, window_seconds=length)
    return contract.check(dataset)


def _attributes(name, notes, **more):
    return {"dataset": name, "licence": LICENCE, "citation": CITATION, "created_by": f"mpcl {__version__}",
            "contract_version": contract.CONTRACT_VERSION, "label_recipe": "rating / sum of ten",
            "notes": "\n".join(notes), **more}


def _absent(found):
    absent = [f"{number}" for number in PARTICIPANTS if number not in found]
    other = [f"{number}" for number in found if number not in PARTICIPANTS]
    which = f"participants not in this folder: {', '.join(absent)}"
    which = which if len(absent) <= 10 else f"{len(absent)} of {len(PARTICIPANTS)} participants are not in this folder"
    return [which] * bool(absent) + [f"not among the released participants: {', '.join(other)}"] * bool(other)


def _participant(form, place, number, length, video, faces):
    """All windows of one participant; the released features of the face are lent to the forms without."""
    if form == "features":
        return _features(place, number, length)
    part = dmer_raw.raw(place, number, length) if form == "raw" else dmer_raw.aligned(place, number, length, video)
    if "video" in part.tables or not len(part.clip):
        return part
    if faces is None:
        part.notes.append(f"P{number:02d}: no features of the face: give video=, or the features form beside")
        return part
    rows, (low, high) = _rows(faces), COLUMNS["video"]
    none = np.zeros((0, high - low))
    values = [dmer_raw.pool_seconds(rows[clip][:, low:high] if clip in rows else none, SKIPPED, times[None])
              for clip, times in zip(part.clip, part.times, strict=True)]
    part.tables["video"] = dmer_raw.table(np.concatenate(values), _names("video"), "1")
    return part


def check_root(root):
    """Say which forms of DMER lie in a folder, and what is missing.

    Args:
        root: the folder of the user.

    Returns:
        list of str, one a finding; the files are found, not read.

    Raises:
        DatasetError: if there is no such folder, or an archive is damaged.

    Example:
        >>> import tempfile
        >>> check_root(tempfile.mkdtemp())[0].split(";")[0]
        'no released form of DMER is in here'
    """
    root, told = Path(root), []
    for form, name in FOLDERS.items():
        found = find(root, form)
        if found:
            told += [f"{form} ({name}): {len(found)} of {len(PARTICIPANTS)} participants"]
            told += [f"{form}: {words}" for words in _absent(found)]
            if form == "aligned":
                clips = sum((place / f"{clip}.mp4").is_file() for place in found.values() for clip in range(CLIPS))
                told.append(f"aligned: {clips} of {CLIPS * len(found)} clips of the face")
    if not told:
        return [f"no released form of DMER is in here; {ASK}"]
    rated = [place for place in find(root, "raw").values() if panas_file(place).is_file()]
    told.append(f"ratings (Panas.csv): {len(rated)} participants"
                + ("" if rated else "; they are in the raw release, without them there are no labels"))
    return told


# --- features ------------------------------------------------------------------------------------


def _names(modality):
    low, high = COLUMNS[modality]
    if modality == "eeg":  # channel by channel, read in the descriptor; the authors' program goes band by band: check
        return [f"ch{1 + place // 5}_{BANDS[place % 5]}" for place in range(high - low)]
    return [f"{'lbptop' if modality == 'video' else modality}{1 + place}" for place in range(high - low)]


def _features(path, number, length):
    """Windows of one participant from the released features."""
    rows, short, tables, clips, times = _rows(path), [], {name: [] for name in COLUMNS}, [], []
    notes = dmer_raw.told(number, "missing", [clip for clip in range(CLIPS) if clip not in rows])
    for clip in sorted(rows):
        windows = features.place_windows(len(rows[clip]), length, length) + SKIPPED
        if not len(windows):
            short.append(clip)
            continue
        means = dmer_raw.pool_seconds(rows[clip], SKIPPED, windows)
        for name, (low, high) in COLUMNS.items():
            tables[name].append(means[:, low:high])
        clips += [clip] * len(windows)
        times.append(windows)
    notes += dmer_raw.told(number, "shorter than a window", short)
    units = {"eeg": "nat", "gsr": "a.u.", "ppg": "a.u.", "video": "1"}
    if not clips:
        return Part(number, np.zeros(0, int), np.zeros((0, 2)), {}, notes)
    tables = {name: dmer_raw.table(np.concatenate(values), _names(name), units[name])
              for name, values in tables.items()}
    return Part(number, np.array(clips), np.concatenate(times), tables, notes)


def _rows(path):
    """``{clip: features (second, 913)}`` of one participant."""
    found = dmer_mat.read(path, ("feas", "vids"))
    absent = [name for name in ("feas", "vids") if name not in found]
    if absent:
        raise DatasetError(f"the variable {absent[0]} is missing; unpack or download the file again", path)
    rows, clip, width = found["feas"].astype(float), found["vids"].astype(float).ravel(), COLUMNS["video"][1]
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise DatasetError(f"feas has the shape {rows.shape}, not (second, {width}); the file is another form", path)
    if len(clip) != len(rows):
        raise DatasetError(f"feas has {len(rows)} rows, vids {len(clip)}; unpack or download the file again", path)
    if np.isinf(rows).any():
        row, column = np.argwhere(np.isinf(rows))[0]
        raise DatasetError(f"feas is infinite in row {row}, column {column}; download the file again", path)
    return {int(clip[first]): rows[first:last] for first, last in dmer_raw.runs(clip, "vids", path)}


def _join(parts, asked):
    """All participants along ``window``, with the answers to their clips; unanswered trials are left out."""
    count = [len(part.clip) for part in parts]
    number, clip = np.repeat([part.participant for part in parts], count), np.concatenate([part.clip for part in parts])
    where = {"participant": xr.DataArray(number, dims="window"), "clip": xr.DataArray(clip, dims="window")}
    condition = np.select([clip < 8, clip < 16], ["positive", "negative"], "mixed")
    times = np.concatenate([part.times for part in parts])
    joined = xr.Dataset(
        {"rating": (("window", "emotion"), asked.panas.sel(where).values)},
        coords={
            "participant": ("window", np.array([f"P{one:02d}" for one in number], object)),
            "trial": ("window", np.array([f"P{a:02d}-c{b:02d}" for a, b in zip(number, clip, strict=True)], object)),
            "condition": ("window", condition.astype(object)),
            "clip": ("window", np.array([f"c{one:02d}" for one in clip], object)),
            "position": ("window", asked.position.sel(where).values),
            "start": ("window", times[:, 0]),
            "stop": ("window", times[:, 1]),
            **_emotions(),
        })
    for name in COLUMNS:  # a modality that nobody has keeps its place, as one column of NaN
        model = next((part.tables[name] for part in parts if name in part.tables), None)
        names, units = (["none"], ["1"]) if model is None else (model.feature.values, model.unit.values)
        none = dmer_raw.table(np.full((1, len(names)), np.nan), names, units)
        rows = [part.tables.get(name, none.isel(window=np.zeros(len(part.clip), int))) for part in parts]
        _add(joined, name, xr.concat([row for row in rows if row.sizes["window"]], "window", join="exact"), "DMER")
    return joined.isel(window=np.flatnonzero(joined.rating.notnull().all("emotion")))


def _emotions():
    valence = [1 if emotion in POSITIVE else -1 for emotion in EMOTIONS]
    return {"emotion": np.array(EMOTIONS, object), "valence": ("emotion", valence)}


def _add(dataset, name, table, source):
    """Add a modality to a data set, with its quality, names and units."""
    feature = f"{name}_feature"
    dataset[name] = (("window", feature), table.values)
    dataset[name].attrs = {"branch": "behavioural" if name == "video" else "physiological", "source": source}
    dataset[f"{name}_quality"] = ("window", np.nan_to_num(table.quality.values))
    dataset.coords[feature] = (feature, table.feature.values.astype(object))
    dataset.coords[f"{name}_unit"] = (feature, table.unit.values.astype(object))


# --- the public sample ---------------------------------------------------------------------------


def open_sample(root):
    """Open the one public excerpt of DMER: 875 seconds of one participant, as published with EmotionDict.

    *Read* in EmotionDict's extraction program: the rows are seconds in random order, split 4 : 1 at random, so the
    split **leaks** and is only kept as ``split_published``; logarithms to base 2 of the power in four bands of EEG (18
    channels), GSR and PPG; 32 means of a face network. *Inferred*: clips are not told, so a ``trial`` (and ``clip``)
    is a group of seconds with the very same label, ``L01`` to ``L22``. It is one clip or several that were rated
    alike, never part of one, so trials held out by these groups do not leak. ``start`` counts the rows of a group:
    the true times are lost. The scale 1-5 is inferred too: divided by the smallest, labels are whole numbers to 5.

    Args:
        root: the file ``data_feature_sample.mat``, or its folder.

    Returns:
        :class:`xarray.Dataset` that follows the contract.

    Raises:
        DatasetError: if the file is missing, damaged or another.

    Example:
        >>> open_sample("no/such/folder")
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: no/such/folder/data_feature_sample.mat: the file is missing; give its folder
    """
    root = Path(root)
    path = next((place for place in (root, root / "dmer_sample" / SAMPLE) if place.is_file()), root / SAMPLE)
    if not path.is_file():
        raise DatasetError("the file is missing; give its folder", path)
    joined, split = _sample_arrays(path)
    _, group = np.unique(joined["label"].round(9), axis=0, return_inverse=True)
    trial = np.array([f"L{1 + one:02d}" for one in group.ravel()], object)
    start = np.zeros(len(trial))
    for one in set(trial):
        start[trial == one] = np.arange((trial == one).sum())
    coords = {name: ("window", np.full(len(trial), value, object))
              for name, value in (("participant", "sample"), ("condition", "unknown"))}
    dataset = xr.Dataset({"distribution": (("window", "emotion"), joined["label"])}, coords=coords | {
        "trial": ("window", trial), "clip": ("window", trial.copy()), "start": ("window", start),
        "stop": ("window", start + 1), "split_published": ("window", split), **_emotions()})
    for name in COLUMNS:
        bands = BANDS[1:] if name == "eeg" else range(1, 5)
        names = [f"ch{channel}_{band}" for channel in range(1, 19) for band in bands] if name == "eeg" else [
            f"{name}{place}" for place in range(1, 1 + joined[name].shape[1])]
        values = joined[name]
        _add(dataset, name, dmer_raw.table(values, names, "a.u." if name == "video" else "log2(a.u.)"), "EmotionDict")
    dataset.attrs = _attributes("dmer-sample", [
        "trials are groups of the very same label (inferred); start counts rows, the times are not known",
        "split_published was drawn over seconds at random: seconds of one clip are on both sides, which leaks",
    ], rating_scale="1-5", features="emotiondict", window_seconds=1.0)
    return contract.check(dataset)


def _sample_arrays(path):
    """``{modality or label: (row, column)}``, training rows first, and which split each row was in."""
    shapes = {"eeg": (18, 4), "gsr": (1, 4), "ppg": (1, 4), "video": (32,), "label": (10,)}
    found = dmer_mat.read(path, [f"{part}_{name}" for part in ("train", "test") for name in shapes])
    for key in (f"{part}_{name}" for part in ("train", "test") for name in shapes):
        part, name = key.split("_")
        rows = len(found.get(f"{part}_label", ()))
        if key not in found or found[key].shape != (rows, *shapes[name]) or not np.isfinite(found[key]).all():
            raise DatasetError(f"{key} is missing or not of the shape (row, {shapes[name]}); download it again", path)
    split = np.repeat(["train", "test"], [len(found["train_label"]), len(found["test_label"])]).astype(object)
    joined = {name: np.concatenate([found["train_" + name], found["test_" + name]]) for name in shapes}
    return {name: rows.astype(float).reshape(len(split), -1) for name, rows in joined.items()}, split
