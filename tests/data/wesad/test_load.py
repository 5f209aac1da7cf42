"""WESAD: real questionnaires and wrist recordings, a participant made by hand, and
files that are wrong.
"""

import csv
import hashlib
import pickle
import shutil
import struct
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcl import files, provenance
from mpcl.data import checksums, contract
from mpcl.data.wesad import cache as wesad_cache
from mpcl.data.wesad import load as wesad
from mpcl.data.wesad import pickles as wesad_pickle
from mpcl.data.wesad import questionnaires as wesad_questionnaires
from mpcl.data.wesad import signals
from mpcl.errors import DatasetError, ParameterError

SHARED = Path(__file__).resolve().parents[4] / "shared"
NAMES = ["baseline", "stress", "amusement", "meditation1", "meditation2"]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A root of two real participants; S14 meditates in the other order."""
    tool = SHARED / "tools" / "build_wesad_root.py"
    if not tool.is_file():
        pytest.skip("the real recordings of ../shared are not here")
    root = tmp_path_factory.mktemp("real")
    subprocess.run(
        [sys.executable, tool, root, "--subjects", "S2", "S14"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return root


@pytest.fixture(scope="module")
def loaded(real, tmp_path_factory):
    return wesad.load(real, cache=tmp_path_factory.mktemp("cache"))


# --- a participant made by hand: the bytes that Python 2 wrote, witho


def text(value):
    return b"U" + bytes([len(value)]) + value.encode("latin1")


def integer(value):
    return b"J" + struct.pack("<i", value)


def array(values):
    """cPickle of Python 2, protocol 2: numpy.core.multiarray._reconstruct(ndarray,
    (0,), 'b') and its state.
    """
    raw = values.tobytes()
    shape = b"(" + b"".join(map(integer, values.shape)) + b"t"
    kind = b"cnumpy\ndtype\n(" + text(values.dtype.str[1:]) + b"K\x00K\x01tR"
    kind += b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    made = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85"
        + text("b")
        + b"tR"
    )
    return (
        made
        + b"(K\x01"
        + shape
        + kind
        + b"\x89T"
        + struct.pack("<i", len(raw))
        + raw
        + b"tb"
    )


def dictionary(entries):
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def write_pickle(path, signal, label, subject):
    devices = {
        name: dictionary({key: array(values) for key, values in parts.items()})
        for name, parts in signal.items()
    }
    body = dictionary(
        {"signal": dictionary(devices), "label": array(label), "subject": text(subject)}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x80\x02" + body + b".")


def write_answers(path, subject, order=("Base", "TSST", "Medi 1", "Fun", "Medi 2")):
    """Answers that tell by their value where they stand."""
    panas = {
        name: [1 + (item + place) % 5 for item in range(24)]
        for place, name in enumerate(order)
    }
    panas["TSST"] = panas["TSST"][:23] + [5, 4, 2]  # Angry, Irritated, then Sad
    lines = [
        ["# Subj", subject],
        ["# ORDER", *order],
        ["# START", *"12345"],
        ["# END", "1.5", "2.05", "3.5", "4", "5"],
    ]
    lines += [[]] + [["# PANAS", *panas[name]] for name in order]
    lines += [[]] + [["# STAI", *[1 + place % 4] * 6] for place in range(5)]
    lines += [[]] + [["# DIM", 1 + place, 9 - place] for place in range(5)]
    lines += [[], ["# SSSQ", 1, 2, 3, 4, 5, 1]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n".join(";".join(map(str, line)) + ";" * (27 - len(line)) for line in lines)
        + "\n"
    )


@cache
def heart(kind, rate, seconds):
    simulate = {"ppg": nk.ppg_simulate, "ecg": nk.ecg_simulate}[kind]
    return simulate(seconds, sampling_rate=rate, heart_rate=66, random_state=1)


def write_participant(root, name="S98", chest=True, seconds=95, **changed):
    """Five conditions of 95 s, 5 s apart; heart 66 and breath 14 a minute, chest at 32
    and wrist at 33 degrees.
    """
    duration = 5 * (seconds + 5) + 5
    label = np.zeros(duration * 700, np.int32)
    for place, code in enumerate((1, 2, 4, 3, 4)):
        label[(5 + place * (seconds + 5)) * 700 :][: seconds * 700] = code
    noise = np.random.default_rng(0).normal(size=(duration * 700, 3))

    def long(values, rate):
        return np.resize(values, duration * rate)[:, None].astype(float)

    signal = {
        "wrist": {
            "ACC": 64 * (np.array([0.0, 0.6, 0.8]) + 0.004 * noise[: duration * 32]),
            "BVP": long(
                heart("ppg", 64, 600),
                64,
            ),
            "EDA": 1 + 0.001 * noise[: duration * 4, :1].cumsum(0),
            "TEMP": 33 + 0.01 * noise[: duration * 4, :1],
        }
    }
    if chest:
        signal["chest"] = {
            "ACC": (np.array([0.9, 0.1, -0.4]) + 0.004 * noise).astype(np.float32),
            "ECG": long(
                heart("ecg", 700, 60),
                700,
            ),
            "EMG": 0.01 * noise[:, :1],
            "EDA": 5 + 0.00001 * noise[:, 1:2].cumsum(0),
            "Temp": (32 + 0.01 * noise[:, 2:]).astype(np.float32),
            "Resp": np.sin(2 * np.pi * 14 / 60 * np.arange(len(label)) / 700)[:, None]
            + 0.001 * noise[:, :1],
        }
    for key, values in changed.items():
        device, channel = key.split("_")
        if values is None:
            del signal[device][channel]
        else:
            signal[device][channel] = values(signal[device][channel])
    write_pickle(root / name / f"{name}.pkl", signal, label, name)
    write_answers(root / name / f"{name}_quest.csv", name)
    return signal, label


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    write_participant(root)
    return root


@pytest.fixture(scope="module")
def answered(made):
    return wesad.questionnaires(made)


@pytest.fixture
def wrist(tmp_path):
    """A short participant without the chest device, to be spoiled."""
    root = tmp_path / "root"
    write_participant(root, "S99", chest=False, seconds=65)
    return root


def sentence(error):
    """The error's text, which must be one line."""
    assert "\n" not in str(error.value), error.value
    return str(error.value)


# --- reports ------------------------------------------------------------------


def test_all_questionnaires_agree_with_an_independent_reading():
    folder = SHARED / "data" / "wesad"
    if not folder.is_dir():
        pytest.skip("the real questionnaires of ../shared are not here")
    ours = wesad.questionnaires(folder)
    reports = 0
    common = (
        "Active Distressed Interested Inspired Annoyed Strong Guilty Scared Hostile "
        "Excited Proud Irritable Enthusiastic Ashamed Alert Nervous Determined "
        "Attentive Jittery Afraid Stressed Frustrated Happy"
    )
    short = {
        "Base": "baseline",
        "TSST": "stress",
        "Fun": "amusement",
        "Medi 1": "meditation1",
        "Medi 2": "meditation2",
    }
    for path in sorted(folder.glob("S*/S*_quest.csv")):
        rows = list(csv.reader(path.open(newline=""), delimiter=";"))
        person = ours.sel(participant=rows[0][1])
        order = [short[name] for name in rows[1][1:] if name in short]
        for place, condition in enumerate(order):
            items = (
                common.split()
                + (["Angry", "Irritated"] if condition == "stress" else [])
                + ["Sad"]
            )
            report = person.sel(condition=condition)
            for item, told in zip(items, rows[5 + place][1:], strict=False):
                assert (
                    report.panas.sel(panas_item=item).item() == float(told)
                    or told == "Nan"
                )
            assert report.panas.notnull().sum() == len(
                [told for told in rows[5 + place][1:] if told not in ("", "Nan")]
            )
            assert report.stai.values.tolist() == [
                float(told) for told in rows[11 + place][1:7]
            ]
            assert report["dim"].values.tolist() == [
                float(told) for told in rows[17 + place][1:3]
            ]
            reports += 1
        assert person.sssq.values.tolist() == [float(told) for told in rows[23][1:7]]
    assert reports == 75 and ours.sizes["participant"] == 15
    assert np.isnan(
        ours.panas.sel(participant="S5", condition="meditation1", panas_item="Nervous")
    )
    assert (ours.panas.sel(panas_item="Sad") == 1).all()
    assert ours.panas.sel(panas_item="Angry").notnull().sum() == 15
    assert ours.position.sel(participant="S14").sel(
        condition=["meditation1", "meditation2"]
    ).values.tolist() == [5, 3]


def test_answers_stand_where_they_were_given(made):
    asked = wesad.questionnaires(made).sel(participant="S98")
    stress = asked.panas.sel(condition="stress")
    assert stress.sel(
        panas_item=["Happy", "Angry", "Irritated", "Sad"]
    ).values.tolist() == [4, 5, 4, 2]
    assert asked.panas.sel(condition="baseline", panas_item="Sad") == 1 + 23 % 5
    assert np.isnan(asked.panas.sel(condition="baseline", panas_item="Angry"))
    assert asked["dim"].sel(condition="amusement", dim_item="valence") == 4


@pytest.mark.parametrize("change", ["crlf", "bom", "colon", "stripped"])
def test_other_ways_to_write_the_same_questionnaire(wrist, change):
    path = wrist / "S99" / "S99_quest.csv"
    before, raw = wesad.questionnaires(wrist), path.read_bytes()
    path.write_bytes(
        {
            "crlf": raw.replace(b"\n", b"\r\n"),
            "bom": b"\xef\xbb\xbf" + raw,
            "colon": raw.replace(b"# Subj;", b"# Subj:;"),
            "stripped": b"\n".join(line.rstrip(b";") for line in raw.split(b"\n")),
        }[change]
    )
    assert wesad.questionnaires(wrist).identical(before)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "# DIM;1;9",
            "# DIM;1;x9",
            ["S99_quest.csv", "line 18", "DIM after baseline", "arousal", "'x9'"],
        ),
        ("# DIM;1;9", "# DIM;1;10", ["arousal", "1 to 9"]),
        (
            "# PANAS;1;2;3",
            "# PANAS;1;2,5;3",
            ["line 6", "PANAS after baseline", "Distressed", "'2,5'"],
        ),
        ("# PANAS;1;2;3", "# PANAS;1;0;3", ["Distressed", "1 to 5"]),
        ("# PANAS;1;2;3", "# PANAS;1;2.5;3", ["Distressed", "'2.5'"]),
        ("# PANAS;1;2;3", "# PANAS;1;inf;3", ["Distressed"]),
        ("# PANAS;1;2;3", "# PANAS;1;2", ["line 6", "23 answers", "24 expected"]),
        ("# ORDER;Base;TSST", "# ORDER;TSST;Base", ["26 expected"]),
        ("# ORDER;Base;TSST", "# ORDER;Base;Base", ["ORDER"]),
        ("# SSSQ", "# SSQ", ["line 24", "# SSQ"]),
        ("# Subj;S99", "# Subj;S9", ["S9", "S99"]),
        ("# STAI;1;1", "# STAI;1;5", ["STAI after baseline", "1 to 4"]),
    ],
)
def test_wrong_questionnaires_end_in_a_sentence_that_says_where(wrist, old, new, told):
    path = wrist / "S99" / "S99_quest.csv"
    raw = path.read_text()
    assert old in raw
    path.write_text(raw.replace(old, new, 1))
    with pytest.raises(DatasetError) as error:
        wesad.load(wrist, cache=False)
    assert all(part in sentence(error) for part in ["S99_quest.csv", *told]), sentence(
        error
    )


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_change_of_a_questionnaire_is_found_or_harmless(
    made, answered, tmp_path, data
):
    raw = (made / "S98" / "S98_quest.csv").read_text().splitlines()
    row = data.draw(st.integers(0, len(raw) - 1))
    fields = raw[row].split(";")
    column = data.draw(st.integers(0, len(fields) - 1))
    fields[column] = data.draw(
        st.text(st.characters(codec="utf-8", exclude_characters=";\r\n"), max_size=4)
    )
    path = tmp_path / "S98" / "S98_quest.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "\n".join([*raw[:row], ";".join(fields), *raw[row + 1 :]]), encoding="utf-8"
    )
    try:
        after = wesad.questionnaires(tmp_path)
    except DatasetError as error:
        assert "S98_quest.csv" in str(error)
        return
    differences = sum(
        int((~((after[name] == answered[name]) | answered[name].isnull())).sum())
        for name in answered
    )
    assert differences <= 1


# --- pickles ------------------------------------------------------------------


def test_the_pickle_is_read_as_python_reads_it(made, real):
    for path in (made / "S98" / "S98.pkl", real / "S2" / "S2.pkl"):
        theirs, ours = (
            pickle.loads(path.read_bytes(), encoding="latin1"),
            wesad_pickle.read(path),
        )
        assert ours["subject"] == theirs["subject"] == path.stem
        np.testing.assert_array_equal(ours["label"], theirs["label"])
        for device, channels in theirs["signal"].items():
            assert set(ours["signal"][device]) == set(channels)
            for key, values in channels.items():
                assert ours["signal"][device][key].dtype == values.dtype
                np.testing.assert_array_equal(ours["signal"][device][key], values)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_that_python_3_pickled_again(tmp_path, protocol):
    values = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3, dtype=">i4")),
        "c": np.float64(2),
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(values, protocol))
    ours = wesad_pickle.read(tmp_path / "a.pkl")
    for key in values:
        np.testing.assert_array_equal(ours[key], values[key])


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
HOSTILE = {
    "posix.system": b"cposix\nsystem\n(S'touch {mark}'\ntR.",
    "os.system": b"\x80\x02cos\nsystem\nU\x05touch\x85R.",
    "os.system ": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x05touch\x85R.",
    "__builtin__.eval": b"c__builtin__\neval\n(S\"open('{mark}', 'w')\"\ntR.",
    "builtins.getattr": b"cbuiltins\ngetattr\n(cnumpy\nload\nS'x'\ntR.",
    "numpy.load": b"cnumpy\nload\n(S'{mark}'\ntR.",
    "subprocess.Popen": b"(S'touch'\nS'{mark}'\nisubprocess\nPopen\n.",
    "outside the file": b"P{mark}\n.",
    "outside the file ": b"\x80\x02U\x01aQ.",
    "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n"
    b"(S'{mark}'\ntR.",
    "changes a constructor": RECONSTRUCT + b"}(S'call'\nNub.",
    "change a constructor": RECONSTRUCT + b"(N}(S'call'\nNutb.",
    "unusual way": b"cnumpy\nndarray\n(J\xff\xff\xff\x7f\x85tR.",
    "type 'O8'": b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR.",
    "type 'V1000'": b"cnumpy\ndtype\n(U\x05V1000K\x00K\x01tR.",
    "records": b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01|N(U\x01atNJ\xff\xff"
    b"\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    "must be a type": b"\x80\x02" + RECONSTRUCT + b")\x81.",
}


@pytest.mark.parametrize("told", HOSTILE)
def test_pickles_that_call_anything_are_refused_and_nothing_is_called(
    wrist, tmp_path, told, monkeypatch
):
    mark = tmp_path / "called"
    path = wrist / "S99" / "S99.pkl"
    path.write_bytes(HOSTILE[told].replace(b"{mark}", str(mark).encode()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as error:
        wesad.load(wrist, cache=tmp_path / "cache")
    if told not in ("changes a constructor", "must be a type"):
        assert told.strip() in sentence(error), sentence(error)
    assert "S99.pkl" in sentence(error) and "download" in sentence(error)
    assert not mark.exists() and not (tmp_path / "cache").exists()


def test_a_crafted_state_never_reaches_numpy(tmp_path):
    """Bytes as an array of objects would make numpy follow them as addresses."""
    values = array(np.arange(4.0)).replace(b"U\x02f8", b"U\x02O8")
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + dictionary({"a": values}) + b".")
    with pytest.raises(DatasetError, match="'O8'"):
        wesad_pickle.read(tmp_path / "a.pkl")


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_damaged_pickles_end_in_a_sentence(tmp_path, data):
    whole = (
        b"\x80\x02"
        + dictionary(
            {"label": array(np.arange(5, dtype=np.int32)), "subject": text("S2")}
        )
        + b"."
    )
    kind = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    raw = {"cut": whole[:place], "flip": whole[:place] + byte + whole[place + 1 :]}
    raw["insert"] = whole[:place] + byte + whole[place:]
    (tmp_path / "a.pkl").write_bytes(raw[kind])
    try:
        found = wesad_pickle.read(tmp_path / "a.pkl")
        assert kind != "cut"
    except DatasetError as error:
        assert (
            "a.pkl" in str(error)
            and "download" in str(error)
            and "\n" not in str(error)
        )
        return
    for values in found.values() if isinstance(found, dict) else ():
        assert isinstance(values, (np.ndarray, str, int, float, dict, type(None)))


def spoil(path, change):
    raw = path.read_bytes()
    path.unlink() if change is None else path.write_bytes(change(raw))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (None, "missing"),
        (lambda raw: raw[: len(raw) // 2], "download"),
        (lambda raw: b"", "download"),
        (lambda raw: b"<html>not found</html>", "download"),
        (lambda raw: raw.replace(b"U\x03S99", b"U\x03S98"), "'S98'"),
        (lambda raw: raw.replace(b"U\x05label", b"U\x05lable"), "'label'"),
        (lambda raw: raw.replace(b"U\x05wrist", b"U\x05wrust"), "wrust"),
        (lambda raw: raw.replace(b"U\x03BVP", b"U\x03BVQ"), "BVQ"),
        (lambda raw: raw.replace(b"U\x03BVP", b"U\x03eda"), "in capitals and not"),
        (
            lambda raw: raw.replace(
                struct.pack("<i", 2) * 1000, struct.pack("<i", 9) * 1000, 1
            ),
            "0 to 7",
        ),
        (
            lambda raw: raw.replace(
                struct.pack("<i", 3) * 45500, struct.pack("<i", 2) * 45500, 1
            ),
            "[1, 2, 4, 2, 4]",
        ),
    ],
)
def test_wrong_pickles_end_in_a_sentence_that_says_where(wrist, tmp_path, change, told):
    spoil(wrist / "S99" / "S99.pkl", change)
    with pytest.raises(DatasetError) as error:
        wesad.load(wrist, cache=tmp_path / "cache")
    assert "S99.pkl" in sentence(error) and told in sentence(error), sentence(error)
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"wrist_BVP": lambda values: values[::2]}, "wrist_bvp lasts"),
        ({"wrist_EDA": lambda values: values[:-40]}, "wrist_eda lasts"),
        ({"wrist_ACC": lambda values: values[:, :2]}, "wrist_acc has the shape"),
        (
            {"wrist_TEMP": lambda values: np.hstack([values, values])},
            "wrist_temp has the shape",
        ),
    ],
)
def test_wrong_rates_and_shapes(tmp_path, changed, told):
    write_participant(tmp_path, "S99", chest=False, seconds=65, **changed)
    with pytest.raises(DatasetError, match=told):
        wesad.load(tmp_path, cache=False)


# --- the data set -------------------------------------------------------------


def test_chest_and_wrist_give_what_was_planted(made):
    dataset = contract.check(wesad.load(made, cache=False))
    assert dataset.sizes["window"] == 10 and contract.modalities(dataset) == list(
        signals.CHANNELS
    )
    behavioural = ["wrist_acc", "chest_emg", "chest_acc"]
    assert contract.modalities(dataset, "behavioural") == behavioural
    assert (
        not contract.missing(dataset).any()
        and "chest and wrist: S98" in dataset.attrs["notes"]
    )
    planted = {
        ("wrist_bvp", "heart_rate"): (66, 1.5),
        ("chest_ecg", "heart_rate"): (66, 1.5),
        ("chest_resp", "rate"): (14, 0.2),
        ("chest_temp", "level"): (32, 0.01),
        ("wrist_temp", "level"): (33, 0.01),
        ("wrist_acc", "y_mean"): (0.6, 0.01),
        ("chest_acc", "x_mean"): (0.9, 0.01),
        ("chest_eda", "level"): (5, 0.1),
        ("wrist_eda", "level"): (1, 0.2),
    }
    for (modality, feature), (truth, width) in planted.items():
        found = dataset[modality].sel({f"{modality}_feature": feature}).values
        np.testing.assert_allclose(
            found, truth, atol=width, err_msg=f"{modality} {feature}"
        )
    rating = dataset.rating.isel(window=dataset.trial == "S98-stress").sel(
        emotion=["Happy", "Sad"]
    )
    assert rating.values.tolist() == [[4, 2], [4, 2]]
    assert not dataset.isel(window=0).distribution.sel(emotion="Sad").isnull()


def test_windows_lie_inside_their_trial(loaded, real):
    assert (
        loaded.attrs["dataset"] == "wesad"
        and "wrist alone: S2, S14" in loaded.attrs["notes"]
    )
    for name in ("S2", "S14"):
        label = pickle.loads(
            (real / name / f"{name}.pkl").read_bytes(), encoding="latin1"
        )["label"]
        own = loaded.isel(window=np.flatnonzero(loaded.participant == name))
        assert set(own.trial.values) == {f"{name}-{condition}" for condition in NAMES}
        for start, stop, condition in zip(
            own.start.values, own.stop.values, own.condition.values, strict=True
        ):
            assert stop - start == pytest.approx(60)
            code = {"baseline": 1, "stress": 2, "amusement": 3}.get(condition, 4)
            assert (
                label[int(np.ceil(start * 700 - 1e-6)) : int(stop * 700 + 1e-6)] == code
            ).all()
        for condition in NAMES:
            trial = own.isel(window=np.flatnonzero(own.condition == condition))
            np.testing.assert_allclose(np.diff(trial.start), 30)
            length = (
                label == {"baseline": 1, "stress": 2, "amusement": 3}.get(condition, 4)
            ).sum() / 700
            assert trial.sizes["window"] <= length // 30
        first = own.start.groupby(own.condition.rename("c")).min()
        assert (first.sel(c="meditation2") < first.sel(c="meditation1")) == (
            name == "S14"
        )
    assert set(loaded.doubtful.values[loaded.participant == "S2"]) == {
        "chest temperature unreliable"
    }
    assert set(loaded.doubtful.values[loaded.participant == "S14"]) == {""}
    heart = loaded.wrist_bvp.sel(wrist_bvp_feature="heart_rate")
    assert heart.min() > 40 and heart.max() < 160 and heart.isnull().mean() < 0.3
    assert loaded.wrist_temp.sel(wrist_temp_feature="level").min() > 25


def test_labels_are_those_of_the_questionnaire(loaded, real):
    asked = wesad.questionnaires(real)
    row = loaded.isel(window=np.flatnonzero(loaded.trial == "S14-meditation2")[0])
    answers = asked.panas.sel(participant="S14", condition="meditation2").drop_sel(
        panas_item=["Angry", "Irritated"]
    )
    np.testing.assert_array_equal(row.emotion, answers.panas_item)
    np.testing.assert_array_equal(row.rating, answers)
    np.testing.assert_allclose(row.distribution, answers / answers.sum())
    assert row.valence.sel(
        emotion=["Alert", "Happy", "Sad", "Annoyed"]
    ).values.tolist() == [1, 1, -1, -1]
    assert (row.valence == 1).sum() == 11


@pytest.mark.parametrize(
    "recipe", [f"{name}{end}" for name in wesad.RECIPES for end in ("", "-sharp")]
)
def test_recipes(made, recipe, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "recipes"
    dataset = wesad.load(made, recipe, "three", cache=cache)
    base = recipe.removesuffix("-sharp")
    assert (
        dataset.sizes["emotion"]
        == {"all24": 24, "all26": 26, "panas20": 20, "dmer9": 9}[base]
    )
    assert sorted(set(dataset.condition.values)) == ["amusement", "baseline", "stress"]
    share = dataset.rating if recipe == base else dataset.rating - 1 + 0.05
    np.testing.assert_allclose(dataset.distribution, share / share.sum("emotion"))
    assert (
        dataset.attrs["label_recipe"] == recipe
        and dataset.attrs["conditions"] == "three"
    )
    if base == "all26":
        angry = dataset.rating.sel(emotion="Angry").values
        assert (angry == np.where(dataset.condition == "stress", 5, 1)).all()


def test_unanswered_items_are_dropped_or_filled_in_and_named(wrist):
    path = wrist / "S99" / "S99_quest.csv"
    path.write_text(
        path.read_text().replace("# PANAS;3;4;5", "# PANAS;3;Nan;5", 1)
    )  # meditation1
    dropped = wesad.load(wrist, cache=False)
    assert (
        "S99-meditation1" not in dropped.trial.values
        and len(set(dropped.trial.values)) == 4
    )
    assert (
        "S99: report on meditation1 left out, Distressed not answered"
        in dropped.attrs["notes"]
    )
    for how, value in (("floor", 1), ("participant_median", np.median([2, 3, 5, 1]))):
        filled = wesad.load(wrist, cache=False, missing=how)
        found = filled.rating.isel(window=filled.trial == "S99-meditation1").sel(
            emotion="Distressed"
        )
        assert (found == value).all() and how in filled.attrs["notes"]
    assert (
        wesad.load(wrist, "all24", "three", cache=False)
        .attrs["notes"]
        .count("meditation1")
        == 0
    )


@pytest.mark.slow
def test_a_silent_chest_is_a_missing_modality(tmp_path):
    tool = SHARED / "tools" / "build_wesad_root.py"
    if not tool.is_file():
        pytest.skip("the real recordings of ../shared are not here")
    subprocess.run(
        [sys.executable, tool, tmp_path, "--subjects", "S17", "--chest-nan"],
        check=True,
        capture_output=True,
    )
    dataset = wesad.load(tmp_path, cache=False)
    gone = contract.missing(dataset)
    for modality, channel in signals.CHANNELS.items():
        if channel.device == "chest":
            assert (
                gone.sel(modality=modality).all()
                and (dataset[f"{modality}_quality"] == 0).all()
            )
            assert (
                f"S17: {modality} is NaN throughout: a missing modality"
                in dataset.attrs["notes"].splitlines()
            )
    assert not gone.sel(
        modality="wrist_eda"
    ).all() and "missing everywhere" in contract.summary(dataset)


def test_a_channel_or_a_device_that_one_participant_lacks(made, tmp_path):
    write_participant(
        tmp_path,
        "S97",
        chest=False,
        wrist_EDA=None,
        wrist_TEMP=lambda values: values * np.nan,
    )
    shutil.copytree(made / "S98", tmp_path / "S98")
    dataset = wesad.load(tmp_path, cache=False)
    gone = contract.missing(dataset).isel(
        window=np.flatnonzero(dataset.participant == "S97")
    )
    absent = {
        str(name) for name in gone.modality.values if gone.sel(modality=name).all()
    }
    assert absent == {"wrist_eda", "wrist_temp"} | {
        name for name in signals.CHANNELS if name.startswith("chest")
    }
    assert (
        not contract.missing(dataset)
        .isel(window=np.flatnonzero(dataset.participant == "S98"))
        .any()
    )
    notes = dataset.attrs["notes"].splitlines()
    assert "wrist alone: S97" in notes and "chest and wrist: S98" in notes
    assert "S97: no wrist EDA in the pickle: wrist_eda is missing" in notes
    assert "S97: wrist_temp is NaN throughout: a missing modality" in notes


def test_part_of_a_channel_that_is_nan_is_told(tmp_path):
    def hole(values):
        values[60 * 4 : 110 * 4] = np.nan  # the end of baseline, the start of stress
        return values

    write_participant(tmp_path, "S97", chest=False, seconds=95, wrist_EDA=hole)
    dataset = wesad.load(tmp_path, cache=False)
    lost = contract.missing(dataset).sel(modality="wrist_eda").values
    assert dataset.trial.values[lost].tolist() == [
        "S97-baseline"
    ]  # 35 to 95 s: over half of it is gone
    assert (
        "S97: wrist_eda, baseline: 42.1 % of the samples are not numbers"
        in dataset.attrs["notes"]
    )


def test_acceleration_in_another_unit_and_a_sensor_that_stands_still_are_told(tmp_path):
    write_participant(
        tmp_path,
        "S97",
        chest=False,
        seconds=65,
        wrist_ACC=lambda values: values / 64,  # in g already
        wrist_TEMP=lambda values: (0 * values + 33).astype(np.float16),
    )
    dataset = wesad.load(tmp_path, cache=False)
    assert contract.missing(dataset).sel(modality="wrist_acc").all()
    told = dataset.attrs["notes"]
    assert "S97: wrist_acc, stress: half of the samples stay below 0.5 g" in told
    assert "S97: wrist_temp, stress: every sample is the same" in told


def test_choices_and_folders_that_do_not_exist(made, tmp_path):
    for options in (
        {"recipe": "all25"},
        {"conditions": "four"},
        {"missing": "guess"},
        {"window": 0},
        {"step": -1},
    ):
        with pytest.raises(ParameterError) as error:
            wesad.load(made, **options)
        assert "wesad" in sentence(error)
    for root, told in (
        (tmp_path / "none", "no such folder"),
        (tmp_path, "no participant"),
    ):
        with pytest.raises(DatasetError, match=told):
            wesad.load(root)
    with pytest.raises(DatasetError, match="as long as a window"):
        wesad.load(made, window=600, cache=False)
    with pytest.raises(ParameterError, match="MPCL_CACHE"):
        wesad.load(made, cache=made / "derived")
    assert (
        "S98: stress is shorter than a window"
        not in wesad.load(made, window=95, cache=False).attrs["notes"]
    )


# --- cache --------------------------------------------------------------------


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two participants, and the names of those that are read from their pickles."""
    few = {"wrist_BVP": None, "wrist_EDA": None}  # soon made
    for name in ("S98", "S99"):
        write_participant(tmp_path / "root", name, chest=False, seconds=65, **few)
    read, extract = [], signals.extract
    monkeypatch.setattr(
        signals, "extract", lambda *given: read.append(given[1]) or extract(*given)
    )
    return tmp_path, read


def test_the_cache_is_used_and_keyed_by_sources_and_settings(two, monkeypatch):
    folder, read = two
    monkeypatch.setenv("MPCL_CACHE", str(folder / "cache"))
    first = wesad.load(folder / "root")
    again = wesad.load(folder / "root")
    assert again.identical(first) and read == ["S98", "S99"]
    wesad.load(folder / "root", "dmer9-sharp", "three")  # labels are not cached
    assert len(read) == 2
    wesad.load(folder / "root", step=5)
    assert len(read) == 4
    answers = folder / "root" / "S99" / "S99_quest.csv"
    answers.write_text(answers.read_text().replace("# PANAS;1;2;3", "# PANAS;1;5;3"))
    changed = wesad.load(folder / "root")
    assert len(read) == 4 and (changed.rating != first.rating).any()
    meditations = answers.read_text().replace("Medi 1;Fun;Medi 2", "Medi 2;Fun;Medi 1")
    answers.write_text(meditations)  # the labels of the pickle cannot tell them apart
    swapped = wesad.load(folder / "root")
    assert read[4:] == ["S99"]
    row = np.flatnonzero(swapped.trial == "S99-meditation2")[0]
    assert swapped.start[row] < swapped.start[-1] and swapped.trial[-1] == (
        "S99-meditation1"
    )
    assert not [
        path
        for path in folder.rglob("*")
        if "derived" in path.name or path.suffix == ".part"
    ]
    assert {path.name for path in (folder / "root").rglob("*.*")} == {
        "S98.pkl",
        "S99.pkl",
        "S98_quest.csv",
        "S99_quest.csv",
    }


@pytest.mark.parametrize(
    ("old", "new", "is_kept"),
    [
        ("Gaps of up to one second are bridged", "Gaps of up to 1 s are brigded", True),
        ("MOTION = 0.1  # g,", "MOTION = 0.1  # in g,", True),
        ("MOTION = 0.1 ", "MOTION = 0.2 ", False),
    ],
    ids=["docstring", "comment", "number"],
)
def test_the_key_follows_what_code_does_not_what_it_says(
    tmp_path, monkeypatch, old, new, is_kept
):
    code, keys = tmp_path / "code", []
    for source in provenance.ROOT.joinpath("mpcl").rglob("*.py"):
        copy = code / source.relative_to(provenance.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    monkeypatch.setattr(provenance.reachable, "__defaults__", (code,))
    changed = code / "mpcl" / "data" / "features.py"
    before = changed.read_text()
    assert old in before
    keys = [wesad_cache.key("digest", ["baseline"], 60.0, 30.0)]
    changed.write_text(before.replace(old, new))
    keys.append(wesad_cache.key("digest", ["baseline"], 60.0, 30.0))
    assert (keys[0] == keys[1]) == is_kept
    assert keys[1] != wesad_cache.key("other", ["baseline"], 60.0, 30.0)


def test_a_cache_that_cannot_be_written_is_no_cache(two):
    folder, read = two
    (folder / "cache").write_text("a file where the folder should be")
    first = wesad.load(folder / "root", cache=folder / "cache")
    assert wesad.load(folder / "root", cache=folder / "cache").identical(first)
    assert read == ["S98", "S99"] * 2


def test_every_file_is_listed_and_checked_once(two, monkeypatch):
    folder, _ = two
    record(folder / "root")
    opened = []
    for module, name in (
        (checksums, "sha256"),
        (checksums, "recorded"),
        (wesad_questionnaires, "_lines"),
        (wesad_questionnaires, "_participants"),
        (wesad_pickle, "read"),
    ):
        monkeypatch.setattr(module, name, counted(getattr(module, name), opened))
    wesad.load(folder / "root", cache=folder / "cache")
    assert max(Counter(opened).values()) == 1
    names = [(name, path.name) for name, path in opened]
    for person in ("S98", "S99"):
        assert {("sha256", f"{person}.pkl"), ("read", f"{person}.pkl")} <= set(names)
        assert {("sha256", f"{person}_quest.csv")} <= set(names)
    assert len(names) == 2 + 2 * 4


def counted(function, opened):
    def call(path, *others):
        opened.append((function.__name__, path))
        return function(path, *others)

    return call


def test_a_damaged_cache_is_made_anew(two):
    folder, read = two
    first = wesad.load(folder / "root", cache=folder / "cache")
    files = sorted((folder / "cache").iterdir())
    raw = files[0].read_bytes()
    half = len(raw) // 2
    for damaged in (
        b"",
        raw[:-100],
        raw[:half] + bytes(2000) + raw[half + 2000 :],
    ):
        files[0].write_bytes(damaged)
        read.clear()
        assert wesad.load(folder / "root", cache=folder / "cache").identical(first)
        assert read == ["S98"] and len(list((folder / "cache").iterdir())) == 2


def test_an_interrupted_load_leaves_nothing_half_and_is_resumed(two, monkeypatch):
    folder, read = two
    extract = signals.extract

    def interrupted(*given):
        if given[1] == "S99":
            raise KeyboardInterrupt
        return extract(*given)

    with monkeypatch.context() as patch:
        patch.setattr(signals, "extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wesad.load(folder / "root", cache=folder / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(
            files.os,
            "replace",
            lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            wesad.load(folder / "root", cache=folder / "cache")
    assert [path.name[:10] for path in (folder / "cache").iterdir()] == ["wesad-S98-"]
    read.clear()
    wesad.load(folder / "root", cache=folder / "cache")
    assert read == ["S99"]


def test_progress_is_a_bar_where_asked_for_and_quiet_elsewhere(two, capfd):
    folder, _ = two
    wesad.load(folder / "root", cache=folder / "cache")
    assert capfd.readouterr() == ("", "")
    wesad.load(folder / "root", cache=folder / "cache", progress=True)
    assert "wesad" in capfd.readouterr().err


# --- corruption ---------------------------------------------------------------
# What can be found is named with its file; what cannot (other plausible numbers) only a
# recorded checksum finds.


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    root = tmp_path_factory.mktemp("short")
    signal, label = write_participant(root, "S99", chest=False, seconds=65)
    path, order = root / "S99" / "S99.pkl", [*NAMES]
    order[2:4] = order[3], order[2]
    return path, signal, label, order, signals.read(path, "S99", order)


def record(root):
    """SHA256SUMS of a root, as the command sha256sum writes it."""
    paths = sorted(path for path in root.rglob("S*_quest.csv")) + sorted(
        root.rglob("*.pkl")
    )
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"
        for path in paths
    ]
    (root / "SHA256SUMS").write_text("".join(lines))


@st.composite
def damage(draw, places):
    """A function that spoils bytes at one of some places: one bit turned, one byte
    more, the rest cut off.
    """
    place, byte = draw(places), draw(st.integers(0, 255))
    return draw(
        st.sampled_from(
            [
                lambda raw: (
                    raw[:place] + bytes([raw[place] ^ 1 << byte % 8]) + raw[place + 1 :]
                ),
                lambda raw: raw[:place] + bytes([byte]) + raw[place:],
                lambda raw: raw[:place],
            ]
        )
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_of_a_recorded_file_is_found(wrist, data):
    record(wrist)
    path = wrist / "S99" / data.draw(st.sampled_from(["S99.pkl", "S99_quest.csv"]))
    whole = path.read_bytes()
    spoiled = data.draw(damage(st.integers(0, len(whole) - 1)))(whole)
    try:
        path.write_bytes(spoiled)
        with pytest.raises(DatasetError) as error:
            wesad.load(wrist, cache=False)
    finally:
        path.write_bytes(whole)
    assert path.name in sentence(error)


def test_recorded_files_load_as_before_and_a_bad_record_is_told(wrist):
    before = wesad.load(wrist, cache=False)
    record(wrist)
    xr.testing.assert_identical(wesad.load(wrist, cache=False), before)
    (wrist / "SHA256SUMS").write_text("12ab  S99/S99.pkl\n")
    with pytest.raises(DatasetError, match="SHA256SUMS: line 1"):
        wesad.load(wrist, cache=False)
    (wrist / "SHA256SUMS").write_text(f"{'0' * 64}  WESAD/S99/S99.pkl\n")
    with pytest.raises(DatasetError, match="SHA256SUMS: no file that it names lies"):
        wesad.load(wrist, cache=False)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_without_a_record_damaged_structure_is_found_or_harmless(tmp_path, short, data):
    """All bytes of the pickle but the samples.

    Where a flag says that a channel of three axes is stored axis by axis, nothing but a
    checksum can tell, so this one byte is left out.
    """
    path, signal, label, order, known = short
    whole, samples = path.read_bytes(), np.zeros(path.stat().st_size, bool)
    for values in (*signal["wrist"].values(), label):
        place = whole.index(values.tobytes())
        samples[place : place + values.nbytes] = True
        samples[place - 6] = True  # the flag
    spoiled = data.draw(damage(st.sampled_from(np.flatnonzero(~samples).tolist())))(
        whole
    )
    (tmp_path / "spoiled.pkl").write_bytes(spoiled)
    try:
        trials, cuts, device, notes = signals.read(
            tmp_path / "spoiled.pkl", "S99", order
        )
    except DatasetError as error:
        assert "spoiled.pkl" in str(error) and "\n" not in str(error)
        return
    assert (trials, device) == (known[0], known[2])
    for modality, cut in known[1].items():
        if modality not in cuts:  # it bore another's name, which is told
            assert f"{modality} is missing" in "".join(notes)
        for trial, values in cuts.get(modality, {}).items():
            np.testing.assert_array_equal(values, cut[trial])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_rows_that_were_moved_lost_doubled_or_cut_are_found(
    made, answered, tmp_path, data
):
    rows = (made / "S98" / "S98_quest.csv").read_text().splitlines()
    first, second = data.draw(
        st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(rows) - 1))
    )
    kind = data.draw(st.sampled_from(["shuffle", "swap", "double", "lose", "cut"]))
    changed = {
        "shuffle": lambda: data.draw(st.permutations(rows)),
        "swap": lambda: [
            rows[{first: second, second: first}.get(place, place)]
            for place in range(len(rows))
        ],
        "double": lambda: rows[:first] + [rows[first]] + rows[first:],
        "lose": lambda: rows[:first] + rows[first + 1 :],
        "cut": lambda: "\n".join(rows)[: 40 * first + second].splitlines(),
    }[kind]()
    path = tmp_path / "S98" / "S98_quest.csv"
    path.parent.mkdir(exist_ok=True)
    mark, end = (
        data.draw(st.sampled_from(["", "\ufeff"])),
        data.draw(st.sampled_from(["\n", "\r\n"])),
    )
    path.write_text(mark + end.join(changed), encoding="utf-8")
    try:
        after = wesad.questionnaires(tmp_path)
    except DatasetError as error:
        assert "S98_quest.csv" in str(error) and "\n" not in str(error)
        return
    tags = [
        [row.split(";")[0] for row in told if row.strip(";")]
        for told in (rows, changed)
    ]
    within = (
        kind in ("shuffle", "swap") and tags[0] == tags[1]
    )  # two reports of one kind: only a checksum can tell
    assert within or after.identical(answered)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda raw: raw.replace(
                struct.pack("<i", 2) * 45500, struct.pack("<i", 0) * 45500, 1
            ),
            "[1, 4, 3, 4]",
        ),
        (lambda raw: raw.replace(b"U\x01<", b"U\x01>"), "0 to 7"),
        (
            lambda raw: raw[::-1].replace(b"<\x01U", b">\x01U", 1)[::-1],
            "no sensor's|0 to 7",
        ),
        (lambda raw: raw.replace(b"U\x02f8", b"U\x02i8"), "no sensor's"),
    ],
)
def test_pickles_that_would_give_other_numbers(wrist, change, told):
    spoil(wrist / "S99" / "S99.pkl", change)
    with pytest.raises(DatasetError, match=told) as error:
        wesad.load(wrist, cache=False)
    assert "S99.pkl" in sentence(error)


@given(
    st.sampled_from(["ACC", "BVP", "EDA", "TEMP"]),
    st.sampled_from([0.25, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 4]),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_channel_at_another_rate_is_found(tmp_path, key, factor):
    def resampled(values):
        return values[(np.arange(int(len(values) * factor)) / factor).astype(int)]

    write_participant(
        tmp_path, "S99", chest=False, seconds=65, **{f"wrist_{key}": resampled}
    )
    with pytest.raises(
        DatasetError,
        match=rf"S99.pkl: wrist_{key.lower()} lasts .* at \d+ Hz, the labels",
    ):
        wesad.load(tmp_path, cache=False)


def test_participants_that_are_there_twice_in_part_or_not_at_all(wrist):
    shutil.copytree(wrist / "S99", wrist / "S97")
    with pytest.raises(
        DatasetError, match="S97_quest.csv: the questionnaire is missing"
    ):
        wesad.load(wrist, cache=False)
    (wrist / "S97" / "S99_quest.csv").rename(wrist / "S97" / "S97_quest.csv")
    with pytest.raises(
        DatasetError,
        match=r"S97_quest.csv: the file is about \['S99'\], the folder about S97",
    ):
        wesad.load(wrist, cache=False)
    write_answers(wrist / "S97" / "S97_quest.csv", "S97")
    with pytest.raises(DatasetError, match="S97.pkl: the file is missing"):
        wesad.load(wrist, cache=False)
    (wrist / "S97" / "S99.pkl").rename(wrist / "S97" / "S97.pkl")
    with pytest.raises(
        DatasetError, match="S97.pkl: the pickle is about 'S99', the folder about S97"
    ):
        wesad.load(wrist, cache=False)
    shutil.rmtree(wrist / "S97")
    for name in ("S97", "s99"):
        (wrist / name).symlink_to(wrist / "nowhere")
        with pytest.raises(DatasetError, match=f"{name}_quest.csv: .* is missing"):
            wesad.load(wrist, cache=False)
        (wrist / name).unlink()
    assert (
        "participants not in this folder: S2, S3"
        in wesad.load(wrist, cache=False).attrs["notes"]
    )
