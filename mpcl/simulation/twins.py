"""What both writers of look-alike files share: who is written, where, and a body."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from mpcl.errors import DatasetError, ParameterError
from mpcl.files import write_text
from mpcl.simulation import cohort as simulated
from mpcl.simulation.recordings import hold, states

Name = TypeVar("Name", int, str)


def choose(
    participants: int | Sequence[Name], released: Sequence[Name], seed: int
) -> list[Name]:
    """The first of the released participants, or those that are named.

    Raises:
        ParameterError: for one who is unknown or named twice, and for a negative seed.
    """
    is_count = isinstance(participants, int)
    names = list(released[: max(0, participants)] if is_count else participants)
    count = participants if is_count else len(names)
    if not 0 < len(set(names)) == count or not set(names) <= set(released):
        listed = f"1 to {len(released)}, or names of {', '.join(map(str, released))}"
        raise ParameterError(f"participants must be {listed}, not {participants!r}")
    if seed < 0:
        raise ParameterError(f"the seed must be a non-negative integer, not {seed!r}")
    return names


def begin(root: Path, places: Sequence[str], notice: str) -> None:
    """Make the folder, with ``TWIN.txt``, unless one of the places is taken.

    Raises:
        DatasetError: naming what is there.
    """
    taken = [place for place in places if (root / place).exists()]
    if taken:
        raise DatasetError(
            f"{', '.join(taken)} is there already; write a twin into a folder of "
            "its own",
            root,
        )
    write_text(notice, root / "TWIN.txt")


def embody(
    intensity: np.ndarray, spans: np.ndarray, duration: int, random: Generator
) -> dict[str, np.ndarray]:
    """Each state of a body (second,): held while something is felt, gliding between.

    Args:
        intensity: u (segment, emotion), in the order of time.
        spans: (segment, 2), start and stop in seconds.
    """
    drive = simulated.drive(intensity[None], int(random.integers(2**31)))[0]
    offset = simulated.OFFSET_SD * random.standard_normal(drive.shape[1])
    return hold(states(drive + offset), spans, duration)
