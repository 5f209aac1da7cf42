"""The network: fusion, banks, compression and co-occurrence, one after the other.

Each of them can be switched off, and each asks the memory of :mod:`mpcl.model.memory`.
"""

from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
import xarray as xr
from torch import Generator, Tensor, nn

from mpcl.model.compression import SemanticCompression, valence_groups
from mpcl.model.config import MPCLConfig
from mpcl.model.cooccurrence import CooccurrenceRetrieval, cooccurrence_of
from mpcl.model.distillation import distillation_loss, views
from mpcl.model.fusion import BranchFusion
from mpcl.model.labels import LabelStatistics, label_statistics
from mpcl.model.prototypes import (
    EmotionEmbeddings,
    PrototypeBanks,
    prototype_loss,
    writing_loss,
)


class Output(NamedTuple):
    """What the network says of B trials of W moments; None where a component is off."""

    distribution: Tensor  # (B, C), sums to one
    logits: Tensor  # (B, C)
    evidence: Tensor  # (B, C), the logits above the bias before co-occurrence
    present: Tensor  # (B, branch), branches with a modality in at least one moment
    summaries: Tensor  # (B, branch, D)
    modality_weights: tuple[Tensor | None, ...]  # of each branch: (S, B, W, m, m)
    moment_weights: tuple[Tensor | None, ...]  # of each branch: (S, B, W)
    tokens: Tensor | None = None  # (B, C, D), of the emotions
    branches: Tensor | None = None  # (B, branch, C), log of each one's distribution
    relations: Tensor | None = None  # (1 + branch, B, C K), log: by all, by each
    writing: Tensor | None = None  # (B, branch, C), energy of the trial in each bank
    views: Tensor | None = None  # (3, B, C), log: by both, the first, the second
    group_weights: Tensor | None = None  # (B, G, C), which emotions a group recalls
    groups: Tensor | None = None  # (B, G), the distribution over groups
    code: Tensor | None = None  # (B, code)
    associations: Tensor | None = None  # (B, C, C), which others an emotion recalls


class LinearHead(nn.Module):
    """Evidence without compression, e_c = T_c . w_c + sum_b alpha_b a_c^b."""

    def __init__(
        self, emotions: int, inputs: int, branches: int, generator: Generator
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(emotions, inputs, generator=generator) / inputs**0.5 / 10
        )
        self.alpha = nn.Parameter(torch.full((branches,), 0.1))

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(self, tokens: Tensor, activation: Tensor) -> Tensor:
        """Evidence (B, C) of tokens (B, C, D) and activations (B, branch, C)."""
        return (tokens * self.weight).sum(-1) + self.alpha @ activation


class MPCL(nn.Module):
    """Features to a distribution over emotions (our reading).

    Each branch recalls its trial; banks of all emotions recall what they know of it;
    groups of emotions recall these tokens, and emotions are told from the groups;
    each emotion recalls the others: logits = bias + e'. With all components off, a
    linear head reads the mean of the trial. There is no training mode: without masks
    there is no dropout.

    Args:
        config: the settings.
        labels: of the training part.
        generator: of every initial weight.

    Example:
        >>> eda = ("eda", "physiological", 5)
        >>> config = MPCLConfig((eda,), ("happy", "sad"), (1, -1))
        >>> labels = LabelStatistics(torch.tensor([0.5, 0.5]), torch.eye(2), 10)
        >>> model = MPCL(config, labels, torch.Generator())
        >>> features, present = torch.zeros(7, 3, 5), torch.ones(7, 3, 1).bool()
        >>> model(features, present).distribution.shape
        torch.Size([7, 2])
    """

    log_prior: Tensor  # (C,)

    def __init__(
        self, config: MPCLConfig, labels: LabelStatistics, generator: Generator
    ) -> None:
        super().__init__()
        self.config = config
        counts = [
            [count for _, branch, count in config.modalities if branch == name]
            for name in config.branches
        ]
        self.mask_shapes: list[tuple[int, ...]] = [(len(counts), config.width)]
        self.features = [sum(each) for each in counts]  # of each branch
        self.sizes = [len(each) for each in counts]  # modalities of each branch
        self.register_buffer("log_prior", labels.log_prior())
        self.bias = nn.Parameter(self.log_prior.clone())
        across = config.scales if config.modality_memory else ()
        along = config.scales if config.memory else ()
        self.fusion = nn.ModuleList(
            BranchFusion(each, config.width, across, along, generator)
            for each in counts
        )
        self._make_tokens(generator)
        if config.cooccurrence:
            self.recall = CooccurrenceRetrieval(
                cooccurrence_of(labels.correlation),
                labels.trials,
                config.cooccurrence_strength,
                config.cooccurrence_gate,
            )

    def _make_tokens(self, generator: Generator) -> None:
        """What makes tokens of the emotions, and what reads them."""
        config, width = self.config, self.config.width
        branches, emotions, inputs = len(config.branches), len(config.emotions), width
        if config.prototypes:
            kinds, temperature = config.prototypes_per_emotion, config.temperature
            past = not config.banks_alone
            self.banks = PrototypeBanks(
                branches, emotions, kinds, width, temperature, generator, past
            )
        elif config.compression or config.cooccurrence:
            self.embeddings = EmotionEmbeddings(branches, emotions, width, generator)
        else:
            inputs = branches * width
        if not config.compression:
            self.head = LinearHead(emotions, inputs, branches, generator)
            return
        start = torch.randn(config.groups, emotions, generator=generator) / 8
        if not config.learned_groups:
            start = 4 * valence_groups(config.valence)
        self.compression = SemanticCompression(
            start, config.learned_groups, branches, width, config.code, generator
        )

    @classmethod
    def from_dataset(
        cls, dataset: xr.Dataset, generator: Generator, **changes: Any
    ) -> Self:
        """A network for a data set of **training participants only**."""
        config = MPCLConfig.from_dataset(dataset, **changes)
        return cls(config, label_statistics(dataset), generator)

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12
    def forward(
        self, features: Tensor, present: Tensor, keep: Tensor | None = None
    ) -> Output:
        """The distribution over emotions and what led to it.

        Args:
            features: z-scored features (B, W, F) of all modalities side by side, see
                ``config.columns``; 0 where a number is missing.
            present: bool (B, W, M) in the order of ``config.modalities``; where False
                the features have no effect, and a moment where nothing is present does
                not count.
            keep: bool (B, number), what dropout keeps of the summaries, flat, see
                ``mask_shapes``; None for all.
        """
        of_branch = present.split(self.sizes, -1)  # (batch, moment, modality) each
        parts = zip(
            self.fusion, features.split(self.features, -1), of_branch, strict=True
        )
        fused = [fusion(x, is_present) for fusion, x, is_present in parts]
        trials, modality_weights, moment_weights = zip(*fused, strict=True)
        summaries = torch.stack(trials, 1)  # (batch, branch, width)
        if keep is not None:
            keep = keep.reshape(summaries.shape)
            scaled = summaries / (1 - self.config.dropout)
            summaries = torch.where(keep, scaled, 0.0)
        return Output(
            present=torch.stack([each.any(-1).any(-1) for each in of_branch], 1),
            summaries=summaries,
            modality_weights=modality_weights,
            moment_weights=moment_weights,
            **self.ask(summaries),
        )

    def ask(self, summaries: Tensor) -> dict[str, Tensor]:
        """What is predicted from summaries (B, branch, D), by all and by each branch.

        Under the names of :class:`Output`.
        """
        config, count = self.config, len(summaries)
        asked = summaries
        if config.asks_each:
            asked = views(summaries, self.silence())  # (3 batch, branch, width)
        answers = self.read(asked)
        answer = {name: value[:count] for name, value in answers.items()}
        answer["distribution"] = answer["logits"].softmax(-1)
        if config.asks_each:
            logits = answers["logits"].unflatten(0, (3, count))
            answer["views"] = logits.log_softmax(-1)
        if config.prototypes:
            answer["relations"] = self.banks.relations(summaries)
            answer["writing"] = self.banks.writing(summaries)
        if config.compression:
            membership = self.compression.membership()
            answer["groups"] = answer["distribution"] @ membership.mT
        return answer

    def silence(self) -> Tensor:
        """The summary of each branch where nothing of it was measured (branch, D)."""
        # a ModuleList does not tell the class of its modules
        return torch.stack([fusion.silence() for fusion in self.fusion])  # pyrefly: ignore

    def read(self, summaries: Tensor) -> dict[str, Tensor]:
        """The logits (B, C) of summaries (B, branch, D), and what led to them.

        Under the names of :class:`Output`.
        """
        config = self.config
        tokens = summaries.flatten(1)[:, None]  # (batch, 1, branch width)
        nearness = torch.zeros_like(summaries[..., :1])  # (batch, branch, 1)
        answer: dict[str, Tensor] = {}
        if config.prototypes:
            tokens, nearness = self.banks(summaries)
            answer["branches"] = F.log_softmax(nearness + self.log_prior, -1)
        elif config.compression or config.cooccurrence:
            tokens = self.embeddings(summaries)
        if config.compression:
            evidence, weights, code = self.compression(tokens, nearness)
            answer |= {"group_weights": weights, "code": code}
        else:
            evidence = self.head(tokens, nearness)
        recalled = evidence
        if config.cooccurrence:
            recalled, answer["associations"] = self.recall(evidence, tokens)
        logits = self.bias + recalled
        return answer | {"tokens": tokens, "evidence": evidence, "logits": logits}

    def losses(self, output: Output, target: Tensor) -> dict[str, Tensor]:
        """The named terms of the loss in nats; ``config.loss_weights`` weigh them.

        Our reading. ``kl`` is KL(target || predicted); trials weigh alike. No parameter
        is read but from the output, as after ``functional_call``.

        Args:
            output: of :meth:`forward`.
            target: label distributions (B, C).
        """
        log_predicted = F.log_softmax(output.logits, -1)
        surprise = torch.xlogy(target, target) - target * log_predicted
        terms = {"kl": surprise.sum(-1)}  # (batch,) each
        present = output.present
        if output.branches is not None:
            terms["prototypes"] = prototype_loss(output.branches, target, present)
        if output.writing is not None:
            terms["writing"] = writing_loss(output.writing, target, present)
        if output.views is not None:
            terms["teacher"] = distillation_loss(output.views, present)
            terms["label"] = distillation_loss(output.views, present, target)
            if output.relations is not None:
                terms["relation"] = distillation_loss(output.relations, present)
        return {name: each.mean() for name, each in terms.items()}
