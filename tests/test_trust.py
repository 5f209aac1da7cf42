"""What holds for data sets that nobody thought of; each test is one promise."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mpcl import splits
from mpcl.data import contract
from mpcl.data.copies import copies
from mpcl.data.storable import spelling
from mpcl.errors import DatasetError, NotApplicable
from mpcl.evaluation import blind, metrics, results, statistics, tables
from mpcl.evaluation.check import REFUSALS
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.predict import held_out
from mpcl.training.settings import Settings
from tests.strategies import datasets, spoilt

EXPLORING = "MPCL_EXAMPLES" in os.environ  # many, and none is made smaller
FEW = int(os.environ.get("MPCL_EXAMPLES", 12))  # of each property in `make test`
few = settings(
    max_examples=FEW,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[phase for phase in Phase if not (EXPLORING and phase is Phase.shrink)],
)


def sentence_of(error):
    assert len(error.violations) > 1 or "\n" not in str(error), error
    return str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def written_and_read(dataset, folder):
    again = contract.read(contract.write(dataset, folder / "any.nc"))
    assert contract.fingerprint(again) == contract.fingerprint(dataset)
    for name in dataset.variables:
        assert name in again.variables and (name in again.coords) == (
            name in dataset.coords
        )
    return again


@given(dataset=datasets())
@few
def test_what_the_strategy_makes_is_within_the_contract(dataset, folder):
    contract.check(dataset)
    contract.summary(written_and_read(dataset, folder))
    copies(dataset)


@given(dataset=spoilt())
@few
def test_what_the_gate_admits_is_written_and_comes_back(dataset, folder):
    """Whatever was done to a data set, it is refused in sentences or it comes back."""
    try:
        contract.check(dataset)
    except DatasetError as error:
        sentence_of(error)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written_and_read(dataset, folder)


@given(dataset=spoilt())
@few
def test_nobody_stands_on_both_sides(dataset):
    """No person in two spellings, no trial, no held-out window that also trains."""
    try:
        contract.check(dataset)
    except DatasetError:
        return
    for protocol in splits.PROTOCOLS:
        try:
            folds = splits.folds(dataset, protocol)
        except DatasetError as error:
            sentence_of(error)
            continue
        for fold in folds:
            assert fold.training and fold.held_out
            assert not {*fold.training} & {*fold.held_out}
            of = {
                "leave-one-participant-out": "participant",
                "participants": "participant",
                "clips": "participant",
                "trials": "trial",
            }.get(protocol)
            if of:
                first, second = (
                    {spelling(str(n)) for n in side[of].values}
                    for side in splits.part(dataset, fold)
                )
                assert not first & second


def refusals_of(error):
    assert len(str(error).splitlines()) == 1, error


@given(dataset=datasets(), data=st.data())
@few
def test_scores_do_not_depend_on_which_window_stands_first(dataset, data):
    """Nothing of a trial is read from its first window alone."""
    size = dataset.sizes["window"]
    order = np.array(data.draw(st.permutations(range(size))))
    predicted = np.random.default_rng(0).dirichlet(
        np.ones(dataset.sizes["emotion"]), size
    )
    for level in metrics.LEVELS:
        plain = metrics.participant_scores(dataset, predicted, level)
        turned = metrics.participant_scores(
            dataset.isel(window=order), predicted[order], level
        )
        np.testing.assert_allclose(plain, turned, atol=1e-6)


@given(dataset=datasets(), seed=st.integers(0, 9))
@few
def test_labels_are_shuffled_or_it_is_said_that_they_cannot_be(dataset, seed):
    label, grouped = dataset.distribution.values, contract.trials(dataset)
    try:
        dealt = blind.shuffled(dataset, seed).distribution.values
    except NotApplicable:
        for name in splits.names(dataset):
            rows = dataset.participant.values == name
            trials = {
                label[grouped.of_window == place].tobytes()
                for place in {*grouped.of_window[rows]}
            }
            assert len(trials) == 1 or len(np.unique(label[rows], axis=0)) == 1
        return
    assert not np.array_equal(dealt, label)
    for name in splits.names(dataset):
        rows = dataset.participant.values == name
        assert {*map(bytes, dealt[rows])} <= {*map(bytes, label[rows])}


@given(
    values=st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=1, max_size=9)
)
@few
def test_an_interval_needs_six_people_who_differ(values):
    mean, lower, upper = statistics.interval(np.array(values))
    if len(values) < 6 or len({*values}) == 1:
        assert np.isclose(mean, np.mean(values)) and np.isnan([lower, upper]).all()
    else:
        assert lower < mean < upper


def test_no_star_stands_beside_a_p_above_5_percent():
    random = np.random.default_rng(0)
    for people in range(2, 9):
        family = random.normal(0.5, 1, (5, people))
        bounds = statistics.holm_intervals(family)
        p = statistics.holm([statistics.sign_flip(values) for values in family])
        is_starred = (bounds[:, 1] > 0) | (bounds[:, 2] < 0)
        assert not (is_starred & (p > 0.05)).any()


@given(dataset=datasets())
@few
def test_what_the_gate_admits_is_predicted(dataset):
    """By floors and the ridge, under every protocol; or it is refused in a sentence."""
    for protocol in splits.PROTOCOLS:
        for method in (*FLOORS, *CONDITIONAL, "ridge"):
            try:
                made = held_out(dataset, method, protocol)
            except REFUSALS as error:
                refusals_of(error)
                continue
            guess = made.predicted.values[0]
            is_told = np.isfinite(guess).all(1)
            assert is_told.any() and np.allclose(guess[is_told].sum(1), 1, atol=1e-4)
            for level in metrics.LEVELS:
                metrics.participant_scores(dataset, guess, level)


TINY = Settings(epochs=1, batch=4)


def test_folds_smaller_than_a_batch_train_together():
    """Three people whose trials have one, two and three windows."""
    from mpcl.simulation.cohort import cohort

    dataset = cohort(participants=3, clips=3, windows=3, seed=1)
    person = np.unique(dataset.participant.values, return_inverse=True)[1]
    moment = np.arange(dataset.sizes["window"]) % 3
    dataset = dataset.isel(window=np.flatnonzero(moment <= person))
    held_out(dataset, "mpcl", "leave-one-participant-out", settings=Settings(epochs=1))


@given(dataset=datasets())
@settings(few, max_examples=max(3, FEW // 6))
def test_what_the_gate_admits_trains_a_network(dataset):
    """An epoch of MPCL; or it is refused in a sentence."""
    for protocol in ("participants", "trials"):
        try:
            guess = held_out(dataset, "mpcl", protocol, settings=TINY).predicted.values[
                0
            ]
        except REFUSALS as error:
            refusals_of(error)
            continue
        is_told = np.isfinite(guess).all(1)
        assert is_told.any() and np.allclose(guess[is_told].sum(1), 1, atol=1e-4)


@given(dataset=datasets())
@settings(few, max_examples=max(3, FEW // 3))
def test_what_the_gate_admits_is_scored_resumed_and_tabled(dataset, folder):
    out = folder / "scored.nc"
    out.unlink(missing_ok=True)
    try:
        scored = results.evaluate(dataset, "ridge", "trials", device="cpu", out=out)
    except REFUSALS as error:
        refusals_of(error)
        return
    again = results.evaluate(dataset, "ridge", "trials", device="cpu", out=out)
    xr.testing.assert_equal(again, scored)
    assert len(tables.table(scored, metrics=None)) >= 6
    tables.difference_table(scored, "ridge")
    tables.participant_table(scored)
    assert "–" in tables.table(scored).loc["ridge"].iloc[0]
    assert len({*dataset.participant.values}) < 6  # too few for an interval
    assert tables.table(scored).loc["uniform"].iloc[0].endswith(" –")


def test_readers_of_trials_learn_the_mean_label(cohort):
    """Case: neutral first windows. The order of the labels in a trial is not read."""
    given = cohort.copy(deep=True)
    label = given.distribution.values
    label[:] = np.eye(label.shape[1])[3] * 0.9 + 0.1 / label.shape[1]
    label[contract.trials(cohort).first] = 1 / label.shape[1]
    turned = given.copy(deep=True)
    turned.distribution.values[:] = label.reshape(-1, 2, label.shape[1])[
        :, ::-1
    ].reshape(label.shape)
    first, second = (
        held_out(each, "mpcl", settings=Settings(epochs=3)).predicted.values
        for each in (given, turned)
    )
    np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.slow
def test_all_of_them_with_many_examples():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "not slow"]
    ran = subprocess.run(
        [*command, "-p", "no:cacheprovider", __file__],
        env=os.environ | {"MPCL_EXAMPLES": "200"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
