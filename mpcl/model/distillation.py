"""Prototype relation distillation: the two branches learn from one another how emotions relate (our reading)."""

import torch
import torch.nn.functional as F


def relations(log_distribution, temperature=1.0):
    """How a window relates to the emotions, as a branch sees it: log softmax((a + log prior) / tau_r) (our reading).

    Of each branch's own log_softmax(a + log prior) (B, branch, C); a larger temperature shows more weak relations.
    Example:
        >>> relations(torch.tensor([0.8, 0.2]).log(), temperature=2.0).exp()
        tensor([0.6667, 0.3333])
    """
    return log_distribution if temperature == 1 else F.log_softmax(log_distribution / temperature, -1)


def relation_loss(log_relations, present, teachers=(0, 1), stop_gradient=True):
    """How far a pupil's relations are from its teacher's (B,): the sum of KL(teacher || pupil) (our reading).

    Args:
        log_relations: of :func:`relations` (B, 2, C).
        present: bool (B, 2); a window that lacks a branch has nothing to distil: 0.
        teachers: which branches teach the other one: ``(0, 1)``, ``(0,)`` or ``(1,)``.
        stop_gradient: whether a teacher stays unmoved by its pupil.
    Example:
        >>> both = torch.ones(1, 2, dtype=torch.bool)
        >>> relation_loss(torch.tensor([[[0.5, 0.5], [0.9, 0.1]]]).log(), both, teachers=(0,))
        tensor([0.5108])
    """
    teacher = log_relations.detach() if stop_gradient else log_relations
    divergence = (teacher.exp() * (teacher - log_relations.flip(1))).sum(-1)  # (batch, teacher)
    return sum(divergence[:, branch] for branch in teachers) * present.all(1)


def gram_loss(banks):
    """How differently two banks (2, C, K, D) place their prototypes: |Gram(P^p) - Gram(P^y)|^2 (our reading).

    Gram holds the cosines, so this is 0 if one bank is the other one rotated.
    Example:
        >>> gram_loss(torch.ones(1, 5, 2, 8).repeat(2, 1, 1, 1))
        tensor(0.)
    """
    unit = F.normalize(banks.flatten(1, 2), dim=-1)  # (branch, emotion and kind, width)
    physiological, behavioural = unit @ unit.mT
    return torch.sum((physiological - behavioural) ** 2)
