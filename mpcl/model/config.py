"""The settings of the network, checked before anything is built; needs no torch."""

import dataclasses
import importlib
import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeGuard

import xarray as xr

from mpcl.data.contract import measured
from mpcl.errors import ParameterError

if TYPE_CHECKING:  # whoever only needs the settings waits for no torch
    import torch

    from mpcl.model.labels import LabelStatistics
    from mpcl.model.network import MPCL


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, and not True or False."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, and not True or False.

    Example:
        >>> is_number(1), is_number(float("nan")), is_number(True)
        (True, False, False)
    """
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


@dataclasses.dataclass(frozen=True)
class MPCLConfig:
    """The settings of the network; those that are not valid are refused all at once.

    A component that cannot apply to them is switched off: :attr:`switched_off`.

    Args:
        modalities: (name, branch, number of features) of each modality (M), of one or
            two branches; kept branch by branch.
        emotions, valence: names of two or more emotions (C), and -1, 0 or +1 for each,
            the groups of compression.
        width: D, numbers in a token; even.
        prototypes_per_emotion: K, in each branch.
        betas: inverse temperatures of the two memories of fusion at the start.
        temperature: tau of the banks.
        groups, code: groups of emotions, and numbers in the code, of compression.
        cooccurrence_strength: kappa, as how many training trials the co-occurrence
            counts.
        dropout: share of the numbers of the summaries that are dropped.
        w_prototypes, w_writing, w_relation, w_views: weights of terms of the loss.
        silent_views: who teaches what one branch alone predicts: ``teacher`` (both
            branches, a part of distillation), ``label`` (its control), or ``none``.
        multiscale: two scales of time, moments and their trial; without it each window
            is a trial of its own.
        modality_memory, memory, several_betas: the memory across the modalities of a
            moment, that across the moments of a trial, and all betas of both; without
            the last, the middle one.
        prototypes, banks_alone, writing: the banks, no way past them, and that trials
            are written into them.
        distillation, cooccurrence, compression: these components.
        cooccurrence_gate: the learned gate; without it, the number of training trials
            alone says how much is recalled.
        learned_groups: groups from a random start; without it, one of each valence.

    Raises:
        ParameterError: with all that is not valid.

    Example:
        >>> eda = ("eda", "physiological", 5)
        >>> two, emotions = (eda, ("ecg", "physiological", 3)), ("joy", "fear", "anger")
        >>> MPCLConfig(two, emotions, (1, -1, -1)).switched_off
        {'distillation': 'it needs two branches, there is only physiological'}
    """

    modalities: tuple[tuple[str, str, int], ...]
    emotions: tuple[str, ...]
    valence: tuple[int, ...]
    width: int = 48
    prototypes_per_emotion: int = 16
    betas: tuple[float, ...] = (0.25, 1.0, 4.0)
    temperature: float = 0.45
    groups: int = 3
    code: int = 8
    cooccurrence_strength: float = 400.0
    dropout: float = 0.3
    w_prototypes: float = 0.1
    w_writing: float = 1.0
    w_relation: float = 0.03
    w_views: float = 1.0
    silent_views: str = "teacher"
    multiscale: bool = True
    modality_memory: bool = True
    memory: bool = True
    several_betas: bool = True
    prototypes: bool = True
    banks_alone: bool = True
    writing: bool = True
    distillation: bool = True
    cooccurrence: bool = True
    cooccurrence_gate: bool = True
    compression: bool = True
    learned_groups: bool = True

    def __post_init__(self) -> None:
        for name in ("emotions", "valence", "betas"):  # lists, from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        order = self.branches
        ordered = sorted(self.modalities, key=lambda modality: order.index(modality[1]))
        object.__setattr__(self, "modalities", tuple(map(tuple, ordered)))
        if violations := self._violations():
            title = "these settings of the network are not valid:"
            raise ParameterError("\n  - ".join([title, *violations]))
        for switch in self.switched_off:
            object.__setattr__(self, switch, False)

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of the branches, in the order of their first modality."""
        return tuple(dict.fromkeys(branch for _, branch, _ in self.modalities))

    @property
    def scales(self) -> tuple[float, ...]:
        """The betas in use: all, or the middle one alone."""
        middle = sorted(self.betas)[len(self.betas) // 2]
        return self.betas if self.several_betas else (middle,)

    @property
    def asks_each(self) -> bool:
        """Whether each of two branches is also asked alone."""
        asks = self.distillation or self.silent_views == "label"
        return asks and len(self.branches) == 2

    @property
    def columns(self) -> dict[str, slice]:
        """Where the features of each modality stand side by side."""
        ends = list(accumulate(count for *_, count in self.modalities))
        return {
            name: slice(end - count, end)
            for (name, _, count), end in zip(self.modalities, ends, strict=True)
        }

    @property
    def switched_off(self) -> dict[str, str]:
        """Each component that cannot apply, by its switch, and why."""
        names = [branch for _, branch, _ in self.modalities]
        cases = {
            "modality_memory": (
                len(names) == len(self.branches),
                "no branch has two modalities to recall one another",
            ),
            "memory": (
                not self.multiscale,
                "a window that is a trial of its own has no other to recall",
            ),
            "distillation": (
                len(self.branches) == 1,
                f"it needs two branches, there is only {self.branches[0]}",
            ),
            "cooccurrence": (
                len(self.emotions) == 2,
                "with two emotions each has just one other to recall",
            ),
            "compression": (
                len(self.emotions) == 2,
                "two emotions make no groups",
            ),
        }
        return {switch: why for switch, (applies, why) in cases.items() if applies}

    @property
    def reads(self) -> str:
        """``trials``, or ``windows``, each of which is then a trial of one moment."""
        return "trials" if self.multiscale else "windows"

    def build(self, labels: "LabelStatistics", generator: "torch.Generator") -> "MPCL":
        """A new network; its initial weights come from the generator."""
        # by its name, since the module of the network imports this one
        network = importlib.import_module("mpcl.model.network")
        return network.MPCL(self, labels, generator)

    def architecture(self) -> "MPCLConfig":
        """Itself without what changes the loss alone: equal ones share a stack."""
        weights = dict.fromkeys(WEIGHTS, 1.0)
        taught = {"writing": True, "distillation": True, "silent_views": "teacher"}
        return dataclasses.replace(self, **taught, **weights)

    def loss_weights(self) -> dict[str, float]:
        """The weight of each term of the loss; 0 of one that is off."""
        by_label = self.asks_each and self.silent_views == "label"
        by_both = self.distillation and self.silent_views == "teacher"
        return {
            "kl": 1.0,
            "prototypes": self.w_prototypes * self.prototypes,
            "writing": self.w_writing * self.writing * self.prototypes,
            "relation": self.w_relation * self.distillation * self.prototypes,
            "teacher": self.w_views * by_both,
            "label": self.w_views * by_label,
        }

    def _violations(self) -> list[str]:
        rules = self._rules_of_names() | self._rules_of_numbers()
        return [sentence for sentence, holds in rules.items() if not holds]

    def _rules_of_names(self) -> dict[str, bool]:
        """What must hold of names and switches, and whether it does."""
        names = [name for name, *_ in self.modalities]
        emotions, valence = self.emotions, self.valence
        switches = [getattr(self, switch) for switch in SWITCHES]
        return {
            f"modalities must be one or more with different names, not {names}": (
                0 < len(names) == len(set(names))
            ),
            f"branches must be one or two, not {self.branches}": (
                len(self.branches) <= 2
            ),
            f"emotions must be two or more different ones, not {emotions}": (
                1 < len(set(emotions)) == len(emotions)
            ),
            f"valence must be -1, 0 or 1 an emotion, not {valence}": (
                len(valence) == len(emotions) and set(valence) <= {-1, 0, 1}
            ),
            f"silent_views must be one of {TEACHERS}, not {self.silent_views!r}": (
                self.silent_views in TEACHERS
            ),
            f"{', '.join(SWITCHES)} must be True or False, not {switches}": (
                all(isinstance(switch, bool) for switch in switches)
            ),
        }

    def _rules_of_numbers(self) -> dict[str, bool]:
        """What must hold of sizes and weights, and whether it does."""
        sizes = (self.width, self.prototypes_per_emotion, self.groups, self.code)
        counts = (*sizes, *(count for *_, count in self.modalities))
        positive = (self.temperature, self.cooccurrence_strength, *self.betas)
        weights = [getattr(self, name) for name in WEIGHTS]
        return {
            f"betas must be one or more, not {self.betas}": len(self.betas) > 0,
            "width, prototypes_per_emotion, groups, code and features must be whole "
            f"and positive, not {counts}": all(is_whole(n) and n > 0 for n in counts),
            f"width must be even, not {self.width}": self.width in range(2, 1 << 20, 2),
            "temperature, cooccurrence_strength and betas must be positive, "
            f"not {positive}": all(is_number(x) and x > 0 for x in positive),
            f"dropout must be from 0 to below 1, not {self.dropout}": (
                is_number(self.dropout) and 0 <= self.dropout < 1
            ),
            f"{', '.join(WEIGHTS)} must be 0 or positive, not {weights}": (
                all(is_number(x) and x >= 0 for x in weights)
            ),
        }

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset, **changes: Any) -> "MPCLConfig":
        """Settings for a data set; modalities without a single value are left out.

        Args:
            dataset: a data set of :mod:`mpcl.data.contract`.
            changes: any of the settings.
        """
        settings: dict[str, Any] = {
            "modalities": tuple(
                (name, str(dataset[name].attrs["branch"]), dataset[name].shape[1])
                for name in measured(dataset)
            ),
            "emotions": tuple(map(str, dataset.emotion.values)),
            "valence": tuple(map(int, dataset.valence.values)),
        }
        return cls(**settings | changes)


WEIGHTS = ("w_prototypes", "w_writing", "w_relation", "w_views")
TEACHERS = ("teacher", "label", "none")
SWITCHES = tuple(f.name for f in dataclasses.fields(MPCLConfig) if f.type is bool)
