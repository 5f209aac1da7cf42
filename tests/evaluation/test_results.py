"""Results: complete, resumable, never without floors, and true to what was computed."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcl.data.contract import DatasetError, write_netcdf
from mpcl.data.simulated import cohort as simulate
from mpcl.evaluation import protocol, results
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.metrics import SIX
from mpcl.evaluation.results import evaluate
from mpcl.settings import ParameterError, Settings

QUICK = Settings(epochs=1, batch=32)


@pytest.fixture(scope="module")
def scored(cohort):
    return evaluate(cohort, ["mpcl"], "leave-one-participant-out", [0, 1], QUICK, "cpu")


def test_every_participant_is_scored_by_every_method(scored, cohort):
    assert scored.score.dims == results.DIMENSIONS
    assert list(scored.method.values) == [*FLOORS, *CONDITIONAL, "mpcl"]
    assert scored.score.sel({"method": ["mpcl"], "metric": list(SIX)}).notnull().all()
    assert scored.score.sel({"method": "uniform", "seed": 0, "metric": list(SIX)}).notnull().all()
    assert scored.score.sel({"method": "uniform", "seed": 1}).isnull().all()
    assert set(scored.participant.values) == set(cohort.participant.values)


def test_floors_are_added_and_unknown_methods_refused():
    assert protocol.check_methods("floors") == (*FLOORS, *CONDITIONAL)
    assert protocol.check_methods("all") == protocol.METHODS
    assert "mpcl-no-cooccurrence" in protocol.METHODS
    with pytest.raises(DatasetError, match="unknown method 'mcpl'"):
        protocol.check_methods(["mcpl"])


def test_data_without_a_single_value_is_refused(cohort):
    empty = cohort.copy(deep=True)
    for name in protocol.modalities(empty):
        empty[name] = empty[name] * np.nan
    with pytest.raises(DatasetError, match="no modality has a single value"):
        protocol.config_of("mpcl", empty)


def test_an_interrupted_evaluation_goes_on_and_ends_in_the_same_file(scored, cohort, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "r.nc", [], results.run
    arguments = (cohort, ["knn", "mpcl"], "leave-one-participant-out", [0, 1], QUICK, "cpu", out)

    def failing(*task):
        if len(calls) == 7:  # participant_mean among them, which does not apply
            raise KeyboardInterrupt
        calls.append(task[1])
        return real(*task)

    monkeypatch.setattr(results, "run", failing)
    with pytest.raises(KeyboardInterrupt):
        evaluate(*arguments)
    half = results.read(out).score.sel({"method": "knn", "metric": "kl"}).notnull().any(["level", "participant"])
    assert half.squeeze().values.tolist() == [True, False]
    monkeypatch.setattr(results, "run", lambda *task: calls.append(task[1]) or real(*task))
    resumed = evaluate(*arguments)
    assert calls == [*FLOORS, *CONDITIONAL, "knn", "knn", "mpcl"]  # each step once
    whole = evaluate(*arguments[:-1])
    xr.testing.assert_identical(*(one.drop_attrs() for one in (resumed, whole)))
    for name in set(whole.attrs) - {"created", "commit"}:
        assert results.read(out).attrs[name] == whole.attrs[name]
    np.testing.assert_array_equal(whole.score.sel({"method": "mpcl"}), scored.score.sel({"method": "mpcl"}))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.nc", "runs.csv"]


def test_a_killed_evaluation_leaves_a_whole_file(cohort, tmp_path):
    """Killed without warning while it writes: what stands there is whole and is gone on with."""
    study, out = write_netcdf(cohort, tmp_path / "study.nc"), tmp_path / "r.nc"
    code = ("import os, sys; from mpcl.data import contract; from mpcl.evaluation import results\n"
            "real, calls = os.replace, []\n"
            "def replace(*files):\n    calls.append(1); len(calls) == 3 and os._exit(9); real(*files)\n"
            "os.replace = replace\n"
            "results.evaluate(contract.read(sys.argv[1]), 'floors', device='cpu', out=sys.argv[2])")
    killed = subprocess.run([sys.executable, "-c", code, study, out], env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert killed.returncode == 9
    there = results.read(out).score.sel(level="window", metric="kl").notnull().any(["participant", "seed"]).squeeze()
    assert there.method.values[there.values].tolist() == ["uniform", "mean_label"]
    assert results.complete(evaluate(cohort, "floors", device="cpu", out=out)) == [*FLOORS, "motion_only",
                                                                                   "elapsed_time_only"]


@pytest.mark.parametrize("protocol", ["clips", "trials"])
def test_every_protocol_scores_everybody(protocol):
    small = simulate(participants=3, clips=3, windows=2, seed=3)
    scored = evaluate(small, ["nearest_neighbour", "mpcl"], protocol, [0], QUICK, "cpu")
    gone = {"participant_mean"} if protocol == "clips" else set()
    assert set(results.complete(scored)) == {*FLOORS, *CONDITIONAL, "nearest_neighbour", "mpcl"} - gone
    frame = results.table(scored)
    assert (frame.loc["participant_mean"] == "not applicable").all() == (protocol == "clips")


def test_all_networks_of_a_method_are_trained_in_one_call(monkeypatch):
    calls, real = [], protocol.fit
    monkeypatch.setattr(protocol, "fit", lambda *given: calls.append((len(given[2]), given[3])) or real(*given))
    monkeypatch.setitem(results.CHUNK, "cpu", 4)
    evaluate(simulate(participants=2, clips=2, windows=1), ["mpcl"], "participants", [0, 1, 2], QUICK, "cpu")
    assert calls == [(2, [0, 1]), (2, [2])]


def test_several_cohorts_stand_side_by_side(tmp_path):
    cohorts = [simulate(participants=1 + seed, clips=2, windows=1, seed=seed) for seed in (1, 2)]
    out = tmp_path / "r.nc"
    scored = evaluate(cohorts, ["ridge"], ["participants", "trials"], [0], QUICK, "cpu", out)
    assert scored.cohort.values.tolist() == [1, 2] and scored.sizes["participant"] == 3
    alone = evaluate(cohorts[0], ["ridge"], "trials", [0], QUICK, "cpu")
    np.testing.assert_array_equal(scored.score.sel(cohort=1, protocol="trials").dropna("participant", how="all"),
                                  alone.score.sel(cohort=1, protocol="trials"))
    assert "2 cohorts of 3 participants" in results.describe(scored)
    assert "ridge" in results.table(scored, "trials").index
    assert evaluate(cohorts, ["ridge"], ["participants", "trials"], [0], QUICK, "cpu", out).equals(results.read(out))
    with pytest.raises(DatasetError, match="'cohort_seed' must differ"):
        evaluate([cohorts[0], cohorts[0]], "floors")


def test_a_file_of_a_leaky_protocol_says_so(cohort, tmp_path):
    with pytest.raises(ParameterError, match="end it in -leak.nc"):
        evaluate(cohort, "floors", ["participants", "leaky-windows"], out=tmp_path / "r.nc")
    evaluate(cohort, "floors", "leaky-windows", device="cpu", out=tmp_path / "r-leak.nc")


def test_a_file_of_another_evaluation_is_refused(scored, cohort, tmp_path):
    out = write_netcdf(scored, tmp_path / "r.nc")
    with pytest.raises(DatasetError, match="another settings"):
        evaluate(cohort, ["mpcl"], "leave-one-participant-out", [0], Settings(epochs=2, batch=32), "cpu", out)
    with pytest.raises(DatasetError, match="another data_fingerprint"):
        evaluate(cohort.isel(window=slice(1, None)), "floors", "participants", [0], QUICK, "cpu", out)


def test_more_seeds_extend_a_file(scored, cohort, tmp_path):
    out = write_netcdf(scored.sel(seed=[0]), tmp_path / "r.nc")
    longer = evaluate(cohort, ["mpcl"], "leave-one-participant-out", [0, 1], QUICK, "cpu", out)
    np.testing.assert_array_equal(longer.score.sel(seed=[0, 1]).transpose(*results.DIMENSIONS), scored.score)


def test_more_methods_extend_a_file_and_keep_their_names(scored, cohort, tmp_path):
    out = write_netcdf(scored.sel(seed=[0]), tmp_path / "r.nc")
    evaluate(cohort, ["mpcl", "mpcl-no-cooccurrence"], "leave-one-participant-out", [0], QUICK, "cpu", out)
    longer = results.read(out)
    assert longer.method.values.tolist() == [*FLOORS, *CONDITIONAL, "mpcl", "mpcl-no-cooccurrence"]
    assert "mpcl-no-cooccurrence" in results.complete(longer)
    assert evaluate(cohort, "mpcl", "leave-one-participant-out", [0], QUICK, "cpu", out).method.size == 8


def test_tables_hold_the_scores_and_never_lack_floors(scored):
    bounds = results.intervals(scored)
    mean = scored.score.sel({"level": "window", "method": "mpcl"}).mean("seed").mean("participant").squeeze()
    np.testing.assert_allclose(bounds.sel({"method": "mpcl", "bound": "mean"}), mean)
    assert ((bounds.sel(bound="lower") <= bounds.sel(bound="mean")) | bounds.sel(bound="mean").isnull()).all()
    frame = results.table(scored)
    assert frame.index.tolist() == [*FLOORS, *CONDITIONAL, "mpcl"] and frame.columns[0] == "chebyshev ↓"
    best = bounds.sel({"method": "mpcl", "metric": "chebyshev", "bound": "mean"}).item()
    assert frame.loc["mpcl"].iloc[0].startswith(f"{best:.4f} "[1:])
    assert (frame.loc["participant_mean"] == "not applicable").all()
    assert "out not applicable: the participant is new" in results.describe(scored)
    for gone in ([*FLOORS, *CONDITIONAL], ["elapsed_time_only"]):
        with pytest.raises(DatasetError, match="no table without floors"):
            results.table(scored.drop_sel({"method": gone}))


def test_a_file_from_before_some_floors_says_that_they_were_not_computed(scored):
    old = scored.sel({"method": [*FLOORS, "mpcl"], "metric": ["chebyshev", "kl"]})
    del old.attrs["not_applicable"]
    assert (results.table(old, metrics=["kl"]).loc["motion_only"] == "not computed").all()


def test_differences_are_paired_and_one_family(scored):
    found = results.differences(scored)
    difference = found.sel({"method": "mean_label", "metric": "kl"})
    people = results.by_participant(scored).sel(metric="kl")
    expected = (people.sel({"method": "mean_label"}) - people.sel({"method": "mpcl"})).squeeze().values
    assert difference.sel(bound="mean").item() == pytest.approx(expected.mean())
    assert difference.improvement == (expected > 0).mean() and 0 < difference.p <= 1
    people = results.by_participant(scored).sel(metric="cosine")
    expected = (people.sel({"method": "mean_label"}) - people.sel({"method": "mpcl"})).squeeze().values
    assert found.sel({"method": "mean_label", "metric": "cosine"}).improvement == (expected < 0).mean()
    assert "mpcl" not in found.method.values and found.bound.values.tolist() == ["mean", "lower", "upper"]
    frame = results.difference_table(scored, "mpcl", metrics=["kl"])
    assert frame.columns.tolist() == ["kl", "p"] and frame.index.tolist() == found.method.values.tolist()
    with pytest.raises(DatasetError, match="forest: no complete set"):
        results.differences(scored, "forest")
    with pytest.raises(ParameterError, match="unknown metric 'mse'"):
        results.table(scored, metrics=["mse"])


def test_provenance_is_complete(scored):
    for name in ("dataset", "settings", "normalisation", "code_fingerprint", "data_fingerprint", "device", "versions",
                 "commit", "created"):
        assert scored.attrs[name]
    assert "5 participants" in results.describe(scored)


def test_without_a_branch_the_same_networks_are_told_nothing_of_it(cohort):
    """Whatever the lost branch held, the scores are the same; the other branch still counts."""
    names = [name for name in protocol.modalities(cohort) if cohort[name].attrs["branch"] == "behavioural"]
    held_out = cohort.participant.values == "P05"
    changed = cohort.copy(deep=True)
    for name in names:
        changed[name].values[held_out] = 7.0

    def score(dataset, split):
        return protocol.run(dataset, "mpcl", split, [0], QUICK, "cpu")[0]["window"].sel(participant="P05")

    lost = "leave-one-participant-out-without-behavioural"
    np.testing.assert_array_equal(score(cohort, lost), score(changed, lost))
    assert not np.allclose(score(cohort, "leave-one-participant-out"), score(cohort, lost))
    with pytest.raises(DatasetError, match="'chest' cannot be lost"):
        protocol.run(cohort, "mpcl", "participants-without-chest", [0], QUICK, "cpu")


def test_an_ensemble_averages_the_predictions_of_its_members(cohort, monkeypatch):
    seen = []
    monkeypatch.setattr(protocol, "MEMBERS", 2)
    real = protocol.participant_scores
    monkeypatch.setattr(protocol, "participant_scores", lambda d, p, level: seen.append(p) or real(d, p, level))
    for method, seeds in (("mpcl", [2, 3]), ("mpcl-ensemble", [1])):
        protocol.run(cohort, method, "participants", seeds, QUICK, "cpu")
    (one, _, two, _), (both, _) = seen[:4], seen[4:]
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-9)


def test_means_of_networks_take_few_seeds_and_methods_without_chance_one(cohort):
    methods, seeds = ["uniform", "ridge", *results.ALREADY_MANY], list(range(5))
    fresh = results.empty([cohort], methods, ["participants"], seeds, QUICK, results.device_of("cpu"))
    todo = list(results.steps(fresh, methods, {"participants": [5]}, seeds, 1000))
    planned = {name: sum(len(some) for method, _, _, some in todo if method == name) for name in methods}
    assert planned == {"uniform": 1, "ridge": 5, "mpcl-ensemble": 2, "mpcl-stacked": 2}


def test_what_runs_is_written_down_before_it_has_a_score(cohort, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("nothing was scored")

    monkeypatch.setattr(results, "run", fail)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            evaluate(cohort, "floors", "participants", [0], QUICK, "cpu", tmp_path / "r.nc")
    kept = pd.read_csv(tmp_path / "runs.csv")
    assert kept.file.tolist() == ["r.nc"] * 2 and kept.code_fingerprint.notna().all()
    assert json.loads(kept.settings[0])["epochs"] == QUICK.epochs


def test_a_network_and_its_ablation_are_compared_on_the_seeds_that_both_have(cohort):
    """A seed that is luckier than others must not count for one side alone."""
    methods = ["uniform", "ridge", "mpcl", "mpcl-no-memory"]
    made = results.empty([cohort], methods, ["participants"], [0, 1, 2], QUICK, results.device_of("cpu"))
    lucky = xr.DataArray([0.0, 0.0, -9.0], coords={"seed": [0, 1, 2]}, dims="seed")
    for method, value in zip(methods, (4.0, 3.0, 1.0, 2.0), strict=True):
        made.score.loc[{"method": method}] = (lucky + value).broadcast_like(made.score.sel({"method": method}))
    made.score.loc[{"method": "mpcl-no-memory", "seed": 2}] = np.nan
    made.score.loc[{"method": "ridge", "seed": [1, 2]}] = np.nan
    assert (results.change(made, "mpcl-no-memory") == 1).all()
    assert (results.change(made, "ridge") == 3 - (1 + 1 - 8) / 3).all()
    bounds = results.differences(made, others=["mpcl-no-memory"], metrics=["kl"]).squeeze()
    assert bounds.values.tolist() == [1, 1, 1]
