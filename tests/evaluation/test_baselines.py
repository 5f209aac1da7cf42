"""What every baseline must do, whatever it learns; and what is particular to some."""

import dataclasses
import importlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.data.simulated import cohort as simulated
from mpcl.evaluation import tuning
from mpcl.evaluation.baselines import classical, ldl, neural
from mpcl.evaluation.baselines.catalogue import BASELINES, OPTIONAL
from mpcl.evaluation.baselines.emotiondict import EmotionDict
from mpcl.evaluation.baselines.helo import HeLo, transport
from mpcl.evaluation.baselines.inputs import inputs, measured, trial_weights
from mpcl.evaluation.floors import mean_label
from mpcl.evaluation.metrics import kl, participant_scores
from mpcl.freshness import ROOT
from mpcl.settings import ParameterError, Settings
from mpcl.splits import part
from mpcl.training import TrainingError

FOLD = ("P01", "P02", "P03", "P04")
QUICK = Settings(epochs=2, batch=16)
NETWORKS = ("mlp", "transformer", "emotiondict", "helo")
ALL = [*BASELINES, *(pytest.param(name, marks=pytest.mark.skipif(
    not importlib.util.find_spec("pyldl"), reason="PyLDL, the extra `peers`, is not installed")) for name in OPTIONAL)]


def make(name, how=QUICK, **options):
    return (BASELINES | OPTIONAL)[name](settings=how, **options)


def unlabelled(dataset):
    return dataset.drop_vars([name for name in dataset.data_vars
                              if name in ("distribution", "rating") or name.startswith("truth_")])


def only(dataset, keep):
    """The data set with those modalities alone that ``keep`` says of their name and branch."""
    drop = [name for name, values in dataset.data_vars.items()
            if "branch" in values.attrs and not keep(name, values.branch)]
    return dataset.drop_vars(drop)


def signals(dataset, change):
    """The data set with every modality changed."""
    return dataset.map(lambda values: change(values) if "branch" in values.attrs else values, keep_attrs=True)


@pytest.mark.parametrize("normalisation", ["transductive", "inductive"])
@pytest.mark.parametrize("name", ALL)
def test_every_baseline_predicts_distributions_without_labels_and_alike_each_time(cohort, name, normalisation):
    train, test = part(cohort, FOLD)
    how = Settings(epochs=2, batch=16, normalisation=normalisation)
    before = np.random.get_state()[1].copy(), torch.get_rng_state(), torch.get_num_threads()
    fitted = make(name, how, seed=3)
    assert fitted.fit(train) is fitted
    predicted = fitted.predict(unlabelled(test))
    assert predicted.shape == test.distribution.shape and predicted.dtype == np.float64
    assert (predicted >= 0).all() and np.allclose(predicted.sum(1), 1, atol=1e-9)
    assert np.array_equal(predicted, fitted.fit(train).predict(unlabelled(test))), "refitted, it is another"
    assert np.array_equal(predicted, make(name, how, seed=3).fit(train).predict(unlabelled(test)))
    after = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True)), "global state moved"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("keep", [lambda name, branch: name == "eda", lambda name, branch: branch == "behavioural",
                                  lambda name, branch: branch == "physiological"])
def test_one_modality_or_one_branch_is_enough(cohort, name, keep):
    train, test = part(only(cohort, keep), FOLD)
    predicted = make(name).fit(train).predict(unlabelled(test))
    assert np.isfinite(predicted).all() and np.allclose(predicted.sum(1), 1)


@pytest.mark.parametrize("name", ALL)
def test_two_emotions_are_enough(cohort, name):
    pair = cohort.isel(emotion=[0, 5])
    pair["distribution"] = pair.distribution / pair.distribution.sum("emotion")
    train, test = part(pair, FOLD)
    assert make(name).fit(train).predict(unlabelled(test)).shape == (test.sizes["window"], 2)


@pytest.mark.parametrize("name", ALL)
def test_missing_modalities_in_part_in_training_and_altogether(cohort, name):
    holes, rows = cohort.copy(deep=True), np.arange(cohort.sizes["window"])
    holes["eda"] = holes.eda.where(np.isin(cohort.participant, ("P05",))[:, None])  # nobody trains on it
    holes["face"] = holes.face.where(rows[:, None] % 3 > 0)
    train, test = part(holes, FOLD)
    blind = signals(unlabelled(test), lambda values: values * np.nan)
    fitted = make(name).fit(train)
    other = unlabelled(test).assign(eda=test.eda * 7 + 3)
    assert np.array_equal(fitted.predict(unlabelled(test)), fitted.predict(other)), "reads what nobody trained on"
    assert np.isfinite(fitted.predict(blind)).all()


@pytest.mark.parametrize("name", ALL)
def test_every_baseline_beats_the_mean_label_where_signals_tell(name):
    """Ten people in front of twelve clips, whose faces show noisy mixtures of the logarithms of their labels."""
    dataset, random = simulated(participants=10, clips=12, windows=2, seed=7), np.random.default_rng(0)
    logs = classical.log_ratios(dataset.distribution.values)
    shown = logs @ random.normal(size=(logs.shape[1], dataset.face.shape[1]))
    dataset["face"] = dataset.face.copy(data=shown + 0.3 * random.normal(size=shown.shape))
    train, test = part(dataset, tuple(f"P{number:02}" for number in range(1, 9)))
    predicted = make(name, Settings(epochs=10, batch=32)).fit(train).predict(unlabelled(test))
    ours, floor = (participant_scores(test, values).sel(metric="kl").mean() for values in (
        predicted, mean_label(train, test)))
    assert ours < 0.8 * floor


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "knn"])  # its neighbours would be anybody
def test_without_information_the_mean_label_is_predicted(cohort, name):
    """The mean label is what minimises the mean KL divergence where nothing else is known."""
    train, test = part(signals(cohort, lambda values: values.fillna(0) * 0 + 1), FOLD)
    predicted = make(name, Settings(epochs=10, batch=16)).fit(train).predict(unlabelled(test))
    assert kl(mean_label(train, test), predicted).max() < 0.01


def test_inputs_say_what_is_missing_and_weigh_trials_alike(cohort):
    train, test = part(cohort, FOLD)
    given_ = inputs(unlabelled(test), train, "transductive")
    assert given_.features.shape[1] == sum(test[name].shape[1] for name in measured(train))
    absent = ~given_.present[:, measured(train).index("face")]
    first = sum(test[name].shape[1] for name in measured(train)[: measured(train).index("face")])
    assert absent.any() or not test.face.isnull().all("face_feature").any()
    assert not given_.features[absent, first : first + test.face.shape[1]].any()
    long = train.isel(window=[0] * 30 + list(range(train.sizes["window"])))
    weights = trial_weights(long)
    assert np.allclose(np.bincount(np.unique(long.trial, return_inverse=True)[1], weights), len(weights) / 24)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 99))
def test_an_epoch_draws_trials_alike(windows, seed):
    trial = np.repeat(np.arange(len(windows)), windows)
    weight = len(trial) / len(windows) / np.array(windows)[trial]
    rows = neural.epoch_rows(weight, np.random.default_rng(seed))
    drawn = np.bincount(trial[rows], minlength=len(windows))
    assert len(rows) == len(trial) and (abs(drawn - len(trial) / len(windows)) < 1 + 1e-9).all()


def test_what_is_withheld_is_zero_and_never_everything():
    present = torch.tensor([[True, True], [True, False]]).repeat(20, 1)
    data = torch.ones(40, 3), present, torch.full((40, 2), 0.5)
    how = Settings(modality_dropout=0.9, mixup=0.0)
    features, kept, _ = neural.mixed(data, torch.tensor([1, 2]), np.arange(40), how, np.random.default_rng(0))
    assert kept.any(1).all() and not (kept & ~present).any() and not kept[::2].all()
    assert torch.equal(features.bool(), kept.repeat_interleave(torch.tensor([1, 2]), 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_missing_cannot_be_read_and_windows_do_not_see_one_another(cohort, name):
    fitted = make(name).fit(part(cohort, FOLD)[0])
    network, generator = fitted.network.eval(), torch.Generator().manual_seed(0)
    sizes = neural.about(fitted.training).sizes
    features = torch.randn(6, sum(sizes), generator=generator, dtype=torch.float64)
    present = torch.rand(6, len(sizes), generator=generator) < 0.5
    shown = present.repeat_interleave(torch.tensor(sizes), 1)
    with torch.no_grad():
        together = network(features * shown, present)
        assert torch.allclose(network((features * shown)[2:3], present[2:3])[0], together[2])
        if name != "mlp":  # there the standardised features are 0 where missing, and that is all
            assert torch.allclose(network(torch.where(shown, features, 1e3), present), together)


def test_a_diverging_network_says_so(cohort):
    how = Settings(epochs=2, batch=16, clip=1e300)
    with pytest.raises(TrainingError, match=r"loss of Perceptron is (nan|inf) in epoch \d, seed 4"):
        make("mlp", how, seed=4, learning_rate=1e300).fit(part(cohort, FOLD)[0])


def test_settings_of_the_loop_can_be_overridden():
    baseline = make("mlp", learning_rate=0.5, width=8)
    assert (baseline.settings.learning_rate, baseline.settings.epochs) == (0.5, 2)
    assert baseline.hyper["width"] == 8 and "learning_rate" not in baseline.hyper


def test_the_dictionary_stays_orthonormal_and_attention_goes_to_what_is_there(cohort):
    network = make("emotiondict", elements=12).fit(part(cohort, FOLD)[0]).network.eval()
    assert isinstance(network, EmotionDict)
    elements = network.dictionary()
    assert torch.allclose(elements @ elements.mT, torch.eye(12, dtype=torch.float64), atol=1e-12)
    present = torch.tensor([[True, False, True, True, False, True, True]])
    latents, weights, attention = network.explain(torch.zeros(1, sum(network.tokens.sizes)).double(), present)
    assert torch.allclose(attention.sum(1), torch.ones(1).double()) and attention[~present].max() < 1e-12
    rest = latents - weights @ elements
    assert torch.allclose(rest @ elements.mT, torch.zeros(()).double(), atol=1e-10), "the rest is orthogonal to it"


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 200))
def test_the_transport_plan_has_the_masses_of_what_is_there(left, right, seed):
    generator = torch.Generator().manual_seed(seed)
    cost = 2 * torch.rand(3, left, right, generator=generator, dtype=torch.float64)
    sides = [torch.rand(3, size, generator=generator) < 0.7 for size in (left, right)]
    plan = transport(cost, *sides, epsilon=0.5, rounds=200)
    there = sides[0].any(1) & sides[1].any(1)
    for axis, side in ((2, sides[0]), (1, sides[1])):
        masses = side.double() / side.sum(1, keepdim=True).clamp_min(1) * there[:, None]
        assert torch.allclose(plan.sum(axis), masses, atol=1e-6)
    assert (plan >= 0).all()


def test_transport_finds_the_cheapest_pairs_and_heeds_its_loss(cohort):
    cost = torch.tensor([[[0.9, 0.1, 0.8], [0.2, 0.9, 0.9], [0.7, 0.8, 0.3]]], dtype=torch.float64)
    there = torch.ones(1, 3, dtype=torch.bool)
    assert torch.allclose(transport(cost, there, there, 0.01, 200) * 3, torch.eye(3)[[1, 0, 2]].double(), atol=1e-6)
    train, costs = part(cohort, FOLD)[0], []
    for weight in (0.0, 10.0):
        fitted = make("helo", Settings(epochs=15, batch=16), w_transport=weight, learning_rate=3e-3).fit(train)
        assert isinstance(fitted.network, HeLo)
        costs.append(fitted.network.eval().fuse(*fitted._tensors(train))[1].mean().item())
    assert costs[1] < 0.7 * costs[0]


def test_boosting_goes_down_the_gradient_of_kl():
    random = np.random.default_rng(0)
    features, weight = random.normal(size=(200, 3)), np.ones(200)
    labels = np.exp(features[:, :1] * [1.0, 0.0, -1.0])
    labels /= labels.sum(1, keepdims=True)
    fitted = [classical.boosting(features, labels, weight, np.random.default_rng(1), rounds=n) for n in (1, 10, 100)]
    losses = [kl(labels, predict(features)).mean() for predict in fitted]
    assert losses[0] > losses[1] > losses[2] and losses[2] < 0.05 * losses[0]


def test_without_pyldl_one_sentence_says_what_to_do(cohort, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(ldl.importlib, "import_module", absent)
    with pytest.raises(ParameterError, match=r"pip install -e '\.\[peers\]'"):
        make("pyldl-ldsvr").fit(part(cohort, FOLD)[0])
    with pytest.raises(ParameterError, match="unknown PyLDL algorithm 'os'"):
        BASELINES["ridge"].func(ldl.pyldl, algorithm="os").fit(part(cohort, FOLD)[0])


def test_every_method_has_as_many_points_to_try():
    assert set(tuning.SPACE) == {*BASELINES, "mpcl"}
    for space in tuning.SPACE.values():
        tried = tuning.candidates(space)
        assert len(tried) == tuning.TRIALS == len({json.dumps(hyper) for hyper in tried})
        assert tried == tuning.candidates(space)
        assert all(hyper[name] in space[name] for hyper in tried for name in hyper)


def test_defaults_are_what_tuning_found_best():
    record = pd.read_csv(ROOT / "data" / "results" / "tuning-simulated.csv")
    for method, own in record.groupby("method"):
        mean = own.groupby("hyper").kl.mean()
        assert len(mean) == tuning.TRIALS and own.groupby("hyper").cohort.nunique().eq(len(tuning.COHORTS)).all()
        if method in BASELINES:
            assert BASELINES[method].keywords == json.loads(mean.idxmin())


def test_a_sweep_changes_one_thing_at_a_time(monkeypatch):
    real = tuning.simulated.cohort
    monkeypatch.setattr(tuning.simulated, "cohort", lambda seed: real(participants=3, clips=3, windows=2, seed=seed))
    seen, fit = [], tuning.fit
    monkeypatch.setattr(tuning, "fit", lambda *given: seen.append((given[0], given[4])) or fit(*given))
    record = tuning.sweep(QUICK, [7], [0], {"width": [8], "moments": [1], "modalities": ["behavioural", "eda"]})
    assert record.groupby(["setting", "value"]).size().to_dict() == {
        ("default", ""): 3, ("width", "8"): 3, ("moments", "1"): 3, ("modalities", "behavioural"): 3,
        ("modalities", "eda"): 3}
    (plain, _), (wide, _), (_, moments), (branch, _), (lone, _) = seen
    assert wide == dataclasses.replace(plain, width=8) and moments == dataclasses.replace(QUICK, moments=1)
    assert set(branch.branches) == {"behavioural"} and [name for name, *_ in lone.modalities] == ["eda"]
    assert record.kl.nunique() > 12


def test_tuning_takes_the_best_of_what_it_records(cohort):
    train = part(cohort, FOLD)[0]
    best, record = tuning.tune("ridge", train, trials=4)
    mean = record.groupby("hyper").kl.mean()
    assert json.loads(mean.idxmin()) == best and record.shape == (16, 5)
    assert tuning.validate("mpcl", train, FOLD[:3], {"mixup": 0.0, "dropout": 0.1}, 0, QUICK) > 0
    with pytest.raises(ParameterError, match="nothing to tune in 'uniform'"):
        tuning.tune("uniform", train)
