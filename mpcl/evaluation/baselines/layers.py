"""What the neural peers are built from; every initial number comes from a generator."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear map with the usual initial weights (uniform, +-1 / sqrt(inputs))."""
    layer: Any = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def head(width: int, log_prior: Tensor, generator: torch.Generator) -> nn.Linear:
    """A linear map to logits that starts near the mean label (emotion,)."""
    layer = linear(width, len(log_prior), generator)
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.copy_(log_prior)
    return layer


def kl(logits: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(logits)) in nats, of each row (...,).

    Example:
        >>> kl(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]))
        tensor([0.])
    """
    log = F.log_softmax(logits, -1)
    return (torch.xlogy(target, target) - target * log).sum(-1)


def scaled_masks(
    keep: Tensor | None, shapes: Sequence[tuple[int, ...]], rate: float, like: Tensor
) -> list[Tensor | None]:
    """A flat mask of dropout (B, number) as masks ``(B, *shape)`` to multiply with.

    What is kept is scaled, so that the mean stays. Without a mask: Nones.

    Example:
        >>> keep = torch.tensor([[True, False, True]])
        >>> scaled_masks(keep, [(2,), (1,)], rate=0.5, like=torch.zeros(()))
        [tensor([[2., 0.]]), tensor([[2.]])]
    """
    if keep is None:
        return [None] * len(shapes)
    pieces = (keep.to(like) / (1 - rate)).split([prod(shape) for shape in shapes], -1)
    return [
        piece.unflatten(-1, shape) for piece, shape in zip(pieces, shapes, strict=True)
    ]


def drop(values: Tensor, mask: Tensor | None) -> Tensor:
    """Dropout by a scaled mask; without a mask the values themselves."""
    return values if mask is None else values * mask


class TrialMean(nn.Module):
    """A trial as the mean of its moments.

    Each feature is the mean over the moments in which its modality is present, 0 where
    there are none; a window that is a trial of its own stays as it is.

    Args:
        sizes: number of features of each modality.

    Example:
        >>> features = torch.tensor([[[1.0], [3.0], [9.0]]])
        >>> present = torch.tensor([[[True], [True], [False]]])
        >>> TrialMean([1])(features, present)
        (tensor([[2.]]), tensor([[True]]))
    """

    modality: Tensor  # of each feature (feature,)

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        modality = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        self.register_buffer("modality", modality, persistent=False)

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, features: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F) of (B, W, F), and the modalities ever present (B, M)."""
        share = present.to(features)
        count = share.sum(1)  # (batch, modality)
        share = share / count.clamp_min(1)[:, None]  # (batch, moment, modality)
        mean = (features * share.index_select(-1, self.modality)).sum(1)
        return mean, count > 0


class Tokens(nn.Module):
    """A trial as a token a modality, a linear map of its mean over the moments.

    A modality that is missing in all of them becomes a learned token.
    """

    def __init__(
        self, sizes: Sequence[int], width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.mean = TrialMean(sizes)
        self.maps = nn.ModuleList(linear(size, width, generator) for size in sizes)
        self.missing = nn.Parameter(torch.zeros(len(sizes), width))

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, features: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, M, D), and which are present (B, M), of moments (B, W, ...)."""
        features, present = self.mean(features, present)
        parts = zip(self.maps, features.split(self.sizes, -1), strict=True)
        tokens = torch.stack([to_token(part) for to_token, part in parts], 1)
        return torch.where(present[..., None], tokens, self.missing), present


class Attention(nn.Module):
    """Multi-head attention whose dropout mask is handed in."""

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.query = linear(width, width, generator)
        self.key_and_value = linear(width, 2 * width, generator)
        self.out = linear(width, width, generator)

    def mask_shape(self, queries: int, keys: int) -> tuple[int, ...]:
        """Of the mask over what each head of each query reads."""
        return self.heads, queries, keys

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self,
        queries: Tensor,
        tokens: Tensor,
        mask: Tensor | None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """What each query (B, Q, D) reads from tokens (B, K, D).

        Args:
            queries, tokens: who asks, and who is asked.
            mask: of dropout, scaled, of the weights (B, head, Q, K).
            hidden: bool (Q, K), True where nothing may be read.
        """
        q = self._heads(self.query(queries))
        k, v = map(self._heads, self.key_and_value(tokens).chunk(2, -1))
        scores = (q / q.shape[-1] ** 0.5) @ k.mT  # (batch, head, query, key)
        if hidden is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        # over so few keys this is several times as fast as softmax
        weights = (scores - scores.detach().amax(-1, keepdim=True)).exp()
        weights = drop(weights / weights.sum(-1, keepdim=True), mask)
        return self.out((weights @ v).transpose(1, 2).flatten(2))

    def _heads(self, rows: Tensor) -> Tensor:
        """Rows (B, row, D) as (B, head, row, D / head)."""
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2)
