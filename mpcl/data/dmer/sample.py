"""The one public excerpt of DMER: 875 seconds of one participant, from EmotionDict."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from mpcl.data import contract
from mpcl.data.dmer import mat
from mpcl.data.dmer.dataset import attributes, emotions, signal, table
from mpcl.errors import DatasetError

BANDS = ("theta", "alpha", "beta", "gamma")
SAMPLE = "data_feature_sample.mat"
SHAPES = {"eeg": (18, 4), "gsr": (1, 4), "ppg": (1, 4), "video": (32,), "label": (10,)}
NOTES = [
    "trials are groups of the very same label (inferred); start counts rows, the times "
    "are not known",
    "split_published was drawn over seconds at random: seconds of one clip are on both "
    "sides, which leaks",
]


def open_sample(root: str | Path) -> xr.Dataset:
    """Open the file ``data_feature_sample.mat``, or the one in a folder.

    *Read* in EmotionDict's extraction program: the rows are seconds in random order,
    split 4 : 1 at random, so the split **leaks** and is only kept as
    ``split_published``; logarithms to base 2 of the power in four bands of EEG (18
    channels), GSR and PPG; 32 means of a face network. *Inferred*: clips are not told,
    so a ``trial`` (and ``clip``) is a group of seconds with the very same label,
    ``L01`` to ``L22``. It is one clip or several that were rated alike, never part of
    one, so trials held out by these groups do not leak. ``start`` counts the rows of a
    group: the true times are lost. The scale 1-5 is inferred too: divided by the
    smallest, labels are whole numbers to 5.

    Raises:
        DatasetError: if the file is missing, damaged or another.

    Example:
        >>> open_sample("no/such")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.errors.DatasetError: no/such/data_feature_sample.mat: ...
    """
    folder = Path(root)
    places = [folder, folder / "dmer_sample" / SAMPLE, folder / SAMPLE]
    present = [place for place in places if place.is_file()]
    if not present:
        raise DatasetError("the file is missing; give its folder", places[-1])
    arrays, split = _arrays(present[0])
    dataset = xr.Dataset(
        {"distribution": (("window", "emotion"), arrays.pop("label"))},
        coords=emotions() | {"split_published": ("window", split)},
    )
    for name, values in arrays.items():
        names = [f"{name}{1 + place}" for place in range(values.shape[1])]
        unit = "a.u." if name == "video" else "log2(a.u.)"
        if name == "eeg":
            names = [f"ch{1 + place // 4}_{BANDS[place % 4]}" for place in range(72)]
        dataset.update(signal(name, table(values, names, unit), "EmotionDict"))
    dataset.attrs = attributes("dmer-sample", NOTES) | {
        "rating_scale": "1-5",
        "features": "emotiondict",
        "window_seconds": 1.0,
    }
    return contract.check(dataset.assign_coords(_trials(dataset["distribution"])))


def _trials(label: xr.DataArray) -> dict[str, tuple[str, np.ndarray]]:
    """Coordinates of the rows, whose trials are groups of the same label."""
    _, group = np.unique(label.values.round(9), axis=0, return_inverse=True)
    trial = np.array([f"L{1 + number:02d}" for number in group.ravel()], object)
    groups = pd.DataFrame({"trial": trial}).groupby("trial")
    start = np.asarray(groups.cumcount(), float)
    return {
        "participant": ("window", np.full(len(trial), "sample", object)),
        "condition": ("window", np.full(len(trial), "unknown", object)),
        "trial": ("window", trial),
        "clip": ("window", trial.copy()),
        "start": ("window", start),
        "stop": ("window", start + 1),
    }


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each modality and the label (row, column), and which split each row was in."""
    keys = [f"{split}_{name}" for split in ("train", "test") for name in SHAPES]
    variables = mat.read(path, keys)
    for key, values in variables.items():
        split, name = key.split("_")
        shape = (len(variables[f"{split}_label"]), *SHAPES[name])
        if values.shape != shape or not np.isfinite(values).all():
            raise DatasetError(
                f"{key} is not finite or not of the shape {shape}; download it again",
                path,
            )
    arrays: dict[str, np.ndarray] = {}
    for name in SHAPES:
        both = np.concatenate([variables[f"train_{name}"], variables[f"test_{name}"]])
        arrays[name] = both.reshape(len(both), -1).astype(float)
    counts = [len(variables["train_label"]), len(variables["test_label"])]
    return arrays, np.repeat(["train", "test"], counts).astype(object)
