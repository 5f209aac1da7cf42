"""EmotionDict, *our reading* of Liu et al., IEEE Trans. Affect. Comput. 15(3), 2024.

From its abstract: a mixed emotion is a weighted sum of elements of an emotion
dictionary in a latent space that the modalities share, and auxiliary tasks teach the
attention over modalities. That the elements are orthogonal, how the weights are
computed and which auxiliary tasks there are is our reading; none of the authors' code
is used.
"""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mpcl.evaluation.baselines.layers import (
    Tokens,
    drop,
    head,
    kl,
    linear,
    scaled_masks,
)
from mpcl.evaluation.baselines.peers import PeerConfig
from mpcl.model.labels import LabelStatistics


class Explained(NamedTuple):
    """What the dictionary says of B trials of M modalities."""

    logits: Tensor  # (B, C)
    alone: Tensor  # (B, M, C), logits of each modality by itself
    attention: Tensor  # (B, M)
    unexplained: Tensor  # (B, M), share of a latent that the dictionary leaves
    present: Tensor  # bool (B, M)


class EmotionDict(nn.Module):
    """Modalities as weights of orthonormal emotion elements, merged by attention.

    With h_m the latent of modality m and E the dictionary, E E^T = 1: weights
    w_m = E h_m, attention a over the present modalities, latent r = E^T sum_m a_m w_m,
    logits = V r + b (*our reading*).

    Args:
        width: of the latent space.
        elements: of the dictionary, no more than ``width``.
    """

    WEIGHTS: ClassVar = {"modality": 0.3, "attention": 0.1, "dictionary": 0.1}

    def __init__(
        self,
        config: PeerConfig,
        labels: LabelStatistics,
        generator: torch.Generator,
        width: int = 48,
        elements: int = 24,
    ) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes
        self.tokens = Tokens(sizes, width, generator)
        self.latent = linear(width, width, generator)
        free = torch.randn(width, min(elements, width), generator=generator)
        self.free = nn.Parameter(free)
        self.score = linear(width, width, generator)
        self.attend = linear(width, 1, generator)
        self.head = head(width, labels.log_prior(), generator)
        self.mask_shapes: list[tuple[int, ...]] = [(len(sizes), width), (width,)]

    def dictionary(self) -> Tensor:
        """The elements (element, width): orthonormal, by a QR decomposition."""
        return torch.linalg.qr(self.free).Q.mT

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, features: Tensor, present: Tensor, keep: Tensor | None = None
    ) -> Explained:
        rate = self.config.dropout
        of_tokens, of_merged = scaled_masks(keep, self.mask_shapes, rate, features)
        tokens, present = self.tokens(features, present)  # (batch, modality, width)
        latents = tokens + self.latent(drop(F.gelu(tokens), of_tokens))
        elements = self.dictionary()
        explained = latents @ elements.mT @ elements  # (batch, modality, width)
        scores = self.attend(torch.tanh(self.score(tokens))).squeeze(-1)
        attention = scores.masked_fill(~present, -1e4).softmax(1)
        merged = (attention[..., None] * explained).sum(1)
        left = (latents - explained).square().sum(-1)
        unexplained = left / latents.square().sum(-1).clamp_min(1e-6)
        logits = self.head(drop(merged, of_merged))
        return Explained(logits, self.head(explained), attention, unexplained, present)

    def losses(self, output: Explained, target: Tensor) -> dict[str, Tensor]:
        """The terms of the loss.

        ``kl``; ``modality``, the mean KL of predictions from one modality alone, and
        ``attention``, KL(softmax(-KL_m / 0.1) || a), which has the attention follow who
        predicts well (both auxiliary tasks); ``dictionary``, the share of the latents
        that the dictionary leaves unexplained.
        """
        each = kl(output.alone, target[:, None])  # (batch, modality)
        share = output.present / output.present.sum().clamp_min(1)
        wanted = (-each.detach() / 0.1).masked_fill(~output.present, -1e4).softmax(1)
        log = output.attention.clamp_min(1e-12).log()
        follow = (torch.xlogy(wanted, wanted) - wanted * log).sum(1)
        return {
            "kl": kl(output.logits, target).mean(),
            "modality": (each * share).sum(),
            "attention": follow.mean(),
            "dictionary": (output.unexplained * share).sum(),
        }
