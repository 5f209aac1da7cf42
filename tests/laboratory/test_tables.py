"""Tables of a study become a data set; what is wrong is named with its place."""

import builtins
import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcl.__main__ import main
from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError
from mpcl.laboratory import recordings, tables

PLAN = {
    "dataset": "films",
    "licence": "CC0-1.0",
    "citation": "nobody was measured",
    "windows": "windows.csv",
    "columns": {
        "participant": "person",
        "clip": "film",
        "condition": "kind",
        "start": "from",
        "stop": "to",
    },
    "time": "s",
    "modalities": {
        "heart": {
            "branch": "physiological",
            "source": "chest strap",
            "features": {"hr": ["rate", "1/min"], "rmssd": "ms"},
        },
        "face": {
            "branch": "behavioural",
            "source": "webcam",
            "motion": False,
            "features": {"smile": "1"},
        },
    },
    "answers": "answers.csv",
    "scale": [1, 5],
    "emotions": {"happy": 1, "bored": 0, "sad": -1},
}


def changed(**changes):
    """The plan with other keys; None takes one away."""
    plan = {key: value for key, value in (PLAN | changes).items() if value is not None}
    return {**plan, "columns": dict(plan["columns"])}


@pytest.fixture
def frames():
    """Three people, two films, two windows each."""
    random, windows, answers = np.random.default_rng(0), [], []
    for person in ("P1", "P2", "P3"):
        for order, film in enumerate(("comedy", "thriller")):
            answers.append([person, film, *random.integers(1, 6, 3)])
            for start in (100 * order, 100 * order + 30):
                values = random.normal([70, 40, 0.5], [5, 8, 0.2]).round(3)
                windows.append([person, film, "fun", start, start + 30, *values])
    names = ["person", "film", "kind", "from", "to", "hr", "rmssd", "smile"]
    return {
        "windows.csv": pd.DataFrame(windows, columns=names),
        "answers.csv": pd.DataFrame(
            answers, columns=["person", "film", "happy", "bored", "sad"]
        ),
    }


def refused(plan, frames):
    with pytest.raises(DatasetError) as error:
        tables.assemble(plan, frames)
    return str(error.value)


def test_a_plan_and_two_tables_make_a_data_set(frames):
    study = contract.check(tables.assemble(PLAN, frames))
    assert study.sizes["window"] == 12 and contract.modalities(study) == [
        "heart",
        "face",
    ]
    assert study.heart_unit.values.tolist() == ["1/min", "ms"]
    assert study.heart_feature.values.tolist() == ["rate", "rmssd"]
    assert study.face.attrs["motion"] == 0 and study.attrs["rating_scale"] == "1-5"
    window = study.isel(window=3)
    assert window.trial.item() == "P1-thriller" and window.start.item() == 130
    answer = frames["answers.csv"].loc[1, ["happy", "bored", "sad"]].to_numpy(float)
    assert np.allclose(window.distribution, answer / answer.sum())
    assert study.valence.values.tolist() == [1, 0, -1]


def test_answers_are_joined_by_name_in_whatever_order(frames):
    study = tables.assemble(PLAN, frames)
    other = frames | {"answers.csv": frames["answers.csv"][::-1]}
    assert tables.assemble(PLAN, other).equals(study)


# The five stumbles of a critical reader.


def test_one_ids_may_be_numbers(frames):
    numbers = {name: frame.copy() for name, frame in frames.items()}
    for frame in numbers.values():
        frame["person"] = frame.person.str[1:].astype(int)
    study = tables.assemble(PLAN, numbers)
    assert study.trial.values[0] == "1-comedy"
    numbers["windows.csv"]["person"] = numbers["windows.csv"].person.astype(float)
    assert tables.assemble(PLAN, numbers).equals(study)  # as pandas makes of a hole


def test_two_there_need_be_no_column_of_clips_nor_of_conditions(frames):
    plan = changed()
    del plan["columns"]["condition"]
    study = tables.assemble(plan, frames)
    assert set(study.condition.values) == {"not told"}
    plan["columns"]["trial"] = plan["columns"].pop("clip")
    study = tables.assemble(plan, frames)
    assert (study["clip"].values == study.trial.values).all()
    del plan["columns"]["trial"]
    assert "name that of the participant, and of clip or trial" in refused(plan, frames)


def test_three_the_scale_stands_in_one_place(frames):
    frames["answers.csv"].loc[2, "sad"] = 10
    frames["answers.csv"].loc[4, "happy"] = 0
    words = refused(PLAN, frames)
    assert "answers.csv, row 4, column sad: 10 is off the scale 1 to 5" in words
    assert "answers.csv, row 6, column happy: 0 is off the scale" in words
    assert words.count("\n  - ") == 2  # one an answer, not one a window
    study = tables.assemble(changed(scale=[0, 10]), frames)
    assert study.attrs["rating_scale"] == "0-10"
    frames["answers.csv"].loc[4, ["happy", "bored", "sad"]] = 0
    words = refused(changed(scale=[0, 10]), frames)
    assert "answers.csv, row 6, column happy: nothing was felt" in words
    sharp = tables.assemble(changed(scale=[0, 10], epsilon=0.5), frames)
    assert np.allclose(sharp.distribution[8], 1 / 3)


def test_four_milliseconds_are_said_or_doubted(frames):
    study = tables.assemble(PLAN, frames)
    frames["windows.csv"][["from", "to"]] *= 1000
    assert "a window of 30000 s; is the unit of time 's'?" in refused(PLAN, frames)
    assert np.allclose(tables.assemble(changed(time="ms"), frames).stop, study.stop)
    assert "the key 'time' is missing" in refused(changed(time=None), frames)


def test_five_there_is_a_command(frames, tmp_path, capsys):
    for name, frame in frames.items():
        frame.to_csv(tmp_path / name, index=False)
    (tmp_path / "study.yml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    command = ["prepare", "tables", str(tmp_path / "study.yml"), "--out"]
    assert main([*command, str(tmp_path / "study.nc")]) == 0
    assert "films: 3 participants, 6 trials, 12 windows" in capsys.readouterr().out
    study = contract.read(tmp_path / "study.nc")
    assert study.equals(tables.assemble(PLAN, frames))
    assert main(["prepare", "tables", "--out", str(tmp_path / "b.nc")]) == 2
    assert "give the plan" in capsys.readouterr().err
    assert main([*command[:2], "nothing.yml", "--out", str(tmp_path / "b.nc")]) == 2
    assert "nothing.yml: this plan cannot be read" in capsys.readouterr().err
    frames["windows.csv"].assign(hr="fast").to_csv(tmp_path / "windows.csv")
    assert main([*command, str(tmp_path / "b.nc")]) == 2
    error = capsys.readouterr().err
    assert "windows.csv, row 2, column hr; windows.csv, row 3, column hr" in error
    assert "and 7 more: 'fast' is no number" in error and error.count("\n") == 1


# What else is wrong in tables.


def test_what_is_wrong_is_named_with_its_place(frames):
    windows = frames["windows.csv"].astype(object)
    windows.loc[0, "hr"], windows.loc[5, "from"] = "3,5", ""
    windows.loc[7, "person"] = ""
    words = refused(PLAN, frames | {"windows.csv": windows})
    for sentence in (
        "windows.csv, row 2, column hr: '3,5' is no number (decimals have '.')",
        "windows.csv, row 7, column from; windows.csv, row 9, column person: this is",
    ):
        assert sentence in words
    words = refused(PLAN, frames | {"windows.csv": windows.drop(columns="smile")})
    assert "windows.csv, column smile: there is no such column" in words


def test_empty_cells_are_what_was_not_measured(frames):
    windows = frames["windows.csv"].astype(object)
    windows.loc[0, ["hr", "rmssd"]] = "", "NA"
    study = tables.assemble(PLAN, frames | {"windows.csv": windows})
    assert contract.missing(study).sel(modality="heart").values.tolist()[:2] == [1, 0]


def test_answers_that_do_not_fit(frames):
    answers = frames["answers.csv"]
    twice = pd.concat([answers, answers[:1]])
    words = refused(PLAN, frames | {"answers.csv": twice})
    assert "answers.csv, row 8, column film: P1 comedy stands in row 2 already" in words
    words = refused(PLAN, frames | {"answers.csv": answers[1:]})
    assert "windows.csv, row 2, column film; windows.csv, row 3, column film" in words
    assert "P1 comedy has no answer in answers.csv" in words
    words = refused(PLAN, frames | {"answers.csv": answers.drop(columns="person")})
    assert "to join it, it needs the columns" in words


def test_holes_in_a_questionnaire(frames):
    answers = frames["answers.csv"].astype({"sad": float})
    answers.loc[1, "sad"] = np.nan
    holes = frames | {"answers.csv": answers}
    assert "answers.csv, row 3, column sad: not answered" in refused(PLAN, holes)
    study = tables.assemble(changed(unanswered="leave out"), holes)
    assert study.sizes["window"] == 10
    assert study.attrs["notes"].startswith("trial P1-thriller left out")
    left = tables.assemble(
        changed(unanswered="leave out"), frames | {"answers.csv": answers[2:]}
    )
    assert left.sizes["window"] == 8
    filled = tables.assemble(changed(unanswered="floor"), holes)
    assert filled.rating.values[2, 2] == 1 and filled.sizes["window"] == 12


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"licence": None}, "the key 'licence' is missing"),
        ({"modalites": {}}, "unknown key 'modalites'; choose from dataset"),
        ({"windows": None}, "give either 'windows'"),
        ({"time": "h"}, "time must be s or ms or min, not 'h'"),
        ({"scale": 5}, "the lowest and the highest answer"),
        ({"scale": None}, "the lowest and the highest answer"),
        ({"unanswered": "drop"}, "unanswered must be leave out or floor"),
        (
            {"modalities": {"face": {"branch": "behavioural"}}},
            "face lacks source, feat",
        ),
    ],
)
def test_a_plan_that_is_wrong(changes, sentence, frames):
    assert sentence in refused(changed(**changes), frames)
    assert "the plan: it needs keys and values" in refused([], frames)
    words = refused({**PLAN, "modalities": ["heart"]}, frames)
    assert words == "the plan: modalities needs keys and values"


def test_labels_may_stand_in_the_table_of_windows(frames):
    both = frames["windows.csv"].merge(frames["answers.csv"], on=["person", "film"])
    study = tables.assemble(changed(answers=None), {"windows.csv": both})
    assert study.equals(tables.assemble(PLAN, frames))


def test_without_emotions_there_are_recordings_without_labels(frames, tmp_path, capsys):
    plan = changed(emotions=None, answers=None, scale=None)
    study = tables.assemble(plan, frames)
    assert "distribution" not in study
    for name, frame in frames.items():
        frame.to_csv(tmp_path / name, index=False)
    (tmp_path / "new.yml").write_text(yaml.safe_dump(plan))
    command = ["prepare", "tables", str(tmp_path / "new.yml"), "--out"]
    assert main([*command, str(tmp_path / "new.nc")]) == 0
    assert "12 windows, no labels" in capsys.readouterr().out
    assert recordings.read(tmp_path / "new.nc").equals(study)
    assert main([*command, str(tmp_path / "new.nc")]) == 2
    assert "this is there, and is no contract file; choose" in capsys.readouterr().err


def test_a_file_as_a_spreadsheet_of_another_country_writes_it(frames, tmp_path):
    study = tables.assemble(PLAN, frames)
    frames["windows.csv"].to_csv(
        tmp_path / "windows.csv",
        sep=";",
        decimal=",",
        index=False,
        encoding="utf-8-sig",
    )
    frames["answers.csv"].to_csv(tmp_path / "answers.csv", sep=";", index=False)
    plan = changed(separator=";", decimal=",")
    assert tables.assemble(plan, folder=tmp_path).equals(study)
    with pytest.raises(DatasetError, match="or 'separator' in the plan"):
        tables.assemble(PLAN, folder=tmp_path)
    text = (tmp_path / "windows.csv").read_text(encoding="utf-8-sig")
    (tmp_path / "windows.csv").write_text(text.replace(",", ""), encoding="utf-8")
    with pytest.raises(DatasetError, match="are person;film.*'separator' in the plan"):
        tables.assemble(PLAN, folder=tmp_path)
    (tmp_path / "windows.csv").write_bytes(text.replace("P1", "Zoé").encode("latin-1"))
    with pytest.raises(DatasetError, match="this is no UTF-8"):
        tables.assemble(plan, folder=tmp_path)


def test_numbers_of_another_country_are_not_read_as_others(frames):
    windows = frames["windows.csv"].astype(object)
    for cell, decimal in (("1.234", ","), ("1,234", "."), ("1_000", "."), ("1,", ".")):
        windows.loc[0, "hr"] = cell
        words = refused(changed(decimal=decimal), frames | {"windows.csv": windows})
        assert f"{cell!r} is no number (decimals have {decimal!r})" in words


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: f"{line},",
        lambda line: f"{line},8,9",
        lambda line: line.rpartition(",")[0],
    ],
    ids=["a separator at the end", "two more", "one less"],
)
def test_rows_that_are_longer_or_shorter_move_no_column(spoil, frames, tmp_path):
    head, *lines = frames["windows.csv"].to_csv(index=False).splitlines()
    frames["answers.csv"].to_csv(tmp_path / "answers.csv", index=False)
    (tmp_path / "windows.csv").write_text("\n".join([head, *map(spoil, lines)]))
    with pytest.raises(DatasetError, match="row 2 has .* cells, the header 8; what"):
        tables.assemble(PLAN, folder=tmp_path)


def test_two_columns_of_one_name_are_not_chosen_between(frames):
    windows = frames["windows.csv"].rename(columns={"rmssd": "hr "})
    words = refused(PLAN, frames | {"windows.csv": windows})
    assert words == "windows.csv, column hr: there are two columns of this name"


def test_a_name_in_two_spellings_is_told_and_leaves_nobody_out(frames):
    answers = frames["answers.csv"].replace({"P1": "P01"})
    both = frames | {"answers.csv": answers}
    for choices in ({}, {"unanswered": "leave out"}):
        words = refused(changed(**choices), both)
        assert "'P1' 'comedy' is spelt 'P01' 'comedy' in answers.csv" in words


def test_tables_without_a_row_are_a_sentence(frames):
    for name in ("windows.csv", "answers.csv"):
        spoilt = frames | {name: frames[name][:0]}
        words = refused(changed(unanswered="leave out"), spoilt)
        assert words == "answers.csv: not one trial is wholly answered"


def leaves(node, path=()):
    """The path of each value of a plan."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


ODD = [
    None,
    True,
    5,
    -1,
    0,
    1e-9,
    10**30,
    np.nan,
    np.inf,
    "",
    "x",
    "{0}",
    "{p.q}",
    b"x",
]
ODD += [[], ["x"], [5, 1], [[1]], {}, {"a": 1}, {"a": {"b": []}}]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_stands_in_a_plan_it_is_a_data_set_or_a_sentence(
    data, frames, signals
):
    plan = copy.deepcopy(data.draw(st.sampled_from([PLAN, RAW])))
    *path, last = data.draw(st.sampled_from([*leaves(plan)]))
    node = plan
    for key in path:
        node = node[key]
    node[last] = data.draw(st.sampled_from(ODD))
    try:
        contract.check(tables.assemble(plan, frames | signals, "no/such/folder"))
    except (DatasetError, ParameterError) as error:
        assert "\n" not in str(error) or len(error.violations) > 1


def test_parquet_where_pandas_finds_an_engine(frames, tmp_path, monkeypatch):
    plan = changed(windows="windows.parquet")
    (tmp_path / "windows.parquet").write_bytes(b"PAR1")
    real = builtins.__import__

    def without_engine(name, *rest):
        if name.split(".")[0] in ("pyarrow", "fastparquet"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_engine)
    with pytest.raises(DatasetError, match="'pip install pyarrow', or save the table"):
        tables.assemble(plan, {"answers.csv": frames["answers.csv"]}, tmp_path)
    monkeypatch.undo()

    def engine(path):
        return frames["windows.csv"]

    monkeypatch.setattr(pd, "read_parquet", engine)
    study = tables.assemble(plan, {"answers.csv": frames["answers.csv"]}, tmp_path)
    assert study.equals(tables.assemble(PLAN, frames))


def test_real_parquet_files_give_what_csv_gives(frames, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    windows, answers = frames["windows.csv"], frames["answers.csv"]
    windows.loc[3, "hr"] = np.nan
    windows["film"] = windows.film.astype("category")
    answers["happy"] = answers.happy.astype("Int64")
    for name, frame in frames.items():
        frame["person"] = frame.person.str[1:].astype(int)
        frame.to_csv(tmp_path / name, index=False)
        frame.to_parquet(tmp_path / name.replace("csv", "parquet"))
    plan = changed(windows="windows.parquet", answers="answers.parquet")
    study = tables.assemble(plan, folder=tmp_path)
    assert study.equals(tables.assemble(PLAN, folder=tmp_path))
    (tmp_path / "windows.parquet").write_bytes(b"PAR1, broken")
    with pytest.raises(DatasetError, match="windows.parquet: this table cannot be"):
        tables.assemble(plan, folder=tmp_path)


# Raw signals.

RAW = changed(
    windows=None,
    recordings="trials.csv",
    window=20,
    step=10,
    columns={"participant": "person", "clip": "film"},
    modalities={
        "skin": {
            "branch": "physiological",
            "source": "wrist",
            "kind": "eda",
            "files": "{person}_{film}_eda.csv",
            "rate": 4,
            "columns": ["eda"],
            "unit": "µS",
        },
        "motion": {
            "branch": "behavioural",
            "source": "wrist",
            "kind": "acceleration",
            "files": "{person}_{film}_acc.csv",
            "rate": 8,
            "columns": ["x", "y", "z"],
            "unit": "g",
        },
    },
)


@pytest.fixture
def signals(frames):
    """Forty seconds of skin and motion of each trial; one file is not there."""
    random, files = np.random.default_rng(0), {"answers.csv": frames["answers.csv"]}
    files["trials.csv"] = frames["answers.csv"][["person", "film"]]
    for person, film in files["trials.csv"].to_numpy():
        skin = 2 + np.sin(np.arange(160) / 9) + 0.01 * random.normal(size=160)
        files[f"{person}_{film}_eda.csv"] = pd.DataFrame({"eda": skin})
        axes = random.normal([0, 0, 1], 0.05, (320, 3))
        files[f"{person}_{film}_acc.csv"] = pd.DataFrame(axes, columns=list("xyz"))
    return files


def test_raw_signals_become_features_of_windows(signals):
    study = contract.check(tables.assemble(RAW, signals))
    assert study.sizes["window"] == 18  # three windows of each of six trials
    assert study.skin_feature.values[0] == "level"
    assert study.skin_unit.values[0] == "µS" and "motion_quality" in study
    assert np.isfinite(study.skin.sel(skin_feature="level")).all()
    assert study.start.values[:3].tolist() == [0, 10, 20]


def test_a_file_that_is_not_there_is_a_modality_that_is_missing(signals, tmp_path):
    lost = {k: v for k, v in signals.items() if k != "P2_thriller_eda.csv"}
    study = tables.assemble(RAW, lost, tmp_path)
    assert "skin is missing: there is no P2_thriller_eda.csv" in study.attrs["notes"]
    absent = contract.missing(study).sel(modality="skin").values
    assert absent.sum() == 3 and set(study.trial.values[absent]) == {"P2-thriller"}
    lost = {k: v for k, v in signals.items() if "eda" not in k}
    with pytest.raises(DatasetError, match="skin: not one file is there"):
        tables.assemble(RAW, lost, tmp_path)


def test_what_is_wrong_in_raw_signals(signals):
    def refusal(**changes):
        skin = {**RAW["modalities"]["skin"], **changes}
        plan = {**RAW, "modalities": {**RAW["modalities"], "skin": skin}}
        return refused(plan, signals)

    assert "skin must be in µS, not 'kΩ'" in refusal(unit="kΩ")
    assert "'{name}.csv', are named by columns of trials.csv: person, film" in refusal(
        files="{name}.csv"
    )
    assert "skin is no 'sweat'; choose from ppg, ecg" in refusal(kind="sweat")
    assert "P1_comedy_eda.csv, column gsr: there is no such" in refusal(columns=["gsr"])
    signals["P3_comedy_eda.csv"] = pd.DataFrame({"eda": ["2.0", "two"]})
    assert "P3_comedy_eda.csv, row 3, column eda: 'two' is no number" in refusal()


def test_modalities_of_one_trial_that_do_not_last_alike_are_noted(signals):
    skin = RAW["modalities"]["skin"] | {"rate": 40}
    plan = {**RAW, "modalities": {**RAW["modalities"], "skin": skin}}
    notes = tables.assemble(plan, signals).attrs["notes"].splitlines()
    assert (
        "of one trial, there are skin 4.0 s, motion 40.0 s: is a rate wrong?" in notes
    )
    assert "is a rate wrong" not in tables.assemble(RAW, signals).attrs["notes"]
