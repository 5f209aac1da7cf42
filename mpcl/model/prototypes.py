"""Prototype banks: each emotion has a memory of its own, and a trial asks it.

Each branch has banks of its own. All of it is our reading.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mpcl.model import memory

WRITING = 10.0  # inverse temperature at which trials are written into banks


class PrototypeBanks(nn.Module):
    """A memory of K unit prototypes for each emotion and branch (our reading).

    What an emotion knows of a trial is what its bank recalls and nothing else:
    R_c = retrieve(h, P_c, 1 / tau) in each branch, and T_c = LN(sum_b R_c^b U_b). How
    near the trial is to the bank is a_c = -E(h, P_c) / tau, its negative energy, which
    is lse_k(h P_ck / tau) up to a constant. h and P_ck are of unit length. The banks of
    all branches start from one draw, so that prototype (c, k) means the same in each.

    Args:
        branches, emotions, kinds, width: number of branches, C, K, and D.
        temperature: tau.
        generator: of the initial weights.
        bypass: *an ablation*: T_c = LN(sum_b R_c^b U_b + s h W), with a gate s that
            starts at .1, reads the trial past the banks.
    """

    def __init__(
        self,
        branches: int,
        emotions: int,
        kinds: int,
        width: int,
        temperature: float,
        generator: Generator,
        bypass: bool = False,
    ) -> None:
        super().__init__()
        self.beta = 1 / temperature
        inputs = branches * width
        bank = torch.randn(emotions, kinds, width, generator=generator) / width**0.5
        self.bank = nn.Parameter(bank.repeat(branches, 1, 1, 1))
        self.weight = nn.Parameter(
            torch.randn(branches, width, width, generator=generator) / inputs**0.5
        )
        self.bypass = bypass
        if bypass:
            self.gate = nn.Parameter(torch.full((1,), 0.1))
            self.past_weight = nn.Parameter(
                torch.randn(inputs, width, generator=generator) / inputs**0.5
            )

    def prototypes(self) -> Tensor:
        """P, of unit length (branch, C, K, D)."""
        return F.normalize(self.bank, dim=-1)

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """Emotion tokens T (B, C, D) and activations a (B, branch, C).

        Args:
            summary: h (B, branch, D).
        """
        bank = self.prototypes()
        query = F.normalize(summary, dim=-1).transpose(0, 1)[:, None]
        recalled = memory.retrieve(query, bank, self.beta)  # (branch, C, batch, width)
        energy = memory.energy(query, bank, self.beta)  # (branch, C, batch)
        tokens = (recalled @ self.weight[:, None]).sum(0).transpose(0, 1)
        if self.bypass:
            past = summary.flatten(1) @ self.past_weight  # (batch, width)
            tokens = tokens + self.gate * past[:, None]
        activation = -self.beta * energy.permute(2, 0, 1)
        return F.layer_norm(tokens, tokens.shape[-1:]), activation

    def writing(self, summary: Tensor) -> Tensor:
        """The energy of trials, which stand still, in each bank (B, branch, C).

        At a larger inverse temperature, so that the nearest prototypes are written.
        """
        query = F.normalize(summary.detach(), dim=-1).transpose(0, 1)[:, None]
        energy = memory.energy(query, self.prototypes(), WRITING)
        return energy.permute(2, 0, 1)

    def relations(self, summary: Tensor) -> Tensor:
        """How a trial relates to all C K prototypes, logarithms (1 + branch, B, C K).

        By all branches (the normalised mean of their logarithms), then by each.
        """
        query = F.normalize(summary, dim=-1).transpose(0, 1)  # (branch, batch, width)
        every = self.prototypes().flatten(1, 2)  # (branch, C K, width)
        each = memory.log_weights(query, every, self.beta)
        return torch.cat([each.mean(0, keepdim=True).log_softmax(-1), each])


class EmotionEmbeddings(nn.Module):
    """Tokens of emotions that have no banks, T_c = LN(h W + e_c); nothing is near.

    Args:
        branches, emotions, width, generator: as of :class:`PrototypeBanks`.
    """

    def __init__(
        self, branches: int, emotions: int, width: int, generator: Generator
    ) -> None:
        super().__init__()
        inputs = branches * width
        self.embeddings = nn.Parameter(
            torch.randn(emotions, width, generator=generator)
        )
        self.weight = nn.Parameter(
            torch.randn(inputs, width, generator=generator) / inputs**0.5
        )

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, summary: Tensor) -> Tensor:
        """Emotion tokens (B, C, D) of summaries (B, branch, D)."""
        state = summary.flatten(1) @ self.weight  # (batch, width)
        tokens = state[:, None] + self.embeddings
        return F.layer_norm(tokens, tokens.shape[-1:])


def writing_loss(energy: Tensor, target: Tensor, present: Tensor) -> Tensor:
    """How far what was felt is from being stored (B,), our reading.

    The mean over emotions and branches of (d_c / mean d_c - 1)+ E(h, P_c): each bank
    stores the trials in which its emotion was felt more than usual.

    Args:
        energy: of each trial in each bank (B, branch, C).
        target: labels (B, C).
        present: bool (B, branch), branches that count.
    """
    excess = (target / target.mean(0).clamp_min(1e-6) - 1).clamp_min(0)
    return (excess[:, None] * energy * present[..., None]).mean((1, 2))


def prototype_loss(log_distribution: Tensor, target: Tensor, present: Tensor) -> Tensor:
    """How far each branch alone is from the label (B,), our reading.

    KL(target || branch), the mean over the branches that are present.

    Args:
        log_distribution: each branch's log_softmax(a + log prior) (B, branch, C).
        target: labels (B, C).
        present: bool (B, branch), branches that count; with none the loss is 0.

    Example:
        >>> present = torch.ones(1, 2, dtype=torch.bool)
        >>> prototype_loss(torch.zeros(1, 2, 1), torch.ones(1, 1), present)
        tensor([0.])
    """
    target = target[:, None]
    surprise = torch.xlogy(target, target) - target * log_distribution
    divergence = surprise.sum(-1)  # (batch, branch)
    return (divergence * present).sum(1) / present.sum(1).clamp_min(1)
