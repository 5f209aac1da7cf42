"""Fetch a data set from those who publish it: terms first, then archive and files.

A transfer that broke goes on where it stopped, if the server can do that, else from the
start. An archive with another checksum than the catalogue's is not opened. Nothing
stands under the final name before it is whole.

An *entry* is what the catalogue says of a data set: ``title``, ``licence``,
``citation``, ``access`` and, where it can be fetched, ``url``, ``archive``, ``bytes``,
``unpacked_bytes``, ``sha256``, ``sha256_source``, ``folder``.
"""

import os
import shutil
import stat
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from mpcl.data import checksums
from mpcl.errors import DatasetError
from mpcl.files import write_text

BLOCK = 1 << 16  # bytes written at a time


def terms(entry: Mapping[str, Any]) -> str:
    """What a data set is, what it takes to get it and on which terms.

    Example:
        >>> print(terms({"title": "A study", "licence": "CC0-1.0", "access": "public"}))
        A study
          licence   CC0-1.0
          access    public
    """
    lines = [entry["title"]]
    lines += [
        f"  {name:9} {entry[name]}"
        for name in ("licence", "citation", "access", "page")
        if name in entry
    ]
    if "url" in entry:
        lines += [
            f"  address   {entry['url']}",
            f"  size      {entry['bytes']:,} bytes, "
            f"unpacked {entry['unpacked_bytes']:,}",
            f"  SHA-256   {entry['sha256']} ({entry['sha256_source']})",
        ]
    for number, step in enumerate(entry.get("steps", []), 1):
        lines.append(f"  {number}. {step}")
    return "\n".join(lines)


def fetch(
    entry: Mapping[str, Any],
    root: str | Path,
    url: str | None = None,
    progress: bool | None = None,
) -> Path:
    """Download and unpack the archive of a data set, whose terms must be accepted.

    Args:
        root: folder to put it into; an archive that is there already, with the right
            checksum, is not downloaded.
        url: another address of the same archive.
        progress: True or False for bars or silence; by default bars on a terminal.

    Returns:
        The folder with the recordings. One that is there is compared with its
        ``SHA256SUMS``.

    Raises:
        DatasetError: if this is not the archive, is unsafe, or there is no room.
        ConnectionError: if the transfer broke; calling again goes on with it.
    """
    root = Path(root)
    folder, archive = root / entry["folder"], root / entry["archive"]
    if folder.exists():
        return _intact(folder)
    if archive.is_file() and checksums.sha256(archive) != entry["sha256"]:
        raise DatasetError(
            "it is there, and is another archive than the catalogue's; move it away, "
            "or give another folder",
            archive,
        )
    root.mkdir(parents=True, exist_ok=True)
    _room(root, entry["unpacked_bytes"] + (0 if archive.is_file() else entry["bytes"]))
    quiet = None if progress is None else not progress
    return unpack(_download(entry, archive, url or entry["url"], quiet), folder, quiet)


def _intact(folder: Path) -> Path:
    """The folder, if every file is the one that was unpacked."""
    record = checksums.recorded(folder)
    if not record:
        raise DatasetError(
            f"it is there, without {checksums.RECORD} to compare with; "
            "move it away to fetch it",
            folder,
        )
    for name in record:
        if not (folder / name).is_file():
            raise DatasetError(
                "the file is missing; delete the folder and fetch it again",
                folder / name,
            )
        checksums.verify(folder / name, folder, record)
    return folder


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DatasetError(
            f"{needed / 1e9:.1f} GB are needed here, {free / 1e9:.1f} GB are free; "
            "make room",
            folder,
        )


def _download(
    entry: Mapping[str, Any], archive: Path, url: str, quiet: bool | None
) -> Path:
    """The archive, whole and with the right checksum."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    part = archive.with_name(f"{archive.name}.part")
    transfer = partial(_transfer, part=part, size=entry["bytes"], quiet=quiet)
    try:
        pooch.retrieve(
            url,
            f"sha256:{entry['sha256']}",
            archive.name,
            archive.parent,
            # pyrefly: ignore[bad-argument-type]  # its names differ; called by place
            downloader=transfer,
        )
    except DatasetError:
        raise
    except requests.RequestException as error:
        reason = " ".join(str(error).split())[:160]
        raise ConnectionError(
            f"{url}: the transfer broke ({reason}); the same command goes on with it"
        ) from None
    except ValueError:
        raise DatasetError(
            "what came has another checksum and was deleted; try again, "
            "or another --url",
            url,
        ) from None
    return archive


def _transfer(
    url: str, output: str, pooch: object, part: Path, size: int, quiet: bool | None
) -> None:
    """pooch's downloader: into ``part``, which outlives a broken transfer."""
    import requests

    done = part.stat().st_size if part.is_file() else 0
    ask = {"Accept-Encoding": "identity"}
    if 0 < done < size:
        ask["Range"] = f"bytes={done}-"
    with requests.get(url, headers=ask, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        done = done if answer.status_code == 206 else 0  # some servers send all of it
        offered = done + int(answer.headers.get("Content-Length", size - done))
        if offered != size:
            raise DatasetError(
                f"{offered:,} bytes are offered, {size:,} expected: not the archive, "
                "try --url",
                url,
            )
        with (
            open(part, "ab" if done else "wb") as file,
            tqdm(
                total=size,
                initial=done,
                unit="B",
                unit_scale=True,
                desc="download",
                disable=quiet,
            ) as bar,
        ):
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if part.stat().st_size < size:
        raise requests.ConnectionError(
            f"{part.stat().st_size:,} of {size:,} bytes came"
        )
    os.replace(part, output)


def unpack(archive: str | Path, folder: str | Path, quiet: bool | None = None) -> Path:
    """Unpack a zip archive, with a record of the checksums of its files.

    Args:
        folder: to make; the archive must hold a folder of the same name, nothing else.
        quiet: True for no bar.

    Raises:
        DatasetError: for a damaged archive, and for a member that is a link or lies
            outside of the folder; nothing is left of what was unpacked then.
    """
    archive, folder = Path(archive), Path(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    inside = part / folder.name
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file, archive, folder.name)
            _room(folder.parent, sum(member.file_size for member in members))
            for member in tqdm(members, desc="unpack", disable=quiet):
                file.extract(member, part)  # which compares the member's checksum
        lines = [
            f"{checksums.sha256(path)}  {path.relative_to(inside).as_posix()}\n"
            for path in sorted(inside.rglob("*"))
            if path.is_file()
        ]
        write_text("".join(lines), inside / checksums.RECORD)
        os.rename(inside, folder)
    except DatasetError:
        raise
    except Exception as error:  # whatever bytes can do to an unpacker
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(
            f"it cannot be unpacked ({reason}); make room, or fetch it again", archive
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _members(
    file: zipfile.ZipFile, archive: Path, folder: str
) -> list[zipfile.ZipInfo]:
    """The files of an archive, all of them plain ones inside the folder."""
    for member in file.infolist():
        name, parts = member.filename, PurePosixPath(member.filename).parts
        kind = stat.S_IFMT(member.external_attr >> 16)
        fault = ""
        if parts[:1] != (folder,) or ".." in parts or "\\" in name or ":" in name:
            fault = f"lies outside of {folder!r}"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "is a link or device"
        if fault:
            raise DatasetError(
                f"the member {name[:80]!r} {fault}; do not use this archive", archive
            )
    members = [member for member in file.infolist() if not member.is_dir()]
    names = {member.filename.casefold() for member in members}
    if not members or len(names) < len(members):
        raise DatasetError(
            "the archive is empty or holds a name twice; do not use it", archive
        )
    return members
