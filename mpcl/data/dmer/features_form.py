"""The features form of DMER: ``<id>.mat`` to windows, and faces for other forms.

*Read*: ``feas`` has a row a second from the fifth second of a trial on, ``vids`` the
video id of each row; EEG channel by channel (the authors' program goes band by band:
check it against your files).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mpcl.data import features
from mpcl.data.dmer import mat
from mpcl.data.dmer.dataset import part, pool, runs, signal, table
from mpcl.data.dmer.release import Place
from mpcl.errors import DatasetError

BANDS = "delta theta alpha beta gamma".split()
COLUMNS = {  # of feas: first, last, and unit
    "eeg": (0, 90, "nat"),
    "gsr": (90, 118, "a.u."),
    "ppg": (118, 145, "a.u."),
    "video": (145, 913, "1"),
}
WIDTH = 913
SKIPPED = 4  # s that begin a trial without a row: each looks back over five seconds


def features_form(path: Place, number: int, length: float) -> xr.Dataset:
    """Windows of participant ``number``, means of the released rows within each."""
    rows = read_rows(path)
    placed = {
        clip: SKIPPED + features.place_windows(len(rows[clip]), length, length)
        for clip in sorted(rows)
    }
    windows = part(number, placed, _odd(rows, f"P{number:02d}"))
    for name in COLUMNS:
        add_columns(windows, name, rows)
    return windows


def _odd(rows: Mapping[int, np.ndarray], person: str) -> list[str]:
    """Notes on numbers that are missing, and on rows that are there twice."""
    notes: list[str] = []
    for name, (low, high, _) in COLUMNS.items():
        values = np.concatenate([of_clip[:, low:high] for of_clip in rows.values()])
        share = np.isnan(values).mean()
        if share > 0:
            notes.append(f"{person}: {100 * share:.3g} % of {name} is missing")
    for clip, of_clip in sorted(rows.items()):
        double = (of_clip[1:] == of_clip[:-1]).all(1).sum()
        if double:
            notes.append(
                f"{person}: clip {clip}: {double} rows repeat the row before: are the "
                "seconds behind them right?"
            )
    return notes


def add_columns(windows: xr.Dataset, name: str, rows: Mapping[int, np.ndarray]) -> None:
    """Add the means of a modality's columns to windows."""
    low, high, unit = COLUMNS[name]
    means = pool({clip: rows[clip][:, low:high] for clip in rows}, SKIPPED, windows)
    stem = "lbptop" if name == "video" else name
    names = [f"{stem}{1 + place}" for place in range(high - low)]
    if name == "eeg":
        names = [f"ch{1 + place // 5}_{BANDS[place % 5]}" for place in range(high)]
    windows.update(signal(name, table(means, names, unit)))


def read_rows(path: Place) -> dict[int, np.ndarray]:
    """Features (second, 913) of each clip.

    Raises:
        DatasetError: naming the file, and the row where there is one.
    """
    variables = mat.read(path, ("feas", "vids"))
    rows = variables["feas"].astype(float)
    clip = variables["vids"].astype(float).ravel()
    infinite = np.argwhere(np.isinf(rows))
    fault = ""
    if rows.ndim != 2 or rows.shape[1] != WIDTH or not len(rows):
        fault = f"has the shape {rows.shape}, not (second, {WIDTH})"
    elif len(clip) != len(rows):
        fault = f"has {len(rows)} rows, vids {len(clip)}"
    elif len(infinite):
        fault = f"is infinite in row {infinite[0, 0]}, column {infinite[0, 1]}"
    if fault:
        raise DatasetError(f"feas {fault}; download the file again", str(path))
    spans = runs(clip, "vids", path)
    return {number: rows[first:last] for number, (first, last) in spans.items()}
