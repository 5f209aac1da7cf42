"""The twin of DMER against the description of the release, read without our loader."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat

from mpcl.errors import DatasetError, ParameterError
from mpcl.simulation import dmer_twin
from mpcl.simulation.dmer_twin import ITEMS, PARTICIPANTS, TYPES, write_twin

# of the MAT-file 5 format: the class of an array; types of data elements
DOUBLE, MATRIX, COMPRESSED = (6, 14, 15)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_twin(tmp_path_factory.mktemp("twin"), [5], seed=1, seconds=(6, 9))


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return write_twin(tmp_path_factory.mktemp("answers"), 12, seed=1, forms=[])


def table(root, name, number=5):
    return np.loadtxt(root / f"Raw_data/{number}/{number}/{name}.csv", delimiter=",")


def aligned(root):
    return loadmat(root / "Aligned_data/5/datas.mat")


def arrays(path):
    """Name, class and shape of the arrays of a .mat file, from its bytes."""
    data = path.read_bytes()
    assert (
        data.startswith(b"MATLAB 5.0 MAT-file") and data[124:128] == b"\x00\x01IM"
    )  # version 5, little-endian
    shapes, place = {}, 128
    while place < len(data):
        kind, size = struct.unpack_from("<II", data, place)
        body = data[place + 8 : place + 8 + size]
        body = (
            zlib.decompress(body)
            if kind == COMPRESSED
            else data[place : place + 8 + size]
        )
        assert struct.unpack_from("<I", body)[0] == MATRIX
        rows, columns = struct.unpack_from("<II", body, 32)
        small = struct.unpack_from("<H", body, 42)[
            0
        ]  # names up to four letters stand in the tag itself
        length = small or struct.unpack_from("<I", body, 44)[0]
        name = body[44 : 44 + length] if small else body[48 : 48 + length]
        shapes[name.decode()] = (body[16], rows, columns)
        place += 8 + size
    return shapes


def test_layout_of_the_files_from_their_bytes(root):
    shapes = arrays(root / "Features/5.mat")
    rows = shapes["feas"][1]
    assert shapes["feas"] == (DOUBLE, rows, 913) and shapes["vids"][1:] == (1, rows)
    shapes = arrays(root / "Aligned_data/5/datas.mat")
    seconds = shapes["gsr_datas"][2] // 4
    assert shapes["eeg_datas"] == (DOUBLE, 20, 300 * seconds) and shapes[
        "ppg_datas"
    ] == (
        DOUBLE,
        3,
        100 * seconds,
    )
    assert {
        name: shape[1:] for name, shape in shapes.items() if name.startswith("fs")
    } == {"fs_eeg": (1, 1), "fs_gsr": (1, 1), "fs_ppg": (1, 1)}


def test_names_of_the_files(root):
    names = {
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    }
    videos = {f"Aligned_data/5/{vid}.mp4" for vid in range(32)}
    raw = {
        f"Raw_data/5/5/{name}"
        for name in (
            "1_XXX.mp4",
            "camera.csv",
            "raw_gsr.csv",
            "raw_ppg.csv",
            "Emotions.csv",
            "Arousal_Valence.csv",
            "Panas.csv",
        )
    }
    brain = {f"Raw_data/5/sub5/{name}" for name in ("1_raw.csv", "1_.dsi", "1_raw.edf")}
    assert names == videos | raw | brain | {
        "TWIN.txt",
        "Features/5.mat",
        "Aligned_data/5/datas.mat",
    }


def test_answers(several):
    for number in PARTICIPANTS[:12]:
        answers = table(several, "Panas", number)
        assert answers.shape == (32, 11) and sorted(answers[:, 0]) == list(range(32))
        assert (answers[:, 0] != np.arange(32)).any()  # in the order of presentation
        assert set(np.unique(answers[:, 1:])) <= {1, 2, 3, 4, 5}
        others = (
            table(several, "Emotions", number),
            table(several, "Arousal_Valence", number),
        )
        for other, columns, most in zip(others, (3, 4), (5, 9), strict=True):
            assert other.shape == (32, columns) and (other[:, 0] == answers[:, 0]).all()
            assert other[:, 1:].min() >= 1 and other[:, 1:].max() <= most


def test_answers_of_participant_26_are_ten_higher(tmp_path):
    write_twin(tmp_path, [26], forms=[])
    assert set(np.unique(table(tmp_path, "Panas", 26)[:, 1:])) == {11, 12, 13, 14, 15}
    assert table(tmp_path, "Emotions", 26)[:, 1:].max() <= 5


def test_videos_are_felt_as_what_they_are(several):
    positive = np.array([index < 5 for index, _ in enumerate(ITEMS)])
    felt = {name: np.zeros((0, 10)) for name in TYPES}
    for number in PARTICIPANTS[:12]:
        for vid, *answers in table(several, "Panas", number):
            felt[TYPES[int(vid)]] = np.vstack([felt[TYPES[int(vid)]], answers])
    gap = {
        name: (rows[:, positive].mean() - rows[:, ~positive].mean()).round(1)
        for name, rows in felt.items()
    }
    assert gap["positive"] > 1 > abs(gap["mixed"]) and gap["negative"] < -1
    assert len(felt["mixed"]) == 2 * len(felt["positive"]) == 12 * 16


def test_ids_and_times_of_the_aligned_signals(root):
    data, order = aligned(root), table(root, "Panas")[:, 0]
    lengths = {}
    for name, rate in {"eeg": 300, "gsr": 4, "ppg": 100}.items():
        assert data[f"fs_{name}"].item() == rate
        vid, time = data[f"{name}_datas"][-2:]
        changes = np.flatnonzero(np.diff(vid, prepend=-1))
        assert vid[changes].tolist() == [40, *order]  # the rest, then one piece a trial
        lengths[name] = np.diff(changes, append=len(vid)) / rate
        assert (time[changes] == 0).all()
        firsts = np.flatnonzero(time >= 0)
        assert len(firsts) == lengths[name].sum() and (np.diff(firsts) == rate).all()
        assert set(np.unique(time[time < 0])) == {-1}
        assert np.isfinite(data[f"{name}_datas"]).all()
    assert (lengths["eeg"] == lengths["gsr"]).all() and (
        lengths["eeg"] == lengths["ppg"]
    ).all()
    assert set(lengths["eeg"][1:]) == {6, 7, 8, 9}


def test_features_are_those_of_the_aligned_signals(root):
    data, order = loadmat(root / "Features/5.mat"), table(root, "Panas")[:, 0]
    vid = data["vids"].ravel()
    brain = aligned(root)["eeg_datas"]
    seconds = np.array([(brain[-2] == number).sum() / 300 for number in order])
    assert [(vid == number).sum() for number in order] == (seconds - 4).tolist()
    assert (vid[np.flatnonzero(np.diff(vid, prepend=-1))] == order).all()
    assert np.isfinite(data["feas"]).all()
    histograms = data["feas"][:, 145:].reshape(-1, 3, 256)
    assert histograms.min() >= 0 and np.allclose(histograms.sum(-1), 1)
    kept = np.flatnonzero(
        (brain[-1] >= 4) & (brain[-2] < 32)
    )  # a row stands for the second that starts here
    skin = aligned(root)["gsr_datas"]
    here = np.flatnonzero((skin[-1] >= 4) & (skin[-2] < 32))
    np.testing.assert_allclose(
        data["feas"][:, 90], [skin[0, last - 12 : last + 4].mean() for last in here]
    )
    power = np.array([brain[:18, first : first + 300].var(1) for first in kept])
    total = np.log(
        np.exp(2 * data["feas"][:, :90].reshape(-1, 18, 5)).sum(-1)
    )  # of the five entropies, channel-major
    assert np.corrcoef(np.log(power).ravel(), total.ravel())[0, 1] > 0.95


def test_raw_signals_are_the_aligned_ones_between_the_triggers(root):
    data = aligned(root)
    for name, rate in {"gsr": 4, "ppg": 100}.items():
        rows = [
            line.split(",")
            for line in (root / f"Raw_data/5/5/raw_{name}.csv").read_text().splitlines()
        ]
        time, signal = np.array([row[:2] for row in rows], float).T
        np.testing.assert_allclose(np.diff(time), 1 / rate, atol=2e-3)
        codes = [
            (int(row[2]), place) for place, row in enumerate(rows) if len(row) == 3
        ]
        assert [code for code, _ in codes[:4]] == [
            60,
            150,
            50,
            140,
        ]  # practice and rest
        begun = {code - 10: place for code, place in codes[4::2]}
        ended = {code - 100: place for code, place in codes[5::2]}
        assert list(begun) == list(ended) == table(root, "Panas")[:, 0].tolist()
        for vid in begun:
            expected = data[f"{name}_datas"][0, data[f"{name}_datas"][-2] == vid]
            np.testing.assert_allclose(
                signal[begun[vid] : ended[vid]], expected, atol=1e-4
            )
    with (root / "Raw_data/5/sub5/1_raw.csv").open() as file:
        header = file.readline().strip().split(",")
    assert len(header) == 23 and {"Pz", "A1", "A2", "Time", "Trigger"} < set(header)


def test_the_same_person_whoever_else_is_written_and_in_which_form(
    root, several, tmp_path
):
    write_twin(tmp_path, [7, 5], seed=1, forms=["features"], seconds=(6, 9))
    for name in ("feas", "vids"):
        np.testing.assert_array_equal(
            *(loadmat(place / "Features/5.mat")[name] for place in (tmp_path, root))
        )
    for place in (root, several):
        np.testing.assert_array_equal(table(place, "Panas"), table(tmp_path, "Panas"))
    assert not (tmp_path / "Aligned_data").exists()
    assert (table(tmp_path, "Panas", 7) != table(tmp_path, "Panas", 5)).any()


def test_nothing_is_overwritten_or_half_written(tmp_path, monkeypatch):
    write_twin(tmp_path, 1, forms=[])
    assert "Nobody was measured" in (tmp_path / "TWIN.txt").read_text()
    with pytest.raises(DatasetError, match="Raw_data/1 is there already"):
        write_twin(tmp_path, [2, 1], forms=[])
    for wrong in (0, -1, 74, [3], [], [1, 1], ["1"]):
        with pytest.raises(ParameterError, match="participants must be"):
            write_twin(tmp_path / "other", wrong)
    with pytest.raises(ParameterError, match="seed"):
        write_twin(tmp_path / "other", [2], seed=-1)
    with pytest.raises(ParameterError, match="unknown form 'zip'"):
        write_twin(tmp_path / "other", [2], forms=["zip"])
    with pytest.raises(ParameterError, match="seconds must be"):
        write_twin(tmp_path / "other", [2], seconds=(9, 6))
    monkeypatch.setattr(dmer_twin, "_record", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_twin(tmp_path, [2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Raw_data", "TWIN.txt"]
    assert [path.name for path in (tmp_path / "Raw_data").iterdir()] == ["1"]
