"""The list of runs and the ladder: complete, resolvable, and what they say they are."""

import csv
import io
import json

import numpy as np
import pytest

from data.make import adopt, ladder, renew
from mpcl.evaluation import results
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import BASELINES, SWITCHES
from mpcl.simulation.cohort import WORLDS
from mpcl.training.settings import Settings

FEW = Settings(epochs=1, batch=16)


def test_the_list_names_what_the_family_asks():
    listed, family = renew.entries(), ladder.family()
    assert [entry["number"] for entry in listed] == list(range(1, len(listed) + 1))
    for file in family["files"].values():
        names = [
            name
            for entry in listed
            if entry["file"] == file
            for name in renew.names_of(entry["predictors"])
        ]
        assert {f"mpcl-no-{part}" for part in family["parts"]} | {"mpcl"} <= {*names}
        assert {*BASELINES} <= {*names}
    worlds = {entry["data"].get("latent") for entry in listed} - {None}
    assert worlds == {*WORLDS}
    for entry in listed:  # nothing of a cohort that was looked at before
        assert entry["data"].get("seed", 6) in range(6, 11)


def test_the_parts_are_switches_and_every_rung_differs():
    parts = ladder.family()["parts"].values()
    switches = [switch for part in parts for switch in part["switches"]]
    assert len(switches) == len({*switches}) and {*switches} <= {*SWITCHES}
    made = {}
    for group in renew.GROUPS:
        made |= ladder.rungs(group)
    kinds = {
        (each.config, str(each.changes), str(each.training_changes))
        for each in made.values()
    }
    assert len(kinds) == len(made) == 15
    assert not any(made["mpcl-none"].changes.values())
    assert sum(made["mpcl-only-compression"].changes.values()) == 1


def test_a_fixed_matrix_is_the_same_in_every_trial(cohort):
    rung = ladder.rungs("rivals")["mpcl-fixed-matrix"]
    rung.settings = FEW
    rung.fit(cohort)
    (network,) = rung.models
    assert network.recall.log_beta.item() == pytest.approx(ladder.NO_QUERY, rel=0.1)
    tokens = np.random.default_rng(0).normal(size=(3, 10, network.config.width))
    evidence = network.recall.prior.new_zeros(3, 10).double()
    weights = network.recall(evidence, evidence.new_tensor(tokens))[1]
    np.testing.assert_allclose(weights[0].detach(), weights[2].detach(), atol=1e-6)


def test_a_tuned_network_is_trained_with_its_own_settings(cohort):
    tuned = ladder.rungs("tuned")["mpcl-tuned"]
    seen = []

    def note(config, dataset, folds, seeds, settings, device):
        seen.append((config.dropout, settings))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mpcl.evaluation.networks.loop.fit", note)
        held_out(cohort, tuned, "participants", [0], FEW, "cpu")
    ((dropout, settings),) = seen
    assert (dropout, settings.learning_rate, settings.epochs) == (0.1, 0.01, 1)


def test_what_was_not_run_is_said(tmp_path, cohort, monkeypatch):
    base = {"file": "a.nc", "protocol": "participants", "seeds": 1, "minutes": 1}
    listed = [
        {**base, "number": 1, "what": "ridge", "predictors": ["ridge"]},
        {**base, "number": 2, "what": "knn", "predictors": ["ridge", "knn"]},
        {**base, "number": 3, "what": "other", "file": "b.nc", "predictors": ["knn"]},
    ]
    monkeypatch.setattr(renew, "entries", lambda: listed)
    monkeypatch.setattr(renew, "opened", lambda data, wesad: cohort)
    (tmp_path / "runs.csv").write_text("started,file\n")
    renew.run({**listed[0], "data": {}}, None, tmp_path)
    states = [
        row["state"] for row in csv.DictReader(io.StringIO(renew.state(tmp_path)))
    ]
    assert states == ["run"] + ["not run by this version"] * 2
    (line,) = (tmp_path / "runs.csv").read_text().splitlines()[1:]
    assert ",a.nc," in line and ",ridge," in line
    scored = results.read(tmp_path / "a.nc")
    assert scored.score.sel(predictor="ridge", level="trial").notnull().any()


def test_code_that_moves_no_score_is_adopted_and_other_is_not(cohort):
    now = results.evaluate(cohort, ["ridge", "knn"], "participants", settings=FEW)
    codes = json.loads(now.attrs["code_fingerprint"])
    earlier = now.assign_attrs(code_fingerprint=json.dumps(dict.fromkeys(codes, "0")))
    earlier["score"] = earlier.score + 1e-4 * (earlier.predictor == "knn")
    kept = adopt.adopted(earlier, now).attrs
    assert json.loads(kept["code_fingerprint"]) == codes | {"knn": "0"}
    assert json.loads(kept["code_before"]) == dict.fromkeys(set(codes) - {"knn"}, "0")
    assert "0e+00 at most" in json.loads(kept["adopted"])["ridge"]
