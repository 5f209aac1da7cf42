"""Co-occurrence retrieval: emotion tokens recall the emotions that they were felt with.

The abstract says that co-occurrence between emotions guides the retrieval; how it is measured and how it enters
are our reading. The matrix is made from training participants only.
"""

import torch
import torch.nn.functional as F
from torch import nn


def cooccurrence_matrix(distribution, weight=None, temperature=0.5):
    """Which emotions are felt with which: the row-softmax of the correlations of log-labels (our reading).

    Args:
        distribution: label distributions of the **training** part (rows, C).
        weight: of each row (rows,), such as one over the windows of its trial; equal by default.
        temperature: of the softmax.

    Returns:
        Tensor (C, C): rows sum to one, the diagonal is zero. A constant label correlates 0 with all others.

    Example:
        >>> cooccurrence_matrix(torch.tensor([[0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]))[0]
        tensor([0.0000, 0.9820, 0.0180])
    """
    weight = distribution.new_ones(len(distribution)) if weight is None else weight.to(distribution)
    weight = weight / weight.sum()
    label = distribution + 1e-3
    log = (label / label.sum(1, keepdim=True)).log()
    log = log - weight @ log
    covariance = log.mT @ (weight[:, None] * log)  # (emotion, emotion)
    deviation = covariance.diagonal().sqrt()
    varies = deviation > 1e-6
    scale = torch.where(varies, deviation, torch.inf)
    correlation = covariance / scale / scale[:, None]
    own = torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
    return (correlation / temperature).masked_fill(own, -torch.inf).softmax(1)


class CooccurrenceRetrieval(nn.Module):
    """Emotion tokens retrieve one another, drawn by the training co-occurrence (our reading).

    A = softmax(beta T_q T_k^T / sqrt D + gamma log O) with T_q = T W_q, T_k = (T + E) W_k and an embedding E_c an
    emotion; T' = LN(T + A T W_v). It is retrieval from an associative memory (Ramsauer et al. 2021, eq. 3) whose
    patterns are the tokens, with O as the prior of each; where O is 0 (the diagonal) nothing is retrieved.

    Args:
        emotions: C.
        width: D.
        generator: source of the initial weights.
    """

    def __init__(self, emotions, width, generator):
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(emotions, width, generator=generator))
        self.weight = nn.Parameter(torch.randn(width, 3 * width, generator=generator) / width**0.5)
        self.log_beta = nn.Parameter(torch.zeros(()))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, tokens, cooccurrence, dropout=None):
        """Tokens with what they recall, and the weights of the recall.

        Args:
            tokens: T (B, C, D).
            cooccurrence: O (C, C), of :func:`cooccurrence_matrix`.
            dropout: mask for what is recalled (B, C, D), or None.

        Returns:
            tokens (B, C, D) and weights A (B, C, C), whose rows sum to one.
        """
        width = tokens.shape[-1]
        query, key, value = (tokens @ self.weight).split(width, -1)
        key = key + self.embeddings @ self.weight[:, width : 2 * width]
        prior = self.gamma * cooccurrence.clamp_min(1e-12).log()
        overlap = self.log_beta.exp() / width**0.5 * (query @ key.mT) + prior  # (batch, emotion, emotion)
        weights = overlap.masked_fill(cooccurrence == 0, -torch.inf).softmax(-1)
        recalled = weights @ value
        recalled = recalled if dropout is None else recalled * dropout
        return F.layer_norm(tokens + recalled, (width,)), weights


def cooccurrence_loss(weights, cooccurrence, row_weight):
    """How far the mean retrieval is from the training co-occurrence: the mean over rows of KL(O || mean A).

    Our reading: single windows may differ, the average must recall what was felt together.

    Args:
        weights: A (B, C, C).
        cooccurrence: O (C, C).
        row_weight: of each window (B,), summing to one.

    Returns:
        A number in nats.

    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> cooccurrence_loss(swap[None], swap, torch.ones(1))
        tensor(0.)
    """
    mean = torch.einsum("b,bce->ce", row_weight, weights)
    return F.kl_div(mean.clamp_min(1e-12).log(), cooccurrence, reduction="none").sum(-1).mean()
