"""The questionnaires of WESAD: what each of 15 people said they felt after each of five conditions.

``SX_quest.csv`` has semicolons, one line a questionnaire, the lines of a kind in the order of the line
``# ORDER``. Only the line after the stress condition has all 26 PANAS items; the others lack *Angry* and
*Irritated*, which stand before *Sad*, so an item's place depends on the condition.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data import checksums
from mpcl.data.contract import DatasetError

PANAS = (
    "Active Distressed Interested Inspired Annoyed Strong Guilty Scared Hostile Excited Proud Irritable Enthusiastic "
    "Ashamed Alert Nervous Determined Attentive Jittery Afraid Stressed Frustrated Happy Angry Irritated Sad"
).split()
STRESS_ONLY = ("Angry", "Irritated")  # asked after the stress condition only, and before Sad
POSITIVE = (  # the ten positive items of PANAS (Watson et al., 1988) and Happy; all others are negative
    "Active Interested Inspired Strong Excited Proud Enthusiastic Alert Determined Attentive Happy"
).split()
ORDER = {"Base": "baseline", "TSST": "stress", "Fun": "amusement", "Medi 1": "meditation1", "Medi 2": "meditation2"}
CONDITIONS = {"five": list(ORDER.values()), "three": ["baseline", "stress", "amusement"]}


def questionnaires(root):
    """Read all questionnaires: PANAS, STAI, DIM (valence, arousal), SSSQ and the times of the conditions.

    Args:
        root: the folder that holds ``S2/S2_quest.csv`` and so on.

    Returns:
        :class:`xarray.Dataset` with ``panas`` (participant, condition, panas_item), ``stai`` and ``dim``
        likewise, ``sssq`` (participant, sssq_item; given once, after the stress condition), ``position``
        (1 is the first condition) and ``start``, ``stop`` (participant, condition) in seconds *of the chest
        device's clock*, which is not the pickle's. NaN where not asked or not answered.

    Raises:
        DatasetError: naming file, line, condition and item.

    Example:
        >>> questionnaires("no/such")
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: no/such: there is no such folder; give the one that holds S2/S2.pkl
    """
    root = Path(root)
    names = participants(root)
    rows = [_questionnaire(root / name / f"{name}_quest.csv", name, root) for name in names]
    by_report = ("participant", "condition")
    dims = {
        "panas": (*by_report, "panas_item"),
        "stai": (*by_report, "stai_item"),
        "dim": (*by_report, "dim_item"),
        "sssq": ("participant", "sssq_item"),
        "position": by_report,
        "start": by_report,
        "stop": by_report,
    }
    return xr.Dataset(
        {name: (axes, np.stack([row[name] for row in rows])) for name, axes in dims.items()},
        coords={
            "participant": names,
            "condition": CONDITIONS["five"],
            "panas_item": PANAS,
            "stai_item": np.arange(1, 7),
            "dim_item": ["valence", "arousal"],
            "sssq_item": np.arange(1, 7),
        },
    )


def _questionnaire(path, name, root):
    """The arrays of one file, its reports in the order of ``CONDITIONS``, by the names in its ORDER line."""
    lines = _lines(path)
    checksums.verify(path, root)
    if lines["SUBJ"][0][1][:1] != [name]:
        raise DatasetError(f"the file is about {lines['SUBJ'][0][1][:1]}, the folder about {name}; unpack again", path)
    number, order = lines["ORDER"][0]
    order = [ORDER.get(entry, entry) for entry in order]
    told = [entry for entry in order if entry not in ("bRead", "fRead", "sRead")]
    if sorted(told) != sorted(ORDER.values()):
        raise DatasetError(f"line {number}: ORDER must name {', '.join(ORDER)} once each; restore the file", path)
    rank = [told.index(condition) for condition in CONDITIONS["five"]]
    found = {"position": np.array(rank) + 1}
    for variable, tag in (("start", "START"), ("stop", "END")):
        number, times = lines[tag][0]
        if len(times) != len(order):
            raise DatasetError(f"line {number}: {len(times)} times for {len(order)} entries of ORDER", path)
        seconds = [_seconds(text, f"line {number}, {entry}", path) for text, entry in zip(times, order, strict=True)]
        found[variable] = np.array([seconds[order.index(condition)] for condition in CONDITIONS["five"]])
    times = np.stack([found["start"], found["stop"]], 1)[np.argsort(rank)].ravel()
    if (np.diff(times) < 0).any():
        raise DatasetError("by START and END a condition ends before it starts or before the last; restore them", path)
    for tag, items, top in (("PANAS", PANAS, 5), ("STAI", range(1, 7), 4), ("DIM", ("valence", "arousal"), 9)):
        rows = [_answers(*lines[tag][place], told[place], items, top, tag, path) for place in range(5)]
        found[tag.lower()] = np.array(rows)[rank]
    found["sssq"] = np.array(_answers(*lines["SSSQ"][0], "stress", range(1, 7), 5, "SSSQ", path))
    return found


def _lines(path):
    """Fields of each kind of line: ``{tag: [(line number, [field, ...]), ...]}``, all kinds complete."""
    if not path.is_file():
        raise DatasetError("the questionnaire is missing; unpack WESAD.zip once more", path)
    wanted = {"SUBJ": 1, "ORDER": 1, "START": 1, "END": 1, "PANAS": 5, "STAI": 5, "DIM": 5, "SSSQ": 1}
    found = {tag: [] for tag in wanted}
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in line.rstrip("; \t").split(";")]
        tag = fields[0].lstrip("# ").rstrip(": ").upper()
        if tag not in found and fields != [""]:
            raise DatasetError(f"line {number} begins with {fields[0][:20]!r}, no known line does; restore it", path)
        if fields != [""]:
            found[tag].append((number, fields[1:]))
    told = sorted((number, tag) for tag, rows in found.items() for number, _ in rows)
    for tag, count in wanted.items():
        if len(found[tag]) != count or any(not fields for _, fields in found[tag]):
            raise DatasetError(f"{len(found[tag])} lines '# {tag}' with values, {count} needed; restore the file", path)
    for (number, tag), known in zip(told, [tag for tag, count in wanted.items() for _ in range(count)], strict=True):
        if tag != known:
            raise DatasetError(f"line {number}: '# {tag}' where '# {known}' belongs: restore the file", path)
    return found


def _answers(number, fields, condition, items, top, tag, path):
    """One row of answers, NaN where not asked or not answered."""
    asked = [item for item in items if condition == "stress" or item not in STRESS_ONLY]
    if len(fields) != len(asked):
        raise DatasetError(
            f"line {number}: {len(fields)} answers to {tag} after {condition}, {len(asked)} expected; "
            f"compare ORDER and the row with the official file",
            path,
        )
    given = dict.fromkeys(items, np.nan)
    for item, text in zip(asked, fields, strict=True):
        if text.lower() in ("", "nan"):
            continue
        if not re.fullmatch(r"\d+(\.\d*)?", text) or not 1 <= float(text) <= top:
            raise DatasetError(
                f"line {number}, {tag} after {condition}, item {item}: {text[:20]!r} is no answer from 1 to {top}; "
                f"correct it, or write NaN for an unanswered item",
                path,
            )
        given[item] = float(text)
    return list(given.values())


def _seconds(text, place, path):
    """Minutes.seconds with trailing zeros lost, in seconds: 61.2 is 61 minutes and 20 seconds."""
    found = re.fullmatch(r"(\d+)(?:\.(\d{1,2}))?", text)
    if not found or int((found[2] or "0").ljust(2, "0")) >= 60:
        raise DatasetError(f"{place}: {text[:20]!r} is no time in minutes.seconds; correct it", path)
    return 60.0 * int(found[1]) + int((found[2] or "0").ljust(2, "0"))


def participants(root):
    """The participants whose folders are in a folder, in the order of their numbers.

    Args:
        root: the folder that holds ``S2``, ``S3`` and so on.

    Returns:
        list of str.

    Raises:
        DatasetError: if there is no such folder, or none of a participant in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError("there is no such folder; give the one that holds S2/S2.pkl", root)
    names = [entry.name for entry in root.iterdir() if entry.is_dir() and re.fullmatch(r"S\d+", entry.name)]
    if not names:
        raise DatasetError("no participant's folder (S2 ... S17) is in here; give the one that holds S2/S2.pkl", root)
    return sorted(names, key=lambda name: int(name[1:]))
