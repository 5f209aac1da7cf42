"""Multi-scale fusion: modalities into moments, and moments into what a trial was like.

In each branch the memory of :mod:`mpcl.model.memory` is asked twice, at several inverse
temperatures each. A *moment* is one window: its modalities become tokens of one size,
and they recall one another. A *trial* recalls its moments. Beyond the name all is our
reading. Layer norms have neither gain nor bias, since a linear map follows each.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mpcl.model import memory


class MultiScaleMemory(nn.Module):
    """One memory, asked at several inverse temperatures (our reading).

    R = sum_s g_s softmax(beta_s xi X^T / sqrt D) V with shares g = softmax(gate): a
    small beta returns the mean of all patterns, a large one the most similar.

    Args:
        betas: S inverse temperatures to start from.
    """

    def __init__(self, betas: Sequence[float]) -> None:
        super().__init__()
        self.log_beta = nn.Parameter(torch.tensor(betas).log())
        self.gate = nn.Parameter(torch.zeros(len(betas)))

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, query: Tensor, patterns: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is recalled (..., Q, E), and the weights of each scale (S, ..., Q, N).

        Args:
            query, patterns, values: xi (..., Q, D), X (..., N, D), V (..., N, E).
            mask: bool (..., N), the patterns that may be recalled.
        """
        beta = self.log_beta.exp() / query.shape[-1] ** 0.5
        weights = memory.weights(query, patterns, beta, mask)
        mixed = torch.einsum("s,s...->...", self.gate.softmax(0), weights)
        return mixed @ values, weights


class ModalityTokens(nn.Module):
    """A token of each modality of a branch, t_m = x_m W_m + b_m (our reading).

    A modality that is missing gives a learned token u_m, whatever stands in its
    features.

    Args:
        features: number of features of each modality of the branch (m).
        width: D.
        generator: of the initial weights.
    """

    def __init__(
        self, features: Sequence[int], width: int, generator: Generator
    ) -> None:
        super().__init__()
        self.features = tuple(features)
        count, inputs = len(features), sum(features)
        self.weight = nn.Parameter(
            torch.randn(inputs, width, generator=generator) / inputs**0.5
        )
        self.bias = nn.Parameter(
            torch.randn(count, width, generator=generator) / (4 * count) ** 0.5
        )
        self.missing = nn.Parameter(
            torch.randn(count, width, generator=generator) / (4 * count) ** 0.5
        )

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Tokens (..., m, D) of features x (..., F), read where ``present``."""
        parts = zip(
            x.split(self.features, -1),
            present.split(1, -1),
            self.weight.split(self.features),
            strict=True,
        )
        products = [
            torch.where(is_present, part, 0.0) @ weight
            for part, is_present, weight in parts
        ]
        tokens = torch.stack(products, -2) + self.bias
        return torch.where(present[..., None], tokens, self.missing)


class BranchFusion(nn.Module):
    """A branch: its modalities become moments, and its moments a trial (our reading).

    The modalities of a moment recall one another, h_w = LN(sum_m t_m + a sum_m R_m)
    with R_m what the token of modality m recalls of those that are present, by their
    directions: query and patterns are LN(t), values t. Then the mean moment recalls the
    moments, h = LN(R). Without a memory: the sum of the tokens, the mean moment.

    Args:
        features: number of features of each modality of the branch (m).
        width: D.
        modality_betas, moment_betas: inverse temperatures that the memories across
            modalities and across time start from; none: without that memory. A lone
            modality has no other to recall.
        generator: of the initial weights.
    """

    def __init__(
        self,
        features: Sequence[int],
        width: int,
        modality_betas: Sequence[float],
        moment_betas: Sequence[float],
        generator: Generator,
    ) -> None:
        super().__init__()
        self.tokens = ModalityTokens(features, width, generator)
        self.modalities = self.moments = None
        if modality_betas and len(features) > 1:
            self.modalities = MultiScaleMemory(modality_betas)
            self.amount = nn.Parameter(torch.full((1,), 0.5))  # a
        if moment_betas:
            self.moments = MultiScaleMemory(moment_betas)

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, x: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The trial (B, D), the weights of modalities and of moments.

        The weights are (S, B, W, m, m), of each modality (row) on each, and (S, B, W).

        Args:
            x: features (B, W, F).
            present: bool (B, W, m). Modalities that are missing are not recalled, but
                recall; moments without any do not count, unless all are.
        """
        moments, of_modalities = self.make_moments(x, present)
        counted = present.any(-1)
        counted = counted | ~counted.any(-1, keepdim=True)  # (batch, moment)
        share = counted.to(moments) / counted.sum(-1, keepdim=True)
        trial, of_moments = share[:, None] @ moments, None  # (batch, 1, width)
        if self.moments is not None:
            trial, weights = self.moments(trial, moments, moments, counted)
            of_moments = weights[..., 0, :]
        return F.layer_norm(trial[:, 0], trial.shape[-1:]), of_modalities, of_moments

    def make_moments(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """Moments (B, W, D) and the weights of modalities; arguments of forward."""
        tokens = self.tokens(x, present)  # (batch, moment, modality, width)
        weights = None
        if self.modalities is not None:
            unit = F.layer_norm(tokens, tokens.shape[-1:])
            recalled, weights = self.modalities(unit, unit, tokens, present)
            tokens = tokens + self.amount * recalled
        moment = tokens.sum(-2)
        return F.layer_norm(moment, moment.shape[-1:]), weights

    def silence(self) -> Tensor:
        """The trial in which nothing of the branch was measured (D,)."""
        tokens = self.tokens.missing.sum(0)
        moment = F.layer_norm(tokens, tokens.shape)
        return F.layer_norm(moment, moment.shape)
