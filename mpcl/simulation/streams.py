"""Random numbers of a cohort: one stream for each quantity and participant or clip."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator, SeedSequence

STREAMS = (  # the place in this list is part of the seed: only ever append
    "clip",
    "participant",
    "interaction",
    "style",
    "answer",
    "order",
    "loading",
    "expressivity",
    "gain",
    "offset",
    "shared",
    "drift",
    "own",
    "artefact",
    "size",
    "loss",
    "specific",
    "factor",
)


def draw(
    seed: int, stream: str, count: int, make: Callable[[Generator], np.ndarray]
) -> np.ndarray:
    """One draw for each of ``count`` people or clips, from a generator of its own."""
    place = STREAMS.index(stream)
    sequences = [SeedSequence(int(seed), spawn_key=(place, n)) for n in range(count)]
    return np.stack([make(np.random.default_rng(sequence)) for sequence in sequences])


def uniform(seed: int, stream: str, count: int, *shape: int) -> np.ndarray:
    """Uniform numbers ``(count, *shape)`` in 0..1."""
    return draw(seed, stream, count, lambda random: random.random(shape))


def normal(seed: int, stream: str, count: int, *shape: int) -> np.ndarray:
    """Standard normal numbers ``(count, *shape)``.

    Example:
        >>> few, many = normal(0, "clip", 2, 3), normal(0, "clip", 5, 3)
        >>> bool((few == many[:2]).all())
        True
    """
    return draw(seed, stream, count, lambda random: random.standard_normal(shape))
