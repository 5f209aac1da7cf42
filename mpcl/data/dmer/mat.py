"""Numbers out of MATLAB files: SciPy reads them (h5py version 7.3), in a child process.

SciPy's ``loadmat`` trusts the sizes that a file states: of 2,496 single bits turned
over in small files, 28 ended the whole Python process (SciPy 1.17.1), and DMER
publishes no checksums. So the child is the guard: a crash, a long silence and nonsense
become one sentence here, and a new child reads the next file. It is loky's, the process
pool of scikit-learn, which needs no guard in the user's script and tells of a crash.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import TimeoutError as TookTooLong
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from mpcl.data.dmer.release import Place, content
from mpcl.errors import DatasetError


def read(
    path: Place, names: Sequence[str], timeout: float = 120.0
) -> dict[str, np.ndarray]:
    """The named arrays of a file, on disk or in an archive.

    Args:
        timeout: seconds that reading may take.

    Raises:
        DatasetError: if the file is missing, cut short, damaged, or a variable is
            missing or holds no real numbers.

    Example:
        >>> import scipy.io
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "7.mat")
        ...     scipy.io.savemat(path, {"vids": [3, 4], "word": "text"})
        ...     read(path, ["vids"])
        {'vids': array([[3, 4]])}
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "variables.mat")
        copy.write_bytes(content(path))
        child = get_reusable_executor(max_workers=1)
        try:
            return child.submit(unguarded, copy, names).result(timeout)
        except (BrokenProcessPool, TookTooLong):
            child.shutdown(kill_workers=True)
            reason = "reading it breaks off"
        except Exception as error:  # whatever a damaged file leads to is a sentence
            reason = " ".join(str(error).split()) or type(error).__name__
    raise DatasetError(
        f"this is no whole MATLAB file ({reason}); unpack or download it again",
        str(path),
    )


def unguarded(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named arrays of a file, read in this very process.

    Raises:
        ValueError: if a variable is missing or holds no real numbers; SciPy and h5py
            raise others.
    """
    import h5py
    from scipy.io import loadmat

    if h5py.is_hdf5(path):  # version 7.3, whose arrays lie transposed
        with h5py.File(path, "r") as file:
            arrays = {name: file[name][()].T for name in names if name in file}
    else:
        arrays = loadmat(path, variable_names=list(names))
    for name in names:
        if name not in arrays:
            raise ValueError(f"the variable {name} is missing")
        if np.asarray(arrays[name]).dtype.kind not in "fiu":
            raise ValueError(f"{name} is no array of real numbers")
    return {name: arrays[name] for name in names}
