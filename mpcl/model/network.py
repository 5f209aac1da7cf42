"""The network: tokens, memory, prototypes, co-occurrence and compression, each of which can be switched off."""

import dataclasses
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mpcl.model.compression import ValenceCompression
from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_loss, cooccurrence_matrix
from mpcl.model.distillation import gram_loss, relation_loss, relations
from mpcl.model.fusion import BranchSummary, ModalityTokens, MultiScaleMemory, concatenated
from mpcl.model.prototypes import EmotionEmbeddings, PrototypeBanks, prototype_loss


@dataclasses.dataclass(frozen=True)
class MPCLConfig:
    """The settings of the network; a component that cannot apply to them is switched off (:attr:`switched_off`).

    Args:
        modalities: (name, branch, number of features) of each modality (M); one or two different branches.
        emotions: names of the emotions (C), at least two.
        valence: -1, 0 or +1 for each emotion; what compression starts its groups from.
        width: D, numbers in a token; even.
        prototypes_per_emotion: K, prototypes of an emotion in each branch.
        memories: N, learned patterns in each branch's memory.
        betas: inverse temperatures that the memory starts from, one a scale; the middle one without ``multiscale``.
        temperature: tau, of the similarity to prototypes.
        relation_temperature: tau_r, of the relations that the branches distil.
        dropout: share of numbers dropped from what is retrieved, from branch summaries and from what is recalled.
        input_dropout: share of numbers dropped from tokens.
        w_prototypes, w_relation, w_cooccurrence: weights of these terms in the loss.
        multiscale, memory, prototypes, distillation, cooccurrence, compression: the switches, one a component.

    Raises:
        ValueError: listing every setting that is not valid.

    Example:
        >>> config = MPCLConfig((("eda", "physiological", 5),), ("happy", "sad", "angry"), (1, -1, -1))
        >>> config.distillation, config.switched_off
        (False, ['distillation is off: it needs two branches and there is one (physiological)'])
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
        for name in ("modalities", "emotions", "valence", "betas"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(tuple(v) if isinstance(v, list) else v for v in value))
        if found := _violations(self):
            raise ValueError("these settings of the network are not valid:" + "".join(f"\n  - {one}" for one in found))
        for component in self._inapplicable():
            object.__setattr__(self, component, False)

    @property
    def branches(self):
        """The names of the branches, in the order of their first modality."""
        return tuple(dict.fromkeys(branch for _, branch, _ in self.modalities))

    @property
    def switched_off(self):
        """A sentence for each component that cannot apply to this data or these settings."""
        return [f"{component} is off: {reason}" for component, reason in self._inapplicable().items()]

    def _inapplicable(self):
        reasons = {}
        if not self.memory or len(self.betas) == 1:
            reasons["multiscale"] = "there is one beta" if self.memory else "there is no memory"
        if not self.prototypes:
            reasons["distillation"] = "there are no prototypes whose relations could be distilled"
        elif len(self.branches) == 1:
            reasons["distillation"] = f"it needs two branches and there is one ({self.branches[0]})"
        if len(self.emotions) == 2:
            reasons["cooccurrence"] = "with two emotions each has just one other to recall"
        if len(set(self.valence)) == 1:
            reasons["compression"] = "all emotions have the same valence"
        return reasons

    @classmethod
    def from_dataset(cls, dataset, **overrides):
        """The settings for a data set that follows the contract; modalities missing in every row are left out.

        Args:
            dataset: :class:`xarray.Dataset` of :mod:`mpcl.data.contract`.
            overrides: any other field.

        Raises:
            ValueError: if the data or the overrides are not valid.
        """
        variables = [variable for variable in dataset.data_vars.values() if "branch" in variable.attrs]
        there = [variable for variable in variables if variable.notnull().any()]
        modalities = tuple((str(v.name), v.attrs["branch"], v.shape[1]) for v in there)
        emotions, valence = map(str, dataset.emotion.values), map(int, dataset.valence.values)
        return cls(**{"modalities": modalities, "emotions": tuple(emotions), "valence": tuple(valence)} | overrides)


def _violations(config):
    c, shares = config, {"dropout": config.dropout, "input_dropout": config.input_dropout}
    names = [name for name, _, _ in c.modalities]
    counts = {name: getattr(c, name) for name in ("width", "prototypes_per_emotion", "memories")}
    counts |= {f"features of {name}": count for name, _, count in c.modalities}
    positive = {"temperature": c.temperature, "relation_temperature": c.relation_temperature}
    positive |= {f"betas[{scale}]": beta for scale, beta in enumerate(c.betas)}
    weights = {name: getattr(c, name) for name in ("w_prototypes", "w_relation", "w_cooccurrence")}
    found = [f"{n} must be a whole number of at least 1, not {v!r}" for n, v in counts.items() if v != int(v) or v < 1]
    found += [f"{n} must be a positive number, not {v!r}" for n, v in positive.items() if not 0 < v < np.inf]
    found += [f"{n} must be a number of at least 0, not {v!r}" for n, v in weights.items() if not 0 <= v < np.inf]
    found += [f"{n} must be at least 0 and below 1, not {v!r}" for n, v in shares.items() if not 0 <= v < 1]
    rules = {
        "there must be at least one modality": names,
        "the names of the modalities must differ": len(set(names)) == len(names),
        f"there may be one or two branches, not {len(c.branches)}": len(c.branches) <= 2,
        "there must be at least two emotions": len(c.emotions) >= 2,
        "the names of the emotions must differ": len(set(c.emotions)) == len(c.emotions),
        "valence must be -1, 0 or 1 an emotion": len(c.valence) == len(c.emotions) and set(c.valence) <= {-1, 0, 1},
        f"width must be even, not {c.width!r}": c.width % 2 == 0,
        "there must be at least one beta": c.betas,
    }
    return found + [sentence for sentence, holds in rules.items() if not holds]


class Output(NamedTuple):
    """What the network says of B windows; None where a component is off."""

    distribution: torch.Tensor  # (B, C), sums to one
    logits: torch.Tensor  # (B, C)
    present: torch.Tensor  # (B, branch), a branch with at least one modality
    summaries: torch.Tensor | None = None  # (B, branch, D)
    tokens: torch.Tensor | None = None  # (B, C, D), the emotion tokens
    retrieval: torch.Tensor | None = None  # (S, B, branch, slot, slot + N), weights; None with dropout
    branches: torch.Tensor | None = None  # (B, branch, C), log of each branch's own distribution
    relations: torch.Tensor | None = None  # (B, branch, C), log-relations
    prototypes: torch.Tensor | None = None  # (branch, C, K, D), the banks
    cooccurrence: torch.Tensor | None = None  # (B, C, C), weights of the recall
    expected: torch.Tensor | None = None  # (C, C), the training co-occurrence
    groups: torch.Tensor | None = None  # (B, G), the distribution over valence groups
    code: torch.Tensor | None = None  # (B, D // 2)


class MPCL(nn.Module):
    """From features to a distribution over emotions; logits are the sum of what each level says (our reading).

    logits_c = bias_c + T_c . w_c + group and code logits + sum_b alpha_b a^b_c; without emotion tokens (prototypes,
    co-occurrence and compression off) a linear head on the concatenated tokens. There is no training mode: dropout
    happens where :meth:`forward` is given its source, and nothing but the optimiser writes to the network.

    Args:
        config: :class:`MPCLConfig`.
        prior: mean label of the training part (C,); the bias starts at its logarithm.
        cooccurrence: :func:`~mpcl.model.cooccurrence.cooccurrence_matrix` of the training part (C, C).
        generator: :class:`torch.Generator` of every initial weight.

    Example:
        >>> config = MPCLConfig((("eda", "physiological", 5),), ("happy", "sad"), (1, -1))
        >>> model = MPCL(config, torch.tensor([0.5, 0.5]), 1 - torch.eye(2), torch.Generator().manual_seed(0))
        >>> model({"eda": torch.zeros(7, 5)}, torch.ones(7, 1, dtype=torch.bool)).distribution.shape
        torch.Size([7, 2])
    """

    def __init__(self, config, prior, cooccurrence, generator):
        super().__init__()
        self.config, self.data_fingerprint = config, ""
        _, branch, features = zip(*config.modalities, strict=True)
        branches, emotions, width = len(config.branches), len(config.emotions), config.width
        prior = torch.as_tensor(prior, dtype=torch.float32) + 1e-3
        self.register_buffer("log_prior", (prior / prior.sum()).log())
        self.register_buffer("cooccurrence", torch.as_tensor(cooccurrence, dtype=torch.float32).clone())
        self.tokens = ModalityTokens(features, list(map(config.branches.index, branch)), width, generator)
        slots = (*self.tokens.slots.shape, width)
        sites = {"tokens": (slots, config.input_dropout)}  # where numbers are dropped: shape and share
        if config.memory:
            betas = config.betas if config.multiscale else (config.betas[len(config.betas) // 2],)
            self.memory = MultiScaleMemory(branches, width, config.memories, betas, generator)
            sites["memory"] = (slots, config.dropout)
        if config.prototypes or config.cooccurrence or config.compression:
            self.summary = BranchSummary(self.tokens.sizes, width, generator)
            sites["summary"] = ((branches, width), config.dropout)
            self.emotion_weight = nn.Parameter(torch.randn(emotions, width, generator=generator) / width**0.5 / 10)
        else:
            inputs = len(features) * width
            self.head_weight = nn.Parameter(torch.randn(inputs, emotions, generator=generator) / inputs**0.5 / 10)
        if config.prototypes:
            kinds = config.prototypes_per_emotion
            self.prototypes = PrototypeBanks(branches, emotions, kinds, width, config.temperature, generator)
            self.alpha = nn.Parameter(torch.full((branches,), 0.1))
        elif config.cooccurrence or config.compression:
            self.embeddings = EmotionEmbeddings(branches, emotions, width, generator)
        if config.cooccurrence:
            self.recall = CooccurrenceRetrieval(emotions, width, generator)
            sites["recall"] = ((emotions, width), config.dropout)
        if config.compression:
            self.compression = ValenceCompression(config.valence, width, generator)
        self.bias = nn.Parameter(self.log_prior.clone())
        self.sites = {site: shape for site, (shape, _) in sites.items()}
        shares = torch.cat([torch.full((int(np.prod(shape)),), share) for shape, share in sites.values()])
        self.register_buffer("dropped", shares, persistent=False)

    @classmethod
    def from_dataset(cls, dataset, generator, **overrides):
        """A network for a data set, its prior and co-occurrence measured there, every trial weighing the same.

        Args:
            dataset: the **training participants** of a contract data set, and nothing else.
            generator: :class:`torch.Generator` of every initial weight.
            overrides: fields of :class:`MPCLConfig`.
        """
        config = MPCLConfig.from_dataset(dataset, **overrides)
        _, trial, windows = np.unique(dataset.trial.values, return_inverse=True, return_counts=True)
        weight = torch.from_numpy(1.0 / windows[trial])
        label = torch.from_numpy(dataset.distribution.values.astype(float))
        return cls(config, weight @ label / weight.sum(), cooccurrence_matrix(label, weight), generator)

    @property
    def switched_off(self):
        """A sentence for each component that cannot apply: :attr:`MPCLConfig.switched_off`."""
        return self.config.switched_off

    def draw_dropout(self, batch, generator):
        """All dropout masks of one step, in one draw: 0 where dropped, else 1 / (1 - share).

        Args:
            batch: B.
            generator: :class:`torch.Generator`; the masks do not depend on the device of the network.

        Returns:
            Tensor (B, numbers that can be dropped); :meth:`forward` takes it in place of the generator.
        """
        draw = torch.rand(batch, len(self.dropped), generator=generator, device=generator.device)
        return (draw.to(self.dropped.device) >= self.dropped) / (1 - self.dropped)

    def forward(self, features, present, generator=None):
        """The distribution over emotions, and all that led to it.

        Args:
            features: a dict, name of each modality to its z-scored features (B, F_m), 0 where one is missing.
            present: bool (B, M) in the order of ``config.modalities``; False: the features have no effect at all.
            generator: source of dropout, a :class:`torch.Generator` or masks of :meth:`draw_dropout`; None: no dropout.

        Returns:
            :class:`Output`.
        """
        config, drop, found = self.config, self._masks(len(present), generator), {}
        x = torch.cat([features[name] for name, _, _ in config.modalities], 1)  # (batch, feature)
        tokens, measured = self.tokens(x, present)  # (batch, branch, slot, width)
        tokens = tokens if generator is None else tokens * drop["tokens"]
        found["present"] = measured.any(2)
        if config.memory:
            tokens, found["retrieval"] = self.memory(tokens, measured, drop["memory"], explain=generator is None)
        if "summary" not in self.sites:
            logits = torch.cat(concatenated(tokens, self.tokens.sizes), 1) @ self.head_weight + self.bias
            return Output(logits.softmax(-1), logits, **found)
        summary = self.summary(tokens)  # (batch, branch, width)
        summary = found["summaries"] = summary if generator is None else summary * drop["summary"]
        logits = self.bias
        if config.prototypes:
            tokens, activation = self.prototypes(summary, self.log_prior)
            logits = logits + torch.einsum("bnc,n->bc", activation, self.alpha)
            found["branches"] = F.log_softmax(activation + self.log_prior, -1)
            found["relations"] = relations(found["branches"], config.relation_temperature)
            found["prototypes"] = self.prototypes.prototypes
        else:
            tokens = self.embeddings(summary)
        if config.cooccurrence:
            tokens, found["cooccurrence"] = self.recall(tokens, self.cooccurrence, drop["recall"])
            found["expected"] = self.cooccurrence
        logits = logits + torch.einsum("bcd,cd->bc", tokens, self.emotion_weight)
        if config.compression:
            levels, found["code"] = self.compression(tokens)
            logits = logits + levels
            found["groups"] = logits.softmax(-1) @ self.compression.membership().mT
        return Output(logits.softmax(-1), logits, tokens=tokens, **found)

    def _masks(self, batch, generator):
        if generator is None:
            return dict.fromkeys(self.sites)
        masks = generator if isinstance(generator, torch.Tensor) else self.draw_dropout(batch, generator)
        parts = masks.split([int(np.prod(shape)) for shape in self.sites.values()], 1)
        return {site: part.unflatten(1, self.sites[site]) for site, part in zip(self.sites, parts, strict=True)}

    def losses(self, output, target, weight=None):
        """The named terms of the loss in nats, and ``total``, their weighted sum (our reading).

        It reads the output and the settings, not the parameters, so it may follow ``torch.func.functional_call``.

        Args:
            output: :class:`Output` of :meth:`forward`.
            target: label distributions (B, C).
            weight: of each window (B,), >= 0; equal by default.

        Returns:
            dict of numbers: ``kl`` = KL(target || predicted), and ``prototypes``, ``relation`` and ``cooccurrence``
            where these components are on.
        """
        config, weight = self.config, target.new_ones(len(target)) if weight is None else weight
        weight = weight / weight.sum().clamp_min(1e-12)
        terms = {"kl": weight @ F.kl_div(F.log_softmax(output.logits, -1), target, reduction="none").sum(-1)}
        total = terms["kl"]
        if config.prototypes:
            terms["prototypes"] = weight @ prototype_loss(output.branches, target, output.present)
            total = total + config.w_prototypes * terms["prototypes"]
        if config.distillation:
            terms["relation"] = weight @ relation_loss(output.relations, output.present) + gram_loss(output.prototypes)
            total = total + config.w_relation * terms["relation"]
        if config.cooccurrence:
            terms["cooccurrence"] = cooccurrence_loss(output.cooccurrence, output.expected, weight)
            total = total + config.w_cooccurrence * terms["cooccurrence"]
        return terms | {"total": total}


def parameter_groups(model, weight_decay):
    """Two groups for an optimiser: linear maps decay; memories, prototypes, biases, embeddings and betas do not.

    Args:
        model: :class:`MPCL`; the name of a linear map contains ``weight``.
        weight_decay: of the linear maps.
    """
    named = list(model.named_parameters())
    decayed, kept = ([p for name, p in named if ("weight" in name) == linear] for linear in (True, False))
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]


def save(model, path, data_fingerprint):
    """Write weights, buffers, settings and the fingerprint of the training data, whole or not at all; no pickle.

    Args:
        model: :class:`MPCL`.
        path: the file to write (npz); its folder is made.
        data_fingerprint: of the data that it was trained on.
    """
    path, arrays = Path(path), {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    settings = {"config": dataclasses.asdict(model.config), "data_fingerprint": data_fingerprint}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, settings=json.dumps(settings), **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path):
    """The network that :func:`save` wrote, with the fingerprint of its data in ``model.data_fingerprint``.

    Args:
        path: the file.

    Raises:
        ValueError: if this is not such a file.
        FileNotFoundError: if there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name]) for name in file.files if name != "settings"}
            settings = json.loads(str(file["settings"]))
        config = MPCLConfig(**settings["config"])
        model = MPCL(config, state["log_prior"], state["cooccurrence"], torch.Generator())
        model.to(state["bias"].dtype).load_state_dict(state)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a network that mpcl.model.network.save wrote ({error})") from error
    model.data_fingerprint = settings["data_fingerprint"]
    return model
