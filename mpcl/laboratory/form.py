"""What each key of a study's plan may hold, so that YAML's surprises are sentences."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np

Kind = tuple[Callable[[object], bool], str]  # whether a value is one, and what to give


def _is_number(value: object) -> bool:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return is_plain and bool(np.isfinite(float(value)))


def _is_positive(value: object) -> bool:
    return _is_number(value) and value > 0  # pyrefly: ignore  # it is a number


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_word(value: object) -> bool:
    return _is_text(value) or _is_number(value) or isinstance(value, date)


def _is_column(value: object) -> bool:
    return _is_text(value) or _is_number(value)


def _are_columns(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_column, value))


def _is_scale(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(map(_is_number, value)) and value[0] < value[1]


def _is_feature(value: object) -> bool:
    """A unit, or a name and a unit."""
    if isinstance(value, list):
        return len(value) == 2 and _is_text(value[0]) and isinstance(value[1], str)
    return isinstance(value, str)


WORD: Kind = _is_word, "give a word"
FILE: Kind = _is_text, "give the name of a file"
COLUMN: Kind = _is_column, "give the name of a column"
COLUMNS: Kind = _are_columns, "list columns, such as [x, y, z]"
POSITIVE: Kind = _is_positive, "give a positive number"
UNIT: Kind = (lambda v: isinstance(v, str)), "give a unit in quotes, such as '1'"
FEATURE: Kind = _is_feature, "give a unit in quotes, or [name, unit]"
FLAG: Kind = (lambda v: v in (True, False)), "give true or false"
SIGN: Kind = (
    (lambda v: _is_number(v) and v in (-1, 0, 1)),
    "give -1 (unpleasant), 0 or 1 (pleasant)",
)
SCALE: Kind = _is_scale, "give the lowest and the highest answer, such as [1, 5]"
SEPARATOR: Kind = (
    (lambda v: isinstance(v, str) and len(v) == 1),
    "give one character, such as ';'",
)
DECIMAL: Kind = (lambda v: v in (".", ",")), "give '.' or ','"

PLAN = {
    "dataset": WORD, "licence": WORD, "citation": WORD, "time": WORD,
    "windows": FILE, "recordings": FILE, "answers": FILE,
    "window": POSITIVE, "step": POSITIVE, "epsilon": POSITIVE,
    "scale": SCALE, "separator": SEPARATOR, "decimal": DECIMAL,
}  # fmt: skip
MODALITY = {
    "branch": WORD, "source": WORD, "motion": FLAG, "kind": WORD, "files": FILE,
    "rate": POSITIVE, "columns": COLUMNS, "unit": UNIT,
}  # fmt: skip
GROUPS = ("columns", "modalities", "emotions")  # have keys and values of their own


def violations(plan: Mapping[str, Any]) -> list[str]:
    """A sentence for each value that is none of its key.

    Example:
        >>> violations({"window": "long"})
        ["window: give a positive number, not 'long'"]
    """
    sentences = list(_of_values("", plan, PLAN))
    groups = {key: plan[key] for key in GROUPS if key in plan}
    for key, group in groups.items():
        if not isinstance(group, dict) or not group:
            sentences.append(f"{key} needs keys and values")
    if sentences:
        return sentences
    columns, emotions = groups.get("columns", {}), groups.get("emotions", {})
    sentences += _of_values("columns, ", columns, dict.fromkeys(columns, COLUMN))
    sentences += _of_values("emotions, ", emotions, dict.fromkeys(emotions, SIGN))
    for name, about in groups.get("modalities", {}).items():
        if isinstance(about, dict):
            sentences += _of_modality(f"modality {name}, ", about)
    return sentences


def _of_modality(place: str, about: Mapping[str, Any]) -> list[str]:
    sentences = list(_of_values(place, about, MODALITY))
    features = about.get("features", {"": ""})
    if not isinstance(features, dict) or not features:
        return [*sentences, f"{place}features needs keys and values"]
    kinds = dict.fromkeys(features, FEATURE)
    return [*sentences, *_of_values(f"{place}features, ", features, kinds)]


def _of_values(
    place: str, values: Mapping[str, object], kinds: Mapping[str, Kind]
) -> Iterator[str]:
    for key, (is_one, words) in kinds.items():
        if key in values and not is_one(values[key]):
            yield f"{place}{key}: {words}, not {repr(values[key])[:60]}"
