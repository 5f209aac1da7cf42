"""Prototype banks: they ask the memory; tokens, activations and relations in loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.model import memory
from mpcl.model.prototypes import (
    WRITING,
    EmotionEmbeddings,
    PrototypeBanks,
    prototype_loss,
    writing_loss,
)

B, BRANCHES, C, K, D, TAU = 4, 2, 3, 2, 5, 0.45


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def setting(seed=0, bypass=False):
    generator = torch.Generator().manual_seed(seed)
    banks = PrototypeBanks(BRANCHES, C, K, D, TAU, generator, bypass).double()
    assert torch.equal(banks.bank[0], banks.bank[1])  # one draw for both
    banks.bank.data = torch.randn(banks.bank.shape, generator=generator).double()
    return banks, torch.randn(B, BRANCHES, D, generator=generator).double()


def loop_near(h, bank):
    """cos(h, P_ck) / tau of one trial and branch, number by number (C, K)."""
    near = np.zeros((C, K))
    for c in range(C):
        for k in range(K):
            lengths = math.sqrt(sum(h**2)) * math.sqrt(sum(bank[c, k] ** 2))
            near[c, k] = sum(h * bank[c, k]) / lengths / TAU
    return near


@pytest.mark.parametrize("bypass", [False, True])
def test_tokens_activations_and_relations_equal_the_plain_loops(bypass):
    banks, summary = setting(bypass=bypass)
    tokens, activation = banks(summary)
    relations = banks.relations(summary).detach().numpy()
    h, bank = summary.numpy(), banks.bank.detach().numpy()
    weight = banks.weight.detach().numpy()
    for row in range(B):
        joined, each = np.zeros((C, D)), []
        if bypass:
            past = h[row].reshape(-1) @ banks.past_weight.detach().numpy()
            joined += banks.gate.item() * past
        for b in range(BRANCHES):
            near = loop_near(h[row, b], bank[b])
            for c in range(C):
                share = np.exp(near[c]) / np.exp(near[c]).sum()  # within one emotion
                unit = [p / math.sqrt(sum(p**2)) for p in bank[b, c]]
                mixture = sum(share[k] * unit[k] for k in range(K))
                joined[c] += mixture @ weight[b]
                nearest = math.log(sum(np.exp(near[c])))
                constant = math.log(K) + 1 / TAU  # |h| = |P| = 1
                found = activation[row, b, c].item()
                assert found == pytest.approx(nearest - constant, abs=1e-10)
            flat = near.reshape(-1)
            each.append(flat - math.log(sum(np.exp(flat))))
            np.testing.assert_allclose(relations[1 + b, row], each[-1], atol=1e-10)
        by_both = np.exp(sum(each) / BRANCHES)
        np.testing.assert_allclose(
            np.exp(relations[0, row]), by_both / by_both.sum(), atol=1e-10
        )
        np.testing.assert_allclose(
            tokens[row].detach(), [norm(token) for token in joined], atol=1e-6
        )


def test_a_token_is_what_its_bank_recalls_and_an_activation_its_negative_energy():
    banks, summary = setting()
    tokens, activation = banks(summary)
    unit, bank = torch.nn.functional.normalize(summary, dim=-1), banks.prototypes()
    for c in range(C):
        recalled = [
            memory.retrieve(unit[:, b], bank[b, c], 1 / TAU) @ banks.weight[b]
            for b in range(BRANCHES)
        ]
        expected = torch.nn.functional.layer_norm(sum(recalled), (D,))
        torch.testing.assert_close(tokens[:, c], expected)
        for b in range(BRANCHES):
            energy = memory.energy(unit[:, b], bank[b, c], 1 / TAU)
            torch.testing.assert_close(activation[:, b, c], -energy / TAU)


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_no_length_changes_anything_and_no_activation_is_positive(seed, length):
    banks, summary = setting(seed)
    before = banks(summary)
    assert (before[1] <= 1e-12).all()  # an energy is not negative
    banks.bank.data /= length
    torch.testing.assert_close(banks(summary * length), before)


def test_kinds_have_no_order_and_branches_swap_together():
    banks, summary = setting()
    before, relations = banks(summary), banks.relations(summary)
    banks.bank.data = banks.bank.data.flip(2)
    torch.testing.assert_close(banks(summary), before, rtol=1e-12, atol=1e-12)
    turned = banks.relations(summary).unflatten(-1, (C, K)).flip(-1).flatten(-2)
    torch.testing.assert_close(turned, relations)
    banks.bank.data = banks.bank.data.flip(2)
    for parameter in (banks.bank, banks.weight):
        parameter.data = parameter.data.flip(0)
    swapped, other = banks(summary.flip(1))
    torch.testing.assert_close(swapped, before[0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(other, before[1].flip(1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(banks.relations(summary.flip(1)), relations[[0, 2, 1]])


def test_prototypes_of_one_emotion_change_its_token_and_activation_alone():
    banks, summary = setting()
    before = banks(summary)
    banks.bank.data[:, 1] = torch.randn(
        BRANCHES, K, D, generator=torch.Generator().manual_seed(1)
    ).double()
    for then, now in zip(before, banks(summary), strict=True):
        dim = 1 if then is before[0] else 2
        moved = (now - then).abs().movedim(dim, 0).flatten(1).amax(1)
        assert moved[1] > 1e-3 and moved[[0, 2]].max() == 0


def test_without_a_bypass_equal_recall_is_an_equal_token():
    """Whatever a trial is like, its tokens lie where prototypes are recalled."""
    banks, summary = setting()
    banks.bank.data[:, :, 1:] = banks.bank.data[:, :, :1]  # one thing to recall
    assert banks(summary)[0].var(0).max() < 1e-20
    banks, summary = setting(bypass=True)
    banks.bank.data[:, :, 1:] = banks.bank.data[:, :, :1]
    assert banks(summary)[0].var(0).max() > 1e-4


def test_emotions_without_banks_have_tokens_of_the_summary_and_their_name():
    tokens = EmotionEmbeddings(
        BRANCHES, C, D, torch.Generator().manual_seed(0)
    ).double()
    summary = torch.randn(B, BRANCHES, D).double()
    for row in range(B):
        state = summary[row].flatten() @ tokens.weight
        for c in range(C):
            expected = norm((state + tokens.embeddings[c]).detach().numpy())
            np.testing.assert_allclose(tokens(summary)[row, c].detach(), expected)


def test_the_loss_is_the_mean_divergence_of_the_branches_that_are_there():
    log = (
        torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
        .double()
        .log_softmax(-1)
    )
    target = torch.tensor(
        [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]]
    ).double()
    present = torch.tensor([[True, True], [True, False], [False, False], [False, True]])
    expected = []
    for row in range(4):
        each = [
            sum(
                d * (math.log(d) - log[row, b, c].item())
                for c, d in enumerate(target[row].tolist())
                if d
            )
            for b in range(2)
            if present[row, b]
        ]
        expected.append(sum(each) / max(len(each), 1))
    np.testing.assert_allclose(
        prototype_loss(log, target, present), expected, rtol=0, atol=1e-10
    )


def test_what_is_written_is_the_energy_of_trials_that_stand_still():
    banks, summary = setting()
    summary.requires_grad_()
    energy = banks.writing(summary)
    unit = torch.nn.functional.normalize(summary, dim=-1)
    for b in range(BRANCHES):
        for c in range(C):
            expected = memory.energy(unit[:, b], banks.prototypes()[b, c], WRITING)
            torch.testing.assert_close(energy[:, b, c], expected)
    energy.sum().backward()
    assert summary.grad is None and banks.bank.grad.abs().max() > 0


def test_only_what_was_felt_more_than_usual_is_written_into_banks_of_present_branches():
    energy = torch.rand(2, 2, 2).double() + 1
    target = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).double()  # the mean is .5
    present = torch.tensor([[True, True], [True, False]])
    loss = writing_loss(energy, target, present)
    first = 0.5 * (energy[0, 0, 0] + energy[0, 1, 0]) / 4
    second = 0.5 * energy[1, 0, 1] / 4
    torch.testing.assert_close(loss, torch.stack([first, second]))
    usual = torch.full((2, 2), 0.5).double()
    assert writing_loss(energy, usual, present).abs().max() == 0


def test_prototypes_written_become_the_trials_that_they_store():
    generator = torch.Generator().manual_seed(0)
    banks = PrototypeBanks(1, 2, 2, 8, TAU, generator).double()
    kinds = torch.nn.functional.normalize(
        torch.randn(4, 8, generator=generator), dim=-1
    )
    summary = kinds.double().repeat(10, 1)[:, None]  # two kinds of trial an emotion
    target = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]).double()
    target, present = target.repeat(10, 1), torch.ones(40, 1).bool()
    optimiser = torch.optim.Adam([banks.bank], lr=0.02)
    for _ in range(300):
        loss = writing_loss(banks.writing(summary), target, present).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    near = banks.prototypes()[0] @ kinds.double().mT  # (emotion, kind, trial)
    assert near[0].amax(0)[:2].min() > 0.8 and near[1].amax(0)[2:].min() > 0.8


def test_gradients_are_right():
    banks, summary = setting()

    def run(summary, bank):
        changed = {"bank": bank}
        return torch.func.functional_call(banks, changed, (summary,))

    bank = banks.bank.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (summary.requires_grad_(), bank))
