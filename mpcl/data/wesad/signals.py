"""The signals of WESAD: a participant's pickle in, features of windows out.

The label vector cuts the signals into trials, the trials into windows.

Branches: what a person can steer and others can see is *behavioural* - the motion of
wrist and trunk, and the trapezius muscle (EMG), which follows posture and gesture; what
the autonomic nervous system drives is *physiological*. This split is *our reading*:
WESAD has no face or voice.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mpcl.data import clocks, features
from mpcl.data.wesad import pickles
from mpcl.data.windowing import as_modality
from mpcl.errors import DatasetError

CODE = {
    "baseline": 1,
    "stress": 2,
    "amusement": 3,
    "meditation1": 4,
    "meditation2": 4,
}  # in the label vector; 0 is between, 5 to 7 are to be ignored
LABEL_RATE = 700
# no sensor here gives more, in any unit; bytes in the wrong order do
LARGEST = np.float64(1e6)
WORN = partial(features.acceleration, typical=(0.5, 2.0))  # g: gravity is in it
SHAKEN = ("bvp", "eda")  # their quality is multiplied by the share without motion


class Channel(NamedTuple):
    """Where a modality lies in the pickle and how its features are made."""

    device: str
    key: str
    rate: float  # samples a second
    extract: Callable[..., xr.DataArray]
    branch: str
    scale: float = 1.0  # to the unit that ``extract`` expects

    def source(self) -> str:
        return f"{self.device} {self.key}, {self.rate} Hz"


CHANNELS = {
    "wrist_bvp": Channel("wrist", "BVP", 64, features.ppg, "physiological"),
    "wrist_eda": Channel("wrist", "EDA", 4, features.eda, "physiological"),
    "wrist_temp": Channel("wrist", "TEMP", 4, features.temperature, "physiological"),
    "wrist_acc": Channel("wrist", "ACC", 32, WORN, "behavioural", 1 / 64),
    "chest_ecg": Channel("chest", "ECG", 700, features.ecg, "physiological"),
    "chest_eda": Channel("chest", "EDA", 700, features.eda, "physiological"),
    "chest_temp": Channel("chest", "TEMP", 700, features.temperature, "physiological"),
    "chest_resp": Channel("chest", "RESP", 700, features.respiration, "physiological"),
    "chest_emg": Channel("chest", "EMG", 700, features.emg, "behavioural"),
    "chest_acc": Channel("chest", "ACC", 700, WORN, "behavioural"),
}

Trials = dict[str, tuple[float, float]]  # start and stop in seconds
Cuts = dict[str, np.ndarray]  # (sample,) or (sample, 3) of each trial


def extract(
    path: Path, name: str, order: list[str], window: float, step: float
) -> xr.Dataset:
    """Features (window, <modality>_feature) and quality (window) of one participant.

    Args:
        name: of the participant, which the pickle must bear.
        order: the participant's conditions in their order.
        window: seconds of a window; step: seconds to the next.

    Returns:
        With the coordinates condition, start and stop (window), the attributes device
        and notes.
    """
    trials, signals, device, notes = read(path, name, order)
    places = {  # of each trial, (window, 2) from its start
        trial: features.place_windows(stop - start, window, step)
        for trial, (start, stop) in trials.items()
    }
    short = [trial for trial, cut in places.items() if not len(cut)]
    notes += [f"{name}: {trial} is shorter than a window" for trial in short]
    places = {trial: cut for trial, cut in places.items() if len(cut)}
    late = {trial: clocks.apart(_moving(signals, trial)) for trial in places}
    for trial, seconds in late.items():
        notes += [f"{name}: {trial}: {words}" for words in clocks.sentences(seconds)]
    times = np.concatenate(
        [np.zeros((0, 2)), *(trials[trial][0] + cut for trial, cut in places.items())]
    )  # (window, 2)
    conditions = np.repeat(list(places), [len(cut) for cut in places.values()])
    part = xr.Dataset(
        coords={
            "condition": ("window", conditions.astype(object)),
            "start": ("window", times[:, 0]),
            "stop": ("window", times[:, 1]),
        },
        attrs={"device": device},
    )
    for modality, channel in CHANNELS.items():
        if modality in signals and places:
            table, remarks = _tabulate(modality, signals, places, late)
            notes += [f"{name}: {remark}" for remark in remarks]
            part.update(as_modality(table, modality, channel.branch, channel.source()))
    return part.assign_attrs(notes="\n".join(notes))


def _moving(signals: dict[str, Cuts], trial: str) -> list[clocks.Stream]:
    """What the devices say of motion, which they have in common."""
    return [
        clocks.Stream(
            channel.device,
            "acceleration",
            signals[name][trial] * channel.scale,
            channel.rate,
        )
        for name, channel in CHANNELS.items()
        if name.endswith("acc") and name in signals
    ]


def _tabulate(
    modality: str,
    signals: dict[str, Cuts],
    places: dict[str, np.ndarray],
    late: dict[str, dict[tuple[str, str], float]],
) -> tuple[xr.DataArray, list[str]]:
    """Features of all trials of a modality (window, feature); what failed where."""
    channel = CHANNELS[modality]
    motion = signals.get(f"{channel.device}_acc", {})
    tables: list[xr.DataArray] = []
    notes: list[str] = []
    silent = True
    for trial, cut in places.items():
        values = signals[modality][trial]
        table = channel.extract(values * channel.scale, channel.rate, cut)
        if modality.endswith(SHAKEN) and np.isfinite(motion.get(trial, np.nan)).any():
            device = CHANNELS[f"{channel.device}_acc"]
            rest = features.still(motion[trial] * device.scale, device.rate, cut)
            table["quality"] = table["quality"] * rest
        length = cut[0, 1] - cut[0, 0]
        share = clocks.shared(late[trial], channel.device, length)
        table["quality"] = table["quality"] * share
        lost = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        share = 100 * lost.mean() if len(values) else 100.0
        remarks = table.attrs["notes"].splitlines() if share < 100 else []
        if len(values) and (values == values[0]).all():
            remarks.append("every sample is the same: did the sensor measure?")
        if share > 0:
            remarks.insert(0, f"{share:.3g} % of the samples are not numbers")
        notes += [f"{modality}, {trial}: {remark}" for remark in remarks]
        silent &= share == 100
        tables.append(table)
    if silent:
        notes = [f"{modality} is NaN throughout: a missing modality"]
    return xr.concat(tables, "window", combine_attrs="drop"), notes


def read(
    path: Path, name: str, order: list[str]
) -> tuple[Trials, dict[str, Cuts], str, list[str]]:
    """The trials of a pickle, the cuts of each modality, the device, and notes.

    The channels are checked and cut one by one, before anything else is done.
    """
    channels, label = _record(path, name)
    devices = sorted({device for device, _ in channels})
    trials = _trials(label, order, path)
    signals: dict[str, Cuts] = {}
    notes: list[str] = []
    for modality, channel in CHANNELS.items():
        place = channel.device, channel.key
        if place in channels:
            values = _checked(channels.pop(place), modality, len(label), path)
            signals[modality] = _cut(values, modality, trials, path)
        elif channel.device in devices:
            words = " ".join(place)
            notes.append(f"{name}: no {words} in the pickle: {modality} is missing")
    if channels:
        device, key = min(channels)
        raise DatasetError(f"unknown {device} channel {key}; download again", path)
    device = "chest and wrist" if len(devices) == 2 else f"{devices[0]} alone"
    return trials, signals, device, notes


def _record(path: Path, name: str) -> tuple[dict[tuple[str, str], Any], np.ndarray]:
    """The signals by device and channel, and the label vector, of a pickle."""
    record = pickles.read(path)
    record = record if isinstance(record, dict) else {}
    signal, label = record.get("signal"), record.get("label")
    is_whole = isinstance(signal, dict) and isinstance(label, np.ndarray)
    if not is_whole or label.ndim != 1:
        raise DatasetError(
            "the pickle lacks 'signal' or 'label' (sample,); download the file again",
            path,
        )
    if record.get("subject") != name:
        raise DatasetError(
            f"the pickle is about {record.get('subject')!r}, the folder about {name}; "
            "unpack again",
            path,
        )
    devices = [
        device
        for device in ("chest", "wrist")
        if isinstance(signal.get(device), dict) and signal[device]
    ]
    if not devices or set(signal) - set(devices):
        raise DatasetError(
            f"signals of {', '.join(signal) or 'no device'}; "
            "'wrist' or 'chest' with 'wrist' needed",
            path,
        )
    channels = {
        (device, key.upper()): values
        for device in devices
        for key, values in signal[device].items()
    }
    if len(channels) < sum(len(signal[device]) for device in devices):
        raise DatasetError("a channel is there in capitals and not; keep one", path)
    return channels, label


def _trials(label: np.ndarray, order: list[str], path: Path) -> Trials:
    """Start and stop of each condition, from the runs of the label vector."""
    if (
        label.dtype.kind not in "iu"
        or not np.isin(label, range(8)).all()
        or not len(label)
    ):
        raise DatasetError(
            "the labels must be whole numbers from 0 to 7; download the file again",
            path,
        )
    edges = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [len(label)]])
    codes = label[edges[:-1]]
    used = np.isin(codes, list(CODE.values()))
    expected = [CODE[condition] for condition in order]
    if codes[used].tolist() != expected:
        raise DatasetError(
            f"the labels run {codes[used].tolist()}, the questionnaire's ORDER says "
            f"{expected} ({', '.join(order)}); download pickle and questionnaire again",
            path,
        )
    spans = np.stack([edges[:-1], edges[1:]], 1)[used] / LABEL_RATE  # (trial, 2)
    return {
        condition: (start, stop)
        for condition, (start, stop) in zip(order, spans.tolist(), strict=True)
    }


def _checked(values: Any, modality: str, labels: int, path: Path) -> np.ndarray:
    """The values of a channel, if they are of its kind, shape and rate."""
    rate, axes = CHANNELS[modality].rate, 3 if modality.endswith("acc") else 1
    fault = ""
    shapes = [(3,)] if axes == 3 else [(1,), ()]  # of a sample
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        fault = "holds no numbers"
    elif not values.ndim or values.shape[1:] not in shapes:
        fault = f"has the shape {values.shape}, not (sample, {axes})"
    elif abs(len(values) / rate - labels / LABEL_RATE) > 1:
        fault = (
            f"lasts {len(values) / rate:.1f} s at {rate:g} Hz, the labels "
            f"{labels / LABEL_RATE:.1f} s; the rates or the file are wrong"
        )
    if fault:
        raise DatasetError(f"{modality} {fault}: download it again", path)
    return values if axes == 3 else values.ravel()


def _cut(values: np.ndarray, modality: str, trials: Trials, path: Path) -> Cuts:
    """The trials of one channel."""
    rate = CHANNELS[modality].rate
    cut: Cuts = {}
    for trial, (start, stop) in trials.items():
        first, last = int(np.ceil(start * rate - 1e-6)), int(stop * rate + 1e-6)
        cut[trial] = values[first:last].copy()
        if (np.abs(cut[trial]) > LARGEST).any():
            raise DatasetError(
                f"{modality}, {trial}: a value beyond {LARGEST:g}, no sensor's; "
                "download it again",
                path,
            )
    return cut
