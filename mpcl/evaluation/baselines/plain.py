"""Two plain networks: what MPCL's components must be worth more than."""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mpcl.evaluation.baselines.layers import (
    Attention,
    Tokens,
    TrialMean,
    drop,
    head,
    kl,
    linear,
    scaled_masks,
)
from mpcl.evaluation.baselines.peers import PeerConfig
from mpcl.model.labels import LabelStatistics

HEADS = 4  # of attention


class Plain(NamedTuple):
    """What a plain network says."""

    logits: Tensor  # (batch, emotion)


class Perceptron(nn.Module):
    """Two hidden layers on all features, and on what is present, side by side."""

    WEIGHTS: ClassVar[dict[str, float]] = {}

    def __init__(
        self,
        config: PeerConfig,
        labels: LabelStatistics,
        generator: torch.Generator,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes
        self.mean = TrialMean(sizes)
        self.first = linear(sum(sizes) + len(sizes), width, generator)
        self.second = linear(width, width, generator)
        self.head = head(width, labels.log_prior(), generator)
        self.mask_shapes: list[tuple[int, ...]] = [(width,), (width,)]

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, features: Tensor, present: Tensor, keep: Tensor | None = None
    ) -> Plain:
        masks = scaled_masks(keep, self.mask_shapes, self.config.dropout, features)
        features, present = self.mean(features, present)
        hidden = torch.cat([features, present.to(features)], 1)
        for layer, mask in zip((self.first, self.second), masks, strict=True):
            hidden = drop(F.gelu(layer(hidden)), mask)
        return Plain(self.head(hidden))

    def losses(self, output: Plain, target: Tensor) -> dict[str, Tensor]:
        """The KL divergence."""
        return {"kl": kl(output.logits, target).mean()}


class EncoderLayer(nn.Module):
    """Attention, then a small perceptron, each added to what it reads (pre-norm)."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, HEADS, generator)
        self.before_hidden = nn.LayerNorm(width)
        self.up = linear(width, 2 * width, generator)
        self.down = linear(2 * width, width, generator)

    @staticmethod
    def mask_shapes(width: int, tokens: int) -> list[tuple[int, ...]]:
        """Of the weights of attention, of what they read, hidden, and added."""
        weights = HEADS, tokens, tokens
        return [weights, (tokens, width), (tokens, 2 * width), (tokens, width)]

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, tokens: Tensor, masks: list[Tensor | None]) -> Tensor:
        of_weights, of_read, of_hidden, of_added = masks
        normed = self.before_attention(tokens)
        read = self.attention(normed, normed, of_weights)
        tokens = tokens + drop(read, of_read)
        hidden = drop(F.gelu(self.up(self.before_hidden(tokens))), of_hidden)
        return tokens + drop(self.down(hidden), of_added)


class Transformer(nn.Module):
    """A plain transformer encoder over one token a modality.

    ``width`` is a multiple of 4, the number of heads.
    """

    WEIGHTS: ClassVar[dict[str, float]] = {}

    def __init__(
        self,
        config: PeerConfig,
        labels: LabelStatistics,
        generator: torch.Generator,
        width: int = 48,
        layers: int = 1,
    ) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes
        self.tokens = Tokens(sizes, width, generator)
        self.layers = nn.ModuleList(
            EncoderLayer(width, generator) for _ in range(layers)
        )
        self.head = head(len(sizes) * width, labels.log_prior(), generator)
        of_layer = EncoderLayer.mask_shapes(width, len(sizes))
        self.mask_shapes = [*of_layer * layers, (len(sizes) * width,)]

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, features: Tensor, present: Tensor, keep: Tensor | None = None
    ) -> Plain:
        masks = scaled_masks(keep, self.mask_shapes, self.config.dropout, features)
        tokens, _ = self.tokens(features, present)
        for number, layer in enumerate(self.layers):
            tokens = layer(tokens, masks[4 * number : 4 * number + 4])
        return Plain(self.head(drop(tokens.flatten(1), masks[-1])))

    def losses(self, output: Plain, target: Tensor) -> dict[str, Tensor]:
        """The KL divergence."""
        return {"kl": kl(output.logits, target).mean()}
