"""Associative memory: the energy of a state and the retrieval that lowers it.

A modern Hopfield network (Ramsauer et al. 2021, *Hopfield Networks is All You Need*) stores patterns X = (x_1 .. x_N)
and retrieves from a query xi by an attention step. A small inverse temperature beta returns the mean of many patterns,
a large one the nearest. Nothing is scaled in secret: where attention divides by sqrt(D), say so in beta.
"""

import torch
import torch.nn.functional as F


def energy(query, memory, beta, mask=None):
    """The energy of each query (..., Q), which no retrieval step that returns patterns can raise; never negative.

    E = -lse(beta, X xi) + xi xi / 2 + log(N) / beta + max |x|^2 / 2 (Ramsauer et al. 2021, eq. 2).

    Args:
        query: states xi (..., Q, D).
        memory: stored patterns X (..., N, D).
        beta: inverse temperature > 0, a number; or several (S,), for a result (S, ..., Q).
        mask: bool (..., N), True where a pattern may be retrieved (at least one); all by default.
    Example:
        >>> energy(torch.tensor([[1.0, 0.0]]), torch.eye(2), beta=100.0)
        tensor([0.0069])
    """
    query, beta = _aligned(query, memory, beta)
    mask = torch.ones_like(memory[..., 0], dtype=torch.bool) if mask is None else mask
    memory = torch.where(mask[..., None], memory, 0.0)
    overlap = (query @ memory.mT).masked_fill(~mask[..., None, :], -torch.inf)  # (..., query, pattern)
    nearness, beta = torch.logsumexp(beta * overlap, -1), beta[..., 0]  # (scale, ..., query)
    count, longest = mask.sum(-1, keepdim=True).to(query.dtype), memory.square().sum(-1).amax(-1, keepdim=True)
    return (count.log() - nearness) / beta + (query.square().sum(-1) + longest) / 2


def retrieve(query, memory, beta, values=None, mask=None, steps=1):
    """What the memory associates with each query (..., Q, E): softmax(beta xi X^T) V (Ramsauer et al. 2021, eq. 3).

    One fused call serves all queries and scales and never holds the (Q, N) matrix. Under :func:`torch.func.vmap`
    choose ``torch.nn.attention.SDPBackend.MATH``, because the fused kernel has no batching rule.

    Args:
        query: states xi (..., Q, D); leading dimensions that ``memory`` lacks are more queries of it.
        memory: stored patterns X (..., N, D).
        beta: inverse temperature >= 0, a number; or several (S,), for a result (S, ..., Q, E).
        values: what each pattern returns (..., N, E), the patterns by default; the identity gives the weights.
        mask: bool (..., N), True where a pattern may be retrieved; all by default. What stands in the others,
            NaN included, has no effect; a query with nothing to retrieve gets zeros.
        steps: number of updates; all but the last return patterns.
    Example:
        >>> retrieve(torch.tensor([[2.0, 0.0]]), torch.eye(2), beta=torch.tensor([0.0, 100.0])).tolist()
        [[[0.5, 0.5]], [[1.0, 0.0]]]
    """
    query, beta = _aligned(query, memory, beta)
    values = memory if values is None else values
    if mask is not None:
        memory, values = (torch.where(mask[..., None], stored, 0.0) for stored in (memory, values))
    for step in range(steps):
        query = _attend(beta * query, memory, memory if step < steps - 1 else values, mask)
    return query


def _aligned(query, memory, beta):
    """The query with all leading dimensions of the memory, and beta shaped to multiply it."""
    query = query.expand(*torch.broadcast_shapes(query.shape[:-2], memory.shape[:-2]), *query.shape[-2:])
    beta = torch.as_tensor(beta, dtype=query.dtype, device=query.device)
    return query, beta.view(beta.shape + (1,) * query.dim())


def _attend(query, memory, values, mask):
    extra = query.dim() - memory.dim()  # leading dimensions of the query that the memory lacks
    leading, inner = tuple(range(extra)), tuple(range(-2 - extra, -2))
    rows = query.movedim(leading, inner)  # (batch..., extra..., query, width)
    sizes, rows = rows.shape[-2 - extra : -1], rows.flatten(-2 - extra, -2)  # (batch..., all queries, width)
    batch = rows.shape[:-2]

    def four(x):  # the fused kernel takes four dimensions: (1, batch, rows, width)
        return x.expand(*batch, *x.shape[-2:]).reshape(1, -1, *x.shape[-2:])

    mask = None if mask is None else four(mask[..., None, :])
    found = F.scaled_dot_product_attention(four(rows), four(memory), four(values), attn_mask=mask, scale=1.0)
    return found.reshape(*batch, *sizes, values.shape[-1]).movedim(inner, leading)
