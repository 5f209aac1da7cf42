import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcl.data.contract import DatasetError
from mpcl.data.simulated import cohort as simulate
from mpcl.splits import PROTOCOLS, folds, names, part


@given(st.integers(2, 9), st.sampled_from(sorted(PROTOCOLS)))
def test_each_participant_is_held_out_once_and_never_on_both_sides(count, protocol):
    dataset = simulate(participants=count, clips=1, windows=1, seed=count)
    held_out = []
    for fold in folds(dataset, protocol):
        train, test = part(dataset, fold)
        assert not set(train.participant.values) & set(test.participant.values)
        assert not set(train.trial.values) & set(test.trial.values)
        assert train.sizes["window"] + test.sizes["window"] == dataset.sizes["window"]
        held_out += names(test)
    assert sorted(held_out) == sorted(names(dataset))


def test_what_cannot_be_split_is_said(cohort):
    one = cohort.isel(window=np.flatnonzero(cohort.participant.values == "P01"))
    with pytest.raises(DatasetError, match="only P01 is there"):
        folds(one, "participants")
    with pytest.raises(DatasetError, match="unknown protocol 'windows'"):
        folds(cohort, "windows")
    with pytest.raises(DatasetError, match="not in the data: P99"):
        part(cohort, ("P99",))
    with pytest.raises(DatasetError, match="holds nobody out"):
        part(cohort, tuple(names(cohort)))
