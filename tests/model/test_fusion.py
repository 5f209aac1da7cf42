"""Fusion: modalities, moments and trials in plain loops, and what must not matter."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mpcl.model.fusion import BranchFusion, MultiScaleMemory
from mpcl.model.memory import retrieve

FEATURES, WIDTH, BETAS = (3, 2, 4, 1), 6, (0.25, 1.0, 4.0)
TRIALS, MOMENTS = 8, 5


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def softmax(x):
    weights = np.exp(x - np.max(x))
    return weights / weights.sum()


def setting(across=BETAS, along=BETAS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fusion = BranchFusion(FEATURES, WIDTH, across, along, generator).double()
    for memory in (fusion.modalities, fusion.moments):
        if memory is not None:
            shape = memory.gate.shape
            memory.gate.data = torch.randn(shape, generator=generator).double()
    x = torch.randn(TRIALS, MOMENTS, sum(FEATURES), generator=generator).double()
    present = torch.rand(TRIALS, MOMENTS, 4, generator=generator) > 0.5
    present[0] = True
    present[1] = False  # nothing was measured
    present[2, 1:] = False  # a trial of one moment
    return fusion, x, present


def loop_recall(memory, query, patterns, values):
    """sum_s g_s softmax(beta_s xi X^T / sqrt D) V, pattern by pattern."""
    recalled = np.zeros(values.shape[1])
    shares = softmax(memory.gate.detach().numpy())
    for share, beta in zip(shares, memory.log_beta.exp().tolist(), strict=True):
        scores = [
            beta * pattern @ query / math.sqrt(len(query)) for pattern in patterns
        ]
        for weight, value in zip(softmax(scores), values, strict=True):
            recalled += share * weight * value
    return recalled


def loop_moment(fusion, x, present):
    tokens = []
    p = {name: value.detach().numpy() for name, value in fusion.named_parameters()}
    for m in range(4):
        rows = slice(sum(FEATURES[:m]), sum(FEATURES[: m + 1]))
        token = x[rows] @ p["tokens.weight"][rows] + p["tokens.bias"][m]
        tokens.append(token if present[m] else p["tokens.missing"][m])
    moment, kept = sum(tokens), np.array(tokens)[present]
    if fusion.modalities is not None and len(kept):
        patterns = [norm(token) for token in kept]
        for token in tokens:
            moment = moment + p["amount"] * loop_recall(
                fusion.modalities, norm(token), patterns, kept
            )
    return norm(moment)


@pytest.mark.parametrize(
    ("across", "along"),
    [(BETAS, BETAS), ((1.0,), (1.0,)), ((), BETAS), (BETAS, ()), ((), ())],
)
def test_moments_and_trials_equal_the_plain_loops(across, along):
    fusion, x, present = setting(across, along)
    trial, of_modalities, of_moments = fusion(x, present)
    for row in range(TRIALS):
        moments = [
            loop_moment(fusion, x[row, w].numpy(), present[row, w].numpy())
            for w in range(MOMENTS)
        ]
        counted = present[row].any(-1).numpy()
        moments = np.array(moments)[counted if counted.any() else ~counted]
        expected = moments.mean(0)
        if along:
            expected = loop_recall(fusion.moments, expected, moments, moments)
        np.testing.assert_allclose(trial[row].detach(), norm(expected), atol=1e-10)
    assert (of_modalities is None) == (not across)
    assert (of_moments is None) == (not along)


def test_weights_are_shares_of_what_was_measured():
    fusion, x, present = setting()
    _, of_modalities, of_moments = fusion(x, present)
    assert of_modalities.shape == (3, TRIALS, MOMENTS, 4, 4)
    assert of_moments.shape == (3, TRIALS, MOMENTS)
    measured = present.any(-1)
    everything = of_modalities.sum(-1)
    assert (everything[:, ~measured] == 0).all()  # there is nothing to recall
    kept = everything[:, measured]
    torch.testing.assert_close(kept, torch.ones_like(kept))
    assert (of_modalities.movedim(-1, 0)[:, :, ~measured] == 0).all()
    missing = ~present[:, :, None].expand(TRIALS, MOMENTS, 4, 4)
    assert (of_modalities[:, missing] == 0).all()
    torch.testing.assert_close(of_moments.sum(-1), torch.ones(3, TRIALS).double())
    assert (of_moments[:, ~measured & measured.any(1, keepdim=True)] == 0).all()


def test_a_multi_scale_memory_is_a_mixture_of_retrievals():
    memory = MultiScaleMemory(BETAS).double()
    memory.gate.data = torch.tensor([0.3, -1.0, 0.5]).double()
    random = np.random.default_rng(0)
    query, patterns, values = (
        torch.from_numpy(random.normal(size=size))
        for size in ((7, 2, 6), (7, 4, 6), (7, 4, 3))
    )
    mask = torch.tensor([True, True, False, True]).expand(7, 4)
    recalled, weights = memory(query, patterns, values, mask)
    each = retrieve(query, patterns, memory.log_beta.exp() / 6**0.5, values, mask)
    mixed = torch.einsum("s,sbqd->bqd", memory.gate.softmax(0), each)
    torch.testing.assert_close(recalled, mixed)
    torch.testing.assert_close(weights @ values, each)


def test_no_measurement_is_silence():
    fusion, x, present = setting()
    silent = fusion(x, present & False)[0]
    torch.testing.assert_close(
        silent, fusion.silence().expand_as(silent), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(("beta", "expected"), [(1e-6, "mean"), (1e4, "most typical")])
def test_the_mean_of_a_trial_at_beta_zero_and_its_most_typical_moment_at_a_large_one(
    beta, expected
):
    fusion, x, _ = setting(along=(beta,))
    everything = torch.ones(TRIALS, MOMENTS, 4, dtype=torch.bool)
    moments, _ = fusion.make_moments(x, everything)
    mean = moments.mean(1)
    typical = moments[
        torch.arange(TRIALS), (moments @ mean[..., None])[..., 0].argmax(1)
    ]
    wanted = F.layer_norm({"mean": mean, "most typical": typical}[expected], (WIDTH,))
    torch.testing.assert_close(fusion(x, everything)[0], wanted, rtol=1e-4, atol=1e-4)


def test_a_lone_modality_has_no_memory_of_others():
    alone = BranchFusion((3,), WIDTH, BETAS, BETAS, torch.Generator())
    assert alone.modalities is None
    assert "amount" not in dict(alone.named_parameters())


@given(st.integers(0, 1000), st.permutations(range(MOMENTS)))
def test_moments_have_no_order_and_those_that_are_not_there_do_not_count(seed, order):
    fusion, x, present = setting(seed=seed)
    before, turned = fusion(x, present)[0], fusion(x[:, order], present[:, order])[0]
    torch.testing.assert_close(turned, before, rtol=1e-10, atol=1e-10)
    longer = torch.cat([x, torch.full_like(x, 7.0)], 1)
    padded = fusion(longer, torch.cat([present, present & False], 1))[0]
    measured = present.any(-1).any(1)
    torch.testing.assert_close(padded[measured], before[measured])


def test_modalities_have_no_order():
    fusion, x, present = setting()
    order = [2, 0, 3, 1]
    other = BranchFusion(
        [FEATURES[m] for m in order], WIDTH, BETAS, BETAS, torch.Generator()
    ).double()
    state = fusion.state_dict()
    parts = state["tokens.weight"].split(FEATURES)
    state["tokens.weight"] = torch.cat([parts[m] for m in order])
    for name in ("tokens.bias", "tokens.missing"):
        state[name] = state[name][order]
    other.load_state_dict(state)
    columns = x.split(FEATURES, -1)
    turned = other(torch.cat([columns[m] for m in order], -1), present[..., order])
    torch.testing.assert_close(turned[0], fusion(x, present)[0])


def test_what_stands_in_a_missing_modality_never_matters():
    fusion, x, present = setting()
    absent = ~present.repeat_interleave(torch.tensor(FEATURES), -1)
    clean = fusion(x, present)[0]
    for content in (math.nan, math.inf, 1e30):
        assert torch.equal(fusion(torch.where(absent, content, x), present)[0], clean)


def test_gradients_are_right():
    fusion, x, present = setting()
    names = [name for name, _ in fusion.named_parameters()]

    def fused(x, *values):
        weights = dict(zip(names, values, strict=True))
        return torch.func.functional_call(fusion, weights, (x, present[:3]))[0]

    inputs = [x[:3], *fusion.parameters()]
    assert torch.autograd.gradcheck(
        fused, [value.detach().clone().requires_grad_() for value in inputs]
    )
