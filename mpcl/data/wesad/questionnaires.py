"""The questionnaires of WESAD: what 15 people said they felt after five conditions.

``SX_quest.csv`` has semicolons, one line a questionnaire, the lines of a kind in the
order of the line ``# ORDER``. Only the line after the stress condition has all 26 PANAS
items; the others lack *Angry* and *Irritated*, which stand before *Sad*, so an item's
place depends on the condition.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data import checksums
from mpcl.errors import DatasetError

PANAS = (
    "Active Distressed Interested Inspired Annoyed Strong Guilty Scared Hostile "
    "Excited Proud Irritable Enthusiastic Ashamed Alert Nervous Determined Attentive "
    "Jittery Afraid Stressed Frustrated Happy Angry Irritated Sad"
).split()
STRESS_ONLY = ("Angry", "Irritated")  # asked after the stress condition only
POSITIVE = (  # of PANAS (Watson et al., 1988), and Happy; all others are negative
    "Active Interested Inspired Strong Excited Proud Enthusiastic Alert Determined "
    "Attentive Happy"
).split()
ORDER = {
    "Base": "baseline",
    "TSST": "stress",
    "Fun": "amusement",
    "Medi 1": "meditation1",
    "Medi 2": "meditation2",
}
CONDITIONS = {
    "five": list(ORDER.values()),
    "three": ["baseline", "stress", "amusement"],
}
LINES = ["SUBJ", "ORDER", "START", "END"]  # the kinds of lines, in their order
LINES += ["PANAS"] * 5 + ["STAI"] * 5 + ["DIM"] * 5 + ["SSSQ"]
BY_REPORT = ("participant", "condition")
DIMS = {
    "panas": (*BY_REPORT, "panas_item"),
    "stai": (*BY_REPORT, "stai_item"),
    "dim": (*BY_REPORT, "dim_item"),
    "sssq": ("participant", "sssq_item"),
    "position": BY_REPORT,
}
SCALES: dict[
    str, tuple[Iterable[str | int], int]
] = {  # items and highest answer of each questionnaire
    "PANAS": (PANAS, 5),
    "STAI": (range(1, 7), 4),
    "DIM": (("valence", "arousal"), 9),
    "SSSQ": (range(1, 7), 5),
}

Line = tuple[int, list[str]]  # its number in the file, and its fields


def questionnaires(
    root: str | Path, record: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Read all questionnaires of the participants whose folders are in a folder.

    Args:
        root: the folder that holds ``S2/S2_quest.csv`` and so on.
        record: the checksums that it records, where they were read before.

    Returns:
        ``panas`` (participant, condition, panas_item), ``stai`` and ``dim`` (valence,
        arousal) likewise, ``sssq`` (participant, sssq_item; given once, after the
        stress condition) and ``position`` (participant, condition; 1 is the first). NaN
        where not asked or not answered. START and END, on the chest device's clock,
        which is not the pickle's, are not read.

    Raises:
        DatasetError: naming file, line, condition and item.

    Example:
        >>> questionnaires("no/such")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mpcl.errors.DatasetError: no/such: there is no such folder; give the one ...
    """
    root = Path(root)
    record = checksums.recorded(root) if record is None else record
    rows: dict[str, dict[str, np.ndarray]] = {}
    for name in _participants(root):
        path = root / name / f"{name}_quest.csv"
        lines = _lines(path)
        checksums.verify(path, root, record)
        rows[name] = _questionnaire(lines, name, path)
    return xr.Dataset(
        {
            variable: (dims, np.stack([row[variable] for row in rows.values()]))
            for variable, dims in DIMS.items()
        },
        coords={
            "participant": list(rows),
            "condition": CONDITIONS["five"],
            "panas_item": PANAS,
            "stai_item": np.arange(1, 7),
            "dim_item": ["valence", "arousal"],
            "sssq_item": np.arange(1, 7),
        },
    )


def _participants(root: Path) -> list[str]:
    """The participants whose folders are in a folder, by their numbers."""
    if not root.is_dir():
        raise DatasetError(
            "there is no such folder; give the one that holds S2/S2.pkl", root
        )
    names = [
        entry.name
        for entry in root.iterdir()
        if re.fullmatch(r"[Ss]\d+", entry.name)  # s3 and a link to nowhere are told
    ]
    if not names:
        raise DatasetError(
            "no participant's folder (S2 ... S17) is in here; "
            "give the one that holds S2/S2.pkl",
            root,
        )
    return sorted(names, key=lambda name: int(name[1:]))


def _lines(path: Path) -> dict[str, list[Line]]:
    """The lines of each kind, all kinds complete and in their order."""
    if not path.is_file():
        raise DatasetError(
            "the questionnaire is missing; unpack WESAD.zip once more", path
        )
    lines: dict[str, list[Line]] = {tag: [] for tag in LINES}
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    needed = iter(LINES)
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in line.rstrip("; \t").split(";")]
        if fields == [""]:
            continue
        tag = next(needed, "")
        if fields[0].lstrip("# ").rstrip(": ").upper() != tag or not fields[1:]:
            raise DatasetError(
                f"line {number} begins with {fields[0][:20]!r} where "
                f"{f'# {tag} and values' if tag else 'nothing'} belongs: restore the "
                "file",
                path,
            )
        lines[tag].append((number, fields[1:]))
    absent = next(needed, "")
    if absent:
        raise DatasetError(f"the file ends before '# {absent}'; restore it", path)
    return lines


def _questionnaire(
    lines: dict[str, list[Line]], name: str, path: Path
) -> dict[str, np.ndarray]:
    """The arrays of one file, its reports in the order of ``CONDITIONS``."""
    subject = lines["SUBJ"][0][1][:1]
    if subject != [name]:
        raise DatasetError(
            f"the file is about {subject}, the folder about {name}; unpack again", path
        )
    number, words = lines["ORDER"][0]
    readings = ("bRead", "fRead", "sRead")  # without a questionnaire
    order = [ORDER.get(word, word) for word in words if word not in readings]
    if sorted(order) != sorted(CONDITIONS["five"]):
        raise DatasetError(
            f"line {number}: ORDER must name {', '.join(ORDER)} once each; "
            "restore the file",
            path,
        )
    rank = [order.index(condition) for condition in CONDITIONS["five"]]
    arrays = {"position": np.array(rank) + 1}
    for tag in ("PANAS", "STAI", "DIM"):
        rows = [
            _answers(tag, line, condition, path)
            for line, condition in zip(lines[tag], order, strict=True)
        ]
        arrays[tag.lower()] = np.array(rows)[rank]
    arrays["sssq"] = np.array(_answers("SSSQ", lines["SSSQ"][0], "stress", path))
    return arrays


def _answers(tag: str, line: Line, condition: str, path: Path) -> list[float]:
    """One row of answers, NaN where not asked or not answered."""
    number, fields = line
    items, top = SCALES[tag]
    asked = [item for item in items if condition == "stress" or item not in STRESS_ONLY]
    if len(fields) != len(asked):
        raise DatasetError(
            f"line {number}: {len(fields)} answers to {tag} after {condition}, "
            f"{len(asked)} expected; compare ORDER and the row with the official file, "
            "write NaN for an unanswered item",
            path,
        )
    answers = dict.fromkeys(items, np.nan)
    for item, text in zip(asked, fields, strict=True):
        if text.lower() in ("", "nan"):
            continue
        if not re.fullmatch(r"\d+(\.0*)?", text) or not 1 <= float(text) <= top:
            raise DatasetError(
                f"line {number}, {tag} after {condition}, item {item}: {text[:20]!r} "
                f"is no answer from 1 to {top}; correct it, or write NaN for an "
                "unanswered item",
                path,
            )
        answers[item] = float(text)
    return list(answers.values())
