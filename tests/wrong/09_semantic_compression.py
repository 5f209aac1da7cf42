"""Answers to the exercises of chapter 9."""

import numpy as np

from mpcl.evaluation import metrics
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("shares over the emotions", "by hand")
def evidence_from(votes, assignment):
    membership = np.exp(assignment)
    return votes @ (membership / membership.sum(1, keepdims=True))


@wrong("logits are taken for memberships", "by hand")
def evidence_from(votes, assignment):
    return votes @ assignment


@wrong("no shares", "by hand")
def evidence_from(votes, assignment):
    return votes @ np.exp(assignment)


@wrong("the largest alone", "by hand")
def evidence_from(votes, assignment):
    return votes[assignment.argmax(0)]


@wrong("to the base of two", "by hand")
def evidence_from(votes, assignment):
    membership = 2.0**assignment
    return votes @ (membership / membership.sum(0))


@wrong("divided, not made shares", "by hand")
def evidence_from(votes, assignment):
    return votes @ (assignment / assignment.sum(0))


@wrong("the example alone", "a vote that all groups share")
def evidence_from(votes, assignment):
    return np.resize(0.7615942 * np.array([1.0, 1.0, -1.0]), assignment.shape[1])


@wrong("two groups alone", "a vote that all groups share|no preference")
def evidence_from(votes, assignment):
    first = 1 / (1 + np.exp(assignment[1] - assignment[0]))
    return votes[0] * first + votes[1] * (1 - first)


@right("a loop")
def evidence_from(votes, assignment):
    result = []
    for column in assignment.T:
        shares = np.exp(column - column.max())
        result.append(sum(shares / shares.sum() * votes))
    return result


@right("a softmax of scipy")
def evidence_from(votes, assignment):
    from scipy.special import softmax

    return np.einsum("g,gc->c", votes, softmax(assignment, axis=0))


@wrong("not left out", "1, and not nan")
def effective_groups(membership):
    mass = membership.mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(-(mass * np.log(mass)).sum())


@wrong("the entropy itself", "three groups of the same mass")
def effective_groups(membership):
    mass = membership.mean(1)
    mass = mass[mass > 0]
    return -(mass * np.log(mass)).sum()


@wrong("to the base of two", "three groups of the same mass")
def effective_groups(membership):
    mass = membership.mean(1)
    mass = mass[mass > 0]
    return np.exp(-(mass * np.log2(mass)).sum())


@wrong("sharpness of the emotions", "sharp memberships")
def effective_groups(membership):
    safe = np.where(membership > 0, membership, 1)
    return np.exp(-(membership * np.log(safe)).sum(0).mean())


@wrong("a count", "one group has all|the mass is")
def effective_groups(membership):
    return len(membership)


@wrong("groups that are largest for an emotion", "same mass")
def effective_groups(membership):
    return len(set(membership.argmax(0).tolist()))


@wrong("one over the sum of squares", "exp\\(entropy\\)")
def effective_groups(membership):
    return 1 / (membership.mean(1) ** 2).sum()


@wrong("the mean over the groups", "three groups of the same mass|mean membership")
def effective_groups(membership):
    mass = membership.mean(0)
    mass = mass[mass > 0]
    return np.exp(-(mass * np.log(mass)).sum())


@right("by a product")
def effective_groups(membership):
    mass = membership.sum(1) / membership.sum()
    return (
        np.prod(mass**-mass, where=mass > 0)
        if (mass > 0).all()
        else np.prod([m**-m for m in mass if m > 0])
    )


@right("to the base of two, and back")
def effective_groups(membership):
    mass = membership.mean(1)
    return 2 ** -sum(m * np.log2(m) for m in mass if m > 0)


def merged(label, mean, i, j):
    """The KL (rows,) that merging two emotions costs."""
    both = label[:, i] + label[:, j]
    told = label.copy()
    told[:, i] = both * mean[i] / (mean[i] + mean[j])
    told[:, j] = both * mean[j] / (mean[i] + mean[j])
    return metrics.kl(label, told)


def pairs(label):
    count = label.shape[1]
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


@wrong("the costliest pair", "costs nothing")
def cheapest_pair(label, mean):
    return max(pairs(label), key=lambda pair: merged(label, mean, *pair).mean())


@wrong("equal means", "always alike|in proportion|i < j")
def cheapest_pair(label, mean):
    return min(pairs(label), key=lambda pair: abs(mean[pair[0]] - mean[pair[1]]))


@wrong("nearest shares", "in proportion")
def cheapest_pair(label, mean):
    return min(
        pairs(label), key=lambda pair: np.abs(np.diff(label[:, pair], axis=1)).mean()
    )


@wrong("the larger index first", "costs nothing|i < j")
def cheapest_pair(label, mean):
    return min(pairs(label), key=lambda pair: merged(label, mean, *pair).mean())[::-1]


@wrong("neighbours alone", "elsewhere")
def cheapest_pair(label, mean):
    near = [(i, i + 1) for i in range(label.shape[1] - 1)]
    return min(near, key=lambda pair: merged(label, mean, *pair).mean())


@wrong("an emotion with itself", "costs nothing")
def cheapest_pair(label, mean):
    every = [(i, j) for i in range(label.shape[1]) for j in range(label.shape[1])]
    return min(every, key=lambda pair: merged(label, mean, *pair).mean())


@right("without groups")
def cheapest_pair(label, mean):
    return min(pairs(label), key=lambda pair: merged(label, mean, *pair).mean())


@right("a loop, as a list")
def cheapest_pair(label, mean):
    best, lowest = [], np.inf
    for i, j in pairs(label):
        cost = merged(label, mean, i, j).sum()
        if cost < lowest:
            best, lowest = [i, j], cost
    return best
