"""Read a pickle of numpy arrays without letting it call anything.

A pickle is a program: loading it calls what it names. Admitting numpy's own constructors is not safe
either, for they trust the state they are given. So everything a pickle may name is a stand-in of this
file that only records shape, type and bytes; the arrays are made from these afterwards, and checked.

WESAD's files were written by Python 2: their strings are bytes, their globals lie in
``numpy.core.multiarray``. The same arrays pickled again by Python 3 (protocols 2 to 4) are read too.
"""

import math
import pickle

import numpy as np

from mpcl.data.contract import DatasetError

TYPES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
AGAIN = "download the file again"


class _Type:
    """Stands for a numpy.dtype of plain numbers."""

    __slots__ = ("code", "order")

    def __init__(self, code, align=False, copy=False):
        self.code, self.order = _text(code), "|"
        if self.code not in TYPES:
            raise pickle.UnpicklingError(f"an array of type {self.code!r} is no recording")

    def __setstate__(self, state):
        self.order = _text(state[1])
        if self.order not in "<>|" or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("an array of records is no recording")

    @property
    def dtype(self):
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a numpy.ndarray; ``values`` views the bytes that were read (read-only, no copy)."""

    __slots__ = ("values",)

    def __setstate__(self, state):
        _, shape, kind, fortran, data = state
        size = math.prod(shape) * kind.dtype.itemsize
        if not isinstance(data, bytes) or min(shape, default=1) < 0 or len(data) != size:
            raise pickle.UnpicklingError("an array is not as long as its shape says")
        self.values = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


class _Named:
    """Stands for a global: it can be called if it is one of the constructors, and never changed."""

    __slots__ = ("call",)

    def __init__(self, call):
        self.call = call

    def __call__(self, *arguments):
        if self.call is None:
            raise pickle.UnpicklingError("an array is made in an unusual way")
        return self.call(*arguments)

    def __setstate__(self, state):
        raise pickle.UnpicklingError("it tries to change a constructor")


def _encode(text, encoding):
    """How Python 3 writes bytes into old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


ADMITTED = {("numpy", "ndarray"): None, ("numpy", "dtype"): _Type, ("_codecs", "encode"): _encode}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ADMITTED[_module, "_reconstruct"] = lambda subtype, shape, code: _Array()
    ADMITTED[_module, "scalar"] = lambda kind, data: np.frombuffer(data, kind.dtype, 1)[0].item()


class _Forbidden(Exception):
    """A global that is not admitted."""


class _Reader(pickle._Unpickler):
    # The unpickler in Python, not the one in C: a few hundred opcodes cost nothing, strings are not
    # copied, and a corrupt memo index cannot claim gigabytes.

    def find_class(self, module, name):
        if (module, name) not in ADMITTED:
            raise _Forbidden(f"{module}.{name}")
        return _Named(ADMITTED[module, name])

    def persistent_load(self, identifier):
        raise _Forbidden("an object outside the file")


def read(path):
    """Read the nested dictionary of arrays that a WESAD pickle holds.

    Args:
        path: a :class:`pathlib.Path`.

    Returns:
        dict of str to dict, str, number, or numpy array (read-only views).

    Raises:
        DatasetError: in one sentence, for a missing, truncated or foreign file, and for a pickle that
            names anything but numpy arrays; nothing it names is called.
    """
    try:
        with open(path, "rb") as file:
            return _plain(_Reader(file, encoding="bytes").load())
    except FileNotFoundError:
        raise DatasetError("the file is missing; unpack WESAD.zip once more", path) from None
    except _Forbidden as found:
        raise DatasetError(
            f"the pickle asks for {found}, which no recording needs; nothing was called: "
            f"do not use this file, download WESAD from its publishers",
            path,
        ) from None
    except Exception as error:  # whatever bytes can do to an unpickler
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(f"this is not a whole WESAD pickle ({reason}); {AGAIN}", path) from None


def _plain(value):
    """Stand-ins to arrays, byte strings to text, and nothing else."""
    if isinstance(value, dict):
        return {_text(key): _plain(part) for key, part in value.items()}
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, (bytes, str)):
        return _text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise pickle.UnpicklingError(f"{type(value).__name__} where arrays are expected")


def _text(value):
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
