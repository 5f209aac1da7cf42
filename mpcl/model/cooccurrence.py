"""Co-occurrence retrieval: each emotion recalls those that it was felt with.

All of it is our reading.
"""

import torch
from torch import Tensor, nn

from mpcl.model import memory


def log_correlation(distribution: Tensor, weight: Tensor | None = None) -> Tensor:
    """Correlations of log((d + 1e-3) / sum) (C, C); a constant label correlates 0.

    Args:
        distribution: label distributions of the **training** part (rows, C).
        weight: of each row (rows,), such as one over the windows of its trial.
    """
    if weight is None:
        weight = torch.ones(len(distribution))
    weight = weight.to(distribution)
    weight = weight / weight.sum()
    log = (distribution + 1e-3).log() - (distribution + 1e-3).sum(1, keepdim=True).log()
    log = log - weight @ log
    covariance = log.mT @ (weight[:, None] * log)  # (emotion, emotion)
    deviation = covariance.diagonal().sqrt()
    deviation = torch.where(deviation > 1e-6, deviation, torch.inf)
    return covariance / deviation / deviation[:, None]


def cooccurrence_matrix(
    distribution: Tensor, weight: Tensor | None = None, temperature: float = 0.25
) -> Tensor:
    """Which emotions are felt with which (C, C), our reading.

    Row-softmax of :func:`log_correlation`. Rows sum to one, the diagonal is zero.

    Args:
        distribution, weight: as there.
        temperature: of the softmax.

    Example:
        >>> labels = torch.tensor([[0.4, 0.4, 0.2], [0.3, 0.3, 0.4]])
        >>> cooccurrence_matrix(labels, temperature=0.5)[0]
        tensor([0.0000, 0.9820, 0.0180])
    """
    return cooccurrence_of(log_correlation(distribution, weight), temperature)


def cooccurrence_of(correlation: Tensor, temperature: float = 0.25) -> Tensor:
    """Row-softmax of a correlation (C, C), whose diagonal is left out."""
    itself = torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
    return (correlation / temperature).masked_fill(itself, -torch.inf).softmax(1)


class CooccurrenceRetrieval(nn.Module):
    """Each emotion recalls the others, and takes a little of their evidence.

    Our reading. The token of each emotion asks the memory of all others' tokens, those
    it was felt with coming to mind more easily: A = softmax(beta cos(T, T') + log O),
    its diagonal zero, and e' = e + g (A e - e). Of g = s kappa / (n + kappa) the gate s
    is learned from .05 on, and the rest falls with the number n of training trials:
    what was learned from few leans on the others.

    Args:
        cooccurrence: O (C, C) of :func:`cooccurrence_matrix`, of training labels.
        trials, strength: n and kappa.
        gated: without, s = 1.
    """

    prior: Tensor  # log O (C, C), -inf on the diagonal
    share: Tensor  # kappa / (n + kappa)

    def __init__(
        self, cooccurrence: Tensor, trials: int, strength: float, gated: bool = True
    ) -> None:
        super().__init__()
        self.register_buffer("prior", cooccurrence.float().log())
        self.register_buffer("share", torch.tensor(strength / (trials + strength)))
        self.log_beta = nn.Parameter(torch.zeros(1))
        self.gate = nn.Parameter(torch.full((1,), 0.05).logit()) if gated else None

    def amount(self) -> Tensor:
        """g, how much of the evidence is that of others."""
        return self.share if self.gate is None else self.share * self.gate.sigmoid()

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, evidence: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The evidence (B, C) after recall, and the weights A (B, C, C).

        Args:
            evidence, tokens: e (B, C) and T (B, C, D), after a layer norm. Adding a
                number to the evidence of all emotions adds the same number to the
                result.
        """
        beta = self.log_beta.exp()[0] / tokens.shape[-1]  # |T|^2 = D: of a cosine
        weights = memory.weights(tokens, tokens, beta, prior=self.prior)
        recalled = (weights @ evidence[..., None])[..., 0]  # (batch, emotion)
        return evidence + self.amount() * (recalled - evidence), weights
