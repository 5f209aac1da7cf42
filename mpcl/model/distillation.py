"""Prototype relation distillation: the two branches learn from one another how emotions relate.

The abstract names the distillation of relations between the prototypes of the branches; what a relation is, the
temperature, who teaches whom and the Gram term are our reading.
"""

import torch
import torch.nn.functional as F



def relations(log_distribution, temperature=1.0):
    """How a window relates to all emotions, as each branch sees it: log softmax((a + log prior) / tau_r).

    Args:
        log_distribution: each branch's own prediction, log_softmax(a + log prior) (B, branch, C).
        temperature: tau_r > 0; larger ones show more of the small relations.

    Returns:
        Tensor (B, branch, C), logs of distributions.

    Example:
        >>> relations(torch.tensor([0.8, 0.2]).log(), temperature=2.0).exp()
        tensor([0.6667, 0.3333])
    """
    return log_distribution if temperature == 1 else F.log_softmax(log_distribution / temperature, -1)


def relation_loss(log_relations, present, teachers=(0, 1), stop_gradient=True):
    """How far each pupil's relations are from its teacher's: the sum of KL(teacher || pupil) (our reading).

    Args:
        log_relations: of :func:`relations` (B, 2, C).
        present: bool (B, 2); a window that lacks a branch has nothing to distil.
        teachers: which branches teach the other one: ``(0, 1)``, ``(0,)`` or ``(1,)``.
        stop_gradient: whether a teacher stays unmoved by its pupil.

    Returns:
        Tensor (B,) in nats; 0 where a branch is missing.

    Example:
        >>> both = torch.ones(1, 2, dtype=torch.bool)
        >>> relation_loss(torch.tensor([[[0.5, 0.5], [0.9, 0.1]]]).log(), both, teachers=(0,))
        tensor([0.5108])
    """
    teacher = log_relations.flip(1)  # of each pupil, the other branch
    teacher = teacher.detach() if stop_gradient else teacher
    divergence = F.kl_div(log_relations, teacher, reduction="none", log_target=True).sum(-1)  # (batch, pupil)
    pupils = torch.tensor([1 - branch for branch in teachers], device=divergence.device)
    return divergence.index_select(1, pupils).sum(1) * present.all(1)


def gram_loss(prototypes):
    """How differently the two banks place their prototypes: |Gram(P^p) - Gram(P^y)|^2 of the cosines (our reading).

    Args:
        prototypes: (2, C, K, D).

    Returns:
        Tensor (), a number; 0 if one bank is a rotation of the other.

    Example:
        >>> gram_loss(torch.randn(1, 5, 2, 8).repeat(2, 1, 1, 1))
        tensor(0.)
    """
    bank = F.normalize(prototypes.flatten(1, 2), dim=-1)  # (branch, emotion and prototype, width)
    gram = bank @ bank.mT
    return (gram[0] - gram[1]).square().sum()
