"""The network as a whole: its settings, switches, losses, files, and what its output may depend on."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from mpcl.model.cooccurrence import cooccurrence_matrix
from mpcl.model.network import MPCL, MPCLConfig, load, parameter_groups, save

MODALITIES = (("eeg", "p", 4), ("face", "b", 3), ("eda", "p", 2))
EMOTIONS, VALENCE = ("joy", "pride", "fear", "anger"), (1, 1, -1, -1)
SWITCHES = ("multiscale", "memory", "prototypes", "distillation", "cooccurrence", "compression")
OFF = dict.fromkeys(SWITCHES, False)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def build(seed=0, modalities=MODALITIES, emotions=EMOTIONS, valence=VALENCE, **overrides):
    settings = {"width": 8, "memories": 3} | overrides
    matrix = cooccurrence_matrix(torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(len(emotions)), 20)))
    prior = torch.arange(1.0, len(emotions) + 1) / sum(range(len(emotions) + 1))
    return MPCL(MPCLConfig(modalities, emotions, valence, **settings), prior, matrix, generator(seed)).double()


def batch(model, rows=12, seed=1):
    source = generator(seed)
    modalities, emotions = model.config.modalities, len(model.config.emotions)
    features = {name: torch.randn(rows, count, generator=source).double() for name, _, count in modalities}
    present = torch.rand(rows, len(modalities), generator=source) > 0.3
    present[0], present[1] = True, False
    return features, present, torch.rand(rows, emotions, generator=source).double().log_softmax(-1).exp()


def dropout(model, seed=0, rows=12):
    kept = model.draw_dropout(rows, np.random.default_rng(seed))
    return {site: torch.from_numpy(values.copy()) for site, values in kept.items()}


def equal(one, other, **tolerance):
    for name, a, b in zip(one._fields, one, other, strict=True):
        assert (a is None) == (b is None), name
        if a is not None:  # a tensor, or one of each branch
            torch.testing.assert_close(a, b, **(tolerance or {"rtol": 0, "atol": 1e-12}), msg=name)


def train(model, steps=4):
    features, present, target = batch(model)
    optimiser = torch.optim.AdamW(parameter_groups(model.named_parameters(), 0.3), lr=1e-2)
    for step in range(steps):
        loss = model.losses(model(features, present, dropout(model, step)), target)["total"]
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
    }
    with pytest.raises(ValueError) as caught:
        MPCLConfig(**wrong)
    message = str(caught.value)
    for words in ("names", "branches", "emotions", "valence", "width must be even", "betas", "nan", "dropout", "w_"):
        assert words in message, words
    assert message.count("\n") == 10
    for name, value in {"width": 4.0, "memories": 0, "betas": (1.0, 0.0), "input_dropout": -0.1}.items():
        with pytest.raises(ValueError, match=name):
            MPCLConfig(MODALITIES, EMOTIONS, VALENCE, **{name: value})
    with pytest.raises(dataclasses.FrozenInstanceError):
        MPCLConfig(MODALITIES, EMOTIONS, VALENCE).width = 4


@pytest.mark.parametrize(
    ("case", "off"),
    [
        ({}, []),
        ({"modalities": MODALITIES[::2]}, ["distillation"]),
        ({"modalities": MODALITIES[1:2], "betas": (1.0,)}, ["multiscale", "distillation"]),
        ({"emotions": EMOTIONS[1:3], "valence": (1, -1)}, ["cooccurrence"]),
        ({"valence": (1, 1, 1, 1)}, ["compression"]),
        ({"prototypes": False, "memory": False}, ["multiscale", "distillation"]),
    ],
)
def test_what_cannot_apply_is_off_says_so_and_the_rest_trains(case, off):
    model = build(**case)
    assert [sentence.split(" is off: ")[0] for sentence in model.switched_off] == off
    assert not any(getattr(model.config, name) for name in off)
    before = copy.deepcopy(model.state_dict())
    features, present, target = batch(model)
    train(model)
    output = model(features, present)
    found = [one for one in output if isinstance(one, torch.Tensor)] + list(output.retrieval or ())
    assert all(one.isfinite().all() for one in found)
    unmoved = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not unmoved


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_trains_and_removes_its_parameters_and_terms(switch):
    full, model = build(), train(build(**{switch: False}))
    names, all_names = set(dict(model.named_parameters())), dict(full.named_parameters())
    gone = {
        "multiscale": set(),
        "memory": {name for name in all_names if name.startswith("memory.")},
        "prototypes": {name for name in all_names if name.startswith("prototypes.")} | {"alpha"},
        "distillation": set(),
        "cooccurrence": {name for name in all_names if name.startswith("recall.")},
        "compression": {name for name in all_names if name.startswith("compression.")},
    }[switch]
    assert set(all_names) - names == gone
    assert names - set(all_names) == ({"embeddings", "embedding_weight"} if switch == "prototypes" else set())
    if switch == "multiscale":
        assert all(one.log_beta.shape == (1,) and one.weight.shape[-1] == 24 for one in model.memory)
    features, present, target = batch(model)
    terms = set(model.losses(model(features, present), target))
    lost = {"prototypes": {"prototypes", "relation"}, "distillation": {"relation"}, "cooccurrence": {"cooccurrence"}}
    assert terms == {"kl", "prototypes", "relation", "cooccurrence", "total"} - lost.get(switch, set())


def test_with_all_switches_off_it_is_a_linear_token_network():
    model = train(build(**OFF))
    features, present, _ = batch(model)
    p = {name: value.detach().numpy() for name, value in model.named_parameters()}
    assert set(p) == {"tokens.weights.0", "tokens.weights.1", "tokens.weights.2"} | {
        "tokens.bias",
        "tokens.missing",
        "out_weight",
        "bias",
    }
    logits = model(features, present).logits.detach().numpy()
    for row in range(len(present)):
        tokens = [
            features[name][row].numpy() @ p[f"tokens.weights.{place}"] + p["tokens.bias"][place]
            if present[row, m]
            else p["tokens.missing"][place]
            for place, (m, name) in enumerate([(0, "eeg"), (2, "eda"), (1, "face")])  # branch by branch
        ]
        np.testing.assert_allclose(logits[row], p["out_weight"] @ np.concatenate(tokens) + p["bias"], atol=1e-10)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-3, 1.0, 1e3, 1e8]))
@settings(max_examples=25, deadline=None)
def test_output_is_distributions_for_any_finite_input(seed, size):
    model = build(seed % 7)
    features, present, _ = batch(model, seed=seed)
    output = model({name: size * x for name, x in features.items()}, present)
    ones = torch.ones(len(present)).double()
    for distribution in (output.distribution, output.groups):
        assert (distribution >= 0).all()
        torch.testing.assert_close(distribution.sum(-1), ones)
    for log in (output.branches, output.relations):
        torch.testing.assert_close(log.exp().sum(-1), ones[:, None].expand(-1, 2))
    torch.testing.assert_close(output.cooccurrence.sum(-1), ones[:, None].expand(-1, 4))


def test_a_missing_modality_has_no_influence_on_output_or_gradient():
    model = build()
    features, present, target = batch(model)
    clean = model(features, present)
    for content in (math.nan, math.inf, -1e200):
        dirty = {
            name: torch.where(present[:, m, None], features[name], content).requires_grad_()
            for m, (name, _, _) in enumerate(MODALITIES)
        }
        output = model(dirty, present)
        equal(output, clean)
        model.zero_grad()
        model.losses(output, target)["total"].backward()
        assert all(value.grad.isfinite().all() for value in model.parameters())
        for m, (name, _, _) in enumerate(MODALITIES):
            assert (dirty[name].grad[~present[:, m]] == 0).all() and dirty[name].grad.isfinite().all()
    gone = present.clone()
    gone[:, 1] = False  # the only modality of its branch, missing in the whole batch
    assert model(features, gone).distribution.isfinite().all()


def test_a_window_does_not_depend_on_its_batch_and_evaluation_writes_nothing():
    model = build()
    features, present, _ = batch(model)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    output = model.train()(features, present)
    equal(model.eval()(features, present), output)
    for row in range(len(present)):
        lone = model({name: x[row : row + 1] for name, x in features.items()}, present[row : row + 1])
        torch.testing.assert_close(lone.distribution[0], output.distribution[row], rtol=0, atol=1e-12)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_swapping_the_branches_swaps_their_relations_and_nothing_else():
    model, other = train(build()), build(modalities=(MODALITIES[1], MODALITIES[0], MODALITIES[2]))
    state = dict(model.state_dict())
    for name in state:
        if name.startswith(("prototypes.", "alpha")):
            state[name] = state[name].flip(0)
    for name in ("tokens.bias", "tokens.missing"):
        state[name] = state[name][[2, 0, 1]]  # from eeg, eda, face to face, eeg, eda
    for place, before in enumerate((2, 0, 1)):
        state[f"tokens.weights.{place}"] = model.state_dict()[f"tokens.weights.{before}"]
    for name, value in model.state_dict().items():
        part, *rest = name.split(".")
        if part in ("memory", "summary"):
            state[".".join([part, str(1 - int(rest[0])), *rest[1:]])] = value
    other.load_state_dict(state)
    features, present, target = batch(model)
    one, two = model(features, present), other(features, present[:, [1, 0, 2]])
    for name in ("distribution", "tokens", "cooccurrence", "groups", "code"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)
    for name in ("relations", "branches", "summaries"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name).flip(1), rtol=0, atol=1e-12)
    assert one.relations.exp().diff(dim=1).abs().max() > 1e-3
    torch.testing.assert_close(model.losses(one, target), other.losses(two, target), rtol=0, atol=1e-12)


def test_logits_are_the_sum_of_the_levels_and_losses_of_the_weighted_terms():
    model = train(build(w_prototypes=0.7, w_relation=0.2, w_cooccurrence=0.3, relation_temperature=2.0))
    features, present, target = batch(model)
    output = model(features, present)
    tokens, activation = model.prototypes(output.summaries, model.log_prior)
    tokens, _ = model.recall(tokens, model.cooccurrence)
    levels, _ = model.compression(tokens)
    for row in range(len(present)):
        for c in range(4):
            expected = model.bias[c] + sum(tokens[row, c] * model.out_weight[c]) + levels[row, c]
            expected = expected + sum(model.alpha[b] * activation[row, b, c] for b in range(2))
            assert output.logits[row, c].item() == pytest.approx(expected.item(), abs=1e-10)
        share = np.exp(output.logits[row].detach().numpy())
        np.testing.assert_allclose(output.distribution[row].detach(), share / share.sum(), atol=1e-10)
    weight = torch.arange(12.0).double()  # the first window does not count
    terms = model.losses(output, target, weight)
    kl = [
        sum(d * math.log(d / q) for d, q in zip(one, two, strict=True))
        for one, two in zip(target.tolist(), output.distribution.tolist(), strict=True)
    ]
    assert terms["kl"].item() == pytest.approx(np.average(kl, weights=weight), abs=1e-10)
    total = terms["kl"] + 0.7 * terms["prototypes"] + 0.2 * terms["relation"] + 0.3 * terms["cooccurrence"]
    assert terms["total"].item() == pytest.approx(total.item(), abs=1e-12)
    other = model.losses(output, torch.cat([target[:1].flip(1), target[1:]]), 5 * weight)
    torch.testing.assert_close(other, terms)
    assert all(term.isfinite() for term in model.losses(output, target, 0 * weight).values())


def test_prior_and_cooccurrence_weigh_trials_and_modalities_that_are_never_there_are_left_out(cohort):
    dataset = cohort.copy(deep=True)
    name = next(name for name, variable in dataset.data_vars.items() if "branch" in variable.attrs)
    dataset[name] = dataset[name] * np.nan
    trials, first = np.unique(dataset.trial.values, return_index=True)
    label = torch.from_numpy(dataset.distribution.values[first].astype(float))
    uneven = dataset.isel(window=np.r_[first, first[:5], first[:5], first[2:3]])
    model = MPCL.from_dataset(uneven, generator(), width=8)
    assert len(model.config.modalities) == sum("branch" in v.attrs for v in dataset.data_vars.values()) - 1
    assert name not in [one for one, _, _ in model.config.modalities]
    assert model.config.emotions == tuple(dataset.emotion.values) and model.config.width == 8
    prior = label.mean(0) + 1e-3
    torch.testing.assert_close(model.log_prior, (prior / prior.sum()).log().float())
    torch.testing.assert_close(model.cooccurrence, cooccurrence_matrix(label).float())
    assert torch.equal(model.bias.data, model.log_prior)


def test_every_random_number_comes_from_the_generator_whatever_the_dtype_and_the_switches():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, two, other = build(3), build(3), build(4)
    features, present, _ = batch(one)
    equal(one(features, present, dropout(one, 5)), two(features, present, dropout(two, 5)))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(one(features, present).logits, other(features, present).logits)
    masks = dropout(one, 5)
    assert not torch.equal(one(features, present, masks).logits, one(features, present).logits)
    assert not torch.equal(one(features, present, masks).logits, one(features, present, dropout(one, 6)).logits)
    less = dropout(build(3, memory=False, compression=False).float(), 5)
    many = one.draw_dropout(3000, np.random.default_rng(5))
    for site, share in (("tokens", 0.1), ("memory", 0.3), ("summary", 0.3), ("recall", 0.3)):
        assert torch.equal(less[site], masks[site])
        assert 1 - many[site].mean() == pytest.approx(share, abs=0.01)
    clear = build(3, dropout=0.0, input_dropout=0.0)
    torch.testing.assert_close(clear(features, present, dropout(clear, 5)).logits, clear(features, present).logits)


def test_dropout_keeps_the_mean():
    model = build(3, memory=False, prototypes=False, cooccurrence=False, compression=False, input_dropout=0.5)
    features, present, _ = batch(model)  # linear in its tokens
    seen = [model(features, present, dropout(model, seed)).logits for seed in range(2000)]
    spread = torch.stack(seen).std(0) / len(seen) ** 0.5
    assert ((torch.stack(seen).mean(0) - model(features, present).logits).abs() < 6 * spread + 1e-12).all()


def test_only_linear_maps_decay():
    model = build()
    named = {id(value): name for name, value in model.named_parameters()}
    groups = parameter_groups(model.named_parameters(), 0.3)
    decayed, kept = ([named[id(p)] for p in group["params"]] for group in groups)
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert sorted(decayed + kept) == sorted(named.values())
    assert sorted(kept) == [
        *("alpha", "bias", "compression.assignment", "memory.0.log_beta", "memory.0.patterns"),
        *("memory.1.log_beta", "memory.1.patterns", "prototypes.bank"),
        *("recall.embeddings", "recall.gamma", "recall.log_beta", "tokens.bias", "tokens.missing"),
    ]


def test_a_saved_model_comes_back_whole_and_other_files_are_refused(tmp_path):
    model = train(build(memories=5, betas=(0.5, 2.0)))
    path = tmp_path / "new" / "model.npz"
    save(model, path, "0123abcd")
    back = load(path)
    features, present, target = batch(model)
    equal(back(features, present), model(features, present), rtol=0, atol=0)
    assert back.config == model.config and back.data_fingerprint == "0123abcd"
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in model.state_dict().items())
    assert [file.name for file in path.parent.iterdir()] == ["model.npz"]
    whole = path.read_bytes()
    np.savez(tmp_path / "pickle.npz", settings=np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "short.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("not a model")
    for name in ("pickle", "other", "short", "text"):
        with pytest.raises(ValueError, match=f"{name}.npz was not written by mpcl.model.network.save"):
            load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    with pytest.raises(TypeError):
        save(model, path, {1, 2})  # not JSON: the file that was there stays
    assert path.read_bytes() == whole


def test_gradients_of_every_parameter_are_right():
    model = build(width=2, memories=1, prototypes_per_emotion=1, betas=(0.5, 2.0))
    features, present, target = batch(model, rows=3)
    names, values = zip(*model.named_parameters(), strict=True)

    def terms(*values):
        weights = dict(zip(names, values, strict=True))
        output = functional_call(model, weights, (features, present, dropout(model, rows=3)))
        losses = model.losses(output, target)
        return tuple(losses[name] for name in ("kl", "prototypes", "cooccurrence"))  # relation has a stopped gradient

    assert torch.autograd.gradcheck(terms, [value.detach().clone().requires_grad_() for value in values])
