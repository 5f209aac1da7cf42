"""A memory of a person: what the network missed in the few trials they answered.

Beyond the paper, *our reading* of what a memory is good for. The network stays as it
is: no gradient, no weight moves. A key is the summary of a trial, a value what its
prediction missed, in log shares; a new trial recalls the values of what it resembles,
from the associative memory that all components ask. Another person has another memory.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from mpcl.model import memory

LEAST = 1e-3  # of a share, before its logarithm


class Unanswered(Protocol):
    """Trials as a network reads them."""

    @property
    def features(self) -> Tensor:
        """(trial, moment, feature)."""

    @property
    def present(self) -> Tensor:
        """bool (trial, moment, modality)."""


class Answered(Unanswered, Protocol):
    """Trials with their labels."""

    @property
    def target(self) -> Tensor:
        """(trial, emotion), sums to one."""


class Memory(NamedTuple):
    """Of one person; empty where ``keys`` has no row."""

    keys: Tensor  # (trial, D), of length one
    missed: Tensor  # (trial, C), in log shares, sums to zero


def remember(model: Callable[[Tensor, Tensor], Any], trials: Answered) -> Memory:
    """A memory of a person's answered trials.

    Args:
        model: :class:`mpcl.model.network.MPCL`, which is not changed.
        trials: standardised as the model reads them.
    """
    with torch.no_grad():
        predicted = model(trials.features, trials.present).distribution
    return Memory(keys_of(model, trials), missed(predicted, trials.target))


def keys_of(model: Callable[[Tensor, Tensor], Any], trials: Unanswered) -> Tensor:
    """By what trials are recalled (trial, D): their summaries in a row, length one."""
    with torch.no_grad():
        summaries = model(trials.features, trials.present).summaries
    return F.normalize(summaries.flatten(1), dim=-1)


def missed(predicted: Tensor, label: Tensor) -> Tensor:
    """What predictions (trial, C) lack in log shares, centred.

    Example:
        >>> missed(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5]]))
        tensor([[0., 0.]])
    """
    lack = label.clamp_min(LEAST).log() - predicted.clamp_min(LEAST).log()
    return lack - lack.mean(-1, keepdim=True)


def recall(
    person: Memory, queries: Tensor, beta: float | Tensor, strength: float
) -> Tensor:
    """What to add to the logits of other trials of this person (..., trial, C).

    The weighted mean of what was missed, n / (n + strength) of it for n trials; beta 0
    is their plain mean. An empty memory adds nothing.

    Args:
        queries: keys (trial, D).
        beta: inverse temperature, or several, as in :func:`mpcl.model.memory.retrieve`.
        strength: as many trials count for the belief that nothing is missed.

    Example:
        >>> person = Memory(torch.eye(2), torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        >>> recall(person, torch.eye(2), beta=0.0, strength=2.0)
        tensor([[ 0.2500, -0.2500],
                [ 0.2500, -0.2500]])
    """
    count = len(person.keys)
    if count == 0:
        return queries.new_zeros(len(queries), person.missed.shape[-1])
    recalled = memory.retrieve(queries, person.keys, beta, person.missed)
    return recalled * (count / (count + strength))


def corrected(predicted: Tensor, correction: Tensor) -> Tensor:
    """Distributions (..., C) after a correction in log shares."""
    return (predicted.clamp_min(LEAST).log() + correction).softmax(-1)
