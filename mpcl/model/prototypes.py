"""Prototype banks: in each branch a few prototypes an emotion, and how a window resembles them.

The abstract says that prototypes of emotions are aligned across the branches; banks, similarity and
the tokens made of them are our reading.
"""

import torch
import torch.nn.functional as F
from torch import nn


def similarity(summary, prototypes, temperature):
    """How much each window resembles each prototype of its branch: s = cos(h, P) / tau (our reading).

    Args:
        summary: h (B, branch, D).
        prototypes: P (branch, C, K, D).
        temperature: tau > 0.

    Returns:
        Tensor (B, branch, C, K) in -1/tau .. 1/tau.

    Example:
        >>> similarity(torch.tensor([[[3.0, 0.0]]]), torch.eye(2).view(1, 2, 1, 2), temperature=0.5).flatten()
        tensor([2., 0.])
    """
    summary, prototypes = F.normalize(summary, dim=-1), F.normalize(prototypes, dim=-1)
    return torch.einsum("bnd,nckd->bnck", summary, prototypes) / temperature


class PrototypeBanks(nn.Module):
    """A bank of K prototypes an emotion in each branch, and an emotion token made of what resembles it (our reading).

    Both banks start from one draw, so that prototype (c, k) means the same in both. With s from
    :func:`similarity`, activation a_c = lse_k s_ck, responsibility r = softmax over all (c, k) of s_ck + log prior_c,
    the token of a branch is LN(C sqrt(D) sum_k r_ck P_ck / |P_ck| + h W) and the emotion token T_c is the
    layer norm of both branches' tokens through a linear map.

    Args:
        branches: number of branches.
        emotions: C.
        prototypes: K.
        width: D.
        temperature: tau.
        generator: source of the initial weights.
    """

    def __init__(self, branches, emotions, prototypes, width, temperature, generator):
        super().__init__()
        self.temperature = temperature
        bank = torch.randn(1, emotions, prototypes, width, generator=generator)
        self.prototypes = nn.Parameter(bank.repeat(branches, 1, 1, 1))
        self.weight = nn.Parameter(torch.randn(branches, width, width, generator=generator) / width**0.5)
        join = torch.randn(branches, width, width, generator=generator) / (branches * width) ** 0.5
        self.join_weight = nn.Parameter(join)

    def forward(self, summary, log_prior):
        """Emotion tokens and activations.

        Args:
            summary: h (B, branch, D).
            log_prior: log of the mean training label (C,).

        Returns:
            tokens (B, C, D) and activations (B, branch, C).
        """
        near = similarity(summary, self.prototypes, self.temperature)  # (batch, branch, emotion, prototype)
        share = (near + log_prior[:, None]).flatten(2).softmax(-1).view_as(near)
        scale = near.shape[2] * summary.shape[-1] ** 0.5
        mixture = torch.einsum("bnck,nckd->bncd", share * scale, F.normalize(self.prototypes, dim=-1))
        state = torch.einsum("bnd,nde->bne", summary, self.weight)[:, :, None]
        tokens = F.layer_norm(mixture + state, summary.shape[-1:])  # (batch, branch, emotion, width)
        tokens = torch.einsum("bncd,nde->bce", tokens, self.join_weight)
        return F.layer_norm(tokens, summary.shape[-1:]), near.logsumexp(-1)


class EmotionEmbeddings(nn.Module):
    """What stands in for the banks when they are off: T_c = LN(E_c + [h^p; h^y] W), E_c learned (our reading).

    Args:
        branches: number of branches.
        emotions: C.
        width: D.
        generator: source of the initial weights.
    """

    def __init__(self, branches, emotions, width, generator):
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(emotions, width, generator=generator))
        weight = torch.randn(branches * width, width, generator=generator)
        self.weight = nn.Parameter(weight / (branches * width) ** 0.5)

    def forward(self, summary):
        """Emotion tokens (B, C, D) of summaries (B, branch, D)."""
        state = summary.flatten(1) @ self.weight
        return F.layer_norm(state[:, None] + self.embeddings, state.shape[-1:])


def prototype_loss(log_distribution, target, present):
    """How far each branch alone is from the label: KL(target || branch), the mean over the branches present.

    Our reading: each bank must tell the emotions apart by itself.

    Args:
        log_distribution: each branch's own prediction, log_softmax(a + log prior) (B, branch, C).
        target: label distributions (B, C).
        present: bool (B, branch).

    Returns:
        Tensor (B,) in nats; 0 where no branch is present.

    Example:
        >>> prototype_loss(torch.zeros(1, 2, 1), torch.ones(1, 1), torch.ones(1, 2, dtype=torch.bool))
        tensor([0.])
    """
    divergence = F.kl_div(log_distribution, target[:, None], reduction="none").sum(-1)  # (batch, branch)
    return (divergence * present).sum(1) / present.sum(1).clamp_min(1)
