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


def build(seed=0, modalities=MODALITIES, emotions=EMOTIONS, valence=VALENCE, trials=50, **overrides):
    settings = {"width": 8, "cooccurrence_strength": 30.0} | overrides
    matrix = cooccurrence_matrix(torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(len(emotions)), 20)))
    prior = torch.arange(1.0, len(emotions) + 1) / sum(range(len(emotions) + 1))
    config = MPCLConfig(modalities, emotions, valence, **settings)
    return MPCL(config, prior, matrix, trials, generator(seed)).double()


def batch(model, rows=12, moments=3, seed=1):
    source = generator(seed)
    modalities, emotions = model.config.modalities, len(model.config.emotions)
    features = torch.randn(rows, moments, sum(count for *_, count in modalities), generator=source).double()
    present = torch.rand(rows, moments, len(modalities), generator=source) > 0.3
    present[0], present[1], present[2, 1:] = True, False, False  # all there, nothing, a trial of one moment
    return features, present, torch.rand(rows, emotions, generator=source).double().log_softmax(-1).exp()


def dropout(model, seed=0, rows=12):
    shape = rows, len(model.config.branches), model.config.width
    return torch.rand(shape, generator=generator(seed)) >= model.config.dropout


def columns(model, present):
    """Of each feature, whether its modality is there (row, moment, feature)."""
    counts = torch.tensor([count for *_, count in model.config.modalities])
    return present.repeat_interleave(counts, -1)


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
    wrong = {"width": 4.0, "prototypes_per_emotion": 0, "betas": (1.0, 0.0), "cooccurrence_strength": 0.0,
             "dropout": -0.1}
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=name):
            MPCLConfig(MODALITIES, EMOTIONS, VALENCE, **{name: value})
    with pytest.raises(dataclasses.FrozenInstanceError):
        MPCLConfig(MODALITIES, EMOTIONS, VALENCE).width = 4


@pytest.mark.parametrize(
    ("case", "off"),
    [
        ({}, []),
        ({"modalities": MODALITIES[::2]}, ["distillation"]),
        ({"multiscale": False}, ["memory"]),
        ({"modalities": MODALITIES[1:2], "betas": (1.0,)}, ["distillation"]),
        ({"emotions": EMOTIONS[1:3], "valence": (1, -1)}, ["cooccurrence"]),
        ({"valence": (1, 1, 1, 1)}, ["compression"]),
        ({"prototypes": False, "memory": False}, []),
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
    assert unmoved == ["memory.0.gate"] * (case.get("betas") == (1.0,))  # the share of a lone scale is 1


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_trains_and_removes_its_parameters_and_terms(switch):
    full, model = build(), train(build(**{switch: False}))
    names, all_names = set(dict(model.named_parameters())), dict(full.named_parameters())
    prefix = {"multiscale": "memory.", "memory": "memory.", "prototypes": "prototypes.", "compression": "compression."}
    gone = {name for name in all_names if switch in prefix and name.startswith(prefix[switch])}
    assert set(all_names) - names == gone | ({"alpha"} if switch == "prototypes" else set())
    assert names - set(all_names) == ({"embeddings", "embedding_weight"} if switch == "prototypes" else set())
    assert ("recall.weights" in model.state_dict()) == (switch != "cooccurrence")
    features, present, target = batch(model)
    terms = set(model.losses(model(features, present), target))
    lost = {"prototypes": {"prototypes"}, "distillation": {"relation"}}
    assert terms == {"kl", "prototypes", "relation", "total"} - lost.get(switch, set())


def test_with_all_switches_off_it_reads_the_mean_moment_with_a_linear_head():
    model = train(build(**OFF))
    features, present, _ = batch(model, moments=1)
    p = {name: value.detach().numpy() for name, value in model.named_parameters()}
    of_branch = {f"tokens.{branch}.{name}" for branch in (0, 1) for name in ("weight", "bias", "missing")}
    assert set(p) == {"out_weight", "bias"} | of_branch
    logits = model(features, present).logits.detach().numpy()
    x, seen = features[:, 0].numpy(), present[:, 0].numpy()
    for row in range(len(x)):
        summaries = []
        for branch, of in enumerate(([("eeg", 0, 0), ("eda", 1, 1)], [("face", 2, 0)])):  # branch by branch
            own, begin = 0, 0
            for name, m, place in of:
                count = dict((name, count) for name, _, count in MODALITIES)[name]
                weight = p[f"tokens.{branch}.weight"][begin : begin + count]
                begin += count
                token = x[row, model.config.columns[name]] @ weight + p[f"tokens.{branch}.bias"][place]
                own = own + (token if seen[row, m] else p[f"tokens.{branch}.missing"][place])
            for _ in range(2):  # of the moment, and of the trial
                own = (own - own.mean()) / np.sqrt(own.var() + 1e-5)
            summaries.append(own)
        np.testing.assert_allclose(logits[row], p["out_weight"] @ np.concatenate(summaries) + p["bias"], atol=1e-10)


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
    torch.testing.assert_close(output.branches.exp().sum(-1), ones[:, None].expand(-1, 2))
    torch.testing.assert_close(output.relations.exp().sum(-1), ones.expand(3, -1))
    assert torch.equal(output.relations[0].exp(), output.logits.log_softmax(-1).exp())


def test_what_a_network_says_of_a_view_is_what_it_says_where_that_branch_was_not_measured():
    model = train(build())
    features, present, _ = batch(model)
    present[3:] = present[3:] | ~present[3:].any(1, keepdim=True)  # each modality at least once: no branch is silent
    branch = torch.tensor([model.config.branches.index(own) for _, own, _ in model.config.modalities])
    relations = model(features, present).relations
    for number in (0, 1):
        alone = model(features, present & (branch == number)).distribution
        torch.testing.assert_close(relations[1 + number].exp()[3:], alone[3:], rtol=0, atol=1e-12)


def test_moments_that_are_not_there_change_nothing():
    model = build()
    features, present, _ = batch(model)
    longer = torch.cat([features, torch.full_like(features, torch.nan)], 1), torch.cat([present, present & False], 1)
    some = torch.stack(torch.split(present, model.sizes, -1)[0].any(-1).any(1).unbind()) & present[..., -1].any(1)
    torch.testing.assert_close(model(*longer).distribution[some], model(features, present).distribution[some],
                               rtol=0, atol=1e-12)
    nothing = model(longer[0], longer[1] & False).distribution  # of any length, where nothing was measured
    torch.testing.assert_close(nothing, model(features, present & False).distribution, rtol=0, atol=1e-12)


def test_a_missing_modality_has_no_influence_on_output_or_gradient():
    model = build()
    features, present, target = batch(model)
    clean, there = model(features, present), columns(model, present)
    for content in (math.nan, math.inf, -1e200):
        dirty = torch.where(there, features, content).requires_grad_()
        output = model(dirty, present)
        equal(output, clean)
        model.zero_grad()
        model.losses(output, target)["total"].backward()
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
        torch.testing.assert_close(lone.distribution[0], output.distribution[row], rtol=0, atol=1e-12)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_swapping_the_branches_swaps_their_relations_and_nothing_else():
    model = train(build())
    other = build(modalities=(MODALITIES[1], MODALITIES[0], MODALITIES[2]))
    state = {}
    for name, value in model.state_dict().items():
        part, *rest = name.split(".")
        if part in ("tokens", "memory"):
            name = ".".join([part, str(1 - int(rest[0])), *rest[1:]])
        elif name in ("alpha", "prototypes.bank", "prototypes.join_weight"):
            value = value.flip(0)
        elif name == "prototypes.weight":
            value = value.unflatten(0, (2, -1)).flip(0).flatten(0, 1)
        state[name] = value
    other.load_state_dict(state)
    features, present, target = batch(model)
    turned = torch.cat([features[..., model.config.columns[name]] for name in other.config.columns], -1)
    one, two = model(features, present), other(turned, present[..., [2, 0, 1]])
    for name in ("distribution", "tokens", "evidence", "groups", "code"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)
    for name in ("branches", "summaries"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name).flip(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(one.relations, two.relations[[0, 2, 1]], rtol=0, atol=1e-12)
    assert one.relations.exp()[1:].diff(dim=0).abs().max() > 1e-3
    torch.testing.assert_close(model.losses(one, target), other.losses(two, target), rtol=0, atol=1e-12)


def test_logits_are_the_sum_of_the_levels_and_losses_of_the_weighted_terms():
    model = train(build(w_prototypes=0.7, w_relation=0.2))
    features, present, target = batch(model)
    output = model(features, present)
    tokens, activation = model.prototypes(output.summaries)
    levels, _ = model.compression(tokens)
    for row in range(len(present)):
        evidence = []
        for c in range(4):
            said = sum(tokens[row, c] * model.out_weight[c]) + levels[row, c]
            evidence.append(said + sum(model.alpha[b] * activation[row, b, c] for b in range(2)))
        for c in range(4):  # n = 50 trials against kappa = 30
            others = sum(model.recall.weights[c, other] * evidence[other] for other in range(4) if other != c)
            expected = model.bias[c] + 50 / 80 * evidence[c] + others
            assert output.logits[row, c].item() == pytest.approx(expected.item(), abs=1e-6)
        share = np.exp(output.logits[row].detach().numpy())
        np.testing.assert_allclose(output.distribution[row].detach(), share / share.sum(), atol=1e-10)
    terms = model.losses(output, target)
    kl = [
        sum(d * math.log(d / q) for d, q in zip(one, two, strict=True))
        for one, two in zip(target.tolist(), output.distribution.tolist(), strict=True)
    ]
    assert terms["kl"].item() == pytest.approx(np.mean(kl), abs=1e-10)
    total = terms["kl"] + 0.7 * terms["prototypes"] + 0.2 * terms["relation"]
    assert terms["total"].item() == pytest.approx(total.item(), abs=1e-12)


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
    count, strength = len(trials), model.config.cooccurrence_strength
    joined = (count * torch.eye(len(prior)) + strength * cooccurrence_matrix(label)) / (count + strength)
    torch.testing.assert_close(model.recall.weights, joined.float())
    assert torch.equal(model.bias.data, model.log_prior)


def test_every_random_number_comes_from_the_generator():
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
    clear = build(3, dropout=0.0)
    torch.testing.assert_close(clear(features, present, dropout(clear, 5)).logits, clear(features, present).logits)


def test_dropout_keeps_the_mean():
    model = build(3, prototypes=False, cooccurrence=False, compression=False, dropout=0.5)
    features, present, _ = batch(model)  # linear in its summaries
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
        *("alpha", "bias", "compression.assignment", "memory.0.gate", "memory.0.log_beta", "memory.1.gate"),
        *("memory.1.log_beta", "prototypes.bank", "tokens.0.bias", "tokens.0.missing"),
        *("tokens.1.bias", "tokens.1.missing"),
    ]


def test_a_saved_model_comes_back_whole_and_other_files_are_refused(tmp_path):
    model = train(build(prototypes_per_emotion=3, betas=(0.5, 2.0)))
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
    model = build(width=4, prototypes_per_emotion=1, betas=(0.5, 2.0))
    features, present, target = batch(model, rows=3)
    names, values = zip(*model.named_parameters(), strict=True)

    def terms(*values):
        weights = dict(zip(names, values, strict=True))
        output = functional_call(model, weights, (features, present, dropout(model, rows=3)))
        losses = model.losses(output, target)
        return losses["kl"], losses["prototypes"]  # relation has a stopped gradient

    assert torch.autograd.gradcheck(terms, [value.detach().clone().requires_grad_() for value in values])
