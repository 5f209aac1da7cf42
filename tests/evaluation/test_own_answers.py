"""The command that measures what answers are worth gives what ``held_out`` gives."""

import numpy as np

from data.make import own_answers
from mpcl.evaluation import results, tables
from mpcl.evaluation.metrics import participant_scores
from mpcl.evaluation.predict import held_out
from mpcl.simulation.cohort import cohort as simulate
from mpcl.training.settings import Settings


def test_a_predictor_is_fitted_once_and_scored_as_if_it_were_fitted_each_time(
    tmp_path, monkeypatch
):
    study = simulate(participants=6, clips=4, windows=2, seed=3)
    names = ("own_mean", "mean_label_corrected", "ridge", "ridge-corrected")
    monkeypatch.setattr(own_answers, "NAMES", names)
    monkeypatch.setattr(own_answers, "BASES", ("mean_label", "ridge"))
    own_answers.main(str(tmp_path / "own"), study, [0], 1)
    for how in ("running", "transductive"):
        file = results.read(tmp_path / f"own-{how}.nc")
        assert file.normalisation == how
        assert set(tables.complete(file, "participants-after-2")) > set(names)
        for count in (0, 2):
            protocol = f"participants-after-{count}"
            scores = tables.by_participant(file, protocol, "trial")
            for name in names:
                settings = Settings(epochs=1, normalisation=how)
                guess = held_out(study, name, protocol, [0], settings, "cpu")
                wanted = participant_scores(study, guess.predicted.values[0], "trial")
                got = scores.sel(predictor=name).squeeze("cohort")
                np.testing.assert_allclose(
                    got.sel(metric="kl").values,
                    wanted.sel(metric="kl").values,
                    rtol=1e-9,
                )
