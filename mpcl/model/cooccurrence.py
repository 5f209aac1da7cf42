"""Co-occurrence retrieval: emotion tokens recall the emotions that they were felt with (our reading)."""

import torch
import torch.nn.functional as F
from torch import nn


def cooccurrence_matrix(distribution, weight=None, temperature=0.5):
    """Which emotions are felt with which (C, C): row-softmax of correlations of log((d + 1e-3) / sum) (our reading).

    Rows sum to one, the diagonal is zero; a constant label correlates 0 with the others.

    Args:
        distribution: label distributions of the **training** part (rows, C).
        weight, temperature: of each row (rows,), such as one over the windows of its trial; and of the softmax.
    Example:
        >>> cooccurrence_matrix(torch.tensor([[0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]))[0]
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
    """Emotion tokens retrieve one another, drawn by the training co-occurrence O (our reading).

    A = softmax(beta (T W_q) ((T + E) W_k)^T / sqrt D + gamma log O) with an embedding E_c an emotion, and
    T' = LN(T + A T W_v): retrieval from an associative memory (Ramsauer et al. 2021, eq. 3) whose patterns are the
    tokens and whose prior is O. Where O is 0, on the diagonal, nothing is retrieved.
    """

    def __init__(self, emotions, width, generator):
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(emotions, width, generator=generator))
        self.weight = nn.Parameter(torch.randn(width, 3 * width, generator=generator) / width**0.5)
        self.log_beta = nn.Parameter(torch.zeros(()))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, tokens, cooccurrence, dropout=1.0):
        """Tokens (B, C, D) with what they recall, which ``dropout`` multiplies, and the weights A (B, C, C)."""
        width = tokens.shape[-1]
        query, key, value = (tokens @ self.weight).split(width, -1)
        key = key + self.embeddings @ self.weight[:, width : 2 * width]
        overlap = query @ key.mT * (self.log_beta.exp() / width**0.5)  # (batch, emotion, emotion)
        pull = (self.gamma * cooccurrence.clamp_min(1e-12).log()).masked_fill(cooccurrence == 0, -torch.inf)
        weights = (overlap + pull).softmax(-1)
        return F.layer_norm(tokens + weights @ value * dropout, (width,)), weights


def cooccurrence_loss(weights, cooccurrence, row_weight):
    """How far the mean recall is from what was felt together: the mean over rows of KL(O || mean A) (our reading).

    With A the weights (B, C, C), O (C, C), and a weight for each window (B,), summing to one.
    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> cooccurrence_loss(swap[None], swap, torch.ones(1))
        tensor(0.)
    """
    mean = torch.einsum("b,bce->ce", row_weight, weights).clamp_min(1e-12)
    return (torch.xlogy(cooccurrence, cooccurrence) - cooccurrence * mean.log()).sum(-1).mean()
