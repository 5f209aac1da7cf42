"""Tables: true to the scores, never without floors, differences paired and a family."""

import json

import numpy as np
import pytest
import xarray as xr

from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation import predictors, results, tables
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.results import evaluate
from mpcl.training.settings import Settings

QUICK = Settings(epochs=1, batch=32)
ALWAYS = [*FLOORS, *CONDITIONAL]


@pytest.fixture(scope="module")
def scored(cohort):
    split = "leave-one-participant-out"
    return evaluate(cohort, ["mpcl"], split, [0, 1], QUICK, "cpu")


def test_tables_hold_the_scores_and_never_lack_floors(scored):
    bounds = tables.intervals(scored)
    place = {"level": "window", "predictor": "mpcl", "reads": "trials"}
    scores = scored.score.sel(place).squeeze()
    mean = scores.mean("seed").mean("participant")
    np.testing.assert_allclose(bounds.sel(predictor="mpcl", bound="mean"), mean)
    is_scored = bounds.sel(bound="mean").notnull()
    assert is_scored.sel(metric="kl").all()
    middle = bounds.sel(bound="mean")  # five people: no interval
    assert bounds.sel(bound=["lower", "upper"]).isnull().all()
    frame = tables.table(scored)
    assert frame.index.tolist() == [*ALWAYS, "mpcl"]
    assert frame.columns[0] == "chebyshev ↓"
    assert frame.reads["mpcl"] == "trials" and frame.reads["uniform"] == "windows"
    best = middle.sel(predictor="mpcl", metric="chebyshev").item()
    assert frame.loc["mpcl"].iloc[0].startswith(f"{best:.4f} "[1:])
    assert (frame.loc["participant_mean"] == "not applicable").all()
    assert "out not applicable: the participant is new" in tables.describe(scored)
    for lost in (ALWAYS, ["elapsed_time_only"]):
        with pytest.raises(DatasetError, match="no table without floors"):
            tables.table(scored.drop_sel(predictor=lost))


def test_differences_are_paired_and_one_family(scored):
    compared = tables.differences(scored)
    people = tables.by_participant(scored)
    of_floor, of_network = (
        people.sel(predictor=name).squeeze() for name in ("mean_label", "mpcl")
    )
    paired = of_floor - of_network
    difference = compared.sel(predictor="mean_label", metric="kl")
    kl = paired.sel(metric="kl").values
    assert difference.sel(bound="mean").item() == pytest.approx(kl.mean())
    assert difference.improvement.item() == (kl > 0).mean()
    assert 0 < difference.p.item() <= 1
    cosine = compared.sel(predictor="mean_label", metric="cosine")
    expected = (paired.sel(metric="cosine").values < 0).mean()
    assert cosine.improvement.item() == expected
    assert "mpcl" not in compared.predictor.values
    assert compared.bound.values.tolist() == ["mean", "lower", "upper"]
    frame = tables.difference_table(scored, "mpcl", metrics=["kl"])
    assert frame.columns.tolist() == ["kl", "p", "reads"]
    assert frame.index.tolist() == compared.predictor.values.tolist()
    with pytest.raises(DatasetError, match="forest: no complete set"):
        tables.differences(scored, "forest")


def test_a_star_stands_where_a_difference_is_beyond_chance(scored):
    sure = scored.copy(deep=True)
    sure.score.loc[{"predictor": "uniform", "metric": "kl"}] += 1
    cells = tables.difference_table(sure, "mpcl", metrics=["kl"])["kl"]
    bounds = tables.differences(sure, metrics=["kl"]).sel(metric="kl")
    assert cells.str.endswith("*").tolist() == (bounds.p <= 0.05).values.tolist()
    assert not cells.str.contains(r"-\.0000").any()


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda file: tables.table(file, metrics=["mse"]), "unknown metric 'mse'"),
        (lambda file: tables.participant_table(file, "mse"), "unknown metric 'mse'"),
        (lambda file: tables.table(file, "clips"), "unknown protocol 'clips'"),
        (lambda file: tables.table(file, level="clip"), "unknown level 'clip'"),
        (lambda file: tables.change(file, "mcpl"), "unknown predictor 'mcpl'"),
        (lambda file: tables.apart(file, file, metrics=["mse"]), "unknown metric"),
    ],
)
def test_a_name_that_a_file_does_not_have_is_a_parameter_error(scored, read, sentence):
    with pytest.raises(ParameterError, match=sentence):
        read(scored)


def test_a_network_and_its_ablation_are_compared_on_the_seeds_that_both_have(cohort):
    """A seed that is luckier than others must not count for one side alone."""
    names, seeds = ["uniform", "ridge", "mpcl", "mpcl-no-memory"], [0, 1, 2]
    made = predictors.made(names, QUICK, "cpu")
    file = results.empty({0: cohort}, made, ["participants"], seeds, QUICK, "cpu")
    file = file.sel(predictor=names)
    lucky = xr.DataArray([0.0, 0.0, -9.0], {"seed": seeds}, "seed")
    for name, value in zip(names, (4.0, 3.0, 1.0, 2.0), strict=True):
        filled = (lucky + value).broadcast_like(file.score.sel(predictor=name))
        file.score.loc[{"predictor": name}] = filled
    file.score.loc[{"predictor": "mpcl-no-memory", "seed": 2}] = np.nan
    file.score.loc[{"predictor": "ridge", "seed": [1, 2]}] = np.nan
    assert (tables.change(file, "mpcl-no-memory") == 1).all()
    assert (tables.change(file, "ridge") == 3 - (1 + 1 - 8) / 3).all()
    bounds = tables.differences(file, others=["mpcl-no-memory"], metrics=["kl"])
    mean, lower, upper = bounds.squeeze().values  # all alike: no interval of width 0
    assert mean == 1 and np.isnan([lower, upper]).all()


def test_readers_of_trials_stand_beside_readers_of_trials(cohort):
    names = ["ridge", "mpcl"]
    file = evaluate(
        cohort, names, "participants", [0], QUICK, "cpu", reads=["trials", "windows"]
    )
    assert tables.both_readings(file)
    assert not tables.both_readings(file.drop_sel(predictor="ridge"))
    plain = tables.table(file, metrics=["kl"])
    assert plain.reads[["ridge", "mpcl", "uniform"]].tolist() == [
        "trials",
        "trials",
        "windows",
    ]
    windows = tables.table(file, metrics=["kl"], reads="windows")
    assert windows.reads["ridge"] == "windows" and "mpcl" not in windows.index
    assert windows.loc["ridge"].iloc[0] != plain.loc["ridge"].iloc[0]
    assert tables.complete(file, reads="windows")[-1] == "ridge"
    compared = tables.differences(file, "ridge", reads="windows")
    assert set(compared.reads.values) == {"windows"}
    with pytest.raises(ParameterError, match="unknown reads 'clips'"):
        tables.by_participant(file, reads="clips")


@pytest.fixture(scope="module")
def eight():
    from mpcl.simulation.cohort import cohort

    names = ["ridge", "mpcl", "mpcl-no-memory", "shuffled_labels"]
    eight = cohort(participants=8, clips=3, windows=2, seed=7)
    return evaluate(eight, names, "participants", [0], QUICK, "cpu")


def test_intervals_of_eight_people_hold_their_means(eight):
    bounds = tables.intervals(eight, metrics=["kl"]).sel(metric="kl")
    low, middle, high = (bounds.sel(bound=name) for name in ("lower", "mean", "upper"))
    assert ((low < middle) & (middle < high)).all()


def test_no_interval_goes_beyond_what_a_score_can_be(eight):
    all_but_one = 1 - 0.1 * (eight.participant == eight.participant[0])
    is_cosine = (eight.metric == "cosine") & eight.score.notnull()
    near = eight.assign(score=eight.score.where(~is_cosine, all_but_one))
    bounds = tables.intervals(near, metrics=["cosine"])
    assert bounds.sel(predictor="ridge", bound="upper").item() == 1.0


def test_a_star_is_the_test_s_and_the_interval_agrees(eight):
    sure = eight.copy(deep=True)
    sure.score.loc[{"predictor": "uniform", "metric": "kl"}] += 1
    bounds = tables.differences(sure, others=["uniform", "ridge"], metrics=["kl"])
    excludes = (bounds.sel(bound="lower") > 0) | (bounds.sel(bound="upper") < 0)
    assert excludes.values.tolist() == (bounds.p.values <= 0.05).tolist()
    assert excludes.sel(predictor="uniform").all()


def test_a_page_has_the_best_in_bold_and_no_oracle_is_the_best(eight):
    plain, shown = tables.table(eight), tables.shown(eight)
    assert shown.count("**") == 2 * 6 and shown.startswith(
        "| predictor | chebyshev ↓ |"
    )
    assert shown.count("\n") == len(plain) + 1
    told = eight.copy(deep=True)
    for name, value in (("condition_oracle", 0.0), ("mpcl", 0.001)):
        place = {"predictor": name, "metric": "kl"}
        told.score.loc[place] = told.score.loc[place] * 0 + value
    (line,) = [
        row for row in tables.shown(told, metrics=["kl"]).splitlines() if "**" in row
    ]
    assert line.startswith("| mpcl | **.0010")
    assert tables.shown(told)._repr_markdown_().startswith("| predictor")


def test_a_check_that_cannot_shuffle_is_not_applicable():
    """Everybody has one trial: there is nothing to deal."""
    from mpcl.simulation.cohort import cohort

    alone = cohort(participants=8, clips=1, windows=2, seed=7)
    file = evaluate(alone, ["shuffled_labels"], "participants", [0], QUICK, "cpu")
    frame = tables.table(file)
    assert (frame.loc["shuffled_labels"] == "not applicable").all()
    assert "shuffled_labels" not in tables.differences(file, "uniform").predictor


def test_a_file_of_an_earlier_network_says_so(eight):
    assert "network" not in tables.describe(eight)
    earlier = eight.assign_attrs(network="of before")
    assert "network of before" in tables.describe(earlier)


def test_each_part_is_judged_in_one_family_over_all_files(eight):
    """What was not run counts as asked; what is known by heart is a small effect."""
    made = eight.sel(predictor=[*FLOORS, *CONDITIONAL, "mpcl", "mpcl-no-memory"])
    random = np.random.default_rng(0)
    base = random.uniform(0.1, 0.2, made.sizes["participant"])
    costs = random.uniform(0.01, 0.02, len(base))
    place = {"metric": "kl", "level": "trial"}
    for name, values in (("mpcl", base), ("mpcl-no-memory", base + costs)):
        filled = xr.DataArray(values, dims="participant")
        here = {**place, "predictor": name}
        made.score.loc[here] = made.score.loc[here] * 0 + filled
    files = {"made": made, "not there": None}
    frame = tables.judged(files, ["memory", "banks"])
    assert frame.index.tolist() == [
        ("memory", "made"),
        ("memory", "not there"),
        ("banks", "made"),
        ("banks", "not there"),
    ]
    first = frame.loc["memory", "made"]
    assert first["mean"] == pytest.approx(costs.mean())
    assert first.lower < first["mean"] < first.upper
    assert first.p == 2 / 2**8 and first.holm == pytest.approx(4 * first.p)
    assert first.verdict == "helps"
    rest = frame.drop(("memory", "made"))
    assert (rest.verdict == "not run by this version").all() and (rest.holm == 1).all()
    made.score.loc[{**place, "predictor": "mpcl"}] += 0.03
    assert tables.judged(files, ["memory"]).verdict.iloc[0] == "hurts"


def test_a_run_in_another_precision_may_be_compared(eight):
    settings = json.loads(eight.settings)
    double = eight.assign_attrs(settings=json.dumps({**settings, "precision": "tf32"}))
    assert (tables.apart(eight, double)["kl at most"] == 0).all()
    longer = eight.assign_attrs(settings=json.dumps({**settings, "epochs": 99}))
    with pytest.raises(DatasetError, match="another settings"):
        tables.apart(eight, longer)
