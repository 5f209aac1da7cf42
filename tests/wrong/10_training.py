"""Answers to the exercises of chapter 10."""

import torch

from mpcl import splits
from mpcl.training.optimiser import parameter_groups
from tests.wrong import answers

ANSWERS, wrong, right = answers()


@wrong("seeds are forgotten", "with every seed")
def trainings(dataset, seeds):
    protocols = ("leave-one-participant-out", "participants")
    return tuple(len(splits.folds(dataset, name)) for name in protocols)


@wrong("windows in place of people", "each participant is held out once")
def trainings(dataset, seeds):
    return dataset.sizes["window"] * seeds, 5 * seeds


@wrong("always five folds", "with three people")
def trainings(dataset, seeds):
    return len(splits.names(dataset)) * seeds, 5 * seeds


@wrong("the other order", "each participant is held out once")
def trainings(dataset, seeds):
    protocols = ("participants", "leave-one-participant-out")
    return tuple(seeds * len(splits.folds(dataset, name)) for name in protocols)


@wrong("the default number of seeds", "five folds")
def trainings(dataset, seeds):
    return len(splits.names(dataset)) * 10, min(5, len(splits.names(dataset))) * 10


@right("from the number of people")
def trainings(dataset, seeds):
    people = len(set(dataset.participant.values.tolist()))
    return [people * seeds, min(5, people) * seeds]


@right("counted one by one")
def trainings(dataset, seeds):
    counts = []
    for name in ("leave-one-participant-out", "participants"):
        counts.append(sum(seeds for _ in splits.folds(dataset, name)))
    return counts


@wrong("tensors are counted", "not tensors")
def share_that_decays(model):
    groups = parameter_groups(model.named_parameters(), 0.3)
    counts = {group["weight_decay"]: len(group["params"]) for group in groups}
    return counts[0.3] / sum(counts.values())


@wrong("the share that is kept", "of those that decay")
def share_that_decays(model):
    groups = parameter_groups(model.named_parameters(), 0.3)
    counts = {
        group["weight_decay"]: sum(p.numel() for p in group["params"])
        for group in groups
    }
    return counts[0.0] / sum(counts.values())


@wrong("the number, not the share", "some decay, some do not")
def share_that_decays(model):
    groups = parameter_groups(model.named_parameters(), 0.3)
    decaying = [group for group in groups if group["weight_decay"]]
    return sum(p.numel() for group in decaying for p in group["params"])


@wrong("by the word weight in the name", "of those that decay")
def share_that_decays(model):
    counts = {True: 0, False: 0}
    for name, value in model.named_parameters():
        counts["weight" in name] += value.numel()
    return counts[True] / sum(counts.values())


@right("by the number of dimensions")
def share_that_decays(model):
    counts = {True: 0, False: 0}
    for value in model.parameters():
        counts[value.dim() > 1] += value.numel()
    return counts[True] / sum(counts.values())


@wrong("the number of this page", "of any network")
def share_that_decays(model):
    groups = parameter_groups(untrained.named_parameters(), 0.3)  # noqa: F821
    counts = {
        group["weight_decay"]: sum(p.numel() for p in group["params"])
        for group in groups
    }
    return counts[0.3] / sum(counts.values())


@right("flattened and counted")
def share_that_decays(model):
    groups = parameter_groups(model.named_parameters(), 0.3)
    sizes = [
        (
            group["weight_decay"],
            len(torch.cat([p.reshape(-1) for p in group["params"]])),
        )
        for group in groups
        if group["params"]
    ]
    return sum(size for decay, size in sizes if decay) / sum(size for _, size in sizes)


@right("with another decay")
def share_that_decays(model):
    total = decaying = 0
    for group in parameter_groups(model.named_parameters(), 1.0):
        for value in group["params"]:
            total += value.numel()
            decaying += value.numel() * (group["weight_decay"] == 1.0)
    return decaying / total


@wrong("the whole trial", "what comes later must not be read")
def so_far(model, data, count):
    with torch.no_grad():
        return model(data.features, data.present).distribution


@wrong("off by one", "what comes later must not be read|the whole trial")
def so_far(model, data, count):
    present = data.present.clone()
    present[:, count + 1 :] = False
    with torch.no_grad():
        return model(data.features, present).distribution


@wrong("the last moments", "what comes later must not be read")
def so_far(model, data, count):
    present = data.present.clone()
    present[:, : present.shape[1] - count] = False
    with torch.no_grad():
        return model(data.features, present).distribution


@wrong("one moment alone, the latest", "two moments|what comes later|the whole trial")
def so_far(model, data, count):
    moment = slice(count - 1, count)
    with torch.no_grad():
        return model(data.features[:, moment], data.present[:, moment]).distribution


@wrong("the inputs are changed", "leave the inputs as they are")
def so_far(model, data, count):
    data.present[:, count:] = False
    with torch.no_grad():
        return model(data.features, data.present).distribution


@wrong("features set to zero count as present", "what comes later|the whole trial")
def so_far(model, data, count):
    features = data.features.clone()
    features[:, count:] = 0
    with torch.no_grad():
        return model(features, data.present).distribution


@right("cut off")
def so_far(model, data, count):
    with torch.no_grad():
        return model(data.features[:, :count], data.present[:, :count]).distribution


@right("a mask of moments")
def so_far(model, data, count):
    early = torch.arange(data.present.shape[1]) < count
    with torch.no_grad():
        return model(data.features, data.present & early[:, None]).distribution
