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
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(emotions), rows))


def loop_matrix(label, weight, temperature=0.25):
    weight = weight / weight.sum()
    log = np.array([[math.log((d + 1e-3) / sum(row + 1e-3)) for d in row] for row in label])
    mean = [sum(weight * log[:, c]) for c in range(log.shape[1])]
    matrix = np.zeros((log.shape[1],) * 2)
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            if i != j:
                first, second = log[:, i] - mean[i], log[:, j] - mean[j]
                spread = math.sqrt(sum(weight * first**2) * sum(weight * second**2))
                matrix[i, j] = math.exp(sum(weight * first * second) / spread / temperature if spread > 1e-12 else 0.0)
    return matrix / matrix.sum(1, keepdims=True)


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(3, 20))
@settings(max_examples=40, deadline=None)
def test_the_matrix_equals_the_plain_loops(seed, emotions, rows):
    label, weight = labels(seed, rows, emotions), torch.from_numpy(np.random.default_rng(seed).random(rows) + 0.1)
    found = cooccurrence_matrix(label, weight)
    np.testing.assert_allclose(found, loop_matrix(label.numpy(), weight.numpy()), rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        cooccurrence_matrix(label, weight, 1.5), loop_matrix(label.numpy(), weight.numpy(), 1.5), rtol=0, atol=1e-10)
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


def recall(trials, strength, seed=2):
    return CooccurrenceRetrieval(cooccurrence_matrix(labels(seed)), trials, strength).double()


def test_the_recall_equals_the_plain_loops():
    matrix, evidence = cooccurrence_matrix(labels(2)).float().double().numpy(), torch.randn(3, C).double()
    found = recall(300, 100)(evidence)
    for row in range(3):
        for c in range(C):
            joined = sum(matrix[c, e] * evidence[row, e].item() for e in range(C))
            assert found[row, c].item() == pytest.approx(0.75 * evidence[row, c].item() + 0.25 * joined, abs=1e-6)


@given(st.integers(0, 1000), st.floats(1, 1e4), st.floats(1, 1e4))
def test_many_trials_leave_the_evidence_alone_and_few_make_emotions_of_one_kind_agree(seed, few, more):
    evidence, few, more = torch.randn(5, C).double(), min(few, more), max(few, more)
    moved = [(recall(trials, 100.0, seed)(evidence) - evidence).abs() for trials in (few, more)]
    assert (moved[1] <= moved[0] + 1e-5).all()
    torch.testing.assert_close(recall(1e9, 100.0, seed)(evidence), evidence, rtol=0, atol=1e-5)
    torch.testing.assert_close(recall(0, 1.0, seed)(evidence), evidence @ recall(0, 1.0, seed).weights.mT)
    lifted = recall(few, 100.0, seed)(evidence + 3)  # rows sum to one: the softmax of the whole does not see it
    torch.testing.assert_close(lifted - 3, recall(few, 100.0, seed)(evidence), rtol=0, atol=1e-5)


def test_it_has_nothing_to_train_and_emotions_have_no_order():
    one, order = recall(300, 100), torch.tensor([2, 0, 3, 1])
    assert not list(one.parameters()) and list(one.state_dict()) == ["weights"]
    other = CooccurrenceRetrieval(cooccurrence_matrix(labels(2)[:, order]), 300, 100).double()
    evidence = torch.randn(5, C).double()
    torch.testing.assert_close(other(evidence[:, order]), one(evidence)[:, order], rtol=0, atol=1e-6)
