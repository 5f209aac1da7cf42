"""Results: complete, resumable, never without floors, and true to what was computed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from mpcl import provenance
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation import predictors, results, tables
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.metrics import SIX
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.results import evaluate
from mpcl.files import write_netcdf
from mpcl.simulation.cohort import cohort as simulate
from mpcl.training import loop
from mpcl.training.settings import Settings

QUICK = Settings(epochs=1, batch=32)
ALWAYS = [*FLOORS, *CONDITIONAL]
SPLIT = "leave-one-participant-out"


@pytest.fixture(scope="module")
def scored(cohort):
    return evaluate(cohort, ["mpcl"], SPLIT, [0, 1], QUICK, "cpu")


@pytest.fixture
def scoring(monkeypatch):
    """The names of what is scored, in order."""
    calls, real = [], results.held_out

    def noted(dataset, predictor, *task, **more):
        calls.append(task[0])
        return real(dataset, predictor, *task, **more)

    monkeypatch.setattr(results, "held_out", noted)
    return calls


class Mine:
    """Whoever asks is told the mean of the training labels."""

    def __init__(self, share=0.5):
        self.share = share

    def fit(self, training):
        self.mean = training.distribution.mean("window").values

    def predict(self, test):
        even = np.full_like(self.mean, 1 / len(self.mean))
        mixed = self.share * self.mean + (1 - self.share) * even
        return np.tile(mixed, (test.sizes["window"], 1))


def test_every_participant_is_scored_by_every_predictor(scored, cohort):
    assert scored.score.dims == results.DIMENSIONS
    assert scored.predictor.values.tolist() == [*ALWAYS, "mpcl"]
    six = scored.score.sel(metric=list(SIX))
    assert six.sel(predictor="mpcl", reads="trials").notnull().all()
    assert six.sel(predictor="mpcl", reads="windows").isnull().all()
    assert six.sel(predictor="uniform", seed=0, reads="windows").notnull().all()
    assert six.sel(predictor="uniform", seed=1).isnull().all()
    assert set(scored.participant.values) == set(cohort.participant.values)


def test_scores_are_those_of_the_predictions(scored, cohort):
    guess = held_out(cohort, "mpcl", SPLIT, [0, 1], QUICK, "cpu")
    assert guess.predicted.dims == ("seed", "window", "emotion")
    assert guess.attrs == {"predictor": "mpcl", "protocol": SPLIT}
    assert guess.trial.equals(cohort.trial) and "valence" in guess.coords
    expected = results.participant_scores(cohort, guess.predicted.sel(seed=1).values)
    place = {"predictor": "mpcl", "reads": "trials", "seed": 1, "level": "window"}
    got = scored.score.sel(place).squeeze(drop=True)
    np.testing.assert_array_equal(got, expected)


def test_an_interrupted_evaluation_goes_on_and_ends_in_the_same_file(
    scored, cohort, tmp_path, monkeypatch, scoring
):
    out = tmp_path / "r.nc"
    task = cohort, ["knn", "mpcl"], SPLIT, [0, 1], QUICK, "cpu"
    with monkeypatch.context() as patch:
        real = results.write_netcdf

        def failing(dataset, path):
            if len(scoring) == 8:  # participant_mean among them, which does not apply
                raise KeyboardInterrupt
            return real(dataset, path)

        patch.setattr(results, "write_netcdf", failing)
        with pytest.raises(KeyboardInterrupt):
            evaluate(*task, out)
    half = results.read(out).score.sel(predictor="knn", metric="kl").notnull()
    is_scored = half.any(["reads", "level", "participant"]).squeeze()
    assert is_scored.values.tolist() == [True, False]
    steps = len(ALWAYS) + 2 + 1
    resumed = evaluate(*task, out)
    assert len(scoring) == steps + 1  # that whose file was not written twice
    whole = evaluate(*task)
    xr.testing.assert_identical(*(each.drop_attrs() for each in (resumed, whole)))
    kept = results.read(out).attrs
    for name in set(whole.attrs) - {"created", "commit"}:
        assert kept[name] == whole.attrs[name]
    np.testing.assert_array_equal(
        whole.score.sel(predictor="mpcl"), scored.score.sel(predictor="mpcl")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["r.nc"]


def test_a_killed_evaluation_leaves_a_whole_file(cohort, tmp_path):
    """Killed without warning while it writes: what stands is whole and goes on."""
    study, out = write_netcdf(cohort, tmp_path / "study.nc"), tmp_path / "r.nc"
    code = """
import os, sys
from mpcl.data import contract
from mpcl.evaluation import results
real, calls = os.replace, []
def replace(*files):
    calls.append(1)
    if len(calls) == 4:
        os._exit(9)
    real(*files)
os.replace = replace
study = contract.read(sys.argv[1])
results.evaluate(study, "floors", device="cpu", out=sys.argv[2])
"""
    killed = subprocess.run(
        [sys.executable, "-c", code, study, out],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert killed.returncode == 9
    scores = results.read(out).score.sel(level="window", metric="kl").notnull()
    is_scored = scores.any(["reads", "participant", "seed"]).squeeze()
    assert scores.predictor.values[is_scored.values].tolist() == [
        "uniform",
        "mean_label",
    ]
    done = evaluate(cohort, "floors", device="cpu", out=out)
    assert tables.complete(done) == [*FLOORS, "motion_only", "elapsed_time_only"]


@pytest.mark.parametrize("protocol", ["clips", "trials"])
def test_every_protocol_scores_everybody(protocol):
    small = simulate(participants=3, clips=3, windows=2, seed=3)
    scored = evaluate(small, ["nearest_neighbour", "mpcl"], protocol, [0], QUICK, "cpu")
    expected = {*ALWAYS, "nearest_neighbour", "mpcl"}
    if protocol == "clips":
        expected.remove("participant_mean")
    assert set(tables.complete(scored)) == expected
    is_excused = tables.table(scored).loc["participant_mean"] == "not applicable"
    assert is_excused.all() == (protocol == "clips")


def test_all_networks_of_a_step_are_trained_in_one_call(monkeypatch):
    calls, real = [], loop.fit

    def noted(config, dataset, folds, seeds, *more):
        calls.append((len(folds), seeds))
        return real(config, dataset, folds, seeds, *more)

    monkeypatch.setattr(loop, "fit", noted)
    monkeypatch.setitem(loop.CHUNK, "cpu", 4)
    small = simulate(participants=2, clips=2, windows=1)
    evaluate(small, ["mpcl"], "participants", [0, 1, 2], QUICK, "cpu")
    assert calls == [(2, [0, 1]), (2, [2])]


def test_several_cohorts_stand_side_by_side(tmp_path):
    cohorts = [
        simulate(participants=1 + seed, clips=2, windows=1, seed=seed)
        for seed in (2, 1)
    ]
    out, splits = tmp_path / "r.nc", ["participants", "trials"]
    scored = evaluate(cohorts, ["ridge"], splits, [0], QUICK, "cpu", out)
    assert scored.cohort.values.tolist() == [2, 1] and scored.sizes["participant"] == 3
    alone = evaluate(cohorts[1], ["ridge"], "trials", [0], QUICK, "cpu")
    np.testing.assert_array_equal(
        scored.score.sel(cohort=1, protocol="trials").dropna("participant", how="all"),
        alone.score.sel(cohort=1, protocol="trials"),
    )
    assert "2 cohorts of 3 participants" in tables.describe(scored)
    assert "ridge" in tables.table(scored, "trials").index
    again = evaluate(cohorts, ["ridge"], splits, [0], QUICK, "cpu", out)
    xr.testing.assert_equal(again.sel(cohort=[1, 2]), scored.sel(cohort=[1, 2]))
    with pytest.raises(DatasetError, match="'cohort_seed' must differ"):
        evaluate([cohorts[0], cohorts[0]], "floors")


def test_a_file_of_a_leaky_protocol_says_so(cohort, tmp_path):
    splits = ["participants", "leaky-windows"]
    with pytest.raises(ParameterError, match="end it in -leak.nc"):
        evaluate(cohort, "floors", splits, out=tmp_path / "r.nc")
    out = tmp_path / "r-leak.nc"
    evaluate(cohort, "floors", "leaky-windows", device="cpu", out=out)
    assert out.exists()


def test_a_file_of_another_evaluation_is_refused(scored, cohort, tmp_path):
    out = write_netcdf(scored, tmp_path / "r.nc")
    other = Settings(epochs=2, batch=32)
    with pytest.raises(DatasetError, match="another settings"):
        evaluate(cohort, ["mpcl"], SPLIT, [0], other, "cpu", out)
    fewer = cohort.isel(window=slice(1, None))
    with pytest.raises(DatasetError, match="another data_fingerprint"):
        evaluate(fewer, ["mpcl"], SPLIT, [0], QUICK, "cpu", out)


def test_a_choice_that_is_unknown_is_a_parameter_error(scored, cohort):
    with pytest.raises(ParameterError, match="unknown method 'mcpl'"):
        evaluate(cohort, ["all", "mcpl"])
    with pytest.raises(ParameterError, match="unknown protocol 'windows'"):
        evaluate(cohort, "floors", "windows")
    with pytest.raises(ParameterError, match="normalisation"):
        Settings(normalisation="none")
    with pytest.raises(ParameterError, match="unknown level 'clip'"):
        results.participant_scores(cohort, cohort.distribution.values, "clip")


def test_more_seeds_extend_a_file(scored, cohort, tmp_path):
    out = write_netcdf(scored.sel(seed=[0]), tmp_path / "r.nc")
    longer = evaluate(cohort, ["mpcl"], SPLIT, [0, 1], QUICK, "cpu", out)
    np.testing.assert_array_equal(
        longer.score.sel(seed=[0, 1]).transpose(*results.DIMENSIONS), scored.score
    )


def test_more_predictors_extend_a_file_and_keep_their_names(scored, cohort, tmp_path):
    out = write_netcdf(scored.sel(seed=[0]), tmp_path / "r.nc")
    both = ["mpcl", "mpcl-no-cooccurrence"]
    evaluate(cohort, both, SPLIT, [0], QUICK, "cpu", out)
    longer = results.read(out)
    assert longer.predictor.values.tolist() == [*ALWAYS, *both]
    assert "mpcl-no-cooccurrence" in tables.complete(longer)
    assert evaluate(cohort, "mpcl", SPLIT, [0], QUICK, "cpu", out).predictor.size == 8


def test_only_what_its_predictor_reaches_makes_a_score_old(
    cohort, tmp_path, monkeypatch, scoring
):
    """Another network, another download: the forest is not grown anew."""
    out = tmp_path / "r.nc"
    task = cohort, ["ridge", "mpcl"], "participants", [0], QUICK, "cpu", out
    first = evaluate(*task)
    del scoring[:]
    real = provenance.file_of

    def edit(*modules):
        """As if these had another line."""

        def file_of(module, root):
            path = real(module, root)
            if module not in modules:
                return path
            other = tmp_path / f"{module}.py"
            other.write_text(path.read_text() + "\nEDITED = True\n")
            return other

        monkeypatch.setattr(provenance, "file_of", file_of)

    edit("mpcl.data.fetch", "mpcl.evaluation.tables", "mpcl.figures.plots")
    evaluate(*task)
    assert not scoring
    edit("mpcl.model.network")
    with pytest.raises(DatasetError, match="the code of mpcl has changed"):
        evaluate(*task)
    evaluate(cohort, "ridge", "participants", [0], QUICK, "cpu", out)
    assert not scoring
    again = evaluate(*task, renew=True)
    assert len(scoring) == 1
    xr.testing.assert_equal(again, first)
    codes = [json.loads(each.attrs["code_fingerprint"]) for each in (first, again)]
    assert [name for name in codes[0] if codes[0][name] != codes[1][name]] == ["mpcl"]
    edit("mpcl.model.network", "mpcl.evaluation.floors")
    with pytest.raises(DatasetError, match="of uniform, .*elapsed_time_only has"):
        evaluate(*task)
    edit("mpcl.evaluation.metrics")
    with pytest.raises(DatasetError, match="ridge, mpcl has changed"):
        evaluate(*task)


def test_what_is_read_is_named_and_both_can_be_asked_for(cohort, tmp_path, scoring):
    out, names = tmp_path / "r.nc", ["ridge", "mlp", "mpcl", "mpcl-no-multiscale"]
    task = cohort, names, "participants", [0], QUICK, "cpu", out
    first = evaluate(*task)
    read = dict(zip(names, tables.of_reading(first).reads.values[-4:], strict=True))
    assert list(read.values()) == ["trials", "trials", "trials", "windows"]
    del scoring[:]
    both = evaluate(*task, reads=["windows", "trials"])
    assert len(scoring) == 2  # ridge and mlp once more
    xr.testing.assert_equal(both.sel(reads="trials"), first.sel(reads="trials"))
    for name in names[:2]:
        alone = held_out(
            cohort, name, "participants", [0], QUICK, "cpu", reads="windows"
        )
        expected = results.participant_scores(
            cohort, alone.predicted.values[0], "trial"
        )
        place = {"predictor": name, "reads": "windows", "level": "trial"}
        got = both.score.sel(place).squeeze(drop=True)
        np.testing.assert_array_equal(got, expected)
    with pytest.raises(ParameterError, match="reads must be trials or windows, not a"):
        evaluate(cohort, "ridge", reads="answers")
    with pytest.raises(ParameterError, match="mpcl reads trials alone"):
        held_out(cohort, "mpcl", reads="windows")


def test_other_parameters_are_another_predictor(cohort, tmp_path, scoring):
    out = tmp_path / "r.nc"
    task = "participants", [0], QUICK, "cpu", out
    evaluate(cohort, {"mine": Mine(0.5)}, *task)
    del scoring[:]
    evaluate(cohort, {"mine": Mine(0.5)}, *task)
    assert not scoring
    with pytest.raises(DatasetError, match="the code of mine has changed"):
        evaluate(cohort, {"mine": Mine(0.6)}, *task)


def test_what_has_no_file_is_never_taken_for_the_same(cohort, tmp_path):
    names = {}
    exec("class Cell(Mine):\n    pass", {"Mine": Mine, "__name__": "__main__"}, names)
    out = tmp_path / "r.nc"
    names["Cell"].__module__ = "builtins"  # which has no file, as a notebook has none
    cell = {"cell": names["Cell"]()}
    evaluate(cohort, cell, out=out, device="cpu")
    with pytest.raises(DatasetError, match="the code of cell has changed"):
        evaluate(cohort, cell, out=out, device="cpu")
    assert evaluate(cohort, cell, out=out, device="cpu", renew=True).equals(
        results.read(out)
    )


def test_ones_own_predictor_stands_beside_the_others(cohort):
    methods = [{"mine": Mine(1.0)}, "ridge", f"{__name__}:Mine"]
    sys.modules.setdefault(__name__, sys.modules[Mine.__module__])
    scored = evaluate(cohort, methods, "participants", [0, 1], QUICK, "cpu")
    assert scored.predictor.values.tolist() == [*ALWAYS, "ridge", "mine", "Mine"]
    kl = tables.of_reading(scored).sel(metric="kl", level="window").squeeze()
    assert kl.sel(predictor="mine", seed=1).isnull().all()  # it has no seed
    np.testing.assert_allclose(
        kl.sel(predictor="mine", seed=0), kl.sel(predictor="mean_label", seed=0)
    )
    assert {"mine", "Mine"} <= set(tables.table(scored).index)
    assert {"mine", "Mine"} <= set(tables.differences(scored, "ridge").predictor.values)


def test_provenance_is_complete(scored):
    for name in (
        "dataset",
        "settings",
        "normalisation",
        "data_fingerprint",
        "device",
        "versions",
        "commit",
        "created",
    ):
        assert scored.attrs[name]
    codes = json.loads(scored.attrs["code_fingerprint"])
    assert list(codes) == scored.predictor.values.tolist()
    assert len({codes[name] for name in FLOORS}) == 3  # each its own parameters


def test_means_of_networks_take_few_seeds_and_what_has_no_chance_one(cohort):
    names, seeds = ["ridge", "nearest_neighbour", "mpcl-ensemble", "mpcl-stacked"], 5
    made = predictors.made(names, QUICK, "cpu")
    fresh = results.empty(
        {0: cohort}, made, ["participants"], range(seeds), QUICK, "cpu"
    )
    todo = list(results.steps(fresh, made, {("participants", 0): 5}, range(seeds)))
    planned = {
        name: sum(len(step.seeds) for step in todo if step.predictor == name)
        for name in ["uniform", *names]
    }
    assert list(planned.values()) == [1, 5, 1, 2, 2]


def test_what_runs_is_written_down_before_it_has_a_score_and_nowhere_else(
    cohort, tmp_path, monkeypatch
):
    """In the results file itself: nobody's folder gets another file."""

    def fail(*_):
        raise RuntimeError("nothing was scored")

    monkeypatch.setattr(results, "held_out", fail)
    out = tmp_path / "r.nc"
    for _ in range(2):
        with pytest.raises(RuntimeError):
            evaluate(cohort, "floors", "participants", [0], QUICK, "cpu", out)
    runs = json.loads(results.read(out).attrs["runs"])
    assert len(runs) == 2 and runs[0]["predictors"] == ALWAYS and runs[0]["commit"]
    assert runs[0]["protocols"] == ["participants"] and runs[0]["seeds"] == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["r.nc"]


def test_floors_and_tables_need_no_torch(tmp_path):
    """Chapters 1 to 3 run without it, floors, ridge and neighbours too."""
    code = """
import sys
from mpcl.evaluation import check, floors, metrics, predict, results, statistics, tables
from mpcl.simulation.cohort import cohort
scored = results.evaluate(cohort(3, 3, 2), ["ridge", "knn", "nearest_neighbour"])
tables.table(scored)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
