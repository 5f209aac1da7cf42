"""Co-occurrence: the matrix, the recall and its loss in plain loops, and their edge cases."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_loss, cooccurrence_matrix

B, C, D = 3, 4, 6


def norm(x):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def labels(seed, rows=12, emotions=C):
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(emotions), rows))


def loop_matrix(label, weight):
    weight = weight / weight.sum()
    log = np.array([[math.log((d + 1e-3) / sum(row + 1e-3)) for d in row] for row in label])
    mean = [sum(weight * log[:, c]) for c in range(log.shape[1])]
    matrix = np.zeros((log.shape[1],) * 2)
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            if i != j:
                first, second = log[:, i] - mean[i], log[:, j] - mean[j]
                spread = math.sqrt(sum(weight * first**2) * sum(weight * second**2))
                matrix[i, j] = math.exp(sum(weight * first * second) / spread / 0.5 if spread > 1e-12 else 0.0)
    return matrix / matrix.sum(1, keepdims=True)


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(3, 20))
@settings(max_examples=40, deadline=None)
def test_the_matrix_equals_the_plain_loops(seed, emotions, rows):
    label, weight = labels(seed, rows, emotions), torch.from_numpy(np.random.default_rng(seed).random(rows) + 0.1)
    found = cooccurrence_matrix(label, weight)
    np.testing.assert_allclose(found, loop_matrix(label.numpy(), weight.numpy()), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.sum(1), 1.0)
    assert (found.diagonal() == 0).all()


def test_a_repeated_row_is_a_row_of_twice_the_weight_and_a_weight_of_zero_is_no_row():
    label = labels(0)
    weight = torch.ones(12)
    weight[:4], weight[4:6] = 2.0, 0.0
    repeated = torch.cat([label[:4], label[:4], label[6:]])
    torch.testing.assert_close(cooccurrence_matrix(label, weight), cooccurrence_matrix(repeated))


def test_a_constant_label_correlates_with_nothing():
    label = labels(1)
    label = torch.cat([label * 0.9, torch.full((12, 1), 0.1).double()], 1)
    matrix = cooccurrence_matrix(label)
    assert matrix.isfinite().all()
    assert matrix[C, :C].tolist() == pytest.approx([1 / C] * C, abs=1e-12)  # exp(0) each
    assert cooccurrence_matrix(label[:1]).isfinite().all()  # a single row: all are constant
    assert cooccurrence_matrix(label[:, :2] / label[:, :2].sum(1, keepdim=True)).tolist() == [[0, 1], [1, 0]]


def setting():
    generator = torch.Generator().manual_seed(0)
    recall = CooccurrenceRetrieval(C, D, generator).double()
    recall.log_beta.data, recall.gamma.data = torch.tensor(0.3, dtype=float), torch.tensor(0.7, dtype=float)
    return recall, torch.randn(B, C, D, generator=generator).double(), cooccurrence_matrix(labels(2))


def test_recall_and_loss_equal_the_plain_loops():
    recall, tokens, matrix = setting()
    found, weights = recall(tokens, matrix)
    query, key, value = np.split(recall.weight.detach().numpy(), 3, axis=1)
    embedding, t, expected = recall.embeddings.detach().numpy(), tokens.numpy(), matrix.numpy()
    for row in range(B):
        for c in range(C):
            overlap = {
                e: math.exp(0.3) * (t[row, c] @ query) @ ((t[row, e] + embedding[e]) @ key) / math.sqrt(D)
                + 0.7 * math.log(expected[c, e])
                for e in range(C)
                if e != c
            }
            total = sum(math.exp(one) for one in overlap.values())
            share = [math.exp(overlap[e]) / total if e != c else 0.0 for e in range(C)]
            np.testing.assert_allclose(weights[row, c].detach(), share, rtol=0, atol=1e-10)
            recalled = norm(t[row, c] + sum(share[e] * t[row, e] @ value for e in range(C)))
            np.testing.assert_allclose(found[row, c].detach(), recalled, rtol=0, atol=1e-10)
    row_weight = torch.tensor([0.5, 0.5, 0.0]).double()
    mean = weights[:2].mean(0)
    loss = sum(
        expected[c, e] * math.log(expected[c, e] / mean[c, e].item()) for c in range(C) for e in range(C) if e != c
    )
    assert cooccurrence_loss(weights, matrix, row_weight).item() == pytest.approx(loss / C, abs=1e-10)


def test_without_overlap_the_recall_is_the_training_cooccurrence():
    recall, tokens, matrix = setting()
    recall.log_beta.data, recall.gamma.data = torch.tensor(-80.0).double(), torch.tensor(1.0).double()
    weights = recall(tokens, matrix)[1]
    torch.testing.assert_close(weights, matrix.expand(B, C, C))
    assert cooccurrence_loss(weights, matrix, torch.full((B,), 1 / B, dtype=float)).abs() < 1e-12


def test_emotions_have_no_order_and_gradients_are_right_although_the_diagonal_is_minus_infinity():
    recall, tokens, matrix = setting()
    order = torch.tensor([2, 0, 3, 1])
    before = recall(tokens, matrix)[0]
    recall.embeddings.data = recall.embeddings.data[order]
    after = recall(tokens[:, order], matrix[order][:, order])[0]
    torch.testing.assert_close(after, before[:, order], rtol=1e-12, atol=1e-12)

    def run(tokens, log_beta, gamma):
        made, weights = torch.func.functional_call(recall, {"log_beta": log_beta, "gamma": gamma}, (tokens, matrix))
        return made, cooccurrence_loss(weights, matrix, torch.full((B,), 1 / B, dtype=float))

    inputs = (tokens, recall.log_beta.detach().clone(), recall.gamma.detach().clone())
    assert torch.autograd.gradcheck(run, [one.requires_grad_() for one in inputs])
