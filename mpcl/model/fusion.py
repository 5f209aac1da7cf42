"""Multi-scale associative memory: one token a modality, and what the memory of its branch adds to it.

Beyond the name all is our reading. Layer norms have neither gain nor bias, since a linear map follows each.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ModalityTokens(nn.Module):
    """A linear token a modality, t_m = x_m W_m + b_m, or a learned token where it is missing (our reading).

    Args:
        features: number of features of each modality (M).
        width, generator: D, and the source of the initial weights.
    """

    def __init__(self, features, width, generator):
        super().__init__()
        self.features, count = tuple(features), len(features)
        modality = torch.arange(count).repeat_interleave(torch.tensor(self.features))
        self.register_buffer("modality", modality, persistent=False)  # of each feature
        self.weights = nn.ParameterList(torch.randn(n, width, generator=generator) / n**0.5 for n in self.features)
        self.bias = nn.Parameter(torch.randn(count, width, generator=generator) / 10)
        self.missing = nn.Parameter(torch.randn(count, width, generator=generator))

    def forward(self, x, present):
        """Tokens (B, M, D) of all features x (B, F), of which those of modalities ``present`` (B, M) are read."""
        x = torch.where(present.index_select(1, self.modality), x, 0.0)
        parts = zip(x.split(self.features, 1), self.weights, strict=True)
        tokens = torch.stack([part @ weight for part, weight in parts], 1)  # (batch, modality, width)
        return torch.where(present[..., None], tokens + self.bias, self.missing)


class MultiScaleMemory(nn.Module):
    """A branch's tokens retrieve, at several inverse temperatures, from it and from learned patterns (our reading).

    Stored are Y = [the branch's tokens that are present; N learned patterns]. With projections of LN(t) and LN(Y), the
    tokens retrieve H_s = softmax(beta_s Q K^T / sqrt D) V at each scale; a gate of each token, g = softmax(LN(t) W_g),
    mixes them: t' = LN(t + sum_s g_s H_s). What is retrieved is linear in its weights, so the weights are mixed first.

    Args:
        width, memories, betas: D, N, and S inverse temperatures to start from.
        generator: source of the initial weights.
    """

    def __init__(self, width, memories, betas, generator):
        super().__init__()
        self.gates = len(betas) if len(betas) > 1 else 0  # one scale needs no gate
        columns = 3 * width + self.gates
        self.patterns = nn.Parameter(torch.randn(memories, width, generator=generator))
        self.weight = nn.Parameter(torch.randn(width, columns, generator=generator) / width**0.5)
        self.log_beta = nn.Parameter(torch.tensor(betas).log())

    def forward(self, tokens, present, dropout=1.0, explain=False):
        """Tokens (B, m, D) with what memory adds, and to ``explain`` weights (S, B, m, m + N).

        Tokens that are not present (B, m) are never retrieved; ``dropout`` multiplies what is.
        """
        width, own, learned = tokens.shape[-1], tokens.shape[1], len(self.patterns)
        projected = F.layer_norm(tokens, (width,)) @ self.weight
        query, key, value, gate = projected.split((width, width, width, self.gates), -1)
        stored = F.layer_norm(self.patterns, (width,)) @ self.weight[:, width : 3 * width]
        stored_key, stored_value = stored.split(width, -1)  # (memory, width)
        overlap = torch.cat([query @ key.mT, query @ stored_key.mT], -1)  # (batch, modality, modality + memory)
        beta = (self.log_beta.exp() / width**0.5).view(-1, 1, 1, 1)
        mask = F.pad(present, (0, learned), value=True)[:, None]  # (batch, 1, modality + memory)
        weights = (beta * overlap).masked_fill(~mask, -torch.inf).softmax(-1)  # (scale, batch, modality, ...)
        mixed = torch.einsum("sbmn,bms->bmn", weights, gate.softmax(-1)) if self.gates else weights[0]
        found = mixed[..., :own] @ value + mixed[..., own:] @ stored_value  # (batch, modality, width)
        return F.layer_norm(tokens + found * dropout, (width,)), weights if explain else None


class BranchSummary(nn.Module):
    """One vector of a branch, h = LN([t_1; t_2; ..] W), of the tokens of its m modalities (our reading)."""

    def __init__(self, modalities, width, generator):
        super().__init__()
        inputs = modalities * width
        self.weight = nn.Parameter(torch.randn(inputs, width, generator=generator) / inputs**0.5)

    def forward(self, tokens):
        """The summary (B, D) of tokens (B, m, D)."""
        summary = tokens.flatten(1) @ self.weight
        return F.layer_norm(summary, summary.shape[-1:])
