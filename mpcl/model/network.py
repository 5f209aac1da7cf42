"""The network: tokens, memory, prototypes, co-occurrence and compression, each of which can be switched off."""

import dataclasses
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mpcl.model.compression import ValenceCompression
from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_loss, cooccurrence_matrix
from mpcl.model.distillation import gram_loss, relation_loss, relations
from mpcl.model.fusion import BranchSummary, ModalityTokens, MultiScaleMemory
from mpcl.model.prototypes import PrototypeBanks, prototype_loss


@dataclasses.dataclass(frozen=True)
class MPCLConfig:
    """The settings of the network, refused with a ValueError that lists all that is not valid.

    A component that cannot apply to them is switched off, and :attr:`switched_off` says why.

    Args:
        modalities: (name, branch, number of features) of each modality (M), of one or two branches.
        emotions, valence: names of two or more emotions (C), and -1, 0 or +1 for each, the groups of compression.
        width: D, numbers in a token; even.
        prototypes_per_emotion, memories: K, and N learned patterns in the memory, in each branch.
        betas: inverse temperatures at the start, one a scale; only the middle one without ``multiscale``.
        temperature, relation_temperature: tau of the similarity to prototypes, tau_r of the distilled relations.
        dropout, input_dropout: share of numbers dropped, from all that is retrieved or summarised, and from tokens.
        w_prototypes, w_relation, w_cooccurrence: weights of these terms in the loss.
        multiscale, memory, prototypes, distillation, cooccurrence, compression: the switches.
    Example:
        >>> MPCLConfig((("eda", "physiological", 5),), ("happy", "sad", "angry"), (1, -1, -1)).switched_off
        ['distillation is off: it needs two branches, there is only physiological']
    """

    modalities: tuple[tuple[str, str, int], ...]
    emotions: tuple[str, ...]
    valence: tuple[int, ...]
    width: int = 48
    prototypes_per_emotion: int = 2
    memories: int = 16
    betas: tuple[float, ...] = (0.25, 1.0, 4.0)
    temperature: float = 0.3
    relation_temperature: float = 1.0
    dropout: float = 0.3
    input_dropout: float = 0.1
    w_prototypes: float = 0.5
    w_relation: float = 0.1
    w_cooccurrence: float = 0.1
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
        if found := [rule for rule, holds in self._rules().items() if not holds]:
            raise ValueError("\n  - ".join(["these settings of the network are not valid:", *found]))
        for sentence in self.switched_off:
            object.__setattr__(self, sentence.split()[0], False)

    @property
    def branches(self):
        """The names of the branches, in the order of their first modality."""
        return tuple(dict.fromkeys(branch for _, branch, _ in self.modalities))

    @property
    def switched_off(self):
        """A sentence for each component that cannot apply, its name first."""
        reasons = {
            "multiscale is off: there is no memory": not self.memory,
            "multiscale is off: there is one beta": len(self.betas) == 1,
            "distillation is off: there are no prototypes to relate": not self.prototypes,
            f"distillation is off: it needs two branches, there is only {self.branches[0]}": len(self.branches) == 1,
            "cooccurrence is off: with two emotions each has just one other to recall": len(self.emotions) == 2,
            "compression is off: all emotions have the same valence": len(set(self.valence)) == 1,
        }
        return [sentence for sentence, holds in reasons.items() if holds]

    def _rules(self):
        names, emotions, valence = [name for name, *_ in self.modalities], self.emotions, self.valence
        whole = (self.width, self.prototypes_per_emotion, self.memories, *(count for *_, count in self.modalities))
        positive = (self.temperature, self.relation_temperature, *self.betas)
        shares, weights = (self.dropout, self.input_dropout), (self.w_prototypes, self.w_relation, self.w_cooccurrence)
        counted, valued = all(isinstance(one, int) and one > 0 for one in whole), set(valence) <= {-1, 0, 1}
        return {
            f"modalities must be one or more with different names, not {names}": 0 < len(names) == len(set(names)),
            f"branches must be one or two, not {self.branches}": len(self.branches) <= 2,
            f"betas must be one or more, not {self.betas}": len(self.betas) > 0,
            f"emotions must be two or more different ones, not {emotions}": 1 < len(set(emotions)) == len(emotions),
            f"valence must be -1, 0 or 1 an emotion, not {valence}": valued and len(valence) == len(emotions),
            f"width, prototypes_per_emotion, memories and features must be whole and positive, not {whole}": counted,
            f"width must be even, not {self.width}": self.width in range(2, 1 << 20, 2),
            f"temperatures and betas must be positive, not {positive}": all(0 < one < np.inf for one in positive),
            f"dropout and input_dropout must be from 0 to below 1, not {shares}": all(0 <= one < 1 for one in shares),
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
    """What the network says of B windows; None where a component is off."""

    distribution: Tensor  # (B, C), sums to one
    logits: Tensor  # (B, C)
    present: Tensor  # (B, branch), branches with at least one modality
    retrieval: tuple | None = None  # (S, B, m, m + N) for each branch of m modalities, weights; without dropout only
    summaries: Tensor | None = None  # (B, branch, D)
    branches: Tensor | None = None  # (B, branch, C), log of each branch's own distribution
    relations: Tensor | None = None  # (B, branch, C), their log-relations
    banks: Tensor | None = None  # (branch, C, K, D), the prototypes
    tokens: Tensor | None = None  # (B, C, D), of the emotions
    cooccurrence: Tensor | None = None  # (B, C, C), weights of the recall
    expected: Tensor | None = None  # (C, C), the training co-occurrence
    groups: Tensor | None = None  # (B, G), the distribution over valence groups
    code: Tensor | None = None  # (B, D // 2)


class MPCL(nn.Module):
    """Features to a distribution over emotions, its logits the sum of what each level says (our reading).

    logits_c = bias_c + T_c . w_c + group and code logits + sum_b alpha_b a^b_c; with prototypes, co-occurrence and
    compression off, a linear head on the tokens. There is no training mode: without masks there is no dropout.

    Args:
        config: :class:`MPCLConfig`.
        prior, cooccurrence: of the training part, its mean label (C,) and its ``cooccurrence_matrix`` (C, C).
        generator: :class:`torch.Generator` of every initial weight.
    Example:
        >>> config = MPCLConfig((("eda", "physiological", 5),), ("happy", "sad"), (1, -1))
        >>> model = MPCL(config, torch.tensor([0.5, 0.5]), 1 - torch.eye(2), torch.Generator())
        >>> model({"eda": torch.zeros(7, 5)}, torch.ones(7, 1, dtype=torch.bool)).distribution.shape
        torch.Size([7, 2])
    """

    def __init__(self, config, prior, cooccurrence, generator):
        super().__init__()
        self.config, self.switched_off, self.data_fingerprint = config, config.switched_off, ""
        branches, emotions, width = len(config.branches), len(config.emotions), config.width
        order = sorted(range(len(config.modalities)), key=lambda m: config.branches.index(config.modalities[m][1]))
        self.names, branch, features = zip(*(config.modalities[m] for m in order), strict=True)
        self.sizes = [branch.count(own) for own in config.branches]  # modalities of each branch
        self.summarised = config.prototypes or config.cooccurrence or config.compression  # else there are only tokens
        prior = torch.as_tensor(prior).float() + 1e-3
        self.register_buffer("log_prior", (prior / prior.sum()).log())
        self.register_buffer("cooccurrence", torch.as_tensor(cooccurrence).float().clone())
        self.bias = nn.Parameter(self.log_prior.clone())
        self.register_buffer("order", torch.tensor(order), persistent=False)  # modalities, branch by branch
        self.tokens = ModalityTokens(features, width, generator)
        if config.memory:
            betas = config.betas if config.multiscale else (config.betas[len(config.betas) // 2],)
            memories = (MultiScaleMemory(width, config.memories, betas, generator) for _ in self.sizes)
            self.memory = nn.ModuleList(memories)
        if config.prototypes:
            kinds = config.prototypes_per_emotion
            self.prototypes = PrototypeBanks(branches, emotions, kinds, width, config.temperature, generator)
            self.alpha = nn.Parameter(torch.full((branches,), 0.1))
        elif self.summarised:
            self.embeddings = nn.Parameter(torch.randn(emotions, width, generator=generator))
            weight = torch.randn(branches * width, width, generator=generator)
            self.embedding_weight = nn.Parameter(weight / (branches * width) ** 0.5)
        if config.cooccurrence:
            self.recall = CooccurrenceRetrieval(emotions, width, generator)
        if config.compression:
            self.compression = ValenceCompression(config.valence, width, generator)
        if self.summarised:
            self.summary = nn.ModuleList(BranchSummary(size, width, generator) for size in self.sizes)
        inputs = width if self.summarised else len(features) * width
        self.out_weight = nn.Parameter(torch.randn(emotions, inputs, generator=generator) / inputs**0.5 / 10)
        tokens = (len(features), width)  # of the numbers that may be dropped: where, shape and share
        self.sites = {"tokens": (tokens, config.input_dropout), "memory": (tokens, config.dropout)}
        self.sites |= {"summary": ((branches, width), config.dropout), "recall": ((emotions, width), config.dropout)}

    @classmethod
    def from_dataset(cls, dataset, generator, **overrides):
        """A network for a data set of **training participants only**, with its prior and co-occurrence, by trial."""
        return cls(MPCLConfig.from_dataset(dataset, **overrides), *label_statistics(dataset), generator)

    def draw_dropout(self, batch, random):
        """What is kept at each site of dropout, bool arrays (batch, ...) that do not depend on the switches."""
        kept = {}
        for site, (shape, share) in self.sites.items():
            chances = np.frombuffer(random.bytes(2 * batch * np.prod(shape)), np.uint16)
            kept[site] = (chances >= round(share * 65536)).reshape(batch, *shape)
        return kept

    def forward(self, features, present, dropout=None):
        """The distribution over emotions and what led to it, an :class:`Output`.

        Args:
            features: name of each modality to its z-scored features (B, F_m), 0 where a number is missing.
            present: bool (B, M) in the order of ``config.modalities``; where False the features have no effect.
            dropout: what is kept at each site, tensors of :meth:`draw_dropout`; None for no dropout.
        """
        config, found, keep = self.config, {}, dict.fromkeys(self.sites, 1.0)
        if dropout is not None:
            scale = {site: self.bias.new_full((), 1 / (1 - share)) for site, (_, share) in self.sites.items()}
            keep = {site: torch.where(dropout[site], value, 0.0) for site, value in scale.items()}
        x = torch.cat([features[name] for name in self.names], 1)  # (batch, feature)
        present = present.index_select(1, self.order)
        tokens = self.tokens(x, present) * keep["tokens"]  # (batch, modality, width)
        parts, measured = tokens.split(self.sizes, 1), present.split(self.sizes, 1)  # of each branch
        found["present"] = torch.stack([seen.any(1) for seen in measured], 1)
        if config.memory:
            dropped = (tokens.new_ones(1, len(self.names), 1) * keep["memory"]).split(self.sizes, 1)
            each = zip(self.memory, parts, measured, dropped, strict=True)
            parts, weights = zip(*(memory(*one, explain=dropout is None) for memory, *one in each), strict=True)
            found["retrieval"] = weights if dropout is None else None
        if not self.summarised:
            logits = torch.cat(parts, 1).flatten(1) @ self.out_weight.mT + self.bias
            return Output(logits.softmax(-1), logits, **found)
        each = zip(self.summary, parts, strict=True)
        summary = torch.stack([summarise(part) for summarise, part in each], 1)  # (batch, branch, width)
        summary = found["summaries"] = summary * keep["summary"]
        logits = self.bias
        if config.prototypes:
            tokens, activation = self.prototypes(summary, self.log_prior)
            logits = logits + self.alpha @ activation
            found["branches"] = F.log_softmax(activation + self.log_prior, -1)
            found["relations"] = relations(found["branches"], config.relation_temperature)
            found["banks"] = self.prototypes.bank
        else:
            state = (summary.flatten(1) @ self.embedding_weight)[:, None]
            tokens = F.layer_norm(state + self.embeddings, self.embeddings.shape[-1:])  # (batch, emotion, width)
        if config.cooccurrence:
            tokens, found["cooccurrence"] = self.recall(tokens, self.cooccurrence, keep["recall"])
            found["expected"] = self.cooccurrence
        logits = logits + torch.einsum("bcd,cd->bc", tokens, self.out_weight)
        if config.compression:
            levels, found["code"] = self.compression(tokens)
            logits = logits + levels
            found["groups"] = logits.softmax(-1) @ self.compression.membership().mT
        return Output(logits.softmax(-1), logits, tokens=tokens, **found)

    def losses(self, output, target, weight=None):
        """The named terms of the loss in nats, and ``total``, their weighted sum (our reading).

        ``kl`` is KL(target || predicted). No parameter is read but from the output, as after ``functional_call``.

        Args:
            output, target: of :meth:`forward`, and label distributions (B, C).
            weight: of each window (B,), at least 0; equal by default.
        """
        config, weight = self.config, target.new_ones(len(target)) if weight is None else weight
        weight = weight / weight.sum().clamp_min(1e-12)
        terms = {"kl": weight @ (torch.xlogy(target, target) - target * F.log_softmax(output.logits, -1)).sum(-1)}
        if config.prototypes:
            terms["prototypes"] = weight @ prototype_loss(output.branches, target, output.present)
        if config.distillation:
            terms["relation"] = weight @ relation_loss(output.relations, output.present) + gram_loss(output.banks)
        if config.cooccurrence:
            terms["cooccurrence"] = cooccurrence_loss(output.cooccurrence, output.expected, weight)
        return terms | {"total": sum(getattr(config, f"w_{name}", 1.0) * term for name, term in terms.items())}


def label_statistics(dataset):
    """The mean label (C,) and the co-occurrence (C, C) of a data set, in which each trial weighs the same."""
    _, trial, count = np.unique(dataset.trial.values, return_inverse=True, return_counts=True)
    label, weight = map(torch.from_numpy, (dataset.distribution.values.astype(float), 1 / count[trial] / len(count)))
    return weight @ label, cooccurrence_matrix(label, weight)


def parameter_groups(named, weight_decay):
    """Groups for an optimiser: linear maps, named ``weight``, decay; memories, prototypes, biases and others do not."""
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
            model = MPCL(MPCLConfig(**settings["config"]), state["bias"], state["cooccurrence"], torch.Generator())
            model.to(state["bias"].dtype).load_state_dict(state)
            model.data_fingerprint = settings["data_fingerprint"]
        except Exception as error:
            raise ValueError(f"{path} was not written by mpcl.model.network.save ({error})") from error
    return model
