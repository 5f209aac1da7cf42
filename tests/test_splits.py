import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mpcl.errors import DatasetError, ParameterError
from mpcl.splits import (
    PROTOCOLS,
    SEED,
    Fold,
    folds,
    inner,
    names,
    nested,
    of_participants,
    part,
    rows,
)

GROUPED = {
    "leave-one-participant-out": {"participant", "trial"},
    "participants": {"participant", "trial"},
    "clips": {"participant", "clip", "trial"},
    "trials": {"trial"},
}


@st.composite
def studies(draw, cohort):
    """A study as people leave it: trials broken off, windows lost, in any order."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = random.permutation(cohort.sizes["window"])[
        : draw(st.integers(20, cohort.sizes["window"]))
    ]
    dataset = cohort.drop_vars(list(cohort.data_vars)).isel(window=kept)
    assume(
        all(
            len(set(own.trial.values)) > 1
            for _, own in dataset.trial.groupby("participant")
        )
    )
    return dataset


@given(st.data(), st.sampled_from(sorted(GROUPED)))
def test_nothing_stands_on_both_sides(cohort, data, protocol):
    """No person, trial or clip, as the protocol promises; each window is out once."""
    dataset = data.draw(studies(cohort))
    once = np.zeros(dataset.sizes["window"], int)
    for fold in folds(dataset, protocol):
        training, held_out = part(dataset, fold)
        for name in GROUPED[protocol]:
            assert not set(training[name].values) & set(held_out[name].values)
        if protocol == "trials":
            assert set(held_out.participant.values) <= set(training.participant.values)
        once[rows(dataset, fold)[1]] += 1
        assert hash(fold) is not None
    assert (once == 1).all()


def test_the_leaky_split_leaks_and_says_so(cohort):
    """Each window is held out once, its trial trains."""
    every = folds(cohort, "leaky-windows")
    shared = [
        set(part(cohort, fold)[0].trial.values)
        & set(part(cohort, fold)[1].trial.values)
        for fold in every
    ]
    assert all(shared) and all("leaky" in fold.name for fold in every)
    assert sorted(np.concatenate([rows(cohort, fold)[1] for fold in every])) == list(
        range(cohort.sizes["window"])
    )


@pytest.mark.parametrize("protocol", sorted(GROUPED))
def test_inner_folds_are_grouped_as_the_outer_ones(cohort, protocol):
    training, held_out = part(cohort, folds(cohort, protocol)[0])
    for fold in inner(training, protocol):
        own, other = part(training, fold)
        for name in GROUPED[protocol]:
            assert not set(other[name].values) & (
                {*own[name].values} | {*held_out[name].values}
            )
    assert len(inner(training, "leave-one-participant-out")) <= 5


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_nested_folds_are_the_inner_ones_as_rows_of_the_whole_data_set(
    cohort, protocol
):
    bare = cohort.drop_vars(list(cohort.data_vars))
    for fold in folds(bare, protocol)[::4]:
        training = part(bare, fold)[0]
        inside = inner(training, protocol)
        for fold_inside, whole in zip(
            inside, nested(bare, fold, protocol), strict=True
        ):
            for mine, theirs in zip(
                part(bare, whole), part(training, fold_inside), strict=True
            ):
                assert mine.identical(theirs)
            assert not {*whole.training, *whole.held_out} & {*fold.held_out}


def test_folds_are_the_same_in_every_run_and_have_keys_that_differ(cohort):
    for protocol in PROTOCOLS:
        assert folds(cohort, protocol) == folds(cohort.copy(deep=True), protocol)
        keys = [fold.key for fold in folds(cohort, protocol)]
        assert len(set(keys)) == len(keys)
    assert SEED == 0
    assert folds(cohort, "trials")[1].name == "trials 2 of 5"


def test_a_fold_by_names_is_the_one_that_the_protocol_makes(cohort):
    """Its key, and so every score, is of the names and not of the rows."""
    last = folds(cohort, "leave-one-participant-out")[-1]
    fold = of_participants(cohort, ["P01", "P02", "P03", "P04"])
    assert fold == last and fold.key == "P01\0P02\0P03\0P04"
    assert fold.name == "training on 4 participants (P01 to P04)"
    training, held_out = part(cohort, fold)
    assert set(training.participant.values) == {"P01", "P02", "P03", "P04"}
    assert set(held_out.participant.values) == {"P05"}
    moved = of_participants(
        cohort.isel(window=slice(None, None, -1)), names(cohort)[:4]
    )
    assert moved.key == fold.key and moved.training != fold.training
    inner_key = nested(cohort, fold, "participants")[0].key
    assert inner_key == fold.key + ", inner 1 of 4"


def test_what_cannot_be_split_is_said(cohort):
    one = cohort.isel(window=np.flatnonzero(cohort.participant.values == "P01"))
    with pytest.raises(DatasetError, match="only P01 is there"):
        folds(one, "participants")
    with pytest.raises(ParameterError, match="unknown protocol 'windows'"):
        folds(cohort, "windows")
    with pytest.raises(DatasetError, match="not in the data: P99"):
        of_participants(cohort, ["P99"])
    with pytest.raises(DatasetError, match="holds nobody out"):
        of_participants(cohort, names(cohort))
    clip = cohort.isel(
        window=np.flatnonzero(cohort["clip"].values == cohort["clip"].values[0])
    )
    with pytest.raises(DatasetError, match="at least two clips"):
        folds(clip, "clips")
    with pytest.raises(DatasetError, match="P01, P02, P03, P04, P05: only one trial"):
        folds(clip, "trials")
    with pytest.raises(DatasetError, match="fold 'mine' is of another data set"):
        part(cohort, Fold("mine", (0,), (10**6,), "mine"))
