"""The associative memory: weights, retrieval and energy, asked by every component.

A modern Hopfield network (Ramsauer et al. 2021, *Hopfield Networks is All You Need*)
stores patterns X = (x_1 .. x_N) and retrieves from a query xi by an attention step. A
small inverse temperature beta returns the mean of many patterns, a large one the
nearest. Nothing is scaled in secret: where attention divides by sqrt(D), say so in
beta. Fusion, banks, co-occurrence and compression ask these functions and no others.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 256  # patterns; from a memory of more a fused kernel retrieves


def log_weights(
    query: Tensor,
    memory: Tensor,
    beta: float | Tensor,
    mask: Tensor | None = None,
    prior: Tensor | None = None,
) -> Tensor:
    """How much of each pattern a query retrieves, the logarithm (..., Q, N).

    log softmax(beta xi X^T + prior) (Ramsauer et al. 2021, eq. 3; the prior is our
    reading: patterns that come to mind more easily than others).

    Args:
        query: states xi (..., Q, D); leading dimensions that ``memory`` lacks are more
            queries of it.
        memory: stored patterns X (..., N, D).
        beta: inverse temperature >= 0; or several (S,), for a result (S, ..., Q, N).
        mask: bool (..., N), True where a pattern may be retrieved.
        prior: logarithms (..., Q, N), -inf where a query may not retrieve a pattern.
    """
    scores = _scores(query, memory, beta, mask)
    return (scores if prior is None else scores + prior).log_softmax(-1)


def weights(
    query: Tensor,
    memory: Tensor,
    beta: float | Tensor,
    mask: Tensor | None = None,
    prior: Tensor | None = None,
) -> Tensor:
    """How much of each pattern a query retrieves (..., Q, N); rows sum to one.

    Arguments are those of :func:`log_weights`. With nothing to retrieve: zeros.

    Example:
        >>> weights(torch.tensor([[2.0, 0.0]]), torch.eye(2), beta=0.5)
        tensor([[0.7311, 0.2689]])
    """
    shares = log_weights(query, memory, beta, mask, prior).exp()
    return shares if mask is None else shares * mask[..., None, :]


def retrieve(
    query: Tensor,
    memory: Tensor,
    beta: float | Tensor,
    values: Tensor | None = None,
    mask: Tensor | None = None,
    steps: int = 1,
) -> Tensor:
    """What the memory associates with each query, softmax(beta xi X^T) V (..., Q, E).

    Ramsauer et al. 2021, eq. 3: :func:`weights` times what the patterns return. Where
    one memory (N, D) has more than ``LARGE`` patterns, a fused call serves all queries
    and scales and never holds the (Q, N) matrix; :func:`torch.func.vmap` has no rule
    for it.

    Args:
        query, memory, beta, mask: as in :func:`log_weights`. What stands in patterns
            that may not be retrieved, NaN included, has no effect.
        values: what each pattern returns (..., N, E), the patterns by default.
        steps: number of updates; all but the last return patterns.

    Example:
        >>> beta = torch.tensor([0.0, 100.0])
        >>> retrieve(torch.tensor([[2.0, 0.0]]), torch.eye(2), beta).tolist()
        [[[0.5, 0.5]], [[1.0, 0.0]]]
    """
    query, beta = _aligned(query, memory, beta)
    values = memory if values is None else values
    if mask is not None:
        memory = torch.where(mask[..., None], memory, 0.0)
        values = torch.where(mask[..., None], values, 0.0)
    ask = _fused if memory.dim() == 2 and len(memory) > LARGE else _plain
    for _ in range(steps - 1):
        query = ask(query, memory, beta, memory, mask)
    return ask(query, memory, beta, values, mask) if steps else query


def energy(
    query: Tensor, memory: Tensor, beta: float | Tensor, mask: Tensor | None = None
) -> Tensor:
    """The energy of each query (..., Q), which no retrieval of patterns can raise.

    E = -lse(beta, X xi) + xi xi / 2 + log(N) / beta + max |x|^2 / 2 (Ramsauer et al.
    2021, eq. 2); never negative.

    Args:
        query, memory, beta, mask: as in :func:`log_weights`, with beta > 0 and at least
            one pattern that may be retrieved.

    Example:
        >>> energy(torch.tensor([[1.0, 0.0]]), torch.eye(2), beta=100.0)
        tensor([0.0069])
    """
    nearness = _scores(query, memory, beta, mask).logsumexp(-1)  # (scale, ..., query)
    query, beta = _aligned(query, memory, beta)
    mask = torch.ones_like(memory[..., 0], dtype=torch.bool) if mask is None else mask
    memory = torch.where(mask[..., None], memory, 0.0)
    count = mask.sum(-1, keepdim=True).to(query.dtype)
    longest = memory.square().sum(-1).amax(-1, keepdim=True)
    size = query.square().sum(-1) + longest
    return (count.log() - nearness) / beta[..., 0] + size / 2


def _scores(
    query: Tensor, memory: Tensor, beta: float | Tensor, mask: Tensor | None
) -> Tensor:
    """beta xi X^T (scale, ..., query, pattern), lowest where masked."""
    query, beta = _aligned(query, memory, beta)
    if mask is None:
        return beta * (query @ memory.mT)
    scores = beta * (query @ torch.where(mask[..., None], memory, 0.0).mT)
    return scores.masked_fill(~mask[..., None, :], torch.finfo(scores.dtype).min)


def _aligned(
    query: Tensor, memory: Tensor, beta: float | Tensor
) -> tuple[Tensor, Tensor]:
    """The query with all leading dimensions of the memory, and beta to multiply it."""
    leading = torch.broadcast_shapes(query.shape[:-2], memory.shape[:-2])
    query = query.expand(*leading, *query.shape[-2:])
    if not isinstance(beta, Tensor):  # filled where it is used: a graph can replay it
        beta = query.new_full((), beta)
    if beta.dim() < 2:  # not aligned yet
        beta = beta.to(query).view(beta.shape + (1,) * query.dim())
    return query, beta


def _plain(
    query: Tensor, memory: Tensor, beta: Tensor, values: Tensor, mask: Tensor | None
) -> Tensor:
    return weights(query, memory, beta, mask) @ values


def _fused(
    query: Tensor, memory: Tensor, beta: Tensor, values: Tensor, mask: Tensor | None
) -> Tensor:
    """The same for one memory (N, D), in one call of a fused kernel."""
    rows = beta * query
    mask = None if mask is None else mask.view(1, 1, 1, -1)
    recalled = F.scaled_dot_product_attention(
        rows.reshape(1, 1, -1, rows.shape[-1]),
        memory[None, None],
        values[None, None],
        attn_mask=mask,
        scale=1.0,
    )
    return recalled.view(*rows.shape[:-1], -1)
