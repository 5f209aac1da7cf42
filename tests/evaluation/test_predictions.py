"""Predictions are kept where it is asked and allowed, and come back as they were."""

import numpy as np
import pytest

from mpcl.__main__ import main
from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation import predictions
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.results import evaluate
from mpcl.training.settings import Settings

FEW = Settings(epochs=1)


def test_predictions_are_kept_beside_the_results(cohort, tmp_path):
    out = tmp_path / "scores.nc"
    evaluate(cohort, "mpcl", "participants", (0, 1), FEW, "cpu", out)
    assert not predictions.folder_for(out, []).exists()
    more = tmp_path / "more.nc"
    evaluate(
        cohort, "mpcl", "participants", (0, 1), FEW, "cpu", more, keep_predictions=True
    )
    kept = predictions.read(more, "mpcl", cohort=cohort.attrs["cohort_seed"])
    wanted = held_out(cohort, "mpcl", seeds=(0, 1), settings=FEW, device="cpu")
    assert np.array_equal(kept.predicted, wanted.predicted)
    assert kept.trial.values.tolist() == cohort.trial.values.tolist()
    assert kept.attrs["predictor"] == "mpcl" and kept.attrs["data_fingerprint"]
    number = cohort.attrs["cohort_seed"]
    assert predictions.read(more, "uniform", reads="windows", cohort=number).sizes
    with pytest.raises(
        DatasetError, match="no predictions of helo_trials_partic.*mpcl_"
    ):
        predictions.read(more, "helo")
    with pytest.raises(DatasetError, match="there are none"):
        predictions.read(out, "mpcl")


def test_they_are_not_kept_against_the_terms_of_the_recordings(cohort, tmp_path):
    terms = "scientific use; no redistribution"
    wesad = cohort.assign_attrs(dataset="wesad", licence=terms)
    out = tmp_path / "scores.nc"
    with pytest.raises(ParameterError, match="the terms of wesad .* forbid to keep"):
        evaluate(wesad, "floors", out=out, keep_predictions=True)
    assert not list(tmp_path.iterdir())
    twin = wesad.assign_attrs(dataset="wesad-twin")
    evaluate(twin, "floors", out=out, keep_predictions=True)
    with pytest.raises(ParameterError, match="beside a results file: give one"):
        evaluate(cohort, "floors", keep_predictions=True)


def test_the_command_keeps_them(cohort, tmp_path):
    study = contract.write(cohort, tmp_path / "study.nc")
    out = tmp_path / "scores.nc"
    words = [
        "evaluate",
        "--dataset",
        str(study),
        "--methods",
        "ridge",
        "--out",
        str(out),
    ]
    assert main([*words, "--keep-predictions"]) == 0
    number = cohort.attrs["cohort_seed"]
    assert predictions.read(out, "ridge", cohort=number).sizes["seed"] == 1
