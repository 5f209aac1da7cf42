"""Answers to the exercises of chapter 7."""

import torch
import torch.nn.functional as F

from mpcl.model.distillation import alignment
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("the mean over two pupils is forgotten", "half of it")
def gradient_of_pupils(log_views):
    return log_views[1:].exp() - log_views[:1].exp()


@wrong("the sign is turned", "minus share of the teacher")
def gradient_of_pupils(log_views):
    return (log_views[:1].exp() - log_views[1:].exp()) / 2


@wrong("logarithms, not shares", "share of the pupil")
def gradient_of_pupils(log_views):
    return (log_views[1:] - log_views[:1]) / 2


@wrong("the teacher too", "the shape is")
def gradient_of_pupils(log_views):
    return (log_views.exp() - log_views[:1].exp()) / 2


@wrong("the gradient on the shares", "share of the pupil")
def gradient_of_pupils(log_views):
    return -(log_views[:1].exp() / log_views[1:].exp()) / 2


@right("one pupil after the other")
def gradient_of_pupils(log_views):
    teacher, first, second = log_views.exp()
    return torch.stack([first - teacher, second - teacher]) / 2


@right("by the Jacobian of a softmax")
def gradient_of_pupils(log_views):
    teacher, pupils = log_views[:1].exp(), log_views[1:].exp()
    eye = torch.eye(pupils.shape[-1]).to(pupils)
    jacobian = eye - pupils[..., None, :]  # of log shares, by logits
    return -torch.einsum("pbc,pbck->pbk", teacher.expand_as(pupils), jacobian) / 2


@wrong("logarithms are added", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    return alignment(log_relations.unflatten(-1, (emotions, -1)).sum(-1))


@wrong("shares are compared, not their logarithms", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    return alignment(log_relations.exp().unflatten(-1, (emotions, -1)).sum(-1))


@wrong("emotions and prototypes are confused", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    return alignment(log_relations.unflatten(-1, (-1, emotions)).logsumexp(-1))


@wrong("added over the emotions", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    return alignment(log_relations.unflatten(-1, (emotions, -1)).logsumexp(-2))


@wrong("the nearest prototype alone", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    return alignment(log_relations.unflatten(-1, (emotions, -1)).amax(-1))


@wrong("the mean over trials", "one number for each trial")
def by_emotion(log_relations, emotions):
    logs = log_relations.unflatten(-1, (emotions, -1)).logsumexp(-1)
    return alignment(logs).mean()


@wrong("the mean trial stays in", "add \\*shares\\*")
def by_emotion(log_relations, emotions):
    logs = log_relations.unflatten(-1, (emotions, -1)).logsumexp(-1)[1:]
    logs = logs - logs.mean(-1, keepdim=True)
    return F.cosine_similarity(*logs, dim=-1)


@right("shares in a loop over emotions")
def by_emotion(log_relations, emotions):
    size = log_relations.shape[-1] // emotions
    shares = log_relations.exp()
    each = [
        shares[..., begin : begin + size].sum(-1)
        for begin in range(0, shares.shape[-1], size)
    ]
    return alignment(torch.stack(each, -1).log())


@right("mean shares, and the cosine by hand")
def by_emotion(log_relations, emotions):
    logs = log_relations[1:].exp().unflatten(-1, (emotions, -1)).mean(-1).log2()
    logs = logs - logs.mean(-1, keepdim=True)
    first, second = logs - logs.mean(1, keepdim=True)
    return (first * second).sum(-1) / first.norm(dim=-1) / second.norm(dim=-1)


def parts(log_views, target):
    cross = -(target * log_views).sum(-1)
    teacher, pupils = log_views[:1].detach(), log_views[1:]
    return cross, (teacher.exp() * (teacher - pupils)).sum(-1)


@wrong("everybody is believed", "believe nobody")
def trusted(log_views, present, target):
    return parts(log_views, target)[1].mean(0) * present.all(1)


@wrong("all or nothing", "pupil by pupil|the whole loss")
def trusted(log_views, present, target):
    cross, divergence = parts(log_views, target)
    better = (cross[:1] < cross[1:]).all(0)
    return divergence.mean(0) * better * present.all(1)


@wrong("divided by those who are believed", "pupil by pupil|the whole loss")
def trusted(log_views, present, target):
    cross, divergence = parts(log_views, target)
    believed = (cross[:1] < cross[1:]).double()
    mean = (divergence * believed).sum(0) / believed.sum(0).clamp(min=1)
    return mean * present.all(1)


@wrong("the comparison is turned", "the teacher is right|believe nobody")
def trusted(log_views, present, target):
    cross, divergence = parts(log_views, target)
    return (divergence * (cross[:1] > cross[1:])).mean(0) * present.all(1)


@wrong("the teacher moves", "must stand still")
def trusted(log_views, present, target):
    cross = -(target * log_views).sum(-1)
    teacher, pupils = log_views[:1], log_views[1:]
    divergence = (teacher.exp() * (teacher - pupils)).sum(-1)
    return (divergence * (cross[:1] < cross[1:])).mean(0) * present.all(1)


@wrong("missing branches are forgotten", "branch is missing")
def trusted(log_views, present, target):
    cross, divergence = parts(log_views, target)
    return (divergence * (cross[:1] < cross[1:])).mean(0)


@right("by the KL to the label")
def trusted(log_views, present, target):
    own = F.kl_div(log_views, target.expand_as(log_views), reduction="none")
    own = own.sum(-1)
    total = torch.zeros_like(own[0])
    teacher = log_views[0].detach()
    for place in (1, 2):
        divergence = (teacher.exp() * (teacher - log_views[place])).sum(-1)
        total = total + torch.where(own[0] < own[place], divergence, 0.0 * divergence)
    return total / 2 * present.all(1)


@right("trial by trial")
def trusted(log_views, present, target):
    cross, divergence = parts(log_views, target)
    losses = []
    for trial in range(log_views.shape[1]):
        loss = divergence[0, trial] * 0
        for pupil in (0, 1):
            if cross[0, trial] < cross[pupil + 1, trial] and present[trial].all():
                loss = loss + divergence[pupil, trial] / 2
        losses.append(loss)
    return torch.stack(losses)
