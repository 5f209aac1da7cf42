"""One door to every data set: a catalogue name or the path of a contract file."""

from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import xarray as xr
import yaml

from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError
from mpcl.files import read_netcdf

EMBEDDED = Path(__file__).resolve().parents[2] / "data" / "simulated.nc"
COMMITTED = ("simulated", "simulated-blends")  # as files in that folder


LOADERS = {  # the function that loads a data set, imported when it is needed
    "simulated": "mpcl.simulation.cohort:cohort",
    "simulated-blends": "mpcl.simulation.cohort:blends_cohort",
    "simulated-raw": "mpcl.simulation.recordings:raw_cohort",
    "wesad": "mpcl.data.wesad.load:load",
    "dmer": "mpcl.data.dmer.load:open_dmer",
    "dmer-sample": "mpcl.data.dmer.sample:open_sample",
}
NEEDS = {  # what the folder holds that some of them take first
    "wesad": "the folder of its official files",
    "dmer": "the folder of its official files",
    "dmer-sample": "the folder of data_feature_sample.mat",
}
NAMES = tuple(LOADERS)


def open_dataset(
    name: str | Path, root: str | Path | None = None, **options: Any
) -> xr.Dataset:
    """Open a data set, which follows the contract, by its name or path.

    Args:
        name: ``simulated``, ``simulated-blends``, ``simulated-raw``, ``wesad``,
            ``dmer``, ``dmer-sample``, or the path of a contract file (``.nc``).
        root: folder of the official files, for data sets that have any.
        options: those of the loader: :func:`mpcl.simulation.cohort.cohort` (without
            any, the cohort that is committed as ``data/simulated.nc``),
            :func:`mpcl.simulation.cohort.blends_cohort` (likewise),
            :func:`mpcl.simulation.recordings.raw_cohort`,
            :func:`mpcl.data.wesad.load.load`, :func:`mpcl.data.dmer.load.open_dmer`,
            :func:`mpcl.data.dmer.sample.open_sample`. A contract file takes ``chunks``,
            such as ``{"window": 10000}``: its variables are dask arrays then, read in
            such pieces where they are needed.

    Raises:
        ParameterError: for an unknown name or option, or a root too many or too few.
        DatasetError: for a missing folder or file, and whatever is wrong in it.

    Example:
        >>> simulated = open_dataset("simulated", participants=2, clips=3, windows=2)
        >>> simulated.sizes["window"]
        12
    """
    if Path(name).suffix.lower() in contract.SUFFIXES or (
        name not in LOADERS and Path(name).exists()
    ):
        if root is not None:
            raise ParameterError(
                f"{name} needs no folder; leave out DATA_ROOT or --root"
            )
        unknown = ", ".join(set(options) - {"chunks"})
        if unknown:
            raise ParameterError(
                f"{name}: a contract file takes no options ({unknown})"
            )
        return contract.read(name, **options)
    name = str(name)
    _check_name(name)
    needs = NEEDS.get(name)
    if root is not None and not needs:
        raise ParameterError(f"{name} needs no folder; leave out DATA_ROOT or --root")
    if root is None and needs:
        raise ParameterError(f"{name} needs {needs}: give DATA_ROOT or --root")
    committed = EMBEDDED.with_name(f"{name}.nc")
    if name in COMMITTED and not options and committed.is_file():
        return contract.read(committed)
    dataset = _load(name, () if root is None else (root,), options)
    folders = () if root is None else (Path(root), *Path(root).resolve().parents)
    if any((folder / "TWIN.txt").is_file() for folder in folders):
        dataset.attrs["dataset"] += "-twin"  # never stands in the real column
    return dataset


def replaceable(path: str | Path, dataset: xr.Dataset) -> Path:
    """The path, if no contract file of another data set is there.

    Raises:
        DatasetError: if one is, which would be lost, or another kind of file.
    """
    path = contract.replaceable(path)
    if path.is_file():
        earlier = read_netcdf(path, chunks={})
        earlier.close()
        name = earlier.attrs.get("dataset")
        if name != dataset.attrs["dataset"]:
            raise DatasetError(
                f"this is there, and holds {name}: choose another name, or delete it",
                path,
            )
    return path


def entry(name: str) -> dict[str, Any]:
    """What the catalogue file says of a data set: title, address, checksum, licence.

    Example:
        >>> entry("wesad")["doi"]
        '10.24432/C57K5T'
    """
    _check_name(name)
    path = EMBEDDED.with_name("catalogue.yml")
    if not path.is_file():
        raise DatasetError(
            "the catalogue is part of the repository; run this from a copy of it", path
        )
    return yaml.safe_load(path.read_text(encoding="utf-8"))[name]


def _check_name(name: str) -> None:
    if name not in LOADERS:
        raise ParameterError(
            f"unknown data set {name!r}; choose {', '.join(NAMES)}, "
            "or give the path of a contract file"
        )


def _load(
    name: str, folder: tuple[()] | tuple[str | Path], options: dict[str, Any]
) -> xr.Dataset:
    """Call a loader; an unknown option or an unreadable file is one sentence."""
    function = resolve_name(LOADERS[name])
    choices = list(signature(function).parameters)[len(folder) :]
    for option in options:
        if option not in choices:
            raise ParameterError(
                f"{name}: unknown option {option!r}; "
                f"choose from {', '.join(choices) or 'none'}"
            )
    try:
        return function(*folder, **options)
    except OSError as error:
        place = error.filename or "".join(map(str, folder))
        raise DatasetError(
            f"this cannot be read ({error.strerror or error}); give yourself the right "
            "to read it, or copy it again",
            place,
        ) from error
