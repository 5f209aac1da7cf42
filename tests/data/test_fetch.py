"""Fetching from a server on this machine: broken transfers, wrong files, and archives
that mean harm.
"""

import hashlib
import io
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcl.data import catalogue, checksums, fetch
from mpcl.errors import DatasetError

FILES = {
    "STUDY/S2/S2.pkl": bytes(range(256)) * 2000,
    "STUDY/S2/S2_quest.csv": b"# Subj;S2\n",
    "STUDY/readme.txt": b"read me",
}


def archive(files, method=zipfile.ZIP_STORED):
    """The bytes of a zip file; names may be ZipInfo."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


def entry_of(content, url="http://127.0.0.1:9/none"):
    return {
        "title": "A study",
        "licence": "CC0-1.0",
        "citation": "A",
        "access": "public",
        "url": url,
        "archive": "STUDY.zip",
        "folder": "STUDY",
        "bytes": len(content),
        "unpacked_bytes": 10**6,
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha256_source": "made here",
    }


@pytest.fixture
def server():
    """A server whose content, and the byte at which it hangs up, can be set; ``asked``
    holds the ranges asked for.
    """
    state = SimpleNamespace(content=archive(FILES), breaks=None, ranges=True, asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told = self.headers.get("Range")
            state.asked.append(told)
            first = int(told[6:-1]) if told and state.ranges else 0
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(state.content) - first))
            self.end_headers()
            self.wfile.write(state.content[first : state.breaks])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        state.entry = entry_of(
            state.content, f"http://127.0.0.1:{running.server_port}/STUDY.zip"
        )
        yield state
        running.shutdown()


def contents(folder):
    return {
        f"STUDY/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != checksums.RECORD
    }


def test_an_archive_is_fetched_unpacked_and_its_files_recorded(server, tmp_path, capfd):
    folder = fetch.fetch(server.entry, tmp_path / "new")
    assert folder == tmp_path / "new" / "STUDY" and contents(folder) == FILES
    assert checksums.recorded(folder).keys() == {
        name.removeprefix("STUDY/") for name in FILES
    }
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "STUDY",
        "STUDY.zip",
    }
    assert (
        fetch.fetch(server.entry, tmp_path / "new") == folder and len(server.asked) == 1
    )
    assert capfd.readouterr() == ("", "")
    (folder / "S2" / "S2.pkl").write_bytes(FILES["STUDY/S2/S2.pkl"][:-1] + b"?")
    with pytest.raises(
        DatasetError, match="S2.pkl: the file is not the one that SHA256SUMS records"
    ):
        fetch.fetch(server.entry, tmp_path / "new")
    (folder / "S2" / "S2.pkl").unlink()
    with pytest.raises(DatasetError, match="S2.pkl: the file is missing"):
        fetch.fetch(server.entry, tmp_path / "new")
    (folder / checksums.RECORD).unlink()
    with pytest.raises(DatasetError, match="without SHA256SUMS"):
        fetch.fetch(server.entry, tmp_path / "new")


def test_a_bar_shows_the_progress(server, tmp_path, capfd):
    fetch.fetch(server.entry, tmp_path, progress=True)
    shown = capfd.readouterr().err
    assert "download: 100%" in shown and "unpack: 100%" in shown


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_goes_on_or_starts_again(server, tmp_path, ranges):
    server.breaks, server.ranges = 300_000, ranges
    with pytest.raises(
        ConnectionError, match="the transfer broke .*; the same command goes on with it"
    ):
        fetch.fetch(server.entry, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["STUDY.zip.part"]
    kept = (tmp_path / "STUDY.zip.part").stat().st_size
    assert 0 < kept <= 300_000
    server.breaks = None
    assert contents(fetch.fetch(server.entry, tmp_path)) == FILES
    assert server.asked == [None, f"bytes={kept}-"]


def test_a_server_that_is_not_there_is_a_failed_run(tmp_path):
    with pytest.raises(ConnectionError, match="the transfer broke"):
        fetch.fetch(entry_of(b""), tmp_path)
    assert not list(tmp_path.iterdir())


def test_something_else_is_not_downloaded_and_other_content_not_opened(
    server, tmp_path
):
    server.content = b"<html>a page of 50 bytes, not the archive</html>"
    with pytest.raises(
        DatasetError, match=f"48 bytes are offered, {server.entry['bytes']:,} expected"
    ):
        fetch.fetch(server.entry, tmp_path)
    server.content = bytes(server.entry["bytes"])
    with pytest.raises(DatasetError, match="another checksum and was deleted"):
        fetch.fetch(server.entry, tmp_path)
    assert not list(tmp_path.iterdir())
    server.content = archive(FILES)
    assert (
        contents(
            fetch.fetch(server.entry, tmp_path, url=server.entry["url"] + "?again")
        )
        == FILES
    )


def test_an_archive_that_is_there_is_checked_and_not_downloaded(server, tmp_path):
    (tmp_path / "STUDY.zip").write_bytes(server.content)
    assert contents(fetch.fetch(server.entry, tmp_path)) == FILES and not server.asked


def test_another_archive_of_the_same_name_is_the_users_and_stays(server, tmp_path):
    mine = archive({"STUDY/S1.csv": b"fetched for hours from a mirror"})
    (tmp_path / "STUDY.zip").write_bytes(mine)
    with pytest.raises(DatasetError, match="is another archive .* move it away"):
        fetch.fetch(server.entry, tmp_path)
    assert (tmp_path / "STUDY.zip").read_bytes() == mine and not server.asked


def test_no_room_is_said_before_anything_is_asked_for(server, tmp_path):
    server.entry["unpacked_bytes"] = 10**18
    with pytest.raises(DatasetError, match="are needed here"):
        fetch.fetch(server.entry, tmp_path)
    assert not server.asked


def link(name, kind):
    member = zipfile.ZipInfo(name)
    member.external_attr = (kind | 0o777) << 16
    return member


HOSTILE = {
    "parent": "../outside.txt",
    "deeper": "STUDY/../../outside.txt",
    "absolute": "/tmp/outside.txt",
    "elsewhere": "OTHER/a.txt",
    "backslash": "STUDY\\..\\outside.txt",
    "drive": "STUDY/C:outside.txt",
    "link": link("STUDY/link", stat.S_IFLNK),
    "pipe": link("STUDY/pipe", stat.S_IFIFO),
    "twice": "STUDY/README.TXT",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archives_that_mean_harm_are_refused_and_nothing_is_written(tmp_path, kind):
    (tmp_path / "root").mkdir()
    path = tmp_path / "root" / "STUDY.zip"
    path.write_bytes(archive(FILES | {HOSTILE[kind]: b"/etc/passwd"}))
    with pytest.raises(DatasetError, match="STUDY.zip.*do not use"):
        fetch.unpack(path, tmp_path / "root" / "STUDY")
    assert [path.name for path in tmp_path.rglob("*")] == ["root", "STUDY.zip"]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_damaged_archive_gives_the_right_files_or_a_sentence(tmp_path, data):
    small = {name: content[:200] for name, content in FILES.items()}
    whole = archive(
        small, data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    )
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))])
    path = tmp_path / "STUDY.zip"
    path.write_bytes(
        data.draw(
            st.sampled_from(
                [whole[:place], whole[:place] + flipped + whole[place + 1 :]]
            )
        )
    )
    before = {path.name for path in tmp_path.iterdir()}
    folder = tmp_path / "STUDY"
    try:
        found = contents(fetch.unpack(path, folder, quiet=True))
    except DatasetError as error:
        assert "STUDY.zip" in str(error) and "\n" not in str(error)
        assert {path.name for path in tmp_path.iterdir()} == before
        return
    finally:
        fetch.shutil.rmtree(folder, ignore_errors=True)
    assert set(found.values()) <= set(
        small.values()
    )  # zip protects contents; names and number: the archive's checksum


def test_an_interrupted_unpacking_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "STUDY.zip").write_bytes(archive(FILES))
    monkeypatch.setattr(
        fetch.os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        fetch.unpack(tmp_path / "STUDY.zip", tmp_path / "STUDY", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["STUDY.zip"]


def test_the_catalogue_says_what_fetching_takes():
    wesad = catalogue.entry("wesad")
    told = fetch.terms(wesad)
    for part in (
        "2,249,444,501",
        "non-commercial",
        wesad["sha256"],
        "by a third party, not by the authors",
        "ICMI",
    ):
        assert part in told
    assert "signed agreement" in fetch.terms(catalogue.entry("dmer"))
    assert set(wesad) >= entry_of(b"").keys()
