"""Checksums of recordings: a changed bit in a signal is found by nothing else.

A folder of recordings may hold ``SHA256SUMS``, in the format of the command
``sha256sum``. ``python -m mpcl fetch`` writes one while it unpacks;
``sha256sum S*/S*.pkl S*/S*.csv > SHA256SUMS`` makes one by hand.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from mpcl.errors import DatasetError

RECORD = "SHA256SUMS"


def sha256(path: str | Path) -> str:
    """Checksum of a file: 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded(root: str | Path) -> dict[str, str]:
    """The checksums recorded in a folder, by file name; empty if there is no record.

    Raises:
        DatasetError: for a line that is no checksum, and if no recorded file is here.
    """
    record = Path(root) / RECORD
    if not record.is_file():
        return {}
    digests: dict[str, str] = {}
    text = record.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        entry = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](\S.*)", line)
        if entry:
            digests[entry[2].removeprefix("./")] = entry[1].lower()
        elif line.strip():
            raise DatasetError(
                f"line {number} is not 'checksum  file'; "
                "restore it, or delete the record",
                record,
            )
    if digests and not any((record.parent / name).is_file() for name in digests):
        raise DatasetError(
            "no file that it names lies in this folder; write the names as they are "
            "from here, such as S2/S2.pkl, or delete the record",
            record,
        )
    return digests


def verify(path: str | Path, root: str | Path, record: Mapping[str, str]) -> str:
    """The checksum of a file below ``root``, which must be the recorded one, if any.

    Args:
        record: what :func:`recorded` read from ``root``.

    Raises:
        DatasetError: if another checksum is recorded.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     path = Path(root, "a.csv")
        ...     _ = path.write_text("1;2")
        ...     _ = Path(root, RECORD).write_text(f"{sha256(path)}  a.csv")
        ...     verify(path, root, recorded(root)) == sha256(path)
        True
    """
    digest = sha256(path)
    if record.get(Path(path).relative_to(root).as_posix(), digest) != digest:
        raise DatasetError(
            f"the file is not the one that {RECORD} records; "
            "unpack or download it again",
            path,
        )
    return digest
