"""The twin of WESAD against the description of the files, then read by our loader."""

import csv
import io
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from mpcl.data.wesad import load as wesad
from mpcl.errors import DatasetError, ParameterError
from mpcl.simulation import wesad_twin
from mpcl.simulation.wesad_twin import dump, write_twin

SHORT = {"baseline": 20, "stress": 12, "amusement": 10, "meditation": 10, "gap": 8}
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "wesad"
# {'label': numpy.array([0, 1], 'int32')}, protocol 2, put together by hand after
# pickletools; only the two flags of the dtype (\x89\x88) were numbers at that time
WRITTEN_BY_PYTHON_2 = (
    b"\x80\x02}q\x00"
    b"U\x05labelq\x01"
    b"cnumpy.core.multiarray\n_reconstruct\nq\x02"
    b"cnumpy\nndarray\nq\x03"
    b"K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07"
    b"(K\x01K\x02\x85q\x08"
    b"cnumpy\ndtype\nq\x09U\x02i4q\x0a\x89\x88\x87q\x0bRq\x0c"
    b"(K\x03U\x01<q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb"
    b"\x89U\x08\x00\x00\x00\x00\x01\x00\x00\x00q\x0ftq\x10b"
    b"s."
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_twin(
        tmp_path_factory.mktemp("twin"),
        ["S2", "S3", "S5", "S14", "S17"],
        seed=1,
        seconds=SHORT,
    )


def loaded(root, name):
    return pickle.loads(
        (root / name / f"{name}.pkl").read_bytes(), encoding="latin1"
    )  # our own bytes


def quest(folder, name):
    text = (folder / name / f"{name}_quest.csv").read_bytes().decode("ascii")
    assert text.endswith("\n") and "\r" not in text
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert len(rows) == 24 and {len(row) for row in rows} == {27}
    return rows


def rows_of(rows, tag):
    return [[value for value in row[1:] if value] for row in rows if row[0] == tag]


def test_the_dialect_is_that_of_python_2():
    dump({"label": np.array([0, 1], "int32")}, file := io.BytesIO())
    assert file.getvalue() == WRITTEN_BY_PYTHON_2


def test_pickles_hold_nothing_that_python_2_did_not_know(root):
    with (root / "S3" / "S3.pkl").open("rb") as file:
        opcodes = list(pickletools.genops(file))
    assert max(opcode.proto for opcode, _, _ in opcodes) == 2
    assert not {opcode.name for opcode, _, _ in opcodes} & {
        "BINUNICODE",
        "UNICODE",
        "STACK_GLOBAL",
        "BINBYTES",
    }
    assert {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"} == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
    }


def test_arrays_have_the_official_names_shapes_and_types(root):
    data = loaded(root, "S3")
    assert set(data) == {"signal", "label", "subject"} and data["subject"] == "S3"
    seconds = len(data["label"]) // 700
    assert data["label"].dtype == np.int32 and len(data["label"]) == 700 * seconds
    chest = {"ACC": 3, "ECG": 1, "EMG": 1, "EDA": 1, "Temp": 1, "Resp": 1}
    assert {key: array.shape for key, array in data["signal"]["chest"].items()} == {
        key: (700 * seconds, width) for key, width in chest.items()
    }
    wrist = {"ACC": (32, 3), "BVP": (64, 1), "EDA": (4, 1), "TEMP": (4, 1)}
    assert {key: array.shape for key, array in data["signal"]["wrist"].items()} == {
        key: (rate * seconds, width) for key, (rate, width) in wrist.items()
    }
    for device in data["signal"].values():
        assert all(
            array.dtype == np.float64 and np.isfinite(array).all()
            for array in device.values()
        )
    np.testing.assert_allclose(
        np.linalg.norm(data["signal"]["wrist"]["ACC"], axis=1).mean(), 64, rtol=0.1
    )
    np.testing.assert_allclose(
        np.linalg.norm(data["signal"]["chest"]["ACC"], axis=1).mean(), 1, rtol=0.1
    )


def test_labels_are_those_of_the_protocol(root):
    label = loaded(root, "S3")["label"]
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 5, 6, 7}
    for code, part in {1: "baseline", 2: "stress", 3: "amusement"}.items():
        inside = np.flatnonzero(label == code)
        assert len(inside) == inside[-1] - inside[0] + 1 == 700 * SHORT[part]
    assert (np.diff(np.flatnonzero(label == 4)) > 1).sum() == 1 and (
        label == 4
    ).sum() == 1400 * SHORT["meditation"]
    assert 5 not in loaded(root, "S2")["label"]  # there is no bRead


def test_traps_of_the_questionnaire(root):
    tables = {name: quest(root, name) for name in ("S2", "S3", "S5", "S14")}
    assert [rows[0][0] for rows in tables.values()] == [
        "# Subj",
        "# Subj:",
        "# Subj",
        "# Subj",
    ]
    order = {name: rows_of(rows, "# ORDER")[0] for name, rows in tables.items()}
    assert (
        "bRead" not in order["S2"] and len(order["S2"]) == 7 and "bRead" in order["S3"]
    )
    assert order["S14"].index("Medi 2") < order["S14"].index("Medi 1")
    for name, rows in tables.items():
        answers = rows_of(rows, "# PANAS")
        assert [len(row) for row in answers] == [
            26 if part == "TSST" else 24 for part in order[name][:5]
        ]
        assert {row[-1] for row in answers} == {"1"}  # Sad, always the last
        assert all(
            value in "12345" or value == "Nan" for row in answers for value in row
        )
        assert [len(rows_of(rows, tag)) for tag in ("# STAI", "# DIM", "# SSSQ")] == [
            5,
            5,
            1,
        ]
        assert {
            len(row) for row in rows_of(rows, "# STAI") + rows_of(rows, "# SSSQ")
        } == {6}
        assert {len(row) for row in rows_of(rows, "# DIM")} == {2}
    nervous = rows_of(tables["S5"], "# PANAS")[order["S5"].index("Medi 1")]
    assert (
        nervous[15] == "Nan"
        and sum("Nan" in ";".join(row) for rows in tables.values() for row in rows) == 1
    )


@pytest.mark.parametrize(
    "seconds, text",
    [(3680, "61.2"), (3180, "53"), (485, "8.05"), (600, "10"), (3660, "61")],
)
def test_times_lose_their_last_zeros(seconds, text):
    assert wesad_twin._minutes(seconds) == text


def test_times_and_labels_differ_by_one_shift_alone(root):
    rows, label = quest(root, "S3"), loaded(root, "S3")["label"]
    order = rows_of(rows, "# ORDER")[0]
    start, end = (
        np.array(
            [
                60 * int(text.split(".")[0])
                + int((text + ".").split(".")[1].ljust(2, "0"))
                for text in row
            ]
        )
        for row in (rows_of(rows, "# START")[0], rows_of(rows, "# END")[0])
    )
    edges = np.flatnonzero(np.diff(label)) / 700
    shift = start[0] - edges[0]
    assert np.ptp(np.sort(np.concatenate([start, end])) - edges) < 1 and shift > 0
    assert (end - start)[order.index("TSST")] == SHORT["stress"]


def test_doubtful_chest_temperature(root):
    for name in ("S2", "S17"):
        assert np.ptp(loaded(root, name)["signal"]["chest"]["Temp"]) > 5
    assert np.ptp(loaded(root, "S3")["signal"]["chest"]["Temp"]) < 5


def test_the_same_people_whoever_else_is_written(root, tmp_path):
    write_twin(tmp_path, ["S5"], seed=1, seconds=SHORT)
    for file in ("S5.pkl", "S5_quest.csv"):
        assert (tmp_path / "S5" / file).read_bytes() == (
            root / "S5" / file
        ).read_bytes()
    write_twin(tmp_path / "other", ["S5"], seed=2, seconds=SHORT, chest=False)
    other = loaded(tmp_path / "other", "S5")
    assert set(other["signal"]) == {"wrist"}
    assert not np.allclose(
        other["signal"]["wrist"]["BVP"], loaded(root, "S5")["signal"]["wrist"]["BVP"]
    )


def test_real_files_are_never_overwritten_and_nothing_is_half_written(
    tmp_path, monkeypatch
):
    write_twin(tmp_path, 1, seconds=SHORT, chest=False)
    assert "Nobody was measured" in (tmp_path / "TWIN.txt").read_text()
    with pytest.raises(DatasetError, match="S2 is there already"):
        write_twin(tmp_path, ["S3", "S2"], seconds=SHORT)
    for wrong in (0, -1, 16, ["S12"], [], ["S3", "S3"]):
        with pytest.raises(ParameterError, match="participants must be"):
            write_twin(tmp_path, wrong)
    with pytest.raises(ParameterError, match="seed"):
        write_twin(tmp_path, ["S3"], seed=-1)
    with pytest.raises(ParameterError, match="rest"):
        write_twin(tmp_path, ["S3"], seconds={"rest": 10})
    monkeypatch.setattr(wesad_twin, "_recording", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_twin(tmp_path, ["S3"], seconds=SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["S2", "TWIN.txt"]


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real questionnaires of ../shared are not here"
)
@pytest.mark.parametrize("name", ["S2", "S3", "S5", "S14"])
def test_questionnaires_have_the_form_of_the_real_ones(root, name):
    """The same tags, the same names where traps are copied, the same empty fields."""
    twin, real = quest(root, name), quest(REAL, name)
    assert [row[0] for row in twin] == [row[0] for row in real]
    assert sorted(twin[1]) == sorted(real[1])
    for mine, theirs in zip(twin, real, strict=True):
        if mine[0] != "# PANAS":
            assert [bool(value) for value in mine] == [bool(value) for value in theirs]
    assert sorted(len(row) for row in rows_of(twin, "# PANAS")) == sorted(
        len(row) for row in rows_of(real, "# PANAS")
    )


def test_the_loader_reads_what_was_written(tmp_path):
    write_twin(tmp_path, ["S2", "S5", "S14"], seed=1)
    dataset = wesad.load(
        tmp_path, "all26", missing="floor", cache=False, progress=False
    )
    names = {
        "Base": "baseline",
        "TSST": "stress",
        "Fun": "amusement",
        "Medi 1": "meditation1",
        "Medi 2": "meditation2",
    }
    items = list(wesad_twin.ITEMS)
    for name in ("S2", "S5", "S14"):
        rows, label = quest(tmp_path, name), loaded(tmp_path, name)["label"]
        order = rows_of(rows, "# ORDER")[0][:5]
        edges = (
            np.flatnonzero(np.diff(np.isin(label, [1, 2, 3, 4]))).reshape(5, 2) / 700
        )  # s, in the order of time
        for part, answers, (start, stop) in zip(
            order, rows_of(rows, "# PANAS"), edges, strict=True
        ):
            asked = [
                item
                for item in items
                if part == "TSST" or item not in ("Angry", "Irritated")
            ]
            expected = dict.fromkeys(items, 1.0) | {
                item: 1.0 if answer == "Nan" else float(answer)
                for item, answer in zip(asked, answers, strict=True)
            }
            rows_of_part = dataset.isel(
                window=(dataset.participant == name)
                & (dataset.condition == names[part])
            )
            assert (
                rows_of_part.sizes["window"]
                and (rows_of_part.start > start - 0.1).all()
                and (rows_of_part.stop < stop + 0.1).all()
            )
            for item in items:
                assert (
                    rows_of_part.rating.sel(emotion=item) == expected[item]
                ).all(), (
                    name,
                    part,
                    item,
                )
    heart = [
        dataset[name].sel({f"{name}_feature": "heart_rate"}).values
        for name in ("chest_ecg", "wrist_bvp")
    ]
    np.testing.assert_allclose(*heart, rtol=0.02)
    assert np.ptp(heart[0]) > 3
