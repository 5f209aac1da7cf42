"""Prototype banks: in each branch a few prototypes an emotion, and how a trial resembles them (our reading)."""

import torch
import torch.nn.functional as F
from torch import nn


def similarity(summary, prototypes, temperature):
    """How much a trial resembles each prototype (B, branch, C, K): s = cos(h, P) / tau (our reading).

    With h a summary (B, branch, D), P the prototypes (branch, C, K, D) and tau > 0.
    Example:
        >>> similarity(torch.tensor([[[3.0, 0.0]]]), torch.eye(2).view(1, 2, 1, 2), temperature=0.5).flatten()
        tensor([2., 0.])
    """
    summary, prototypes = F.normalize(summary, dim=-1), F.normalize(prototypes, dim=-1)
    return torch.einsum("bnd,nckd->bnck", summary, prototypes) / temperature


class PrototypeBanks(nn.Module):
    """A bank of prototypes in each branch, and a token of each emotion: the trial, and what it resembles (our reading).

    Both banks start from one draw, so that prototype (c, k) means the same in both. With s of :func:`similarity`, the
    activation is a_c = lse_k s_ck, and among the prototypes of *one* emotion the nearest are recalled:
    R_c = sqrt(D) sum_k softmax_k(s_c)_k P_ck / |P_ck| in each branch. The token is T_c = LN(h W + sum_b R_c^b U_b) with
    h the summaries of all branches side by side.

    Args:
        branches, emotions, kinds, width: number of branches, C, K prototypes an emotion, and D.
        temperature, generator: tau, and the source of the initial weights.
    """

    def __init__(self, branches, emotions, kinds, width, temperature, generator):
        super().__init__()
        self.temperature, inputs = temperature, branches * width
        bank = torch.randn(emotions, kinds, width, generator=generator)
        self.bank = nn.Parameter(bank.repeat(branches, 1, 1, 1))
        self.weight = nn.Parameter(torch.randn(inputs, width, generator=generator) / inputs**0.5)
        self.join_weight = nn.Parameter(torch.randn(branches, width, width, generator=generator) / inputs**0.5)

    def forward(self, summary):
        """Emotion tokens T (B, C, D) and activations a (B, branch, C) of summaries h (B, branch, D)."""
        near = similarity(summary, self.bank, self.temperature)  # (batch, branch, emotion, kind)
        unit = F.normalize(self.bank, dim=-1) * summary.shape[-1] ** 0.5
        recalled = (unit.flatten(1, 2) @ self.join_weight).view_as(unit)
        tokens = torch.einsum("bnck,nckd->bcd", near.softmax(-1), recalled)  # (batch, emotion, width)
        tokens = tokens + (summary.flatten(1) @ self.weight)[:, None]
        return F.layer_norm(tokens, tokens.shape[-1:]), near.logsumexp(-1)


def prototype_loss(log_distribution, target, present):
    """How far each branch alone is from the label (B,): KL(target || branch), the mean over branches (our reading).

    Args:
        log_distribution, target: each branch's own log_softmax(a + log prior) (B, branch, C); labels (B, C).
        present: bool (B, branch), branches that count; with none the loss is 0.
    Example:
        >>> prototype_loss(torch.zeros(1, 2, 1), torch.ones(1, 1), torch.ones(1, 2, dtype=torch.bool))
        tensor([0.])
    """
    target = target[:, None]
    divergence = (torch.xlogy(target, target) - target * log_distribution).sum(-1)  # (batch, branch)
    return (divergence * present).sum(1) / present.sum(1).clamp_min(1)
