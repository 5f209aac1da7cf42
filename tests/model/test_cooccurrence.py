"""Co-occurrence: the matrix and the recall in plain loops, and their edge cases."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_matrix

C = 4


def labels(seed, rows=12, emotions=C):
    return torch.from_numpy(
        np.random.default_rng(seed).dirichlet(np.ones(emotions), rows)
    )


def loop_matrix(label, weight, temperature=0.25):
    weight = weight / weight.sum()
    log = np.array(
        [[math.log((d + 1e-3) / sum(row + 1e-3)) for d in row] for row in label]
    )
    mean = [sum(weight * log[:, c]) for c in range(log.shape[1])]
    matrix = np.zeros((log.shape[1],) * 2)
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            if i != j:
                first, second = log[:, i] - mean[i], log[:, j] - mean[j]
                spread = math.sqrt(sum(weight * first**2) * sum(weight * second**2))
                matrix[i, j] = math.exp(
                    sum(weight * first * second) / spread / temperature
                    if spread > 1e-12
                    else 0.0
                )
    return matrix / matrix.sum(1, keepdims=True)


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(3, 20))
@settings(max_examples=40, deadline=None)
def test_the_matrix_equals_the_plain_loops(seed, emotions, rows):
    label, weight = (
        labels(seed, rows, emotions),
        torch.from_numpy(np.random.default_rng(seed).random(rows) + 0.1),
    )
    found = cooccurrence_matrix(label, weight)
    np.testing.assert_allclose(
        found, loop_matrix(label.numpy(), weight.numpy()), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        cooccurrence_matrix(label, weight, 1.5),
        loop_matrix(label.numpy(), weight.numpy(), 1.5),
        rtol=0,
        atol=1e-10,
    )
    np.testing.assert_allclose(found.sum(1), 1.0)
    assert (found.diagonal() == 0).all()


def test_a_repeated_row_is_a_row_of_twice_the_weight_and_a_weight_of_zero_is_no_row():
    label = labels(0)
    weight = torch.ones(12)
    weight[:4], weight[4:6] = 2.0, 0.0
    repeated = torch.cat([label[:4], label[:4], label[6:]])
    torch.testing.assert_close(
        cooccurrence_matrix(label, weight), cooccurrence_matrix(repeated)
    )


def test_a_constant_label_correlates_with_nothing():
    label = labels(1)
    label = torch.cat([label * 0.9, torch.full((12, 1), 0.1).double()], 1)
    matrix = cooccurrence_matrix(label)
    assert matrix.isfinite().all()
    assert matrix[C, :C].tolist() == pytest.approx(
        [1 / C] * C, abs=1e-12
    )  # exp(0) each
    assert (
        cooccurrence_matrix(label[:1]).isfinite().all()
    )  # a single row: all are constant
    assert cooccurrence_matrix(
        label[:, :2] / label[:, :2].sum(1, keepdim=True)
    ).tolist() == [[0, 1], [1, 0]]


def setting(trials=300, strength=100.0, gated=True, seed=2):
    recall = CooccurrenceRetrieval(
        cooccurrence_matrix(labels(seed)), trials, strength, gated
    ).double()
    generator = torch.Generator().manual_seed(seed)
    evidence = torch.randn(3, C, generator=generator).double()
    tokens = torch.randn(3, C, 6, generator=generator).double()
    return recall, evidence, 6**0.5 * torch.nn.functional.normalize(tokens, dim=-1)


@pytest.mark.parametrize("gated", [True, False])
def test_the_recall_equals_the_plain_loops(gated):
    recall, evidence, tokens = setting(gated=gated)
    recall.log_beta.data += 0.7
    found, weights = recall(evidence, tokens)
    prior = cooccurrence_matrix(labels(2)).float().double().numpy()
    amount = 100 / 400 * (0.05 if gated else 1.0)
    t, e, beta = tokens.numpy(), evidence.numpy(), math.exp(0.7)
    for row in range(3):
        for c in range(C):
            near = np.zeros(C)
            for other in range(C):
                if other != c:
                    lengths = math.sqrt(sum(t[row, c] ** 2) * sum(t[row, other] ** 2))
                    cosine = sum(t[row, c] * t[row, other]) / lengths
                    near[other] = math.exp(beta * cosine) * prior[c, other]
            share = near / near.sum()
            np.testing.assert_allclose(weights[row, c].detach(), share, atol=1e-7)
            expected = e[row, c] + amount * (share @ e[row] - e[row, c])
            assert found[row, c].item() == pytest.approx(expected, abs=1e-6)


def test_it_asks_each_trial_anew():
    recall, evidence, tokens = setting()
    weights = recall(evidence, tokens)[1]
    assert weights.var(0).max() > 1e-4
    assert (weights.diagonal(dim1=1, dim2=2) == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, C).double())


@given(st.integers(0, 1000), st.floats(1, 1e4), st.floats(1, 1e4))
@settings(max_examples=30, deadline=None)
def test_many_trials_leave_the_evidence_alone(seed, few, more):
    few, more = min(few, more), max(few, more)
    moved = []
    for trials in (few, more):
        recall, evidence, tokens = setting(trials, gated=False, seed=seed)
        moved.append((recall(evidence, tokens)[0] - evidence).abs())
    assert (moved[1] <= moved[0] + 1e-5).all()
    recall, evidence, tokens = setting(10**9, seed=seed)
    torch.testing.assert_close(recall(evidence, tokens)[0], evidence, rtol=0, atol=1e-5)
    recall, evidence, tokens = setting(few, seed=seed)
    lifted = recall(evidence + 3, tokens)[0]  # the softmax of the whole sees nothing
    torch.testing.assert_close(lifted - 3, recall(evidence, tokens)[0])


def test_the_gate_starts_near_doing_nothing_and_none_is_all():
    recall, *_ = setting(300, 100.0)
    assert recall.amount().item() == pytest.approx(0.05 * 0.25, abs=1e-6)
    assert recall.gate is not None
    recall, *_ = setting(300, 100.0, gated=False)
    assert recall.amount().item() == pytest.approx(0.25, abs=1e-6)
    assert list(dict(recall.named_parameters())) == ["log_beta"]


def test_emotions_have_no_order():
    recall, evidence, tokens = setting()
    order = torch.tensor([2, 0, 3, 1])
    other = CooccurrenceRetrieval(
        cooccurrence_matrix(labels(2)[:, order]), 300, 100.0
    ).double()
    torch.testing.assert_close(
        other(evidence[:, order], tokens[:, order])[0],
        recall(evidence, tokens)[0][:, order],
        rtol=0,
        atol=1e-6,
    )


def test_gradients_are_right():
    recall, evidence, tokens = setting()
    names = list(dict(recall.named_parameters()))

    def run(evidence, tokens, *values):
        weights = dict(zip(names, values, strict=True))
        return torch.func.functional_call(recall, weights, (evidence, tokens))

    inputs = [evidence, tokens, *recall.parameters()]
    assert torch.autograd.gradcheck(
        run, [value.detach().clone().requires_grad_() for value in inputs]
    )
