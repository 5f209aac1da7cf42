"""The network: fusion, prototypes, co-occurrence and compression, each of which can be switched off."""

import dataclasses
import json
import os
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mpcl.model.compression import ValenceCompression
from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_matrix
from mpcl.model.distillation import relation_loss, views
from mpcl.model.fusion import ModalityTokens, TrialMemory, mean_moment
from mpcl.model.prototypes import PrototypeBanks, prototype_loss


@dataclasses.dataclass(frozen=True)
class MPCLConfig:
    """The settings of the network, refused with a ValueError that lists all that is not valid.

    A component that cannot apply to them is switched off, and :attr:`switched_off` says why.

    Args:
        modalities: (name, branch, number of features) of each modality (M), of one or two branches; kept branch by
            branch.
        emotions, valence: names of two or more emotions (C), and -1, 0 or +1 for each, the groups of compression.
        width: D, numbers in a token; even.
        prototypes_per_emotion: K, in each branch.
        betas: inverse temperatures of the trial's memory at the start.
        temperature: tau of the similarity to prototypes.
        cooccurrence_strength: kappa, as how many training trials the co-occurrence counts.
        dropout: share of the numbers of the summaries that are dropped.
        w_prototypes, w_relation: weights of these terms in the loss.
        multiscale: two scales of time, moments and their trial; without it each window is a trial of its own.
        memory, prototypes, distillation, cooccurrence, compression: the other switches.
    Example:
        >>> MPCLConfig((("eda", "physiological", 5),), ("happy", "sad", "angry"), (1, -1, -1)).switched_off
        ['distillation is off: it needs two branches, there is only physiological']
    """

    modalities: tuple[tuple[str, str, int], ...]
    emotions: tuple[str, ...]
    valence: tuple[int, ...]
    width: int = 48
    prototypes_per_emotion: int = 2
    betas: tuple[float, ...] = (0.25, 1.0, 4.0)
    temperature: float = 0.3
    cooccurrence_strength: float = 400.0
    dropout: float = 0.3
    w_prototypes: float = 0.5
    w_relation: float = 1.0
    multiscale: bool = True
    memory: bool = True
    prototypes: bool = True
    distillation: bool = True
    cooccurrence: bool = True
    compression: bool = True

    def __post_init__(self):
        for name in ("modalities", "emotions", "valence", "betas"):  # lists, from JSON, become tuples
            value = tuple(tuple(item) if isinstance(item, list) else item for item in getattr(self, name))
            object.__setattr__(self, name, value)
        together = sorted(self.modalities, key=lambda one: self.branches.index(one[1]))
        object.__setattr__(self, "modalities", tuple(together))
        if found := [rule for rule, holds in self._rules().items() if not holds]:
            raise ValueError("\n  - ".join(["these settings of the network are not valid:", *found]))
        for sentence in self.switched_off:
            object.__setattr__(self, sentence.split()[0], False)

    @property
    def branches(self):
        """The names of the branches, in the order of their first modality."""
        return tuple(dict.fromkeys(branch for _, branch, _ in self.modalities))

    @property
    def columns(self):
        """Where the features of each modality stand side by side: dict from name to slice."""
        ends = list(accumulate(count for *_, count in self.modalities))
        return {name: slice(end - count, end) for (name, _, count), end in zip(self.modalities, ends, strict=True)}

    @property
    def switched_off(self):
        """A sentence for each component that cannot apply, its name first."""
        reasons = {
            "memory is off: a window that is a trial of its own has no other to recall": not self.multiscale,
            f"distillation is off: it needs two branches, there is only {self.branches[0]}": len(self.branches) == 1,
            "cooccurrence is off: with two emotions each has just one other to recall": len(self.emotions) == 2,
            "compression is off: all emotions have the same valence": len(set(self.valence)) == 1,
        }
        return [sentence for sentence, holds in reasons.items() if holds]

    def _rules(self):
        names, emotions, valence = [name for name, *_ in self.modalities], self.emotions, self.valence
        whole = (self.width, self.prototypes_per_emotion, *(count for *_, count in self.modalities))
        positive = (self.temperature, self.cooccurrence_strength, *self.betas)
        finite = all(0 < one < np.inf for one in positive)
        weights = self.w_prototypes, self.w_relation
        counted, valued = all(isinstance(one, int) and one > 0 for one in whole), set(valence) <= {-1, 0, 1}
        return {
            f"modalities must be one or more with different names, not {names}": 0 < len(names) == len(set(names)),
            f"branches must be one or two, not {self.branches}": len(self.branches) <= 2,
            f"betas must be one or more, not {self.betas}": len(self.betas) > 0,
            f"emotions must be two or more different ones, not {emotions}": 1 < len(set(emotions)) == len(emotions),
            f"valence must be -1, 0 or 1 an emotion, not {valence}": valued and len(valence) == len(emotions),
            f"width, prototypes_per_emotion and features must be whole and positive, not {whole}": counted,
            f"width must be even, not {self.width}": self.width in range(2, 1 << 20, 2),
            f"temperature, cooccurrence_strength and betas must be positive, not {positive}": finite,
            f"dropout must be from 0 to below 1, not {self.dropout}": 0 <= self.dropout < 1,
            f"w_... must be 0 or positive, not {weights}": all(0 <= one < np.inf for one in weights),
        }

    @classmethod
    def from_dataset(cls, dataset, **overrides):
        """Settings for a data set of :mod:`mpcl.data.contract`; modalities missing in every row are left out."""
        there = [v for v in dataset.data_vars.values() if "branch" in v.attrs and v.notnull().any()]
        modalities = tuple((str(v.name), str(v.attrs["branch"]), v.shape[1]) for v in there)
        emotions, valence = tuple(map(str, dataset.emotion.values)), tuple(map(int, dataset.valence.values))
        return cls(**{"modalities": modalities, "emotions": emotions, "valence": valence} | overrides)


class Output(NamedTuple):
    """What the network says of B trials of W moments; None where a component is off."""

    distribution: Tensor  # (B, C), sums to one
    logits: Tensor  # (B, C)
    present: Tensor  # (B, branch), branches with at least one modality in at least one moment
    summaries: Tensor  # (B, branch, D)
    evidence: Tensor  # (B, C), the logits above the bias before co-occurrence
    retrieval: tuple | None = None  # (S, B, W) for each branch, weights of the moments
    branches: Tensor | None = None  # (B, branch, C), log of each branch's own distribution
    relations: Tensor | None = None  # (3, B, C), log: by both branches, by the first alone, by the second alone
    tokens: Tensor | None = None  # (B, C, D), of the emotions
    groups: Tensor | None = None  # (B, G), the distribution over valence groups
    code: Tensor | None = None  # (B, D // 2)


class MPCL(nn.Module):
    """Features to a distribution over emotions, its logits the sum of what each level says (our reading).

    logits = bias + A (T_c . w_c + group and code logits + sum_b alpha_b a^b_c); without prototypes and compression a
    linear head on the summaries. There is no training mode: without masks there is no dropout.

    Args:
        config: :class:`MPCLConfig`.
        prior, cooccurrence, trials: of the training part, its mean label (C,), its ``cooccurrence_matrix`` (C, C) and
            how many trials it has.
        generator: :class:`torch.Generator` of every initial weight.
    Example:
        >>> config = MPCLConfig((("eda", "physiological", 5),), ("happy", "sad"), (1, -1))
        >>> model = MPCL(config, torch.tensor([0.5, 0.5]), 1 - torch.eye(2), 10, torch.Generator())
        >>> model(torch.zeros(7, 3, 5), torch.ones(7, 3, 1, dtype=torch.bool)).distribution.shape
        torch.Size([7, 2])
    """

    def __init__(self, config, prior, cooccurrence, trials, generator):
        super().__init__()
        self.config, self.switched_off, self.data_fingerprint = config, config.switched_off, ""
        branches, emotions, width = len(config.branches), len(config.emotions), config.width
        of = [[count for _, own, count in config.modalities if own == branch] for branch in config.branches]
        self.features, self.sizes = list(map(sum, of)), list(map(len, of))  # of each branch
        prior = torch.as_tensor(prior).float() + 1e-3
        self.register_buffer("log_prior", (prior / prior.sum()).log())
        self.bias = nn.Parameter(self.log_prior.clone())
        self.tokens = nn.ModuleList(ModalityTokens(counts, width, generator) for counts in of)
        if config.memory:
            self.memory = nn.ModuleList(TrialMemory(config.betas) for _ in of)
        if config.prototypes:
            kinds = config.prototypes_per_emotion
            self.prototypes = PrototypeBanks(branches, emotions, kinds, width, config.temperature, generator)
            self.alpha = nn.Parameter(torch.full((branches,), 0.1))
        elif config.compression:
            self.embeddings = nn.Parameter(torch.randn(emotions, width, generator=generator))
            weight = torch.randn(branches * width, width, generator=generator)
            self.embedding_weight = nn.Parameter(weight / (branches * width) ** 0.5)
        inputs = width if config.prototypes or config.compression else branches * width
        self.out_weight = nn.Parameter(torch.randn(emotions, inputs, generator=generator) / inputs**0.5 / 10)
        if config.compression:
            self.compression = ValenceCompression(config.valence, width, generator)
        if config.cooccurrence:
            self.recall = CooccurrenceRetrieval(cooccurrence, trials, config.cooccurrence_strength)

    @classmethod
    def from_dataset(cls, dataset, generator, **overrides):
        """A network for a data set of **training participants only**, with its prior and co-occurrence, by trial."""
        return cls(MPCLConfig.from_dataset(dataset, **overrides), *label_statistics(dataset), generator)

    def forward(self, features, present, dropout=None):
        """The distribution over emotions and what led to it, an :class:`Output`.

        Args:
            features: z-scored features (B, W, F) of all modalities side by side, see ``config.columns``; 0 where a
                number is missing.
            present: bool (B, W, M) in the order of ``config.modalities``; where False the features have no effect, and
                a moment where nothing is present does not count.
            dropout: bool (B, branch, D), what is kept of the summaries; None for all.
        """
        config, found = self.config, {}
        measured = present.split(self.sizes, -1)
        parts = zip(self.tokens, features.split(self.features, -1), measured, strict=True)
        moments = [tokens(x, seen) for tokens, x, seen in parts]  # (batch, moment, width) each
        there = [seen.any(-1) for seen in measured]  # (batch, moment)
        if config.memory:
            recalled = [memory(*one) for memory, *one in zip(self.memory, moments, there, strict=True)]
            trial, found["retrieval"] = zip(*recalled, strict=True)
        else:
            trial = [F.layer_norm(mean_moment(*one), (config.width,)) for one in zip(moments, there, strict=True)]
        summaries = torch.stack(trial, 1)  # (batch, branch, width)
        if dropout is not None:
            summaries = torch.where(dropout, summaries / (1 - config.dropout), 0.0)
        found["summaries"] = summaries
        found["present"] = torch.stack([one.any(-1) for one in there], 1)
        if config.distillation:
            silence = torch.stack([tokens.silence() for tokens in self.tokens])  # as a moment; as a trial it is
            summaries = views(summaries, F.layer_norm(silence, (config.width,)))
        evidence, read = self.read(summaries)
        logits = self.bias + (self.recall(evidence) if config.cooccurrence else evidence)
        count = len(features)
        found |= {name: value[:count] for name, value in read.items()}
        if config.distillation:
            found["relations"] = F.log_softmax(logits, -1).unflatten(0, (3, count))
        distribution = logits[:count].softmax(-1)
        if config.compression:
            found["groups"] = distribution @ self.compression.membership().mT
        return Output(distribution, logits[:count], evidence=evidence[:count], **found)

    def read(self, summaries):
        """The evidence for each emotion (B, C) in the summaries of the branches (B, branch, D), and what led to it."""
        config, found, evidence = self.config, {}, 0.0
        if config.prototypes:
            tokens, activation = self.prototypes(summaries)
            evidence = self.alpha @ activation
            found["branches"] = F.log_softmax(activation + self.log_prior, -1)
        elif config.compression:
            state = (summaries.flatten(1) @ self.embedding_weight)[:, None]
            tokens = F.layer_norm(state + self.embeddings, (config.width,))  # (batch, emotion, width)
        else:
            return summaries.flatten(1) @ self.out_weight.mT, found
        evidence = evidence + (tokens * self.out_weight).sum(-1)
        if config.compression:
            levels, found["code"] = self.compression(tokens)
            evidence = evidence + levels
        return evidence, found | {"tokens": tokens}

    def losses(self, output, target):
        """The named terms of the loss in nats, and ``total``, their weighted sum (our reading).

        ``kl`` is KL(target || predicted); trials weigh alike. No parameter is read but from the output, as after
        ``functional_call``.

        Args:
            output, target: of :meth:`forward`, and label distributions (B, C).
        """
        config = self.config
        terms = {"kl": (torch.xlogy(target, target) - target * F.log_softmax(output.logits, -1)).sum(-1).mean()}
        if config.prototypes:
            terms["prototypes"] = prototype_loss(output.branches, target, output.present).mean()
        if config.distillation:
            terms["relation"] = relation_loss(output.relations, output.present).mean()
        return terms | {"total": sum(getattr(config, f"w_{name}", 1.0) * term for name, term in terms.items())}


def label_statistics(dataset):
    """The mean label (C,) and co-occurrence (C, C) of a data set, each trial weighing the same; and how many trials."""
    _, trial, count = np.unique(dataset.trial.values, return_inverse=True, return_counts=True)
    label, weight = map(torch.from_numpy, (dataset.distribution.values.astype(float), 1 / count[trial] / len(count)))
    return weight @ label, cooccurrence_matrix(label, weight), len(count)


def parameter_groups(named, weight_decay):
    """Groups for an optimiser: linear maps, named ``weight``, decay; prototypes, biases and others do not."""
    named = list(named)
    decayed, kept = ([p for name, p in named if ("weight" in name) == linear] for linear in (True, False))
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]


def save(model, path, data_fingerprint):
    """Write a model and the fingerprint of its training data to ``path`` (npz, no pickles), whole or not at all."""
    path, settings = Path(path), {"config": dataclasses.asdict(model.config), "data_fingerprint": data_fingerprint}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, settings=json.dumps(settings), **{k: v.cpu().numpy() for k, v in model.state_dict().items()})
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path):
    """The model that :func:`save` wrote to ``path``, with its ``data_fingerprint``; ValueError for any other file."""
    with open(path, "rb") as file:
        try:
            arrays = dict(np.load(file, allow_pickle=False))
            settings = json.loads(str(arrays.pop("settings")))
            state = {name: torch.from_numpy(array) for name, array in arrays.items()}
            config = MPCLConfig(**settings["config"])
            model = MPCL(config, state["bias"], torch.zeros(2 * [len(config.emotions)]), 1, torch.Generator())
            model.to(state["bias"].dtype).load_state_dict(state)
            model.data_fingerprint = settings["data_fingerprint"]
        except Exception as error:
            raise ValueError(f"{path} was not written by mpcl.model.network.save ({error})") from error
    return model
