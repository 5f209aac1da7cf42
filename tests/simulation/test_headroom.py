"""What there is to gain in both worlds: how it is read, and the committed record."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.make import headroom
from mpcl.data.contract import trials
from mpcl.simulation import cohort as simulated

COMMITTED = Path(__file__).parents[2] / "data" / "results" / "headroom.csv"


@pytest.fixture
def small(monkeypatch):
    size = {"participants": 9, "clips": 4, "windows": 2}
    monkeypatch.setattr(simulated, "BENCHMARK", size)
    monkeypatch.setattr(headroom, "TRAINING", (6, range(3)))
    monkeypatch.setattr(headroom, "HELD_OUT", (3, range(7, 9)))
    mlp = headroom.MLP.__class__(max_iter=2, random_state=0)
    readers = [row for row in headroom.READERS if row[1] == "ridge"]
    monkeypatch.setattr(headroom, "READERS", [*readers, ("phi", "mlp", ("phi",), mlp)])
    return size


@pytest.mark.parametrize("world", simulated.WORLDS)
def test_the_blend_is_that_of_the_trial(small, world):
    read = headroom.read(world, 3, range(7, 9))
    cohort = simulated.cohort(3, 4, 2, seed=7, latent="blends")
    blend = cohort.truth_blend.values[trials(cohort).first]
    np.testing.assert_array_equal(read.blend[:12].argmax(1), blend)
    assert (read.blend.sum(1) == 1).all() and read.features.shape == (24, 94)
    assert len(set(read.participant)) == 6  # P01 of one seed is not P01 of another


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_record_is_written_whole(small, tmp_path, capsys):
    headroom.main(str(tmp_path / "headroom.csv"))
    table = pd.read_csv(tmp_path / "headroom.csv")
    assert list(table.columns) == list(pd.read_csv(COMMITTED).columns)
    assert set(table.world) == set(simulated.WORLDS) and (table.kl > 0).all()
    assert "explained {'eeg': 0.0" in capsys.readouterr().out


def test_structure_is_worth_more_in_blends():
    table = pd.read_csv(COMMITTED).set_index(["world", "reads", "predictor"])
    assert (table.date == "2026-11-27").all()
    for reads in ("features", "noisy phi"):
        gain = {
            world: table.kl[world, reads, "ridge"] - table.kl[world, reads, "mlp"]
            for world in simulated.WORLDS
        }
        assert gain["blends"] > gain["gaussian"] + 0.003
    for world in simulated.WORLDS:
        assert table.kl[world].idxmin() == ("latent state", "bayes")
        assert table.kl[world].idxmax() == ("nothing", "mean_label")
