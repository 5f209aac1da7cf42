"""Semantic compression: emotions to groups, groups to a code, and back to emotions.

All of it is our reading.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mpcl.model import memory

SHARPNESS = 8.0  # S is so many times its parameter, so that groups form in few steps


def valence_groups(valence: Sequence[int]) -> Tensor:
    """Groups made by hand (G, C), one of each valence in falling order: the control.

    Example:
        >>> valence_groups((1, 1, -1))
        tensor([[1., 1., 0.],
                [0., 0., 1.]])
    """
    groups = torch.tensor(sorted(set(valence), reverse=True))
    return (groups[:, None] == torch.tensor(valence)).float()


class SemanticCompression(nn.Module):
    """Groups recall emotions, a code joins the groups, emotions hear their groups.

    Our reading: bottom up, then down again; no evidence passes beside the groups. Each
    group asks the memory of emotion tokens, and those that belong to it, and those
    whose banks are near, come to mind more easily,

    A = softmax_C(beta cos(q_g, T_c) + S_gc + sum_b alpha_b a_c^b), z = LN(A T V).

    The code is u = [gelu(z_1); ..; gelu(z_G)] W, each group has one vote
    v_g = z_g . w_g + gelu(u) O_g, and the evidence is e = M^T v with the membership
    M = softmax_G(S): emotions of one group are told the same.

    Args:
        start: S at first (G, C).
        learned: whether it then moves.
        branches, width, code: number of branches, D, and numbers in the code.
        generator: of the initial weights.
    """

    start: Tensor

    def __init__(
        self,
        start: Tensor,
        learned: bool,
        branches: int,
        width: int,
        code: int,
        generator: Generator,
    ) -> None:
        super().__init__()
        groups, half = len(start), width // 2
        self.register_buffer("start", start)
        self.moved = nn.Parameter(torch.zeros_like(start)) if learned else None
        self.alpha = nn.Parameter(torch.full((branches,), 0.5))
        self.log_beta = nn.Parameter(torch.zeros(1))
        self.query = nn.Parameter(torch.randn(groups, width, generator=generator))
        self.group_weight = nn.Parameter(
            torch.randn(width, half, generator=generator) / width**0.5
        )
        self.code_weight = nn.Parameter(
            torch.randn(groups * half, code, generator=generator)
            / (groups * half) ** 0.5
        )
        self.vote_weight = nn.Parameter(
            torch.randn(groups, half, generator=generator) / half**0.5
        )
        self.out_weight = nn.Parameter(
            torch.randn(code, groups, generator=generator) / code**0.5 / 10
        )

    def assignment(self) -> Tensor:
        """S (G, C)."""
        return self.start if self.moved is None else self.start + SHARPNESS * self.moved

    def membership(self) -> Tensor:
        """How much each emotion belongs to each group (G, C); columns sum to one."""
        return self.assignment().softmax(0)

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, tokens: Tensor, activation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Evidence (B, C), the weights of emotions in groups (B, G, C), and the code.

        Args:
            tokens, activation: T (B, C, D), after a layer norm, and a (B, branch, C).
        """
        near = (self.alpha @ activation)[:, None]  # (batch, 1, emotion)
        query = F.normalize(self.query, dim=-1)
        beta = self.log_beta.exp() / tokens.shape[-1] ** 0.5  # |T|^2 = D: of a cosine
        prior = self.assignment() + near
        weights = memory.weights(query, tokens, beta[0], prior=prior)
        group = weights @ tokens @ self.group_weight  # (batch, group, half)
        group = F.layer_norm(group, group.shape[-1:])
        code = F.gelu(group).flatten(1) @ self.code_weight  # (batch, code)
        votes = (group * self.vote_weight).sum(-1) + F.gelu(code) @ self.out_weight
        return votes @ self.membership(), weights, code


def groups_used(membership: Tensor, least: float = 0.1) -> int:
    """How many groups carry more than this share of the emotions (G, C).

    Example:
        >>> groups_used(torch.tensor([[1.0, 0.5, 0.9], [0.0, 0.5, 0.1], [0.0] * 3]))
        2
    """
    return int((membership.mean(1) > least).sum())


def agreement(first: Tensor, second: Tensor) -> float:
    """How alike two memberships (G, C) group the emotions: the adjusted Rand index.

    Each emotion counts where it belongs most; 1 is the same groups, whatever their
    order, 0 is chance (Hubert and Arabie 1985). NaN where neither has two groups.

    Example:
        >>> groups = valence_groups((1, 1, -1, -1))
        >>> agreement(groups, groups.flip(0))
        1.0
    """
    row, column = torch.triu_indices(first.shape[1], first.shape[1], 1)
    pairs = [kind.argmax(0)[row] == kind.argmax(0)[column] for kind in (first, second)]
    counts = torch.stack(pairs).double().sum(1)  # of pairs of emotions in one group
    chance = counts.prod() / len(row)
    both = (pairs[0] & pairs[1]).sum()
    return ((both - chance) / (counts.mean() - chance)).item()
