"""Semantic compression: emotion tokens to valence groups, to one code, and back to each emotion (our reading)."""

import torch
import torch.nn.functional as F
from torch import nn


class ValenceCompression(nn.Module):
    """Emotions to groups to one code, each level adding to the logits of the emotions (our reading).

    With assignment logits S (G, C), started at 2 where an emotion has the valence of a group: group tokens
    z = LN(softmax_C(S) T W), code u = [gelu(z_1); ..; gelu(z_G)] W_u, logits softmax_G(S)^T (z w) + gelu(u) W_o.
    Each ``valence`` that occurs (C) makes a group, in falling order; group tokens and code have D // 2 numbers.
    Example:
        >>> ValenceCompression((1, 1, -1), 4, torch.Generator()).membership().detach()
        tensor([[0.8808, 0.8808, 0.1192],
                [0.1192, 0.1192, 0.8808]])
    """

    def __init__(self, valence, width, generator):
        super().__init__()
        groups, half = sorted(set(valence), reverse=True), width // 2
        inputs = len(groups) * half
        self.assignment = nn.Parameter(torch.tensor([[2.0 * (own == group) for own in valence] for group in groups]))
        self.group_weight = nn.Parameter(torch.randn(width, half, generator=generator) / width**0.5)
        self.logit_weight = nn.Parameter(torch.randn(half, generator=generator) / half**0.5 / 10)
        self.code_weight = nn.Parameter(torch.randn(inputs, half, generator=generator) / inputs**0.5)
        self.out_weight = nn.Parameter(torch.randn(half, len(valence), generator=generator) / half**0.5 / 10)

    def membership(self):
        """How much each emotion belongs to each group (G, C); columns sum to one."""
        return self.assignment.softmax(0)

    def forward(self, tokens):
        """What the two levels add to the logits (B, C), and the code (B, D // 2), of tokens T (B, C, D)."""
        shares = self.assignment.softmax(1)[..., None]  # (group, emotion, 1)
        group = torch.stack([(share * tokens).sum(1) for share in shares], 1)  # (batch, group, width)
        group = group @ self.group_weight  # (batch, group, half)
        group = F.layer_norm(group, group.shape[-1:])
        code = F.gelu(group).flatten(1) @ self.code_weight
        votes = (group * self.logit_weight).sum(-1)  # (batch, group)
        return votes @ self.membership() + F.gelu(code) @ self.out_weight, code
