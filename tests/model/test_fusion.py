"""Tokens, multi-scale memory and summaries: the equations in plain loops, and what must not matter."""

import math

import numpy as np
import torch

from mpcl.model.fusion import BranchSummary, ModalityTokens, MultiScaleMemory

FEATURES, BRANCH, WIDTH = (3, 2, 4, 1), (0, 1, 0, 0), 6
SLOTS = [[0, 2, 3], [1, 4, 4]]  # 4: empty


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def softmax(x):
    weights = np.exp(x - np.max(x))
    return weights / weights.sum()


def parts(betas=(0.25, 1.0, 4.0)):
    generator = torch.Generator().manual_seed(0)
    tokens = ModalityTokens(FEATURES, BRANCH, WIDTH, generator)
    memory = MultiScaleMemory(2, WIDTH, 5, betas, generator)
    x = torch.randn(8, sum(FEATURES), generator=generator).double()
    present = torch.rand(8, 4, generator=generator) > 0.4
    present[0], present[1], present[2] = True, False, torch.tensor([True, False, True, True])
    return tokens.double(), memory.double(), BranchSummary(tokens.sizes, WIDTH, generator).double(), x, present


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def loop_tokens(p, x, present):
    found = np.zeros((len(x), 2, 3, WIDTH))
    for row in range(len(x)):
        for branch in range(2):
            for slot, m in enumerate(SLOTS[branch]):
                if m < 4:
                    start = sum(FEATURES[:m])
                    token = x[row, start : start + FEATURES[m]] @ p[f"weights.{m}"] + p["bias"][m]
                    found[row, branch, slot] = token if present[row, m] else p["missing"][m]
    return found


def loop_memory(p, tokens, present):
    found, scales = np.zeros_like(tokens), np.exp(p["log_beta"])
    for row in range(len(tokens)):
        for branch in range(2):
            weight = p["weight"][branch]
            query, key, value, gate = np.split(weight, [WIDTH, 2 * WIDTH, 3 * WIDTH], axis=1)
            stored = [
                norm(tokens[row, branch, slot]) for slot, m in enumerate(SLOTS[branch]) if m < 4 and present[row, m]
            ] + [norm(pattern) for pattern in p["patterns"][branch]]
            for slot in range(3):
                state = norm(tokens[row, branch, slot])
                gates = softmax(state @ gate) if len(scales) > 1 else [1.0]
                retrieved = np.zeros(WIDTH)
                for share, beta in zip(gates, scales, strict=True):
                    weights = softmax([beta * (state @ query) @ (y @ key) / math.sqrt(WIDTH) for y in stored])
                    retrieved += share * sum(w * (y @ value) for w, y in zip(weights, stored, strict=True))
                found[row, branch, slot] = norm(tokens[row, branch, slot] + retrieved)
    return found


def test_tokens_memory_and_summary_equal_the_plain_loops():
    for betas in ((0.25, 1.0, 4.0), (1.0,)):
        tokens, memory, summary, x, present = parts(betas)
        made, measured = tokens(x, present)
        expected = loop_tokens(arrays(tokens), x.numpy(), present.numpy())
        np.testing.assert_allclose(made.detach(), expected, rtol=0, atol=1e-10)
        assert measured.tolist() == [
            [[m < 4 and bool(row[m]) for m in slots] for slots in SLOTS] for row in present.numpy()
        ]
        mixed, weights = memory(made, measured, explain=True)
        expected = loop_memory(arrays(memory), expected, present.numpy())
        np.testing.assert_allclose(mixed.detach(), expected, rtol=0, atol=1e-10)
        assert weights.shape == (len(betas), 8, 2, 3, 3 + 5)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
        assert (weights[..., :3].transpose(-1, -2)[:, ~measured] == 0).all()
        flat = [
            expected[:, 0].reshape(8, -1) @ arrays(summary)["weights.0"],
            expected[:, 1, 0] @ arrays(summary)["weights.1"],
        ]
        expected = np.array([[norm(row) for row in branch] for branch in flat]).swapaxes(0, 1)
        np.testing.assert_allclose(summary(mixed).detach(), expected, rtol=0, atol=1e-10)


def test_what_stands_in_a_missing_modality_or_an_empty_slot_never_matters():
    tokens, memory, summary, x, present = parts()

    def fused(x):
        made, measured = tokens(x, present)
        return summary(memory(made, measured)[0])

    absent = ~present[:, tokens.modality]
    clean = fused(x)
    for content in (math.nan, math.inf, 1e30):
        assert torch.equal(fused(torch.where(absent, content, x)), clean)
    made, measured = tokens(x, present)
    empty = torch.tensor(SLOTS) == 4
    mixed = memory(torch.where(empty[..., None], 1e3, made), measured)[0]
    torch.testing.assert_close(summary(mixed), clean, rtol=1e-12, atol=1e-12)


def test_stored_patterns_have_no_order_and_branches_do_not_see_each_other():
    tokens, memory, _, x, present = parts()
    made, measured = tokens(x, present)
    before = memory(made, measured)[0]
    memory.patterns.data = memory.patterns.data.flip(1)
    torch.testing.assert_close(memory(made, measured)[0], before, rtol=1e-12, atol=1e-12)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(
        memory(made[:, :, order], measured[:, :, order])[0], before[:, :, order], rtol=1e-12, atol=1e-12
    )
    other = torch.cat([made[:, :1], made[:, 1:] + 1], 1)
    torch.testing.assert_close(memory(other, measured)[0][:, 0], before[:, 0], rtol=1e-12, atol=1e-12)


def test_gradients_are_right():
    tokens, memory, summary, x, present = parts()

    def fused(x, log_beta, patterns, missing):
        changed = {"log_beta": log_beta, "patterns": patterns}
        made, measured = torch.func.functional_call(tokens, {"missing": missing}, (x, present[:3]))
        return summary(torch.func.functional_call(memory, changed, (made, measured))[0])

    inputs = [x[:3], memory.log_beta.detach(), memory.patterns.detach(), tokens.missing.detach()]
    assert torch.autograd.gradcheck(fused, [one.clone().requires_grad_() for one in inputs])
