"""Answers to the exercises of chapter 4."""

import numpy as np
import torch

from mpcl import splits
from mpcl.evaluation import metrics
from mpcl.model.memory import energy, retrieve
from tests.wrong import answers

ANSWERS, wrong, right = answers()


def slope(query, memory, beta):
    query = query.clone().requires_grad_()
    return query, torch.autograd.grad(energy(query, memory, beta).sum(), query)[0]


@wrong("retrieve in disguise", "do not call")
def gradient_step(query, memory, beta):
    return retrieve(query, memory, beta)


@wrong("uphill", "goes elsewhere")
def gradient_step(query, memory, beta):
    query, gradient = slope(query, memory, beta)
    return (query + gradient).detach()


@wrong("half a step", "goes elsewhere")
def gradient_step(query, memory, beta):
    query, gradient = slope(query, memory, beta)
    return (query - gradient / 2).detach()


@wrong("the gradient alone", "goes elsewhere")
def gradient_step(query, memory, beta):
    return slope(query, memory, beta)[1]


@wrong("no gradient is asked for", "your line .*grad.* stops with RuntimeError")
def gradient_step(query, memory, beta):
    gradient = torch.autograd.grad(energy(query, memory, beta).sum(), query)[0]
    return query - gradient


@wrong("two steps", "goes elsewhere")
def gradient_step(query, memory, beta):
    for _ in range(2):
        query, gradient = slope(query, memory, beta)
        query = (query - gradient).detach()
    return query


@right("by backward, a question at a time")
def gradient_step(query, memory, beta):
    steps = []
    for each in query:
        each = each[None].clone().requires_grad_()
        energy(each, memory, beta).sum().backward()
        steps.append((each - each.grad)[0].detach())
    return torch.stack(steps)


@right("on the copy that it was given")
def gradient_step(query, memory, beta):
    query.requires_grad_()
    energy(query, memory, beta).sum().backward()
    return query.detach() - query.grad


def count(questions, keys, beta):
    weight = retrieve(questions, keys, beta, torch.eye(len(keys)).to(keys))
    return torch.special.entr(weight).sum(-1).exp()


@wrong("the number itself", "take part")
def beta_for(number, query, memory):
    return float(number)


@wrong("the wrong half is kept", "take part")
def beta_for(number, query, memory):
    low, high = np.log(1e-3), np.log(1e4)
    for _ in range(40):
        middle = (low + high) / 2
        if count(query, memory, np.exp(middle)).mean() > number:
            high = middle
        else:
            low = middle
    return float(np.exp(middle))


@wrong("the logarithm of beta", "take part|stops with")
def beta_for(number, query, memory):
    low, high = np.log(1e-3), np.log(1e4)
    for _ in range(40):
        middle = (low + high) / 2
        if count(query, memory, np.exp(middle)).mean() > number:
            low = middle
        else:
            high = middle
    return float(middle)


@wrong("the first question alone", "mean over questions")
def beta_for(number, query, memory):
    low, high = np.log(1e-3), np.log(1e4)
    for _ in range(40):
        middle = (low + high) / 2
        if count(query[:1], memory, np.exp(middle)).mean() > number:
            low = middle
        else:
            high = middle
    return float(np.exp(middle))


@wrong("four halvings", "take part")
def beta_for(number, query, memory):
    low, high = np.log(1e-3), np.log(1e4)
    for _ in range(4):
        middle = (low + high) / 2
        if count(query, memory, np.exp(middle)).mean() > number:
            low = middle
        else:
            high = middle
    return float(np.exp(middle))


@right("a fine grid")
def beta_for(number, query, memory):
    grid = np.exp(np.linspace(-3, 6, 4000))
    counts = np.array([count(query, memory, beta).mean() for beta in grid])
    return float(grid[np.abs(counts - number).argmin()])


@right("by a root finder")
def beta_for(number, query, memory):
    from scipy.optimize import brentq

    def off(log_beta):
        return count(query, memory, np.exp(log_beta)).mean().item() - number

    return float(np.exp(brentq(off, -6, 9)))


@wrong("no choice is made", "a crowd of neighbours")
def chosen_beta(train, choices):
    return choices[0]


@wrong("the highest KL", "copying one trial")
def chosen_beta(train, choices):
    return max(choices, key=lambda beta: kl(train, Memory(beta)).mean())  # noqa: F821


@wrong("asked for what it remembers", "copying one trial")
def chosen_beta(train, choices):
    def remembered(beta):
        predicted = Memory(beta).fit(train).predict(train)  # noqa: F821
        return metrics.participant_scores(train, predicted).sel(metric="kl").mean()

    return min(choices, key=remembered)


@wrong("chosen by the people who are predicted", "signals say nothing")
def chosen_beta(train, choices):
    return min(choices, key=lambda beta: kl(dataset, Memory(beta)).mean())  # noqa: F821


@wrong("read off the figure", "signals say nothing")
def chosen_beta(train, choices):
    return sorted(choices)[1]


@wrong("the score, not the beta", "one of the choices")
def chosen_beta(train, choices):
    return min(kl(train, Memory(beta)).mean() for beta in choices)  # noqa: F821


@right("a loop that keeps the best so far")
def chosen_beta(train, choices):
    best, lowest = None, np.inf
    for beta in choices:
        mean = kl(train, Memory(beta)).mean()  # noqa: F821
        if mean < lowest:
            best, lowest = beta, mean
    return best


@right("fold by fold, by hand")
def chosen_beta(train, choices):
    totals = np.zeros(len(choices))
    for fold in splits.folds(train, "participants"):
        inside, outside = splits.part(train, fold)
        for place, beta in enumerate(choices):
            predicted = Memory(beta).fit(inside).predict(outside)  # noqa: F821
            scores = metrics.participant_scores(outside, predicted)
            totals[place] += scores.sel(metric="kl").sum()
    return choices[int(totals.argmin())]
