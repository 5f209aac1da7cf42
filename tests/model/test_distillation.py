"""Relation distillation: the views of a trial, who teaches whom, and what stands still."""

import math

import numpy as np
import pytest
import torch

from mpcl.model.distillation import relation_loss, views

BOTH = torch.ones(4, 2, dtype=torch.bool)


def relations(seed=0, rows=4):
    return torch.randn(3, rows, 3, generator=torch.Generator().manual_seed(seed)).double().log_softmax(-1)


def test_a_view_differs_from_both_branches_in_the_silent_one_alone():
    summaries, silence = torch.randn(4, 2, 5), torch.randn(2, 5)
    both, first, second = views(summaries, silence).unflatten(0, (3, 4))
    assert torch.equal(both, summaries)
    assert torch.equal(first[:, 0], summaries[:, 0]) and torch.equal(first[:, 1], silence[1].expand(4, 5))
    assert torch.equal(second[:, 1], summaries[:, 1]) and torch.equal(second[:, 0], silence[0].expand(4, 5))


def test_the_loss_equals_the_plain_loops():
    log, present = relations(), torch.tensor([[True, True], [True, True], [True, False], [False, False]])
    found = relation_loss(log, present)
    for row in range(4):
        teacher, *pupils = np.exp(log[:, row].numpy())
        each = [sum(t * math.log(t / p) for t, p in zip(teacher, pupil, strict=True)) for pupil in pupils]
        assert found[row].item() == pytest.approx(sum(each) / 2 if row < 2 else 0.0, abs=1e-10)


def test_the_teacher_stands_still_and_pupils_who_agree_have_nothing_to_learn():
    for stop in (True, False):
        log = relations().requires_grad_()
        relation_loss(log, BOTH, stop_gradient=stop).sum().backward()
        assert (log.grad[0].abs().max() == 0) == stop
        assert (log.grad[1:].abs().amax((1, 2)) > 1e-3).all()
    assert relation_loss(relations()[:1].expand(3, -1, -1), BOTH).abs().max() < 1e-15
    log = relations().requires_grad_()
    assert torch.autograd.gradcheck(lambda log: relation_loss(log, BOTH, stop_gradient=False), log)
