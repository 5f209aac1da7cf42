"""What a netCDF file gives back as it was put in: names, types and attributes.

A data set may live in memory with things in it that a file cannot keep. Here they are
told with their remedy, or, attributes alone, written as text; nothing is lost silently.
"""

import json
import re
import unicodedata
from collections.abc import Hashable, Mapping, Set

import numpy as np
import pandas as pd
import xarray as xr

NAME = re.compile(r"\w[\w.+-]*")
# Readers of netCDF act on these, or keep them from us.
ACTED_ON = frozenset(
    "_FillValue missing_value scale_factor add_offset _Unsigned _Encoding dtype "
    "coordinates CLASS NAME DIMENSION_LIST REFERENCE_LIST _Netcdf4Dimid "
    "_Netcdf4Coordinates _nc3_strict _NCProperties".split()
)
CONTAINERS = (dict, list, tuple, set, frozenset, np.ndarray)
MANY = 1000  # values of an attribute; HDF5 takes 64 KiB of it


def violations(dataset: xr.Dataset) -> list[str]:
    """What a file would lose or refuse of a data set, each with its remedy."""
    sentences = [
        f"the name {name!r} cannot be written: use letters, digits, '_', '-' and '.', "
        "such as 'heart_rate'"
        for name in sorted({*dataset.variables, *dataset.dims}, key=str)
        if not (isinstance(name, str) and NAME.fullmatch(name) and is_text(name))
    ]
    sentences += [
        f"the index of {name!r} has several levels: use reset_index({name!r})"
        for name, index in dataset.indexes.items()
        if isinstance(index, pd.MultiIndex)
    ]
    for name, variable in dataset.variables.items():
        if not _is_plain(variable):
            sentences.append(
                f"{name!r} must hold numbers or text alone, not {_kinds(variable)}: "
                "use .astype(float) or .astype(str), and '' for text that is missing"
            )
        sentences += _attributes(variable.attrs, f"{name!r}: ")
    return sentences + _attributes(dataset.attrs, "")


def storable(dataset: xr.Dataset) -> xr.Dataset:
    """The same data set with its attributes as a file gives them back."""
    plain = dataset.copy()
    for each in (plain, *plain.variables.values()):
        each.attrs = {name: attribute(value) for name, value in each.attrs.items()}
    return plain


def attribute(value: object) -> str | list[str] | np.ndarray:
    """An attribute as a file gives it back: text, texts or numbers as they are.

    What is neither becomes text: dicts, lists of both and many numbers as JSON, all
    else as Python prints it.

    Example:
        >>> attribute({"board": "X"}), attribute(["P07", "P09"]), attribute(None)
        ('{"board": "X"}', ['P07', 'P09'], 'None')
    """
    if isinstance(value, str):
        return value
    parts = np.array(value, dtype=object)
    flat = parts.ravel().tolist()
    if len(flat) < MANY and all(_is_number(part) for part in flat):
        numbers = np.asarray(value)
        if numbers.dtype.kind in "iuf" and numbers.dtype.itemsize <= 8:
            return numbers
    if len(flat) < MANY and parts.ndim == 1 and all(isinstance(p, str) for p in flat):
        return [str(part) for part in flat]
    if not isinstance(value, CONTAINERS):
        return str(value)
    try:
        return json.dumps(value, sort_keys=True, default=_part)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def is_text(value: object) -> bool:
    """Whether a file can hold it as text: no NUL, no half of a character."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def is_name(value: object) -> bool:
    """Whether it is text of one line that shows something."""
    if not is_text(value) or not str(value).strip():
        return False
    return not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in str(value))


def spelling(name: str) -> str:
    """A name without what differs between two spellings of it.

    Blanks around it and between words, case, leading zeros, what is invisible, and
    whether an accent is a letter's or stands behind it.

    Example:
        >>> spelling(" p 07 ") == spelling("P 7"), spelling("0.05") == spelling("0.5")
        (True, False)
    """
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf")
    words = " ".join(unicodedata.normalize("NFC", visible.casefold()).split())
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", words)


def _is_number(part: object) -> bool:
    is_bool = isinstance(part, bool | np.bool_)
    return isinstance(part, int | float | np.number) and not is_bool


def _part(part: object) -> object:
    """What JSON cannot write of an attribute, as what it can."""
    if isinstance(part, np.generic | np.ndarray):
        return part.tolist()
    if isinstance(part, Set):
        return sorted(map(str, part))
    return str(part)


def _attributes(attrs: Mapping[Hashable, object], place: str) -> list[str]:
    sentences: list[str] = []
    for name, value in attrs.items():
        if not (is_text(name) and name):
            sentences.append(f"{place}the name of the attribute {name!r} must be text")
        elif name in ACTED_ON:
            sentences.append(
                f"{place}the attribute {name!r} changes what is read from a file: "
                "apply it to the values, and delete it"
            )
        content = attribute(value)
        texts = [content] if isinstance(content, str) else content
        if isinstance(texts, list) and not all(map(is_text, texts)):
            sentences.append(f"{place}the attribute {name!r} holds no text of Unicode")
    return sentences


def _is_plain(variable: xr.Variable) -> bool:
    """Whether it holds numbers, or text, that a file gives back."""
    dtype = variable.dtype
    if not isinstance(dtype, np.dtype):  # pandas has others
        return False
    if dtype.kind in "fiub":  # half precision makes no index
        return dtype.itemsize <= 8 and dtype != np.float16
    return dtype.kind in "UO" and all(map(is_text, np.ravel(variable.values).tolist()))


def _kinds(variable: xr.Variable) -> str:
    """In words: what kinds of values an odd variable holds."""
    if variable.dtype != object:
        return str(variable.dtype)
    kinds = {type(value).__name__ for value in np.ravel(variable.values).tolist()}
    return " and ".join(sorted(kinds))
