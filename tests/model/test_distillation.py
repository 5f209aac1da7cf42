"""Relation distillation: who teaches whom, what stands still, and what the Gram term measures."""

import math

import numpy as np
import pytest
import torch

from mpcl.model.distillation import gram_loss, relation_loss, relations


def branches(seed=0, rows=4):
    return torch.randn(rows, 2, 3, generator=torch.Generator().manual_seed(seed)).double().log_softmax(-1)


@pytest.mark.parametrize("teachers", [(0, 1), (0,), (1,)])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_equals_the_plain_loops(teachers, temperature):
    log = branches()
    present = torch.tensor([[True, True], [True, True], [True, False], [False, False]])
    found = relation_loss(relations(log, temperature), present, teachers)
    for row in range(4):
        relation = np.exp(log[row].numpy() / temperature)
        relation /= relation.sum(1, keepdims=True)
        expected = 0.0
        for teacher in teachers:
            for c in range(3):
                expected += relation[teacher, c] * math.log(relation[teacher, c] / relation[1 - teacher, c])
        assert found[row].item() == pytest.approx(expected if row < 2 else 0.0, abs=1e-10)


def test_a_teacher_stands_still_and_identical_branches_have_nothing_to_learn():
    both = torch.ones(4, 2, dtype=torch.bool)
    for teacher in (0, 1):
        for stop in (True, False):
            log = branches().requires_grad_()
            relation_loss(relations(log, 2.0), both, (teacher,), stop_gradient=stop).sum().backward()
            assert (log.grad[:, teacher].abs().max() == 0) == stop
            assert log.grad[:, 1 - teacher].abs().max() > 1e-3
    agreed = branches()[:, :1].expand(-1, 2, -1)
    assert relation_loss(agreed, both).abs().max() < 1e-15
    log = branches()
    swapped = relation_loss(relations(log, 2.0).flip(1), both, (0,))
    torch.testing.assert_close(swapped, relation_loss(relations(log, 2.0), both, (1,)))


def test_gram_loss_equals_the_plain_loops_and_ignores_rotation_and_length():
    generator = torch.Generator().manual_seed(0)
    banks = torch.randn(2, 3, 2, 5, generator=generator).double().requires_grad_()
    expected, rows = 0.0, banks.detach().numpy().reshape(2, 6, 5)

    def cosine(a, b):
        return sum(a * b) / math.sqrt(sum(a**2) * sum(b**2))

    for i in range(6):
        for j in range(6):
            expected += (cosine(rows[0, i], rows[0, j]) - cosine(rows[1, i], rows[1, j])) ** 2
    assert gram_loss(banks).item() == pytest.approx(expected, abs=1e-10)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=generator).double()).Q
    assert gram_loss(torch.stack([banks[0], 3 * banks[0] @ rotation])).item() < 1e-20
    assert torch.autograd.gradcheck(gram_loss, banks)


def test_gradients_are_right():
    both, log = torch.ones(4, 2, dtype=torch.bool), branches().requires_grad_()
    run = lambda log: relation_loss(relations(log, 2.0), both, stop_gradient=False)  # noqa: E731
    assert torch.autograd.gradcheck(run, log)
