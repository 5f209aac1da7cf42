"""Recordings without labels: what the data contract asks of them, and their files."""

from pathlib import Path

import numpy as np
import xarray as xr

from mpcl.data import contract, storable
from mpcl.errors import DatasetError
from mpcl.evaluation.blind import unlabelled
from mpcl.files import read_netcdf, write_netcdf

NOT_TOLD = "not told"  # stands in for clip and condition


def checked(dataset: xr.Dataset) -> xr.Dataset:
    """The recordings alone, without any answer, if they follow the contract.

    All of the contract holds but what it says of labels, clip, condition and the
    rating scale, which need not be there; the emotions may be there, and may not.

    Raises:
        DatasetError: with all violations at once.

    Example:
        >>> from mpcl.simulation.cohort import cohort
        >>> recordings = checked(cohort(2, 3, 2))
        >>> "distribution" in recordings, "clip" in recordings.coords
        (False, False)
    """
    contract.check(with_stand_ins(dataset))
    return unlabelled(dataset)


def with_stand_ins(dataset: xr.Dataset) -> xr.Dataset:
    """Recordings with labels that say nothing, so that one check serves both kinds."""
    whole = unlabelled(dataset)
    windows = whole.sizes.get("window", 0)
    if "emotion" not in whole.variables:
        whole = whole.assign_coords(
            emotion=["this", "that"], valence=("emotion", [1, -1])
        )
    count = whole.sizes["emotion"]
    same = np.full((windows, count), 1 / count)
    names = np.full(windows, NOT_TOLD, object)
    whole = whole.assign(distribution=(("window", "emotion"), same))
    whole = whole.assign_coords(clip=("window", names), condition=("window", names))
    return whole.assign_attrs({"rating_scale": "none", **dataset.attrs})


def summary(dataset: xr.Dataset) -> str:
    """What recordings hold and miss, in a few lines."""
    lines = contract.summary(with_stand_ins(dataset)).splitlines()
    first = lines[0].rpartition(", ")[0] + ", no labels"
    return "\n".join([first, *lines[1:]])


def read(path: str | Path) -> xr.Dataset:
    """The recordings of a file, with or without labels, as :func:`checked` gives them.

    Raises:
        DatasetError: if it is missing, no netCDF, or violates the contract.
    """
    try:
        return checked(read_netcdf(path))
    except DatasetError as error:
        raise DatasetError(error.violations, path) from None


def write(dataset: xr.Dataset, path: str | Path) -> Path:
    """Check recordings and write them without labels; no file is replaced."""
    path = Path(path)
    if path.exists():
        raise DatasetError("this is there; choose another name", path)
    plain = storable.storable(checked(dataset))
    return write_netcdf(plain, contract.replaceable(path))
