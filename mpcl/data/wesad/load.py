"""WESAD (Schmidt et al., ICMI 2018): the official files in, the data contract out.

Each participant has a pickle with the signals and a label vector, and a questionnaire
filled in after each of five conditions. The windows of a trial share the one report
that was given after it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from mpcl import __version__
from mpcl.data import checksums, contract, labels
from mpcl.data.wesad import cache as wesad_cache
from mpcl.data.wesad import table as wesad_table
from mpcl.data.wesad.questionnaires import (
    CONDITIONS,
    PANAS,
    POSITIVE,
    STRESS_ONLY,
    questionnaires,
)
from mpcl.data.wesad.signals import CHANNELS
from mpcl.data.windowing import concatenate
from mpcl.errors import DatasetError, ParameterError

RECIPES = {
    "all24": [item for item in PANAS if item not in STRESS_ONLY],
    "all26": PANAS,
    "panas20": PANAS[:20],
    "dmer9": (
        "Inspired Alert Excited Enthusiastic Determined Afraid Nervous Scared "
        "Distressed"
    ).split(),
}
SHARP = 0.05
PARTICIPANTS = [f"S{number}" for number in range(2, 18) if number != 12]
DOUBTFUL = {
    "S2": "chest temperature unreliable",
    "S17": "chest temperature unreliable",
    "S6": "stress manipulation doubtful",
    "S15": "stress manipulation doubtful",
}
LICENCE = (
    "scientific, non-commercial use, with credit to the authors; no redistribution"
)
CITATION = (
    "Schmidt, Reiss, Duerichen, Marberger, Van Laerhoven: Introducing WESAD, "
    "ICMI 2018, doi 10.1145/3242969.3242985"
)


def load(
    root: str | Path,
    recipe: str = "all24",
    conditions: str | None = None,
    window: float | None = None,
    step: float | None = None,
    missing: str = "drop",
    cache: str | Path | bool | None = None,
    progress: bool | None = None,
    features: str = "signals",
    table: str | Path | None = None,
) -> xr.Dataset:
    """Load WESAD from its official files, as the contract has it.

    Args:
        root: the folder that holds ``S2/S2.pkl``, ``S2/S2_quest.csv`` and so on; some
            participants suffice. A file that ``SHA256SUMS`` in this folder records must
            be the one it records.
        recipe: ``all24``, ``all26``, ``panas20`` or ``dmer9``, each also with
            ``-sharp`` behind it.
        conditions: ``five`` (the default) or ``three`` (without the meditations).
        window: seconds of a window (60 by default).
        step: seconds from one window to the next (30 by default).
        missing: a report with an unanswered item is left out (``drop``) or filled in
            (``floor``, ``participant_median``: see :func:`mpcl.data.labels.impute`).
        cache: folder for the features, one file a participant; by default
            ``MPCL_CACHE`` or ``data/derived``; False for none.
        progress: True or False for a bar or silence; by default a bar on a terminal.
        features: ``signals``, or ``table159`` for the third-party table
            (:mod:`mpcl.data.wesad.table`), which has three conditions and windows of
            30 s; the pickles are not needed then.
        table: the folder of that table, ``table159`` inside ``root`` by default.

    Returns:
        A data set with ``rating (window, emotion)`` and ``doubtful (window)`` in it.

    Raises:
        ParameterError, DatasetError: in one sentence: file, place and remedy.

    Example:
        >>> load("no/such/folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.errors.DatasetError: no/such/folder: there is no such folder; give the ...
    """
    choices = _choices(recipe, conditions, window, step, missing, features)
    window, step = choices["window_seconds"], choices["step_seconds"]
    root = Path(root)
    record = checksums.recorded(root)
    reports = questionnaires(root, record)
    rating, notes = _ratings(reports, recipe, choices["conditions"], missing)
    if features == "table159":
        folder = Path(table or root / "table159")
        wesad_table.check_columns(folder)
        read_part = partial(wesad_table.read, folder)
    else:
        kept = wesad_cache.folder_of(cache, root)
        read_part = partial(wesad_cache.extract, root, record, kept, window, step)
    parts = _parts(reports, read_part, progress)
    dataset = _join(parts, rating)
    if not dataset.sizes["window"]:
        raise DatasetError(
            f"no trial with an answered report is as long as a window of {window:g} s",
            root,
        )
    epsilon = SHARP if recipe.endswith("-sharp") else None
    dataset["distribution"] = labels.distribution(dataset["rating"], epsilon=epsilon)
    names = reports["participant"].values.tolist()
    dataset.attrs = _attributes(names, parts, notes) | choices
    return contract.check(dataset)


def _parts(
    reports: xr.Dataset,
    read_part: Callable[[str, list[str]], xr.Dataset],
    progress: bool | None,
) -> list[xr.Dataset]:
    """Each participant's features: one recording in memory at a time."""
    parts: list[xr.Dataset] = []
    silent = None if progress is None else not progress
    for name in tqdm(reports["participant"].values, desc="wesad", disable=silent):
        part = read_part(str(name), _order(reports, str(name)))
        people = np.full(part.sizes["window"], name, object)
        parts.append(part.assign_coords(participant=("window", people)))
    return parts


def _order(reports: xr.Dataset, participant: str) -> list[str]:
    """The conditions of a participant in the order of time."""
    position = reports["position"].sel(participant=participant)
    return position.sortby(position)["condition"].values.tolist()


def extract(
    root: str | Path, participant: str, cache: str | Path | bool | None = None
) -> None:
    """Put the features of one participant where :func:`load` finds them.

    Windows are those that it takes by default, so that many processes can do what it
    does, each for one participant. Arguments are its own.
    """
    root = Path(root)
    record = checksums.recorded(root)
    order = _order(questionnaires(root, record), participant)
    kept = wesad_cache.folder_of(cache, root)
    wesad_cache.extract(root, record, kept, 60.0, 30.0, participant, order)


def _choices(
    recipe: str,
    conditions: str | None,
    window: float | None,
    step: float | None,
    missing: str,
    features: str,
) -> dict[str, Any]:
    """The choices, with their defaults, as they stand in the data set's attributes."""
    is_table = features == "table159"
    conditions = conditions or ("three" if is_table else "five")
    for choice, choices in (
        (recipe, [*RECIPES, *(f"{name}-sharp" for name in RECIPES)]),
        (conditions, CONDITIONS),
        (features, ("signals", "table159")),
        (missing, ("drop", *labels.IMPUTATIONS)),
    ):
        if choice not in choices:
            raise ParameterError(
                f"wesad: unknown choice {choice!r}; choose {', '.join(choices)}"
            )
    length = (30.0 if is_table else 60.0) if window is None else float(window)
    pace = 30.0 if step is None else float(step)
    if is_table and conditions != "three":
        raise ParameterError("wesad: table159 has no meditation; choose 'three'")
    if is_table and (length, pace) != (30, 30):
        raise ParameterError("wesad: table159 has windows of 30 s, every 30 s")
    if not (length > 0 and pace > 0):
        raise ParameterError(
            f"wesad: window and step must be positive seconds, not {length:g} and "
            f"{pace:g}"
        )
    return {
        "label_recipe": recipe,
        "conditions": conditions,
        "features": features,
        "window_seconds": length,
        "step_seconds": pace,
    }


def _attributes(
    names: Sequence[str], parts: Sequence[xr.Dataset], notes: Sequence[str]
) -> dict[str, str]:
    people_of: dict[str, list[str]] = {}
    remarks: list[str] = []
    for name, part in zip(names, parts, strict=True):
        people_of.setdefault(part.attrs["device"], []).append(name)
        remarks += part.attrs["notes"].splitlines()
    devices = [f"{device}: {', '.join(people)}" for device, people in people_of.items()]
    absent = ", ".join(name for name in PARTICIPANTS if name not in names)
    if absent:
        devices.append(f"participants not in this folder: {absent}")
    doubts = [
        f"{name}: {DOUBTFUL[name]} (flagged in 'doubtful', kept)"
        for name in names
        if name in DOUBTFUL
    ]
    return {
        "dataset": "wesad",
        "licence": LICENCE,
        "citation": CITATION,
        "rating_scale": "1-5",
        "created_by": f"mpcl {__version__}",
        "contract_version": contract.CONTRACT_VERSION,
        "notes": "\n".join([*devices, *remarks, *notes, *doubts]),
    }


def _ratings(
    reports: xr.Dataset, recipe: str, conditions: str, missing: str
) -> tuple[xr.DataArray, list[str]]:
    """Ratings (participant, condition, emotion), NaN in reports that are left out.

    And a note on each report with unanswered items.
    """
    panas = reports["panas"].sel(condition=CONDITIONS[conditions])
    panas = panas.rename(panas_item="emotion")
    unasked = panas["emotion"].isin(STRESS_ONLY) & (panas["condition"] != "stress")
    rating = panas.where(~unasked, 1.0)
    rating = rating.sel(emotion=RECIPES[recipe.removesuffix("-sharp")])
    is_whole = rating.notnull().all("emotion")
    verb = "left out" if missing == "drop" else f"filled in ({missing})"
    notes: list[str] = []
    for place in np.argwhere(~is_whole.values):
        report = rating[tuple(place)]
        unanswered = ", ".join(report["emotion"].values[report.isnull().values])
        notes.append(
            f"{report['participant'].item()}: report on {report['condition'].item()} "
            f"{verb}, {unanswered} not answered"
        )
    if missing == "drop":
        return rating.where(is_whole), notes
    return labels.impute(rating, missing), notes


def _join(parts: Sequence[xr.Dataset], rating: xr.DataArray) -> xr.Dataset:
    """The windows of all participants with an answered report, and its ratings."""
    joined = concatenate(parts, list(CHANNELS))
    asked = np.isin(joined["condition"], rating["condition"])
    joined = joined.isel(window=np.flatnonzero(asked))
    people, condition = joined["participant"].values, joined["condition"].values
    answers = rating.sel(
        participant=joined["participant"], condition=joined["condition"]
    ).transpose("window", "emotion")
    items = rating["emotion"].values.astype(object)
    joined["rating"] = ("window", "emotion"), answers.values
    joined = joined.assign_coords(
        trial=("window", people + "-" + condition),
        clip=("window", condition),
        doubtful=("window", [DOUBTFUL.get(person, "") for person in people]),
        emotion=items,
        valence=("emotion", np.where(np.isin(items, POSITIVE), 1, -1)),
    )
    return joined.isel(window=np.flatnonzero(answers.notnull().all("emotion")))
