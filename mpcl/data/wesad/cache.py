"""Features of participants on disk, so that the very same are made only once."""

import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import xarray as xr

from mpcl import provenance
from mpcl.data import checksums, contract
from mpcl.data.wesad import signals
from mpcl.errors import DatasetError, ParameterError
from mpcl.files import read_netcdf, write_netcdf


def folder_of(cache: str | Path | bool | None, root: Path) -> Path | None:
    """The folder for features, never inside that of the data; None for no cache."""
    if cache is False:
        return None
    is_repository = (provenance.ROOT / "pyproject.toml").is_file()
    home = provenance.ROOT if is_repository else Path.cwd()
    default = os.environ.get("MPCL_CACHE") or home / "data" / "derived"
    folder = Path(default if cache in (None, True) else cache)
    if folder.resolve().is_relative_to(root.resolve()):
        raise ParameterError(
            f"{folder}: the cache would lie inside the data; "
            "set MPCL_CACHE to another folder"
        )
    return folder


def key(digest: str, order: list[str], window: float, step: float) -> str:
    """Hash of all that features depend on: pickle, choices, code and libraries."""
    libraries = [version(library) for library in ("numpy", "scipy", "neurokit2")]
    code = provenance.code_of(signals.__name__)
    return provenance.hash_of(digest, code, repr((order, window, step)), *libraries)


def extract(
    root: Path,
    record: Mapping[str, str],
    folder: Path | None,
    window: float,
    step: float,
    name: str,
    order: list[str],
) -> xr.Dataset:
    """:func:`mpcl.data.wesad.signals.extract`, from the folder where it has it."""
    path = root / name / f"{name}.pkl"
    if not path.is_file():
        raise DatasetError("the file is missing; unpack WESAD.zip once more", path)
    digest = checksums.verify(path, root, record)
    if folder is None:
        return signals.extract(path, name, order, window, step)
    kept = folder / f"wesad-{name}-{key(digest, order, window, step)}.nc"
    with suppress(Exception):  # absent or damaged, in whatever way: made anew
        part = read_netcdf(kept)
        if part.attrs.pop("fingerprint") == contract.fingerprint(part):
            return part
    part = signals.extract(path, name, order, window, step)
    with suppress(OSError):  # a cache that cannot be written is no cache
        write_netcdf(part.assign_attrs(fingerprint=contract.fingerprint(part)), kept)
    return part
