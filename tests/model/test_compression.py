"""Semantic compression: groups, code and logits in plain loops."""

import math

import numpy as np
import torch

from mpcl.model.compression import ValenceCompression

B, D, VALENCE = 3, 6, (1, -1, 1, 0, -1)


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def gelu(x):
    return np.array([one * (1 + math.erf(one / math.sqrt(2))) / 2 for one in x])


def setting():
    generator = torch.Generator().manual_seed(0)
    levels = ValenceCompression(VALENCE, D, generator).double()
    levels.assignment.data += torch.randn(levels.assignment.shape, generator=generator)
    return levels, torch.randn(B, len(VALENCE), D, generator=generator).double()


def test_groups_start_as_the_valences_and_every_emotion_belongs_to_them_wholly():
    levels = ValenceCompression(VALENCE, D, torch.Generator())
    membership = levels.membership()
    torch.testing.assert_close(membership.sum(0), torch.ones(5))
    assert membership.argmax(0).tolist() == [0, 2, 0, 1, 2]  # positive, neutral, negative
    assert len(ValenceCompression((1, -1), D, torch.Generator()).assignment) == 2


def test_logits_and_code_equal_the_plain_loops():
    levels, tokens = setting()
    logits, code = levels(tokens)
    p = {name: value.detach().numpy() for name, value in levels.named_parameters()}
    assign, t = p["assignment"], tokens.numpy()
    for row in range(B):
        groups, expected = [], np.zeros(len(VALENCE))
        for g in range(3):
            share = np.exp(assign[g]) / np.exp(assign[g]).sum()
            groups.append(norm(sum(share[c] * t[row, c] for c in range(len(VALENCE))) @ p["group_weight"]))
        u = np.concatenate([gelu(group) for group in groups]) @ p["code_weight"]
        for c in range(len(VALENCE)):
            belongs = np.exp(assign[:, c]) / np.exp(assign[:, c]).sum()
            expected[c] = sum(belongs[g] * groups[g] @ p["logit_weight"] for g in range(3))
            expected[c] += gelu(u) @ p["out_weight"][:, c]
        np.testing.assert_allclose(code[row].detach(), u, rtol=0, atol=1e-10)
        np.testing.assert_allclose(logits[row].detach(), expected, rtol=0, atol=1e-10)


def test_emotions_have_no_order_and_gradients_are_right():
    levels, tokens = setting()
    logits, code = levels(tokens)
    order = torch.tensor([4, 2, 0, 1, 3])
    levels.assignment.data, levels.out_weight.data = levels.assignment.data[:, order], levels.out_weight.data[:, order]
    torch.testing.assert_close(levels(tokens[:, order]), (logits[:, order], code), rtol=1e-12, atol=1e-12)

    def run(tokens, assignment):
        return torch.func.functional_call(levels, {"assignment": assignment}, (tokens,))

    inputs = (tokens, levels.assignment.detach().clone())
    assert torch.autograd.gradcheck(run, [one.requires_grad_() for one in inputs])
