"""Multi-scale associative memory: one token a modality, and what the memory of its branch adds to it.

Beyond the name all is our reading. Layer norms have neither gain nor bias, since a linear map follows each.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ModalityTokens(nn.Module):
    """A linear token a modality, t_m = x_m W_m + b_m, or a learned token where it is missing (our reading).

    Tokens stand by branch, so that both branches are computed at once; where one has fewer modalities than the
    other its last slots are empty: zero, and missing.

    Args:
        features, branch: number of features and index of the branch of each modality (M).
        width, generator: D, and the source of the initial weights.
    """

    def __init__(self, features, branch, width, generator):
        super().__init__()
        self.features, count = tuple(features), len(features)
        members = [[m for m, b in enumerate(branch) if b == own] for own in range(max(branch) + 1)]
        self.sizes = [len(own) for own in members]  # modalities of each branch
        slots = [own + [count] * (max(self.sizes) - len(own)) for own in members]  # count: the zero behind the last
        modality, slots = torch.arange(count).repeat_interleave(torch.tensor(self.features)), torch.tensor(slots)
        self.register_buffer("slots", slots, persistent=False)  # (branch, slot), the modality in each
        self.register_buffer("places", slots.flatten().argsort()[:count], persistent=False)  # of each modality
        self.register_buffer("modality", modality, persistent=False)  # of each feature
        self.weights = nn.ParameterList(torch.randn(n, width, generator=generator) / n**0.5 for n in self.features)
        self.bias = nn.Parameter(torch.randn(count, width, generator=generator) / 10)
        self.missing = nn.Parameter(torch.randn(count, width, generator=generator))

    def forward(self, x, present):
        """Tokens (B, branch, slot, D), and which were measured, of all features x (B, F) and ``present`` (B, M)."""
        x = torch.where(present.index_select(1, self.modality), x, 0.0)
        parts = zip(x.split(self.features, 1), self.weights, strict=True)
        tokens = torch.stack([part @ weight for part, weight in parts], 1)  # (batch, modality, width)
        tokens = torch.where(present[..., None], tokens + self.bias, self.missing)
        layout, slots = self.slots.shape, self.slots.flatten()
        tokens = F.pad(tokens, (0, 0, 0, 1)).index_select(1, slots).unflatten(1, layout)
        return tokens, F.pad(present, (0, 1)).index_select(1, slots).unflatten(1, layout)


class MultiScaleMemory(nn.Module):
    """Tokens retrieve, at several inverse temperatures, from their branch and from learned patterns (our reading).

    Stored are Y = [the branch's tokens that are present; N learned patterns]. With projections a branch of LN(t) and
    LN(Y), H_s = softmax(beta_s Q K^T / sqrt D) V for all scales in one call; a gate of each token,
    g = softmax(LN(t) W_g), mixes them: t' = LN(t + sum_s g_s H_s).

    Args:
        branches, width, memories, betas: number of branches, D, N, and S inverse temperatures to start from.
        generator: source of the initial weights.
    """

    def __init__(self, branches, width, memories, betas, generator):
        super().__init__()
        self.gates = len(betas) if len(betas) > 1 else 0  # one scale needs no gate
        columns = 3 * width + self.gates
        self.patterns = nn.Parameter(torch.randn(branches, memories, width, generator=generator))
        self.weight = nn.Parameter(torch.randn(branches, width, columns, generator=generator) / width**0.5)
        self.log_beta = nn.Parameter(torch.tensor(betas).log())

    def forward(self, tokens, present, dropout=1.0, explain=False):
        """Tokens (B, branch, slot, D) with what memory adds, and to ``explain`` weights (S, B, branch, slot, slot + N).

        Tokens that are not present (B, branch, slot) are never retrieved; ``dropout`` multiplies what is.
        """
        width, slots = tokens.shape[-1], tokens.shape[2]
        projected = torch.einsum("bksd,kde->bkse", F.layer_norm(tokens, (width,)), self.weight)
        query, key, value, gate = projected.split((width, width, width, self.gates), -1)
        stored = F.layer_norm(self.patterns, (width,)) @ self.weight[..., width : 3 * width]
        stored_key, stored_value = stored.split(width, -1)  # (branch, memory, width)
        overlap = torch.cat([query @ key.mT, torch.einsum("bktd,knd->bktn", query, stored_key)], -1)
        mask = F.pad(present, (0, len(stored_key[0])), value=True)[:, :, None]  # (batch, branch, 1, slot + memory)
        beta = (self.log_beta.exp() / width**0.5).view(-1, 1, 1, 1, 1)
        weights = (beta * overlap).masked_fill(~mask, -torch.inf).softmax(-1)  # (scale, batch, branch, slot, slot + N)
        scales = gate.softmax(-1).movedim(-1, 0)[..., None] if self.gates else 1.0  # (scale, batch, branch, slot, 1)
        own, learned = (scales * weights).sum(0).split((slots, len(stored_key[0])), -1)
        found = own @ value + torch.einsum("bktn,knd->bktd", learned, stored_value)  # (batch, branch, slot, width)
        return F.layer_norm(tokens + found * dropout, (width,)), weights if explain else None


class BranchSummary(nn.Module):
    """One vector a branch, h = LN([t_1; t_2; ..] W), of the tokens of its ``sizes`` modalities (our reading)."""

    def __init__(self, sizes, width, generator):
        super().__init__()
        inputs = [size * width for size in sizes]
        self.weights = nn.ParameterList(torch.randn(n, width, generator=generator) / n**0.5 for n in inputs)

    def forward(self, tokens):
        """Summaries (B, branch, D) of tokens (B, branch, slot, D); empty slots, at the end, are left out."""
        parts = zip(tokens.flatten(2).unbind(1), self.weights, strict=True)  # (batch, slot and width)
        summary = torch.stack([part[:, : len(weight)] @ weight for part, weight in parts], 1)
        return F.layer_norm(summary, summary.shape[-1:])
