"""Prototype banks: similarity, recall within an emotion, tokens and loss in plain loops."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.model.prototypes import PrototypeBanks, prototype_loss, similarity

B, BRANCHES, C, K, D, TAU = 4, 2, 3, 2, 5, 0.3


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def setting(seed=0):
    generator = torch.Generator().manual_seed(seed)
    banks = PrototypeBanks(BRANCHES, C, K, D, TAU, generator).double()
    assert torch.equal(banks.bank[0], banks.bank[1])  # one draw for both
    banks.bank.data = torch.randn(banks.bank.shape, generator=generator).double()
    return banks, torch.randn(B, BRANCHES, D, generator=generator).double()


def test_tokens_and_activations_equal_the_plain_loops():
    banks, summary = setting()
    tokens, activation = banks(summary)
    h, bank = summary.numpy(), banks.bank.detach().numpy()
    weight, join = banks.weight.detach().numpy(), banks.join_weight.detach().numpy()
    for row in range(B):
        joined = np.tile(h[row].reshape(-1) @ weight, (C, 1))
        for b in range(BRANCHES):
            for c in range(C):
                near = np.zeros(K)
                for k in range(K):
                    lengths = math.sqrt(sum(h[row, b] ** 2)) * math.sqrt(sum(bank[b, c, k] ** 2))
                    near[k] = sum(h[row, b] * bank[b, c, k]) / lengths / TAU
                act = math.log(sum(math.exp(one) for one in near))
                assert abs(activation[row, b, c].item() - act) < 1e-10
                share = np.exp(near) / np.exp(near).sum()  # softmax over the prototypes of one emotion
                mixture = sum(share[k] * bank[b, c, k] / math.sqrt(sum(bank[b, c, k] ** 2)) for k in range(K))
                joined[c] += math.sqrt(D) * mixture @ join[b]
        np.testing.assert_allclose(tokens[row].detach(), [norm(one) for one in joined], rtol=0, atol=1e-10)


@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(0.05, 5.0))
@settings(max_examples=30, deadline=None)
def test_similarity_is_a_bounded_cosine_that_no_length_changes(seed, length, temperature):
    banks, summary = setting(seed)
    near = similarity(summary, banks.bank, temperature)
    assert (near.abs() * temperature <= 1 + 1e-12).all()
    torch.testing.assert_close(near, similarity(summary * length, banks.bank / length, temperature))


def test_kinds_have_no_order_and_branches_swap_together():
    banks, summary = setting()
    tokens, activation = banks(summary)
    banks.bank.data = banks.bank.data.flip(2)
    torch.testing.assert_close(banks(summary), (tokens, activation), rtol=1e-12, atol=1e-12)
    for parameter in (banks.bank, banks.join_weight):
        parameter.data = parameter.data.flip(0)
    banks.weight.data = banks.weight.data.view(BRANCHES, D, D).flip(0).flatten(0, 1)
    swapped, other = banks(summary.flip(1))
    torch.testing.assert_close(swapped, tokens, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(other, activation.flip(1), rtol=1e-12, atol=1e-12)


def test_prototypes_of_one_emotion_change_its_token_and_activation_alone():
    banks, summary = setting()
    before = banks(summary)
    banks.bank.data[:, 1] = torch.randn(BRANCHES, K, D, generator=torch.Generator().manual_seed(1)).double()
    for then, now in zip(before, banks(summary), strict=True):
        dim = 1 if then is before[0] else 2
        moved = (now - then).abs().movedim(dim, 0).flatten(1).amax(1)
        assert moved[1] > 1e-3 and moved[[0, 2]].max() == 0


def test_the_loss_is_the_mean_divergence_of_the_branches_that_are_there():
    log = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0)).double().log_softmax(-1)
    target = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]]).double()
    present = torch.tensor([[True, True], [True, False], [False, False], [False, True]])
    expected = []
    for row in range(4):
        each = [
            sum(d * (math.log(d) - log[row, b, c].item()) for c, d in enumerate(target[row].tolist()) if d)
            for b in range(2)
            if present[row, b]
        ]
        expected.append(sum(each) / max(len(each), 1))
    np.testing.assert_allclose(prototype_loss(log, target, present), expected, rtol=0, atol=1e-10)
    assert (
        prototype_loss(target.clamp_min(1e-300).log()[:, None].expand(-1, 2, -1), target, present).abs().max() < 1e-12
    )


def test_gradients_are_right():
    banks, summary = setting()

    def run(summary, bank):
        return torch.func.functional_call(banks, {"bank": bank}, (summary,))

    assert torch.autograd.gradcheck(run, (summary.requires_grad_(), banks.bank.detach().clone().requires_grad_()))
