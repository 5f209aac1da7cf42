"""Moments and trials: the equations in plain loops, and what must not matter."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mpcl.model.fusion import ModalityTokens, TrialMemory, mean_moment
from mpcl.model.memory import retrieve

FEATURES, WIDTH, BETAS = (3, 2, 4, 1), 6, (0.25, 1.0, 4.0)
TRIALS, MOMENTS = 8, 5


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def softmax(x):
    weights = np.exp(x - np.max(x))
    return weights / weights.sum()


def parts(betas=BETAS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens, memory = ModalityTokens(FEATURES, WIDTH, generator).double(), TrialMemory(betas).double()
    memory.gate.data = torch.randn(len(betas), generator=generator).double()
    x = torch.randn(TRIALS, MOMENTS, sum(FEATURES), generator=generator).double()
    present = torch.rand(TRIALS, MOMENTS, 4, generator=generator) > 0.5
    present[0], present[1], present[2, 1:] = True, False, False  # all there, nothing, a trial of one moment
    return tokens, memory, x, present


def loop_moments(p, x, present):
    found = np.zeros((*x.shape[:2], WIDTH))
    for at in np.ndindex(*x.shape[:2]):
        total = np.zeros(WIDTH)
        for m in range(4):
            rows = slice(sum(FEATURES[:m]), sum(FEATURES[: m + 1]))
            total += x[at][rows] @ p["weight"][rows] + p["bias"][m] if present[at][m] else p["missing"][m]
        found[at] = norm(total)
    return found


def loop_trials(p, moments, there):
    found, scales, shares = np.zeros((len(moments), WIDTH)), np.exp(p["log_beta"]), softmax(p["gate"])
    for row in range(len(moments)):
        own = moments[row][there[row]] if there[row].any() else moments[row]
        query = own.mean(0)
        for share, beta in zip(shares, scales, strict=True):
            found[row] += share * softmax(beta * own @ query / math.sqrt(WIDTH)) @ own
        found[row] = norm(found[row])
    return found


def test_moments_and_trials_equal_the_plain_loops():
    for betas in (BETAS, (1.0,)):
        tokens, memory, x, present = parts(betas)
        arrays = [{k: v.detach().numpy() for k, v in one.named_parameters()} for one in (tokens, memory)]
        moments, there = tokens(x, present), present.any(-1)
        np.testing.assert_allclose(moments.detach(), loop_moments(arrays[0], x.numpy(), present.numpy()), atol=1e-10)
        trial, weights = memory(moments, there)
        np.testing.assert_allclose(
            trial.detach(), loop_trials(arrays[1], moments.detach().numpy(), there.numpy()), atol=1e-10)
        assert weights.shape == (len(betas), TRIALS, MOMENTS)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
        assert (weights[:, ~there & there.any(1, keepdim=True)] == 0).all()


def test_a_moment_is_the_sum_of_its_tokens_and_silence_the_moment_without_any():
    tokens, _, x, present = parts()
    each = tokens.tokens(x, present)
    assert each.shape == (TRIALS, MOMENTS, 4, WIDTH)
    torch.testing.assert_close(F.layer_norm(each.sum(-2), (WIDTH,)), tokens(x, present), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(tokens(x, present & False)[0, 0], tokens.silence(), rtol=1e-12, atol=1e-12)


def test_each_scale_is_the_retrieval_of_the_memory_chapter():
    _, memory, x, _ = parts()
    moments = F.layer_norm(x[..., :WIDTH], (WIDTH,))
    query = moments.mean(1, keepdim=True)
    found = retrieve(query, moments, memory.log_beta.exp().detach() / math.sqrt(WIDTH))  # (scale, trial, 1, width)
    mixed = torch.einsum("s,sbqd->bd", memory.gate.softmax(0), found)
    everything = torch.ones(TRIALS, MOMENTS, dtype=torch.bool)
    torch.testing.assert_close(memory(moments, everything)[0], F.layer_norm(mixed, (WIDTH,)))


@pytest.mark.parametrize(("beta", "expected"), [(1e-6, "mean"), (1e4, "most typical")])
def test_the_mean_of_a_trial_at_beta_zero_and_its_most_typical_moment_at_a_large_one(beta, expected):
    tokens, _, x, present = parts()
    moments, everything = tokens(x, present).detach(), torch.ones(TRIALS, MOMENTS, dtype=torch.bool)
    mean = mean_moment(moments, everything)
    typical = moments[torch.arange(TRIALS), (moments @ mean[..., None])[..., 0].argmax(1)]
    trial = TrialMemory((beta,)).double()(moments, everything)[0]
    wanted = F.layer_norm({"mean": mean, "most typical": typical}[expected], (WIDTH,))
    torch.testing.assert_close(trial, wanted, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 1000), st.permutations(range(MOMENTS)))
def test_moments_have_no_order_and_those_that_are_not_there_do_not_count(seed, order):
    tokens, memory, x, present = parts(seed=seed)
    moments, there = tokens(x, present), present.any(-1)
    before, turned = memory(moments, there)[0], memory(moments[:, order], there[:, order])[0]
    torch.testing.assert_close(turned, before, rtol=1e-12, atol=1e-12)
    longer = torch.cat([moments, torch.full_like(moments, 7.0)], 1)
    padded = memory(longer, torch.cat([there, there & False], 1))[0]
    some = there.any(1)
    torch.testing.assert_close(padded[some], before[some], rtol=1e-12, atol=1e-12)


def test_what_stands_in_a_missing_modality_never_matters():
    tokens, memory, x, present = parts()
    absent, there = ~present[..., tokens.modality], present.any(-1)
    clean = memory(tokens(x, present), there)[0]
    for content in (math.nan, math.inf, 1e30):
        assert torch.equal(memory(tokens(torch.where(absent, content, x), present), there)[0], clean)


def test_gradients_are_right():
    tokens, memory, x, present = parts()

    def fused(x, log_beta, gate, missing):
        made = torch.func.functional_call(tokens, {"missing": missing}, (x, present[:3]))
        changed = {"log_beta": log_beta, "gate": gate}
        return torch.func.functional_call(memory, changed, (made, present[:3].any(-1)))[0]

    inputs = [x[:3], memory.log_beta.detach(), memory.gate.detach(), tokens.missing.detach()]
    assert torch.autograd.gradcheck(fused, [one.clone().requires_grad_() for one in inputs])
