"""What simulated people feel: effects of the clip, of the person, and of both.

Every number stands here with its reason, fixed before any model was trained. Added up
(:func:`log_odds`) they are the Gaussian world; :mod:`mpcl.simulation.blends` makes a
second world of the same effects.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mpcl.simulation import streams

# The ten emotions are the short PANAS, which DMER asks: five of each valence.
EMOTIONS = (
    *("alert", "inspired", "excited", "enthusiastic", "determined"),
    *("afraid", "upset", "nervous", "scared", "distressed"),
)
VALENCE = np.repeat([1, -1], 5)
# correlation of emotions within and between valences: PANAS scales oppose weakly
WITHIN, BETWEEN = (0.5, -0.25)
PAIRS = {  # near-synonyms go together more
    ("inspired", "determined"): 0.75,
    ("excited", "enthusiastic"): 0.80,
    ("afraid", "scared"): 0.80,
    ("upset", "distressed"): 0.75,
}
BASE = -0.3  # log-odds of feeling: most emotions are weak most of the time
# people differ most in how they take the same clip
CLIP_SD, PARTICIPANT_SD, INTERACTION_SD = (0.6, 0.5, 0.7)
# share of the clips, mean log-odds of positive and of negative emotions; mixed: both
# above the base
CLIP_TYPES = {
    "positive": (0.30, 1.2, -1.3),
    "negative": (0.30, -1.2, 1.0),
    "mixed": (0.25, 0.35, 0.35),
    "neutral": (0.15, -1.1, -1.1),
}


class Effects(NamedTuple):
    """What the log-odds of feeling are made of, in the order in which it is drawn."""

    clip: np.ndarray  # (clip, emotion), the mean of its type included
    participant: np.ndarray  # (participant, emotion)
    interaction: np.ndarray  # (participant, clip, emotion)


def correlation() -> np.ndarray:
    """The planted correlation (emotion, emotion) of the emotions, R of the design.

    Example:
        >>> correlation()[EMOTIONS.index("afraid")][[0, 5, 6, 8]].round(2)
        array([-0.25,  1.  ,  0.5 ,  0.8 ])
    """
    planted = np.where(np.equal.outer(VALENCE, VALENCE), WITHIN, BETWEEN)
    np.fill_diagonal(planted, 1)
    for (emotion, other), value in PAIRS.items():
        first, second = EMOTIONS.index(emotion), EMOTIONS.index(other)
        planted[[first, second], [second, first]] = value
    return planted


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric matrix; unlike its factors it is the same on any platform.

    Example:
        >>> power(np.diag([4.0, 9.0]), 0.5).round(6)
        array([[2., 0.],
               [0., 3.]])
    """
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


def clip_types(clips: int) -> list[str]:
    """The type of each clip: every next clip has the type furthest behind its share.

    More clips leave the first ones as they are.

    Example:
        >>> clip_types(6)
        ['positive', 'negative', 'mixed', 'neutral', 'positive', 'negative']
    """
    chosen: list[str] = []
    for number in range(1, clips + 1):
        behind = {
            name: round(number * share - chosen.count(name), 9)
            for name, (share, _, _) in CLIP_TYPES.items()
        }
        chosen.append(max(behind, key=behind.__getitem__))
    return chosen


def mean_log_odds(types: Sequence[str]) -> np.ndarray:
    """Mean log-odds (clip, emotion) over ``BASE`` at clips of these types."""
    means = [CLIP_TYPES[name][1:] for name in types]
    return np.stack([np.where(VALENCE > 0, *pair) for pair in means])


def effects(participants: int, clips: int, seed: int = 0) -> Effects:
    """Draw the effects: Gaussian with covariance sd^2 R (*our design*).

    Example:
        >>> [drawn.shape for drawn in effects(3, 4)]
        [(4, 10), (3, 10), (3, 4, 10)]
    """
    count = len(EMOTIONS)
    root = power(correlation(), 0.5)
    clip = CLIP_SD * streams.normal(seed, "clip", clips, count) @ root
    person = PARTICIPANT_SD * streams.normal(seed, "participant", participants, count)
    both = streams.normal(seed, "interaction", participants, clips, count)
    return Effects(
        mean_log_odds(clip_types(clips)) + clip,
        person @ root,
        INTERACTION_SD * both @ root,
    )


def log_odds(
    clip: np.ndarray, participant: np.ndarray, interaction: np.ndarray
) -> np.ndarray:
    """The latent eta (participant, clip, emotion) of the Gaussian world: the sum.

    Args:
        clip: (clip, emotion), or (participant, clip, emotion): clips of one's own.
    """
    return BASE + clip + participant[:, None] + interaction
