"""DMER: the public sample, the three forms laid down by hand, and wrong files."""

import os
import re
import struct
import time
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mpcl.data import contract
from mpcl.data.dmer import load as dmer
from mpcl.data.dmer import mat as reader
from mpcl.data.dmer import questionnaires as dmer_questionnaires
from mpcl.data.dmer import release, signals
from mpcl.data.dmer.dataset import table
from mpcl.data.dmer.sample import open_sample
from mpcl.data.windowing import as_modality
from mpcl.errors import DatasetError, ParameterError

SAMPLE = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "data"
    / "dmer_sample"
    / "data_feature_sample.mat"
)
WORDS = (
    "Inspired Alert Excited Enthusiastic Determined "
    "Afraid Upset Nervous Scared Distressed"
).split()
FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def sentence(error):
    """The error's text, which must be one line."""
    assert "\n" not in str(error.value), error.value
    return str(error.value)


# --- the files, byte by byte from their description, without the reader or SciPy
# ------------------


def element(kind, data, order="<"):
    if len(data) <= 4:  # a small element keeps its bytes in the tag
        return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def mat(order="<", compressed=False, **variables):
    """A MATLAB 5 file: a matrix holds flags, dimensions, name and numbers.

    Flags: 6 double, 7 single, 9 uint8.
    """
    raw = b"MATLAB 5.0 MAT-file, made by hand".ljust(124) + struct.pack(
        order + "HH", 0x0100, 0x4D49
    )
    kinds = {"f8": (6, 9), "f4": (7, 7), "u1": (9, 2), "i8": (14, 12)}
    for name, values in variables.items():
        values = np.atleast_2d(values)
        flag, kind = kinds[values.dtype.str[1:]]
        body = element(6, struct.pack(order + "II", flag, 0), order)
        body += element(5, struct.pack(f"{order}{values.ndim}i", *values.shape), order)
        body += element(1, name.encode(), order)
        body += element(
            kind,
            values.astype(values.dtype.newbyteorder(order)).tobytes(order="F"),
            order,
        )
        whole = struct.pack(order + "II", 14, len(body)) + body
        packed = zlib.compress(whole)
        raw += (
            struct.pack(order + "II", 15, len(packed)) + packed if compressed else whole
        )
    return raw


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rating(participant, clip):
    """Answers that tell whose they are and to what; all from 1 to 5."""
    return [1 + (participant + clip * (1 + word) + word) % 5 for word in range(10)]


def write_ratings(root, participant, shift=0):
    order = np.random.default_rng(participant).permutation(32)  # of presentation
    lines = [
        ",".join(
            map(str, [clip, *(shift + answer for answer in rating(participant, clip))])
        )
        for clip in order
    ]
    folder = root / f"{participant}" / f"{participant}"
    put(folder / "Panas.csv", "\n".join(lines) + "\n")


def released(participant, seconds):
    """Rows of features that tell participant, clip and second; and the video ids."""
    rows = [
        (clip, second) for clip, count in seconds.items() for second in range(4, count)
    ]
    feas = np.array(
        [[participant * 100 + clip + second / 100] for clip, second in rows]
    ) + np.zeros(913)
    feas += 1000 * np.arange(913)
    return feas, np.array([clip for clip, _ in rows], float)


def write_features(root, participant, seconds=None, **options):
    feas, vids = released(
        participant, seconds or {clip: 14 + clip % 3 for clip in range(32)}
    )
    return put(
        root / "Features" / f"{participant}.mat", mat(feas=feas, vids=vids, **options)
    )


def recording(seconds, rate, channels, seed):
    """EEG: 10 Hz; GSR: a slow rise; PPG: 72 pulses a minute."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=(channels, len(time)))
    if channels == 18:
        return 10 * np.sin(2 * np.pi * 10 * time) + noise
    if rate == 4:
        return 5 + time / 600 + 0.001 * noise
    return np.exp(-((time * 1.2 % 1 - 0.3) ** 2) / 0.01)[None] + 0.01 * noise


def write_aligned(root, participant, seconds=None, rest=5, **changed):
    """Signals, above the video ids and the time; rest (40) comes first."""
    variables = {}
    for name, rate, channels in (("eeg", 300, 18), ("gsr", 4, 1), ("ppg", 100, 1)):
        blocks = []
        for clip, duration in {40: rest, **(seconds or {0: 21, 9: 20, 17: 23})}.items():
            time = np.full(duration * rate, -1.0)
            time[::rate] = np.arange(duration)
            clips = np.full(duration * rate, clip, float)
            blocks.append(
                np.vstack([recording(duration, rate, channels, clip), clips, time])
            )
        variables |= {
            f"{name}_datas": np.hstack(blocks),
            f"fs_{name}": np.array(rate, "u1" if rate < 256 else "f8"),
        }
    folder = root / "Aligned_data" / f"{participant}"
    for clip in (0, 9):
        put(folder / f"{clip}.mp4", f"film {participant} {clip}")
    return put(folder / "datas.mat", mat(compressed=True, **variables | changed))


def write_raw(root, participant, seconds=None):
    """Recordings with triggers: trying out, practice (60, 150), rest (50, 140), clips.

    Clip k starts with k + 10 and stops with k + 100.
    """
    folder = root / "Raw_data" / f"{participant}"
    events, at = [(1, 12), (2, 60), (4, 150), (5, 50), (8, 140)], 10
    for clip, duration in (seconds or {17: 23, 0: 21, 9: 20}).items():
        events += [(at, clip + 10), (at + duration, clip + 100)]
        at += duration + 4
    for name, rate in (("gsr", 4), ("ppg", 100)):
        values, marks = (
            recording(at, rate, 1, participant)[0],
            {second * rate: code for second, code in events},
        )
        put(
            folder / f"{participant}" / f"raw_{name}.csv",
            "".join(
                f"{1600000000000 + 1000 * row // rate if row % rate == 0 else ''},"
                f"{value:.5f}" + (f",{marks[row]}" if row in marks else "") + "\n"
                for row, value in enumerate(values)
            ),
        )
    names = (
        "P3,C3,F3,Fz,F4,C4,P4,Cz,CM,A1,Fp1,Fp2,T3,T5,O1,O2,X3,X2,F7,F8,X1,A2,T6,T4"
    ).split(",")
    values = dict(
        zip(
            [
                name
                for name in names
                if name not in ("CM", "A1", "A2", "X1", "X2", "X3")
            ],
            recording(at, 300, 18, participant),
            strict=True,
        )
    )
    trigger = np.zeros(at * 300, int)
    for second, code in events:
        trigger[second * 300 : second * 300 + 3] = code  # held for three samples
    table = np.column_stack(
        [
            np.arange(at * 300) / 300,
            *(values.get(name, np.full(at * 300, 7e6)) for name in names),
        ]
    )
    lines = [
        ",".join(f"{value:.4f}" for value in row) + f",{code},0"
        for row, code in zip(table, trigger, strict=True)
    ]
    put(
        folder / f"sub{participant}" / "1_raw.csv",
        "#Created by DSI-Streamer\n#Sample rate,300\nTime,"
        + ",".join(names)
        + ",Trigger,ADC_Status\n"
        + "\n".join(lines)
        + "\n",
    )
    write_ratings(root / "Raw_data", participant)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Participants 7 and 26 in all three forms."""
    root = tmp_path_factory.mktemp("dmer")
    for participant in (7, 26):
        write_features(root, participant)
        write_aligned(root, participant)
        write_raw(root, participant)
    return root


@pytest.fixture(scope="module")
def datas(made):
    variables = scipy.io.loadmat(made / "Aligned_data" / "7" / "datas.mat")
    return {name: values for name, values in variables.items() if name[0] != "_"}


@pytest.fixture(scope="module")
def forms(made):
    return {
        form: dmer.open_dmer(made, form, progress=False)
        for form in ("features", "aligned", "raw")
    }


@pytest.fixture
def folder(tmp_path):
    """The features and ratings of participant 7, to be spoiled."""
    write_features(tmp_path, 7, {clip: 9 for clip in range(32)})
    write_ratings(tmp_path / "Raw_data", 7)
    return tmp_path


PANAS = Path("Raw_data/7/7/Panas.csv")


# --- the public sample
# ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    if not SAMPLE.is_file():
        pytest.skip("the public sample of ../shared is not here")
    return open_sample(SAMPLE)


def test_the_sample_gives_the_known_distances(sample):
    train = (sample.split_published == "train").values
    label = sample.distribution.values
    assert (
        train.sum() == 696
        and (~train).sum() == 179
        and sample.emotion.values.tolist() == WORDS
    )

    def chebyshev(predicted):
        return np.abs(label[~train] - predicted).max(1).mean()

    assert round(chebyshev(np.full(10, 0.1)), 4) == 0.1263
    assert round(chebyshev(label[train].mean(0)), 4) == 0.1003
    face = (
        sample.video.values - sample.video.values[train].mean(0)
    ) / sample.video.values[train].std(0)
    nearest = ((face[~train][:, None] - face[train]) ** 2).sum(2).argmin(1)
    assert (
        round(chebyshev(label[train][nearest]), 4) == 0.0163
    )  # the leak: a neighbouring second of the same clip


def test_the_sample_is_what_scipy_reads(sample):
    theirs = scipy.io.loadmat(SAMPLE)
    for name in ("eeg", "gsr", "ppg", "video"):
        both = np.concatenate(
            [theirs[f"train_{name}"], theirs[f"test_{name}"]]
        ).reshape(875, -1)
        np.testing.assert_array_equal(sample[name], both)
    assert sample.eeg_feature.values[[0, 3, 4]].tolist() == [
        "ch1_theta",
        "ch1_gamma",
        "ch2_theta",
    ]
    np.testing.assert_array_equal(
        sample.distribution,
        np.concatenate([theirs["train_label"], theirs["test_label"]]),
    )


def test_trials_of_the_sample_are_groups_of_the_same_label(sample):
    for _, group in sample.groupby("trial"):
        assert np.ptp(group.distribution.values, axis=0).max() < 1e-9
    assert (
        len(set(sample.trial.values))
        == 22
        == len(np.unique(sample.distribution.values.round(9), axis=0))
    )
    assert (
        "rating" not in sample
        and "inferred" in sample.attrs["notes"]
        and "leaks" in sample.attrs["notes"]
    )
    assert open_sample(SAMPLE.parent).identical(sample) and open_sample(
        SAMPLE.parents[1]
    ).identical(sample)


@pytest.mark.parametrize("wrong", ["missing", "shape"])
def test_a_sample_that_is_another_file_is_refused(tmp_path, wrong):
    shapes = {"eeg": (3, 18, 4), "gsr": (3, 1, 4), "ppg": (3, 1, 4), "video": (3, 32)}
    arrays = {
        f"{part}_{name}": np.zeros(shape)
        for part in ("train", "test")
        for name, shape in (shapes | {"label": (3, 10)}).items()
    }
    arrays["train_video"] = np.zeros((3, 31))
    if wrong == "missing":
        del arrays["train_video"]
    path = put(tmp_path / "data_feature_sample.mat", mat(**arrays))
    with pytest.raises(DatasetError, match="sample.mat: .*train_video is .*"):
        open_sample(path)


# --- three forms
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["features", "aligned", "raw"])
def test_labels_are_those_of_the_answers_to_the_same_clip(forms, form):
    dataset = forms[form]
    assert set(dataset.participant.values) == {"P07", "P26"}
    assert contract.modalities(dataset, "behavioural") == ["video"]
    assert contract.modalities(dataset, "physiological") == ["eeg", "gsr", "ppg"]
    clips = range(32) if form == "features" else (0, 9, 17)
    assert set(dataset.trial.values) == {
        f"P{who:02d}-c{clip:02d}" for who in (7, 26) for clip in clips
    }
    for window in (
        dataset.isel(window=row) for row in range(0, dataset.sizes["window"], 7)
    ):
        who, clip = int(window.participant.item()[1:]), int(window["clip"].item()[1:])
        assert window.rating.values.tolist() == rating(who, clip)
        np.testing.assert_allclose(
            window.distribution, np.array(rating(who, clip)) / sum(rating(who, clip))
        )
        assert window.condition == (
            "positive" if clip < 8 else "negative" if clip < 16 else "mixed"
        )
    assert (
        dataset.emotion.values.tolist() == WORDS
        and dataset.valence.values.tolist() == [1] * 5 + [-1] * 5
    )
    assert (
        dataset.attrs["rating_scale"] == "1-5"
        and "ratings run from 1 to 5" in dataset.attrs["notes"]
    )


def labels_of(dataset):
    return dict(
        zip(dataset.trial.values, map(tuple, dataset.distribution.values), strict=True)
    )


def test_all_forms_give_the_same_labels(made, forms):
    features, aligned, raw = map(labels_of, forms.values())
    assert aligned == raw == {trial: features[trial] for trial in aligned}
    assert dmer.open_dmer(made, progress=False).identical(
        forms["features"]
    )  # found without being named
    aligned, raw = forms["aligned"], forms["raw"]
    for name, feature in (
        ("eeg", "ch3_alpha"),
        ("gsr", "level"),
        ("ppg", "heart_rate"),
    ):
        means = [
            form[name].sel({f"{name}_feature": feature}).mean().item()
            for form in (aligned, raw)
        ]
        expected = {
            "ch3_alpha": 0.5 * np.log(2 * np.pi * np.e * 50),
            "level": 5.05,
            "heart_rate": 72,
        }[feature]
        np.testing.assert_allclose(means, expected, rtol=0.05)
    assert aligned.sizes == raw.sizes
    np.testing.assert_array_equal(
        *(form.sortby(["trial", "start"]).video.values for form in (aligned, raw))
    )


def test_columns_and_seconds_of_the_released_features(made):
    dataset = dmer.open_dmer(made, "features", pool=1, progress=False)
    row = dataset.isel(
        window=np.flatnonzero((dataset.trial == "P26-c31") & (dataset.start == 9))[0]
    )
    whole = np.concatenate(
        [row[name].values for name in ("eeg", "gsr", "ppg", "video")]
    )
    np.testing.assert_allclose(whole, 2631 + 0.09 + 1000 * np.arange(913))
    assert row.stop == 10 and dataset.sizes["window"] == 2 * sum(
        10 + clip % 3 for clip in range(32)
    )
    assert row.eeg_feature.values[[0, 4, 5, 89]].tolist() == [
        "ch1_delta",
        "ch1_gamma",
        "ch2_delta",
        "ch18_gamma",
    ]
    assert [len(row[name]) for name in ("eeg", "gsr", "ppg", "video")] == [
        90,
        28,
        27,
        768,
    ]
    pooled = dmer.open_dmer(made, "features", progress=False)
    first = pooled.isel(window=np.flatnonzero(pooled.trial == "P26-c31"))
    assert first.start.values.tolist() == [4, 9] and first.stop.values.tolist() == [
        9,
        14,
    ]
    np.testing.assert_allclose(
        first.gsr.values[:, 0], 2631 + np.array([0.06, 0.11]) + 90000
    )


def test_archives_are_read_packed(made, forms, tmp_path):
    for name in ("Features", "Raw_data", "Aligned_data"):
        with zipfile.ZipFile(
            tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED
        ) as archive:
            for path in sorted((made / name).rglob("*.*")):
                archive.write(
                    path, path.relative_to(made / name if name == "Features" else made)
                )
            archive.writestr("../../outside.mat", b"")
    assert dmer.open_dmer(tmp_path, "features", progress=False).equals(
        forms["features"]
    )
    datas = release.find(tmp_path, "aligned")[7] / "datas.mat"
    assert reader.read(datas, ["fs_eeg"])["fs_eeg"] == 300
    assert {path.name for path in tmp_path.iterdir()} == {
        "Features.zip",
        "Raw_data.zip",
        "Aligned_data.zip",
    }
    assert not (tmp_path.parents[1] / "outside.mat").exists()
    alone = dmer.open_dmer(tmp_path / "Features.zip", ratings=made, progress=False)
    assert alone.equals(forms["features"])
    raw = (tmp_path / "Features.zip").read_bytes()
    for damaged in (
        raw[:-40],
        raw[: len(raw) // 3] + b"xxxx" + raw[len(raw) // 3 + 4 :],
    ):
        (tmp_path / "Features.zip").write_bytes(damaged)
        with pytest.raises(DatasetError, match="Features.zip") as error:
            dmer.open_dmer(tmp_path, "features", progress=False)
        assert "download it again" in sentence(error)


def test_the_face_comes_from_the_released_features_or_from_the_user(
    made, forms, tmp_path
):
    beside = forms["aligned"]
    window = beside.isel(
        window=np.flatnonzero(beside.trial == "P07-c09")[0]
    )  # 0 to 10 s: rows of seconds 4 to 9
    assert (
        window.video[0] == pytest.approx(700 + 9 + 0.065 + 145000)
        and len(beside.video_feature) == 768
    )
    write_aligned(tmp_path, 7, {0: 10, 9: 20, 17: 10}, rest=1)
    alone = dmer.open_dmer(tmp_path, ratings=made, progress=False)
    assert contract.modalities(alone) == ["eeg", "gsr", "ppg"]
    assert "P07: no features of the face lie beside" in alone.attrs["notes"]
    smiles = table(alone.start.values[:, None] * [1.0, 10.0], ["left", "right"], "1")
    alone.update(as_modality(smiles, "video", "behavioural", "the user's network"))
    assert contract.modalities(contract.check(alone), "behavioural") == ["video"]
    assert alone.video.values[:, 1].tolist() == (10 * alone.start).values.tolist()


def test_signals_that_were_not_recorded_are_a_missing_modality(made, tmp_path):
    write_aligned(
        tmp_path, 7, gsr_datas=np.zeros((0, 0))
    )  # as the alignment program leaves them
    dataset = dmer.open_dmer(tmp_path, ratings=made, progress=False)
    assert contract.modalities(dataset) == ["eeg", "ppg"]
    assert "P07: no gsr was recorded: a missing modality" in dataset.attrs["notes"]


def test_what_is_in_a_folder(made, tmp_path):
    words = dmer.check_root(made)
    assert (
        "features (Features): 2 of 73 participants" in words
        and "ratings (Panas.csv): 2 participants" in words
    )
    assert "raw: 71 of 73 participants are not in this folder" in words
    write_features(tmp_path, 3)
    words = dmer.check_root(tmp_path)
    assert "features: not among the released participants: 3" in words
    assert "without them there are no labels" in words[-1]


# --- ratings
# -------------------------------------------------------------------------------------


def other_ways(raw):
    return {
        "crlf": raw.replace("\n", "\r\n"),
        "bom": "\ufeff" + raw,
        "no last line end": raw.rstrip("\n"),
        "blank lines": raw.replace("\n", "\n\n"),
        "quoted": raw.replace(",", '","').replace("\n", '"\n"')[:-1].join(['"', ""]),
        "decimals": raw.replace("\n", ".0\n"),
    }


@pytest.mark.parametrize("way", list(other_ways("")))
def test_other_ways_to_write_the_same_answers(folder, way):
    before, path = dmer.open_dmer(folder, progress=False), folder / PANAS
    put(path, other_ways(path.read_text())[way])
    assert dmer.open_dmer(folder, progress=False).identical(before)


def test_shuffled_lines_change_no_label(folder):
    before, path = dmer.open_dmer(folder, progress=False), folder / PANAS
    lines = path.read_text().splitlines()
    put(path, "\n".join(reversed(lines)))
    assert dmer.open_dmer(folder, progress=False).identical(before)


def answers(text, clip, change):
    """The text with the line of a clip changed."""
    return "\n".join(
        change(line) if line.split(",")[0] == str(clip) else line
        for line in text.splitlines()
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda text: answers(text, 5, lambda line: line + ",3"),
            ["line", "12 fields, 11 expected"],
        ),
        (
            lambda text: "\n".join(
                line.rpartition(",")[0] for line in text.splitlines()
            ),
            ["line 1", "10 fields"],
        ),
        (lambda text: text.replace(",", ";"), ["line 1", "1 fields"]),
        (
            lambda text: answers(text, 5, lambda line: "6" + line[1:]),
            ["line", "clip 6 was answered before"],
        ),
        (
            lambda text: answers(text, 5, lambda line: "32" + line[1:]),
            ["'32' is no video id from 0 to 31"],
        ),
        (
            lambda text: answers(text, 5, lambda line: line[:2] + "0" + line[3:]),
            ["clip 5, Inspired: 0 is no answer"],
        ),
        (
            lambda text: answers(text, 5, lambda line: line[:2] + "55" + line[3:]),
            ["clip 5, Inspired: 55"],
        ),
        (
            lambda text: answers(text, 5, lambda line: line[:2] + "-3" + line[3:]),
            ["line", "'-3' is no answer"],
        ),
        (
            lambda text: answers(text, 5, lambda line: line[:2] + "2.5" + line[3:]),
            ["line", "'2.5'"],
        ),
        (
            lambda text: answers(text, 5, lambda line: line[:2] + line[3:]),
            ["clip 5", "missing='drop'"],
        ),
        (lambda text: text[: len(text) // 2], ["Panas.csv"]),
        (
            lambda text: "vid," + ",".join(WORDS) + "\n" + text,
            ["line 1: 'vid' is no answer"],
        ),
        (lambda text: "", ["no complete answers on clip 0, 1"]),
    ],
)
def test_wrong_answers_end_in_a_sentence_that_says_where(folder, change, words):
    put(folder / PANAS, change((folder / PANAS).read_text()))
    with pytest.raises(DatasetError) as error:
        dmer.open_dmer(folder, progress=False)
    assert all(part in sentence(error) for part in [str(PANAS), *words]), sentence(
        error
    )


@FUZZ
@given(st.data())
def test_any_change_of_a_line_of_answers_is_found_or_harmless(folder, data):
    path = folder / PANAS
    raw = "\n".join(",".join(map(str, [clip, *rating(7, clip)])) for clip in range(32))
    put(path, raw)
    before = dmer_questionnaires.questionnaires(folder, [7])
    lines = [line.split(",") for line in raw.splitlines()]
    row, column = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 10))
    lines[row][column] = data.draw(
        st.text(st.characters(codec="utf-8", exclude_characters=","), max_size=4)
    )
    put(path, "\n".join(map(",".join, lines)))
    try:
        after = dmer_questionnaires.questionnaires(folder, [7])
    except DatasetError as error:
        assert "Panas.csv" in str(error)
    else:
        assert int((after != before).sum()) <= 1
        assert ((after >= 1) & (after <= 9)).all()


def test_unanswered_clips_are_left_out_where_asked_for(folder):
    put(
        folder / PANAS,
        answers((folder / PANAS).read_text(), 5, lambda line: line[:2] + line[3:]),
    )
    dataset = dmer.open_dmer(folder, missing="drop", progress=False)
    assert (
        "P07-c05" not in dataset.trial.values and len(set(dataset.trial.values)) == 31
    )
    assert "P07: clip 5 left out, not answered" in dataset.attrs["notes"]


@pytest.mark.parametrize(
    ("high", "scale", "result"),
    [
        ([], None, "1-5"),
        ([], "1-9", "1-9"),
        ([1, 2, 5], None, "1-9"),
        ([1], None, "scale is 1-9; look"),
        ([1], "1-9", "1-9"),
        ([1], "1-5", "scale= is"),
    ],
)
def test_the_scale_is_told_from_the_answers_or_asked_for(tmp_path, high, scale, result):
    for who in (1, 2, 5):
        write_features(tmp_path, who, {0: 9})
        write_ratings(tmp_path, who, shift=4 if who in high else 0)
    if result[0] == "1":
        assert (
            dmer.open_dmer(tmp_path, scale=scale, progress=False).attrs["rating_scale"]
            == result
        )
    else:
        with pytest.raises(DatasetError, match=re.escape(result)):
            dmer.open_dmer(tmp_path, scale=scale, progress=False)


def test_a_slip_of_one_person_does_not_make_the_scale(folder):
    text = (folder / PANAS).read_text()
    put(folder / PANAS, answers(text, 5, lambda line: line[:2] + "7" + line[3:]))
    with pytest.raises(DatasetError, match=r"answer above 5 \(P07\), 1 times"):
        dmer.open_dmer(folder, progress=False)


def test_participant_26_is_shifted_back_only_if_all_answers_lie_above_ten(tmp_path):
    write_features(tmp_path, 26, {0: 9})
    write_ratings(tmp_path, 26, shift=10)
    dataset = dmer.open_dmer(tmp_path, progress=False)
    assert (
        dataset.rating.values[0].tolist() == rating(26, 0)
        and "10 was subtracted" in dataset.attrs["notes"]
    )
    path = tmp_path / "26" / "26" / "Panas.csv"
    put(path, answers(path.read_text(), 5, lambda line: "5" + ",3" * 10))
    with pytest.raises(DatasetError, match="26/Panas.csv: clip 0, Inspired"):
        dmer.open_dmer(tmp_path, progress=False)
    path.write_text("".join(f"{10 + clip}" + ",3" * 10 + "\n" for clip in range(32)))
    with pytest.raises(DatasetError, match="'32' is no video id from 0 to 31"):
        dmer.open_dmer(tmp_path, progress=False)
    write_features(tmp_path, 7, {0: 9})
    write_ratings(tmp_path, 7, shift=10)  # of nobody else
    write_ratings(tmp_path, 26)
    with pytest.raises(DatasetError, match="7/7/Panas.csv: clip 0, Inspired: 1"):
        dmer.open_dmer(tmp_path, progress=False)


def test_ratings_that_are_not_there(tmp_path, made):
    write_features(tmp_path, 7)
    write_features(tmp_path, 8)
    with pytest.raises(
        DatasetError,
        match="no Panas.csv of participant 7, 8; .* give its folder as ratings=",
    ):
        dmer.open_dmer(tmp_path)
    with pytest.raises(DatasetError, match="no Panas.csv of participant 8;"):
        dmer.open_dmer(tmp_path, ratings=made / "Raw_data")
    with pytest.raises(DatasetError, match="no/such: there is no such folder"):
        dmer.open_dmer(tmp_path, ratings="no/such")


# --- matrices
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
def test_matrices_are_read_as_scipy_reads_them(tmp_path, order, compressed):
    values = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.array([[7]], "u1"),
        "c": np.ones((2, 3, 4), "f4"),
        "d": np.array([[1, 2, 3]], "i8"),
    }
    path = put(tmp_path / "a.mat", mat(order, compressed, **values))
    theirs, ours = scipy.io.loadmat(path), reader.read(path, "abc")
    assert list(ours) == list("abc")
    for name in "abc":
        np.testing.assert_array_equal(ours[name], values[name])
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_matrices_that_scipy_wrote_and_hdf5(tmp_path):
    values = {
        "feas": np.random.default_rng(0).normal(size=(3, 4)),
        "vids": np.arange(3),
        "few": np.arange(2.0, 5),
    }
    mixed = {"s": {"q": 1}, "t": np.array(["text"], object), **values, "word": "feas"}
    for compressed in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", mixed, do_compression=compressed)
        for name, arrays in reader.read(tmp_path / "a.mat", list(values)).items():
            np.testing.assert_array_equal(arrays, np.atleast_2d(values[name]))
        for name in "st":
            with pytest.raises(DatasetError, match="no array of real numbers"):
                reader.read(tmp_path / "a.mat", [name])
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file["feas"] = values["feas"].T
        file.create_group("group")
    np.testing.assert_array_equal(
        reader.read(tmp_path / "b.mat", ["feas"])["feas"], values["feas"]
    )
    with pytest.raises(DatasetError, match="b.mat: .*the variable vids is missing"):
        reader.read(tmp_path / "b.mat", ["feas", "vids"])
    with pytest.raises(DatasetError, match="b.mat"):
        reader.read(tmp_path / "b.mat", ["group"])


@FUZZ
@given(st.data())
@example(None)
def test_no_damage_of_a_matrix_ends_in_anything_but_a_sentence(tmp_path, data):
    """SciPy's loadmat ends its process, the reader's child, on some of these."""
    values = np.random.default_rng(0).normal(size=(5, 4))
    for compressed in (False, True):
        raw = bytearray(mat(compressed=compressed, feas=values, vids=np.arange(5.0)))
        places = (
            range(128, len(raw), 3)
            if data is None
            else [data.draw(st.integers(0, len(raw) - 1))]
        )
        for place in places:
            bit = place % 8 if data is None else data.draw(st.integers(0, 7))
            damaged = raw.copy()
            damaged[place] ^= 1 << bit
            cut = raw[:place] + (
                data.draw(st.binary(max_size=3)) if data is not None else b""
            )
            for spoiled in (damaged, cut):
                path = put(tmp_path / "7.mat", bytes(spoiled))
                try:
                    arrays = reader.read(path, ["feas", "vids"])
                except DatasetError as error:
                    assert "7.mat" in str(error) and "\n" not in str(error)
                    continue
                if (
                    compressed and "feas" in arrays and place >= 128
                ):  # checksums leave nothing undetected
                    np.testing.assert_array_equal(arrays["feas"], values)


def test_a_child_that_ends_or_hangs_costs_one_file_and_not_the_next(
    tmp_path, monkeypatch
):
    path = put(tmp_path / "7.mat", mat(vids=np.arange(5.0)))
    for spoil in (lambda *_: os._exit(3), lambda *_: time.sleep(60)):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "unguarded", spoil)
            with pytest.raises(DatasetError, match="7.mat.*breaks off"):
                reader.read(path, ["vids"], timeout=5)
        assert reader.read(path, ["vids"])["vids"].tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda feas, vids: {"feas": feas[:, :912], "vids": vids},
            "feas has the shape (160, 912)",
        ),
        (
            lambda feas, vids: {"feas": feas, "vids": vids[:-1]},
            "feas has 160 rows, vids 159",
        ),
        (lambda feas, vids: {"feas": feas}, "vids is missing"),
        (lambda feas, vids: {"Feas": feas, "vids": vids}, "feas is missing"),
        (
            lambda feas, vids: {"feas": feas[:0], "vids": vids[:0]},
            "feas has the shape (0, 913)",
        ),
        (
            lambda feas, vids: {"feas": feas, "vids": vids + 1},
            "vids, row 155: the video id is 32",
        ),
        (lambda feas, vids: {"feas": feas, "vids": vids + 0.5}, "the video id is 0.5"),
        (
            lambda feas, vids: {"feas": feas, "vids": vids * np.nan},
            "the video id is nan",
        ),
        (
            lambda feas, vids: {"feas": feas, "vids": np.roll(vids, 2)},
            "the rows of clip 31 lie in 2 places",
        ),
        (
            lambda feas, vids: {"feas": feas / (np.arange(913) != 5), "vids": vids},
            "infinite in row 0, column 5",
        ),
    ],
)
def test_wrong_features_end_in_a_sentence_that_says_where(folder, change, words):
    feas, vids = released(7, {clip: 9 for clip in range(32)})
    with np.errstate(divide="ignore"):
        path = put(folder / "Features" / "7.mat", mat(**change(feas, vids)))
    with pytest.raises(DatasetError) as error:
        dmer.open_dmer(folder, progress=False)
    assert str(path) in sentence(error) and words in sentence(error), sentence(error)


def test_missing_trials_and_short_trials_are_told(folder):
    feas, vids = released(7, {0: 9, 2: 8, 3: 12})
    feas[:, 200] = np.nan
    put(folder / "Features" / "7.mat", mat(feas=feas, vids=vids[:, None]))
    dataset = dmer.open_dmer(folder, progress=False)
    assert dataset.trial.values.tolist() == ["P07-c00", "P07-c03"]
    notes = dataset.attrs["notes"].splitlines()
    missing = ", ".join(str(clip) for clip in range(32) if clip not in (0, 2, 3))
    assert (
        f"P07: missing: clip {missing}" in notes
        and "P07: shorter than a window: clip 2" in notes
    )
    assert dataset.video.isnull().any() and not dataset.video.isnull().all()
    with pytest.raises(DatasetError, match="no trial is as long as a window of 60 s"):
        dmer.open_dmer(folder, pool=60, progress=False)


def test_rows_that_repeat_and_numbers_that_are_missing_are_told(folder):
    feas, vids = released(7, {0: 9, 3: 12})
    feas[2], feas[:, 200] = feas[1], np.nan
    put(folder / "Features" / "7.mat", mat(feas=np.nan_to_num(feas), vids=vids))
    assert "P07: clip 0: 1 rows repeat" in notes_of(folder)
    feas[:, :90] = np.nan
    put(folder / "Features" / "7.mat", mat(feas=feas, vids=vids))
    assert "P07: 100 % of eeg is missing" in notes_of(folder)
    assert "P07: 0.13 % of video is missing" in notes_of(folder)


def notes_of(root):
    return dmer.open_dmer(root, progress=False).attrs["notes"]


def test_a_stray_file_hides_no_folder_and_nobody_is_left_out_silently(folder):
    write_features(folder / "elsewhere", 8)
    (folder / "elsewhere/Features/8.mat").rename(folder / "8.mat")
    write_ratings(folder / "Raw_data", 9)
    dataset = dmer.open_dmer(folder, progress=False)
    assert set(dataset.participant.values) == {"P07"}
    told = dataset.attrs["notes"].splitlines()
    assert "answers without a recording: participant 9" in told


def test_answers_of_one_person_under_two_numbers_are_refused(folder):
    write_features(folder, 8)
    put(folder / "Raw_data/8/8/Panas.csv", (folder / PANAS).read_bytes())
    with pytest.raises(DatasetError, match="8/Panas.csv: .* participant 7 once more"):
        dmer.open_dmer(folder, progress=False)


# --- signals
# -------------------------------------------------------------------------------------


def spoiled(name, change):
    return lambda variables: variables | {name: change(variables[name].copy())}


def renumber(values, row, old, new):
    values[row, values[row] == old] = new
    return values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoiled("eeg_datas", lambda rows: rows[1:]), "eeg_datas has the shape (19,"),
        (spoiled("eeg_datas", lambda rows: rows.T), "eeg_datas has the shape"),
        (
            spoiled("gsr_datas", lambda rows: renumber(rows, 1, 9, 33)),
            "gsr_datas, row 104: the video id is 33",
        ),
        (
            spoiled("gsr_datas", lambda rows: np.roll(rows, 3, 1)),
            "the rows of clip 17 lie in 2 places",
        ),
        (spoiled("gsr_datas", lambda rows: rows[[0, 2, 1]]), "the video id is -1"),
        (
            spoiled("ppg_datas", lambda rows: rows[:, ::2]),
            "ppg_datas, clip 0: 21 seconds are marked in 1050 samples",
        ),
        (
            spoiled("ppg_datas", lambda rows: renumber(rows, 2, 3, 8)),
            "ppg_datas, clip 0",
        ),
        (spoiled("fs_ppg", lambda rate: rate * 0 + 64), "fs_ppg is [64], 100 expected"),
        (
            spoiled("fs_eeg", lambda rate: np.zeros((0, 0))),
            "fs_eeg is [], 300 expected",
        ),
        (
            lambda variables: {
                name: variables[name] for name in variables if "eeg" not in name
            },
            "eeg_datas is missing",
        ),
    ],
)
def test_wrong_signals_end_in_a_sentence_that_says_where(
    made, datas, tmp_path, change, words
):
    path = put(tmp_path / "Aligned_data" / "7" / "datas.mat", mat(**change(datas)))
    with pytest.raises(DatasetError) as error:
        dmer.open_dmer(tmp_path, ratings=made, progress=False)
    assert str(path) in sentence(error) and words in sentence(error), sentence(error)


def test_what_was_not_to_be_believed_of_a_signal_is_told(made, datas, tmp_path):
    rows = datas["gsr_datas"] * [[1000], [1], [1]]  # in nS
    variables = datas | {"gsr_datas": rows}
    put(tmp_path / "Aligned_data" / "7" / "datas.mat", mat(**variables))
    dataset = dmer.open_dmer(tmp_path, ratings=made, progress=False)
    assert contract.missing(dataset).sel(modality="gsr").all()
    told = "P07: gsr, clip 9: 100% of the samples lie outside of -0.05 to 100 µS"
    assert told in dataset.attrs["notes"]
    assert "gsr, " not in dmer.open_dmer(made, "aligned", progress=False).attrs["notes"]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The raw recording of one clip of 12 s."""
    root = tmp_path_factory.mktemp("raw")
    write_raw(root, 7, {9: 12})
    return root / "Raw_data"


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("7/raw_gsr.csv", lambda text: text.replace(",109\n", "\n"), None),
        (
            "7/raw_gsr.csv",
            lambda text: text.replace(",109\n", ",109,5\n"),
            "not a table of numbers",
        ),
        (
            "7/raw_gsr.csv",
            lambda text: text.replace(",19\n", ",x19\n"),
            "not a table of numbers",
        ),
        (
            "7/raw_gsr.csv",
            lambda text: text.replace("\n", ",\n", 3).replace(",5.0", ",,5.0", 1),
            "no value",
        ),
        (
            "7/raw_ppg.csv",
            lambda text: "".join(text.splitlines(True)[::2]),
            "the rates or the files are wrong",
        ),
        (
            "7/raw_ppg.csv",
            lambda text: text.replace(",150\n", ",19\n", 1).replace(
                ",50\n", ",109\n", 1
            ),
            "twice",
        ),
        ("7/raw_gsr.csv", lambda text: "", "line 1 has no value"),
        (
            "7/raw_ppg.csv",
            lambda text: "time,ppg,trigger\n" + text,
            "not a table of numbers",
        ),
        (
            "sub7/1_raw.csv",
            lambda text: text.replace("Time,", "Clock,"),
            "no line begins with Time",
        ),
        (
            "sub7/1_raw.csv",
            lambda text: text.replace(",Trigger", ",Mark"),
            "line 3: no column Trigger",
        ),
        (
            "sub7/1_raw.csv",
            lambda text: text.replace(",Fz,", ",EEG,"),
            "line 3: no column Fz",
        ),
        ("sub7/1_raw.csv", lambda text: text[: len(text) - 60], "lacks values"),
        (
            "sub7/1_raw.csv",
            lambda text: text.replace("1.0000,", "1.0000,x", 1),
            "not a table of numbers",
        ),
        ("sub7/1_raw.csv", lambda text: "\ufeff" + text.replace("\n", "\r\n"), None),
    ],
)
def test_wrong_recordings_end_in_a_sentence_or_a_note(
    short, tmp_path, file, change, words
):
    for path in short.rglob("*.csv"):
        put(tmp_path / path.relative_to(short), path.read_bytes())
    path = tmp_path / "7" / file
    path.write_bytes(change(path.read_text()).encode())
    if words is None:
        dataset = dmer.open_dmer(tmp_path, "raw", progress=False)
        lost = "gsr" in file
        assert contract.missing(dataset).sel(modality="gsr").all() == lost
        assert ("P07: no gsr: clip 9" in dataset.attrs["notes"]) == lost
    else:
        with pytest.raises(DatasetError) as error:
            dmer.open_dmer(tmp_path, "raw", progress=False)
        assert words in sentence(error) and str(tmp_path / "7") in sentence(error), (
            sentence(error)
        )


def test_devices_that_saw_the_clips_in_two_orders_are_refused():
    spans = {4: (0, 9), 8: (10, 19), 6: (20, 29)}
    other = {8: (0, 9), 4: (10, 19)}
    recordings = {
        "eeg": signals.Recording(np.zeros((30, 18)), spans),
        "gsr": signals.Recording(np.zeros((30, 1)), spans | {2: (30, 39)}),
    }
    signals._check_order(recordings, Path("1"))
    recordings["ppg"] = signals.Recording(np.zeros((30, 1)), other)
    with pytest.raises(DatasetError, match="1: .* eeg and ppg show the clips in two"):
        signals._check_order(recordings, Path("1"))


def test_a_start_counts_only_if_its_own_stop_comes_next():
    code = {1: 19, 2: 109, 5: 60, 6: 150, 10: 19, 14: 20, 20: 110, 25: 11, 26: 12}
    trigger = np.zeros(40)
    trigger[list(code)] = list(code.values())
    assert signals.shown(trigger, "here", "eeg") == {10: (14, 20)}


def test_choices_and_folders_that_do_not_exist(made, tmp_path):
    for options in (
        {"form": "tables"},
        {"scale": "1-7"},
        {"missing": "guess"},
        {"pool": 0},
        {"pool": float("nan")},
    ):
        with pytest.raises(ParameterError) as error:
            dmer.open_dmer(made, **options)
        assert "dmer" in sentence(error)
    with pytest.raises(
        DatasetError, match="any released form of DMER is not in here; ask for the data"
    ):
        dmer.open_dmer(tmp_path)
    with pytest.raises(DatasetError, match="the raw form of DMER is not in here"):
        dmer.open_dmer(made / "Features", "raw")


@pytest.mark.slow
def test_all_forms_of_a_twin_give_the_same_labels(tmp_path):
    dmer_twin = pytest.importorskip("mpcl.simulation.dmer_twin")
    dmer_twin.write_twin(tmp_path, [5], 1, seconds=(6, 6))
    opened = [
        dmer.open_dmer(
            tmp_path, form, pool=2 if form == "features" else 6, progress=False
        )
        for form in ("features", "aligned", "raw")
    ]
    assert not any(
        contract.missing(dataset).sel(modality=["eeg", "video"]).any()
        for dataset in opened
    )
    features, aligned, raw = map(labels_of, opened)
    assert features == aligned == raw and len(features) == 32
