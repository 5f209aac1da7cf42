"""Tokens, multi-scale memory and summaries: the equations in plain loops, and what must not matter."""

import math

import numpy as np
import torch

from mpcl.model.fusion import BranchSummary, ModalityTokens, MultiScaleMemory

FEATURES, WIDTH = (3, 2, 4, 1), 6


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def softmax(x):
    weights = np.exp(x - np.max(x))
    return weights / weights.sum()


def parts(betas=(0.25, 1.0, 4.0)):
    generator = torch.Generator().manual_seed(0)
    tokens = ModalityTokens(FEATURES, WIDTH, generator).double()
    memory = MultiScaleMemory(WIDTH, 5, betas, generator).double()
    summary = BranchSummary(len(FEATURES), WIDTH, generator).double()
    x = torch.randn(8, sum(FEATURES), generator=generator).double()
    present = torch.rand(8, 4, generator=generator) > 0.4
    present[0], present[1], present[2] = True, False, torch.tensor([True, False, True, True])
    return tokens, memory, summary, x, present


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def loop_tokens(p, x, present):
    found = np.zeros((len(x), 4, WIDTH))
    for row in range(len(x)):
        for m in range(4):
            start = sum(FEATURES[:m])
            token = x[row, start : start + FEATURES[m]] @ p[f"weights.{m}"] + p["bias"][m]
            found[row, m] = token if present[row, m] else p["missing"][m]
    return found


def loop_memory(p, tokens, present):
    found, scales = np.zeros_like(tokens), np.exp(p["log_beta"])
    query, key, value, gate = np.split(p["weight"], [WIDTH, 2 * WIDTH, 3 * WIDTH], axis=1)
    for row in range(len(tokens)):
        stored = [norm(tokens[row, m]) for m in range(4) if present[row, m]] + [norm(y) for y in p["patterns"]]
        for m in range(4):
            state = norm(tokens[row, m])
            gates = softmax(state @ gate) if len(scales) > 1 else [1.0]
            retrieved = np.zeros(WIDTH)
            for share, beta in zip(gates, scales, strict=True):
                weights = softmax([beta * (state @ query) @ (y @ key) / math.sqrt(WIDTH) for y in stored])
                retrieved += share * sum(w * (y @ value) for w, y in zip(weights, stored, strict=True))
            found[row, m] = norm(tokens[row, m] + retrieved)
    return found


def test_tokens_memory_and_summary_equal_the_plain_loops():
    for betas in ((0.25, 1.0, 4.0), (1.0,)):
        tokens, memory, summary, x, present = parts(betas)
        made = tokens(x, present)
        expected = loop_tokens(arrays(tokens), x.numpy(), present.numpy())
        np.testing.assert_allclose(made.detach(), expected, rtol=0, atol=1e-10)
        mixed, weights = memory(made, present, explain=True)
        expected = loop_memory(arrays(memory), expected, present.numpy())
        np.testing.assert_allclose(mixed.detach(), expected, rtol=0, atol=1e-10)
        assert weights.shape == (len(betas), 8, 4, 4 + 5)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
        assert (weights[..., :4].transpose(-1, -2)[:, ~present] == 0).all()
        expected = [norm(row) for row in expected.reshape(8, -1) @ arrays(summary)["weight"]]
        np.testing.assert_allclose(summary(mixed).detach(), expected, rtol=0, atol=1e-10)


def test_what_stands_in_a_missing_modality_never_matters():
    tokens, memory, summary, x, present = parts()
    absent = ~present[:, tokens.modality]
    clean = summary(memory(tokens(x, present), present)[0])
    for content in (math.nan, math.inf, 1e30):
        made = tokens(torch.where(absent, content, x), present)
        assert torch.equal(summary(memory(made, present)[0]), clean)


def test_stored_patterns_and_tokens_have_no_order():
    tokens, memory, _, x, present = parts()
    made = tokens(x, present)
    before = memory(made, present)[0]
    memory.patterns.data = memory.patterns.data.flip(0)
    torch.testing.assert_close(memory(made, present)[0], before, rtol=1e-12, atol=1e-12)
    order = torch.tensor([2, 0, 3, 1])
    turned = memory(made[:, order], present[:, order])[0]
    torch.testing.assert_close(turned, before[:, order], rtol=1e-12, atol=1e-12)


def test_gradients_are_right():
    tokens, memory, summary, x, present = parts()

    def fused(x, log_beta, patterns, missing):
        made = torch.func.functional_call(tokens, {"missing": missing}, (x, present[:3]))
        changed = {"log_beta": log_beta, "patterns": patterns}
        return summary(torch.func.functional_call(memory, changed, (made, present[:3]))[0])

    inputs = [x[:3], memory.log_beta.detach(), memory.patterns.detach(), tokens.missing.detach()]
    assert torch.autograd.gradcheck(fused, [one.clone().requires_grad_() for one in inputs])
