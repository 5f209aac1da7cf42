"""Multi-scale fusion: modalities into moments, and the moments of a trial into what the trial was like.

Two scales of time, in each branch. A *moment* is one window: its modalities become tokens of one size, and their sum is
the moment. A *trial* is recalled from its moments, by the associative memory of :mod:`mpcl.model.memory`. Beyond the
name all is our reading. Layer norms have neither gain nor bias, since a linear map follows each.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ModalityTokens(nn.Module):
    """The moments of a branch, h_w = LN(sum_m t_m), with a token a modality: t_m = x_m W_m + b_m (our reading).

    A modality that is missing gives a learned token u_m, whatever stands in its features.

    Args:
        features: number of features of each modality of the branch (m).
        width, generator: D, and the source of the initial weights.
    """

    def __init__(self, features, width, generator):
        super().__init__()
        self.features, count = tuple(features), len(features)
        modality = torch.arange(count).repeat_interleave(torch.tensor(self.features))
        self.register_buffer("modality", modality, persistent=False)  # of each feature
        self.weight = nn.Parameter(torch.randn(sum(features), width, generator=generator) / sum(features) ** 0.5)
        self.bias = nn.Parameter(torch.randn(count, width, generator=generator) / (4 * count) ** 0.5)
        self.missing = nn.Parameter(torch.randn(count, width, generator=generator) / (4 * count) ** 0.5)

    def tokens(self, x, present):
        """The tokens one by one (..., m, D); :meth:`forward` gets their sum from one product."""
        each = zip(x.split(self.features, -1), self.weight.split(self.features), strict=True)
        tokens = torch.stack([part @ weight for part, weight in each], -2) + self.bias
        return torch.where(present[..., None], tokens, self.missing)

    def forward(self, x, present):
        """Moments (..., D) of features x (..., F), of which those of modalities ``present`` (..., m) are read."""
        x = torch.where(present.index_select(-1, self.modality), x, 0.0)
        seen = present.to(x)
        moment = x @ self.weight + seen @ self.bias + (1 - seen) @ self.missing  # (..., width)
        return F.layer_norm(moment, moment.shape[-1:])

    def silence(self):
        """The moment in which nothing of the branch is there (D,)."""
        moment = self.missing.sum(0)
        return F.layer_norm(moment, moment.shape)


class TrialMemory(nn.Module):
    """A trial recalled from its moments at several inverse temperatures (our reading).

    With moments h_1 .. h_W and their mean xi as the query, each scale retrieves H_s = sum_w softmax(beta_s h_w xi /
    sqrt D)_w h_w (Ramsauer et al. 2021, eq. 3): the mean of all moments at a small beta, the most typical one at a
    large. Shares g = softmax(gate) mix them: h = LN(sum_s g_s H_s).

    Args:
        betas: S inverse temperatures to start from.
    """

    def __init__(self, betas):
        super().__init__()
        self.log_beta = nn.Parameter(torch.tensor(betas).log())
        self.gate = nn.Parameter(torch.zeros(len(betas)))

    def forward(self, moments, there):
        """The trial (B, D) of moments (B, W, D), and weights (S, B, W); those not ``there`` (B, W) do not count."""
        query = mean_moment(moments, there)
        overlap = (moments * query[:, None]).sum(-1) / moments.shape[-1] ** 0.5  # (batch, moment)
        counted = there | ~there.any(-1, keepdim=True)
        scaled = self.log_beta.exp()[:, None, None] * overlap
        weights = scaled.masked_fill(~counted, -torch.inf).softmax(-1)  # (scale, batch, moment)
        mixed = (self.gate.softmax(0)[:, None, None] * weights).sum(0)  # (batch, moment)
        trial = (mixed[..., None] * moments).sum(1)
        return F.layer_norm(trial, trial.shape[-1:]), weights


def mean_moment(moments, there):
    """The mean (B, D) of the moments (B, W, D) that are ``there`` (B, W); of all where none is.

    Example:
        >>> mean_moment(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
        tensor([[2.]])
    """
    counted = (there | ~there.any(-1, keepdim=True)).to(moments)
    return ((counted / counted.sum(-1, keepdim=True))[..., None] * moments).sum(1)
