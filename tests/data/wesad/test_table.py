"""The third-party table: the real one against its known floors, one made by hand, and
tables that are wrong.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcl.data import contract
from mpcl.data.wesad import load as wesad
from mpcl.data.wesad import table as wesad_table
from mpcl.data.wesad.signals import CHANNELS
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation import floors

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
ORDER = ["baseline", "amusement", "stress"]


@pytest.fixture(scope="module")
def real():
    if not (SHARED / "wesad_features").is_dir():
        pytest.skip("the third-party table of ../shared is not here")
    return wesad.load(
        SHARED / "wesad",
        features="table159",
        table=SHARED / "wesad_features",
        cache=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def pooled(made):
    return wesad_table.read(made, "S3", ORDER)


def write(folder, name="S3", rows=(40, 30, 30), columns=159, **changed):
    """A table whose columns keep their own minimum below and maximum above, and whose
    rows overlap by half where there are 159 columns; X and y can be changed.
    """
    random = np.random.default_rng(0)
    low, level, high = np.sort(random.normal(size=(3, sum(rows), 14)), axis=0)
    if columns == 159:
        low[1:] = np.minimum(low[1:], low[:-1])
        high[1:] = np.maximum(high[1:], high[:-1])
    statistics = [
        level,
        np.ones_like(level),
        low,
        high,
        level,
        *random.normal(size=(6, sum(rows), 14)),
    ]
    values = np.concatenate([*statistics, 700 + random.normal(size=(sum(rows), 5))], 1)[
        :, :columns
    ]
    arrays = {"X": values.astype(np.float32), "y": np.repeat([1, 3, 2], rows)}
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"features_{name}.npz", **arrays | changed)
    (folder / "columns.txt").write_text("\n".join(wesad_table.WHOLE))
    return arrays["X"].astype(float), arrays["y"]


def test_the_real_table_gives_the_known_windows_and_floors(real):
    assert real.sizes["window"] == 1075 and real.sizes["emotion"] == 24
    counts = {
        name: int((real.condition == name).sum()) for name in wesad.CONDITIONS["three"]
    }
    assert counts == {"baseline": 578, "stress": 320, "amusement": 177}
    assert (
        contract.modalities(real) == list(CHANNELS)
        and sum(real[m].shape[1] for m in CHANNELS) == 159
    )
    assert contract.modalities(real, "behavioural") == [
        "wrist_acc",
        "chest_emg",
        "chest_acc",
    ]
    assert real.attrs["features"] == "table159" and real.attrs["conditions"] == "three"
    assert set(real.doubtful.values[real.participant == "S17"]) == {
        "chest temperature unreliable"
    }
    scores = {}
    for name, floor in floors.FLOORS.items():
        people = []
        for person in dict.fromkeys(real.participant.values):
            own = real.isel(window=np.flatnonzero(real.participant == person))
            rest = real.isel(window=np.flatnonzero(real.participant != person))
            distance = np.abs(own.distribution - floor(rest, own)).max("emotion")
            people.append(distance.groupby("trial").mean().mean())
        scores[name] = round(float(np.mean(people)), 4)
    assert scores == {
        "uniform": 0.0454,
        "mean_label": 0.0356,
        "condition_oracle": 0.0324,
    }


def test_the_real_table_has_plausible_units(real):
    heart = real.chest_ecg.sel(chest_ecg_feature="hrv_hr")
    assert (
        real.chest_ecg_unit.sel(chest_ecg_feature="hrv_hr") == "1/min"
        and 60 < heart.median() < 100
    )
    assert heart.isnull().values.tolist() == (real.participant == "S15").values.tolist()
    assert 30 < real.wrist_temp.sel(wrist_temp_feature="median").median() < 36
    gravity = np.sqrt(
        sum(
            real.chest_acc.sel(chest_acc_feature=f"{axis}_median") ** 2
            for axis in "xyz"
        )
    )
    assert abs(gravity.median() - 1) < 0.1
    order = wesad.questionnaires(SHARED / "wesad").position.sel(participant="S7")
    starts = (
        real.isel(window=np.flatnonzero(real.participant == "S7"))
        .start.groupby("condition")
        .min()
    )
    assert (starts.sel(condition="amusement") < starts.sel(condition="stress")) == bool(
        order.sel(condition="amusement") < order.sel(condition="stress")
    )


def test_pooling_is_what_is_said(tmp_path):
    values, code = write(tmp_path)
    part = wesad_table.read(tmp_path, "S3", ["meditation1", *ORDER])
    assert (
        part.condition.values.tolist()
        == ["baseline"] * 3 + ["amusement"] * 2 + ["stress"] * 2
    )
    rows = values[0:80:2][
        1:7
    ]  # of baseline's 20 rows that do not overlap, the second to the seventh
    assert (part.start[0], part.stop[0]) == (5, 35)
    names = ("mean", "std", "min", "max", "iqr")
    at = {
        name: rows[:, wesad_table.COLUMNS.index(f"wrist_ACCz_{name}")] for name in names
    }
    acc = part.wrist_acc[0]
    for name, expected in {
        "z_mean": at["mean"].mean(),
        "z_min": at["min"].min(),
        "z_max": at["max"].max(),
        "z_iqr": at["iqr"].mean(),
        "z_std": np.sqrt((at["std"] ** 2).mean() + at["mean"].var()),
    }.items():
        assert acc.sel(wrist_acc_feature=name).item() == pytest.approx(expected), name
    second = values[80 + 2 :: 2][1:7] if code[82] == 3 else values[40:70:2][1:7]
    assert part.chest_eda.sel(chest_eda_feature="mean")[3].item() == pytest.approx(
        second[:, 5].mean()
    )


def test_spread_within_and_between_is_that_of_all_samples():
    samples = np.random.default_rng(1).normal(size=(1, 6, 1000)) + np.arange(6)[:, None]
    rows = np.zeros((1, 6, 159))
    rows[:, :, 0], rows[:, :, 14] = samples.mean(2), samples.std(2)
    assert wesad_table._pool(rows)[0, 14] == pytest.approx(samples.std())


def respace(folder, rows, columns=159):
    """The table with other rows than all of its 100, each once."""
    values, code = write(folder)
    write(folder, X=values[list(rows), :columns], y=code[list(rows)])


def test_a_condition_without_a_window_is_told(tmp_path):
    write(tmp_path, rows=(40, 30, 7))
    part = wesad_table.read(tmp_path, "S3", ORDER)
    assert part.attrs["notes"] == "S3: stress is shorter than a window"


def test_a_table_without_variability_and_beats_that_were_not_found(tmp_path):
    write(tmp_path, "S15", (20, 15, 15), 154)
    part = wesad_table.read(tmp_path, "S15", ORDER)
    assert (
        part.condition.values.tolist()
        == ["baseline"] * 3 + ["amusement"] * 2 + ["stress"] * 2
    )
    assert (
        np.isnan(part.chest_ecg.sel(chest_ecg_feature="hrv_hr")).all()
        and "no heart rate" in part.attrs["notes"]
    )
    assert (
        part.chest_ecg.sel(chest_ecg_feature="mean").notnull().all()
        and part.start[0] == 5
    )
    values, code = write(tmp_path, "S3")
    values[2:26, 154:] = 0  # no beats in two windows' rows but one of the second
    values[2:, 157] = 0  # a share of 0 % in which beats were found is a value
    write(tmp_path, "S3", X=values)
    part = wesad_table.read(tmp_path, "S3", ORDER).chest_ecg
    lost = (
        part.isnull()
        .sum("window")
        .sel(chest_ecg_feature=["hrv_hr", "hrv_pnn50", "mean"])
    )
    assert lost.values.tolist() == [2, 2, 0]
    assert part.sel(chest_ecg_feature="hrv_pnn50")[2:].max() == 0


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda folder: (folder / "features_S3.npz").unlink(),
            "features_S3.npz: the table of S3 is missing",
        ),
        (
            lambda folder: (folder / "columns.txt").unlink(),
            "columns.txt: the names .* are missing",
        ),
        (lambda folder: write(folder, columns=158), r"features_S3.npz: X \(100, 158\)"),
        (
            lambda folder: write(folder, rows=(40, 0, 60)),
            r"y runs \[1, 2\], .* baseline, amusement, stress",
        ),
        (lambda folder: write(folder, rows=(0, 0, 0)), r"y runs \[\]"),
        (
            lambda folder: write(folder, y=np.repeat([1, 2, 3], (40, 30, 30))),
            r"y runs \[1, 2, 3\]",
        ),
        (lambda folder: write(folder, y=np.ones(99, int)), r"y \(99,\)"),
        (lambda folder: write(folder, y=np.ones(100)), "y runs"),
        (lambda folder: write(folder, X=np.full((100, 159), np.nan)), "row 0"),
        (
            lambda folder: write(folder, X=np.array([[{}] * 159] * 100)),
            "this is no whole table",
        ),
        (
            lambda folder: write(folder, X=np.roll(write(folder)[0], 14, 1)),
            "means between their extremes",
        ),
        (lambda folder: respace(folder, [*range(9), *range(8, 100)]), "row 9 is the"),
        (lambda folder: respace(folder, range(0, 100, 2)), "rows are missing"),
        (
            lambda folder: respace(folder, range(100), columns=154),
            "they overlap, 5 s apart",
        ),
        (
            lambda folder: (folder / "features_S3.npz").write_bytes(b"<html>"),
            "this is no whole table",
        ),
    ],
)
def test_wrong_tables_end_in_a_sentence_that_says_where(tmp_path, spoil, told):
    write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DatasetError, match=told) as error:
        wesad_table.check_columns(tmp_path)
        wesad_table.read(tmp_path, "S3", ORDER)
    assert "\n" not in str(error.value)


@given(st.data())
@settings(max_examples=40)
def test_renamed_and_moved_columns_are_found(made, data):
    names = list(wesad_table.WHOLE)
    place = data.draw(st.integers(0, 158))
    other = data.draw(st.integers(0, 158).filter(lambda other: other != place))
    changed = data.draw(st.sampled_from(["rename", "swap", "lose"]))
    if changed == "swap":
        names[place], names[other] = names[other], names[place]
    else:
        names[place : place + 1] = [names[place] + "x"] if changed == "rename" else []
    (made / "columns.txt").write_text("\n".join(names))
    with pytest.raises(DatasetError, match=r"columns.txt: column \d+ is '"):
        wesad_table.check_columns(made)
    (made / "columns.txt").write_text(
        "\ufeff" + "\r\n".join(wesad_table.WHOLE) + "\r\n", encoding="utf-8"
    )
    wesad_table.check_columns(made)


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_tables_are_found_or_harmless(made, pooled, tmp_path, data):
    raw = (made / "features_S3.npz").read_bytes()
    end = len(raw) - 1
    place = data.draw(
        st.one_of(st.integers(0, end), st.integers(0, 200), st.integers(end - 300, end))
    )
    flipped = (
        raw[:place]
        + bytes([raw[place] ^ 1 << data.draw(st.integers(0, 7))])
        + raw[place + 1 :]
    )
    (tmp_path / "features_S3.npz").write_bytes(
        data.draw(st.sampled_from([raw[:place], flipped]))
    )
    try:
        after = wesad_table.read(tmp_path, "S3", ORDER)
    except DatasetError as error:
        assert "features_S3.npz" in str(error) and "\n" not in str(error)
        return
    assert after.identical(pooled)


def test_choices_that_the_table_does_not_have(tmp_path):
    for options, told in (
        ({"conditions": "five"}, "no meditation"),
        ({"window": 60}, "windows of 30 s"),
    ):
        with pytest.raises(ParameterError, match=told):
            wesad.load(tmp_path, features="table159", **options)
    with pytest.raises(ParameterError, match="unknown choice 'table'"):
        wesad.load(tmp_path, features="table")
