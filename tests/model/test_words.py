"""The scored network is true to its words: each part asks the memory, and carries."""

import copy

import numpy as np
import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from mpcl.model import compression, cooccurrence, fusion, memory, prototypes
from mpcl.model.distillation import alignment
from tests.model.test_network import batch, build, dropout, flat, total, train

PLACES = (fusion, prototypes, cooccurrence, compression)
ASKED = ("log_weights", "weights", "retrieve", "energy")


@pytest.fixture
def trained():
    return train(build(), steps=8)


def spied(monkeypatch, replace=None):
    """Counts the calls of the memory; ``replace`` answers in its place."""
    calls = []
    for name in ASKED:
        real = getattr(memory, name)

        def asked(*arguments, name=name, real=real, **keywords):
            calls.append(name)
            answer = real(*arguments, **keywords)
            return replace(name, answer) if replace else answer

        monkeypatch.setattr(memory, name, asked)
    return calls


def test_the_network_asks_one_memory_in_five_places(monkeypatch):
    """Modalities of one branch, moments of two, banks, groups, co-occurrence."""
    model = build()
    features, present, _ = batch(model)
    calls = spied(monkeypatch)
    model(features, present)
    outer = {name: calls.count(name) for name in ASKED}
    # retrieve asks weights, and weights asks log_weights, in turn
    # two energies: how near a trial is to a bank, and what of it is written there
    assert outer == {"energy": 2, "retrieve": 1, "weights": 6, "log_weights": 7}


@pytest.mark.parametrize(
    ("switch", "without"),
    [
        ("modality_memory", {"weights": 5}),
        ("memory", {"weights": 4}),
        ("cooccurrence", {"weights": 5}),
        ("compression", {"weights": 5}),
        ("prototypes", {"weights": 5, "retrieve": 0, "energy": 0}),
    ],
)
def test_what_is_switched_off_asks_no_more(monkeypatch, switch, without):
    model = build(**{switch: False})
    features, present, _ = batch(model)
    calls = spied(monkeypatch)
    model(features, present)
    for name, count in without.items():
        assert calls.count(name) == count


def test_no_other_softmax_stands_in_the_components():
    """Shares that mix scales or groups are parameters; retrieval is the memory's."""
    for module in PLACES:
        text = open(module.__file__, encoding="utf-8").read()
        assert "scaled_dot_product" not in text and "logsumexp" not in text
        assert "from mpcl.model import memory" in text


@pytest.mark.parametrize("name", ["weights", "retrieve", "energy"])
def test_what_the_memory_answers_moves_the_prediction(monkeypatch, trained, name):
    features, present, _ = batch(trained)
    before = trained(features, present).logits

    def even(asked, answer):
        return answer.flip(-1) if asked == name else answer

    spied(monkeypatch, even)
    assert (trained(features, present).logits - before).abs().max() > 1e-4


def frozen(model, module, monkeypatch, place=None):
    """The model with the answers of a module replaced by their means over trials."""
    forward = module.forward

    def mean(value, trials):
        return value.mean(0, keepdim=True).expand_as(value) if trials else value

    def still(*arguments):
        answer = forward(*arguments)
        if not isinstance(answer, tuple):
            return mean(answer, True)
        return tuple(
            mean(value, place in (None, number)) for number, value in enumerate(answer)
        )

    monkeypatch.setattr(module, "forward", still)
    return model


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("fusion.0.modalities", 0),
        ("fusion.0.moments", 0),
        ("fusion.1.moments", 0),
        ("banks", 0),  # tokens, which responsibilities make
        ("banks", 1),  # activations
        ("compression", None),
        ("recall", None),
    ],
)
def test_freezing_a_part_moves_the_prediction(monkeypatch, trained, part, place):
    features, present, _ = batch(trained)
    before = trained(features, present).distribution
    model = frozen(trained, trained.get_submodule(part), monkeypatch, place)
    assert (model(features, present).distribution - before).abs().max() > 1e-5


def test_with_banks_frozen_nothing_of_a_trial_is_left(monkeypatch, trained):
    """No way leads past them: all trials are told the same."""
    features, present, _ = batch(trained)
    assert trained(features, present).logits.var(0).max() > 1e-8
    model = frozen(trained, trained.banks, monkeypatch)
    assert model(features, present).logits.var(0).max() < 1e-20


def test_with_a_bypass_something_is_left(monkeypatch):
    model = train(build(banks_alone=False), steps=8)
    features, present, _ = batch(model)
    bank = model.banks.bank
    with torch.no_grad():
        bank.copy_(bank[:, :, :1].expand_as(bank))  # one thing to recall
        model.compression.alpha.zero_()
    assert model(features, present).logits.var(0).max() > 1e-10


def test_relations_are_those_to_all_prototypes_and_teach_them():
    model = build()
    features, present, target = batch(model)
    terms = model.losses(model(features, present), target)
    terms["relation"].backward()
    for name in ("banks.bank", "fusion.0.tokens.weight", "fusion.1.tokens.weight"):
        assert model.get_parameter(name).grad.abs().max() > 0
    assert model.compression.vote_weight.grad is None  # nothing that comes after


def test_relations_align_the_branches():
    """Trained on relations alone, both branches relate trials to prototypes alike."""
    model = build()
    features, present, target = batch(model, rows=40)
    present[:] = True
    features[..., model.config.columns["face"]] = features[..., :3]  # they could
    before = alignment(model(features, present).relations).mean()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        terms = model.losses(model(features, present), target)
        optimiser.zero_grad()
        terms["relation"].backward()
        optimiser.step()
    assert alignment(model(features, present).relations).mean() > before + 0.2


def test_associations_depend_on_the_trial_and_lean_on_the_labels(trained):
    features, present, _ = batch(trained)
    weights = trained(features, present).associations
    assert weights.var(0).max() > 1e-9
    assert (weights.diagonal(dim1=1, dim2=2) == 0).all()
    prior = trained.recall.prior.exp()
    others = ~torch.eye(4, dtype=torch.bool)
    odds = (weights / prior.where(others, 1.0))[:, others].unflatten(1, (4, 3))
    beta = trained.recall.log_beta.exp().item()  # a cosine is from -1 to 1
    assert (odds.amax(-1) / odds.amin(-1)).max() <= np.exp(2 * beta) + 1e-6


def test_weights_of_modalities_and_moments_are_in_the_output(trained):
    features, present, _ = batch(trained)
    output = trained(features, present)
    of_body, of_face = output.modality_weights
    assert of_body.shape == (3, 12, 3, 2, 2)
    assert of_face is None  # a lone modality
    assert [each.shape for each in output.moment_weights] == [(3, 12, 3)] * 2


def test_stacked_networks_are_the_same_networks():
    models = [build(seed) for seed in range(3)]
    features, present, target = batch(models[0])
    keep = dropout(models[0])
    parameters, buffers = stack_module_state(models)
    shell = copy.deepcopy(models[0]).to("meta")

    def lone(parameters, buffers):
        state = parameters, buffers
        return functional_call(shell, state, (features, present, keep)).logits

    together = vmap(lone)(parameters, buffers)
    for number, model in enumerate(models):
        alone = model(features, present, keep).logits
        torch.testing.assert_close(together[number], alone, rtol=0, atol=1e-10)

    def gradient(parameters, buffers):
        state = parameters, buffers
        output = functional_call(shell, state, (features, present, keep))
        return total(shell, output, target)

    each = vmap(torch.func.grad(gradient))(parameters, buffers)
    loss = total(models[1], models[1](features, present, keep), target)
    loss.backward()
    for name, value in models[1].named_parameters():
        alone = torch.zeros_like(value) if value.grad is None else value.grad
        torch.testing.assert_close(each[name][1], alone, rtol=0, atol=1e-9)


def test_everything_is_saved_and_comes_back(trained):
    features, present, _ = batch(trained)
    other = build(5)
    other.load_state_dict(trained.state_dict())
    one, two = flat(trained(features, present)), flat(other(features, present))
    for name, value in one.items():
        np.testing.assert_array_equal(value.detach(), two[name].detach())
