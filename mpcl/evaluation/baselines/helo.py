"""HeLo, *our reading* of Zheng et al., arXiv 2507.06821, 2025.

From its abstract: cross-attention merges the physiological signals; a module based on
optimal transport mines how physiological and behavioural representations interact and
differ; learnable label embeddings are aligned with the correlation of labels, and drive
a cross-attention over the modalities. The equations are our reading; none of the
authors' code is used.
"""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mpcl.evaluation.baselines.layers import (
    Attention,
    Tokens,
    drop,
    kl,
    linear,
    scaled_masks,
)
from mpcl.evaluation.baselines.peers import PeerConfig
from mpcl.model.labels import LabelStatistics


class Transported(NamedTuple):
    """What HeLo says of B trials."""

    logits: Tensor  # (B, C)
    cost: Tensor  # (B,), of the transport between the branches
    misalignment: Tensor  # (), label embeddings against the correlation of labels


class HeLo(nn.Module):
    """Attention in the body, transport between body and behaviour, labels that ask.

    1. Physiological tokens query one another: p' = p + attention(p; p without itself).
    2. The plan T moves physiological to behavioural tokens at the cost 1 - cos; either
       side receives what the plan assigns to it from the other. Loss: the sum of T
       times the cost.
    3. Label embeddings L, with cos(L, L) held to the correlation R of log-labels. Their
       queries softmax(R / 0.5) L attend to all tokens; each emotion reads its logit
       from what its own query read.

    Where a branch is missing there is nothing to transport, and with one physiological
    modality nobody to ask. ``width`` is a multiple of 4, the number of heads;
    ``epsilon`` the entropy of the transport, in units of the cost.
    """

    WEIGHTS: ClassVar = {"transport": 0.1, "labels": 0.1}

    def __init__(
        self,
        config: PeerConfig,
        labels: LabelStatistics,
        generator: torch.Generator,
        width: int = 48,
        epsilon: float = 0.1,
    ) -> None:
        super().__init__()
        self.config, self.epsilon = config, epsilon
        branches = [branch for _, branch, _ in config.modalities]
        body = [branch == "physiological" for branch in branches]
        self.body = [place for place, is_body in enumerate(body) if is_body]
        self.rest = [place for place, is_body in enumerate(body) if not is_body]
        sizes = config.sizes
        self.register_buffer("correlation", labels.correlation.clone())
        self.tokens = Tokens(sizes, width, generator)
        self.across = Attention(width, 4, generator)
        self.to_body = linear(width, width, generator)
        self.to_rest = linear(width, width, generator)
        emotions = len(config.emotions)
        embeddings = torch.randn(emotions, width, generator=generator) / width**0.5
        self.labels = nn.Parameter(embeddings)
        self.ask = Attention(width, 4, generator)
        out = torch.randn(emotions, width, generator=generator) / width**0.5 / 10
        self.out_weight = nn.Parameter(out)
        self.bias = nn.Parameter(labels.log_prior())
        bodies = len(self.body)
        self.mask_shapes: list[tuple[int, ...]] = [
            self.across.mask_shape(bodies, bodies),
            self.ask.mask_shape(emotions, len(sizes)),
            (emotions, width),
        ]

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, features: Tensor, present: Tensor, keep: Tensor | None = None
    ) -> Transported:
        rate = self.config.dropout
        masks = scaled_masks(keep, self.mask_shapes, rate, features)
        of_body, of_labels, of_read = masks
        tokens, present = self.tokens(features, present)
        tokens, cost = self._fuse(tokens, present, of_body)
        queries = (self.correlation / 0.5).softmax(1) @ self.labels  # (emotion, width)
        queries = queries.expand(len(tokens), *queries.shape)
        read = drop(self.ask(queries, tokens, of_labels), of_read)
        logits = self.bias + (read * self.out_weight).sum(-1)
        embeddings = F.normalize(self.labels, dim=1)
        misalignment = embeddings @ embeddings.mT - self.correlation
        return Transported(logits, cost, misalignment.square().mean())

    def _fuse(
        self, tokens: Tensor, present: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (batch, modality, width) after both exchanges; the cost (batch,)."""
        body, rest = tokens[:, self.body], tokens[:, self.rest]
        if len(self.body) > 1:
            itself = torch.eye(len(self.body), dtype=torch.bool, device=tokens.device)
            body = body + self.across(body, body, mask, itself)
        if not (self.body and self.rest):
            return torch.cat([body, rest], 1), tokens.new_zeros(len(tokens))
        cost = 1 - F.normalize(body, dim=-1) @ F.normalize(rest, dim=-1).mT
        sides = present[:, self.body], present[:, self.rest]
        plan = transport(cost.detach(), *sides, self.epsilon)  # (batch, body, rest)
        to_body = plan / plan.sum(2, keepdim=True).clamp_min(1e-12)
        to_rest = plan / plan.sum(1, keepdim=True).clamp_min(1e-12)
        body_after = body + self.to_body(to_body @ rest)
        rest_after = rest + self.to_rest(to_rest.mT @ body)
        return torch.cat([body_after, rest_after], 1), (plan * cost).sum((1, 2))

    def losses(self, output: Transported, target: Tensor) -> dict[str, Tensor]:
        """KL, the cost of the transport, and the misalignment of the embeddings."""
        return {
            "kl": kl(output.logits, target).mean(),
            "transport": output.cost.mean(),
            "labels": output.misalignment,
        }


def transport(
    cost: Tensor, left: Tensor, right: Tensor, epsilon: float = 0.1, rounds: int = 10
) -> Tensor:
    """The entropic transport plan between equal masses on what is present.

    Sinkhorn's (Cuturi, 2013), in logarithms.
    Its gradient is not taken: where the plan is optimal, the cost's gradient goes
    through the cost alone.

    Args:
        cost: (window, left, right).
        left, right: bool (window, left) and (window, right), what is present.
        epsilon: weight of the entropy.
        rounds: of the iteration.

    Returns:
        (window, left, right), whose sums are the masses; 0 in a window where a side is
        empty.

    Example:
        >>> present = torch.ones(1, 2, dtype=torch.bool)
        >>> cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> transport(cost, present, present, 0.01).round(decimals=2).tolist()
        [[[0.5, 0.0], [0.0, 0.5]]]
    """
    with torch.no_grad():
        masses = [
            side.to(cost) / side.sum(1, keepdim=True).clamp_min(1)
            for side in (left, right)
        ]
        # windows stand last: a sum over few tokens is fast then
        rows, columns = (mass.clamp_min(1e-30).log().mT.contiguous() for mass in masses)
        kernel = (-cost / epsilon).permute(1, 2, 0).contiguous()
        other = torch.zeros_like(columns)
        potential = torch.zeros_like(rows)
        for _ in range(rounds):
            potential = rows - (kernel + other).logsumexp(1)
            other = columns - (kernel + potential[:, None]).logsumexp(0)
        plan = (kernel + potential[:, None] + other).exp().permute(2, 0, 1)
        is_both = left.any(1) & right.any(1)
        return plan * is_both[:, None, None] * left[:, :, None] * right[:, None]
