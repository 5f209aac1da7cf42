"""Distillation: views of a trial, who teaches whom, what stands still."""

import math

import numpy as np
import pytest
import torch

from mpcl.model.distillation import alignment, distillation_loss, views

BOTH = torch.ones(4, 2, dtype=torch.bool)


def relations(seed=0, rows=4):
    return (
        torch.randn(3, rows, 3, generator=torch.Generator().manual_seed(seed))
        .double()
        .log_softmax(-1)
    )


def test_a_view_differs_from_both_branches_in_the_silent_one_alone():
    summaries, silence = torch.randn(4, 2, 5), torch.randn(2, 5)
    both, first, second = views(summaries, silence).unflatten(0, (3, 4))
    assert torch.equal(both, summaries)
    assert torch.equal(first[:, 0], summaries[:, 0]) and torch.equal(
        first[:, 1], silence[1].expand(4, 5)
    )
    assert torch.equal(second[:, 1], summaries[:, 1]) and torch.equal(
        second[:, 0], silence[0].expand(4, 5)
    )


def test_the_loss_equals_the_plain_loops():
    log, present = (
        relations(),
        torch.tensor([[True, True], [True, True], [True, False], [False, False]]),
    )
    found = distillation_loss(log, present)
    for row in range(4):
        teacher, *pupils = np.exp(log[:, row].numpy())
        each = [
            sum(t * math.log(t / p) for t, p in zip(teacher, pupil, strict=True))
            for pupil in pupils
        ]
        assert found[row].item() == pytest.approx(
            sum(each) / 2 if row < 2 else 0.0, abs=1e-10
        )


def test_the_teacher_stands_still_and_pupils_who_agree_have_nothing_to_learn():
    log = relations().requires_grad_()
    distillation_loss(log, BOTH).sum().backward()
    assert log.grad[0].abs().max() == 0
    assert (log.grad[1:].abs().amax((1, 2)) > 1e-3).all()
    agreed = relations()[:1].expand(3, -1, -1)
    assert distillation_loss(agreed, BOTH).abs().max() < 1e-15
    teacher = relations()[0].exp()
    assert torch.autograd.gradcheck(
        lambda log: distillation_loss(log, BOTH, teacher), relations().requires_grad_()
    )


def test_a_label_can_teach_instead_of_both_branches():
    log, label = relations(), relations(1)[0].exp()
    loss = distillation_loss(log, BOTH, label)
    swapped = torch.cat([label.log()[None], log[1:]])
    torch.testing.assert_close(loss, distillation_loss(swapped, BOTH))
    assert (loss - distillation_loss(log, BOTH)).abs().min() > 1e-4
    wholly = torch.tensor([[1.0, 0.0, 0.0]]).double().expand(4, 3)  # 0 log 0 is 0
    assert distillation_loss(log, BOTH, wholly).isfinite().all()


def test_alignment_is_a_cosine_of_what_is_particular_to_a_trial():
    profiles = torch.randn(2, 200, 30, generator=torch.Generator().manual_seed(0))
    profiles = profiles.double()
    habit = torch.randn(30).double()  # what each branch says of any trial

    def measure(first, second):
        logs = torch.stack([first + 5 * habit, second - habit]).log_softmax(-1)
        return alignment(torch.cat([logs[:1], logs])).mean().item()

    assert measure(profiles[0], 2 * profiles[0]) == pytest.approx(1, abs=1e-9)
    assert measure(profiles[0], -profiles[0]) == pytest.approx(-1, abs=1e-9)
    assert abs(measure(*profiles)) < 0.05  # strangers
    half = (profiles[0] + profiles[1]) / 2**0.5
    assert measure(profiles[0], half) == pytest.approx(0.5**0.5, abs=0.03)
    each = alignment(torch.cat([profiles[:1], profiles]))
    by_hand = []
    centred = profiles - profiles.mean(-1, keepdim=True)
    centred = (centred - centred.mean(1, keepdim=True)).numpy()
    for one, two in zip(*centred, strict=True):
        by_hand.append(one @ two / math.sqrt((one @ one) * (two @ two)))
    np.testing.assert_allclose(each, by_hand, atol=1e-10)
