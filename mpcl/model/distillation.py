"""Prototype relation distillation: both branches together teach each branch alone.

What both relate a trial to, among all prototypes, teaches what each relates it to; and
what both predict teaches what each predicts. All of it is our reading.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def views(summaries: Tensor, silence: Tensor) -> Tensor:
    """What a network may be asked, (3 B, 2, D): by both branches, and by one alone.

    The three views of a trial read the same prototypes; nothing but its other branch is
    taken from each.

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
    first = torch.stack([summaries[:, 0], silent[:, 1]], 1)  # (batch, branch, width)
    second = torch.stack([silent[:, 0], summaries[:, 1]], 1)
    return torch.cat([summaries, first, second])


def distillation_loss(
    log_views: Tensor, present: Tensor, teacher: Tensor | None = None
) -> Tensor:
    """How far each branch alone is from its teacher (B,), our reading.

    The mean of KL(teacher || pupil) over the two pupils. Taught are relations (how a
    trial relates to all prototypes) and predictions alike.

    Args:
        log_views: of the three views (3, B, N): both branches, the first alone, the
            second alone.
        present: bool (B, 2); a trial that lacks a branch has nothing to distil: 0.
        teacher: (B, N); by default what both branches say, which stands still.

    Example:
        >>> said = torch.tensor([[[0.5, 0.5]], [[0.5, 0.5]], [[0.9, 0.1]]])
        >>> distillation_loss(said.log(), torch.ones(1, 2, dtype=torch.bool))
        tensor([0.2554])
    """
    teacher = log_views[0].detach().exp() if teacher is None else teacher
    surprise = torch.xlogy(teacher, teacher) - teacher * log_views[1:]
    return surprise.sum(-1).mean(0) * present.all(1)


def alignment(relations: Tensor) -> Tensor:
    """How alike two branches relate each trial to the prototypes (B,), in -1..1.

    The cosine of the two branches' profiles over all prototypes, each profile less its
    mean and less what the branch says of the mean trial: unrelated trials have 0.

    Args:
        relations: logarithms, of both branches, the first, the second (3, B, N).

    Example:
        >>> said = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> alignment(torch.stack([said, said, 2 * said])).round()
        tensor([1., 1.])
    """
    profiles = relations[1:] - relations[1:].mean(-1, keepdim=True)
    profiles = profiles - profiles.mean(1, keepdim=True)
    return F.cosine_similarity(*profiles, dim=-1)
