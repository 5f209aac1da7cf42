"""Answers to the exercises of chapter 6."""

import numpy as np
import torch
import torch.nn.functional as F

from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("a cosine from 0 to 1", "from cosine 1 to -1")
def largest_factor(tau, kinds):
    return np.exp(1 / tau)


@wrong("the prototypes add up", "all K prototypes alike")
def largest_factor(tau, kinds):
    return kinds * np.exp(2 / tau)


@wrong("the temperature multiplies", "from cosine 1 to -1")
def largest_factor(tau, kinds):
    return np.exp(2 * tau)


@wrong("the difference, not its exponential", "from cosine 1 to -1")
def largest_factor(tau, kinds):
    return 2 / tau


@wrong("one prototype near, the others opposite", "all K prototypes alike")
def largest_factor(tau, kinds):
    far = np.exp(-1 / tau)
    return (np.exp(1 / tau) + (kinds - 1) * far) / (kinds * far)


@right("as a quotient of two sums")
def largest_factor(tau, kinds):
    return kinds * np.exp(1 / tau) / (kinds * np.exp(-1 / tau))


@right("by logarithms, as a tensor")
def largest_factor(tau, kinds):
    best = torch.full((kinds,), 1 / tau, dtype=torch.float64)
    return (best.logsumexp(0) - (-best).logsumexp(0)).exp()


@wrong("the ones on the diagonal count", "right angles|three pairs")
def mean_cosine(bank):
    unit = F.normalize(bank, dim=-1)
    return (unit @ unit.mT).mean((-1, -2)).mean(1)


@wrong("both branches in one number", "\\(branch,\\)|each branch")
def mean_cosine(bank):
    unit, kinds = F.normalize(bank, dim=-1), bank.shape[2]
    total = (unit @ unit.mT).sum((-1, -2)) - kinds
    return total.mean() / (kinds * (kinds - 1))


@wrong("dot products, not cosines", "one is a copy")
def mean_cosine(bank):
    kinds = bank.shape[2]
    gram = bank @ bank.mT
    own = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    return (gram.sum((-1, -2)) - own).mean(1) / (kinds * (kinds - 1))


@wrong("the largest cosine", "one is a copy")
def mean_cosine(bank):
    unit = F.normalize(bank, dim=-1)
    apart = unit @ unit.mT - 2 * torch.eye(bank.shape[2]).to(bank)
    return apart.amax((-1, -2)).mean(1)


@wrong("prototypes of all emotions", "right angles")
def mean_cosine(bank):
    unit = F.normalize(bank.flatten(1, 2), dim=-1)
    count = unit.shape[1]
    return ((unit @ unit.mT).sum((-1, -2)) - count) / (count * (count - 1))


@wrong("every pair is counted once, and divided by all", "copies have the cosine 1")
def mean_cosine(bank):
    unit, kinds = F.normalize(bank, dim=-1), bank.shape[2]
    return (unit @ unit.mT).triu(1).sum((-1, -2)).mean(1) / (kinds * (kinds - 1))


@right("pair by pair")
def mean_cosine(bank):
    pairs = [
        F.cosine_similarity(bank[:, :, i], bank[:, :, j], dim=-1)
        for i in range(bank.shape[2])
        for j in range(i)
    ]
    return torch.stack(pairs).mean(0).mean(1)


@right("by the length of the sum")
def mean_cosine(bank):
    unit, kinds = F.normalize(bank, dim=-1), bank.shape[2]
    return (unit.sum(2).square().sum(-1) / kinds - 1).mean(1) / (kinds - 1)


@wrong("weighed by the share itself", "more than usual")
def written_bank(summaries, target):
    pull = torch.einsum("nc,nbd->bcd", target, F.normalize(summaries, dim=-1))
    return F.normalize(pull, dim=-1)[:, :, None]


@wrong("less than usual pushes away", "more than usual")
def written_bank(summaries, target):
    excess = target / target.mean(0) - 1
    pull = torch.einsum("nc,nbd->bcd", excess, F.normalize(summaries, dim=-1))
    return F.normalize(pull, dim=-1)[:, :, None]


@wrong("all trials above the usual count alike", "four times as hard")
def written_bank(summaries, target):
    excess = (target > target.mean(0)).to(summaries)
    pull = torch.einsum("nc,nbd->bcd", excess, F.normalize(summaries, dim=-1))
    return F.normalize(pull, dim=-1)[:, :, None]


@wrong("long summaries pull harder", "only its direction")
def written_bank(summaries, target):
    excess = (target / target.mean(0) - 1).clamp_min(0)
    pull = torch.einsum("nc,nbd->bcd", excess, summaries)
    return F.normalize(pull, dim=-1)[:, :, None]


@wrong("the mean direction, not of length one", "four times as hard|length one")
def written_bank(summaries, target):
    excess = (target / target.mean(0) - 1).clamp_min(0)
    pull = torch.einsum("nc,nbd->bcd", excess, F.normalize(summaries, dim=-1))
    return (pull / excess.sum(0)[:, None])[:, :, None]


@wrong("the trial that is fullest of it", "four times as hard")
def written_bank(summaries, target):
    best = F.normalize(summaries, dim=-1)[target.argmax(0)]  # (C, branch, D)
    return best.transpose(0, 1)[:, :, None]


@wrong("one bank for both branches", "bank of its own")
def written_bank(summaries, target):
    excess = (target / target.mean(0) - 1).clamp_min(0)
    pull = torch.einsum("nc,nbd->cd", excess, F.normalize(summaries, dim=-1))
    bank = F.normalize(pull, dim=-1)[:, None]
    return bank.expand(summaries.shape[1], *bank.shape)


@right("by loops")
def written_bank(summaries, target):
    usual, banks = target.mean(0), []
    for branch in range(summaries.shape[1]):
        rows = []
        for emotion in range(target.shape[1]):
            pull = 0 * summaries[0, branch]
            for state, label in zip(summaries[:, branch], target, strict=True):
                more = max(label[emotion] / usual[emotion] - 1, 0)
                pull = pull + more * state / state.norm()
            rows.append(pull / pull.norm())
        banks.append(torch.stack(rows)[:, None])
    return torch.stack(banks)


@right("by a product of matrices; a common factor does not matter")
def written_bank(summaries, target):
    excess = torch.relu(target - target.mean(0))
    direction = summaries / summaries.norm(dim=-1, keepdim=True)
    pull = excess.T @ direction.transpose(0, 1)  # (branch, C, D)
    return (pull / pull.norm(dim=-1, keepdim=True)).unsqueeze(2)
