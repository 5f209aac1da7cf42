"""Prototype banks: in each branch a few prototypes an emotion, and how a window resembles them (our reading)."""

import torch
import torch.nn.functional as F
from torch import nn


def similarity(summary, prototypes, temperature):
    """How much a window resembles each prototype (B, branch, C, K): s = cos(h, P) / tau (our reading).

    With h a summary (B, branch, D), P the prototypes (branch, C, K, D) and tau > 0.
    Example:
        >>> similarity(torch.tensor([[[3.0, 0.0]]]), torch.eye(2).view(1, 2, 1, 2), temperature=0.5).flatten()
        tensor([2., 0.])
    """
    summary, prototypes = F.normalize(summary, dim=-1), F.normalize(prototypes, dim=-1)
    return torch.einsum("bnd,nckd->bnck", summary, prototypes) / temperature


class PrototypeBanks(nn.Module):
    """A bank of prototypes in each branch, and an emotion token made of those that a window resembles (our reading).

    Both banks start from one draw, so that prototype (c, k) means the same in both. With s of :func:`similarity`,
    activation a_c = lse_k s_ck and responsibility r = softmax over all (c, k) of s_ck + log prior_c, a branch's token
    is LN(C sqrt(D) sum_k r_ck P_ck / |P_ck| + h W), and T_c the layer norm of both, joined by a linear map.

    Args:
        branches, emotions, kinds, width: number of branches, C, K prototypes an emotion, and D.
        temperature, generator: tau, and the source of the initial weights.
    """

    def __init__(self, branches, emotions, kinds, width, temperature, generator):
        super().__init__()
        self.temperature = temperature
        bank = torch.randn(emotions, kinds, width, generator=generator)
        self.bank = nn.Parameter(bank.repeat(branches, 1, 1, 1))
        self.weight = nn.Parameter(torch.randn(branches, width, width, generator=generator) / width**0.5)
        join = torch.randn(branches, width, width, generator=generator)
        self.join_weight = nn.Parameter(join / (branches * width) ** 0.5)

    def forward(self, summary, log_prior):
        """Emotion tokens T (B, C, D) and activations a (B, branch, C) of summaries h (B, branch, D)."""
        near = similarity(summary, self.bank, self.temperature)  # (batch, branch, emotion, kind)
        share = (near + log_prior[:, None]).flatten(2).softmax(-1).view_as(near)
        scale = near.shape[2] * summary.shape[-1] ** 0.5
        each, joined = (summary.unbind(1), share.unbind(1), F.normalize(self.bank, dim=-1), self.weight), 0
        for (state, resembled, unit, weight), join in zip(zip(*each, strict=True), self.join_weight, strict=True):
            mixture = torch.einsum("bck,ckd->cbd", scale * resembled, unit)
            token = F.layer_norm(mixture + state @ weight, state.shape[-1:])  # (emotion, batch, width)
            joined = joined + token @ join
        return F.layer_norm(joined.transpose(0, 1).contiguous(), summary.shape[-1:]), near.logsumexp(-1)


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
