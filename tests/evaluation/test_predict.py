"""Predictions of held-out windows, and the predictors by name."""

import numpy as np
import pytest
import xarray as xr

from mpcl.data.contract import modalities
from mpcl.errors import DatasetError, ParameterError
from mpcl.evaluation import predictors
from mpcl.evaluation.blind import unlabelled, without
from mpcl.evaluation.check import check_predictor
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.evaluation.networks import Network
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import METHODS, PREDICTORS, made, make
from mpcl.model.config import MPCLConfig
from mpcl.normalisation import standardise
from mpcl.splits import folds, of_participants, part
from mpcl.training.settings import Settings

QUICK = Settings(epochs=1, batch=32)


class Mean:
    """The mean of the training labels."""

    def fit(self, training):
        self.mean = training.distribution.mean("window").values

    def predict(self, test):
        return np.tile(self.mean, (test.sizes["window"], 1))


def test_ones_own_predictor_is_copied_for_each_fold_and_seed(cohort):
    class Seeded(Mean):
        seed, settings, device = 0, None, None

        def predict(self, test):
            random = np.random.default_rng(self.seed)
            return random.dirichlet(self.mean, test.sizes["window"])

    mine = Seeded()
    guess = held_out(cohort, mine, "participants", [3, 4], QUICK, "cpu")
    assert not hasattr(mine, "mean") and mine.seed == 0 and mine.settings is None
    assert guess.seed.values.tolist() == [3, 4]
    assert not np.allclose(*guess.predicted.values)
    assert guess.attrs["predictor"] == "Seeded"
    with pytest.raises(ParameterError, match="alpha: give parameters to the predictor"):
        held_out(cohort, mine, alpha=1)


def test_windows_that_no_fold_holds_out_are_nan(cohort):
    fold = folds(cohort, "participants")[1]
    guess = held_out(cohort, "uniform", folds=[fold]).predicted[0]
    is_held_out = np.isin(range(len(guess)), fold.held_out)
    assert np.array_equal(guess.notnull().all("emotion"), is_held_out)


def test_changes_are_settings_or_parameters(cohort):
    ridge, other = (
        held_out(cohort, "ridge", alpha=alpha).predicted for alpha in (1.0, 1e9)
    )
    assert not np.allclose(ridge, other)
    mlp = make("mlp", QUICK, learning_rate=0.5, width=8)
    assert mlp.settings.learning_rate == 0.5 and mlp.settings.epochs == 1
    assert mlp.changes["width"] == 8 and "learning_rate" not in mlp.changes
    assert mlp.settings.weight_decay == PREDICTORS["mlp"].parameters["weight_decay"]
    few = held_out(cohort, "mpcl", settings=QUICK, device="cpu", betas=(1.0,), width=8)
    assert few.predicted.notnull().all()


def test_without_a_branch_the_same_networks_are_told_nothing_of_it(cohort):
    """Whatever the lost branch held, predictions are the same; the other counts."""
    names = modalities(cohort, "behavioural")
    fold = folds(cohort, "participants")[0]
    rows = list(fold.held_out)
    changed = cohort.copy(deep=True)
    for name in names:
        changed[name].values[rows] = 7.0

    def guess(dataset, split):
        made = held_out(dataset, "mpcl", split, [0], QUICK, "cpu", folds=[fold])
        return made.predicted.values[0, rows]

    lost = "participants-without-behavioural"
    np.testing.assert_array_equal(guess(cohort, lost), guess(changed, lost))
    assert not np.allclose(guess(cohort, "participants"), guess(cohort, lost))
    with pytest.raises(DatasetError, match="'chest' cannot be lost"):
        without(cohort, "chest")


def test_an_ensemble_averages_the_predictions_of_its_members(cohort):
    fold = folds(cohort, "participants")[:1]
    alone = held_out(cohort, "mpcl", "participants", [2, 3], QUICK, "cpu", folds=fold)
    pair = Network(settings=QUICK, device="cpu", members=2)
    both = held_out(cohort, pair, "participants", [1], folds=fold)
    expected = alone.predicted.mean("seed", skipna=False)
    np.testing.assert_allclose(both.predicted[0], expected, atol=1e-9)


def test_a_network_fitted_alone_is_the_one_of_the_cross_validation(cohort):
    fold = of_participants(cohort, ["P01", "P02", "P03"])
    training, test = part(cohort, fold)
    alone = make("mpcl", QUICK, "cpu").fit(training).predict(unlabelled(test))
    guess = held_out(cohort, "mpcl", settings=QUICK, device="cpu", folds=[fold])
    rows = list(fold.held_out)
    np.testing.assert_allclose(guess.predicted.values[0, rows], alone, atol=1e-12)


def test_data_without_a_single_value_is_refused(cohort):
    empty = cohort.assign({n: cohort[n].where(False) for n in modalities(cohort)})
    for name in ("mpcl", "ridge", "mlp"):
        with pytest.raises(DatasetError, match="no modality has a single value"):
            held_out(empty, name, settings=QUICK, device="cpu")
    with pytest.raises(DatasetError, match="no modality has a single value"):
        MPCLConfig.from_dataset(empty)


def test_floors_stand_in_front_and_unknown_names_are_refused():
    always = [*FLOORS, *CONDITIONAL]
    assert list(made("floors")) == always == list(made([]))
    assert list(made("all")) == list(METHODS)
    assert list(made(["ridge", "all"]))[6] == "ridge"
    assert "mpcl-no-cooccurrence" in METHODS and "pyldl-ldsvr" not in METHODS
    for words in ("mcpl", ["all", "mcpl"]):
        with pytest.raises(ParameterError, match="unknown method 'mcpl'"):
            made(words)
    with pytest.raises(ParameterError, match="'ridge' is taken"):
        made({"ridge": Mean()})
    with pytest.raises(ParameterError, match="'mine' needs fit"):
        made({"mine": "ridge"})


def test_ones_own_is_named_by_its_module(tmp_path, monkeypatch):
    source = """
from mpcl.errors import DatasetError
class Mine:
    def fit(self, training): ...
    def predict(self, test): ...
class Asking(Mine):
    def __init__(self, size): ...
"""
    (tmp_path / "my_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert type(made("my_module:Mine")["Mine"]).__name__ == "Mine"
    for word, sentence in {
        "my_module:Yours": "no attribute 'Yours'",
        "your_module:Mine": "No module named 'your_module'",
        "my_module:Asking": "missing 1 required positional argument",
        ":Mine": "Empty module name",
    }.items():
        with pytest.raises(ParameterError, match=f"^{word}.*{sentence}"):
            made(word)


HEAVY = ("mpcl-ensemble", "mpcl-stacked")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in METHODS],
)
def test_every_predictor_keeps_the_contract(name):
    check_predictor(name, Settings(epochs=1, batch=32), **FEW.get(name, {}))


FEW = {"forest": {"trees": 3}, "trees": {"count": 3}, "boosting": {"rounds": 2}}


class NeedsClips(Mean):
    def predict(self, test):
        return test["clip"].values


class ReadsLabels(Mean):
    def fit_folds(self, dataset, folds, seeds, protocol):
        for fold in folds:
            self.mean = dataset.distribution.values[fold.held_out[0]]
            yield fold, seeds[0], self


class OneTooFew(Mean):
    def predict(self, test):
        return super().predict(test)[1:]


class TooMuch(Mean):
    def predict(self, test):
        return 2 * super().predict(test)


class ChangesSignals(Mean):
    def fit(self, training):
        super().fit(training)
        training.eda.values[:] = 0


class NeverTheSame(Mean):
    count = iter(range(1000))

    def predict(self, test):
        random = np.random.default_rng(next(self.count))
        return random.dirichlet(self.mean, test.sizes["window"])

    def __deepcopy__(self, memo):
        return NeverTheSame()


class FailsWithoutSignals(Mean):
    def fit(self, training):
        super().fit(training)
        features = standardise(training, training).features
        assert all(np.ptp(values) > 0 for values in features.values())


class Refuses(Mean):
    def fit(self, training):
        super().fit(training)
        if any(training[name].isnull().all() for name in modalities(training)):
            raise DatasetError("a modality is missing; leave it out")


@pytest.mark.parametrize(
    ("predictor", "sentence"),
    [
        (NeedsClips(), "without labels, ratings, clip and condition: .*clip"),
        (ReadsLabels(), "must not read the labels of held-out windows"),
        (OneTooFew(), "OneTooFew must predict distributions"),
        (TooMuch(), "TooMuch must predict distributions"),
        (ChangesSignals(), "must not change the windows"),
        (NeverTheSame(), "must predict the same when it learns again"),
        (FailsWithoutSignals(), "must survive a modality that nobody has, .*Assertion"),
    ],
)
def test_what_breaks_the_contract_is_named(predictor, sentence):
    with pytest.raises(ParameterError, match=sentence):
        check_predictor(predictor)


def test_what_keeps_the_contract_or_refuses_in_a_sentence_passes():
    check_predictor(Mean())
    check_predictor(Refuses())


def test_every_entry_names_what_there_is():
    for name, entry in PREDICTORS.items():
        for word in (entry.wrapper, entry.target):
            assert not word or predictors.load(word), name
        assert set(entry.parts) <= set(PREDICTORS)


def test_a_study_is_left_as_it_was(cohort):
    before = cohort.copy(deep=True)
    held_out(cohort, "ridge")
    xr.testing.assert_identical(cohort, before)
