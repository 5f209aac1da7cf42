"""Files are there whole or not at all, whatever happens while they are written."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import xarray as xr

from mpcl import files
from mpcl.errors import DatasetError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_process_killed_in_mid_write_leaves_the_old_file(tmp_path):
    path = files.write_text("old", tmp_path / "file.txt")
    code = f"""
        from mpcl.files import whole
        with whole({str(path)!r}) as part:
            part.write_text("half of the ne")
            print("half written", flush=True)
            input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"half written\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert files.write_text("new", path).read_text() == "new"


def test_a_link_stays_and_leads_to_what_is_written(tmp_path):
    kept, link = tmp_path / "kept" / "results.txt", tmp_path / "link.txt"
    link.symlink_to(kept)
    files.write_text("all of it", link)
    assert link.is_symlink() and kept.read_text() == "all of it"


def test_an_error_in_mid_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = files.write_text("old", tmp_path / "file.txt")
    with pytest.raises(RuntimeError), files.whole(path) as part:
        part.write_text("half")
        assert part.parent == tmp_path
        raise RuntimeError
    assert path.read_text() == "old" and names(tmp_path) == ["file.txt"]


def test_the_folder_is_made_and_lines_end_alike_everywhere(tmp_path):
    path = files.write_text("für\nalle\n", tmp_path / "new" / "folder" / "file.txt")
    assert path.read_bytes() == "für\nalle\n".encode()
    assert names(path.parent) == ["file.txt"]


def test_a_file_that_another_program_holds_open_is_one_sentence(tmp_path, monkeypatch):
    """Windows refuses to replace an open file; nothing else does."""

    def refuse(part, path):
        raise PermissionError(13, "Access is denied")

    path = files.write_text("old", tmp_path / "file.txt")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError) as caught:
        files.write_text("new", path)
    assert str(caught.value) == (
        f"{path} cannot be replaced (Access is denied): "
        "close it where it is open, and run this again"
    )
    assert path.read_text() == "old" and names(tmp_path) == ["file.txt"]


def test_arrays_come_back_with_what_they_are_about(tmp_path):
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 4))}
    path = files.write_arrays(arrays, {"epoch": 3, "kind": "ä"}, tmp_path / "a.npz")
    assert path == tmp_path / "a.npz" and names(tmp_path) == ["a.npz"]
    again, about = files.read_arrays(path)
    assert about == {"epoch": 3, "kind": "ä"} and again.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_damaged_file_of_arrays_is_one_sentence(tmp_path):
    path = files.write_arrays({"a": np.zeros(1000)}, {}, tmp_path / "a.npz")
    data = path.read_bytes()
    for damaged in (b"", data[: len(data) // 2], b"text" * 100):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match="no whole file of arrays"):
            files.read_arrays(path)
    with pytest.raises(DatasetError, match="there is no such file"):
        files.read_arrays(tmp_path / "b.npz")


def test_no_pickle_is_ever_read(tmp_path):
    np.savez(tmp_path / "a.npz", about="{}", values=np.array([{}], dtype=object))
    with pytest.raises(DatasetError, match="no whole file of arrays"):
        files.read_arrays(tmp_path / "a.npz")


def test_netcdf_comes_back_and_what_is_none_is_one_sentence(tmp_path):
    dataset = xr.Dataset({"x": ("window", [1.0, np.nan])}, attrs={"dataset": "mine"})
    path = files.write_netcdf(dataset, tmp_path / "new" / "x.nc")
    xr.testing.assert_identical(files.read_netcdf(path), dataset)
    lazy = files.read_netcdf(path, {"window": 1})
    assert lazy.x.chunks == ((1, 1),)
    lazy.close()  # HDF5 would go on reading the file that it holds open
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match="not a readable netCDF4 file") as caught:
        files.read_netcdf(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="there is no such file"):
        files.read_netcdf(tmp_path / "y.nc")


def test_flipped_bytes_end_in_a_sentence_and_print_nothing(cohort, tmp_path):
    whole, path = tmp_path / "whole.nc", tmp_path / "damaged.nc"
    files.write_netcdf(cohort, whole)
    code = """
        import random, sys
        from pathlib import Path
        from mpcl.errors import DatasetError
        from mpcl.files import read_netcdf
        whole, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
        chance, refused = random.Random(5), 0
        for _ in range(60):
            spoilt = bytearray(whole)
            for _ in range(chance.choice((1, 4, 64))):
                spoilt[chance.randrange(min(len(spoilt), 6000))] ^= 255
            path.write_bytes(spoilt)
            try:
                read_netcdf(path)
            except DatasetError:
                refused += 1
        print(refused)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(whole), str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    assert int(ran.stdout) > 20


def test_a_full_disk_is_one_sentence_that_names_the_file(tmp_path, monkeypatch):
    path = files.write_netcdf(xr.Dataset({"a": ("x", [1.0])}), tmp_path / "a.nc")
    before = path.read_bytes()
    usage = files.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        files.shutil, "disk_usage", lambda folder: usage._replace(free=1000)
    )
    with pytest.raises(OSError, match="a.nc cannot be written .no room") as caught:
        files.write_netcdf(xr.Dataset({"a": ("x", [2.0])}), path)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before and names(tmp_path) == ["a.nc"]


@pytest.mark.parametrize("error", [RuntimeError("H5Fclose\nmore"), OSError(28, "full")])
def test_what_stops_a_write_is_one_sentence_about_the_file(
    tmp_path, monkeypatch, error
):
    def stop(self, target, **options):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(xr.Dataset, "to_netcdf", stop)
    with pytest.raises(OSError, match="a.nc cannot be written") as caught:
        files.write_netcdf(xr.Dataset(), tmp_path / "a.nc")
    assert ".part" not in str(caught.value) and names(tmp_path) == []


def test_a_folder_that_cannot_be_made_names_the_file(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="a.nc cannot be written"):
        files.write_text("x", tmp_path / "file" / "a.nc")


def test_all_digits_are_written_however_it_was_stored_before(tmp_path):
    dataset = xr.Dataset({"a": ("x", [0.123456789])})
    dataset.a.encoding = {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1}
    again = files.read_netcdf(files.write_netcdf(dataset, tmp_path / "a.nc"))
    assert again.a.item() == 0.123456789


def test_a_unit_of_seconds_makes_no_date_of_a_number(tmp_path):
    dataset = xr.Dataset({"start": ("x", [1.0], {"units": "seconds"})})
    again = files.read_netcdf(files.write_netcdf(dataset, tmp_path / "a.nc"))
    assert again.identical(dataset)
