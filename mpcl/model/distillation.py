"""Prototype relation distillation: what both branches say together teaches what each says alone (our reading)."""

import torch


def views(summaries, silence):
    """What a network may be asked: with both branches, and with one while the other is silent (3 B, 2, D).

    The three views of a trial read the same prototypes; nothing but its other branch is taken from each.

    Args:
        summaries: of both branches (B, 2, D).
        silence: of each branch, its summary where nothing of it was measured (2, D).
    Example:
        >>> views(torch.tensor([[[1.0], [2.0]]]), torch.zeros(2, 1))[..., 0]
        tensor([[1., 2.],
                [1., 0.],
                [0., 2.]])
    """
    silent = silence.expand_as(summaries)
    first, second = (torch.stack([summaries[:, 0], silent[:, 1]], 1), torch.stack([silent[:, 0], summaries[:, 1]], 1))
    return torch.cat([summaries, first, second])


def relation_loss(log_relations, present, stop_gradient=True):
    """How far each branch alone is from both together (B,): the mean of KL(teacher || pupil) (our reading).

    A relation is a distribution: how a trial relates to the emotions, by the prototypes that can be read.

    Args:
        log_relations: log relations of the three views (3, B, C): both branches, the first alone, the second alone.
        present: bool (B, 2); a trial that lacks a branch has nothing to distil: 0.
        stop_gradient: whether the teacher stays unmoved by its pupils.
    Example:
        >>> both, same, other = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]]).log()
        >>> relation_loss(torch.stack([both, same, other])[:, None], torch.ones(1, 2, dtype=torch.bool))
        tensor([0.2554])
    """
    teacher, pupils = log_relations[:1], log_relations[1:]
    teacher = teacher.detach() if stop_gradient else teacher
    return (teacher.exp() * (teacher - pupils)).sum(-1).mean(0) * present.all(1)
