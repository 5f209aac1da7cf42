"""Fetch a data set from those who publish it: the terms first, then the archive, its checksum and its files.

A transfer that broke goes on where it stopped, if the server can do that, else from the start. An archive with another
checksum than the catalogue's is not opened. Nothing stands under the final name before it is whole.
"""

import os
import shutil
import stat
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mpcl.data import checksums
from mpcl.data.contract import DatasetError

BLOCK = 1 << 16  # bytes written at a time


def terms(entry):
    """What a data set is, what it takes to get it and on which terms, as text.

    Args:
        entry: its entry in the catalogue.

    Returns:
        str of a few lines.

    Example:
        >>> print(terms({"title": "A study", "licence": "CC0-1.0", "citation": "A and B, 2020", "access": "public"}))
        A study
          licence   CC0-1.0
          citation  A and B, 2020
          access    public
    """
    lines = [entry["title"]]
    lines += [f"  {name:9} {entry[name]}" for name in ("licence", "citation", "access", "page") if name in entry]
    if "url" in entry:
        lines.append(f"  address   {entry['url']}")
        lines.append(f"  size      {entry['bytes']:,} bytes, unpacked {entry['unpacked_bytes']:,}")
        lines.append(f"  SHA-256   {entry['sha256']} ({entry['sha256_source']})")
    return "\n".join(lines + [f"  {number}. {step}" for number, step in enumerate(entry.get("steps", []), 1)])


def fetch(entry, root, url=None, progress=None):
    """Download and unpack the archive of a data set; the terms must have been accepted.

    Args:
        entry: entry in the catalogue, with ``url``, ``archive``, ``bytes``, ``unpacked_bytes``, ``sha256``, ``folder``.
        root: folder to put it into; an archive that is there already, with the right checksum, is not downloaded.
        url: another address of the same archive.
        progress: True or False for bars or silence; by default bars on a terminal.

    Returns:
        :class:`pathlib.Path` of the folder with the recordings. One that is there is compared with its ``SHA256SUMS``.

    Raises:
        DatasetError: if this is not the archive, or unsafe to unpack, or there is no room.
        ConnectionError: if the transfer broke; calling again goes on with it.
    """
    root = Path(root)
    folder, archive = root / entry["folder"], root / entry["archive"]
    if folder.exists():
        return _intact(folder)
    root.mkdir(parents=True, exist_ok=True)
    _room(root, entry["unpacked_bytes"] + (0 if archive.is_file() else entry["bytes"]))
    quiet = None if progress is None else not progress
    return unpack(_download(entry, archive, url or entry["url"], quiet), folder, quiet)


def _intact(folder):
    """The folder, if every file is the one that was unpacked."""
    record = checksums.recorded(folder)
    if not record:
        raise DatasetError(f"it is there, without {checksums.RECORD} to compare with; move it away to fetch it", folder)
    for name in record:
        if not (folder / name).is_file():
            raise DatasetError("the file is missing; delete the folder and fetch it again", folder / name)
        checksums.verify(folder / name, folder)
    return folder


def _room(folder, needed):
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DatasetError(f"{needed / 1e9:.1f} GB are needed here, {free / 1e9:.1f} GB are free; make room", folder)


def _download(entry, archive, url, quiet):
    """The archive, whole and with the right checksum."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    transfer = partial(_transfer, part=archive.with_name(f"{archive.name}.part"), size=entry["bytes"], quiet=quiet)
    try:
        pooch.retrieve(url, f"sha256:{entry['sha256']}", archive.name, archive.parent, downloader=transfer)
    except DatasetError:
        raise
    except requests.RequestException as error:
        reason = " ".join(str(error).split())[:160]
        raise ConnectionError(f"{url}: the transfer broke ({reason}); the same command goes on with it") from None
    except ValueError:
        raise DatasetError("what came has another checksum and was deleted; try again, or another --url", url) from None
    return archive


def _transfer(url, output, pooch, part, size, quiet):
    """pooch's downloader: into ``part``, which outlives a broken transfer, then to ``output``."""
    import requests

    done = part.stat().st_size if part.is_file() else 0
    done = done if done < size else 0
    ask = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(url, headers=ask, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        done = done if answer.status_code == 206 else 0  # a server without ranges sends all of it
        offered = done + int(answer.headers.get("Content-Length", size - done))
        if offered != size:
            raise DatasetError(f"{offered:,} bytes are offered, {size:,} expected: not the archive, try --url", url)
        with (
            open(part, "ab" if done else "wb") as file,
            tqdm(total=size, initial=done, unit="B", unit_scale=True, desc="download", disable=quiet) as bar,
        ):
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if part.stat().st_size < size:
        raise requests.ConnectionError(f"{part.stat().st_size:,} of {size:,} bytes came")
    os.replace(part, output)


def unpack(archive, folder, quiet=None):
    """Unpack a zip archive whose only folder is ``folder``, with a record of the checksums of its files.

    Args:
        archive: the zip file.
        folder: the folder to make; the archive must hold a folder of the same name and nothing else.
        quiet: True for no bar.

    Returns:
        :class:`pathlib.Path` of the folder.

    Raises:
        DatasetError: for a damaged archive, and for a member that is a link or lies outside of the folder; nothing
            is left of what was unpacked then.
    """
    archive, folder = Path(archive), Path(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file, archive, folder.name)
            _room(folder.parent, sum(member.file_size for member in members))
            for member in tqdm(members, desc="unpack", disable=quiet):
                target = part / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source, open(target, "xb") as sink:
                    shutil.copyfileobj(source, sink)  # which compares the checksum of the member
        found = sorted(path for path in part.rglob("*") if path.is_file())
        record = [f"{checksums.sha256(path)}  {path.relative_to(part / folder.name).as_posix()}\n" for path in found]
        (part / folder.name / checksums.RECORD).write_text("".join(record), encoding="utf-8")
        os.rename(part / folder.name, folder)
    except DatasetError:
        raise
    except Exception as error:  # whatever bytes can do to an unpacker
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(f"it cannot be unpacked ({reason}); make room, or fetch it again", archive) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _members(file, archive, folder):
    """The files of an archive, all of them plain ones inside the folder."""
    members = file.infolist()
    for member in members:
        name, parts = member.filename, PurePosixPath(member.filename).parts
        kind = stat.S_IFMT(member.external_attr >> 16)
        if parts[:1] != (folder,) or ".." in parts or "\\" in name or ":" in name:
            raise DatasetError(f"the member {name[:80]!r} lies outside of {folder!r}; do not use this archive", archive)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DatasetError(f"the member {name[:80]!r} is a link or device; do not use this archive", archive)
    members = [member for member in members if not member.is_dir()]
    if not members or len({member.filename.casefold() for member in members}) < len(members):
        raise DatasetError("the archive is empty or holds a name twice; do not use it", archive)
    return members
