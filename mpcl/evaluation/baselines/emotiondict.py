"""EmotionDict, *our reading* of Liu et al., IEEE Transactions on Affective Computing 15(3), 2024.

From its abstract: a mixed emotion is a weighted sum of elements of an emotion dictionary in a latent space that the
modalities share, and auxiliary tasks teach the attention over modalities. That the elements are orthogonal, how the
weights are found and which auxiliary tasks there are is our reading; none of the authors' code is used.
"""

import torch
import torch.nn.functional as F
from torch import nn

from mpcl.evaluation.baselines.neural import Tokens, head, kl


class EmotionDict(nn.Module):
    """Modalities as weights of orthonormal emotion elements, merged by attention (*our reading*).

    With h_m the latent of modality m and E the dictionary, E E^T = 1: weights w_m = E h_m, attention a over the
    modalities that are there, latent r = E^T sum_m a_m w_m, logits = V r + b. The loss is KL(d || p) plus

    * ``w_modality`` times the mean KL(d || p_m) of predictions from each modality alone (an auxiliary task),
    * ``w_attention`` times KL(softmax(-KL_m / 0.1) || a): attention follows who predicts well (an auxiliary task),
    * ``w_dictionary`` times the share of h_m that the dictionary leaves unexplained.

    Args:
        about: :class:`mpcl.evaluation.baselines.neural.About`.
        width: of the latent space.
        elements: of the dictionary, no more than ``width``.
        dropout: share of latent numbers dropped.
        w_modality, w_attention, w_dictionary: weights in the loss.
    """

    def __init__(self, about, width=48, elements=24, dropout=0.3, w_modality=0.3, w_attention=0.1, w_dictionary=0.1):
        super().__init__()
        self.tokens, self.dropout = Tokens(about.sizes, width), nn.Dropout(dropout)
        self.latent = nn.Linear(width, width)
        self.free = nn.Parameter(torch.randn(width, min(elements, width)))
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        self.head = head(width, about.prior)
        self.w_modality, self.w_attention, self.w_dictionary = w_modality, w_attention, w_dictionary

    def dictionary(self):
        """The elements (element, width): orthonormal, from a QR decomposition of free numbers."""
        return torch.linalg.qr(self.free).Q.mT

    def explain(self, features, present):
        """Latents (window, modality, width), their element weights, and the attention (window, modality)."""
        tokens = self.tokens(features, present)
        latents = tokens + self.latent(self.dropout(F.gelu(tokens)))
        weights = latents @ self.dictionary().mT  # (window, modality, element)
        scores = self.score(tokens).squeeze(-1).masked_fill(~present, -1e4)
        return latents, weights, scores.softmax(1)

    def forward(self, features, present):
        """Logits (window, emotion)."""
        _, weights, attention = self.explain(features, present)
        return self.head((attention[:, None] @ weights).squeeze(1) @ self.dictionary())

    def loss(self, features, present, target):
        """KL divergence with both auxiliary tasks and the dictionary's own term."""
        latents, weights, attention = self.explain(features, present)
        elements = self.dictionary()
        explained = weights @ elements  # (window, modality, width)
        merged = (attention[:, None] @ weights).squeeze(1) @ elements
        alone = F.log_softmax(self.head(explained), -1)  # (window, modality, emotion)
        truth = target[:, None]
        each = (torch.xlogy(truth, truth) - truth * alone).sum(-1)  # (window, modality)
        there = present / present.sum().clamp_min(1)
        wanted = (-each.detach() / 0.1).masked_fill(~present, -1e4).softmax(1)
        follow = (torch.xlogy(wanted, wanted) - wanted * attention.clamp_min(1e-12).log()).sum(1).mean()
        left = (latents - explained).square().sum(-1) / latents.square().sum(-1).clamp_min(1e-6)
        extra = self.w_modality * each + self.w_dictionary * left
        return kl(self.head(self.dropout(merged)), target) + (extra * there).sum() + self.w_attention * follow
