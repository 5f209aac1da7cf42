"""The network: its settings, switches, losses, and what its output depends on."""

import copy
import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from mpcl.errors import ParameterError
from mpcl.model.config import SWITCHES, MPCLConfig
from mpcl.model.cooccurrence import cooccurrence_matrix, log_correlation
from mpcl.model.labels import LabelStatistics
from mpcl.model.network import MPCL
from mpcl.training.optimiser import parameter_groups

MODALITIES = (("eeg", "p", 4), ("face", "b", 3), ("eda", "p", 2))
EMOTIONS, VALENCE = ("joy", "pride", "fear", "anger"), (1, 1, -1, -1)
OFF = dict.fromkeys(SWITCHES, False)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def build(
    seed=0,
    modalities=MODALITIES,
    emotions=EMOTIONS,
    valence=VALENCE,
    trials=50,
    **overrides,
):
    settings = {
        "width": 8,
        "w_writing": 0.1,
        "prototypes_per_emotion": 3,
        "groups": 3,
        "code": 5,
    }
    settings |= {"cooccurrence_strength": 30.0} | overrides
    labels = np.random.default_rng(0).dirichlet(np.ones(len(emotions)), 20)
    correlation = log_correlation(torch.from_numpy(labels))
    prior = torch.arange(1.0, len(emotions) + 1) / sum(range(len(emotions) + 1))
    config = MPCLConfig(modalities, emotions, valence, **settings)
    statistics = LabelStatistics(prior, correlation, trials)
    return config.build(statistics, generator(seed)).double()


def batch(model, rows=12, moments=3, seed=1):
    source = generator(seed)
    modalities, emotions = model.config.modalities, len(model.config.emotions)
    features = torch.randn(
        rows, moments, sum(count for *_, count in modalities), generator=source
    ).double()
    present = torch.rand(rows, moments, len(modalities), generator=source) > 0.3
    present[0], present[1], present[2, 1:] = (
        True,
        False,
        False,
    )  # all there, nothing, a trial of one moment
    return (
        features,
        present,
        torch.rand(rows, emotions, generator=source).double().log_softmax(-1).exp(),
    )


def dropout(model, seed=0, rows=12):
    shape = rows, sum(math.prod(shape) for shape in model.mask_shapes)
    return torch.rand(shape, generator=generator(seed)) >= model.config.dropout


def columns(model, present):
    """Of each feature, whether its modality is there (row, moment, feature)."""
    counts = torch.tensor([count for *_, count in model.config.modalities])
    return present.repeat_interleave(counts, -1)


def flat(output):
    """The tensors of an output by name; those of the branches numbered."""
    tensors = {}
    for name, value in output._asdict().items():
        several = value if isinstance(value, tuple) else (value,)
        for number, tensor in enumerate(several):
            if tensor is not None:
                tensors[f"{name} {number}"] = tensor
    return tensors


def equal(one, other, **tolerance):
    tolerance = tolerance or {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(flat(one), flat(other), **tolerance)


def total(model, output, target):
    terms, weights = model.losses(output, target), model.config.loss_weights()
    return sum(weights[name] * value for name, value in terms.items())


def train(model, steps=4):
    features, present, target = batch(model)
    optimiser = torch.optim.AdamW(
        parameter_groups(model.named_parameters(), 0.3), lr=1e-2
    )
    for step in range(steps):
        loss = total(model, model(features, present, dropout(model, step)), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


def test_settings_that_are_not_valid_are_refused_all_at_once():
    wrong = {
        "modalities": (("eeg", "p", 0), ("eeg", "b", 3), ("eda", "c", 2)),
        "emotions": ("joy", "joy"),
        "valence": (1, 2, 0),
        "width": 7,
        "betas": (),
        "temperature": float("nan"),
        "dropout": 1.0,
        "w_relation": -1,
        "silent_views": "nobody",
    }
    with pytest.raises(ParameterError) as caught:
        MPCLConfig(**wrong)
    message = str(caught.value)
    for words in (
        "names",
        "branches",
        "emotions",
        "valence",
        "width must be even",
        "betas",
        "nan",
        "dropout",
        "w_",
        "silent_views",
    ):
        assert words in message, words
    assert message.count("\n") == 11
    wrong = {
        "width": 4.0,
        "prototypes_per_emotion": 0,
        "betas": (1.0, 0.0),
        "cooccurrence_strength": 0.0,
        "dropout": -0.1,
        "temperature": True,
        "w_prototypes": float("inf"),
        "w_relation": "1",
        "memory": 1,
        "groups": 0,
        "code": 2.0,
        "silent_views": True,
    }
    for name, value in wrong.items():
        with pytest.raises(ParameterError, match="w_" if name[:2] == "w_" else name):
            MPCLConfig(MODALITIES, EMOTIONS, VALENCE, **{name: value})
    with pytest.raises(dataclasses.FrozenInstanceError):
        MPCLConfig(MODALITIES, EMOTIONS, VALENCE).width = 4


@pytest.mark.parametrize(
    ("case", "off"),
    [
        ({}, []),
        ({"modalities": MODALITIES[::2]}, ["distillation"]),
        ({"modalities": MODALITIES[:2]}, ["modality_memory"]),
        ({"multiscale": False}, ["memory"]),
        (
            {"modalities": MODALITIES[1:2], "betas": (1.0,)},
            ["modality_memory", "distillation"],
        ),
        (
            {"emotions": EMOTIONS[1:3], "valence": (1, -1)},
            ["cooccurrence", "compression"],
        ),
        ({"valence": (1, 1, 1, 1), "learned_groups": False}, []),
        ({"prototypes": False, "memory": False}, []),
    ],
)
def test_what_cannot_apply_is_off_says_so_and_the_rest_trains(case, off):
    model = build(**case)
    assert list(model.config.switched_off) == off
    assert not any(getattr(model.config, name) for name in off)
    before = copy.deepcopy(model.state_dict())
    features, present, _ = batch(model)
    train(model)
    output = flat(model(features, present))
    assert all(value.isfinite().all() for value in output.values())
    unmoved = [
        name
        for name, value in model.named_parameters()
        if torch.equal(value, before[name])
    ]
    expected = []  # what has nothing to weigh
    if case.get("betas") == (1.0,):
        expected = ["fusion.0.moments.gate"]
    if not case.get("prototypes", True):
        expected = ["compression.alpha"]
    assert unmoved == expected


REMOVES = {  # the parameters that a switch takes away, and those that it brings
    "multiscale": ("moments", ""),
    "modality_memory": ("modalities|amount", ""),
    "memory": ("moments", ""),
    "several_betas": ("", ""),
    "prototypes": ("banks", "embeddings"),
    "banks_alone": ("", "banks.gate|banks.past_weight"),
    "writing": ("", ""),
    "distillation": ("", ""),
    "cooccurrence": ("recall", ""),
    "cooccurrence_gate": ("recall.gate", ""),
    "compression": ("compression", "head"),
    "learned_groups": ("compression.moved", ""),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_trains_and_removes_its_parameters_and_terms(switch):
    full, model = build(), train(build(**{switch: False}))
    names, all_names = (set(dict(each.named_parameters())) for each in (model, full))
    taken, brought = REMOVES[switch]
    for pattern, changed in ((taken, all_names - names), (brought, names - all_names)):
        assert bool(pattern) == bool(changed)
        assert all(re.search(pattern, name) for name in changed)
    for name in all_names - names:  # and no other of the kind is left
        assert not [other for other in names if other.split(".")[-2:] == name]
    features, present, target = batch(model)
    terms = set(model.losses(model(features, present), target))
    lost = {
        "prototypes": {"prototypes", "relation", "writing"},
        "distillation": {"teacher", "label", "relation"},
    }
    every = {"kl", "prototypes", "writing", "relation", "teacher", "label"}
    assert terms == every - lost.get(switch, set())
    weights = model.config.loss_weights()
    assert {name for name, weight in weights.items() if weight} <= terms


def test_who_teaches_the_single_branches():
    """The control of distillation: the same views, taught by the label."""
    cases = {
        (True, "teacher"): {"relation", "teacher"},
        (True, "label"): {"relation", "label"},
        (True, "none"): {"relation"},
        (False, "teacher"): set(),
        (False, "label"): {"label"},
        (False, "none"): set(),
    }
    for (distillation, teacher), terms in cases.items():
        model = build(distillation=distillation, silent_views=teacher)
        weights = model.config.loss_weights()
        used = {name for name, weight in weights.items() if weight}
        assert used == terms | {"kl", "prototypes", "writing"}
        features, present, target = batch(model)
        assert used <= set(model.losses(model(features, present), target))
        assert model.config.architecture() == build().config.architecture()
    alone = build(modalities=MODALITIES[::2], silent_views="label").config
    assert not alone.loss_weights()["label"]


def test_with_all_switches_off_it_reads_the_mean_moment_with_a_linear_head():
    model = train(build(**OFF))
    features, present, _ = batch(model, moments=1)
    p = {name: value.detach().numpy() for name, value in model.named_parameters()}
    of_branch = {
        f"fusion.{branch}.tokens.{name}"
        for branch in (0, 1)
        for name in ("weight", "bias", "missing")
    }
    assert set(p) == {"head.weight", "head.alpha", "bias"} | of_branch
    logits = model(features, present).logits.detach().numpy()
    x, seen = features[:, 0].numpy(), present[:, 0].numpy()
    for row in range(len(x)):
        summaries = []
        for branch, of in enumerate(
            ([("eeg", 0, 0), ("eda", 1, 1)], [("face", 2, 0)])
        ):  # branch by branch
            own, begin = 0, 0
            for name, m, place in of:
                count = dict((name, count) for name, _, count in MODALITIES)[name]
                tokens = f"fusion.{branch}.tokens"
                weight = p[f"{tokens}.weight"][begin : begin + count]
                begin += count
                token = x[row, model.config.columns[name]] @ weight
                token = token + p[f"{tokens}.bias"][place]
                own = own + (token if seen[row, m] else p[f"{tokens}.missing"][place])
            for _ in range(2):  # of the moment, and of the trial
                own = (own - own.mean()) / np.sqrt(own.var() + 1e-5)
            summaries.append(own)
        np.testing.assert_allclose(
            logits[row],
            p["head.weight"] @ np.concatenate(summaries) + p["bias"],
            atol=1e-10,
        )


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-3, 1.0, 1e3, 1e8]))
@settings(max_examples=25, deadline=None)
def test_output_is_distributions_for_any_finite_input(seed, size):
    model = build(seed % 7)
    features, present, _ = batch(model, seed=seed)
    output = model(size * features, present)
    ones = torch.ones(len(present)).double()
    for distribution in (output.distribution, output.groups):
        assert (distribution >= 0).all()
        torch.testing.assert_close(distribution.sum(-1), ones)
    torch.testing.assert_close(
        output.branches.exp().sum(-1), ones[:, None].expand(-1, 2)
    )
    torch.testing.assert_close(output.relations.exp().sum(-1), ones.expand(3, -1))
    torch.testing.assert_close(output.views.exp().sum(-1), ones.expand(3, -1))
    assert torch.equal(output.views[0], output.logits.log_softmax(-1))
    assert output.relations.shape == (3, len(present), 4 * 3)
    for weights in (output.associations, output.group_weights):
        assert (weights >= 0).all()
        shares = weights.sum(-1)
        torch.testing.assert_close(shares, torch.ones_like(shares))


def test_a_view_is_what_the_network_says_where_that_branch_was_not_measured():
    model = train(build())
    features, present, _ = batch(model)
    present[3:] = present[3:] | ~present[3:].any(
        1, keepdim=True
    )  # each modality at least once: no branch is silent
    branch = torch.tensor(
        [model.config.branches.index(own) for _, own, _ in model.config.modalities]
    )
    said = model(features, present).views
    for number in (0, 1):
        alone = model(features, present & (branch == number)).distribution
        torch.testing.assert_close(
            said[1 + number].exp()[3:], alone[3:], rtol=0, atol=1e-12
        )


def test_moments_that_are_not_there_change_nothing():
    model = build()
    features, present, _ = batch(model)
    longer = (
        torch.cat([features, torch.full_like(features, torch.nan)], 1),
        torch.cat([present, present & False], 1),
    )
    some = torch.stack(
        torch.split(present, model.sizes, -1)[0].any(-1).any(1).unbind()
    ) & present[..., -1].any(1)
    torch.testing.assert_close(
        model(*longer).distribution[some],
        model(features, present).distribution[some],
        rtol=0,
        atol=1e-12,
    )
    nothing = model(
        longer[0], longer[1] & False
    ).distribution  # of any length, where nothing was measured
    torch.testing.assert_close(
        nothing, model(features, present & False).distribution, rtol=0, atol=1e-12
    )


def test_a_missing_modality_has_no_influence_on_output_or_gradient():
    model = build()
    features, present, target = batch(model)
    clean, there = model(features, present), columns(model, present)
    for content in (math.nan, math.inf, -1e200):
        dirty = torch.where(there, features, content).requires_grad_()
        output = model(dirty, present)
        equal(output, clean)
        model.zero_grad()
        total(model, output, target).backward()
        assert all(value.grad.isfinite().all() for value in model.parameters())
        assert (dirty.grad[~there] == 0).all() and dirty.grad.isfinite().all()
    gone = present.clone()
    gone[..., 2] = False  # the only modality of its branch, missing in the whole batch
    assert model(features, gone).distribution.isfinite().all()


def test_a_trial_does_not_depend_on_its_batch_and_evaluation_writes_nothing():
    model = build()
    features, present, _ = batch(model)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    output = model.train()(features, present)
    equal(model.eval()(features, present), output)
    for row in range(len(present)):
        lone = model(features[row : row + 1], present[row : row + 1])
        torch.testing.assert_close(
            lone.distribution[0], output.distribution[row], rtol=0, atol=1e-12
        )
    assert all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )
    assert torch.equal(torch.get_rng_state(), random)


def test_swapping_the_branches_swaps_their_relations_and_nothing_else():
    model = train(build())
    other = build(modalities=(MODALITIES[1], MODALITIES[0], MODALITIES[2]))
    state = {}
    for name, value in model.state_dict().items():
        part, *rest = name.split(".")
        if part == "fusion":
            name = ".".join([part, str(1 - int(rest[0])), *rest[1:]])
        elif name in ("compression.alpha", "banks.bank", "banks.weight"):
            value = value.flip(0)
        state[name] = value
    other.load_state_dict(state)
    features, present, target = batch(model)
    turned = torch.cat(
        [features[..., model.config.columns[name]] for name in other.config.columns], -1
    )
    one, two = model(features, present), other(turned, present[..., [2, 0, 1]])
    for name in ("distribution", "tokens", "evidence", "groups", "code"):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name), rtol=0, atol=1e-12
        )
    for name in ("branches", "summaries"):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name).flip(1), rtol=0, atol=1e-12
        )
    for name in ("relations", "views"):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name)[[0, 2, 1]], rtol=0, atol=1e-12
        )
    assert one.relations.exp()[1:].diff(dim=0).abs().max() > 1e-3
    torch.testing.assert_close(
        model.losses(one, target), other.losses(two, target), rtol=0, atol=1e-12
    )


def test_losses_are_their_equations():
    model = train(build(w_prototypes=0.7, w_relation=0.2))
    features, present, target = batch(model)
    output = model(features, present)
    terms = model.losses(output, target)

    def divergence(one, other):
        pairs = zip(one.tolist(), other.tolist(), strict=True)
        return sum(d * math.log(d / q) for d, q in pairs)

    kl = [divergence(*pair) for pair in zip(target, output.distribution, strict=True)]
    assert terms["kl"].item() == pytest.approx(np.mean(kl), abs=1e-10)
    for name, logs, teacher in (
        ("relation", output.relations, output.relations[0].exp()),
        ("teacher", output.views, output.distribution),
        ("label", output.views, target),
    ):
        each = []
        for row, both in enumerate(output.present.all(1)):
            pupils = logs[1:, row].exp()
            each.append(sum(divergence(teacher[row], p) for p in pupils) / 2 * both)
        expected = pytest.approx(np.mean([float(value) for value in each]), abs=1e-8)
        assert terms[name].item() == expected
    weights = model.config.loss_weights()
    assert weights["prototypes"] == 0.7 and weights["relation"] == 0.2


def test_prior_and_cooccurrence_weigh_trials_and_what_was_never_measured_is_left_out(
    cohort,
):
    dataset = cohort.copy(deep=True)
    name = next(
        name
        for name, variable in dataset.data_vars.items()
        if "branch" in variable.attrs
    )
    dataset[name] = dataset[name] * np.nan
    trials, first = np.unique(dataset.trial.values, return_index=True)
    label = torch.from_numpy(dataset.distribution.values[first].astype(float))
    uneven = dataset.isel(window=np.r_[first, first[:5], first[:5], first[2:3]])
    model = MPCL.from_dataset(uneven, generator(), width=8)
    assert (
        len(model.config.modalities)
        == sum("branch" in v.attrs for v in dataset.data_vars.values()) - 1
    )
    assert name not in [one for one, _, _ in model.config.modalities]
    assert (
        model.config.emotions == tuple(dataset.emotion.values)
        and model.config.width == 8
    )
    prior = label.mean(0) + 1e-3
    torch.testing.assert_close(model.log_prior, (prior / prior.sum()).log().float())
    count, strength = len(trials), model.config.cooccurrence_strength
    together = cooccurrence_matrix(label).log().float()
    torch.testing.assert_close(model.recall.prior, together)
    share = torch.tensor(strength / (count + strength))
    torch.testing.assert_close(model.recall.share, share)
    assert torch.equal(model.bias.data, model.log_prior)


def test_every_random_number_comes_from_the_generator():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, two, other = build(3), build(3), build(4)
    features, present, _ = batch(one)
    equal(
        one(features, present, dropout(one, 5)), two(features, present, dropout(two, 5))
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(
        one(features, present).logits, other(features, present).logits
    )
    masks = dropout(one, 5)
    assert not torch.equal(
        one(features, present, masks).logits, one(features, present).logits
    )
    assert not torch.equal(
        one(features, present, masks).logits,
        one(features, present, dropout(one, 6)).logits,
    )
    clear = build(3, dropout=0.0)
    torch.testing.assert_close(
        clear(features, present, dropout(clear, 5)).logits,
        clear(features, present).logits,
    )


def test_dropout_keeps_the_mean():
    model = build(
        3, prototypes=False, cooccurrence=False, compression=False, dropout=0.5
    )
    features, present, _ = batch(model)  # linear in its summaries
    draws, rows = 2000, len(present)
    many = features.repeat(draws, 1, 1), present.repeat(draws, 1, 1)
    logits = model(*many, dropout(model, rows=draws * rows)).logits
    logits = logits.unflatten(0, (draws, rows))
    error = (logits.mean(0) - model(features, present).logits).abs()
    assert (error < 6 * logits.std(0) / draws**0.5 + 1e-12).all()


def test_gradients_of_every_parameter_are_right():
    model = build(width=4, prototypes_per_emotion=2, betas=(0.5, 2.0))
    features, present, target = batch(model, rows=3)
    names, values = zip(*model.named_parameters(), strict=True)

    def terms(*values):
        weights = dict(zip(names, values, strict=True))
        output = functional_call(
            model, weights, (features, present, dropout(model, rows=3))
        )
        losses = model.losses(output, target)  # two have a teacher that stands still
        return losses["kl"], losses["prototypes"], losses["label"]

    assert torch.autograd.gradcheck(
        terms, [value.detach().clone().requires_grad_() for value in values]
    )
