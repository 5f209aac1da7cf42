"""Windows of participants, first without signals, then joined to one data set."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from mpcl import __version__
from mpcl.data import contract
from mpcl.data.dmer.questionnaires import EMOTIONS, POSITIVE
from mpcl.data.dmer.release import CLIPS, Place
from mpcl.data.windowing import as_modality, concatenate, mean
from mpcl.errors import DatasetError

MODALITIES = ("eeg", "gsr", "ppg", "video")
LICENCE = "on request, with a signed agreement; academic use only; no redistribution"
CITATION = (
    "Yang, Liu, Liu, Shu, Ji, Ren, Sheng, Yu, Yi, Zhang, Liu: A Multimodal Dataset for "
    "Mixed Emotion Recognition, Scientific Data 11:847, 2024, doi "
    "10.1038/s41597-024-03676-4"
)

Spans = dict[int, tuple[int, int]]  # first and last row of each clip


def part(
    participant: int, windows: Mapping[int, np.ndarray], notes: list[str]
) -> xr.Dataset:
    """The windows of a participant, of one clip after another, still without signals.

    Args:
        windows: of each clip (window, 2), start and stop in seconds of the trial.
    """
    missing = [clip for clip in range(CLIPS) if clip not in windows]
    short = [clip for clip, placed in windows.items() if not len(placed)]
    notes = notes + note(participant, "missing", missing)
    clips = np.repeat(list(windows), [len(placed) for placed in windows.values()])
    times = np.concatenate([np.zeros((0, 2)), *windows.values()])
    return xr.Dataset(
        coords={
            "number": ("window", np.full(len(clips), participant)),
            "clip": ("window", clips.astype(int)),
            "start": ("window", times[:, 0]),
            "stop": ("window", times[:, 1]),
        },
        attrs={"notes": notes + note(participant, "shorter than a window", short)},
    )


def note(participant: int, what: str, clips: Sequence[int]) -> list[str]:
    """One note on these clips, or none where there are none."""
    numbers = ", ".join(str(clip) for clip in clips)
    return [f"P{participant:02d}: {what}: clip {numbers}"] if clips else []


def runs(clip: np.ndarray, name: str, path: Place, *others: int) -> Spans:
    """First and last row of each clip's one run in a row of video ids.

    Raises:
        DatasetError: for an id that is neither 0 to 31 nor of ``others``, and for one
            whose rows lie in several places.
    """
    wrong = np.flatnonzero(~np.isin(clip, [*range(CLIPS), *others]))
    if len(wrong):
        raise DatasetError(
            f"{name}, row {wrong[0]}: the video id is {clip[wrong[0]]:g}, ids run from "
            f"0 to {CLIPS - 1}; correct it or download again",
            str(path),
        )
    first = np.flatnonzero(np.diff(clip, prepend=-1))
    numbers = clip[first].astype(int).tolist()
    for number in numbers:
        if numbers.count(number) > 1:
            raise DatasetError(
                f"{name}: the rows of clip {number} lie in {numbers.count(number)} "
                f"places, so their seconds are unknown; restore the order or download "
                f"again",
                str(path),
            )
    edges = [*first.tolist(), len(clip)]
    return dict(zip(numbers, zip(edges[:-1], edges[1:], strict=True), strict=True))


def pool(rows: Mapping[int, np.ndarray], first: int, windows: xr.Dataset) -> np.ndarray:
    """Mean (window, feature) of rows within each window; NaN where it holds none.

    Args:
        rows: of each clip (second, feature); row 0 is the second ``first``.
    """
    width = max(of_clip.shape[1] for of_clip in rows.values())
    means = np.full((windows.sizes["window"], width), np.nan)
    times = np.stack([windows.start, windows.stop], 1)  # (window, 2)
    for window, clip in enumerate(windows["clip"].values):
        of_clip = rows.get(clip, np.zeros((0, width)))
        middle = first + np.arange(len(of_clip)) + 0.5
        inside = (middle >= times[window, 0]) & (middle < times[window, 1])
        means[window] = mean(of_clip[inside].T)
    return means


def table(
    values: np.ndarray, names: Sequence[str] | np.ndarray, unit: str
) -> xr.DataArray:
    """A table (window, feature) as :mod:`mpcl.data.features` makes them.

    ``quality`` is the share of numbers that are there.
    """
    return xr.DataArray(
        values,
        dims=("window", "feature"),
        coords={
            "feature": names,
            "unit": ("feature", [unit] * len(names)),
            "quality": ("window", np.isfinite(values).mean(1)),
        },
    )


def signal(name: str, values: xr.DataArray, source: str = "DMER") -> xr.Dataset:
    """A table of a modality as variables of a data set."""
    branch = "behavioural" if name == "video" else "physiological"
    return as_modality(values, name, branch, source)


def attributes(name: str, notes: Sequence[str]) -> dict[str, object]:
    """What the contract asks to be said of a data set."""
    return {
        "dataset": name,
        "licence": LICENCE,
        "citation": CITATION,
        "created_by": f"mpcl {__version__}",
        "contract_version": contract.CONTRACT_VERSION,
        "label_recipe": "rating / sum of ten",
        "notes": "\n".join(notes),
    }


def emotions() -> dict[str, object]:
    """The coordinates of the ten words."""
    valence = [1 if emotion in POSITIVE else -1 for emotion in EMOTIONS]
    return {"emotion": np.array(EMOTIONS, object), "valence": ("emotion", valence)}


def join(parts: Sequence[xr.Dataset], asked: xr.DataArray) -> xr.Dataset:
    """All participants along ``window``, with their answers; unanswered trials go."""
    joined = concatenate(parts, MODALITIES)
    rating = asked.sel(participant=joined["number"], clip=joined["clip"])
    joined["rating"] = ("window", "emotion"), rating.values
    is_answered = rating.notnull().all("emotion").values
    joined = joined.isel(window=np.flatnonzero(is_answered))
    number = joined["clip"].values
    condition = np.select([number < 8, number < 16], ["positive", "negative"], "mixed")
    clip = np.char.mod("c%02d", number).astype(object)
    participant = np.char.mod("P%02d", joined["number"].values).astype(object)
    return joined.drop_vars("number").assign_coords(
        {
            "participant": ("window", participant),
            "trial": ("window", participant + "-" + clip),
            "condition": ("window", condition.astype(object)),
            "clip": ("window", clip),
        }
        | emotions()
    )
