"""Answers to the exercises of chapter 5."""

import torch

from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the gate as it is learned, no shares", "three quarters of one scale")
def counted(weights, gate):
    return (gate[:, None, None] * weights).sum(0)


@wrong("all scales alike", "three quarters of one scale")
def counted(weights, gate):
    return weights.mean(0)


@wrong("summed over the moments", "three quarters of one scale|shape|stops with")
def counted(weights, gate):
    return (gate.softmax(0)[:, None, None] * weights).sum(-1)


@wrong("shares divided by the number of scales", "three quarters of one scale")
def counted(weights, gate):
    return (gate.softmax(0)[:, None, None] * weights).mean(0)


@wrong("the largest share alone", "three quarters of one scale")
def counted(weights, gate):
    return weights[gate.argmax()]


@wrong("a softmax of the mixture", "three quarters of one scale")
def counted(weights, gate):
    return (gate.softmax(0)[:, None, None] * weights).sum(0).softmax(-1)


@right("by einsum")
def counted(weights, gate):
    return torch.einsum("s,sbw->bw", gate.softmax(0), weights)


@right("scale by scale")
def counted(weights, gate):
    shares = gate.exp() / gate.exp().sum()
    mixed = torch.zeros_like(weights[0])
    for share, scale in zip(shares, weights, strict=True):
        mixed = mixed + share * scale
    return mixed


def mixtures_of(three, n=60):
    grid = [(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]
    return torch.tensor(grid).to(three) / n @ three


@wrong(
    "the middle of the long side alone", "inside the triangle|middle of the long side"
)
def reach(three, curve):
    middle = (three[:1] + three[-1:]) / 2
    return torch.cdist(middle, curve).min().item()


@wrong("the sides alone", "inside the triangle")
def reach(three, curve):
    share = torch.linspace(0, 1, 201).to(three)[:, None]
    sides = [share * three[i] + (1 - share) * three[i - 1] for i in range(3)]
    return torch.cdist(torch.cat(sides), curve).min(1).values.max().item()


@wrong("the mean of the three alone", "long side")
def reach(three, curve):
    return torch.cdist(three.mean(0, keepdim=True), curve).min().item()


@wrong("the farthest point of the curve", "long side")
def reach(three, curve):
    return torch.cdist(mixtures_of(three), curve).max().item()


@wrong("the smallest distance", "long side")
def reach(three, curve):
    return torch.cdist(mixtures_of(three), curve).min().item()


@wrong("the distance squared", "root of 2|inside the triangle")
def reach(three, curve):
    return (torch.cdist(mixtures_of(three), curve).min(1).values.max() ** 2).item()


@right("drawn at random")
def reach(three, curve):
    generator = torch.Generator().manual_seed(1)
    share = torch.rand(20000, 3, generator=generator).to(three).log().neg()
    mixtures = share / share.sum(1, keepdim=True) @ three
    return torch.cdist(mixtures, curve).min(1).values.max()


@right("a loop over shares")
def reach(three, curve):
    largest = 0.0
    for i in range(51):
        for j in range(51 - i):
            point = (i * three[0] + j * three[1] + (50 - i - j) * three[2]) / 50
            nearest = (curve - point).norm(dim=1).min().item()
            largest = max(largest, nearest)
    return largest


@wrong("the moment judges itself", "has no say")
def judged_by_others(moments, beta):
    mean = moments.mean(1, keepdim=True)
    return (beta * (moments * mean).sum(-1) / moments.shape[-1] ** 0.5).softmax(-1)


@wrong("not divided by the others", "of one length|has no say")
def judged_by_others(moments, beta):
    others = moments.sum(1, keepdim=True) - moments
    return (beta * (moments * others).sum(-1) / moments.shape[-1] ** 0.5).softmax(-1)


@wrong("softmax over the trials", "has no say")
def judged_by_others(moments, beta):
    others = (moments.sum(1, keepdim=True) - moments) / (moments.shape[1] - 1)
    return (beta * (moments * others).sum(-1) / moments.shape[-1] ** 0.5).softmax(0)


@wrong("the root of the width is forgotten", "has no say")
def judged_by_others(moments, beta):
    others = (moments.sum(1, keepdim=True) - moments) / (moments.shape[1] - 1)
    return (beta * (moments * others).sum(-1)).softmax(-1)


@wrong("overlaps, no weights", "has no say")
def judged_by_others(moments, beta):
    others = (moments.sum(1, keepdim=True) - moments) / (moments.shape[1] - 1)
    return beta * (moments * others).sum(-1) / moments.shape[-1] ** 0.5


@right("a matrix of overlaps without its diagonal")
def judged_by_others(moments, beta):
    overlap = moments @ moments.mT / moments.shape[-1] ** 0.5
    count = moments.shape[1]
    other = overlap.sum(-1) - torch.diagonal(overlap, dim1=1, dim2=2)
    return (beta * other / (count - 1)).softmax(-1)


@right("a loop over moments")
def judged_by_others(moments, beta):
    columns = []
    for place in range(moments.shape[1]):
        keep = [other for other in range(moments.shape[1]) if other != place]
        question = moments[:, keep].mean(1)
        overlap = (moments[:, place] * question).sum(-1)
        columns.append(beta * overlap / moments.shape[-1] ** 0.5)
    return torch.stack(columns, 1).softmax(1)
