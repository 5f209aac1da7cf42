"""Co-occurrence retrieval: each emotion recalls what is known of the emotions that it was felt with (our reading)."""

import torch
from torch import nn


def cooccurrence_matrix(distribution, weight=None, temperature=0.25):
    """Which emotions are felt with which (C, C): row-softmax of correlations of log((d + 1e-3) / sum) (our reading).

    Rows sum to one, the diagonal is zero; a constant label correlates 0 with the others.

    Args:
        distribution: label distributions of the **training** part (rows, C).
        weight, temperature: of each row (rows,), such as one over the windows of its trial; and of the softmax.
    Example:
        >>> cooccurrence_matrix(torch.tensor([[0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]), temperature=0.5)[0]
        tensor([0.0000, 0.9820, 0.0180])
    """
    weight = distribution.new_ones(len(distribution)) if weight is None else weight.to(distribution)
    weight = weight / weight.sum()
    log = (distribution + 1e-3).log() - (distribution + 1e-3).sum(1, keepdim=True).log()
    log = log - weight @ log
    covariance = log.mT @ (weight[:, None] * log)  # (emotion, emotion)
    deviation = covariance.diagonal().sqrt()
    deviation = torch.where(deviation > 1e-6, deviation, torch.inf)
    own = torch.eye(len(covariance), dtype=torch.bool, device=covariance.device)
    correlation = covariance / deviation / deviation[:, None]
    return (correlation / temperature).masked_fill(own, -torch.inf).softmax(1)


class CooccurrenceRetrieval(nn.Module):
    """The evidence for each emotion, joined by that for the emotions it was felt with in training (our reading).

    e' = A e with A = (n I + kappa O) / (n + kappa), where n is the number of training trials and the prior strength
    kappa is a number of trials: what was learned of one emotion from few trials leans on the others, from many it
    stands by itself. O is the memory, of training labels alone; nothing here is trained.

    Args:
        cooccurrence: O (C, C) of :func:`cooccurrence_matrix`.
        trials, strength: n and kappa.
    Example:
        >>> recall = CooccurrenceRetrieval(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), trials=300, strength=100)
        >>> recall(torch.tensor([[4.0, 0.0]]))
        tensor([[3., 1.]])
    """

    def __init__(self, cooccurrence, trials, strength):
        super().__init__()
        cooccurrence = torch.as_tensor(cooccurrence).float()
        joined = (trials * torch.eye(len(cooccurrence)) + strength * cooccurrence) / (trials + strength)
        self.register_buffer("weights", joined)

    def forward(self, evidence):
        """The evidence (B, C) after recall; adding a number to all emotions adds the same number to it."""
        return evidence @ self.weights.mT
