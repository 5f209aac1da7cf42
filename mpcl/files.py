"""Files that are there whole or not at all: arrays, netCDF and text. No pickles."""

import errno
import json
import os
import shutil
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from mpcl.errors import DatasetError

PACKED = {"zlib": True, "complevel": 5, "shuffle": True}  # lossless


@contextmanager
def whole(path: str | Path) -> Generator[Path]:
    """Write a file under a temporary name, which it loses once it is whole.

    Yields:
        the temporary path, in the folder of ``path``, which is made.

    Raises:
        PermissionError: in one sentence, where the old file is held open (Windows).

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "new" / "file.txt"
        >>> with whole(path) as part:
        ...     _ = part.write_text("all of it")
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('all of it', 1)
    """
    path = Path(os.path.realpath(path))  # a link stays, and leads to the new file
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        try:
            os.replace(part, path)
        except PermissionError as error:  # Windows, where the file is open
            raise PermissionError(
                f"{path} cannot be replaced ({error.strerror}): "
                "close it where it is open, and run this again"
            ) from error
    except OSError as error:
        if error.errno is None:  # a sentence already
            raise
        raise type(error)(
            f"{path} cannot be written ({error.strerror}); nothing was changed"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_text(text: str, path: str | Path) -> Path:
    """Write a text as UTF-8."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write any data set as netCDF4, all digits of it, however it was stored before."""
    plain = dataset.drop_encoding()
    numbers = [
        name
        for name, variable in plain.variables.items()
        if variable.dtype.kind in "fiu" and variable.ndim
    ]
    with whole(path) as part:
        _room(part.parent, plain)
        try:
            plain.to_netcdf(
                part, engine="h5netcdf", encoding=dict.fromkeys(numbers, PACKED)
            )
        except RuntimeError as error:  # what HDF5 says where the system stops it
            raise OSError(errno.EIO, str(error).splitlines()[0]) from error
    return Path(path)


def _room(folder: Path, dataset: xr.Dataset) -> None:
    """Nothing, where a data set has room; HDF5 may crash on a disk that is full."""
    texts = sum(
        len(str(value)) + 24
        for variable in dataset.variables.values()
        if variable.dtype.kind in "OU"
        for value in np.ravel(variable.values)
    )
    needed = dataset.nbytes + texts + 4096 * (8 + 2 * len(dataset.variables))
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"no room: {needed / 1e6:.1f} MB are needed")


def read_netcdf(path: str | Path, chunks: dict[str, int] | None = None) -> xr.Dataset:
    """Read a netCDF4 file, or say in one sentence why it cannot be read.

    Args:
        path: the file.
        chunks: sizes of pieces to be read when they are needed, such as
            ``{"window": 10000}``; by default all of it is read into memory.

    Raises:
        DatasetError: if the file is missing or is not netCDF4.
    """
    path = Path(path)
    if not path.is_file():
        is_folder = path.is_dir()
        sentence = "this is a folder" if is_folder else "there is no such file"
        raise DatasetError(sentence, path)
    read = xr.load_dataset if chunks is None else xr.open_dataset
    try:
        with h5py.File(path) as file:  # h5netcdf would print what it meets half open
            list(file.attrs.items())
        # a unit of seconds makes no date of a number
        dataset = read(path, engine="h5netcdf", chunks=chunks, decode_times=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        sentence = f"this is not a readable netCDF4 file ({reason}); make it again"
        raise DatasetError(sentence, path) from error
    plain = dataset.drop_encoding()  # it would cut longer names, once written
    plain.set_close(dataset.close)
    return plain


def write_arrays(
    arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], path: str | Path
) -> Path:
    """Write named arrays as ``.npz``, and ``about`` as JSON beside them."""
    with whole(path) as part, open(part, "wb") as file:
        text = np.array(json.dumps(about, sort_keys=True))
        np.savez(file, allow_pickle=False, **arrays, about=text)
    return Path(path)


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What :func:`write_arrays` wrote: the arrays, and what they are about.

    Raises:
        DatasetError: if the file is missing, damaged, or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(str(arrays.pop("about")))
    except FileNotFoundError:
        raise DatasetError("there is no such file", path) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"this is no whole file of arrays ({error})", path
        ) from error
