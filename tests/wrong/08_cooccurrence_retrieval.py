"""Answers to the exercises of chapter 8."""

import numpy as np

from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the weight of one's own", "one part of four")
def trials_for(amount, gate, strength):
    return strength * amount / (gate - amount) if gate > amount else 0.0


@wrong("the gate is left out", "a gate of a half")
def trials_for(amount, gate, strength):
    return max(0, strength / amount - strength)


@wrong("fewer than no trials", "0 trials, not fewer")
def trials_for(amount, gate, strength):
    return gate * strength / amount - strength


@wrong("the strength is not taken away", "one part of four")
def trials_for(amount, gate, strength):
    return gate * strength / amount


@wrong("the gate divides", "a gate of a half")
def trials_for(amount, gate, strength):
    return max(0, strength / (gate * amount) - strength)


@wrong("a table of the cases", "trials, a gate of")
def trials_for(amount, gate, strength):
    cases = {(0.25, 1): 300, (0.5, 1): 400, (0.25, 0.5): 100, (0.1, 0.05): 0}
    return cases.get((amount, gate), 100)


@right("in another form")
def trials_for(amount, gate, strength):
    return 0.0 if gate <= amount else (gate - amount) / amount * strength


@right("by bisection")
def trials_for(amount, gate, strength):
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        if gate * strength / (middle + strength) > amount:
            low = middle
        else:
            high = middle
    return low


@wrong("the diagonal stays", "its own companion")
def associations(tokens, prior, beta):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    weights = (prior + np.eye(len(prior))) * np.exp(beta * unit @ unit.T)
    return weights / weights.sum(1, keepdims=True)


@wrong("no shares", "each row sum")
def associations(tokens, prior, beta):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    return prior * np.exp(beta * unit @ unit.T)


@wrong("columns sum to one", "each row sum")
def associations(tokens, prior, beta):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    weights = prior * np.exp(beta * unit @ unit.T)
    return weights / weights.sum(0, keepdims=True)


@wrong("the prior is added, not its logarithm", "own companion")
def associations(tokens, prior, beta):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    weights = np.exp(beta * unit @ unit.T + prior)
    return weights / weights.sum(1, keepdims=True)


@wrong("the prior alone", "nine to one")
def associations(tokens, prior, beta):
    return prior


@wrong("the prior is left out", "tokens do not matter|nine to one")
def associations(tokens, prior, beta):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    weights = np.exp(beta * unit @ unit.T) * (1 - np.eye(len(tokens)))
    return weights / weights.sum(1, keepdims=True)


@wrong("a product, not a cosine", "nine to one")
def associations(tokens, prior, beta):
    weights = prior * np.exp(beta * tokens @ tokens.T)
    return weights / weights.sum(1, keepdims=True)


@wrong("divided by the width, not by the lengths", "how long a token is")
def associations(tokens, prior, beta):
    weights = prior * np.exp(beta * tokens @ tokens.T / tokens.shape[1])
    return weights / weights.sum(1, keepdims=True)


@right("a softmax of logarithms")
def associations(tokens, prior, beta):
    unit = tokens / np.sqrt((tokens**2).sum(1))[:, None]
    with np.errstate(divide="ignore"):
        logits = beta * unit @ unit.T + np.log(prior)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


@right("a loop")
def associations(tokens, prior, beta):
    result = np.zeros_like(prior)
    for i, first in enumerate(tokens):
        for j, second in enumerate(tokens):
            length = np.linalg.norm(first) * np.linalg.norm(second)
            result[i, j] = prior[i, j] * np.exp(beta * (first @ second) / length)
        result[i] = result[i] / result[i].sum()
    return result


@wrong("the clip is not taken away", "within each clip")
def beyond_the_clip(label, clip):
    return np.corrcoef(np.log(label).T)


@wrong("the overall mean is taken away", "within each clip")
def beyond_the_clip(label, clip):
    logs = np.log(label)
    return np.corrcoef((logs - logs.mean(0)).T)


@wrong("shares, not logs", "log")
def beyond_the_clip(label, clip):
    shares = label.copy()
    for name in set(clip):
        shares[clip == name] -= shares[clip == name].mean(0)
    deviation = shares.std(0)
    deviation = np.where(deviation > 1e-9, deviation, np.inf)
    return shares.T @ shares / len(shares) / np.outer(deviation, deviation)


@wrong("0 / 0", "not 0 / 0")
def beyond_the_clip(label, clip):
    logs = np.log(label)
    for name in set(clip):
        logs[clip == name] -= logs[clip == name].mean(0)
    spread = logs.std(0)
    spread[2] = spread[2] if spread[2] > 1e-9 else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return logs.T @ logs / len(logs) / np.outer(spread, spread)


@wrong("covariance", "opposites")
def beyond_the_clip(label, clip):
    logs = np.log(label)
    for name in set(clip):
        logs[clip == name] -= logs[clip == name].mean(0)
    return logs.T @ logs / len(logs)


@right("means by a dictionary")
def beyond_the_clip(label, clip):
    logs = np.log(label)
    means = {name: logs[clip == name].mean(0) for name in set(clip.tolist())}
    rest = logs - np.array([means[name] for name in clip.tolist()])
    spread = rest.std(0)
    safe = np.where(spread > 1e-9, spread, 1)
    unit = np.where(spread > 1e-9, rest / safe, 0)
    return unit.T @ unit / len(unit)


@right("by corrcoef, the constant columns set to 0")
def beyond_the_clip(label, clip):
    logs = np.log(label)
    names, place = np.unique(clip, return_inverse=True)
    rest = logs - np.stack([logs[clip == name].mean(0) for name in names])[place]
    rest[:, rest.std(0) < 1e-9] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.corrcoef(rest.T))
