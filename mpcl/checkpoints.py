"""The state of a training run on disk: whole or not at all, arrays only, no pickles."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np


def save(path, arrays, about):
    """Write named arrays and what they belong to; the file is the old one or the new one, never half of it.

    Args:
        path: the ``.npz`` file.
        arrays: dict from name to array.
        about: what can be written as JSON; :func:`load` asks for the same.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, about=json.dumps(about, sort_keys=True), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path, about):
    """The arrays that :func:`save` wrote.

    Args:
        path: the file.
        about: what they must belong to.

    Returns:
        dict from name to array, or None if there is no such file.

    Raises:
        ValueError: if the file is damaged, or belongs to another run.

    Example:
        >>> load("nowhere.npz", {}) is None
        True
    """
    if not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = json.loads(str(arrays.pop("about")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no whole checkpoint ({error}); delete it to start again") from error
    if found != json.loads(json.dumps(about)):
        raise ValueError(f"{path} belongs to another run; delete it, or choose another folder")
    return arrays
