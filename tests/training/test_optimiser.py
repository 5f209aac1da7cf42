"""Which parameters decay."""

import torch

from mpcl.model.config import MPCLConfig
from mpcl.model.labels import LabelStatistics
from mpcl.training.optimiser import parameter_groups


def network():
    modalities = ("eeg", "p", 4), ("face", "b", 3), ("eda", "p", 2)
    emotions, valence = ("joy", "pride", "fear", "anger"), (1, 1, -1, -1)
    config = MPCLConfig(modalities, emotions, valence, width=8)
    labels = LabelStatistics(torch.full((4,), 0.25), torch.eye(4), 50)
    return config.build(labels, torch.Generator())


def test_what_has_two_dimensions_decays_alone_and_in_a_stack():
    model = network()
    named = {id(value): name for name, value in model.named_parameters()}
    groups = parameter_groups(model.named_parameters(), 0.3)
    decayed, kept = ([named[id(p)] for p in group["params"]] for group in groups)
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert sorted(decayed + kept) == sorted(named.values())
    assert sorted(kept) == [
        "bias",
        "compression.alpha",
        "compression.log_beta",
        "fusion.0.amount",
        "fusion.0.modalities.gate",
        "fusion.0.modalities.log_beta",
        "fusion.0.moments.gate",
        "fusion.0.moments.log_beta",
        "fusion.1.moments.gate",
        "fusion.1.moments.log_beta",
        "recall.gate",
        "recall.log_beta",
    ]
    stack = {name: value[None] for name, value in model.named_parameters()}
    groups = parameter_groups(stack.items(), 0.3, stacked=1)
    places = {id(value): name for name, value in stack.items()}
    assert [places[id(p)] for p in groups[1]["params"]] == kept
