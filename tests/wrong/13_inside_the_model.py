"""Answers to the exercises of chapter 13."""

import numpy as np
import torch
import torch.nn.functional as F

from mpcl.evaluation import metrics
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("not normalised", "two of four pairs agree|length must not count")
def across(bank):
    first, second = bank.mean(2)
    return (first * second).sum(-1)


@wrong("the mean is normalised", "two of four pairs agree")
def across(bank):
    first, second = F.normalize(bank.mean(2), dim=-1)
    return (first * second).sum(-1)


@wrong("equal kinds only", "two of four pairs agree")
def across(bank):
    first, second = F.normalize(bank, dim=-1)
    return (first * second).sum(-1).mean(-1)


@wrong("the mean over emotions", "the shape is")
def across(bank):
    first, second = F.normalize(bank, dim=-1).mean(2)
    return (first * second).sum(-1).mean()


@wrong("absolute cosines", "the direction must")
def across(bank):
    first, second = F.normalize(bank, dim=-1)
    return torch.einsum("ckd,cld->ckl", first, second).abs().mean((1, 2))


@wrong("the sum over pairs", "two of four pairs agree")
def across(bank):
    first, second = F.normalize(bank, dim=-1)
    return torch.einsum("ckd,cld->ckl", first, second).sum((1, 2))


@wrong(
    "normalised along the wrong axis",
    "two of four pairs agree|length|each emotion|nine",
)
def across(bank):
    first, second = F.normalize(bank, dim=1).mean(2)
    return (first * second).sum(-1)


@wrong("within one branch", "the direction must")
def across(bank):
    first, _ = F.normalize(bank, dim=-1).mean(2)
    return (first * first).sum(-1)


@right("all pairs")
def across(bank):
    first, second = F.normalize(bank, dim=-1)
    return torch.einsum("ckd,cld->ckl", first, second).mean((1, 2))


@right("a loop with cosine_similarity, as a list")
def across(bank):
    each = []
    for first, second in zip(*bank, strict=True):
        pairs = F.cosine_similarity(first[:, None], second[None], dim=-1)
        each.append(pairs.mean().item())
    return each


@wrong("by Chebyshev", "where measures disagree")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted**power
        return metrics.chebyshev(true, raised / raised.sum(1, keepdims=True)).mean()

    return min(powers, key=score)


@wrong("KL the other way round", "where measures disagree")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted**power
        return metrics.kl(raised / raised.sum(1, keepdims=True), true).mean()

    return min(powers, key=score)


@wrong("matching the mean of the largest share", "where measures disagree")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted**power
        largest = (raised / raised.sum(1, keepdims=True)).max(1).mean()
        return abs(largest - true.max(1).mean())

    return min(powers, key=score)


@wrong("not divided by the sum", "squares undo|other way round|stays as it is")
def best_power(true, predicted, powers):
    return min(powers, key=lambda power: metrics.kl(true, predicted**power).mean())


@wrong("the largest KL", "squares undo")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted**power
        return metrics.kl(true, raised / raised.sum(1, keepdims=True)).mean()

    return max(powers, key=score)


@wrong("the KL, not the power", "squares undo")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted**power
        return metrics.kl(true, raised / raised.sum(1, keepdims=True)).mean()

    return min(score(power) for power in powers)


@wrong("the first row alone", "where measures disagree")
def best_power(true, predicted, powers):
    def score(power):
        raised = predicted[0] ** power
        return metrics.kl(true[0], raised / raised.sum())

    return min(powers, key=score)


@right("a loop")
def best_power(true, predicted, powers):
    best, lowest = None, np.inf
    for power in powers:
        raised = np.exp(power * np.log(predicted))
        loss = metrics.kl(true, raised / raised.sum(-1)[:, None]).mean()
        if loss < lowest:
            best, lowest = power, loss
    return best


@right("by the cross-entropy")
def best_power(true, predicted, powers):
    logs = np.log(predicted)
    loss = []
    for power in powers:
        total = np.log(np.exp(power * logs).sum(1, keepdims=True))
        loss.append(-(true * (power * logs - total)).sum())
    return powers[int(np.argmin(loss))]


@wrong("the costliest pair", "though another pair costs more")
def substitutes(single, pairs):
    return max(pairs, key=pairs.get)


@wrong("the ratio of costs", "no ratio|surplus")
def substitutes(single, pairs):
    def ratio(pair):
        return pairs[pair] / (sum(single[name] for name in pair) + 1e-9)

    return max(pairs, key=ratio)


@wrong("one cost only", "both single costs|a surplus")
def substitutes(single, pairs):
    return max(pairs, key=lambda pair: pairs[pair] - single[pair[0]])


@wrong("the other cost only", "both single costs|a surplus")
def substitutes(single, pairs):
    return max(pairs, key=lambda pair: pairs[pair] - single[pair[1]])


@wrong("the smallest surplus", "a surplus of .02")
def substitutes(single, pairs):
    return min(pairs, key=lambda pair: pairs[pair] - sum(single[n] for n in pair))


@wrong("the surplus, not the pair", "a surplus of .02")
def substitutes(single, pairs):
    return max(pairs[pair] - sum(single[n] for n in pair) for pair in pairs)


@wrong("beyond the larger cost", "both single costs|a surplus")
def substitutes(single, pairs):
    return max(pairs, key=lambda pair: pairs[pair] - max(single[n] for n in pair))


@right("a loop")
def substitutes(single, pairs):
    best, largest = None, -np.inf
    for (first, second), cost in pairs.items():
        if cost - single[first] - single[second] > largest:
            best, largest = (first, second), cost - single[first] - single[second]
    return best


@right("a dictionary of surpluses")
def substitutes(single, pairs):
    surplus = {(a, b): cost - (single[a] + single[b]) for (a, b), cost in pairs.items()}
    return sorted(surplus, key=surplus.get)[-1]
