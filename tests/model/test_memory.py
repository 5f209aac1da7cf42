"""Associative memory: the equations of Ramsauer et al. 2021 in plain loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel

from mpcl.model.memory import energy, retrieve

seeds = st.integers(0, 2**32 - 1)
betas = st.floats(0.01, 50.0)
scales = st.sampled_from([0.01, 0.3, 1.0, 3.0])


def draw(seed, *shape, scale=1.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape) * scale)


def loop_retrieve(query, memory, beta, values, allowed):
    found = np.zeros((len(query), values.shape[1]))
    for q, state in enumerate(query):
        overlap = {
            n: beta * sum(state * memory[n]) for n in range(len(memory)) if allowed[n]
        }
        top = max(overlap.values())
        total = sum(math.exp(one - top) for one in overlap.values())
        for n, one in overlap.items():
            found[q] += math.exp(one - top) / total * values[n]
    return found


def loop_energy(query, memory, beta, allowed):
    found = np.zeros(len(query))
    patterns = [pattern for n, pattern in enumerate(memory) if allowed[n]]
    for q, state in enumerate(query):
        overlap = [beta * sum(state * pattern) for pattern in patterns]
        lse = (
            max(overlap)
            + math.log(sum(math.exp(one - max(overlap)) for one in overlap))
        ) / beta
        longest = max(sum(pattern**2) for pattern in patterns)
        found[q] = (
            -lse + sum(state**2) / 2 + math.log(len(patterns)) / beta + longest / 2
        )
    return found


@given(
    seeds,
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 4),
    betas,
    st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_both_equal_the_plain_loops(seed, patterns, queries, width, beta, steps):
    query, memory, values = (
        draw(seed, 2, queries, width),
        draw(seed + 1, 2, patterns, width),
        draw(seed, 2, patterns, 3),
    )
    allowed = np.random.default_rng(seed).random((2, patterns)) < 0.6
    allowed[:, 0] = True
    found = retrieve(
        query, memory, beta, values, torch.from_numpy(allowed), steps
    ).numpy()
    state = query.numpy().copy()
    for batch in range(2):
        own = memory[batch].numpy(), beta
        levels = loop_energy(state[batch], *own, allowed[batch])
        np.testing.assert_allclose(
            energy(query, memory, beta, torch.from_numpy(allowed))[batch],
            levels,
            rtol=1e-10,
            atol=1e-10,
        )
        for _ in range(steps - 1):
            state[batch] = loop_retrieve(state[batch], *own, own[0], allowed[batch])
        expected = loop_retrieve(
            state[batch], *own, values[batch].numpy(), allowed[batch]
        )
        np.testing.assert_allclose(found[batch], expected, rtol=1e-10, atol=1e-10)


@given(seeds, betas, scales, st.integers(1, 8))
@settings(max_examples=100, deadline=None)
def test_no_step_raises_the_energy_and_none_goes_below_zero(
    seed, beta, scale, patterns
):
    query, memory = (
        draw(seed, 5, 4, scale=scale),
        draw(seed + 1, patterns, 4, scale=scale),
    )
    before, after = (
        energy(retrieve(query, memory, beta, steps=n) if n else query, memory, beta)
        for n in (0, 1)
    )
    assert (after <= before + 1e-9 * (1 + before)).all()
    assert (after >= -1e-9).all()


@given(seeds, st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_large_beta_returns_one_pattern_and_none_the_mean(seed, patterns):
    memory = torch.nn.functional.normalize(draw(seed, patterns, 6), dim=-1)
    query = draw(seed + 1, 5, 6)
    nearest = torch.cdist(query, memory).argmin(1)  # of equally long patterns
    gap = (query @ memory.T).topk(2).values.diff().abs().min().item()
    torch.testing.assert_close(
        retrieve(query, memory, 60 / gap), memory[nearest], rtol=0, atol=1e-10
    )
    torch.testing.assert_close(
        retrieve(query, memory, 0.0), memory.mean(0).expand(5, 6)
    )


@pytest.mark.parametrize("content", [math.nan, math.inf, -1e300])
@pytest.mark.parametrize("backend", [None, SDPBackend.MATH])
def test_masked_patterns_are_never_retrieved_whatever_stands_in_them(content, backend):
    query, memory = draw(0, 3, 4, 5).requires_grad_(), draw(1, 3, 6, 5)
    mask = torch.tensor([[True] * 4 + [False] * 2] * 2 + [[False] * 6])
    poisoned = torch.where(mask[..., None], memory, content).requires_grad_()
    with sdpa_kernel(
        list(SDPBackend.__members__.values()) if backend is None else [backend]
    ):
        found = retrieve(query, poisoned, torch.tensor([0.5, 2.0]).double(), mask=mask)
        cut = retrieve(query[:2], memory[:2, :4], torch.tensor([0.5, 2.0]).double())
        torch.testing.assert_close(found[:, :2], cut, rtol=1e-12, atol=1e-12)
        assert (found[:, 2] == 0).all()  # nothing to retrieve
        found.sum().backward()
    assert poisoned.grad.isfinite().all() and query.grad.isfinite().all()
    assert (poisoned.grad[~mask] == 0).all()
    torch.testing.assert_close(
        energy(query[:2], poisoned[:2], 2.0, mask[:2]),
        energy(query[:2], memory[:2, :4], 2.0),
    )


def test_several_betas_are_several_calls_and_order_does_not_matter():
    query, memory, beta = (
        draw(0, 7, 2, 4, 5),
        draw(1, 2, 6, 5),
        torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64),
    )
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    found, levels = retrieve(query, memory, beta, steps=2), energy(query, memory, beta)
    assert found.shape == (3, 7, 2, 4, 5) and levels.shape == (3, 7, 2, 4)
    for scale, one in enumerate(beta):
        torch.testing.assert_close(
            found[scale],
            retrieve(query, memory, one.item(), steps=2),
            rtol=1e-12,
            atol=1e-12,
        )
        torch.testing.assert_close(
            levels[scale], energy(query, memory, one.item()), rtol=1e-12, atol=1e-12
        )
    torch.testing.assert_close(
        found, retrieve(query, memory[:, order], beta, steps=2), rtol=1e-12, atol=1e-12
    )
    one = retrieve(query[0, 0], memory, beta)  # a query for two memories
    torch.testing.assert_close(
        one[:, 1], retrieve(query[0, 0], memory[1], beta), rtol=1e-12, atol=1e-12
    )
    weights = retrieve(query, memory, beta, values=torch.eye(6).double())
    torch.testing.assert_close(
        weights @ memory, retrieve(query, memory, beta), rtol=1e-12, atol=1e-12
    )


def test_large_memories_go_through_one_fused_call():
    calls = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
            calls.append(str(operator))
            return operator(*arguments, **(keywords or {}))

    with Watch(), torch.no_grad():
        retrieve(
            torch.randn(64, 8),
            torch.randn(500, 8),
            torch.tensor([0.1, 1.0, 9.0]),
            mask=torch.ones(500).bool(),
        )
    assert sum("flash_attention" in call for call in calls) == 1
    assert not any("bmm" in call or "softmax" in call for call in calls)


def test_gradients_are_right_also_under_vmap():
    query, memory = draw(0, 2, 3, 4).requires_grad_(), draw(1, 2, 5, 4).requires_grad_()
    beta, mask = (
        torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True),
        torch.rand(2, 5) > 0.3,
    )
    assert torch.autograd.gradcheck(
        lambda q, m, b: retrieve(q, m, b, mask=mask, steps=2), (query, memory, beta)
    )
    assert torch.autograd.gradcheck(
        lambda q, m, b: energy(q, m, b, mask=mask | True), (query, memory, beta)
    )
    with sdpa_kernel(SDPBackend.MATH):
        found = torch.func.vmap(lambda q, m, a: retrieve(q, m, 2.0, mask=a))(
            query, memory, mask
        )
    torch.testing.assert_close(
        found, retrieve(query, memory, 2.0, mask=mask), rtol=1e-12, atol=1e-12
    )
