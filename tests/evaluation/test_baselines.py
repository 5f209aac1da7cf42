"""What every baseline must do, whatever it learns; and what is particular to some."""

import importlib
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.make import tuning
from mpcl.data.contract import measured, modalities, trials
from mpcl.errors import ParameterError, TrainingError
from mpcl.evaluation.baselines import classical, ldl
from mpcl.evaluation.baselines.emotiondict import EmotionDict
from mpcl.evaluation.baselines.helo import HeLo, transport
from mpcl.evaluation.baselines.inputs import table
from mpcl.evaluation.blind import unlabelled
from mpcl.evaluation.floors import mean_label
from mpcl.evaluation.metrics import kl, participant_scores
from mpcl.evaluation.predict import held_out
from mpcl.evaluation.predictors import BASELINES, OPTIONAL, PREDICTORS
from mpcl.evaluation.predictors import make as named
from mpcl.provenance import ROOT
from mpcl.simulation.cohort import cohort as simulated
from mpcl.splits import inner, of_participants, part
from mpcl.training.batches import Draw, mixed_batch
from mpcl.training.batches import inputs as inputs_of_engine
from mpcl.training.loop import fit, make_replicas, predict
from mpcl.training.optimiser import parameter_groups
from mpcl.training.settings import Settings

FOLD = ("P01", "P02", "P03", "P04")
QUICK = Settings(epochs=2, batch=16)
NETWORKS = ("mlp", "transformer", "emotiondict", "helo")
ALL = [
    *BASELINES,
    *(
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not importlib.util.find_spec("pyldl"),
                reason="PyLDL, the extra `peers`, is not installed",
            ),
        )
        for name in OPTIONAL
    ),
]


def make(name, how=QUICK, seed=0, **options):
    predictor = named(name, how, **options)
    predictor.seed = seed
    return predictor


def split(dataset, people=FOLD):
    """The windows of the first four participants, and of the others."""
    return part(dataset, of_participants(dataset, people))


def only(dataset, keep):
    """The data set with the modalities that ``keep`` says of name and branch."""
    drop = [
        name
        for name, values in dataset.data_vars.items()
        if "branch" in values.attrs and not keep(name, values.branch)
    ]
    return dataset.drop_vars(drop)


def signals(dataset, change):
    """The data set with every modality changed."""
    return dataset.map(
        lambda values: change(values) if "branch" in values.attrs else values,
        keep_attrs=True,
    )


@pytest.mark.parametrize("normalisation", ["transductive", "inductive"])
@pytest.mark.parametrize("name", ALL)
def test_every_baseline_predicts_distributions_without_labels_and_alike_each_time(
    cohort, name, normalisation
):
    train, test = split(cohort)
    how = Settings(epochs=2, batch=16, normalisation=normalisation)
    before = (
        np.random.get_state()[1].copy(),
        torch.get_rng_state(),
        torch.get_num_threads(),
    )
    fitted = make(name, how, seed=3)
    assert fitted.fit(train) is fitted
    predicted = fitted.predict(unlabelled(test))
    assert predicted.shape == test.distribution.shape and predicted.dtype == np.float64
    assert (predicted >= 0).all() and np.allclose(predicted.sum(1), 1, atol=1e-9)
    assert np.array_equal(predicted, fitted.fit(train).predict(unlabelled(test))), (
        "refitted, it is another"
    )
    assert np.array_equal(
        predicted, make(name, how, seed=3).fit(train).predict(unlabelled(test))
    )
    after = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()
    assert all(
        np.array_equal(one, other) for one, other in zip(before, after, strict=True)
    ), "global state moved"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "keep",
    [
        lambda name, branch: name == "eda",
        lambda name, branch: branch == "behavioural",
        lambda name, branch: branch == "physiological",
    ],
)
def test_one_modality_or_one_branch_is_enough(cohort, name, keep):
    train, test = split(only(cohort, keep))
    predicted = make(name).fit(train).predict(unlabelled(test))
    assert np.isfinite(predicted).all() and np.allclose(predicted.sum(1), 1)


@pytest.mark.parametrize("name", ALL)
def test_two_emotions_are_enough(cohort, name):
    pair = cohort.isel(emotion=[0, 5])
    pair["distribution"] = pair.distribution / pair.distribution.sum("emotion")
    train, test = split(pair)
    assert make(name).fit(train).predict(unlabelled(test)).shape == (
        test.sizes["window"],
        2,
    )


@pytest.mark.parametrize("name", ALL)
def test_missing_modalities_in_part_in_training_and_altogether(cohort, name):
    holes, rows = cohort.copy(deep=True), np.arange(cohort.sizes["window"])
    holes["eda"] = holes.eda.where(
        np.isin(cohort.participant, ("P05",))[:, None]
    )  # nobody trains on it
    holes["face"] = holes.face.where(rows[:, None] % 3 > 0)
    train, test = split(holes)
    blind = signals(unlabelled(test), lambda values: values * np.nan)
    fitted = make(name).fit(train)
    other = unlabelled(test).assign(eda=test.eda * 7 + 3)
    assert np.array_equal(fitted.predict(unlabelled(test)), fitted.predict(other)), (
        "reads what nobody trained on"
    )
    assert np.isfinite(fitted.predict(blind)).all()


@pytest.mark.parametrize("name", ALL)
def test_every_baseline_beats_the_mean_label_where_signals_tell(name):
    """Ten people in front of twelve clips, whose faces show noisy mixtures of the
    logarithms of their labels."""
    dataset, random = (
        simulated(participants=10, clips=12, windows=2, seed=7),
        np.random.default_rng(0),
    )
    logs = classical.log_ratios(dataset.distribution.values)
    shown = logs @ random.normal(size=(logs.shape[1], dataset.face.shape[1]))
    dataset["face"] = dataset.face.copy(
        data=shown + 0.3 * random.normal(size=shown.shape)
    )
    train, test = split(dataset, [f"P{number:02}" for number in range(1, 9)])
    predicted = (
        make(name, Settings(epochs=10, batch=32)).fit(train).predict(unlabelled(test))
    )
    ours, floor = (
        participant_scores(test, values).sel(metric="kl").mean()
        for values in (predicted, mean_label(train, test))
    )
    assert ours < 0.8 * floor


@pytest.mark.parametrize(
    "name", [name for name in BASELINES if name != "knn"]
)  # its neighbours would be anybody
def test_without_information_the_mean_label_is_predicted(cohort, name):
    """The mean label minimises the mean KL divergence where nothing tells more."""
    train, test = split(signals(cohort, lambda values: values.fillna(0) * 0 + 1))
    predicted = (
        make(name, Settings(epochs=10, batch=16)).fit(train).predict(unlabelled(test))
    )
    assert kl(mean_label(train, test), predicted).max() < 0.01


def test_a_table_says_what_is_missing_and_trials_weigh_alike(cohort):
    face = cohort.face.where(np.arange(len(cohort.face))[:, None] % 3 > 0)
    train, test = split(cohort.assign(face=face))
    rows = table(unlabelled(test), train, "transductive", "windows")
    sizes = {name: test[name].shape[1] for name in measured(train)}
    assert rows.shape[1] == sum(sizes.values()) + len(sizes)
    is_absent = rows[:, sum(sizes.values()) + list(sizes).index("face")] == 0
    assert np.array_equal(is_absent, test.face.isnull().all("face_feature"))
    assert is_absent.any() and not is_absent.all()
    first = sum(sizes[name] for name in list(sizes)[: list(sizes).index("face")])
    shown = rows[:, first : first + sizes["face"]]
    assert not shown[is_absent].any() and shown[~is_absent].any()
    long = train.isel(window=[0] * 30 + list(range(train.sizes["window"])))
    grouped = trials(long)
    total = np.bincount(grouped.of_window, grouped.weights())
    assert np.allclose(total, long.sizes["window"] / 24)


def by_hand(replica, settings):
    """One network by torch's own autograd, clipping, AdamW and schedule, unstacked."""
    module, data = replica.network(settings), replica.inputs(settings, "cpu")
    groups = parameter_groups(module.named_parameters(), settings.weight_decay)
    optimiser = torch.optim.AdamW(groups, settings.learning_rate)
    steps = replica.windows.steps(settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.epochs * steps
    )
    masks = sum(math.prod(shape) for shape in module.mask_shapes)
    for epoch in range(settings.epochs):
        drawn = Draw(*map(torch.from_numpy, replica.draw(epoch, settings, masks)))
        for step in range(steps):
            features, present, target = mixed_batch(data, drawn.at(step))
            output = module(features, present, drawn.keep[step])
            terms = module.losses(output, target)
            weights = replica.weights()
            optimiser.zero_grad()
            sum(weights[term] * terms[term] for term in weights).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
    return module


@pytest.mark.parametrize("reads", ["trials", "windows"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_peer_in_the_stack_is_what_it_is_alone(cohort, name, reads):
    """Beside five others, and by an ordinary loop: the same to 1e-8."""
    folds = [of_participants(cohort, names) for names in (FOLD, FOLD[1:], FOLD[:3])]
    train, test = part(cohort, folds[1])
    network = named(name, QUICK, "cpu")
    how, changes = network.settings, network.changes | {"reads": reads}
    config = network.config.from_dataset(train, **changes)
    together = fit(config, cohort, folds, [0, 3], how, "cpu")
    assert (together.folds[3], together.seeds[3]) == (folds[1], 3)
    alone = fit(config, cohort, folds[1:2], [3], how, "cpu")
    (replica,) = make_replicas([config], cohort, folds[1:2], [3], how)
    models = [together.models[3], alone.models[0], by_hand(replica, how)]
    each = [predict(model, test, train, how) for model in models]
    for other in each[1:]:
        np.testing.assert_allclose(other, each[0], rtol=0, atol=1e-8)
    beside = predict(together.models[2], test, train, how)
    assert np.abs(beside - each[0]).max() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_missing_cannot_be_read_and_trials_do_not_see_one_another(cohort, name):
    fitted = make(name).fit(split(cohort)[0])
    (network,), generator = fitted.models, torch.Generator().manual_seed(0)
    sizes = [count for *_, count in network.config.modalities]
    shape = 6, 3, sum(sizes)
    features = torch.randn(shape, generator=generator, dtype=torch.float64)
    present = torch.rand(6, 3, len(sizes), generator=generator) < 0.5
    shown = present.repeat_interleave(torch.tensor(sizes), 2)
    with torch.no_grad():
        together = network(features, present).logits
        alone = network(features[2:3], present[2:3]).logits
        blind = network(torch.where(shown, features, 1e3), present).logits
        order = network(features[:, [2, 0, 1]], present[:, [2, 0, 1]]).logits
    assert torch.allclose(alone[0], together[2])
    assert torch.allclose(blind, together) and torch.allclose(order, together)


@pytest.mark.parametrize("name", NETWORKS)
def test_masks_drop_and_without_them_nothing_is_random(cohort, name):
    fitted = make(name).fit(split(cohort)[0])
    (network,), generator = fitted.models, torch.Generator().manual_seed(0)
    data = inputs_of_engine(cohort, cohort, network.config, QUICK)
    masks = sum(math.prod(shape) for shape in network.mask_shapes)
    keep = torch.rand(len(data.features), masks, generator=generator) > 0.3
    with torch.no_grad():
        full = network(data.features, data.present).logits
        kept = network(data.features, data.present, torch.ones_like(keep)).logits
        dropped = network(data.features, data.present, keep).logits
        assert torch.equal(full, network(data.features, data.present).logits)
    assert not torch.allclose(kept, dropped) and torch.isfinite(dropped).all()


@pytest.mark.parametrize("name", ["ridge", "knn", "forest", "trees", "boosting"])
def test_a_classical_learner_reads_a_trial_as_one_row(cohort, name):
    uneven = cohort.isel(window=np.r_[0:3, 5 : cohort.sizes["window"]])
    train, test = split(uneven)
    few = {"neighbours": 3} if name == "knn" else {}
    predicted = make(name, **few).fit(train).predict(unlabelled(test))
    grouped = trials(test)
    assert np.array_equal(predicted, predicted[grouped.first[grouped.of_window]])
    by_window = make(name, reads="windows", **few).fit(train).predict(unlabelled(test))
    assert not np.allclose(predicted, by_window)


def test_the_row_of_a_trial_is_the_mean_of_what_is_present(cohort):
    face = cohort.face.where(np.arange(len(cohort.face))[:, None] % 3 > 0)
    holes = cohort.assign(face=face)
    windows = table(holes, holes, "transductive", "windows")
    rows = table(holes, holes, "transductive", "trials")
    names, grouped = measured(holes), trials(holes)
    sizes = {name: holes[name].shape[1] for name in names}
    place = len(windows[0]) - len(names) + names.index("face")
    begin = sum(sizes[name] for name in names[: names.index("face")])
    columns = slice(begin, begin + sizes["face"])
    for number in range(len(rows)):
        of_trial = windows[grouped.of_window == number]
        is_present = of_trial[:, place] == 1
        assert rows[number, place] == is_present.any()
        expected = of_trial[is_present][:, columns].mean(0) if is_present.any() else 0
        np.testing.assert_allclose(rows[number, columns], expected, atol=1e-12)


def test_trees_are_the_same_on_one_core_and_on_two(cohort, monkeypatch):
    train, test = split(cohort)
    for name in ("trees", "forest"):
        both = make(name).fit(train).predict(unlabelled(test))
        monkeypatch.setattr(classical, "CORES", 1)
        assert np.array_equal(both, make(name).fit(train).predict(unlabelled(test)))
        monkeypatch.undo()


def test_a_diverging_network_says_so(cohort):
    how = Settings(epochs=2, batch=16, clip=1e300)
    with pytest.raises(TrainingError, match=r"'\w+' is (nan|inf) in epoch \d, seed 4"):
        make("mlp", how, seed=4, learning_rate=1e300).fit(split(cohort)[0])


def test_the_dictionary_stays_orthonormal_and_attention_goes_to_what_is_there(cohort):
    (network,) = make("emotiondict", elements=12).fit(split(cohort)[0]).models
    assert isinstance(network, EmotionDict)
    elements = network.dictionary()
    assert torch.allclose(
        elements @ elements.mT, torch.eye(12, dtype=torch.float64), atol=1e-12
    )
    present = torch.tensor([[True, False, True, True, False, True, True]])
    count = sum(count for *_, count in network.config.modalities)
    said = network(torch.zeros(1, 1, count).double(), present[:, None])
    assert torch.allclose(said.attention.sum(1), torch.ones(1).double())
    assert said.attention[~present].max() < 1e-12
    assert ((said.unexplained >= 0) & (said.unexplained <= 1)).all()


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
    cost = torch.tensor(
        [[[0.9, 0.1, 0.8], [0.2, 0.9, 0.9], [0.7, 0.8, 0.3]]], dtype=torch.float64
    )
    there = torch.ones(1, 3, dtype=torch.bool)
    assert torch.allclose(
        transport(cost, there, there, 0.01, 200) * 3,
        torch.eye(3)[[1, 0, 2]].double(),
        atol=1e-6,
    )
    train, costs = split(cohort)[0], []
    for weight in (0.0, 10.0):
        fitted = make(
            "helo",
            Settings(epochs=15, batch=16),
            w_transport=weight,
            learning_rate=3e-3,
        ).fit(train)
        (network,) = fitted.models
        assert isinstance(network, HeLo)
        data = inputs_of_engine(train, train, network.config, fitted.settings)
        with torch.no_grad():
            costs.append(network(data.features, data.present).cost.mean().item())
    assert costs[1] < 0.7 * costs[0]


def test_boosting_goes_down_the_gradient_of_kl():
    random = np.random.default_rng(0)
    features, weight = random.normal(size=(200, 3)), np.ones(200)
    labels = np.exp(features[:, :1] * [1.0, 0.0, -1.0])
    labels /= labels.sum(1, keepdims=True)
    fitted = [
        classical.boosting(features, labels, weight, np.random.default_rng(1), rounds=n)
        for n in (1, 10, 100)
    ]
    losses = [kl(labels, predict(features)).mean() for predict in fitted]
    assert losses[0] > losses[1] > losses[2] and losses[2] < 0.05 * losses[0]


def test_without_pyldl_one_sentence_says_what_to_do(cohort, monkeypatch):
    def absent(name):
        raise ImportError(name)

    known, unknown = make("pyldl-ldsvr"), make("pyldl-ldsvr", algorithm="os")
    monkeypatch.setattr(ldl.importlib, "import_module", absent)
    with pytest.raises(ParameterError, match=r"pip install -e '\.\[peers\]'"):
        known.fit(split(cohort)[0])
    with pytest.raises(ParameterError, match="unknown PyLDL algorithm 'os'"):
        unknown.fit(split(cohort)[0])


def test_every_method_has_as_many_points_to_try():
    assert set(tuning.SPACE) == {*BASELINES, "mpcl"}
    for space in tuning.SPACE.values():
        tried = tuning.candidates(space)
        assert (
            len(tried) == tuning.TRIALS == len({json.dumps(hyper) for hyper in tried})
        )
        assert tried == tuning.candidates(space)
        assert all(hyper[name] in space[name] for hyper in tried for name in hyper)


def test_defaults_are_what_tuning_found_best():
    record = pd.read_csv(ROOT / "data" / "results" / "tuning-simulated.csv")
    assert set(record.predictor) == {*BASELINES, "mpcl"}
    for name, tried in record.groupby("predictor"):
        mean = tried.groupby("hyper").kl.mean()
        assert len(mean) == tuning.TRIALS
        cohorts = tried.groupby("hyper").cohort.nunique()
        assert (cohorts == len(tuning.COHORTS)).all()
        if name in BASELINES:
            assert PREDICTORS[name].parameters == json.loads(mean.idxmin())


def test_a_sweep_changes_one_thing_at_a_time(monkeypatch):
    real = tuning.simulated.cohort
    monkeypatch.setattr(
        tuning.simulated,
        "cohort",
        lambda seed: real(participants=3, clips=3, windows=2, seed=seed),
    )
    seen, predict = [], tuning.held_out

    def noted(dataset, *given, **changes):
        seen.append((modalities(dataset), changes))
        return predict(dataset, *given, **changes)

    monkeypatch.setattr(tuning, "held_out", noted)
    changes = {"width": [8], "moments": [1], "modalities": ["behavioural", "eda"]}
    record = tuning.sweep(QUICK, [7], [0], changes)
    assert record.groupby(["setting", "value"]).size().to_dict() == {
        ("default", ""): 3,
        ("width", "8"): 3,
        ("moments", "1"): 3,
        ("modalities", "behavioural"): 3,
        ("modalities", "eda"): 3,
    }
    (every, default), (_, wide), (_, moments), (branch, _), (alone, _) = seen
    assert (default, wide, moments) == ({}, {"width": 8}, {"moments": 1})
    assert set(branch) == set(modalities(real(participants=3), "behavioural"))
    assert alone == ["eda"] and len(every) > len(branch)
    assert record.kl.nunique() > 12


def test_validation_is_blind(cohort):
    """Neither label, clip nor condition reaches who is tuned; only who is held out
    counts."""
    train = split(cohort)[0]
    fold = inner(train, "participants")[0]

    class Recorder:
        def fit(self, training):
            self.mean = training.distribution.mean("window").values

        def predict(self, test):
            answers = {"distribution", "rating", "clip", "condition"}
            assert not answers & set(test.variables)
            assert not [name for name in test.variables if name.startswith("truth_")]
            return np.tile(self.mean, (test.sizes["window"], 1))

    score = tuning.validate(Recorder(), train, fold, {})
    test = train.isel(window=list(fold.held_out))
    others = train.isel(window=list(fold.training))
    expected = participant_scores(test, mean_label(others, test)).sel(metric="kl")
    assert score == pytest.approx(expected.mean().item())
    hyper = {"mixup": 0.0, "dropout": 0.1}
    assert 0 < tuning.validate("mpcl", train, fold, hyper, 0, QUICK) < 1


def test_every_point_is_tried_on_each_cohort(monkeypatch):
    real = tuning.simulated.cohort
    monkeypatch.setattr(
        tuning.simulated,
        "cohort",
        lambda seed: real(participants=5, clips=3, windows=1, seed=seed),
    )
    record = tuning.tune_simulated("ridge", trials=3, cohorts=(7, 8))
    assert record.groupby("trial").cohort.apply(list).tolist() == [[7, 8]] * 3
    hyper = json.loads(record.hyper[0])
    folds = inner(real(participants=5, clips=3, windows=1, seed=8), "participants")
    guess = held_out(
        real(participants=5, clips=3, windows=1, seed=8),
        "ridge",
        folds=[folds[1]],
        **hyper,
    )
    assert guess.predicted[0, list(folds[1].held_out)].notnull().all()
