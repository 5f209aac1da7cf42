"""The data contract: the one layout that every data set has, and its check.

Along the dimension ``window`` a data set holds

* one variable a modality, ``(window, <modality>_feature)``, with the attributes
  ``branch`` (``physiological`` or ``behavioural``) and ``source``, and its units in
  the coordinate ``<modality>_unit (<modality>_feature)``; a row that is all NaN is a
  missing modality;
* ``distribution (window, emotion)``, each row non-negative and summing to one, with
  the coordinate ``valence (emotion)`` in -1, 0, +1;
* the coordinates ``participant``, ``trial``, ``condition``, ``clip`` (strings) and
  ``start``, ``stop`` (seconds from the start of the recording);
* optionally the attribute ``motion`` (1 or 0) of a modality, where its name does not
  tell whether it is one of motion;
* optionally ``rating (window, emotion)``, ``<modality>_quality (window)`` in 0..1,
  and ``truth_*`` variables where the data are simulated.

Whatever passes :func:`check` can be written and read again, trains, is evaluated and is
drawn. All functions but
:func:`check`, :func:`read` and :func:`fingerprint` take a data set that passes it.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mpcl.data import storable
from mpcl.errors import DatasetError
from mpcl.files import read_netcdf, write_netcdf

SUFFIXES = (".nc", ".nc4")
CONTRACT_VERSION = "1"
BRANCHES = ("physiological", "behavioural")
LABELS = ("participant", "trial", "condition", "clip")
ATTRIBUTES = (
    "dataset",
    "licence",
    "citation",
    "rating_scale",
    "created_by",
    "contract_version",
)
COORDINATES = {  # and the dimension of each
    **dict.fromkeys((*LABELS, "start", "stop"), "window"),
    **dict.fromkeys(("emotion", "valence"), "emotion"),
}
TOLERANCE = 1e-6  # how far a distribution may sum from one
LARGEST = 1e30  # of a feature: beyond lie the fill values of file formats
SHOWN = 5  # places named in one violation


def modalities(dataset: xr.Dataset, branch: str | None = None) -> list[str]:
    """Names of the modalities (of one branch), in the order of the data set.

    Example:
        >>> skin = (("window", "eda_feature"), [[0.1]], {"branch": "physiological"})
        >>> dataset = xr.Dataset({"eda": skin})
        >>> modalities(dataset), modalities(dataset, "behavioural")
        (['eda'], [])
    """
    branches = {
        str(name): variable.attrs["branch"]
        for name, variable in dataset.data_vars.items()
        if "branch" in variable.attrs
    }
    return [name for name in branches if branch in (None, branches[name])]


class Trials(NamedTuple):
    """The windows of a data set, grouped by trial."""

    names: np.ndarray  # (trial,), sorted
    first: np.ndarray  # (trial,), row of the first window
    of_window: np.ndarray  # (window,), the place of its trial in names
    counts: np.ndarray  # (trial,), windows

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Means (trial, ...) of what each window has (window, ...)."""
        total = np.zeros((len(self.names), *values.shape[1:]))  # (trial, ...)
        np.add.at(total, self.of_window, values)
        return total / self.counts.reshape(-1, *[1] * (values.ndim - 1))

    def least(self, values: np.ndarray) -> np.ndarray:
        """The least (trial,) of what each window has (window,), as when it starts."""
        least = np.full(len(self.names), np.inf)
        np.minimum.at(least, self.of_window, values.astype(float))
        return least

    def weights(self) -> np.ndarray:
        """Weights (window,) with which trials count alike; their mean is 1."""
        share = len(self.of_window) / len(self.names)
        return share / self.counts[self.of_window]


def trials(dataset: xr.Dataset) -> Trials:
    """The one grouping of windows by trial.

    Example:
        >>> names = ("window", ["b", "a", "b", "b"])
        >>> grouped = trials(xr.Dataset(coords={"trial": names}))
        >>> grouped.names.tolist(), grouped.of_window.tolist()
        (['a', 'b'], [1, 0, 1, 1])
        >>> grouped.weights().round(2).tolist()
        [0.67, 2.0, 0.67, 0.67]
    """
    return Trials(
        *np.unique(
            dataset["trial"].values.astype(str),
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
    )


def missing(dataset: xr.Dataset) -> xr.DataArray:
    """Which modality is missing where: bool (window, modality), its row all NaN."""
    names = modalities(dataset)
    rows = [dataset[name].isnull().all(f"{name}_feature").values for name in names]
    return xr.DataArray(
        np.stack(rows, 1), dims=("window", "modality"), coords={"modality": names}
    )


def measured(dataset: xr.Dataset) -> list[str]:
    """The modalities with a value somewhere: what a learner can learn from.

    Raises:
        DatasetError: if there is none.
    """
    names = [name for name in modalities(dataset) if dataset[name].notnull().any()]
    if not names:
        raise DatasetError(
            "no modality has a single value, so there is nothing to learn from",
            dataset.attrs.get("dataset", ""),
        )
    return names


def labels_vary(dataset: xr.Dataset) -> np.ndarray:
    """Whether the windows of a trial have labels that differ: bool (trial,)."""
    grouped, label = trials(dataset), dataset["distribution"].values
    differs = (label != label[grouped.first][grouped.of_window]).any(axis=1)
    return np.bincount(grouped.of_window, differs) > 0


def check(dataset: xr.Dataset) -> xr.Dataset:
    """The data set itself, if it follows the contract.

    Raises:
        DatasetError: with all violations at once, each naming participant and trial.

    Example:
        >>> check(xr.Dataset())
        Traceback (most recent call last):
        mpcl.errors.DatasetError: data set: the dimension 'window' is missing
    """
    if not isinstance(dataset, xr.Dataset):
        raise DatasetError(
            f"an xarray.Dataset is needed, this is {type(dataset).__name__}"
        )
    place = dataset.attrs.get("dataset", "data set")
    for dim, least in (("window", 1), ("emotion", 2)):
        if dim not in dataset.dims:
            raise DatasetError(f"the dimension {dim!r} is missing", place)
        if dataset.sizes[dim] < least:
            raise DatasetError(
                f"there are {dataset.sizes[dim]} {dim}s; at least {least} needed", place
            )
    violations = storable.violations(dataset) + _coordinates(dataset)
    if not violations:  # places can be named from here on
        violations = _trials(dataset) + _labels(dataset) + _modalities(dataset)
    violations += _attributes(dataset)
    if violations:
        raise DatasetError(violations, place)
    return dataset


def _attributes(dataset: xr.Dataset) -> list[str]:
    violations = [
        f"the attribute {name!r} is missing"
        for name in ATTRIBUTES
        if name not in dataset.attrs
    ]
    version = dataset.attrs.get("contract_version", CONTRACT_VERSION)
    if str(version) != CONTRACT_VERSION:
        violations.append(
            f"contract_version is {version!r}; this package reads {CONTRACT_VERSION!r}"
        )
    seed = dataset.attrs.get("cohort_seed", 0)
    if not isinstance(seed, int | np.integer):
        violations.append(
            f"the attribute 'cohort_seed' must be a whole number, not {seed!r}"
        )
    return violations


def _coordinates(dataset: xr.Dataset) -> list[str]:
    coords = dataset.coords
    violations = [
        f"the coordinate {name!r} along {dim!r} is missing"
        for name, dim in COORDINATES.items()
        if name not in coords or coords[name].dims != (dim,)
    ]
    violations += [
        f"the coordinate {name!r} must hold non-empty strings of one line"
        for name in (*LABELS, "emotion")
        if name in coords and not all(map(storable.is_name, coords[name].values.flat))
    ]
    violations += [
        f"the coordinate {name!r} must hold finite seconds"
        for name in ("start", "stop")
        if name in coords and not _are_finite(coords[name].values)
    ]
    if violations:
        return violations
    valence = coords["valence"].values
    if valence.dtype.kind not in "iuf" or not np.isin(valence, (-1, 0, 1)).all():
        violations.append("valence must be -1, 0 or +1 for each emotion")
    if not coords["emotion"].to_index().is_unique:
        violations.append("the names of the emotions must differ")
    return violations + [
        sentence
        for name in ("participant", "trial", "clip", "emotion")
        for sentence in _spellings(name, coords[name].values)
    ]


def _spellings(coordinate: str, values: np.ndarray) -> list[str]:
    """A sentence for each name that stands there in more than one spelling."""
    spelt: dict[str, list[str]] = {}
    for name in sorted({*map(str, values)}):
        spelt.setdefault(storable.spelling(name), []).append(name)
    several = [names for names in spelt.values() if len(names) > 1]
    sentences = [
        f"{coordinate} {' and '.join(map(ascii, names))} may be one in two spellings: "
        "give them one name, or names that differ by more than blanks, case, accents "
        "and leading zeros"
        for names in several[:SHOWN]
    ]
    if len(several) > SHOWN:
        sentences.append(f"so may {len(several) - SHOWN} more of the {coordinate}s")
    return sentences


def _trials(dataset: xr.Dataset) -> list[str]:
    grouped = trials(dataset)
    table = dataset.coords.to_dataset()[["trial", "start"]].to_dataframe()
    violations = _places(
        dataset,
        ~(dataset["stop"] > dataset["start"]).values,
        "a window must stop after it starts",
    )
    for name in ("participant", "condition", "clip"):
        values = dataset[name].values.astype(str)
        differs = values != values[grouped.first][grouped.of_window]
        for trial in np.unique(grouped.of_window[differs])[:SHOWN]:
            listed = ", ".join(np.unique(values[grouped.of_window == trial]))
            violations.append(
                f"trial {grouped.names[trial]} has more than one {name} ({listed}); "
                "trial names must be unique"
            )
    return violations + _places(
        dataset,
        np.array(table.reset_index().duplicated(["trial", "start"]), bool),
        "two windows of the same trial start at the same time",
    )


def _labels(dataset: xr.Dataset) -> list[str]:
    dims = ("window", "emotion")
    if "distribution" not in dataset:
        return ["the variable 'distribution' (window, emotion) is missing"]
    if dataset["distribution"].dims != dims:
        return [
            "'distribution' must have the dimensions (window, emotion), not "
            f"{_listed(dataset['distribution'])}; transpose it"
        ]
    label = dataset["distribution"].values  # (window, emotion)
    if not np.issubdtype(label.dtype, np.floating):
        return ["'distribution' must hold floating-point numbers"]
    finite = np.isfinite(label).all(axis=1)
    off = abs(label.sum(axis=1, dtype=float) - 1) > TOLERANCE
    violations = _places(dataset, ~finite, "'distribution' must be finite")
    for wrong, rule in ((label < 0).any(axis=1), "not be negative"), (off, "sum to 1"):
        violations += _places(dataset, finite & wrong, f"'distribution' must {rule}")
    rating = dataset.get("rating", dataset["distribution"])
    if rating.dims != dims:
        violations.append("'rating' must have the dimensions (window, emotion)")
    elif rating.dtype.kind not in "fiu" or np.isinf(rating.values).any():
        violations.append("'rating' must hold finite numbers, NaN where not answered")
    return violations


def _modalities(dataset: xr.Dataset) -> list[str]:
    names = modalities(dataset)
    if not names:
        return [
            "there is no modality: give at least one variable the attribute 'branch'"
        ]
    violations: list[str] = []
    for name in names:
        feature, dims = f"{name}_feature", dataset[name].dims
        if dims != ("window", feature):
            violations.append(
                f"modality {name!r} must have the dimensions (window, {feature}), "
                f"not {_listed(dataset[name])}"
            )
        elif not dataset.sizes[feature]:
            violations.append(f"modality {name!r} has no feature: leave it out")
        elif name.startswith("truth_"):
            violations.append(
                f"modality {name!r}: names that begin with 'truth_' are of what is "
                "never learned from; rename it"
            )
        else:
            violations += _description(dataset, name) + _values(dataset, name)
    return violations


def _description(dataset: xr.Dataset, name: str) -> list[str]:
    """What is wrong with the attributes and coordinates of a modality."""
    attrs, coords, feature = dataset[name].attrs, dataset.coords, f"{name}_feature"
    violations = [
        f"the coordinate {coordinate!r} along {feature!r} is missing"
        for coordinate in (feature, f"{name}_unit")
        if coordinate not in coords or coords[coordinate].dims != (feature,)
    ]
    if str(attrs["branch"]) not in BRANCHES:
        violations.append(
            f"branch must be {' or '.join(BRANCHES)}, not {attrs['branch']!r}"
        )
    if "source" not in attrs:
        violations.append("the attribute 'source' is missing")
    if feature in coords and not coords[feature].to_index().is_unique:
        violations.append("the names of its features must differ")
    return [f"modality {name!r}: {violation}" for violation in violations]


def _values(dataset: xr.Dataset, name: str) -> list[str]:
    """What is wrong with the values and the quality of a modality."""
    if not np.issubdtype(dataset[name].dtype, np.floating):
        return [f"modality {name!r} must hold floating-point numbers"]
    values, quality = dataset[name].values, dataset.get(f"{name}_quality")
    violations = _places(
        dataset,
        (np.abs(values) > LARGEST).any(axis=1),
        f"modality {name!r} must not be infinite or beyond {LARGEST:g} "
        "(NaN is for what is missing)",
    )
    if quality is None:
        return violations
    if quality.dims != ("window",) or quality.dtype.kind not in "fiu":
        sentence = "must hold one number a window, its dimension 'window' alone"
        return [*violations, f"'{name}_quality' {sentence}"]
    off = ~((quality.values >= 0) & (quality.values <= 1))
    return violations + _places(dataset, off, f"'{name}_quality' must lie in 0..1")


def _listed(variable: xr.DataArray) -> str:
    return f"({', '.join(map(str, variable.dims))})"


def _places(dataset: xr.Dataset, wrong: ArrayLike, sentence: str) -> list[str]:
    """The sentence with the places of the windows that are wrong; none, no sentence."""
    rows = np.flatnonzero(wrong)
    places = [
        f"participant {window.participant.item()}, trial {window.trial.item()}, "
        f"{window.start.item():g} s"
        for window in (dataset[list(LABELS)].isel(window=row) for row in rows[:SHOWN])
    ]
    more = f" and {len(rows) - SHOWN} more windows" if len(rows) > SHOWN else ""
    return [f"{sentence}: {'; '.join(places)}{more}"] if len(rows) else []


def _are_finite(values: np.ndarray) -> bool:
    return values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


def summary(dataset: xr.Dataset) -> str:
    """What a data set holds and misses, in a few lines; the loader's notes last."""
    absent = missing(dataset)
    lines = [
        f"{dataset.attrs['dataset']}: "
        f"{len(set(dataset['participant'].values))} participants, "
        f"{len(trials(dataset).names)} trials, {dataset.sizes['window']} windows, "
        f"{dataset.sizes['emotion']} emotions"
    ]
    for name in modalities(dataset):
        lost = absent.sel(modality=name)
        partly = dataset[name].isnull().any(f"{name}_feature") & ~lost
        where = "everywhere" if lost.all() else f"in {int(lost.sum())} windows"
        lines.append(
            f"  {name} ({dataset[name].attrs['branch']}, {dataset[name].shape[1]} "
            f"features): missing {where}, partly in {int(partly.sum())}"
        )
    empty = int(absent.all("modality").sum())
    if empty:
        lines.append(f"  {empty} windows have no modality at all")
    varying = int(labels_vary(dataset).sum())
    if varying:
        lines.append(
            f"  labels vary within {varying} trials: what reads trials learns their "
            "mean, what reads windows each window's"
        )
    notes = str(dataset.attrs.get("notes", "")).splitlines()
    return "\n".join(lines + [f"  note: {note}" for note in notes if note])


def fingerprint(dataset: xr.Dataset) -> str:
    """16 hexadecimal digits of everything that can change a score.

    That is names, dimensions, types, values and all attributes; the order of the
    modalities too. Writing and reading a data set does not change it.

    Example:
        >>> one = xr.Dataset({"a": ("window", [1.0])})
        >>> fingerprint(one) == fingerprint(one + 1)
        False
        >>> fingerprint(one) == fingerprint(one.assign_attrs(rating_scale="1-5"))
        False
    """
    digest = hashlib.sha256()
    for item in _contents(dataset):
        digest.update(len(item).to_bytes(8, "big") + item)
    return digest.hexdigest()[:16]


def _contents(dataset: xr.Dataset) -> Iterator[bytes]:
    yield f"{modalities(dataset)} {_canonical(dataset.attrs)}".encode()
    for name in sorted(dataset.variables, key=str):
        variable = dataset.variables[name]
        values = np.ascontiguousarray(variable.values)
        is_number = values.dtype.kind in "fiub"
        kind = values.dtype.newbyteorder("<") if is_number else "text"
        about = _canonical(variable.attrs)
        yield f"{name} {variable.dims} {variable.shape} {kind} {about}".encode()
        if is_number:
            yield values.astype(kind).tobytes()
        else:
            yield json.dumps(values.ravel().tolist(), default=str).encode()


def _canonical(attrs: dict[Any, Any]) -> str:
    """Attributes as text; to netCDF, a list of one value is that value."""
    flat = {
        str(key): np.ravel(storable.attribute(value)).tolist()
        for key, value in attrs.items()
    }
    return json.dumps(flat, sort_keys=True)


def read(path: str | Path, chunks: dict[str, int] | None = None) -> xr.Dataset:
    """Read a contract file (netCDF) and check it; ``chunks`` as in ``read_netcdf``.

    Raises:
        DatasetError: if it is missing, no netCDF, or violates the contract.
    """
    dataset = read_netcdf(path, chunks)
    try:
        return check(dataset)
    except DatasetError as error:
        raise DatasetError(error.violations, path) from None


def write(dataset: xr.Dataset, path: str | Path) -> Path:
    """Check a data set and write it as netCDF4; its folder is made.

    Attributes that netCDF does not know, such as None or a dict, are written as text.
    """
    return write_netcdf(storable.storable(check(dataset)), replaceable(path))


def replaceable(path: str | Path) -> Path:
    """The path, if a contract file may be written there.

    Raises:
        DatasetError: if its name does not end in one of :data:`SUFFIXES`, or if another
            kind of file is there, which would be lost.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DatasetError(f"a contract file ends in .nc; call it {path.name}.nc", path)
    if path.is_file() and "distribution" not in _names(path):
        raise DatasetError(
            "this is there, and is no contract file; choose another name", path
        )
    return path


def _names(path: Path) -> list[str]:
    """What an HDF5 file holds; nothing where it is none."""
    try:
        with h5py.File(path) as file:
            return list(file)
    except OSError:
        return []
