"""Where the files of a release of DMER lie, on disk or in archives that stay packed.

DMER publishes no checksum of any file.
"""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from mpcl.errors import DatasetError

Place: TypeAlias = Path | zipfile.Path

CLIPS = 32
PARTICIPANTS = [
    number for number in range(1, 81) if number not in (3, 4, 13, 16, 17, 27, 31)
]
FOLDERS = {"features": "Features", "aligned": "Aligned_data", "raw": "Raw_data"}
ASK = (
    "ask for the data at doi 10.5281/zenodo.11194571, unpack them and give the folder "
    "that holds them"
)
LARGEST = 4 << 30  # bytes that a packed file may unpack to


def find(root: Path, form: str) -> dict[int, Place]:
    """Each participant's ``.mat``, or folder, of a form, in order of number.

    Raises:
        DatasetError: if ``root`` is neither a folder nor an archive, or an archive is
            damaged.
    """
    archive = root if root.is_file() else root / f"{FOLDERS[form]}.zip"
    places: list[Place] = [root / FOLDERS[form], root]  # a stray file hides no folder
    if archive.is_file():
        try:
            inside = zipfile.Path(archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise DatasetError(
                f"this is no whole archive ({error}); download it again", archive
            ) from error
        places += [inside / FOLDERS[form], inside]
    elif not root.is_dir():
        raise DatasetError(f"there is no such folder or archive of DMER; {ASK}", root)
    for place in places:
        suffix = ".mat" if form == "features" else ""
        entries = {number: place / f"{number}{suffix}" for number in range(1, 100)}
        present = {n: entry for n, entry in entries.items() if _has_form(entry, form)}
        if present:
            return present
    return {}


def _has_form(entry: Place, form: str) -> bool:
    if form == "raw":
        return questionnaires_folder(entry).is_dir()
    return (entry if form == "features" else entry / "datas.mat").is_file()


def questionnaires_folder(folder: Place) -> Place:
    """A participant's questionnaires and wristband: named by the id again, or ``n``."""
    return subfolder(folder, folder.name, "n")


def panas_file(folder: Place) -> Place:
    """Where the answers to the ten words lie, given the participant's folder."""
    return questionnaires_folder(folder) / "Panas.csv"


def subfolder(folder: Place, *names: str) -> Place:
    """The first of the named subfolders that exists, else what the first would be."""
    present = [folder / name for name in names if (folder / name).is_dir()]
    return present[0] if present else folder / names[0]


def content(path: Place) -> bytes:
    """The bytes of a file, on disk or in an archive.

    Raises:
        DatasetError: if there is no such file, or the archive is damaged.
    """
    if not path.is_file():
        raise DatasetError(
            "the file is missing; unpack the archive once more", str(path)
        )
    if (
        isinstance(path, zipfile.Path)
        and path.root.getinfo(path.at).file_size > LARGEST
    ):
        raise DatasetError(
            "it unpacks to more than 4 GiB, none of DMER does", str(path)
        )
    try:
        return path.read_bytes()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DatasetError(
            f"it cannot be read ({error}); copy or download it again", str(path)
        ) from error


def absent(numbers: Iterable[int]) -> list[str]:
    """Notes on released participants that are not in a folder, and on others in it."""
    missing = [f"{number}" for number in PARTICIPANTS if number not in numbers]
    others = [f"{number}" for number in numbers if number not in PARTICIPANTS]
    notes: list[str] = []
    if missing:
        notes.append(
            f"participants not in this folder: {', '.join(missing)}"
            if len(missing) <= 10
            else f"{len(missing)} of {len(PARTICIPANTS)} participants are not in this "
            f"folder"
        )
    if others:
        notes.append(f"not among the released participants: {', '.join(others)}")
    return notes
