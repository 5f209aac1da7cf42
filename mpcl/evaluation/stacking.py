"""A mixture of what several methods predict, its weights chosen on participants of the training part alone.

Stacked generalisation (Wolpert, 1992; convex as in Breiman, 1996; with the KL divergence, van der Laan et al., 2007).
"""

import numpy as np

STEPS = 1000  # of expectation-maximisation, which only climbs and has one summit


def weights(true, predicted, share):
    """The convex mixture with the lowest mean KL(true || mixture), by expectation-maximisation.

    Args:
        true: distributions (window, emotion).
        predicted: of each member (member, window, emotion); wherever a label has a share, a member must give one.
        share: what each window counts for (window,); their sum is of no matter.

    Returns:
        array (member,), which sums to one.

    Raises:
        ValueError: if every member gives 0 where a label has a share.

    Example:
        >>> weights(np.array([[0.4, 0.6]]), np.array([[[0.2, 0.8]], [[0.6, 0.4]]]), np.ones(1)).round(3)
        array([0.5, 0.5])
    """
    true, predicted = np.asarray(true, float), np.asarray(predicted, float)
    if ((predicted.max(0) <= 0) & (true > 0)).any():
        raise ValueError("every member gives an emotion no share that a label has; add a member such as mean_label")
    counted = true * (np.asarray(share, float) / np.sum(share))[:, None]  # (window, emotion), sums to 1
    mixture = np.full(len(predicted), 1 / len(predicted))
    for _ in range(STEPS):
        together = np.einsum("m,mwe->we", mixture, predicted)
        owed = counted / np.where(counted > 0, together, 1)
        mixture = mixture * np.einsum("mwe,we->m", predicted, owed)
    return mixture / mixture.sum()


def by_trial(trial, predicted):
    """Predictions averaged within each trial, for all of its windows.

    Args:
        trial: of each window (window,).
        predicted: distributions (window, emotion).

    Returns:
        array (window, emotion).

    Example:
        >>> by_trial(["a", "a", "b"], np.array([[0.0, 1.0], [1.0, 0.0], [0.3, 0.7]]))[:, 0]
        array([0.5, 0.5, 0.3])
    """
    own, counts = np.unique(np.asarray(trial, str), return_inverse=True, return_counts=True)[1:]
    total = np.zeros((len(counts), predicted.shape[1]))
    np.add.at(total, own, predicted)
    return (total / counts[:, None])[own]
