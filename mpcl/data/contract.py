"""The data contract: the one xarray layout every data set has, and the check that it holds.

Along the dimension ``window`` a data set holds

* one variable a modality, ``(window, <modality>_feature)``, with the attributes ``branch``
  (``physiological`` or ``behavioural``) and ``source``, and its units in the coordinate
  ``<modality>_unit (<modality>_feature)``; a row that is all NaN is a missing modality;
* ``distribution (window, emotion)``, each row non-negative and summing to one, with the
  coordinate ``valence (emotion)`` in -1, 0, +1;
* the coordinates ``participant``, ``trial``, ``condition``, ``clip`` (strings) and ``start``,
  ``stop`` (seconds from the start of the recording);
* optionally ``rating (window, emotion)``, ``<modality>_quality (window)`` in 0..1, and
  ``truth_*`` variables where the data are simulated.

Whatever passes :func:`check` trains, is evaluated and is drawn.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import xarray as xr

CONTRACT_VERSION = "1"
BRANCHES = ("physiological", "behavioural")
LABELS = ("participant", "trial", "condition", "clip")
ATTRIBUTES = ("dataset", "licence", "citation", "rating_scale", "created_by", "contract_version")
TOLERANCE = 1e-6  # how far a distribution may sum from one
SHOWN = 5  # places named in one violation


class DatasetError(ValueError):
    """Data that cannot be used, in words that say where and what to do.

    Args:
        violations: one sentence, or a list of them.
        place: the file or data set that they are about.
    """

    def __init__(self, violations, place=""):
        self.violations = [violations] if isinstance(violations, str) else list(violations)
        self.place = str(place)
        where = f"{self.place}: " if self.place else ""
        if len(self.violations) == 1:
            super().__init__(where + self.violations[0])
        else:
            listed = "".join(f"\n  - {violation}" for violation in self.violations)
            super().__init__(f"{where}{len(self.violations)} violations of the data contract:{listed}")


def modalities(dataset, branch=None):
    """Names of the modalities, in the order of the data set.

    Args:
        dataset: a data set that follows the contract.
        branch: only those of this branch; all by default.

    Returns:
        list of str.

    Example:
        >>> dataset = xr.Dataset({"eda": (("window", "eda_feature"), [[0.1]], {"branch": "physiological"})})
        >>> modalities(dataset), modalities(dataset, "behavioural")
        (['eda'], [])
    """
    named = [str(name) for name, variable in dataset.data_vars.items() if "branch" in variable.attrs]
    return [name for name in named if branch is None or dataset[name].attrs["branch"] == branch]


def check(dataset):
    """Return ``dataset`` if it follows the contract, else raise an error that lists every violation.

    Args:
        dataset: :class:`xarray.Dataset` with the dimension ``window``.

    Returns:
        The same object.

    Raises:
        DatasetError: with all violations at once, each naming participant and trial.

    Example:
        >>> check(xr.Dataset())
        Traceback (most recent call last):
        mpcl.data.contract.DatasetError: data set: the dimension 'window' is missing
    """
    if not isinstance(dataset, xr.Dataset):
        raise DatasetError(f"an xarray.Dataset is needed, this is {type(dataset).__name__}")
    place = dataset.attrs.get("dataset", "data set")
    for dim in ("window", "emotion"):
        if dim not in dataset.dims:
            raise DatasetError(f"the dimension {dim!r} is missing", place)
        least = 1 if dim == "window" else 2
        if dataset.sizes[dim] < least:
            raise DatasetError(f"there are {dataset.sizes[dim]} {dim}s; at least {least} needed", place)
    found = _coordinates(dataset)
    if not found:  # places can be named from here on
        found += _trials(dataset) + _labels(dataset) + _modalities(dataset)
    found += [f"the attribute {name!r} is missing" for name in ATTRIBUTES if name not in dataset.attrs]
    version = dataset.attrs.get("contract_version", CONTRACT_VERSION)
    if str(version) != CONTRACT_VERSION:
        found.append(f"contract_version is {version!r}; this package reads {CONTRACT_VERSION!r}")
    if found:
        raise DatasetError(found, place)
    return dataset


def _coordinates(dataset):
    found = []
    for name in (*LABELS, "start", "stop"):
        if name not in dataset.coords or dataset[name].dims != ("window",):
            found.append(f"the coordinate {name!r} along 'window' is missing")
        elif name in LABELS and not all(isinstance(value, str) and value for value in dataset[name].values.tolist()):
            found.append(f"the coordinate {name!r} must hold non-empty strings")
        elif name not in LABELS and not _finite(dataset[name].values):
            found.append(f"the coordinate {name!r} must hold finite seconds")
    for name in ("emotion", "valence"):
        if name not in dataset.coords or dataset[name].dims != ("emotion",):
            found.append(f"the coordinate {name!r} along 'emotion' is missing")
    if not found:
        if not np.isin(dataset["valence"].values, (-1, 0, 1)).all():
            found.append("valence must be -1, 0 or +1 for each emotion")
        if len(set(dataset["emotion"].values.tolist())) < dataset.sizes["emotion"]:
            found.append("the names of the emotions must differ")
    return found


def _trials(dataset):
    found = []
    start, stop = dataset["start"].values, dataset["stop"].values
    found += _places(dataset, ~(stop > start), "a window must stop after it starts")
    table = dataset[list(LABELS) + ["start"]].to_dataframe()[list(LABELS) + ["start"]]
    for name in ("participant", "condition", "clip"):
        several = table.groupby("trial")[name].nunique()
        for trial in several.index[several > 1][:SHOWN]:
            values = ", ".join(sorted(table.loc[table.trial == trial, name].unique()))
            found.append(f"trial {trial} has more than one {name} ({values}); trial names must be unique")
    twice = table.duplicated(["trial", "start"]).values
    return found + _places(dataset, twice, "two windows of the same trial start at the same time")


def _labels(dataset):
    if "distribution" not in dataset or dataset["distribution"].dims != ("window", "emotion"):
        return ["the variable 'distribution' (window, emotion) is missing"]
    found = []
    label = dataset["distribution"].values
    if not np.issubdtype(label.dtype, np.floating):
        return ["'distribution' must hold floating-point numbers"]
    finite = np.isfinite(label).all(1)
    found += _places(dataset, ~finite, "'distribution' must be finite")
    found += _places(dataset, finite & (label < 0).any(1), "'distribution' must not be negative")
    off = finite & (np.abs(np.where(finite[:, None], label, 0).sum(1) - 1) > TOLERANCE)
    found += _places(dataset, off, "'distribution' must sum to 1")
    if "rating" in dataset and dataset["rating"].dims != ("window", "emotion"):
        found.append("'rating' must have the dimensions (window, emotion)")
    return found


def _modalities(dataset):
    names = modalities(dataset)
    if not names:
        return ["there is no modality: give at least one variable the attribute 'branch'"]
    found = []
    for name in names:
        variable, feature = dataset[name], f"{name}_feature"
        if variable.dims != ("window", feature):
            found.append(f"modality {name!r} must have the dimensions (window, {feature}), not {variable.dims}")
            continue
        if variable.attrs["branch"] not in BRANCHES:
            found.append(f"modality {name!r}: branch must be {' or '.join(BRANCHES)}, not {variable.attrs['branch']!r}")
        if "source" not in variable.attrs:
            found.append(f"modality {name!r}: the attribute 'source' is missing")
        for coordinate in (feature, f"{name}_unit"):
            if coordinate not in dataset.coords or dataset[coordinate].dims != (feature,):
                found.append(f"modality {name!r}: the coordinate {coordinate!r} along {feature!r} is missing")
        if feature in dataset.coords and len(set(dataset[feature].values.tolist())) < dataset.sizes[feature]:
            found.append(f"modality {name!r}: the names of its features must differ")
        if not np.issubdtype(variable.dtype, np.floating):
            found.append(f"modality {name!r} must hold floating-point numbers")
            continue
        found += _places(dataset, np.isinf(variable.values).any(1), f"modality {name!r} must not be infinite")
        if f"{name}_quality" in dataset:
            quality = dataset[f"{name}_quality"].values
            found += _places(dataset, ~((quality >= 0) & (quality <= 1)), f"'{name}_quality' must lie in 0..1")
    return found


def _places(dataset, wrong, sentence):
    """The sentence with the participants, trials and times of the windows that are wrong, or nothing."""
    rows = np.flatnonzero(wrong)
    named = [
        f"participant {window.participant.item()}, trial {window.trial.item()}, {window.start.item():g} s"
        for window in (dataset[list(LABELS)].isel(window=row) for row in rows[:SHOWN])
    ]
    more = f" and {len(rows) - SHOWN} more windows" if len(rows) > SHOWN else ""
    return [f"{sentence}: {'; '.join(named)}{more}"] if len(rows) else []


def _finite(values):
    return np.issubdtype(values.dtype, np.number) and bool(np.isfinite(values).all())


def missing(dataset):
    """Which modality is missing in which window: its row is all NaN.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        bool :class:`xarray.DataArray` (window, modality).
    """
    names = modalities(dataset)
    rows = [dataset[name].isnull().all(f"{name}_feature").values for name in names]
    return xr.DataArray(np.stack(rows, 1), dims=("window", "modality"), coords={"modality": names})


def summary(dataset):
    """What a data set holds and what is missing from it, as text.

    Args:
        dataset: a data set that follows the contract.

    Returns:
        str: a few lines, the loader's own ``notes`` last.
    """
    absent = missing(dataset)
    lines = [
        f"{dataset.attrs['dataset']}: {len(set(dataset.participant.values))} participants, "
        f"{len(set(dataset.trial.values))} trials, {dataset.sizes['window']} windows, "
        f"{dataset.sizes['emotion']} emotions"
    ]
    for name in modalities(dataset):
        gone = absent.sel(modality=name)
        partly = dataset[name].isnull().any(f"{name}_feature") & ~gone
        state = "missing everywhere" if gone.all() else f"missing in {int(gone.sum())} windows"
        lines.append(
            f"  {name} ({dataset[name].attrs['branch']}, {dataset[name].shape[1]} features): "
            f"{state}, partly in {int(partly.sum())}"
        )
    if absent.all("modality").any():
        lines.append(f"  {int(absent.all('modality').sum())} windows have no modality at all")
    notes = str(dataset.attrs.get("notes", ""))
    return "\n".join(lines + [f"  note: {note}" for note in notes.splitlines() if note])


def fingerprint(dataset):
    """A short hash of everything a data set holds: names, dimensions, values and units.

    Args:
        dataset: any :class:`xarray.Dataset`.

    Returns:
        str of 16 hexadecimal digits.

    Example:
        >>> fingerprint(xr.Dataset({"a": ("window", [1.0])})) == fingerprint(xr.Dataset({"a": ("window", [2.0])}))
        False
    """
    digest = hashlib.sha256()
    for name in sorted(map(str, dataset.variables)):
        variable = dataset[name]
        values = variable.values
        digest.update(f"{name}{variable.dims}{variable.shape}{variable.attrs.get('branch', '')}".encode())
        if values.dtype.kind in "fiub":
            digest.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes())
        else:
            digest.update("\0".join(map(str, values.ravel().tolist())).encode())
    return digest.hexdigest()[:16]


def read(path, chunks=None):
    """Read a contract file (netCDF) and check it.

    Args:
        path: a file that :func:`write` or any netCDF4 writer made.
        chunks: None, or the sizes of pieces to be read when they are needed, such as ``{"window": 10000}``.

    Returns:
        The data set, in memory, or with dask arrays in place of that.

    Raises:
        DatasetError: if the file is missing, is not netCDF, or violates the contract.
    """
    return check(read_netcdf(path, chunks))


def read_netcdf(path, chunks=None):
    """Read a netCDF4 file, or say in one sentence why it cannot be read.

    Args:
        path: the file.
        chunks: None for all of it in memory, else the sizes of pieces (see :func:`xarray.open_dataset`).

    Returns:
        :class:`xarray.Dataset`.

    Raises:
        DatasetError: if the file is missing or is not netCDF4.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError("there is no such file", path)
    try:
        opened = xr.load_dataset if chunks is None else xr.open_dataset
        return opened(path, engine="h5netcdf", chunks=chunks).drop_encoding()  # it would cut longer names, once written
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"this is not a readable netCDF4 file ({reason}); make it again", path) from error


def write(dataset, path):
    """Check a data set and write it as netCDF4, under a temporary name first.

    Args:
        dataset: a data set that follows the contract.
        path: the file to write; its folder is made.

    Returns:
        :class:`pathlib.Path` of the file.

    Raises:
        DatasetError: if the data set violates the contract; nothing is written then.
    """
    return write_netcdf(check(dataset), path)


def write_netcdf(dataset, path):
    """Write any data set as netCDF4 so that the file is there whole or not at all.

    Args:
        dataset: :class:`xarray.Dataset`.
        path: the file to write; its folder is made.

    Returns:
        :class:`pathlib.Path` of the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        dataset.to_netcdf(part, engine="h5netcdf")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
