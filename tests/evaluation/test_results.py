"""Results: complete, resumable, never without floors, and true to what was computed."""

import numpy as np
import pytest
import xarray as xr

from mpcl.data.contract import DatasetError, write_netcdf
from mpcl.evaluation import protocol, results
from mpcl.evaluation.floors import FLOORS
from mpcl.evaluation.results import evaluate
from mpcl.settings import Settings

QUICK = Settings(epochs=1, batch=32)


@pytest.fixture(scope="module")
def scored(cohort):
    return evaluate(cohort, ["mpcl"], "leave-one-participant-out", [0, 1], QUICK, "cpu")


def test_every_participant_is_scored_by_every_method(scored, cohort):
    assert scored.score.dims == results.DIMENSIONS
    assert list(scored.method.values) == [*FLOORS, "mpcl"]
    assert scored.score.sel({"method": "mpcl"}).notnull().all()
    assert scored.score.sel({"method": "uniform", "seed": 0}).notnull().all()
    assert scored.score.sel({"method": "uniform", "seed": 1}).isnull().all()
    assert set(scored.participant.values) == set(cohort.participant.values)


def test_floors_are_added_and_unknown_methods_refused():
    assert protocol.check_methods("floors") == tuple(FLOORS)
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


def test_held_out_labels_are_taken_away_before_prediction(cohort, monkeypatch):
    seen = []

    def look(train, test):
        seen.append(test)
        return np.full(test.distribution.shape, 0.1)

    monkeypatch.setitem(FLOORS, "uniform", look)
    protocol.run(cohort, (("P01", "P02"), "uniform", 0), QUICK)
    assert seen[0].distribution.isnull().all() and "rating" not in seen[0]


def test_an_interrupted_evaluation_goes_on(scored, cohort, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "r.nc", [], results.run

    def failing(dataset, task, settings, device):
        if len(calls) == 7:
            raise KeyboardInterrupt
        calls.append(task)
        return real(dataset, task, settings, device)

    monkeypatch.setattr(results, "run", failing)
    arguments = (cohort, ["mpcl"], "leave-one-participant-out", [0, 1], QUICK, "cpu", out)
    with pytest.raises(KeyboardInterrupt):
        evaluate(*arguments)
    monkeypatch.setattr(results, "run", lambda *task: calls.append(task[1]) or real(*task))
    resumed = evaluate(*arguments)
    assert len(calls) == 5 * (3 + 2)  # each task once
    np.testing.assert_array_equal(resumed.score.transpose(*results.DIMENSIONS), scored.score)
    xr.testing.assert_equal(results.read(out).score, resumed.score)
    assert [p.name for p in tmp_path.iterdir()] == ["r.nc"]


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
    assert longer.method.values.tolist() == [*FLOORS, "mpcl", "mpcl-no-cooccurrence"]
    assert longer.score.notnull().all()
    assert evaluate(cohort, "mpcl", "leave-one-participant-out", [0], QUICK, "cpu", out).method.size == 5


def test_tables_hold_the_scores_and_never_lack_floors(scored):
    bounds = results.intervals(scored)
    mean = scored.score.sel({"level": "window", "method": "mpcl"}).mean("seed").mean("participant").squeeze()
    np.testing.assert_allclose(bounds.sel({"method": "mpcl", "bound": "mean"}), mean)
    assert (bounds.sel(bound="lower") <= bounds.sel(bound="mean")).all()
    frame = results.table(scored)
    assert frame.index.tolist() == [*FLOORS, "mpcl"] and frame.columns[0] == "chebyshev ↓"
    best = bounds.sel({"method": "mpcl", "metric": "chebyshev", "bound": "mean"}).item()
    assert frame.iloc[3, 0].startswith(f"{best:.4f} "[1:])
    difference = results.differences(scored).sel({"method": "mean_label", "metric": "kl", "bound": "mean"}).item()
    people = results.by_participant(scored).sel(metric="kl")
    expected = (people.sel({"method": "mean_label"}) - people.sel({"method": "mpcl"})).mean().item()
    assert difference == pytest.approx(expected)
    with pytest.raises(DatasetError, match="no table without floors"):
        results.table(scored.sel({"method": ["mpcl"]}))


def test_provenance_is_complete(scored):
    for name in ("dataset", "settings", "normalisation", "code_fingerprint", "data_fingerprint", "device", "versions",
                 "commit", "created"):
        assert scored.attrs[name]
    assert "5 participants" in results.describe(scored)


def test_shuffled_labels_score_at_the_floor(cohort):
    """With labels that have nothing to do with the signals, no method may beat the mean label beyond chance."""
    from mpcl.data.simulated import cohort as simulate

    dataset = simulate(participants=8, clips=10, windows=2, seed=11)
    labels = dataset.distribution.values[::2]  # one a trial
    shuffled = np.repeat(labels[np.random.default_rng(0).permutation(len(labels))], 2, 0)
    dataset["distribution"] = dataset.distribution.copy(data=shuffled)
    scored = evaluate(dataset, ["mpcl"], "participants", [0], Settings(epochs=4, batch=32), "cpu")
    mean, lower, upper = results.differences(scored).sel({"method": "mean_label", "metric": "kl"}).values
    assert mean < 0.005, "a model beats the mean label on shuffled labels: something leaks"
