"""HeLo, *our reading* of Zheng et al., arXiv 2507.06821, 2025.

From its abstract: cross-attention merges the physiological signals; a module based on optimal transport mines how
physiological and behavioural representations interact and differ; learnable label embeddings are aligned with the
correlation of labels, and drive a cross-attention over the modalities. The equations are our reading; none of the
authors' code is used.
"""

import torch
import torch.nn.functional as F
from torch import nn

from mpcl.evaluation.baselines.neural import Tokens, kl


class HeLo(nn.Module):
    """Cross-attention in the body, transport between body and behaviour, labels that ask (*our reading*).

    1. Physiological tokens query one another: p' = p + attention(p; p without itself).
    2. The plan T moves physiological to behavioural tokens at the cost 1 - cos; either side receives what the plan
       assigns to it from the other. Loss: ``w_transport`` times the sum of T times the cost.
    3. Label embeddings L, with cos(L, L) held to the correlation R of log-labels: ``w_labels`` times their mean
       squared difference. Queries softmax(R / 0.5) L attend to all tokens; each emotion reads its logit from its own.

    Where a branch is missing there is nothing to transport, and with one physiological modality nobody to ask.

    Args:
        about: :class:`mpcl.evaluation.baselines.neural.About`.
        width: of a token, a multiple of 4, the number of heads.
        dropout: share of attention, and of what labels read, dropped.
        epsilon: entropy of the transport, in units of the cost.
        w_transport, w_labels: weights in the loss.
    """

    def __init__(self, about, width=48, dropout=0.3, epsilon=0.1, w_transport=0.1, w_labels=0.1):
        super().__init__()
        body = [place for place, branch in enumerate(about.branches) if branch == "physiological"]
        rest = [place for place, branch in enumerate(about.branches) if branch != "physiological"]
        self.body, self.rest, self.epsilon = body, rest, epsilon
        self.w_transport, self.w_labels = w_transport, w_labels
        self.tokens, self.dropout = Tokens(about.sizes, width), nn.Dropout(dropout)
        self.across = nn.MultiheadAttention(width, 4, dropout, batch_first=True)
        self.to_body, self.to_rest = nn.Linear(width, width), nn.Linear(width, width)
        self.labels = nn.Parameter(torch.randn(len(about.prior), width) / width**0.5)
        self.ask = nn.MultiheadAttention(width, 4, dropout, batch_first=True)
        self.out_weight = nn.Parameter(torch.randn(len(about.prior), width) / width**0.5 / 10)
        self.bias = nn.Parameter(about.prior.log())
        self.register_buffer("correlation", about.correlation.clone())

    def fuse(self, features, present):
        """Tokens (window, modality, width) after both exchanges, and the transport cost of each window."""
        tokens = self.tokens(features, present)
        body, rest = tokens[:, self.body], tokens[:, self.rest]
        if len(self.body) > 1:
            own = torch.eye(len(self.body), dtype=torch.bool)
            body = body + self.across(body, body, body, attn_mask=own, need_weights=False)[0]
        if not self.body or not self.rest:
            return torch.cat([body, rest], 1), tokens.new_zeros(len(tokens))
        cost = 1 - F.normalize(body, dim=-1) @ F.normalize(rest, dim=-1).mT  # (window, body, rest)
        there = present[:, self.body], present[:, self.rest]
        plan = transport(cost.detach(), *there, self.epsilon)
        sent = plan / plan.sum(2, keepdim=True).clamp_min(1e-12)  # from each behavioural to a physiological token
        received = plan / plan.sum(1, keepdim=True).clamp_min(1e-12)
        fused = torch.cat([body + self.to_body(sent @ rest), rest + self.to_rest(received.mT @ body)], 1)
        return fused, (plan * cost).sum((1, 2))

    def answer(self, tokens):
        """Logits (window, emotion): each label asks the tokens, in the voice of those it goes with."""
        queries = (self.correlation / 0.5).softmax(1) @ self.labels  # (emotion, width)
        found = self.ask(queries.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)[0]
        return self.bias + (self.dropout(found) * self.out_weight).sum(-1)

    def forward(self, features, present):
        """Logits (window, emotion)."""
        return self.answer(self.fuse(features, present)[0])

    def loss(self, features, present, target):
        """KL divergence, the cost of the transport, and how far label embeddings are from the correlation."""
        tokens, cost = self.fuse(features, present)
        likeness = F.normalize(self.labels, dim=1)
        apart = (likeness @ likeness.mT - self.correlation).square().mean()
        return kl(self.answer(tokens), target) + self.w_transport * cost.mean() + self.w_labels * apart


def transport(cost, left, right, epsilon=0.1, rounds=10):
    """The entropic transport plan between equal masses on what is there (Sinkhorn; Cuturi, 2013), in logarithms.

    Its gradient is not taken: where the plan is optimal, the cost's gradient goes through the cost alone.

    Args:
        cost: (window, left, right).
        left, right: bool (window, left) and (window, right), what is there.
        epsilon: weight of the entropy.
        rounds: of the iteration.

    Returns:
        tensor (window, left, right) whose sums are the masses; 0 in a window where a side is empty.

    Example:
        >>> there = torch.ones(1, 2, dtype=torch.bool)
        >>> transport(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), there, there, 0.01).round(decimals=2).tolist()
        [[[0.5, 0.0], [0.0, 0.5]]]
    """
    with torch.no_grad():
        masses = [side.to(cost) / side.sum(1, keepdim=True).clamp_min(1) for side in (left, right)]
        rows, columns = (mass.clamp_min(1e-30).log() for mass in masses)
        kernel, other = -cost / epsilon, torch.zeros_like(columns)
        for _ in range(rounds):
            own = rows - (kernel + other[:, None]).logsumexp(2)
            other = columns - (kernel + own[:, :, None]).logsumexp(1)
        plan = (kernel + own[:, :, None] + other[:, None]).exp()
        return plan * (left.any(1) & right.any(1))[:, None, None] * left[:, :, None] * right[:, None]
