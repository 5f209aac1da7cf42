"""Semantic compression: groups, code and evidence in plain loops; groups form."""

import math

import numpy as np
import pytest
import torch

from mpcl.model.compression import (
    SHARPNESS,
    SemanticCompression,
    agreement,
    groups_used,
    valence_groups,
)

B, G, C, D, CODE, BRANCHES = 3, 3, 5, 6, 2, 2


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def softmax(x, axis=-1):
    shares = np.exp(x - x.max(axis, keepdims=True))
    return shares / shares.sum(axis, keepdims=True)


def gelu(x):
    return np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x])


def setting(learned=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(G, C, generator=generator)
    levels = SemanticCompression(start, learned, BRANCHES, D, CODE, generator).double()
    with torch.no_grad():
        for value in levels.parameters():
            value += torch.randn(value.shape, generator=generator) / 5
    tokens = torch.randn(B, C, D, generator=generator).double()
    tokens = D**0.5 * torch.nn.functional.normalize(tokens, dim=-1)
    return levels, tokens, torch.randn(B, BRANCHES, C, generator=generator).double()


def test_evidence_weights_and_code_equal_the_plain_loops():
    levels, tokens, activation = setting()
    evidence, weights, code = levels(tokens, activation)
    p = {name: value.detach().numpy() for name, value in levels.named_parameters()}
    assignment = levels.start.numpy() + SHARPNESS * p["moved"]
    membership = softmax(assignment, 0)
    t, a = tokens.numpy(), activation.numpy()
    unit = t / np.linalg.norm(t, axis=-1, keepdims=True)
    for row in range(B):
        groups, votes = [], []
        for g in range(G):
            query = p["query"][g] / math.sqrt(sum(p["query"][g] ** 2))
            scores = np.zeros(C)
            for c in range(C):
                scores[c] = math.exp(p["log_beta"][0]) * query @ unit[row, c]
                scores[c] += assignment[g, c] + sum(p["alpha"] * a[row, :, c])
            share = softmax(scores)
            np.testing.assert_allclose(weights[row, g].detach(), share, atol=1e-7)
            recalled = sum(share[c] * t[row, c] for c in range(C))
            groups.append(norm(recalled @ p["group_weight"]))
            votes.append(groups[g] @ p["vote_weight"][g])
        u = np.concatenate([gelu(group) for group in groups]) @ p["code_weight"]
        np.testing.assert_allclose(code[row].detach(), u, atol=1e-6)
        expected = reach(p, membership, np.array(votes), gelu(u))
        np.testing.assert_allclose(evidence[row].detach(), expected, atol=1e-6)


def reach(p, membership, votes, code):
    """What the emotions are told by votes (G,) and code."""
    return membership.T @ (votes + code @ p["out_weight"])


def test_nothing_passes_beside_the_groups():
    """Where no group votes, no token, no activation and no code moves the evidence."""
    levels, tokens, activation = setting()
    with torch.no_grad():
        levels.vote_weight.zero_()
        levels.out_weight.zero_()
    assert levels(tokens, activation)[0].abs().max() == 0


def test_emotions_of_the_same_membership_are_told_the_same():
    levels, tokens, activation = setting()
    with torch.no_grad():
        levels.start[:, 1] = levels.start[:, 0]
        levels.moved[:, 1] = levels.moved[:, 0]
    evidence = levels(tokens, activation)[0]
    torch.testing.assert_close(evidence[:, 0], evidence[:, 1])
    assert (evidence[:, 0] - evidence[:, 2]).abs().max() > 1e-3


def test_groups_made_by_hand_are_the_valences_and_stay():
    start = 4 * valence_groups((1, -1, 1, 0, -1))
    levels = SemanticCompression(start, False, 1, D, CODE, torch.Generator())
    assert levels.membership().argmax(0).tolist() == [0, 2, 0, 1, 2]
    torch.testing.assert_close(levels.membership().sum(0), torch.ones(5))
    assert levels.moved is None and "start" in dict(levels.named_buffers())


def test_emotions_have_no_order_and_gradients_are_right():
    levels, tokens, activation = setting()
    evidence, weights, code = levels(tokens, activation)
    names = list(dict(levels.named_parameters()))

    def run(tokens, activation, *values):
        changed = dict(zip(names, values, strict=True))
        return torch.func.functional_call(levels, changed, (tokens, activation))

    inputs = [tokens, activation, *levels.parameters()]
    assert torch.autograd.gradcheck(
        run, [value.detach().clone().requires_grad_() for value in inputs]
    )
    order = torch.tensor([4, 2, 0, 1, 3])
    with torch.no_grad():
        levels.start.copy_(levels.start[:, order])
        levels.moved.copy_(levels.moved[:, order])
    turned = levels(tokens[:, order], activation[..., order])
    expected = evidence[:, order], weights[..., order], code
    torch.testing.assert_close(turned, expected)


def test_groups_used_and_agreement():
    hand = valence_groups((1, 1, 1, -1, -1, -1))
    assert groups_used(hand) == 2
    assert groups_used(torch.cat([hand, torch.zeros(1, 6)])) == 2
    assert groups_used(torch.tensor([[0.95] * 6, [0.05] * 6])) == 1
    assert agreement(hand, hand.flip(0)) == pytest.approx(1)
    other = valence_groups((1, 1, -1, -1, 0, 0))
    assert agreement(hand, other) == agreement(other, hand)
    # by hand: 15 pairs; 6 and 3 share a group, 2 in both; chance 6 3 / 15 = 1.2
    assert agreement(hand, other) == pytest.approx((2 - 1.2) / (4.5 - 1.2))
    generator = torch.Generator().manual_seed(0)
    chance = [agreement(*torch.rand(2, 3, 12, generator=generator)) for _ in range(300)]
    assert abs(np.mean(chance)) < 0.03


def learned_from(start, tokens, target, steps=150):
    """The membership that the compression learns from labels, by Adam."""
    generator = torch.Generator().manual_seed(0)
    levels = SemanticCompression(start, True, 1, D, CODE, generator).double()
    optimiser = torch.optim.Adam(levels.parameters(), lr=1e-2)
    nothing = torch.zeros(len(tokens), 1, target.shape[1]).double()
    for _ in range(steps):
        logits = levels(tokens, nothing)[0]
        loss = -(target * logits.log_softmax(-1)).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return levels.membership().detach()


def test_groups_form_from_random_starts_of_emotions_that_are_felt_together():
    generator = torch.Generator().manual_seed(3)
    mood = torch.randn(100, 1, generator=generator).double()
    kinds = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).double()
    target = (mood * kinds).softmax(-1)
    direction = torch.randn(6, D, generator=generator).double()
    noise = torch.randn(100, 6, D, generator=generator) / 5
    tokens = mood[..., None] * direction + noise + direction.flip(0)
    memberships = []
    for _ in range(10):
        start = torch.randn(2, 6, generator=generator) / 8
        memberships.append(learned_from(start, tokens, target))
    hand = valence_groups(kinds.int().tolist())
    agreements = [agreement(learned, hand) for learned in memberships]
    assert np.mean(agreements) > 0.9, agreements
    assert all(groups_used(learned) == 2 for learned in memberships)
