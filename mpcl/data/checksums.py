"""Checksums of recordings: a changed bit in a signal is found by nothing else.

A folder of recordings may hold ``SHA256SUMS``, in the format of the command ``sha256sum``. ``python -m mpcl
fetch`` writes one while it unpacks; ``sha256sum S*/S*.pkl S*/S*.csv > SHA256SUMS`` makes one by hand.
"""

import hashlib
import re
from pathlib import Path

from mpcl.data.contract import DatasetError

RECORD = "SHA256SUMS"


def sha256(path):
    """Checksum of a file.

    Args:
        path: the file.

    Returns:
        str of 64 hexadecimal digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded(root):
    """The checksums that are recorded for a folder.

    Args:
        root: the folder that may hold ``SHA256SUMS``.

    Returns:
        dict from the name of a file, relative to the folder, to its checksum; empty if there is no record.

    Raises:
        DatasetError: for a line that is no checksum.
    """
    record, found = Path(root) / RECORD, {}
    lines = record.read_text(encoding="utf-8", errors="replace").splitlines() if record.is_file() else []
    for number, line in enumerate(lines, 1):
        entry = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](\S.*)", line)
        if not entry and line.strip():
            raise DatasetError(f"line {number} is not 'checksum  file'; restore it, or delete the record", record)
        if entry:
            found[entry[2].removeprefix("./")] = entry[1].lower()
    return found


def verify(path, root):
    """Compare a file with its recorded checksum, if there is one.

    Args:
        path: a file.
        root: the folder above it that may hold ``SHA256SUMS``.

    Returns:
        str: the checksum of the file.

    Raises:
        DatasetError: if the record has another.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     path = Path(root, "a.csv")
        ...     _ = path.write_text("1;2")
        ...     digest = verify(path, root)
        ...     _ = Path(root, RECORD).write_text(f"{digest}  a.csv")
        ...     verify(path, root) == digest
        True
    """
    digest = sha256(path)
    if recorded(root).get(Path(path).relative_to(root).as_posix(), digest) != digest:
        raise DatasetError(f"the file is not the one that {RECORD} records; unpack or download it again", path)
    return digest
