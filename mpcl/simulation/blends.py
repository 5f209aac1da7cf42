"""The second world: feelings gather in sixteen blends, as in no Gaussian.

The recipe was fixed on 2026-11-27, before any network was trained on it, and none of
its constants changes after that. Clips and people have the effects of the Gaussian
world. With half of the interaction's variance (.7 of the effect), the sum x falls to
the nearest of sixteen centres, mu, and most of the way into it:

    z = mu + .3 (x - mu),    eta = m + A (z - m')

A and the means give eta the mean and the covariance that it has in the Gaussian world,
over one reference population, so that what reads correlations alone sees nearly the
same world. A is the map that moves one such state to the other with the least change
(between Gaussians; Dowson and Landau 1982). *Our design*.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from mpcl.simulation import latent

CENTRES = 16
CENTRE_SEED = 20261127  # the same centres for all cohorts
SHRINK = 0.3  # of the distance to the centre, what is left
TAKEN = 0.7  # of the interaction, before the centre is looked for
REFERENCE = (4000, 100)  # people, and clips of their own for each
REFERENCE_SEED = 20261128


class Recipe(NamedTuple):
    """What all cohorts share."""

    centres: np.ndarray  # (centre, emotion)
    mean: np.ndarray  # m (emotion,), of the Gaussian world
    pulled_mean: np.ndarray  # m' (emotion,), of z
    matrix: np.ndarray  # A (emotion, emotion)


def log_odds(
    clip: np.ndarray, participant: np.ndarray, interaction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The latent eta (participant, clip, emotion), and the blend (participant, clip).

    Example:
        >>> eta, blend = log_odds(*latent.effects(3, 4))
        >>> eta.shape, blend[0].tolist()
        ((3, 4, 10), [1, 14, 0, 12])
    """
    shared = recipe()
    pulled, blend = _pull(shared.centres, clip, participant, interaction)
    return shared.mean + (pulled - shared.pulled_mean) @ shared.matrix.T, blend


@cache
def recipe() -> Recipe:
    """The centres, and the moments of one reference population; made once a process."""
    centres = latent.log_odds(*population(CENTRE_SEED, CENTRES, 1))[:, 0]
    people = population(REFERENCE_SEED, *REFERENCE)
    felt = latent.log_odds(*people).reshape(-1, len(latent.EMOTIONS))
    pulled = _pull(centres, *people)[0].reshape(felt.shape)
    root = latent.power(np.cov(pulled.T), 0.5)
    inverse = latent.power(np.cov(pulled.T), -0.5)
    matrix = inverse @ latent.power(root @ np.cov(felt.T) @ root, 0.5) @ inverse
    return Recipe(centres, felt.mean(0), pulled.mean(0), matrix)


def population(seed: int, people: int, clips: int) -> latent.Effects:
    """Effects of people at clips of their own, of types drawn by their shares."""
    random = np.random.default_rng(seed)
    types = list(latent.CLIP_TYPES)
    shares = [share for share, _, _ in latent.CLIP_TYPES.values()]
    chosen = random.choice(len(types), (people, clips), p=shares)
    root = np.linalg.cholesky(latent.correlation()).T
    clip = random.standard_normal((people, clips, len(root))) @ root
    person = random.standard_normal((people, len(root))) @ root
    interaction = random.standard_normal((people, clips, len(root))) @ root
    return latent.Effects(
        latent.mean_log_odds(types)[chosen] + latent.CLIP_SD * clip,
        latent.PARTICIPANT_SD * person,
        latent.INTERACTION_SD * interaction,
    )


def _pull(
    centres: np.ndarray,
    clip: np.ndarray,
    participant: np.ndarray,
    interaction: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """z (participant, clip, emotion), and the number of the nearest centre."""
    x = latent.log_odds(clip, participant, TAKEN * interaction)
    _, nearest = KDTree(centres).query(x)
    return centres[nearest] + SHRINK * (x - centres[nearest]), nearest
