"""Semantic compression: from emotion tokens to valence groups, to one code, and back to every emotion.

The abstract says that emotions are compressed into a hierarchy; two levels, valence groups to start from and what
the levels add to the logits are our reading.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ValenceCompression(nn.Module):
    """Emotions to groups to one code; each level adds its part to the logits of the emotions (our reading).

    With assignment logits S (G, C), started at 2 where the emotion has the valence of the group:
    group tokens z_g = LN(softmax_C(S) T W), group logits v_g = z_g . w, code u = [gelu(z_1); ..; gelu(z_G)] W_u;
    logits = softmax_G(S)^T v + gelu(u) W_o.

    Args:
        valence: of each emotion (C), -1, 0 or +1; one group a different value, in falling order.
        width: D; group tokens and code have D // 2.
        generator: source of the initial weights.

    Example:
        >>> levels = ValenceCompression((1, 1, -1), 4, torch.Generator())
        >>> levels.membership()
        tensor([[0.8808, 0.8808, 0.1192],
                [0.1192, 0.1192, 0.8808]], grad_fn=<SoftmaxBackward0>)
    """

    def __init__(self, valence, width, generator):
        super().__init__()
        self.valence = tuple(sorted(set(valence), reverse=True))  # of each group
        groups, half = len(self.valence), width // 2
        start = [[2.0 * (own == group) for own in valence] for group in self.valence]
        self.assignment = nn.Parameter(torch.tensor(start))
        self.group_weight = nn.Parameter(torch.randn(width, half, generator=generator) / width**0.5)
        self.logit_weight = nn.Parameter(torch.randn(half, generator=generator) / half**0.5 / 10)
        code = torch.randn(groups * half, half, generator=generator) / (groups * half) ** 0.5
        self.code_weight = nn.Parameter(code)
        out = torch.randn(half, len(valence), generator=generator) / half**0.5 / 10
        self.out_weight = nn.Parameter(out)

    def membership(self):
        """How much each emotion belongs to each group (G, C); columns sum to one."""
        return self.assignment.softmax(0)

    def forward(self, tokens):
        """What the two levels add to the logits, and the code.

        Args:
            tokens: T (B, C, D).

        Returns:
            logits (B, C) and code (B, D // 2).
        """
        group = self.assignment.softmax(1) @ tokens @ self.group_weight  # (batch, group, half)
        group = F.layer_norm(group, group.shape[-1:])
        code = F.gelu(group).flatten(1) @ self.code_weight
        return group @ self.logit_weight @ self.membership() + F.gelu(code) @ self.out_weight, code
