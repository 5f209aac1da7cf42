"""Read a pickle of numpy arrays without letting it call anything.

A pickle is a program: loading it calls what it names. Admitting numpy's own
constructors is not safe either, for they trust the state they are given. So everything
a pickle may name is a stand-in of this file that only records shape, type and bytes;
the arrays are made from these afterwards, and checked.

WESAD's files were written by Python 2: their strings are bytes, their globals lie in
``numpy.core.multiarray``. The same arrays pickled again by Python 3 (protocols 2 to 5)
are read too.
"""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mpcl.errors import DatasetError

TYPES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


class _Type:
    """Stands for a numpy.dtype of plain numbers."""

    def __init__(self, code: object, align: object = 0, copy: object = 0) -> None:
        self.code, self.order = _text(code), "|"
        if self.code not in TYPES:
            raise pickle.UnpicklingError(
                f"an array of type {self.code!r} is no recording"
            )

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = _text(state[1])
        if self.order not in "<>|" or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("an array of records is no recording")

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a numpy.ndarray; ``values`` views the bytes read (read-only)."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        size = math.prod(shape) * kind.dtype.itemsize
        if (
            not isinstance(data, bytes)
            or min(shape, default=1) < 0
            or len(data) != size
        ):
            raise pickle.UnpicklingError("an array is not as long as its shape says")
        self.values = np.frombuffer(data, kind.dtype).reshape(
            shape, order="F" if fortran else "C"
        )


class _Named:
    """Stands for a global: called if it is one of the constructors, never changed."""

    def __init__(self, call: Callable[..., Any] | None) -> None:
        self.call = call

    def __call__(self, *arguments: object) -> object:
        if self.call is None:
            raise pickle.UnpicklingError("an array is made in an unusual way")
        return self.call(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("it tries to change a constructor")


def _array(subtype: object, shape: object, code: object) -> _Array:
    return _Array()


def _from_buffer(data: bytearray, kind: _Type, shape: object, order: str) -> _Array:
    """How protocol 5 writes an array."""
    array = _Array()
    array.__setstate__((None, shape, kind, order == "F", bytes(data)))
    return array


def _scalar(kind: _Type, data: bytes) -> object:
    return np.frombuffer(data, kind.dtype, 1)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


ADMITTED: dict[tuple[str, str], Callable[..., Any] | None] = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
}


class _Forbidden(Exception):
    """A global that is not admitted."""


def _read_bytearray(reader: Any) -> None:
    """Bytes of protocol 5: as many as there are, not room for as many as are told."""
    length = int.from_bytes(reader.read(8), "little")
    reader.append(bytearray(reader.read(length)))


class _Reader(pickle._Unpickler):
    # The private unpickler in Python, not the public one in C: there, a corrupt memo
    # index of four bytes claims gigabytes. A few hundred opcodes cost nothing.

    # pyrefly: ignore[missing-override-decorator]  # it came with Python 3.12
    def find_class(self, module: str, name: str) -> _Named:
        if (module, name) not in ADMITTED:
            raise _Forbidden(f"{module}.{name}")
        return _Named(ADMITTED[module, name])

    dispatch = pickle._Unpickler.dispatch | {pickle.BYTEARRAY8[0]: _read_bytearray}

    # pyrefly: ignore[missing-override-decorator]
    def persistent_load(self, pid: object) -> NoReturn:
        raise _Forbidden("an object outside the file")


def read(path: Path) -> Any:
    """Read what a WESAD pickle holds: a nested dictionary of arrays, by text.

    The arrays are read-only views.

    Raises:
        DatasetError: for a missing, truncated or foreign file, and for a pickle that
            names anything but numpy arrays; nothing it names is called.
    """
    try:
        with open(path, "rb") as file:
            return _plain(_Reader(file, encoding="bytes").load())
    except _Forbidden as named:
        raise DatasetError(
            f"the pickle asks for {named}, which no recording needs; nothing was "
            "called: do not use this file, download WESAD from its publishers",
            path,
        ) from None
    except Exception as error:  # whatever bytes can do to an unpickler
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(
            f"this is not a whole WESAD pickle ({reason}); download the file again",
            path,
        ) from None


def _plain(value: object) -> object:
    """Stand-ins to arrays, byte strings to text, and nothing else."""
    if isinstance(value, dict):
        return {_text(key): _plain(part) for key, part in value.items()}
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, bytes | str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise pickle.UnpicklingError(f"{type(value).__name__} where arrays are expected")


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
