"""Numbers out of MATLAB files (version 5 to 7, and 7.3 by way of HDF5), read strictly.

SciPy's ``loadmat`` trusts the sizes that a file states: of all single bits turned over in a small file, about
one in a hundred ends the whole Python process (measured, SciPy 1.17.1). Here every size is checked against what
is there, and the checksum of a compressed variable is verified. Only plain, real, numeric arrays come out; cells,
structs, objects, text and sparse arrays are passed over. Layout: "MAT-File Format", The MathWorks.
"""

import io
import math
import struct
import zipfile
import zlib

import h5py
import numpy as np

from mpcl.data.contract import DatasetError

NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMERIC, COMPLEX = range(6, 16), 0x0800  # classes of plain arrays, and the flag of complex ones
LARGEST = 4 << 30  # bytes that a packed file or variable may unpack to
FAULTS = (ValueError, struct.error, zlib.error, OSError, KeyError, RuntimeError, OverflowError, MemoryError)


def read(path, names):
    """Read named arrays from a MATLAB file.

    Args:
        path: a :class:`pathlib.Path`, or a :class:`zipfile.Path` inside an archive that stays packed.
        names: the variables to read.

    Returns:
        dict of arrays; a name that the file lacks is absent.

    Raises:
        DatasetError: if the file is missing, cut short, damaged, or a variable holds no real numbers.
    """
    raw = content(path)
    try:
        if b"\x89HDF\r\n\x1a\n" in (raw[:8], raw[512:520]):
            return _hdf5(raw, names)
        return dict(_matrices(raw, names))
    except FAULTS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"this is no whole MATLAB file ({reason}); unpack or download it again", path) from error


def content(path):
    """The bytes of a file, on disk or in an archive that stays packed.

    Raises:
        DatasetError: if there is no such file, or the archive is damaged.
    """
    if not path.is_file():
        raise DatasetError("the file is missing; unpack the archive once more", path)
    if isinstance(path, zipfile.Path) and path.root.getinfo(path.at).file_size > LARGEST:
        raise DatasetError(f"it unpacks to more than {LARGEST >> 30} GiB, which no file of DMER does", path)
    try:
        return path.read_bytes()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DatasetError(f"it cannot be read ({error}); copy or download it again", path) from error


def _matrices(raw, names):
    """Yield (name, array) of the wanted variables of a version 5 file."""
    if len(raw) < 128 or raw[126:128] not in (b"IM", b"MI"):
        raise ValueError("it lacks the header")
    order = "<" if raw[126:128] == b"IM" else ">"
    for kind, data in _elements(memoryview(raw)[128:], order):
        if kind == COMPRESSED:
            unpacker = zlib.decompressobj()
            data = memoryview(unpacker.decompress(data, LARGEST))
            if not unpacker.eof:
                raise ValueError("a compressed variable ends early")
            (kind, data), *_ = _elements(data, order)
        if kind != MATRIX:
            raise ValueError(f"an element of the type {kind} stands where a variable should")
        (flags_kind, flags), (dims_kind, dims), (name_kind, name), *values = _elements(data, order)
        name = bytes(name).decode("latin1")
        if name not in names:
            continue
        flag = int(_numbers(flags_kind, flags, order)[0])
        shape = _numbers(dims_kind, dims, order).tolist()
        if (flags_kind, dims_kind, name_kind) != (UINT32, INT32, INT8) or min(shape) < 0:
            raise ValueError(f"{name} has no proper head")
        if flag & 0xFF not in NUMERIC or flag & COMPLEX:
            raise ValueError(f"{name} is no array of real numbers")
        array = _numbers(*values[0], order) if values else np.zeros(0)
        if len(values) > 1 or array.size != math.prod(shape):
            raise ValueError(f"{name} holds {array.size} numbers, its size says {shape}")
        yield name, array.reshape(shape, order="F")


def _elements(raw, order):
    """Yield (type, bytes) of each element; small ones keep their bytes in the tag."""
    place = 0
    while place < len(raw):
        kind, size = struct.unpack_from(f"{order}II", raw, place)
        begin = place + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
        if begin + size > len(raw) or (begin == place + 4 and size > 4):
            raise ValueError("it ends early")
        yield kind, raw[begin : begin + size]
        place = place + 8 if begin == place + 4 else begin + size + (0 if kind == COMPRESSED else -size % 8)


def _numbers(kind, data, order):
    if kind not in NUMBERS:
        raise ValueError(f"the type {kind} holds no numbers")
    return np.frombuffer(data, np.dtype(order + NUMBERS[kind]))


def _hdf5(raw, names):
    """The wanted variables of a version 7.3 file, whose arrays lie transposed."""
    with h5py.File(io.BytesIO(raw), "r") as file:
        wrong = [name for name in names if name in file and not isinstance(file[name], h5py.Dataset)]
        if wrong or any(file[name].dtype.kind not in "fiu" for name in names if name in file):
            raise ValueError("a variable is no array of real numbers")
        return {name: file[name][()].T for name in names if name in file}
