"""WESAD (Schmidt et al., ICMI 2018): the official files in, the data contract out.

Each participant has a pickle with the signals and a label vector, and a questionnaire filled in after
each of five conditions. The label vector cuts the signals into trials, the trials into windows; the
windows of a trial share the one report that was given after it.

Branches: what a person can steer and others can see is *behavioural* - the motion of wrist and trunk,
and the trapezius muscle (EMG), which follows posture and gesture; what the autonomic nervous system
drives is *physiological*. This split is *our reading*: WESAD has no face or voice.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from tqdm import tqdm

from mpcl import __version__
from mpcl.data import checksums, contract, features, labels, wesad_pickle, wesad_questionnaires, wesad_table, windowing
from mpcl.data.contract import DatasetError
from mpcl.data.wesad_questionnaires import CONDITIONS, PANAS, POSITIVE, STRESS_ONLY, participants, questionnaires

RECIPES = {
    "all24": [item for item in PANAS if item not in STRESS_ONLY],
    "all26": PANAS,
    "panas20": PANAS[:20],
    "dmer9": "Inspired Alert Excited Enthusiastic Determined Afraid Nervous Scared Distressed".split(),
}
SHARP = 0.05
CODE = {"baseline": 1, "stress": 2, "amusement": 3, "meditation1": 4, "meditation2": 4}  # in the label vector
LABEL_RATE = 700
LARGEST = 1e6  # no sensor here gives more, in any unit; bytes in the wrong order do
PARTICIPANTS = [f"S{number}" for number in range(2, 18) if number != 12]
DOUBTFUL = {
    "S2": "chest temperature unreliable",
    "S17": "chest temperature unreliable",
    "S6": "stress manipulation doubtful",
    "S15": "stress manipulation doubtful",
}
LICENCE = "scientific, non-commercial use, with credit to the authors; no redistribution"
CITATION = (
    "Schmidt, Reiss, Duerichen, Marberger, Van Laerhoven: Introducing WESAD, ICMI 2018, doi 10.1145/3242969.3242985"
)


class Channel(NamedTuple):
    """Where a modality lies in the pickle and how its features are made."""

    device: str
    key: str
    rate: float  # samples a second
    extract: object
    branch: str
    scale: float = 1.0  # to the unit that ``extract`` expects


CHANNELS = {
    "wrist_bvp": Channel("wrist", "BVP", 64, features.ppg, "physiological"),
    "wrist_eda": Channel("wrist", "EDA", 4, features.eda, "physiological"),
    "wrist_temp": Channel("wrist", "TEMP", 4, features.temperature, "physiological"),
    "wrist_acc": Channel("wrist", "ACC", 32, features.acceleration, "behavioural", 1 / 64),
    "chest_ecg": Channel("chest", "ECG", 700, features.ecg, "physiological"),
    "chest_eda": Channel("chest", "EDA", 700, features.eda, "physiological"),
    "chest_temp": Channel("chest", "TEMP", 700, features.temperature, "physiological"),
    "chest_resp": Channel("chest", "RESP", 700, features.respiration, "physiological"),
    "chest_emg": Channel("chest", "EMG", 700, features.emg, "behavioural"),
    "chest_acc": Channel("chest", "ACC", 700, features.acceleration, "behavioural"),
}
SHAKEN = ("bvp", "eda")  # their quality is multiplied by the share of seconds without motion


def load(root, recipe="all24", conditions=None, window=None, step=None, missing="drop", cache=None, progress=None,
         features="signals", table=None):  # fmt: skip
    """Load WESAD from its official files.

    Args:
        root: the folder that holds ``S2/S2.pkl``, ``S2/S2_quest.csv`` and so on; some participants suffice. A file
            that ``SHA256SUMS`` in this folder records must be the one it records.
        recipe: ``all24``, ``all26``, ``panas20`` or ``dmer9``, each also with ``-sharp`` behind it.
        conditions: ``five`` (the default) or ``three`` (without the meditations).
        window: seconds of a window (60 by default); step: seconds from one window to the next (30 by default).
        missing: a report with an unanswered item is left out (``drop``) or filled in (``floor``,
            ``participant_median``: see :func:`mpcl.data.labels.impute`).
        cache: folder for the features, one file a participant; by default ``MPCL_CACHE`` or
            ``data/derived``; False for none.
        progress: a function called with (participants done, all, name); True or False for a bar or
            silence; by default a bar on a terminal.
        features: ``signals``, or ``table159`` for the third-party table (:mod:`mpcl.data.wesad_table`), which has
            three conditions and windows of 30 s; the pickles are not needed then.
        table: the folder of that table, ``table159`` inside ``root`` by default.

    Returns:
        :class:`xarray.Dataset` that follows the contract, ``rating`` and ``doubtful (window)`` in it.

    Raises:
        DatasetError: in one sentence that names file, place and remedy.

    Example:
        >>> load("no/such/folder")
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: no/such/folder: there is no such folder; give the one that holds S2/S2.pkl
    """
    conditions, window, step = _choices(recipe, conditions, window, step, missing, features)
    root = Path(root)
    names = participants(root)
    folder = _cache_folder(cache, root)
    asked = questionnaires(root)
    rating, notes = _ratings(asked, str(recipe).removesuffix("-sharp"), CONDITIONS[conditions], missing)
    parts = []
    with tqdm(names, desc="wesad", disable=(None if progress is None else progress is not True)) as bar:
        for done, name in enumerate(bar):  # one participant in memory at a time, then its features alone
            order = list(asked.condition.values[np.argsort(asked.position.sel(participant=name).values)])
            if features == "table159":
                parts.append(wesad_table.read(table or root / "table159", name, order))
            else:
                parts.append(_participant(root, name, order, window, step, folder))
            if callable(progress):
                progress(done + 1, len(names), name)
    dataset = _join(parts, rating)
    if not dataset.sizes["window"]:
        raise DatasetError(f"no trial with an answered report is as long as a window of {window:g} s", root)
    share = labels.distribution(dataset["rating"], epsilon=SHARP if recipe.endswith("-sharp") else None)
    dataset["distribution"] = share.transpose("window", "emotion")
    dataset.attrs = _attributes(parts, names, notes)
    dataset.attrs |= {"label_recipe": recipe, "conditions": conditions, "features": features}
    dataset.attrs |= {"window_seconds": window, "step_seconds": step}
    return contract.check(dataset)


def _choices(recipe, conditions, window, step, missing, features):
    """Conditions, window and step, as chosen or by default."""
    table = features == "table159"
    conditions = conditions or ("three" if table else "five")
    for given, choices in (
        (str(recipe).removesuffix("-sharp"), RECIPES),
        (conditions, CONDITIONS),
        (features, ("signals", "table159")),
        (missing, ("drop", *labels.IMPUTATIONS)),
    ):
        if str(given) not in choices:
            raise DatasetError(f"unknown choice {given!r}; choose {', '.join(choices)}", "wesad")
    if table and conditions != "three":
        raise DatasetError("the third-party table has no meditation; choose the conditions 'three'", "wesad")
    if table and not (window in (None, 30) and step in (None, 30)):
        raise DatasetError("the third-party table has windows of 30 s; leave out window and step", "wesad")
    window, step = (30.0 if table else 60.0) if window is None else window, 30.0 if step is None else step
    if not (window > 0 and step > 0):
        raise DatasetError(f"window and step must be positive seconds, not {window:g} and {step:g}", "wesad")
    return conditions, float(window), float(step)


def _attributes(parts, names, notes):
    devices = {}
    for part in parts:
        devices.setdefault(part.attrs["device"], []).append(part.attrs["participant"])
    told = [f"{device}: {', '.join(who)}" for device, who in devices.items()]
    absent = [name for name in PARTICIPANTS if name not in names]
    told += [f"participants not in this folder: {', '.join(absent)}"] if absent else []
    told += [note for part in parts for note in part.attrs["notes"].splitlines()] + notes
    told += [f"{name}: {DOUBTFUL[name]} (flagged in 'doubtful', kept)" for name in names if name in DOUBTFUL]
    return {
        "dataset": "wesad",
        "licence": LICENCE,
        "citation": CITATION,
        "rating_scale": "1-5",
        "created_by": f"mpcl {__version__}",
        "contract_version": contract.CONTRACT_VERSION,
        "notes": "\n".join(told),
    }


# --- reports -------------------------------------------------------------------------------------


def _ratings(asked, base, conditions, missing):
    """Ratings (report, emotion) by the recipe, and a note on each report with unanswered items."""
    panas = asked.panas.sel(condition=conditions).rename(panas_item="emotion")
    unasked = panas.emotion.isin(STRESS_ONLY) & (panas.condition != "stress")
    rating = panas.where(~unasked, 1.0).sel(emotion=RECIPES[base])
    rating = rating.stack(report=("participant", "condition"), create_index=False).transpose("report", "emotion")
    verb = "left out" if missing == "drop" else f"filled in ({missing})"
    notes = []
    for report in rating.isel(report=np.flatnonzero(rating.isnull().any("emotion"))).transpose("report", "emotion"):
        items = ", ".join(report.emotion.values[report.isnull().values])
        notes.append(f"{report.participant.item()}: report on {report.condition.item()} {verb}, {items} not answered")
    if missing == "drop":
        return rating.isel(report=np.flatnonzero(rating.notnull().all("emotion"))), notes
    return labels.impute(rating, missing), notes


# --- signals -------------------------------------------------------------------------------------


def _participant(root, name, order, window, step, cache):
    """Features of all windows of one participant, from the cache if the very same were made before."""
    path = root / name / f"{name}.pkl"
    if not path.is_file():
        raise DatasetError("the file is missing; unpack WESAD.zip once more", path)
    sources = [checksums.verify(source, root) for source in (path, root / name / f"{name}_quest.csv")]
    if cache is None:
        return _extract(path, name, order, window, step)
    modules = (features, windowing, wesad_pickle, wesad_questionnaires)
    code = [Path(module.__file__) for module in modules] + [Path(__file__)]
    libraries = [version(library) for library in ("numpy", "scipy", "neurokit2")]
    key = sources + [checksums.sha256(file) for file in code] + libraries + [repr((window, step))]
    kept = cache / f"wesad-{name}-{hashlib.sha256(' '.join(key).encode()).hexdigest()[:16]}.nc"
    try:
        part = xr.load_dataset(kept, engine="h5netcdf")
        if part.attrs["fingerprint"] == contract.fingerprint(part):
            return part
    except Exception:  # absent or damaged, in whatever way: made anew
        pass
    part = _extract(path, name, order, window, step)
    part.attrs["fingerprint"] = contract.fingerprint(part)
    contract.write_netcdf(part, kept)
    return part


def _extract(path, name, order, window, step):
    """Features (window, <modality>_feature) and quality (window) of one participant, from the pickle."""
    trials, signals, device, notes = _signals(path, name, order)
    places = {trial: features.place_windows(stop - start, window, step) for trial, (start, stop) in trials.items()}
    notes += [f"{name}: {trial} is shorter than a window" for trial, cut in places.items() if not len(cut)]
    places = {trial: cut for trial, cut in places.items() if len(cut)}
    times = np.concatenate([np.zeros((0, 2)), *(trials[trial][0] + cut for trial, cut in places.items())])
    part = xr.Dataset(
        coords={
            "condition": ("window", np.array([trial for trial, cut in places.items() for _ in cut], object)),
            "start": ("window", times[:, 0]),
            "stop": ("window", times[:, 1]),
        },
        attrs={"participant": name, "device": device},
    )
    for modality in [modality for modality in CHANNELS if modality in signals and places]:
        table, told = _tabulate(modality, signals, places)
        notes += [f"{name}: {note}" for note in told]
        feature = f"{modality}_feature"
        part[modality] = (("window", feature), table.values)
        part[f"{modality}_quality"] = ("window", table.quality.values)
        part[feature] = (feature, table.feature.values.astype(object))
        part = part.assign_coords({f"{modality}_unit": (feature, table.unit.values.astype(object))})
    part.attrs["notes"] = "\n".join(notes)
    return part


def _tabulate(modality, signals, places):
    """Features of all trials of one modality (window, feature), and notes on what failed where."""
    channel = CHANNELS[modality]
    tables, notes = [], []
    for trial, cut in places.items():
        values = signals[modality][trial]
        table = channel.extract(values * channel.scale, channel.rate, cut)
        moving = f"{channel.device}_acc"
        if modality.endswith(SHAKEN) and moving in signals and np.isfinite(signals[moving][trial]).any():
            motion = CHANNELS[moving]
            table["quality"] = table.quality * features.still(signals[moving][trial] * motion.scale, motion.rate, cut)
        lost = ~np.isfinite(values).reshape(len(values), -1).all(1) if len(values) else np.ones(1, bool)
        if lost.any():
            notes.append(f"{modality}, {trial}: {100 * lost.mean():.3g} % of the samples are not numbers")
        notes += [f"{modality}, {trial}: {note}" for note in table.attrs["notes"].splitlines() if not lost.all()]
        tables.append(table.drop_attrs())
    if all("100 %" in note for note in notes) and len(notes) == len(places):
        notes = [f"{modality} is NaN throughout: a missing modality"]
    return xr.concat(tables, "window"), notes


def _signals(path, name, order):
    """The trials of a pickle ({name: (start, stop) in seconds}), their signals, the device and notes.

    The signals are ``{modality: {trial: (sample,) or (sample, 3)}}``, cut before anything else is done.
    """
    record = wesad_pickle.read(path)
    signal, label = (record.get(key) if isinstance(record, dict) else None for key in ("signal", "label"))
    if not isinstance(signal, dict) or not isinstance(label, np.ndarray) or label.ndim != 1:
        raise DatasetError("the pickle lacks 'signal' or 'label' (sample,); download the file again", path)
    if record.get("subject") != name:
        raise DatasetError(
            f"the pickle is about {record.get('subject')!r}, the folder about {name}; unpack again", path
        )
    trials = _trials(label, order, path)
    devices = [device for device in ("chest", "wrist") if isinstance(signal.get(device), dict) and signal[device]]
    if not devices or set(signal) - set(devices):
        raise DatasetError(
            f"signals of {', '.join(signal) or 'no device'}; 'wrist' or 'chest' with 'wrist' needed", path
        )
    notes, cut = [], {}
    for device in devices:
        present = {key.upper(): signal[device].pop(key) for key in list(signal[device])}
        known = {channel.key: modality for modality, channel in CHANNELS.items() if channel.device == device}
        if set(present) - set(known):
            raise DatasetError(
                f"unknown {device} channel {', '.join(sorted(set(present) - set(known)))}; download again", path
            )
        notes += [
            f"{name}: no {device} {key} in the pickle: {known[key]} is missing"
            for key in sorted(set(known) - set(present))
        ]
        for key in sorted(present):
            cut[known[key]] = _cut(present.pop(key), known[key], len(label) / LABEL_RATE, trials, path)
    return trials, cut, " and ".join(devices) + " alone" * (len(devices) == 1), notes


def _cut(values, modality, duration, trials, path):
    """The trials of one channel, after its shape, kind and rate were checked."""
    rate, axes = CHANNELS[modality].rate, 3 if modality.endswith("acc") else 1
    if not isinstance(values, np.ndarray) or not values.ndim or values.dtype.kind not in "fiu":
        raise DatasetError(f"{modality} holds no numbers; download the file again", path)
    if values.size != len(values) * axes or values.shape[1:] not in ((axes,), ()):
        raise DatasetError(f"{modality} has the shape {values.shape}, not (sample, {axes}); download again", path)
    if abs(len(values) / rate - duration) > 1:
        raise DatasetError(
            f"{modality} lasts {len(values) / rate:.1f} s at {rate:g} Hz, the labels {duration:.1f} s; "
            f"the rates or the file are wrong: download it again",
            path,
        )
    values = values if axes == 3 else values.ravel()
    bounds = {
        trial: slice(int(np.ceil(start * rate - 1e-6)), int(stop * rate + 1e-6))
        for trial, (start, stop) in trials.items()
    }
    cut = {trial: values[span].copy() for trial, span in bounds.items()}
    for trial, own in cut.items():
        if (np.abs(own) > LARGEST).any():
            raise DatasetError(f"{modality}, {trial}: a value beyond {LARGEST:g}, no sensor's; download it again", path)
    return cut


def _trials(label, order, path):
    """Start and stop in seconds of each condition, from the runs of the label vector in their order."""
    if label.dtype.kind not in "iu" or not len(label) or label.min() < 0 or label.max() > 7:
        raise DatasetError("the labels must be whole numbers from 0 to 7; download the file again", path)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [len(label)]])
    runs = [(label[first], first, last) for first, last in zip(edges[:-1], edges[1:], strict=True)]
    runs = [run for run in runs if run[0] in CODE.values()]  # 0 is between, 5 to 7 are to be ignored
    found, told = [int(run[0]) for run in runs], [CODE[condition] for condition in order]
    if found != told:
        raise DatasetError(
            f"the labels run {found}, the questionnaire's ORDER says {told} ({', '.join(order)}); "
            f"download pickle and questionnaire again",
            path,
        )
    return {
        condition: (float(first / LABEL_RATE), float(last / LABEL_RATE))
        for condition, (_, first, last) in zip(order, runs, strict=True)
    }


def _join(parts, rating):
    """The parts of all participants along ``window``, with the ratings of their reports."""
    reports = {
        pair: row for row, pair in enumerate(zip(rating.participant.values, rating.condition.values, strict=True))
    }
    owner = np.concatenate([np.full(part.sizes["window"], part.attrs["participant"], object) for part in parts])
    condition = np.concatenate([part.condition.values for part in parts]).astype(object)
    row = np.array([reports.get(pair, -1) for pair in zip(owner, condition, strict=True)], int)
    items = rating.emotion.values.astype(object)
    joined = xr.Dataset(
        {"rating": (("window", "emotion"), rating.values[row])},
        coords={
            "participant": ("window", owner),
            "trial": ("window", np.array([f"{a}-{b}" for a, b in zip(owner, condition, strict=True)], object)),
            "condition": ("window", condition),
            "clip": ("window", condition.copy()),
            "doubtful": ("window", np.array([DOUBTFUL.get(name, "") for name in owner], object)),
            **{name: ("window", np.concatenate([part[name].values for part in parts])) for name in ("start", "stop")},
            "emotion": items,
            "valence": ("emotion", np.where(np.isin(items.astype(str), POSITIVE), 1, -1)),
        },
    )
    for modality, channel in CHANNELS.items():
        model = next((part for part in parts if modality in part), None)
        if model is None:
            continue
        feature, none = f"{modality}_feature", np.full(model[modality].shape[1], np.nan)
        rows = [part.get(modality, np.broadcast_to(none, (part.sizes["window"], none.size))) for part in parts]
        source = f"{channel.device} {channel.key}, {channel.rate} Hz"
        joined[modality] = (("window", feature), np.concatenate(rows), {"branch": channel.branch, "source": source})
        if f"{modality}_quality" in model:
            quality = [part.get(f"{modality}_quality", np.zeros(part.sizes["window"])) for part in parts]
            joined[f"{modality}_quality"] = ("window", np.concatenate(quality))
        joined = joined.assign_coords({name: model[name] for name in (feature, f"{modality}_unit")})
    return joined.isel(window=np.flatnonzero(row >= 0))


# --- cache ---------------------------------------------------------------------------------------


def _cache_folder(cache, root):
    """Where features are kept, or None; never inside the folder of the data."""
    if cache is False:
        return None
    repository = Path(__file__).resolve().parents[2]
    home = repository if (repository / "pyproject.toml").is_file() else Path.cwd()
    folder = Path(cache or os.environ.get("MPCL_CACHE") or home / "data" / "derived")
    if folder.resolve().is_relative_to(root.resolve()):
        raise DatasetError("the cache would lie inside the data; set MPCL_CACHE to another folder", folder)
    return folder
